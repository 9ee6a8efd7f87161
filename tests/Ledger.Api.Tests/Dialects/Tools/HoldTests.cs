using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary><c>POST /api/v1/tools/reserve</c>, <c>settle</c>, <c>release</c>: a hold from its placing to its one end.</summary>
public sealed class HoldTests : IAsyncLifetime
{
    private LedgerApp _app = null!;
    private TestAccount _account = null!;

    public async ValueTask InitializeAsync()
    {
        _app = await LedgerApp.StartAsync();
        _account = await _app.OpenAccountAsync(credits: 1_000);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_hold_sets_credits_aside_and_its_settlement_charges_what_was_really_done()
    {
        var reserved = await ReserveAsync("job", units: 20);
        var hold = reserved.Text("hold_id")!;
        reserved
            .ShouldBe(200, $$"""{"ok":true,"hold_id":"{{hold}}","held":100,"balance_after":900,"expires_at":"2026-07-03T12:15:00Z"}""")
            .ShouldHave("x-ledger-hold", hold)
            .ShouldHave("x-ledger-balance", "900")
            .ShouldHave("x-ledger-unit", "credits")
            .ShouldHave("x-ledger-spend-id", null);
        (await _app.AvailableAsync(_account.Id)).ShouldBe(900);

        var settled = (await SettleAsync(hold, units: 7))
            .ShouldBe(200, $$"""{"ok":true,"hold_id":"{{hold}}","charged":35,"balance_after":965}""")
            .ShouldHave("x-ledger-cost", "35")
            .ShouldHave("x-ledger-balance", "965");
        settled.ShouldHave("x-ledger-spend-id", (await _app.EventsAsync(_account.Id))[^1].Id.ToString());
        (await _app.AvailableAsync(_account.Id)).ShouldBe(965);
    }

    [Fact]
    public async Task Every_step_can_be_repeated_and_gets_its_first_answer()
    {
        var reserved = await ReserveAsync("job", units: 20);
        var hold = reserved.Text("hold_id")!;
        await RepeatsAsync(() => ReserveAsync("job", units: 20), reserved);
        var settled = await SettleAsync(hold, units: 7);
        await RepeatsAsync(() => SettleAsync(hold, units: 7), settled);
        await RepeatsAsync(() => ReserveAsync("job", units: 20), reserved);

        var other = (await ReserveAsync("other", units: 10)).Text("hold_id")!;
        var released = (await ReleaseAsync(other)).ShouldBe(200, $$"""{"ok":true,"hold_id":"{{other}}","balance_after":965}""");
        await RepeatsAsync(() => ReleaseAsync(other), released);

        _app = await _app.RestartAsync();
        await RepeatsAsync(() => ReserveAsync("job", units: 20), reserved);
        await RepeatsAsync(() => SettleAsync(hold, units: 7), settled);
        await RepeatsAsync(() => ReleaseAsync(other), released);
        (await _app.AvailableAsync(_account.Id)).ShouldBe(965);
    }

    [Fact]
    public async Task A_hold_ends_once()
    {
        var settled = (await ReserveAsync("settled", units: 1)).Text("hold_id")!;
        (await SettleAsync(settled, units: 1)).ShouldBe(200);
        var released = (await ReserveAsync("released", units: 1)).Text("hold_id")!;
        (await ReleaseAsync(released)).ShouldBe(200);
        var before = await _app.StandingAsync(_account.Id);

        (await SettleAsync(settled, units: 2)).ShouldBeRefused(409, "reference_conflict").ShouldHave("x-should-retry", "false");
        (await ReleaseAsync(settled)).ShouldBeRefused(409, "hold_settled").ShouldHave("x-should-retry", "false");
        (await SettleAsync(released, units: 1)).ShouldBeRefused(409, "hold_released").ShouldHave("x-should-retry", "false");
        (await _app.StandingAsync(_account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_hold_and_a_spend_share_their_references()
    {
        await ReserveAsync("held", units: 1);
        (await SpendAsync("held")).ShouldBeRefused(409, "reference_conflict");
        await SpendAsync("spent");
        (await ReserveAsync("spent", units: 1)).ShouldBeRefused(409, "reference_conflict");
        (await ReserveAsync("held", units: 2)).ShouldBeRefused(409, "reference_conflict");
    }

    [Fact]
    public async Task What_is_held_cannot_be_spent()
    {
        await ReserveAsync("job", units: 199);
        (await SpendAsync("one")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":0}""");
        (await SpendAsync("two")).ShouldBeRefused(402, "insufficient_credits");
        (await ReserveAsync("three", units: 1)).ShouldBeRefused(402, "insufficient_credits").Text("balance").ShouldBe("0");
    }

    [Fact]
    public async Task More_than_was_held_is_taken_from_what_is_available_and_then_booked_as_debt()
    {
        var hold = (await ReserveAsync("job", units: 10)).Text("hold_id")!;
        (await SettleAsync(hold, units: 30)).ShouldBe(200, $$"""{"ok":true,"hold_id":"{{hold}}","charged":150,"balance_after":850}""");

        var next = (await ReserveAsync("next", units: 170)).Text("hold_id")!;
        (await SettleAsync(next, units: 180)).ShouldBe(200).Text("charged").ShouldBe("900");
        (await SpendAsync("after")).ShouldBeRefused(402, "insufficient_credits").Text("limit_source").ShouldBe("debt");

        // What is owed is paid first by the next grant.
        await _app.GrantAsync(_account.Id, Domain.Money.Amount.Credits(60));
        (await SpendAsync("after")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":5}""");
    }

    [Fact]
    public async Task A_hold_that_nobody_ends_lapses_and_can_be_settled_late_once()
    {
        var hold = (await ReserveAsync("job", units: 20, ttl: 60)).Text("hold_id")!;
        _app.Clock.Advance(TimeSpan.FromSeconds(59));
        (await _app.AvailableAsync(_account.Id)).ShouldBe(900);
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await _app.AvailableAsync(_account.Id)).ShouldBe(1_000);

        (await ReleaseAsync(hold)).ShouldBeRefused(409, "hold_expired").ShouldHave("x-should-retry", "false");
        var late = (await SettleAsync(hold, units: 7)).ShouldBe(
            200,
            $$"""{"ok":true,"hold_id":"{{hold}}","charged":35,"balance_after":965}"""
        );
        await RepeatsAsync(() => SettleAsync(hold, units: 7), late);
        (await SettleAsync(hold, units: 8)).ShouldBeRefused(409, "reference_conflict");
        (await _app.EventsAsync(_account.Id))
            .Select(stored => stored.Type)
            .ToArray()[^3..]
            .ShouldBe(["hold_placed", "hold_expired", "hold_settled_late"]);
        (await _app.AvailableAsync(_account.Id)).ShouldBe(965);
    }

    [Fact]
    public async Task A_hold_lives_as_long_as_was_asked_and_a_quarter_of_an_hour_where_nothing_was()
    {
        (await ReserveAsync("default", units: 1)).Text("expires_at").ShouldBe("2026-07-03T12:15:00Z");
        (await ReserveAsync("second", units: 1, ttl: 1)).Text("expires_at").ShouldBe("2026-07-03T12:00:01Z");
        (await ReserveAsync("day", units: 1, ttl: 86_400)).Text("expires_at").ShouldBe("2026-07-04T12:00:00Z");
        _app.Clock.Advance(TimeSpan.FromMilliseconds(250));
        (await ReserveAsync("fraction", units: 1)).Text("expires_at").ShouldBe("2026-07-03T12:15:00.250000Z");
    }

    [Fact]
    public async Task A_hold_is_settled_at_the_price_it_was_placed_under()
    {
        var hold = (await ReserveAsync("job", units: 20)).Text("hold_id")!;
        await _app.PublishPriceAsync("chat", "7");
        (await SettleAsync(hold, units: 10)).ShouldBe(200).Text("charged").ShouldBe("50");
        (await SpendAsync("now")).ShouldBe(200).Text("charged").ShouldBe("7");
    }

    [Fact]
    public async Task A_hold_counts_against_the_key_s_limit_until_it_ends()
    {
        var limited = await _app.OpenAccountAsync(credits: 100, limit: 10);
        var hold = (await ReserveAsync("job", units: 2, key: limited.Key)).Text("hold_id")!;
        (await SpendAsync("one", limited.Key)).ShouldBeRefused(402, "key_limit_reached");
        (await ReleaseAsync(hold, limited.Key)).ShouldBe(200);
        (await SpendAsync("one", limited.Key)).ShouldBe(200);
    }

    [Fact]
    public async Task A_hold_that_is_not_there_or_not_one_s_own_is_not_found()
    {
        var hold = (await ReserveAsync("job", units: 1)).Text("hold_id")!;
        var stranger = await _app.OpenAccountAsync(credits: 1_000);
        (await SettleAsync(hold, units: 1, stranger.Key)).ShouldBeRefused(404, "hold_not_found").ShouldHave("x-should-retry", "false");
        (await ReleaseAsync(hold, stranger.Key)).ShouldBeRefused(404, "hold_not_found");
        (await SettleAsync("00000000-0000-8000-8000-000000000000", units: 1)).ShouldBeRefused(404, "hold_not_found");

        // A spend's id is not a hold's.
        var spend = (await SpendAsync("spent")).Header("x-ledger-spend-id")!;
        (await SettleAsync(spend, units: 1)).ShouldBeRefused(404, "hold_not_found");
        (await ReleaseAsync(spend)).ShouldBeRefused(404, "hold_not_found");
        (await SettleAsync(hold.ToUpperInvariant(), units: 1)).ShouldBe(200);
    }

    private static async Task RepeatsAsync(Func<Task<Answer>> request, Answer first)
    {
        var again = (await request()).ShouldBe(200, first.Body).ShouldHave("Idempotent-Replayed", "true");
        foreach (var header in (string[])["x-ledger-hold", "x-ledger-spend-id", "x-ledger-cost", "x-ledger-balance"])
            again.ShouldHave(header, first.Header(header));
    }

    private Task<Answer> ReserveAsync(string reference, int units, int? ttl = null, string? key = null) =>
        _app.PostAsync(
            "/api/v1/tools/reserve",
            key ?? _account.Key,
            ttl is null
                ? new
                {
                    tool = "chat",
                    units,
                    reference,
                }
                : (object)
                    new
                    {
                        tool = "chat",
                        units,
                        reference,
                        ttl_seconds = ttl,
                    }
        );

    private Task<Answer> SettleAsync(string hold, int units, string? key = null) =>
        _app.PostAsync("/api/v1/tools/settle", key ?? _account.Key, new { hold_id = hold, units });

    private Task<Answer> ReleaseAsync(string hold, string? key = null) =>
        _app.PostAsync("/api/v1/tools/release", key ?? _account.Key, new { hold_id = hold });

    private Task<Answer> SpendAsync(string reference, string? key = null) =>
        _app.PostAsync(
            "/api/v1/tools/spend",
            key ?? _account.Key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );
}
