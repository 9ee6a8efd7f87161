using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>OpenAI's stream to Anthropic's caller. Texts and arguments travel as the JSON that they came in.</summary>
/// <remarks>
/// Anthropic's blocks follow one another. A call of a tool is ended when something else begins and its arguments are whole; where a provider
/// sends the arguments of several calls by turns, their blocks stay open side by side, each under its own index, and end together.
/// </remarks>
internal sealed class AnthropicFromOpenAi(CallRequest request) : StreamRelay(request)
{
    private readonly List<ToolBlock> _tools = [];
    private uint _finished;
    private bool _hasBegun;
    private bool _hasFinished;
    private int _next;
    private int _text = -1;

    /// <inheritdoc/>
    public override void WriteEnd(IBufferWriter<byte> down)
    {
        Finish(down);
        down.Write("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"u8);
    }

    private protected override void TakeData(in ServerSentEvent e, IBufferWriter<byte> down)
    {
        var data = e.Data;
        if (!TryTakeOpenAi(data, ref _finished, out _))
        {
            if (IsDone)
                Finish(down);
            return;
        }

        using var document = JsonDocument.Parse(data.ToArray(), JsonSlices.Document);
        var root = document.RootElement;
        Begin(root.TextMember("id"u8), down);
        foreach (var choice in root.Member("choices"u8).Items())
        {
            if (choice.Member("delta"u8) is { } delta)
                TakeDelta(delta, down);
        }
    }

    private void Begin(JsonElement? id, IBufferWriter<byte> down)
    {
        if (_hasBegun)
            return;
        _hasBegun = true;
        down.Write("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_"u8);
        down.Write(id is { } text ? text.Inside() : default);
        down.Write("\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"u8);
        down.Write(ModelText);
        down.Write(",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"u8);

        // What went in is told at the end; until then, about.
        down.Write(UsageTexts.Anthropic(new(Request.HeuristicInput, 0, 0, 0, 0)));
        down.Write("}}\n\n"u8);
    }

    private void TakeDelta(JsonElement delta, IBufferWriter<byte> down)
    {
        WriteText(delta.Member("content"u8), down);
        WriteText(delta.TextMember("refusal"u8), down);
        foreach (var call in delta.Member("tool_calls"u8).Items())
            TakeCall(call, down);
    }

    private void WriteText(JsonElement? content, IBufferWriter<byte> down)
    {
        foreach (var part in content.Items())
            WriteText(part.TextMember("text"u8), down);
        if (content is not { ValueKind: JsonValueKind.String } text || text.Inside().IsEmpty)
            return;
        if (_text < 0)
        {
            EndWhole(down);
            _text = _next++;
            StartBlock(_text, down);
            down.Write("{\"type\":\"text\",\"text\":\"\"}}\n\n"u8);
        }

        StartDelta(_text, down);
        down.Write("{\"type\":\"text_delta\",\"text\":"u8);
        down.Write(JsonMarshal.GetRawUtf8Value(text));
        down.Write("}}\n\n"u8);
    }

    private void TakeCall(JsonElement call, IBufferWriter<byte> down)
    {
        var function = call.Member("function"u8);
        var tool = Find(call);
        if (tool is null)
        {
            EndText(down);
            EndWhole(down);
            tool = new(
                call.Member("index"u8) is { } at && at.TryGetInt32(out var number) ? number : _tools.Count,
                TextOf(call, "id"u8),
                _next++
            );
            _tools.Add(tool);
            StartBlock(tool.Block, down);
            down.Write("{\"type\":\"tool_use\",\"id\":\""u8);
            down.Write(ToolIds.Clean(call.TextMember("id"u8), tool.Block));
            down.Write("\",\"name\":\""u8);
            down.Write(function?.TextMember("name"u8) is { } name ? name.Inside() : default);
            down.Write("\",\"input\":{}}}\n\n"u8);
        }

        if (tool.HasEnded || function?.TextMember("arguments"u8) is not { } arguments || arguments.Inside().IsEmpty)
            return;
        tool.Shape.Take(arguments.Inside());
        StartDelta(tool.Block, down);
        down.Write("{\"type\":\"input_json_delta\",\"partial_json\":"u8);
        down.Write(JsonMarshal.GetRawUtf8Value(arguments));
        down.Write("}}\n\n"u8);
    }

    // By its index; some providers leave it out, and give an id with the first piece only. Others give every call the same one: a piece with a name of its own
    // begins the next call there, where its id is another, or where the arguments of the one before are whole. By the id alone it would not do: there are
    // providers that make up a new one for every piece.
    private ToolBlock? Find(JsonElement call)
    {
        var id = TextOf(call, "id"u8);
        var known =
            call.Member("index"u8) is { } index && index.TryGetInt32(out var number) ? _tools.FindLast(tool => tool.Index == number)
            : id is null ? _tools.LastOrDefault()
            : _tools.FindLast(tool => tool.Id == id);
        if (known is null || call.Member("function"u8) is not { } function || TextOf(function, "name"u8) is null)
            return known;
        if (id is not null && id == known.Id)
            return known;
        var isOther = id is not null && known.Id is not null;
        return isOther || (known.Shape.IsWhole && TextOf(function, "arguments"u8) is not null) ? null : known;
    }

    private static string? TextOf(JsonElement element, ReadOnlySpan<byte> name) =>
        element.TextMember(name) is { } text && !text.Inside().IsEmpty ? text.GetString() : null;

    private void EndText(IBufferWriter<byte> down)
    {
        if (_text < 0)
            return;
        EndBlock(_text, down);
        _text = -1;
    }

    private void EndWhole(IBufferWriter<byte> down)
    {
        foreach (var tool in _tools)
        {
            if (!tool.HasEnded && tool.Shape.IsWhole)
                End(tool, down);
        }
    }

    private static void End(ToolBlock tool, IBufferWriter<byte> down)
    {
        tool.HasEnded = true;
        EndBlock(tool.Block, down);
    }

    private void Finish(IBufferWriter<byte> down)
    {
        if (_hasFinished)
            return;
        Begin(null, down);
        _hasFinished = true;
        foreach (var tool in _tools)
        {
            // A text between two calls was begun before the second.
            if (_text >= 0 && _text < tool.Block)
                EndText(down);
            if (!tool.HasEnded)
                End(tool, down);
        }

        EndText(down);
        var report = Report;
        down.Write("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\""u8);
        down.Write(StopReasons.ToAnthropic(report.Outcome, _tools.Count > 0));
        down.Write("\",\"stop_sequence\":null},\"usage\":"u8);
        down.Write(UsageTexts.Anthropic(report.Tokens));
        down.Write("}\n\n"u8);
    }

    private static void StartBlock(int index, IBufferWriter<byte> down)
    {
        down.Write("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"u8);
        WriteNumber(down, index);
        down.Write(",\"content_block\":"u8);
    }

    private static void StartDelta(int index, IBufferWriter<byte> down)
    {
        down.Write("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"u8);
        WriteNumber(down, index);
        down.Write(",\"delta\":"u8);
    }

    private static void EndBlock(int index, IBufferWriter<byte> down)
    {
        down.Write("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"u8);
        WriteNumber(down, index);
        down.Write("}\n\n"u8);
    }

    /// <summary>A call of a tool under way.</summary>
    private sealed class ToolBlock(int index, string? id, int block)
    {
        public int Index => index;

        public string? Id => id;

        public int Block => block;

        public bool HasEnded { get; set; }

        public ArgumentsShape Shape { get; } = new();
    }

    /// <summary>Follows pieces of JSON, themselves within JSON strings, to see when their object is closed.</summary>
    private sealed class ArgumentsShape
    {
        private int _depth;
        private bool _hasBegun;
        private bool _inText;
        private bool _isEscaped;

        public bool IsWhole => _hasBegun && _depth == 0;

        public void Take(ReadOnlySpan<byte> inside)
        {
            for (var at = 0; at < inside.Length; at++)
            {
                var sign = inside[at];
                if (sign == '\\' && at + 1 < inside.Length)
                {
                    at++;
                    sign = inside[at] switch
                    {
                        (byte)'u' => Unit(inside, ref at),
                        (byte)'"' or (byte)'\\' or (byte)'/' => inside[at],
                        _ => (byte)' ',
                    };
                }

                Step(sign);
            }
        }

        private static byte Unit(ReadOnlySpan<byte> inside, ref int at)
        {
            var isSign = at + 4 < inside.Length && Utf8Hex(inside.Slice(at + 1, 4)) is > 0 and < 0x80;
            var sign = isSign ? (byte)Utf8Hex(inside.Slice(at + 1, 4)) : (byte)' ';
            at += 4;
            return sign;
        }

        private static int Utf8Hex(ReadOnlySpan<byte> digits) =>
            System.Buffers.Text.Utf8Parser.TryParse(digits, out int unit, out _, 'x') ? unit : 0;

        private void Step(byte sign)
        {
            if (_isEscaped)
                _isEscaped = false;
            else if (_inText)
                (_isEscaped, _inText) = (sign == '\\', sign != '"');
            else if (sign == '"')
                _inText = true;
            else if (sign is (byte)'{' or (byte)'[')
                (_depth, _hasBegun) = (_depth + 1, true);
            else if (sign is (byte)'}' or (byte)']')
                _depth--;
        }
    }
}
