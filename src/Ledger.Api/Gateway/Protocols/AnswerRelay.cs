using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>Turns a provider's whole answer into the one that the caller gets.</summary>
internal static class AnswerRelay
{
    /// <summary>The caller's answer.</summary>
    /// <param name="request">What the caller asked.</param>
    /// <param name="upstream">The provider's protocol.</param>
    /// <param name="answer">What the provider answered.</param>
    /// <param name="report">What it used.</param>
    /// <param name="created">When it was answered, in Unix seconds, where OpenAI's protocol asks for it and Anthropic's does not tell.</param>
    /// <exception cref="InvalidDataException">It is no answer of the provider's protocol. The message is fit to be told.</exception>
    public static byte[] Read(CallRequest request, Protocol upstream, ReadOnlyMemory<byte> answer, out UsageReport report, long created = 0)
    {
        try
        {
            return upstream == Protocol.OpenAi ? OpenAi(request, answer, out report) : Anthropic(request, answer, created, out report);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException("The provider's answer cannot be read.", e);
        }
    }

    /// <summary>What the first choice says in an answer of OpenAI's protocol; nothing where there is none.</summary>
    public static FirstChoice FirstOf(ReadOnlyMemory<byte> answer)
    {
        using var document = JsonDocument.Parse(answer, JsonSlices.Document);
        foreach (var choice in document.RootElement.Member("choices"u8).Items())
        {
            var message = choice.Member("message"u8);
            return new(
                TextOf(message?.Member("content"u8)),
                RawOf(message?.Member("refusal"u8)),
                RawOf(message?.Member("tool_calls"u8)),
                RawOf(message?.Member("function_call"u8)),
                RawOf(choice.TextMember("finish_reason"u8))
            );
        }

        return new("", null, null, null, null);
    }

    private static string TextOf(JsonElement? content)
    {
        if (content is { ValueKind: JsonValueKind.String } text)
            return Decoded(text);
        var all = new StringBuilder();
        foreach (var part in content.Items())
            all.Append(part.TextMember("text"u8) is { } words ? Decoded(words) : "");
        return all.ToString();
    }

    // Copied, since the document is gone when it is written. What is empty says nothing.
    private static byte[]? RawOf(JsonElement? value) =>
        value is { } given && JsonMarshal.GetRawUtf8Value(given) is var raw && !raw.SequenceEqual("[]"u8) && !raw.SequenceEqual("\"\""u8)
            ? raw.ToArray()
            : null;

    private static byte[] OpenAi(CallRequest request, ReadOnlyMemory<byte> answer, out UsageReport report)
    {
        var data = answer.Span;
        var pass = OpenAiPass.Of(data);
        if (pass.Error.Exists)
            throw new InvalidDataException(UpstreamErrors.MessageOf(answer));
        if (pass.Choices == 0)
            throw new InvalidDataException("The provider's answer has no choices.");
        var meter = new UsageMeter(request) { Outcome = pass.Outcome ?? CallOutcome.Completed };
        meter.Deliver(pass.Delivered);
        if (pass.Usage.Exists)
            meter.TakeOpenAi(pass.Usage.Of(data));
        report = meter.Report;
        return request.Protocol == Protocol.OpenAi ? Named(request, data, pass.Model) : ToAnthropic(request, answer, report);
    }

    private static byte[] Anthropic(CallRequest request, ReadOnlyMemory<byte> answer, long created, out UsageReport report)
    {
        var data = answer.Span;
        var pass = AnthropicPass.Of(data);
        if (pass.Kind == AnthropicKind.Error)
            throw new InvalidDataException(UpstreamErrors.MessageOf(answer));
        if (pass.Kind != AnthropicKind.Message || !pass.HasContent)
            throw new InvalidDataException("The provider's answer is no message.");
        var meter = new UsageMeter(request) { Outcome = pass.Outcome ?? CallOutcome.Completed };
        meter.Deliver(pass.Delivered);
        if (pass.Usage.Exists)
            meter.TakeAnthropic(pass.Usage.Of(data), isFinal: true);
        report = meter.Report;
        return request.Protocol == Protocol.Anthropic ? Named(request, data, pass.Model) : ToOpenAi(request, answer, created, report);
    }

    // As it came, but for the model's name.
    private static byte[] Named(CallRequest request, ReadOnlySpan<byte> data, Slice model)
    {
        if (!model.Exists)
            return data.ToArray();
        var name = JsonSlices.Quote(request.Model);
        var result = new byte[data.Length - (model.End - model.Start) + name.Length];
        data[..model.Start].CopyTo(result);
        name.CopyTo(result, model.Start);
        data[model.End..].CopyTo(result.AsSpan(model.Start + name.Length));
        return result;
    }

    private static byte[] ToAnthropic(CallRequest request, ReadOnlyMemory<byte> answer, in UsageReport report)
    {
        using var document = JsonDocument.Parse(answer, JsonSlices.Document);
        var root = document.RootElement;
        var buffer = new ArrayBufferWriter<byte>(answer.Length + 256);
        using var json = JsonSlices.WriterTo(buffer);
        json.WriteStartObject();
        WriteId(json, "msg_", root);
        json.WriteString("type"u8, "message"u8);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteString("model"u8, request.Model);
        json.WriteStartArray("content"u8);
        var calls = 0;
        foreach (var choice in root.Member("choices"u8).Items())
        {
            if (choice.Member("message"u8) is not { } message)
                continue;
            WriteTextBlock(json, message.Member("content"u8));
            WriteTextBlock(json, message.Member("refusal"u8));
            foreach (var call in message.Member("tool_calls"u8).Items())
                WriteToolUse(json, call, calls++);
            break;
        }

        json.WriteEndArray();
        json.WriteString("stop_reason"u8, StopReasons.ToAnthropic(report.Outcome, calls > 0));
        json.WriteNull("stop_sequence"u8);
        json.WritePropertyName("usage"u8);
        json.WriteRawValue(UsageTexts.Anthropic(report.Tokens), skipInputValidation: true);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteTextBlock(Utf8JsonWriter json, JsonElement? content)
    {
        foreach (var part in content.Items())
            WriteTextBlock(json, part.TextMember("text"u8));
        if (content is not { ValueKind: JsonValueKind.String } text || text.Inside().IsEmpty)
            return;
        json.WriteStartObject();
        json.WriteString("type"u8, "text"u8);
        json.WriteAsIs("text"u8, text);
        json.WriteEndObject();
    }

    private static void WriteToolUse(Utf8JsonWriter json, JsonElement call, int place)
    {
        var function = call.Member("function"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "tool_use"u8);
        json.WriteString("id"u8, ToolIds.Clean(call.TextMember("id"u8), place));
        if (function?.TextMember("name"u8) is { } name)
            json.WriteAsIs("name"u8, name);
        json.WritePropertyName("input"u8);
        WriteInput(json, function?.TextMember("arguments"u8));
        json.WriteEndObject();
    }

    private static void WriteInput(Utf8JsonWriter json, JsonElement? arguments)
    {
        var text = arguments is { } given ? Decoded(given) : "";
        try
        {
            using var document = JsonDocument.Parse(text.Length == 0 ? "{}" : text, JsonSlices.Document);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                json.WriteAsIs(document.RootElement);
                return;
            }
        }
        catch (JsonException)
        {
            // What a model made up is not always JSON. It is the caller's to see; it was made, and costs.
        }

        json.WriteStartObject();
        json.WriteString("arguments"u8, text);
        json.WriteEndObject();
    }

    private static byte[] ToOpenAi(CallRequest request, ReadOnlyMemory<byte> answer, long created, in UsageReport report)
    {
        using var document = JsonDocument.Parse(answer, JsonSlices.Document);
        var root = document.RootElement;
        var (texts, thoughts, calls) = (new List<JsonElement>(), new List<JsonElement>(), new List<JsonElement>());
        foreach (var block in root.Member("content"u8).Items())
        {
            if (block.Says("type"u8, "text"u8) && block.TextMember("text"u8) is { } text)
                texts.Add(text);
            else if (block.Says("type"u8, "thinking"u8) && block.TextMember("thinking"u8) is { } thought)
                thoughts.Add(thought);
            else if (block.Says("type"u8, "tool_use"u8))
                calls.Add(block);
        }

        var buffer = new ArrayBufferWriter<byte>(answer.Length + 256);
        using var json = JsonSlices.WriterTo(buffer);
        json.WriteStartObject();
        WriteId(json, "chatcmpl-", root);
        json.WriteString("object"u8, "chat.completion"u8);
        json.WriteNumber("created"u8, created);
        json.WriteString("model"u8, request.Model);
        json.WriteStartArray("choices"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, 0);
        json.WriteStartObject("message"u8);
        json.WriteString("role"u8, "assistant"u8);
        WriteJoined(json, "content"u8, texts);
        if (thoughts.Count > 0)
            WriteJoined(json, "reasoning_content"u8, thoughts);
        if (calls.Count > 0)
        {
            json.WriteStartArray("tool_calls"u8);
            foreach (var call in calls)
                WriteCall(json, call);
            json.WriteEndArray();
        }

        json.WriteEndObject();
        json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, StopReasons.ToOpenAi(report.Outcome, calls.Count > 0));
        json.WriteEndObject();
        json.WriteEndArray();
        json.WritePropertyName("usage"u8);
        json.WriteRawValue(UsageTexts.OpenAi(report.Tokens), skipInputValidation: true);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteJoined(Utf8JsonWriter json, ReadOnlySpan<byte> name, List<JsonElement> texts)
    {
        json.WritePropertyName(name);
        if (texts.Count == 0)
        {
            json.WriteNullValue();
            return;
        }

        var all = new ArrayBufferWriter<byte>();
        all.Write("\""u8);
        foreach (var text in texts)
            all.Write(text.Inside());
        all.Write("\""u8);
        json.WriteRawValue(all.WrittenSpan, skipInputValidation: true);
    }

    private static void WriteCall(Utf8JsonWriter json, JsonElement call)
    {
        json.WriteStartObject();
        if (call.TextMember("id"u8) is { } id)
            json.WriteAsIs("id"u8, id);
        json.WriteString("type"u8, "function"u8);
        json.WriteStartObject("function"u8);
        if (call.TextMember("name"u8) is { } name)
            json.WriteAsIs("name"u8, name);
        var input = call.Member("input"u8) is { } value ? Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8Value(value)) : "{}";
        json.WriteString("arguments"u8, input);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteId(Utf8JsonWriter json, string prefix, JsonElement root)
    {
        var id = root.TextMember("id"u8) is { } text ? Encoding.UTF8.GetString(text.Inside()) : "";
        json.WriteString("id"u8, string.Create(CultureInfo.InvariantCulture, $"{prefix}{ToolIds.Clean(id)}"));
    }

    // A text with half of a surrogate pair in it, which the reader refuses to decode, loses that half.
    private static string Decoded(JsonElement text)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return JsonSlices.Forgiving(text.Inside());
        }
    }
}
