using System.Globalization;
using System.Text;

namespace Ledger.EventStore.Transfer;

/// <summary>
/// One row of <c>mt_events</c> on its way between the database and a file: all that is stored of an event, byte for byte. Text is UTF-8. A row is valid until the
/// next one is read.
/// </summary>
internal struct EventRow
{
    /// <summary>What PostgreSQL counts its times from, in microseconds since 1970.</summary>
    public const long PostgresEpoch = 946_684_800_000_000;

    // Year 1 to year 9999, which is what a text with four digits can say.
    private const long FirstTime = -62_135_596_800_000_000;
    private const long LastTime = 253_402_300_799_999_999;

    /// <summary>Its place in the log.</summary>
    public long Position;

    /// <summary>Its id.</summary>
    public Guid Id;

    /// <summary>Its stream.</summary>
    public ReadOnlyMemory<byte> Stream;

    /// <summary>Its place in the stream.</summary>
    public long Version;

    /// <summary>Its stored name.</summary>
    public ReadOnlyMemory<byte> Type;

    /// <summary>When it was recorded, in microseconds since 1970.</summary>
    public long At;

    /// <summary>Its .NET name; null where it has none.</summary>
    public ReadOnlyMemory<byte>? DotnetType;

    /// <summary>The request that caused it; null where it does not say.</summary>
    public ReadOnlyMemory<byte>? CorrelationId;

    /// <summary>The event that caused it; null where it does not say.</summary>
    public ReadOnlyMemory<byte>? CausationId;

    /// <summary>Its headers as JSON; null where it has none.</summary>
    public ReadOnlyMemory<byte>? Headers;

    /// <summary>Its members as JSON.</summary>
    public ReadOnlyMemory<byte> Data;

    /// <summary>The aggregate's alias; only beside the first event of a stream.</summary>
    public ReadOnlyMemory<byte>? StreamType;

    /// <summary>When the stream's row says that it began, in microseconds since 1970; only beside the first event of a stream.</summary>
    public long? StreamCreated;

    /// <summary>Whether a time can be written with four digits for the year.</summary>
    public static bool IsLawful(long micros) => micros is >= FirstTime and <= LastTime;

    /// <summary>The same event as everybody else reads it.</summary>
    public readonly StoredEvent ToStored() =>
        new(
            Position,
            Id,
            Encoding.UTF8.GetString(Stream.Span),
            Version,
            Encoding.UTF8.GetString(Type.Span),
            TimeOf(At),
            Encoding.UTF8.GetString(Data.Span),
            Headers is { } headers ? Encoding.UTF8.GetString(headers.Span) : null,
            CorrelationId is { } correlation ? Encoding.UTF8.GetString(correlation.Span) : null,
            CausationId is { } causation ? Encoding.UTF8.GetString(causation.Span) : null
        );

    /// <summary>A time of a row.</summary>
    public static DateTimeOffset TimeOf(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);

    /// <summary>Writes a time, always with six digits behind the second.</summary>
    public static int WriteTime(long micros, Span<byte> to) =>
        TimeOf(micros).UtcDateTime.TryFormat(to, out var written, "yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture)
            ? written
            : throw new ArgumentException("There is no room for a time.", nameof(to));

    /// <summary>Reads such a time.</summary>
    public static bool TryReadTime(ReadOnlySpan<byte> text, out long micros)
    {
        micros = 0;
        Span<char> chars = stackalloc char[27];
        if (text.Length != chars.Length || Encoding.ASCII.GetChars(text, chars) != chars.Length)
            return false;
        if (
            !DateTime.TryParseExact(
                chars,
                "yyyy-MM-ddTHH:mm:ss.ffffffZ",
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
                out var at
            )
        )
            return false;
        micros = (at.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;
        return true;
    }
}
