using System.Text.Json;
using Ledger.Api.Tests.Dashboard;
using Ledger.Api.Tests.Docs;
using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Browser))]

namespace Ledger.Api.Tests.Dashboard;

/// <summary>One headless Chromium for all tests of pages, started when the first of them asks for it.</summary>
public sealed class Browser : IAsyncDisposable
{
    private readonly Lazy<Task<(IPlaywright Driver, IBrowser Chromium)>> _started = new(StartAsync);

    /// <summary>A new visitor, who has no cookies yet.</summary>
    /// <param name="origin">The server.</param>
    /// <param name="scripts">Whether scripts run.</param>
    public async Task<Visitor> VisitAsync(Uri origin, bool scripts = true)
    {
        var context = await (await _started.Value).Chromium.NewContextAsync(
            new()
            {
                BaseURL = origin.GetLeftPart(UriPartial.Authority),
                JavaScriptEnabled = scripts,
                ViewportSize = Visitor.Wide,
                ColorScheme = ColorScheme.Light,
                ReducedMotion = ReducedMotion.Reduce,
                Locale = "en-GB",
            }
        );
        context.SetDefaultTimeout(30_000);
        return new(context, await context.NewPageAsync());
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_started.IsValueCreated)
            return;
        var (driver, chromium) = await _started.Value;
        await chromium.CloseAsync();
        driver.Dispose();
    }

    private static async Task<(IPlaywright, IBrowser)> StartAsync()
    {
        await Programs.InstallClientsAsync();

        // A machine that is busy with other tests is no reason to fail this one.
        Assertions.SetDefaultExpectTimeout(30_000);
        var driver = await Playwright.CreateAsync();
        var chromium = await driver.Chromium.LaunchAsync(
            new()
            {
                ExecutablePath = Find("chromium"),
                // Whoever runs the tests as root, as in a container, has no sandbox to offer.
                ChromiumSandbox = Environment.UserName != "root",
                Args = ["--disable-dev-shm-usage", "--disable-gpu"],
            }
        );
        return (driver, chromium);
    }

    private static string Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException($"The tests of pages need {program} on the PATH.");
}

/// <summary>Somebody at a browser. Whatever the browser complains about, such as a script that the policy forbids, fails the test.</summary>
public sealed class Visitor : IAsyncDisposable
{
    /// <summary>A desk.</summary>
    public static readonly ViewportSize Wide = new() { Width = 1280, Height = 900 };

    /// <summary>A phone.</summary>
    public static readonly ViewportSize Narrow = new() { Width = 375, Height = 740 };

    private static readonly Lazy<string> Axe = new(() => Repository.Read("tests/clients/node_modules/axe-core/axe.min.js"));
    private readonly IBrowserContext _context;
    private readonly List<string> _complaints = [];

    internal Visitor(IBrowserContext context, IPage page)
    {
        (_context, Page) = (context, page);
        page.Console += (_, message) =>
        {
            // That an answer was 4xx is no fault of the page's.
            if (message.Type is "error" or "warning" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
                _complaints.Add(message.Text);
        };
        page.PageError += (_, error) => _complaints.Add(error);
    }

    /// <summary>The page.</summary>
    public IPage Page { get; }

    /// <summary>The cookies.</summary>
    public IBrowserContext Context => _context;

    /// <summary>The first heading.</summary>
    public ILocator Heading => Page.Locator("h1");

    /// <summary>The path where the browser is, with its query.</summary>
    public string Path => new Uri(Page.Url).PathAndQuery;

    /// <summary>Opens a page.</summary>
    /// <returns>Its status.</returns>
    public async Task<int> GoAsync(string path) => (await Page.GotoAsync(path))!.Status;

    /// <summary>Fills a field in, by its label.</summary>
    public Task FillAsync(string label, string value) => Page.GetByLabel(label).First.FillAsync(value);

    /// <summary>Presses a button, or follows a link that looks like one, by what stands on it; comes back when the next page is there.</summary>
    public async Task PressAsync(string name)
    {
        var target = Page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true })
            .Or(Page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }))
            .First;
        var arrived = new TaskCompletionSource();
        void Arrive(object? page, IFrame frame)
        {
            if (frame == Page.MainFrame)
                arrived.TrySetResult();
        }

        Page.FrameNavigated += Arrive;
        await target.ClickAsync();
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Page.FrameNavigated -= Arrive;
        await Page.WaitForLoadStateAsync();
    }

    /// <summary>What stands on the page for somebody who reads it.</summary>
    public async Task<string> TextAsync() => (await Page.Locator("main").InnerTextAsync()).Replace('\u00a0', ' ');

    /// <summary>Opens an account, which leaves one signed in.</summary>
    public async Task SignUpAsync(string email, string password = DashboardWorld.Password)
    {
        await GoAsync("/sign-up");
        await FillAsync("E-mail address", email);
        await FillAsync("Password", password);
        await PressAsync("Open the account");
        Path.ShouldBe("/?done=opened", await TextAsync());
    }

    /// <summary>Signs in.</summary>
    public async Task SignInAsync(string email, string password = DashboardWorld.Password)
    {
        await GoAsync("/sign-in");
        await FillAsync("E-mail address", email);
        await FillAsync("Password", password);
        await PressAsync("Sign in");
    }

    /// <summary>Signs in as the operator.</summary>
    public async Task SignInAsOperatorAsync(string key = Ledger.Testing.LedgerApp.AdminKey)
    {
        await GoAsync("/operator/sign-in");
        await FillAsync("Operator's key", key);
        await PressAsync("Sign in");
    }

    /// <summary>
    /// Looks at the page that is open: light and dark, wide and narrow. Nothing serious that axe finds, nothing that hangs over the edge, nothing that the
    /// browser complains about. Keeps pictures where <c>LEDGER_SHOTS</c> names a folder.
    /// </summary>
    public async Task LookAsync(string name)
    {
        var found = new List<string>();
        foreach (var (width, size) in ((string, ViewportSize)[])[("wide", Wide), ("narrow", Narrow)])
        {
            await Page.SetViewportSizeAsync(size.Width, size.Height);
            foreach (var (scheme, colours) in ((string, ColorScheme)[])[("light", ColorScheme.Light), ("dark", ColorScheme.Dark)])
            {
                await Page.EmulateMediaAsync(new() { ColorScheme = colours });
                if (Environment.GetEnvironmentVariable("LEDGER_SHOTS") is { Length: > 0 } folder)
                    await Page.ScreenshotAsync(
                        new() { Path = System.IO.Path.Combine(folder, $"{name}-{width}-{scheme}.png"), FullPage = true }
                    );
                var over = await Page.EvaluateAsync<int>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
                if (over > 0)
                    found.Add($"{width}: {over} pixels hang over the edge");
                found.AddRange((await AxeAsync()).Select(finding => $"{width}, {scheme}: {finding}"));
            }
        }

        await Page.SetViewportSizeAsync(Wide.Width, Wide.Height);
        await Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        found.ShouldBeEmpty(name);
        _complaints.ShouldBeEmpty(name);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _context.CloseAsync();

    /// <summary>What axe finds that is serious, on the page as it stands.</summary>
    public async Task<IReadOnlyList<string>> AxeAsync()
    {
        // Not as a script of the page, which its policy forbids, but from outside.
        if (!await Page.EvaluateAsync<bool>("typeof axe === 'object'"))
            await Page.EvaluateAsync(Axe.Value);
        var findings = await Page.EvaluateAsync<JsonElement>(
            """
            async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
              .filter(found => found.impact === 'serious' || found.impact === 'critical')
              .map(found => `${found.id}: ${found.help} (${found.nodes.map(node => node.target.join(' ')).join(', ')})`)
            """
        );
        return [.. findings.EnumerateArray().Select(finding => finding.GetString()!)];
    }
}
