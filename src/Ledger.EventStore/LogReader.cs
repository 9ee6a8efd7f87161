using Npgsql;

namespace Ledger.EventStore;

/// <summary>
/// Reads the log in order and misses nothing. Positions are drawn before they are committed, so a gap is either a rollback or a commit still
/// under way: the reader stops there, and passes only after every transaction that had drawn a position when it first saw the gap has ended
/// and a second look still finds it empty. Never by a time-out. It holds no transaction between calls. Not safe for concurrent use.
/// </summary>
public sealed class LogReader
{
    private const string AllSql = $"""
        select {NpgsqlEventLog.EventColumns}
        from mt_events m
        where m.seq_id > $1
        order by m.seq_id
        limit $2
        """;

    // Every position, so that no gap goes unseen; but bodies, which are most of the cost, only where they are wanted. One statement, so that both are
    // of one moment.
    private const string SomeSql = """
        select
          m.seq_id,
          case when m.is_wanted then m.id end,
          case when m.is_wanted then m.stream_id end,
          case when m.is_wanted then m.version end,
          case when m.is_wanted then m.type end,
          case when m.is_wanted then m.timestamp end,
          case when m.is_wanted then m.data::text end,
          case when m.is_wanted then m.headers::text end,
          case when m.is_wanted then m.correlation_id end,
          case when m.is_wanted then m.causation_id end
        from (
          select
            e.*,
            e.type = any ($3) as is_wanted
          from mt_events e
          where e.seq_id > $1
          order by e.seq_id
          limit $2
        ) m
        order by m.seq_id
        """;

    private readonly NpgsqlDataSource? _database;
    private readonly string[]? _types;
    private Gap? _gap;

    internal LogReader(long after, IReadOnlyList<string>? types)
    {
        Position = after;
        _types = types?.ToArray();
    }

    /// <summary>Reads by whichever connection there is.</summary>
    /// <param name="database">Connections for reading, to the primary.</param>
    /// <param name="after">The checkpoint: the last position that was dealt with.</param>
    /// <param name="types">The stored names of the events that are wanted; null for all. Of others only the positions are read.</param>
    public LogReader(NpgsqlDataSource database, long after, IReadOnlyList<string>? types = null)
        : this(after, types) => _database = database;

    /// <summary>The last position that was read, whether its event was wanted or not; with what the caller did about it, the checkpoint to keep.</summary>
    public long Position { get; private set; }

    /// <summary>Whether the last page was full, so that there may be more at once.</summary>
    public bool MayHaveMore { get; private set; }

    /// <summary>Passes over events unread, up to a position; backwards never.</summary>
    public void SkipTo(long position) => Position = Math.Max(Position, position);

    /// <summary>
    /// The wanted ones of the next events, of which it looks at no more than <paramref name="limit"/>. Empty at the end of the log, while a gap may
    /// still be filled, and where none is wanted; then <see cref="Position"/> has moved all the same.
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
            MayHaveMore = whole == limit;
            return [.. found.Take(whole).Select(row => row.Event).OfType<StoredEvent>()];
        }
    }

    /// <summary>How many of the rows follow without a gap that may still be filled.</summary>
    private int Whole(List<Row> found)
    {
        var over = _gap is { Drawers.HaveEnded: true } ? _gap.UpTo : 0;
        var expected = Position + 1;
        var whole = 0;
        while (whole < found.Count && (found[whole].Position == expected || found[whole].Position <= over))
            expected = found[whole++].Position + 1;
        return whole;
    }

    private async Task<List<Row>> ReadAsync(NpgsqlConnection connection, int limit, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(_types is null ? AllSql : SomeSql, connection)
        {
            Parameters =
            {
                new() { Value = Position },
                new() { Value = limit },
            },
        };
        if (_types is not null)
            command.Parameters.Add(new() { Value = _types });
        var found = new List<Row>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add(new(rows.GetInt64(0), rows.IsDBNull(1) ? null : NpgsqlEventLog.Read(rows)));
        return found;
    }

    /// <summary>A position that is taken.</summary>
    /// <param name="Position">The position.</param>
    /// <param name="Event">What stands there; null where it is not wanted.</param>
    private readonly record struct Row(long Position, StoredEvent? Event);

    /// <summary>Gaps that were seen, and who may still fill them.</summary>
    /// <param name="UpTo">The last position that was seen behind them: every one before it had been drawn.</param>
    /// <param name="Drawers">Who had drawn and not ended then.</param>
    private sealed record Gap(long UpTo, Drawers Drawers);
}
