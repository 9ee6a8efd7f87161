using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Subscriptions;

/// <summary>Subscriptions that a payment provider bills: a period begins with its paid invoice, and with nothing else.</summary>
public class BilledSubscriptionTests
{
    private static DateTimeOffset End(long period) => Periods.Start(Noon, period + 1);

    /// <summary>Level pro since noon, billed: 2,000 credits of period 0 in pocket 1.</summary>
    private static Scenario GivenBilled(params AccountEvent[] more) =>
        GivenAccount([
            OpenedSubscription(),
            Paid(1, dollars: 20),
            Started(Stripe),
            Reset(Billed(), 0),
            SubscriptionGrant(1, 2_000, End(0), Stripe, "cs_1"),
            .. more,
        ]);

    private static RenewSubscription Renew(
        long period,
        string id = "in_1",
        long dollars = 20,
        string subscription = "sub_1",
        string currency = "USD",
        TimeSpan? off = null
    ) =>
        new(
            Alice,
            Notice(
                dollars,
                id,
                currency,
                subscription: subscription,
                at: Periods.Start(Noon, period) + (off ?? TimeSpan.Zero),
                intent: "pi_" + id
            )
        );

    private static AccountEvent[] Renewed(
        int pocket,
        long period,
        DateTimeOffset at,
        string id = "in_1",
        string tier = "pro",
        bool opens = true,
        bool changes = false
    )
    {
        var (order, terms) = (EventIds.OrderOf(Alice, Stripe, id), Terms(tier));
        var opened = new OrderOpened(
            order,
            OrderKind.Subscription,
            tier,
            terms.Price,
            terms.Credits,
            null,
            null,
            null,
            1,
            Stripe,
            null,
            at,
            false,
            terms
        );
        return
        [
            opened,
            new OrderPaid(order, Stripe, id, "pi_" + id, terms.Price, new(pocket)),
            .. changes ? (AccountEvent[])[Changed(Billed(), tier)] : [],
            .. opens ? (AccountEvent[])[Reset(Billed(), period)] : [],
            SubscriptionGrant(pocket, (long)(terms.Credits.Parts / 1_000_000), End(period), Stripe, id),
        ];
    }

    [Fact]
    public void The_payment_of_its_order_starts_it_at_the_providers_time()
    {
        var paidAt = Noon.AddSeconds(-7);
        var after = GivenAccount(OpenedSubscription())
            .When(Confirm(Notice(20, subscription: "sub_1", at: paidAt)))
            .Then(
                Paid(1, dollars: 20),
                Started(Stripe, anchor: paidAt),
                Reset(Billed(), 0, paidAt),
                SubscriptionGrant(1, 2_000, Periods.Start(paidAt, 1), Stripe, "cs_1")
            )
            .After;
        after.Subscription.IsBilled.ShouldBeTrue();
        after.NextScheduled.ShouldBe(DateTimeOffset.MaxValue, "only the provider moves it on");
    }

    [Fact]
    public void A_provider_whose_clock_is_ahead_starts_nothing_in_the_future() =>
        GivenAccount(OpenedSubscription())
            .When(Confirm(Notice(20, subscription: "sub_1", at: Noon.AddMinutes(3))))
            .Then(Paid(1, dollars: 20), Started(Stripe), Reset(Billed(), 0), SubscriptionGrant(1, 2_000, End(0), Stripe, "cs_1"));

    [Fact]
    public void The_boundary_alone_lets_the_old_credits_lapse_and_grants_nothing() =>
        GivenBilled()
            .At(End(0).AddDays(1))
            .When(Sweep())
            .Then(Lapsed(1, 2_000, End(0)))
            .After.Subscription.IsPaidAt(End(0).AddDays(1))
            .ShouldBeFalse();

    [Fact]
    public void A_spend_after_the_boundary_finds_nothing() =>
        GivenBilled()
            .At(End(0))
            .When(Turns(1))
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Credits(5), Amount.Credits(0)));

    [Fact]
    public void A_paid_invoice_opens_its_period_once()
    {
        var renewed = GivenBilled().At(End(0)).When(Renew(1)).Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, End(0))]);
        renewed.After.Subscription.Period.ShouldBe(1);
        renewed.When(Renew(1)).ThenRepeated(Renewed(2, 1, End(0))[0]);
        renewed.At(End(2)).When(Renew(1)).ThenRepeated(Renewed(2, 1, End(0))[0]);
    }

    /// <summary>A provider may bill an hour before the boundary by our clock, or some seconds off it.</summary>
    [Fact]
    public void An_early_invoice_opens_the_next_period_and_leaves_the_old_credits_until_their_time()
    {
        var early = End(0).AddHours(-1);
        var renewed = GivenBilled().At(early).When(Renew(1, off: TimeSpan.FromSeconds(-3))).Then(Renewed(2, 1, early));
        renewed.After.Wallet.Available(Unit.Credits, early).ShouldBe(Amount.Credits(4_000));
        renewed.At(End(0)).When(Sweep()).Then(Lapsed(1, 2_000, End(0)));
    }

    [Fact]
    public void A_late_invoice_opens_the_period_under_way_until_its_own_end()
    {
        var late = End(0).AddDays(9);
        GivenBilled()
            .At(late)
            .When(Renew(1))
            .Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, late)])
            .After.Wallet.Available(Unit.Credits, late)
            .ShouldBe(Amount.Credits(2_000));
    }

    /// <summary>No sweep would find it: those look for what has lapsed since their last round.</summary>
    [Fact]
    public void An_invoice_for_a_period_that_is_over_is_booked_and_its_credits_have_lapsed()
    {
        var after = GivenBilled()
            .At(End(1).AddDays(1))
            .When(Renew(1))
            .Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, End(1).AddDays(1)), Lapsed(2, 2_000, End(1))])
            .After;
        after.Wallet.Posted(Unit.Credits).IsZero.ShouldBeTrue();
        after.Wallet.NextDue.ShouldBe(DateTimeOffset.MaxValue);
        after.Orders.Find(EventIds.OrderOf(Alice, Stripe, "in_1"))!.Lapsed.ShouldBe(Amount.Credits(2_000).Parts);
    }

    [Fact]
    public void A_period_that_is_over_pays_what_is_owed_before_the_rest_lapses() =>
        GivenBilled(Held("0", 0), Settled("2", 10, [], [], debt: 10))
            .At(End(1))
            .When(Renew(1))
            .Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, End(1)), Repaid(2, 10), Lapsed(2, 1_990, End(1))]);

    [Fact]
    public void Invoices_out_of_order_each_grant_their_own_period_and_the_index_never_falls()
    {
        var second = GivenBilled().At(End(1)).When(Renew(2, "in_2")).Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 2, End(1), "in_2")]);
        var first = second.When(Renew(1)).Then([.. Renewed(3, 1, End(1), opens: false), Lapsed(3, 2_000, End(1))]);
        first.After.Subscription.Period.ShouldBe(2);
        first.After.Wallet.Available(Unit.Credits, End(1)).ShouldBe(Amount.Credits(2_000));
    }

    /// <summary>Two bills for one month are two payments: both count, and neither moves the period.</summary>
    [Fact]
    public void Another_invoice_for_the_period_under_way_grants_what_was_paid_for()
    {
        var after = GivenBilled()
            .At(Noon.AddDays(3))
            .When(Renew(0, "in_2"))
            .Then(Renewed(2, 0, Noon.AddDays(3), "in_2", opens: false))
            .After;
        after.Subscription.Period.ShouldBe(0);
        after.Wallet.Available(Unit.Credits, Noon.AddDays(3)).ShouldBe(Amount.Credits(4_000));
    }

    /// <summary>The provider tells of the first payment twice: as the checkout's, and as the first invoice's.</summary>
    [Fact]
    public void The_first_invoice_under_the_payment_of_the_checkout_is_a_repeat() =>
        GivenBilled().When(Renew(0, "cs_1")).ThenRepeated(Paid(1, dollars: 20));

    [Theory]
    [InlineData(19, "USD", "amount")]
    [InlineData(21, "USD", "amount")]
    [InlineData(20, "EUR", "currency")]
    public void An_invoice_that_is_not_what_was_agreed_to_is_recorded_and_nothing_else(long dollars, string currency, string reason)
    {
        var order = EventIds.OrderOf(Alice, Stripe, "in_1");
        var mismatched = new PaymentMismatched(order, Stripe, "in_1", reason, Amount.Usd(dollars), currency);
        var given = GivenBilled().At(Noon.AddDays(1));
        var recorded = given.When(Renew(1, dollars: dollars, currency: currency)).Then(mismatched);
        recorded.When(Renew(1, dollars: dollars, currency: currency)).ThenRepeated(mismatched);
        recorded.After.Wallet.ShouldBeSameAs(given.After.Wallet);
        recorded.After.Subscription.ShouldBeSameAs(given.After.Subscription);
        recorded.After.Orders.ShouldBeSameAs(given.After.Orders);
        recorded.At(End(0)).When(Renew(1)).Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, End(0))]);
    }

    [Fact]
    public void An_invoice_of_another_subscription_or_provider_is_refused()
    {
        GivenBilled().When(Renew(1, subscription: "sub_2")).ThenRejected(RejectionCode.NoActiveSubscription);
        GivenBilled()
            .When(new RenewSubscription(Alice, Notice(20, "in_1", subscription: "sub_1", provider: "sandbox")))
            .ThenRejected(RejectionCode.NoActiveSubscription);
        GivenAccount().When(Renew(1)).ThenRejected(RejectionCode.NoActiveSubscription);
    }

    [Fact]
    public void An_invoice_of_a_subscription_that_has_ended_gives_what_was_paid_for_and_begins_nothing()
    {
        var ended = GivenBilled(new SubscriptionEnded(Billed(), Noon, "canceled")).At(End(0));
        var after = ended.When(Renew(1)).Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, End(0), opens: false)]).After;
        (after.Subscription.IsActive, after.Subscription.Period).ShouldBe((false, 0));
    }

    [Fact]
    public void A_subscription_that_is_paid_replaces_the_one_there_was()
    {
        var two = new OrderId("order-2");
        var after = GivenBilled(OpenedSubscription("max", two))
            .At(Noon.AddHours(1))
            .When(Confirm(Notice(50, "cs_2", subscription: "sub_2", at: Noon.AddHours(1)), two))
            .Then(
                Paid(2, two, 50, "cs_2"),
                new SubscriptionEnded(Billed(), Noon.AddHours(1), "replaced"),
                Started(Stripe, "max", Noon.AddHours(1), "sub_2"),
                Reset(Billed("sub_2"), 0, Noon.AddHours(1)),
                SubscriptionGrant(2, 6_000, Noon.AddHours(1).AddMonths(1), Stripe, "cs_2")
            )
            .After;
        after.Subscription.Id.ShouldBe(Billed("sub_2"));
        after.Wallet.Available(Unit.Credits, Noon.AddHours(1)).ShouldBe(Amount.Credits(8_000), "what was paid for stays until it lapses");
    }

    [Fact]
    public void Nobody_is_sold_a_second_subscription() =>
        GivenBilled()
            .When(new OpenOrder(Alice, new("order-2"), OrderKind.Subscription, "max", null, Stripe, null))
            .ThenRejected(RejectionCode.AlreadySubscribed);

    [Fact]
    public void The_operator_does_not_set_what_a_provider_bills() =>
        GivenBilled().When(new SetSubscription(Alice, Request, "max")).ThenRejected(RejectionCode.BilledByProvider);

    [Fact]
    public void A_higher_level_now_costs_the_rest_of_the_period_up_to_a_cent_and_gives_its_credits_down_to_a_whole_one()
    {
        // 21 of 31 days are left of 30 dollars and of 4,000 credits more: 20.3226 dollars and 2,709.67 credits.
        var changing = GivenBilled().At(Noon.AddDays(10));
        changing.When(new ChangeSubscription(Alice, Request, "max", AtPeriodEnd: false)).ThenRejected(RejectionCode.PaymentRequired);
        var order = new OrderId("order-2");
        var price = new Amount(20_330_000_000, Unit.Usd);
        var opened = new OrderOpened(
            order,
            OrderKind.Upgrade,
            "max",
            price,
            Amount.Credits(2_709),
            null,
            null,
            null,
            1,
            Stripe,
            null,
            Noon.AddDays(11),
            false,
            Terms("max")
        );
        var ordered = changing.When(new OpenOrder(Alice, order, OrderKind.Upgrade, "max", null, Stripe, null)).Then(opened);
        ordered.After.Subscription.Terms!.Tier.ShouldBe("pro", "nothing changes before it is paid");
        var paid = ordered
            .Later(TimeSpan.FromMinutes(5))
            .When(new ConfirmPayment(Alice, order, Notice(0, "cs_2") with { Amount = price }))
            .Then(
                new OrderPaid(order, Stripe, "cs_2", "pi_1", price, new(2)),
                Changed(Billed(), "max"),
                SubscriptionGrant(2, 2_709, End(0), Stripe, "cs_2")
            );
        paid.At(End(0))
            .When(Renew(1, dollars: 50))
            .Then([Lapsed(1, 2_000, End(0)), Lapsed(2, 2_709, End(0)), .. Renewed(3, 1, End(0), tier: "max")]);
    }

    [Fact]
    public void A_change_that_nothing_is_to_be_paid_for_is_made_at_once()
    {
        GivenBilled().When(new ChangeSubscription(Alice, Request, "flat", AtPeriodEnd: false)).Then(Changed(Billed(), "flat"));
        GivenBilled().When(new ChangeSubscription(Alice, Request, "basic", AtPeriodEnd: false)).Then(Changed(Billed(), "basic"));

        // In the last hours, the difference is less than a provider takes.
        GivenBilled()
            .At(End(0).AddHours(-12))
            .When(new ChangeSubscription(Alice, Request, "max", AtPeriodEnd: false))
            .Then(Changed(Billed(), "max"));
        GivenBilled()
            .When(new OpenOrder(Alice, new("order-2"), OrderKind.Upgrade, "flat", null, Stripe, null))
            .ThenRejected(RejectionCode.NotForSale);
        GivenBilled()
            .When(new OpenOrder(Alice, new("order-2"), OrderKind.Upgrade, "basic", null, Stripe, null))
            .ThenRejected(RejectionCode.NotForSale);
    }

    [Fact]
    public void A_change_at_the_end_of_the_period_comes_with_the_next_paid_one()
    {
        var scheduled = GivenBilled()
            .When(new ChangeSubscription(Alice, Request, "max", AtPeriodEnd: true))
            .Then(Scheduled(Billed(), "max"));
        scheduled.When(new ChangeSubscription(Alice, Request, "max", AtPeriodEnd: true)).ThenNothing();
        scheduled
            .At(End(0))
            .When(Renew(1, dollars: 50))
            .Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, End(0), tier: "max", changes: true)])
            .After.Subscription.Next.ShouldBeNull();
    }

    /// <summary>The provider billed before it knew of the change: the month that was paid is the old one, and the change still waits.</summary>
    [Fact]
    public void An_invoice_at_the_old_price_opens_a_period_on_the_old_terms() =>
        GivenBilled(Scheduled(Billed(), "max"))
            .At(End(0))
            .When(Renew(1))
            .Then([Lapsed(1, 2_000, End(0)), .. Renewed(2, 1, End(0))])
            .After.Subscription.Next!.Tier.ShouldBe("max");

    [Fact]
    public void What_was_to_change_or_end_can_be_kept()
    {
        GivenBilled(Scheduled(Billed(), "max"))
            .When(new ChangeSubscription(Alice, Request, "pro", AtPeriodEnd: false))
            .Then(new SubscriptionKept(Billed()))
            .After.Subscription.Next.ShouldBeNull();
        GivenBilled(new SubscriptionEndScheduled(Billed(), End(0)))
            .When(new ContinueSubscription(Alice, Request, Stripe, "sub_1"))
            .Then(new SubscriptionKept(Billed()))
            .After.Subscription.EndsAt.ShouldBeNull();
        GivenBilled(new SubscriptionEndScheduled(Billed(), End(0)))
            .When(new ChangeSubscription(Alice, Request, "max", AtPeriodEnd: true))
            .Then(Scheduled(Billed(), "max"))
            .After.Subscription.EndsAt.ShouldBeNull("who changes it goes on with it");
    }

    [Fact]
    public void What_a_provider_says_of_another_subscription_ends_and_keeps_nothing()
    {
        GivenBilled()
            .When(new EndSubscription(Alice, Request, AtPeriodEnd: false, "unpaid", Stripe, "sub_2"))
            .ThenRejected(RejectionCode.NoActiveSubscription);
        GivenBilled(new SubscriptionEndScheduled(Billed(), End(0)))
            .When(new ContinueSubscription(Alice, Request, "sandbox", "sub_1"))
            .ThenRejected(RejectionCode.NoActiveSubscription);
    }

    [Fact]
    public void It_ends_with_the_period_that_was_paid()
    {
        var ending = GivenBilled()
            .When(new EndSubscription(Alice, Request, AtPeriodEnd: true, "canceled", Stripe, "sub_1"))
            .Then(new SubscriptionEndScheduled(Billed(), End(0)));
        ending.After.NextScheduled.ShouldBe(End(0));
        ending.At(End(0)).When(Sweep()).Then(Lapsed(1, 2_000, End(0)), new SubscriptionEnded(Billed(), End(0), "canceled"));
    }

    [Fact]
    public void It_ends_at_once_where_the_provider_gives_up_on_it_after_the_period() =>
        GivenBilled()
            .At(End(0).AddDays(14))
            .When(new EndSubscription(Alice, Request, AtPeriodEnd: true, "unpaid", Stripe, "sub_1"))
            .Then(Lapsed(1, 2_000, End(0)), new SubscriptionEnded(Billed(), End(0).AddDays(14), "unpaid"));

    [Fact]
    public void An_upgrade_that_is_paid_when_its_subscription_is_gone_changes_no_other_one()
    {
        var order = new OrderId("order-2");
        var upgrade = OpenedSubscription("max", order) with { Kind = OrderKind.Upgrade };
        var mismatched = new PaymentMismatched(order, Stripe, "cs_2", "no_subscription", Amount.Usd(50), "USD");
        GivenBilled(upgrade, new SubscriptionEnded(Billed(), Noon, "canceled")).When(Confirm(Notice(50, "cs_2"), order)).Then(mismatched);
        GivenBilled(upgrade, new SubscriptionEnded(Billed(), Noon, "canceled"))
            .At(Noon.AddMinutes(1))
            .And(Started(anchor: Noon.AddMinutes(1)), Reset(ByOperator, 0, Noon.AddMinutes(1)))
            .When(Confirm(Notice(50, "cs_2"), order))
            .Then(mismatched);
        GivenBilled(upgrade, new SubscriptionEnded(Billed(), Noon, "replaced"))
            .At(Noon.AddMinutes(1))
            .And(Started(Stripe, "basic", Noon.AddMinutes(1), "sub_2"), Reset(Billed("sub_2"), 0, Noon.AddMinutes(1)))
            .When(Confirm(Notice(50, "cs_2"), order))
            .Then(mismatched);
    }

    [Fact]
    public void A_refund_of_a_period_takes_its_credits_back()
    {
        var renewed = GivenBilled().At(End(0)).When(Renew(1));
        var order = EventIds.OrderOf(Alice, Stripe, "in_1");
        renewed
            .When(Refund(20, order))
            .Then(new OrderRefunded(order, Amount.Usd(20)), Clawed(2_000, fromPocket: 2, order: order))
            .After.Subscription.IsActive.ShouldBeTrue("money that goes back ends nothing by itself");
    }

    /// <summary>The rest of one period was priced; the next one costs all of it.</summary>
    [Fact]
    public void A_change_that_was_priced_for_one_period_cannot_be_paid_in_the_next()
    {
        var order = new OrderId("order-2");
        var ordered = GivenBilled()
            .At(End(0).AddHours(-20))
            .When(new OpenOrder(Alice, order, OrderKind.Upgrade, "max", null, Stripe, null));
        var opened = ordered.After.Orders.Find(order).ShouldNotBeNull();
        opened.ExpiresAt.ShouldBe(End(0), "its page closes with the period");
        var late = Confirm(Notice(0, "cs_2") with { Amount = opened.Price }, order);
        var mismatched = new PaymentMismatched(order, Stripe, "cs_2", "no_subscription", opened.Price, "USD");

        var renewed = ordered.At(End(0)).When(Renew(1));
        renewed.When(late).Then(mismatched).After.Subscription.Terms!.Tier.ShouldBe("pro");
        var unpaid = ordered.At(End(0)).When(new RecordDue(Alice, EventIds.Request(Alice, "due")));
        unpaid.When(late).Then(mismatched).After.Subscription.Terms!.Tier.ShouldBe("pro");
    }

    /// <summary>The invoice that is on its way bills what was agreed to before.</summary>
    [Theory]
    [InlineData("max")]
    [InlineData("basic")]
    public void A_change_while_the_next_period_is_not_paid_waits_for_it(string tier)
    {
        var due = GivenBilled().At(End(0).AddHours(1)).When(new RecordDue(Alice, EventIds.Request(Alice, "due")));
        var changed = due.When(new ChangeSubscription(Alice, Request, tier, AtPeriodEnd: false)).Then(Scheduled(Billed(), tier));
        var paid = changed.When(Renew(1)).Then(Renewed(2, 1, End(0).AddHours(1)));
        (paid.After.Subscription.Terms!.Tier, paid.After.Subscription.Next!.Tier).ShouldBe(("pro", tier));
    }

    [Fact]
    public void An_invoice_of_another_customer_opens_nothing() =>
        GivenBilled(new CustomerLinked(Stripe, "cus_1"))
            .At(End(0))
            .When(new RecordDue(Alice, EventIds.Request(Alice, "due")))
            .When(Renew(1) with { Payment = Renew(1).Payment with { Customer = "cus_2" } })
            .Then(new PaymentMismatched(EventIds.OrderOf(Alice, Stripe, "in_1"), Stripe, "in_1", "customer", Amount.Usd(20), "USD"));
}
