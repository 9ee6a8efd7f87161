using System.Buffers;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>OpenAI's stream to OpenAI's caller: every chunk as it came, but for the model's name and for what was used where nobody asked.</summary>
internal sealed class OpenAiRelay(CallRequest request, bool packDialect) : StreamRelay(request)
{
    private readonly bool _keepsUsage = request.WantsUsage && !packDialect;
    private uint _finished;

    /// <inheritdoc/>
    public override void WriteEnd(IBufferWriter<byte> down) => down.Write("data: [DONE]\n\n"u8);

    private protected override void TakeData(in ServerSentEvent e, IBufferWriter<byte> down)
    {
        var data = e.Data;
        if (!TryTakeOpenAi(data, ref _finished, out var chunk))
            return;
        if (IdText is null && chunk.Id.Exists)
            IdText = chunk.Id.Of(data).ToArray();

        // The chunk that we asked for, and the caller did not.
        if (chunk.Usage.Exists && chunk.Choices == 0 && !_keepsUsage)
            return;

        if (!e.Name.IsEmpty)
            ServerSentEvents.WriteName(down, e.Name);
        down.Write("data: "u8);
        var read = 0;
        if (packDialect && chunk.Content.Exists)
        {
            ServerSentEvents.WriteLines(down, data[..chunk.Open]);
            down.Write("\"content\":"u8);
            down.Write(chunk.Content.Of(data));
            down.Write(","u8);
            read = chunk.Open;
        }

        var usage = _keepsUsage ? default : chunk.UsageMember;
        if (usage.Exists && usage.Start < chunk.Model.Start)
            Replace(data, usage, default, ref read, down);
        if (chunk.Model.Exists)
            Replace(data, chunk.Model, ModelText, ref read, down);
        if (usage.Exists && usage.Start >= read)
            Replace(data, usage, default, ref read, down);
        ServerSentEvents.WriteLines(down, data[read..]);
        down.Write("\n\n"u8);
    }

    private static void Replace(ReadOnlySpan<byte> data, Slice at, ReadOnlySpan<byte> by, ref int read, IBufferWriter<byte> down)
    {
        ServerSentEvents.WriteLines(down, data[read..at.Start]);
        down.Write(by);
        read = at.End;
    }
}
