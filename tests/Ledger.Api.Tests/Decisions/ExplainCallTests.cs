using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Tests.Gateway;
using Ledger.Api.Tests.Gateway.Calls;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Decisions;

/// <summary>Why was this call charged, and why was that one refused? The hold and its charge, from the balance, from packs and from a quota.</summary>
public sealed class ExplainCallTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private const string Chat = "/v1/chat/completions";
    private readonly GatewayApp _gateway = shared.Gateway;

    private LedgerApp App => _gateway.App;

    [Fact]
    public async Task A_call_is_explained_with_its_hold_and_its_charge()
    {
        var account = await _gateway.RichAsync();
        var manager = await App.ManagerAsync(account);
        _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(24, 86)));
        var answer = (await _gateway.AskAsync(Protocol.OpenAi, false, account.Key)).ShouldBe(200);

        var explained = (await App.ExplainAsync(manager, answer)).ShouldBe(200);
        var decisions = explained.Json.GetProperty("data").GetProperty("decisions").EnumerateArray().ToList();
        decisions.Select(one => one.Text("kind")).ShouldBe(["place_call_hold", "settle_call"]);
        decisions.ShouldAllBe(one => one.Text("rerun", "same") == "true" && one.Text("verdict") == "accepted", explained.ToString());
        var (placed, settled) = (decisions[0], decisions[1]);
        var (hold, charge) = (
            (HoldPlaced)(await App.FactsAsync(account.Id)).Single(fact => fact is HoldPlaced),
            await App.ChargeAsync(account)
        );
        placed.Text("price", "cost").ShouldBe(hold.Amount.ToDecimalString());
        (placed.Text("price", "entry"), placed.Text("price", "rates", "input"), placed.Text("price", "rates", "output")).ShouldBe(
            ("models/openai/plain", "1", "2")
        );
        (placed.Text("asked", "model"), placed.Text("asked", "max_output_tokens"), placed.Text("asked", "choices")).ShouldBe(
            ("openai/plain", "100", "1")
        );
        (placed.Text("funds", "unit"), placed.Text("funds", "available")).ShouldBe(("usd", "1"));
        settled.Text("event", "id").ShouldBe(answer.Header("x-ledger-spend-id"));
        (settled.Text("price", "cost"), settled.Text("price", "unit")).ShouldBe((charge.Charged.ToDecimalString(), "usd"));
        settled.Text("asked", "tokens").ShouldBe("110");
        (settled.Text("hold", "hold_id"), settled.Text("hold", "held")).ShouldBe(
            (answer.Header("x-ledger-hold"), hold.Amount.ToDecimalString())
        );

        // A call that failed was let in, and its funds went back.
        _gateway.Upstream.Next(UpstreamScript.Refuses(500));
        var failed = await _gateway.AskAsync(Protocol.OpenAi, false, account.Key);
        failed.Status.ShouldBe(502);
        var back = (await App.ExplainAsync(manager, failed)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions");
        back.EnumerateArray().Select(one => one.Text("kind")).ShouldBe(["place_call_hold", "release_hold"]);
        back.EnumerateArray().ShouldAllBe(one => one.Text("rerun", "same") == "true", back.ToString());
    }

    [Fact]
    public async Task A_call_that_writes_to_the_dearest_cache_is_made_again_at_its_price()
    {
        var account = await _gateway.RichAsync();
        var manager = await App.ManagerAsync(account);
        _gateway.Upstream.Next(UpstreamScript.Says("one "));
        var body = Talk.BodyOf(
            Protocol.Anthropic,
            change: body =>
                body["system"] = new System.Text.Json.Nodes.JsonArray(
                    new System.Text.Json.Nodes.JsonObject
                    {
                        ["type"] = "text",
                        ["text"] = "Be brief.",
                        ["cache_control"] = new System.Text.Json.Nodes.JsonObject { ["type"] = "ephemeral", ["ttl"] = "1h" },
                    }
                )
        );
        var answer = (await App.SayAsync("/v1/messages", account.Key, body)).ShouldBe(200);
        var decisions = (await App.ExplainAsync(manager, answer)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions");
        decisions.EnumerateArray().ShouldAllBe(one => one.Text("rerun", "same") == "true", decisions.ToString());
    }

    [Fact]
    public async Task A_call_without_funds_names_what_they_would_do_for()
    {
        var account = await _gateway.RichAsync(nanos: 100_000);
        var manager = await App.ManagerAsync(account);
        var refused = await _gateway.AskAsync(Protocol.OpenAi, false, account.Key);
        var why = await App.WhyRefusedAsync(manager, refused, "insufficient_credits", "funds");
        (why.Text("kind"), why.Text("shortfall", "limit_source"), why.Text("shortfall", "available")).ShouldBe(
            ("place_call_hold", "balance", "0.0001")
        );
        why.Text("shortfall", "affordable_max_tokens").ShouldNotBe("null");
        why.Text("price", "cost").ShouldBe(why.Text("shortfall", "needed"));
        why.Text("price", "entry").ShouldBe("models/openai/plain");
        why.Text("asked", "input_tokens").ShouldNotBe("null");
        why.ToString().ShouldNotContain(Talk.Question);
    }

    [Fact]
    public async Task Calls_that_a_key_may_not_make_are_explained()
    {
        var account = await _gateway.RichAsync();
        var manager = await App.ManagerAsync(account);
        var narrow = await _gateway.KeyAsync(account, key => key with { AllowedModels = ["openai/free"] });
        var model = await App.WhyRefusedAsync(
            manager,
            await _gateway.AskAsync(Protocol.OpenAi, false, narrow.Key),
            "model_not_allowed",
            "model_allowed"
        );
        model.GetProperty("account").GetProperty("allowed_models")[0].GetString().ShouldBe("openai/free");
        var limited = await _gateway.KeyAsync(account, key => key with { LimitUsd = new(1_000, Unit.Usd) });
        var limit = await App.WhyRefusedAsync(
            manager,
            await _gateway.AskAsync(Protocol.OpenAi, false, limited.Key),
            "key_limit_reached",
            "key_limit"
        );
        (limit.Text("limits", "0", "unit"), limit.Text("limits", "0", "limit")).ShouldBe(("usd", "0.000001"));
        var subscription = await _gateway.KeyAsync(account, key => key with { Billing = KeyBilling.Subscription });
        await App.WhyRefusedAsync(
            manager,
            await _gateway.AskAsync(Protocol.OpenAi, false, subscription.Key),
            "key_kind_not_allowed",
            "key_kind"
        );
        await App.WhyRefusedAsync(
            manager,
            await _gateway.AskAsync(Protocol.OpenAi, false, account.Key, "openai/nothing"),
            "unknown_model",
            "price"
        );

        // Refused at the door, before the body is looked at.
        var revoked = await _gateway.KeyAsync(account, key => key);
        await App.RevokeAsync(revoked);
        var access = await App.WhyRefusedAsync(
            manager,
            await _gateway.AskAsync(Protocol.OpenAi, false, revoked.Key),
            "key_not_usable",
            "key"
        );
        (access.Text("kind"), access.Text("account", "key_status")).ShouldBe(("access", "revoked"));

        // Too many at once: told, and not decided again.
        var slow = await _gateway.KeyAsync(account, key => key with { RateLimit = new(1, Domain.Money.Quantity.Parse("0.000001"), false) });
        await _gateway.AskAsync(Protocol.OpenAi, false, slow.Key, "openai/nothing");
        var many = await _gateway.AskAsync(Protocol.OpenAi, false, slow.Key);
        many.Status.ShouldBe(429);
        var decision = (await App.ExplainAsync(manager, many)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions")[0];
        (decision.Text("code"), decision.Text("rerun", "same")).ShouldBe(("rate_limited", "null"));
        decision.GetProperty("checks").EnumerateArray().Last().Text("passed").ShouldBe("false");
        (await App.GetAsync("/v1/account/refusals?code=rate_limited", manager)).Text("totals", "count").ShouldBe("1");
    }

    [Fact]
    public async Task A_quota_is_explained_in_tokens()
    {
        var account = await _gateway.SubscribedAsync();
        var manager = await App.ManagerAsync(account);
        const string Path = "/claudecode/v1/messages";
        _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(4_700, 5)));
        var served = (await App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic))).ShouldBe(200);
        var accepted = (await App.ExplainAsync(manager, served)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions");
        accepted.EnumerateArray().ShouldAllBe(one => one.Text("rerun", "same") == "true", accepted.ToString());
        accepted[1].Text("summary").ShouldBe("Accepted: 4705 tokens of the subscription's quota charged, by tiers/tiny.");
        accepted[0].Text("price", "rates", "tokens").ShouldBe("5000");

        var refused = await App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic, maxTokens: 1000));
        var why = await App.WhyRefusedAsync(manager, refused, "quota_exceeded", "funds");
        (why.Text("quota", "tier"), why.Text("quota", "used"), why.Text("quota", "left")).ShouldBe(("tiny", "4705", "295"));
        (why.Text("shortfall", "limit_source"), why.Text("shortfall", "unit"), why.Text("shortfall", "available")).ShouldBe(
            ("quota", "tokens", "295")
        );
        long.Parse(why.Text("shortfall", "needed")!, System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThan(1000);

        var without = await _gateway.SubscribedAsync(tier: null);
        await App.WhyRefusedAsync(
            await App.ManagerAsync(without),
            await App.SayAsync(Path, without.Key, Talk.BodyOf(Protocol.Anthropic)),
            "no_active_subscription",
            "subscription"
        );
    }

    [Fact]
    public async Task A_pack_is_explained_by_its_own_rates()
    {
        var account = await _gateway.RichAsync();
        var manager = await App.ManagerAsync(account);
        var body = Talk.BodyOf(Protocol.OpenAi, model: "plain", change: body => body["provider"] = "openai");
        var none = await App.WhyAsync(manager, await App.SayAsync(Chat, account.Key, body));
        (none.Text("verdict"), none.Text("code")).ShouldBe(("refused", "no_active_pack"));
        (none.Text("funds", "scope"), none.Text("price")).ShouldBe(("openai/plain", "null"));

        // Without a price there was nothing to hold against the key's limit.
        none.GetProperty("checks")
            .EnumerateArray()
            .TakeLast(3)
            .Select(check => (check.Text("check"), check.Text("passed")))
            .ShouldBe([("amount", "true"), ("key_limit", "null"), ("funds", "false")]);
    }

    [Fact]
    public async Task A_pack_that_pays_is_explained_and_one_that_does_not_cover_too()
    {
        var account = await _gateway.RichAsync();
        var manager = await App.ManagerAsync(account);
        await App.GrantAsync(account.Id, Amount.Credits(40), PocketSource.Pack, "openai/plain");
        var body = Talk.BodyOf(Protocol.OpenAi, model: "plain", change: body => body["provider"] = "openai");
        _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(24, 86)));
        var served = (await App.SayAsync(Chat, account.Key, body)).ShouldBe(200);
        var accepted = (await App.ExplainAsync(manager, served)).ShouldBe(200).Json.GetProperty("data").GetProperty("decisions");
        accepted.EnumerateArray().ShouldAllBe(one => one.Text("rerun", "same") == "true", accepted.ToString());
        (accepted[1].Text("price", "entry"), accepted[1].Text("price", "cost"), accepted[1].Text("price", "rates", "output")).ShouldBe(
            ("packs/plain-20k", "12", "125000")
        );
        accepted[1].Text("funds", "pockets", "0", "pays").ShouldBe("12");

        var long_ = Talk.BodyOf(Protocol.OpenAi, model: "plain", maxTokens: 1000, change: body => body["provider"] = "openai");
        var why = await App.WhyRefusedAsync(manager, await App.SayAsync(Chat, account.Key, long_), "no_active_pack", "funds");
        (why.Text("shortfall", "limit_source"), why.Text("funds", "available"), why.Text("price", "entry")).ShouldBe(
            ("pack", "28", "packs/plain-20k")
        );
    }

    [Fact]
    public async Task A_named_call_that_is_repeated_is_one_decision()
    {
        var account = await _gateway.RichAsync();
        var manager = await App.ManagerAsync(account);
        _gateway.Upstream.Next(UpstreamScript.Says("one "));
        var first = (await App.SayAsync(Chat, account.Key, Talk.BodyOf(Protocol.OpenAi), ("Idempotency-Key", "n1"))).ShouldBe(200);
        var again = (await App.SayAsync(Chat, account.Key, Talk.BodyOf(Protocol.OpenAi), ("Idempotency-Key", "n1"))).ShouldBe(200);
        again.Header("Idempotent-Replayed").ShouldBe("true");
        (await App.ExplainAsync(manager, first)).ShouldBe(200);

        // It decided nothing; the charge that it was answered from did.
        (await App.ExplainAsync(manager, again)).ShouldBe(404);
        (await App.GetAsync("/v1/account/decisions/" + again.Header("x-ledger-spend-id"), manager))
            .ShouldBe(200)
            .Text("data", "request_id")
            .ShouldBe(first.Header("x-request-id"));
        (await App.GetAsync("/v1/account/refusals", manager)).Text("totals", "count").ShouldBe("0");

        var conflict = await App.SayAsync(Chat, account.Key, Talk.BodyOf(Protocol.OpenAi, maxTokens: 7), ("Idempotency-Key", "n1"));
        await App.WhyRefusedAsync(manager, conflict, "reference_conflict", "reference");
    }
}
