using System.Text.Json.Nodes;
using Ledger.Api.Cli;
using Ledger.Api.Tests.Payments;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary>What has been sold keeps its entry: a card that leaves it out is refused, and every fault is named.</summary>
public sealed class SoldEntryTests : IAsyncLifetime
{
    private static readonly string Empty = Cards.With(card => (card["packs"], card["tiers"]) = (new JsonArray(), new JsonArray()));
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task What_nobody_bought_can_be_left_out() => (await _app.AdminPutAsync("/rate-card", Empty)).ShouldBe(201);

    [Fact]
    public async Task Whatever_is_left_out_is_named_and_nothing_is_published()
    {
        (await _app.AdminPutAsync("/rate-card", Cards.WithTier("plus", "50.00", "6000", 1))).ShouldBe(201);
        var account = await _app.OpenAccountAsync();
        (await _app.PressAsync(await _app.OrderPackAsync(account), "pay")).ShouldBe(200);
        await _app.SubscribeAsync(account);
        (await _app.PutAsync("/tenant/subscription", account.Key, """{"tier":"plus","when":"period_end"}""")).ShouldBe(200);

        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldFault("packs.deepseek-chat-20k", "tiers.pro", "tiers.plus");
        (await _app.AdminPutAsync("/rate-card", $$"""{"rate_card":{{Empty}}}""")).ShouldFault(
            "rate_card.packs.deepseek-chat-20k",
            "rate_card.tiers.pro",
            "rate_card.tiers.plus"
        );
        (await _app.AdminPutAsync("/rate-card", $$"""{"rate_card":{{Empty}},"effective_at":"2027-01-01T00:00:00Z"}""")).ShouldFault(
            "rate_card.packs.deepseek-chat-20k",
            "rate_card.tiers.pro",
            "rate_card.tiers.plus"
        );
        (await _app.AdminPutAsync("/rate-card", Cards.Default)).ShouldFault("tiers.plus");
        (await _app.AdminGetAsync("/rate-card/versions")).Json.GetProperty("data").GetArrayLength().ShouldBe(2);
    }

    [Fact]
    public async Task A_pack_that_is_kept_for_another_model_is_not_kept()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.PressAsync(await _app.OrderPackAsync(account), "pay")).ShouldBe(200);
        var moved = Cards.With(card => (card["packs"]![0]!["provider"], card["packs"]![0]!["model"]) = ("sandbox", "echo"));
        var refused = (await _app.AdminPutAsync("/rate-card", moved)).ShouldFault("packs.deepseek-chat-20k");
        refused.Body.ShouldContain("deepseek/deepseek-chat");

        // Another price is no other pack.
        (await _app.AdminPutAsync("/rate-card", Cards.With(card => card["packs"]![0]!["price_usd"] = "12.00"))).ShouldBe(201);
    }

    [Fact]
    public async Task What_is_on_a_page_that_can_still_be_paid_is_kept_until_the_page_lapses()
    {
        var account = await _app.OpenAccountAsync();
        await _app.OrderPackAsync(account);
        await _app.OrderTierAsync(account);
        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldFault("packs.deepseek-chat-20k", "tiers.pro");
        _app.Clock.Advance(TimeSpan.FromHours(24));
        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldBe(201);
    }

    [Fact]
    public async Task What_is_used_up_or_has_ended_can_be_left_out()
    {
        var account = await _app.OpenAccountAsync();
        var pack = await _app.OrderPackAsync(account);
        (await _app.PressAsync(pack, "pay")).ShouldBe(200);
        (await _app.AdminPutAsync($"/accounts/{account.Id}/subscription", new { tier = "pro" })).ShouldBe(200);
        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldFault("packs.deepseek-chat-20k", "tiers.pro");
        (await _app.AdminDeleteAsync($"/accounts/{account.Id}/subscription")).ShouldBe(200);
        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldFault("packs.deepseek-chat-20k");
        (await _app.PressAsync(pack, "refund")).ShouldBe(200);
        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldBe(201);
    }

    [Fact]
    public async Task A_pack_that_has_lapsed_can_be_left_out_before_any_sweep_has_seen_it()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.PressAsync(await _app.OrderPackAsync(account), "pay")).ShouldBe(200);
        _app.Clock.Advance(TimeSpan.FromDays(365) - TimeSpan.FromSeconds(1));
        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldFault("packs.deepseek-chat-20k");
        _app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await _app.AdminPutAsync("/rate-card", Empty)).ShouldBe(201);
    }

    [Fact]
    public async Task The_command_line_refuses_it_too_and_names_the_same()
    {
        // The command line has the machine's clock.
        _app.Clock.Now = TimeProvider.System.GetUtcNow();
        var account = await _app.OpenAccountAsync();
        (await _app.PressAsync(await _app.OrderPackAsync(account), "pay")).ShouldBe(200);
        await _app.SubscribeAsync(account);
        Directory.CreateDirectory(_app.DataFolder);
        var file = Path.Combine(_app.DataFolder, "empty.json");
        await File.WriteAllTextAsync(file, Empty);
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(
            ["rate-card", "publish", file, "--ConnectionStrings:Ledger=" + _app.Database],
            new(output, error, IsTerminal: false),
            CancellationToken.None
        );
        (code, output.ToString()).ShouldBe((1, ""));
        error.ToString().ShouldContain("nothing was published");
        error.ToString().ShouldContain("  packs.deepseek-chat-20k must stay, for deepseek/deepseek-chat");
        error.ToString().ShouldContain("  tiers.pro must stay");
        (await _app.AdminGetAsync("/rate-card/versions")).Json.GetProperty("data").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_pack_whose_entry_vanished_all_the_same_keeps_the_rates_it_was_sold_by()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.PressAsync(await _app.OrderPackAsync(account), "pay")).ShouldBe(200);

        // Past the guard, as a purchase in the very moment of publishing would come.
        await _app.PublishAsync(card => card with { Packs = [] });
        var packs = (await _app.GetAsync("/v1/packs", account.Key)).ShouldBe(200);
        packs.Json.GetProperty("data").GetArrayLength().ShouldBe(0);
        var owned = packs.Json.GetProperty("owned").EnumerateArray().ShouldHaveSingleItem();
        owned.GetProperty("status").GetString().ShouldBe("ACTIVE");
        owned.GetProperty("remainingTokensEst").GetInt64().ShouldBe(200_000);
    }
}
