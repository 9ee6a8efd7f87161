using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ledger.Api.Gateway.Providers;

/// <summary>The sandbox as OpenAI's chat completions.</summary>
internal sealed class OpenAiSandbox : ISandboxDialect
{
    private static readonly byte[] End = "data: [DONE]\n\n"u8.ToArray();

    /// <inheritdoc/>
    public byte[] Whole(SandboxAsk ask, SandboxReply reply) =>
        SandboxJson.Write(json =>
        {
            WriteHead(json, ask, reply, "chat.completion");
            json.WriteStartArray("choices");
            json.WriteStartObject();
            json.WriteNumber("index", 0);
            json.WriteStartObject("message");
            json.WriteString("role", "assistant");
            if (reply.Tool is null)
                json.WriteString("content", reply.Text);
            else
                json.WriteNull("content");
            if (reply.Tool is not null)
                WriteCall(json, ask, reply, isChunk: false);
            json.WriteEndObject();
            json.WriteString("finish_reason", Finish(reply.End));
            json.WriteEndObject();
            json.WriteEndArray();
            if (reply.HasUsage)
                WriteUsage(json, ask, reply);
        });

    /// <inheritdoc/>
    public IEnumerable<byte[]> Stream(SandboxAsk ask, SandboxReply reply)
    {
        yield return Chunk(
            ask,
            reply,
            null,
            json =>
            {
                json.WriteString("role", "assistant");
                json.WriteString("content", "");
            }
        );
        foreach (var piece in reply.Pieces)
            yield return Chunk(ask, reply, null, json => json.WriteString("content", piece));
        if (reply.Tool is not null)
            yield return Chunk(ask, reply, null, json => WriteCall(json, ask, reply, isChunk: true));
        yield return Chunk(ask, reply, Finish(reply.End), static _ => { });
        if (ask.WantsUsage && reply.HasUsage)
            yield return Frame(json =>
            {
                WriteHead(json, ask, reply, "chat.completion.chunk");
                json.WriteStartArray("choices");
                json.WriteEndArray();
                WriteUsage(json, ask, reply);
            });
        yield return End;
    }

    /// <inheritdoc/>
    public byte[] Error(int status, string message) =>
        SandboxJson.Write(json =>
        {
            json.WriteStartObject("error");
            json.WriteString("message", message);
            json.WriteString(
                "type",
                status == 429 ? "rate_limit_error"
                    : status < 500 ? "invalid_request_error"
                    : "server_error"
            );
            json.WriteNull("param");
            json.WriteNull("code");
            json.WriteEndObject();
        });

    private static byte[] Chunk(SandboxAsk ask, SandboxReply reply, string? finish, Action<Utf8JsonWriter> delta) =>
        Frame(json =>
        {
            WriteHead(json, ask, reply, "chat.completion.chunk");
            json.WriteStartArray("choices");
            json.WriteStartObject();
            json.WriteNumber("index", 0);
            json.WriteStartObject("delta");
            delta(json);
            json.WriteEndObject();
            json.WriteString("finish_reason", finish);
            json.WriteEndObject();
            json.WriteEndArray();
            if (ask.WantsUsage && reply.HasUsage)
                json.WriteNull("usage");
        });

    private static byte[] Frame(Action<Utf8JsonWriter> write) => SandboxJson.Write(write, "data: "u8, "\n\n"u8);

    private static void WriteHead(Utf8JsonWriter json, SandboxAsk ask, SandboxReply reply, string kind)
    {
        json.WriteString("id", "chatcmpl-" + ask.Id);
        json.WriteString("object", kind);
        json.WriteNumber("created", reply.CreatedAt);
        json.WriteString("model", ask.Model);
    }

    private static void WriteCall(Utf8JsonWriter json, SandboxAsk ask, SandboxReply reply, bool isChunk)
    {
        json.WriteStartArray("tool_calls");
        json.WriteStartObject();
        if (isChunk)
            json.WriteNumber("index", 0);
        json.WriteString("id", "call_" + ask.Id);
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", reply.Tool);
        json.WriteString("arguments", "{}");
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    // prompt_tokens includes what came from the cache.
    private static void WriteUsage(Utf8JsonWriter json, SandboxAsk ask, SandboxReply reply)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", ask.InputTokens);
        json.WriteNumber("completion_tokens", reply.OutputTokens);
        json.WriteNumber("total_tokens", ask.InputTokens + reply.OutputTokens);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", reply.CachedTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static string Finish(SandboxEnd end) =>
        end switch
        {
            SandboxEnd.Done or SandboxEnd.Stop => "stop",
            SandboxEnd.Length => "length",
            SandboxEnd.Tool => "tool_calls",
        };
}

/// <summary>The sandbox as Anthropic's messages.</summary>
internal sealed class AnthropicSandbox : ISandboxDialect
{
    /// <inheritdoc/>
    public byte[] Whole(SandboxAsk ask, SandboxReply reply) =>
        SandboxJson.Write(json =>
        {
            WriteHead(json, ask);
            json.WriteStartArray("content");
            json.WriteStartObject();
            WriteBlock(json, ask, reply, reply.Text);
            json.WriteEndObject();
            json.WriteEndArray();
            WriteEnd(json, reply);
            if (reply.HasUsage)
                WriteUsage(json, ask, reply, reply.OutputTokens);
        });

    /// <inheritdoc/>
    public IEnumerable<byte[]> Stream(SandboxAsk ask, SandboxReply reply)
    {
        yield return Event(
            "message_start"u8,
            json =>
            {
                json.WriteString("type", "message_start");
                json.WriteStartObject("message");
                WriteHead(json, ask);
                json.WriteStartArray("content");
                json.WriteEndArray();
                json.WriteNull("stop_reason");
                json.WriteNull("stop_sequence");
                if (reply.HasUsage)
                    WriteUsage(json, ask, reply, 1);
                json.WriteEndObject();
            }
        );
        yield return Event(
            "content_block_start"u8,
            json =>
            {
                WriteIndexed(json, "content_block_start");
                json.WriteStartObject("content_block");
                WriteBlock(json, ask, reply, "");
                json.WriteEndObject();
            }
        );
        yield return Event("ping"u8, static json => json.WriteString("type", "ping"));
        foreach (var piece in reply.Pieces)
            yield return Delta("text_delta", "text", piece);
        if (reply.Tool is not null)
            yield return Delta("input_json_delta", "partial_json", "{}");
        yield return Event("content_block_stop"u8, static json => WriteIndexed(json, "content_block_stop"));
        yield return Event(
            "message_delta"u8,
            json =>
            {
                json.WriteString("type", "message_delta");
                json.WriteStartObject("delta");
                WriteEnd(json, reply);
                json.WriteEndObject();
                if (!reply.HasUsage)
                    return;
                json.WriteStartObject("usage");
                json.WriteNumber("output_tokens", reply.OutputTokens);
                json.WriteEndObject();
            }
        );
        yield return Event("message_stop"u8, static json => json.WriteString("type", "message_stop"));
    }

    /// <inheritdoc/>
    public byte[] Error(int status, string message) =>
        SandboxJson.Write(json =>
        {
            json.WriteString("type", "error");
            json.WriteStartObject("error");
            json.WriteString(
                "type",
                status switch
                {
                    429 => "rate_limit_error",
                    529 => "overloaded_error",
                    < 500 => "invalid_request_error",
                    _ => "api_error",
                }
            );
            json.WriteString("message", message);
            json.WriteEndObject();
        });

    private static byte[] Event(ReadOnlySpan<byte> name, Action<Utf8JsonWriter> write) =>
        SandboxJson.Write(write, [.. "event: "u8, .. name, .. "\ndata: "u8], "\n\n"u8);

    private static byte[] Delta(string type, string member, string value) =>
        Event(
            "content_block_delta"u8,
            json =>
            {
                WriteIndexed(json, "content_block_delta");
                json.WriteStartObject("delta");
                json.WriteString("type", type);
                json.WriteString(member, value);
                json.WriteEndObject();
            }
        );

    private static void WriteIndexed(Utf8JsonWriter json, string type)
    {
        json.WriteString("type", type);
        json.WriteNumber("index", 0);
    }

    private static void WriteHead(Utf8JsonWriter json, SandboxAsk ask)
    {
        json.WriteString("id", "msg_" + ask.Id);
        json.WriteString("type", "message");
        json.WriteString("role", "assistant");
        json.WriteString("model", ask.Model);
    }

    private static void WriteBlock(Utf8JsonWriter json, SandboxAsk ask, SandboxReply reply, string text)
    {
        if (reply.Tool is null)
        {
            json.WriteString("type", "text");
            json.WriteString("text", text);
            return;
        }

        json.WriteString("type", "tool_use");
        json.WriteString("id", "toolu_" + ask.Id);
        json.WriteString("name", reply.Tool);
        json.WriteStartObject("input");
        json.WriteEndObject();
    }

    private static void WriteEnd(Utf8JsonWriter json, SandboxReply reply)
    {
        json.WriteString(
            "stop_reason",
            reply.End switch
            {
                SandboxEnd.Done => "end_turn",
                SandboxEnd.Length => "max_tokens",
                SandboxEnd.Stop => "stop_sequence",
                SandboxEnd.Tool => "tool_use",
            }
        );
        json.WriteString("stop_sequence", reply.Stop);
    }

    // input_tokens excludes what came from the cache.
    private static void WriteUsage(Utf8JsonWriter json, SandboxAsk ask, SandboxReply reply, int output)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("input_tokens", ask.InputTokens - reply.CachedTokens);
        json.WriteNumber("cache_creation_input_tokens", 0);
        json.WriteNumber("cache_read_input_tokens", reply.CachedTokens);
        json.WriteNumber("output_tokens", output);
        json.WriteEndObject();
    }
}

/// <summary>Writes the sandbox's JSON.</summary>
internal static class SandboxJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One object, with what stands before and behind it.</summary>
    public static byte[] Write(Action<Utf8JsonWriter> write, ReadOnlySpan<byte> before = default, ReadOnlySpan<byte> behind = default)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        buffer.Write(before);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        buffer.Write(behind);
        return buffer.WrittenSpan.ToArray();
    }
}
