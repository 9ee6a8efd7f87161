using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Payments;

public class ConfirmPaymentTests
{
    [Fact]
    public void A_payment_and_what_it_grants_are_one_append()
    {
        var paid = GivenAccount(Opened()).When(Confirm()).Then(Paid(1), Bought(1, 187_500));
        paid.After.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(187_500));
        paid.After.NextScheduled.ShouldBe(DateTimeOffset.MaxValue);
    }

    [Fact]
    public void Dollars_that_are_paid_in_are_prepaid_dollars() =>
        GivenAccount(Opened() with { Kind = OrderKind.Topup, Gives = Amount.Usd(25), Rate = null })
            .When(Confirm())
            .Then(Paid(1), Bought(1, 0, PocketSource.Prepaid) with { Amount = Amount.Usd(25) });

    [Fact]
    public void A_packs_year_begins_with_its_payment() =>
        GivenAccount(OpenedPack())
            .Later(TimeSpan.FromHours(3))
            .When(Confirm(Notice(9)))
            .Then(Paid(1, dollars: 9), Bought(1, 20_000, PocketSource.Pack, Scope, Noon.AddHours(3).AddDays(365)));

    [Fact]
    public void It_counts_once_whatever_repeats()
    {
        var paid = GivenAccount(Opened()).When(Confirm());
        paid.When(Confirm()).ThenRepeated(Paid(1));
        paid.Later(TimeSpan.FromDays(400)).When(Confirm()).ThenRepeated(Paid(1));
        paid.When(Confirm(Notice(26))).ThenRepeated(Paid(1));
    }

    [Fact]
    public void A_payment_pays_one_order_only()
    {
        var two = new OrderId("order-2");
        GivenAccount([.. Purchase, Opened(two)]).When(Confirm(order: two)).ThenRejected(RejectionCode.ReferenceConflict);
    }

    [Fact]
    public void A_payment_of_nothing_that_was_ordered_is_refused()
    {
        GivenAccount().When(Confirm()).ThenRejected(RejectionCode.OrderNotFound);
        Given().When(Confirm()).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Theory]
    [InlineData("amount", 24, "USD", null, Stripe)]
    [InlineData("amount", 26, "USD", null, Stripe)]
    [InlineData("currency", 25, "EUR", null, Stripe)]
    [InlineData("customer", 25, "USD", "cus_2", Stripe)]
    [InlineData("provider", 25, "USD", null, "sandbox")]
    public void A_payment_that_is_not_what_was_ordered_is_recorded_and_changes_nothing(
        string reason,
        long dollars,
        string currency,
        string? customer,
        string provider
    )
    {
        var given = GivenAccount(Opened(customer: "cus_1"));
        var payment = Notice(dollars, "cs_x", currency, customer, provider: provider);
        var mismatched = new PaymentMismatched(TheOrder, provider, "cs_x", reason, Amount.Usd(dollars), currency);
        var recorded = given.When(Confirm(payment)).Then(mismatched);
        recorded.When(Confirm(payment)).ThenRepeated(mismatched);
        recorded.After.Wallet.ShouldBeSameAs(given.After.Wallet);
        recorded.After.Orders.ShouldBeSameAs(given.After.Orders, "the order is open as before");
        recorded.When(Confirm(Notice(customer: "cus_1"))).Then(Paid(1), Bought(1, 187_500));
    }

    /// <summary>The same payment, told of again with the right amount: what was wrong with it does not hold it back.</summary>
    [Fact]
    public void A_payment_that_did_not_match_counts_when_it_does() =>
        GivenAccount(Opened()).When(Confirm(Notice(24))).When(Confirm()).Then(Paid(1), Bought(1, 187_500));

    [Fact]
    public void A_payer_who_is_not_named_is_not_another_one() =>
        GivenAccount(Opened(customer: "cus_1")).When(Confirm()).Then(Paid(1), Bought(1, 187_500));

    [Fact]
    public void A_second_payment_of_one_order_is_recorded_and_grants_nothing() =>
        GivenAccount(Purchase)
            .When(Confirm(Notice(id: "cs_2")))
            .Then(new PaymentMismatched(TheOrder, Stripe, "cs_2", "paid_before", Amount.Usd(25), "USD"));

    [Fact]
    public void What_the_wallet_can_no_longer_hold_is_recorded_and_grants_nothing()
    {
        var full = Granted(1, Limits.MaxAmount(Unit.Credits).Parts / Amount.Credits(1).Parts);
        GivenAccount(Opened(), full)
            .When(Confirm())
            .Then(new PaymentMismatched(TheOrder, Stripe, "cs_1", "too_much", Amount.Usd(25), "USD"));
    }

    [Fact]
    public void An_order_that_failed_or_lapsed_can_still_be_paid()
    {
        GivenAccount(Opened(), new OrderFailed(TheOrder, "card_declined")).When(Confirm()).Then(Paid(1), Bought(1, 187_500));
        var late = GivenAccount(Opened())
            .Later(TimeSpan.FromDays(3))
            .When(Confirm())
            .Then(new OrderExpired(TheOrder, Noon + Orders.Lifetime), Paid(1), Bought(1, 187_500));
        late.After.Orders.Find(TheOrder)!.Status.ShouldBe(OrderStatus.Paid);
        late.After.Orders.Find(TheOrder)!.Reason.ShouldBeNull();
    }

    [Fact]
    public void What_is_owed_is_paid_first() =>
        GivenAccount(Opened(), Held("0", 0), Settled("2", 10, [], [], debt: 10))
            .When(Confirm())
            .Then(Paid(1), Bought(1, 187_500), Repaid(1, 10));

    [Fact]
    public void A_pack_never_pays_what_is_owed()
    {
        var after = GivenAccount(OpenedPack(), Held("0", 0), Settled("2", 10, [], [], debt: 10))
            .When(Confirm(Notice(9)))
            .Then(Paid(1, dollars: 9), Bought(1, 20_000, PocketSource.Pack, Scope, Noon.AddDays(365)))
            .After;
        after.Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(10));
    }

    [Fact]
    public void A_suspended_account_is_still_granted_what_it_paid_for() =>
        GivenAccount(Opened(), new AccountSuspended("fraud")).When(Confirm()).Then(Paid(1), Bought(1, 187_500));

    [Fact]
    public void The_operator_gives_a_pack_once_per_reference()
    {
        var order = EventIds.OrderOf(Alice, Orders.Operator, "goodwill-1");
        var opened = OpenedPack(order) with { Price = Amount.Usd(0), Provider = Orders.Operator, ExpiresAt = Noon };
        var given = GivenAccount()
            .When(new GivePack(Alice, "deepseek-chat-20k", "goodwill-1"))
            .Then(
                opened,
                new OrderPaid(order, Orders.Operator, "goodwill-1", null, Amount.Usd(0), new(1)),
                Bought(1, 20_000, PocketSource.Pack, Scope, Noon.AddDays(365)) with
                {
                    Provider = "operator_pack",
                    Reference = "goodwill-1",
                }
            );
        given.When(new GivePack(Alice, "deepseek-chat-20k", "goodwill-1")).ThenRepeated(opened);
        given.When(new GivePack(Alice, "gift", "goodwill-1")).ThenRejected(RejectionCode.ReferenceConflict);
        given.When(new GivePack(Alice, "gift", "goodwill-2")).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        GivenAccount().When(new GivePack(Alice, "nosuch", "goodwill-1")).ThenRejected(RejectionCode.PackNotFound);
        Given().When(new GivePack(Alice, "gift", "goodwill-1")).ThenRejected(RejectionCode.AccountNotFound);
    }

    /// <summary>Both are the operator's, each under references of its own.</summary>
    [Fact]
    public void A_pack_and_a_grant_may_have_the_same_name()
    {
        GivenAccount(Granted(1, 5, reference: "goodwill-1"))
            .When(new GivePack(Alice, "gift", "goodwill-1"))
            .Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        GivenAccount()
            .When(new GivePack(Alice, "gift", "goodwill-1"))
            .When(new GrantCredits(Alice, Amount.Credits(5), PocketSource.Bonus, null, null, "operator", "goodwill-1", null))
            .Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
    }
}
