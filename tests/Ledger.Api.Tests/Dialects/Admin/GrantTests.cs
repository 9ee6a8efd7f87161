using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary><c>/admin/accounts/{id}/grants</c> and <c>…/reversals</c>: what the operator gives, and gives back.</summary>
public sealed class GrantTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task Credits_are_given_once_per_reference()
    {
        var id = await _app.AdminOpenAsync("granted@example.com");
        var grant = new
        {
            amount = "12.5",
            unit = "credits",
            source = "bonus",
            expires_at = "2026-08-01T00:00:00Z",
            reason = "Sorry",
            reference = "g-1",
        };
        const string Body =
            """{"pocket_id":1,"amount":12.5,"unit":"credits","source":"bonus","expires_at":"2026-08-01T00:00:00Z","balance":{"posted":12.5,"held":0,"available":12.5,"debt":0}}""";
        (await _app.AdminPostAsync($"/accounts/{id}/grants", grant)).ShouldBe(201, Body).ShouldHave("Idempotent-Replayed", null);
        (await _app.AdminPostAsync($"/accounts/{id}/grants", grant)).ShouldBe(200, Body).ShouldHave("Idempotent-Replayed", "true");

        // The same contents however they are spelt; other contents are a conflict.
        (
            await _app.AdminPostAsync(
                $"/accounts/{id}/grants",
                """{"amount":1.250e1,"unit":"credits","source":"bonus","expires_at":"2026-08-01T02:00:00+02:00","reason":"Sorry","reference":"g-1"}"""
            )
        ).ShouldBe(200, Body);
        (await _app.AdminPostAsync($"/accounts/{id}/grants", grant with { amount = "12.6" })).ShouldBeRefusedWith(
            409,
            "reference_conflict"
        );
        (await _app.AdminPostAsync($"/accounts/{id}/grants", grant with { source = "payg" })).ShouldBeRefusedWith(
            409,
            "reference_conflict"
        );
        (await _app.AdminPostAsync($"/accounts/{id}/grants", grant with { expires_at = "2026-08-02T00:00:00Z" })).ShouldBeRefusedWith(
            409,
            "reference_conflict"
        );
        (await _app.EventsAsync(new(id))).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Dollars_are_given_in_whole_micros()
    {
        var id = await _app.AdminOpenAsync("dollars@example.com");
        (
            await _app.AdminPostAsync(
                $"/accounts/{id}/grants",
                new
                {
                    amount = 25_000_001,
                    unit = "usd_micros",
                    source = "prepaid",
                    reason = "Paid",
                    reference = "usd-1",
                }
            )
        ).ShouldBe(
            201,
            """{"pocket_id":1,"amount":25000001,"unit":"usd_micros","source":"prepaid","expires_at":null,"balance":{"posted":25000001,"held":0,"available":25000001,"debt":0}}"""
        );
        (await _app.ReadAsync(new(id))).Wallet.Open[0].Remaining.ShouldBe(25_000_001_000);
    }

    [Fact]
    public async Task More_than_a_thousand_million_credits_can_be_given_up_to_what_an_account_may_hold()
    {
        var id = await _app.AdminOpenAsync("rich@example.com");
        (
            await _app.AdminPostAsync(
                $"/accounts/{id}/grants",
                new
                {
                    amount = "999999999999.999999",
                    unit = "credits",
                    source = "payg",
                    reason = "Rich",
                    reference = "1",
                }
            )
        ).ShouldBe(201).Text("amount").ShouldBe("999999999999.999999");
        (
            await _app.AdminPostAsync(
                $"/accounts/{id}/grants",
                new
                {
                    amount = 1,
                    unit = "credits",
                    source = "payg",
                    reason = "Rich",
                    reference = "2",
                }
            )
        ).ShouldFault("amount");
    }

    [Theory]
    [InlineData("""{}""", "amount,unit,source,reason,reference")]
    [InlineData("""{"amount":0,"unit":"credits","source":"bonus","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":-1,"unit":"credits","source":"bonus","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":0.0000001,"unit":"credits","source":"bonus","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":1000000000001,"unit":"credits","source":"bonus","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":"12,5","unit":"credits","source":"bonus","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":true,"unit":"credits","source":"bonus","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":1.5,"unit":"usd_micros","source":"prepaid","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":1000000000000001,"unit":"usd_micros","source":"prepaid","reason":"r","reference":"x"}""", "amount")]
    [InlineData("""{"amount":1,"unit":"usd","source":"prepaid","reason":"r","reference":"x"}""", "unit")]
    [InlineData("""{"amount":1,"unit":"credits","source":"prepaid","reason":"r","reference":"x"}""", "unit")]
    [InlineData("""{"amount":1,"unit":"usd_micros","source":"payg","reason":"r","reference":"x"}""", "unit")]
    [InlineData("""{"amount":1,"unit":"credits","source":"pack","reason":"r","reference":"x"}""", "source")]
    [InlineData(
        """{"amount":1,"unit":"credits","source":"bonus","reason":"r","reference":"x","expires_at":"2026-07-03T12:00:00Z"}""",
        "expires_at"
    )]
    [InlineData("""{"amount":1,"unit":"credits","source":"bonus","reason":"r","reference":"x","expires_at":"2026-08-03"}""", "expires_at")]
    [InlineData(
        """{"amount":1,"unit":"credits","source":"bonus","reason":"r","reference":"x","expires_at":"2026-08-03T12:00:00"}""",
        "expires_at"
    )]
    [InlineData(
        """{"amount":1,"unit":"credits","source":"bonus","reason":"r","reference":"x","expires_at":"2026-08-03T12:00:00.1234567Z"}""",
        "expires_at"
    )]
    [InlineData("""{"amount":1,"unit":"credits","source":"bonus","reason":"r\u0000","reference":"","note":1}""", "reason,reference,note")]
    public async Task What_is_wrong_with_a_grant_is_named(string body, string fields)
    {
        var account = await _app.OpenAccountAsync();
        (await _app.AdminPostAsync($"/accounts/{account.Id}/grants", body)).ShouldFault(fields.Split(','));
    }

    [Fact]
    public async Task A_grant_pays_debt_first_and_says_what_is_left()
    {
        var account = await _app.OpenAccountAsync(credits: 10);
        var hold = (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "h",
                }
            )
        ).Text("hold_id");
        (await _app.PostAsync("/api/v1/tools/settle", account.Key, new { hold_id = hold, units = 4 })).ShouldBe(200);
        (await _app.AdminGetAsync("/accounts/" + account.Id))
            .Text("balance", "credits")
            .ShouldBe("""{"posted":0,"held":0,"available":0,"debt":10}""");
        (
            await _app.AdminPostAsync(
                $"/accounts/{account.Id}/grants",
                new
                {
                    amount = 25,
                    unit = "credits",
                    source = "payg",
                    reason = "Paid",
                    reference = "1",
                }
            )
        ).Text("balance").ShouldBe("""{"posted":15,"held":0,"available":15,"debt":0}""");
    }

    [Fact]
    public async Task A_spend_is_given_back_once()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var spend = (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 3,
                    reference = "r",
                }
            )
        ).ShouldBe(200).Header("x-ledger-spend-id");
        var body =
            $$$"""{"spend_id":"{{{spend}}}","amount":15,"unit":"credits","tool":"chat","key_id":"{{{account.KeyId}}}","returned":[{"pocket_id":1,"amount":15}],"debt_cleared":0,"balance":{"posted":100,"held":0,"available":100,"debt":0}}""";
        (await _app.AdminPostAsync($"/accounts/{account.Id}/reversals", new { spend_id = spend, reason = "Sorry" })).ShouldBe(201, body);
        (await _app.AdminPostAsync($"/accounts/{account.Id}/reversals", new { spend_id = spend, reason = "Sorry" }))
            .ShouldBe(200, body)
            .ShouldHave("Idempotent-Replayed", "true");
    }

    [Fact]
    public async Task Only_the_accounts_own_spends_are_given_back()
    {
        var (one, other) = (await _app.OpenAccountAsync(credits: 100), await _app.OpenAccountAsync());
        var spend = (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                one.Key,
                new
                {
                    tool = "chat",
                    units = 3,
                    reference = "r",
                }
            )
        ).Header("x-ledger-spend-id");
        (await _app.AdminPostAsync($"/accounts/{other.Id}/reversals", new { spend_id = spend, reason = "Sorry" })).ShouldBeRefusedWith(
            404,
            "spend_not_found"
        );
        (await _app.AdminPostAsync($"/accounts/nobody/reversals", new { spend_id = spend, reason = "Sorry" })).ShouldBeRefusedWith(
            404,
            "account_not_found"
        );
        (await _app.AdminPostAsync($"/accounts/{one.Id}/reversals", new { spend_id = "x" })).ShouldFault("spend_id", "reason");
    }
}
