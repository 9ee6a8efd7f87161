using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>API keys, in a browser: from made to revoked, and what must not happen on the way.</summary>
[Collection("the clipboard that all pages of a browser share")]
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

    [Fact]
    public async Task A_key_is_told_which_models_it_may_call_and_how_often()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await world.App.GrantAsync(account, Domain.Money.Amount.Usd(5), Domain.Wallets.PocketSource.Prepaid);
        await visitor.GoAsync("/keys/new");
        await visitor.FillAsync("Name", "Narrow");
        await visitor.FillAsync("Models that it may call", "sandbox/echo\r\n  sandbox/slow  \n");
        await visitor.FillAsync("Requests at once", "2");
        await visitor.FillAsync("Requests a second", "0.001");
        await visitor.PressAsync("Create the key");
        var secret = await SecretOf(visitor);
        var key = (await world.App.ReadAsync(account)).Keys.Keys.Values.ShouldHaveSingleItem();
        key.AllowedModels.ShouldBe(["sandbox/echo", "sandbox/slow"]);
        key.RateLimit.ShouldBe(new(2, Domain.Money.Quantity.Parse("0.001"), false));
        (await AskAsync(secret, "sandbox/echo")).ShouldBe(200);
        (await AskAsync(secret, "sandbox/cached")).ShouldBe(403).Body.ShouldContain("model_not_allowed");

        // Two requests at once are all that it has.
        (await AskAsync(secret, "sandbox/echo")).ShouldBe(429);

        await visitor.PressAsync("To the keys");
        var page = await visitor.TextAsync();
        page.ShouldContain("2 models");
        page.ShouldContain("2 requests at once, 0.001 a second");
        await visitor.PressAsync("Narrow");
        page = await visitor.TextAsync();
        page.ShouldContain("sandbox/echo\nsandbox/slow");
        page.ShouldContain("2 requests at once, 0.001 a second");
        (await visitor.Page.GetByLabel("Models that it may call").InputValueAsync()).ShouldBe("sandbox/echo\nsandbox/slow");
        await visitor.LookAsync("key-narrow-rights");

        // What is not touched stays as it is; what is emptied is taken away.
        await visitor.FillAsync("Name", "Narrower");
        await visitor.PressAsync("Save");
        key = (await world.App.ReadAsync(account)).Keys.Find(key.Id)!;
        (key.Name, key.AllowedModels.Length, key.RateLimit?.Burst).ShouldBe(("Narrower", 2, 2));
        foreach (var label in (string[])["Models that it may call", "Requests at once", "Requests a second"])
            await visitor.FillAsync(label, "");
        await visitor.PressAsync("Save");
        key = (await world.App.ReadAsync(account)).Keys.Find(key.Id)!;
        key.AllowedModels.ShouldBeEmpty();
        key.RateLimit.ShouldBeNull();
        (await visitor.TextAsync()).ShouldContain("10 requests at once, 0.5 a second");
    }

    [Theory]
    [InlineData("models", "a\nb\na", "“a” stands there more than once.")]
    [InlineData("models", "261", "At most 260 characters each.")]
    [InlineData("models", "101 lines", "At most 100 of them.")]
    [InlineData("burst", "0", "A whole number from 1 to 1000000.")]
    [InlineData("burst", "2.5", "A whole number from 1 to 1000000.")]
    [InlineData("burst", "", "Fill this in too, or leave both empty.")]
    [InlineData("burst", "11", "At most 10 at once and 0.5 a second; only the operator sets more.")]
    [InlineData("refill", "0", "A number above 0 and up to 1000000")]
    [InlineData("refill", "0,5", "a point, not a comma")]
    [InlineData("refill", "", "Fill this in too, or leave both empty.")]
    [InlineData("refill", "0.500000001", "At most 10 at once and 0.5 a second; only the operator sets more.")]
    public async Task What_is_wrong_with_models_and_rate_is_said_at_the_field(string field, string text, string said)
    {
        var (visitor, account, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        var (key, _) = await world.App.CreateKeyAsync(account);
        var before = (await world.App.ReadAsync(account)).Version;
        text = text switch
        {
            "261" => new('m', 261),
            "101 lines" => string.Join('\n', Enumerable.Range(1, 101)),
            _ => text,
        };
        foreach (var (path, button) in ((string, string)[])[("/keys/new", "Create the key"), ($"/keys/{key}", "Save")])
        {
            await visitor.GoAsync(path);
            await visitor.FillAsync("Name", "Odd");
            if (field != "models")
            {
                await visitor.FillAsync("Requests at once", "2");
                await visitor.FillAsync("Requests a second", "0.5");
            }

            await visitor.Page.Locator("#f-" + field).FillAsync(text);
            await visitor.PressAsync(button);
            (await visitor.Page.Locator($"#f-{field}-error").InnerTextAsync()).ShouldContain(said);
            (await visitor.Page.Locator("#f-" + field).GetAttributeAsync("aria-invalid")).ShouldBe("true");
            (await visitor.Page.Locator("#f-" + field).InputValueAsync()).ShouldBe(text);
            (await visitor.Page.Locator(".error").CountAsync()).ShouldBe(1);
        }

        (await world.App.ReadAsync(account)).Version.ShouldBe(before);
    }

    [Fact]
    public async Task What_the_operator_allowed_is_kept_until_it_is_given_up()
    {
        var (visitor, account, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        var (wide, _) = await world.App.CreateKeyAsync(
            account,
            change: key => key with { RateLimit = new(100, Domain.Money.Quantity.Of(9), false) }
        );
        var (free, _) = await world.App.CreateKeyAsync(account, change: key => key with { RateLimit = new(0, default, true) });

        await visitor.GoAsync($"/keys/{wide}");
        await visitor.FillAsync("Name", "Wide");
        await visitor.FillAsync("Requests at once", "50");
        await visitor.PressAsync("Save");
        (await KeyAsync(wide)).RateLimit.ShouldBe(new(50, Domain.Money.Quantity.Of(9), false));

        await visitor.GoAsync($"/keys/{free}");
        (await visitor.TextAsync()).ShouldContain("As often as it likes");
        await visitor.FillAsync("Name", "Free");
        await visitor.PressAsync("Save");
        (await KeyAsync(free)).RateLimit!.Unlimited.ShouldBeTrue();
        await visitor.FillAsync("Requests at once", "5");
        await visitor.PressAsync("Save");
        (await visitor.TextAsync()).ShouldContain("Leave this empty, or take the tick away.");
        await visitor.FillAsync("Requests a second", "0.5");
        await visitor.Page.GetByLabel("As often as it likes, as the operator set it").UncheckAsync();
        await visitor.PressAsync("Save");
        (await KeyAsync(free)).RateLimit.ShouldBe(new(5, Domain.Money.Quantity.Parse("0.5"), false));

        async Task<Domain.Keys.Key> KeyAsync(Domain.KeyId id) => (await world.App.ReadAsync(account)).Keys.Find(id)!;
    }

    [Fact]
    public async Task What_a_key_was_charged_is_told_in_each_unit_that_it_used()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await world.App.GrantAsync(account, Domain.Money.Amount.Usd(5), Domain.Wallets.PocketSource.Prepaid);
        var (key, secret) = await world.App.CreateKeyAsync(account);
        await world.App.CreateKeyAsync(account, change: made => made with { Name = "Never used" });
        (await AskAsync(secret, "sandbox/echo")).ShouldBe(200);
        var charged =
            Domain.Money.Amount.Usd(5) - (await world.App.ReadAsync(account)).Wallet.Available(Domain.Money.Unit.Usd, world.App.Clock.Now);
        charged.IsPositive.ShouldBeTrue();
        await visitor.GoAsync($"/keys/{key}");
        (await SpentAsync("This month")).ShouldBe(Ledger.Api.Dashboard.Show.Amount(charged));
        (await SpentAsync("Ever")).ShouldBe(Ledger.Api.Dashboard.Show.Amount(charged));

        await world.App.GrantAsync(account, Domain.Money.Amount.Credits(100));
        (await world.SpendAsync(secret)).ShouldBe(200);
        await visitor.GoAsync($"/keys/{key}");
        (await SpentAsync("Ever")).ShouldBe("5 credits\n" + Ledger.Api.Dashboard.Show.Amount(charged));
        await visitor.GoAsync("/keys");
        var rows = await visitor.Page.Locator("tbody tr td[data-label='This month']").AllInnerTextsAsync();
        rows.Select(row => row.Replace('\u00a0', ' ').Trim())
            .ShouldBe(["0 credits", "5 credits\n" + Ledger.Api.Dashboard.Show.Amount(charged)]);

        async Task<string> SpentAsync(string name) =>
            (await visitor.Page.Locator($"dt:text-is('{name}') + dd").InnerTextAsync()).Replace('\u00a0', ' ').Trim();
    }

    [Fact]
    public async Task A_key_that_is_revoked_meanwhile_does_not_end_the_list_of_keys()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        for (var n = 0; n < 54; n++)
            await world.App.CreateKeyAsync(account);
        await visitor.GoAsync("/keys");
        var rows = visitor.Page.Locator("tbody tr");
        (await rows.CountAsync()).ShouldBe(50);
        var last = (await rows.Last.Locator("th a").GetAttributeAsync("href"))!.Split('/')[^1];
        await world.App.ExecuteAsync(new Domain.Keys.RevokeKey(account, new(last), null));
        await visitor.PressAsync("Next page");
        (await rows.CountAsync()).ShouldBe(4);
        (await visitor.TextAsync()).ShouldContain("53 keys");
    }

    [Fact]
    public async Task Copying_twice_says_so_twice_and_then_no_more()
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await visitor.Page.Clock.InstallAsync();
        await visitor.GoAsync("/docs");
        var copy = visitor.Page.Locator("button[data-copy]").First;
        var said = visitor.Page.Locator("body > [role=status]");
        await copy.ClickAsync();
        await Assertions.Expect(said).ToHaveTextAsync("Copied");
        await visitor.Page.Clock.RunForAsync(1000);
        await copy.ClickAsync();
        await visitor.Page.Clock.RunForAsync(1500);
        await Assertions.Expect(copy).ToHaveTextAsync("Copied");
        await visitor.Page.Clock.RunForAsync(1000);
        await Assertions.Expect(copy).ToHaveTextAsync("Copy");
        await Assertions.Expect(said).ToHaveTextAsync("");
    }

    [Fact]
    public async Task Without_a_script_nothing_offers_to_copy()
    {
        var (visitor, _, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        await visitor.GoAsync("/docs");
        var buttons = await visitor.Page.Locator("button[data-copy]").AllAsync();
        buttons.ShouldNotBeEmpty();
        foreach (var button in buttons)
            (await button.IsVisibleAsync()).ShouldBeFalse();
    }

    private Task<Ledger.Testing.Answer> AskAsync(string secret, string model) =>
        world.App.PostAsync("/v1/chat/completions", secret, new { model, messages = (object[])[new { role = "user", content = "Hello" }] });

    private static Task<string> SecretOf(Visitor visitor) =>
        visitor.Page.GetByRole(AriaRole.Textbox, new() { Name = "Secret" }).InputValueAsync();
}
