using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>Accounts as the operator sees them, in a browser: searched, given funds, suspended, and their history.</summary>
public sealed class OperatorAccountTests(DashboardWorld world) : IClassFixture<DashboardWorld>
{
    [Fact]
    public async Task An_account_is_found_and_looked_at()
    {
        var (customer, account, email) = await world.SignUpAsync();
        await customer.DisposeAsync();
        var (key, _) = await world.FurnishAsync(account);
        await world.App.CreateKeyAsync(account, change: made => made with { Name = "<img src=x onerror=alert(1)>" });
        await world.App.ExecuteAsync(
            new PlaceHold(account, key, "chat", Quantity.Of(2), "a hold", TimeSpan.FromMinutes(10)) { By = new Credential(key) }
        );
        await using var visitor = await OperatorAsync();
        await visitor.PressAsync("Accounts");
        await visitor.LookAsync("operator-accounts");
        await visitor.FillAsync("E-mail address or id", email[..^4].ToUpperInvariant());
        await visitor.PressAsync("Search");
        await visitor.PressAsync(email);
        visitor.Path.ShouldBe($"/operator/accounts/{account}");
        var page = await visitor.TextAsync();
        foreach (
            var part in (string[])
                [
                    email,
                    "Available credits",
                    "$20.00",
                    "deepseek/deepseek-chat",
                    "Billing worker",
                    "<img src=x onerror=alert(1)>",
                    "1 hold",
                    "a hold",
                    "0 orders",
                    "key_limit_reached",
                ]
        )
            page.ShouldContain(part);
        (await visitor.Page.Locator("main img").CountAsync()).ShouldBe(0, "names are never markup");
        await visitor.LookAsync("operator-account");

        (await visitor.GoAsync("/operator/accounts?query=" + account)).ShouldBe(200);
        (await visitor.TextAsync()).ShouldContain(email);
        (await visitor.GoAsync("/operator/accounts?query=nobody-of-this-name")).ShouldBe(200);
        (await visitor.TextAsync()).ShouldContain("Nobody found");
        foreach (var path in (string[])["nothing", "nothing/grant", "nothing/suspend", "nothing/events", "no%20id"])
            (await visitor.GoAsync("/operator/accounts/" + path)).ShouldBe(404);
        foreach (var path in (string[])["?after=no+id", "?query=%00"])
            (await visitor.GoAsync("/operator/accounts" + path)).ShouldBe(400);
    }

    [Fact]
    public async Task A_whole_address_finds_its_account_and_its_part_all_that_have_it()
    {
        var email = world.NewEmail();
        var longer = "very." + email;
        foreach (var address in (string[])[email, longer])
            (
                await world.App.PostAsync("/api/v1/auth/register", null, new { email = address, password = DashboardWorld.Password })
            ).ShouldBe(201);
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync("/operator/accounts?query=" + Uri.EscapeDataString(email.ToUpperInvariant()));
        (await visitor.Page.Locator("tbody th a").AllInnerTextsAsync()).ShouldBe([email]);
        await visitor.PressAsync("All whose address contains this");
        (await visitor.Page.Locator("tbody th a").AllInnerTextsAsync()).ShouldBe([email, longer], ignoreOrder: true);
    }

    [Fact]
    public async Task Whatever_an_account_has_many_of_comes_page_by_page()
    {
        var account = await world.App.OpenAccountAsync(credits: 1000);
        for (var n = 0; n < 53; n++)
        {
            await world.App.CreateKeyAsync(account.Id);
            await world.App.ExecuteAsync(
                new PlaceHold(account.Id, account.KeyId, "chat", Quantity.Of(1), $"hold-{n:00}", TimeSpan.FromMinutes(10))
                {
                    By = new Credential(account.KeyId),
                }
            );
        }

        await using var visitor = await OperatorAsync();
        foreach (var (list, rest) in ((string, int)[])[("holds", 3), ("keys", 4)])
        {
            await visitor.GoAsync($"/operator/accounts/{account.Id}");
            var rows = visitor.Page.Locator($"#{list} tbody tr");
            (await rows.CountAsync()).ShouldBe(50);
            var first = (await rows.AllInnerTextsAsync()).ToHashSet();
            await visitor.Page.Locator($"#{list} a[rel=next]").ClickAsync();
            await visitor.Page.WaitForURLAsync($"**?{list}=*");
            (await rows.CountAsync()).ShouldBe(rest);
            if (list == "holds")
                (await rows.AllInnerTextsAsync()).ShouldAllBe(row => !first.Contains(row));
            await visitor.Page.Locator($"#{list}").GetByText("First page").ClickAsync();
            await visitor.Page.WaitForURLAsync($"**/{account.Id}#{list}");
        }
    }

    [Fact]
    public async Task A_balance_that_could_not_be_asked_is_not_that_of_another_moment()
    {
        var account = await world.App.OpenAccountAsync(credits: 5);
        world.App.Clock.Advance(TimeSpan.FromSeconds(100));
        await world.App.GrantAsync(account.Id, Amount.Credits(7));
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync($"/operator/accounts/{account.Id}/events");
        (await visitor.Page.Locator(".history-line time").First.InnerTextAsync()).ShouldBe(
            Ledger.Api.Dashboard.Show.Exactly(world.App.Clock.Now)
        );
        await visitor.Page.RouteAsync("**/balance?*", route => route.AbortAsync());
        await visitor.Page.Locator("#as-of-slider").PressAsync("Home");
        await Assertions.Expect(visitor.Page.Locator("#then-fault")).ToBeVisibleAsync();
        (await visitor.Page.Locator("#then-credits-available").IsVisibleAsync()).ShouldBeFalse("it is of another moment");
        await visitor.Page.UnrouteAllAsync();
        await visitor.Page.Locator("#as-of-slider").PressAsync("ArrowRight");
        await Assertions.Expect(visitor.Page.Locator("#then-credits-available")).ToHaveTextAsync("5 credits");
        (await visitor.Page.Locator("#then-fault").IsVisibleAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Accounts_come_page_by_page()
    {
        for (var i = 0; i < 60; i++)
            await world.App.OpenAccountAsync();
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync("/operator/accounts");
        var seen = new HashSet<string>();
        while (true)
        {
            foreach (var row in await visitor.Page.Locator("tbody th a").AllAsync())
                seen.Add((await row.GetAttributeAsync("href"))!).ShouldBeTrue();
            if (await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Next page" }).CountAsync() == 0)
                break;
            await visitor.PressAsync("Next page");
        }

        seen.Count.ShouldBe((int)(long)(await world.App.QueryAsync("select count(*) from accounts"))!);
    }

    [Fact]
    public async Task Funds_are_given_once_after_they_were_confirmed()
    {
        var account = await world.App.OpenAccountAsync();
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync($"/operator/accounts/{account.Id}/grant");
        await visitor.FillAsync("Amount", "-5");
        await visitor.Page.GetByLabel("Unit").SelectOptionAsync("usd");
        await visitor.FillAsync("Reason", "Sorry for the <b>outage</b>");
        await visitor.PressAsync("Review");
        var page = await visitor.TextAsync();
        page.ShouldContain("A number above 0");
        page.ShouldContain("Dollars are always prepaid.");
        await visitor.FillAsync("Amount", "12.5");
        await visitor.Page.GetByLabel("Unit").SelectOptionAsync("credits");
        await visitor.FillAsync("Lapses after", "2020-01-01");
        await visitor.PressAsync("Review");
        (await visitor.TextAsync()).ShouldContain("A day that is not over yet.");
        await visitor.LookAsync("operator-grant");
        await visitor.FillAsync("Lapses after", "2099-12-31");
        await visitor.PressAsync("Review");
        (await visitor.Heading.InnerTextAsync()).ShouldBe("Give 12.5 credits?");
        (await visitor.TextAsync()).ShouldContain("Sorry for the <b>outage</b>");
        await visitor.LookAsync("operator-grant-review");
        (await world.App.ReadAsync(account.Id)).Wallet.Open.ShouldBeEmpty("nothing is given before it is confirmed");

        var again = await OperatorForm.ReadAsync(visitor);
        await visitor.PressAsync("Give it");
        visitor.Path.ShouldBe($"/operator/accounts/{account.Id}?done=granted");
        (await again.SendAsync(visitor)).ShouldBe($"/operator/accounts/{account.Id}?done=granted", "sent twice, it is given once");
        var stored = (await world.App.EventsAsync(account.Id)).Where(one => one.Type == "credits_granted").ShouldHaveSingleItem();
        var granted = (CreditsGranted)LedgerEvents.Types.Read(stored);
        (granted.Amount, granted.Source, granted.Reason).ShouldBe(
            (new Amount(12_500_000, Unit.Credits), PocketSource.Bonus, "Sorry for the <b>outage</b>")
        );
        granted.ExpiresAt.ShouldBe(new DateTimeOffset(2099, 12, 31, 23, 59, 59, TimeSpan.Zero));
        EventHeaders.Read(stored.Headers).Actor.ShouldBe("operator");

        // One reference gives one thing.
        foreach (var (amount, status) in ((string, int)[])[("1", 303), ("2", 409)])
        {
            await visitor.GoAsync($"/operator/accounts/{account.Id}/grant");
            await visitor.FillAsync("Amount", amount);
            await visitor.FillAsync("Reason", "Invoice");
            await visitor.FillAsync("Reference", "INV-1");
            await visitor.PressAsync("Review");
            await visitor.PressAsync("Give it");
            visitor.Path.ShouldBe(
                status == 303 ? $"/operator/accounts/{account.Id}?done=granted" : $"/operator/accounts/{account.Id}/grant/confirm"
            );
        }

        (await visitor.TextAsync()).ShouldContain("This reference was used before with other contents.");
    }

    [Fact]
    public async Task An_account_is_suspended_and_reinstated_with_a_reason()
    {
        var (customer, account, email) = await world.SignUpAsync();
        await using var _ = customer;
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync($"/operator/accounts/{account}");
        await visitor.PressAsync("Suspend…");
        (await visitor.Heading.InnerTextAsync()).ShouldBe($"Suspend {email}?");
        await visitor.LookAsync("operator-suspend");
        await visitor.FillAsync("Reason", "Looks like fraud");
        await visitor.PressAsync("Suspend it");
        (await visitor.TextAsync()).ShouldContain("The account is suspended");
        (await world.App.ReadAsync(account)).Status.ShouldBe(AccountStatus.Suspended);
        (await customer.GoAsync("/")).ShouldBe(403);
        (await customer.TextAsync()).ShouldContain("Your account is suspended");

        await visitor.PressAsync("Reinstate…");
        await visitor.FillAsync("Reason", "It was not");
        await visitor.PressAsync("Reinstate it");
        (await world.App.ReadAsync(account)).Status.ShouldBe(AccountStatus.Open);
        (await customer.GoAsync("/")).ShouldBe(200);
        var last = (await world.App.EventsAsync(account))[^1];
        (last.Type, EventHeaders.Read(last.Headers).Actor).ShouldBe(("account_reinstated", "operator"));
    }

    [Fact]
    public async Task The_history_tells_every_event_and_the_balance_of_any_moment()
    {
        var account = await world.App.OpenAccountAsync();
        for (var i = 0; i < 60; i++)
        {
            world.App.Clock.Advance(TimeSpan.FromSeconds(10));
            await world.App.GrantAsync(account.Id, Amount.Credits(1));
        }

        var opened = (await world.App.ReadAsync(account.Id)).OpenedAt;
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync($"/operator/accounts/{account.Id}/events");
        (await Figure(visitor)).ShouldBe("60 credits");
        (await visitor.Page.Locator(".history > li").CountAsync()).ShouldBe(50);
        (await visitor.TextAsync()).ShouldContain("62 to 13 of 62, newest first");
        var first = visitor.Page.Locator(".history > li").First;
        (await first.InnerTextAsync()).ShouldContain("1 credit given, bought");
        (await first.InnerTextAsync()).ShouldContain("Operator");
        await first.Locator("summary").ClickAsync();
        (await first.Locator("pre").InnerTextAsync()).ShouldContain("\"reason\": \"A test\"");
        await visitor.LookAsync("operator-history");

        // The slider asks; the field says the same exactly.
        var then = opened.AddSeconds(300).ToUnixTimeSeconds();
        await visitor.Page.Locator("#as-of-slider").FillAsync(then.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await Assertions.Expect(visitor.Page.Locator("#then-credits-available")).ToHaveTextAsync("30 credits");
        (await visitor.Page.GetByLabel("Date and time, UTC").InputValueAsync()).ShouldBe(Field(opened.AddSeconds(300)));
        await visitor.Page.Locator("#as-of-slider").PressAsync("ArrowLeft");
        await Assertions.Expect(visitor.Page.Locator("#then-credits-available")).ToHaveTextAsync("29 credits");
        await visitor.Page.Locator("#as-of-slider").PressAsync("End");
        await Assertions.Expect(visitor.Page.Locator("#then-credits-available")).ToHaveTextAsync("60 credits");

        // Where the list is long, the moment is the way into it, and the slider works on every page of it.
        await visitor.Page.Locator("#as-of-slider").FillAsync(then.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await Assertions.Expect(visitor.Page.Locator("#then-credits-available")).ToHaveTextAsync("30 credits");
        await visitor.PressAsync("Events up to then");
        (await visitor.TextAsync()).ShouldContain("32 to 1 of 62, newest first");
        (await Figure(visitor)).ShouldBe("30 credits");
        await visitor.Page.Locator("#as-of-slider").PressAsync("ArrowLeft");
        await Assertions.Expect(visitor.Page.Locator("#then-credits-available")).ToHaveTextAsync("29 credits");
        await visitor.PressAsync("First page");
        (await visitor.TextAsync()).ShouldContain("62 to 13 of 62, newest first");

        await visitor.PressAsync("Next page");
        (await visitor.Page.Locator(".history > li").CountAsync()).ShouldBe(12);
        (await visitor.TextAsync()).ShouldContain("The account was opened.");
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Balance then" }).Last.ClickAsync();
        await Assertions.Expect(visitor.Page.Locator("#then-credits-available")).ToHaveTextAsync("0 credits");
        (await visitor.GoAsync($"/operator/accounts/{account.Id}/events?at=yesterday")).ShouldBe(400);
        (await visitor.TextAsync()).ShouldContain("A moment such as 2026-07-03T12:00, UTC.");
        (await visitor.GoAsync($"/operator/accounts/{account.Id}/events?before=x")).ShouldBe(404);
    }

    [Fact]
    public async Task The_balance_of_any_moment_needs_no_script()
    {
        var account = await world.App.OpenAccountAsync(credits: 5);
        world.App.Clock.Advance(TimeSpan.FromSeconds(10));
        await world.App.GrantAsync(account.Id, Amount.Credits(7));
        await using var visitor = await OperatorAsync(scripts: false);
        await visitor.GoAsync($"/operator/accounts/{account.Id}/events");
        (await visitor.Page.Locator("#as-of-slider").IsVisibleAsync()).ShouldBeFalse("a slider does nothing without a script");
        (await Figure(visitor)).ShouldBe("12 credits");
        await visitor.FillAsync("Date and time, UTC", Field(world.App.Clock.Now.AddSeconds(-1)));
        await visitor.PressAsync("Show");
        (await Figure(visitor)).ShouldBe("5 credits");
        await visitor.FillAsync("Date and time, UTC", "2020-01-01T00:00");
        await visitor.PressAsync("Show");
        (await visitor.TextAsync()).ShouldContain("Not opened yet");
        await visitor.PressAsync("Events up to then");
        (await visitor.TextAsync()).ShouldContain("Nothing had happened yet.");
        await visitor.PressAsync("Now");
        (await Figure(visitor)).ShouldBe("12 credits");
    }

    // As browsers write a moment into its field: without seconds where there are none.
    private static string Field(DateTimeOffset at) =>
        at.UtcDateTime.ToString(
            at.Second == 0 ? "yyyy-MM-dd'T'HH:mm" : "yyyy-MM-dd'T'HH:mm:ss",
            System.Globalization.CultureInfo.InvariantCulture
        );

    private static Task<string> Figure(Visitor visitor) => visitor.Page.Locator("#then-credits-available").InnerTextAsync();

    private async Task<Visitor> OperatorAsync(bool scripts = true)
    {
        var visitor = await world.VisitAsync(scripts);
        await visitor.SignInAsOperatorAsync();
        return visitor;
    }
}

/// <summary>A form of a page, as it is about to be sent: to be sent once more.</summary>
internal sealed record OperatorForm(string Action, IReadOnlyDictionary<string, string> Fields)
{
    /// <summary>The last form of the page that is open.</summary>
    public static async Task<OperatorForm> ReadAsync(Visitor visitor)
    {
        var read = await visitor.Page.EvaluateAsync<System.Text.Json.JsonElement>(
            "() => { const form = [...document.querySelectorAll('main form')].at(-1); return [form.getAttribute('action'), Object.fromEntries(new FormData(form))]; }"
        );
        return new(read[0].GetString()!, read[1].EnumerateObject().ToDictionary(field => field.Name, field => field.Value.GetString()!));
    }

    /// <summary>Sends it.</summary>
    /// <returns>Where the answer leads.</returns>
    public async Task<string?> SendAsync(Visitor visitor)
    {
        var form = visitor.Page.APIRequest.CreateFormData();
        foreach (var (name, value) in Fields)
            form.Append(name, value);
        var answer = await visitor.Page.APIRequest.PostAsync(Action, new() { Form = form, MaxRedirects = 0 });
        return answer.Headers.GetValueOrDefault("location");
    }
}
