using System.Text.Json;
using Shouldly;

namespace Ledger.Testing;

/// <summary>What came back from a request, with assertions that say what they saw.</summary>
/// <param name="What">The request in a few words, for messages.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The whole body.</param>
/// <param name="Headers">All headers, those of the content included; several values of one are joined by commas.</param>
public sealed record Answer(string What, int Status, string Body, IReadOnlyDictionary<string, string> Headers)
{
    private JsonElement? _json;

    /// <summary>The body as JSON.</summary>
    public JsonElement Json
    {
        get
        {
            try
            {
                return _json ??= JsonDocument.Parse(Body).RootElement;
            }
            catch (JsonException)
            {
                throw new ShouldAssertException($"{What}: not JSON.\n{this}");
            }
        }
    }

    /// <summary>A header; null where there is none.</summary>
    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>A member of the body, by its path: <c>Text("fields", "units")</c>; null where there is none. Texts come as they are, all else as JSON.</summary>
    public string? Text(params string[] path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var at = Json;
        foreach (var name in path)
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at))
                return null;
        }

        return at.ValueKind == JsonValueKind.String ? at.GetString() : at.GetRawText();
    }

    /// <summary>The status is this one.</summary>
    public Answer ShouldBe(int status)
    {
        Status.ShouldBe(status, ToString());
        return this;
    }

    /// <summary>The status is this one and the body is exactly this text: the same members in the same order, no other whitespace.</summary>
    public Answer ShouldBe(int status, string body)
    {
        ShouldBe(status);
        Body.ShouldBe(body, ToString());
        return this;
    }

    /// <summary>A header has this value; null where it must not be there.</summary>
    public Answer ShouldHave(string header, string? value)
    {
        Header(header).ShouldBe(value, $"header {header}\n{this}");
        return this;
    }

    /// <summary>A refusal of the tools dialect: the status, <c>ok</c> false, this <c>error</c>, a message, a request id.</summary>
    public Answer ShouldBeRefused(int status, string error)
    {
        ShouldBe(status);
        Text("ok").ShouldBe("false", ToString());
        Text("error").ShouldBe(error, ToString());
        Text("message").ShouldNotBeNullOrWhiteSpace(ToString());
        Header("x-request-id").ShouldNotBeNullOrWhiteSpace(ToString());
        return this;
    }

    /// <summary>The answer as a person would want to read it in a failed test.</summary>
    public override string ToString() =>
        $"{What} was answered {Status}\n{string.Join('\n', Headers.Select(header => $"{header.Key}: {header.Value}"))}\n{Body}";
}
