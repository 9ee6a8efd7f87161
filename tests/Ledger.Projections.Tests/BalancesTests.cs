using System.Globalization;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Projections.Tests;

public sealed class BalancesTests
{
    [Theory]
    [InlineData(61)]
    [InlineData(62)]
    [InlineData(63)]
    public async Task The_view_says_what_the_wallet_says_once_what_is_due_has_lapsed(int seed)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, 12);
        for (var step = 0; step < 60; step++)
        {
            await history.StepAsync();
            if (step % 10 != 9)
                continue;
            var expected = new List<string>();
            foreach (
                var (id, state) in history
                    .States.Where(pair => pair.Value.Account.Version > 0)
                    .OrderBy(pair => pair.Key.Value, StringComparer.Ordinal)
            )
            {
                // The view reckons with the database's clock, which is long after everything in these histories but what lapses in 2999. It says
                // what holds and pockets that lapse leave; what a period that is due would give is not in it.
                var now = new DateTimeOffset(2900, 1, 1, 0, 0, 0, TimeSpan.Zero);
                var wallet = state
                    .Account.Wallet.DueEvents(now)
                    .Aggregate(state.Account.Wallet, (lapsed, @event) => Wallet.Evolve(lapsed, @event, default));
                foreach (var unit in (Unit[])[Unit.Credits, Unit.Usd])
                {
                    var (posted, held) = (wallet.Posted(unit).Parts, wallet.Held(unit).Parts);
                    var unscoped = wallet.Open.Where(pocket => pocket.Unit == unit && pocket.Scope is null).Sum(pocket => pocket.Free);
                    expected.Add(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{id} {unit.Name()} {posted} {held} {posted - held} {unscoped} {wallet.Debt(unit).Parts}"
                        )
                    );
                }
            }

            (
                await ledger.LinesAsync(
                    "select concat_ws(' ', b.account_id, b.unit, b.posted, b.held, b.available, b.available_unscoped, b.debt) from balances b order by b.account_id, b.unit"
                )
            ).ShouldBe(expected);
        }
    }

    [Fact]
    public async Task A_hold_that_is_placed_and_ended_in_one_batch_leaves_no_row()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        var id = new AccountId("a000");
        await OpenAsync(history, id, 10);
        var hold = new HoldId(EventIds.Use(id, "chat", "r"));
        await history.SendAsync(
            new PlaceHold(id, new("key"), "chat", Quantity.Of(4), "r", TimeSpan.FromMinutes(1)),
            new SettleHold(id, new("key"), hold, Quantity.Of(3))
        );
        (await ledger.LinesAsync("select hold_id::text from holds")).ShouldBeEmpty();
        (await ledger.LinesAsync("select remaining || ' ' || held from pockets")).ShouldBe(["7000000 0"]);
    }

    [Fact]
    public async Task A_pocket_that_is_emptied_and_filled_again_in_one_batch_is_open()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        var id = new AccountId("a000");
        await OpenAsync(history, id, 3);
        await history.SendAsync(
            new Spend(id, new("key"), "chat", Quantity.Of(3), "r"),
            new ReverseSpend(id, new(EventIds.Use(id, "chat", "r")), "why")
        );
        (await ledger.LinesAsync("select remaining || ' ' || held from pockets")).ShouldBe(["3000000 0"]);
        History.Describe(await ledger.LoadAsync(id)).ShouldBe(History.Describe(history.States[id]));
    }

    [Fact]
    public async Task The_shares_of_a_hold_over_many_pockets_come_back_in_their_order()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        var id = new AccountId("a000");
        await OpenAsync(history, id, 1);
        for (var n = 0; n < 12; n++)
            await history.SendAsync(new GrantCredits(id, Amount.Credits(1), PocketSource.Bonus, null, null, "operator", $"more-{n}", null));
        await history.SendAsync(new PlaceHold(id, new("key"), "chat", Quantity.Of(13), "r", TimeSpan.FromMinutes(1)));
        (await ledger.LinesAsync("select pockets::text || parts::text from holds")).ShouldBe([
            "{2,3,4,5,6,7,8,9,10,11,12,13,1}{" + string.Join(',', Enumerable.Repeat("1000000", 13)) + "}",
        ]);
        History.Describe(await ledger.LoadAsync(id)).ShouldBe(History.Describe(history.States[id]));
    }

    [Fact]
    public async Task A_pocket_is_never_overdrawn_whatever_is_written()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        await OpenAsync(history, new("a000"), 1);
        foreach (var change in (string[])["held = remaining + 1", "remaining = -1", "held = -1"])
            (
                await Should.ThrowAsync<Npgsql.PostgresException>(() => ledger.ExecuteAsync($"update pockets set {change}"))
            ).SqlState.ShouldBe(Npgsql.PostgresErrorCodes.CheckViolation);
    }

    private static Task OpenAsync(History history, AccountId id, long credits) =>
        history.SendAsync(
            new OpenAccount(id, null),
            new GrantCredits(id, Amount.Credits(credits), PocketSource.Payg, null, null, "operator", "1", null),
            Samples.Key(id, "key")
        );
}
