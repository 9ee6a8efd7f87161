using Ledger.Domain;
using Ledger.Domain.Money;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>Credits, packs, subscriptions, automatic top-ups and alerts, bought and set by somebody at a browser.</summary>
public sealed class CreditTests(DashboardWorld world) : IClassFixture<DashboardWorld>
{
    [Fact]
    public async Task Credits_are_bought_at_the_sandbox_and_what_happened_is_said()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/credits");
        await visitor.LookAsync("credits-empty");

        // Wrong sums are said at the field, and order nothing.
        await visitor.FillAsync("Another sum in dollars", "0.5");
        await visitor.PressAsync("Continue to checkout");
        (await visitor.TextAsync()).ShouldContain("From $1.00 to");
        (await world.App.ReadAsync(account)).Orders.All.ShouldBeEmpty();

        await visitor.FillAsync("Another sum in dollars", "25");
        await visitor.PressAsync("Continue to checkout");
        visitor.Path.ShouldStartWith("/sandbox/checkout/cs_test_");
        await visitor.LookAsync("checkout");
        await visitor.PressAsync("Back to Ledger without paying");
        (await visitor.TextAsync()).ShouldContain("Credits for $25.00 is not paid yet, and nothing was added.");

        // The same purchase is gone on with, not another one.
        await visitor.PressAsync("go on to pay");
        (await visitor.Heading.InnerTextAsync()).ShouldBe("Credits");
        await visitor.LookAsync("order-open");
        await visitor.PressAsync("Go on to pay");
        await visitor.PressAsync("Pay by a card that is declined");
        await visitor.PressAsync("Back to Ledger without paying");
        (await visitor.TextAsync()).ShouldContain("The payment of $25.00 for Credits failed: the card was declined.");
        await visitor.PressAsync("Try again");
        await visitor.PressAsync("Go on to pay");
        await visitor.PressAsync("Pay $25.00");
        await visitor.LookAsync("checkout-paid");
        await visitor.PressAsync("Back to Ledger");
        (await visitor.Page.Locator(".alert.good").InnerTextAsync())
            .Replace('\u00a0', ' ')
            .Trim()
            .ShouldBe("Paid $25.00 for Credits. 187,500 credits were added. Available now: 187,500 credits. See the purchase");
        (await world.App.ReadAsync(account)).Orders.All.Count.ShouldBe(1);
        (await world.App.AvailableAsync(account)).ShouldBe(187_500);
        await visitor.LookAsync("credits-paid");
        await visitor.GoAsync("/");
        (await visitor.TextAsync()).ShouldContain("187,500");
    }

    [Fact]
    public async Task Whoever_clicks_twice_on_Pay_has_paid_once_and_taken_nothing_back()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/credits");
        await visitor.FillAsync("Another sum in dollars", "25");
        await visitor.PressAsync("Continue to checkout");
        var pay = visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Pay $25.00" });
        var place = (await pay.BoundingBoxAsync())!;
        await pay.DblClickAsync();
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Back to Ledger", Exact = true }).WaitForAsync();

        // However late the second click comes: where Pay was stands nothing that could be sent.
        (
            await visitor.Page.EvaluateAsync<bool>(
                "([x, y]) => document.elementFromPoint(x, y).closest('form') !== null",
                new double[] { place.X + (place.Width / 2), place.Y + (place.Height / 2) }
            )
        ).ShouldBeFalse();
        var order = (await world.App.ReadAsync(account)).Orders.All.Values.ShouldHaveSingleItem();
        (order.Status, order.Refunded).ShouldBe((Domain.Payments.OrderStatus.Paid, 0));
        (await world.App.AvailableAsync(account)).ShouldBe(187_500);
        await visitor.GoAsync("/sandbox/checkout/cs_test_none");
        (await visitor.TextAsync()).ShouldContain("There is nothing at this address");
        await visitor.LookAsync("checkout-nothing");
    }

    [Fact]
    public async Task Packs_are_paged()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        for (var n = 0; n < 23; n++)
            await world.App.GrantAsync(
                account,
                Amount.Credits(1000 + n),
                Domain.Wallets.PocketSource.Pack,
                "deepseek/deepseek-chat",
                world.App.Clock.Now.AddDays(365)
            );
        await visitor.GoAsync("/packs");
        (await visitor.Page.Locator("tbody tr").CountAsync()).ShouldBe(20);
        (await visitor.Page.Locator("tbody tr").First.InnerTextAsync()).ShouldContain("1,022");
        (await visitor.TextAsync()).ShouldContain("23 packs");
        await visitor.PressAsync("Next page");
        (await visitor.Page.Locator("tbody tr").CountAsync()).ShouldBe(3);
        (await visitor.Page.Locator("tbody tr").Last.InnerTextAsync()).ShouldContain("1,000");
        await visitor.PressAsync("First page");
        visitor.Path.ShouldBe("/packs");
    }

    [Fact]
    public async Task A_round_sum_is_one_click_and_a_form_that_is_sent_twice_orders_once()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/credits");
        var form = visitor.Page.Locator("form[action='/credits/buy']").First;
        var token = await form.Locator("[name=__RequestVerificationToken]").InputValueAsync();
        var id = await form.Locator("[name=form_id]").InputValueAsync();
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "$10.00 75,000 credits" }).ClickAsync();
        await visitor.Page.WaitForURLAsync("**/sandbox/checkout/**");
        var session = visitor.Path;
        (
            await PostAsync(visitor, "/credits/buy", ("__RequestVerificationToken", token), ("form_id", id), ("amount_usd", "10"))
        ).Url.ShouldEndWith(session);
        var other = await PostAsync(visitor, "/credits/buy", ("__RequestVerificationToken", token), ("form_id", id), ("amount_usd", "20"));
        (other.Status, await other.TextAsync()).ShouldSatisfyAllConditions(
            answer => answer.Status.ShouldBe(409),
            answer => answer.Item2.ShouldContain("This form was sent before")
        );
        (await world.App.ReadAsync(account)).Orders.All.Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_comes_back_of_a_purchase_is_told_in_the_list_and_on_its_page()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        foreach (
            var (sum, buttons) in ((string, string[])[])
                [("10", ["pay", "refund"]), ("20", ["pay", "dispute"]), ("30", ["cancel"]), ("40", ["pay"])]
        )
        {
            world.App.Clock.Advance(TimeSpan.FromSeconds(1));
            await visitor.GoAsync("/credits");
            await visitor.FillAsync("Another sum in dollars", sum);
            await visitor.PressAsync("Continue to checkout");
            foreach (var button in buttons)
                (await world.App.PostAsync(visitor.Path + "/" + button)).ShouldBe(200);
        }

        await visitor.GoAsync("/credits");
        var states = await visitor.Page.Locator("#purchases tbody tr td:nth-child(2)").AllInnerTextsAsync();
        states.ShouldBe(["Paid", "Expired", "Disputed", "Refunded"]);
        await visitor.LookAsync("credits-history");
        await visitor.Page.Locator("#purchases tbody tr").Nth(2).GetByRole(AriaRole.Link).ClickAsync();
        await visitor.Page.WaitForURLAsync("**/credits/orders/*");
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("Disputed"),
            text => text.ShouldContain("150,000 credits"),
            text => text.ShouldContain("not decided yet")
        );
        await visitor.LookAsync("order-disputed");
        (await world.App.AvailableAsync(account)).ShouldBe(300_000);
    }

    [Fact]
    public async Task Purchases_are_paged()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        for (var n = 0; n < 21; n++)
        {
            world.App.Clock.Advance(TimeSpan.FromSeconds(1));
            await world.App.ExecuteAsync(
                new Ledger.Domain.Payments.OpenOrder(
                    account,
                    new($"order{n:00000000000}"),
                    Ledger.Domain.Payments.OrderKind.Payg,
                    null,
                    Amount.Usd(n + 1),
                    "sandbox",
                    null
                )
            );
        }

        await visitor.GoAsync("/credits");
        var rows = visitor.Page.Locator("#purchases tbody tr");
        (await rows.CountAsync()).ShouldBe(20);
        (await rows.First.InnerTextAsync()).ShouldContain("$21.00");
        await visitor.PressAsync("Next page");
        (await rows.CountAsync()).ShouldBe(1);
        (await rows.First.InnerTextAsync()).ShouldContain("$1.00");
        (await visitor.GoAsync("/credits?after=nothing")).ShouldBe(200);
        (await visitor.TextAsync()).ShouldContain("Nothing was bought yet");
    }

    [Fact]
    public async Task A_pack_is_bought_and_stands_there_with_what_is_left()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/packs");
        await visitor.LookAsync("packs-empty");
        await visitor.PressAsync("Buy deepseek-chat-20k");
        await visitor.PressAsync("Pay $9.00");
        await visitor.PressAsync("Back to Ledger");
        visitor.Path.ShouldStartWith("/packs?session_id=");
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("Paid $9.00 for Pack deepseek-chat-20k. 20,000 credits were added."),
            text => text.ShouldContain("20,000 of 20,000 credits"),
            text => text.ShouldContain("deepseek/deepseek-chat")
        );
        (await world.App.ReadAsync(account)).Wallet.Open.Single().Scope.ShouldBe("deepseek/deepseek-chat");
        await visitor.LookAsync("packs-owned");
    }

    [Fact]
    public async Task A_subscription_is_taken_out_changed_ended_and_kept()
    {
        await world.App.PublishAsync(card =>
            card with
            {
                Tiers = [.. card.Tiers, new("team", Quantity.Of(80), Quantity.Of(10_000), 8_000_000)],
            }
        );
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/credits/subscription");
        await visitor.LookAsync("subscription-none");
        await visitor.PressAsync("Subscribe to pro");
        await visitor.PressAsync("Pay $20.00");
        await visitor.PressAsync("Back to Ledger");
        visitor.Path.ShouldStartWith("/credits/subscription?session_id=");
        (await visitor.TextAsync()).ShouldContain("Paid $20.00 for Subscription pro.");
        (await world.App.ReadAsync(account)).Subscription.Terms!.Tier.ShouldBe("pro");
        await visitor.LookAsync("subscription");
        await visitor.PressAsync("End it…");
        await visitor.LookAsync("subscription-end");
        await visitor.PressAsync("End it with its period");
        (await visitor.TextAsync()).ShouldContain("The subscription ends with its period.");
        (await world.App.ReadAsync(account)).Subscription.EndsAt.ShouldNotBeNull();
        await visitor.PressAsync("Keep it");
        (await world.App.ReadAsync(account)).Subscription.EndsAt.ShouldBeNull();
        await visitor.PressAsync("With the next period");
        (await visitor.TextAsync()).ShouldContain("The subscription changes with its next period.");
        (await world.App.ReadAsync(account)).Subscription.Next!.Tier.ShouldBe("team");
        await visitor.LookAsync("subscription-changes");
        await visitor.PressAsync("Do not change it");
        (await world.App.ReadAsync(account)).Subscription.Next.ShouldBeNull();

        // What is more is paid for first, for the rest of the period.
        await visitor.PressAsync("Change now");
        visitor.Path.ShouldStartWith("/sandbox/checkout/");
        (await world.App.ReadAsync(account)).Subscription.Terms!.Tier.ShouldBe("pro");
        (await world.App.PostAsync(visitor.Path + "/pay")).ShouldBe(200);
        (await world.App.ReadAsync(account)).Subscription.Terms!.Tier.ShouldBe("team");
    }

    [Fact]
    public async Task Automatic_purchases_need_a_card_and_then_are_kept_as_they_were_said()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/credits/auto-topup");
        await visitor.LookAsync("auto-topup-none");
        await FillAsync();
        await visitor.PressAsync("Save");
        (await visitor.TextAsync()).ShouldContain("Buy something once by hand first");
        (await world.App.ReadAsync(account)).AutoTopup.IsOn.ShouldBeFalse();

        await visitor.GoAsync("/credits");
        await visitor.FillAsync("Another sum in dollars", "1");
        await visitor.PressAsync("Continue to checkout");
        await visitor.PressAsync("Pay $1.00");
        await visitor.GoAsync("/credits/auto-topup");
        await FillAsync();
        await visitor.FillAsync("At most so often in 24 hours", "25");
        await visitor.PressAsync("Save");
        (await visitor.TextAsync()).ShouldContain("A whole number from 1 to 24.");
        await visitor.FillAsync("At most so often in 24 hours", "3");
        await visitor.PressAsync("Save");
        (await visitor.TextAsync()).ShouldContain("Credits are bought by themselves from now on.");
        var topup = (await world.App.ReadAsync(account)).AutoTopup;
        (topup.IsOn, topup.Threshold, topup.Price, topup.MaxPerDay).ShouldBe(
            (true, Amount.Credits(500), new Amount(12_500_000_000, Unit.Usd), 3)
        );
        await visitor.LookAsync("auto-topup");
        await visitor.Page.GetByLabel("Buy credits by themselves").UncheckAsync();
        await visitor.PressAsync("Save");
        (await world.App.ReadAsync(account)).AutoTopup.IsOn.ShouldBeFalse();

        async Task FillAsync()
        {
            await visitor.Page.GetByLabel("Buy credits by themselves").CheckAsync();
            await visitor.FillAsync("When so many credits are left, or fewer", "500");
            await visitor.FillAsync("Dollars each time", "12.5");
        }
    }

    [Fact]
    public async Task Alerts_are_set_and_the_secret_of_a_new_address_is_shown_once()
    {
        var (visitor, account, email) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/credits/alerts");
        await visitor.FillAsync("Warn at so many credits, or fewer", "1000");
        await visitor.FillAsync("Critical at so many credits, or fewer", "2000");
        await visitor.FillAsync("By webhook to", "ftp://example.com/");
        await visitor.PressAsync("Save");
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("Not more than the first threshold."),
            text => text.ShouldContain("must be an absolute https or http address")
        );
        await visitor.LookAsync("alerts-wrong");
        (await world.App.ReadAsync(account)).Alerts.IsOn.ShouldBeFalse();
        await visitor.FillAsync("Critical at so many credits, or fewer", "100.5");
        await visitor.FillAsync("By webhook to", "https://example.com/hook?a=1&b=2");
        await visitor.Page.GetByLabel("By mail").CheckAsync();
        await visitor.PressAsync("Save");
        (await visitor.Page.Locator("#webhook-secret").InputValueAsync()).ShouldStartWith("whsec_");
        await visitor.LookAsync("alerts-secret");

        // A page that is reloaded has no secret any more, and says what to do for one.
        await visitor.Page.ReloadAsync();
        visitor.Path.ShouldBe("/credits/alerts?done=kept");
        (await visitor.TextAsync()).ShouldContain("it was shown when the address was new, and is not shown again");
        (await visitor.TextAsync()).ShouldContain("what is new gets a new secret");
        var alerts = (await world.App.ReadAsync(account)).Alerts;
        (alerts.Warning, alerts.Critical).ShouldBe((Amount.Credits(1000), new Amount(100_500_000, Unit.Credits)));
        await visitor.GoAsync("/credits/alerts");
        (await visitor.Page.Locator("#webhook-secret").CountAsync()).ShouldBe(0);
        (await visitor.Page.GetByLabel("By webhook to").InputValueAsync()).ShouldBe("https://example.com/hook?a=1&b=2");
        (await visitor.TextAsync()).ShouldContain(email);
        await visitor.LookAsync("alerts");
    }

    [Fact]
    public async Task Nobody_sees_or_pays_what_somebody_else_bought()
    {
        var (owner, account, _) = await world.SignUpAsync();
        await using var _1 = owner;
        await owner.GoAsync("/credits");
        await owner.FillAsync("Another sum in dollars", "25");
        await owner.PressAsync("Continue to checkout");
        var order = (await world.App.ReadAsync(account)).Orders.All.Values.Single();
        var (other, _, _) = await world.SignUpAsync();
        await using var _2 = other;
        (await other.GoAsync("/credits/orders/" + order.Id)).ShouldBe(404);
        await other.GoAsync("/credits?session_id=" + order.Session);
        (await other.TextAsync()).ShouldNotContain("is not paid yet");
        var token = await other.Page.Locator("[name=__RequestVerificationToken]").First.InputValueAsync();
        (await PostAsync(other, $"/credits/orders/{order.Id}/pay", ("__RequestVerificationToken", token))).Status.ShouldBe(404);

        // Without a token nothing is done to one's own either.
        var before = await world.App.StandingAsync(account);
        foreach (
            var path in (string[])
                [
                    "/credits/buy",
                    "/credits/pay-in",
                    "/packs/buy",
                    "/credits/alerts",
                    "/credits/auto-topup",
                    "/credits/subscription/subscribe",
                ]
        )
            (await PostAsync(owner, path, ("amount_usd", "10"), ("pack", "deepseek-chat-20k"), ("tier", "pro"))).Status.ShouldBe(403, path);
        (await world.App.StandingAsync(account)).ShouldBe(before);
    }

    [Theory]
    [InlineData("/packs/buy", "pack", "<script>alert(1)</script>")]
    [InlineData("/credits/subscription/subscribe", "tier", "\"><b>x")]
    [InlineData("/credits/buy", "amount_usd", "\"><b>x")]
    public async Task What_is_made_up_is_refused_and_never_comes_back_as_markup(string path, string name, string value)
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/credits");
        var token = await visitor.Page.Locator("[name=__RequestVerificationToken]").First.InputValueAsync();
        var answer = await PostAsync(visitor, path, ("__RequestVerificationToken", token), (name, value));
        answer.Status.ShouldBeOneOf(400, 409);
        (await answer.TextAsync()).ShouldNotContain(value);
        (await world.App.ReadAsync(account)).Orders.All.ShouldBeEmpty();
    }

    private static Task<IAPIResponse> PostAsync(Visitor visitor, string path, params (string Name, string Value)[] fields)
    {
        var form = visitor.Context.APIRequest.CreateFormData();
        foreach (var (name, value) in fields)
            form.Append(name, value);
        return visitor.Context.APIRequest.PostAsync(path, new() { Form = form });
    }
}
