using System.Text.Json;
using System.Text.Json.Nodes;
using Ledger.Api.Payments;
using Ledger.Api.Payments.Stripe;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Testing;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>What Stripe tells, in our words: the same in both of the shapes that it has had.</summary>
public sealed class StripeEventsTests
{
    private const string Now = StripeWorld.ApiVersion;
    private const string Before = StripeWorld.OldVersion;
    private static readonly AccountId Account = new("acc0000000000001");
    private static readonly OrderId Bought = new("order00000000001");
    private readonly FixedClock _clock = new();
    private readonly StripeWorld _world;

    public StripeEventsTests() => _world = new(_clock);

    [Theory]
    [InlineData(Now)]
    [InlineData(Before)]
    public void A_page_was_paid(string version)
    {
        _world.EndpointVersion = version;
        var page = Page("payment");
        var paid = _world.Pay(page);
        _clock.Advance(TimeSpan.FromMinutes(1));
        Translate(paid.Completed)
            .Event.ShouldBe(
                new ProviderEvent.Paid(
                    paid.Completed.Id,
                    "checkout.session.completed",
                    new(Account, Bought, page, paid.Intent),
                    new("stripe", paid.Intent, paid.Intent, Amount.Usd(20), "USD", Customer, null, FixedClock.Start)
                )
            );
    }

    [Fact]
    public void A_page_that_is_done_is_not_paid_yet_where_the_money_takes_its_time()
    {
        var page = Page("payment");
        Nothing(_world.PaySlowly(page)).ShouldBe("unpaid");
        Translate(_world.FailSlowly(page)).Event.ShouldBeOfType<ProviderEvent.Failed>().Hint.ShouldBe(new(Account, Bought, page));
        var came = Translate(_world.ComeSlowly(page)).Event.ShouldBeOfType<ProviderEvent.Paid>();
        came.Payment.Amount.ShouldBe(Amount.Usd(20));
        came.Hint.Order.ShouldBe(Bought);
    }

    [Fact]
    public void A_page_that_takes_no_money_says_nothing()
    {
        var page = Page("payment");
        _world.Change(page, o => o["payment_status"] = "no_payment_required");
        Nothing(_world.Tell("checkout.session.completed", page)).ShouldBe("no_payment_required");
        _world.Change(page, o => (o["mode"], o["payment_status"]) = ("setup", "paid"));
        Nothing(_world.Tell("checkout.session.completed", page)).ShouldBe("setup");
    }

    [Fact]
    public void A_page_was_closed_unpaid()
    {
        var page = Page("payment");
        var closed = _world.Expire(page);
        Translate(closed).Event.ShouldBe(new ProviderEvent.Expired(closed.Id, "checkout.session.expired", new(Account, Bought, page)));
    }

    [Theory]
    [InlineData(Now)]
    [InlineData(Before)]
    public void A_subscription_was_bought(string version)
    {
        _world.EndpointVersion = version;
        var page = Page("subscription");
        var bought = _world.Pay(page);
        var payment = new PaymentNotice(
            "stripe",
            bought.Invoice!,
            null,
            Amount.Usd(20),
            "USD",
            Customer,
            bought.Subscription,
            FixedClock.Start
        );
        Translate(bought.Completed)
            .Event.ShouldBe(
                new ProviderEvent.InvoicePaid(
                    bought.Completed.Id,
                    "checkout.session.completed",
                    new(Account, Bought, page),
                    payment,
                    IsFirst: true
                )
            );

        // Of the two, only an invoice of old names the payment by itself.
        var intent = version == Before ? bought.Intent : null;
        Translate(bought.InvoicePaid!)
            .Event.ShouldBe(
                new ProviderEvent.InvoicePaid(
                    bought.InvoicePaid!.Id,
                    "invoice.paid",
                    new(Account, Bought, null, intent),
                    payment with
                    {
                        Intent = intent,
                    },
                    IsFirst: true
                )
            );
    }

    [Fact]
    public void An_invoice_names_its_payment_where_the_endpoint_asks_for_that()
    {
        _world.TellsPayments = true;
        var bought = _world.Pay(Page("subscription"));
        Translate(bought.InvoicePaid!).Event.ShouldBeOfType<ProviderEvent.InvoicePaid>().Payment.Intent.ShouldBe(bought.Intent);
    }

    [Theory]
    [InlineData(Now)]
    [InlineData(Before)]
    public void A_further_invoice_opens_the_period_that_its_line_says(string version)
    {
        _world.EndpointVersion = version;
        var bought = _world.Pay(Page("subscription"));

        // Paid three days late.
        _clock.Now = FixedClock.Start.AddMonths(1).AddDays(3);
        var renewed = _world.Renew(bought.Subscription!);
        var told = Translate(renewed.InvoicePaid!);
        var paid = told.Event.ShouldBeOfType<ProviderEvent.InvoicePaid>();
        paid.IsFirst.ShouldBeFalse();
        paid.Payment.Id.ShouldBe(renewed.Invoice);
        paid.Payment.Subscription.ShouldBe(bought.Subscription);
        paid.Payment.At.ShouldBe(FixedClock.Start.AddMonths(1));
        (told.Subscription, told.Invoice).ShouldBe((bought.Subscription, renewed.Invoice));
    }

    [Theory]
    [InlineData(Now)]
    [InlineData(Before)]
    public void The_metadata_of_a_subscription_may_be_in_any_of_three_places(string version)
    {
        _world.EndpointVersion = version;
        var bought = _world.Pay(Page("subscription"));
        var invoice = JsonNode.Parse(bought.InvoicePaid!.Body)!["data"]!["object"]!.AsObject();
        if (version == Now)
            invoice["parent"]!["subscription_details"]!.AsObject().Remove("metadata");
        else
            invoice.Remove("subscription_details");
        Translate(_world.Tell("invoice.paid", invoice)).Hint.Order.ShouldBe(Bought);
    }

    [Theory]
    [InlineData(Now)]
    [InlineData(Before)]
    public void A_first_invoice_that_fails_fails_its_order_and_a_later_one_says_nothing(string version)
    {
        _world.EndpointVersion = version;
        var subscription = _world.Pay(Page("subscription")).Subscription!;
        var failed = Translate(_world.FailInvoice(subscription, "subscription_create")).Event.ShouldBeOfType<ProviderEvent.Failed>();
        (failed.Hint.Order, failed.Reason).ShouldBe((Bought, "payment_failed"));
        Nothing(_world.FailInvoice(subscription, "subscription_cycle")).ShouldBe("renewal unpaid");
    }

    [Fact]
    public void An_invoice_that_somebody_made_by_hand_says_nothing()
    {
        var bought = _world.Pay(Page("subscription"));
        _world.Change(bought.Invoice!, o => o["billing_reason"] = "manual");
        Nothing(_world.Tell("invoice.paid", bought.Invoice!)).ShouldBe("manual");
        var other = JsonNode.Parse("""{"id":"in_other","object":"other","billing_reason":"manual","amount_paid":100}""")!.AsObject();
        Nothing(_world.Tell("invoice.paid", other)).ShouldBe("not of a subscription");
        Nothing(_world.Tell("invoice.payment_failed", other)).ShouldBe("not of a subscription");
    }

    [Theory]
    [InlineData(Now)]
    [InlineData(Before)]
    public void A_subscription_is_to_end_or_not(string version)
    {
        _world.EndpointVersion = version;
        var bought = _world.Pay(Page("subscription"));
        var subscription = bought.Subscription!;
        var periodEnd = FixedClock.Start.AddMonths(1).ToUnixTimeSeconds();
        EndsWithPeriod(_world.SetEnd(subscription, atPeriodEnd: true)).ShouldBeTrue();
        EndsWithPeriod(_world.SetEnd(subscription, atPeriodEnd: false)).ShouldBeFalse();

        // As a time instead: that of the period's end, or another one.
        EndsWithPeriod(_world.SetEnd(subscription, false, periodEnd)).ShouldBeTrue();
        EndsWithPeriod(_world.SetEnd(subscription, false, periodEnd + 1)).ShouldBeFalse();

        // Not a word about the end.
        Nothing(bought.Updated!).ShouldBe("its end has not changed");
        var ended = _world.End(subscription);
        Translate(ended).Event.ShouldBe(new ProviderEvent.SubscriptionEnded(ended.Id, "customer.subscription.deleted", subscription));
        Nothing(_world.SetEnd(subscription, atPeriodEnd: true)).ShouldBe("it has ended");
        Nothing(_world.Tell("customer.subscription.created", subscription)).ShouldBe("its invoice counts");
    }

    [Theory]
    [InlineData(Now)]
    [InlineData(Before)]
    public void Money_went_back(string version)
    {
        _world.EndpointVersion = version;
        var paid = _world.Pay(Page("payment"));
        var hint = new OrderHint(Account, Bought, null, paid.Intent);
        var refunded = _world.Refund(paid.Charge, 150);
        Translate(refunded)
            .Event.ShouldBe(new ProviderEvent.Refunded(refunded.Id, "charge.refunded", hint, new(1_500_000_000, Unit.Usd), "USD"));
        refunded = _world.Refund(paid.Charge, 50);
        Translate(refunded).Event.ShouldBeOfType<ProviderEvent.Refunded>().Total.ShouldBe(Amount.Usd(2));

        // A dispute has metadata of its own, and it is empty.
        hint = new(Intent: paid.Intent);
        var (dispute, withdrawn) = _world.Dispute(paid.Charge);
        Translate(withdrawn)
            .Event.ShouldBe(
                new ProviderEvent.Disputed(withdrawn.Id, "charge.dispute.funds_withdrawn", hint, dispute, Amount.Usd(20), "USD")
            );
        var won = _world.Win(dispute);
        Translate(won).Event.ShouldBe(new ProviderEvent.DisputeWon(won.Id, "charge.dispute.funds_reinstated", hint, dispute));
    }

    [Fact]
    public void What_is_named_may_be_there_as_a_whole()
    {
        var paid = _world.Pay(Page("payment"));
        var (_, withdrawn) = _world.Dispute(paid.Charge);
        var dispute = JsonNode.Parse(withdrawn.Body)!["data"]!["object"]!.AsObject();
        dispute["charge"] = _world.Show(paid.Charge);
        dispute["payment_intent"] = null;
        var told = Translate(_world.Tell("charge.dispute.funds_withdrawn", dispute));
        told.Event.ShouldBeOfType<ProviderEvent.Disputed>().Hint.ShouldBe(new(Account, Bought, null, paid.Intent));
        told.Charge.ShouldBe(paid.Charge);

        var page = JsonNode.Parse(paid.Completed.Body)!["data"]!["object"]!.AsObject();
        page["payment_intent"] = _world.Show(paid.Intent);
        page["customer"] = new JsonObject { ["id"] = "cus_whole", ["object"] = "customer" };
        var notice = Translate(_world.Tell("checkout.session.completed", page)).Event.ShouldBeOfType<ProviderEvent.Paid>().Payment;
        (notice.Id, notice.Customer).ShouldBe((paid.Intent, "cus_whole"));
    }

    [Theory]
    [InlineData("usd", 1999, "19.99")]
    [InlineData("eur", 1999, "19.99")]
    [InlineData("jpy", 500, "500")]
    [InlineData("kwd", 5000, "5")]
    [InlineData("idr", 999_999_999_999, "9223372036.854775807")]
    public void An_amount_is_counted_as_its_currency_is(string currency, long coins, string expected)
    {
        var payment = Translate(_world.Pay(Page("payment"), coins, currency).Completed).Event.ShouldBeOfType<ProviderEvent.Paid>().Payment;
        payment.Currency.ShouldBe(currency.ToUpperInvariant());
        payment.Amount.ToDecimalString().ShouldBe(expected);
    }

    [Theory]
    [InlineData("""{"order":"order00000000001"}""")]
    [InlineData("""{"account":"acc0000000000001"}""")]
    [InlineData("""{"order":"no. 7","account":"acc0000000000001"}""")]
    [InlineData("""{"order":"order00000000001","account":"Mr. Smith"}""")]
    [InlineData("""{"order":7,"account":8}""")]
    [InlineData("[]")]
    [InlineData("null")]
    public void Metadata_that_is_not_ours_names_no_order(string metadata)
    {
        var page = Page("payment");
        _world.Change(page, o => o["metadata"] = JsonNode.Parse(metadata));
        Translate(_world.Expire(page)).Hint.ShouldBe(new(Session: page));
    }

    [Theory]
    [InlineData("payment_intent.created")]
    [InlineData("charge.succeeded")]
    [InlineData("customer.updated")]
    [InlineData("invoice.upcoming")]
    [InlineData("something.new")]
    public void Everything_else_says_nothing(string type) =>
        Nothing(_world.Tell(type, new JsonObject { ["id"] = "xy_1", ["object"] = "xy" })).ShouldBeNull();

    [Theory]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("{}")]
    [InlineData("""{"id":"evt_1","type":"charge.refunded","created":1}""")]
    [InlineData("""{"id":"evt_1","type":"charge.refunded","created":1,"data":{"object":[]}}""")]
    [InlineData("""{"id":"evt_1","type":"charge.refunded","created":1,"data":{"object":{}}}""")]
    [InlineData("""{"id":"evt_1","type":"charge.refunded","created":1,"data":{"object":{"id":"ch_1","amount_refunded":"5"}}}""")]
    [InlineData("""{"id":"evt_1","type":"charge.refunded","created":"1","data":{"object":{"id":"ch_1"}}}""")]
    [InlineData("""{"id":"evt_1","type":"checkout.session.expired","created":1,"data":{"object":{"object":"checkout.session"}}}""")]
    [InlineData(
        """{"id":"evt_1","type":"checkout.session.completed","created":1,"data":{"object":{"id":"cs_1","mode":"payment","payment_status":"paid"}}}"""
    )]
    public void What_is_no_event_is_not_understood(string body) => Should.Throw<FormatException>(() => Translate(new("", "", body)));

    private string Customer => _world.All("customer").Single()["id"]!.GetValue<string>();

    /// <summary>A page for twenty dollars.</summary>
    private string Page(string mode)
    {
        Dictionary<string, string> marked = new() { ["metadata[order]"] = Bought.Value, ["metadata[account]"] = Account.Value };
        var customer = _world.Answer("POST", "/v1/customers", new Dictionary<string, string>(), marked).Body["id"]!.GetValue<string>();
        _world.Answer(
            "POST",
            "/v1/products",
            new Dictionary<string, string>(),
            new Dictionary<string, string> { ["id"] = "p", ["name"] = "P" }
        );
        var form = new Dictionary<string, string>(marked)
        {
            ["mode"] = mode,
            ["customer"] = customer,
            ["success_url"] = "http://ledger.test/",
            ["cancel_url"] = "http://ledger.test/",
            ["expires_at"] = FixedClock.Start.AddHours(23).ToUnixTimeSeconds().ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["line_items[0][quantity]"] = "1",
            ["line_items[0][price_data][currency]"] = "usd",
            ["line_items[0][price_data][unit_amount]"] = "2000",
            ["line_items[0][price_data][product]"] = "p",
        };
        var data = mode == "payment" ? "payment_intent_data" : "subscription_data";
        foreach (var (name, value) in marked)
            form[data + "[metadata]" + name["metadata".Length..]] = value;
        if (mode == "subscription")
            form["line_items[0][price_data][recurring][interval]"] = "month";
        var made = _world.Answer("POST", "/v1/checkout/sessions", new Dictionary<string, string>(), form);
        made.Status.ShouldBe(200, made.Body.ToJsonString());
        return made.Body["id"]!.GetValue<string>();
    }

    private static Told Translate(Telling telling)
    {
        using var document = JsonDocument.Parse(telling.Body);
        return StripeEvents.Translate(document.RootElement);
    }

    private static string? Nothing(Telling telling)
    {
        var nothing = Translate(telling).Event.ShouldBeOfType<ProviderEvent.Nothing>();
        (nothing.Id, nothing.Type).ShouldBe((telling.Id, telling.Type));
        return nothing.Why;
    }

    private static bool EndsWithPeriod(Telling telling) =>
        Translate(telling).Event.ShouldBeOfType<ProviderEvent.SubscriptionUpdated>().EndsWithPeriod;
}
