using System.Globalization;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>Which part of the log.</summary>
/// <param name="After">The position before the first.</param>
/// <param name="UpTo">The last position.</param>
/// <param name="StreamsAbove">Only streams with ids above this one; null for all.</param>
/// <param name="StreamsUpTo">Only streams with ids up to this one; null for all, and for what names no stream.</param>
/// <param name="WithHeaders">Whether their headers are wanted.</param>
public readonly record struct LogPart(long After, long UpTo, string? StreamsAbove, string? StreamsUpTo, bool WithHeaders);

/// <summary>
/// Reads the log in the order of positions as fast as PostgreSQL sends it: over binary <c>COPY</c>, as bytes. In short transactions, since a snapshot that is open for
/// long would keep hot rows from being pruned.
/// </summary>
/// <param name="database">Connections for reading.</param>
public sealed class LogCopy(NpgsqlDataSource database)
{
    // As many as come in some tenths of a second.
    private const int EventsPerTransaction = 50_000;

    // The signature, flags and the length of an extension that nobody uses.
    private const int HeaderSize = 19;

    /// <summary>Reads a part.</summary>
    /// <param name="part">The part; it must be settled.</param>
    /// <param name="rent">Gives a block to fill.</param>
    /// <param name="give">Takes a full one.</param>
    /// <param name="ct">Gives up.</param>
    public async Task ReadAsync(
        LogPart part,
        Func<CancellationToken, ValueTask<LogBlock>> rent,
        Func<LogBlock, CancellationToken, ValueTask> give,
        CancellationToken ct
    )
    {
        ArgumentNullException.ThrowIfNull(rent);
        ArgumentNullException.ThrowIfNull(give);
        await using var connection = await database.OpenConnectionAsync(ct);
        for (var after = part.After; after < part.UpTo; )
        {
            var (last, count) = await ReadAsync(connection, part with { After = after }, rent, give, ct);
            if (count < EventsPerTransaction)
                return;
            after = last;
        }
    }

    private static async Task<(long Last, int Count)> ReadAsync(
        NpgsqlConnection connection,
        LogPart part,
        Func<CancellationToken, ValueTask<LogBlock>> rent,
        Func<LogBlock, CancellationToken, ValueTask> give,
        CancellationToken ct
    )
    {
        await using var rows = await connection.BeginRawBinaryCopyAsync(Sql(part), ct);
        var (last, total, skip) = (part.After, 0, HeaderSize);
        var block = await rent(ct);
        (block.Count, block.Start) = (0, 0);
        for (var (filled, at) = (0, 0); ; )
        {
            // What is left of a tuple goes on in the next block; one that fits into none makes it larger.
            if (filled == block.Buffer.Length)
            {
                var next = block;
                if (block.Count > 0)
                {
                    next = await rent(ct);
                    if (next.Buffer.Length < filled - at)
                        next.Buffer = new byte[block.Buffer.Length];
                    block.Buffer.AsSpan(at, filled - at).CopyTo(next.Buffer);
                    (filled, at) = (filled - at, 0);
                    await give(block, ct);
                }
                else
                {
                    var larger = new byte[filled * 2];
                    block.Buffer.CopyTo(larger, 0);
                    block.Buffer = larger;
                }

                block = next;
                (block.Count, block.Start) = (0, at);
            }

            var read = await rows.ReadAsync(block.Buffer.AsMemory(filled), ct);
            filled += read;
            if (skip > 0 && filled >= skip)
                (at, block.Start, skip) = (skip, skip, 0);
            if (skip == 0)
            {
                for (int end; (end = LogBlock.EndOf(block.Buffer.AsSpan(0, filled), at)) > at + 2; at = end)
                {
                    last = System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(block.Buffer.AsSpan(at + 6));
                    block.Count++;
                    total++;
                }
            }

            if (read == 0)
                break;
        }

        await give(block, ct);
        return (last, total);
    }

    private static string Sql(LogPart part)
    {
        var streams =
            (
                part.StreamsAbove is { } above
                    ? $" and (m.stream_id > {Quoted(above)}{(part.StreamsUpTo is null ? " or m.stream_id is null" : "")})"
                    : ""
            ) + (part.StreamsUpTo is { } upTo ? $" and m.stream_id <= {Quoted(upTo)}" : "");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
            copy (
              select
                m.seq_id,
                m.id,
                m.stream_id,
                m.version,
                m.type,
                m.timestamp,
                m.data,
                {(part.WithHeaders ? "m.headers" : "null::jsonb")}
              from mt_events m
              where m.seq_id > {part.After}
                and m.seq_id <= {part.UpTo}{streams}
              order by m.seq_id
              limit {EventsPerTransaction}
            ) to stdout (format binary)
            """
        );
    }

    // A COPY takes no parameters.
    private static string Quoted(string text) =>
        "E'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal) + "'";
}
