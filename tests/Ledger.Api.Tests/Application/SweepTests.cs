using Ledger.Api.Application;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ledger.Api.Tests.Application;

/// <summary>One pass of the sweep: what has lapsed is journalled, once, in the accounts where something has.</summary>
public sealed class SweepTests
{
    private static Task<int> PassAsync(LedgerApp app) => app.Services.GetRequiredService<Sweep>().PassAsync(CancellationToken.None);

    private static async Task<IEnumerable<string>> TypesAsync(LedgerApp app, TestAccount account) =>
        (await app.EventsAsync(account.Id)).Select(stored => stored.Type);

    [Fact]
    public async Task What_has_lapsed_in_an_idle_account_is_journalled_once_and_dated_when_it_was_due()
    {
        await using var app = await LedgerApp.StartAsync();
        var (holding, lapsing, idle) = (
            await app.OpenAccountAsync(credits: 100),
            await app.OpenAccountAsync(),
            await app.OpenAccountAsync(credits: 100)
        );
        (
            await app.PostAsync(
                "/api/v1/tools/reserve",
                holding.Key,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "h",
                    ttl_seconds = 60,
                }
            )
        ).ShouldBe(200);
        await app.GrantAsync(lapsing.Id, Amount.Credits(50), PocketSource.Bonus, expiresAt: app.Clock.Now.AddSeconds(60));
        (await PassAsync(app)).ShouldBe(0);

        app.Clock.Advance(TimeSpan.FromSeconds(59));
        (await PassAsync(app)).ShouldBe(0);
        app.Clock.Advance(TimeSpan.FromMinutes(10));
        (await PassAsync(app)).ShouldBe(2);
        (await TypesAsync(app, holding)).Last().ShouldBe("hold_expired");
        (await TypesAsync(app, lapsing)).Last().ShouldBe("pocket_expired");
        (await app.EventsAsync(lapsing.Id))[^1].Data.ShouldContain("2026-07-03T12:01:00");
        (await app.EventsAsync(idle.Id)).Count.ShouldBe(3);
        (await app.AvailableAsync(holding.Id)).ShouldBe(100);

        (await PassAsync(app)).ShouldBe(0);
        (await app.QueryAsync("select count(*) from holds")).ShouldBe(0L);
        (await app.QueryAsync("select sum(remaining)::bigint from pockets where expires_at is not null")).ShouldBe(0L);
    }

    [Fact]
    public async Task What_is_held_in_a_lapsed_pocket_waits_for_its_hold()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync();
        await app.GrantAsync(account.Id, Amount.Credits(10), PocketSource.Bonus, expiresAt: app.Clock.Now.AddSeconds(60));
        (
            await app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "h",
                    ttl_seconds = 3600,
                }
            )
        ).ShouldBe(200);

        app.Clock.Advance(TimeSpan.FromMinutes(10));
        (await PassAsync(app)).ShouldBe(0);
        app.Clock.Advance(TimeSpan.FromHours(1));
        (await PassAsync(app)).ShouldBe(1);
        (await TypesAsync(app, account)).TakeLast(2).ShouldBe(["hold_expired", "pocket_expired"]);
    }

    [Fact]
    public async Task A_pass_goes_through_many_more_accounts_than_one_batch_also_where_all_lapse_at_once()
    {
        await using var app = await LedgerApp.StartAsync();
        var at = app.Clock.Now.AddHours(1);
        var accounts = await Task.WhenAll(Enumerable.Range(0, 450).Select(_ => app.OpenAccountAsync()));
        await Task.WhenAll(
            accounts.SelectMany(account =>
                (Task[])
                    [
                        app.GrantAsync(account.Id, Amount.Credits(5), PocketSource.Bonus, expiresAt: at),
                        app.GrantAsync(account.Id, Amount.Credits(6), PocketSource.Bonus, expiresAt: at),
                    ]
            )
        );
        app.Clock.Now = at;
        (await PassAsync(app)).ShouldBeGreaterThanOrEqualTo(450);
        (await app.QueryAsync("select sum(remaining)::bigint from pockets")).ShouldBe(0L);
        (await app.QueryAsync("select count(*) from mt_events where type = 'pocket_expired'")).ShouldBe(900L);
        (await PassAsync(app)).ShouldBe(0);

        // What lapses later is found, though the next pass does not begin at the start.
        var late = await app.OpenAccountAsync();
        await app.GrantAsync(late.Id, Amount.Credits(5), PocketSource.Bonus, expiresAt: at.AddHours(1));
        app.Clock.Now = at.AddHours(2);
        (await PassAsync(app)).ShouldBe(1);
    }

    [Fact]
    public async Task Only_one_node_sweeps_at_a_time()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync();
        await app.GrantAsync(account.Id, Amount.Credits(5), PocketSource.Bonus, expiresAt: app.Clock.Now.AddHours(1));
        app.Clock.Advance(TimeSpan.FromHours(2));

        await using var elsewhere = NpgsqlDataSource.Create(app.Database);
        await using (var turn = await SessionLock.TryTakeAsync(elsewhere, SessionLock.Sweep, CancellationToken.None))
        {
            turn.ShouldNotBeNull();
            (await PassAsync(app)).ShouldBe(0);
        }

        (await PassAsync(app)).ShouldBe(1);
    }

    [Fact]
    public async Task It_sweeps_by_itself_and_stops_with_the_server()
    {
        await using var app = await LedgerApp.StartAsync(
            settings: new Dictionary<string, string> { ["Ledger:SweepInterval"] = "00:00:00.05" }
        );
        var account = await app.OpenAccountAsync();
        await app.GrantAsync(account.Id, Amount.Credits(5), PocketSource.Bonus, expiresAt: app.Clock.Now.AddHours(1));
        app.Clock.Advance(TimeSpan.FromHours(2));
        await Eventually.IsSoAsync(async () => (await TypesAsync(app, account)).Last() == "pocket_expired");
    }
}
