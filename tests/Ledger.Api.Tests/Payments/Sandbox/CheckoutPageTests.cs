using System.Security.Cryptography;
using System.Text;
using Ledger.Testing;

namespace Ledger.Api.Tests.Payments.Sandbox;

/// <summary>The sandbox's checkout pages: every button, pressed by a script and by a browser, in any order and as often as one likes.</summary>
public sealed class CheckoutPageTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_script_sees_what_is_to_be_paid_and_pays_it()
    {
        var session = await _app.OrderCreditsAsync(await _app.OpenAccountAsync(), 25);
        (await _app.GetAsync("/sandbox/checkout/" + session)).ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","status":"open","amount_usd":"25","refunded_usd":"0"}"""
        );
        (await _app.PressAsync(session, "pay")).ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","status":"paid","amount_usd":"25","refunded_usd":"0"}"""
        );
    }

    [Fact]
    public async Task Paying_twice_is_refused_and_grants_once()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 25);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PressAsync(session, "pay"))
            .ShouldBe(409, """{"error":{"code":"not_possible","message":"An order that is paid cannot do this: pay."}}""")
            .ShouldHave("x-should-retry", "false");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Sixteen_who_pay_at_once_pay_once()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => _app.PressAsync(session, "pay")));
        answers.ShouldContain(answer => answer.Status == 200);
        answers.ShouldAllBe(answer => answer.Status == 200 || answer.Status == 409);
        (await _app.CreditsAsync(account)).ShouldBe(187_500);
        var counts = await _app.CountsAsync(account);
        (counts["order_paid"], counts["credits_granted"]).ShouldBe((1, 1));
    }

    [Fact]
    public async Task Sixteen_who_refund_at_once_refund_once()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 25);
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => _app.PressAsync(session, "refund")));
        var counts = await _app.CountsAsync(account);
        (counts["order_refunded"], counts["credits_clawed_back"]).ShouldBe((1, 1));
        (await _app.CreditsAsync(account)).ShouldBe(0);
        await _app.BuyCreditsAsync(account, 1);
        (await _app.CreditsAsync(account)).ShouldBe(7_500);
    }

    [Theory]
    [InlineData("cancel", "expired")]
    [InlineData("decline", "failed")]
    public async Task What_was_not_paid_grants_nothing_and_can_still_be_paid(string button, string status)
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        (await _app.PressAsync(session, button)).ShouldBe(200).Text("status").ShouldBe(status);
        (await _app.CreditsAsync(account)).ShouldBe(0);

        // Money may have been on its way: what comes late counts.
        (await _app.PressAsync(session, "pay"))
            .ShouldBe(200)
            .Text("status")
            .ShouldBe("paid");
        (await _app.CreditsAsync(account)).ShouldBe(187_500);
    }

    [Fact]
    public async Task What_was_cancelled_can_neither_be_cancelled_nor_declined_any_more()
    {
        var session = await _app.OrderCreditsAsync(await _app.OpenAccountAsync(), 25);
        (await _app.PressAsync(session, "cancel")).ShouldBe(200);
        foreach (var button in (string[])["cancel", "decline", "refund", "dispute", "win"])
            (await _app.PressAsync(session, button)).ShouldBe(409).Text("error", "code").ShouldBe("not_possible");
    }

    [Fact]
    public async Task A_card_can_be_declined_as_often_as_one_tries()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        for (var n = 0; n < 3; n++)
            (await _app.PressAsync(session, "decline")).ShouldBe(200).Text("status").ShouldBe("failed");
        (await _app.CountsAsync(account))["order_failed"].ShouldBe(3);
        (await _app.PressAsync(session, "cancel")).ShouldBe(200).Text("status").ShouldBe("expired");
    }

    [Fact]
    public async Task A_page_that_nobody_paid_lapses_after_a_day_and_can_still_be_paid()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync();
        var session = await app.OrderCreditsAsync(account, 25);
        app.Clock.Advance(TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1));
        (await app.GetAsync("/sandbox/checkout/" + session)).Text("status").ShouldBe("open");
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await app.GetAsync("/sandbox/checkout/" + session)).Text("status").ShouldBe("expired");
        (await app.PressAsync(session, "pay")).ShouldBe(200).Text("status").ShouldBe("paid");
        (await app.CreditsAsync(account)).ShouldBe(187_500);
        (await app.CountsAsync(account))["order_expired"].ShouldBe(1);
    }

    [Theory]
    [InlineData("refund")]
    [InlineData("dispute")]
    [InlineData("win")]
    public async Task What_was_not_paid_cannot_come_back(string button)
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PressAsync(session, button)).ShouldBe(409).Text("error", "code").ShouldBe("not_possible");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Nothing_else_is_there()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        var before = await _app.StandingAsync(account.Id);
        foreach (var button in (string[])["steal", "PAY", "pay%20"])
            (await _app.PressAsync(session, button)).ShouldBe(404);
        foreach (
            var other in (string[])["cs_test_" + new string('0', 24), session + "0", session[..^1], session.ToLowerInvariant() + "!", "x"]
        )
        {
            (await _app.GetAsync("/sandbox/checkout/" + other)).ShouldBe(
                404,
                """{"error":{"code":"not_found","message":"There is nothing at this address."}}"""
            );
            (await _app.PressAsync(other, "pay")).ShouldBe(404);
        }

        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_browser_sees_a_page_with_a_button_for_whatever_can_be_done()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 25);
        var page = await BrowseAsync(HttpMethod.Get, session);
        page.ShouldBe(200).ShouldHave("Content-Type", "text/html; charset=utf-8").ShouldHave("Vary", "Accept");
        page.Body.ShouldContain("data-status=\"open\"");
        page.Body.ShouldContain("187,500 credits");
        page.Body.ShouldContain("$25.00");
        ButtonsOf(page, session).ShouldBe(["pay", "cancel", "decline"]);

        foreach (
            var (button, status, left) in ((string, string, string)[])
                [
                    ("decline", "failed", "pay cancel decline"),
                    ("cancel", "expired", "pay"),
                    ("pay", "paid", "refund dispute"),
                    ("dispute", "disputed", "refund win"),
                    ("win", "paid", "refund"),
                    ("refund", "refunded", ""),
                ]
        )
        {
            (await BrowseAsync(HttpMethod.Post, session, button)).ShouldBe(303).ShouldHave("Location", "/sandbox/checkout/" + session);
            page = await BrowseAsync(HttpMethod.Get, session);
            page.Body.ShouldContain($"data-status=\"{status}\"");
            ButtonsOf(page, session).ShouldBe(left.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [Fact]
    public async Task A_browser_that_does_what_was_done_already_is_led_to_how_it_stands()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 25);
        var before = await _app.StandingAsync(account.Id);
        (await BrowseAsync(HttpMethod.Post, session, "pay")).ShouldBe(303).ShouldHave("Location", "/sandbox/checkout/" + session);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
        foreach (var (other, button) in ((string, string?)[])[(session, "steal"), ("cs_test_none", null), ("cs_test_none", "pay")])
            (await BrowseAsync(button is null ? HttpMethod.Get : HttpMethod.Post, other, button))
                .ShouldBe(404)
                .ShouldHave("Content-Type", "text/html; charset=utf-8");
        (await BrowseAsync(HttpMethod.Get, session)).Body.ShouldMatch(@"(?s)Back to Ledger.*Refund what is left");
    }

    [Fact]
    public async Task A_page_runs_nothing_and_leads_nowhere_else()
    {
        var session = await _app.OrderCreditsAsync(await _app.OpenAccountAsync(), 25);
        var page = await BrowseAsync(HttpMethod.Get, session);
        var style = page.Body.Split("<style>")[1].Split("</style>")[0];
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        page.ShouldHave(
                "Content-Security-Policy",
                $"default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            )
            .ShouldHave("X-Content-Type-Options", "nosniff")
            .ShouldHave("Referrer-Policy", "no-referrer")
            .ShouldHave("Cache-Control", "no-store");
        page.Body.ShouldNotContain("<script");
        page.Body.ShouldNotContain("style=\"");
        page.Body.ShouldNotContain("http:");
        page.Body.ShouldNotContain("https:");
    }

    [Fact]
    public async Task What_somebody_makes_up_never_comes_back_as_markup()
    {
        foreach (var session in (string[])["cs_test_<script>alert(1)</script>", "cs_test_\"'><b>"])
        {
            var answer = await BrowseAsync(HttpMethod.Get, Uri.EscapeDataString(session));
            answer.ShouldBe(404);
            answer.Body.ShouldNotContain("<b>");
            answer.Body.ShouldNotContain("<script>");
        }
    }

    [Fact]
    public async Task Every_kind_of_order_has_its_page()
    {
        var account = await _app.OpenAccountAsync();
        foreach (
            var (session, title, dollars) in ((string, string, string)[])
                [
                    (await _app.OrderCreditsAsync(account, 1.5m), "11,250 credits", "1.50"),
                    (await _app.OrderTopupAsync(account, 5), "Prepaid balance", "5.00"),
                    (await _app.OrderPackAsync(account), "Pack deepseek-chat-20k", "9.00"),
                    (await _app.OrderTierAsync(account), "Subscription pro", "20.00"),
                ]
        )
        {
            var page = await BrowseAsync(HttpMethod.Get, session);
            page.Body.ShouldContain($"<h1>{title}</h1>");
            page.Body.ShouldContain($"<p class=\"amount\">${dollars}</p>");
            (await BrowseAsync(HttpMethod.Post, session, "pay")).ShouldBe(303);
            (await _app.GetAsync("/sandbox/checkout/" + session)).Text("status").ShouldBe("paid");
        }
    }

    [Fact]
    public async Task Where_a_real_provider_takes_payments_there_are_no_such_pages()
    {
        var account = await _app.OpenAccountAsync();
        var (session, portal) = (await _app.OrderCreditsAsync(account, 25), await _app.OpenPortalAsync(account));
        await using var real = await LedgerApp.StartAsync(
            _app.Database,
            _app.Clock,
            settings: new Dictionary<string, string>
            {
                ["Billing:Provider"] = "stripe",
                ["Billing:Stripe:ApiKey"] = "sk_test_of_the_tests",
                ["Billing:Stripe:WebhookSecret"] = "whsec_of_the_tests",
                ["Billing:Stripe:BaseUrl"] = "http://127.0.0.1:1",
            }
        );
        var before = await real.StandingAsync(account.Id);
        (await real.GetAsync("/sandbox/checkout/" + session)).ShouldBe(404);
        (await real.PressAsync(session, "pay")).ShouldBe(404);
        (await real.GetAsync(portal)).ShouldBe(404);
        (await real.PostAsync(portal + "/decline")).ShouldBe(404);
        (await real.StandingAsync(account.Id)).ShouldBe(before);
    }

    private async Task<Answer> BrowseAsync(HttpMethod method, string session, string? button = null)
    {
        using var request = new HttpRequestMessage(method, "/sandbox/checkout/" + session + (button is null ? "" : "/" + button));
        request.Headers.TryAddWithoutValidation("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        if (method == HttpMethod.Post)
            request.Content = new FormUrlEncodedContent([]);
        return await _app.SendAsync(request);
    }

    private static IEnumerable<string> ButtonsOf(Answer page, string session) =>
        page
            .Body.Split($"action=\"/sandbox/checkout/{session}/")
            .Skip(1)
            .Select(part => part[..part.IndexOf('"', StringComparison.Ordinal)]);
}
