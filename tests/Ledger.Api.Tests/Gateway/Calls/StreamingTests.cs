using System.Text.Json.Nodes;
using Ledger.Api.Gateway.Presets;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>What travels, and when: each piece as it comes, the end after the charge, and nothing of the request or the answer but what must be changed.</summary>
public sealed class StreamingTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private readonly GatewayApp _gateway = shared.Gateway;

    public static TheoryData<Protocol> Protocols => Talk.Protocols;

    /// <summary>The protocol of the caller, and the model: each provider's own, and the other one's.</summary>
    public static TheoryData<Protocol, string> Pairs =>
        new(
            from protocol in (Protocol[])[Protocol.OpenAi, Protocol.Anthropic]
            from model in (string[])[GatewayApp.OpenAiModel, GatewayApp.AnthropicModel]
            select (protocol, model)
        );

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task Each_piece_leaves_when_it_comes(Protocol protocol, string model)
    {
        var account = await _gateway.RichAsync();
        var (second, end) = (new Gate(), new Gate());
        _gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, second).HoldPiece(2, end));
        using var stream = await _gateway.OpenAsync(protocol, account.Key, Talk.BodyOf(protocol, true, model));
        stream.Header("Content-Type").ShouldBe("text/event-stream; charset=utf-8");
        stream.Header("Cache-Control").ShouldBe("no-cache");
        stream.Header("x-ledger-cost").ShouldBeNull();

        (await stream.UntilAsync("one two ")).ShouldNotContain("three");
        second.Open();
        await stream.UntilAsync("three 4 ");
        Talk.HasEnd(protocol, stream.Read).ShouldBeFalse();
        (await _gateway.App.FactsAsync(account.Id)).OfType<HoldSettled>().ShouldBeEmpty();

        end.Open();
        Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);
        (await _gateway.App.ChargeAsync(account)).Charged.ShouldBe(new(20_000, Unit.Usd));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task The_end_leaves_after_the_charge_is_committed(Protocol protocol, string model)
    {
        var account = await _gateway.RichAsync();
        var end = new Gate();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ").HoldPiece(1, end));
        using var stream = await _gateway.OpenAsync(protocol, account.Key, Talk.BodyOf(protocol, true, model));
        await stream.UntilAsync("one two ");

        await using var somebody = new NpgsqlConnection(_gateway.App.Database + ";Pooling=false");
        await somebody.OpenAsync();
        await using var transaction = await somebody.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("select id from mt_streams where id = $1 for update", somebody))
        {
            hold.Parameters.Add(new() { Value = "account-" + account.Id });
            await hold.ExecuteNonQueryAsync();
        }

        end.Open();
        var whole = stream.ToEndAsync();
        await using (
            var waits = new NpgsqlCommand(
                "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'ledger-writer' and wait_event_type = 'Lock'",
                somebody
            )
        )
            await Eventually.IsSoAsync(async () => await waits.ExecuteScalarAsync() is 1L);
        whole.IsCompleted.ShouldBeFalse();

        await transaction.RollbackAsync();
        Talk.HasEnd(protocol, await whole).ShouldBeTrue(stream.Read);
        (await _gateway.App.ChargeAsync(account)).Charged.ShouldBe(new(20_000, Unit.Usd));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task What_nobody_here_knows_travels_as_it_is(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        const string Unknown = """{"a":1.0,"b":[1e2,null],"\u0063":"é"}""";
        var body = Talk.BodyOf(protocol).TrimEnd('}') + $$""","weird":{{Unknown}},"temperature":0.70}""";
        var answered =
            protocol == Protocol.OpenAi
                ? """{"id":"c-1", "model":"up-plain","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","x":1.50},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"new":1.0},"extra":[1e2]}"""
                : """{"id":"m-1", "type":"message","model":"up-plain","content":[{"type":"text","text":"Hi","x":1.50}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5,"new":1.0},"extra":[1e2]}""";
        _gateway.Upstream.Next(UpstreamScript.Sends(200, answered));

        var answer = await _gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, body);

        var model = Talk.ModelOf(protocol);
        answer.ShouldBe(200, answered.Replace("up-plain", model, StringComparison.Ordinal));
        _gateway.Upstream.Calls[^1].Text.ShouldBe(body.Replace(model, "up-plain", StringComparison.Ordinal));
        (await _gateway.App.ChargeAsync(account)).Call!.Usage.ShouldBe(
            protocol == Protocol.OpenAi
                ? """{"prompt_tokens":10,"completion_tokens":5,"new":1.0}"""
                : """{"input_tokens":10,"output_tokens":5,"new":1.0}"""
        );
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task What_nobody_here_knows_travels_in_streams_too(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        var sent =
            protocol == Protocol.OpenAi
                ? """
                    data: {"id":"c","object":"chat.completion.chunk","model":"up-plain","choices":[{"index":0,"delta":{"content":"Hi","x":1.50},"finish_reason":null}],"extra":[1e2]}

                    data: {"id":"c","model":"up-plain","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"new":{}}

                    data: [DONE]


                    """
                : """
                    event: message_start
                    data: {"type":"message_start","message":{"id":"m","model":"up-plain","usage":{"input_tokens":10,"output_tokens":1},"extra":[1e2]}}

                    event: new_thing
                    data: {"type":"new_thing","x":1.50}

                    event: message_delta
                    data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5,"new":1.0}}

                    event: message_stop
                    data: {"type":"message_stop"}


                    """;
        _gateway.Upstream.Next(UpstreamScript.Sends(200, sent, "text/event-stream"));
        var answer = (await _gateway.AskAsync(protocol, true, account.Key)).ShouldBe(200);
        answer.Body.ShouldBe(sent.Replace("up-plain", Talk.ModelOf(protocol), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Usage_is_always_asked_for_and_told_to_whoever_asked()
    {
        foreach (var asks in (bool[])[false, true])
        {
            var account = await _gateway.RichAsync();
            _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(10, 5)));
            var body = Talk.BodyOf(
                Protocol.OpenAi,
                true,
                change: json => json["stream_options"] = new JsonObject { ["include_usage"] = asks, ["x"] = 1 }
            );
            var answer = (await _gateway.App.SayAsync("/v1/chat/completions", account.Key, body)).ShouldBe(200);
            _gateway.Upstream.Calls[^1].Text.ShouldContain("\"include_usage\":true");
            answer.Body.Contains("\"usage\"", StringComparison.Ordinal).ShouldBe(asks, answer.Body);
            (await _gateway.App.ChargeAsync(account)).Call!.Estimated.ShouldBeFalse();
        }
    }

    [Theory]
    [InlineData("claudecode")]
    [InlineData("cline")]
    [InlineData("cursor")]
    [InlineData("roocode")]
    public async Task The_preset_of_a_tool_comes_before_the_callers_own_words(string tool)
    {
        var account = await _gateway.RichAsync();
        var preset = _gateway.App.Services.GetRequiredService<PresetLibrary>().Find(tool)!;
        var body = Talk.BodyOf(Protocol.Anthropic, change: json => json["system"] = "My own words");
        (await _gateway.App.SayAsync($"/{tool}/v1/messages", account.Key, body)).ShouldBe(200);
        var system = _gateway.Upstream.Calls[^1].Json.GetProperty("system");
        system.EnumerateArray().Select(block => block.GetProperty("text").GetString()).ShouldBe([preset, "My own words"]);

        // By a provider that speaks the other protocol too.
        var crossed = Talk.BodyOf(Protocol.Anthropic, model: "auto", change: json => json["system"] = "My own words");
        (await _gateway.App.SayAsync($"/{tool}/v1/messages", account.Key, crossed)).ShouldBe(200);
        var text = _gateway.Upstream.Calls[^1].Text;
        var words = System.Text.Json.JsonElement.Parse(text).GetProperty("messages")[0].GetProperty("content").ToString();
        words.ShouldContain(preset[..60].Split('\n')[0]);
        words.ShouldContain("My own words");

        (await _gateway.App.SayAsync("/v1/messages", account.Key, body)).ShouldBe(200);
        _gateway.Upstream.Calls[^1].Json.GetProperty("system").GetString().ShouldBe("My own words");
        (await _gateway.AskAsync(Protocol.Anthropic, false, account.Key)).ShouldBe(200);
        _gateway.Upstream.Calls[^1].Json.TryGetProperty("system", out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData(Protocol.OpenAi, "auto", "up-plain", "/v1/chat/completions")]
    [InlineData(Protocol.OpenAi, "gpt-5.1-codex", "up-plain", "/v1/chat/completions")]
    [InlineData(Protocol.OpenAi, "claude-sonnet-4-5", "up-plain", "/v1/chat/completions")]
    [InlineData(Protocol.Anthropic, "claude-sonnet-4-5", "up-plain", "/v1/messages")]
    [InlineData(Protocol.Anthropic, "gpt-4o", "up-plain", "/v1/messages")]
    public async Task The_answer_is_called_as_it_was_asked_for(Protocol protocol, string model, string upstream, string path)
    {
        var account = await _gateway.RichAsync();
        foreach (var isStream in (bool[])[false, true])
        {
            var answer = (await _gateway.AskAsync(protocol, isStream, account.Key, model)).ShouldBe(200);
            answer.What.ShouldEndWith(path);
            answer.Body.ShouldContain($"\"model\":\"{model}\"");
            answer.Body.ShouldNotContain(upstream);
            _gateway.Upstream.Calls[^1].Model.ShouldBe(upstream);
        }
    }

    [Fact]
    public async Task Headers_that_say_how_to_read_the_request_travel()
    {
        var account = await _gateway.RichAsync();
        await _gateway.App.SayAsync(
            "/v1/messages",
            account.Key,
            Talk.BodyOf(Protocol.Anthropic),
            ("anthropic-beta", "one-2025-01-01,two-2025-02-02"),
            ("anthropic-version", "2024-10-22"),
            ("openai-beta", "other")
        );
        var call = _gateway.Upstream.Calls[^1];
        (call.Header("anthropic-beta"), call.Header("anthropic-version"), call.Header("openai-beta")).ShouldBe(
            ("one-2025-01-01,two-2025-02-02", "2024-10-22", null)
        );
        await _gateway.App.SayAsync("/v1/chat/completions", account.Key, Talk.BodyOf(Protocol.OpenAi), ("openai-beta", "assistants=v2"));
        _gateway.Upstream.Calls[^1].Header("openai-beta").ShouldBe("assistants=v2");
    }
}
