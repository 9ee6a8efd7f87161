using Ledger.Api.Tests.Payments.Stripe;
using Ledger.Testing;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>
/// Buying through a provider whose pages are on another origin, in a browser: it holds the redirect that follows a form against the policy of the form's
/// page, and goes nowhere where that does not name the provider.
/// </summary>
public sealed class ProviderPageTests(Browser browser) : IAsyncLifetime
{
    private readonly FixedClock _clock = new();
    private StripeStandIn _stripe = null!;

    // The browser lets cookies lapse by its own clock.
    public async ValueTask InitializeAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        _clock.Now = new(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero);
        _stripe = await StripeStandIn.StartAsync(_clock);
        _stripe.World.CheckoutPages = _stripe.World.BillingPages = Origin;
    }

    public ValueTask DisposeAsync() => _stripe.DisposeAsync();

    private string Origin => _stripe.Address.GetLeftPart(UriPartial.Authority);

    [Fact]
    public async Task A_form_leads_to_the_providers_page_and_the_way_back_to_the_purchase()
    {
        await using var app = await StartAsync(
            ("Billing:Stripe:PageOrigins", Origin),
            ("Billing:ReturnUrl", "https://shop.example/billing")
        );
        await using var visitor = await browser.VisitAsync(app.Http.BaseAddress!);
        await visitor.SignUpAsync("elsewhere@example.com");
        await visitor.GoAsync("/credits");
        await visitor.FillAsync("Another sum in dollars", "12");
        await visitor.PressAsync("Continue to checkout");
        visitor.Page.Url.ShouldStartWith(Origin + "/c/pay/");
        (await visitor.Heading.InnerTextAsync()).ShouldBe("Pay 1200 cents");

        await visitor.PressAsync("Back");
        visitor.Path.ShouldBe("/credits?checkout=canceled");
        (await visitor.TextAsync()).ShouldContain("You left the checkout. Nothing was charged and nothing was added.");

        // The same checkout again, from the purchase itself.
        await visitor.Page.Locator("#purchases").GetByRole(AriaRole.Link, new() { Name = "Credits" }).ClickAsync();
        await visitor.Page.WaitForURLAsync("**/credits/orders/*");
        await visitor.PressAsync("Go on to pay");
        var session = new Uri(visitor.Page.Url).Segments[^1];
        (await _stripe.DeliverAsync(app, _stripe.World.Pay(session).Completed)).ShouldBe(200);
        await visitor.PressAsync("It is paid");
        visitor.Path.ShouldBe($"/credits?checkout=paid&session_id={session}");
        var page = await visitor.TextAsync();
        page.ShouldContain("Paid $12.00 for Credits. 90,000 credits were added. Available now: 90,000 credits.");
        page.ShouldContain("1 purchase");
        await visitor.LookAsync("credits-back-from-provider");

        await visitor.PressAsync("Cards and receipts");
        visitor.Page.Url.ShouldStartWith(Origin + "/p/session/");
        (await app.GetAsync("/sign-in"))
            .Header("Content-Security-Policy")!
            .ShouldEndWith($"; form-action 'self' {Origin}", customMessage: "the provider, and nobody else");
    }

    [Fact]
    public async Task Nobody_is_led_to_pages_that_are_not_the_providers()
    {
        await using var app = await StartAsync();
        await using var visitor = await browser.VisitAsync(app.Http.BaseAddress!);
        await visitor.SignUpAsync("nowhere@example.com");
        await visitor.GoAsync("/credits");
        var complaint = await visitor.Page.RunAndWaitForConsoleMessageAsync(
            () => visitor.Page.GetByRole(AriaRole.Button, new() { Name = "$10.00" }).ClickAsync(),
            new() { Predicate = message => message.Text.Contains("form-action", StringComparison.Ordinal) }
        );
        complaint.Text.ShouldContain("https://checkout.stripe.com https://billing.stripe.com");
        visitor.Path.ShouldBe("/credits");
    }

    private Task<LedgerApp> StartAsync(params (string Name, string Value)[] settings)
    {
        var all = _stripe.Settings;
        foreach (var (name, value) in settings)
            all[name] = value;
        return LedgerApp.StartAsync(clock: _clock, onKestrel: true, settings: all);
    }
}
