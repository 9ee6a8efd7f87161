using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>API keys, in a browser: from made to revoked, and what must not happen on the way.</summary>
public sealed class KeyTests(DashboardWorld world) : IClassFixture<DashboardWorld>
{
    [Fact]
    public async Task A_key_is_made_copied_used_and_revoked()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await world.App.GrantAsync(account, Domain.Money.Amount.Credits(1000));
        await visitor.PressAsync("Create your first API key");
        await visitor.FillAsync("Name", "Billing worker");
        await visitor.FillAsync("Environment", "production");
        await visitor.FillAsync("Limit in credits", "20");
        await visitor.Page.GetByLabel("Limits start anew").SelectOptionAsync("daily");
        await visitor.PressAsync("Create the key");
        await visitor.Context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Copy" }).ClickAsync();
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Copied" }).WaitForAsync();
        var secret = await SecretOf(visitor);
        (await visitor.Page.EvaluateAsync<string>("navigator.clipboard.readText()")).ShouldBe(secret);
        (await world.SpendAsync(secret, units: 3)).ShouldBe(200);

        await visitor.PressAsync("To the keys");
        var page = await visitor.TextAsync();
        page.ShouldContain("15 of 20 credits a day");
        page.ShouldContain("lk_live_…" + secret[^4..]);
        (await visitor.Page.ContentAsync()).ShouldNotContain(secret, customMessage: "a secret is shown once");
        await visitor.PressAsync("Billing worker");
        await visitor.PressAsync("Revoke…");
        await visitor.PressAsync("Cancel");
        (await world.SpendAsync(secret)).ShouldBe(200);
        await visitor.PressAsync("Revoke…");
        await visitor.PressAsync("Revoke it for good");
        visitor.Path.ShouldBe("/keys?done=revoked");
        (await visitor.TextAsync()).ShouldContain("No keys yet");
        (await world.SpendAsync(secret)).ShouldBe(401);
    }

    [Fact]
    public async Task A_form_that_is_sent_twice_makes_one_key_and_shows_its_secret_once()
    {
        var (visitor, account, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        await visitor.GoAsync("/keys/new");
        await visitor.FillAsync("Name", "Twice");
        await visitor.PressAsync("Create the key");
        var secret = await SecretOf(visitor);
        await visitor.Page.ReloadAsync();
        (await visitor.TextAsync()).ShouldContain("This form was sent before");
        (await visitor.Page.ContentAsync()).ShouldNotContain(secret);
        (await world.App.ReadAsync(account)).Keys.Keys.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_key_is_changed_paused_and_rotated_without_scripts()
    {
        var (visitor, account, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        var (key, secret) = await world.FurnishAsync(account);
        await visitor.GoAsync($"/keys/{key}");
        await visitor.FillAsync("Name", "Renamed");
        await visitor.FillAsync("Limit in credits", "500");
        await visitor.PressAsync("Save");
        (await visitor.Heading.InnerTextAsync()).ShouldBe("Renamed");
        (await world.App.ReadAsync(account)).Keys.Find(key)!.Limit.ShouldBe(Domain.Money.Amount.Credits(500));

        await visitor.PressAsync("Pause");
        (await world.SpendAsync(secret)).ShouldBe(401);
        await visitor.PressAsync("Resume");
        (await world.SpendAsync(secret)).ShouldBe(200);

        await visitor.PressAsync("Rotate…");
        await visitor.Page.GetByLabel("The old secret works on for").SelectOptionAsync("3600");
        await visitor.PressAsync("Make a new secret");
        var renewed = await SecretOf(visitor);
        (await world.SpendAsync(renewed)).ShouldBe(200);
        (await world.SpendAsync(secret)).ShouldBe(200);
        (await visitor.TextAsync()).ShouldContain("The secret before works until");

        await visitor.GoAsync($"/keys/{key}/rotate");
        await visitor.Page.GetByLabel("The old secret works on for").SelectOptionAsync("0");
        await visitor.PressAsync("Make a new secret");
        (await world.SpendAsync(renewed)).ShouldBe(401);
    }

    [Fact]
    public async Task Keys_are_filtered_by_environment()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        foreach (
            var (name, environment) in ((string, string?)[])[("Live one", "production"), ("Trial one", "stage & test"), ("Bare one", null)]
        )
            await world.App.CreateKeyAsync(account, change: key => key with { Name = name, Environment = environment });
        await visitor.GoAsync("/keys");
        foreach (var name in (string[])["Live one", "Trial one", "Bare one"])
            (await visitor.TextAsync()).ShouldContain(name);
        await visitor.PressAsync("stage & test");
        (await visitor.TextAsync()).ShouldContain("Trial one");
        (await visitor.TextAsync()).ShouldNotContain("Live one");
        await visitor.PressAsync("None");
        (await visitor.TextAsync()).ShouldContain("Bare one");
        (await visitor.TextAsync()).ShouldNotContain("Trial one");
    }

    [Fact]
    public async Task What_a_key_is_called_is_text_wherever_it_stands()
    {
        const string Name = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&";
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        var (key, secret) = await world.App.CreateKeyAsync(account, change: key => key with { Name = Name, Environment = "<b>x" });
        await world.App.GrantAsync(account, Domain.Money.Amount.Credits(1000));
        await world.SpendAsync(secret);
        foreach (var path in (string[])["/", "/keys", $"/keys/{key}", $"/keys/{key}/revoke", $"/keys/{key}/rotate"])
        {
            await visitor.GoAsync(path);
            (await visitor.TextAsync()).ShouldContain(Name);
            (await visitor.Page.TitleAsync()).ShouldEndWith("· Ledger");
            (await visitor.Page.Locator("main script, main img").CountAsync()).ShouldBe(0);
        }
    }

    [Fact]
    public async Task What_is_refused_is_said_and_nothing_is_made()
    {
        var (visitor, account, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        await visitor.GoAsync("/keys/new");
        await visitor.FillAsync("Name", "Odd");
        await visitor.FillAsync("Limit in credits", "1,5");
        await visitor.FillAsync("Works until", "2020-01-31");
        await visitor.PressAsync("Create the key");
        (await visitor.TextAsync()).ShouldContain("a point, not a comma");
        (await visitor.Page.GetByLabel("Limit in credits").InputValueAsync()).ShouldBe("1,5");
        await visitor.FillAsync("Limit in credits", "1.5");
        await visitor.PressAsync("Create the key");
        (await visitor.TextAsync()).ShouldContain("The expiry must be in the future.");
        (await world.App.ReadAsync(account)).Keys.Keys.ShouldBeEmpty();
    }

    private static Task<string> SecretOf(Visitor visitor) =>
        visitor.Page.GetByRole(AriaRole.Textbox, new() { Name = "Secret" }).InputValueAsync();
}
