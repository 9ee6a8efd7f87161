using System.Text.RegularExpressions;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>A server on a loopback port, and a browser to visit it with. Each test brings an account of its own.</summary>
public sealed class DashboardWorld(Browser browser) : IAsyncLifetime
{
    /// <summary>Everybody's password.</summary>
    public const string Password = "correct horse battery";

    private int _made;

    /// <summary>The server.</summary>
    public LedgerApp App { get; private set; } = null!;

    // The browser lets cookies lapse by its own clock, which no test can set; and the price list must be older than what is to have happened.
    public async ValueTask InitializeAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        now = new(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero);
        App = await LedgerApp.StartAsync(clock: new() { Now = now.AddDays(-40) }, onKestrel: true);
        App.Clock.Now = now;
    }

    public ValueTask DisposeAsync() => App is null ? ValueTask.CompletedTask : App.DisposeAsync();

    /// <summary>A new visitor, who has no cookies yet.</summary>
    public Task<Visitor> VisitAsync(bool scripts = true) => browser.VisitAsync(App.Http.BaseAddress!, scripts);

    /// <summary>An address that nobody has yet.</summary>
    public string NewEmail() => $"person{Interlocked.Increment(ref _made)}@example.com";

    /// <summary>An account with a person, whose browser is signed in and shows the overview.</summary>
    public async Task<(Visitor Visitor, AccountId Account, string Email)> SignUpAsync(bool scripts = true)
    {
        var email = NewEmail();
        (await App.PostAsync("/api/v1/auth/register", null, new { email, password = Password })).ShouldBe(201);
        return (await SignInAsync(email, scripts), await AccountOfAsync(email), email);
    }

    /// <summary>A browser that is signed in and shows the overview.</summary>
    public async Task<Visitor> SignInAsync(string email, bool scripts = true)
    {
        var session = (await App.PostAsync("/api/v1/auth/session", null, new { email, password = Password })).ShouldBe(200);
        var visitor = await VisitAsync(scripts);
        await visitor.Context.AddCookiesAsync([
            new()
            {
                Name = "ledger_session",
                Value = Regex.Match(session.Header("Set-Cookie")!, "ledger_session=([^;]+)").Groups[1].Value,
                Url = App.Http.BaseAddress!.ToString(),
                HttpOnly = true,
            },
        ]);
        (await visitor.GoAsync("/")).ShouldBe(200);
        return visitor;
    }

    /// <summary>Whose an address is.</summary>
    public async Task<AccountId> AccountOfAsync(string email) =>
        new((string)(await App.QueryAsync($"select account_id from people where email = '{email}'"))!);

    /// <summary>The same with something in every kind of pocket, two keys, and a month of use by them.</summary>
    public async Task<(Visitor Visitor, AccountId Account, KeyId Key)> SignUpWithHistoryAsync()
    {
        var (now, email) = (App.Clock.Now, NewEmail());
        App.Clock.Now = now.AddDays(-29);
        var registered = (await App.PostAsync("/api/v1/auth/register", null, new { email, password = Password })).ShouldBe(201);
        var account = new AccountId(registered.Text("account_id")!);
        var (key, secret) = await FurnishAsync(account);
        var (_, other) = await App.CreateKeyAsync(account, change: made => made with { Name = "Nightly export", Environment = "staging" });
        for (var day = 0; day < 30; day++)
        {
            App.Clock.Now = now.AddDays(day - 29);
            (await SpendAsync(other, "chat", 5 + (day * 7 % 23))).ShouldBe(200);
            if (day % 5 == 2)
                (await SpendAsync(other, "dub", 1 + (day % 3))).ShouldBe(200);
        }

        App.Clock.Now = now;
        return (await SignInAsync(email), account, key);
    }

    /// <summary>Gives an account something in every kind of pocket, a key with a limit, and use on several days.</summary>
    public async Task<(KeyId Key, string Secret)> FurnishAsync(AccountId account)
    {
        await App.GrantAsync(account, Amount.Credits(25_000));
        await App.GrantAsync(account, Amount.Credits(1_500), PocketSource.Bonus, expiresAt: App.Clock.Now.AddDays(20));
        await App.GrantAsync(account, Amount.Credits(20_000), PocketSource.Pack, "deepseek/deepseek-chat", App.Clock.Now.AddDays(365));
        await App.GrantAsync(account, Amount.Usd(20), PocketSource.Prepaid);
        var (key, secret) = await App.CreateKeyAsync(
            account,
            limit: 100,
            change: key => key with { Name = "Billing worker", Environment = "production" }
        );
        foreach (var (units, tool) in ((int, string)[])[(3, "chat"), (1, "voice_cloning_training"), (5, "chat")])
            (await SpendAsync(secret, tool, units)).ShouldBe(tool == "chat" ? 200 : 402);
        return (key, secret);
    }

    /// <summary>Spends by a key.</summary>
    public Task<Answer> SpendAsync(string key, string tool = "chat", int units = 1) =>
        App.PostAsync(
            "/api/v1/tools/spend",
            key,
            new
            {
                tool,
                units,
                reference = $"r{Interlocked.Increment(ref _made)}",
            }
        );
}
