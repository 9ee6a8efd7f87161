using Ledger.Api.Payments.Sandbox;
using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Api.Tests.Payments;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Dialects.Tenant;

/// <summary><c>/tenant/subscription</c>: what a subscription is, how it changes, is renewed and ends.</summary>
public sealed class SubscriptionTests : IAsyncLifetime
{
    private const string Path = "/tenant/subscription";
    private LedgerApp _app = null!;

    // Bills are paid when a test says so.
    public async ValueTask InitializeAsync() => _app = await StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Without_one_there_is_nothing() =>
        (await _app.GetAsync(Path, (await _app.OpenAccountAsync()).Key)).ShouldBe(
            200,
            """{"tier":null,"state":"none","quota":0,"used":0,"held":0,"resets_at":null,"next_reset_at":null}"""
        );

    [Fact]
    public async Task One_that_is_paid_is_active_and_its_window_of_24_hours_moves_with_the_clock()
    {
        var account = await SubscribedAsync();
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"tier":"pro","state":"active","quota":2000000,"used":0,"held":0,"resets_at":"2026-07-04T12:00:00Z","next_reset_at":"2026-08-03T12:00:00Z"}"""
        );
        _app.Clock.Advance(TimeSpan.FromHours(24));
        (await _app.GetAsync(Path, account.Key)).Text("resets_at").ShouldBe("2026-07-05T12:00:00Z");
    }

    [Fact]
    public async Task Ending_it_lets_the_period_run_out_and_asking_for_its_tier_again_keeps_it()
    {
        var account = await SubscribedAsync();
        const string Ending =
            """{"tier":"pro","state":"ending","quota":2000000,"used":0,"held":0,"resets_at":"2026-07-04T12:00:00Z","next_reset_at":null}""";
        (await _app.DeleteAsync(Path, account.Key)).ShouldBe(200, Ending);
        (await _app.DeleteAsync(Path + "?when=period_end", account.Key)).ShouldBe(200, Ending);
        (await _app.PutAsync(Path, account.Key, """{"tier":"pro"}""")).ShouldBe(200).Text("status").ShouldBe("changed");
        (await _app.GetAsync(Path, account.Key)).Text("state").ShouldBe("active");

        (await _app.DeleteAsync(Path, account.Key)).ShouldBe(200, Ending);
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"tier":"pro","state":"ended","quota":0,"used":0,"held":0,"resets_at":null,"next_reset_at":null}"""
        );
        (await PassAsync()).ShouldBe(0);
        (await _app.CreditsAsync(account)).ShouldBe(0);
    }

    [Fact]
    public async Task Ending_it_now_ends_it_now()
    {
        var account = await SubscribedAsync();
        (await _app.DeleteAsync(Path + "?when=now", account.Key)).ShouldBe(
            200,
            """{"tier":"pro","state":"ended","quota":0,"used":0,"held":0,"resets_at":null,"next_reset_at":null}"""
        );
        (await _app.DeleteAsync(Path, account.Key)).ShouldBe(200).Text("state").ShouldBe("ended");
        (await _app.CountsAsync(account))["subscription_ended"].ShouldBe(1);
        (await _app.DeleteAsync(Path + "?when=later", account.Key)).ShouldFault("when");
    }

    [Fact]
    public async Task What_one_does_not_have_can_neither_be_changed_nor_ended()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.PutAsync(Path, account.Key, """{"tier":"pro"}"""))
            .ShouldBe(402)
            .Text("error", "code")
            .ShouldBe("no_active_subscription");
        (await _app.DeleteAsync(Path, account.Key)).ShouldBe(402).Text("error", "code").ShouldBe("no_active_subscription");
    }

    [Fact]
    public async Task What_the_operator_gave_only_the_operator_changes()
    {
        await SellPlusAsync();
        var account = await _app.OpenAccountAsync();
        (await _app.AdminPutAsync($"/accounts/{account.Id}/subscription", new { tier = "pro" })).ShouldBe(200);
        (await _app.PutAsync(Path, account.Key, """{"tier":"plus"}""")).ShouldBeRefusedWith(409, "set_by_operator");
        (await _app.PutAsync(Path, account.Key, """{"tier":"plus","when":"period_end"}""")).ShouldBeRefusedWith(409, "set_by_operator");
    }

    [Theory]
    [InlineData("""{"tier":"gold"}""", "tier")]
    [InlineData("""{"tier":"gold","when":"period_end"}""", "tier")]
    [InlineData("{}", "tier")]
    [InlineData("""{"tier":"pro","when":"tomorrow"}""", "when")]
    [InlineData("""{"tier":"pro","seats":2}""", "seats")]
    public async Task A_change_that_makes_no_sense_is_refused_by_name(string body, string field)
    {
        var account = await SubscribedAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PutAsync(Path, account.Key, body)).ShouldFault(field);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task An_upgrade_now_costs_the_difference_for_the_rest_of_the_period_and_takes_effect_when_that_is_paid()
    {
        await SellPlusAsync();
        var account = await SubscribedAsync();

        // 21 of 31 days: 30.00 × 21 ÷ 31 = 20.3225…, up to a cent; 4,000 × 21 ÷ 31 = 2,709.6…, down to a credit.
        _app.Clock.Advance(TimeSpan.FromDays(10));
        var answer = (await _app.PutAsync(Path, account.Key, """{"tier":"plus"}""")).ShouldBe(200);
        var session = answer.Text("session_id")!;
        answer.ShouldBe(
            200,
            $$$"""{"subscription":{"tier":"pro","state":"active","quota":2000000,"used":0,"held":0,"resets_at":"2026-07-14T12:00:00Z","next_reset_at":"2026-08-03T12:00:00Z"},"status":"payment_required","session_id":"{{{session}}}","url":"http://localhost/sandbox/checkout/{{{session}}}","amount_usd":20.33}"""
        );
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
        (await _app.PressAsync(session, "pay")).ShouldBe(200).Text("amount_usd").ShouldBe("20.33");
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"tier":"plus","state":"active","quota":5000000,"used":0,"held":0,"resets_at":"2026-07-14T12:00:00Z","next_reset_at":"2026-08-03T12:00:00Z"}"""
        );
        (await _app.CreditsAsync(account, "credits_balance")).ShouldBe(4_709);
        (await _app.CreditsAsync(account, "credits_per_month")).ShouldBe(6_000);

        // What the upgrade gave lapses with the period, and the next one is billed at the new price.
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(1);
        (await _app.CreditsAsync(account)).ShouldBe(6_000);
        (await LastPaymentAsync(account)).ShouldBe("50");
    }

    [Fact]
    public async Task An_upgrade_at_the_very_start_costs_the_whole_difference()
    {
        await SellPlusAsync();
        var account = await SubscribedAsync();
        var answer = (await _app.PutAsync(Path, account.Key, """{"tier":"plus","when":"now"}""")).ShouldBe(200);
        answer.Text("amount_usd").ShouldBe("30");
        (await _app.PressAsync(answer.Text("session_id")!, "pay")).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(6_000);
    }

    [Fact]
    public async Task An_upgrade_for_less_than_fifty_cents_is_not_charged()
    {
        await SellPlusAsync();
        var account = await SubscribedAsync();
        _app.Clock.Now = new(2026, 8, 3, 0, 0, 0, TimeSpan.Zero);
        (await _app.PutAsync(Path, account.Key, """{"tier":"plus"}""")).ShouldBe(
            200,
            """{"subscription":{"tier":"plus","state":"active","quota":5000000,"used":0,"held":0,"resets_at":"2026-08-03T12:00:00Z","next_reset_at":"2026-08-03T12:00:00Z"},"status":"changed","session_id":null,"url":null,"amount_usd":null}"""
        );
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
    }

    [Fact]
    public async Task A_tier_that_is_not_prorated_changes_at_once_for_nothing_and_gives_nothing_until_the_next_period()
    {
        await SellPlusAsync(proration: "none");
        var account = await SubscribedAsync();
        (await _app.PutAsync(Path, account.Key, """{"tier":"plus"}""")).ShouldBe(200).Text("status").ShouldBe("changed");
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(1);
        (await _app.CreditsAsync(account)).ShouldBe(6_000);
    }

    [Fact]
    public async Task A_change_at_the_end_of_the_period_is_said_now_and_billed_then()
    {
        await SellPlusAsync();
        var account = await SubscribedAsync();
        const string Scheduled =
            """{"subscription":{"tier":"pro","state":"active","quota":2000000,"used":0,"held":0,"resets_at":"2026-07-04T12:00:00Z","next_reset_at":"2026-08-03T12:00:00Z","next_tier":"plus"},"status":"changed","session_id":null,"url":null,"amount_usd":null}""";
        (await _app.PutAsync(Path, account.Key, """{"tier":"plus","when":"period_end"}""")).ShouldBe(200, Scheduled);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PutAsync(Path, account.Key, """{"tier":"plus","when":"period_end"}""")).ShouldBe(200, Scheduled);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
        (await _app.CreditsAsync(account)).ShouldBe(2_000);

        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(1);
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"tier":"plus","state":"active","quota":5000000,"used":0,"held":0,"resets_at":"2026-08-04T12:00:00Z","next_reset_at":"2026-09-03T12:00:00Z"}"""
        );
        (await _app.CreditsAsync(account)).ShouldBe(6_000);
        (await LastPaymentAsync(account)).ShouldBe("50");
    }

    [Fact]
    public async Task A_downgrade_at_the_end_of_the_period_keeps_what_was_paid_for_until_then()
    {
        await SellPlusAsync();
        var account = await SubscribedAsync("plus");
        (await _app.CreditsAsync(account)).ShouldBe(6_000);
        (await _app.PutAsync(Path, account.Key, """{"tier":"pro","when":"period_end"}"""))
            .ShouldBe(200)
            .Text("subscription", "next_tier")
            .ShouldBe("pro");
        _app.Clock.Now = new(2026, 8, 3, 11, 59, 59, TimeSpan.Zero);
        (await _app.CreditsAsync(account)).ShouldBe(6_000);
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(1);
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
        (await LastPaymentAsync(account)).ShouldBe("20");
        (await _app.GetAsync(Path, account.Key)).Text("tier").ShouldBe("pro");
    }

    [Fact]
    public async Task A_downgrade_now_changes_the_tier_takes_no_credits_and_gives_no_money_back()
    {
        await SellPlusAsync();
        var account = await SubscribedAsync("plus");
        var answer = (await _app.PutAsync(Path, account.Key, """{"tier":"pro"}""")).ShouldBe(200);
        (answer.Text("status"), answer.Text("subscription", "tier")).ShouldBe(("changed", "pro"));
        (await _app.CreditsAsync(account)).ShouldBe(6_000);
        (await _app.CountsAsync(account)).Keys.ShouldNotContain("order_refunded");
    }

    [Fact]
    public async Task A_change_that_was_scheduled_can_be_taken_back()
    {
        await SellPlusAsync();
        var account = await SubscribedAsync();
        (await _app.PutAsync(Path, account.Key, """{"tier":"plus","when":"period_end"}""")).ShouldBe(200);
        (await _app.PutAsync(Path, account.Key, """{"tier":"pro","when":"period_end"}"""))
            .ShouldBe(200)
            .Text("subscription", "next_tier")
            .ShouldBeNull();
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(1);
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
    }

    [Fact]
    public async Task A_period_begins_with_its_paid_bill_and_the_old_credits_lapse_at_the_boundary()
    {
        var account = await SubscribedAsync();
        await _app.GrantAsync(account.Id, Domain.Money.Amount.Credits(7));
        (await _app.ChatAsync(account, 100, "july")).ShouldBe(200);
        _app.Clock.Now = new(2026, 8, 3, 11, 59, 59, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(0);
        (await _app.CreditsAsync(account)).ShouldBe(1_507);

        // The boundary alone takes; only the bill gives.
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await _app.CreditsAsync(account)).ShouldBe(7);
        (await _app.GetAsync(Path, account.Key)).Text("state").ShouldBe("past_due");
        (await PassAsync()).ShouldBe(1);
        (await PassAsync()).ShouldBe(0);
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"tier":"pro","state":"active","quota":2000000,"used":0,"held":0,"resets_at":"2026-08-04T12:00:00Z","next_reset_at":"2026-09-03T12:00:00Z"}"""
        );
        var balance = await _app.GetAsync("/api/v1/credits", account.Key);
        (balance.Text("credits_balance"), balance.Text("payg_balance")).ShouldBe(("2000", "7"));
        (balance.Text("last_reset_at"), balance.Text("next_reset_date")).ShouldBe(("2026-08-03T12:00:00Z", "2026-09-03T12:00:00Z"));
        (await _app.CountsAsync(account))["subscription_reset"].ShouldBe(2);
    }

    [Fact]
    public async Task Bills_that_were_missed_are_paid_in_order_and_leave_one_periods_credits()
    {
        var account = await SubscribedAsync();
        _app.Clock.Now = new(2026, 10, 5, 0, 0, 0, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(3);
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
        var balance = await _app.GetAsync("/api/v1/credits", account.Key);
        balance.Text("last_reset_at").ShouldBe("2026-10-03T12:00:00Z");
        (await _app.CountsAsync(account))["order_paid"].ShouldBe(4);
    }

    [Fact]
    public async Task Many_subscriptions_are_billed_in_one_pass_and_by_one_node_at_a_time()
    {
        var accounts = new List<TestAccount>();
        for (var n = 0; n < 5; n++)
            accounts.Add(await SubscribedAsync());
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        await using var other = await StartAsync(_app);
        var paid = await Task.WhenAll(PassAsync(), PassAsync(other), PassAsync(), PassAsync(other));
        (paid.Sum() + await PassAsync()).ShouldBe(5);
        foreach (var account in accounts)
        {
            (await _app.CreditsAsync(account)).ShouldBe(2_000);
            (await _app.CountsAsync(account))["order_paid"].ShouldBe(2);
        }
    }

    [Fact]
    public async Task A_declined_card_is_past_due_and_a_card_that_works_within_three_days_goes_on()
    {
        var account = await SubscribedAsync();
        await _app.LetCardAsync(account, "decline");
        _app.Clock.Now = new(2026, 8, 3, 12, 0, 0, TimeSpan.Zero);
        (await PassAsync()).ShouldBe(0);
        (await _app.GetAsync(Path, account.Key)).Text("state").ShouldBe("past_due");
        (await _app.CreditsAsync(account)).ShouldBe(0);
        _app.Clock.Advance(TimeSpan.FromDays(2));
        (await PassAsync()).ShouldBe(0);
        (await _app.GetAsync(Path, account.Key)).Text("state").ShouldBe("past_due");
        await _app.LetCardAsync(account, "accept");
        (await PassAsync()).ShouldBe(1);
        var view = await _app.GetAsync(Path, account.Key);

        // The period is the one that was due, not one that begins today.
        (view.Text("state"), view.Text("next_reset_at")).ShouldBe(("active", "2026-09-03T12:00:00Z"));
        (await _app.CreditsAsync(account)).ShouldBe(2_000);
    }

    [Fact]
    public async Task What_is_not_paid_for_three_days_ends()
    {
        var account = await SubscribedAsync();
        await _app.LetCardAsync(account, "decline");
        _app.Clock.Now = new DateTimeOffset(2026, 8, 6, 12, 0, 0, TimeSpan.Zero) - TimeSpan.FromSeconds(1);
        (await PassAsync()).ShouldBe(0);
        (await _app.GetAsync(Path, account.Key)).Text("state").ShouldBe("past_due");
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await PassAsync()).ShouldBe(0);
        (await _app.GetAsync(Path, account.Key)).Text("state").ShouldBe("ended");
        (await _app.EventsAsync(account.Id))[^1].Data.ShouldContain("unpaid");
        await _app.LetCardAsync(account, "accept");
        (await PassAsync()).ShouldBe(0);
        await _app.SubscribeAsync(account);
        (await _app.GetAsync(Path, account.Key)).Text("state").ShouldBe("active");
    }

    [Fact]
    public async Task Periods_that_begin_on_the_31st_end_with_the_month_where_that_is_shorter()
    {
        await using var app = await StartAsync(at: new(2027, 1, 31, 10, 0, 0, TimeSpan.Zero));
        var account = await app.OpenAccountAsync();
        await app.SubscribeAsync(account);
        foreach (var (month, day, next) in ((int, int, string)[])[(2, 28, "2027-03-31"), (3, 31, "2027-04-30"), (4, 30, "2027-05-31")])
        {
            app.Clock.Now = new(2027, month, day, 10, 0, 0, TimeSpan.Zero);
            (await PassAsync(app)).ShouldBe(1);
            (await app.GetAsync(Path, account.Key)).Text("next_reset_at").ShouldBe(next + "T10:00:00Z");
        }
    }

    private static Task<LedgerApp> StartAsync(LedgerApp? beside = null, DateTimeOffset? at = null) =>
        LedgerApp.StartAsync(
            beside?.Database,
            beside?.Clock ?? new() { Now = at ?? FixedClock.Start },
            settings: new Dictionary<string, string> { ["Billing:SandboxInterval"] = "00:00:00" }
        );

    private async Task<TestAccount> SubscribedAsync(string tier = "pro")
    {
        var account = await _app.OpenAccountAsync();
        await _app.SubscribeAsync(account, tier);
        return account;
    }

    private async Task SellPlusAsync(string proration = "time") =>
        (await _app.AdminPutAsync("/rate-card", Cards.WithTier("plus", "50.00", "6000", 5_000_000, proration))).ShouldBe(201);

    private Task<int> PassAsync(LedgerApp? app = null) =>
        (app ?? _app).Services.GetRequiredService<SandboxBiller>().PassAsync(CancellationToken.None);

    private async Task<string?> LastPaymentAsync(TestAccount account) =>
        (await _app.AdminGetAsync($"/accounts/{account.Id}/orders?limit=1"))
            .ShouldBe(200)
            .Json.GetProperty("data")[0]
            .GetProperty("price_usd")
            .GetRawText();
}
