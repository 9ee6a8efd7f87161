using System.Data;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>One forward step of the schema. Once released it never changes; there is no way back but a restore.</summary>
/// <param name="Component">Whose step it is; each component counts for itself.</param>
/// <param name="Number">Its place, from 1 without gaps.</param>
/// <param name="Name">What it does, in a few words.</param>
/// <param name="Sql">How.</param>
public sealed record Migration(string Component, int Number, string Name, string Sql);

/// <summary>The schema's forward steps: which are known, which were applied, and whether the two fit.</summary>
internal sealed class Migrations(IReadOnlyList<Migration> known)
{
    /// <summary>The log's own steps.</summary>
    public static IReadOnlyList<Migration> Log { get; } =
    [
        new(
            "log",
            1,
            "the log's tables",
            string.Join(
                "\n",
                new[]
                {
                    "mt_streams.sql",
                    "mt_events_sequence.sql",
                    "mt_events.sql",
                    "pk_mt_events_stream_and_version.sql",
                    "ux_mt_events_stream_and_id.sql",
                    "mt_event_progression.sql",
                }.Select(SqlFile.Read)
            )
        ),
        new("log", 2, "what keeps a ledger closed", SqlFile.Read("ledger_closures.sql")),
    ];

    // One number for everybody who migrates: servers that start together take turns.
    private const long AdvisoryLock = 0x4C65_6467_6572;

    public async Task<int> ApplyAsync(NpgsqlDataSource database, bool evenIfClosed, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using (
            var take = new NpgsqlCommand("select pg_advisory_lock($1)", connection)
            {
                CommandTimeout = 0, // Another server's migration takes as long as it takes.
                Parameters = { new() { Value = AdvisoryLock } },
            }
        )
            await take.ExecuteNonQueryAsync(ct);
        try
        {
            // A restore may be filling the database at this moment: what it brings with it must not be there before.
            if (!evenIfClosed && await Closures.FindAsync(connection, ct) is { } closure)
                throw new SchemaException(closure.Reason);
            await using (var create = new NpgsqlCommand(SqlFile.Read("ledger_migrations.sql"), connection))
                await create.ExecuteNonQueryAsync(ct);
            var applied = await AppliedAsync(connection, ct);
            if (Newer(applied) is { } newer)
                throw new SchemaException(newer);
            var missing = known.Where(migration => !applied.Contains((migration.Component, migration.Number))).ToList();
            foreach (var migration in missing)
            {
                await using var transaction = await connection.BeginTransactionAsync(ct);
                await using (var step = new NpgsqlCommand(migration.Sql, connection, transaction) { CommandTimeout = 0 })
                    await step.ExecuteNonQueryAsync(ct);
                await using (
                    var note = new NpgsqlCommand(
                        "insert into ledger_migrations (component, number, name) values ($1, $2, $3)",
                        connection,
                        transaction
                    )
                    {
                        Parameters =
                        {
                            new() { Value = migration.Component },
                            new() { Value = migration.Number },
                            new() { Value = migration.Name },
                        },
                    }
                )
                    await note.ExecuteNonQueryAsync(ct);
                await transaction.CommitAsync(ct);
            }

            return missing.Count;
        }
        finally
        {
            // A connection that broke has given its lock up, and what broke it is what the caller must hear.
            if (connection.State == ConnectionState.Open)
            {
                await using var give = new NpgsqlCommand("select pg_advisory_unlock($1)", connection)
                {
                    Parameters = { new() { Value = AdvisoryLock } },
                };
                await give.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
    }

    public async Task<string?> CheckAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        if (await Closures.FindAsync(connection, ct) is { } closure)
            return closure.Reason;
        await using (var exists = new NpgsqlCommand("select to_regclass('ledger_migrations') is not null", connection))
        {
            if (!(bool)(await exists.ExecuteScalarAsync(ct))!)
                return "The database has no ledger schema yet. Run the command `migrate`, or start the server, which does.";
        }

        var applied = await AppliedAsync(connection, ct);
        if (Newer(applied) is { } newer)
            return newer;
        if (known.FirstOrDefault(migration => !applied.Contains((migration.Component, migration.Number))) is { } missing)
            return $"The schema lacks migration {missing.Component} {missing.Number}, '{missing.Name}'. Run the command `migrate`, or start the server, which does.";

        // Without these two indexes nothing would keep two writers apart or a repeat from charging twice, so their absence is never overlooked.
        await using var indexes = new NpgsqlCommand(
            """
            select string_agg(wanted.columns, ', ')
            from (values ('{stream_id,version}'), ('{stream_id,id}')) as wanted (columns)
            where not exists (
              select
              from pg_index i
              where i.indrelid = 'mt_events'::regclass
                and i.indisunique
                and i.indisvalid
                and i.indpred is null
                and i.indexprs is null
                and (
                  select array_agg(a.attname::text order by k.place)
                  from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
                  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                ) = wanted.columns::text[]
            )
            """,
            connection
        );
        return await indexes.ExecuteScalarAsync(ct) is string lacking
            ? $"mt_events lacks the unique index on {lacking}. Without it a repeated command could be charged twice: restore it before starting the server."
            : null;
    }

    private string? Newer(HashSet<(string Component, int Number)> applied) =>
        applied
            .Where(done => !known.Any(migration => (migration.Component, migration.Number) == done))
            .OrderBy(done => done)
            .Select(done =>
                $"The database has migration {done.Component} {done.Number}, which this server does not know: it was upgraded by a newer one. Upgrade this server."
            )
            .FirstOrDefault();

    private static async Task<HashSet<(string Component, int Number)>> AppliedAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        var applied = new HashSet<(string, int)>();
        await using var command = new NpgsqlCommand("select component, number from ledger_migrations", connection);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            applied.Add((reader.GetString(0), reader.GetInt32(1)));
        return applied;
    }
}
