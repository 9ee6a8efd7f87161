using Ledger.Api.Payments;
using Ledger.Api.Payments.Stripe;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>What Stripe is asked for.</summary>
public sealed class StripeProviderTests(StripeShop shop) : IClassFixture<StripeShop>
{
    private static readonly Uri Server = new("http://ledger.test:5080/");
    private readonly StripeWorld _world = shop.World;

    private IPaymentProvider Provider => shop.Desk.Provider;

    [Fact]
    public async Task A_page_for_credits_carries_the_order_wherever_Stripe_may_speak_of_it()
    {
        var account = (await shop.App.OpenAccountAsync()).Id;
        var (order, session) = await shop.OrderCreditsAsync(account);
        var customer = (await shop.App.ReadAsync(account)).Orders.CustomerAt("stripe")!;
        var page = _world.Show(session);
        (page["client_reference_id"]!.GetValue<string>(), page["customer"]!.GetValue<string>()).ShouldBe((order.Id.Value, customer));
        _world.Show(customer)["metadata"]!.ToJsonString().ShouldBe($$"""{"account":"{{account}}"}""");
        Asked("/v1/checkout/sessions", order)
            .Form.ShouldBe(
                new Dictionary<string, string>
                {
                    ["mode"] = "payment",
                    ["customer"] = customer,
                    ["client_reference_id"] = order.Id.Value,
                    ["success_url"] = "http://ledger.test/?checkout=paid&session_id={CHECKOUT_SESSION_ID}",
                    ["cancel_url"] = "http://ledger.test/?checkout=canceled",
                    ["expires_at"] = "1783165800",
                    ["adaptive_pricing[enabled]"] = "false",
                    ["line_items[0][quantity]"] = "1",
                    ["line_items[0][price_data][currency]"] = "usd",
                    ["line_items[0][price_data][unit_amount]"] = "1000",
                    ["line_items[0][price_data][product_data][name]"] = "Credits",
                    ["metadata[order]"] = order.Id.Value,
                    ["metadata[account]"] = account.Value,
                    ["payment_intent_data[metadata][order]"] = order.Id.Value,
                    ["payment_intent_data[metadata][account]"] = account.Value,
                    ["payment_intent_data[setup_future_usage]"] = "off_session",
                },
                ignoreOrder: true
            );
    }

    [Fact]
    public async Task A_page_for_a_subscription_bills_a_product_of_its_level_each_month()
    {
        var account = (await shop.App.OpenAccountAsync()).Id;
        var order = (await shop.OpenAsync(account, OrderKind.Subscription, "pro")).Order!;
        var form = Asked("/v1/checkout/sessions", order).Form;
        form["mode"].ShouldBe("subscription");
        form["line_items[0][price_data][unit_amount]"].ShouldBe("2000");
        form["line_items[0][price_data][product]"].ShouldBe("ledger_tier_pro");
        form["line_items[0][price_data][recurring][interval]"].ShouldBe("month");
        form["subscription_data[metadata][order]"].ShouldBe(order.Id.Value);
        form["subscription_data[metadata][account]"].ShouldBe(account.Value);
        form.Keys.ShouldNotContain(name => name.StartsWith("payment_intent_data", StringComparison.Ordinal));

        // There already, for the next one; also when the key is forgotten.
        shop.Stripe.ForgetKeys();
        (await shop.OpenAsync((await shop.App.OpenAccountAsync()).Id, OrderKind.Subscription, "pro")).Refusal.ShouldBeNull();
        _world.Show("ledger_tier_pro")["name"]!.GetValue<string>().ShouldBe("Subscription pro");
    }

    [Theory]
    [InlineData(OrderKind.Topup, null, "Balance top-up", "1000")]
    [InlineData(OrderKind.Pack, "deepseek-chat-20k", "Pack deepseek-chat-20k", "900")]
    public async Task Every_purchase_has_a_name_and_a_price_in_cents(OrderKind kind, string? item, string name, string cents)
    {
        var account = (await shop.App.OpenAccountAsync()).Id;
        var order = (await shop.OpenAsync(account, kind, item, item is null ? Amount.Usd(10) : null)).Order!;
        var form = Asked("/v1/checkout/sessions", order).Form;
        form["line_items[0][price_data][product_data][name]"].ShouldBe(name);
        form["line_items[0][price_data][unit_amount]"].ShouldBe(cents);
    }

    [Fact]
    public async Task An_account_is_one_customer_however_often_it_buys()
    {
        var account = (await shop.App.OpenAccountAsync()).Id;
        var sessions = new[]
        {
            (await shop.OrderCreditsAsync(account)).Session,
            (await shop.OrderCreditsAsync(account)).Session,
            (await shop.OrderCreditsAsync(account)).Session,
        };
        sessions.Select(session => _world.Show(session)["customer"]!.GetValue<string>()).Distinct().Count().ShouldBe(1);
        _world.All("customer").Count(customer => customer["metadata"]!["account"]!.GetValue<string>() == account.Value).ShouldBe(1);
    }

    [Theory]
    [InlineData(null, "http://ledger.test:5080/?checkout=canceled")]
    [InlineData("https://shop.example/billing", "https://shop.example/billing?checkout=canceled")]
    [InlineData("https://shop.example/?page=billing", "https://shop.example/?page=billing&checkout=canceled")]
    [InlineData("https://shop.example/app?a=b#/billing", "https://shop.example/app?a=b&checkout=canceled#/billing")]
    public async Task Customers_come_back_to_where_the_operator_says(string? returnUrl, string expected)
    {
        using var api = new StripeApi(
            new() { ApiKey = StripeStandIn.ApiKey, BaseUrl = shop.Stripe.Address },
            shop.App.Clock,
            NullLogger<StripeApi>.Instance
        );
        var provider = new StripeProvider(
            api,
            new() { ReturnUrl = returnUrl is null ? null : new(returnUrl) },
            shop.App.Services.GetRequiredService<StripeLookup>()
        );
        var account = (await shop.App.OpenAccountAsync()).Id;
        var order = (await shop.OrderCreditsAsync(account)).Order with { Session = null };
        shop.Stripe.ForgetKeys();
        var page = await provider.OpenCheckoutAsync(account, order, Server, CancellationToken.None);
        page.Url.ShouldEndWith(page.Session);
        _world.Show(page.Session)["cancel_url"]!.GetValue<string>().ShouldBe(expected);

        // But whoever comes from a page of ours comes back to it.
        shop.Stripe.ForgetKeys();
        page = await provider.OpenCheckoutAsync(account, order, new(Server, "/packs"), CancellationToken.None);
        _world.Show(page.Session)["cancel_url"]!.GetValue<string>().ShouldBe("http://ledger.test:5080/packs?checkout=canceled");
    }

    [Fact]
    public async Task A_page_that_can_still_be_paid_is_found_again_wherever_one_comes_back_to()
    {
        var account = (await shop.App.OpenAccountAsync()).Id;
        var (order, session) = await shop.OrderCreditsAsync(account);
        var again = await Provider.OpenCheckoutAsync(account, order, new(Server, "/credits"), CancellationToken.None);
        again.ShouldBe(new(session, "https://checkout.stripe.test/c/pay/" + session));

        // Also when Stripe has forgotten the key; and only while it is open.
        shop.Stripe.ForgetKeys();
        (await Provider.OpenCheckoutAsync(account, order, Server, CancellationToken.None)).Session.ShouldBe(session);
        _world.Expire(session);
        (await Provider.OpenCheckoutAsync(account, order, Server, CancellationToken.None)).Session.ShouldNotBe(session);
    }

    [Fact]
    public async Task The_portal_is_opened_for_the_customer_and_leads_back()
    {
        var account = (await shop.App.OpenAccountAsync()).Id;
        await shop.OrderCreditsAsync(account);
        var customer = (await shop.App.ReadAsync(account)).Orders.CustomerAt("stripe")!;
        var first = await Provider.OpenPortalAsync(account, customer, Server, CancellationToken.None);
        var second = await Provider.OpenPortalAsync(account, customer, Server, CancellationToken.None);
        first.ShouldStartWith("https://billing.stripe.test/p/session/");
        second.ShouldNotBe(first);
        _world.All("billing_portal.session")[0]["return_url"]!.GetValue<string>().ShouldBe("http://ledger.test:5080/");
        _world.All("billing_portal.session")[0]["customer"]!.GetValue<string>().ShouldBe(customer);
    }

    [Theory]
    [InlineData(10_000_000, 1)]
    [InlineData(19_990_000_000, 1999)]
    [InlineData(1_000_000_000_000_000_000, 100_000_000_000)]
    public void Money_is_cents_at_Stripe(long parts, long cents) => StripeProvider.CentsOf(new(parts, Unit.Usd)).ShouldBe(cents);

    [Theory]
    [InlineData(10_000_001, Unit.Usd)]
    [InlineData(9_999_999, Unit.Usd)]
    [InlineData(10_000_000, Unit.Credits)]
    public void A_price_that_nobody_can_pay_is_never_asked_for(long parts, Unit unit) =>
        Should.Throw<PaymentProviderException>(() => StripeProvider.CentsOf(new(parts, unit))).IsFinal.ShouldBeTrue();

    // ---- behind its holder's back

    [Fact]
    public async Task A_saved_card_is_charged_once_however_often_it_is_asked_for()
    {
        var (account, order) = await WithCardAsync(CardKind.Good);
        var paid = (await ChargeAsync(account, order)).ShouldBeOfType<ChargeOutcome.Paid>().Payment;
        (paid.Provider, paid.Amount, paid.Currency, paid.Customer, paid.Intent).ShouldBe(
            ("stripe", Amount.Usd(10), "USD", order.Customer, paid.Id)
        );
        Asked("/v1/payment_intents", order).Form["off_session"].ShouldBe("true");
        (await ChargeAsync(account, order)).ShouldBe(new ChargeOutcome.Paid(paid));

        // Nor where the key is forgotten and the card was changed meanwhile.
        shop.Stripe.ForgetKeys();
        _world.SaveCard(order.Customer!, CardKind.Good, isChosen: true);
        (await ChargeAsync(account, order)).ShouldBe(new ChargeOutcome.Paid(paid));
        IntentsOf(order).ShouldBe(1);
    }

    [Fact]
    public async Task A_charge_whose_answer_was_lost_is_not_made_again()
    {
        var (account, order) = await WithCardAsync(CardKind.Good);
        shop.Stripe.Trouble(StripeTrouble.AnswerLost, 4, "/v1/payment_intents");
        (await Should.ThrowAsync<PaymentProviderException>(() => ChargeAsync(account, order))).IsFinal.ShouldBeFalse();
        shop.Stripe.Recover();
        shop.Stripe.Trouble(StripeTrouble.AnswerLost, 1, "/v1/payment_methods");
        (await ChargeAsync(account, order)).ShouldBeOfType<ChargeOutcome.Paid>();
        IntentsOf(order).ShouldBe(1);
        shop.Stripe.Recover();
    }

    [Theory]
    [InlineData(CardKind.Declined, "card_declined")]
    [InlineData(CardKind.AsksForItsHolder, "authentication_required")]
    public async Task A_card_that_is_not_charged_says_why_and_is_not_tried_again_for_the_same_order(CardKind kind, string reason)
    {
        var (account, order) = await WithCardAsync(kind);
        (await ChargeAsync(account, order)).ShouldBe(new ChargeOutcome.Declined(reason));
        (await ChargeAsync(account, order)).ShouldBe(new ChargeOutcome.Declined(reason));
        IntentsOf(order).ShouldBe(1);
    }

    [Fact]
    public async Task A_payment_that_waits_for_its_holder_is_declined()
    {
        var (account, order) = await WithCardAsync(CardKind.Declined);
        await ChargeAsync(account, order);
        var intent = _world.All("payment_intent")[0]["id"]!.GetValue<string>();
        _world.Change(intent, o => o["status"] = "requires_action");
        (await ChargeAsync(account, order)).ShouldBe(new ChargeOutcome.Declined("authentication_required"));
        _world.Change(intent, o => o["status"] = "canceled");
        (await ChargeAsync(account, order)).ShouldBe(new ChargeOutcome.Declined("canceled"));
    }

    [Fact]
    public async Task Where_no_card_is_saved_there_is_nothing_to_charge()
    {
        var (account, order) = await WithCardAsync(CardKind.Good);
        _world.ForgetCards(order.Customer!);
        (await ChargeAsync(account, order)).ShouldBe(new ChargeOutcome.Declined("no_payment_method"));
        (await ChargeAsync(account, order with { Customer = null })).ShouldBe(new ChargeOutcome.Declined("no_payment_method"));
        IntentsOf(order).ShouldBe(0);
    }

    [Fact]
    public async Task A_payment_that_takes_its_time_is_told_of_when_it_is_there()
    {
        var (account, order) = await WithCardAsync(CardKind.TakesItsTime);
        (await Should.ThrowAsync<PaymentProviderException>(() => ChargeAsync(account, order))).IsFinal.ShouldBeTrue();
        var told = _world.Succeed(_world.All("payment_intent")[0]["id"]!.GetValue<string>());
        await shop.TellAsync(told, told, _world.Again(told));
        (await shop.ReadAsync(account, order.Id)).Status.ShouldBe(OrderStatus.Paid);
        (await shop.App.AvailableAsync(account)).ShouldBe(75_000);
    }

    // ---- subscriptions

    [Fact]
    public async Task A_subscription_is_billed_by_other_terms_from_its_next_period_on()
    {
        var (_, bought) = await SubscribedAsync();
        var terms = new SubscriptionTerms("team/eu", 1, Amount.Usd(50), Amount.Credits(1), 1);
        var change = EventIds.Derive(new("acc"), "test", bought.Subscription!);
        await Provider.ChangeSubscriptionAsync(bought.Subscription!, terms, change, CancellationToken.None);
        var price = _world.Show(bought.Subscription!)["items"]!["data"]![0]!["price"]!;
        (price["unit_amount"]!.GetValue<long>(), price["product"]!.GetValue<string>()).ShouldBe((5000, "ledger_tier_team_eu"));
        var asked = shop.Stripe.Requests.Last(request => request.Method == "POST");
        (asked.Path, asked.Key).ShouldBe(("/v1/subscriptions/" + bought.Subscription, $"ledger-change-{change:N}"));
        asked.Form["proration_behavior"].ShouldBe("none");

        // Already so.
        await Provider.ChangeSubscriptionAsync(bought.Subscription!, terms, Guid.Empty, CancellationToken.None);
        shop.Stripe.Requests.Last(request => request.Method == "POST" && request.Path.Contains("subscriptions", StringComparison.Ordinal))
            .ShouldBe(asked);
    }

    [Fact]
    public async Task A_subscription_can_be_ended_and_kept_again_and_again()
    {
        var (_, bought) = await SubscribedAsync();
        for (var round = 0; round < 3; round++)
        {
            await Provider.EndSubscriptionAsync(bought.Subscription!, atPeriodEnd: true, CancellationToken.None);
            IsToEnd().ShouldBeTrue();
            await Provider.KeepSubscriptionAsync(bought.Subscription!, CancellationToken.None);
            IsToEnd().ShouldBeFalse();
        }

        // As the portal may say it.
        _world.SetEnd(bought.Subscription!, atPeriodEnd: false, cancelAt: shop.App.Clock.Now.AddMonths(1).ToUnixTimeSeconds());
        await Provider.KeepSubscriptionAsync(bought.Subscription!, CancellationToken.None);
        _world.Show(bought.Subscription!)["cancel_at"].ShouldBeNull();

        // Nothing to keep: nothing is asked for.
        var asked = shop.Stripe.Requests.Count(request => request.Method == "POST");
        await Provider.KeepSubscriptionAsync(bought.Subscription!, CancellationToken.None);
        shop.Stripe.Requests.Count(request => request.Method == "POST").ShouldBe(asked);

        bool IsToEnd() => _world.Show(bought.Subscription!)["cancel_at_period_end"]!.GetValue<bool>();
    }

    [Fact]
    public async Task A_subscription_that_is_over_cannot_be_ended_again_which_is_no_fault()
    {
        var (_, bought) = await SubscribedAsync();
        await Provider.EndSubscriptionAsync(bought.Subscription!, atPeriodEnd: false, CancellationToken.None);
        _world.Show(bought.Subscription!)["status"]!.GetValue<string>().ShouldBe("canceled");
        foreach (var name in (string[])[bought.Subscription!, "sub_that_never_was"])
        {
            await Provider.EndSubscriptionAsync(name, atPeriodEnd: false, CancellationToken.None);
            await Provider.EndSubscriptionAsync(name, atPeriodEnd: true, CancellationToken.None);
        }

        // To keep or change it is one.
        (
            await Should.ThrowAsync<PaymentProviderException>(() =>
                Provider.KeepSubscriptionAsync("sub_that_never_was", CancellationToken.None)
            )
        ).IsFinal.ShouldBeTrue();
        (
            await Should.ThrowAsync<PaymentProviderException>(() =>
                Provider.ChangeSubscriptionAsync(
                    bought.Subscription!,
                    new("max", 1, Amount.Usd(50), Amount.Credits(1), 1),
                    Guid.Empty,
                    CancellationToken.None
                )
            )
        ).IsFinal.ShouldBeTrue();
    }

    [Fact]
    public async Task A_refusal_to_end_a_subscription_that_goes_on_is_a_fault()
    {
        var (_, bought) = await SubscribedAsync();
        shop.Stripe.Trouble(StripeTrouble.Forbidden, path: "/v1/subscriptions");
        (
            await Should.ThrowAsync<PaymentProviderException>(() =>
                Provider.EndSubscriptionAsync(bought.Subscription!, atPeriodEnd: false, CancellationToken.None)
            )
        ).IsFinal.ShouldBeFalse("a key that is refused will be mended, and who cancelled must not be billed until then and on");
    }

    private async Task<(Order Order, Purchase Purchase)> SubscribedAsync() =>
        await shop.SubscribeAsync((await shop.App.OpenAccountAsync()).Id);

    /// <summary>An account that has a card at Stripe, and an order for ten dollars that nobody is there to pay.</summary>
    private async Task<(AccountId Account, Order Order)> WithCardAsync(CardKind kind)
    {
        var account = (await shop.App.OpenAccountAsync()).Id;
        var order = (await shop.OrderCreditsAsync(account)).Order;
        _world.SaveCard(order.Customer!, CardKind.Declined);
        _world.SaveCard(order.Customer!, kind);
        return (account, order);
    }

    private Task<ChargeOutcome> ChargeAsync(AccountId account, Order order) => Provider.ChargeAsync(account, order, CancellationToken.None);

    private int IntentsOf(Order order) =>
        _world.All("payment_intent").Count(intent => intent["metadata"]!["order"]?.GetValue<string>() == order.Id.Value);

    private StripeRequest Asked(string path, Order order) =>
        shop.Stripe.Requests.Single(request =>
            request.Path == path && request.Method == "POST" && request.Form.GetValueOrDefault("metadata[order]") == order.Id.Value
        );
}
