using System.Globalization;
using Ledger.EventStore;
using Ledger.Projections.Rebuild;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Operating;

/// <summary>The commands of docs/operating/backup.md, done for real: a base backup, an archive of the log's files, a restore to a moment.</summary>
public sealed class BackupTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Theory]
    [InlineData("recovery_target_name")]
    [InlineData("recovery_target_time")]
    public async Task A_base_backup_and_the_archive_restore_any_moment_and_spends_go_on_from_there(string target)
    {
        await using var primary = await PostgresNode.CreateAsync(_folder.Path, "primary");
        var archive = await primary.MakeWritableAsync(Path.Combine(_folder.Path, "archive"));
        await primary.StopAsync();
        await primary.StartAsync(
            new Dictionary<string, string>
            {
                ["archive_mode"] = "on",
                ["archive_command"] = $"test ! -f {archive}/%f && cp %p {archive}/%f.part && mv {archive}/%f.part {archive}/%f",
            }
        );
        TestAccount account;
        var app = await LedgerApp.StartAsync(primary.ConnectionString);
        await using (app)
        {
            account = await app.OpenAccountAsync(credits: 1000);
            await SpendAsync(app, account.Key, "in the backup");
            await using var restored = await primary.CopyAsync(_folder.Path, "restored", "-X", "none");
            await restored.RunAsync("pg_verifybackup", "--no-parse-wal", restored.Folder);
            await SpendAsync(app, account.Key, "in the archive");
            await using var database = primary.Connect();
            await database.ExecuteAsync("select pg_create_restore_point('before the mistake')");
            var moment = target.EndsWith("name", StringComparison.Ordinal)
                ? "before the mistake"
                : await database.QueryAsync<string>("select clock_timestamp()::text");
            await SpendAsync(app, account.Key, "a mistake");
            await app.PublishPriceAsync("chat", "999");
            var last = await database.QueryAsync<string>("select pg_walfile_name(pg_switch_wal())");
            await Eventually.IsSoAsync(() => File.Exists(Path.Combine(archive, last)));
            await primary.StopAsync();

            await restored.TouchAsync("recovery.signal");
            await restored.StartAsync(
                new Dictionary<string, string>
                {
                    ["restore_command"] = $"cp {archive}/%f %p",
                    [target] = moment,
                    ["recovery_target_action"] = "promote",
                    ["archive_mode"] = "off",
                }
            );
            await using var after = restored.Connect();
            await Eventually.IsSoAsync(() => after.QueryAsync<bool>("select not pg_is_in_recovery()"));

            // What is to be checked after a restore, before anybody is let in: nothing is newer than the moment, the chain is whole, the sequence is
            // not behind, and the read models are what the log says.
            (await after.LinesAsync("select data ->> 'reference' from mt_events where type = 'credits_spent' order by seq_id")).ShouldBe([
                "in the backup",
                "in the archive",
            ]);
            await IsWholeAsync(after);
            await using var server = await LedgerApp.StartAsync(restored.ConnectionString, app.Clock);
            (await SendAsync(server, account.Key, "in the archive"))
                .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":990}""")
                .ShouldHave("Idempotent-Replayed", "true");
            (await SendAsync(server, account.Key, "a mistake"))
                .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":985}""")
                .ShouldHave("Idempotent-Replayed", null);
            await IsWholeAsync(after);
        }
    }

    [Fact]
    public async Task A_dump_restored_into_another_cluster_is_a_whole_ledger()
    {
        await using var one = await PostgresNode.CreateAsync(_folder.Path, "one");
        await using var two = await PostgresNode.CreateAsync(_folder.Path, "two");
        var app = await LedgerApp.StartAsync(one.ConnectionString);
        TestAccount account;
        await using (app)
        {
            account = await app.OpenAccountAsync(credits: 1000);
            for (var n = 0; n < 10; n++)
                await SpendAsync(app, account.Key, $"r{n}");
        }

        var file = Path.Combine(await one.MakeWritableAsync(Path.Combine(_folder.Path, "dumps")), "ledger.dump");
        await one.RunAsync("pg_dump", "-Fc", "-d", Uri(one), "-f", file);
        await two.RunAsync("pg_restore", "--exit-on-error", "--no-owner", "-d", Uri(two), file);
        await using var after = two.Connect();
        await IsWholeAsync(after);
        await using var server = await LedgerApp.StartAsync(two.ConnectionString, app.Clock);
        (await SendAsync(server, account.Key, "r9")).ShouldHave("Idempotent-Replayed", "true");
        (await SendAsync(server, account.Key, "new")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":945}""");
        await IsWholeAsync(after);
    }

    private static async Task IsWholeAsync(NpgsqlDataSource database)
    {
        await foreach (var (stream, verdict) in new ChainVerifier(database).VerifyAllAsync(CancellationToken.None))
            verdict.Break.ShouldBeNull(stream);
        (
            await database.QueryAsync<bool>("select (select last_value from mt_events_sequence) >= (select max(seq_id) from mt_events)")
        ).ShouldBeTrue();
        (
            await database.QueryAsync<long>(
                "select count(*) from mt_streams s where s.version <> (select max(m.version) from mt_events m where m.stream_id = s.id)"
            )
        ).ShouldBe(0);
        (await new Rebuilder(database, TimeProvider.System).CompareAsync("all", null, CancellationToken.None)).ShouldBeEmpty();
    }

    private static string Uri(PostgresNode node) =>
        string.Create(CultureInfo.InvariantCulture, $"postgresql://ledger@127.0.0.1:{node.Port}/ledger");

    private static async Task SpendAsync(LedgerApp app, string key, string reference) =>
        (await SendAsync(app, key, reference)).ShouldBe(200);

    private static Task<Answer> SendAsync(LedgerApp app, string key, string reference) =>
        app.PostAsync(
            "/api/v1/tools/spend",
            key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );
}
