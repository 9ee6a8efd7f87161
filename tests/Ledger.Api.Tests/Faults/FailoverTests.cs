using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.EventStore;
using Ledger.Projections.Rebuild;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Faults;

/// <summary>A real primary with a real standby: the one is killed, the other promoted.</summary>
public sealed class FailoverTests : IAsyncLifetime
{
    private const long Rich = 1_000_000;
    private readonly TestFolder _folder = TestFolder.Create();
    private PostgresNode _primary = null!;
    private PostgresNode _standby = null!;

    public async ValueTask InitializeAsync()
    {
        _primary = await PostgresNode.CreateAsync(_folder.Path, "one");
        _standby = await _primary.AddStandbyAsync(_folder.Path, "two");
    }

    public async ValueTask DisposeAsync()
    {
        await _standby.DisposeAsync();
        await _primary.DisposeAsync();
        await _folder.DisposeAsync();
    }

    private string Either => PostgresNode.ConnectionTo(_primary, _standby) + ";Target Session Attributes=read-write";

    [Fact]
    public async Task After_a_fail_over_to_a_synchronous_standby_every_acknowledged_spend_is_there_and_none_twice()
    {
        await MakeSynchronousAsync();
        await using var server = await LedgerProcess.StartAsync(Path.Combine(_folder.Path, "server"), Either);
        var account = await MakeAccountAsync(Either);
        var load = Load.StartInsisting(server, account.Key);
        await load.AcknowledgesAsync(300);

        await _primary.CrashAsync();
        await _standby.PromoteAsync();
        await load.AcknowledgesAsync(300);
        await load.StopAsync();
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
        await load.ReconcileAsync(server, account.Key, _standby.ConnectionString, account.Id.Value, before: Rich);
        await StandbyIsWholeAsync();
    }

    [Fact]
    public async Task While_the_synchronous_standby_is_away_nothing_is_acknowledged_not_even_from_the_log()
    {
        await MakeSynchronousAsync();
        await using var app = await LedgerApp.StartAsync(Either);
        var account = await app.OpenAccountAsync(credits: 100);
        (await SpendAsync(app, account.Key, "before")).ShouldBe(200);

        // The commit stands on the primary's disk and can be read there; it waits for a standby that may never get it.
        await _standby.StopAsync();
        (await SpendAsync(app, account.Key, "r")).ShouldBeRefused(503, "unavailable").ShouldHave("Retry-After", "1");
        await using var database = _primary.Connect();
        (await database.QueryAsync<long>("select count(*) from mt_events where data ->> 'reference' = 'r'")).ShouldBe(1);
        (await SpendAsync(app, account.Key, "r")).ShouldBeRefused(503, "unavailable");
        (await SpendAsync(app, account.Key, "before")).ShouldBeRefused(503, "unavailable");
        // The writer waits for the standby before it takes anything again, and says so.
        await Eventually.IsSoAsync(() =>
            database.QueryAsync<bool>(
                "select exists (select from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'ledger-replication')"
            )
        );
        (await app.NotReadyAsync("The writer has lost its connection and is reconnecting."))
            .ShouldBe(503, """{"status":"not_ready","reason":"The writer has lost its connection and is reconnecting."}""")
            .ShouldHave("Retry-After", "1");
        await using (var another = await LedgerApp.StartAsync(Either, app.Clock, mustBeReady: false))
        {
            (await another.NotReadyAsync("The database does not confirm commits: its synchronous standby is away.")).ShouldBe(503);
            (await SpendAsync(another, account.Key, "r")).Status.ShouldBe(503);
        }

        // However long it lasts, attempts do not pile up in the primary.
        await Eventually.IsSoAsync(() =>
            database.QueryAsync<bool>(
                "select count(*) <= 1 from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'ledger-replication'"
            )
        );

        await _standby.StartAsync();
        await Eventually.IsSoAsync(async () => (await app.GetAsync("/health/ready")).Status == 200);
        (await SpendAsync(app, account.Key, "r"))
            .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":90}""")
            .ShouldHave("Idempotent-Replayed", "true");
        await _primary.CrashAsync();
        await _standby.PromoteAsync();
        await Eventually.IsSoAsync(async () => (await SpendAsync(app, account.Key, "after")).Status == 200);
        (await SpendAsync(app, account.Key, "r")).ShouldHave("Idempotent-Replayed", "true");
        await StandbyIsWholeAsync();
    }

    [Theory]
    [InlineData("spend")]
    [InlineData("check")]
    [InlineData("publish")]
    public async Task After_a_fail_over_that_lost_the_newest_commits_nothing_in_memory_is_believed(string first)
    {
        await using var app = await LedgerApp.StartAsync(Either);
        var account = await app.OpenAccountAsync(credits: 1000);
        (await SpendAsync(app, account.Key, "kept")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":995}""");
        await ReplayedAsync();
        await _standby.StopAsync();

        // All of this is acknowledged and will be lost, as an asynchronous standby may lose it.
        await app.PublishPriceAsync("chat", "7");
        (await SpendAsync(app, account.Key, "lost")).ShouldBe(200, """{"ok":true,"charged":7,"balance_after":988}""");
        var (lostId, lostKey) = await app.CreateKeyAsync(account.Id);
        (await SpendAsync(app, lostKey, "lost too")).ShouldBe(200, """{"ok":true,"charged":7,"balance_after":981}""");
        var lostAccount = await app.OpenAccountAsync(credits: 100);
        (await SpendAsync(app, lostAccount.Key, "r")).ShouldBe(200);
        (await CheckAsync(app, account.Key)).ShouldBe(200).Text("balance_after").ShouldBe("974");
        await _primary.CrashAsync();
        await _standby.StartAsync();
        await _standby.PromoteAsync();

        // Somebody else writes what this node does not know of, up to the very versions that it has in memory.
        await using (var other = await LedgerApp.StartAsync(_standby.ConnectionString, app.Clock))
        {
            await other.PublishPriceAsync("chat", "9");
            await ReissueAsync(other, account.Id, lostId);
            for (var n = 0; n < 2; n++)
                (await SpendAsync(other, account.Key, $"other{n}")).ShouldBe(200);
        }

        // Who comes first may be answered 503 where a broken connection is all that it finds, and never from memory.
        var balance = 995 - (2 * 9);
        switch (first)
        {
            case "check":
                var check = await CheckAsync(app, account.Key);
                if (check.Status != 503)
                    check.ShouldBe(200, $$"""{"ok":true,"allowed":true,"cost_tokens":9,"balance_after":{{balance - 9}}}""");
                break;
            case "publish":
                await PublishAsync(app);
                break;
        }

        Answer spent = null!;
        await Eventually.IsSoAsync(async () => (spent = await SpendAsync(app, account.Key, "lost")).Status != 503);
        var price = first == "publish" ? 11 : 9;
        spent
            .ShouldBe(200, $$"""{"ok":true,"charged":{{price}},"balance_after":{{balance -= price}}}""")
            .ShouldHave("Idempotent-Replayed", null);
        await Eventually.IsSoAsync(async () => (await app.GetAsync("/health/ready")).Status == 200);
        await Eventually.IsSoAsync(async () => (await CheckAsync(app, lostKey)).Status != 503);
        foreach (var lost in (string[])[lostKey, lostAccount.Key])
        {
            (await SpendAsync(app, lost, "r")).ShouldBeRefused(401, "auth_required");
            (await CheckAsync(app, lost)).ShouldBeRefused(401, "auth_required");
        }

        (await SpendAsync(app, account.Key, "kept"))
            .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":995}""")
            .ShouldHave("Idempotent-Replayed", "true");
        (await app.GetAsync("/api/v1/tools/prices", account.Key)).ShouldBe(200);
        await PublishAsync(app);
        (await SpendAsync(app, account.Key, "new")).ShouldBe(200, $$"""{"ok":true,"charged":11,"balance_after":{{balance - 11}}}""");
        await StandbyIsWholeAsync();
    }

    [Fact]
    public async Task A_server_that_finds_only_a_standby_does_not_become_ready_until_that_is_promoted()
    {
        await (await LedgerApp.StartAsync(_primary.ConnectionString)).DisposeAsync();
        await ReplayedAsync();
        await using var app = await LedgerApp.StartAsync(_standby.ConnectionString, mustBeReady: false);
        (await app.GetAsync("/health/ready")).ShouldBe(503, """{"status":"not_ready","reason":"The database is read-only."}""");

        await _primary.CrashAsync();
        await _standby.PromoteAsync();
        await Eventually.IsSoAsync(async () => (await app.GetAsync("/health/ready")).Status == 200);
        (await SpendAsync(app, (await app.OpenAccountAsync(credits: 100)).Key, "r")).ShouldBe(200);
    }

    // The lost request is repeated: the same key comes into being once more, under another secret.
    private static Task<Verdict> ReissueAsync(LedgerApp app, AccountId account, KeyId key)
    {
        var secret = Api.Keys.KeySecret.Create("lk");
        return app.ExecuteAsync(
            new CreateKey(
                account,
                key,
                "Again",
                KeyKind.Inference,
                KeyBilling.PayPerToken,
                null,
                secret.Hash.ToString(),
                secret.Prefix,
                secret.LastFour,
                null,
                null,
                LimitReset.None,
                [],
                null,
                null
            )
        );
    }

    private async Task MakeSynchronousAsync()
    {
        await _primary.SetAsync("synchronous_standby_names", _standby.Name);
        await using var database = _primary.Connect();
        await Eventually.IsSoAsync(() =>
            database.QueryAsync<bool>("select count(*) = 1 from pg_stat_replication where sync_state = 'sync'")
        );
    }

    private async Task ReplayedAsync()
    {
        await using var primary = _primary.Connect();
        await using var standby = _standby.Connect();
        var written = await primary.QueryAsync<string>("select pg_current_wal_lsn()::text");
        await Eventually.IsSoAsync(() => standby.QueryAsync<bool>($"select pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"));
    }

    private static async Task PublishAsync(LedgerApp app)
    {
        var isPublished = false;
        await Eventually.IsSoAsync(async () =>
        {
            try
            {
                await app.PublishPriceAsync("chat", "11");
                isPublished = true;
            }
            catch (Exception fault) when (fault is NpgsqlException or LedgerUnavailableException)
            {
                // A connection of the pool that was broken with the old primary.
            }

            return isPublished;
        });
    }

    private async Task StandbyIsWholeAsync()
    {
        await using var database = _standby.Connect();
        await foreach (var (stream, verdict) in new ChainVerifier(database).VerifyAllAsync(CancellationToken.None))
            verdict.Break.ShouldBeNull(stream);
        (await new Rebuilder(database, TimeProvider.System).CompareAsync("all", null, CancellationToken.None)).ShouldBeEmpty();
    }

    private static async Task<TestAccount> MakeAccountAsync(string database)
    {
        await using var maker = await LedgerApp.StartAsync(database, new FixedClock { Now = TimeProvider.System.GetUtcNow() });
        return await maker.OpenAccountAsync(credits: Rich);
    }

    private static Task<Answer> CheckAsync(LedgerClient server, string key) =>
        server.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 });

    private static Task<Answer> SpendAsync(LedgerClient server, string key, string reference) =>
        server.PostAsync(
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
