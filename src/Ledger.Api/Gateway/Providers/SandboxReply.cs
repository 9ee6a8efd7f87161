using System.Security.Cryptography;
using System.Text.Json;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Gateway.Providers;

/// <summary>What the sandbox reads of a request, the same of both protocols.</summary>
/// <param name="Model">The provider's name of the model.</param>
/// <param name="LastText">What was said last: by the user, or by a tool.</param>
/// <param name="IsToolResult">Whether a tool said it.</param>
/// <param name="InputTokens">How many tokens all of it is; at least one.</param>
/// <param name="MaxTokens">The most tokens of an answer.</param>
/// <param name="Stops">What ends an answer.</param>
/// <param name="Tools">The tools that may be called, by name.</param>
/// <param name="IsStream">Whether it is to come as events.</param>
/// <param name="WantsUsage">Whether a stream is to say what was used; Anthropic's always do.</param>
/// <param name="Id">Hexadecimal digits derived from the request.</param>
internal sealed record SandboxAsk(
    string Model,
    string LastText,
    bool IsToolResult,
    int InputTokens,
    int MaxTokens,
    IReadOnlyList<string> Stops,
    IReadOnlyList<string> Tools,
    bool IsStream,
    bool WantsUsage,
    string Id
)
{
    /// <summary>The most tokens of an answer where the request sets no limit.</summary>
    public const int DefaultMaxTokens = 8192;

    /// <summary>Reads a request.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="InvalidOperationException">A member is not of its kind.</exception>
    public static SandboxAsk Read(ReadOnlyMemory<byte> body, Protocol protocol)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        var input =
            TokensOf(root, "system") + (root.TryGetProperty("tools", out var tools) ? SandboxReply.Words(tools.GetRawText()).Count() : 0);
        var (lastText, isToolResult) = ("", false);
        foreach (var message in Items(root, "messages"))
        {
            input += TokensOf(message, "content");
            var role = Text(message, "role");
            if (role is not ("user" or "tool") || !message.TryGetProperty("content", out var content))
                continue;

            // Anthropic's tools answer in the user's name.
            isToolResult = role == "tool" || Parts(content).Any(part => Text(part, "type") == "tool_result");
            lastText = TextOf(content);
        }

        return new(
            Text(root, "model") ?? "",
            lastText,
            isToolResult,
            Math.Max(input, 1),
            Number(root, "max_completion_tokens") ?? Number(root, "max_tokens") ?? DefaultMaxTokens,
            [.. Strings(root, protocol == Protocol.OpenAi ? "stop" : "stop_sequences").Where(stop => stop.Length > 0)],
            IsWithoutTools(root)
                ? []
                :
                [
                    .. Items(root, "tools")
                        .Select(tool => Text(tool.TryGetProperty("function", out var function) ? function : tool, "name") ?? "")
                        .Where(name => name.Length > 0),
                ],
            root.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True,
            protocol == Protocol.Anthropic
                || (
                    root.TryGetProperty("stream_options", out var streaming)
                    && streaming.ValueKind == JsonValueKind.Object
                    && streaming.TryGetProperty("include_usage", out var usage)
                    && usage.ValueKind == JsonValueKind.True
                ),
            Convert.ToHexStringLower(SHA256.HashData(body.Span))[..24]
        );
    }

    private static bool IsWithoutTools(JsonElement root) =>
        root.TryGetProperty("tool_choice", out var choice)
        && (choice.ValueKind == JsonValueKind.String ? choice.GetString() : Text(choice, "type")) == "none";

    private static int TokensOf(JsonElement owner, string name) =>
        owner.TryGetProperty(name, out var content) ? SandboxReply.Words(TextOf(content)).Count() : 0;

    /// <summary>The text of a content that is a string, or a list of parts.</summary>
    private static string TextOf(JsonElement content) =>
        content.ValueKind == JsonValueKind.String
            ? content.GetString()!
            : string.Join(
                '\n',
                Parts(content)
                    .Select(part => Text(part, "text") ?? (part.TryGetProperty("content", out var inner) ? TextOf(inner) : null))
                    .Where(text => text is not null)
            );

    private static IEnumerable<JsonElement> Parts(JsonElement content) =>
        content.ValueKind == JsonValueKind.Array ? content.EnumerateArray().Where(part => part.ValueKind == JsonValueKind.Object) : [];

    private static List<JsonElement> Items(JsonElement owner, string name) =>
        owner.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : [];

    private static IEnumerable<string> Strings(JsonElement owner, string name) =>
        !owner.TryGetProperty(name, out var value) ? []
        : value.ValueKind == JsonValueKind.String ? [value.GetString()!]
        : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(item => item.GetString() ?? "")]
        : [];

    private static string? Text(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static int? Number(JsonElement owner, string name) =>
        owner.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
            ? number
            : null;
}

/// <summary>How an answer of the sandbox ends.</summary>
internal enum SandboxEnd
{
    /// <summary>It was all.</summary>
    Done,

    /// <summary>The most tokens were reached.</summary>
    Length,

    /// <summary>What ends an answer came up.</summary>
    Stop,

    /// <summary>A tool is called.</summary>
    Tool,
}

/// <summary>What the sandbox answers, the same in both protocols.</summary>
/// <param name="Pieces">The text, word by word with the blanks behind; each is a token.</param>
/// <param name="Tool">The tool that is called; null where none is.</param>
/// <param name="End">How it ends.</param>
/// <param name="Stop">What ended it, where that is a stop sequence.</param>
/// <param name="CachedTokens">How much of the input is said to have come from a cache.</param>
/// <param name="OutputTokens">How many tokens it is.</param>
/// <param name="HasUsage">Whether it says what was used.</param>
/// <param name="CreatedAt">When, in Unix seconds.</param>
internal sealed record SandboxReply(
    IReadOnlyList<string> Pieces,
    string? Tool,
    SandboxEnd End,
    string? Stop,
    int CachedTokens,
    int OutputTokens,
    bool HasUsage,
    long CreatedAt
)
{
    // A call is its name and its arguments.
    private const int TokensOfCall = 2;
    private const int TokensOfLength = 4;

    /// <summary>The text in one.</summary>
    public string Text => string.Concat(Pieces);

    /// <summary>The answer to a request, always the same.</summary>
    public static SandboxReply To(SandboxAsk ask, DateTimeOffset now)
    {
        var cached = ask.Model == "cached" ? ask.InputTokens / 2 : 0;
        var hasUsage = ask.Model != "no-usage";
        if (!ask.IsToolResult && CalledTool(ask) is { } tool)
            return new([], tool, SandboxEnd.Tool, null, cached, TokensOfCall, hasUsage, now.ToUnixTimeSeconds());

        var text = (ask.IsToolResult, ask.LastText.Length) switch
        {
            (true, _) => "The tool said: " + ask.LastText,
            (false, 0) => "You said nothing.",
            _ => "You said: " + ask.LastText,
        };
        var (end, stop) = (SandboxEnd.Done, (string?)null);
        if (
            ask
                .Stops.Select(sequence => (Sequence: sequence, At: text.IndexOf(sequence, StringComparison.Ordinal)))
                .Where(found => found.At >= 0)
                .OrderBy(found => found.At)
                .FirstOrDefault() is
            { Sequence: { } first, At: var at }
        )
            (text, end, stop) = (text[..at], SandboxEnd.Stop, first);
        var pieces = Words(text).ToList();
        var most = ask.Model == "length" ? Math.Min(ask.MaxTokens, TokensOfLength) : ask.MaxTokens;
        if (pieces.Count > most || ask.Model == "length")
            (pieces, end, stop) = (pieces[..Math.Clamp(most, 0, pieces.Count)], SandboxEnd.Length, null);
        return new(pieces, null, end, stop, cached, pieces.Count, hasUsage, now.ToUnixTimeSeconds());
    }

    /// <summary>A text in words, each with the blanks behind it; blanks in front are one too.</summary>
    public static IEnumerable<string> Words(string text)
    {
        for (var (from, i) = (0, 0); i < text.Length; from = i)
        {
            while (i < text.Length && !char.IsWhiteSpace(text[i]))
                i++;
            while (i < text.Length && char.IsWhiteSpace(text[i]))
                i++;
            yield return text[from..i];
        }
    }

    private static string? CalledTool(SandboxAsk ask) =>
        ask.Tools.FirstOrDefault(tool => (ask.LastText + " ").Contains($"call {tool} ", StringComparison.Ordinal));
}
