using Ledger.Domain.Money;
using Ledger.Upstream;
using static Ledger.Api.Tests.Gateway.Clients.Asks;

namespace Ledger.Api.Tests.Gateway.Clients;

/// <summary>OpenAI's own client for Node, against this server: before a provider of its own protocol, and before one of the other.</summary>
public sealed class OpenAiNodeTests(ClientWorld world) : IClassFixture<ClientWorld>
{
    private static readonly UpstreamUse Use = new(7, 3, CacheRead: 1);
    private static readonly UpstreamScript Answer = UpstreamScript.Says("Hello ", "there").Using(Use);
    private static readonly UpstreamScript TwoCalls = UpstreamScript
        .Says()
        .Using(new(40, 20))
        .Calling("call_1", "weather", """{"city":"Oslo"}""")
        .Calling("call_2", "weather", """{"city":"Rome"}""");

    public static TheoryData<string, string> Models =>
        new() { { "gpt-4o", "0.0000131 completed" }, { "anthropic/plain", "0.0000131 completed" } };

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_completion_is_read_and_charged_to_the_smallest_part(string model, string charge)
    {
        var account = await world.OpenAsync(Answer);
        var seen = await world.RunAsync("openai", "create", account.Key, Input(Chat(model)));

        var answer = seen.Answer;
        answer.GetProperty("object").GetString().ShouldBe("chat.completion");
        answer.GetProperty("model").GetString().ShouldBe(model);
        answer.GetProperty("created").GetInt64().ShouldBeGreaterThan(0);
        var choice = answer.GetProperty("choices")[0];
        choice.GetProperty("message").GetProperty("content").GetString().ShouldBe("Hello there");
        choice.GetProperty("finish_reason").GetString().ShouldBe("stop");
        answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32().ShouldBe(8);
        answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32().ShouldBe(3);
        answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32().ShouldBe(1);
        seen.Cost.ShouldBe("0.0000131");
        (await world.ChargesAsync(account)).ShouldBe([charge]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_stream_says_what_it_used_only_to_who_asked(string model, string charge)
    {
        var account = await world.OpenAsync(Answer, Answer);
        var silent = await world.RunAsync("openai", "stream", account.Key, Input(Chat(model)));
        silent["text"].GetString().ShouldBe("Hello there");
        silent["finish"].GetString().ShouldBe("stop");
        silent.Raw("models").ShouldBe($"""["{model}"]""");
        silent.Raw("usages").ShouldBe("[]");

        var telling = await world.RunAsync(
            "openai",
            "stream",
            account.Key,
            Input(Chat(model, """{"stream_options":{"include_usage":true}}"""))
        );
        telling["text"].GetString().ShouldBe("Hello there");
        telling["usages"].GetArrayLength().ShouldBe(1);
        telling["usages"][0].GetProperty("prompt_tokens").GetInt32().ShouldBe(8);
        telling["usages"][0].GetProperty("completion_tokens").GetInt32().ShouldBe(3);
        telling["chunks"].GetInt32().ShouldBe(silent["chunks"].GetInt32() + 1);
        (await world.ChargesAsync(account)).ShouldBe([charge, charge]);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task The_helper_puts_a_stream_together(string model, string charge)
    {
        var account = await world.OpenAsync(Answer);
        var seen = await world.RunAsync("openai", "helper", account.Key, Input(Chat(model)));
        seen.Answer.GetProperty("model").GetString().ShouldBe(model);
        seen.Answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString().ShouldBe("Hello there");
        (await world.ChargesAsync(account)).ShouldBe([charge]);
    }

    [Theory]
    [InlineData("gpt-4o")]
    [InlineData("anthropic/plain")]
    public async Task Parallel_calls_of_tools_come_whole_in_a_stream(string model)
    {
        var account = await world.OpenAsync(TwoCalls);
        var seen = await world.RunAsync("openai", "stream", account.Key, Input(Chat(model, $$"""{"tools":{{OpenAiTools}}}""")));
        seen.Raw("calls")
            .ShouldBe(
                """[{"id":"call_1","name":"weather","arguments":"{\"city\":\"Oslo\"}"},{"id":"call_2","name":"weather","arguments":"{\"city\":\"Rome\"}"}]"""
            );
        seen["finish"].GetString().ShouldBe("tool_calls");
        (await world.ChargesAsync(account)).ShouldBe(["0.00008 completed"]);
    }

    [Theory]
    [InlineData("gpt-4o")]
    [InlineData("anthropic/plain")]
    public async Task The_loop_that_runs_tools_comes_to_its_end_and_each_turn_is_charged(string model)
    {
        var account = await world.OpenAsync(TwoCalls, Answer);
        var before = world.Upstream.Calls.Count;
        var seen = await world.RunAsync("openai", "runTools", account.Key, Input(Chat(model, $$"""{"tools":{{OpenAiTools}}}""")));
        seen["text"].GetString().ShouldBe("Hello there", seen.ToString());
        seen.Raw("roles").ShouldBe("""["user","assistant","tool","tool","assistant"]""");
        seen["usage"].GetProperty("total_tokens").GetInt32().ShouldBe(71);

        var second = world.Upstream.Calls.Skip(before).Last().Text;
        second.ShouldContain("Sunny in Oslo");
        second.ShouldContain("Sunny in Rome");
        (await world.ChargesAsync(account)).ShouldBe(["0.00008 completed", "0.0000131 completed"]);
    }

    [Fact]
    public async Task Response_formats_pictures_and_whatever_else_travel_as_they_came()
    {
        var account = await world.OpenAsync(UpstreamScript.Says("""{"sky":"blue"}""").Using(Use));
        var body = Chat(
            more: $$$$$"""
            {"messages":[{"role":"user","content":[{"type":"text","text":"What colour?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{{{Pixel}}}}}","detail":"low"}}]}],
             "response_format":{"type":"json_schema","json_schema":{"name":"sky","strict":true,"schema":{"type":"object","properties":{"sky":{"type":"string"}},"required":["sky"],"additionalProperties":false}}},
             "reasoning_effort":"low","seed":7,"user":"u-1"}
            """
        );
        var seen = await world.RunAsync("openai", "create", account.Key, Input(body));
        seen.Answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString().ShouldBe("""{"sky":"blue"}""");
        var sent = world.Upstream.Calls[^1].Json;
        foreach (var member in (string[])["messages", "response_format", "reasoning_effort", "seed", "user"])
            sent.GetProperty(member).GetRawText().ShouldBe(body[member]!.ToJsonString(), member);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task A_picture_and_a_format_are_told_to_the_other_provider_in_its_own_words()
    {
        var account = await world.OpenAsync(UpstreamScript.Says("""{"sky":"blue"}""").Using(Use));
        var body = Chat(
            "anthropic/plain",
            $$$$$"""
            {"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{{{Pixel}}}}}"}}]}],
             "response_format":{"type":"json_schema","json_schema":{"name":"sky","schema":{"type":"object","properties":{"sky":{"type":"string"} } } } } }
            """
        );
        await world.RunAsync("openai", "create", account.Key, Input(body));
        var sent = world.Upstream.Calls[^1].Text;
        sent.ShouldContain($$"""{"type":"base64","media_type":"image/png","data":"{{Pixel}}"}""");
        sent.ShouldContain("Be brief.");
        sent.ShouldContain("output_config");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task Models_are_listed_and_found_also_by_a_name_with_a_slash()
    {
        var account = await world.OpenAsync();
        var seen = await world.RunAsync("openai", "models", account.Key, new { id = "openai/plain" });
        seen["ids"][0].GetString().ShouldBe("auto");
        seen["ids"].EnumerateArray().Select(id => id.GetString()).ShouldContain("deepseek/deepseek-chat");
        seen["model"].GetProperty("id").GetString().ShouldBe("openai/plain");
        seen["model"].GetProperty("owned_by").GetString().ShouldBe("openai");
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_repeat_under_one_name_is_the_first_answer_again()
    {
        var account = await world.OpenAsync(Answer);
        var input = Input(Chat(), """{"options":{"headers":{"Idempotency-Key":"order 17"}}}""");
        var first = await world.RunAsync("openai", "create", account.Key, input);
        var again = await world.RunAsync("openai", "create", account.Key, input);
        again.Answer.GetRawText().ShouldBe(first.Answer.GetRawText());
        again["requests"][0].GetProperty("replayed").GetString().ShouldBe("true");
        again["requests"][0].GetProperty("spend").GetString().ShouldBe(first["requests"][0].GetProperty("spend").GetString());
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task A_name_used_for_something_else_is_a_conflict_that_the_client_does_not_repeat()
    {
        var account = await world.OpenAsync(Answer);
        const string Named = """{"options":{"headers":{"Idempotency-Key":"order 17"}}}""";
        await world.RunAsync("openai", "create", account.Key, Input(Chat(), Named));
        var seen = await world.RunAsync("openai", "create", account.Key, Input(Chat(more: """{"temperature":0}"""), Named));
        seen.ErrorLine.ShouldBe("ConflictError 409 invalid_request_error idempotency_conflict");
        seen.Statuses.ShouldBe([409]);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Fact]
    public async Task A_wrong_key_is_an_authentication_error()
    {
        var seen = await world.RunAsync("openai", "create", "lk_live_nobody", Input(Chat()));
        seen.ErrorLine.ShouldBe("AuthenticationError 401 authentication_error invalid_api_key");
        seen.Statuses.ShouldBe([401]);
        seen.Error.GetProperty("request").GetString().ShouldNotBeNullOrEmpty();
        seen.Error.GetProperty("message").GetString().ShouldStartWith("401 A valid API key is required");
    }

    [Theory]
    [InlineData("""{"model":"none"}""", "BadRequestError 400 invalid_request_error model_not_found model")]
    [InlineData("""{"messages":7}""", "BadRequestError 400 invalid_request_error invalid_request_error messages")]
    [InlineData("""{"max_tokens":0}""", "BadRequestError 400 invalid_request_error invalid_request_error max_tokens")]
    [InlineData("""{"model":"openai/free"}""", "PermissionDeniedError 403 permission_error model_not_allowed model")]
    [InlineData("""{"provider":"openai","model":"plain"}""", "APIError 402 billing_error no_active_pack")]
    [InlineData("""{"model":"nobody/plain"}""", "InternalServerError 502 api_error provider_not_configured")]
    public async Task What_cannot_succeed_is_asked_once_and_costs_nothing(string change, string error)
    {
        var account = await world.WithKeyAsync(
            await world.OpenAsync(),
            key => key with { AllowedModels = ["gpt-4o", "none", "openai/plain", "nobody/plain"] }
        );
        var seen = await world.RunAsync("openai", "create", account.Key, Input(Chat(more: change)));
        seen.ErrorLine.ShouldBe(error);
        seen.Statuses.Count.ShouldBe(1);
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_subscriptions_key_may_not_use_the_route() =>
        (await world.RunAsync("openai", "create", (await world.SubscribeAsync("pro")).Key, Input(Chat()))).ErrorLine.ShouldBe(
            "PermissionDeniedError 403 permission_error permission_denied"
        );

    [Fact]
    public async Task An_unknown_model_of_the_list_is_not_found()
    {
        var account = await world.OpenAsync();
        var seen = await world.RunAsync("openai", "models", account.Key, new { id = "no/such" });
        seen.ErrorLine.ShouldBe("NotFoundError 404 invalid_request_error model_not_found model");
        seen.Statuses.ShouldBe([200, 404]);
    }

    [Fact]
    public async Task Where_money_is_short_the_error_says_what_would_do_and_that_does()
    {
        var account = await world.OpenAsync(Answer);
        var poor = await world.WithKeyAsync(account, key => key with { LimitUsd = new Amount(1_500_000, Unit.Usd) });
        var refused = await world.RunAsync("openai", "create", poor.Key, Input(Chat()));
        refused.ErrorLine.ShouldBe("APIError 402 billing_error key_limit_reached");
        refused.Statuses.ShouldBe([402]);
        var body = refused.Error.GetProperty("body");
        body.GetProperty("limit_source").GetString().ShouldBe("key");
        var affordable = body.GetProperty("affordable_max_tokens").GetInt64();
        var accepted = await world.RunAsync("openai", "create", poor.Key, Input(Chat(more: $$"""{"max_tokens":{{affordable}}}""")));
        accepted.Statuses.ShouldBe([200]);
    }

    [Fact]
    public async Task Too_many_requests_are_repeated_when_the_server_says_so()
    {
        var account = await world.WithKeyAsync(
            await world.OpenAsync(Answer, Answer),
            key => key with { RateLimit = new(1, Quantity.Of(1), false) }
        );
        var first = await world.RunAsync("openai", "create", account.Key, Input(Chat(), """{"client":{"maxRetries":0}}"""));
        first.Statuses.ShouldBe([200]);
        var second = await world.RunAsync("openai", "create", account.Key, Input(Chat(), """{"client":{"maxRetries":5}}"""));
        second.Statuses[^1].ShouldBe(200);
        second.Statuses.SkipLast(1).ShouldAllBe(status => status == 429);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed", "0.0000131 completed"]);
    }

    [Fact]
    public async Task A_long_wait_is_no_client_to_sleep_through()
    {
        var account = await world.WithKeyAsync(
            await world.OpenAsync(Answer),
            key => key with { RateLimit = new(1, Quantity.Parse("0.001"), false) }
        );
        await world.RunAsync("openai", "create", account.Key, Input(Chat()));
        var seen = await world.RunAsync("openai", "create", account.Key, Input(Chat()));
        seen.ErrorLine.ShouldBe("RateLimitError 429 rate_limit_error rate_limit_exceeded");
        seen.Statuses.ShouldBe([429]);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }
}
