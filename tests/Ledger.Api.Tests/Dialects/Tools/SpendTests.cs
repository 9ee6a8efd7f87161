using System.Text.Json;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary><c>POST /api/v1/tools/spend</c>: charging work that was done.</summary>
public sealed class SpendTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_spend_charges_and_says_what_was_left()
    {
        var account = await _app.OpenAccountAsync(credits: 9_995);
        var answer = (await SpendAsync(account, "req_2026-07-03_abc123"))
            .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":9990}""")
            .ShouldHave("content-type", "application/json")
            .ShouldHave("x-ledger-cost", "5")
            .ShouldHave("x-ledger-balance", "9990")
            .ShouldHave("x-ledger-unit", "credits")
            .ShouldHave("Idempotent-Replayed", null)
            .ShouldHave("x-should-retry", null);
        (await _app.AvailableAsync(account.Id)).ShouldBe(9_990);

        var spent = (await _app.EventsAsync(account.Id))[^1];
        spent.Type.ShouldBe("credits_spent");
        answer.ShouldHave("x-ledger-spend-id", spent.Id.ToString()).ShouldHave("x-request-id", spent.CorrelationId);
        spent.At.ShouldBe(_app.Clock.Now);
    }

    [Fact]
    public async Task The_same_reference_again_gets_the_first_answer_and_charges_nothing()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var first = await SpendAsync(account, "once");
        await SpendAsync(account, "another");
        var before = await _app.StandingAsync(account.Id);

        var again = (await SpendAsync(account, "once")).ShouldBe(200, first.Body).ShouldHave("Idempotent-Replayed", "true");
        foreach (var header in (string[])["x-ledger-spend-id", "x-ledger-cost", "x-ledger-balance", "x-ledger-unit"])
            again.ShouldHave(header, first.Header(header));
        again.Header("x-request-id").ShouldNotBe(first.Header("x-request-id"));
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("1", "1e0")]
    [InlineData("2.5", "2.500")]
    public async Task The_same_number_in_other_digits_is_the_same_work(string units, string sameUnits)
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var first = await _app.PostAsync("/api/v1/tools/spend", account.Key, $$"""{"tool":"chat","units":{{units}},"reference":"r"}""");
        (await _app.PostAsync("/api/v1/tools/spend", account.Key, $$"""{"tool":"chat","units":{{sameUnits}},"reference":"r"}"""))
            .ShouldBe(200, first.Body)
            .ShouldHave("Idempotent-Replayed", "true");
    }

    [Fact]
    public async Task The_same_reference_for_another_tool_is_another_spend()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        await SpendAsync(account, "shared");
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "sfx",
                    units = 1,
                    reference = "shared",
                }
            )
        ).ShouldBe(200, """{"ok":true,"charged":20,"balance_after":75}""").ShouldHave("Idempotent-Replayed", null);
    }

    [Fact]
    public async Task The_same_reference_of_another_account_is_another_spend()
    {
        var one = await _app.OpenAccountAsync(credits: 100);
        var two = await _app.OpenAccountAsync(credits: 50);
        await SpendAsync(one, "shared");
        (await SpendAsync(two, "shared")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":45}""");
    }

    [Fact]
    public async Task Another_key_of_the_account_repeats_as_well_as_the_first()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var (_, other) = await _app.CreateKeyAsync(account.Id);
        await SpendAsync(account, "shared");
        (await SpendAsync(account with { Key = other }, "shared")).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
    }

    [Fact]
    public async Task References_are_compared_exactly_as_they_are_written()
    {
        var account = await _app.OpenAccountAsync(credits: 1_000);
        string[] references =
        [
            "ref",
            "REF",
            "ref ",
            " ref",
            "réf",
            "re\u0301f",
            "ref\u200b",
            "\uD83D\uDE00",
            "%72ef",
            "ref\\",
            "\"ref\"",
            new string('r', 200),
            string.Concat(Enumerable.Repeat("\uD83D\uDE00", 200)),
        ];
        foreach (var reference in references)
            (await SpendAsync(account, reference)).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        foreach (var reference in references)
            (await SpendAsync(account, reference)).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
        (await _app.AvailableAsync(account.Id)).ShouldBe(1_000 - (5 * references.Length));
    }

    [Fact]
    public async Task Other_work_under_the_same_reference_is_refused_for_good()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        await SpendAsync(account, "once");
        var before = await _app.StandingAsync(account.Id);
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "once",
                }
            )
        ).ShouldBeRefused(409, "reference_conflict").ShouldHave("x-should-retry", "false");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Theory]
    [InlineData("chat", "1", 5)]
    [InlineData("chat", "0.1", 1)]
    [InlineData("chat", "0.000000001", 1)]
    [InlineData("chat", "0.2", 1)]
    [InlineData("chat", "0.200000001", 2)]
    [InlineData("chat", "1.999999999", 10)]
    [InlineData("dub", "0.5", 150)]
    [InlineData("dub", "1.333333333", 400)]
    [InlineData("voice_clone", "12", 72)]
    [InlineData("music_generation", "1.5", 1980)]
    [InlineData("image", "1E1", 400)]
    [InlineData("video_download", "1", 6)]
    public async Task Parts_of_a_unit_are_charged_up_to_the_next_whole_credit(string tool, string units, long charged)
    {
        var account = await _app.OpenAccountAsync(credits: 10_000);
        (await _app.PostAsync("/api/v1/tools/check", account.Key, $$"""{"tool":"{{tool}}","units":{{units}}}""")).ShouldBe(
            200,
            $$"""{"ok":true,"allowed":true,"cost_tokens":{{charged}},"balance_after":{{10_000 - charged}}}"""
        );
        (await _app.PostAsync("/api/v1/tools/spend", account.Key, $$"""{"tool":"{{tool}}","units":{{units}},"reference":"r"}""")).ShouldBe(
            200,
            $$"""{"ok":true,"charged":{{charged}},"balance_after":{{10_000 - charged}}}"""
        );
    }

    [Fact]
    public async Task Too_few_credits_are_told_with_the_cost_and_the_balance()
    {
        var account = await _app.OpenAccountAsync(credits: 2);
        var before = await _app.StandingAsync(account.Id);
        (await SpendAsync(account, "r"))
            .ShouldBe(
                402,
                """{"ok":false,"error":"insufficient_credits","cost_tokens":5,"balance":2,"limit_source":"balance","message":"Available credits do not cover the cost."}"""
            )
            .ShouldHave("x-should-retry", null);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);

        // A refusal is not remembered: once there are funds, the same reference is charged.
        await _app.GrantAsync(account.Id, Domain.Money.Amount.Credits(10));
        (await SpendAsync(account, "r"))
            .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":7}""")
            .ShouldHave("Idempotent-Replayed", null);
    }

    [Fact]
    public async Task The_key_s_limit_is_told_with_what_it_has_left()
    {
        var account = await _app.OpenAccountAsync(credits: 100, limit: 8);
        (await SpendAsync(account, "one")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""");
        (await SpendAsync(account, "two")).ShouldBe(
            402,
            """{"ok":false,"error":"key_limit_reached","cost_tokens":5,"balance":3,"limit_source":"key","message":"This would take the key above its credit limit."}"""
        );
        (await SpendAsync(account, "one")).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
        (await _app.AvailableAsync(account.Id)).ShouldBe(95);
    }

    [Fact]
    public async Task Work_that_no_account_could_ever_pay_is_refused()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "speech_translation",
                    units = 1_000_000_000,
                    reference = "r",
                }
            )
        ).ShouldBeRefused(400, "invalid_request");
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "teleport",
                    units = 1,
                    reference = "r",
                }
            )
        ).ShouldBeRefused(400, "unknown_tool").ShouldHave("x-should-retry", "false");
    }

    [Fact]
    public async Task Metadata_and_duration_are_kept_byte_for_byte()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        const string Metadata = """{ "b" : 1.50, "a":[ 1e3,"\u00e9\ud83d\ude00é\/","\u0000\ud800"],"b":{}}""";
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                $$"""{"tool":"chat","units":1,"reference":"r","metadata":{{Metadata}},"audio_duration":12.50}"""
            )
        ).ShouldBe(200);

        using var stored = JsonDocument.Parse((await _app.EventsAsync(account.Id))[^1].Data);
        stored.RootElement.GetProperty("metadata").GetString().ShouldBe(Metadata);
        stored.RootElement.GetProperty("audioDuration").GetString().ShouldBe("12.5");

        // They are no part of what makes two requests the same.
        (await SpendAsync(account, "r"))
            .ShouldBe(200)
            .ShouldHave("Idempotent-Replayed", "true");
    }

    [Fact]
    public async Task Metadata_may_be_4096_bytes_and_no_more()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        string OfLength(int bytes) => $$"""{"a":"{{new string('x', bytes - 8)}}"}""";
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                $$"""{"metadata":{{OfLength(4096)}},"tool":"chat","units":1,"reference":"full"}"""
            )
        ).ShouldBe(200);
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                $$"""{"metadata":{{OfLength(4097)}},"tool":"chat","units":1,"reference":"over"}"""
            )
        )
            .ShouldBeRefused(400, "invalid_request")
            .Text("fields", "metadata")
            .ShouldBe("must be at most 4096 bytes");
    }

    private Task<Answer> SpendAsync(TestAccount account, string reference) =>
        _app.PostAsync(
            "/api/v1/tools/spend",
            account.Key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );
}
