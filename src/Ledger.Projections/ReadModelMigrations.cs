using Ledger.EventStore;

namespace Ledger.Projections;

/// <summary>The schema of the read models and of the primary tables beside them.</summary>
public static class ReadModelMigrations
{
    /// <summary>All steps so far.</summary>
    public static IReadOnlyList<Migration> All { get; } =
    [
        new(
            "read-models",
            1,
            "accounts, pockets, holds, keys, usage, prices",
            Sql(
                "accounts.sql",
                "pockets.sql",
                "ix_pockets_due.sql",
                "holds.sql",
                "ix_holds_due.sql",
                "balances.sql",
                "keys.sql",
                "ux_keys_secret_hash.sql",
                "usage_daily.sql",
                "prices.sql"
            )
        ),
        new("checkpoints", 1, "state checkpoints of accounts", Sql("account_checkpoints.sql")),
        new("people", 1, "people and credentials", Sql("people.sql", "credentials.sql")),
    ];

    private static string Sql(params string[] files) =>
        string.Join("\n", files.Select(file => SqlFile.Read(typeof(ReadModelMigrations).Assembly, file)));
}
