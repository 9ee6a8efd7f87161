using Ledger.Api.Application;
using Ledger.Api.Tests.Payments;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary><c>/admin/accounts/{id}/subscription</c>: what the operator gives counts as paid, and begins anew by itself.</summary>
public sealed class SubscriptionTests : IAsyncLifetime
{
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task It_is_given_shown_and_given_again_without_effect()
    {
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/subscription";
        (await _app.AdminGetAsync(path)).ShouldBe(
            200,
            """{"tier":null,"state":"none","provider":null,"reference":null,"price_usd":null,"credits_per_month":null,"tokens_per_24h":null,"period":null,"period_start":null,"period_end":null,"next_tier":null,"ends_at":null,"ended_at":null}"""
        );
        const string Pro =
            """{"tier":"pro","state":"active","provider":"operator","reference":null,"price_usd":20,"credits_per_month":2000,"tokens_per_24h":2000000,"period":0,"period_start":"2026-07-03T12:00:00Z","period_end":"2026-08-03T12:00:00Z","next_tier":null,"ends_at":null,"ended_at":null}""";
        (await _app.AdminPutAsync(path, new { tier = "pro" })).ShouldBe(200, Pro);
        (await _app.AdminPutAsync(path, new { tier = "pro" })).ShouldBe(200, Pro);
        (await _app.AdminGetAsync(path)).ShouldBe(200, Pro);
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
        (await _app.GetAsync("/tenant/subscription", account.Key)).Text("state").ShouldBe("active");
    }

    [Fact]
    public async Task Another_tier_holds_at_once_with_the_further_credits_of_the_rest_of_the_period()
    {
        (await _app.AdminPutAsync("/rate-card", Cards.WithTier("plus", "50.00", "6000", 5_000_000))).ShouldBe(201);
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/subscription";
        (await _app.AdminPutAsync(path, new { tier = "pro" })).ShouldBe(200);
        _app.Clock.Advance(TimeSpan.FromDays(10));
        var answer = (await _app.AdminPutAsync(path, new { tier = "plus" })).ShouldBe(200);
        (answer.Text("tier"), answer.Text("period"), answer.Text("period_end")).ShouldBe(("plus", "0", "2026-08-03T12:00:00Z"));
        (await _app.CreditsAsync(account)).ShouldBe(4_709);

        // Down again: nothing is taken, and the next period has the lower level's credits.
        (await _app.AdminPutAsync(path, new { tier = "pro" })).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(4_709);
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
    }

    [Fact]
    public async Task It_is_ended_at_once_or_with_its_period()
    {
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/subscription";
        (await _app.AdminPutAsync(path, new { tier = "pro" })).ShouldBe(200);
        (await _app.AdminDeleteAsync(path + "?when=period_end")).ShouldBe(200).Text("ends_at").ShouldBe("2026-08-03T12:00:00Z");
        (await _app.AdminGetAsync(path)).Text("state").ShouldBe("active");
        (await _app.AdminDeleteAsync(path)).ShouldBe(200).Text("ended_at").ShouldBe("2026-07-03T12:00:00Z");
        (await _app.AdminGetAsync(path)).Text("state").ShouldBe("ended");
        (await _app.AdminDeleteAsync(path)).ShouldBe(200).Text("state").ShouldBe("ended");
        (await _app.AdminDeleteAsync(path + "?when=never")).ShouldFault("when");
    }

    [Fact]
    public async Task What_a_provider_bills_is_not_the_operators_to_give()
    {
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/subscription";
        await _app.SubscribeAsync(account);
        var shown = await _app.AdminGetAsync(path);
        shown.Text("provider").ShouldBe("sandbox");
        shown.Text("reference").ShouldStartWith("sub_test_");
        (await _app.AdminPutAsync(path, new { tier = "pro" })).ShouldBeRefusedWith(409, "billed_by_provider");
        (await _app.AdminDeleteAsync(path)).ShouldBe(200).Text("state").ShouldBe("ended");
        (await _app.AdminPutAsync(path, new { tier = "pro" })).ShouldBe(200).Text("provider").ShouldBe("operator");
    }

    [Fact]
    public async Task What_makes_no_sense_is_refused()
    {
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/subscription";
        (await _app.AdminPutAsync(path, new { tier = "gold" })).ShouldFault("tier");
        (await _app.AdminPutAsync(path, "{}")).ShouldFault("tier");
        (await _app.AdminPutAsync(path, new { tier = "pro", price = 0 })).ShouldFault("price");
        (await _app.AdminDeleteAsync(path)).ShouldBeRefusedWith(409, "no_active_subscription");
        foreach (var nobody in (string[])["acc0000000099999", "nobody"])
        {
            (await _app.AdminGetAsync($"/accounts/{nobody}/subscription")).ShouldBeRefusedWith(404, "account_not_found");
            (await _app.AdminPutAsync($"/accounts/{nobody}/subscription", new { tier = "pro" })).ShouldBeRefusedWith(
                404,
                "account_not_found"
            );
            (await _app.AdminDeleteAsync($"/accounts/{nobody}/subscription")).ShouldBeRefusedWith(404, "account_not_found");
        }
    }

    [Fact]
    public async Task A_period_begins_once_whoever_comes_first_of_a_sweep_and_many_spends()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.AdminPutAsync($"/accounts/{account.Id}/subscription", new { tier = "pro" })).ShouldBe(200);
        (await _app.ChatAsync(account, 399, "july")).ShouldBe(200);
        for (var month = 8; month <= 12; month++)
        {
            _app.Clock.Now = new(2026, month, 3, 12, 0, 0, TimeSpan.Zero);
            var spends = Enumerable.Range(0, 40).Select(n => _app.ChatAsync(account, 1, $"{month}-{n}"));
            var sweeps = Enumerable.Range(0, 3).Select(_ => SweepAsync());
            var answers = Task.WhenAll(spends);
            await Task.WhenAll(sweeps);
            (await answers).ShouldAllBe(answer => answer.Status == 200);
            (await _app.CountsAsync(account))["subscription_reset"].ShouldBe(month - 6);
            (await _app.CreditsAsync(account)).ShouldBe(1_800);
        }

        (await _app.CountsAsync(account))["pocket_expired"].ShouldBe(5);
    }

    [Fact]
    public async Task An_idle_account_goes_through_every_period_it_missed()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.AdminPutAsync($"/accounts/{account.Id}/subscription", new { tier = "pro" })).ShouldBe(200);
        _app.Clock.Now = new(2026, 10, 20, 0, 0, 0, TimeSpan.Zero);

        // Reads reckon it, a sweep journals it, and neither does it twice.
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
        (await _app.CountsAsync(account))["subscription_reset"].ShouldBe(1);
        (await SweepAsync()).ShouldBe(1);
        (await SweepAsync()).ShouldBe(0);
        var counts = await _app.CountsAsync(account);
        (counts["subscription_reset"], counts["pocket_expired"], counts["credits_granted"]).ShouldBe((4, 3, 4));
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
        (await _app.AdminGetAsync($"/accounts/{account.Id}/subscription")).Text("period").ShouldBe("3");
    }

    [Fact]
    public async Task A_clock_that_steps_back_opens_no_period_twice()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.AdminPutAsync($"/accounts/{account.Id}/subscription", new { tier = "pro" })).ShouldBe(200);
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await _app.ChatAsync(account, 1, "august")).ShouldBe(200);
        _app.Clock.Now = new(2026, 8, 3, 11, 0, 0, TimeSpan.Zero);
        (await _app.ChatAsync(account, 1, "an hour before")).ShouldBe(200);
        _app.Clock.Now = new(2026, 8, 3, 12, 30, 0, TimeSpan.Zero);
        (await _app.ChatAsync(account, 1, "after")).ShouldBe(200);
        (await _app.CountsAsync(account))["subscription_reset"].ShouldBe(2);
        (await _app.CreditsAsync(account)).ShouldBe(1_985);
    }

    private Task<int> SweepAsync() => _app.Services.GetRequiredService<Sweep>().PassAsync(CancellationToken.None);
}
