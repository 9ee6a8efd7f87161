using System.Text.Json.Nodes;
using Ledger.Upstream;
using static Ledger.Api.Tests.Gateway.Clients.Asks;

namespace Ledger.Api.Tests.Gateway.Clients;

/// <summary>Anthropic's own client for Node, against this server: before a provider of its own protocol, and before one of the other.</summary>
public sealed class AnthropicNodeTests(ClientWorld world) : IClassFixture<ClientWorld>
{
    private static readonly UpstreamScript Answer = UpstreamScript.Says("Hello ", "there").Using(new(7, 3, CacheRead: 1));
    private static readonly UpstreamScript TwoCalls = UpstreamScript
        .Says()
        .Using(new(40, 20))
        .Calling("toolu_1", "weather", """{"city":"Oslo"}""")
        .Calling("toolu_2", "weather", """{"city":"Rome"}""");

    public static TheoryData<string> Models => new("claude-sonnet-4-5", "openai/plain");

    public static TheoryData<string> Tools => new("claudecode", "cline", "cursor", "roocode");

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_message_is_read_and_charged_to_the_smallest_part(string model)
    {
        var account = await world.OpenAsync(Answer);
        var seen = await world.RunAsync("anthropic", "create", account.Key, Input(Message(model)));

        var answer = seen.Answer;
        answer.GetProperty("type").GetString().ShouldBe("message");
        answer.GetProperty("model").GetString().ShouldBe(model);
        answer.GetProperty("content").GetRawText().ShouldBe("""[{"type":"text","text":"Hello there"}]""");
        answer.GetProperty("stop_reason").GetString().ShouldBe("end_turn");
        answer.GetProperty("usage").GetProperty("input_tokens").GetInt32().ShouldBe(7);
        answer.GetProperty("usage").GetProperty("cache_read_input_tokens").GetInt32().ShouldBe(1);
        answer.GetProperty("usage").GetProperty("output_tokens").GetInt32().ShouldBe(3);
        seen.Cost.ShouldBe("0.0000131");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_stream_has_every_event_in_its_place(string model)
    {
        var account = await world.OpenAsync(Answer);
        var seen = await world.RunAsync("anthropic", "stream", account.Key, Input(Message(model)));
        seen["events"]
            .EnumerateArray()
            .Select(e => e.GetString()!)
            .Where((e, at) => at == 0 || e != seen["events"][at - 1].GetString())
            .ShouldBe([
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ]);
        seen["text"].GetString().ShouldBe("Hello there");
        seen["stop"].GetString().ShouldBe("end_turn");
        seen["model"].GetString().ShouldBe(model);
        seen["usage"].GetProperty("output_tokens").GetInt32().ShouldBe(3);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task The_helper_puts_a_stream_together_also_where_tools_are_called_side_by_side(string model)
    {
        var account = await world.OpenAsync(TwoCalls);
        var seen = await world.RunAsync("anthropic", "helper", account.Key, Input(Message(model, $$"""{"tools":{{AnthropicTools}}}""")));
        seen.Answer.GetProperty("stop_reason").GetString().ShouldBe("tool_use", seen.ToString());
        seen.Answer.GetProperty("content")
            .EnumerateArray()
            .Select(block =>
                $"{block.GetProperty("type")} {block.GetProperty("id")} {block.GetProperty("name")} {block.GetProperty("input").GetRawText()}"
            )
            .ShouldBe(["""tool_use toolu_1 weather {"city":"Oslo"}""", """tool_use toolu_2 weather {"city":"Rome"}"""]);
        seen.Answer.GetProperty("usage").GetProperty("output_tokens").GetInt32().ShouldBe(20);
        (await world.ChargesAsync(account)).ShouldBe(["0.00008 completed"]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task The_loop_that_runs_tools_comes_to_its_end_and_each_turn_is_charged(string model)
    {
        var account = await world.OpenAsync(TwoCalls, Answer);
        var seen = await world.RunAsync("anthropic", "runTools", account.Key, Input(Message(model, $$"""{"tools":{{AnthropicTools}}}""")));
        seen.Answer.GetProperty("content")[0].GetProperty("text").GetString().ShouldBe("Hello there");
        seen.Statuses.ShouldBe([200, 200]);
        world.Upstream.Calls[^1].Text.ShouldContain("Sunny in Oslo");
        world.Upstream.Calls[^1].Text.ShouldContain("Sunny in Rome");
        (await world.ChargesAsync(account)).ShouldBe(["0.00008 completed", "0.0000131 completed"]);
    }

    [Fact]
    public async Task Thinking_caching_pictures_and_tool_results_travel_as_they_came()
    {
        var account = await world.OpenAsync(
            UpstreamScript.Says("Blue").Using(new(10, 5, CacheRead: 3, CacheWrite: 4, CacheWrite1h: 2)).With("anthropic-beta", "seen")
        );
        var body = Message(
            more: $$$$$"""
            {"max_tokens":900,"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
             "thinking":{"type":"enabled","budget_tokens":300},"metadata":{"user_id":"u-1"},"tools":{{{{{AnthropicTools}}}}},"tool_choice":{"type":"auto","disable_parallel_tool_use":true},
             "messages":[
               {"role":"user","content":[{"type":"text","text":"What colour?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"{{{{{Pixel}}}}}"},"cache_control":{"type":"ephemeral"}}]},
               {"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Oslo"}}]},
               {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"Sunny"}]},
               {"role":"system","content":"It is evening now."}]}
            """
        );
        var seen = await world.RunAsync(
            "anthropic",
            "create",
            account.Key,
            Input(body, """{"options":{"headers":{"anthropic-beta":"extended-cache-ttl-2025-04-11","x-custom":"stays here"}}}""")
        );
        seen.Answer.GetProperty("content")[0].GetProperty("text").GetString().ShouldBe("Blue");
        var sent = world.Upstream.Calls[^1];
        foreach (var member in (string[])["system", "thinking", "metadata", "tools", "tool_choice", "messages"])
            sent.Json.GetProperty(member).GetRawText().ShouldBe(body[member]!.ToJsonString(), member);
        sent.Header("anthropic-beta").ShouldBe("extended-cache-ttl-2025-04-11");
        sent.Header("anthropic-version").ShouldBe("2026-10-21");
        sent.Header("x-custom").ShouldBeNull();
        sent.Contains(account.Key).ShouldBeFalse();
        (await world.ChargesAsync(account)).ShouldBe(["0.0000293 completed"]);
    }

    [Fact]
    public async Task A_conversation_is_told_to_the_other_provider_in_its_own_words()
    {
        var account = await world.OpenAsync(Answer);
        var body = Message(
            "gpt-4o",
            $$$$$"""
            {"system":"Be brief.","thinking":{"type":"enabled","budget_tokens":1024},"tools":{{{{{AnthropicTools}}}}},
             "messages":[
               {"role":"user","content":[{"type":"text","text":"What colour?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"{{{{{Pixel}}}}}"}}]},
               {"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Oslo"}}]},
               {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"Sunny"}]}]},
               {"role":"system","content":[{"type":"text","text":"It is evening now."}]}]}
            """
        );
        await world.RunAsync("anthropic", "create", account.Key, Input(body));
        var messages = world.Upstream.Calls[^1].Json.GetProperty("messages");
        messages
            .EnumerateArray()
            .Select(message => message.GetProperty("role").GetString())
            .ShouldBe(["system", "user", "assistant", "tool", "system"]);
        messages[1].GetRawText().ShouldContain("data:image/png;base64," + Pixel);
        messages[3].GetRawText().ShouldBe("""{"role":"tool","tool_call_id":"toolu_1","content":"Sunny"}""");
        messages[4].GetRawText().ShouldBe("""{"role":"system","content":"It is evening now."}""");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task Tokens_are_counted_for_nothing()
    {
        var account = await world.OpenAsync();
        var plain = await world.RunAsync("anthropic", "count", account.Key, Input(Message()));
        var tuned = await world.RunAsync("anthropic", "count", account.Key, Input(Message(), """{"prefix":"/claudecode"}"""));
        plain.Answer.GetProperty("input_tokens").GetInt32().ShouldBeGreaterThan(0);
        tuned.Answer.GetProperty("input_tokens").GetInt32().ShouldBeGreaterThan(plain.Answer.GetProperty("input_tokens").GetInt32());
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("/claudecode")]
    public async Task Models_come_page_by_page_and_are_found_also_by_a_name_with_a_slash(string prefix)
    {
        var account = await world.OpenAsync();
        var seen = await world.RunAsync("anthropic", "models", account.Key, new { id = "openai/plain", prefix });
        var all = (await world.App.GetAsync("/v1/models", account.Key)).Json.GetProperty("data");
        seen["ids"]
            .EnumerateArray()
            .Select(id => id.GetString())
            .ShouldBe(all.EnumerateArray().Select(model => model.GetProperty("id").GetString()));
        seen.Statuses.Count.ShouldBe(((all.GetArrayLength() + 2) / 3) + 1);
        seen["model"].GetProperty("display_name").GetString().ShouldBe("plain");
    }

    [Theory]
    [MemberData(nameof(Tools))]
    public async Task A_tools_address_is_paid_from_the_subscriptions_quota(string tool)
    {
        var account = await world.SubscribeAsync("pro", Answer);
        var seen = await world.RunAsync(
            "anthropic",
            "helper",
            account.Key,
            Input(Message(more: """{"system":"Mine."}"""), $$"""{"prefix":"/{{tool}}"}""")
        );
        seen.Answer.GetProperty("content")[0].GetProperty("text").GetString().ShouldBe("Hello there", seen.ToString());
        var system = world.Upstream.Calls[^1].Json.GetProperty("system");
        system.GetArrayLength().ShouldBe(2);
        system[1].GetProperty("text").GetString().ShouldBe("Mine.");
        (await world.ChargesAsync(account)).ShouldBe(["0 completed"]);
        (await world.App.GetAsync("/tenant/subscription", account.Key)).Json.GetProperty("used").GetInt64().ShouldBe(11);
    }

    [Fact]
    public async Task A_tools_address_is_paid_from_the_prepaid_dollars_by_other_keys()
    {
        var account = await world.OpenAsync(Answer);
        var seen = await world.RunAsync("anthropic", "create", account.Key, Input(Message(), """{"prefix":"/cline"}"""));
        seen.Cost.ShouldBe("0.0000131");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task A_key_comes_as_a_token_or_in_its_own_header()
    {
        var account = await world.OpenAsync(Answer, Answer);
        var body = Message();
        var token = await world.RunAsync("anthropic", "create", "", Input(body, $$$"""{"client":{"authToken":"{{{account.Key}}}"}}"""));
        token.Statuses.ShouldBe([200]);
        var header = await world.RunAsync(
            "anthropic",
            "create",
            "",
            Input(body, $$$$"""{"client":{"apiKey":null,"authToken":null,"defaultHeaders":{"x-api-key":"{{{{account.Key}}}}"}}}""")
        );
        header.Statuses.ShouldBe([200], header.ToString());
    }

    [Fact]
    public async Task A_repeat_under_one_name_is_the_first_answer_again_and_a_charged_stream_a_conflict()
    {
        var account = await world.OpenAsync(Answer, Answer);
        var input = Input(Message(), """{"options":{"headers":{"Idempotency-Key":"order 17"}}}""");
        var first = await world.RunAsync("anthropic", "create", account.Key, input);
        var again = await world.RunAsync("anthropic", "create", account.Key, input);
        again.Answer.GetRawText().ShouldBe(first.Answer.GetRawText());
        again["requests"][0].GetProperty("replayed").GetString().ShouldBe("true");

        var streamed = Input(Message(), """{"options":{"headers":{"Idempotency-Key":"order 18"}}}""");
        (await world.RunAsync("anthropic", "stream", account.Key, streamed))["text"].GetString().ShouldBe("Hello there");
        var refused = await world.RunAsync("anthropic", "stream", account.Key, streamed);
        refused.ErrorLine.ShouldBe("ConflictError 409 invalid_request_error");
        refused.Statuses.ShouldBe([409]);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed", "0.0000131 completed"]);
    }

    [Theory]
    [InlineData("""{"model":"none"}""", "NotFoundError 404 not_found_error")]
    [InlineData("""{"messages":[]}""", "BadRequestError 400 invalid_request_error")]
    [InlineData("""{"messages":[{"role":"tool","content":"x"}]}""", "BadRequestError 400 invalid_request_error")]
    [InlineData("""{"model":"openai/free"}""", "PermissionDeniedError 403 permission_error")]
    [InlineData("""{"model":"nobody/plain"}""", "InternalServerError 502 api_error")]
    public async Task What_cannot_succeed_is_asked_once_and_costs_nothing(string change, string error)
    {
        var account = await world.WithKeyAsync(
            await world.OpenAsync(),
            key => key with { AllowedModels = ["claude-sonnet-4-5", "none", "anthropic/plain", "nobody/plain"] }
        );
        var seen = await world.RunAsync("anthropic", "create", account.Key, Input(Message(more: change)));
        seen.ErrorLine.ShouldBe(error);
        seen.Statuses.Count.ShouldBe(1);
        seen.Error.GetProperty("request").GetString().ShouldNotBeNullOrEmpty();
        seen.Error.GetProperty("body").GetProperty("request_id").GetString().ShouldBe(seen.Error.GetProperty("request").GetString());
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_wrong_key_is_an_authentication_error()
    {
        var seen = await world.RunAsync("anthropic", "create", "lk_live_nobody", Input(Message()));
        seen.ErrorLine.ShouldBe("AuthenticationError 401 authentication_error");
        seen.Statuses.ShouldBe([401]);
    }

    [Fact]
    public async Task Without_money_a_payment_is_required()
    {
        var account = await world.App.OpenAccountAsync();
        var seen = await world.RunAsync("anthropic", "create", account.Key, Input(Message()));
        seen.ErrorLine.ShouldBe("PaymentRequiredError 402 billing_error");
        seen.Statuses.ShouldBe([402]);
        seen.Error.GetProperty("body").GetProperty("error").GetProperty("limit_source").GetString().ShouldBe("balance");
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_told_so()
    {
        var account = await world.OpenAsync();
        var large = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = new string('x', 11 * 1024 * 1024) });
        var seen = await world.RunAsync(
            "anthropic",
            "create",
            account.Key,
            Input(Message(more: $$"""{"messages":{{large.ToJsonString()}}}"""))
        );
        seen.ErrorLine.ShouldBe("ContentTooLargeError 413 request_too_large");
        seen.Statuses.ShouldBe([413]);
    }

    [Fact]
    public async Task A_quota_that_is_used_up_is_no_wait_of_a_day()
    {
        var account = await world.SubscribeAsync("tiny", UpstreamScript.Says("Much").Using(new(4900, 100)));
        var input = Input(Message(), """{"prefix":"/claudecode"}""");
        (await world.RunAsync("anthropic", "create", account.Key, input)).Statuses.ShouldBe([200]);
        var seen = await world.RunAsync("anthropic", "create", account.Key, input);
        seen.ErrorLine.ShouldBe("RateLimitError 429 rate_limit_error");
        seen.Statuses.ShouldBe([429]);
        seen.Error.GetProperty("body").GetProperty("error").GetProperty("limit_source").GetString().ShouldBe("quota");
        (await world.ChargesAsync(account)).ShouldBe(["0 completed"]);
    }
}
