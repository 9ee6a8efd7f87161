using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Decisions;

/// <summary>Why was I charged, and why refused? Spends, holds and their ends, each made again where it was decided.</summary>
public sealed class ExplainTests : IAsyncLifetime
{
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_charge_is_explained_with_its_price_its_limits_and_what_paid_it()
    {
        var account = await _app.OpenAccountAsync();
        await _app.GrantAsync(account.Id, Amount.Credits(7), PocketSource.Bonus, expiresAt: _app.Clock.Now.AddDays(1));
        await _app.GrantAsync(account.Id, Amount.Credits(100));
        var (key, secret) = await _app.CreateKeyAsync(account.Id, limit: 50, reset: LimitReset.Daily);
        var manager = await _app.ManagerAsync(account);
        (await _app.SpendAsync(secret, "first")).ShouldBe(200);
        var spent = (await _app.SpendAsync(secret, "second", units: 2)).ShouldBe(200);

        var why = await _app.WhyAsync(manager, spent);
        (why.Text("kind"), why.Text("verdict"), why.Text("code")).ShouldBe(("spend", "accepted", "null"));
        why.Text("event", "id").ShouldBe(spent.Header("x-ledger-spend-id"));
        var stored = (await _app.EventsAsync(account.Id))[^1];
        (why.Text("event", "version"), why.Text("event", "position"), why.Text("decided_on")).ShouldBe(
            ($"{stored.Version}", $"{stored.Position}", $"{stored.Version - 1}")
        );
        (why.Text("key_id"), why.Text("asked", "tool"), why.Text("asked", "units"), why.Text("asked", "reference")).ShouldBe(
            (key.Value, "chat", "2", "second")
        );
        (why.Text("price", "card_version"), why.Text("price", "entry"), why.Text("price", "rates", "credits")).ShouldBe(
            ("1", "tools/chat", "5")
        );
        (why.Text("price", "cost"), why.Text("price", "unit")).ShouldBe(("10", "credits"));
        var limit = why.GetProperty("limits").EnumerateArray().ShouldHaveSingleItem();
        (limit.Text("limit"), limit.Text("used"), limit.Text("remaining"), limit.Text("reset"), limit.Text("own")).ShouldBe(
            ("50", "5", "45", "daily", "true")
        );
        var funds = why.GetProperty("funds");
        (funds.Text("posted"), funds.Text("held"), funds.Text("debt"), funds.Text("available")).ShouldBe(("102", "0", "0", "102"));

        // Two of the bonus, which lapses first; eight of what was bought.
        funds
            .GetProperty("pockets")
            .EnumerateArray()
            .Select(pocket => (pocket.Text("source"), pocket.Text("remaining"), pocket.Text("pays")))
            .ShouldBe([("bonus", "2", "2"), ("payg", "100", "8")]);
        why.GetProperty("checks").EnumerateArray().ShouldAllBe(check => check.Text("passed") == "true");
        why.Text("summary").ShouldBe("Accepted: 10 credits charged, by tools/chat.");
        why.Text("rerun", "cost").ShouldBe("10");
        (why.Text("today", "verdict"), why.Text("today", "cost")).ShouldBe(("accepted", "10"));
        why.GetProperty("changes").GetArrayLength().ShouldBe(0);

        // By the charge's own id too: what a repeat is told, and what was charged before ids had a time.
        var byId = (await _app.GetAsync("/v1/account/decisions/" + spent.Header("x-ledger-spend-id"), manager)).ShouldBe(200);
        byId.Text("data", "request_id").ShouldBe(spent.Header("x-request-id"));
        byId.Json.GetProperty("data").GetProperty("decisions")[0].ToString().ShouldBe(why.ToString());
    }

    [Fact]
    public async Task What_has_changed_since_does_not_change_the_explanation_and_is_told()
    {
        var account = await _app.OpenAccountAsync(credits: 100, limit: 60);
        var manager = await _app.ManagerAsync(account);
        var spent = (await _app.SpendAsync(account.Key, "one", units: 2)).ShouldBe(200);
        var refused = await _app.SpendAsync(account.Key, "two", units: 11);
        var (before, before2) = (await _app.WhyAsync(manager, spent), await _app.WhyAsync(manager, refused));

        // More is spent, the price rises, the key gets another limit and the account more credits.
        _app.Clock.Advance(TimeSpan.FromMinutes(3));
        await _app.SpendAsync(account.Key, "three", units: 3);
        await _app.PublishPriceAsync("chat", "7");
        (await _app.PatchAsync($"/v1/account/keys/{account.KeyId}", manager, new { limit = 1000, limit_reset = "weekly" })).ShouldBe(200);
        await _app.GrantAsync(account.Id, Amount.Credits(1000));

        var after = await _app.WhyAsync(manager, spent);
        foreach (var same in (string[])["price", "limits", "funds", "checks", "decided_on", "rerun", "event", "summary"])
            after.Text(same).ShouldBe(before.Text(same));
        after.Text("price", "cost").ShouldBe("10");
        (after.Text("today", "verdict"), after.Text("today", "cost"), after.Text("today", "card_version")).ShouldBe(
            ("accepted", "14", "2")
        );
        after
            .GetProperty("changes")
            .EnumerateArray()
            .Select(change => (change.Text("what"), change.Text("then"), change.Text("now")))
            .ShouldBe([
                ("price", "per turn, credits 5", "per turn, credits 7"),
                ("limit", "60", "1000"),
                ("limit_reset", "none", "weekly"),
            ]);

        // What was refused then would be accepted today.
        var later = await _app.WhyAsync(manager, refused);
        foreach (var same in (string[])["price", "limits", "funds", "checks", "decided_on", "rerun", "shortfall", "summary"])
            later.Text(same).ShouldBe(before2.Text(same));
        (later.Text("code"), later.Text("price", "cost"), later.Text("limits", "0", "remaining")).ShouldBe(
            ("key_limit_reached", "55", "50")
        );
        (later.Text("today", "verdict"), later.Text("today", "cost")).ShouldBe(("accepted", "77"));
    }

    [Fact]
    public async Task A_refusal_for_money_says_what_was_needed_and_what_was_there()
    {
        var account = await _app.OpenAccountAsync(credits: 12);
        var manager = await _app.ManagerAsync(account);
        (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "held",
                }
            )
        ).ShouldBe(200);
        var refused = (await _app.SpendAsync(account.Key, "r", units: 2)).ShouldBeRefused(402, "insufficient_credits");

        var why = await _app.WhyRefusedAsync(manager, refused, "insufficient_credits", "funds");
        why.Text("summary").ShouldBe("Refused with insufficient_credits: 10 credits needed, 7 left of the balance.");
        (why.Text("shortfall", "limit_source"), why.Text("shortfall", "needed"), why.Text("shortfall", "available")).ShouldBe(
            ("balance", "10", "7")
        );
        (why.Text("funds", "posted"), why.Text("funds", "held"), why.Text("funds", "available")).ShouldBe(("12", "5", "7"));
        why.Text("funds", "pockets", "0", "pays").ShouldBe("7");
        (why.Text("price", "entry"), why.Text("price", "cost")).ShouldBe(("tools/chat", "10"));
        why.Text("today", "code").ShouldBe("insufficient_credits");

        // The same asked to be held, and the same in debt.
        var held = await _app.PostAsync(
            "/api/v1/tools/reserve",
            account.Key,
            new
            {
                tool = "chat",
                units = 2,
                reference = "r",
            }
        );
        (await _app.WhyRefusedAsync(manager, held, "insufficient_credits", "funds")).Text("kind").ShouldBe("place_hold");
        var hold = (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r2",
                }
            )
        ).ShouldBe(200).Text("hold_id");
        (await _app.PostAsync("/api/v1/tools/settle", account.Key, new { hold_id = hold, units = 4 })).ShouldBe(200);
        var owing = await _app.SpendAsync(account.Key, "r3");
        var inDebt = await _app.WhyRefusedAsync(manager, owing, "insufficient_credits", "funds");
        (inDebt.Text("shortfall", "limit_source"), inDebt.Text("funds", "debt"), inDebt.Text("funds", "available")).ShouldBe(
            ("debt", "13", "0")
        );
    }

    [Fact]
    public async Task A_refusal_by_a_limit_says_whose_it_was()
    {
        var account = await _app.OpenAccountAsync(credits: 1000, limit: 20);
        var manager = await _app.ManagerAsync(account);
        var minted = (await _app.PostAsync("/tenant/keys", account.Key, new { name = "Minted", limit = 15 })).ShouldBe(201);
        (await _app.SpendAsync(account.Key, "a", units: 2)).ShouldBe(200);
        var own = await _app.SpendAsync(account.Key, "b", units: 3);
        var mine = await _app.WhyRefusedAsync(manager, own, "key_limit_reached", "key_limit");
        (mine.Text("shortfall", "limit_source"), mine.Text("shortfall", "needed"), mine.Text("shortfall", "available")).ShouldBe(
            ("key", "15", "10")
        );
        mine.Text("summary").ShouldBe("Refused with key_limit_reached: 15 credits needed, 10 left of the key's limit.");

        var theirs = await _app.WhyRefusedAsync(
            manager,
            await _app.SpendAsync(minted.Text("key")!, "c", units: 3),
            "key_limit_reached",
            "key_limit"
        );
        theirs.Text("shortfall", "limit_source").ShouldBe("minting_key");
        theirs
            .GetProperty("limits")
            .EnumerateArray()
            .Select(limit => (limit.Text("key_id"), limit.Text("own"), limit.Text("limit"), limit.Text("used"), limit.Text("remaining")))
            .ShouldBe([(minted.Text("id"), "true", "15", "0", "15"), (account.KeyId.Value, "false", "20", "10", "10")]);
    }

    [Fact]
    public async Task Every_other_refusal_of_a_spend_is_explained()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        var manager = await _app.ManagerAsync(account);
        (await _app.SpendAsync(account.Key, "once")).ShouldBe(200);
        var conflict = await _app.SpendAsync(account.Key, "once", units: 2);
        (await _app.WhyRefusedAsync(manager, conflict, "reference_conflict", "reference")).Text("asked", "reference").ShouldBe("once");
        var unknown = await _app.WhyRefusedAsync(
            manager,
            await _app.SpendAsync(account.Key, "x", tool: "teleport"),
            "unknown_tool",
            "price"
        );
        (unknown.Text("price"), unknown.Text("asked", "tool")).ShouldBe(("null", "teleport"));
        var far = await _app.SpendAsync(account.Key, "y", units: 1_000_000_000, tool: "voice_conversion");
        (await _app.WhyRefusedAsync(manager, far, "insufficient_credits", "funds")).Text("price", "cost").ShouldBe("990000000000");
        var kind = await _app.WhyRefusedAsync(manager, await _app.SpendAsync(manager, "z"), "key_kind_not_allowed", "key_kind");
        kind.Text("account", "key_kind").ShouldBe("provisioning");

        var revoked = await _app.CreateKeyAsync(account.Id);
        (await _app.DeleteAsync($"/v1/account/keys/{revoked.Key}", manager)).ShouldBe(204);
        var gone = await _app.WhyRefusedAsync(manager, await _app.SpendAsync(revoked.Secret, "r"), "key_not_usable", "key");
        gone.Text("account", "key_status").ShouldBe("revoked");
        var disabled = await _app.CreateKeyAsync(account.Id);
        (await _app.PatchAsync($"/v1/account/keys/{disabled.Key}", manager, new { disabled = true })).ShouldBe(200);
        var rests = await _app.SpendAsync(disabled.Secret, "d");
        (await _app.WhyRefusedAsync(manager, rests, "key_not_usable", "key")).Text("account", "key_status").ShouldBe("disabled");
        (await _app.PatchAsync($"/v1/account/keys/{disabled.Key}", manager, new { disabled = false })).ShouldBe(200);
        var awake = await _app.WhyAsync(manager, rests);
        (awake.Text("changes", "0", "what"), awake.Text("changes", "0", "then"), awake.Text("changes", "0", "now")).ShouldBe(
            ("key_status", "disabled", "usable")
        );

        // A secret that was replaced is refused by its number, which is all that is kept of it.
        var rotated = await _app.CreateKeyAsync(account.Id);
        (await _app.PostAsync($"/v1/account/keys/{rotated.Key}/rotate", manager, new { grace_seconds = 0 })).ShouldBe(200);
        var old = await _app.WhyRefusedAsync(manager, await _app.SpendAsync(rotated.Secret, "o"), "key_not_usable", "key");
        old.Text("account", "key_status").ShouldBe("usable");

        await _app.SuspendAsync(account.Id);
        var suspended = (await _app.SpendAsync(account.Key, "s")).ShouldBe(403);
        var batch = (
            await _app.PostAsync(
                "/api/v1/tools/spend/batch",
                account.Key,
                new
                {
                    items = new[]
                    {
                        new
                        {
                            tool = "chat",
                            units = 1,
                            reference = "s2",
                        },
                    },
                }
            )
        ).ShouldBe(403);
        (await _app.ExplainAsync(manager, suspended)).ShouldBe(403);
        await _app.ReinstateAsync(account.Id);
        foreach (var about in (Answer[])[suspended, batch])
        {
            var why = await _app.WhyRefusedAsync(manager, about, "account_suspended", "suspension");
            (why.Text("account", "status"), why.Text("changes", "0", "now")).ShouldBe(("suspended", "open"));
        }
    }

    [Fact]
    public async Task An_amount_beyond_what_an_account_can_count_is_explained()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        var manager = await _app.ManagerAsync(account);
        var refused = await _app.SpendAsync(account.Key, "y", units: 1_000_000_000, tool: "speech_translation");
        (await _app.WhyRefusedAsync(manager, refused, "amount_out_of_range", "amount")).Text("price", "cost").ShouldBe("null");
    }

    [Fact]
    public async Task A_sign_in_that_was_ended_is_told_from_one_that_holds()
    {
        var user = new { email = "ada@example.com", password = "correct horse battery" };
        (await _app.PostAsync("/api/v1/auth/register", null, user)).ShouldBe(201);
        var token = (await _app.PostAsync("/api/v1/auth/token", null, user)).ShouldBe(200).Text("access_token")!;
        var other = (await _app.PostAsync("/api/v1/auth/token", null, user)).ShouldBe(200).Text("access_token")!;
        var poor = await _app.SpendAsync(token, "a", units: 100_000);
        (await _app.WhyRefusedAsync(other, poor, "insufficient_credits", "funds")).Text("key_id").ShouldBe("null");
        (await _app.PostAsync("/api/v1/auth/logout", token)).ShouldBe(204);
        var ended = await _app.SpendAsync(token, "b");
        ended.Status.ShouldBe(401);
        await _app.WhyRefusedAsync(other, ended, "sign_in_ended", "sign_in");
    }

    [Fact]
    public async Task Holds_and_their_ends_are_explained_with_the_hold()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var manager = await _app.ManagerAsync(account);
        var placed = (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 4,
                    reference = "h",
                    ttl_seconds = 60,
                }
            )
        ).ShouldBe(200);
        var hold = placed.Text("hold_id");
        var why = await _app.WhyAsync(manager, placed);
        (why.Text("kind"), why.Text("event", "id"), why.Text("price", "cost")).ShouldBe(("place_hold", hold, "20"));
        why.Text("summary").ShouldBe("Accepted: 20 credits set aside, by tools/chat.");

        // It settles at the price that it was placed under.
        await _app.PublishPriceAsync("chat", "9");
        var settled = (await _app.PostAsync("/api/v1/tools/settle", account.Key, new { hold_id = hold, units = 5 })).ShouldBe(200);
        var charge = await _app.WhyAsync(manager, settled);
        (charge.Text("kind"), charge.Text("price", "cost"), charge.Text("price", "card_version")).ShouldBe(("settle_hold", "25", "1"));
        (charge.Text("hold", "hold_id"), charge.Text("hold", "held"), charge.Text("hold", "open")).ShouldBe((hold, "20", "true"));
        charge.Text("funds", "pockets", "0", "pays").ShouldBe("25");
        charge.Text("today").ShouldBe("null");
        charge.Text("changes", "0", "what").ShouldBe("price");

        // Every end that cannot be.
        async Task RefusedAsync(string route, object body, string code, string check)
        {
            var answer = await _app.PostAsync("/api/v1/tools/" + route, account.Key, body);
            await _app.WhyRefusedAsync(manager, answer, code, check);
        }

        await RefusedAsync("settle", new { hold_id = hold, units = 6 }, "reference_conflict", "reference");
        await RefusedAsync("release", new { hold_id = hold }, "hold_already_settled", "hold");
        await RefusedAsync("settle", new { hold_id = Guid.Empty, units = 1 }, "hold_not_found", "hold");
        var second = (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "h2",
                }
            )
        ).Text("hold_id");
        var released = (await _app.PostAsync("/api/v1/tools/release", account.Key, new { hold_id = second })).ShouldBe(200);
        (await _app.WhyAsync(manager, released)).Text("summary").ShouldBe("Accepted: what was held went back.");
        await RefusedAsync("settle", new { hold_id = second, units = 1 }, "hold_already_released", "hold");

        // One that lapsed is charged late, once, and not given back.
        var third = (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "h3",
                    ttl_seconds = 60,
                }
            )
        ).Text("hold_id");
        _app.Clock.Advance(TimeSpan.FromMinutes(2));
        await RefusedAsync("release", new { hold_id = third }, "hold_already_expired", "hold");
        var late = (await _app.PostAsync("/api/v1/tools/settle", account.Key, new { hold_id = third, units = 2 })).ShouldBe(200);
        var lately = await _app.WhyAsync(manager, late);
        (lately.Text("price", "cost"), lately.Text("hold", "open"), lately.Text("hold", "held")).ShouldBe(("18", "false", "18"));
    }

    [Fact]
    public async Task A_batch_is_explained_item_by_item_and_by_pages()
    {
        var account = await _app.OpenAccountAsync(credits: 12);
        var manager = await _app.ManagerAsync(account);
        var batch = (
            await _app.PostAsync(
                "/api/v1/tools/spend/batch",
                account.Key,
                new
                {
                    items = Enumerable
                        .Range(1, 4)
                        .Select(n => new
                        {
                            tool = "chat",
                            units = 1,
                            reference = $"b{n}",
                        })
                        .ToArray(),
                }
            )
        ).ShouldBe(200);
        var whole = (await _app.ExplainAsync(manager, batch)).ShouldBe(200);
        var decisions = whole.Json.GetProperty("data").GetProperty("decisions").EnumerateArray().ToList();
        decisions.Select(one => one.Text("verdict")).ShouldBe(["accepted", "accepted", "refused", "refused"]);
        decisions.Select(one => one.Text("funds", "available")).ShouldBe(["12", "7", "2", "2"]);
        decisions.ShouldAllBe(one => one.Text("rerun", "same") == "true");
        decisions.Select(one => one.Text("asked", "reference")).Order().ShouldBe(["b1", "b2", "b3", "b4"]);
        whole.Text("data", "next").ShouldBe("null");

        var path = "/v1/account/decisions/" + batch.Header("x-request-id");
        var first = (await _app.GetAsync(path + "?limit=3", manager)).ShouldBe(200);
        first.Text("data", "next").ShouldBe("3");
        var rest = (await _app.GetAsync(path + "?limit=3&cursor=3", manager)).ShouldBe(200);
        rest.Text("data", "next").ShouldBe("null");
        first
            .Json.GetProperty("data")
            .GetProperty("decisions")
            .EnumerateArray()
            .Concat(rest.Json.GetProperty("data").GetProperty("decisions").EnumerateArray())
            .Select(one => one.ToString())
            .ShouldBe(decisions.Select(one => one.ToString()));
        (await _app.GetAsync(path + "?limit=0", manager)).ShouldBe(400).Text("error", "fields", "limit").ShouldNotBeNull();
        (await _app.GetAsync(path + "?cursor=x", manager)).ShouldBe(400).Text("error", "fields", "cursor").ShouldNotBeNull();
    }

    [Fact]
    public async Task What_is_somebody_elses_is_not_told_from_what_never_was()
    {
        var (mine, other) = (await _app.OpenAccountAsync(credits: 100), await _app.OpenAccountAsync(credits: 3));
        var manager = await _app.ManagerAsync(mine);
        var spent = (await _app.SpendAsync(mine.Key, "a")).ShouldBe(200);
        var theirs = await _app.SpendAsync(other.Key, "a");

        // Ids that follow each other differ in their last character alone.
        var (own, next) = (spent.Header("x-request-id")!, theirs.Header("x-request-id")!);
        var unknown = next[..^1] + "012".First(last => last != next[^1] && last != own[^1]);
        var (never, notTheirs) = (
            await _app.GetAsync("/v1/account/decisions/" + unknown, manager),
            await _app.ExplainAsync(manager, theirs)
        );
        never.ShouldBe(404).Text("error", "code").ShouldBe("decision_not_found");
        notTheirs.ShouldBe(404, never.Body);
        (await _app.ExplainAsync(await _app.ManagerAsync(other), spent)).ShouldBe(404, never.Body);
        foreach (
            var garbage in (string[])
                [
                    "x",
                    "0000000000000000",
                    "00000000000000000000",
                    "zzzzzzzzzzzzzzzzzzzz",
                    "UUUUUUUUUUUUUUUUUUUU",
                    new string('a', 3000),
                    Guid.Empty.ToString(),
                    (await _app.EventsAsync(mine.Id))[0].Id.ToString(),
                    "' or 1=1 --",
                ]
        )
            (await _app.GetAsync("/v1/account/decisions/" + garbage, manager)).ShouldBe(404, never.Body);

        // As with receipts: not for those who only spend, and for nobody without a key.
        (await _app.ExplainAsync(mine.Key, spent)).ShouldBe(403);
        (await _app.GetAsync("/v1/account/decisions/" + spent.Header("x-request-id"))).ShouldBe(401);
        (await _app.GetAsync("/v1/account/refusals", mine.Key)).ShouldBe(403);
    }

    [Fact]
    public async Task A_long_history_is_found_by_its_time_and_folded_from_a_checkpoint()
    {
        var account = await _app.OpenAccountAsync(credits: 100_000);
        var manager = await _app.ManagerAsync(account);
        Answer? middle = null;
        for (var round = 0; round < 6; round++)
        {
            _app.Clock.Advance(TimeSpan.FromMinutes(1));
            (
                await _app.PostAsync(
                    "/api/v1/tools/spend/batch",
                    account.Key,
                    new
                    {
                        items = Enumerable
                            .Range(0, 1000)
                            .Select(n => new
                            {
                                tool = "chat",
                                units = 1,
                                reference = $"{round}-{n}",
                            })
                            .ToArray(),
                    }
                )
            ).ShouldBe(200);
            if (round == 5)
                middle = (await _app.SpendAsync(account.Key, "middle", units: 3)).ShouldBe(200);
        }

        _app.Clock.Advance(TimeSpan.FromDays(1));
        (await _app.SpendAsync(account.Key, "last")).ShouldBe(200);
        var why = await _app.WhyAsync(manager, middle!);
        (why.Text("decided_on"), why.Text("funds", "available"), why.Text("price", "cost")).ShouldBe(("6004", "70000", "15"));
    }

    [Fact]
    public async Task Where_the_program_decides_otherwise_today_it_says_so()
    {
        var account = await _app.OpenAccountAsync(credits: 3);
        var manager = await _app.ManagerAsync(account);
        var refused = (await _app.SpendAsync(account.Key, "a")).ShouldBe(402);
        await _app.WhyRefusedAsync(manager, refused, "insufficient_credits", "funds");

        // As though an earlier program had refused it for another reason.
        await _app.QueryAsync("update refusal_samples set code = 'key_limit_reached', shortfall = null");
        var decision = (await _app.ExplainAsync(manager, refused)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions")[0];
        (decision.Text("code"), decision.Text("rerun", "same"), decision.Text("rerun", "code")).ShouldBe(
            ("key_limit_reached", "false", "insufficient_credits")
        );
        decision.Text("rerun", "message")!.ShouldContain("Its rules have changed since.");

        // And what a log that was set back no longer holds cannot be decided again.
        await _app.QueryAsync("update refusal_samples set version = 999");
        decision = (await _app.ExplainAsync(manager, refused)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions")[0];
        (decision.Text("rerun", "same"), decision.Text("rerun", "verdict")).ShouldBe(("null", "null"));
        decision.Text("rerun", "message")!.ShouldContain("no longer holds version 999");
    }

    [Fact]
    public async Task Refusals_of_anything_else_are_told_without_being_decided_again()
    {
        var account = await _app.OpenAccountAsync(credits: 3, limit: 10);
        var manager = await _app.ManagerAsync(account);
        var wide = await _app.PostAsync("/tenant/keys", account.Key, new { name = "Wide", limit = 11 });
        wide.Status.ShouldBe(403);
        var decision = (await _app.ExplainAsync(manager, wide)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions")[0];
        (decision.Text("kind"), decision.Text("code"), decision.Text("rerun", "same")).ShouldBe(("create_key", "key_too_wide", "null"));
        decision.Text("rerun", "message")!.ShouldStartWith("Only work is decided again");
        decision.Text("limits", "0", "limit").ShouldBe("10");
    }
}
