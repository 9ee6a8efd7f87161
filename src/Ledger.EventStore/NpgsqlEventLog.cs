using Npgsql;

namespace Ledger.EventStore;

/// <summary>The event log on PostgreSQL by Npgsql.</summary>
public sealed class NpgsqlEventLog : IEventLog
{
    internal const string EventColumns =
        "m.seq_id, m.id, m.stream_id, m.version, m.type, m.timestamp, m.data::text, m.headers::text, m.correlation_id, m.causation_id";

    private const int Patience = 5;

    private const int NpgsqlsOwn = 30;

    private readonly NpgsqlDataSource _database;
    private readonly Migrations _migrations;

    /// <summary>A log in a database.</summary>
    /// <param name="database">Connections for reading; each writer opens its own beside it.</param>
    /// <param name="readModels">The migrations of the inline read models, after the log's own.</param>
    public NpgsqlEventLog(NpgsqlDataSource database, IReadOnlyList<Migration> readModels)
    {
        _database = database;
        _migrations = new(Known(readModels));
    }

    /// <summary>
    /// Seconds after which a database that says nothing is treated as lost, wherever somebody waits for an answer: five, for Npgsql's own thirty would hold everybody up
    /// who waits behind; or what the connection string says (<c>Command Timeout</c>) where it says another.
    /// </summary>
    /// <param name="commandTimeout">What a command, batch or connection has by its connection string.</param>
    public static int PatienceOf(int commandTimeout) => commandTimeout == NpgsqlsOwn ? Patience : commandTimeout;

    /// <summary>Whether reading takes as long as it takes: for whoever goes over the whole log, behind whom nobody waits.</summary>
    public bool IsPatient { get; init; }

    /// <inheritdoc/>
    public async Task<ILogWriter> OpenWriterAsync(IReadOnlyList<InlineWrite> writes, CancellationToken ct) =>
        await NpgsqlLogWriter.OpenAsync(_database, writes, ct);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<StoredEvent>> ReadStreamAsync(string streamId, long after, int limit, CancellationToken ct)
    {
        // Versions follow each other, so that a page is a range of them: nothing else is read, whatever PostgreSQL knows of the table, where a limit alone may be had by
        // sorting all that follows. A stream with a gap, which somebody has damaged, goes on behind it; the second part runs only where the first is short.
        await using var command = _database.CreateCommand(
            $"""
            with page as materialized (
              select {EventColumns}
              from mt_events m
              where m.stream_id = $1
                and m.version > $2
                and m.version <= $3
            )
            select *
            from page
            union all
            (
              select {EventColumns}
              from mt_events m
              where m.stream_id = $1
                and m.version > $3
                and (select count(*) from page) < $4
              order by m.version
              limit $4
            )
            order by version
            limit $4
            """
        );
        command.CommandTimeout = IsPatient ? 0 : PatienceOf(command.CommandTimeout);
        command.Parameters.Add(new() { Value = streamId });
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = after > long.MaxValue - limit ? long.MaxValue : after + limit });
        command.Parameters.Add(new() { Value = (long)limit });
        return await ReadAsync(command, ct);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<StoredEvent>> ReadLogAsync(long after, int limit, CancellationToken ct)
    {
        await using var command = _database.CreateCommand(
            $"""
            select {EventColumns}
            from mt_events m
            where m.seq_id > $1
            order by m.seq_id
            limit $2
            """
        );
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = limit });
        return await ReadAsync(command, ct);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<StoredEvent>> FindAsync(IReadOnlyList<(string StreamId, Guid Id)> ids, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Count == 0)
            return [];
        await using var command = _database.CreateCommand(NpgsqlLogWriter.RecallSql);
        command.CommandTimeout = IsPatient ? 0 : PatienceOf(command.CommandTimeout);
        command.Parameters.Add(new() { Value = ids.Select(id => id.StreamId).ToArray() });
        command.Parameters.Add(new() { Value = ids.Select(id => id.Id).ToArray() });
        return await ReadAsync(command, ct);
    }

    /// <inheritdoc/>
    public Task<int> MigrateAsync(CancellationToken ct) => _migrations.ApplyAsync(_database, evenIfClosed: false, ct);

    /// <summary>The same on a ledger that is closed: what was restored may be older than this program.</summary>
    public Task<int> MigrateClosedAsync(CancellationToken ct) => _migrations.ApplyAsync(_database, evenIfClosed: true, ct);

    /// <summary>Every migration that a log with these read models has.</summary>
    public static IReadOnlyList<Migration> Known(IReadOnlyList<Migration> readModels) => [.. Migrations.Log, .. readModels];

    /// <inheritdoc/>
    public Task<string?> CheckSchemaAsync(CancellationToken ct) => _migrations.CheckAsync(_database, ct);

    internal static StoredEvent Read(NpgsqlDataReader row) =>
        new(
            row.GetInt64(0),
            row.GetGuid(1),
            row.GetString(2),
            row.GetInt64(3),
            row.GetString(4),
            StoredTime.Read(row, 5),
            row.GetString(6),
            row.IsDBNull(7) ? null : row.GetString(7),
            row.IsDBNull(8) ? null : row.GetString(8),
            row.IsDBNull(9) ? null : row.GetString(9)
        );

    internal static async Task<IReadOnlyList<StoredEvent>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var events = new List<StoredEvent>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            events.Add(Read(reader));
        return events;
    }
}
