using Npgsql;

namespace Ledger.EventStore;

/// <summary>
/// Times as PostgreSQL sends them, which knows earlier and later ones than we do, and <c>infinity</c>. Nobody records such a time; whoever tampers may. They are read as the
/// nearest time there is, which is another one than was hashed, so that whoever looks finds the place and does not stumble over it.
/// </summary>
public static class StoredTime
{
    /// <summary>From 1970, where our microseconds begin, to 2000, where PostgreSQL's do.</summary>
    private const long Epoch = 946_684_800_000_000;

    private static readonly long Least = (DateTimeOffset.MinValue.Ticks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    private static readonly long Most = (DateTimeOffset.MaxValue.Ticks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>A time in microseconds since 1970.</summary>
    /// <param name="stored">In microseconds since 2000, as <c>timestamptz</c> is sent.</param>
    public static long Micros(long stored) => Math.Clamp(stored, Least - Epoch, Most - Epoch) + Epoch;

    /// <summary>A time.</summary>
    /// <param name="micros">In microseconds since 1970.</param>
    public static DateTimeOffset Of(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);

    /// <summary>Reads a column of type <c>timestamptz</c>.</summary>
    public static DateTimeOffset Read(NpgsqlDataReader row, int column)
    {
        ArgumentNullException.ThrowIfNull(row);
        return Of(Micros(row.GetFieldValue<long>(column)));
    }
}
