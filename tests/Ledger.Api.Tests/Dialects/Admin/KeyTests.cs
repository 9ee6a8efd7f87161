using System.Text.Json;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary><c>/admin/accounts/{id}/keys</c>.</summary>
public sealed class KeyTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_key_is_created_shown_used_and_revoked()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var created = (await _app.AdminPostAsync($"/accounts/{account.Id}/keys", new { name = "First" })).ShouldBe(201);
        var (id, secret) = (created.Text("id")!, created.Text("key")!);
        var rest = $$$"""
            "id":"{{{id}}}","name":"First","environment":null,"kind":"inference","billing":"pay_per_token","limit":null,"limit_usd":null,"limit_reset":"none","limit_remaining":null,"allowed_models":[],"rate_limit":null,"expires_at":null,"disabled":false,"created_at":"2026-07-03T12:00:00Z","last_used_at":null,"last_four":"{{{secret[
                ^4..
            ]}}}","usage":{"total":0,"day":0,"week":0,"month":0}}
            """;
        created.Body.ShouldBe($$"""{"key":"{{secret}}",""" + rest);
        (await _app.AdminGetAsync($"/accounts/{account.Id}/keys/{id}")).ShouldBe(200, "{" + rest);

        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                secret,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r",
                }
            )
        ).ShouldBe(200);
        var used = await _app.AdminGetAsync($"/accounts/{account.Id}/keys/{id}");
        used.Text("usage").ShouldBe("""{"total":5,"day":5,"week":5,"month":5}""");
        used.Text("last_used_at").ShouldBe("2026-07-03T12:00:00Z");

        var revoked = await _app.AdminDeleteAsync($"/accounts/{account.Id}/keys/{id}");
        revoked.ShouldBe(204, "");
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                secret,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r2",
                }
            )
        ).ShouldBe(401);
        (await _app.AdminDeleteAsync($"/accounts/{account.Id}/keys/{id}")).ShouldBe(204, "");
        (await _app.AdminGetAsync($"/accounts/{account.Id}/keys/{id}")).Text("disabled").ShouldBe("true");

        var events = await _app.EventsAsync(account.Id);
        events.ShouldAllBe(stored => !stored.Data.Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_member_of_the_key_object_is_kept()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var created = (
            await _app.AdminPostAsync(
                $"/accounts/{account.Id}/keys",
                """
                {"name":"All","environment":"production","kind":"inference","billing":"subscription","limit":"12.5","limit_usd":3.000000001,"limit_reset":"weekly",
                 "allowed_models":["deepseek/deepseek-chat","auto"],"rate_limit":{"burst":20,"refill_per_second":0.5},"expires_at":"2026-12-31T23:59:59.123456Z"}
                """
            )
        ).ShouldBe(201);
        foreach (
            var (member, value) in ((string, string)[])
                [
                    ("environment", "production"),
                    ("kind", "inference"),
                    ("billing", "subscription"),
                    ("limit", "12.5"),
                    ("limit_usd", "3.000000001"),
                    ("limit_reset", "weekly"),
                    ("limit_remaining", "12.5"),
                    ("allowed_models", """["deepseek/deepseek-chat","auto"]"""),
                    ("rate_limit", """{"burst":20,"refill_per_second":0.5}"""),
                    ("expires_at", "2026-12-31T23:59:59.123456Z"),
                ]
        )
            created.Text(member).ShouldBe(value, member);

        (
            await _app.AdminPostAsync(
                $"/accounts/{account.Id}/keys",
                new
                {
                    name = "Fast",
                    rate_limit = "unlimited",
                    kind = "provisioning",
                    limit_usd = 2,
                }
            )
        ).ShouldBe(201).Text("rate_limit").ShouldBe("unlimited");
    }

    [Fact]
    public async Task What_a_limit_leaves_and_what_was_used_are_told()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var created = await _app.AdminPostAsync($"/accounts/{account.Id}/keys", new { name = "Limited", limit = 12 });
        var (id, secret) = (created.Text("id"), created.Text("key"));
        var spend = (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                secret,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "r",
                }
            )
        ).ShouldBe(200).Header("x-ledger-spend-id");
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                secret,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r2",
                }
            )
        ).ShouldBe(402);
        (await _app.AdminGetAsync($"/accounts/{account.Id}/keys/{id}")).Text("limit_remaining").ShouldBe("2");

        (await _app.AdminPostAsync($"/accounts/{account.Id}/reversals", new { spend_id = spend, reason = "Sorry" })).ShouldBe(201);
        var key = await _app.AdminGetAsync($"/accounts/{account.Id}/keys/{id}");
        key.Text("limit_remaining").ShouldBe("12");
        key.Text("usage", "total").ShouldBe("0");
    }

    [Fact]
    public async Task Keys_are_listed_oldest_first_page_by_page()
    {
        var account = await _app.OpenAccountAsync();
        for (var i = 0; i < 4; i++)
            (await _app.AdminPostAsync($"/accounts/{account.Id}/keys", new { name = $"Key {i}" })).ShouldBe(201);

        var (all, cursor) = (new List<JsonElement>(), (string?)null);
        do
        {
            var page = (
                await _app.AdminGetAsync($"/accounts/{account.Id}/keys?limit=2" + (cursor is null ? "" : "&cursor=" + cursor))
            ).ShouldBe(200);
            all.AddRange(page.Json.GetProperty("data").EnumerateArray());
            cursor = page.Json.GetProperty("next").GetString();
        } while (cursor is not null);
        all.Count.ShouldBe(5);
        all.Select(key => key.GetProperty("id").GetString()).Distinct().Count().ShouldBe(5);
        all.ShouldAllBe(key => !key.GetRawText().Contains("\"key\":", StringComparison.Ordinal));
        (await _app.AdminGetAsync($"/accounts/{account.Id}")).Json.GetProperty("keys").GetArrayLength().ShouldBe(5);
        (await _app.AdminGetAsync($"/accounts/{account.Id}/keys?cursor=nobody")).ShouldFault("cursor");
    }

    [Fact]
    public async Task Another_accounts_keys_are_not_found()
    {
        var (one, other) = (await _app.OpenAccountAsync(), await _app.OpenAccountAsync());
        (await _app.AdminGetAsync($"/accounts/{other.Id}/keys/{one.KeyId}")).ShouldBeRefusedWith(404, "key_not_found");
        (await _app.AdminDeleteAsync($"/accounts/{other.Id}/keys/{one.KeyId}")).ShouldBeRefusedWith(404, "key_not_found");
        (await _app.AdminDeleteAsync($"/accounts/{other.Id}/keys/%20")).ShouldBeRefusedWith(404, "key_not_found");
        (await _app.AdminPostAsync("/accounts/nobody/keys", new { name = "Nobody's" })).ShouldBeRefusedWith(404, "account_not_found");
    }

    [Theory]
    [InlineData("""{}""", "name")]
    [InlineData(
        """{"name":"","kind":"admin","billing":"free","limit":0,"limit_usd":"-1","limit_reset":"hourly"}""",
        "name,kind,billing,limit,limit_usd,limit_reset"
    )]
    [InlineData("""{"name":"x","allowed_models":["a","a"]}""", "allowed_models")]
    [InlineData("""{"name":"x","allowed_models":"a"}""", "allowed_models")]
    [InlineData("""{"name":"x","allowed_models":["a",7,"\u0000"]}""", "allowed_models[1],allowed_models[2]")]
    [InlineData("""{"name":"x","rate_limit":"fast"}""", "rate_limit")]
    [InlineData(
        """{"name":"x","rate_limit":{"burst":0,"refill_per_second":0,"more":1}}""",
        "rate_limit.burst,rate_limit.refill_per_second,rate_limit.more"
    )]
    [InlineData("""{"name":"x","rate_limit":{}}""", "rate_limit.burst,rate_limit.refill_per_second")]
    [InlineData("""{"name":"x","expires_at":"2026-07-03T12:00:00Z"}""", "expires_at")]
    [InlineData("""{"name":"x","disabled":false,"id":"mine","secret":"lk_live_mine"}""", "disabled,id,secret")]
    public async Task What_is_wrong_with_a_key_is_named(string body, string fields)
    {
        var account = await _app.OpenAccountAsync();
        (await _app.AdminPostAsync($"/accounts/{account.Id}/keys", body)).ShouldFault(fields.Split(','));
    }
}
