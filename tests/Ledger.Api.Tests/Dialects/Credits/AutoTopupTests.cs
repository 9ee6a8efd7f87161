using Ledger.Api.Application;
using Ledger.Api.Tests.Payments;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Dialects.Credits;

/// <summary><c>/api/v1/credits/auto-topup</c>: credits that are bought by themselves when too few are left, through the sandbox.</summary>
public sealed class AutoTopupTests : IAsyncLifetime
{
    private const string Path = "/api/v1/credits/auto-topup";
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task It_is_off_until_somebody_switches_it_on()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"enabled":false,"threshold_credits":0,"amount_usd":0,"max_per_day":0,"state":"off","retry_at":null}"""
        );
    }

    [Fact]
    public async Task It_cannot_be_switched_on_before_something_was_paid_by_hand()
    {
        var account = await _app.OpenAccountAsync(credits: 10);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PutAsync(Path, account.Key, """{"enabled":true,"threshold_credits":1000,"amount_usd":10}"""))
            .ShouldBeRefusedInWords(409)
            .Text("detail")
            .ShouldBe("Buy credits once by hand first: automatic purchases charge the card that paid before.");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);

        // A checkout that was not paid is no card.
        await _app.OrderCreditsAsync(account, 1);
        (await _app.PutAsync(Path, account.Key, """{"enabled":true,"threshold_credits":1000,"amount_usd":10}""")).ShouldBe(409);
    }

    [Fact]
    public async Task What_is_said_while_it_is_off_is_kept_for_when_it_is_on()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.PutAsync(Path, account.Key, """{"threshold_credits":1000,"amount_usd":10,"max_per_day":2}""")).ShouldBe(
            200,
            """{"enabled":false,"threshold_credits":1000,"amount_usd":10,"max_per_day":2,"state":"off","retry_at":null}"""
        );
        (await _app.PutAsync(Path, account.Key, """{"max_per_day":3}""")).ShouldBe(200);
        await _app.BuyCreditsAsync(account, 1);
        const string On = """{"enabled":true,"threshold_credits":1000,"amount_usd":10,"max_per_day":3,"state":"armed","retry_at":null}""";
        (await _app.PutAsync(Path, account.Key, """{"enabled":true}""")).ShouldBe(200, On);
        (await _app.GetAsync(Path, account.Key)).ShouldBe(200, On);
        (await _app.PutAsync(Path, account.Key, """{"enabled":false}""")).ShouldBe(
            200,
            """{"enabled":false,"threshold_credits":1000,"amount_usd":10,"max_per_day":3,"state":"off","retry_at":null}"""
        );
    }

    [Fact]
    public async Task It_buys_once_when_the_balance_falls_to_the_threshold_and_again_at_the_next_crossing()
    {
        var account = await ArmedAsync(threshold: 1000, dollars: 10, perDay: 5);
        (await _app.ChatAsync(account, 1299, "above")).ShouldBe(200);
        (await AutomaticAsync(account)).ShouldBe(0);
        (await _app.ChatAsync(account, 1, "at the threshold")).ShouldBe(200);
        await StateIsAsync(account, "armed");
        (await _app.CreditsAsync(account)).ShouldBe(76_000);
        (await AutomaticAsync(account)).ShouldBe(1);

        (await _app.ChatAsync(account, 10_000, "above again")).ShouldBe(200);
        (await AutomaticAsync(account)).ShouldBe(1);
        (await _app.ChatAsync(account, 5_100, "below")).ShouldBe(200);
        await StateIsAsync(account, "armed");
        (await _app.CreditsAsync(account)).ShouldBe(75_500);
        (await AutomaticAsync(account)).ShouldBe(2);
    }

    [Fact]
    public async Task A_purchase_that_does_not_reach_above_the_threshold_is_not_followed_by_another()
    {
        var account = await ArmedAsync(threshold: 100_000, dollars: 1, perDay: 5);
        await StateIsAsync(account, "bought");
        (await _app.CreditsAsync(account)).ShouldBe(15_000);
        for (var n = 0; n < 5; n++)
            (await _app.ChatAsync(account, 1, $"r{n}")).ShouldBe(200);
        (await AutomaticAsync(account)).ShouldBe(1);
    }

    [Fact]
    public async Task Many_spends_at_once_across_the_threshold_buy_once()
    {
        var account = await ArmedAsync(threshold: 7_000, dollars: 10, perDay: 5);
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(n => _app.ChatAsync(account, 1, $"r{n}")));
        answers.ShouldAllBe(answer => answer.Status == 200);
        await StateIsAsync(account, "armed");
        (await AutomaticAsync(account)).ShouldBe(1);
        (await _app.CreditsAsync(account)).ShouldBe(7_500 + 75_000 - 1_000);
    }

    [Fact]
    public async Task It_buys_only_so_often_in_24_hours_and_goes_on_when_they_are_over()
    {
        var account = await ArmedAsync(threshold: 1000, dollars: 1, perDay: 2);
        for (var n = 1; n <= 2; n++)
        {
            (await _app.ChatAsync(account, n == 1 ? 1_400 : 1_500, $"r{n}")).ShouldBe(200);
            await StateIsAsync(account, "armed");
            (await AutomaticAsync(account)).ShouldBe(n);
        }

        (await _app.CreditsAsync(account)).ShouldBe(8_000);
        (await _app.ChatAsync(account, 1_500, "third")).ShouldBe(200);
        (await AutomaticAsync(account)).ShouldBe(2);
        _app.Clock.Advance(TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1));
        await SweepAsync();
        (await AutomaticAsync(account)).ShouldBe(2);
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        await SweepAsync();
        (await AutomaticAsync(account)).ShouldBe(3);
        await StateIsAsync(account, "armed");
        (await _app.CreditsAsync(account)).ShouldBe(8_000);
    }

    [Fact]
    public async Task After_a_declined_card_it_waits_an_hour_then_two_and_buys_once_the_card_works()
    {
        var account = await ArmedAsync(threshold: 1000, dollars: 10, perDay: 24);
        await _app.LetCardAsync(account, "decline");
        (await _app.ChatAsync(account, 1_400, "below")).ShouldBe(200);
        await StateIsAsync(account, "backing_off");
        (await _app.GetAsync(Path, account.Key)).ShouldBe(
            200,
            """{"enabled":true,"threshold_credits":1000,"amount_usd":10,"max_per_day":24,"state":"backing_off","retry_at":"2026-07-03T13:00:00Z"}"""
        );
        (await _app.ChatAsync(account, 1, "still below")).ShouldBe(200);
        (await AutomaticAsync(account)).ShouldBe(1);

        _app.Clock.Now = new(2026, 7, 3, 13, 0, 0, TimeSpan.Zero);
        await SweepAsync();
        await Eventually.IsSoAsync(async () => (await _app.GetAsync(Path, account.Key)).Text("retry_at") == "2026-07-03T15:00:00Z");
        (await AutomaticAsync(account)).ShouldBe(2);

        await _app.LetCardAsync(account, "accept");
        _app.Clock.Now = new(2026, 7, 3, 15, 0, 0, TimeSpan.Zero);
        await SweepAsync();
        await StateIsAsync(account, "armed");
        (await AutomaticAsync(account)).ShouldBe(3);
        (await _app.CreditsAsync(account)).ShouldBe(7_500 + 75_000 - 7_005);
        (await _app.GetAsync(Path, account.Key)).Text("retry_at").ShouldBe("null");
    }

    [Fact]
    public async Task Off_is_off()
    {
        var account = await ArmedAsync(threshold: 1000, dollars: 10, perDay: 5);
        (await _app.PutAsync(Path, account.Key, """{"enabled":false}""")).ShouldBe(200).Text("state").ShouldBe("off");
        (await _app.ChatAsync(account, 1_500, "everything")).ShouldBe(200);
        (await AutomaticAsync(account)).ShouldBe(0);
    }

    [Theory]
    [InlineData("""{"enabled":"yes"}""", "body.enabled")]
    [InlineData("""{"enabled":true}""", "body.amount_usd")]
    [InlineData("""{"enabled":true,"amount_usd":0.5}""", "body.amount_usd")]
    [InlineData("""{"amount_usd":1000.01}""", "body.amount_usd")]
    [InlineData("""{"threshold_credits":-1}""", "body.threshold_credits")]
    [InlineData("""{"threshold_credits":0.0000001}""", "body.threshold_credits")]
    [InlineData("""{"max_per_day":0}""", "body.max_per_day")]
    [InlineData("""{"max_per_day":25}""", "body.max_per_day")]
    [InlineData("""{"max_per_day":1.5}""", "body.max_per_day")]
    [InlineData("""{"card":"4242"}""", "body.card")]
    [InlineData("""{"enabled":1,"amount_usd":0,"max_per_day":0}""", "body.enabled body.amount_usd body.max_per_day")]
    public async Task What_makes_no_sense_is_refused_by_name_and_changes_nothing(string body, string places)
    {
        var account = await _app.OpenAccountAsync();
        await _app.BuyCreditsAsync(account, 1);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PutAsync(Path, account.Key, body)).ShouldFaultAt(places.Split(' '));
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    /// <summary>An account with 7,500 bought credits and the switch on.</summary>
    private async Task<TestAccount> ArmedAsync(long threshold, int dollars, int perDay)
    {
        var account = await _app.OpenAccountAsync();
        await _app.BuyCreditsAsync(account, 1);
        (
            await _app.PutAsync(
                Path,
                account.Key,
                new
                {
                    enabled = true,
                    threshold_credits = threshold,
                    amount_usd = dollars,
                    max_per_day = perDay,
                }
            )
        ).ShouldBe(200);
        return account;
    }

    // The follower of the log asks the sandbox for the money a moment after the order.
    private Task StateIsAsync(TestAccount account, string state) =>
        Eventually.IsSoAsync(async () => (await _app.GetAsync(Path, account.Key)).ShouldBe(200).Text("state") == state);

    private async Task<int> AutomaticAsync(TestAccount account) =>
        (await _app.ReadAsync(account.Id)).Orders.All.Values.Count(order => order.IsAutomatic);

    private Task<int> SweepAsync() => _app.Services.GetRequiredService<Sweep>().PassAsync(CancellationToken.None);
}
