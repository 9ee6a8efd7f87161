using System.Text.RegularExpressions;
using Ledger.Testing;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>Opening an account, signing in and out, and what ends a session, in a browser.</summary>
public sealed partial class SignInTests(DashboardWorld world) : IClassFixture<DashboardWorld>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_newcomer_opens_an_account_signs_out_and_in_again_with_scripts_and_without(bool scripts)
    {
        var email = world.NewEmail();
        await using var visitor = await world.VisitAsync(scripts);
        await visitor.SignUpAsync(email);
        (await visitor.TextAsync()).ShouldContain("Your account is open");
        await visitor.PressAsync("Sign out");
        visitor.Path.ShouldBe("/sign-in?done=signed-out");
        await visitor.GoAsync("/keys?environment=x");
        visitor.Path.ShouldBe("/sign-in?next=%2Fkeys%3Fenvironment%3Dx");
        await visitor.FillAsync("E-mail address", email);
        await visitor.FillAsync("Password", DashboardWorld.Password);
        await visitor.PressAsync("Sign in");
        visitor.Path.ShouldBe("/keys?environment=x", "where it was wanted to go");
    }

    [Fact]
    public async Task A_code_by_mail_signs_in_once()
    {
        var (visitor, _, email) = await world.SignUpAsync();
        await using var _ = visitor;
        await visitor.Context.ClearCookiesAsync();
        await visitor.GoAsync("/sign-in/code");
        await visitor.FillAsync("E-mail address", email);
        await visitor.PressAsync("Send the code");
        await visitor.FillAsync("Code", "000000");
        await visitor.PressAsync("Sign in");
        (await visitor.TextAsync()).ShouldContain("The address, the password or the code is wrong.");
        await visitor.FillAsync("Code", await CodeOfAsync(email));
        await visitor.PressAsync("Sign in");
        visitor.Path.ShouldBe("/");
        (await visitor.Heading.InnerTextAsync()).ShouldBe("Overview");
    }

    [Fact]
    public async Task What_is_wrong_is_said_at_the_field_and_what_was_typed_stays()
    {
        await using var visitor = await world.VisitAsync(scripts: false);
        await visitor.GoAsync("/sign-up");
        await visitor.Page.EvaluateAsync("document.querySelectorAll('form').forEach(form => form.noValidate = true)");
        await visitor.FillAsync("E-mail address", "not an address");
        await visitor.FillAsync("Password", "short");
        await visitor.PressAsync("Open the account");
        var email = visitor.Page.GetByLabel("E-mail address");
        (await email.InputValueAsync()).ShouldBe("not an address");
        (await email.GetAttributeAsync("aria-invalid")).ShouldBe("true");
        (await visitor.TextAsync()).ShouldContain("This is no e-mail address.");
        (await visitor.TextAsync()).ShouldContain("At least 8 characters.");
        (await visitor.Page.GetByLabel("Password").InputValueAsync()).ShouldBe("", "a password never comes back");
    }

    [Fact]
    public async Task An_address_that_is_taken_opens_no_second_account_and_a_wrong_password_says_nothing_of_which()
    {
        var (visitor, _, email) = await world.SignUpAsync();
        await using var _ = visitor;
        await using var other = await world.VisitAsync();
        await other.GoAsync("/sign-up");
        await other.FillAsync("E-mail address", email.ToUpperInvariant());
        await other.FillAsync("Password", "another password");
        await other.PressAsync("Open the account");
        (await other.TextAsync()).ShouldContain("There is an account with this address already.");
        await other.SignInAsync(email, "another password");
        var wrong = await other.TextAsync();
        await other.SignInAsync("nobody@example.com", "another password");
        (await other.TextAsync()).ShouldBe(wrong);
        wrong.ShouldContain("The address, the password or the code is wrong.");
    }

    [Fact]
    public async Task A_new_password_needs_the_old_one_and_signs_everybody_else_out()
    {
        var (visitor, account, email) = await world.SignUpAsync();
        await using var _ = visitor;
        await using var other = await world.VisitAsync();
        await other.SignInAsync(email);
        other.Path.ShouldBe("/");
        var before = (await world.App.EventsAsync(account)).Count;

        await ChangeAsync(visitor, "a wrong password");
        (await visitor.TextAsync()).ShouldContain("That is not it.");
        (await world.App.EventsAsync(account)).Count.ShouldBe(before, "nothing is changed");
        await other.GoAsync("/keys");
        other.Path.ShouldBe("/keys");

        await ChangeAsync(visitor, DashboardWorld.Password);
        visitor.Path.ShouldBe("/security?done=password");
        await other.GoAsync("/keys");
        other.Path.ShouldBe("/sign-in?next=%2Fkeys");
        await visitor.GoAsync("/keys");
        visitor.Path.ShouldBe("/keys", "whoever changed it stays");
        await other.SignInAsync(email);
        (await other.TextAsync()).ShouldContain("is wrong");
        await other.SignInAsync(email, "a new password");
        other.Path.ShouldBe("/");
    }

    [Fact]
    public async Task A_suspension_ends_what_is_open_and_reinstating_does_not_bring_it_back()
    {
        var (visitor, account, email) = await world.SignUpAsync();
        await using var _ = visitor;
        await world.App.SuspendAsync(account);
        (await visitor.GoAsync("/keys")).ShouldBe(403);
        (await visitor.Heading.InnerTextAsync()).ShouldBe("Your account is suspended");
        (await visitor.Context.CookiesAsync()).ShouldNotContain(cookie => cookie.Name == "ledger_session");
        await visitor.PressAsync("To sign-in");
        visitor.Path.ShouldBe("/sign-in");
        await visitor.SignInAsync(email);
        (await visitor.TextAsync()).ShouldContain("This account is suspended.");
        await world.App.ReinstateAsync(account);
        await using var other = await world.VisitAsync();
        await other.SignInAsync(email);
        other.Path.ShouldBe("/");
    }

    [Fact]
    public async Task A_session_from_before_a_suspension_stays_ended()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await world.App.SuspendAsync(account);
        await world.App.ReinstateAsync(account);
        await visitor.GoAsync("/keys");
        visitor.Path.ShouldBe("/sign-in?next=%2Fkeys");
    }

    [Fact]
    public async Task Signing_out_everywhere_does()
    {
        var (visitor, _, email) = await world.SignUpAsync();
        await using var _ = visitor;
        await using var other = await world.VisitAsync();
        await other.SignInAsync(email);
        await other.GoAsync("/security");
        await other.PressAsync("Sign out everywhere");
        other.Path.ShouldBe("/sign-in?done=everywhere");
        await visitor.GoAsync("/");
        visitor.Path.ShouldBe("/sign-in");
    }

    [Fact]
    public async Task A_cookie_that_was_copied_before_signing_out_is_worth_nothing_after()
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _ = visitor;
        var copied = await visitor.Context.CookiesAsync();
        await visitor.PressAsync("Sign out");
        await using var thief = await world.VisitAsync();
        await thief.Context.AddCookiesAsync(
            copied.Select(cookie => new Cookie
            {
                Name = cookie.Name,
                Value = cookie.Value,
                Domain = cookie.Domain,
                Path = cookie.Path,
                Secure = cookie.Secure,
            })
        );
        await thief.GoAsync("/");
        thief.Path.ShouldBe("/sign-in");
    }

    [Fact]
    public async Task An_account_without_a_password_sets_one_by_a_code()
    {
        var email = world.NewEmail();
        (await world.App.PostAsync("/admin/accounts", LedgerApp.AdminKey, new { email })).ShouldBe(201);
        await using var visitor = await world.VisitAsync();
        await visitor.GoAsync("/sign-in/code");
        await visitor.FillAsync("E-mail address", email);
        await visitor.PressAsync("Send the code");
        await visitor.FillAsync("Code", await CodeOfAsync(email));
        await visitor.PressAsync("Sign in");
        var used = await CodeOfAsync(email);
        await visitor.GoAsync("/security");
        await visitor.PressAsync("Send a code");
        await visitor.FillAsync("Code by mail", await CodeOfAsync(email, notThis: used));
        await visitor.FillAsync("New password", "a first password");
        await visitor.PressAsync("Set the password");
        visitor.Path.ShouldBe("/security?done=password", await visitor.TextAsync());
        await using var other = await world.VisitAsync();
        await other.SignInAsync(email, "a first password");
        other.Path.ShouldBe("/");
    }

    [Fact]
    public async Task The_operator_signs_in_with_the_key_for_an_hour_after_the_last_page()
    {
        await using var visitor = await world.VisitAsync();
        await visitor.GoAsync("/operator");
        visitor.Path.ShouldBe("/operator/sign-in");
        await visitor.SignInAsOperatorAsync("not the key");
        (await visitor.TextAsync()).ShouldContain("This is not the operator's key.");
        await visitor.SignInAsOperatorAsync();
        visitor.Path.ShouldBe("/operator");
        (await visitor.TextAsync()).ShouldContain("Takes commands");
        await visitor.GoAsync("/keys");
        visitor.Path.ShouldBe("/sign-in?next=%2Fkeys", "the operator is no customer");
        await visitor.GoAsync("/operator");
        await visitor.PressAsync("Sign out");
        visitor.Path.ShouldBe("/operator/sign-in");
        await visitor.GoAsync("/operator");
        visitor.Path.ShouldBe("/operator/sign-in");
    }

    [Fact]
    public async Task Colours_are_chosen_without_a_script_and_stay()
    {
        var (visitor, _, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        await visitor.GoAsync("/keys?environment=");
        await visitor.PressAsync("Dark");
        visitor.Path.ShouldBe("/keys?environment=");
        (await visitor.Page.Locator("html").GetAttributeAsync("data-theme")).ShouldBe("dark");
        await visitor.GoAsync("/");
        (await visitor.Page.Locator("html").GetAttributeAsync("data-theme")).ShouldBe("dark");
        await visitor.PressAsync("Auto");
        (await visitor.Page.Locator("html").GetAttributeAsync("data-theme")).ShouldBe("system");
    }

    [Fact]
    public async Task On_a_phone_the_menu_opens_without_a_script()
    {
        var (visitor, _, _) = await world.SignUpAsync(scripts: false);
        await using var _ = visitor;
        await visitor.Page.SetViewportSizeAsync(Visitor.Narrow.Width, Visitor.Narrow.Height);
        var keys = visitor.Page.GetByRole(AriaRole.Link, new() { Name = "API keys", Exact = true });
        (await keys.IsVisibleAsync()).ShouldBeFalse();
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Menu" }).ClickAsync();
        await visitor.PressAsync("API keys");
        visitor.Path.ShouldBe("/keys");
    }

    [GeneratedRegex(@"^\d{6}", RegexOptions.Multiline)]
    private static partial Regex SixDigits { get; }

    private static async Task ChangeAsync(Visitor visitor, string current)
    {
        await visitor.GoAsync("/security");
        await visitor.FillAsync("Current password", current);
        await visitor.FillAsync("New password", "a new password");
        await visitor.PressAsync("Change the password");
    }

    private async Task<string> CodeOfAsync(string email, string? notThis = null)
    {
        var folder = Path.Combine(world.App.DataFolder, "mail");
        string? code = null;
        await Eventually.IsSoAsync(async () =>
        {
            foreach (var file in Directory.Exists(folder) ? Directory.GetFiles(folder, "*.eml") : [])
            {
                var text = await File.ReadAllTextAsync(file);
                if (
                    text.Contains($"To: {email}\r\n", StringComparison.OrdinalIgnoreCase)
                    && SixDigits.Match(text).Value is var found
                    && found != notThis
                )
                    code = found;
            }

            return code is not null;
        });
        return code!;
    }
}
