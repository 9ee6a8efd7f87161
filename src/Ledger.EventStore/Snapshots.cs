using System.Globalization;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>What PostgreSQL's snapshots tell about running transactions.</summary>
internal static class Snapshots
{
    /// <summary>Every transaction with a lower id has ended, and what it committed is visible to the next statement.</summary>
    public static Task<ulong> OldestRunningAsync(NpgsqlConnection connection, CancellationToken ct) =>
        ReadAsync(connection, "select pg_snapshot_xmin(pg_current_snapshot())::text", ct);

    /// <summary>
    /// Every transaction that has an id by now has a lower one. A snapshot's <c>xmax</c> would not do: it is one past the last transaction that has
    /// ended, and one that was given its id before that and still runs can lie beyond it. So an id is drawn.
    /// </summary>
    public static Task<ulong> NextTransactionAsync(NpgsqlConnection connection, CancellationToken ct) =>
        ReadAsync(connection, "select pg_current_xact_id()::text", ct);

    private static async Task<ulong> ReadAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return ulong.Parse((string)(await command.ExecuteScalarAsync(ct))!, CultureInfo.InvariantCulture);
    }
}
