using Npgsql;

namespace Ledger.EventStore;

/// <summary>Why a ledger is closed.</summary>
/// <param name="What"><see cref="Closures.Import"/> or <see cref="Closures.Restore"/>.</param>
/// <param name="Detail">Which one: what it says of itself.</param>
public sealed record Closure(string What, string Detail)
{
    /// <summary>What an operator is told.</summary>
    public string Reason =>
        What == Closures.Import
            ? "This ledger is closed: an import into it has not come to its end. Run `import` with the same folder once more."
            : "This ledger is closed: it was restored from a backup and has not been checked yet. Run `restore --finish`.";
}

/// <summary>
/// The table <c>ledger_closures</c>: as long as a row stands in it, no server serves and no command works, but the one that will take it away. Written in the very transaction that makes the
/// ledger what nobody may rely on yet.
/// </summary>
public static class Closures
{
    /// <summary>An import whose read models do not stand yet.</summary>
    public const string Import = "import";

    /// <summary>A restored backup that was not checked yet.</summary>
    public const string Restore = "restore";

    /// <summary>Makes the table, in a database that has nothing else yet.</summary>
    public static Task PrepareAsync(NpgsqlConnection connection, CancellationToken ct) =>
        ExecuteAsync(connection, SqlFile.Read("ledger_closures.sql"), [], ct);

    /// <summary>Why the ledger is closed; null where it is open, or not there.</summary>
    public static async Task<Closure?> FindAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var connection = await database.OpenConnectionAsync(ct);
        return await FindAsync(connection, ct);
    }

    /// <summary>The same, by a connection that is open.</summary>
    public static async Task<Closure?> FindAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using (var exists = new NpgsqlCommand("select to_regclass('ledger_closures') is not null", connection))
        {
            if (!(bool)(await exists.ExecuteScalarAsync(ct))!)
                return null;
        }

        await using var find = new NpgsqlCommand(
            "select c.what, c.detail from ledger_closures c order by c.at, c.what limit 1",
            connection
        );
        await using var row = await find.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? new(row.GetString(0), row.GetString(1)) : null;
    }

    /// <summary>Closes the ledger.</summary>
    public static Task CloseAsync(NpgsqlConnection connection, Closure closure, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(closure);
        return ExecuteAsync(connection, "insert into ledger_closures (what, detail) values ($1, $2)", [closure.What, closure.Detail], ct);
    }

    /// <summary>Opens it again.</summary>
    public static async Task OpenAsync(NpgsqlDataSource database, string what, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var connection = await database.OpenConnectionAsync(ct);
        await ExecuteAsync(connection, "delete from ledger_closures where what = $1", [what], ct);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, IReadOnlyList<string> values, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync(ct);
    }
}
