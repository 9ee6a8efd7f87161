using System.Globalization;
using System.Text.Json;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Tests.Payments;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>The pack dialect: the document's answer to the letter, paid from the packs for the pair.</summary>
public sealed class PackCallTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private const string Route = "/v1/chat/completions";
    private readonly GatewayApp _gateway = shared.Gateway;

    // 24 in, 86 out: 1.2 + 10.75 credits, rounded up: the document's own figures.
    private static UpstreamScript Document => UpstreamScript.Says("Hello ", "there").Using(new(24, 86));

    [Fact]
    public async Task The_answer_is_the_documents_to_the_letter()
    {
        var account = await BoughtAsync();
        _gateway.Upstream.Next(Document);

        var answer = (await _gateway.App.SayAsync(Route, account.Key, BodyOf())).ShouldBe(200);

        var charge = await _gateway.App.ChargeAsync(account);
        var latency = charge.Call!.LatencyMs.ToString(CultureInfo.InvariantCulture);
        var pack = (await _gateway.App.GetAsync("/v1/packs", account.Key)).Json.GetProperty("owned")[0].GetProperty("id").GetString();
        var spend = (await _gateway.App.EventsAsync(account.Id))[^1].Id.ToString("N");
        answer.ShouldBe(
            200,
            $$$"""{"content":"Hello there","usage":{"inputTokens":24,"outputTokens":86,"totalTokens":110,"costCredits":12,"latencyMs":{{{latency}}}},"pack":{"id":"{{{pack}}}","remainingTokensEst":199880,"internalCreditsRemaining":19988,"status":"ACTIVE"},"usageLogId":"ul_{{{spend}}}"}"""
        );
        answer.ShouldHave("x-ledger-cost", "12").ShouldHave("x-ledger-unit", "credits").ShouldHave("x-ledger-balance", "19988");
        charge.Charged.ShouldBe(Amount.Credits(12));
        charge.Entry.ShouldBe("packs/plain-20k");
        charge.Tool.ShouldBe("pack");
        (charge.Call with { LatencyMs = 0, FirstByteMs = null }).ShouldBe(
            new("openai", "plain", new(24, 0, 0, 0, 86), false, CallOutcome.Completed, 0, null, Talk.OpenAiUsage(24, 86))
        );

        // Not by the other name, and not with a member that no provider knows.
        var sent = _gateway.Upstream.Calls[^1];
        sent.Model.ShouldBe("up-plain");
        sent.Json.TryGetProperty("provider", out _).ShouldBeFalse(sent.Text);
    }

    [Fact]
    public async Task A_stream_says_the_same_in_its_last_chunk()
    {
        var account = await BoughtAsync();
        _gateway.Upstream.Next(Document);
        var answer = (await _gateway.App.SayAsync(Route, account.Key, BodyOf(isStream: true))).ShouldBe(200);

        var data = Talk.DataOf(answer.Body);
        data[^1].ShouldBe("[DONE]");
        var last = JsonElement.Parse(data[^2]);
        last.EnumerateObject()
            .Select(member => member.Name)
            .ShouldBe(["id", "object", "created", "model", "choices", "usage", "pack", "usageLogId"], data[^2]);
        foreach (var name in (string[])["id", "model"])
            Talk.DataOf(answer.Body)
                .SkipLast(1)
                .Select(chunk => JsonElement.Parse(chunk).GetProperty(name).GetString())
                .Distinct()
                .ShouldHaveSingleItem();
        last.GetProperty("model").GetString().ShouldBe("plain");
        last.GetProperty("usage").GetProperty("costCredits").GetInt64().ShouldBe(12);
        last.GetProperty("usage").GetProperty("totalTokens").GetInt64().ShouldBe(110);
        last.GetProperty("pack").GetProperty("internalCreditsRemaining").GetInt64().ShouldBe(19_988);
        last.GetProperty("created").GetInt64().ShouldBe(_gateway.App.Clock.Now.ToUnixTimeSeconds());
        var spend = (await _gateway.App.EventsAsync(account.Id))[^1].Id;
        last.GetProperty("usageLogId").GetString().ShouldBe("ul_" + spend.ToString("N"));
        answer.ShouldHave("x-ledger-spend-id", spend.ToString());

        // Each chunk has its text in both places, and nothing else speaks of what was used.
        var texts = data.SkipLast(2).Select(chunk => JsonElement.Parse(chunk)).ToList();
        string.Concat(
                texts.Where(chunk => chunk.TryGetProperty("content", out _)).Select(chunk => chunk.GetProperty("content").GetString())
            )
            .ShouldBe("Hello there");
        Talk.TextOf(Protocol.OpenAi, true, answer.Body).ShouldBe("Hello there");
        texts.ShouldAllBe(chunk => !HasMember(chunk, "usage"));
    }

    [Fact]
    public async Task Two_packs_pay_one_after_the_other_and_the_last_one_is_told()
    {
        var account = await _gateway.RichAsync(0);
        await _gateway.App.GrantAsync(account.Id, Amount.Credits(5), PocketSource.Pack, "openai/plain", _gateway.App.Clock.Now.AddDays(1));
        await _gateway.App.GrantAsync(
            account.Id,
            Amount.Credits(100),
            PocketSource.Pack,
            "openai/plain",
            _gateway.App.Clock.Now.AddDays(2)
        );
        _gateway.Upstream.Next(Document);
        var answer = (await _gateway.App.SayAsync(Route, account.Key, BodyOf())).ShouldBe(200);
        answer.Json.GetProperty("usage").GetProperty("costCredits").GetInt64().ShouldBe(12);
        answer.Json.GetProperty("pack").GetProperty("internalCreditsRemaining").GetInt64().ShouldBe(93);
        answer.ShouldHave("x-ledger-balance", "93");
        var charge = await _gateway.App.ChargeAsync(account);
        charge.FromHold.Select(share => share.Parts).ShouldBe([5_000_000, 7_000_000]);
        var owned = (await _gateway.App.GetAsync("/v1/packs", account.Key)).Json.GetProperty("owned");
        owned.EnumerateArray().Select(pack => pack.GetProperty("status").GetString()).ShouldBe(["ACTIVE", "EXHAUSTED"]);
        owned[0].GetProperty("id").GetString().ShouldBe(answer.Text("pack", "id"));
    }

    [Fact]
    public async Task Without_a_pack_for_the_pair_there_is_no_answer()
    {
        // Neither dollars, nor another model's pack, nor unscoped credits.
        var account = await _gateway.RichAsync();
        await _gateway.App.GrantAsync(account.Id, Amount.Credits(1_000));
        await _gateway.App.GrantAsync(account.Id, Amount.Credits(1_000), PocketSource.Pack, "deepseek/deepseek-chat");
        foreach (var isStream in (bool[])[false, true])
        {
            var answer = await _gateway.App.SayAsync(Route, account.Key, BodyOf(isStream));
            answer.ShouldRefuse(Protocol.OpenAi, (402, "no_active_pack"), default);
            answer.Text("error", "limit_source").ShouldBe("pack");
        }

        await _gateway.ShouldBeFreeAsync(account);
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(model: "nothing"))).ShouldRefuse(
            Protocol.OpenAi,
            (400, "model_not_found"),
            default
        );
    }

    [Fact]
    public async Task A_pack_that_runs_out_names_what_it_does_for()
    {
        var account = await _gateway.RichAsync(0);
        await _gateway.App.GrantAsync(account.Id, Amount.Credits(10), PocketSource.Pack, "openai/plain");
        var refused = await _gateway.App.SayAsync(Route, account.Key, BodyOf());
        refused.ShouldRefuse(Protocol.OpenAi, (402, "no_active_pack"), default);
        (refused.Text("error", "limit_source"), refused.Text("error", "available"), refused.Text("error", "unit")).ShouldBe(
            ("pack", "10", "credits")
        );
        var most = long.Parse(refused.Text("error", "affordable_max_tokens")!, CultureInfo.InvariantCulture);
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(maxTokens: most + 1))).ShouldBe(402);
        _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(1, 1)), UpstreamScript.Says("one ").Using(new(1, 1)));
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(maxTokens: most))).ShouldBe(200);
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(), ("X-Ledger-Clamp", "allow"))).ShouldBe(200);
        _gateway.Upstream.Calls[^1].Json.GetProperty("max_tokens").GetInt64().ShouldBeLessThan(most);
    }

    [Fact]
    public async Task A_pack_whose_provider_fails_is_not_touched()
    {
        var account = await BoughtAsync();
        _gateway.Upstream.Next(UpstreamScript.Refuses(500));
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf())).ShouldRefuse(Protocol.OpenAi, (502, "upstream_error"), default);
        await _gateway.ShouldBeFreeAsync(account, 0);
        (await _gateway.App.GetAsync("/v1/packs", account.Key))
            .Json.GetProperty("owned")[0]
            .GetProperty("internalCreditsRemaining")
            .GetInt64()
            .ShouldBe(20_000);
    }

    [Fact]
    public async Task The_model_may_be_named_with_its_provider_but_not_by_an_alias()
    {
        var account = await BoughtAsync();
        _gateway.Upstream.Next(Document);
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(model: "openai/plain"))).ShouldBe(200);
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(model: "auto"))).ShouldRefuse(
            Protocol.OpenAi,
            (400, "model_not_found"),
            default
        );
    }

    [Fact]
    public async Task More_than_one_choice_is_refused_where_the_answer_has_room_for_one()
    {
        var account = await BoughtAsync();
        var before = _gateway.Upstream.Calls.Count;
        var refused = await _gateway.App.SayAsync(Route, account.Key, BodyOf(change: body => body["n"] = 2));
        refused.ShouldRefuse(Protocol.OpenAi, (400, "invalid_request_error"), default);
        refused.Text("error", "param").ShouldBe("n");
        (await _gateway.App.FactsAsync(account.Id)).OfType<HoldPlaced>().ShouldBeEmpty();
        _gateway.Upstream.Calls.Count.ShouldBe(before);

        // Chunks say which choice they are of.
        _gateway.Upstream.Next(Document, Document);
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(isStream: true, change: body => body["n"] = 2))).ShouldBe(200);
        (await _gateway.App.SayAsync(Route, account.Key, BodyOf(change: body => body["n"] = 1))).ShouldBe(200);
    }

    [Fact]
    public async Task Tools_that_the_model_calls_are_in_the_answer()
    {
        var account = await BoughtAsync();
        _gateway.Upstream.Next(
            UpstreamScript.Says().Calling("call_a", "weather", """{"city":"Paris"}""").Using(new(24, 86)),
            UpstreamScript.Sends(
                200,
                """{"id":"c","model":"up-plain","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"No.","tool_calls":[],"function_call":{"name":"now","arguments":"{}"}},"finish_reason":"function_call"}],"usage":{"prompt_tokens":24,"completion_tokens":86}}"""
            )
        );
        var answer = (await _gateway.App.SayAsync(Route, account.Key, BodyOf())).ShouldBe(200);
        answer
            .Json.EnumerateObject()
            .Select(member => member.Name)
            .ShouldBe(["content", "tool_calls", "finish_reason", "usage", "pack", "usageLogId"], answer.Body);
        answer.Text("content").ShouldBe("");
        answer.Text("finish_reason").ShouldBe("tool_calls");
        var call = answer.Json.GetProperty("tool_calls").EnumerateArray().ShouldHaveSingleItem();
        call.GetProperty("id").GetString().ShouldBe("call_a");
        call.GetProperty("function").GetProperty("name").GetString().ShouldBe("weather");
        call.GetProperty("function").GetProperty("arguments").GetString().ShouldBe("""{"city":"Paris"}""");

        var older = (await _gateway.App.SayAsync(Route, account.Key, BodyOf())).ShouldBe(200);
        older.Body.ShouldStartWith(
            """{"content":"","refusal":"No.","function_call":{"name":"now","arguments":"{}"},"finish_reason":"function_call","usage":{"""
        );
    }

    [Fact]
    public async Task A_model_whose_own_name_begins_with_its_providers_is_found_by_it()
    {
        await using var gateway = await SharedGateway.StartAsync();
        await gateway.App.PublishAsync(card =>
        {
            var echo = card.Models.Single(model => (model.Provider, model.Model) == ("sandbox", "echo"));
            var pack = card.Packs[0];
            return card with
            {
                Models =
                [
                    .. card.Models,
                    echo with
                    {
                        Provider = "openai",
                        Model = "openai/auto",
                        UpstreamModel = "up-auto",
                        Fallbacks = [],
                    },
                ],
                Packs = [.. card.Packs, pack with { Id = "auto-20k", Provider = "openai", Model = "openai/auto" }],
            };
        });
        var account = await gateway.RichAsync(0);
        await gateway.App.GrantAsync(account.Id, Amount.Credits(1_000), PocketSource.Pack, "openai/openai/auto");
        gateway.Upstream.Otherwise(Document);
        foreach (var name in (string[])["openai/auto", "openai/openai/auto"])
            (await gateway.App.SayAsync(Route, account.Key, BodyOf(model: name))).ShouldBe(200);
        gateway.Upstream.Calls.Select(call => call.Model).ShouldBe(["up-auto", "up-auto"]);
    }

    private static bool HasMember(JsonElement json, string name) => json.TryGetProperty(name, out _);

    private static string BodyOf(
        bool isStream = false,
        string model = "plain",
        long maxTokens = 100,
        Action<System.Text.Json.Nodes.JsonObject>? change = null
    ) =>
        Talk.BodyOf(
            Protocol.OpenAi,
            isStream,
            model,
            maxTokens,
            change: body =>
            {
                body["provider"] = "openai";
                change?.Invoke(body);
            }
        );

    private async Task<TestAccount> BoughtAsync()
    {
        var account = await _gateway.RichAsync(0);
        (await _gateway.App.PressAsync(await _gateway.App.OrderPackAsync(account, "plain-20k"), "pay")).ShouldBe(200);
        return account;
    }
}
