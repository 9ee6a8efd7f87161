using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary><c>POST /api/v1/tools/check</c>: what work would cost.</summary>
public sealed class CheckTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_check_quotes_the_cost_and_charges_nothing_however_often()
    {
        var account = await _app.OpenAccountAsync(credits: 10_000);
        var before = await _app.StandingAsync(account.Id);
        for (var again = 0; again < 2; again++)
            (await CheckAsync(account)).ShouldBe(200, """{"ok":true,"allowed":true,"cost_tokens":5,"balance_after":9995}""");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task An_empty_wallet_is_told_the_cost_and_its_balance_as_it_is()
    {
        var account = await _app.OpenAccountAsync();
        (await CheckAsync(account)).ShouldBe(200, """{"ok":true,"allowed":false,"cost_tokens":5,"balance_after":0}""");
    }

    [Fact]
    public async Task Too_little_is_not_enough_and_just_enough_is()
    {
        var little = await _app.OpenAccountAsync(credits: 4);
        (await CheckAsync(little)).ShouldBe(200, """{"ok":true,"allowed":false,"cost_tokens":5,"balance_after":4}""");
        var enough = await _app.OpenAccountAsync(credits: 5);
        (await CheckAsync(enough)).ShouldBe(200, """{"ok":true,"allowed":true,"cost_tokens":5,"balance_after":0}""");
    }

    [Fact]
    public async Task The_key_s_own_limit_is_asked_too()
    {
        var account = await _app.OpenAccountAsync(credits: 100, limit: 4);
        (await CheckAsync(account)).ShouldBe(200, """{"ok":true,"allowed":false,"cost_tokens":5,"balance_after":100}""");
    }

    [Fact]
    public async Task Only_credits_of_no_certain_scope_count_and_parts_of_a_credit_are_rounded_down()
    {
        var account = await _app.OpenAccountAsync();
        await _app.GrantAsync(account.Id, new Amount(12_999_999, Unit.Credits));
        await _app.GrantAsync(account.Id, Amount.Credits(20_000), PocketSource.Pack, "deepseek/deepseek-chat");
        await _app.GrantAsync(account.Id, Amount.Usd(25), PocketSource.Prepaid);
        (await CheckAsync(account)).ShouldBe(200, """{"ok":true,"allowed":true,"cost_tokens":5,"balance_after":7}""");
    }

    [Fact]
    public async Task An_answer_is_JSON_has_an_id_of_its_own_and_no_header_of_a_spend()
    {
        var account = await _app.OpenAccountAsync(credits: 10);
        var first = (await CheckAsync(account)).ShouldHave("content-type", "application/json").ShouldHave("x-ledger-spend-id", null);
        var second = await CheckAsync(account);
        first.Header("x-request-id")!.Length.ShouldBe(20);
        second.Header("x-request-id").ShouldNotBe(first.Header("x-request-id"));
    }

    [Fact]
    public async Task A_tool_without_a_price_is_refused()
    {
        var account = await _app.OpenAccountAsync(credits: 10);
        (await _app.PostAsync("/api/v1/tools/check", account.Key, new { tool = "teleport", units = 1 }))
            .ShouldBeRefused(400, "unknown_tool")
            .ShouldHave("x-should-retry", "false");
    }

    private Task<Answer> CheckAsync(TestAccount account) =>
        _app.PostAsync("/api/v1/tools/check", account.Key, new { tool = "chat", units = 1 });
}
