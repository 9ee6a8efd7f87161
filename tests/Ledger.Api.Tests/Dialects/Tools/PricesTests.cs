using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary><c>GET /api/v1/tools/prices</c>: the live price table, and what a new one changes.</summary>
public sealed class PricesTests : IAsyncLifetime
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
    public async Task Every_tool_and_service_of_the_card_in_force_is_listed()
    {
        var answer = (await _app.GetAsync("/api/v1/tools/prices", _account.Key)).ShouldBe(200);
        answer.Body.ShouldStartWith(
            """{"ok":true,"version":1,"effective_at":"2026-07-03T12:00:00Z","prices":[{"tool":"chat","per":"turn","cost_tokens":5},"""
        );
        var tools = answer.Json.GetProperty("prices").EnumerateArray().Select(price => price.GetProperty("tool").GetString()).ToArray();
        tools[..8].ShouldBe(["chat", "image", "voice_clone", "dub", "music", "sfx", "speech2text", "translate"]);
        tools.ShouldContain("transcription");
        tools.ShouldBeUnique();
    }

    [Fact]
    public async Task Every_listed_price_is_what_one_unit_costs()
    {
        foreach (var price in (await _app.GetAsync("/api/v1/tools/prices", _account.Key)).Json.GetProperty("prices").EnumerateArray())
        {
            (await _app.PostAsync("/api/v1/tools/check", _account.Key, new { tool = price.GetProperty("tool").GetString(), units = 1 }))
                .ShouldBe(200)
                .Text("cost_tokens")
                .ShouldBe(price.GetProperty("cost_tokens").GetRawText());
        }
    }

    [Fact]
    public async Task A_published_card_governs_the_next_request()
    {
        await _app.PublishPriceAsync("chat", "7.25");
        (await _app.GetAsync("/api/v1/tools/prices", _account.Key))
            .ShouldBe(200)
            .Body.ShouldStartWith(
                """{"ok":true,"version":2,"effective_at":"2026-07-03T12:00:00Z","prices":[{"tool":"chat","per":"turn","cost_tokens":7.25},"""
            );
        (await CheckAsync()).ShouldBe(200, """{"ok":true,"allowed":true,"cost_tokens":8,"balance_after":992}""");
        (await SpendAsync("r", units: 2)).ShouldBe(200, """{"ok":true,"charged":15,"balance_after":985}""");
    }

    [Fact]
    public async Task A_repeat_is_answered_at_its_first_price_and_never_rated_again()
    {
        var first = await SpendAsync("r");
        await _app.PublishPriceAsync("chat", "7");
        (await SpendAsync("r")).ShouldBe(200, first.Body).ShouldHave("Idempotent-Replayed", "true");
        (await SpendAsync("new")).ShouldBe(200, """{"ok":true,"charged":7,"balance_after":988}""");

        _app = await _app.RestartAsync();
        (await SpendAsync("r")).ShouldBe(200, first.Body).ShouldHave("Idempotent-Replayed", "true");
        (await SpendAsync("r", units: 2)).ShouldBeRefused(409, "reference_conflict");
    }

    [Fact]
    public async Task A_tool_that_left_the_card_can_still_be_repeated_but_not_spent()
    {
        var first = await SpendAsync("r");
        await _app.PublishAsync(card => card with { Tools = [.. card.Tools.Where(tool => tool.Name != "chat")] });
        (await SpendAsync("r")).ShouldBe(200, first.Body);
        (await SpendAsync("new")).ShouldBeRefused(400, "unknown_tool");
        (await CheckAsync()).ShouldBeRefused(400, "unknown_tool");
    }

    [Fact]
    public async Task Free_is_a_price()
    {
        await _app.PublishPriceAsync("chat", "0");
        var nobody = await _app.OpenAccountAsync();
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                nobody.Key,
                new
                {
                    tool = "chat",
                    units = 3,
                    reference = "r",
                }
            )
        ).ShouldBe(200, """{"ok":true,"charged":0,"balance_after":0}""").ShouldHave("x-ledger-cost", "0");
        (await _app.EventsAsync(nobody.Id))[^1].Type.ShouldBe("credits_spent");
    }

    [Fact]
    public async Task A_name_that_is_both_a_tool_and_a_service_is_listed_once_at_the_tool_s_price()
    {
        await _app.PublishAsync(card => card with { Services = [.. card.Services, new PricedTool("chat", "minute", Quantity.Of(99))] });
        var chats = (await _app.GetAsync("/api/v1/tools/prices", _account.Key))
            .Json.GetProperty("prices")
            .EnumerateArray()
            .Where(price => price.GetProperty("tool").GetString() == "chat");
        chats.Single().GetProperty("cost_tokens").GetRawText().ShouldBe("5");
    }

    private Task<Answer> CheckAsync() => _app.PostAsync("/api/v1/tools/check", _account.Key, new { tool = "chat", units = 1 });

    private Task<Answer> SpendAsync(string reference, int units = 1) =>
        _app.PostAsync(
            "/api/v1/tools/spend",
            _account.Key,
            new
            {
                tool = "chat",
                units,
                reference,
            }
        );
}
