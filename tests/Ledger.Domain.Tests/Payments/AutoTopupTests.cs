using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Payments;

/// <summary>Buys 7,500 credits for a dollar whenever 100 or fewer are left, three times a day at most.</summary>
public class AutoTopupTests
{
    private static readonly AutoTopupSet On = new(true, Amount.Credits(100), Amount.Usd(1), 3, Stripe);

    /// <summary>A dollar was paid before, of which 110 credits are left in pocket 1.</summary>
    private static Scenario Given110(params AccountEvent[] more) =>
        GivenAccount([
            Opened(dollars: 1),
            Paid(1, dollars: 1),
            Bought(1, 7_500),
            Spent("1478", 7_390, "before", paid: Share(1, 7_390)),
            .. more,
        ]);

    private static SetAutoTopup Set(
        bool isOn = true,
        long threshold = 100,
        long dollars = 1,
        string request = "set",
        string provider = Stripe
    ) => new(Alice, EventIds.Request(Alice, request), isOn, Amount.Credits(threshold), Amount.Usd(dollars), 3, provider);

    private static OrderOpened Automatic(Scenario scenario) =>
        scenario.History.Select(fact => fact.Event).OfType<OrderOpened>().Last(opened => opened.IsAutomatic);

    private static int Automatics(Scenario scenario) => scenario.History.Count(fact => fact.Event is OrderOpened { IsAutomatic: true });

    private static FailOrder Decline(Scenario scenario) =>
        new(Alice, EventIds.Request(Alice, $"decline-{scenario.History.Length}"), Automatic(scenario).Order, "card_declined");

    private static ConfirmPayment Pay(Scenario scenario) =>
        Confirm(Notice(1, $"cs-{Automatic(scenario).Order}"), Automatic(scenario).Order);

    /// <summary>A hundred credits are left, and what is bought because of that was ordered.</summary>
    private static Scenario GivenCrossed() => Given110(On).When(Turns(2));

    [Fact]
    public void The_spend_that_falls_to_the_threshold_orders_in_the_same_append()
    {
        var above = Given110(On).When(Turns(1)).Then(Spent("1", 5, paid: Share(1, 5)));
        var command = EventIds.Use(Alice, "chat", "r2");
        above
            .When(Turns(1, "r2"))
            .Then(
                Spent("1", 5, "r2", paid: Share(1, 5)),
                Opened(EventIds.AutomaticOrder(Alice, command, above.History.Length + 2), dollars: 1, isAutomatic: true)
            );
    }

    [Fact]
    public void It_orders_once_however_long_the_balance_stays_low()
    {
        var crossed = GivenCrossed();
        Automatics(crossed).ShouldBe(1);
        Automatics(crossed.When(Turns(1, "r3")).When(Turns(1, "r4")).When(Sweep())).ShouldBe(1);
        crossed.After.AutoTopup.NextDue.ShouldBe(DateTimeOffset.MaxValue, "it waits for the payment");
    }

    [Fact]
    public void What_it_orders_is_paid_and_refunded_like_any_other_order()
    {
        var crossed = GivenCrossed();
        var paid = crossed.When(Pay(crossed));
        paid.After.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(7_600));
        paid.After.AutoTopup.Pending.ShouldBeNull();
        paid.When(Refund(1, Automatic(crossed).Order)).After.Wallet.Credits.ClawedBack.ShouldBe(Amount.Credits(7_500).Parts);
    }

    [Fact]
    public void It_orders_again_when_the_balance_has_been_above_and_falls_again()
    {
        var crossed = GivenCrossed();
        var paid = crossed.When(Pay(crossed));
        Automatics(paid).ShouldBe(1);
        Automatics(paid.When(Turns(1_500, "r3"))).ShouldBe(2);
    }

    /// <summary>What is bought does not lift the balance above the threshold: buying again and again would empty the card.</summary>
    [Fact]
    public void What_does_not_lift_the_balance_above_the_threshold_is_bought_once()
    {
        var crossed = Given110(On with { Threshold = Amount.Credits(50_000) }).When(Sweep());
        Automatics(crossed).ShouldBe(1);
        var paid = crossed.When(Pay(crossed));
        Automatics(paid).ShouldBe(1);
        Automatics(paid.When(Turns(1, "r3")).Later(TimeSpan.FromDays(3)).When(Turns(1, "r4"))).ShouldBe(1);
    }

    [Fact]
    public void It_orders_at_once_where_the_balance_is_low_when_it_is_switched_on() =>
        Automatics(Given110().When(Set(threshold: 110))).ShouldBe(1);

    [Fact]
    public void Whatever_lets_the_balance_fall_counts()
    {
        Automatics(Given110(On).When(new PlaceHold(Alice, Main, "chat", Quantity.Of(2), "h1", TimeSpan.FromHours(1)))).ShouldBe(1);
        Automatics(
                Given110(On, Granted(2, 50, expiresAt: Noon.AddHours(1)), Spent("2", 10, "r9", paid: Share(1, 10)))
                    .Later(TimeSpan.FromHours(1))
                    .When(Sweep())
            )
            .ShouldBe(1, "a pocket that lapses");
        Automatics(Given110(On).When(Refund(1))).ShouldBe(1, "a refund, and debt besides");
    }

    [Fact]
    public void A_refused_command_orders_nothing() => Given110(On).When(Turns(1_000)).ThenRejected(RejectionCode.InsufficientCredits);

    [Fact]
    public void After_a_declined_card_it_waits_an_hour_then_twice_as_long_each_time_a_day_at_most()
    {
        var scenario = Given110(On with { MaxPerDay = AutoTopup.MostPerDay }).When(Turns(2));
        var now = Noon;
        foreach (var hours in (int[])[1, 2, 4, 8, 16, 24, 24])
        {
            scenario = scenario.When(Decline(scenario));
            var ordered = Automatics(scenario);
            scenario.After.AutoTopup.NextDue.ShouldBe(now.AddHours(hours));
            scenario = scenario.At(now.AddHours(hours).AddTicks(-10)).When(Sweep($"early-{hours}-{now:O}"));
            Automatics(scenario).ShouldBe(ordered, $"before {hours} hours are over");
            now = now.AddHours(hours);
            scenario = scenario.At(now).When(Sweep($"due-{hours}-{now:O}"));
            Automatics(scenario).ShouldBe(ordered + 1, $"after {hours} hours");
        }
    }

    [Fact]
    public void A_payment_ends_the_back_off()
    {
        var crossed = GivenCrossed();
        var declined = crossed.When(Decline(crossed));
        var again = declined.Later(TimeSpan.FromHours(1)).When(Sweep());
        var paid = again.When(Pay(again));
        (paid.After.AutoTopup.Failures, paid.After.AutoTopup.RetryAt).ShouldBe((0, null));

        // Also one that the customer makes meanwhile, or the declined one that is paid after all.
        var late = declined.When(Pay(declined));
        (late.After.AutoTopup.Failures, late.After.AutoTopup.RetryAt).ShouldBe((0, null));
        var byHand = declined.And(Opened(new("order-9"), dollars: 1)).When(Confirm(Notice(1, "cs_9"), new OrderId("order-9")));
        (byHand.After.AutoTopup.Failures, byHand.After.AutoTopup.RetryAt).ShouldBe((0, null));
    }

    [Fact]
    public void An_order_that_nobody_paid_for_in_time_counts_as_declined()
    {
        var lapsed = GivenCrossed().Later(Orders.Lifetime).When(Sweep());
        lapsed.After.AutoTopup.Failures.ShouldBe(1);
        lapsed.After.NextScheduled.ShouldBe(Noon.AddHours(25));
        Automatics(lapsed.At(Noon.AddHours(25)).When(Sweep("sweep-2"))).ShouldBe(2);
    }

    [Fact]
    public void It_orders_so_often_a_day_at_most_and_goes_on_when_the_first_is_a_day_old()
    {
        var scenario = Given110(On);
        for (var round = 0; round < 3; round++)
        {
            scenario = scenario.At(Noon.AddHours(round)).When(Turns(round == 0 ? 2 : 1_500, $"down-{round}"));
            scenario = scenario.When(Pay(scenario));
        }

        Automatics(scenario).ShouldBe(3);
        scenario = scenario.At(Noon.AddHours(3)).When(Turns(1_500, "down-3"));
        Automatics(scenario).ShouldBe(3, "the ceiling");
        scenario.After.NextScheduled.ShouldBe(Noon.AddHours(24));
        Automatics(scenario.At(Noon.AddHours(24).AddTicks(-10)).When(Sweep("early"))).ShouldBe(3);
        Automatics(scenario.At(Noon.AddHours(24)).When(Sweep("due"))).ShouldBe(4);
    }

    [Fact]
    public void It_is_switched_off_and_orders_nothing_more()
    {
        var off = Given110(On).When(Set(isOn: false)).Then(On with { IsOn = false });
        Automatics(off.When(Turns(10, "down"))).ShouldBe(0);
        off.When(Set(isOn: false, request: "again")).ThenNothing();
        off.After.NextScheduled.ShouldBe(DateTimeOffset.MaxValue);
    }

    /// <summary>Otherwise whoever switches it off and on would buy beyond the ceiling, and beside a payment that is under way.</summary>
    [Fact]
    public void Switched_off_and_on_it_still_knows_what_it_has_ordered()
    {
        var crossed = GivenCrossed();
        var on = crossed.When(Set(isOn: false, request: "off")).When(Set(request: "on"));
        Automatics(on).ShouldBe(1);
        on.After.AutoTopup.Recent.ShouldBe([Noon]);
        var paid = on.When(Pay(on));
        paid.After.AutoTopup.Pending.ShouldBeNull();
    }

    [Fact]
    public void The_same_again_is_nothing_new_and_the_same_request_a_repeat()
    {
        var on = Given110().When(Set()).Then(On);
        on.When(Set(request: "again")).ThenNothing();
        on.When(Set()).ThenRepeated(On);
        on.When(Set(threshold: 50, request: "other")).Then(On with { Threshold = Amount.Credits(50) });
    }

    [Fact]
    public void Nothing_is_bought_where_nothing_was_ever_paid()
    {
        GivenAccount().When(Set()).ThenRejected(RejectionCode.NoPaymentMethod);
        GivenAccount(Opened()).When(Set()).ThenRejected(RejectionCode.NoPaymentMethod);
        Given110().When(Set(provider: "sandbox")).ThenRejected(RejectionCode.NoPaymentMethod);
        Given().When(Set()).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1_001)]
    public void What_could_not_be_bought_by_hand_cannot_be_bought_by_itself(long dollars) =>
        Given110().When(Set(dollars: dollars)).ThenRejected(RejectionCode.AmountOutOfRange);

    /// <summary>Whoever raised the least that one may buy for did not mean that less is charged for more.</summary>
    [Fact]
    public void Nothing_is_bought_on_terms_that_a_later_rate_card_rules_out() =>
        Automatics(
                Given110(On)
                    .Under(new RateCard(2, Noon, Prices.Document(5) with { Payg = new(Quantity.Of(7500), 5, 1000, "USD") }))
                    .When(Turns(2))
            )
            .ShouldBe(0);

    /// <summary>What is suspended may not act, and nobody acts for it: holds and pockets of it lapse all the same.</summary>
    [Fact]
    public void Nothing_is_bought_for_a_suspended_account()
    {
        var look = new RecordDue(Alice, EventIds.Request(Alice, "due"));
        AccountEvent[] crossed = [Spent("2", 10, "r9", paid: Share(1, 10)), On];
        Automatics(Given110(crossed).When(look)).ShouldBe(1);

        var suspended = Given110([.. crossed, new AccountSuspended("fraud")]).When(look);
        Automatics(suspended).ShouldBe(0);
        suspended.After.NextScheduled.ShouldBe(DateTimeOffset.MaxValue, "nor is it looked at again and again");
        Automatics(suspended.And(new AccountReinstated("cleared")).When(look)).ShouldBe(1);
    }
}
