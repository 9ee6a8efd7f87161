using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary><c>/admin/rate-card</c>.</summary>
public sealed class RateCardTests
{
    private static readonly string Default = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rate-card.json")).Trim();

    [Fact]
    public async Task The_card_in_force_is_answered_byte_for_byte()
    {
        await using var app = await LedgerApp.StartAsync();
        (await app.AdminGetAsync("/rate-card")).ShouldBe(
            200,
            $$"""{"version":1,"effective_at":"2026-07-03T12:00:00Z","rate_card":{{Default}}}"""
        );
    }

    [Fact]
    public async Task What_was_answered_can_be_put_back_unchanged_and_changes_nothing()
    {
        await using var app = await LedgerApp.StartAsync();
        var answer = await app.AdminGetAsync("/rate-card");
        app.Clock.Advance(TimeSpan.FromHours(1));
        const string Same = """{"version":1,"effective_at":"2026-07-03T12:00:00Z","in_force":true}""";
        (await app.AdminPutAsync("/rate-card", answer.Body)).ShouldBe(200, Same);
        (await app.AdminPutAsync("/rate-card", answer.Json.GetProperty("rate_card").GetRawText())).ShouldBe(200, Same);
        (await app.AdminPutAsync("/rate-card", $$"""{"rate_card":{{Default}}}""")).ShouldBe(200, Same);
    }

    [Fact]
    public async Task A_published_card_governs_the_next_request()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100);
        var answer = await app.AdminGetAsync("/rate-card");
        app.Clock.Advance(TimeSpan.FromHours(1));
        var changed = answer.Body.Replace(
            """{ "name": "chat", "per": "turn", "credits": "5" }""",
            """{ "name": "chat", "per": "turn", "credits": "7.5" }""",
            StringComparison.Ordinal
        );
        (await app.AdminPutAsync("/rate-card", changed)).ShouldBe(
            201,
            """{"version":2,"effective_at":"2026-07-03T13:00:00Z","in_force":true}"""
        );
        (
            await app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r",
                }
            )
        ).Text("charged").ShouldBe("8");
        (await app.AdminGetAsync("/rate-card")).Body.ShouldContain(""" "credits": "7.5" """);
        (await app.AdminPutAsync("/rate-card", Default)).ShouldBe(201).Text("version").ShouldBe("3");
        (await app.AdminGetAsync("/rate-card/versions")).ShouldBe(
            200,
            """{"data":[{"version":3,"effective_at":"2026-07-03T13:00:00Z","in_force":true},{"version":2,"effective_at":"2026-07-03T13:00:00Z","in_force":false},{"version":1,"effective_at":"2026-07-03T12:00:00Z","in_force":false}],"next":null}"""
        );
    }

    [Fact]
    public async Task A_card_can_be_published_ahead_but_not_into_the_past()
    {
        await using var app = await LedgerApp.StartAsync();
        var later = Default.Replace("\"5\"", "\"6\"", StringComparison.Ordinal);
        var ahead = $$"""{"rate_card":{{later}},"effective_at":"2026-07-04T00:00:00Z"}""";
        (await app.AdminPutAsync("/rate-card", ahead)).ShouldBe(
            201,
            """{"version":2,"effective_at":"2026-07-04T00:00:00Z","in_force":false}"""
        );
        (await app.AdminPutAsync("/rate-card", ahead)).ShouldBe(
            200,
            """{"version":2,"effective_at":"2026-07-04T00:00:00Z","in_force":false}"""
        );
        (await app.AdminGetAsync("/rate-card")).Text("version").ShouldBe("1");
        (await app.AdminPutAsync("/rate-card", $$"""{"rate_card":{{later}},"effective_at":"2026-07-03T11:59:59Z"}""")).ShouldFault(
            "effective_at"
        );
        app.Clock.Now = new(2026, 7, 4, 0, 0, 0, TimeSpan.Zero);
        (await app.AdminGetAsync("/rate-card")).Text("version").ShouldBe("2");
    }

    [Fact]
    public async Task What_is_wrong_with_a_card_is_named_at_once_and_nothing_is_published()
    {
        await using var app = await LedgerApp.StartAsync();
        var bad = Default
            .Replace("\"credits\": \"5\"", "\"credits\": 5", StringComparison.Ordinal)
            .Replace("\"sandbox/echo\"", "\"sandbox/nothing\"", StringComparison.Ordinal);
        (await app.AdminPutAsync("/rate-card", bad)).ShouldFault("tools[0].credits", "aliases.auto", "aliases.claude-*", "aliases.gpt-*");
        (await app.AdminPutAsync("/rate-card", $$"""{"rate_card":{{bad}},"effective_at":7,"note":"x"}""")).ShouldFault(
            "effective_at",
            "note",
            "rate_card.tools[0].credits",
            "rate_card.aliases.auto",
            "rate_card.aliases.claude-*",
            "rate_card.aliases.gpt-*"
        );
        (await app.AdminPutAsync("/rate-card", "{}")).ShouldFault(
            "tools",
            "services",
            "models",
            "aliases",
            "packs",
            "tiers",
            "payg",
            "topup",
            "referral"
        );
        (await app.AdminPutAsync("/rate-card", """{"rate_card":null}""")).ShouldFault("rate_card");
        (await app.AdminPutAsync("/rate-card", "[]")).ShouldFault("body");
        (await app.AdminGetAsync("/rate-card/versions")).Json.GetProperty("data").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task Another_node_charges_by_the_card_that_this_one_published()
    {
        await using var one = await LedgerApp.StartAsync();
        await using var other = await LedgerApp.StartAsync(one.Database, one.Clock);
        var account = await one.OpenAccountAsync(credits: 100);
        (
            await other.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "before",
                }
            )
        ).Text("charged").ShouldBe("5");
        (await one.AdminPutAsync("/rate-card", Default.Replace("\"5\"", "\"6\"", StringComparison.Ordinal))).ShouldBe(201);
        (await other.AdminGetAsync("/rate-card")).Text("version").ShouldBe("2");
        (
            await other.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "after",
                }
            )
        ).Text("charged").ShouldBe("6");
    }
}
