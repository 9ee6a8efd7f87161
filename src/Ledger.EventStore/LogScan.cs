using Npgsql;

namespace Ledger.EventStore;

/// <summary>The head of one stream.</summary>
/// <param name="Id">The stream.</param>
/// <param name="Version">Its last event's version.</param>
public readonly record struct StreamHead(string Id, long Version);

/// <summary>Some of the events of one stream.</summary>
/// <param name="StreamId">The stream.</param>
/// <param name="After">The version before the first.</param>
/// <param name="UpTo">The version of the last.</param>
public readonly record struct StreamRange(string StreamId, long After, long UpTo);

/// <summary>Reads many streams at a time, in bounded pages: for whoever goes over the whole log stream by stream, such as rebuilds and audits.</summary>
/// <param name="database">Connections for reading.</param>
public sealed class LogScan(NpgsqlDataSource database)
{
    /// <summary>How many streams there are of a type.</summary>
    public async Task<long> CountAsync(string type, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select count(*) from mt_streams s where s.type = $1");
        command.Parameters.Add(new() { Value = type });
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>How many events the streams count.</summary>
    public async Task<long> CountEventsAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            "select least(greatest(coalesce(sum(s.version), 0), 0), 9223372036854775807)::bigint from mt_streams s"
        );
        command.CommandTimeout = 0;
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>The next streams in the order of ids, at most <paramref name="limit"/>.</summary>
    /// <param name="type">The aggregate's alias; null for all.</param>
    /// <param name="after">The id before the first; empty to begin with.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<StreamHead>> ListAsync(string? type, string after, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              s.id,
              s.version
            from mt_streams s
            where s.id > $1
              and ($2 is null or s.type = $2)
            order by s.id
            limit $3
            """
        );
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = type, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Varchar });
        command.Parameters.Add(new() { Value = limit });
        return await HeadsAsync(command, ct);
    }

    /// <summary>The streams of a type, with their versions of now, that have events between two positions.</summary>
    public async Task<IReadOnlyList<StreamHead>> ChangedAsync(string type, long after, long upTo, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              s.id,
              s.version
            from (
              select distinct m.stream_id
              from mt_events m
              where m.seq_id > $2
                and m.seq_id <= $3
            ) changed
            join mt_streams s on s.id = changed.stream_id
            where s.type = $1
            order by s.id
            """
        );
        command.Parameters.Add(new() { Value = type });
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = upTo });
        return await HeadsAsync(command, ct);
    }

    /// <summary>The events of many streams in order, stream after stream as asked for. The caller bounds how many that are.</summary>
    public async Task<IReadOnlyList<StoredEvent>> ReadAsync(IReadOnlyList<StreamRange> ranges, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        await using var command = database.CreateCommand(
            $"""
            select {NpgsqlEventLog.EventColumns}
            from unnest($1::varchar[], $2::bigint[], $3::bigint[]) with ordinality as wanted (stream_id, after, up_to, place)
            cross join lateral (
              select *
              from mt_events e
              where e.stream_id = wanted.stream_id
                and e.version > wanted.after
                and e.version <= wanted.up_to
              order by e.version
            ) m
            order by
              wanted.place,
              m.version
            """
        );
        command.Parameters.Add(new() { Value = ranges.Select(range => range.StreamId).ToArray() });
        command.Parameters.Add(new() { Value = ranges.Select(range => range.After).ToArray() });
        command.Parameters.Add(new() { Value = ranges.Select(range => range.UpTo).ToArray() });
        return await NpgsqlEventLog.ReadAsync(command, ct);
    }

    /// <summary>The hashes of single events, by stream; of what is not there none.</summary>
    public async Task<IReadOnlyDictionary<string, byte[]>> HashesAsync(IReadOnlyCollection<StreamHead> events, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(events);
        await using var command = database.CreateCommand(
            """
            select
              w.stream_id,
              m.headers::text
            from unnest($1::varchar[], $2::bigint[]) as w (stream_id, version)
            cross join lateral (
              select e.headers
              from mt_events e
              where e.stream_id = w.stream_id
                and e.version = w.version
              offset 0
            ) m
            """
        );
        command.Parameters.Add(new() { Value = events.Select(head => head.Id).ToArray() });
        command.Parameters.Add(new() { Value = events.Select(head => head.Version).ToArray() });
        var hashes = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            if (!rows.IsDBNull(1) && HashChain.FromHeaders(rows.GetString(1), "hash") is { } hash)
                hashes[rows.GetString(0)] = hash;
        }

        return hashes;
    }

    /// <summary>
    /// The first version of a stream that was recorded at a time or later; one more than the last where there is none. Found by halves: times never
    /// fall along a stream.
    /// </summary>
    public Task<long> VersionAtAsync(string streamId, DateTimeOffset at, CancellationToken ct) =>
        FirstAsync(streamId, "m.timestamp < $3", at, ct);

    /// <summary>When an event of a stream was recorded; null where there is none of that version.</summary>
    public async Task<DateTimeOffset?> TimeOfAsync(string streamId, long version, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select m.timestamp from mt_events m where m.stream_id = $1 and m.version = $2");
        command.Parameters.Add(new() { Value = streamId });
        command.Parameters.Add(new() { Value = version });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? row.GetFieldValue<DateTimeOffset>(0) : null;
    }

    /// <summary>The last version of a stream that stands at a position or before it; 0 where none does. Found by halves: positions grow along a stream.</summary>
    public async Task<long> VersionUpToAsync(string streamId, long position, CancellationToken ct) =>
        await FirstAsync(streamId, "m.seq_id <= $3", position, ct) - 1;

    /// <summary>The first version of a stream that does not come before something; one more than the last where there is none.</summary>
    private async Task<long> FirstAsync<T>(string streamId, string isBefore, T bound, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var head = new NpgsqlCommand("select coalesce((select s.version from mt_streams s where s.id = $1), 0)", connection)
        {
            Parameters = { new() { Value = streamId } },
        };
        var (low, high) = (1L, (long)(await head.ExecuteScalarAsync(ct))! + 1);
        var version = new NpgsqlParameter<long>();
        await using var probe = new NpgsqlCommand(
            $"""
            select {isBefore}
            from mt_events m
            where m.stream_id = $1
              and m.version = $2
            """,
            connection
        )
        {
            Parameters =
            {
                new() { Value = streamId },
                version,
                new NpgsqlParameter<T> { TypedValue = bound },
            },
        };
        while (low < high)
        {
            version.TypedValue = low + ((high - low) / 2);
            await using var row = await probe.ExecuteReaderAsync(ct);
            if (await row.ReadAsync(ct) && row.GetBoolean(0))
                low = version.TypedValue + 1;
            else
                high = version.TypedValue;
        }

        return low;
    }

    /// <summary>
    /// The events of one stream that a request caused, among those recorded between two times: found by halves, and of a bounded part of the stream only,
    /// since no index leads from requests to events.
    /// </summary>
    /// <param name="streamId">The stream.</param>
    /// <param name="request">The request.</param>
    /// <param name="from">No earlier than this.</param>
    /// <param name="to">No later than this.</param>
    /// <param name="most">The most events that are looked at.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<StoredEvent>> CausedByAsync(
        string streamId,
        string request,
        DateTimeOffset from,
        DateTimeOffset to,
        int most,
        CancellationToken ct
    )
    {
        var first = await VersionAtAsync(streamId, from, ct);
        await using var command = database.CreateCommand(
            $"""
            select {NpgsqlEventLog.EventColumns}
            from mt_events m
            where m.stream_id = $1
              and m.version >= $2
              and m.version < $3
              and m.timestamp <= $4
              and m.correlation_id = $5
            order by m.version
            """
        );
        command.CommandTimeout = NpgsqlEventLog.PatienceOf(command.CommandTimeout);
        command.Parameters.Add(new() { Value = streamId });
        command.Parameters.Add(new() { Value = first });
        command.Parameters.Add(
            new() { Value = Math.Min(first + most, await VersionAtAsync(streamId, to + TimeSpan.FromMicroseconds(1), ct)) }
        );
        command.Parameters.Add(new() { Value = to });
        command.Parameters.Add(new() { Value = request });
        return await NpgsqlEventLog.ReadAsync(command, ct);
    }

    /// <summary>Events of one stream from the end on, by key: those of some types, with versions below one and not below another.</summary>
    /// <param name="streamId">The stream.</param>
    /// <param name="below">The version above the first.</param>
    /// <param name="from">The lowest version.</param>
    /// <param name="types">The types.</param>
    /// <param name="member">A member of the events' data that must be a text; null where none must.</param>
    /// <param name="text">The text.</param>
    /// <param name="otherThan">A unit in which what is charged or given back must not be; null where any will do.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<StoredEvent>> ReadBackAsync(
        string streamId,
        long below,
        long from,
        IReadOnlyCollection<string> types,
        string? member,
        string? text,
        string? otherThan,
        int limit,
        CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            $"""
            select {NpgsqlEventLog.EventColumns}
            from mt_events m
            where m.stream_id = $1
              and m.version < $2
              and m.version >= $3
              and m.type = any ($4)
              and ($5 is null or m.data ->> $5 = $6)
              and ($7 is null or not coalesce(m.data -> 'charged', m.data -> 'amount', 'null') ? $7)
            order by m.version desc
            limit $8
            """
        );
        command.Parameters.Add(new() { Value = streamId });
        command.Parameters.Add(new() { Value = below });
        command.Parameters.Add(new() { Value = from });
        command.Parameters.Add(new() { Value = types.ToArray() });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = member, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = text, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = otherThan, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text });
        command.Parameters.Add(new() { Value = limit });
        return await NpgsqlEventLog.ReadAsync(command, ct);
    }

    /// <summary>The events of some types at positions above one and up to another, recorded in a time, in the order of positions. The caller bounds how many that are.</summary>
    /// <param name="after">The position before the first.</param>
    /// <param name="upTo">The last position.</param>
    /// <param name="types">The types.</param>
    /// <param name="from">The first moment.</param>
    /// <param name="to">The first moment that does not count any more.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<StoredEvent>> ReadBetweenAsync(
        long after,
        long upTo,
        IReadOnlyCollection<string> types,
        DateTimeOffset from,
        DateTimeOffset to,
        CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            $"""
            select {NpgsqlEventLog.EventColumns}
            from mt_events m
            where m.seq_id > $1
              and m.seq_id <= $2
              and m.type = any ($3)
              and m.timestamp >= $4
              and m.timestamp < $5
            order by m.seq_id
            """
        );
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = upTo });
        command.Parameters.Add(new() { Value = types.ToArray() });
        command.Parameters.Add(new() { Value = from.ToUniversalTime() });
        command.Parameters.Add(new() { Value = to.ToUniversalTime() });
        return await NpgsqlEventLog.ReadAsync(command, ct);
    }

    /// <summary>
    /// Whether whatever had drawn positions by now has ended: nothing that was decided and sent before can come to light any more. Waits a moment for what ends by itself, not for a
    /// commit that hangs, as one that waits for a standby.
    /// </summary>
    public async Task<bool> HasSettledAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var drawers = await Drawers.OfNowAsync(connection, ct);
        for (var looks = 0; !drawers.HaveEnded && looks < 50; looks++)
        {
            await Task.Delay(10, ct);
            await drawers.LookAsync(connection, ct);
        }

        return drawers.HaveEnded;
    }

    /// <summary>
    /// A position up to which the log is settled: no event at or before it can still be committed. Waits for the transactions that have drawn
    /// positions by now.
    /// </summary>
    public async Task<long> SettledAsync(TimeProvider time, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(time);
        await using var connection = await database.OpenConnectionAsync(ct);
        long drawn;
        await using (
            var last = new NpgsqlCommand("select case when s.is_called then s.last_value else 0 end from mt_events_sequence s", connection)
        )
            drawn = (long)(await last.ExecuteScalarAsync(ct))!;

        var drawers = await Drawers.OfNowAsync(connection, ct);
        while (!drawers.HaveEnded)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), time, ct);
            await drawers.LookAsync(connection, ct);
        }

        return drawn;
    }

    private static async Task<IReadOnlyList<StreamHead>> HeadsAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var heads = new List<StreamHead>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            heads.Add(new(rows.GetString(0), rows.IsDBNull(1) ? 0 : rows.GetInt64(1)));
        return heads;
    }
}
