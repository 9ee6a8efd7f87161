using Npgsql;

namespace Ledger.EventStore;

/// <summary>
/// Reads the log in order and misses nothing. Positions are drawn before they are committed, so a gap is either a rollback or a commit still
/// under way: the reader stops there, and passes only after every transaction that ran when it first saw the gap has ended and a second look
/// still finds it empty. Never by a time-out. It holds no transaction between calls. Not safe for concurrent use.
/// </summary>
public sealed class LogReader
{
    private readonly NpgsqlDataSource? _database;
    private (long Position, ulong EndedBefore)? _gap;

    internal LogReader(long after) => Position = after;

    /// <summary>Reads by whichever connection there is.</summary>
    /// <param name="database">Connections for reading.</param>
    /// <param name="after">The checkpoint: the last position that was dealt with.</param>
    public LogReader(NpgsqlDataSource database, long after)
        : this(after) => _database = database;

    /// <summary>The last position that was read; with what the caller did about it, the checkpoint to keep.</summary>
    public long Position { get; private set; }

    /// <summary>Passes over events unread, up to a position; backwards never.</summary>
    public void SkipTo(long position) => Position = Math.Max(Position, position);

    /// <summary>
    /// The next events, at most <paramref name="limit"/>; empty at the end of the log, and while a gap may still be filled.
    /// </summary>
    public async Task<IReadOnlyList<StoredEvent>> NextAsync(int limit, CancellationToken ct)
    {
        await using var connection = await _database!.OpenConnectionAsync(ct);
        return await NextAsync(connection, limit, ct);
    }

    /// <summary>The same, by a connection that stays the caller's.</summary>
    internal async Task<IReadOnlyList<StoredEvent>> NextAsync(NpgsqlConnection connection, int limit, CancellationToken ct)
    {
        // Taken before the rows are read: what had ended by then is visible in them.
        var oldestRunning = await Snapshots.OldestRunningAsync(connection, ct);

        var found = new List<StoredEvent>();
        await using (
            var read = new NpgsqlCommand(
                $"""
                select {NpgsqlEventLog.EventColumns}
                from mt_events m
                where m.seq_id > $1
                order by m.seq_id
                limit $2
                """,
                connection
            )
            {
                Parameters =
                {
                    new() { Value = Position },
                    new() { Value = limit },
                },
            }
        )
        await using (var rows = await read.ExecuteReaderAsync(ct))
        {
            while (await rows.ReadAsync(ct))
                found.Add(NpgsqlEventLog.Read(rows));
        }

        var whole = 0;
        var expected = Position + 1;
        while (whole < found.Count)
        {
            var position = found[whole].Position;
            if (position != expected && !(_gap is { } seen && seen.Position >= position && oldestRunning >= seen.EndedBefore))
            {
                // Whoever drew a number of this gap drew it before the one behind it, which is committed; and had its transaction id before that.
                // So an id drawn now, after the rows were read, lies beyond all of theirs.
                if (!(_gap is { } known && known.Position >= position))
                    _gap = (position, await Snapshots.NextTransactionAsync(connection, ct));
                break;
            }

            expected = position + 1;
            whole++;
        }

        if (whole > 0)
            Position = found[whole - 1].Position;
        return whole == found.Count ? found : found[..whole];
    }
}
