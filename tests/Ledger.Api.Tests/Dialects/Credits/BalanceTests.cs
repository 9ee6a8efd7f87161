using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Api.Tests.Payments;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Credits;

/// <summary><c>GET /api/v1/credits</c>.</summary>
public sealed class BalanceTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Path = "/api/v1/credits";
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task The_documents_own_figures_come_of_three_months_of_work()
    {
        await using var app = await LedgerApp.StartAsync(clock: new() { Now = new(2023, 11, 1, 0, 0, 0, TimeSpan.Zero) });
        var account = await app.OpenAccountAsync(credits: 1000);
        (await app.AdminPutAsync($"/accounts/{account.Id}/subscription", new { tier = "pro" })).ShouldBe(200);
        (await app.ChatAsync(account, 450, "november")).ShouldBe(200);
        app.Clock.Now = new(2023, 12, 9, 0, 0, 0, TimeSpan.Zero);
        (await app.ChatAsync(account, 100, "december")).ShouldBe(200);
        app.Clock.Now = new(2024, 1, 15, 10, 30, 0, TimeSpan.Zero);
        (await app.ChatAsync(account, 100, "january")).ShouldBe(200);
        (await app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"credits_balance":1500,"payg_balance":750,"total_available_credits":2250,"last_reset_at":"2024-01-01T00:00:00Z","total_credits_used":3250,"total_payg_credits_purchased":1000,"next_reset_date":"2024-02-01T00:00:00Z","credits_per_month":2000}"""
        );
    }

    [Fact]
    public async Task An_account_with_nothing_has_zeros_and_no_dates() =>
        (await _app.GetAsync(Path, (await _app.OpenAccountAsync()).Key)).ShouldBe(
            200,
            """{"credits_balance":0,"payg_balance":0,"total_available_credits":0,"last_reset_at":null,"total_credits_used":0,"total_payg_credits_purchased":0,"next_reset_date":null,"credits_per_month":0}"""
        );

    [Fact]
    public async Task What_is_not_the_subscriptions_is_one_figure_and_packs_are_in_none()
    {
        var account = await _app.OpenAccountAsync();
        await _app.GrantAsync(account.Id, Amount.Credits(100), PocketSource.Bonus);
        await _app.GrantAsync(account.Id, Amount.Credits(40), PocketSource.Payg);
        await _app.GrantAsync(account.Id, new(500_000, Unit.Credits), PocketSource.Bonus);
        await _app.GrantAsync(account.Id, Amount.Credits(20_000), PocketSource.Pack, "deepseek/deepseek-chat");
        await _app.GrantAsync(account.Id, Amount.Usd(25), PocketSource.Prepaid);
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"credits_balance":0,"payg_balance":140.5,"total_available_credits":140.5,"last_reset_at":null,"total_credits_used":0,"total_payg_credits_purchased":40,"next_reset_date":null,"credits_per_month":0}"""
        );
    }

    [Fact]
    public async Task What_is_held_is_not_available_and_not_used()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var hold = (
            await _app.PostAsync("/api/v1/tools/reserve", account.Key, """{"tool":"chat","units":4,"reference":"h","ttl_seconds":60}""")
        ).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(80);
        (await _app.CreditsAsync(account, "total_credits_used")).ShouldBe(0);
        (await _app.PostAsync("/api/v1/tools/settle", account.Key, new { hold_id = hold.Text("hold_id"), units = 1 })).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(95);
        (await _app.CreditsAsync(account, "total_credits_used")).ShouldBe(5);
    }

    [Fact]
    public async Task What_is_given_back_was_not_used()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var spent = (await _app.ChatAsync(account, 2, "r")).ShouldBe(200);
        await _app.ExecuteAsync(new ReverseSpend(account.Id, new(Guid.Parse(spent.Header("x-ledger-spend-id")!)), "A test"));
        (await _app.CreditsAsync(account, "total_credits_used")).ShouldBe(0);
        (await _app.CreditsAsync(account)).ShouldBe(100);
    }

    [Fact]
    public async Task Nothing_is_available_in_debt()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.BuyCreditsAsync(account, 1);
        (await _app.ChatAsync(account, 1499, "nearly all")).ShouldBe(200);
        (await _app.PressAsync(session, "refund")).ShouldBe(200);
        await _app.GrantAsync(account.Id, Amount.Credits(100), PocketSource.Pack, "deepseek/deepseek-chat");
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"credits_balance":0,"payg_balance":0,"total_available_credits":0,"last_reset_at":null,"total_credits_used":7495,"total_payg_credits_purchased":7500,"next_reset_date":null,"credits_per_month":0}"""
        );
    }

    [Fact]
    public async Task A_subscription_that_ends_has_no_next_reset_and_one_that_has_ended_no_dates()
    {
        var account = await _app.OpenAccountAsync();
        await _app.SubscribeAsync(account);
        (await _app.DeleteAsync("/tenant/subscription", account.Key)).ShouldBe(200);
        var ending = await _app.GetAsync(Path, account.Key);
        ending.Text("last_reset_at").ShouldBe("2026-07-03T12:00:00Z");
        ending.Text("next_reset_date").ShouldBe("null");
        ending.Text("credits_per_month").ShouldBe("2000");
        (await _app.DeleteAsync("/tenant/subscription?when=now", account.Key)).ShouldBe(200);

        // What was paid for stays until it would have lapsed anyway.
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"credits_balance":2000,"payg_balance":0,"total_available_credits":2000,"last_reset_at":null,"total_credits_used":0,"total_payg_credits_purchased":0,"next_reset_date":null,"credits_per_month":0}"""
        );
    }
}
