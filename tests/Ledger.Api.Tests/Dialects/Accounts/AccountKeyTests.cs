using System.Globalization;
using System.Text.Json;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Accounts;

/// <summary><c>/v1/account</c>: the whole life of a key, by a provisioning key over HTTP.</summary>
public sealed class AccountKeyTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_key_is_created_shown_changed_rotated_and_deleted()
    {
        var account = await _app.OpenAccountAsync(credits: 100, kind: KeyKind.Provisioning);
        var created = await _app.PostAsync(
            "/v1/account/keys",
            account.Key,
            new
            {
                name = "ci",
                environment = "staging",
                limit = 50,
                limit_reset = "monthly",
                allowed_models = (string[])["sandbox/echo"],
            }
        );
        created.ShouldBe(201);
        var (id, secret) = (created.Text("data", "id")!, created.Text("data", "key")!);
        created
            .Json.GetProperty("data")
            .EnumerateObject()
            .Select(member => member.Name)
            .ShouldBe([
                "key",
                "id",
                "name",
                "environment",
                "kind",
                "billing",
                "limit",
                "limit_usd",
                "limit_reset",
                "limit_remaining",
                "allowed_models",
                "rate_limit",
                "expires_at",
                "disabled",
                "created_at",
                "last_used_at",
                "last_four",
                "usage",
            ]);
        secret.ShouldStartWith("lk_live_");
        created.Text("data", "last_four").ShouldBe(secret[^4..]);
        created.Text("data", "last_used_at").ShouldBe("null");

        (await SpendAsync(secret, "r1")).ShouldBe(200);
        var shown = (await _app.GetAsync($"/v1/account/keys/{id}", account.Key)).ShouldBe(200);
        shown.Text("data", "key").ShouldBeNull("the secret is shown once");
        shown.Text("data", "limit_remaining").ShouldBe("45");
        shown
            .Text("data", "last_used_at")
            .ShouldBe(_app.Clock.Now.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));

        var changed = await _app.PatchAsync($"/v1/account/keys/{id}", account.Key, """{"name":"ci-2","limit":5,"environment":null}""");
        changed.ShouldBe(200).Text("data", "name").ShouldBe("ci-2");
        changed.Text("data", "environment").ShouldBe("null");
        changed.Text("data", "limit_remaining").ShouldBe("0");
        (await SpendAsync(secret, "r2")).ShouldBeRefused(402, "key_limit_reached");

        (await _app.PatchAsync($"/v1/account/keys/{id}", account.Key, """{"limit":null}"""))
            .ShouldBe(200)
            .Text("data", "limit")
            .ShouldBe("null");
        (await SpendAsync(secret, "r2")).ShouldBe(200);

        (await _app.PatchAsync($"/v1/account/keys/{id}", account.Key, """{"disabled":true}"""))
            .ShouldBe(200)
            .Text("data", "disabled")
            .ShouldBe("true");
        (await SpendAsync(secret, "r3")).ShouldBeRefused(401, "auth_required");
        (await _app.PatchAsync($"/v1/account/keys/{id}", account.Key, """{"disabled":false}""")).ShouldBe(200);

        var rotated = (await _app.PostAsync($"/v1/account/keys/{id}/rotate", account.Key, """{"grace_seconds":60}""")).ShouldBe(200);
        var fresh = rotated.Text("data", "key")!;
        fresh.ShouldNotBe(secret);
        rotated.Text("data", "last_four").ShouldBe(fresh[^4..]);
        (await SpendAsync(secret, "r4")).ShouldBe(200);
        (await SpendAsync(fresh, "r5")).ShouldBe(200);

        (await _app.DeleteAsync($"/v1/account/keys/{id}", account.Key)).ShouldBe(204, "");
        (await SpendAsync(fresh, "r6")).ShouldBeRefused(401, "auth_required");
        (await SpendAsync(secret, "r7")).ShouldBeRefused(401, "auth_required");
        foreach (
            var gone in (Answer[])
                [
                    await _app.GetAsync($"/v1/account/keys/{id}", account.Key),
                    await _app.PatchAsync($"/v1/account/keys/{id}", account.Key, """{"name":"x"}"""),
                    await _app.PostAsync($"/v1/account/keys/{id}/rotate", account.Key, "{}"),
                    await _app.DeleteAsync($"/v1/account/keys/{id}", account.Key),
                ]
        )
            gone.ShouldBe(404).Text("error", "code").ShouldBe("key_not_found");
    }

    [Fact]
    public async Task The_old_secret_ends_with_its_grace_and_the_new_one_goes_on()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100, kind: KeyKind.Provisioning);
        var (key, secret) = await app.CreateKeyAsync(account.Id);
        var rotated = (await app.PostAsync($"/v1/account/keys/{key}/rotate", account.Key, """{"grace_seconds":60}""")).ShouldBe(200);
        app.Clock.Advance(TimeSpan.FromSeconds(60));
        (await app.PostAsync("/api/v1/tools/check", secret, """{"tool":"chat","units":1}""")).ShouldBeRefused(401, "auth_required");
        (await app.PostAsync("/api/v1/tools/check", rotated.Text("data", "key"), """{"tool":"chat","units":1}""")).ShouldBe(200);

        // Neither is the first secret known again after a restart, nor is the second forgotten.
        await using var restarted = await app.RestartAsync();
        (await restarted.PostAsync("/api/v1/tools/check", secret, """{"tool":"chat","units":1}""")).ShouldBeRefused(401, "auth_required");
        (await restarted.PostAsync("/api/v1/tools/check", rotated.Text("data", "key"), """{"tool":"chat","units":1}""")).ShouldBe(200);
    }

    [Fact]
    public async Task Keys_are_listed_by_pages_without_the_revoked_ones()
    {
        var account = await _app.OpenAccountAsync(kind: KeyKind.Provisioning);
        var made = new List<string> { account.KeyId.Value };
        for (var i = 0; i < 4; i++)
            made.Add((await _app.CreateKeyAsync(account.Id)).Key.Value);
        await _app.ExecuteAsync(new RevokeKey(account.Id, new(made[2]), null));
        made.RemoveAt(2);

        var listed = new List<string>();
        string? cursor = null;
        do
        {
            var page = await _app.GetAsync($"/v1/account/keys?limit=3{(cursor is null ? "" : "&cursor=" + cursor)}", account.Key);
            page.ShouldBe(200);
            listed.AddRange(page.Json.GetProperty("data").EnumerateArray().Select(key => key.GetProperty("id").GetString()!));
            cursor = page.Json.GetProperty("next").GetString();
        } while (cursor is not null);

        listed.ShouldBe(made);
        (await _app.GetAsync("/v1/account/keys?cursor=nosuch", account.Key))
            .ShouldBe(400)
            .Text("error", "fields", "cursor")
            .ShouldNotBeNull();
    }

    [Fact]
    public async Task All_that_is_wrong_with_a_key_is_said_at_once_and_nothing_changes()
    {
        var account = await _app.OpenAccountAsync(kind: KeyKind.Provisioning);
        var before = await _app.StandingAsync(account.Id);
        var refused = await _app.PostAsync(
            "/v1/account/keys",
            account.Key,
            """
            {"kind":"root","billing":"free","limit":-1,"limit_usd":"1e99","limit_reset":"yearly","allowed_models":["a","a"],
             "rate_limit":{"burst":0,"refill_per_second":-1,"x":1},"expires_at":"tomorrow","secret":"mine"}
            """
        );
        refused.ShouldBe(400).Text("error", "code").ShouldBe("invalid_request");
        refused
            .Json.GetProperty("error")
            .GetProperty("fields")
            .EnumerateObject()
            .Select(field => field.Name)
            .ShouldBe(
                [
                    "name",
                    "kind",
                    "billing",
                    "limit",
                    "limit_usd",
                    "limit_reset",
                    "allowed_models",
                    "rate_limit.burst",
                    "rate_limit.refill_per_second",
                    "rate_limit.x",
                    "expires_at",
                    "secret",
                ],
                ignoreOrder: true
            );
        (await _app.PatchAsync($"/v1/account/keys/{account.KeyId}", account.Key, """{"name":null,"disabled":"yes","kind":"inference"}"""))
            .ShouldBe(400)
            .Json.GetProperty("error")
            .GetProperty("fields")
            .EnumerateObject()
            .Select(field => field.Name)
            .ShouldBe(["name", "disabled", "kind"], ignoreOrder: true);
        (await _app.PostAsync($"/v1/account/keys/{account.KeyId}/rotate", account.Key, """{"grace_seconds":2592001}""")).ShouldBe(400);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Only_the_operator_raises_a_rate_limit()
    {
        var account = await _app.OpenAccountAsync(kind: KeyKind.Provisioning);
        var (key, _) = await _app.CreateKeyAsync(account.Id);
        const string High = """{"rate_limit":{"burst":100,"refill_per_second":50}}""";
        (await _app.PatchAsync($"/v1/account/keys/{key}", account.Key, High)).ShouldBe(403).Text("error", "code").ShouldBe("forbidden");
        (await _app.PatchAsync($"/v1/account/keys/{key}", account.Key, """{"rate_limit":"unlimited"}""")).ShouldBe(403);
        (await _app.PatchAsync($"/v1/account/keys/{key}", account.Key, """{"rate_limit":{"burst":2,"refill_per_second":0.1}}"""))
            .ShouldBe(200)
            .Text("data", "rate_limit")
            .ShouldBe("""{"burst":2,"refill_per_second":0.1}""");
        (await _app.PatchAsync($"/admin/accounts/{account.Id}/keys/{key}", LedgerApp.AdminKey, High))
            .ShouldBe(200)
            .Text("rate_limit")
            .ShouldBe("""{"burst":100,"refill_per_second":50}""");
    }

    [Theory]
    [InlineData("GET", "/v1/account/balance")]
    [InlineData("GET", "/v1/account/keys")]
    [InlineData("POST", "/v1/account/keys")]
    [InlineData("GET", "/v1/account/keys/{key}")]
    [InlineData("PATCH", "/v1/account/keys/{key}")]
    [InlineData("DELETE", "/v1/account/keys/{key}")]
    [InlineData("POST", "/v1/account/keys/{key}/rotate")]
    [InlineData("GET", "/v1/account/trail")]
    public async Task Whoever_may_not_is_told_so(string method, string path)
    {
        var account = await _app.OpenAccountAsync(kind: KeyKind.Provisioning);
        var (inference, secret) = await _app.CreateKeyAsync(account.Id);
        var (spare, expired) = await _app.CreateKeyAsync(account.Id, KeyKind.Provisioning);
        await _app.ExecuteAsync(new RevokeKey(account.Id, spare, null));
        var there = path.Replace("{key}", inference.Value, StringComparison.Ordinal);
        var events = (await _app.EventsAsync(account.Id)).Count;
        foreach (
            var (token, status) in ((string?, int)[])
                [(null, 401), ("lk_live_x", 401), (expired, 401), (secret, 403), (LedgerApp.AdminKey, 401)]
        )
        {
            var answer = await _app.SendAsync(new(method), there, token, method is "GET" or "DELETE" ? null : "{}");
            answer.ShouldBe(status).Text("error", "code").ShouldBe(status == 401 ? "auth_required" : "forbidden");
            answer.Header("WWW-Authenticate").ShouldBe(status == 401 ? "Bearer" : null);
        }

        await _app.SuspendAsync(account.Id);
        (await _app.SendAsync(new(method), there, account.Key, method is "GET" or "DELETE" ? null : "{}")).ShouldBe(403);
        (await _app.EventsAsync(account.Id)).Count.ShouldBe(events + 1);
    }

    [Theory]
    [InlineData("GET", "")]
    [InlineData("PATCH", "")]
    [InlineData("DELETE", "")]
    [InlineData("POST", "/rotate")]
    public async Task Another_accounts_key_is_not_found(string method, string more)
    {
        var (mine, theirs) = (await _app.OpenAccountAsync(kind: KeyKind.Provisioning), await _app.OpenAccountAsync());
        var before = await _app.StandingAsync(theirs.Id);
        foreach (var id in (string[])[theirs.KeyId.Value, "nosuch", new string('x', 65), "a%20b", "..%2f"])
        {
            (await _app.SendAsync(new(method), $"/v1/account/keys/{id}{more}", mine.Key, method is "GET" or "DELETE" ? null : "{}"))
                .ShouldBe(404)
                .Text("error", "code")
                .ShouldBeOneOf("key_not_found", "not_found");
        }

        (await _app.StandingAsync(theirs.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task The_balance_shows_every_pocket_and_both_units()
    {
        var account = await _app.OpenAccountAsync(credits: 100, kind: KeyKind.Provisioning);
        var (_, secret) = await _app.CreateKeyAsync(account.Id);
        await _app.GrantAsync(account.Id, Amount.Credits(20_000), Domain.Wallets.PocketSource.Pack, "deepseek/deepseek-chat");
        await _app.GrantAsync(account.Id, Amount.Usd(3), Domain.Wallets.PocketSource.Prepaid);
        (await SpendAsync(secret, "b1")).ShouldBe(200);
        (await _app.PostAsync("/api/v1/tools/reserve", secret, """{"tool":"chat","units":2,"reference":"b2","ttl_seconds":60}""")).ShouldBe(
            200
        );
        var data = (await _app.GetAsync("/v1/account/balance", account.Key)).ShouldBe(200).Json.GetProperty("data");
        JsonSerializer
            .Serialize(data)
            .ShouldBe(
                """
                {"unit":"credits","total_credits":100,"total_usage":5,"balance":95,"held":10,"available":85,"pockets":[
                {"id":2,"unit":"credits","source":"pack","scope":"deepseek/deepseek-chat","granted":20000,"remaining":20000,"held":0,"expires_at":null},
                {"id":1,"unit":"credits","source":"payg","scope":null,"granted":100,"remaining":95,"held":10,"expires_at":null},
                {"id":3,"unit":"usd","source":"prepaid","scope":null,"granted":3,"remaining":3,"held":0,"expires_at":null}],
                "usd":{"total_credits":3,"total_usage":0,"balance":3,"held":0,"available":3}}
                """.ReplaceLineEndings("")
            );
    }

    [Fact]
    public async Task The_trail_says_who_did_what_to_which_key_and_from_where()
    {
        var account = await _app.OpenAccountAsync(credits: 10, kind: KeyKind.Provisioning);
        var created = await _app.PostAsync("/v1/account/keys", account.Key, """{"name":"ci"}""");
        var id = created.ShouldBe(201).Text("data", "id")!;
        (await SpendAsync(created.Text("data", "key")!, "t1")).ShouldBe(200);
        (await _app.DeleteAsync($"/v1/account/keys/{id}", account.Key)).ShouldBe(204);
        (await _app.PostAsync($"/admin/accounts/{account.Id}/suspend", LedgerApp.AdminKey, """{"reason":"looked odd"}""")).ShouldBe(200);
        (await _app.PostAsync($"/admin/accounts/{account.Id}/reinstate", LedgerApp.AdminKey, """{"reason":"was not"}""")).ShouldBe(200);

        var trail = (await _app.GetAsync("/v1/account/trail?limit=4", account.Key)).ShouldBe(200);
        trail
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(line =>
                string.Join(
                    ' ',
                    line.GetProperty("event").GetString(),
                    line.GetProperty("key_id").GetString() ?? "-",
                    line.GetProperty("actor").GetString(),
                    line.GetProperty("reason").GetString() ?? "-"
                )
            )
            .ShouldBe([
                "account_reinstated - operator was not",
                "account_suspended - operator looked odd",
                $"key_revoked {id} key:{account.KeyId} -",
                $"key_created {id} key:{account.KeyId} -",
            ]);
        trail.Json.GetProperty("data")[3].GetProperty("request_id").GetString().ShouldBe(created.Header("x-request-id"));
        var rest = (await _app.GetAsync($"/v1/account/trail?cursor={trail.Text("next")}", account.Key)).ShouldBe(200);
        rest.Json.GetProperty("data")
            .EnumerateArray()
            .Select(line => line.GetProperty("event").GetString())
            .ShouldBe(["key_created", "account_opened"]);
        rest.Text("next").ShouldBe("null");
    }

    private static string Chat(string reference) => $$"""{"tool":"chat","units":1,"reference":"{{reference}}"}""";

    private Task<Answer> SpendAsync(string key, string reference) => _app.PostAsync("/api/v1/tools/spend", key, Chat(reference));
}
