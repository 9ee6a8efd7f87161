using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Alerts;

/// <summary>A hundred credits are time to look, twenty are urgent.</summary>
public class AlertTests
{
    private static readonly AlertsSet Set = new(Amount.Credits(100), Amount.Credits(20));

    private static SetAlerts To(long? warning, long? critical, string request = "set") =>
        new(
            Alice,
            EventIds.Request(Alice, request),
            warning is { } w ? Amount.Credits(w) : null,
            critical is { } c ? Amount.Credits(c) : null
        );

    private static BalanceLevelChanged Crossed(BalanceLevel from, BalanceLevel to, long available) =>
        new(from, to, Amount.Credits(available));

    private static Scenario Given110(params AccountEvent[] more) => GivenAccount([Granted(1, 110), Set, .. more]);

    [Fact]
    public void The_spend_that_falls_to_a_threshold_tells_of_it_in_the_same_append()
    {
        var above = Given110().When(Turns(1)).Then(Spent("1", 5, paid: Share(1, 5)));
        var warned = above
            .When(Turns(1, "r2"))
            .Then(Spent("1", 5, "r2", paid: Share(1, 5)), Crossed(BalanceLevel.Ok, BalanceLevel.Warning, 100));
        warned.When(Turns(1, "r3")).Then(Spent("1", 5, "r3", paid: Share(1, 5)));
        warned
            .When(Turns(16, "r4"))
            .Then(Spent("16", 80, "r4", paid: Share(1, 80)), Crossed(BalanceLevel.Warning, BalanceLevel.Critical, 20));
    }

    [Fact]
    public void A_fall_past_both_is_told_once() =>
        Given110().When(Turns(20)).Then(Spent("20", 100, paid: Share(1, 100)), Crossed(BalanceLevel.Ok, BalanceLevel.Critical, 10));

    [Fact]
    public void A_balance_that_recovers_is_told_of_and_falls_anew()
    {
        var recovered = GivenAccount(Opened(), Granted(1, 10), Set, Crossed(BalanceLevel.Ok, BalanceLevel.Critical, 10))
            .When(Confirm())
            .Then(Paid(2), Bought(2, 187_500), Crossed(BalanceLevel.Critical, BalanceLevel.Ok, 187_510));
        recovered
            .When(Turns(37_490))
            .Then(Spent("37490", 187_450, paid: [Share(1, 10), Share(2, 187_440)]), Crossed(BalanceLevel.Ok, BalanceLevel.Warning, 60));
    }

    [Fact]
    public void One_part_of_a_credit_above_is_above()
    {
        var set = Given110().And(new AlertsSet(new(104_999_999, Unit.Credits), null));
        set.When(Turns(1)).Then(Spent("1", 5, paid: Share(1, 5)));
        set.And(new AlertsSet(new(105_000_000, Unit.Credits), null))
            .When(Turns(1))
            .Then(Spent("1", 5, paid: Share(1, 5)), Crossed(BalanceLevel.Ok, BalanceLevel.Warning, 105));
    }

    [Fact]
    public void Whatever_moves_the_balance_counts()
    {
        Given110()
            .When(new PlaceHold(Alice, Main, "chat", Quantity.Of(2), "h1", TimeSpan.FromHours(1)))
            .Then(Held("2", 10, allocated: Share(1, 10)), Crossed(BalanceLevel.Ok, BalanceLevel.Warning, 100))
            .When(new ReleaseHold(Alice, Main, Hold()))
            .Then(new HoldReleased(Hold()), Crossed(BalanceLevel.Warning, BalanceLevel.Ok, 110));
        GivenAccount(Granted(1, 110, expiresAt: Noon.AddHours(1)), Set)
            .Later(TimeSpan.FromHours(1))
            .When(Sweep())
            .Then(Lapsed(1, 110, Noon.AddHours(1)), Crossed(BalanceLevel.Ok, BalanceLevel.Critical, 0));
        GivenAccount([.. Purchase, Set])
            .When(Refund(25))
            .Then(
                new OrderRefunded(TheOrder, Amount.Usd(25)),
                Clawed(187_500, fromPocket: 1),
                Crossed(BalanceLevel.Ok, BalanceLevel.Critical, 0)
            );
    }

    [Fact]
    public void Neither_packs_nor_dollars_count() =>
        GivenAccount(Granted(1, 110), Granted(2, 5_000, scope: Scope), Granted(3, 0) with { Amount = Amount.Usd(500) }, Set)
            .When(Turns(2))
            .Then(Spent("2", 10, paid: Share(1, 10)), Crossed(BalanceLevel.Ok, BalanceLevel.Warning, 100));

    [Fact]
    public void A_refused_command_tells_nothing() => Given110().When(Turns(1_000)).ThenRejected(RejectionCode.InsufficientCredits);

    [Fact]
    public void Who_sets_a_threshold_above_what_there_is_is_told_at_once() =>
        GivenAccount(Granted(1, 50)).When(To(100, 20)).Then(Set, Crossed(BalanceLevel.Ok, BalanceLevel.Warning, 50));

    [Fact]
    public void Other_thresholds_are_reckoned_at_once()
    {
        var warned = GivenAccount(Granted(1, 50), Set, Crossed(BalanceLevel.Ok, BalanceLevel.Warning, 50));
        warned
            .When(To(40, 20))
            .Then(new AlertsSet(Amount.Credits(40), Amount.Credits(20)), Crossed(BalanceLevel.Warning, BalanceLevel.Ok, 50));
        warned
            .When(To(100, 60))
            .Then(new AlertsSet(Amount.Credits(100), Amount.Credits(60)), Crossed(BalanceLevel.Warning, BalanceLevel.Critical, 50));
    }

    [Fact]
    public void Who_wants_to_hear_nothing_hears_nothing()
    {
        var off = Given110().When(To(null, null)).Then(new AlertsSet(null, null));
        off.When(Turns(22)).Then(Spent("22", 110, paid: Share(1, 110)));
        off.When(To(null, null, "again")).ThenNothing();
        off.After.Alerts.ShouldBe(Domain.Alerts.Alerts.None);
    }

    [Fact]
    public void The_same_again_is_nothing_new_and_the_same_request_a_repeat()
    {
        var set = GivenAccount(Granted(1, 110)).When(To(100, 20)).Then(Set);
        set.When(To(100, 20, "again")).ThenNothing();
        set.When(To(100, 20)).ThenRepeated(Set);
        Given().When(To(100, 20)).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Fact]
    public void What_is_bought_because_of_it_comes_after_it_is_told()
    {
        var crossed = GivenAccount(
                Opened(dollars: 1),
                Paid(1, dollars: 1),
                Bought(1, 7_500),
                Set,
                new AutoTopupSet(true, Amount.Credits(100), Amount.Usd(1), 3, Stripe)
            )
            .When(Turns(1_480));
        crossed
            .History.Select(fact => fact.Event)
            .TakeLast(2)
            .Select(@event => @event.GetType())
            .ShouldBe([typeof(BalanceLevelChanged), typeof(OrderOpened)]);
    }
}
