using System.Data;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.EventStore;

/// <summary>One writer: one connection, a prepared batch for each shape of trip, buffers that are used again.</summary>
internal sealed class NpgsqlLogWriter : ILogWriter
{
    internal const string RecallSql = $"""
        select {NpgsqlEventLog.EventColumns}
        from unnest($1::varchar[], $2::uuid[]) as wanted (stream_id, id)
        join mt_events m
          on m.stream_id = wanted.stream_id
          and m.id = wanted.id
        """;

    /// <summary>A connection keeps so many statements at most; what is left is served by the one that can do everything.</summary>
    private const int MaxShapes = 64;

    /// <summary>After an id was found to stand in the log already, so many trips look for theirs first. Clients that repeat come in numbers.</summary>
    private const int TripsToLook = 1000;

    private const string ConfirmSql = """
        select
          s.id,
          s.version
        from mt_streams s
        where s.id = any ($1)
        """;

    private readonly NpgsqlConnection _connection;
    private readonly IReadOnlyList<InlineWrite> _writes;
    private readonly AppendStatement _append = new();
    private readonly List<string> _confirm = [];
    private readonly List<string> _recallStreams = [];
    private readonly List<Guid> _recallIds = [];
    private readonly Dictionary<Shape, NpgsqlBatch> _batches = [];
    private readonly Shape _everything;
    private bool _locked;
    private int _tripsToLook;

    private NpgsqlLogWriter(NpgsqlConnection connection, IReadOnlyList<InlineWrite> writes, Backend backend)
    {
        (_connection, _writes, Backend) = (connection, writes, backend);
        _everything = new(Appends: true, Opens: true, Looks: true, Writes: (1 << writes.Count) - 1, Asks: false, Commits: false);
    }

    public Backend Backend { get; }

    public static async Task<NpgsqlLogWriter> OpenAsync(NpgsqlDataSource database, IReadOnlyList<InlineWrite> writes, CancellationToken ct)
    {
        // The plan is made once. What is right for it is known: every table is entered by its key from a small list, whatever the statistics
        // of the moment say, and planning for the values at hand, or compiling, would cost more than the statement.
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Pooling = false,
            Timeout = 3,

            // A database that says nothing for this long is treated as lost; there is no point in asking it to cancel.
            CommandTimeout = NpgsqlEventLog.PatienceOf(new NpgsqlConnectionStringBuilder(database.ConnectionString).CommandTimeout),
            CancellationTimeout = -1,
            ApplicationName = "ledger-writer",
            Options =
                "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off",
        };

        // A data source hides its password; cloning one of its connections does not.
        await using var template = database.CreateConnection();
        var connection = template.CloneWith(settings.ConnectionString);
        try
        {
            await connection.OpenAsync(ct);
            await using var who = new NpgsqlCommand(
                "select pg_backend_pid(), (select backend_start from pg_stat_activity where pid = pg_backend_pid())",
                connection
            );
            Backend backend;
            await using (var row = await who.ExecuteReaderAsync(ct))
            {
                await row.ReadAsync(ct);
                backend = new(row.GetInt32(0), row.GetFieldValue<DateTimeOffset>(1));
            }

            return new(connection, writes, backend);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public async Task LockAsync(IReadOnlyList<string> streamIds, CancellationToken ct)
    {
        ThrowIfLost();
        await using var batch = new NpgsqlBatch(_connection)
        {
            BatchCommands =
            {
                new("begin"),
                new("select s.id from mt_streams s where s.id = any ($1) order by s.id for update of s")
                {
                    Parameters = { new() { Value = streamIds } },
                },
            },
        };

        // Before it is so: a refused lock, such as a deadlock, leaves a failed transaction behind that must be rolled back too.
        _locked = true;
        await batch.ExecuteNonQueryAsync(ct);
    }

    public async Task RollbackAsync(CancellationToken ct)
    {
        if (!_locked)
            return;
        ThrowIfLost();
        _locked = false;
        await using var command = new NpgsqlCommand("rollback", _connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task<TripResult> SendAsync(Trip trip, CancellationToken ct)
    {
        ThrowIfLost();
        var asks = trip.Confirm.Count > 0 || trip.Recall.Count > 0;
        if (trip.Streams.Count == 0 && !asks && !_locked)
            return TripResult.Nothing;
        try
        {
            if (trip.Streams.Count > 0)
                Fill(trip);
            if (asks)
            {
                _confirm.AddRange(trip.Confirm);
                foreach (var (stream, id) in trip.Recall)
                {
                    _recallStreams.Add(stream);
                    _recallIds.Add(id);
                }
            }

            var looks = _locked || _tripsToLook > 0;
            if (_tripsToLook > 0)
                _tripsToLook--;
            var batch = await BatchAsync(ShapeOf(trip.Streams.Count > 0, looks, asks), ct);
            await using var reader = await batch.ExecuteReaderAsync(ct);
            var result = await ReadAsync(trip, looks, asks, reader, ct);
            _locked = false;
            return result;
        }
        catch (PostgresException refused) when (refused.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            _tripsToLook = TripsToLook;
            throw;
        }
        finally
        {
            _append.Clear();
            foreach (var write in _writes)
                write.Clear();
            _confirm.Clear();
            _recallStreams.Clear();
            _recallIds.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var batch in _batches.Values)
            await batch.DisposeAsync();

        await _connection.DisposeAsync();
    }

    /// <summary>Once lost, it stays lost, and says so each time: Npgsql would call the second use a bug of the caller's.</summary>
    private void ThrowIfLost()
    {
        if (_connection.State != ConnectionState.Open)
            throw new NpgsqlException("The writer's connection is lost.");
    }

    private static async Task<TripResult> ReadAsync(Trip trip, bool looks, bool asks, NpgsqlDataReader reader, CancellationToken ct)
    {
        var (guardHeld, won, repeated) = (true, Array.Empty<bool>(), new HashSet<int>());
        if (trip.Streams.Count > 0)
        {
            await reader.ReadAsync(ct);
            won = new bool[trip.Streams.Count];
            if (reader.GetBoolean(0))
            {
                Array.Fill(won, true);
            }
            else
            {
                if (!reader.IsDBNull(1))
                {
                    foreach (var n in reader.GetFieldValue<int[]>(1))
                        won[n - 1] = true;
                }

                if (looks)
                {
                    foreach (var n in reader.GetFieldValue<int[]>(2))
                        repeated.Add(n - 1);
                }

                guardHeld = reader.GetBoolean(looks ? 3 : 2);
            }

            await reader.NextResultAsync(ct);
        }

        var versions = new Dictionary<string, long>(trip.Confirm.Count, StringComparer.Ordinal);
        var recalled = new List<StoredEvent>();
        if (asks)
        {
            while (await reader.ReadAsync(ct))
                versions.Add(reader.GetString(0), reader.GetInt64(1));
            await reader.NextResultAsync(ct);
            while (await reader.ReadAsync(ct))
                recalled.Add(NpgsqlEventLog.Read(reader));
        }

        // To the end of the trip: the commit's own failure would come last.
        while (await reader.NextResultAsync(ct)) { }
        return new(guardHeld, won, repeated, versions, recalled);
    }

    private void Fill(Trip trip)
    {
        if (trip.Guard is { } guard)
            _append.Guard(guard);
        for (var s = 0; s < trip.Streams.Count; s++)
        {
            var stream = trip.Streams[s];
            _append.AddStream(stream);
            for (var e = 0; e < stream.Events.Count; e++)
                _append.AddEvent(s + 1, stream.StreamId, stream.ExpectedVersion + e + 1, stream.Events[e]);
        }
    }

    private Shape ShapeOf(bool appends, bool looks, bool asks)
    {
        if (!appends)
            return new(Appends: false, Opens: false, Looks: false, Writes: 0, asks, _locked);
        var writes = 0;
        for (var i = 0; i < _writes.Count; i++)
        {
            if (!_writes[i].IsEmpty)
                writes |= 1 << i;
        }

        var shape = new Shape(appends, _append.Opens, looks, writes, asks, _locked);
        return _batches.Count < MaxShapes || _batches.ContainsKey(shape)
            ? shape
            : _everything with
            {
                Looks = looks,
                Asks = asks,
                Commits = _locked,
            };
    }

    /// <summary>The batch of a shape, prepared when it is first used: statements stay prepared for the connection's life.</summary>
    private async ValueTask<NpgsqlBatch> BatchAsync(Shape shape, CancellationToken ct)
    {
        if (_batches.TryGetValue(shape, out var made))
            return made;

        var batch = new NpgsqlBatch(_connection);
        if (shape.Appends)
        {
            var writes = shape.Writes;
            batch.BatchCommands.Add(_append.Compose(shape.Opens, shape.Looks, _writes.Where((_, i) => (writes & (1 << i)) != 0)));
        }

        if (shape.Asks)
        {
            batch.BatchCommands.Add(new(ConfirmSql) { Parameters = { ListOf(_confirm, NpgsqlDbType.Varchar) } });
            batch.BatchCommands.Add(
                new(RecallSql) { Parameters = { ListOf(_recallStreams, NpgsqlDbType.Varchar), ListOf(_recallIds, NpgsqlDbType.Uuid) } }
            );
        }

        if (shape.Commits)
            batch.BatchCommands.Add(new("commit"));
        try
        {
            await batch.PrepareAsync(ct);
        }
        catch
        {
            await batch.DisposeAsync();
            throw;
        }

        _batches.Add(shape, batch);
        return batch;

        static NpgsqlParameter ListOf<T>(List<T> rows, NpgsqlDbType type) =>
            new NpgsqlParameter<List<T>> { TypedValue = rows, NpgsqlDbType = NpgsqlDbType.Array | type };
    }

    /// <summary>What a trip asks of the database.</summary>
    /// <param name="Appends">Whether anything is appended.</param>
    /// <param name="Opens">Whether streams are opened.</param>
    /// <param name="Looks">Whether ids are looked for first.</param>
    /// <param name="Writes">Which inline read models have rows, one bit each.</param>
    /// <param name="Asks">Whether versions or facts are asked for.</param>
    /// <param name="Commits">Whether it ends a transaction that is open.</param>
    private readonly record struct Shape(bool Appends, bool Opens, bool Looks, int Writes, bool Asks, bool Commits);
}
