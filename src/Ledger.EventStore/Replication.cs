using Npgsql;

namespace Ledger.EventStore;

/// <summary>What a synchronous standby has to have before anybody may be told of it.</summary>
public static class Replication
{
    /// <summary>
    /// Waits until everything that can be read now is as durable as a commit of now would be: on the synchronous standby too, where there is
    /// one. A commit whose wait for the standby was cut short, by a crash or by the end of its process, can be read although the
    /// standby may not have it; who answers from it would promise what a fail-over takes back.
    /// </summary>
    public static async Task CatchUpAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);

        // The log is replicated in order, so the smallest commit of our own stands for all before it. One that wrote nothing would not wait.
        await using var command = database.CreateCommand("select pg_logical_emit_message(true, 'ledger', '')");
        await command.ExecuteNonQueryAsync(ct);
    }
}
