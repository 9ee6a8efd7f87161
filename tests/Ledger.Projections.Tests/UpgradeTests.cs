using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Tests;

/// <summary>What a migration makes of what was there before is what a rebuild would make of it.</summary>
public class UpgradeTests
{
    [Fact]
    public async Task Sign_ins_and_trail_of_accounts_that_were_there_before_are_as_the_log_says()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using (var history = await ledger.OpenHistoryAsync(1, 3))
        {
            foreach (var id in history.States.Keys.ToList())
            {
                await history.SendAsync(
                    new OpenAccount(id, "DE"),
                    Samples.Key(id, "key"),
                    new GrantCredits(id, Amount.Credits(10), PocketSource.Bonus, null, null, "operator", "1", null),
                    new SuspendAccount(id, EventIds.Request(id, "1"), "why"),
                    new ReinstateAccount(id, EventIds.Request(id, "2"), "because"),
                    new Spend(id, new("key"), "chat", Quantity.Of(1), "s")
                );
                history.Now += TimeSpan.FromMinutes(1);
                await history.SendAsync(new SuspendAccount(id, EventIds.Request(id, "3"), "again"), new RevokeKey(id, new("key"), null));
            }
        }

        // As it was before there were such tables, and then the step that fills them.
        await ledger.ExecuteAsync("truncate sign_ins, trail");
        await ledger.ExecuteAsync(ReadModelMigrations.All.Single(step => step.Component == "access-history").Sql);
        (await ledger.LinesAsync("select count(*)::text from trail union all select count(*)::text from sign_ins")).ShouldBe(["18", "3"]);
        (await new Rebuilder(ledger.Database, TimeProvider.System).CompareAsync("keys", null, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Accounts_that_were_there_before_anything_was_sold_go_on_as_the_log_says()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var id = new AccountId("a000");
        await using (var history = await ledger.OpenHistoryAsync(1, 1))
            await history.SendAsync(
                new OpenAccount(id, "DE"),
                Samples.Key(id, "key"),
                new GrantCredits(id, Amount.Credits(10), PocketSource.Bonus, null, null, "operator", "1", null),
                new Spend(id, new("key"), "chat", Quantity.Of(1), "s")
            );

        // As it was before there were such tables, and then the step that makes them.
        await ledger.ExecuteAsync(
            """
            drop table billing, orders;
            drop view model_prices, pack_prices, tier_prices;
            drop table rate_cards;
            alter table accounts drop column credits_clawed_back, drop column usd_clawed_back;
            drop view balances;
            create view balances as
            select
              a.account_id,
              u.unit,
              0::bigint as posted,
              0::bigint as held,
              0::bigint as available,
              0::bigint as available_unscoped,
              a.credits_debt as debt
            from accounts a
            cross join (values ('credits'), ('usd')) as u (unit)
            """
        );
        await ledger.ExecuteAsync(ReadModelMigrations.All.Single(step => step is { Component: "read-models", Number: 3 }).Sql);
        await ledger.ExecuteAsync(ReadModelMigrations.All.Single(step => step.Component == "rate-card-history").Sql);
        var rebuilder = new Rebuilder(ledger.Database, TimeProvider.System);
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();
        (await ledger.LinesAsync("select unit || ' ' || available from balances order by unit")).ShouldBe(["credits 9000000", "usd 0"]);

        await using var after = await ledger.OpenHistoryAsync(2, 1);
        await after.LoadAsync(ledger);
        await after.SendAsync(
            new OpenOrder(id, new("one"), OrderKind.Pack, "pack", null, "stripe", null),
            new ConfirmPayment(id, new("one"), new("stripe", "cs_1", "pi_1", Amount.Usd(9), "USD", null, null, LedgerDatabase.Start)),
            new RefundOrder(id, new("one"), "stripe", "pi_1", Amount.Usd(9), "USD"),
            new SetSubscription(id, EventIds.Request(id, "1"), "small")
        );
        History.Describe(await ledger.LoadAsync(id)).ShouldBe(History.Describe(after.States[id]));
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Holds_and_subscriptions_that_were_there_before_any_call_go_on_as_the_log_says()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var id = new AccountId("a000");
        await using (var history = await ledger.OpenHistoryAsync(1, 1))
            await history.SendAsync(
                new OpenAccount(id, "DE"),
                Samples.Key(id, "key"),
                Samples.Key(id, "quota") with
                {
                    Billing = KeyBilling.Subscription,
                },
                new GrantCredits(id, Amount.Credits(10), PocketSource.Bonus, null, null, "operator", "1", null),
                new GrantCredits(id, Amount.Usd(10), PocketSource.Prepaid, null, null, "operator", "2", null),
                new SetSubscription(id, EventIds.Request(id, "1"), "small"),
                new PlaceHold(id, new("key"), "chat", Quantity.Of(2), "h1", TimeSpan.FromMinutes(5)),
                new PlaceHold(id, new("key"), "chat", Quantity.Of(3), "h2", TimeSpan.FromMinutes(5))
            );

        // As it was before holds could be for calls, and then the step that lets them.
        await ledger.ExecuteAsync("alter table holds drop column call");
        (await ledger.QueryAsync<long>("select count(*) from billing where state -> 'subscription' ? 'quota'")).ShouldBe(0);
        await ledger.ExecuteAsync(ReadModelMigrations.All.Single(step => step is { Component: "read-models", Number: 4 }).Sql);
        var rebuilder = new Rebuilder(ledger.Database, TimeProvider.System);
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();

        await using var after = await ledger.OpenHistoryAsync(2, 1);
        await after.LoadAsync(ledger);
        await after.SendAsync(
            new ExtendHold(id, new(EventIds.Use(id, "chat", "h1")), LedgerDatabase.Start.AddHours(1)),
            new SettleHold(id, new("key"), new(EventIds.Use(id, "chat", "h2")), Quantity.Of(1)),
            Call("key", "c1"),
            Call("quota", "c2"),
            Call("quota", "c3"),
            new SettleCall(
                id,
                new(EventIds.Call(id, "chat/completions", "c3")),
                new("openai", "gpt", new(24, 0, 0, 0, 86), false, CallOutcome.Completed, 1_200, 300, "{}")
            )
        );
        var state = after.States[id];
        state.Account.Wallet.Holds.Count.ShouldBe(3);
        state.Account.Subscription.Quota.ShouldBe(new(0, 110, 150));
        History.Describe(await ledger.LoadAsync(id)).ShouldBe(History.Describe(state));
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();

        PlaceCallHold Call(string key, string reference) =>
            new(id, new(key), "chat/completions", reference, new("auto", CallPayment.QuotaOrBalance, 100, 50), TimeSpan.FromMinutes(5));
    }
}
