using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>Anthropic's stream to OpenAI's caller. Texts and arguments travel as the JSON that they came in.</summary>
internal sealed class OpenAiFromAnthropic(CallRequest request, bool packDialect, long created) : StreamRelay(request)
{
    private byte[] _id = "\"chatcmpl\""u8.ToArray();
    private bool _hasBegun;
    private bool _hasFinished;
    private int _tools;

    // Of the block that is under way, where it is a tool's.
    private bool _inTool;
    private bool _hasArguments;
    private byte[] _input = [];

    /// <inheritdoc/>
    public override void WriteEnd(IBufferWriter<byte> down)
    {
        Finish(down);
        down.Write("data: [DONE]\n\n"u8);
    }

    private protected override void TakeData(in ServerSentEvent e, IBufferWriter<byte> down)
    {
        var data = e.Data;
        if (!TryTakeAnthropic(data, out var pass))
        {
            if (IsDone)
                Finish(down);
            return;
        }

        var type = pass.Type.Of(data);
        if (type.SequenceEqual("ping"u8))
        {
            ServerSentEvents.WriteComment(down);
            return;
        }

        using var document = JsonDocument.Parse(data.ToArray(), JsonSlices.Document);
        var root = document.RootElement;
        if (type.SequenceEqual("message_start"u8) && root.Member("message"u8) is { } message)
            Begin(message.TextMember("id"u8), down);
        else if (type.SequenceEqual("content_block_start"u8) && root.Member("content_block"u8) is { } block)
            StartBlock(block, down);
        else if (type.SequenceEqual("content_block_delta"u8) && root.Member("delta"u8) is { } delta)
            TakeDelta(delta, down);
        else if (type.SequenceEqual("content_block_stop"u8))
            EndBlock(down);
    }

    private void Begin(JsonElement? id, IBufferWriter<byte> down)
    {
        if (_hasBegun)
            return;
        _hasBegun = true;
        if (id is { } text)
            _id = [.. "\"chatcmpl-"u8, .. text.Inside(), (byte)'"'];
        IdText = _id;
        Open(down);
        down.Write("{\"role\":\"assistant\",\"content\":\"\"}"u8);
        Close(down);
    }

    private void StartBlock(JsonElement block, IBufferWriter<byte> down)
    {
        Begin(null, down);
        EndBlock(down);
        if (block.Says("type"u8, "text"u8))
            WriteText("content"u8, block.TextMember("text"u8), down);
        else if (block.Says("type"u8, "thinking"u8))
            WriteText("reasoning_content"u8, block.TextMember("thinking"u8), down);
        else if (block.Says("type"u8, "tool_use"u8))
            StartTool(block, down);
    }

    private void StartTool(JsonElement block, IBufferWriter<byte> down)
    {
        (_inTool, _hasArguments) = (true, false);
        _input = block.Member("input"u8) is { ValueKind: JsonValueKind.Object } input
            ? JsonMarshal.GetRawUtf8Value(input).ToArray()
            : "{}"u8.ToArray();
        Open(down);
        down.Write("{\"tool_calls\":[{\"index\":"u8);
        WriteNumber(down, _tools);
        down.Write(",\"id\":\""u8);
        down.Write(block.TextMember("id"u8) is { } id ? id.Inside() : default);
        down.Write("\",\"type\":\"function\",\"function\":{\"name\":\""u8);
        down.Write(block.TextMember("name"u8) is { } name ? name.Inside() : default);
        down.Write("\",\"arguments\":\"\"}}]}"u8);
        Close(down);
    }

    private void TakeDelta(JsonElement delta, IBufferWriter<byte> down)
    {
        Begin(null, down);
        if (delta.Says("type"u8, "text_delta"u8))
            WriteText("content"u8, delta.TextMember("text"u8), down);
        else if (delta.Says("type"u8, "thinking_delta"u8))
            WriteText("reasoning_content"u8, delta.TextMember("thinking"u8), down);
        else if (delta.Says("type"u8, "input_json_delta"u8) && _inTool && delta.TextMember("partial_json"u8) is { } json)
            WriteArguments(JsonMarshal.GetRawUtf8Value(json), down);
    }

    private void EndBlock(IBufferWriter<byte> down)
    {
        if (!_inTool)
            return;

        // A call without arguments has an empty object in OpenAI's protocol, never an empty text.
        if (!_hasArguments)
            WriteArguments(JsonSlices.Quote(System.Text.Encoding.UTF8.GetString(_input)), down);
        _inTool = false;
        _tools++;
    }

    private void WriteText(ReadOnlySpan<byte> name, JsonElement? text, IBufferWriter<byte> down)
    {
        if (text is not { } value || value.Inside().IsEmpty)
            return;
        var raw = JsonMarshal.GetRawUtf8Value(value);
        Open(down, packDialect && name.SequenceEqual("content"u8) ? raw : default);
        down.Write("{\""u8);
        down.Write(name);
        down.Write("\":"u8);
        down.Write(raw);
        down.Write("}"u8);
        Close(down);
    }

    private void WriteArguments(ReadOnlySpan<byte> text, IBufferWriter<byte> down)
    {
        if (text.Length <= 2)
            return;
        _hasArguments = true;
        Open(down);
        down.Write("{\"tool_calls\":[{\"index\":"u8);
        WriteNumber(down, _tools);
        down.Write(",\"function\":{\"arguments\":"u8);
        down.Write(text);
        down.Write("}}]}"u8);
        Close(down);
    }

    private void Finish(IBufferWriter<byte> down)
    {
        if (_hasFinished)
            return;
        Begin(null, down);
        EndBlock(down);
        _hasFinished = true;
        var report = Report;
        Open(down);
        down.Write("{}"u8);
        Close(down, StopReasons.ToOpenAi(report.Outcome, _tools > 0));
        if (!Request.WantsUsage || packDialect)
            return;
        Head(down, default);
        down.Write("\"choices\":[],\"usage\":"u8);
        down.Write(UsageTexts.OpenAi(report.Tokens));
        down.Write("}\n\n"u8);
    }

    private void Open(IBufferWriter<byte> down, ReadOnlySpan<byte> content = default)
    {
        Head(down, content);
        down.Write("\"choices\":[{\"index\":0,\"delta\":"u8);
    }

    private void Head(IBufferWriter<byte> down, ReadOnlySpan<byte> content)
    {
        down.Write("data: {"u8);
        if (!content.IsEmpty)
        {
            down.Write("\"content\":"u8);
            down.Write(content);
            down.Write(","u8);
        }

        down.Write("\"id\":"u8);
        down.Write(_id);
        down.Write(",\"object\":\"chat.completion.chunk\",\"created\":"u8);
        WriteNumber(down, created);
        down.Write(",\"model\":"u8);
        down.Write(ModelText);
        down.Write(","u8);
    }

    private static void Close(IBufferWriter<byte> down) => down.Write(",\"finish_reason\":null}]}\n\n"u8);

    private static void Close(IBufferWriter<byte> down, ReadOnlySpan<byte> reason)
    {
        down.Write(",\"finish_reason\":\""u8);
        down.Write(reason);
        down.Write("\"}]}\n\n"u8);
    }
}
