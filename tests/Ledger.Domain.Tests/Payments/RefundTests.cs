using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Payments;

/// <summary>Twenty-five dollars bought 187,500 credits; a dollar that goes back takes 7,500 with it.</summary>
public class RefundTests
{
    private static OrderRefunded Refunded(long dollars) => new(TheOrder, Amount.Usd(dollars));

    private static CreditsSpent SpentOf(long credits) => Spent($"{credits / 5}", credits, "r1", paid: Share(1, credits));

    [Fact]
    public void What_is_unspent_is_taken_back_and_nothing_is_owed()
    {
        var after = GivenAccount(Purchase).When(Refund(25)).Then(Refunded(25), Clawed(187_500, fromPocket: 1)).After;
        (after.Wallet.Credits.ClawedBack, after.Wallet.Credits.Debt).ShouldBe((Amount.Credits(187_500).Parts, 0));
        after.Wallet.Posted(Unit.Credits).IsZero.ShouldBeTrue();
    }

    [Fact]
    public void What_is_spent_is_owed()
    {
        var after = GivenAccount([.. Purchase, SpentOf(100_000)])
            .When(Refund(25))
            .Then(Refunded(25), Clawed(187_500, fromPocket: 1, debt: 100_000))
            .After;
        after.Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(100_000));
    }

    [Fact]
    public void What_is_held_is_owed_and_paid_when_the_hold_gives_it_back()
    {
        var refunded = GivenAccount([.. Purchase, Held("2", 10, allocated: Share(1, 10))])
            .When(Refund(25))
            .Then(Refunded(25), Clawed(187_500, fromPocket: 1, debt: 10));
        refunded.When(new ReleaseHold(Alice, Main, Hold())).Then(new HoldReleased(Hold()), Repaid(1, 10));
        refunded
            .When(new SettleHold(Alice, Main, Hold(), Quantity.Of(1)))
            .Then(Settled("1", 5, [Share(1, 5)]), Repaid(1, 5))
            .After.Wallet.Debt(Unit.Credits)
            .ShouldBe(Amount.Credits(5));
        refunded.Later(TimeSpan.FromHours(1)).When(Sweep()).Then(new HoldExpired(Hold(), Noon.AddHours(1)), Repaid(1, 10));
    }

    [Fact]
    public void A_spend_that_is_reversed_afterwards_pays_what_is_owed() =>
        GivenAccount([.. Purchase, SpentOf(100_000)])
            .When(Refund(25))
            .When(new ReverseSpend(Alice, new(EventIds.Use(Alice, "chat", "r1")), "sorry"))
            .Then(
                new SpendReversed(
                    new(EventIds.Use(Alice, "chat", "r1")),
                    Main,
                    "chat",
                    Amount.Credits(100_000),
                    Noon,
                    [Share(1, 100_000)],
                    null,
                    "sorry",
                    Entry: "tools/chat"
                ),
                Repaid(1, 100_000)
            );

    [Fact]
    public void Only_the_orders_own_pocket_is_taken_from() =>
        GivenAccount([.. Purchase, SpentOf(187_500), Granted(2, 500_000)])
            .When(Refund(25))
            .Then(Refunded(25), Clawed(187_500, debt: 187_500))
            .After.Wallet.Pocket(new(2))
            .Remaining.ShouldBe(Amount.Credits(500_000).Parts);

    [Fact]
    public void Refunds_say_how_much_went_back_in_all_and_each_takes_the_difference()
    {
        var first = GivenAccount(Purchase).When(Refund(10)).Then(Refunded(10), Clawed(75_000, fromPocket: 1));
        var second = first.When(Refund(15)).Then(Refunded(15), Clawed(37_500, fromPocket: 1));
        second.When(Refund(10)).ThenRepeated(Refunded(10));
        second.When(Refund(12)).ThenNothing();
        second
            .When(Refund(25))
            .Then(Refunded(25), Clawed(75_000, fromPocket: 1))
            .After.Orders.Find(TheOrder)!
            .Refunded.ShouldBe(Amount.Usd(25).Parts);
    }

    [Fact]
    public void A_part_takes_its_share_rounded_down_and_the_whole_takes_all()
    {
        // A third of a cent bought 24.9999975 credits.
        var part = new RefundOrder(Alice, TheOrder, Stripe, "pi_1", new(3_333_333, Unit.Usd), "USD");
        var taken = new CreditsClawedBack(TheOrder, null, new(24_999_997, Unit.Credits), [new(new(1), 24_999_997)], null, null);
        GivenAccount(Purchase)
            .When(part)
            .Then(new OrderRefunded(TheOrder, new(3_333_333, Unit.Usd)), taken)
            .When(Refund(25))
            .After.Wallet.Credits.ClawedBack.ShouldBe(Amount.Credits(187_500).Parts);
    }

    [Theory]
    [InlineData(26, "USD")]
    [InlineData(0, "USD")]
    [InlineData(-1, "USD")]
    [InlineData(25, "EUR")]
    public void More_than_was_paid_nothing_at_all_or_other_money_cannot_go_back(long dollars, string currency) =>
        GivenAccount(Purchase).When(Refund(dollars, currency: currency)).ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void Another_providers_word_does_not_count() =>
        GivenAccount(Purchase)
            .When(new RefundOrder(Alice, TheOrder, "sandbox", "pi_1", Amount.Usd(25), "USD"))
            .ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void What_was_never_ordered_cannot_be_refunded() => GivenAccount().When(Refund(25)).ThenRejected(RejectionCode.OrderNotFound);

    [Fact]
    public void A_refund_that_is_told_of_before_its_payment_takes_with_the_payment()
    {
        var refunded = GivenAccount(Opened()).When(Refund(10)).Then(Refunded(10));
        refunded.After.Wallet.Pockets.ShouldBeEmpty();
        var paid = refunded.When(Confirm()).Then(Paid(1), Bought(1, 187_500), Clawed(75_000, fromPocket: 1));
        paid.After.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(112_500));
        paid.When(Refund(10)).ThenRepeated(Refunded(10));
    }

    [Fact]
    public void What_is_owed_before_is_paid_first_and_what_is_gone_then_is_owed_anew() =>
        GivenAccount(Opened(), Held("0", 0), Settled("2", 10, [], [], debt: 10))
            .When(Refund(25))
            .When(Confirm())
            .Then(Paid(1), Bought(1, 187_500), Repaid(1, 10), Clawed(187_500, fromPocket: 1, debt: 10))
            .After.Wallet.Debt(Unit.Credits)
            .ShouldBe(Amount.Credits(10));

    [Fact]
    public void What_has_lapsed_is_neither_taken_nor_owed()
    {
        var lapsed = GivenAccount([.. PackPurchase, Spent("1000", 5_000, paid: Share(1, 5_000))]).At(Noon.AddDays(365)).When(Sweep());
        var after = lapsed
            .When(Refund(9))
            .Then(new OrderRefunded(TheOrder, Amount.Usd(9)), Clawed(5_000, debt: 5_000, lapsed: 15_000))
            .After;
        (after.Wallet.Credits.ClawedBack, after.Orders.Find(TheOrder)!.ClawedBack).ShouldBe(
            (Amount.Credits(5_000).Parts, Amount.Credits(20_000).Parts)
        );
        lapsed
            .When(Refund(3))
            .Then(
                new OrderRefunded(TheOrder, Amount.Usd(3)),
                new CreditsClawedBack(TheOrder, null, Amount.Credits(0), [], null, new(6_666_666_666, Unit.Credits))
            );
    }

    [Fact]
    public void What_is_owed_blocks_its_unit_and_no_other()
    {
        var owing = GivenAccount([.. Purchase, SpentOf(187_500), Granted(2, 500), Granted(3, 0) with { Amount = Amount.Usd(7) }])
            .When(Refund(25))
            .After.Wallet;
        owing.Available(Unit.Credits, Noon).IsZero.ShouldBeTrue();
        owing.Available(Unit.Usd, Noon).ShouldBe(Amount.Usd(7));
    }

    [Fact]
    public void A_pack_that_comes_later_does_not_pay_what_is_owed_and_the_next_grant_does()
    {
        var owing = GivenAccount([.. PackPurchase, Spent("4000", 20_000, paid: Share(1, 20_000))]).When(Refund(9));
        owing.After.Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(20_000));
        var two = new OrderId("order-2");
        owing
            .And(OpenedPack(two))
            .When(Confirm(Notice(9, "cs_2"), two))
            .Then(Paid(2, two, 9, "cs_2"), Bought(2, 20_000, PocketSource.Pack, Scope, Noon.AddDays(365), "cs_2"));
        owing
            .And(Opened(two))
            .When(Confirm(Notice(25, "cs_2"), two))
            .Then(Paid(2, two, 25, "cs_2"), Bought(2, 187_500, payment: "cs_2"), Repaid(2, 20_000));
    }

    [Fact]
    public void What_granted_nothing_takes_nothing_back() =>
        GivenAccount(OpenedSubscription("quota"), Paid(null, dollars: 5)).When(Refund(5)).Then(new OrderRefunded(TheOrder, Amount.Usd(5)));
}
