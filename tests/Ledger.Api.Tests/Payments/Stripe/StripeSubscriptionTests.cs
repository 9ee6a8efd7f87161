using System.Text.Json.Nodes;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Testing;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>Subscriptions as Stripe tells of them, in both of its shapes and in any order.</summary>
public sealed class StripeSubscriptionTests(StripeShop shop) : IClassFixture<StripeShop>
{
    private const long Monthly = 2000;
    private readonly LedgerApp _app = shop.App;
    private readonly StripeWorld _world = shop.World;

    [Theory]
    [InlineData("completed invoice")]
    [InlineData("invoice completed")]
    [InlineData("invoice completed completed invoice")]
    [InlineData("updated completed invoice updated")]
    [InlineData("completed")]
    [InlineData("invoice")]
    public async Task Its_first_invoice_and_its_page_are_one_payment_in_whatever_order(string order)
    {
        var (account, bought) = await BoughtAsync();
        var told = new Dictionary<string, Telling>
        {
            ["completed"] = bought.Completed,
            ["invoice"] = bought.InvoicePaid!,
            ["updated"] = bought.Updated!,
        };
        foreach (var name in order.Split(' '))
            await shop.TellAsync(told[name]);
        var subscription = (await _app.ReadAsync(account)).Subscription;
        (subscription.Provider, subscription.Reference, subscription.Anchor).ShouldBe(("stripe", bought.Subscription, _app.Clock.Now));
        (await _app.AvailableAsync(account)).ShouldBe(Monthly);
        (await shop.GrantsAsync(account)).ShouldBe(1);
        (await _app.ReadAsync(account)).Orders.All.Values.Single().Payment.ShouldBe(bought.Invoice);
    }

    [Fact]
    public async Task A_first_invoice_in_the_shape_of_old_counts_the_same()
    {
        await using var own = new Own(await StripeShop.StartAsync());
        own.World.EndpointVersion = StripeWorld.OldVersion;
        var account = (await own.App.OpenAccountAsync()).Id;
        var (_, bought) = await own.Shop.SubscribeAsync(account);
        (await own.App.AvailableAsync(account)).ShouldBe(Monthly);
        own.App.Clock.Now = FixedClock.Start.AddMonths(1);
        await own.Shop.TellAsync(own.World.Renew(bought.Subscription!).InvoicePaid!);
        (await own.App.ReadAsync(account)).Subscription.Period.ShouldBe(1);
        await own.Shop.TellAsync(own.World.SetEnd(bought.Subscription!, atPeriodEnd: true));
        (await own.App.ReadAsync(account)).Subscription.EndsAt.ShouldBe(FixedClock.Start.AddMonths(2));
        await own.Shop.TellAsync(own.World.Refund(bought.Charge, 2000));
        (await own.App.ReadAsync(account)).Orders.All.Values.Count(order => order.Refunded > 0).ShouldBe(1);
    }

    [Fact]
    public async Task A_first_invoice_that_was_not_paid_fails_its_order_which_may_still_be_paid()
    {
        var (account, bought) = await BoughtAsync();
        await shop.TellAsync(_world.FailInvoice(bought.Subscription!, "subscription_create"));
        var order = (await _app.ReadAsync(account)).Orders.All.Values.Single();
        (order.Status, order.Reason).ShouldBe((OrderStatus.Failed, "payment_failed"));
        await shop.TellAsync(bought.InvoicePaid!);
        (await _app.AvailableAsync(account)).ShouldBe(Monthly);
    }

    [Fact]
    public async Task Where_somebody_removed_the_metadata_the_page_leads_to_the_order()
    {
        var (account, bought) = await BoughtAsync();
        _world.Change(bought.Subscription!, o => o["metadata"] = new JsonObject());
        var invoice = JsonNode.Parse(bought.InvoicePaid!.Body)!["data"]!["object"]!.AsObject();
        invoice["parent"]!["subscription_details"]!["metadata"] = new JsonObject();
        invoice["lines"]!["data"]![0]!["metadata"] = new JsonObject();
        var bare = _world.Tell("invoice.paid", invoice);
        await shop.TellAsync(bare, bare);
        (await _app.AvailableAsync(account)).ShouldBe(Monthly);

        // Paid already: our own notes lead there, and nobody is asked.
        var asked = shop.Stripe.Requests.Count;
        await shop.TellAsync(_world.Again(bare));
        shop.Stripe.Requests.Count.ShouldBe(asked);
        (await shop.GrantsAsync(account)).ShouldBe(1);
    }

    [Fact]
    public async Task Where_the_invoice_leaves_the_metadata_out_the_subscription_leads_to_the_order()
    {
        var (account, bought) = await BoughtAsync();
        var invoice = JsonNode.Parse(bought.InvoicePaid!.Body)!["data"]!["object"]!.AsObject();
        invoice["parent"]!["subscription_details"]!["metadata"] = null;
        invoice["lines"]!["data"]!.AsArray().Clear();
        await shop.TellAsync(_world.Tell("invoice.paid", invoice));
        (await _app.AvailableAsync(account)).ShouldBe(Monthly);
    }

    [Fact]
    public async Task Each_further_invoice_opens_its_period_once_and_late_ones_too()
    {
        await using var own = new Own(await StripeShop.StartAsync());
        var account = (await own.App.OpenAccountAsync()).Id;
        var (_, bought) = await own.Shop.SubscribeAsync(account);
        own.App.Clock.Now = FixedClock.Start.AddMonths(1).AddHours(1);
        var second = own.World.Renew(bought.Subscription!);
        await own.Shop.TellAsync(second.InvoicePaid!, second.InvoicePaid!, own.World.Again(second.InvoicePaid!));
        (await PeriodAsync()).ShouldBe((1, Monthly));
        (await own.Shop.GrantsAsync(account)).ShouldBe(2);

        // Unpaid: nothing begins, and what was there ends.
        own.App.Clock.Now = FixedClock.Start.AddMonths(2).AddHours(1);
        var unpaid = own.World.FailInvoice(bought.Subscription!, "subscription_cycle");
        await own.Shop.TellAsync(unpaid);
        (await own.Shop.NoteAsync(unpaid)).ShouldBe("ignored, renewal unpaid");
        (await PeriodAsync()).ShouldBe((1, 0));

        // Three days late.
        own.App.Clock.Now = FixedClock.Start.AddMonths(2).AddDays(3);
        await own.Shop.TellAsync(own.World.Renew(bought.Subscription!).InvoicePaid!);
        (await PeriodAsync()).ShouldBe((2, Monthly));

        async Task<(long, long)> PeriodAsync() =>
            ((await own.App.ReadAsync(account)).Subscription.Period, await own.App.AvailableAsync(account));
    }

    [Fact]
    public async Task A_further_invoice_that_comes_before_the_first_is_told_again_and_counts_then()
    {
        await using var own = new Own(await StripeShop.StartAsync());
        var account = (await own.App.OpenAccountAsync()).Id;
        var page = (await own.Shop.OpenAsync(account, OrderKind.Subscription, "pro")).Page!;
        var bought = own.World.Pay(page.Session);
        own.App.Clock.Now = FixedClock.Start.AddMonths(1);
        var second = own.World.Renew(bought.Subscription!);
        (await own.Shop.DeliverAsync(second.InvoicePaid!)).ShouldBe(404).Text("error", "code").ShouldBe("not_known_yet");
        await own.Shop.TellAsync(bought.InvoicePaid!);
        await own.Shop.TellAsync(second.InvoicePaid!, second.InvoicePaid!);
        (await own.App.ReadAsync(account)).Subscription.Period.ShouldBe(1);
        (await own.App.AvailableAsync(account)).ShouldBe(Monthly);
        (await own.Shop.GrantsAsync(account)).ShouldBe(2);
    }

    [Theory]
    [InlineData(1999)]
    [InlineData(0)]
    public async Task A_further_invoice_of_another_amount_is_recorded_and_opens_nothing(long cents)
    {
        var (account, bought) = await BoughtAsync();
        await shop.TellAsync(bought.InvoicePaid!);
        var wrong = _world.Renew(bought.Subscription!, cents).InvoicePaid!;
        await shop.TellAsync(wrong, _world.Again(wrong));
        (await shop.NoteAsync(wrong)).ShouldBe("mismatched, amount");
        (await _app.ReadAsync(account)).Subscription.Period.ShouldBe(0);
        (await shop.GrantsAsync(account)).ShouldBe(1);
    }

    // ---- its end

    [Fact]
    public async Task What_the_customer_decides_about_the_end_is_followed_and_only_that()
    {
        var (account, bought) = await SubscribedAsync();
        var set = _world.SetEnd(bought.Subscription!, atPeriodEnd: true);
        await shop.TellAsync(set, set);
        (await _app.ReadAsync(account)).Subscription.EndsAt.ShouldBe(_app.Clock.Now.AddMonths(1));

        // A change of the price is none of the end.
        await shop.TellAsync(_world.Tell("customer.subscription.updated", _world.Show(bought.Subscription!), new() { ["items"] = null }));
        (await _app.ReadAsync(account)).Subscription.EndsAt.ShouldNotBeNull();
        await shop.TellAsync(_world.SetEnd(bought.Subscription!, atPeriodEnd: false));
        (await _app.ReadAsync(account)).Subscription.EndsAt.ShouldBeNull();
    }

    [Fact]
    public async Task Of_decisions_that_come_in_the_wrong_order_the_last_one_holds()
    {
        var (account, bought) = await SubscribedAsync();
        var ends = _world.SetEnd(bought.Subscription!, atPeriodEnd: true);
        var goesOn = _world.SetEnd(bought.Subscription!, atPeriodEnd: false);
        await shop.TellAsync(goesOn, ends);
        (await _app.ReadAsync(account)).Subscription.EndsAt.ShouldBeNull();
        await shop.TellAsync(_world.SetEnd(bought.Subscription!, atPeriodEnd: true), goesOn);
        (await _app.ReadAsync(account)).Subscription.EndsAt.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("deleted updated")]
    [InlineData("updated deleted")]
    [InlineData("deleted updated updated deleted")]
    public async Task A_subscription_that_is_over_stays_over(string order)
    {
        var (account, bought) = await SubscribedAsync();
        var updated = _world.SetEnd(bought.Subscription!, atPeriodEnd: true);
        var told = new Dictionary<string, Telling> { ["updated"] = updated, ["deleted"] = _world.End(bought.Subscription!) };
        foreach (var name in order.Split(' '))
            await shop.TellAsync(told[name]);

        (await _app.ReadAsync(account)).Subscription.EndedAt.ShouldNotBeNull();

        // What was paid for is theirs until the period ends.
        (await _app.AvailableAsync(account)).ShouldBe(Monthly);
        (await _app.EventsAsync(account)).Count(stored => stored.Type == "subscription_ended").ShouldBe(1);
    }

    [Fact]
    public async Task An_end_that_comes_before_the_beginning_is_told_again()
    {
        var (account, bought) = await BoughtAsync();
        var over = _world.End(bought.Subscription!);
        (await shop.DeliverAsync(over)).ShouldBe(404);
        await shop.TellAsync(bought.InvoicePaid!);
        (await _app.ReadAsync(account)).Subscription.IsActive.ShouldBeTrue();
        await shop.TellAsync(over);
        (await _app.ReadAsync(account)).Subscription.IsActive.ShouldBeFalse();
    }

    [Fact]
    public async Task The_end_of_a_subscription_that_another_has_replaced_is_nobodys()
    {
        var (account, first) = await SubscribedAsync();
        await shop.TellAsync(_world.End(first.Subscription!));
        var page = (await shop.OpenAsync(account, OrderKind.Subscription, "pro")).Page!;
        var second = _world.Pay(page.Session);
        await shop.TellAsync(second.Completed);
        var again = _world.Tell("customer.subscription.deleted", first.Subscription!);
        await shop.TellAsync(again);
        (await shop.NoteAsync(again)).ShouldBe("unmatched, no such subscription");
        (await _app.ReadAsync(account)).Subscription.ShouldSatisfyAllConditions(
            s => s.IsActive.ShouldBeTrue(),
            s => s.Reference.ShouldBe(second.Subscription)
        );
    }

    [Fact]
    public async Task A_lower_level_from_the_next_period_on_survives_what_Stripe_tells_of_it()
    {
        await using var own = new Own(await StripeShop.StartAsync());
        await own.App.PublishAsync(card =>
            card with
            {
                Tiers =
                [
                    .. card.Tiers,
                    card.Tiers[0] with
                    {
                        Id = "lite",
                        PriceUsd = Quantity.Parse("5"),
                        CreditsPerMonth = Quantity.Parse("300"),
                    },
                ],
            }
        );
        var account = (await own.App.OpenAccountAsync()).Id;
        var (_, bought) = await own.Shop.SubscribeAsync(account);

        // It was to end; now it is to go on at another level. Both are told to Stripe, and Stripe tells of both.
        await own.App.ExecuteAsync(new EndSubscription(account, EventIds.Request(account, "r1"), true, "canceled"));
        await Eventually.IsSoAsync(() => own.World.Show(bought.Subscription!)["cancel_at_period_end"]!.GetValue<bool>());
        await own.App.ExecuteAsync(new ChangeSubscription(account, EventIds.Request(account, "r2"), "lite", true));
        await Eventually.IsSoAsync(() =>
            own.World.Show(bought.Subscription!)["items"]!["data"]![0]!["price"]!["unit_amount"]!.GetValue<long>() == 500
        );
        own.World.Told.Count.ShouldBe(3);
        await own.Shop.TellAsync([.. own.World.Told]);
        await own.Shop.TellAsync([.. own.World.Told.AsEnumerable().Reverse()]);
        (await own.App.ReadAsync(account)).Subscription.ShouldSatisfyAllConditions(
            s => s.EndsAt.ShouldBeNull(),
            s => s.Next!.Tier.ShouldBe("lite")
        );

        own.App.Clock.Now = FixedClock.Start.AddMonths(1);
        await own.Shop.TellAsync(own.World.Renew(bought.Subscription!).InvoicePaid!);
        (await own.App.ReadAsync(account)).Subscription.Terms!.Tier.ShouldBe("lite");
        (await own.App.AvailableAsync(account)).ShouldBe(300);
    }

    // ---- money that goes back

    [Theory]
    [InlineData("completed refunded", 1000)]
    [InlineData("refunded completed", 1000)]
    [InlineData("refunded invoice", 1000)]
    [InlineData("invoice refunded refunded", 1000)]
    [InlineData("withdrawn invoice", 0)]
    [InlineData("invoice withdrawn", 0)]
    [InlineData("withdrawn completed reinstated", Monthly)]
    [InlineData("reinstated withdrawn completed", Monthly)]
    public async Task A_refund_or_dispute_of_the_first_invoice_finds_its_order(string order, long left)
    {
        var (account, bought) = await BoughtAsync();
        var (dispute, withdrawn) = _world.Dispute(bought.Charge);
        var told = new Dictionary<string, Telling>
        {
            ["completed"] = bought.Completed,
            ["invoice"] = bought.InvoicePaid!,
            ["refunded"] = _world.Refund(bought.Charge, 1000),
            ["withdrawn"] = withdrawn,
            ["reinstated"] = _world.Win(dispute),
        };
        foreach (var name in order.Split(' '))
            await shop.TellAsync(told[name]);
        (await _app.AvailableAsync(account)).ShouldBe(left);
    }

    [Fact]
    public async Task A_refund_of_a_further_invoice_takes_back_its_period_and_is_told_again_until_that_is_known()
    {
        await using var own = new Own(await StripeShop.StartAsync());
        var account = (await own.App.OpenAccountAsync()).Id;
        var (_, bought) = await own.Shop.SubscribeAsync(account);
        own.App.Clock.Now = FixedClock.Start.AddMonths(1);
        var second = own.World.Renew(bought.Subscription!);
        var refunded = own.World.Refund(second.Charge, 2000);
        (await own.Shop.DeliverAsync(refunded)).ShouldBe(404);
        await own.Shop.TellAsync(second.InvoicePaid!);
        (await own.App.AvailableAsync(account)).ShouldBe(Monthly);
        await own.Shop.TellAsync(refunded, refunded);
        (await own.App.AvailableAsync(account)).ShouldBe(0);
        var orders = (await own.App.ReadAsync(account)).Orders.All.Values;
        orders.Single(order => order.Payment == second.Invoice).Refunded.ShouldBe(Amount.Usd(20).Parts);
        orders.Single(order => order.Payment == bought.Invoice).Refunded.ShouldBe(0);
    }

    private async Task<(AccountId Account, Purchase Purchase)> SubscribedAsync()
    {
        var (account, bought) = await BoughtAsync();
        await shop.TellAsync(bought.Completed, bought.InvoicePaid!);
        return (account, bought);
    }

    /// <summary>A subscription that was paid, of which nothing is told yet.</summary>
    private async Task<(AccountId Account, Purchase Purchase)> BoughtAsync()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var page = (await shop.OpenAsync(account, OrderKind.Subscription, "pro")).Page!;
        return (account, _world.Pay(page.Session));
    }

    /// <summary>A shop of one test's own, whose clock it may put forward.</summary>
    private sealed record Own(StripeShop Shop) : IAsyncDisposable
    {
        public LedgerApp App => Shop.App;

        public StripeWorld World => Shop.World;

        public ValueTask DisposeAsync() => Shop.DisposeAsync();
    }
}
