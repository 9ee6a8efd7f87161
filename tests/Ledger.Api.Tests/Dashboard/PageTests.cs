using System.Collections.Concurrent;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>Every page is looked at: light and dark, wide and narrow, by axe and by eye.</summary>
public sealed class PageTests(DashboardWorld world) : IClassFixture<DashboardWorld>
{
    /// <summary>The most that a first page may weigh with all that it needs.</summary>
    private const int MaxBytes = 300_000;

    [Theory]
    [InlineData("sign-in", "/sign-in")]
    [InlineData("sign-up", "/sign-up")]
    [InlineData("code", "/sign-in/code")]
    [InlineData("operator-sign-in", "/operator/sign-in")]
    [InlineData("not-found", "/no/such/page")]
    public async Task A_guests_page_is_legible(string name, string path)
    {
        await using var visitor = await world.VisitAsync();
        await visitor.GoAsync(path);
        await visitor.LookAsync(name);
    }

    [Fact]
    public async Task An_accounts_pages_are_legible_while_there_is_nothing_in_them()
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await visitor.LookAsync("overview-empty");
        await visitor.GoAsync("/keys");
        await visitor.LookAsync("keys-empty");
        await visitor.GoAsync("/keys/none");
        await visitor.LookAsync("key-not-found");
        await visitor.GoAsync("/security");
        await visitor.LookAsync("security");
    }

    [Fact]
    public async Task An_accounts_pages_are_legible_when_much_is_in_them()
    {
        var (visitor, account, key) = await world.SignUpWithHistoryAsync();
        await using var _ = visitor;
        await world.App.CreateKeyAsync(
            account,
            change: made => made with { Name = "A very long name that somebody gave to a key because they could, and then went on" }
        );
        foreach (
            var (name, path) in ((string, string)[])
                [
                    ("overview", "/"),
                    ("keys", "/keys"),
                    ("key", $"/keys/{key}"),
                    ("key-new", "/keys/new"),
                    ("key-rotate", $"/keys/{key}/rotate"),
                    ("key-revoke", $"/keys/{key}/revoke"),
                ]
        )
        {
            (await visitor.GoAsync(path)).ShouldBe(200);
            await visitor.LookAsync(name);
        }

        await visitor.GoAsync("/keys/new");
        await visitor.FillAsync("Name", "Copied");
        await visitor.PressAsync("Create the key");
        await visitor.LookAsync("key-secret");
    }

    [Fact]
    public async Task The_menu_on_a_phone_is_legible()
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await visitor.Page.SetViewportSizeAsync(Visitor.Narrow.Width, Visitor.Narrow.Height);
        await visitor.Page.GetByText("Menu").ClickAsync();
        await visitor.Page.GetByText("Sign out").WaitForAsync();
        if (Environment.GetEnvironmentVariable("LEDGER_SHOTS") is { Length: > 0 } folder)
            await visitor.Page.ScreenshotAsync(new() { Path = Path.Combine(folder, "menu-narrow-light.png") });
        (await visitor.Page.Locator("#menu").BoundingBoxAsync())!.Width.ShouldBeInRange(200, 330);
    }

    [Fact]
    public async Task The_operators_pages_are_legible()
    {
        await using var visitor = await world.VisitAsync();
        await visitor.SignInAsOperatorAsync();
        await visitor.LookAsync("operator");
    }

    [Theory]
    [InlineData("/sign-in")]
    [InlineData("/")]
    public async Task A_first_page_is_light(string path)
    {
        var (visitor, account, _) = path == "/" ? await world.SignUpAsync() : (await world.VisitAsync(), default, "");
        await using var _ = visitor;
        if (path == "/")
        {
            await world.FurnishAsync(account);

            // Whoever looks into requests gets none from the browser's memory.
            await visitor.Context.RouteAsync("**/*", route => route.ContinueAsync());
        }

        long bytes = 0;
        var answers = new ConcurrentQueue<Task>();
        visitor.Page.RequestFinished += (_, request) =>
            answers.Enqueue(
                Task.Run(async () =>
                {
                    var sizes = await request.SizesAsync();
                    Interlocked.Add(ref bytes, sizes.ResponseBodySize + sizes.ResponseHeadersSize);
                })
            );
        await visitor.GoAsync(path);
        await visitor.Page.WaitForLoadStateAsync(Microsoft.Playwright.LoadState.NetworkIdle);
        await Task.WhenAll(answers.ToArray());
        answers.Count.ShouldBeGreaterThan(2, "style sheet and script count too");
        bytes.ShouldBeInRange(1_000, MaxBytes);
    }
}
