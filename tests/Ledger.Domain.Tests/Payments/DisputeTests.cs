using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Payments;

/// <summary>Twenty-five dollars bought 187,500 credits; a dispute withdraws the money and a won one brings it back.</summary>
public class DisputeTests
{
    private static readonly DisputeWon Won = new(TheOrder, "dp_1");

    private static OrderDisputed Disputed(long dollars = 25, string dispute = "dp_1") => new(TheOrder, dispute, Amount.Usd(dollars));

    private static CreditsSpent SpentOf(long credits) => Spent($"{credits / 5}", credits, paid: Share(1, credits));

    [Fact]
    public void A_dispute_takes_what_its_money_had_granted_and_a_won_one_gives_exactly_that_back()
    {
        var disputed = GivenAccount([.. Purchase, SpentOf(100_000)])
            .When(Dispute())
            .Then(Disputed(), Clawed(187_500, fromPocket: 1, debt: 100_000, dispute: "dp_1"));
        disputed.When(Dispute()).ThenRepeated(Disputed());
        var won = disputed.When(Win()).Then(Won, Returned(187_500, [Share(1, 87_500)], debtCleared: 100_000));
        won.When(Win()).ThenRepeated(Won);
        won.When(Dispute()).ThenRepeated(Disputed());
        won.After.Wallet.Credits.ShouldBe(GivenAccount([.. Purchase, SpentOf(100_000)]).After.Wallet.Credits);
        won.After.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(87_500));
    }

    [Fact]
    public void Part_of_the_money_takes_its_share() =>
        GivenAccount(Purchase)
            .When(Dispute(10))
            .Then(Disputed(10), Clawed(75_000, fromPocket: 1, dispute: "dp_1"))
            .When(Win())
            .Then(Won, Returned(75_000, [Share(1, 75_000)]));

    [Fact]
    public void A_win_that_is_told_of_before_its_dispute_leaves_nothing_to_take()
    {
        var won = GivenAccount(Purchase).When(Win()).Then(Won);
        var after = won.When(Dispute()).Then(Disputed()).After;
        after.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(187_500));
        after.Orders.Find(TheOrder)!.MoneyGone.ShouldBe(0);
    }

    [Fact]
    public void A_dispute_that_is_told_of_before_the_payment_takes_with_the_payment()
    {
        var disputed = GivenAccount(Opened()).When(Dispute()).Then(Disputed());
        var paid = disputed.When(Confirm()).Then(Paid(1), Bought(1, 187_500), Clawed(187_500, fromPocket: 1, dispute: "dp_1"));
        paid.When(Win()).Then(Won, Returned(187_500, [Share(1, 187_500)]));
        disputed.When(Win()).Then(Won).When(Confirm()).Then(Paid(1), Bought(1, 187_500));
    }

    [Fact]
    public void A_dispute_and_a_refund_of_the_same_money_take_it_once()
    {
        var both = GivenAccount(Purchase).When(Dispute()).When(Refund(25)).Then(new OrderRefunded(TheOrder, Amount.Usd(25)));
        both.When(Win()).Then(Won).After.Wallet.Credits.ClawedBack.ShouldBe(Amount.Credits(187_500).Parts, "the refund still claims it");

        var half = GivenAccount(Purchase)
            .When(Refund(10))
            .When(Dispute())
            .Then(Disputed(), Clawed(112_500, fromPocket: 1, dispute: "dp_1"));
        half.When(Win()).Then(Won, Returned(112_500, [Share(1, 112_500)]));
        half.When(Refund(15)).Then(new OrderRefunded(TheOrder, Amount.Usd(15))).When(Win()).Then(Won, Returned(75_000, [Share(1, 75_000)]));
    }

    [Fact]
    public void Of_two_disputes_of_the_same_money_the_second_takes_nothing_and_the_last_win_gives_it_back()
    {
        var both = GivenAccount(Purchase).When(Dispute()).When(Dispute(dispute: "dp_2")).Then(Disputed(dispute: "dp_2"));
        foreach (var (first, last) in (ValueTuple<string, string>[])[("dp_1", "dp_2"), ("dp_2", "dp_1")])
        {
            var one = both.When(Win(first)).Then(new DisputeWon(TheOrder, first));
            one.When(Win(last))
                .Then(new DisputeWon(TheOrder, last), Returned(187_500, [Share(1, 187_500)], dispute: last))
                .After.Wallet.Credits.ClawedBack.ShouldBe(0);
        }
    }

    /// <summary>Debt goes first, so that a pack does not come back while what it paid for is still owed.</summary>
    [Fact]
    public void What_a_pack_owes_is_cleared_first_whichever_claim_is_dropped()
    {
        var spent = GivenAccount([.. PackPurchase, Spent("2000", 10_000, paid: Share(1, 10_000))]);
        foreach (var won in (string[])["a", "b"])
        {
            var after = spent.When(Half("a")).When(Half("b")).When(Win(won)).After.Wallet;
            after.Debt(Unit.Credits).IsZero.ShouldBeTrue();
            after.Posted(Unit.Credits).IsZero.ShouldBeTrue();
        }

        static DisputeOrder Half(string dispute) => new(Alice, TheOrder, Stripe, dispute, new(4_500_000_000, Unit.Usd), "USD");
    }

    [Fact]
    public void What_a_later_grant_has_paid_of_the_debt_comes_back_to_the_newest_pocket()
    {
        var disputed = GivenAccount([.. Purchase, SpentOf(187_500)]).When(Dispute()).And(Granted(2, 200_000), Repaid(2, 187_500));
        var won = disputed.When(Win()).Then(Won, Returned(187_500, [Share(2, 187_500)]));
        won.After.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(200_000));
    }

    [Fact]
    public void What_a_later_grant_has_paid_in_part_clears_the_rest_first() =>
        GivenAccount([.. Purchase, SpentOf(187_500)])
            .When(Dispute())
            .And(Granted(2, 50_000), Repaid(2, 50_000))
            .When(Win())
            .Then(Won, Returned(187_500, [Share(2, 50_000)], debtCleared: 137_500))
            .After.Wallet.Available(Unit.Credits, Noon)
            .ShouldBe(Amount.Credits(50_000));

    [Fact]
    public void What_comes_back_pays_what_is_owed_for_something_else() =>
        GivenAccount([.. Purchase, Held("0", 0)])
            .When(Dispute())
            .And(Settled("2", 10, [], [], debt: 10))
            .When(Win())
            .Then(Won, Returned(187_500, [Share(1, 187_500)]), Repaid(1, 10));

    [Fact]
    public void What_comes_back_to_a_pocket_that_has_lapsed_meanwhile_lapses_at_once()
    {
        var disputed = GivenAccount(PackPurchase).When(Dispute(9)).Then(Disputed(9), Clawed(20_000, fromPocket: 1, dispute: "dp_1"));
        var won = disputed
            .At(Noon.AddDays(366))
            .When(Win())
            .Then(Won, Returned(20_000, [Share(1, 20_000)]), Lapsed(1, 20_000, Noon.AddDays(366)));
        won.When(Refund(9))
            .Then(
                new OrderRefunded(TheOrder, Amount.Usd(9)),
                new CreditsClawedBack(TheOrder, null, Amount.Credits(0), [], null, Amount.Credits(20_000))
            );
    }

    [Fact]
    public void For_what_had_lapsed_nothing_comes_back()
    {
        var lapsed = GivenAccount([.. PackPurchase, Spent("1000", 5_000, paid: Share(1, 5_000))]).At(Noon.AddDays(365)).When(Sweep());
        var disputed = lapsed.When(Dispute(9)).Then(Disputed(9), Clawed(5_000, debt: 5_000, lapsed: 15_000, dispute: "dp_1"));
        var after = disputed.When(Win()).Then(Won, Returned(5_000, [], debtCleared: 5_000, lapsed: 15_000)).After;
        (after.Wallet.Credits.ClawedBack, after.Wallet.Debt(Unit.Credits).Parts, after.Orders.Find(TheOrder)!.ClawedBack).ShouldBe(
            (0, 0, 0)
        );
    }

    [Theory]
    [InlineData(26, "USD", Stripe)]
    [InlineData(0, "USD", Stripe)]
    [InlineData(25, "EUR", Stripe)]
    [InlineData(25, "USD", "sandbox")]
    public void More_than_was_paid_other_money_or_another_providers_word_is_refused(long dollars, string currency, string provider) =>
        GivenAccount(Purchase)
            .When(new DisputeOrder(Alice, TheOrder, provider, "dp_1", Amount.Usd(dollars), currency))
            .ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void A_dispute_of_nothing_that_was_ordered_is_refused()
    {
        GivenAccount().When(Dispute()).ThenRejected(RejectionCode.OrderNotFound);
        GivenAccount().When(Win()).ThenRejected(RejectionCode.OrderNotFound);
        GivenAccount(Purchase).When(new WinDispute(Alice, TheOrder, "sandbox", "dp_1")).ThenRejected(RejectionCode.OrderNotFound);
    }
}
