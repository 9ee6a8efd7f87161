using Npgsql;

namespace Ledger.EventStore;

/// <summary>PostgreSQL runs and does not confirm commits: the synchronous standby that it waits for is away.</summary>
/// <param name="inner">What waiting came to.</param>
public sealed class StandbyAwayException(Exception inner)
    : TimeoutException("The database does not confirm commits: its synchronous standby is away.", inner);

/// <summary>What a synchronous standby has to have before anybody may be told of it.</summary>
public static class Replication
{
    private const int PatienceSeconds = 3;

    /// <summary>
    /// Waits until everything that can be read now is as durable as a commit of now would be: on the synchronous standby too, where there is
    /// one. A commit whose wait for the standby was cut short, by a crash or by the end of its process, can be read although the
    /// standby may not have it; who answers from it would promise what a fail-over takes back.
    /// </summary>
    /// <exception cref="StandbyAwayException">It is not so within three seconds.</exception>
    public static async Task CatchUpAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);

        // A connection of its own that never asks to cancel: a cancelled wait ends as if the standby had confirmed.
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Pooling = false,
            Timeout = PatienceSeconds,
            CommandTimeout = PatienceSeconds,
            CancellationTimeout = -1,
            ApplicationName = "ledger-replication",
        };
        await using var template = database.CreateConnection();
        await using var connection = template.CloneWith(settings.ConnectionString);
        await connection.OpenAsync(ct);
        var process = connection.ProcessID;
        try
        {
            // The log is replicated in order, so the smallest commit of our own stands for all before it. One that wrote nothing would not wait.
            await using var command = new NpgsqlCommand("select pg_logical_emit_message(true, 'ledger', '')", connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (NpgsqlException late) when (late.InnerException is TimeoutException)
        {
            // It would wait on without us, and every further attempt beside it.
            await using var end = database.CreateCommand("select pg_terminate_backend($1)");
            end.Parameters.Add(new() { Value = process });
            await end.ExecuteNonQueryAsync(ct);
            throw new StandbyAwayException(late);
        }
    }
}
