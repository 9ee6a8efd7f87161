using Ledger.Api.Tests.Payments;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary><c>POST /admin/accounts/{id}/packs</c> and <c>GET …/orders</c>.</summary>
public sealed class PackTests : IAsyncLifetime
{
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_pack_is_given_once_per_reference()
    {
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/packs";
        var given = await _app.AdminPostAsync(path, new { pack = "deepseek-chat-20k", reference = "gift-1" });
        given.ShouldBe(
            201,
            $$"""{"account_id":"{{account.Id}}","order_id":"{{given.Text("order_id")}}","kind":"pack","item":"deepseek-chat-20k","price_usd":0,"gives":20000,"unit":"credits","credits_per_dollar":null,"card_version":1,"provider":"operator","status":"paid","automatic":false,"session_id":null,"payment_id":"gift-1","payment_intent":null,"opened_at":"2026-07-03T12:00:00Z","paid_at":"2026-07-03T12:00:00Z","refunded_usd":0,"disputed_usd":0,"clawed_back":0,"reason":null}"""
        );
        given.ShouldHave("Idempotent-Replayed", null);
        var before = await _app.StandingAsync(account.Id);
        _app.Clock.Advance(TimeSpan.FromDays(1));
        (await _app.AdminPostAsync(path, new { pack = "deepseek-chat-20k", reference = "gift-1" }))
            .ShouldBe(200, given.Body)
            .ShouldHave("Idempotent-Replayed", "true");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
        (await _app.AdminPostAsync(path, new { pack = "deepseek-chat-20k", reference = "gift-2" })).ShouldBe(201);
        (await _app.GetAsync("/v1/packs", account.Key)).Json.GetProperty("owned").GetArrayLength().ShouldBe(2);
    }

    [Fact]
    public async Task The_same_reference_for_another_pack_is_a_conflict()
    {
        (await _app.AdminPutAsync("/rate-card", Cards.WithPack("echo-1k", "1.00", "1000"))).ShouldBe(201);
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/packs";
        (await _app.AdminPostAsync(path, new { pack = "echo-1k", reference = "gift" })).ShouldBe(201);
        var before = await _app.StandingAsync(account.Id);
        (await _app.AdminPostAsync(path, new { pack = "deepseek-chat-20k", reference = "gift" })).ShouldBeRefusedWith(
            409,
            "reference_conflict"
        );
        (await _app.StandingAsync(account.Id)).ShouldBe(before);

        // A grant by the operator is something else, whatever it is called.
        (
            await _app.AdminPostAsync(
                $"/accounts/{account.Id}/grants",
                new
                {
                    amount = 5,
                    unit = "credits",
                    source = "bonus",
                    reason = "A test",
                    reference = "gift",
                }
            )
        ).ShouldBe(201);
    }

    [Fact]
    public async Task Sixteen_at_once_give_one()
    {
        var account = await _app.OpenAccountAsync();
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 16)
                .Select(_ => _app.AdminPostAsync($"/accounts/{account.Id}/packs", new { pack = "deepseek-chat-20k", reference = "gift" }))
        );
        answers.Count(answer => answer.Status == 201).ShouldBe(1);
        answers.Count(answer => answer.Status == 200).ShouldBe(15);
        answers.Select(answer => answer.Body).Distinct().ShouldHaveSingleItem();
        (await _app.CountsAsync(account))["credits_granted"].ShouldBe(1);
    }

    [Fact]
    public async Task What_makes_no_sense_is_refused_by_name()
    {
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/packs";
        (await _app.AdminPostAsync(path, new { pack = "gone", reference = "r" })).ShouldFault("pack");
        (await _app.AdminPostAsync(path, "{}")).ShouldFault("pack", "reference");
        (await _app.AdminPostAsync(path, new { pack = "deepseek-chat-20k", reference = new string('r', 201) })).ShouldFault("reference");
        (
            await _app.AdminPostAsync(
                path,
                new
                {
                    pack = "deepseek-chat-20k",
                    reference = "r",
                    credits = 1,
                }
            )
        ).ShouldFault("credits");
        (
            await _app.AdminPostAsync("/accounts/acc0000000099999/packs", new { pack = "deepseek-chat-20k", reference = "r" })
        ).ShouldBeRefusedWith(404, "account_not_found");
        (await _app.PostAsync("/admin" + path, account.Key, new { pack = "deepseek-chat-20k", reference = "r" })).ShouldBe(401);
    }

    [Fact]
    public async Task Orders_are_listed_newest_first_in_pages()
    {
        var account = await _app.OpenAccountAsync();
        var path = $"/accounts/{account.Id}/orders";
        (await _app.AdminGetAsync(path)).ShouldBe(200, """{"data":[],"next":null}""");
        await _app.BuyCreditsAsync(account, 25);
        _app.Clock.Advance(TimeSpan.FromMinutes(1));
        var failed = await _app.OrderPackAsync(account);
        (await _app.PressAsync(failed, "decline")).ShouldBe(200);
        _app.Clock.Advance(TimeSpan.FromMinutes(1));
        var open = await _app.OrderTierAsync(account);

        var first = (await _app.AdminGetAsync(path + "?limit=2")).ShouldBe(200);
        first
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(order =>
                $"{order.GetProperty("kind").GetString()} {order.GetProperty("status").GetString()} {order.GetProperty("session_id").GetString()}"
            )
            .ShouldBe([$"subscription open {open}", $"pack failed {failed}"]);
        first.Json.GetProperty("data")[1].GetProperty("reason").GetString().ShouldBe("card_declined");
        var second = (await _app.AdminGetAsync($"{path}?limit=2&cursor={first.Text("next")}")).ShouldBe(200);
        second.Text("next").ShouldBe("null");
        var bought = second.Json.GetProperty("data").EnumerateArray().ShouldHaveSingleItem();
        bought.GetProperty("kind").GetString().ShouldBe("payg");
        bought.GetProperty("credits_per_dollar").GetRawText().ShouldBe("7500");
        bought.GetProperty("gives").GetRawText().ShouldBe("187500");

        // One that nobody pays lapses, whether a sweep has seen it or not.
        _app.Clock.Advance(TimeSpan.FromHours(24));
        (await _app.AdminGetAsync(path)).Json.GetProperty("data")[0].GetProperty("status").GetString().ShouldBe("expired");
        (await _app.AdminGetAsync(path + "?cursor=nothing")).ShouldFault("cursor");
        (await _app.AdminGetAsync(path + "?limit=0")).ShouldFault("limit");
    }
}
