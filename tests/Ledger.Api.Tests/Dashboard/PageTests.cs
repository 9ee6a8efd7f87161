using System.Collections.Concurrent;
using System.Text.Json;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

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
        (await visitor.AxeAsync()).ShouldBeEmpty();
        await visitor.Page.EmulateMediaAsync(new() { ColorScheme = Microsoft.Playwright.ColorScheme.Dark });
        (await visitor.AxeAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_dark_is_legible_where_somebody_chose_it_whatever_the_device_says()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await world.FurnishAsync(account);
        await visitor.PressAsync("Dark");
        foreach (
            var (name, path) in ((string, string)[])[("chosen-overview", "/"), ("chosen-keys", "/keys"), ("chosen-activity", "/activity")]
        )
        {
            await visitor.GoAsync(path);
            (await visitor.Page.Locator("html").GetAttributeAsync("data-theme")).ShouldBe("dark");
            await visitor.LookAsync(name);
        }
    }

    [Fact]
    public async Task Nothing_hangs_out_of_its_card_on_a_phone_however_long_it_is()
    {
        const string TooWide = """
            () => [...document.querySelectorAll('.stat, .card')].flatMap(box => {
              const edge = box.getBoundingClientRect();
              return [...box.querySelectorAll('.amount, .badge')]
                .filter(part => !part.closest('.table:not(.stacked)'))
                .filter(part => part.getBoundingClientRect().right > edge.right + .5 || part.getBoundingClientRect().left < edge.left - .5)
                .map(part => part.textContent);
            })
            """;
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _ = visitor;
        await world.App.GrantAsync(account, new(1_234_567_123_456_789, Unit.Usd), PocketSource.Prepaid);
        await world.App.GrantAsync(account, new(98_765_432_123_456, Unit.Credits));
        var (_, secret) = await world.App.CreateKeyAsync(account, change: key => key with { Environment = new('m', 50) });
        (await world.SpendAsync(secret)).ShouldBe(200);
        await visitor.Page.SetViewportSizeAsync(Visitor.Narrow.Width, Visitor.Narrow.Height);
        foreach (var path in (string[])["/", "/keys", "/credits", "/activity"])
        {
            await visitor.GoAsync(path);
            (await visitor.Page.EvaluateAsync<string[]>(TooWide)).ShouldBeEmpty(path);
        }
    }

    [Fact]
    public async Task Whoever_has_only_a_keyboard_sees_where_they_are_and_goes_through_a_page_in_its_order()
    {
        const string Here = """
            () => {
              const at = document.activeElement;
              if (at === document.body) return null;
              const box = at.getBoundingClientRect();
              const style = getComputedStyle(at);
              const all = [...document.querySelectorAll('*')];
              return {
                place: all.indexOf(at),
                isDate: at.matches('[type=date]'),
                name: `${at.tagName} ${at.textContent.trim().slice(0, 40) || at.id}`,
                seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
              };
            }
            """;
        var (visitor, account, key) = await world.SignUpWithHistoryAsync();
        await using var _ = visitor;
        account.Value.ShouldNotBeEmpty();
        foreach (var path in (string[])["/", $"/keys/{key}", "/credits", "/activity"])
        {
            await visitor.GoAsync(path);
            var (last, steps) = (-1, 0);
            while (true)
            {
                await visitor.Page.Keyboard.PressAsync("Tab");
                if (await visitor.Page.EvaluateAsync<JsonElement?>(Here) is not { ValueKind: JsonValueKind.Object } here)
                    break;
                var name = $"{path}: {here.GetProperty("name").GetString()}";
                here.GetProperty("seen").GetBoolean().ShouldBeTrue(name);

                // A date's field has a stop for the day, the month and the year.
                if (!(here.GetProperty("isDate").GetBoolean() && here.GetProperty("place").GetInt32() == last))
                    here.GetProperty("place").GetInt32().ShouldBeGreaterThan(last, name);
                (last, steps) = (here.GetProperty("place").GetInt32(), steps + 1);
            }

            steps.ShouldBeGreaterThan(10, path);
        }
    }

    [Fact]
    public async Task Nothing_jumps_while_a_page_is_loaded()
    {
        // How far what is seen has moved by itself since the page began.
        const string Moved = """
            async () => {
              for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
              const observer = new PerformanceObserver(() => {});
              observer.observe({ type: 'layout-shift', buffered: true });
              return observer.takeRecords().reduce((sum, shift) => sum + shift.value, 0);
            }
            """;
        var (visitor, account, key) = await world.SignUpWithHistoryAsync();
        await using var _ = visitor;
        await visitor.SignInAsOperatorAsync();
        foreach (var size in (Microsoft.Playwright.ViewportSize[])[Visitor.Wide, Visitor.Narrow])
        {
            await visitor.Page.SetViewportSizeAsync(size.Width, size.Height);
            foreach (
                var path in (string[])
                    [
                        "/",
                        "/keys",
                        $"/keys/{key}",
                        "/credits",
                        "/packs",
                        "/activity",
                        "/workspace",
                        "/docs",
                        $"/operator/accounts/{account}/events",
                        "/operator/rate-card",
                    ]
            )
            {
                (await visitor.GoAsync(path)).ShouldBe(200);
                (await visitor.Page.EvaluateAsync<double>(Moved)).ShouldBeLessThan(0.005, $"{path} at {size.Width}");
            }
        }

        // What does jump is measured.
        await visitor.Page.EvaluateAsync(
            "() => { const late = document.createElement('p'); late.style.height = '200px'; document.querySelector('main').prepend(late); }"
        );
        (await visitor.Page.EvaluateAsync<double>(Moved)).ShouldBeGreaterThan(0.05);
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
