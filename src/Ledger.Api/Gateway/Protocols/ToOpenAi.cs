using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>An Anthropic request as a body of OpenAI's protocol.</summary>
/// <remarks>
/// Dropped, as the answer is good without them: thoughts, <c>cache_control</c>, <c>top_k</c>, <c>context_management</c>, <c>service_tier</c> and members that nobody
/// here knows. Refused: what the answer would be wrong without, such as tools that Anthropic runs itself, and files by their id.
/// </remarks>
internal sealed class ToOpenAi
{
    // OpenAI takes no longer name of a user.
    private const int MaxUser = 64;
    private const int LittleThought = 4_096;
    private const int MuchThought = 16_384;
    private readonly CallRequest _request;
    private readonly UpstreamRewrite _how;
    private readonly Utf8JsonWriter _json;
    private CallFault? _fault;

    private ToOpenAi(CallRequest request, UpstreamRewrite how, Utf8JsonWriter json) => (_request, _how, _json) = (request, how, json);

    /// <summary>Writes it; null where it cannot be expressed.</summary>
    public static byte[]? Write(CallRequest request, UpstreamRewrite how, out CallFault? fault)
    {
        var buffer = new ArrayBufferWriter<byte>(request.Body.Length + 512);
        using var json = JsonSlices.WriterTo(buffer);
        using var document = JsonDocument.Parse(request.Body, JsonSlices.Document);
        var translation = new ToOpenAi(request, how, json);
        translation.Write(document.RootElement);
        fault = translation._fault;
        if (fault is not null)
            return null;
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private void Write(JsonElement body)
    {
        _json.WriteStartObject();
        _json.WriteString("model"u8, _how.Model);
        _json.WriteStartArray("messages"u8);
        WriteSystem(body.Member("system"u8), _how.Preset);
        var at = 0;
        foreach (var message in body.Member("messages"u8).Items())
            WriteMessage(message, at++);
        _json.WriteEndArray();
        if ((_how.MaxTokens ?? _request.MaxTokens) is { } tokens)
            _json.WriteNumber(UpstreamBody.IsReasoner(_how.Model) ? "max_completion_tokens"u8 : "max_tokens"u8, tokens);
        if (_request.IsStream)
        {
            _json.WriteBoolean("stream"u8, true);
            _json.WriteStartObject("stream_options"u8);
            _json.WriteBoolean("include_usage"u8, true);
            _json.WriteEndObject();
        }

        WriteSampling(body);
        WriteUser(body.Member("metadata"u8)?.TextMember("user_id"u8)?.GetString());
        if (WriteTools(body.Member("tools"u8)))
            WriteToolChoice(body.Member("tool_choice"u8));
        WriteFormat(body.Member("output_config"u8)?.Member("format"u8) ?? body.Member("output_format"u8));
        WriteEffort(body.Member("thinking"u8));
        if (body.Member("mcp_servers"u8) is { ValueKind: JsonValueKind.Array } servers && servers.GetArrayLength() > 0)
            Refuse("mcp_servers cannot be translated for this model's provider.", "mcp_servers");
        _json.WriteEndObject();
    }

    // Models that reason refuse a call that has any of them, whatever its value; coding tools set them out of habit.
    private void WriteSampling(JsonElement body)
    {
        if (UpstreamBody.IsReasoner(_how.Model))
            return;
        WriteSame(body, "temperature"u8, "temperature"u8);
        WriteSame(body, "top_p"u8, "top_p"u8);
        if (body.Member("stop_sequences"u8) is { ValueKind: JsonValueKind.Array } stops && stops.GetArrayLength() > 0)
            _json.WriteAsIs("stop"u8, stops);
    }

    private void WriteSame(JsonElement body, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to)
    {
        if (body.Member(from) is { } value)
            _json.WriteAsIs(to, value);
    }

    private void WriteSystem(JsonElement? system, string? preset)
    {
        var texts = new List<string>();
        if (!string.IsNullOrEmpty(preset))
            texts.Add(preset);
        if (system is { ValueKind: JsonValueKind.String } text)
            texts.Add(text.GetString()!);
        texts.AddRange(TextsOf(system));
        texts.RemoveAll(string.IsNullOrEmpty);
        if (texts.Count == 0)
            return;
        _json.WriteStartObject();
        _json.WriteString("role"u8, "system"u8);
        _json.WriteString("content"u8, string.Join("\n\n", texts));
        _json.WriteEndObject();
    }

    private static IEnumerable<string> TextsOf(JsonElement? blocks)
    {
        foreach (var block in blocks.Items())
        {
            if (block.TextMember("text"u8) is { } text)
                yield return text.GetString()!;
        }
    }

    private void WriteMessage(JsonElement message, int at)
    {
        var content = message.Member("content"u8);
        var isUser = message.Says("role"u8, "user"u8);
        if (message.Says("role"u8, "system"u8))
        {
            WriteSystem(content, null);
        }
        else if (content is { ValueKind: JsonValueKind.String } text)
        {
            _json.WriteStartObject();
            _json.WriteString("role"u8, isUser ? "user"u8 : "assistant"u8);
            _json.WriteAsIs("content"u8, text);
            _json.WriteEndObject();
        }
        else if (isUser)
        {
            WriteUser(content, at);
        }
        else
        {
            WriteAssistant(content, at);
        }
    }

    // Results go before whatever else the user says: OpenAI wants them right behind their calls.
    private void WriteUser(JsonElement? content, int at)
    {
        var rest = new List<(JsonElement Block, string Path)>();
        var place = 0;
        foreach (var block in content.Items())
        {
            var path = Path(at, place++);
            if (block.Says("type"u8, "tool_result"u8))
                WriteResult(block, rest, path);
            else
                rest.Add((block, path));
        }

        if (rest.Count == 0)
            return;
        _json.WriteStartObject();
        _json.WriteString("role"u8, "user"u8);
        if (rest.TrueForAll(part => part.Block.Says("type"u8, "text"u8)))
        {
            // Plain text is what every provider takes.
            _json.WriteString("content"u8, string.Join("\n\n", rest.Select(part => part.Block.TextMember("text"u8)!.Value.GetString())));
        }
        else
        {
            _json.WriteStartArray("content"u8);
            foreach (var (block, path) in rest)
                WritePart(block, path);
            _json.WriteEndArray();
        }

        _json.WriteEndObject();
    }

    private void WriteResult(JsonElement block, List<(JsonElement Block, string Path)> rest, string path)
    {
        var content = block.Member("content"u8);
        var texts = new List<string>();
        if (content is { ValueKind: JsonValueKind.String } text)
            texts.Add(text.GetString()!);
        foreach (var part in content.Items())
        {
            // Tools of OpenAI's protocol answer with text; what can be seen follows as the user's.
            if (part.Says("type"u8, "image"u8) || part.Says("type"u8, "document"u8))
                rest.Add((part, path));
            else if (part.TextMember("text"u8) is { } words)
                texts.Add(words.GetString()!);
            else
                texts.Add(part.GetRawText());
        }

        _json.WriteStartObject();
        _json.WriteString("role"u8, "tool"u8);
        _json.WriteString("tool_call_id"u8, block.TextMember("tool_use_id"u8)?.GetString() ?? "");
        var isError = block.Member("is_error"u8) is { ValueKind: JsonValueKind.True };
        _json.WriteString("content"u8, (isError ? "Error: " : "") + string.Join("\n", texts));
        _json.WriteEndObject();
    }

    private void WritePart(JsonElement block, string path)
    {
        if (block.Says("type"u8, "text"u8))
            WriteTextPart(block.TextMember("text"u8)!.Value.GetString()!);
        else if (block.Says("type"u8, "image"u8))
            WriteImage(block.Member("source"u8), path);
        else if (block.Says("type"u8, "document"u8))
            WriteDocument(block, path);
        else if (block.Says("type"u8, "search_result"u8))
            WriteTextPart(string.Join("\n", TextsOf(block.Member("content"u8)).Prepend(block.TextMember("title"u8)?.GetString() ?? "")));
        else
            Refuse("This kind of block cannot be translated for this model's provider.", path);
    }

    private void WriteTextPart(string text)
    {
        _json.WriteStartObject();
        _json.WriteString("type"u8, "text"u8);
        _json.WriteString("text"u8, text);
        _json.WriteEndObject();
    }

    private void WriteImage(JsonElement? source, string path)
    {
        if (UrlOf(source) is not { } url)
        {
            Refuse("A picture must come as Base64 or by its URL for this model's provider.", path);
            return;
        }

        _json.WriteStartObject();
        _json.WriteString("type"u8, "image_url"u8);
        _json.WriteStartObject("image_url"u8);
        _json.WriteString("url"u8, url);
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private void WriteDocument(JsonElement block, string path)
    {
        var source = block.Member("source"u8);
        var title = block.TextMember("title"u8)?.GetString();
        if (source?.Says("type"u8, "text"u8) == true && source.Value.TextMember("data"u8) is { } text)
        {
            WriteTextPart(title is null ? text.GetString()! : title + "\n\n" + text.GetString());
        }
        else if (source?.Says("type"u8, "content"u8) == true && source.Value.Member("content"u8) is { } content)
        {
            var texts = content.ValueKind == JsonValueKind.String ? [content.GetString()!] : TextsOf(content);
            WriteTextPart(string.Join("\n\n", title is null ? texts : texts.Prepend(title)));
        }
        else if (source?.Says("type"u8, "base64"u8) == true && UrlOf(source) is { } url)
        {
            _json.WriteStartObject();
            _json.WriteString("type"u8, "file"u8);
            _json.WriteStartObject("file"u8);
            _json.WriteString("filename"u8, title ?? "document.pdf");
            _json.WriteString("file_data"u8, url);
            _json.WriteEndObject();
            _json.WriteEndObject();
        }
        else
        {
            Refuse("A document must come as Base64 or as text for this model's provider.", path);
        }
    }

    private static string? UrlOf(JsonElement? source)
    {
        if (source is not { } from)
            return null;
        if (from.Says("type"u8, "url"u8))
            return from.TextMember("url"u8)?.GetString();
        return from.Says("type"u8, "base64"u8) && from.TextMember("media_type"u8) is { } type && from.TextMember("data"u8) is { } data
            ? "data:" + type.GetString() + ";base64," + data.GetString()
            : null;
    }

    private void WriteAssistant(JsonElement? content, int at)
    {
        var texts = new List<string>();
        var calls = new List<JsonElement>();
        var place = 0;
        foreach (var block in content.Items())
        {
            var path = Path(at, place++);
            if (block.Says("type"u8, "text"u8))
                texts.Add(block.TextMember("text"u8)!.Value.GetString()!);
            else if (block.Says("type"u8, "tool_use"u8))
                calls.Add(block);
            else if (!block.Says("type"u8, "thinking"u8) && !block.Says("type"u8, "redacted_thinking"u8))
                Refuse("This kind of block cannot be translated for this model's provider.", path);
        }

        _json.WriteStartObject();
        _json.WriteString("role"u8, "assistant"u8);
        if (texts.Count == 0 && calls.Count > 0)
            _json.WriteNull("content"u8);
        else
            _json.WriteString("content"u8, string.Join("\n\n", texts));
        if (calls.Count > 0)
        {
            _json.WriteStartArray("tool_calls"u8);
            foreach (var call in calls)
                WriteCall(call);
            _json.WriteEndArray();
        }

        _json.WriteEndObject();
    }

    private void WriteCall(JsonElement call)
    {
        _json.WriteStartObject();
        _json.WriteString("id"u8, call.TextMember("id"u8)?.GetString() ?? "");
        _json.WriteString("type"u8, "function"u8);
        _json.WriteStartObject("function"u8);
        _json.WriteString("name"u8, call.TextMember("name"u8)?.GetString() ?? "");
        _json.WriteString("arguments"u8, call.Member("input"u8)?.GetRawText() ?? "{}");
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private bool WriteTools(JsonElement? tools)
    {
        if (tools is not { ValueKind: JsonValueKind.Array } all || all.GetArrayLength() == 0)
            return false;
        _json.WriteStartArray("tools"u8);
        var place = 0;
        foreach (var tool in all.EnumerateArray())
        {
            if (tool.Member("type"u8) is not null && !tool.Says("type"u8, "custom"u8))
                Refuse(
                    "Tools of Anthropic's own cannot be translated for this model's provider.",
                    string.Create(CultureInfo.InvariantCulture, $"tools[{place}].type")
                );
            place++;
            _json.WriteStartObject();
            _json.WriteString("type"u8, "function"u8);
            _json.WriteStartObject("function"u8);
            WriteSame(tool, "name"u8, "name"u8);
            WriteSame(tool, "description"u8, "description"u8);
            WriteSame(tool, "input_schema"u8, "parameters"u8);
            if (tool.Member("strict"u8) is { ValueKind: JsonValueKind.True })
                _json.WriteBoolean("strict"u8, tool.Member("input_schema"u8) is { } schema && JsonSchemas.IsStrict(schema));
            _json.WriteEndObject();
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
        return true;
    }

    private void WriteToolChoice(JsonElement? choice)
    {
        if (choice is not { } how)
            return;
        if (how.Says("type"u8, "auto"u8))
            _json.WriteString("tool_choice"u8, "auto"u8);
        else if (how.Says("type"u8, "any"u8))
            _json.WriteString("tool_choice"u8, "required"u8);
        else if (how.Says("type"u8, "none"u8))
            _json.WriteString("tool_choice"u8, "none"u8);
        else if (how.Says("type"u8, "tool"u8) && how.TextMember("name"u8) is { } name)
        {
            _json.WriteStartObject("tool_choice"u8);
            _json.WriteString("type"u8, "function"u8);
            _json.WriteStartObject("function"u8);
            _json.WriteAsIs("name"u8, name);
            _json.WriteEndObject();
            _json.WriteEndObject();
        }
        else
        {
            Refuse("tool_choice must be auto, any, none or a tool by its name.", "tool_choice");
        }

        if (how.Member("disable_parallel_tool_use"u8) is { ValueKind: JsonValueKind.True })
            _json.WriteBoolean("parallel_tool_calls"u8, false);
    }

    private void WriteFormat(JsonElement? format)
    {
        if (format is not { } how)
            return;
        if (!how.Says("type"u8, "json_schema"u8) || how.Member("schema"u8) is not { } schema)
        {
            Refuse("The format of the answer must be a JSON schema for this model's provider.", "output_config.format");
            return;
        }

        _json.WriteStartObject("response_format"u8);
        _json.WriteString("type"u8, "json_schema"u8);
        _json.WriteStartObject("json_schema"u8);
        _json.WriteString("name"u8, "answer"u8);
        _json.WriteBoolean("strict"u8, JsonSchemas.IsStrict(schema));
        _json.WriteAsIs("schema"u8, schema);
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    // Models that do not reason refuse to be told how hard.
    private void WriteEffort(JsonElement? thinking)
    {
        if (!UpstreamBody.IsReasoner(_how.Model) || thinking is not { } how || !how.Says("type"u8, "enabled"u8))
            return;
        var budget =
            how.Member("budget_tokens"u8) is { } tokens && tokens.ValueKind == JsonValueKind.Number && tokens.TryGetInt64(out var most)
                ? most
                : MuchThought;
        _json.WriteString(
            "reasoning_effort"u8,
            budget <= LittleThought ? "low"u8
                : budget < MuchThought ? "medium"u8
                : "high"u8
        );
    }

    private void WriteUser(string? user)
    {
        if (string.IsNullOrEmpty(user))
            return;

        // A digest says who it is as well as the name does, to whoever only compares.
        _json.WriteString(
            "user"u8,
            user.Length <= MaxUser ? user : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(user)))
        );
    }

    private static string Path(int message, int block) =>
        string.Create(CultureInfo.InvariantCulture, $"messages[{message}].content[{block}]");

    private void Refuse(string message, string param) => _fault ??= new(message, param);
}
