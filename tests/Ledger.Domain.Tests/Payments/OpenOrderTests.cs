using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Payments;

public class OpenOrderTests
{
    private static OpenOrder Open(
        OrderKind kind,
        string? item = null,
        Amount? pays = null,
        OrderId? order = null,
        string? customer = null
    ) => new(Alice, order ?? TheOrder, kind, item, pays, Stripe, customer);

    private static OpenOrder Payg(Amount? pays) => Open(OrderKind.Payg, pays: pays);

    private static OpenOrder Topup(Amount? pays) => Open(OrderKind.Topup, pays: pays);

    [Fact]
    public void Twenty_five_dollars_buy_187500_credits()
    {
        var ordered = GivenAccount().When(Payg(Amount.Usd(25))).Then(Opened());
        ordered.After.Wallet.Pockets.ShouldBeEmpty("nothing is granted before it is paid");
        ordered.After.NextScheduled.ShouldBe(Noon + Orders.Lifetime);
    }

    [Fact]
    public void Cents_buy_their_share() =>
        GivenAccount().When(Payg(new(1_990_000_000, Unit.Usd))).After.Orders.Find(TheOrder)!.Gives.ShouldBe(Amount.Credits(14_925));

    [Fact]
    public void Credits_are_bought_for_1_to_1000_dollars()
    {
        GivenAccount().When(Payg(Amount.Usd(1))).Then(Opened(dollars: 1));
        GivenAccount().When(Payg(Amount.Usd(1_000))).Then(Opened(dollars: 1_000));
        foreach (
            var outside in (Amount?[])[new(999_999_999, Unit.Usd), new(1_000_000_000_001, Unit.Usd), Amount.Usd(0), Amount.Usd(-25), null]
        )
            GivenAccount().When(Payg(outside)).ThenRejected(RejectionCode.AmountOutOfRange);
    }

    [Fact]
    public void Five_to_1000_dollars_are_paid_in_as_they_are()
    {
        var opened = Opened() with { Kind = OrderKind.Topup, Rate = null };
        GivenAccount().When(Topup(Amount.Usd(5))).Then(opened with { Price = Amount.Usd(5), Gives = Amount.Usd(5) });
        GivenAccount().When(Topup(Amount.Usd(1_000))).Then(opened with { Price = Amount.Usd(1_000), Gives = Amount.Usd(1_000) });
        foreach (var outside in (Amount?[])[new(4_999_999_999, Unit.Usd), new(1_000_000_000_001, Unit.Usd), Amount.Usd(-5), null])
            GivenAccount().When(Topup(outside)).ThenRejected(RejectionCode.AmountOutOfRange);
    }

    [Fact]
    public void A_pack_costs_what_the_rate_card_says_and_is_for_its_one_model() =>
        GivenAccount().When(Open(OrderKind.Pack, "deepseek-chat-20k")).Then(OpenedPack());

    [Fact]
    public void A_subscription_is_ordered_on_the_terms_of_the_day()
    {
        var ordered = GivenAccount().When(Open(OrderKind.Subscription, "pro")).Then(OpenedSubscription());
        ordered
            .Under(new RateCard(2, Noon, Prices.Document(7) with { Tiers = [] }))
            .When(Confirm(Notice(20, subscription: "sub_1")))
            .After.Subscription.Terms.ShouldBe(Terms("pro"));
    }

    [Fact]
    public void A_subscription_without_credits_gives_a_quota_only() =>
        GivenAccount()
            .When(Open(OrderKind.Subscription, "quota"))
            .Then(OpenedSubscription("quota"))
            .When(Confirm(Notice(5, subscription: "sub_1")))
            .Then(Paid(null, dollars: 5), Started(Stripe, "quota"), Reset(Billed(), 0));

    [Theory]
    [InlineData(OrderKind.Pack, "nosuch", RejectionCode.PackNotFound)]
    [InlineData(OrderKind.Pack, null, RejectionCode.PackNotFound)]
    [InlineData(OrderKind.Pack, "gift", RejectionCode.NotForSale)]
    [InlineData(OrderKind.Subscription, "nosuch", RejectionCode.TierNotFound)]
    [InlineData(OrderKind.Subscription, null, RejectionCode.TierNotFound)]
    [InlineData(OrderKind.Subscription, "trial", RejectionCode.NotForSale)]
    [InlineData(OrderKind.Upgrade, "nosuch", RejectionCode.TierNotFound)]
    [InlineData(OrderKind.Upgrade, "max", RejectionCode.NoActiveSubscription)]
    public void What_is_not_sold_is_refused(OrderKind kind, string? item, RejectionCode code) =>
        GivenAccount().When(Open(kind, item)).ThenRejected(code);

    [Fact]
    public void The_same_order_again_is_a_repeat_and_other_contents_are_a_conflict()
    {
        var ordered = GivenAccount(Opened());
        ordered.When(Payg(Amount.Usd(25))).ThenRepeated(Opened());
        ordered.When(Payg(Amount.Usd(50))).ThenRejected(RejectionCode.ReferenceConflict);
        ordered.When(Topup(Amount.Usd(25))).ThenRejected(RejectionCode.ReferenceConflict);
        ordered.When(Open(OrderKind.Pack, "deepseek-chat-20k")).ThenRejected(RejectionCode.ReferenceConflict);
    }

    [Fact]
    public void Nobody_orders_before_there_is_an_account() =>
        Given().When(Payg(Amount.Usd(25))).ThenRejected(RejectionCode.AccountNotFound);

    [Fact]
    public void A_hundred_orders_may_wait_and_those_that_do_not_wait_any_more_do_not_count()
    {
        AccountEvent[] waiting = [.. Enumerable.Range(1, Orders.MaxOpen).Select(i => Opened(new($"wait-{i}")))];
        GivenAccount(waiting).When(Payg(Amount.Usd(25))).ThenRejected(RejectionCode.TooManyOrders);
        GivenAccount([.. waiting, new OrderFailed(new("wait-1"), "card_declined")])
            .When(Payg(Amount.Usd(25)))
            .ThenRejected(RejectionCode.TooManyOrders);
        GivenAccount([.. waiting, new OrderExpired(new("wait-1"), Noon)]).When(Payg(Amount.Usd(25))).Then(Opened());
        GivenAccount(waiting).Later(Orders.Lifetime).When(Payg(Amount.Usd(25))).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
    }

    [Fact]
    public void What_a_wallet_could_not_hold_is_not_sold()
    {
        var full = Facts.Granted(1, Limits.MaxAmount(Unit.Credits).Parts / Amount.Credits(1).Parts);
        GivenAccount(full).When(Payg(Amount.Usd(25))).ThenRejected(RejectionCode.AmountOutOfRange);
        GivenAccount(full).When(Topup(Amount.Usd(25))).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>("dollars are another unit");
    }

    [Fact]
    public void A_page_is_attached_once_and_a_second_page_takes_its_place()
    {
        var attached = GivenAccount(Opened())
            .When(new AttachSession(Alice, TheOrder, "cs_1"))
            .Then(new OrderSessionOpened(TheOrder, "cs_1"));
        var second = attached.When(new AttachSession(Alice, TheOrder, "cs_2")).Then(new OrderSessionOpened(TheOrder, "cs_2"));
        second.When(new AttachSession(Alice, TheOrder, "cs_1")).ThenRepeated(new OrderSessionOpened(TheOrder, "cs_1"));
        second.After.Orders.Find(TheOrder)!.Session.ShouldBe("cs_2");
        GivenAccount().When(new AttachSession(Alice, TheOrder, "cs_1")).ThenRejected(RejectionCode.OrderNotFound);
    }

    [Fact]
    public void A_provider_knows_an_account_by_the_first_name_it_gave()
    {
        var linked = GivenAccount().When(new LinkCustomer(Alice, Stripe, "cus_1")).Then(new CustomerLinked(Stripe, "cus_1"));
        linked.When(new LinkCustomer(Alice, Stripe, "cus_2")).ThenNothing().After.Orders.CustomerAt(Stripe).ShouldBe("cus_1");
        linked.When(new LinkCustomer(Alice, "sandbox", "cus_2")).Then(new CustomerLinked("sandbox", "cus_2"));
        Given().When(new LinkCustomer(Alice, Stripe, "cus_1")).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Fact]
    public void An_order_lapses_after_24_hours_unless_it_is_paid()
    {
        GivenAccount(Opened()).Later(Orders.Lifetime - TimeSpan.FromTicks(10)).When(Sweep()).ThenNothing();
        GivenAccount(Opened()).Later(Orders.Lifetime).When(Sweep()).Then(new OrderExpired(TheOrder, Noon + Orders.Lifetime));
        GivenAccount(Opened(), new OrderFailed(TheOrder, "card_declined"))
            .Later(TimeSpan.FromDays(9))
            .When(Sweep())
            .Then(new OrderExpired(TheOrder, Noon + Orders.Lifetime));
        GivenAccount(Purchase).Later(TimeSpan.FromDays(9)).When(Sweep()).ThenNothing();
    }
}
