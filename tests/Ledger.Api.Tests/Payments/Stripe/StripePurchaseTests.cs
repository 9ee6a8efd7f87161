using System.Text.Json.Nodes;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>What Stripe tells of pages that were paid, in any order and any number of times: one effect, or none.</summary>
public sealed class StripePurchaseTests(StripeShop shop) : IClassFixture<StripeShop>
{
    private const long Bought = 75_000;
    private readonly LedgerApp _app = shop.App;
    private readonly StripeWorld _world = shop.World;

    [Fact]
    public async Task Credits_are_bought_from_the_first_request_to_the_balance()
    {
        var account = await _app.OpenAccountAsync();
        var checkout = (
            await _app.PostAsync("/api/v1/credits/payg/create-checkout-session", account.Key, new { amount_usd = 10 })
        ).ShouldBe(200);
        checkout.Text("url").ShouldBe("https://checkout.stripe.test/c/pay/" + checkout.Text("session_id"));
        (await BalanceAsync()).ShouldBe("0");

        var paid = _world.Pay(checkout.Text("session_id")!);
        (await shop.DeliverAsync(paid.Completed)).ShouldBe(200, """{"received":true}""").Header("x-request-id").ShouldNotBeNull();
        (await BalanceAsync()).ShouldBe("75000");
        (await shop.NoteAsync(paid.Completed)).ShouldBe("done");
        var order = (await _app.ReadAsync(account.Id)).Orders.All.Values.Single();
        (order.Status, order.Payment, order.Intent).ShouldBe((OrderStatus.Paid, paid.Intent, paid.Intent));

        async Task<string?> BalanceAsync() => (await _app.GetAsync("/api/v1/credits", account.Key)).ShouldBe(200).Text("payg_balance");
    }

    [Fact]
    public async Task The_same_telling_any_number_of_times_also_at_once_has_one_effect()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (_, session) = await shop.OrderCreditsAsync(account);
        var paid = _world.Pay(session);
        var others = Enumerable.Range(0, 5).Select(_ => _world.Again(paid.Completed)).ToList();
        var intent = _world.Tell("payment_intent.succeeded", paid.Intent);
        var all = Enumerable.Repeat(paid.Completed, 10).Concat(others).Append(intent);
        foreach (var answer in await Task.WhenAll(all.Select(shop.DeliverAsync)))
            answer.ShouldBe(200);
        await shop.TellAsync(paid.Completed, others[0], intent);
        (await _app.AvailableAsync(account)).ShouldBe(Bought);
        (await shop.GrantsAsync(account)).ShouldBe(1);
        (await _app.QueryAsync($"select times from provider_events where event_id = '{paid.Completed.Id}'")).ShouldBe(11);
    }

    [Fact]
    public async Task A_repeat_after_a_restart_has_no_effect_either()
    {
        await using var own = new Own(await StripeShop.StartAsync());
        var account = (await own.Shop.App.OpenAccountAsync()).Id;
        var (_, paid) = await own.Shop.BuyCreditsAsync(account);
        await own.Shop.RestartAsync();
        await own.Shop.TellAsync(paid.Completed, own.Shop.World.Again(paid.Completed));
        (await own.Shop.App.AvailableAsync(account)).ShouldBe(Bought);
        (await own.Shop.GrantsAsync(account)).ShouldBe(1);
    }

    [Fact]
    public async Task A_page_that_lapsed_and_was_paid_all_the_same_counts()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (order, session) = await shop.OrderCreditsAsync(account);
        await shop.TellAsync(_world.Expire(session));
        (await shop.ReadAsync(account, order.Id)).Status.ShouldBe(OrderStatus.Expired);
        await shop.TellAsync(_world.Pay(session).Completed);
        (await _app.AvailableAsync(account)).ShouldBe(Bought);

        // And that it had lapsed, told again, changes nothing.
        await shop.TellAsync(_world.Expire(session));
        (await shop.ReadAsync(account, order.Id)).Status.ShouldBe(OrderStatus.Paid);
    }

    [Fact]
    public async Task Slow_money_counts_when_it_is_there()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (order, session) = await shop.OrderCreditsAsync(account);
        var done = _world.PaySlowly(session);
        await shop.TellAsync(done);
        (await shop.NoteAsync(done)).ShouldBe("ignored, unpaid");
        (await shop.ReadAsync(account, order.Id)).Status.ShouldBe(OrderStatus.Open);
        await shop.TellAsync(_world.FailSlowly(session));
        (await shop.ReadAsync(account, order.Id)).ShouldSatisfyAllConditions(
            o => o.Status.ShouldBe(OrderStatus.Failed),
            o => o.Reason.ShouldBe("async_payment_failed")
        );
        (await _app.AvailableAsync(account)).ShouldBe(0);
        await shop.TellAsync(_world.ComeSlowly(session));
        (await _app.AvailableAsync(account)).ShouldBe(Bought);
    }

    // ---- what is not our order

    [Theory]
    [InlineData(999, null, false, "amount")]
    [InlineData(1001, null, false, "amount")]
    [InlineData(null, "eur", false, "currency")]
    [InlineData(100000, "jpy", false, "currency")]
    [InlineData(null, null, true, "customer")]
    public async Task A_payment_that_is_not_what_was_ordered_is_recorded_and_leaves_the_order_open(
        int? cents,
        string? currency,
        bool isSomebodyElse,
        string reason
    )
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (order, session) = await shop.OrderCreditsAsync(account);
        var customer = _world.Show(session)["customer"]!.GetValue<string>();
        var wrong = _world.Pay(session, cents, currency, isSomebodyElse ? "cus_somebody_else" : null);
        await shop.TellAsync(wrong.Completed, wrong.Completed, _world.Again(wrong.Completed));
        (await shop.NoteAsync(wrong.Completed)).ShouldBe("mismatched, " + reason);
        (await shop.ReadAsync(account, order.Id)).Status.ShouldBe(OrderStatus.Open);
        (await _app.EventsAsync(account)).Count(stored => stored.Type == "payment_mismatched").ShouldBe(1);
        (await _app.AvailableAsync(account)).ShouldBe(0);

        // The operator gives the wrong money back, as one should; then the right money comes.
        await shop.TellAsync(_world.Refund(wrong.Charge, cents ?? 1000));
        await shop.TellAsync(_world.Pay(session, 1000, "usd", customer).Completed);
        (await shop.ReadAsync(account, order.Id)).Status.ShouldBe(OrderStatus.Paid);
        (await _app.AvailableAsync(account)).ShouldBe(Bought);
    }

    [Fact]
    public async Task A_second_payment_of_the_same_order_is_recorded_and_its_refund_takes_nothing()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (order, session) = await shop.OrderCreditsAsync(account);
        await shop.TellAsync(_world.Pay(session).Completed);
        var second = _world.Pay(session);
        await shop.TellAsync(second.Completed);
        (await shop.NoteAsync(second.Completed)).ShouldBe("mismatched, paid_before");
        var refunded = _world.Refund(second.Charge, 1000);
        await shop.TellAsync(refunded, _world.Dispute(second.Charge).Withdrawn);
        (await shop.NoteAsync(refunded)).ShouldBe("ignored, not the order's own payment");
        (await shop.ReadAsync(account, order.Id)).Refunded.ShouldBe(0);
        (await _app.AvailableAsync(account)).ShouldBe(Bought);
    }

    [Fact]
    public async Task One_accounts_payment_settles_no_order_of_another()
    {
        var (mine, theirs) = ((await _app.OpenAccountAsync()).Id, (await _app.OpenAccountAsync()).Id);
        var (_, paid) = await shop.BuyCreditsAsync(mine);
        var (order, session) = await shop.OrderCreditsAsync(theirs);

        // Their page, paid by my payment: as if somebody had swapped what Stripe keeps.
        var page = _world.Show(session);
        (page["payment_status"], page["status"]) = ("paid", "complete");
        page["payment_intent"] = paid.Intent;
        page["customer"] = _world.Show(paid.Session)["customer"]!.GetValue<string>();
        var told = _world.Tell("checkout.session.completed", page);
        await shop.TellAsync(told);
        (await shop.NoteAsync(told)).ShouldBe("mismatched, customer");
        (await shop.ReadAsync(theirs, order.Id)).Status.ShouldBe(OrderStatus.Open);
        (await _app.AvailableAsync(theirs)).ShouldBe(0);
    }

    // ---- money that goes back

    [Fact]
    public async Task Refunds_are_cumulative_and_their_order_does_not_matter()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (_, paid) = await shop.BuyCreditsAsync(account);
        var (first, second) = (_world.Refund(paid.Charge, 200), _world.Refund(paid.Charge, 300));
        await shop.TellAsync(second);
        (await _app.AvailableAsync(account)).ShouldBe(Bought / 2);
        await shop.TellAsync(first, second, _world.Again(first), _world.Again(second));
        (await _app.AvailableAsync(account)).ShouldBe(Bought / 2);
        await shop.TellAsync(_world.Refund(paid.Charge, 500));
        (await _app.AvailableAsync(account)).ShouldBe(0);
    }

    [Fact]
    public async Task A_refund_that_is_told_of_before_its_payment_is_taken_at_once_when_that_comes()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (order, session) = await shop.OrderCreditsAsync(account);
        var paid = _world.Pay(session);
        await shop.TellAsync(_world.Refund(paid.Charge, 400));
        (await shop.ReadAsync(account, order.Id)).Refunded.ShouldBe(Amount.Usd(4).Parts);
        await shop.TellAsync(paid.Completed);
        (await _app.AvailableAsync(account)).ShouldBe(Bought * 6 / 10);
    }

    [Theory]
    [InlineData("completed withdrawn reinstated", Bought)]
    [InlineData("withdrawn completed reinstated", Bought)]
    [InlineData("withdrawn reinstated completed", Bought)]
    [InlineData("reinstated withdrawn completed", Bought)]
    [InlineData("reinstated completed withdrawn", Bought)]
    [InlineData("completed reinstated withdrawn withdrawn reinstated", Bought)]
    [InlineData("withdrawn completed", 0)]
    [InlineData("completed withdrawn withdrawn", 0)]
    public async Task A_dispute_and_its_end_may_come_in_any_order(string order, long left)
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (_, session) = await shop.OrderCreditsAsync(account);
        var paid = _world.Pay(session);
        var (dispute, withdrawn) = _world.Dispute(paid.Charge);
        var told = new Dictionary<string, Telling>
        {
            ["completed"] = paid.Completed,
            ["withdrawn"] = withdrawn,
            ["reinstated"] = _world.Win(dispute),
        };
        foreach (var name in order.Split(' '))
            await shop.TellAsync(told[name]);
        (await _app.AvailableAsync(account)).ShouldBe(left);
    }

    [Fact]
    public async Task A_dispute_that_names_a_charge_alone_finds_its_order()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (_, paid) = await shop.BuyCreditsAsync(account);
        var (dispute, _) = _world.Dispute(paid.Charge);
        _world.Change(dispute, o => o["payment_intent"] = null);
        await shop.TellAsync(_world.Tell("charge.dispute.funds_withdrawn", dispute));
        (await _app.AvailableAsync(account)).ShouldBe(0);
    }

    [Fact]
    public async Task More_than_was_paid_cannot_be_taken_back()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (_, paid) = await shop.BuyCreditsAsync(account);
        var (_, withdrawn) = _world.Dispute(paid.Charge, 1001);
        await shop.TellAsync(withdrawn);
        (await shop.NoteAsync(withdrawn)).ShouldBe("refused, AmountOutOfRange");
        (await _app.AvailableAsync(account)).ShouldBe(Bought);
    }

    // ---- who may tell

    [Fact]
    public async Task What_Stripe_has_not_signed_just_now_changes_nothing()
    {
        using var metrics = MeterReadings.Of(_app.Services);
        var account = (await _app.OpenAccountAsync()).Id;
        var (_, session) = await shop.OrderCreditsAsync(account);
        var body = _world.Pay(session).Completed.Body;
        var before = await _app.StandingAsync(account);
        var notes = await _app.QueryAsync("select count(*) from provider_events");
        var now = _app.Clock.Now;
        foreach (
            var (signature, code) in ((string?, string)[])
                [
                    (null, "signature_missing"),
                    ("", "signature_missing"),
                    ("t=1,v2=00", "signature_missing"),
                    (shop.Stripe.Sign(body, null, "whsec_of_somebody_else"), "signature_invalid"),
                    (shop.Stripe.Sign(body + " "), "signature_invalid"),
                    (shop.Stripe.Sign(body, now.AddSeconds(-301)), "signature_expired"),
                    (shop.Stripe.Sign(body, now.AddSeconds(301)), "signature_expired"),
                ]
        )
        {
            var answer = (await StripeStandIn.DeliverAsync(_app, body, signature)).ShouldBe(400);
            answer.Text("error", "code").ShouldBe(code);
            answer.Text("error", "message").ShouldNotBeNullOrWhiteSpace();
            metrics.Total("ledger.webhooks", ("outcome", code)).ShouldBeGreaterThan(0);
        }

        (await _app.StandingAsync(account)).ShouldBe(before);
        (await _app.QueryAsync("select count(*) from provider_events")).ShouldBe(notes);

        // At the edges of the five minutes it is taken.
        (await StripeStandIn.DeliverAsync(_app, body, shop.Stripe.Sign(body, now.AddSeconds(-300)))).ShouldBe(200);
        (await StripeStandIn.DeliverAsync(_app, body, shop.Stripe.Sign(body, now.AddSeconds(300)))).ShouldBe(200);
        (await _app.AvailableAsync(account)).ShouldBe(Bought);
        metrics.Total("ledger.webhooks", ("outcome", "done")).ShouldBe(1);
        metrics.Total("ledger.webhooks", ("outcome", "repeated")).ShouldBe(1);
    }

    [Fact]
    public async Task While_the_secret_is_rolled_the_old_and_the_new_one_count()
    {
        await using var own = new Own(
            await StripeShop.StartAsync(
                new Dictionary<string, string> { ["Billing:Stripe:WebhookSecret"] = "whsec_new," + StripeStandIn.Secret }
            )
        );
        var telling = own.Shop.World.Tell("customer.updated", new JsonObject { ["id"] = "cus_1" });
        foreach (
            var secrets in (string[][])
                [
                    ["whsec_new"],
                    [StripeStandIn.Secret],
                    ["whsec_new", StripeStandIn.Secret],
                    ["whsec_other", "whsec_new"],
                ]
        )
            (await StripeStandIn.DeliverAsync(own.Shop.App, telling.Body, own.Shop.Stripe.Sign(telling.Body, null, secrets))).ShouldBe(200);
        (await StripeStandIn.DeliverAsync(own.Shop.App, telling.Body, own.Shop.Stripe.Sign(telling.Body, null, "whsec_other"))).ShouldBe(
            400
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("not JSON")]
    [InlineData("{\"id\":")]
    [InlineData("[]")]
    [InlineData("{\"id\":\"evt_1\",\"object\":\"event\"}")]
    public async Task What_is_signed_but_no_event_is_refused(string body) =>
        (await StripeStandIn.DeliverAsync(_app, body, shop.Stripe.Sign(body)))
            .ShouldBe(400)
            .Text("error", "code")
            .ShouldBe("event_invalid");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_over_one_MiB_is_refused_whether_it_says_so_or_not(bool saysLength)
    {
        var body = new string(' ', (1024 * 1024) + 1);
        var request = new HttpRequestMessage(HttpMethod.Post, StripeStandIn.Route) { Content = new StringContent(body) };
        request.Content.Headers.ContentLength = saysLength ? body.Length : null;
        request.Headers.TransferEncodingChunked = !saysLength;
        request.Headers.TryAddWithoutValidation("Stripe-Signature", shop.Stripe.Sign(body));
        (await _app.SendAsync(request)).ShouldBe(413).Text("error", "code").ShouldBe("request_too_large");
    }

    [Fact]
    public async Task Without_Stripe_there_is_no_such_route()
    {
        await using var app = await LedgerApp.StartAsync();
        (await app.PostAsync(StripeStandIn.Route, body: "{}")).ShouldBe(404);
    }

    // ---- whose it is

    [Fact]
    public async Task Somebody_elses_traffic_on_the_same_Stripe_account_is_taken_and_changes_nothing()
    {
        var page = JsonNode.Parse(
            """
            {"id":"cs_test_foreign","object":"checkout.session","mode":"payment","payment_status":"paid","amount_total":500,"currency":"usd",
             "customer":null,"payment_intent":"pi_foreign","client_reference_id":"cart 7","metadata":{"order":"no. 7"}}
            """
        )!;
        var charge = JsonNode.Parse(
            """{"id":"ch_foreign","object":"charge","amount":500,"amount_refunded":500,"currency":"usd","payment_intent":"pi_foreign","metadata":{}}"""
        )!;
        var dispute = JsonNode.Parse(
            """{"id":"dp_foreign","object":"dispute","amount":500,"currency":"usd","charge":"ch_foreign","payment_intent":"pi_foreign","metadata":{}}"""
        )!;
        var subscription = JsonNode.Parse(
            """{"id":"sub_foreign","object":"subscription","status":"active","metadata":{},"items":{"data":[]}}"""
        )!;
        var invoice = JsonNode.Parse(
            """
            {"id":"in_foreign","object":"invoice","billing_reason":"subscription_cycle","amount_paid":500,"currency":"usd","customer":"cus_foreign",
             "parent":{"type":"subscription_details","subscription_details":{"metadata":{},"subscription":"sub_foreign"}},"lines":{"data":[]}}
            """
        )!;
        var first = invoice.DeepClone();
        first["billing_reason"] = "subscription_create";
        foreach (
            var (type, about) in ((string, JsonNode)[])
                [
                    ("checkout.session.completed", page),
                    ("checkout.session.expired", page),
                    ("charge.refunded", charge),
                    ("charge.dispute.funds_withdrawn", dispute),
                    ("charge.dispute.funds_reinstated", dispute),
                    ("customer.subscription.updated", subscription),
                    ("customer.subscription.deleted", subscription),
                    ("invoice.paid", invoice),
                    ("invoice.paid", first),
                    ("invoice.payment_failed", first),
                ]
        )
        {
            var telling = _world.Tell(type, about.AsObject());
            await shop.TellAsync(telling);
            (await shop.NoteAsync(telling))!.ShouldStartWith("unmatched", customMessage: type);
        }
    }

    [Fact]
    public async Task What_is_ours_and_not_here_yet_is_told_again()
    {
        using var metrics = MeterReadings.Of(_app.Services);
        var account = (await _app.OpenAccountAsync()).Id;
        var paid = _world.Pay((await shop.OrderCreditsAsync(account)).Session);
        foreach (var id in (string[])[paid.Session, paid.Charge])
            _world.Change(id, o => o["metadata"]!["order"] = "order-of-a-lost-night");
        foreach (var telling in (Telling[])[_world.Tell("checkout.session.completed", paid.Session), _world.Refund(paid.Charge, 100)])
        {
            (await shop.DeliverAsync(telling)).ShouldBe(404).Text("error", "code").ShouldBe("not_known_yet");
            (await shop.NoteAsync(telling)).ShouldBe("unmatched, OrderNotFound");
        }

        metrics.Total("ledger.webhooks", ("outcome", "awaited")).ShouldBe(2);

        // That a page lapsed needs no second telling.
        await shop.TellAsync(_world.Expire(paid.Session));
        (await _app.AvailableAsync(account)).ShouldBe(0);
    }

    [Fact]
    public async Task A_page_whose_metadata_somebody_removed_is_found_by_our_own_notes()
    {
        var account = (await _app.OpenAccountAsync()).Id;
        var (_, session) = await shop.OrderCreditsAsync(account);
        _world.Change(session, o => (o["metadata"], o["client_reference_id"]) = (new JsonObject(), null));
        var paid = _world.Pay(session);
        await shop.TellAsync(paid.Completed);
        (await _app.AvailableAsync(account)).ShouldBe(Bought);
        _world.Change(paid.Charge, o => o["metadata"] = new JsonObject());
        await shop.TellAsync(_world.Refund(paid.Charge, 1000));
        (await _app.AvailableAsync(account)).ShouldBe(0);
    }

    // ---- what is away

    [Theory]
    [InlineData(StripeTrouble.Fault)]
    [InlineData(StripeTrouble.Cut)]
    public async Task Where_Stripe_is_away_no_page_is_opened_and_no_order_is_left_open(StripeTrouble trouble)
    {
        await using var own = new Own(await StripeShop.StartAsync(new Dictionary<string, string> { ["Billing:Stripe:Retries"] = "1" }));
        var account = await own.Shop.App.OpenAccountAsync();
        foreach (var path in (string[])["/v1/customers", "/v1/checkout/sessions"])
        {
            own.Shop.Stripe.Trouble(trouble, 2, path);
            var refused = await own.Shop.App.PostAsync(
                "/api/v1/credits/payg/create-checkout-session",
                account.Key,
                new { amount_usd = 10 }
            );
            refused.ShouldBe(502).Body.ShouldNotContain("Stripe");
        }

        var orders = (await own.Shop.App.ReadAsync(account.Id)).Orders.All.Values;
        orders
            .Select(order => (order.Status, order.Reason))
            .ShouldBe(Enumerable.Repeat((OrderStatus.Failed, (string?)"provider_error"), 2));
        (await own.Shop.BuyCreditsAsync(account.Id)).Order.ShouldNotBeNull();
        (await own.Shop.App.AvailableAsync(account.Id)).ShouldBe(Bought);
    }

    [Theory]
    [InlineData(StripeTrouble.Fault)]
    [InlineData(StripeTrouble.Forbidden)]
    public async Task Where_Stripe_cannot_be_asked_about_what_it_tells_it_is_told_again(StripeTrouble trouble)
    {
        await using var own = new Own(await StripeShop.StartAsync(new Dictionary<string, string> { ["Billing:Stripe:Retries"] = "0" }));
        var account = (await own.Shop.App.OpenAccountAsync()).Id;
        var (_, session) = await own.Shop.OrderCreditsAsync(account);
        var paid = own.Shop.World.Pay(session);

        // A dispute says nothing of ours, and its payment has not been told of.
        var (_, withdrawn) = own.Shop.World.Dispute(paid.Charge);
        own.Shop.Stripe.Trouble(trouble);
        var answer = (await own.Shop.DeliverAsync(withdrawn)).ShouldBe(503);
        answer.Text("error", "code").ShouldBe("provider_unavailable");
        answer.Header("Retry-After").ShouldBe("10");
        await own.Shop.TellAsync(withdrawn, paid.Completed);
        (await own.Shop.App.AvailableAsync(account)).ShouldBe(0);
    }

    [Fact]
    public async Task Where_the_database_is_away_it_is_told_again()
    {
        await using var own = new Own(await StripeShop.StartAsync());
        var account = (await own.Shop.App.OpenAccountAsync()).Id;
        var (_, session) = await own.Shop.OrderCreditsAsync(account);
        var paid = own.Shop.World.Pay(session);
        var database = new NpgsqlConnectionStringBuilder(own.Shop.App.Database);
        await using var operators = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(own.Shop.App.Database) { Database = "postgres", Pooling = false }.ConnectionString
        );
        await operators.ExecuteAsync(
            $"""
            alter database {database.Database} allow_connections false;
            select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database.Database}'
            """
        );
        (await own.Shop.DeliverAsync(paid.Completed)).ShouldBe(503).Header("Retry-After").ShouldNotBeNull();
        await operators.ExecuteAsync($"alter database {database.Database} allow_connections true");
        await Eventually.IsSoAsync(async () => (await own.Shop.DeliverAsync(paid.Completed)).Status == 200);
        (await own.Shop.App.AvailableAsync(account)).ShouldBe(Bought);
        (await own.Shop.GrantsAsync(account)).ShouldBe(1);
    }

    [Theory]
    [InlineData(CardKind.Good)]
    [InlineData(CardKind.Declined)]
    public async Task Credits_that_run_low_are_bought_with_the_saved_card(CardKind kind)
    {
        var account = await _app.OpenAccountAsync();
        await shop.BuyCreditsAsync(account.Id);
        var customer = (await _app.ReadAsync(account.Id)).Orders.CustomerAt("stripe")!;
        _world.SaveCard(customer, kind, isChosen: true);
        var on = new
        {
            enabled = true,
            threshold_credits = 74_996,
            amount_usd = 10,
            max_per_day = 1,
        };
        (await _app.PutAsync("/api/v1/credits/auto-topup", account.Key, on)).ShouldBe(200);
        var spend = new
        {
            tool = "chat",
            units = 1,
            reference = "the last straw",
        };
        (await _app.PostAsync("/api/v1/tools/spend", account.Key, spend)).ShouldBe(200);
        Order? order = null;
        await Eventually.IsSoAsync(async () =>
        {
            order = (await _app.ReadAsync(account.Id)).Orders.All.Values.SingleOrDefault(o => o.IsAutomatic);
            return order is { Status: not OrderStatus.Open };
        });
        (order!.Status, order.Reason).ShouldBe(kind == CardKind.Good ? (OrderStatus.Paid, null) : (OrderStatus.Failed, "card_declined"));
        (await _app.AvailableAsync(account.Id)).ShouldBe(kind == CardKind.Good ? (2 * Bought) - 5 : Bought - 5);
        if (kind != CardKind.Good)
            return;

        // And what is bought so can be given back like anything else.
        var charge = _world.All("charge")[0]["id"]!.GetValue<string>();
        await shop.TellAsync(_world.Tell("payment_intent.succeeded", order.Intent!), _world.Refund(charge, 1000));
        (await _app.AvailableAsync(account.Id)).ShouldBe(Bought - 5);
    }

    /// <summary>A shop of one test's own.</summary>
    private sealed record Own(StripeShop Shop) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Shop.DisposeAsync();
    }
}
