namespace Ledger.EventStore.Transfer;

/// <summary>
/// Events as CSV (RFC 4180) under a line of names, for tools that read tables. Written by hand because it must say the difference between nothing (empty) and an empty
/// text (<c>""</c>), give everything back byte for byte, and tell lines; nothing is escaped for the sake of spreadsheets.
/// </summary>
internal sealed class CsvLines : LineFormat
{
    private static readonly byte[] Head =
    [
        .. "position,stream,version,id,type,at,dotnet_type,correlation_id,causation_id,headers,data,stream_type,stream_created,crc"u8,
    ];

    private readonly (ReadOnlyMemory<byte> Text, bool IsNull)[] _fields = new (ReadOnlyMemory<byte>, bool)[13];

    /// <inheritdoc/>
    public override string Name => "csv";

    /// <inheritdoc/>
    public override string Extension => ".csv";

    /// <inheritdoc/>
    public override bool IsCompressed => false;

    /// <inheritdoc/>
    public override int HeadLines => 1;

    /// <inheritdoc/>
    protected override ReadOnlyMemory<byte> BeforeCheck { get; } = ","u8.ToArray();

    /// <inheritdoc/>
    protected override ReadOnlyMemory<byte> AfterCheck { get; } = ReadOnlyMemory<byte>.Empty;

    /// <inheritdoc/>
    public override void WriteHead(ByteBuffer to)
    {
        to.Write(Head);
        to.Write("\n"u8);
    }

    /// <inheritdoc/>
    public override void ReadHead(ReadOnlySpan<byte> line)
    {
        if (!line.SequenceEqual(Head))
            throw new LineException("it is not the line of column names that an export begins with");
    }

    /// <inheritdoc/>
    public override int EndOfLine(ReadOnlySpan<byte> bytes)
    {
        // A line feed between quotes belongs to a text.
        for (var (end, quotes) = (0, 0); ; end++)
        {
            var next = bytes[end..].IndexOf((byte)'\n');
            if (next < 0)
                return -1;
            quotes += System.MemoryExtensions.Count(bytes.Slice(end, next), (byte)'"');
            end += next;
            if (quotes % 2 == 0)
                return end;
        }
    }

    /// <inheritdoc/>
    protected override void WriteBody(in EventRow row, ByteBuffer to)
    {
        WriteNumber(to, row.Position);
        WriteText(to, row.Stream);
        to.Write(","u8);
        WriteNumber(to, row.Version);
        to.Write(","u8);
        WriteId(to, row.Id);
        WriteText(to, row.Type);
        to.Write(","u8);
        WriteTime(to, row.At);
        WriteText(to, row.DotnetType);
        WriteText(to, row.CorrelationId);
        WriteText(to, row.CausationId);
        WriteText(to, row.Headers);
        WriteText(to, row.Data);
        WriteText(to, row.StreamType);
        to.Write(","u8);
        if (row.StreamCreated is { } created)
            WriteTime(to, created);
    }

    /// <inheritdoc/>
    protected override EventRow ReadBody(ReadOnlyMemory<byte> line, ReadOnlyMemory<byte> body)
    {
        Split(body);
        return new()
        {
            Position = ReadNumber(Must(0, "position").Span, "position"),
            Stream = Must(1, "stream"),
            Version = ReadNumber(Must(2, "version").Span, "version"),
            Id = ReadId(Must(3, "id").Span),
            Type = Must(4, "type"),
            At = ReadTime(Must(5, "at").Span, "at"),
            DotnetType = May(6),
            CorrelationId = May(7),
            CausationId = May(8),
            Headers = May(9),
            Data = Must(10, "data"),
            StreamType = May(11),
            StreamCreated = May(12) is { } created ? ReadTime(created.Span, "stream_created") : null,
        };
    }

    // The type is said: an array that is null would become memory that is empty.
    private ReadOnlyMemory<byte>? May(int column) => _fields[column].IsNull ? (ReadOnlyMemory<byte>?)null : _fields[column].Text;

    private ReadOnlyMemory<byte> Must(int column, string name) => May(column) ?? throw new LineException($"it has no {name}");

    private void Split(ReadOnlyMemory<byte> body)
    {
        var at = 0;
        for (var column = 0; column < _fields.Length; column++)
        {
            _fields[column] = Next(body, ref at);
            var isLast = column == _fields.Length - 1;
            if (isLast != at > body.Length)
                throw new LineException($"it has not {_fields.Length + 1} columns");
        }
    }

    /// <summary>The field that begins at a place; afterwards the place behind the comma that ends it, beyond the end where none does.</summary>
    private static (ReadOnlyMemory<byte> Text, bool IsNull) Next(ReadOnlyMemory<byte> body, ref int at)
    {
        var rest = body.Span[at..];
        if (rest is not [(byte)'"', ..])
        {
            var end = rest.IndexOf((byte)',');
            var field = body.Slice(at, end < 0 ? rest.Length : end);
            at += field.Length + 1;
            return (field, field.Length == 0);
        }

        var (close, doubled) = (1, 0);
        while (true)
        {
            var next = rest[close..].IndexOf((byte)'"');
            if (next < 0)
                throw new LineException("a text in it does not end");
            close += next;
            if (close + 1 >= rest.Length || rest[close + 1] != '"')
                break;
            (close, doubled) = (close + 2, doubled + 1);
        }

        if (close + 1 < rest.Length && rest[close + 1] != ',')
            throw new LineException("something follows on a text in it before the comma");
        var quoted = body.Slice(at + 1, close - 1);
        at += close + 2;
        return (doubled == 0 ? quoted : Single(quoted.Span, doubled), false);
    }

    private static byte[] Single(ReadOnlySpan<byte> quoted, int doubled)
    {
        var text = new byte[quoted.Length - doubled];
        for (var (from, to) = (0, 0); to < text.Length; from++)
        {
            text[to++] = quoted[from];
            if (quoted[from] == '"')
                from++;
        }

        return text;
    }

    private static void WriteText(ByteBuffer to, ReadOnlyMemory<byte>? text)
    {
        to.Write(","u8);
        if (text is not { } some)
            return;
        var span = some.Span;
        if (span.Length > 0 && span.IndexOfAny("\",\r\n"u8) < 0)
        {
            to.Write(span);
            return;
        }

        to.Write("\""u8);
        for (int quote; (quote = span.IndexOf((byte)'"')) >= 0; span = span[(quote + 1)..])
        {
            to.Write(span[..(quote + 1)]);
            to.Write("\""u8);
        }

        to.Write(span);
        to.Write("\""u8);
    }
}
