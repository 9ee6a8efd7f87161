using System.Globalization;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Projections.Balances;
using Ledger.Testing;

namespace Ledger.Projections.Tests;

public sealed class DueAccountsTests
{
    private static readonly DateTimeOffset Start = LedgerDatabase.Start;

    [Fact]
    public async Task Periods_ends_orders_and_purchases_that_are_due_are_found_in_the_order_in_which_they_are()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 7);
        await history.SendAsync(history.States.Keys.Select(id => new OpenAccount(id, null)));
        await history.SendAsync([
            new SetSubscription(Id(0), Request(0, 1), "small"),
            new OpenOrder(Id(1), new("o"), OrderKind.Topup, null, Amount.Usd(5), "stripe", null),
            new SetSubscription(Id(2), Request(2, 1), "large"),
            new EndSubscription(Id(2), Request(2, 2), AtPeriodEnd: true, "canceled"),
            .. Bought(3, OrderKind.Subscription),
            .. Bought(4, OrderKind.Payg),
            new SetAutoTopup(Id(4), Request(4, 1), true, Amount.Credits(90), Amount.Usd(5), 2, "stripe"),
        ]);

        // What was bought by itself has failed: it is tried again after an hour.
        var automatic = history.States[Id(4)].Account.AutoTopup.Pending.ShouldNotBeNull();
        await history.SendAsync(new FailOrder(Id(4), Request(4, 2), automatic, "card_declined"));

        var due = new DueAccounts(ledger.Database);
        (await FoundAsync(due, Start.AddMinutes(59))).ShouldBe([]);
        (await FoundAsync(due, Start.AddHours(1))).ShouldBe(["a004"]);
        (await FoundAsync(due, Start.AddDays(1))).ShouldBe(["a004", "a001"]);
        (await FoundAsync(due, Start.AddMonths(1))).ShouldBe(["a004", "a001", "a000", "a002"], "and never the one that a provider bills");
        (await FoundAsync(due, Start.AddMonths(1), limit: 1)).ShouldBe(["a004", "a001", "a000", "a002"], "page by page");

        // Each is done with the version it was found at, and then it is not found again.
        history.Now = Start.AddMonths(1);
        var page = await due.WithBillingAsync(history.Now, DuePlace.Start, 100, default);
        page.Accounts.ShouldAllBe(found => found.Version == history.States[found.Account].Account.Version);
        await history.SendAsync(page.Accounts.Select(found => new RecordDue(found.Account, Request(0, 9))));
        (await FoundAsync(due, history.Now)).ShouldBe([]);
        (await FoundAsync(due, history.Now.AddDays(1))).ShouldBe(["a004"], "what was bought by itself lapses in its turn");
        (await FoundAsync(due, Start.AddMonths(2))).ShouldBe(["a004", "a000"]);
    }

    [Fact]
    public async Task The_few_that_are_due_among_many_are_entered_by_their_index()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using (var history = await ledger.OpenHistoryAsync(1, 600))
        {
            var ids = history.States.Keys.ToList();
            await history.SendAsync(ids.Select(id => new OpenAccount(id, null)));
            await history.SendAsync(ids.Take(3).Select(id => new SetSubscription(id, EventIds.Request(id, "1"), "small")));
            history.Now += TimeSpan.FromDays(1);
            await history.SendAsync(ids.Skip(3).Select(id => new SetSubscription(id, EventIds.Request(id, "1"), "small")));
        }

        await ledger.ExecuteAsync("analyze");
        var before = await ReadsAsync(ledger);
        await using (var database = Npgsql.NpgsqlDataSource.Create(ledger.ConnectionString + ";Pooling=false"))
            (await FoundAsync(new(database), Start.AddMonths(1))).ShouldBe(["a000", "a001", "a002"]);

        // Figures arrive when the connection has gone.
        await Eventually.IsSoAsync(async () => (await ReadsAsync(ledger))["ix_billing_due"] != before["ix_billing_due"]);
        var after = await ReadsAsync(ledger);
        (after["ix_billing_due"] - before["ix_billing_due"]).ShouldBeLessThan(10);
        (after["billing"] - before["billing"]).ShouldBe(0);
    }

    private static AccountId Id(int n) => new($"a{n:000}");

    private static Guid Request(int n, int request) => EventIds.Request(Id(n), request.ToString(CultureInfo.InvariantCulture));

    private static AccountCommand[] Bought(int n, OrderKind kind)
    {
        var isSubscription = kind == OrderKind.Subscription;
        var price = Amount.Usd(isSubscription ? 10 : 5);
        return
        [
            new OpenOrder(Id(n), new("o"), kind, isSubscription ? "small" : null, isSubscription ? null : price, "stripe", null),
            new ConfirmPayment(
                Id(n),
                new("o"),
                new("stripe", $"cs-{n}", null, price, "USD", null, isSubscription ? $"sub-{n}" : null, Start)
            ),
        ];
    }

    private static async Task<IReadOnlyList<string>> FoundAsync(DueAccounts due, DateTimeOffset now, int limit = 100)
    {
        var found = new List<string>();
        for (DuePlace? at = DuePlace.Start; at is { } after; )
        {
            var page = await due.WithBillingAsync(now, after, limit, default);
            page.Accounts.Count.ShouldBeLessThanOrEqualTo(limit);
            found.AddRange(page.Accounts.Select(account => account.Account.Value));
            at = page.Last;
        }

        return found;
    }

    private static async Task<Dictionary<string, long>> ReadsAsync(LedgerDatabase ledger) => (
            await ledger.LinesAsync(
                """
                select i.indexrelname || '=' || i.idx_tup_read
                from pg_stat_user_indexes i
                union all
                select t.relname || '=' || t.seq_tup_read
                from pg_stat_user_tables t
                """
            )
        ).Select(line => line.Split('=')).ToDictionary(pair => pair[0], pair => long.Parse(pair[1], CultureInfo.InvariantCulture));
}
