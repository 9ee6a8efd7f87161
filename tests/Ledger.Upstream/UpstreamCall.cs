using System.Text;
using System.Text.Json;

namespace Ledger.Upstream;

/// <summary>One request as a provider saw it.</summary>
/// <param name="Method">The method.</param>
/// <param name="Path">The path.</param>
/// <param name="Headers">The headers, without regard to case; several values of one with commas in between.</param>
/// <param name="Body">The body, byte for byte.</param>
public sealed record UpstreamCall(string Method, string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonElement.Parse(Body);

    /// <summary>The model that was asked for; empty where the body names none.</summary>
    public string Model { get; internal init; } = "";

    /// <summary>Whether a stream was asked for.</summary>
    public bool IsStream { get; internal init; }

    /// <summary>Its version, such as <c>HTTP/2</c>.</summary>
    public string HttpVersion { get; internal init; } = "";

    /// <summary>The connection it came on.</summary>
    public string Connection { get; internal init; } = "";

    /// <summary>Comes when the client ends the connection before the answer is at its end.</summary>
    public Task ClientGone => _gone.Task;

    /// <summary>A header; null where there was none.</summary>
    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>Whether a text occurs anywhere: path, headers, body. For secrets that must not.</summary>
    public bool Contains(string text) =>
        Path.Contains(text, StringComparison.Ordinal)
        || Text.Contains(text, StringComparison.Ordinal)
        || Headers.Any(header =>
            header.Key.Contains(text, StringComparison.OrdinalIgnoreCase) || header.Value.Contains(text, StringComparison.Ordinal)
        );

    internal void EndByClient() => _gone.TrySetResult();
}
