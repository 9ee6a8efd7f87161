using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Api.Tests.Payments;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Gateway;

/// <summary><c>/v1/packs</c>: what is sold, what one owns, and buying one.</summary>
public sealed class PacksTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Checkout = "/v1/packs/checkout";
    private const string Offer =
        """{"id":"deepseek-chat-20k","provider":"deepseek","model":"deepseek-chat","credits":20000,"input_credits_per_1m":50000,"output_credits_per_1m":125000,"tokens_est":200000,"price_usd":9,"valid_days":365}""";
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task What_is_sold_is_listed_and_nothing_is_owned_yet() =>
        (await _app.GetAsync("/v1/packs", (await _app.OpenAccountAsync()).Key)).ShouldBe(200, $$"""{"data":[{{Offer}}],"owned":[]}""");

    [Fact]
    public async Task A_pack_is_owned_once_it_is_paid()
    {
        var account = await _app.OpenAccountAsync();
        var answer = await _app.PostAsync(Checkout, account.Key, """{"pack":"deepseek-chat-20k"}""");
        var session = answer.ShouldBe(200).Text("session_id")!;
        session.ShouldMatch("^cs_test_[0-9A-Za-z]{24}$");
        answer.ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","url":"http://localhost/sandbox/checkout/{{session}}","pack":"deepseek-chat-20k","credits":20000,"amount_usd":9}"""
        );
        (await _app.GetAsync("/v1/packs", account.Key)).ShouldBe(200, $$"""{"data":[{{Offer}}],"owned":[]}""");

        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        var owned = await _app.GetAsync("/v1/packs", account.Key);
        var id = owned.Json.GetProperty("owned")[0].GetProperty("id").GetString()!;
        id.ShouldMatch("^pk_[0-9a-f]{32}$");
        owned.ShouldBe(
            200,
            $$"""{"data":[{{Offer}}],"owned":[{"id":"{{id}}","pack":"deepseek-chat-20k","provider":"deepseek","model":"deepseek-chat","credits":20000,"internalCreditsRemaining":20000,"remainingTokensEst":200000,"status":"ACTIVE","purchased_at":"2026-07-03T12:00:00Z","expires_at":"2027-07-03T12:00:00Z"}]}"""
        );

        // What a pack holds is spent on its model alone.
        (await _app.CreditsAsync(account)).ShouldBe(0);
        (await _app.ChatAsync(account, 1, "r")).ShouldBe(402);
    }

    [Fact]
    public async Task What_is_left_is_told_as_in_the_document()
    {
        var account = await _app.OpenAccountAsync();
        await _app.GrantAsync(account.Id, new(19_234_500_000, Unit.Credits), PocketSource.Pack, "deepseek/deepseek-chat");
        var owned = (await _app.GetAsync("/v1/packs", account.Key)).ShouldBe(200).Json.GetProperty("owned")[0];
        owned.GetProperty("internalCreditsRemaining").GetInt64().ShouldBe(19_234);
        owned.GetProperty("remainingTokensEst").GetInt64().ShouldBe(192_345);
        owned.GetProperty("pack").GetString().ShouldBeNull();
        owned.GetProperty("expires_at").GetString().ShouldBeNull();
    }

    [Fact]
    public async Task The_estimate_is_rounded_down_and_unknown_where_nothing_prices_the_model()
    {
        var account = await _app.OpenAccountAsync();
        await _app.GrantAsync(account.Id, new(199_999, Unit.Credits), PocketSource.Pack, "deepseek/deepseek-chat");
        await _app.GrantAsync(account.Id, Amount.Credits(100), PocketSource.Pack, "sandbox/echo");
        var owned = (await _app.GetAsync("/v1/packs", account.Key)).ShouldBe(200).Json.GetProperty("owned").EnumerateArray().ToList();
        owned.Select(pack => pack.GetProperty("remainingTokensEst").GetRawText()).ShouldBe(["null", "1"]);
        owned.Select(pack => pack.GetProperty("internalCreditsRemaining").GetRawText()).ShouldBe(["100", "0"]);
        owned.ShouldAllBe(pack => pack.GetProperty("status").GetString() == "ACTIVE");
    }

    [Fact]
    public async Task A_pack_is_active_exhausted_or_expired_and_the_newest_comes_first()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync();
        var first = await app.OrderPackAsync(account);
        (await app.PressAsync(first, "pay")).ShouldBe(200);
        (await app.PressAsync(first, "refund", """{"amount_usd":4.50}""")).ShouldBe(200);
        (await StatusesAsync(app, account)).ShouldBe(["ACTIVE 10000 100000"]);
        (await app.PressAsync(first, "refund")).ShouldBe(200);
        (await StatusesAsync(app, account)).ShouldBe(["EXHAUSTED 0 0"]);

        app.Clock.Advance(TimeSpan.FromDays(1));
        (await app.PressAsync(await app.OrderPackAsync(account), "pay")).ShouldBe(200);
        (await StatusesAsync(app, account)).ShouldBe(["ACTIVE 20000 200000", "EXHAUSTED 0 0"]);

        app.Clock.Advance(TimeSpan.FromDays(365) - TimeSpan.FromSeconds(1));
        (await StatusesAsync(app, account))[0].ShouldBe("ACTIVE 20000 200000");
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        (await StatusesAsync(app, account))[0].ShouldBe("EXPIRED 0 0");
    }

    [Fact]
    public async Task A_new_price_for_the_pack_governs_what_is_left_of_old_ones()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync();
        (await app.PressAsync(await app.OrderPackAsync(account), "pay")).ShouldBe(200);
        var dearer = Cards.With(card => card["packs"]![0]!["credits_per_1m"]!["output"] = "275000");
        (await app.AdminPutAsync("/rate-card", dearer)).ShouldBe(201);
        (await StatusesAsync(app, account)).ShouldBe(["ACTIVE 20000 100000"]);
    }

    [Fact]
    public async Task A_pack_that_is_not_sold_cannot_be_bought()
    {
        var account = await _app.OpenAccountAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(Checkout, account.Key, """{"pack":"gold"}""")).ShouldBe(
            404,
            """{"error":{"message":"No such pack is sold; GET /v1/packs lists them.","type":"invalid_request_error","param":"pack","code":"pack_not_found"}}"""
        );
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Theory]
    [InlineData("{}", "pack")]
    [InlineData("""{"pack":""}""", "pack")]
    [InlineData("""{"pack":20}""", "pack")]
    [InlineData("""{"pack":null}""", "pack")]
    [InlineData("""{"pack":"deepseek-chat-20k","quantity":2}""", "quantity")]
    [InlineData("[]", null)]
    [InlineData("{", null)]
    [InlineData("", null)]
    public async Task A_request_that_makes_no_sense_is_refused_by_name(string body, string? name)
    {
        var account = await _app.OpenAccountAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(Checkout, account.Key, body)).ShouldBeOpenAiError(
            400,
            "invalid_request_error",
            name,
            "invalid_request_error"
        );
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_key_that_does_not_work_looks_and_does_not_buy()
    {
        var account = await _app.OpenAccountAsync(kind: KeyKind.Provisioning);
        (await _app.GetAsync("/v1/packs", account.Key)).ShouldBe(200);
        (await _app.PostAsync(Checkout, account.Key, """{"pack":"deepseek-chat-20k"}""")).ShouldBeOpenAiError(
            403,
            "permission_error",
            null,
            "permission_denied"
        );
        foreach (var key in (string?[])[null, "sk-nobody", LedgerApp.AdminKey])
        {
            (await _app.GetAsync("/v1/packs", key)).ShouldBeOpenAiError(401, "authentication_error", null, "invalid_api_key");
            (await _app.PostAsync(Checkout, key, """{"pack":"deepseek-chat-20k"}""")).ShouldBeOpenAiError(
                401,
                "authentication_error",
                null,
                "invalid_api_key"
            );
        }
    }

    [Fact]
    public async Task Too_many_checkouts_are_refused_in_the_same_words()
    {
        var account = await _app.OpenAccountAsync();
        for (var n = 0; n < 100; n++)
            await _app.OrderPackAsync(account);
        (await _app.PostAsync(Checkout, account.Key, """{"pack":"deepseek-chat-20k"}""")).ShouldBeOpenAiError(
            409,
            "invalid_request_error",
            null,
            "too_many_orders"
        );
    }

    private static async Task<IReadOnlyList<string>> StatusesAsync(LedgerApp app, TestAccount account) =>
        [
            .. (await app.GetAsync("/v1/packs", account.Key))
                .ShouldBe(200)
                .Json.GetProperty("owned")
                .EnumerateArray()
                .Select(pack =>
                    $"{pack.GetProperty("status").GetString()} {pack.GetProperty("internalCreditsRemaining").GetRawText()} {pack.GetProperty("remainingTokensEst").GetRawText()}"
                ),
        ];
}
