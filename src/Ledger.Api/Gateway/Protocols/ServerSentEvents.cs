using System.Buffers;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>One event of a stream.</summary>
internal readonly ref struct ServerSentEvent
{
    /// <summary>Its name; empty where it has none.</summary>
    public ReadOnlySpan<byte> Name { get; init; }

    /// <summary>Its data, lines joined by <c>\n</c>.</summary>
    public ReadOnlySpan<byte> Data { get; init; }

    /// <summary>The event as it came, the empty line at its end included.</summary>
    public ReadOnlySpan<byte> Raw { get; init; }

    /// <summary>Whether it is only a comment, as servers send to keep a connection alive.</summary>
    public bool IsComment { get; init; }
}

/// <summary>
/// Takes a stream of server-sent events apart, wherever it is cut. Not for more than one thread. What <see cref="TryRead"/> gives is valid until the
/// next call.
/// </summary>
internal sealed class ServerSentEvents : IDisposable
{
    /// <summary>The longest event, in bytes.</summary>
    public const int Max = 10 * 1024 * 1024;

    private const int Least = 4096;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(Least);
    private ArrayBufferWriter<byte>? _joined;
    private bool _hasEnded;
    private bool _hasBegun;

    // All positions are in the buffer: of the event, of its line, of what is looked at next, and of the end of what has come.
    private int _event;
    private int _line;
    private int _scan;
    private int _end;

    // Of the event so far.
    private Slice _name;
    private Slice _data;
    private int _dataLines;
    private bool _hasComment;

    /// <summary>Room for what comes next, to be told by <see cref="Advance"/>: at least one byte.</summary>
    public Memory<byte> Room()
    {
        MakeRoom(Least / 4);
        return _buffer.AsMemory(_end);
    }

    /// <summary>So many bytes have come into the room.</summary>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(_buffer.Length - _end));
        _end += count;
    }

    /// <summary>Takes what has come.</summary>
    public void Feed(ReadOnlySpan<byte> chunk)
    {
        MakeRoom(chunk.Length);
        chunk.CopyTo(_buffer.AsSpan(_end));
        _end += chunk.Length;
    }

    /// <summary>Takes what has come.</summary>
    public void Feed(in ReadOnlySequence<byte> chunk)
    {
        foreach (var memory in chunk)
            Feed(memory.Span);
    }

    /// <summary>
    /// Nothing more will come. Whatever there is of a last event is then an event too: some servers end a stream without its last empty line.
    /// </summary>
    public void Complete() => _hasEnded = true;

    /// <summary>The next event; false where it has not come whole.</summary>
    /// <exception cref="InvalidDataException">An event is longer than 10 MiB.</exception>
    public bool TryRead(out ServerSentEvent e)
    {
        while (NextLine(out var line, out var next))
        {
            if (!_hasBegun)
            {
                _hasBegun = true;
                if (_buffer.AsSpan(line.Start, line.End - line.Start).StartsWith("\uFEFF"u8))
                    line = line with { Start = line.Start + 3 };
            }

            _line = _scan = next;
            if (line.Start < line.End)
                Take(line);
            else if (Emit(out e))
                return true;
        }

        if (_hasEnded && _event < _end && Emit(out e))
            return true;
        if (_end - _event > Max)
            throw TooLong();
        e = default;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        (_event, _line, _scan, _end) = (0, 0, 0, 0);
    }

    /// <summary>Writes an event without a name.</summary>
    public static void Write(IBufferWriter<byte> down, ReadOnlySpan<byte> data)
    {
        down.Write("data: "u8);
        WriteLines(down, data);
        down.Write("\n\n"u8);
    }

    /// <summary>Writes an event.</summary>
    public static void Write(IBufferWriter<byte> down, ReadOnlySpan<byte> name, ReadOnlySpan<byte> data)
    {
        WriteName(down, name);
        Write(down, data);
    }

    /// <summary>Writes the line of an event's name.</summary>
    public static void WriteName(IBufferWriter<byte> down, ReadOnlySpan<byte> name)
    {
        down.Write("event: "u8);
        down.Write(name);
        down.Write("\n"u8);
    }

    /// <summary>Writes a comment that keeps a connection alive.</summary>
    public static void WriteComment(IBufferWriter<byte> down) => down.Write(": keep-alive\n\n"u8);

    /// <summary>Writes data that may have line ends in it: JSON may, between its tokens.</summary>
    public static void WriteLines(IBufferWriter<byte> down, ReadOnlySpan<byte> data)
    {
        while (data.IndexOf((byte)'\n') is >= 0 and var end)
        {
            down.Write(data[..end]);
            down.Write("\ndata: "u8);
            data = data[(end + 1)..];
        }

        down.Write(data);
    }

    private bool NextLine(out Slice line, out int next)
    {
        var rest = _buffer.AsSpan(_scan, _end - _scan);
        var at = rest.IndexOfAny((byte)'\n', (byte)'\r');
        (line, next) = (default, 0);
        if (at < 0)
        {
            _scan = _end;
            if (!_hasEnded || _line == _end)
                return false;

            // The last line of all has no end.
            line = new(_line, _end);
            next = _end;
            return true;
        }

        var end = _scan + at;
        if (_buffer[end] == '\r')
        {
            // Whether a \n belongs to it is known when there is something behind it.
            if (end + 1 == _end && !_hasEnded)
            {
                _scan = end;
                return false;
            }

            next = end + 1 < _end && _buffer[end + 1] == '\n' ? end + 2 : end + 1;
        }
        else
        {
            next = end + 1;
        }

        line = new(_line, end);
        return true;
    }

    private void Take(Slice at)
    {
        var line = at.Of(_buffer);
        if (line[0] == ':')
        {
            _hasComment = true;
            return;
        }

        var colon = line.IndexOf((byte)':');
        var field = colon < 0 ? line : line[..colon];
        var value =
            colon < 0 ? at.End
            : colon + 1 < line.Length && line[colon + 1] == ' ' ? at.Start + colon + 2
            : at.Start + colon + 1;
        if (field.SequenceEqual("data"u8))
            TakeData(new(value, at.End));
        else if (field.SequenceEqual("event"u8))
            _name = new(value, at.End);
    }

    private void TakeData(Slice data)
    {
        _dataLines++;
        if (_dataLines == 1)
        {
            _data = data;
            return;
        }

        // Only data of several lines is copied.
        _joined ??= new();
        if (_dataLines == 2)
        {
            _joined.ResetWrittenCount();
            _joined.Write(_data.Of(_buffer));
        }

        _joined.Write("\n"u8);
        _joined.Write(data.Of(_buffer));
    }

    // Fields without data are no event; what they said is forgotten.
    private bool Emit(out ServerSentEvent e)
    {
        if (_line - _event > Max)
            throw TooLong();
        var isEvent = _dataLines > 0 || _hasComment;
        e = isEvent
            ? new()
            {
                Name = _name.Of(_buffer),
                Data =
                    _dataLines == 0 ? default
                    : _dataLines == 1 ? _data.Of(_buffer)
                    : _joined!.WrittenSpan,
                Raw = _buffer.AsSpan(_event, _line - _event),
                IsComment = _dataLines == 0,
            }
            : default;
        _event = _line;
        (_name, _data, _dataLines, _hasComment) = (default, default, 0, false);
        return isEvent;
    }

    private static InvalidDataException TooLong() => new("An event of the stream is longer than 10 MiB.");

    private void MakeRoom(int count)
    {
        if (_buffer.Length - _end >= count)
            return;

        // What is read moves out of the way, and everything with it.
        var kept = _end - _event;
        var buffer = _buffer;
        if (kept + count > buffer.Length)
            buffer = ArrayPool<byte>.Shared.Rent(Math.Max(kept + count, 2 * kept));
        _buffer.AsSpan(_event, kept).CopyTo(buffer);
        if (buffer != _buffer)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = buffer;
        }

        _name = Moved(_name);
        _data = Moved(_data);
        _line -= _event;
        _scan -= _event;
        _end = kept;
        _event = 0;
    }

    private Slice Moved(Slice slice) => slice.Start < _event ? default : new(slice.Start - _event, slice.End - _event);
}
