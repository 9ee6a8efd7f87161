using Ledger.Testing;

namespace Ledger.Api.Tests.Payments.Sandbox;

/// <summary>The sandbox's portal: payments, the subscription and the card, for whoever has the link, for an hour.</summary>
public sealed class PortalTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task The_card_works_until_it_is_declined_and_works_again()
    {
        var portal = await _app.OpenPortalAsync(await _app.OpenAccountAsync());
        (await _app.GetAsync(portal)).ShouldBe(200, """{"tier":null,"ends_with_period":false,"card_declines":false}""");
        (await _app.PostAsync(portal + "/decline")).ShouldBe(204);
        (await _app.GetAsync(portal)).Text("card_declines").ShouldBe("true");
        (await _app.PostAsync(portal + "/decline")).ShouldBe(204);
        (await _app.PostAsync(portal + "/accept")).ShouldBe(204);
        (await _app.GetAsync(portal)).Text("card_declines").ShouldBe("false");
    }

    [Fact]
    public async Task A_subscription_is_ended_and_kept_there()
    {
        var account = await _app.OpenAccountAsync();
        await _app.SubscribeAsync(account);
        var portal = await _app.OpenPortalAsync(account);
        (await _app.PostAsync(portal + "/end")).ShouldBe(204);
        (await _app.GetAsync(portal)).ShouldBe(200, """{"tier":"pro","ends_with_period":true,"card_declines":false}""");
        (await _app.GetAsync("/tenant/subscription", account.Key)).Text("state").ShouldBe("ending");
        (await _app.PostAsync(portal + "/keep")).ShouldBe(204);
        (await _app.GetAsync(portal)).ShouldBe(200, """{"tier":"pro","ends_with_period":false,"card_declines":false}""");
        (await _app.GetAsync("/tenant/subscription", account.Key)).Text("state").ShouldBe("active");
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(portal + "/keep")).ShouldBe(204);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Without_a_subscription_there_is_none_to_end()
    {
        var portal = await _app.OpenPortalAsync(await _app.OpenAccountAsync());
        foreach (var action in (string[])["end", "keep", "steal"])
            (await _app.PostAsync($"{portal}/{action}")).ShouldBe(404);
    }

    [Fact]
    public async Task A_browser_sees_what_was_paid_and_is_led_back_after_each_click()
    {
        var account = await _app.OpenAccountAsync();
        var portal = await _app.OpenPortalAsync(account);
        (await BrowseAsync(HttpMethod.Get, portal)).ShouldBe(200).Body.ShouldContain("Nothing yet.");
        await _app.BuyCreditsAsync(account, 25);
        await _app.SubscribeAsync(account);
        await _app.OrderPackAsync(account);
        var page = (await BrowseAsync(HttpMethod.Get, portal)).ShouldBe(200).ShouldHave("Content-Type", "text/html; charset=utf-8");
        page.Header("Content-Security-Policy").ShouldStartWith("default-src 'none';");
        page.Body.ShouldContain("<td>187,500 credits</td><td>$25.00</td><td>paid</td>");
        page.Body.ShouldContain("<td>Subscription pro</td><td>$20.00</td><td>paid</td>");
        page.Body.ShouldContain("paid until 2026-08-03T12:00:00Z");
        page.Body.ShouldNotContain("deepseek");
        foreach (
            var (action, then) in ((string, string)[])
                [("decline", "The card is declined."), ("accept", "The card works."), ("end", "/keep\""), ("keep", "/end\"")]
        )
        {
            (await BrowseAsync(HttpMethod.Post, $"{portal}/{action}")).ShouldBe(303).ShouldHave("Location", portal);
            (await BrowseAsync(HttpMethod.Get, portal)).Body.ShouldContain(then);
        }
    }

    [Fact]
    public async Task A_link_opens_its_own_account_only()
    {
        var (one, other) = (await _app.OpenAccountAsync(), await _app.OpenAccountAsync());
        await _app.SubscribeAsync(one);
        (await _app.GetAsync(await _app.OpenPortalAsync(one))).Text("tier").ShouldBe("pro");
        (await _app.GetAsync(await _app.OpenPortalAsync(other))).Text("tier").ShouldBe("null");
    }

    [Fact]
    public async Task A_link_that_was_made_up_or_changed_opens_nothing()
    {
        var account = await _app.OpenAccountAsync();
        var portal = await _app.OpenPortalAsync(account);
        var middle = portal.Length / 2;
        foreach (
            var forged in (string[])
                [
                    "/sandbox/portal/" + account.Id,
                    "/sandbox/portal/x",
                    portal[..^4],
                    portal + "AAAA",
                    portal[..middle] + (portal[middle] == 'A' ? 'B' : 'A') + portal[(middle + 1)..],
                ]
        )
        {
            (await _app.GetAsync(forged)).ShouldBe(404);
            (await _app.PostAsync(forged + "/decline")).ShouldBe(404);
        }

        (await _app.GetAsync(portal)).Text("card_declines").ShouldBe("false");
    }

    [Fact]
    public async Task A_link_is_good_for_an_hour()
    {
        await using var app = await LedgerApp.StartAsync();
        var portal = await app.OpenPortalAsync(await app.OpenAccountAsync());
        app.Clock.Advance(TimeSpan.FromHours(1) - TimeSpan.FromSeconds(1));
        (await app.GetAsync(portal)).ShouldBe(200);
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await app.GetAsync(portal)).ShouldBe(404);
        (await app.PostAsync(portal + "/decline")).ShouldBe(404);
    }

    private async Task<Answer> BrowseAsync(HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.TryAddWithoutValidation("Accept", "text/html");
        return await _app.SendAsync(request);
    }
}
