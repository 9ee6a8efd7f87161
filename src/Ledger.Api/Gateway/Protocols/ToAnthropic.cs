using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>An OpenAI request as a body of Anthropic's protocol.</summary>
/// <remarks>
/// Dropped, as the answer is good without them: penalties, <c>seed</c>, <c>logit_bias</c>, <c>reasoning_effort</c>, <c>prediction</c>, <c>top_p</c> where there is a
/// <c>temperature</c> (newer models take one of them), and members that nobody here knows. Refused: what the answer would be wrong without, such as
/// several choices, sound, <c>logprobs</c>, and files by their id.
/// </remarks>
internal sealed class ToAnthropic
{
    private const string OnlyJson = "Answer with one JSON object, and nothing before or after it.";
    private readonly CallRequest _request;
    private readonly UpstreamRewrite _how;
    private readonly Utf8JsonWriter _json;
    private CallFault? _fault;

    // Of the message under way: OpenAI's messages of one role in a row are one of Anthropic's.
    private bool? _isUser;
    private string _lastCall = "";

    private ToAnthropic(CallRequest request, UpstreamRewrite how, Utf8JsonWriter json) => (_request, _how, _json) = (request, how, json);

    /// <summary>Writes it; null where it cannot be expressed.</summary>
    /// <exception cref="ArgumentException">Nobody says how long the answer may be.</exception>
    public static byte[]? Write(CallRequest request, UpstreamRewrite how, out CallFault? fault)
    {
        var buffer = new ArrayBufferWriter<byte>(request.Body.Length + 512);
        using var json = JsonSlices.WriterTo(buffer);
        using var document = JsonDocument.Parse(request.Body, JsonSlices.Document);
        var translation = new ToAnthropic(request, how, json);
        translation.Write(document.RootElement);
        fault = translation._fault;
        if (fault is not null)
            return null;
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private void Write(JsonElement body)
    {
        RefuseForeign(body);
        _json.WriteStartObject();
        _json.WriteString("model"u8, _how.Model);
        _json.WriteNumber(
            "max_tokens"u8,
            _how.MaxTokens ?? _request.MaxTokens ?? throw new ArgumentException("An answer in Anthropic's protocol needs its most tokens.")
        );
        WriteSystem(body);
        WriteMessages(body);
        if (_request.IsStream)
            _json.WriteBoolean("stream"u8, true);
        WriteSampling(body);
        WriteStops(body.Member("stop"u8));
        if (body.TextMember("user"u8) is { } user)
        {
            _json.WriteStartObject("metadata"u8);
            _json.WriteAsIs("user_id"u8, user);
            _json.WriteEndObject();
        }

        if (WriteTools(body))
            WriteToolChoice(body);
        WriteFormat(body.Member("response_format"u8));
        _json.WriteEndObject();
    }

    private void RefuseForeign(JsonElement body)
    {
        if (_request.Choices > 1)
            Refuse("This model's provider gives one answer only.", "n");
        if (body.Member("logprobs"u8) is { ValueKind: JsonValueKind.True })
            Refuse("This model's provider gives no logprobs.", "logprobs");
        if (body.Member("audio"u8) is not null)
            Refuse("This model's provider gives no sound.", "audio");
        foreach (var modality in body.Member("modalities"u8).Items())
        {
            if (modality.ValueKind != JsonValueKind.String || !modality.ValueEquals("text"u8))
                Refuse("This model's provider gives text only.", "modalities");
        }

        if (body.Member("web_search_options"u8) is not null)
            Refuse("web_search_options cannot be translated for this model's provider.", "web_search_options");
    }

    private void WriteSampling(JsonElement body)
    {
        // OpenAI's temperature goes to 2, Anthropic's to 1.
        if (NumberOf(body, "temperature"u8) is { } temperature)
            _json.WriteNumber("temperature"u8, Math.Clamp(temperature, 0, 1));
        else if (NumberOf(body, "top_p"u8) is { } share)
            _json.WriteNumber("top_p"u8, Math.Clamp(share, 0, 1));
    }

    private double? NumberOf(JsonElement body, ReadOnlySpan<byte> name)
    {
        if (body.Member(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number))
            return number;
        var member = System.Text.Encoding.UTF8.GetString(name);
        Refuse(member + " must be a number.", member);
        return null;
    }

    private void WriteStops(JsonElement? stop)
    {
        var stops = new List<string>();
        if (stop is { ValueKind: JsonValueKind.String } one)
            stops.Add(one.GetString()!);
        foreach (var item in stop.Items())
        {
            if (item.ValueKind == JsonValueKind.String)
                stops.Add(item.GetString()!);
        }

        // Anthropic refuses those of white space.
        stops.RemoveAll(string.IsNullOrWhiteSpace);
        if (stops.Count == 0)
            return;
        _json.WriteStartArray("stop_sequences"u8);
        foreach (var text in stops)
            _json.WriteStringValue(text);
        _json.WriteEndArray();
    }

    private void WriteSystem(JsonElement body)
    {
        var texts = new List<string>();
        if (_how.Preset is { } preset)
            texts.Add(preset);
        foreach (var message in body.Member("messages"u8).Items())
        {
            if (!IsSystem(message))
                continue;
            var content = message.Member("content"u8);
            if (content is { ValueKind: JsonValueKind.String } text)
                texts.Add(text.GetString()!);
            foreach (var part in content.Items())
            {
                if (part.TextMember("text"u8) is { } words)
                    texts.Add(words.GetString()!);
            }
        }

        if (body.Member("response_format"u8)?.Says("type"u8, "json_object"u8) == true)
            texts.Add(OnlyJson);
        texts.RemoveAll(string.IsNullOrEmpty);
        if (texts.Count == 0)
            return;
        if (texts.Count == 1)
        {
            _json.WriteString("system"u8, texts[0]);
            return;
        }

        _json.WriteStartArray("system"u8);
        foreach (var text in texts)
            WriteText(text);
        _json.WriteEndArray();
    }

    private static bool IsSystem(JsonElement message) => message.Says("role"u8, "system"u8) || message.Says("role"u8, "developer"u8);

    private void WriteMessages(JsonElement body)
    {
        _json.WriteStartArray("messages"u8);
        var at = 0;
        foreach (var message in body.Member("messages"u8).Items())
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"messages[{at++}]");
            if (IsSystem(message))
                continue;
            if (message.Says("role"u8, "assistant"u8))
                WriteAssistant(message, path);
            else if (message.Says("role"u8, "user"u8))
                WriteContent(message.Member("content"u8), isUser: true, path);
            else
                WriteResult(message, path);
        }

        if (_isUser is null)
            Refuse("This model's provider needs a message that is not the system's, and not empty.", "messages");
        else
            EndMessage();
        _json.WriteEndArray();
    }

    // Blocks are written as they come; a message is begun by its first block, so that none is empty.
    private void Enter(bool isUser)
    {
        if (_isUser == isUser)
            return;
        if (_isUser is not null)
            EndMessage();
        _isUser = isUser;
        _json.WriteStartObject();
        _json.WriteString("role"u8, isUser ? "user"u8 : "assistant"u8);
        _json.WriteStartArray("content"u8);
    }

    private void EndMessage()
    {
        _json.WriteEndArray();
        _json.WriteEndObject();
    }

    private void WriteContent(JsonElement? content, bool isUser, string path)
    {
        if (content is { ValueKind: JsonValueKind.String } text)
            EnterText(text.GetString()!, isUser);
        var place = 0;
        foreach (var part in content.Items())
            WritePart(part, isUser, string.Create(CultureInfo.InvariantCulture, $"{path}.content[{place++}]"));
    }

    // Anthropic refuses empty texts.
    private void EnterText(string text, bool isUser)
    {
        if (text.Length == 0)
            return;
        Enter(isUser);
        WriteText(text);
    }

    private void WriteText(string text)
    {
        _json.WriteStartObject();
        _json.WriteString("type"u8, "text"u8);
        _json.WriteString("text"u8, text);
        _json.WriteEndObject();
    }

    private void WritePart(JsonElement part, bool isUser, string path)
    {
        if (part.Says("type"u8, "text"u8))
            EnterText(part.TextMember("text"u8)!.Value.GetString()!, isUser);
        else if (part.Says("type"u8, "refusal"u8) && part.TextMember("refusal"u8) is { } refusal)
            EnterText(refusal.GetString()!, isUser);
        else if (part.Says("type"u8, "image_url"u8))
        {
            var image = part.Member("image_url"u8);
            var url = image is { ValueKind: JsonValueKind.String } text ? text : image?.TextMember("url"u8);
            Enter(isUser);
            WriteSource("image"u8, url?.GetString() ?? "", path);
        }
        else if (part.Says("type"u8, "file"u8) && part.Member("file"u8)?.TextMember("file_data"u8) is { } data)
        {
            Enter(isUser);
            WriteSource("document"u8, data.GetString()!, path);
        }
        else
        {
            Refuse("This kind of part cannot be translated for this model's provider.", path);
        }
    }

    private void WriteSource(ReadOnlySpan<byte> type, string url, string path)
    {
        _json.WriteStartObject();
        _json.WriteString("type"u8, type);
        _json.WriteStartObject("source"u8);
        var comma = url.IndexOf(',', StringComparison.Ordinal);
        if (!url.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
        {
            _json.WriteString("type"u8, "url"u8);
            _json.WriteString("url"u8, url);
        }
        else if (comma > 0 && url.AsSpan(5, comma - 5) is var head && head.EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
        {
            var end = head.IndexOf(';');
            _json.WriteString("type"u8, "base64"u8);
            _json.WriteString("media_type"u8, head[..end]);
            _json.WriteString("data"u8, url.AsSpan(comma + 1));
        }
        else
        {
            Refuse("A data URL must be in Base64 for this model's provider.", path);
        }

        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private void WriteAssistant(JsonElement message, string path)
    {
        WriteContent(message.Member("content"u8), isUser: false, path);
        if (message.TextMember("refusal"u8) is { } refusal)
            EnterText(refusal.GetString()!, isUser: false);
        var place = 0;
        foreach (var call in message.Member("tool_calls"u8).Items())
        {
            var at = string.Create(CultureInfo.InvariantCulture, $"{path}.tool_calls[{place++}]");
            if (call.Member("function"u8) is { } function)
                WriteCall(call.TextMember("id"u8)?.GetString() ?? "", function, at);
            else
                Refuse("Only calls of functions can be translated for this model's provider.", at);
        }

        // What calls of tools were before they had ids.
        if (message.Member("function_call"u8) is { } old)
        {
            _lastCall = "call_" + path.Trim("messages[]".ToCharArray());
            WriteCall(_lastCall, old, path + ".function_call");
        }
    }

    private void WriteCall(string id, JsonElement function, string path)
    {
        var text = function.TextMember("arguments"u8)?.GetString();
        using var arguments = ObjectOf(text);
        if (arguments is null && !string.IsNullOrWhiteSpace(text))
            Refuse("arguments must be a JSON object for this model's provider.", path);
        Enter(isUser: false);
        _json.WriteStartObject();
        _json.WriteString("type"u8, "tool_use"u8);
        _json.WriteString("id"u8, ToolIds.Clean(id));
        _json.WriteString("name"u8, function.TextMember("name"u8)?.GetString() ?? "");
        _json.WritePropertyName("input"u8);
        if (arguments is null)
        {
            _json.WriteStartObject();
            _json.WriteEndObject();
        }
        else
        {
            _json.WriteAsIs(arguments.RootElement);
        }

        _json.WriteEndObject();
    }

    private static JsonDocument? ObjectOf(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        try
        {
            var document = JsonDocument.Parse(text, JsonSlices.Document);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
        }
        catch (JsonException)
        {
            // What a model made up is not always JSON; the caller is told.
        }

        return null;
    }

    private void WriteResult(JsonElement message, string path)
    {
        var id = message.TextMember("tool_call_id"u8)?.GetString() ?? _lastCall;
        Enter(isUser: true);
        _json.WriteStartObject();
        _json.WriteString("type"u8, "tool_result"u8);
        _json.WriteString("tool_use_id"u8, ToolIds.Clean(id));
        var content = message.Member("content"u8);
        if (content is { ValueKind: JsonValueKind.String } text)
        {
            _json.WriteAsIs("content"u8, text);
        }
        else
        {
            _json.WriteStartArray("content"u8);
            WriteContent(content, isUser: true, path);
            _json.WriteEndArray();
        }

        _json.WriteEndObject();
    }

    private bool WriteTools(JsonElement body)
    {
        var tools = body.Member("tools"u8);
        var functions = body.Member("functions"u8);
        if (!tools.Items().Any() && !functions.Items().Any())
            return false;
        _json.WriteStartArray("tools"u8);
        var place = 0;
        foreach (var tool in tools.Items())
        {
            if (tool.Says("type"u8, "function"u8) && tool.Member("function"u8) is { } function)
                WriteTool(function);
            else
                Refuse(
                    "Only functions can be translated for this model's provider.",
                    string.Create(CultureInfo.InvariantCulture, $"tools[{place}].type")
                );
            place++;
        }

        foreach (var function in functions.Items())
            WriteTool(function);
        _json.WriteEndArray();
        return true;
    }

    private void WriteTool(JsonElement function)
    {
        _json.WriteStartObject();
        _json.WriteString("name"u8, function.TextMember("name"u8)?.GetString() ?? "");
        if (function.Member("description"u8) is { } description)
            _json.WriteAsIs("description"u8, description);
        if (function.Member("parameters"u8) is { } parameters)
        {
            _json.WriteAsIs("input_schema"u8, parameters);
        }
        else
        {
            _json.WriteStartObject("input_schema"u8);
            _json.WriteString("type"u8, "object"u8);
            _json.WriteStartObject("properties"u8);
            _json.WriteEndObject();
            _json.WriteEndObject();
        }

        if (function.Member("strict"u8) is { ValueKind: JsonValueKind.True })
            _json.WriteBoolean("strict"u8, true);
        _json.WriteEndObject();
    }

    private void WriteToolChoice(JsonElement body)
    {
        var choice = body.Member("tool_choice"u8) ?? body.Member("function_call"u8);
        var isOneByOne = body.Member("parallel_tool_calls"u8) is { ValueKind: JsonValueKind.False };
        if (choice is null && !isOneByOne)
            return;
        var (type, name) = ChoiceOf(choice);
        if (type is null)
        {
            Refuse("tool_choice must be auto, required, none or a function by its name for this model's provider.", "tool_choice");
            return;
        }

        _json.WriteStartObject("tool_choice"u8);
        _json.WriteString("type"u8, type);
        if (name is not null)
            _json.WriteString("name"u8, name);
        if (isOneByOne && type != "none")
            _json.WriteBoolean("disable_parallel_tool_use"u8, true);
        _json.WriteEndObject();
    }

    private static (string? Type, string? Name) ChoiceOf(JsonElement? choice) =>
        choice switch
        {
            null => ("auto", null),
            { ValueKind: JsonValueKind.String } word when word.ValueEquals("auto"u8) => ("auto", null),
            { ValueKind: JsonValueKind.String } word when word.ValueEquals("required"u8) => ("any", null),
            { ValueKind: JsonValueKind.String } word when word.ValueEquals("none"u8) => ("none", null),
            { ValueKind: JsonValueKind.Object } one when (one.Member("function"u8) ?? one).TextMember("name"u8) is { } name => (
                "tool",
                name.GetString()
            ),
            _ => (null, null),
        };

    private void WriteFormat(JsonElement? format)
    {
        if (format is not { } how || how.Says("type"u8, "text"u8) || how.Says("type"u8, "json_object"u8))
            return;
        if (!how.Says("type"u8, "json_schema"u8) || how.Member("json_schema"u8)?.Member("schema"u8) is not { } schema)
        {
            Refuse("This response_format cannot be translated for this model's provider.", "response_format");
            return;
        }

        _json.WriteStartObject("output_config"u8);
        _json.WriteStartObject("format"u8);
        _json.WriteString("type"u8, "json_schema"u8);
        _json.WritePropertyName("schema"u8);
        if (!JsonSchemas.TryWriteClosed(_json, schema))
            Refuse(
                "Objects of any members cannot be asked of this model's provider; name the properties.",
                "response_format.json_schema.schema"
            );
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private void Refuse(string message, string param) => _fault ??= new(message, param);
}
