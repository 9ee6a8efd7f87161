using Ledger.Api.Audit;
using Ledger.Api.Backup;
using Ledger.Api.Cli;
using Ledger.Api.Tests.Payments.Stripe;
using Ledger.Domain;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ledger.Api.Tests.Backup;

/// <summary><c>backup</c> and <c>restore</c>: all there is comes back, and nobody uses it before it was checked.</summary>
public sealed class BackupRestoreTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();

    private string Copy => Path.Combine(_folder.Path, "copy");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task All_that_was_there_comes_back_row_for_row_and_spends_go_on()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 1000);
        (await app.PostAsync("/admin/accounts", LedgerApp.AdminKey, new { email = "ada@example.com", country = "GB" })).ShouldBe(201);
        (await SpendAsync(app, account.Key, "before")).ShouldBe(200);
        (await app.Services.GetRequiredService<CheckpointPublisher>().PublishAsync(default)).ShouldBe(1);

        // Readers of the log go on by themselves; what they have come to is a row like any other.
        await Eventually.IsSoAsync(async () =>
            await app.QueryAsync(
                """
                select count(*) = 3 and bool_and(p.last_seq_id >= (select max(m.seq_id) from mt_events m))
                from mt_event_progression p
                """
            )
                is true
        );
        var before = await DumpAsync(app.Database);
        before.Keys.ShouldContain("people");
        before.Keys.ShouldContain("checkpoint_keys");
        var (code, output, error) = await RunAsync(app.Database, "backup", Copy);
        code.ShouldBe(0, error);
        output.ShouldStartWith($"Backed up to {Copy}: ");
        Directory.GetFiles(Copy).Select(Path.GetFileName).Order(StringComparer.Ordinal).ShouldBe(["ledger.dump", "manifest.json"]);
        if (!OperatingSystem.IsWindows())
            File.GetUnixFileMode(Path.Combine(Copy, "ledger.dump")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (await SpendAsync(app, account.Key, "after")).ShouldBe(200);
        (await app.Services.GetRequiredService<CheckpointPublisher>().PublishAsync(default)).ShouldBe(1);

        var elsewhere = await new PostgresFixture().CreateDatabaseAsync();
        var kept = Path.Combine(app.DataFolder, "checkpoints.jsonl");
        (code, output, error) = await RunAsync(elsewhere, "restore", Copy, "--checkpoints", kept);
        code.ShouldBe(0, output + error);
        output.ShouldContain("read_models  whole");
        output.ShouldContain("1 of the checkpoints speak of what came after the moment of the backup");
        output.ShouldContain("sandbox was asked for what it has told since ");
        output.ShouldEndWith("The ledger is open." + Environment.NewLine);
        foreach (var (table, rows) in await DumpAsync(elsewhere))
            rows.ShouldBe(before[table], table);

        await using var server = await LedgerApp.StartAsync(elsewhere, app.Clock);
        (await SpendAsync(server, account.Key, "before")).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
        (await SpendAsync(server, account.Key, "after")).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        (await server.AvailableAsync(account.Id)).ShouldBe(990);

        // One that has something is no place for it.
        (code, output, error) = await RunAsync(elsewhere, "restore", Copy);
        (code, output).ShouldBe((1, ""));
        error.ShouldContain("The database is not empty");
        (await RunAsync(elsewhere, "backup", Copy)).Error.ShouldContain("is not empty. A backup gets a folder of its own");
    }

    [Fact]
    public async Task Nobody_reads_or_writes_before_a_restored_ledger_was_checked()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 1000);
        await app.QueryAsync("insert into ledger_closures (what, detail) values ('restore', 'finish 2026-07-03T12:00:00Z')");
        await using (var closed = await LedgerApp.StartAsync(app.Database, app.Clock, mustBeReady: false))
        {
            (await closed.GetAsync("/health/ready"))
                .ShouldBe(503)
                .Text("reason")
                .ShouldBe("This ledger is closed: it was restored from a backup and has not been checked yet. Run `restore --finish`.");
            (await closed.GetAsync("/health/live")).ShouldBe(200);
            foreach (
                var refused in (Answer[])
                    [
                        await SpendAsync(closed, account.Key, "closed"),
                        await closed.GetAsync("/api/v1/credits", account.Key),
                        await closed.PostAsync("/admin/accounts", LedgerApp.AdminKey, new { email = "eve@example.com", country = "GB" }),
                        await closed.GetAsync("/v1/models"),
                        await closed.PostAsync("/v1/chat/completions", account.Key, new { model = "auto" }),
                    ]
            )
                refused.ShouldBe(503).ShouldHave("Retry-After", "30");
        }

        (await app.QueryAsync("select count(*) from people")).ShouldBe(0L);
        var (code, output, error) = await RunAsync(app.Database, "restore", "--finish");
        code.ShouldBe(0, output + error);
        await using var open = await LedgerApp.StartAsync(app.Database, app.Clock);
        (await SpendAsync(open, account.Key, "open")).ShouldBe(200);
    }

    [Fact]
    public async Task Read_models_that_differ_keep_it_closed_until_they_are_built_anew()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 1000);
        await app.QueryAsync("update pockets set remaining = remaining + 1");
        (await RunAsync(app.Database, "backup", Copy)).Code.ShouldBe(0);
        var elsewhere = await new PostgresFixture().CreateDatabaseAsync();
        var (code, output, error) = await RunAsync(elsewhere, "restore", Copy);
        code.ShouldBe(1);
        output.ShouldContain("read_models row_differs, pockets ");
        error.ShouldContain("Not all is whole: 1 findings. The ledger stays closed. Only read models differ: `restore --finish --rebuild`");
        (await RunAsync(elsewhere, "account", "show", account.Id.Value)).Error.ShouldContain("closed");

        (code, output, error) = await RunAsync(elsewhere, "restore", "--finish", "--rebuild");
        code.ShouldBe(0, output + error);
        (await RunAsync(elsewhere, "account", "show", account.Id.Value)).Output.ShouldContain("posted 1000, held 0, available 1000");
    }

    [Fact]
    public async Task What_was_paid_after_the_backup_is_asked_for_before_anybody_is_let_in()
    {
        await using var shop = new Own(await StripeShop.StartAsync(new Dictionary<string, string> { ["Billing:Stripe:Retries"] = "0" }));
        var (app, world) = (shop.Shop.App, shop.Shop.World);
        var account = (await app.OpenAccountAsync()).Id;
        var (order, session) = await shop.Shop.OrderCreditsAsync(account);
        (await RunAsync(app.Database, "backup", Copy)).Code.ShouldBe(0);
        var paid = world.Pay(session);
        await shop.Shop.TellAsync(paid.Completed);
        var (later, _) = await shop.Shop.BuyCreditsAsync(account);
        (await app.AvailableAsync(account)).ShouldBe(150_000);

        // Stripe is away: nobody is let in.
        var elsewhere = await new PostgresFixture().CreateDatabaseAsync();
        string[] stripe =
        [
            .. shop.Shop.Stripe.Settings.Select(setting => $"--{setting.Key}={setting.Value}"),
            "--Billing:Stripe:Retries=0",
        ];
        shop.Shop.Stripe.Trouble(StripeTrouble.Fault, path: "/v1/events");
        var (code, output, error) = await RunAsync(elsewhere, ["restore", Copy, .. stripe]);
        code.ShouldBe(1);
        error.ShouldContain("Stripe answered 500 to GET v1/events");
        (await RunAsync(elsewhere, "account", "show", account.Value)).Error.ShouldContain("closed");

        (code, output, error) = await RunAsync(elsewhere, ["restore", "--finish", .. stripe]);
        code.ShouldBe(0, output + error);
        output.ShouldContain("stripe was asked for what it has told since ");
        output.ShouldContain("1 done, 1 unmatched");
        output.ShouldContain($"order {later.Id.Value} of account {account.Value}");
        (await RunAsync(elsewhere, "account", "show", account.Value)).Output.ShouldContain("available 75000");

        // However often it is asked from that moment on, as where it was interrupted half-way, it was paid once.
        await using (var database = NpgsqlDataSource.Create(elsewhere))
            await database.ExecuteAsync("insert into ledger_closures (what, detail) values ('restore', 'finish 2026-07-03T12:00:00Z')");
        (code, output, error) = await RunAsync(elsewhere, ["restore", "--finish", .. stripe]);
        code.ShouldBe(0, output + error);
        output.ShouldContain("1 repeated, 1 unmatched");
        (await RunAsync(elsewhere, "account", "show", account.Value)).Output.ShouldContain("available 75000");
        order.Id.ShouldNotBe(later.Id);
    }

    [Theory]
    [InlineData("dump", "ledger.dump is damaged")]
    [InlineData("short", "ledger.dump is damaged")]
    [InlineData("manifest", "its digest is not that of what it says")]
    [InlineData("json", "line 3: it is not the manifest of a backup")]
    [InlineData("gone", "There is no backup in")]
    [InlineData("newer", "The backup has migration log 99, which this program does not know")]
    [InlineData("other", "pg_restore failed: ")]
    public async Task A_damaged_backup_is_not_restored(string damage, string told)
    {
        await using var app = await LedgerApp.StartAsync();
        await app.OpenAccountAsync(credits: 1);
        (await RunAsync(app.Database, "backup", Copy)).Code.ShouldBe(0);
        var (dump, manifest) = (Path.Combine(Copy, "ledger.dump"), Path.Combine(Copy, "manifest.json"));
        var read = await BackupManifest.ReadAsync(Copy, default);
        var (bytes, text) = (await File.ReadAllBytesAsync(dump), await File.ReadAllTextAsync(manifest));
        switch (damage)
        {
            case "dump":
                bytes[bytes.Length / 2] ^= 1;
                await File.WriteAllBytesAsync(dump, bytes);
                break;
            case "short":
                await File.WriteAllBytesAsync(dump, bytes[..^1]);
                break;
            case "manifest":
                await File.WriteAllTextAsync(manifest, text.Replace("\"events\": ", "\"events\": 1", StringComparison.Ordinal));
                break;
            case "json":
                await File.WriteAllTextAsync(manifest, text.Replace("\"made_at\": ", "\"made_at\" ", StringComparison.Ordinal));
                break;
            case "gone":
                File.Delete(manifest);
                break;
            case "newer":
                await (
                    read with
                    {
                        Log = read.Log with { Schema = new Dictionary<string, int>(read.Log.Schema) { ["log"] = 99 } },
                    }
                ).WriteAsync(Copy, default);
                break;
            default:
                // Somebody has made hash and manifest anew, over something that is no dump.
                await File.WriteAllTextAsync(dump, "no dump");
                await (
                    read with
                    {
                        Bytes = 7,
                        Sha256 = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("no dump"u8)),
                    }
                ).WriteAsync(Copy, default);
                break;
        }

        var elsewhere = await new PostgresFixture().CreateDatabaseAsync();
        var (code, output, error) = await RunAsync(elsewhere, "restore", Copy);
        (code, output).ShouldBe((1, ""));
        error.ShouldContain(told);
        await using var database = NpgsqlDataSource.Create(elsewhere);
        (await database.QueryAsync<bool>("select to_regclass('mt_events') is null")).ShouldBeTrue();
        (await RunAsync(elsewhere, "restore")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task The_embedded_database_is_backed_up_and_restored_into_a_new_data_folder()
    {
        await using (var server = await LedgerProcess.StartAsync(_folder.Data))
        {
            var (made, _, fault) = await RunAsync(null, "backup", Copy, "--Ledger:Data", _folder.Data);
            made.ShouldBe(0, fault);
        }

        var anew = Path.Combine(_folder.Path, "anew");
        var (code, output, error) = await RunAsync(null, "restore", Copy, "--Ledger:Data", anew);
        code.ShouldBe(0, output + error);
        await using var restored = await LedgerProcess.StartAsync(anew);
        (await restored.GetAsync("/health/ready")).ShouldBe(200);
        (await RunAsync(null, "account", "find", "demo@", "--Ledger:Data", anew)).Output.ShouldContain("demo@example.com");
    }

    private static async Task<SortedDictionary<string, string>> DumpAsync(string connectionString)
    {
        await using var database = NpgsqlDataSource.Create(connectionString);
        var dump = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (
            var table in await database.LinesAsync(
                "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1"
            )
        )
            dump[table] = string.Join(
                '\n',
                await database.LinesAsync($"select to_jsonb(t)::text from {table} t order by to_jsonb(t)::text collate \"C\"")
            );
        return dump;
    }

    private static Task<Answer> SpendAsync(LedgerApp app, string key, string reference) =>
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

    private static async Task<(int Code, string Output, string Error)> RunAsync(string? database, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        string[] settings = database is null ? [] : ["--ConnectionStrings:Ledger=" + database];
        var code = await CommandLine.RunAsync([.. arguments, .. settings], new(output, error, IsTerminal: false), CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }

    private sealed class Own(StripeShop shop) : IAsyncDisposable
    {
        public StripeShop Shop => shop;

        public ValueTask DisposeAsync() => shop.DisposeAsync();
    }
}
