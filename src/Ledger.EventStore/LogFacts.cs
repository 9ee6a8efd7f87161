using System.Data;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>What a database's log is, in a few numbers, by which two copies of it can be compared.</summary>
/// <param name="Position">The position of the last event; 0 where there is none.</param>
/// <param name="Events">How many events there are.</param>
/// <param name="Streams">How many streams there are.</param>
/// <param name="At">When the last event was recorded; null where there is none.</param>
/// <param name="Checkpoint">The number of the last signed checkpoint; 0 where there is none.</param>
/// <param name="CheckpointHash">Its hash in lower-case hex; null where there is none.</param>
/// <param name="Schema">The number of the last migration of each component.</param>
public sealed record LogFacts(
    long Position,
    long Events,
    long Streams,
    DateTimeOffset? At,
    long Checkpoint,
    string? CheckpointHash,
    IReadOnlyDictionary<string, int> Schema
)
{
    /// <summary>Reads them, as of now.</summary>
    public static async Task<LogFacts> ReadAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await using var point = await LogPoint.TakeAsync(database, ct);
        return point.Facts;
    }

    /// <summary>Whether a database has no table that the ledger would be in the way of.</summary>
    public static async Task<bool> IsBlankAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var command = database.CreateCommand(
            """
            select not exists (
              select
              from pg_class c
              where c.relnamespace = current_schema()::regnamespace
                and c.relkind in ('r', 'v', 'm', 'S', 'f', 'p')
                and c.relname <> 'ledger_closures'
            )
            """
        );
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Counts rows anew for whoever plans queries: what has just been loaded is unknown to it.</summary>
    public static async Task AnalyzeAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var command = database.CreateCommand("analyze");
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The major version of the server.</summary>
    public static async Task<int> ServerVersionAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var connection = await database.OpenConnectionAsync(ct);
        return connection.PostgreSqlVersion.Major;
    }
}

/// <summary>One moment of a database that another session can look at too, as long as this lives.</summary>
public sealed class LogPoint : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction _transaction;

    private LogPoint(NpgsqlConnection connection, NpgsqlTransaction transaction, string snapshot, LogFacts facts) =>
        (_connection, _transaction, Snapshot, Facts) = (connection, transaction, snapshot, facts);

    /// <summary>PostgreSQL's name for the moment.</summary>
    public string Snapshot { get; }

    /// <summary>What the log was then.</summary>
    public LogFacts Facts { get; }

    /// <summary>Takes one.</summary>
    public static async Task<LogPoint> TakeAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        var connection = await database.OpenConnectionAsync(ct);
        try
        {
            var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
            string snapshot;
            await using (var export = new NpgsqlCommand("select pg_export_snapshot()", connection))
                snapshot = (string)(await export.ExecuteScalarAsync(ct))!;
            return new(connection, transaction, snapshot, await ReadAsync(connection, ct));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Lets it go.</summary>
    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }

    private static async Task<LogFacts> ReadAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        var schema = new SortedDictionary<string, int>(StringComparer.Ordinal);
        await using (
            var components = new NpgsqlCommand(
                "select s.component, max(s.number) from ledger_migrations s group by s.component",
                connection
            )
        )
        {
            await using var rows = await components.ExecuteReaderAsync(ct);
            while (await rows.ReadAsync(ct))
                schema.Add(rows.GetString(0), rows.GetInt32(1));
        }

        await using var checkpoints = new NpgsqlCommand(
            $"{Checkpoints.LogCheckpoints.Select}\norder by c.number desc\nlimit 1",
            connection
        );
        var last = await Checkpoints.LogCheckpoints.ReadAsync(checkpoints, ct) is [var found, ..] ? found.Checkpoint : null;
        await using var log = new NpgsqlCommand(
            """
            select
              coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0),
              (select count(*) from mt_events),
              (select count(*) from mt_streams),
              (select m.timestamp from mt_events m order by m.seq_id desc limit 1)
            """,
            connection
        )
        {
            CommandTimeout = 0,
        };
        await using var row = await log.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        return new(
            row.GetInt64(0),
            row.GetInt64(1),
            row.GetInt64(2),
            row.IsDBNull(3) ? null : row.GetFieldValue<DateTimeOffset>(3),
            last?.Number ?? 0,
            last is null ? null : Convert.ToHexStringLower(last.Hash()),
            schema
        );
    }
}
