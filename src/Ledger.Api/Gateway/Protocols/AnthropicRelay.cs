using System.Buffers;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>Anthropic's stream to Anthropic's caller: every event as it came, but for the model's name.</summary>
internal sealed class AnthropicRelay(CallRequest request) : StreamRelay(request)
{
    /// <inheritdoc/>
    public override void WriteEnd(IBufferWriter<byte> down) => down.Write("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"u8);

    private protected override void TakeData(in ServerSentEvent e, IBufferWriter<byte> down)
    {
        var data = e.Data;
        if (!TryTakeAnthropic(data, out var pass))
            return;

        // Callers go by the name, which some providers leave out.
        ServerSentEvents.WriteName(down, e.Name.IsEmpty ? pass.Type.Of(data) : e.Name);
        down.Write("data: "u8);
        var read = 0;
        if (pass.Kind == AnthropicKind.MessageStart && pass.Model.Exists)
        {
            ServerSentEvents.WriteLines(down, data[..pass.Model.Start]);
            down.Write(ModelText);
            read = pass.Model.End;
        }

        ServerSentEvents.WriteLines(down, data[read..]);
        down.Write("\n\n"u8);
    }
}
