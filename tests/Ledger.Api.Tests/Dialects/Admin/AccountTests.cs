using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Ledger.Testing;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary><c>/admin/accounts</c>: who has an account, and whether it may act.</summary>
public sealed class AccountTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task An_account_is_opened_and_shown()
    {
        var opened = (
            await _app.AdminPostAsync(
                "/accounts",
                new
                {
                    email = "Ada@Example.com",
                    password = "correct horse",
                    country = "gb",
                }
            )
        ).ShouldBe(201);
        var id = opened.Text("account_id")!;
        opened.Body.ShouldBe($$"""{"account_id":"{{id}}"}""");
        (await _app.AdminGetAsync("/accounts/" + id)).ShouldBe(
            200,
            $$$"""
            {"account_id":"{{{id}}}","email":"Ada@Example.com","status":"open","country":"GB","created_at":"2026-07-03T12:00:00Z","balance":{"credits":{"posted":0,"held":0,"available":0,"debt":0},"usd_micros":{"posted":0,"held":0,"available":0,"debt":0}},"pockets":[],"keys":[]}
            """
        );
    }

    [Fact]
    public async Task An_address_is_taken_once_whatever_its_case()
    {
        await _app.AdminOpenAsync("bob@example.com");
        (await _app.AdminPostAsync("/accounts", new { email = "BOB@example.com" })).ShouldBeRefusedWith(409, "email_taken");
    }

    [Fact]
    public async Task Of_many_who_ask_at_once_for_one_address_one_gets_it()
    {
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => _app.AdminPostAsync("/accounts", new { email = "crowd@example.com" }))
        );
        answers.Count(answer => answer.Status == 201).ShouldBe(1);
        answers.Count(answer => answer.Status == 409).ShouldBe(7);
    }

    [Fact]
    public async Task What_a_crash_left_half_done_is_finished_by_the_repeat()
    {
        // The person stands, and the account was never opened.
        var people = _app.Services.GetRequiredService<People>();
        var half = new Person(new("halfdone00000001"), "half@example.com", _app.Clock.Now);
        await people.AddAsync(half, null, CancellationToken.None);

        var answer = await _app.AdminPostAsync("/accounts", new { email = "half@example.com", password = "correct horse" });
        answer.ShouldBe(201, """{"account_id":"halfdone00000001"}""");
        (await _app.ReadAsync(half.Account)).Status.ShouldBe(AccountStatus.Open);
        (await _app.AdminPostAsync("/accounts", new { email = "half@example.com" })).ShouldBeRefusedWith(409, "email_taken");

        var hash = (string)(await _app.QueryAsync("select password_hash from credentials where account_id = 'halfdone00000001'"))!;
        new PasswordHasher<Person>().VerifyHashedPassword(half, hash, "correct horse").ShouldBe(PasswordVerificationResult.Success);
    }

    [Fact]
    public async Task A_password_is_kept_only_as_a_hash_and_personal_data_is_in_no_event()
    {
        var answer = (await _app.AdminPostAsync("/accounts", new { email = "secret@example.com", password = "hunter2-hunter2" })).ShouldBe(
            201
        );
        answer.Body.ShouldNotContain("hunter2");
        var events = await _app.EventsAsync(new(answer.Text("account_id")!));
        events.ShouldHaveSingleItem();
        (events[0].Data + events[0].Headers).ShouldNotContain("hunter2");
        (events[0].Data + events[0].Headers).ShouldNotContain("secret@example.com");
        (await _app.QueryAsync("select count(*) from credentials where password_hash like '%hunter2%'")).ShouldBe(0L);
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_named_at_once_and_no_secret_is_repeated()
    {
        var answer = await _app.AdminPostAsync(
            "/accounts",
            """{"email":"nobody","password":"short","country":"Germany","admin":true,"email":"twice"}"""
        );
        answer.ShouldFault("email", "password", "country", "admin");
        answer.Body.ShouldNotContain("short");
    }

    [Theory]
    [InlineData("", "body")]
    [InlineData("{", "body")]
    [InlineData("[]", "body")]
    [InlineData("null", "body")]
    [InlineData("{} {}", "body")]
    [InlineData("{}", "email")]
    [InlineData("""{"email":null}""", "email")]
    [InlineData("""{"email":7}""", "email")]
    [InlineData("""{"email":"a\u0000@example.com"}""", "email")]
    [InlineData("""{"email":"a\ud800@example.com"}""", "email")]
    [InlineData("""{"email":"a b@example.com"}""", "email")]
    [InlineData("""{"email":"Ada <ada@example.com>"}""", "email")]
    [InlineData("""{"email":"ok@example.com","\ud800":1}""", "?")]
    public async Task A_body_that_is_no_lawful_request_is_refused_in_shape(string body, string field) =>
        (await _app.AdminPostAsync("/accounts", body)).ShouldFault(field);

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_in_shape()
    {
        var body = new byte[(10 * 1024 * 1024) + 1];
        Array.Fill(body, (byte)' ');
        (await _app.AdminPostAsync("/accounts", body)).ShouldBeRefusedWith(413, "request_too_large");
    }

    [Fact]
    public async Task A_body_that_is_no_json_is_refused_in_shape() =>
        (await _app.AdminPostAsync("/accounts", new StringContent("email=x"))).ShouldBeRefusedWith(415, "unsupported_media_type");

    [Fact]
    public async Task Accounts_are_found_by_address_and_by_id_page_by_page()
    {
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Add(await _app.AdminOpenAsync($"page{i}@listing.example"));
        ids.Sort(StringComparer.Ordinal);

        var found = new List<string>();
        string? cursor = null;
        do
        {
            var page = (
                await _app.AdminGetAsync("/accounts?query=LISTING.example&limit=2" + (cursor is null ? "" : "&cursor=" + cursor))
            ).ShouldBe(200);
            page.Json.GetProperty("data").GetArrayLength().ShouldBeInRange(1, 2);
            found.AddRange(page.Json.GetProperty("data").EnumerateArray().Select(line => line.GetProperty("account_id").GetString()!));
            cursor = page.Json.GetProperty("next").GetString();
        } while (cursor is not null);
        found.ShouldBe(ids);

        var one = await _app.AdminGetAsync("/accounts?query=" + ids[0]);
        one.Json.GetProperty("data").GetArrayLength().ShouldBe(1);
        one.Text("next").ShouldBe("null");
        (await _app.AdminGetAsync("/accounts?query=nobody-has-this")).ShouldBe(200, """{"data":[],"next":null}""");
    }

    [Theory]
    [InlineData("?limit=0", "limit")]
    [InlineData("?limit=1001", "limit")]
    [InlineData("?limit=ten", "limit")]
    [InlineData("?limit=1&limit=2", "limit")]
    [InlineData("?query=%00&cursor=%00&limit=-1", "query,cursor,limit")]
    public async Task What_is_wrong_with_a_query_is_named(string query, string fields) =>
        (await _app.AdminGetAsync("/accounts" + query)).ShouldFault(fields.Split(','));

    [Fact]
    public async Task Suspending_and_reinstating_can_be_repeated()
    {
        var id = await _app.AdminOpenAsync("suspended@example.com");
        foreach (
            var (verb, status) in ((string, string)[])
                [("suspend", "suspended"), ("suspend", "suspended"), ("reinstate", "open"), ("reinstate", "open")]
        )
        {
            (await _app.AdminPostAsync($"/accounts/{id}/{verb}", new { reason = "A test" })).ShouldBe(
                200,
                $$"""{"account_id":"{{id}}","status":"{{status}}"}"""
            );
            (await _app.AdminGetAsync("/accounts/" + id)).Text("status").ShouldBe(status);
        }

        (await _app.EventsAsync(new(id)))
            .Select(stored => stored.Type)
            .ShouldBe(["account_opened", "account_suspended", "account_reinstated"]);
        (await _app.AdminPostAsync($"/accounts/{id}/suspend", "{}")).ShouldFault("reason");
    }

    [Fact]
    public async Task A_suspended_account_spends_nothing_until_it_is_reinstated()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var spend = new
        {
            tool = "chat",
            units = 1,
            reference = "r",
        };
        (await _app.AdminPostAsync($"/accounts/{account.Id}/suspend", new { reason = "A test" })).ShouldBe(200);
        (await _app.PostAsync("/api/v1/tools/spend", account.Key, spend)).ShouldBe(403);
        (await _app.AdminPostAsync($"/accounts/{account.Id}/reinstate", new { reason = "A test" })).ShouldBe(200);
        (await _app.PostAsync("/api/v1/tools/spend", account.Key, spend)).ShouldBe(200);
    }

    [Fact]
    public async Task Balances_leave_packs_apart_and_pockets_stand_in_the_order_in_which_they_pay()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        await _app.GrantAsync(account.Id, Amount.Credits(1000), PocketSource.Pack, "deepseek/deepseek-chat");
        await _app.GrantAsync(account.Id, Amount.Credits(50), PocketSource.Bonus, expiresAt: _app.Clock.Now.AddDays(1));
        await _app.GrantAsync(account.Id, new(1_500, Unit.Usd), PocketSource.Prepaid);
        (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "held",
                }
            )
        ).ShouldBe(200);

        var shown = await _app.AdminGetAsync("/accounts/" + account.Id);
        shown.Text("balance", "credits").ShouldBe("""{"posted":150,"held":10,"available":140,"debt":0}""");
        shown.Text("balance", "usd_micros").ShouldBe("""{"posted":1.5,"held":0,"available":1.5,"debt":0}""");
        shown
            .Json.GetProperty("pockets")
            .EnumerateArray()
            .Select(pocket => pocket.GetProperty("source").GetString())
            .ShouldBe(["pack", "bonus", "payg", "prepaid"]);
        shown
            .Json.GetProperty("pockets")[1]
            .GetRawText()
            .ShouldBe(
                """{"id":3,"unit":"credits","source":"bonus","scope":null,"granted":50,"remaining":50,"held":10,"expires_at":"2026-07-04T12:00:00Z","created_at":"2026-07-03T12:00:00Z"}"""
            );
    }

    [Theory]
    [InlineData("GET", "/accounts/nobody")]
    [InlineData("GET", "/accounts/no%20body")]
    [InlineData("POST", "/accounts/nobody/suspend")]
    [InlineData("POST", "/accounts/nobody/reinstate")]
    [InlineData("POST", "/accounts/no%20body/reinstate")]
    [InlineData("GET", "/accounts/nobody/keys")]
    [InlineData("GET", "/accounts/nobody/keys/none")]
    [InlineData("DELETE", "/accounts/nobody/keys/none")]
    public async Task An_account_that_does_not_exist_is_not_found(string method, string path) =>
        (
            await _app.SendAsync(new(method), "/admin" + path, LedgerApp.AdminKey, method == "POST" ? new { reason = "A test" } : null)
        ).ShouldBeRefusedWith(404, "account_not_found");

    [Fact]
    public async Task Only_the_operators_key_opens_the_door()
    {
        var account = await _app.OpenAccountAsync();
        foreach (var key in (string?[])[null, "", "wrong", account.Key, LedgerApp.AdminKey + "x", "ledger_admin"])
        {
            foreach (
                var path in (string[])["/admin/accounts", "/admin/accounts/" + account.Id, "/admin/rate-card", "/admin/rate-card/versions"]
            )
                (await _app.GetAsync(path, key)).ShouldBeRefusedWith(401, "auth_required").ShouldHave("WWW-Authenticate", "Bearer");
            (await _app.PostAsync("/admin/accounts", key, "not even JSON")).ShouldBeRefusedWith(401, "auth_required");
            (await _app.DeleteAsync($"/admin/accounts/{account.Id}/keys/{account.KeyId}", key)).ShouldBeRefusedWith(401, "auth_required");
        }

        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                LedgerApp.AdminKey,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r",
                }
            )
        ).ShouldBe(401);
    }

    [Theory]
    [InlineData("GET", "/admin/nothing")]
    [InlineData("POST", "/admin/accounts/nobody/gifts")]
    [InlineData("PUT", "/admin/accounts/nobody/mood")]
    [InlineData("GET", "/admin/audit/nothing")]
    public async Task What_is_not_there_is_not_found_in_shape(string method, string path) =>
        (await _app.SendAsync(new(method), path, LedgerApp.AdminKey)).ShouldBeRefusedWith(404, "not_found");
}
