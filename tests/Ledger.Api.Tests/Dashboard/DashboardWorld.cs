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

    // The browser lets cookies lapse by its own clock, which no test can set.
    public async ValueTask InitializeAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        App = await LedgerApp.StartAsync(
            clock: new() { Now = new(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero) },
            onKestrel: true
        );
    }

    public ValueTask DisposeAsync() => App is null ? ValueTask.CompletedTask : App.DisposeAsync();

    /// <summary>A new visitor, who has no cookies yet.</summary>
    public Task<Visitor> VisitAsync(bool scripts = true) => browser.VisitAsync(App.Http.BaseAddress!, scripts);

    /// <summary>An address that nobody has yet.</summary>
    public string NewEmail() => $"person{Interlocked.Increment(ref _made)}@example.com";

    /// <summary>An account with a person, signed in.</summary>
    public async Task<(Visitor Visitor, AccountId Account, string Email)> SignUpAsync(bool scripts = true)
    {
        var email = NewEmail();
        var visitor = await VisitAsync(scripts);
        await visitor.SignUpAsync(email);
        return (visitor, await AccountOfAsync(email), email);
    }

    /// <summary>Whose an address is.</summary>
    public async Task<AccountId> AccountOfAsync(string email) =>
        new((string)(await App.QueryAsync($"select account_id from people where email = '{email}'"))!);

    /// <summary>Gives an account something in every kind of pocket, and a week of use.</summary>
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
        for (var i = 0; i < 12; i++)
        {
            var tool = i % 3 == 0 ? "voice_cloning_training" : "chat";
            (
                await App.PostAsync(
                    "/api/v1/tools/spend",
                    secret,
                    $$"""{"tool":"chat","units":{{1 + (i % 4)}},"reference":"{{tool}}{{i}}"}"""
                )
            ).Status.ShouldBeOneOf(200, 402);
        }

        return (key, secret);
    }
}
