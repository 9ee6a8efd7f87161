using Npgsql;

namespace Ledger.EventStore;

/// <summary>
/// Reads the log in order and misses nothing. Positions are drawn before they are committed, so a gap is either a rollback or a commit still
/// under way: the reader stops there, and passes only after every transaction that had drawn a position when it first saw the gap has ended
/// and a second look still finds it empty. Never by a time-out. It holds no transaction between calls. Not safe for concurrent use.
/// </summary>
public sealed class LogReader
{
    private readonly NpgsqlDataSource? _database;
    private Gap? _gap;

    internal LogReader(long after) => Position = after;

    /// <summary>Reads by whichever connection there is.</summary>
    /// <param name="database">Connections for reading, to the primary.</param>
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
    /// <exception cref="InvalidOperationException">There is a gap, and the database is a standby, which cannot tell what is under way.</exception>
    public async Task<IReadOnlyList<StoredEvent>> NextAsync(int limit, CancellationToken ct)
    {
        await using var connection = await _database!.OpenConnectionAsync(ct);
        return await NextAsync(connection, limit, ct);
    }

    /// <summary>The same, by a connection that stays the caller's.</summary>
    internal async Task<IReadOnlyList<StoredEvent>> NextAsync(NpgsqlConnection connection, int limit, CancellationToken ct)
    {
        while (true)
        {
            // Before the rows are read: what had ended by then is visible in them.
            if (_gap is not null)
                await _gap.Drawers.LookAsync(connection, ct);
            var found = await ReadAsync(connection, limit, ct);
            var whole = Whole(found);
            if (whole < found.Count && !(_gap?.UpTo >= found[whole].Position))
            {
                // After the rows were read. Whoever drew a position before one that is among them has drawn it by now, and has ended or is seen.
                _gap = new(found[^1].Position, await Drawers.OfNowAsync(connection, ct));

                // Nobody is under way, as after a rollback: a second look is all it takes.
                if (whole == 0 && _gap.Drawers.HaveEnded)
                    continue;
            }

            if (whole > 0)
                Position = found[whole - 1].Position;
            return whole == found.Count ? found : found[..whole];
        }
    }

    /// <summary>How many of the rows follow without a gap that may still be filled.</summary>
    private int Whole(List<StoredEvent> found)
    {
        var over = _gap is { Drawers.HaveEnded: true } ? _gap.UpTo : 0;
        var expected = Position + 1;
        var whole = 0;
        while (whole < found.Count && (found[whole].Position == expected || found[whole].Position <= over))
            expected = found[whole++].Position + 1;
        return whole;
    }

    private async Task<List<StoredEvent>> ReadAsync(NpgsqlConnection connection, int limit, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
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
        };
        var found = new List<StoredEvent>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add(NpgsqlEventLog.Read(rows));
        return found;
    }

    /// <summary>Gaps that were seen, and who may still fill them.</summary>
    /// <param name="UpTo">The last position that was seen behind them: every one before it had been drawn.</param>
    /// <param name="Drawers">Who had drawn and not ended then.</param>
    private sealed record Gap(long UpTo, Drawers Drawers);
}
