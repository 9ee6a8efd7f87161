using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>
/// Turns the events of a provider's stream into those that the caller gets, and keeps account of what they used. One for each call; not for more than one
/// thread.
/// </summary>
/// <remarks>
/// The stream is read until <see cref="IsDone"/>, <see cref="IsFailed"/> or its end; then <see cref="IsComplete"/> says whether the answer is whole. The last frame is
/// the caller's of this class to order, so that it can be sent after the settlement: <see cref="WriteEnd"/> or <see cref="WriteError"/>.
/// </remarks>
internal abstract class StreamRelay
{
    private protected StreamRelay(CallRequest request)
    {
        Request = request;
        Meter = new(request);
        ModelText = JsonSlices.Quote(request.Model);
    }

    /// <summary>Whether the provider said that nothing follows: <c>[DONE]</c>, or <c>message_stop</c>.</summary>
    public bool IsDone { get; private protected set; }

    /// <summary>
    /// Whether the answer is whole: the provider said so, or at least why every choice ended. What it used may still follow, so this is asked at the stream's end.
    /// </summary>
    public bool IsComplete => IsDone || HasStopped;

    /// <summary>Whether the provider sent an error, or what cannot be read. Nothing of it was passed down.</summary>
    public bool IsFailed => FailureMessage is not null;

    /// <summary>What went wrong, fit to be told to the caller.</summary>
    public string? FailureMessage { get; private set; }

    /// <summary>What the answer used, as far as is known by now.</summary>
    public UsageReport Report => Meter.Report;

    /// <summary>The answer's own id as the caller sees it, as JSON; null where none was told.</summary>
    public byte[]? IdText { get; private protected set; }

    /// <summary>The model that was asked for, as JSON: what the answer calls itself.</summary>
    public byte[] ModelText { get; }

    private protected CallRequest Request { get; }

    private protected UsageMeter Meter { get; }

    private protected bool HasStopped { get; set; }

    /// <summary>The relay for a call.</summary>
    /// <param name="request">What the caller asks.</param>
    /// <param name="upstream">The provider's protocol.</param>
    /// <param name="packDialect">Whether chunks carry their text as <c>content</c> too, and nothing of what was used: the pack dialect says that its own way.</param>
    /// <param name="created">When the answer began, in Unix seconds, where OpenAI's protocol asks for it and Anthropic's does not tell.</param>
    public static StreamRelay Of(CallRequest request, Protocol upstream, bool packDialect = false, long created = 0) =>
        (request.Protocol, upstream) switch
        {
            (Protocol.OpenAi, Protocol.OpenAi) => new OpenAiRelay(request, packDialect),
            (Protocol.OpenAi, Protocol.Anthropic) => new OpenAiFromAnthropic(request, packDialect, created),
            (Protocol.Anthropic, Protocol.Anthropic) => new AnthropicRelay(request),
            (Protocol.Anthropic, Protocol.OpenAi) => new AnthropicFromOpenAi(request),
        };

    /// <summary>Takes an event, and writes what of it leaves to the caller at once.</summary>
    public void Take(in ServerSentEvent e, IBufferWriter<byte> down)
    {
        if (IsDone || IsFailed)
            return;
        if (e.IsComment)
        {
            ServerSentEvents.WriteComment(down);
            return;
        }

        if (e.Data.IsEmpty)
            return;
        try
        {
            TakeData(e, down);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            Fail("The provider's stream cannot be read.");
        }
    }

    /// <summary>Writes the last frame of an answer that is whole, and before it whatever is still owed.</summary>
    public abstract void WriteEnd(IBufferWriter<byte> down);

    /// <summary>Writes the frame that ends an answer which is not whole.</summary>
    /// <param name="down">To the caller.</param>
    /// <param name="type">The kind of error, as in the protocol.</param>
    /// <param name="code">The stable string; Anthropic's protocol has no place for it.</param>
    /// <param name="message">One sentence for people.</param>
    public void WriteError(IBufferWriter<byte> down, string type, string code, string message)
    {
        if (Request.Protocol == Protocol.OpenAi)
        {
            down.Write("data: {\"error\":{\"message\":"u8);
            down.Write(JsonSlices.Quote(message));
            down.Write(",\"type\":"u8);
            down.Write(JsonSlices.Quote(type));
            down.Write(",\"param\":null,\"code\":"u8);
            down.Write(JsonSlices.Quote(code));
            down.Write("}}\n\n"u8);
            return;
        }

        down.Write("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"u8);
        down.Write(JsonSlices.Quote(type));
        down.Write(",\"message\":"u8);
        down.Write(JsonSlices.Quote(message));
        down.Write("}}\n\n"u8);
    }

    private protected abstract void TakeData(in ServerSentEvent e, IBufferWriter<byte> down);

    private protected void Fail(string message) => FailureMessage ??= message;

    /// <summary>Keeps account of a chunk of OpenAI's protocol; false where it ends the stream or is an error.</summary>
    private protected bool TryTakeOpenAi(ReadOnlySpan<byte> data, ref uint finished, out OpenAiPass chunk)
    {
        chunk = default;
        if (data.Trim((byte)' ').SequenceEqual("[DONE]"u8))
        {
            IsDone = true;
            return false;
        }

        chunk = OpenAiPass.Of(data);
        if (chunk.Open == 0 || chunk.Error.Exists)
        {
            Fail(UpstreamErrors.MessageOf(data.ToArray()));
            return false;
        }

        Meter.Deliver(chunk.Delivered);
        if (chunk.Usage.Exists)
            Meter.TakeOpenAi(chunk.Usage.Of(data));
        if (chunk.Outcome is { } outcome)
            Meter.Outcome = outcome;
        finished |= chunk.Finished;
        HasStopped = System.Numerics.BitOperations.PopCount(finished) >= Request.Choices;
        return true;
    }

    /// <summary>Keeps account of an event of Anthropic's protocol; false where it ends the stream or is an error.</summary>
    private protected bool TryTakeAnthropic(ReadOnlySpan<byte> data, out AnthropicPass pass)
    {
        pass = AnthropicPass.Of(data);
        if (pass.Kind == AnthropicKind.Error || !pass.Type.Exists)
        {
            Fail(UpstreamErrors.MessageOf(data.ToArray()));
            return false;
        }

        Meter.Deliver(pass.Delivered);
        if (pass.Usage.Exists)
            Meter.TakeAnthropic(pass.Usage.Of(data), isFinal: pass.Kind == AnthropicKind.MessageDelta);
        if (pass.Outcome is { } outcome)
        {
            Meter.Outcome = outcome;
            HasStopped = true;
        }

        IsDone = pass.Kind == AnthropicKind.MessageStop;
        return !IsDone;
    }

    private protected static void WriteNumber(IBufferWriter<byte> down, long number)
    {
        Utf8Formatter.TryFormat(number, down.GetSpan(20), out var length);
        down.Advance(length);
    }
}
