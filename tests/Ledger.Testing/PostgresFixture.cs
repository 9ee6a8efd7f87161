using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Ledger.Api.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Ledger.Testing;

/// <summary>
/// Databases for tests, in one embedded cluster per test process. Use it as an xunit assembly, collection or class fixture, or
/// as plain object: all of them share the cluster, which starts with the first database and is deleted with the process.
/// </summary>
public sealed class PostgresFixture
{
    /// <summary>Settings of test clusters: small, and room for many databases; as durable as in production.</summary>
    public static readonly IReadOnlyDictionary<string, string> Small = new Dictionary<string, string>
    {
        ["shared_buffers"] = "128MB",
        ["max_connections"] = "500",

        // For the reader of the log, which must wait for such transactions too, though the ledger makes none.
        ["max_prepared_transactions"] = "10",
    };

    private static readonly Lazy<Task<EmbeddedPostgres>> Cluster = new(StartAsync);
    private static readonly ConcurrentDictionary<string, Lazy<Task<string>>> Templates = new();

    /// <summary>Connects to a new, empty database.</summary>
    public Task<string> CreateDatabaseAsync() => CreateAsync("template1");

    /// <summary>Connects to a new database with what <paramref name="prepare"/> put into the first one of that name: fast for a schema used by many tests.</summary>
    /// <param name="template">Names the contents.</param>
    /// <param name="prepare">Fills the database that its connection string names; called once per process, and must leave no connection open but pooled ones.</param>
    public async Task<string> CreateDatabaseAsync(string template, Func<string, Task> prepare)
    {
        var prepared = Templates.GetOrAdd(
            template,
            _ => new Lazy<Task<string>>(async () =>
            {
                var connectionString = await CreateAsync("template1");
                await prepare(connectionString);
                await using var pool = new NpgsqlConnection(connectionString);
                NpgsqlConnection.ClearPool(pool);
                // PostgreSQL copies no database that somebody is connected to, pools of other data sources included.
                await ExecuteAsync($"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{pool.Database}'");
                return pool.Database;
            })
        );
        return await CreateAsync(await prepared.Value);
    }

    /// <summary>The same database for whoever waits no longer for it than in production.</summary>
    public static string Impatient(string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        settings.Remove("Command Timeout");
        return settings.ConnectionString;
    }

    private static async Task<string> CreateAsync(string template)
    {
        var name = $"test_{RandomNumberGenerator.GetHexString(16, lowercase: true)}";
        await ExecuteAsync($"create database {name} template {template}");
        // Tests leave their pools behind; idle connections must not add up to the cluster's limit.
        return new NpgsqlConnectionStringBuilder((await Cluster.Value).ConnectionString)
        {
            Database = name,
            ConnectionIdleLifetime = 5,
            ConnectionPruningInterval = 1,

            // A machine on which everything runs at once may stand still for longer than a server in production should wait.
            CommandTimeout = 60,
        }.ConnectionString;
    }

    private static async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection((await Cluster.Value).ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<EmbeddedPostgres> StartAsync()
    {
        await TestFolder.DeleteAbandonedAsync();
        var folder = TestFolder.Create();
        var postgres = await EmbeddedPostgres.StartAsync(
            new EmbeddedPostgresOptions(folder.Data) { Settings = Small },
            NullLogger.Instance,
            TimeProvider.System,
            CancellationToken.None
        );
        // Not a fixture's disposal: any test may still come after it, and the process ends in any case.
        AppDomain.CurrentDomain.ProcessExit += (_, _) => DeleteAsync(postgres, folder).GetAwaiter().GetResult();
        return postgres;
    }

    private static async Task DeleteAsync(EmbeddedPostgres postgres, TestFolder folder)
    {
        // The runner gives a process ten seconds to end: too few, on a busy machine, for the last checkpoint, and for a hundred thousand files
        // of some hundred databases. So the one is left out, and the others go on their own, without the runner's pipes.
        await postgres.DiscardAsync();
        if (OperatingSystem.IsWindows())
            await folder.DisposeAsync();
        else
            using (var remove = Process.Start("sh", ["-c", "rm -rf -- \"$0\" > /dev/null 2>&1 < /dev/null &", folder.Path]))
                await remove.WaitForExitAsync();
    }
}
