using System.Buffers;
using System.Text;
using System.Text.Json;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>Calls and streams as texts.</summary>
internal static class Wire
{
    public const string OpenAiCall = """{"model":"m","messages":[{"role":"user","content":"Hello"}]}""";
    public const string AnthropicCall = """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}""";

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    public static CallRequest OpenAi(string body) => Read(Protocol.OpenAi, body);

    public static CallRequest Anthropic(string body) => Read(Protocol.Anthropic, body);

    public static CallRequest Read(Protocol protocol, string body)
    {
        var request = CallRequest.Read(protocol, Bytes(body), out var fault);
        fault.ShouldBeNull();
        return request.ShouldNotBeNull();
    }

    public static CallFault Refused(Protocol protocol, string body)
    {
        CallRequest.Read(protocol, Bytes(body), out var fault).ShouldBeNull();
        return fault.ShouldNotBeNull();
    }

    /// <summary>The body that a provider gets.</summary>
    public static string Send(CallRequest request, Protocol upstream, string model = "up", long? maxTokens = null, string? preset = null)
    {
        var body = UpstreamBody.Write(request, upstream, new(model, maxTokens, preset), out var fault);
        fault.ShouldBeNull();
        var text = Text(body.ShouldNotBeNull());
        using var _ = JsonDocument.Parse(text);
        return text;
    }

    /// <summary>What comes down of a stream, to its end.</summary>
    public static Down Stream(CallRequest request, Protocol upstream, string stream, int cut = int.MaxValue, bool pack = false)
    {
        var relay = StreamRelay.Of(request, upstream, pack, created: 7);
        var down = new ArrayBufferWriter<byte>();
        using var events = new ServerSentEvents();
        var bytes = Bytes(stream);
        for (var at = 0; at < bytes.Length; at += Math.Min(cut, bytes.Length - at))
        {
            events.Feed(bytes.AsSpan(at, Math.Min(cut, bytes.Length - at)));
            Drain();
        }

        events.Complete();
        Drain();
        if (relay.IsComplete)
            relay.WriteEnd(down);
        return new(relay, Text(down.WrittenSpan));

        void Drain()
        {
            while (events.TryRead(out var e))
                relay.Take(e, down);
        }
    }

    /// <summary>Events as a provider of OpenAI's protocol sends them.</summary>
    public static string OpenAiEvents(params string[] data) => string.Concat(data.Select(one => $"data: {one}\n\n"));

    /// <summary>Events as a provider of Anthropic's protocol sends them, named by their type.</summary>
    public static string AnthropicEvents(params string[] data) =>
        string.Concat(data.Select(one => $"event: {JsonDocument.Parse(one).RootElement.GetProperty("type").GetString()}\ndata: {one}\n\n"));

    /// <summary>A stream as a short text, a line for each event, so that its order can be seen.</summary>
    public static string Short(string stream)
    {
        var lines = new List<string>();
        using var events = new ServerSentEvents();
        events.Feed(Bytes(stream));
        while (events.TryRead(out var e))
        {
            if (e.IsComment)
                lines.Add(":");
            else if (e.Data.SequenceEqual("[DONE]"u8))
                lines.Add("[DONE]");
            else
                lines.Add(e.Name.IsEmpty ? OpenAiLine(Text(e.Data)) : AnthropicLine(Text(e.Name), Text(e.Data)));
        }

        return string.Join('\n', lines);
    }

    private static string OpenAiLine(string data)
    {
        var root = JsonDocument.Parse(data).RootElement;
        if (root.TryGetProperty("error", out var error))
            return "error " + error.GetRawText();
        if (root.GetProperty("choices").GetArrayLength() == 0)
            return "usage " + root.GetProperty("usage").GetRawText();
        var choice = root.GetProperty("choices")[0];
        var finish = choice.GetProperty("finish_reason");
        return finish.ValueKind == JsonValueKind.Null ? choice.GetProperty("delta").GetRawText() : "finish " + finish.GetString();
    }

    private static string AnthropicLine(string name, string data)
    {
        var root = JsonDocument.Parse(data).RootElement;
        root.GetProperty("type").GetString().ShouldBe(name);
        return name switch
        {
            "content_block_start" => $"start {root.GetProperty("index")} {root.GetProperty("content_block").GetRawText()}",
            "content_block_delta" => $"delta {root.GetProperty("index")} {root.GetProperty("delta").GetRawText()}",
            "content_block_stop" => $"stop  {root.GetProperty("index")}",
            "message_delta" =>
                $"end   {root.GetProperty("delta").GetProperty("stop_reason").GetString()} {root.GetProperty("usage").GetRawText()}",
            _ => name,
        };
    }
}

/// <summary>What came down of a stream, and what the relay says of it.</summary>
internal sealed record Down(StreamRelay Relay, string Text);
