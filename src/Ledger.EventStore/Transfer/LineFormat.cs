using System.Buffers.Binary;
using System.Buffers.Text;
using System.Numerics;

namespace Ledger.EventStore.Transfer;

/// <summary>A line of a part cannot be what an export wrote.</summary>
/// <param name="message">Why.</param>
internal sealed class LineException(string message) : Exception(message);

/// <summary>
/// How events stand in the parts of an export: one line each. A line ends with a checksum (CRC-32C) of itself and of the one before it, so that the very line is found
/// that was changed, or before which one is missing. Not safe for concurrent use.
/// </summary>
internal abstract class LineFormat
{
    private const int CheckSize = 8;

    /// <summary>Its name, as the manifest and the command line have it.</summary>
    public abstract string Name { get; }

    /// <summary>How the names of its parts end.</summary>
    public abstract string Extension { get; }

    /// <summary>Whether its parts are compressed.</summary>
    public abstract bool IsCompressed { get; }

    /// <summary>How many lines come before the first event.</summary>
    public abstract int HeadLines { get; }

    /// <summary>The names of all formats.</summary>
    public static IReadOnlyList<string> Names { get; } = ["jsonl", "csv"];

    /// <summary>What comes between an event and its checksum.</summary>
    protected abstract ReadOnlyMemory<byte> BeforeCheck { get; }

    /// <summary>What comes after the checksum.</summary>
    protected abstract ReadOnlyMemory<byte> AfterCheck { get; }

    /// <summary>A format by its name; null where there is none of that name.</summary>
    public static LineFormat? Find(string name) =>
        name switch
        {
            "jsonl" => new JsonLines(),
            "csv" => new CsvLines(),
            _ => null,
        };

    /// <summary>Writes what comes before the first event.</summary>
    public abstract void WriteHead(ByteBuffer to);

    /// <summary>Checks what comes before the first event.</summary>
    /// <exception cref="LineException">It is something else.</exception>
    public abstract void ReadHead(ReadOnlySpan<byte> line);

    /// <summary>Writes an event, without its checksum.</summary>
    protected abstract void WriteBody(in EventRow row, ByteBuffer to);

    /// <summary>Reads an event.</summary>
    /// <exception cref="LineException">It is none.</exception>
    protected abstract EventRow ReadBody(ReadOnlyMemory<byte> line, ReadOnlyMemory<byte> body);

    /// <summary>Where the line ends that begins a buffer, without its line feed; negative where it does not end yet.</summary>
    /// <param name="bytes">What there is.</param>
    public virtual int EndOfLine(ReadOnlySpan<byte> bytes) => bytes.IndexOf((byte)'\n');

    /// <summary>Writes a whole line.</summary>
    /// <param name="row">The event.</param>
    /// <param name="to">Where to.</param>
    /// <param name="check">The checksum of the line before it; 0 before the first. Afterwards this line's.</param>
    public void Write(in EventRow row, ByteBuffer to, ref uint check)
    {
        var start = to.Length;
        WriteBody(row, to);
        check = Check(check, to.Span[start..]);
        to.Write(BeforeCheck.Span);
        Utf8Formatter.TryFormat(check, to.GetSpan(CheckSize), out _, new('x', CheckSize));
        to.Advance(CheckSize);
        to.Write(AfterCheck.Span);
        to.Write("\n"u8);
    }

    /// <summary>Reads a whole line.</summary>
    /// <param name="line">The line without its line feed. The event is valid as long as this is.</param>
    /// <param name="check">The checksum of the line before it; 0 before the first. Afterwards this line's.</param>
    /// <exception cref="LineException">It is damaged, or one before it is missing.</exception>
    public EventRow Read(ReadOnlyMemory<byte> line, ref uint check)
    {
        var tail = BeforeCheck.Length + CheckSize + AfterCheck.Length;
        if (
            line.Length < tail
            || !line.Span[^tail..].StartsWith(BeforeCheck.Span)
            || !line.Span.EndsWith(AfterCheck.Span)
            || !Utf8Parser.TryParse(line.Span.Slice(line.Length - tail + BeforeCheck.Length, CheckSize), out uint said, out var read, 'x')
            || read != CheckSize
        )
            throw new LineException("it does not end with a checksum");
        var body = line[..^tail];
        check = Check(check, body.Span);
        if (said != check)
            throw new LineException(
                "its checksum is not that of what it says: it was changed, or it does not follow on the line before it"
            );
        return ReadBody(line, body);
    }

    /// <summary>Reads an id as it is written.</summary>
    protected static Guid ReadId(ReadOnlySpan<byte> text) =>
        Utf8Parser.TryParse(text, out Guid id, out var read, 'D') && read == text.Length
            ? id
            : throw new LineException("its id is not a UUID");

    /// <summary>Reads a number as it is written.</summary>
    protected static long ReadNumber(ReadOnlySpan<byte> text, string name) =>
        Utf8Parser.TryParse(text, out long number, out var read) && read == text.Length
            ? number
            : throw new LineException($"its {name} is not a whole number");

    /// <summary>Reads a time as it is written.</summary>
    protected static long ReadTime(ReadOnlySpan<byte> text, string name) =>
        EventRow.TryReadTime(text, out var micros)
            ? micros
            : throw new LineException($"its {name} is not a time such as 2026-07-03T12:00:00.000000Z");

    /// <summary>Writes a number.</summary>
    protected static void WriteNumber(ByteBuffer to, long number)
    {
        Utf8Formatter.TryFormat(number, to.GetSpan(20), out var written);
        to.Advance(written);
    }

    /// <summary>Writes an id.</summary>
    protected static void WriteId(ByteBuffer to, Guid id)
    {
        Utf8Formatter.TryFormat(id, to.GetSpan(36), out var written);
        to.Advance(written);
    }

    /// <summary>Writes a time.</summary>
    protected static void WriteTime(ByteBuffer to, long micros) => to.Advance(EventRow.WriteTime(micros, to.GetSpan(27)));

    private static uint Check(uint before, ReadOnlySpan<byte> bytes)
    {
        var check = before;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            check = BitOperations.Crc32C(check, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var rest in bytes)
            check = BitOperations.Crc32C(check, rest);
        return check;
    }
}
