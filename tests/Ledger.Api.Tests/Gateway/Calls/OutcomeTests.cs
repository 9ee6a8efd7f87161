using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>What a call costs, however it ends: the table of billing, row by row, in both protocols, streamed or not.</summary>
public sealed class OutcomeTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private const string BrokenOff = "The provider failed in the middle of its answer. What was delivered was charged.";

    public static TheoryData<Protocol, bool> Ways => Talk.Ways;

    public static TheoryData<Protocol> Protocols => Talk.Protocols;

    private readonly GatewayApp _gateway = NextMinute(shared.Gateway);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_completed_call_costs_what_is_reported_of_each_class_of_tokens(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").Using(new(100, 50, 30, 20, 10, 5)));

        var answer = (await _gateway.AskAsync(protocol, isStream, account.Key)).ShouldBe(200);

        Talk.TextOf(protocol, isStream, answer.Body).ShouldBe("one two three 4 ");
        var (tokens, nanos, raw) =
            protocol == Protocol.OpenAi
                ? (new TokenUse(130, 30, 0, 0, 50), 233_000, Talk.OpenAiUsage(160, 50, 30, 5))
                : (new TokenUse(100, 30, 20, 10, 50), 248_000, Talk.AnthropicReport(isStream, 100, 50, 30, 20, 10));
        var charge = await _gateway.ShouldBeChargedAsync(
            account,
            nanos,
            new(Talk.ProviderOf(protocol), "plain", tokens, false, CallOutcome.Completed, 0, null, raw)
        );
        answer.ShouldHave("x-ledger-hold", charge.Hold.ToString());
        answer.Header("x-ledger-spend-id").ShouldNotBeNullOrEmpty();
        var spend = (await _gateway.App.EventsAsync(account.Id))[^1];
        answer.ShouldHave("x-ledger-spend-id", spend.Id.ToString());
        answer.ShouldHave("x-ledger-cost", isStream ? null : "0.000" + nanos / 1000);
        answer.ShouldHave("x-ledger-balance", isStream ? null : "0.999" + (1_000_000 - nanos) / 1000);
        answer.ShouldHave("x-ledger-unit", isStream ? null : "usd");
        if (isStream)
            Talk.HasEnd(protocol, answer.Body).ShouldBeTrue(answer.Body);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_reported_zero_is_a_report(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ").Using(new(0, 0)));
        (await _gateway.AskAsync(protocol, isStream, account.Key)).ShouldBe(200);
        await _gateway.ShouldBeChargedAsync(
            account,
            0,
            new(Talk.ProviderOf(protocol), "plain", default, false, CallOutcome.Completed, 0, null, Talk.ReportOf(protocol, isStream, 0, 0))
        );
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Where_nothing_is_reported_tokens_are_counted_and_marked(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").WithoutUsage());
        (await _gateway.AskAsync(protocol, isStream, account.Key)).ShouldBe(200);
        await _gateway.ShouldBeChargedAsync(
            account,
            22_000,
            new(Talk.ProviderOf(protocol), "plain", new(Talk.Counted, 0, 0, 0, 4), true, CallOutcome.Completed, 0, null, null)
        );
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_length_stops_costs_what_is_reported(Protocol protocol, bool isStream) =>
        await StoppedAsync(protocol, isStream, UpstreamFinish.Length, CallOutcome.Length);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_a_filter_stops_costs_what_is_reported(Protocol protocol, bool isStream) =>
        await StoppedAsync(protocol, isStream, UpstreamFinish.ContentFilter, CallOutcome.ContentFilter);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_provider_that_speaks_the_other_protocol_is_charged_by_its_own_report(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        var other = protocol == Protocol.OpenAi ? Protocol.Anthropic : Protocol.OpenAi;
        _gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").Using(new(100, 50, 30)));

        var answer = (await _gateway.AskAsync(protocol, isStream, account.Key, Talk.ModelOf(other))).ShouldBe(200);

        Talk.TextOf(protocol, isStream, answer.Body).ShouldBe("one two three 4 ");
        var raw = other == Protocol.OpenAi ? Talk.OpenAiUsage(130, 50, 30) : Talk.AnthropicReport(isStream, 100, 50, 30);
        await _gateway.ShouldBeChargedAsync(
            account,
            203_000,
            new(Talk.ProviderOf(other), "plain", new(100, 30, 0, 0, 50), false, CallOutcome.Completed, 0, null, raw)
        );
        if (isStream)
            Talk.HasEnd(protocol, answer.Body).ShouldBeTrue(answer.Body);

        // It is dated, as whoever made it would.
        if (protocol == Protocol.OpenAi)
        {
            var at = _gateway.App.Clock.Now.ToUnixTimeSeconds();
            foreach (var chunk in isStream ? Talk.DataOf(answer.Body).Where(data => data != "[DONE]") : [answer.Body])
                System.Text.Json.JsonElement.Parse(chunk).GetProperty("created").GetInt64().ShouldBe(at, chunk);
        }
    }

    public static TheoryData<Protocol, bool, string> Failures =>
        new(from way in Talk.Ways from failure in (string[])["500", "hangs up", "cut"] select (way.Data.Item1, way.Data.Item2, failure));

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task What_fails_before_anything_was_delivered_costs_nothing(Protocol protocol, bool isStream, string failure)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(
            failure switch
            {
                "500" => UpstreamScript.Refuses(500, "Oops"),
                "hangs up" => UpstreamScript.HangsUp(),
                _ => UpstreamScript.Says("one two ").CutAfter(0),
            }
        );
        var answer = await _gateway.AskAsync(protocol, isStream, account.Key);
        answer.ShouldRefuse(protocol, (502, "upstream_error"), (502, "api_error"));
        answer.Body.ShouldContain("was not charged");
        await _gateway.ShouldBeFreeAsync(account);
        (await _gateway.App.FactsAsync(account.Id))[^1].ShouldBeOfType<HoldReleased>();
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_stream_that_is_cut_costs_what_was_delivered(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").CutAfter(1));
        var answer = (await _gateway.AskAsync(protocol, true, account.Key)).ShouldBe(200);
        Talk.ShouldEndInError(protocol, answer.Body, BrokenOff);
        Talk.TextOf(protocol, true, answer.Body).ShouldBe("one two ");
        await ShouldBeChargedForHalfAsync(account, protocol, CallOutcome.UpstreamCut);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task An_empty_reason_to_stop_ends_nothing(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        var start = Talk.AnthropicUsage(10, 1);
        var sent =
            protocol == Protocol.OpenAi
                ? """
                    data: {"id":"c","object":"chat.completion.chunk","model":"up-plain","choices":[{"index":0,"delta":{"content":"one two "},"finish_reason":""}]}


                    """
                : $$$"""
                    event: message_start
                    data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"up-plain","content":[],"stop_reason":"","usage":{{{start}}}}}

                    event: content_block_delta
                    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one two ","stop_reason":""}}


                    """;
        _gateway.Upstream.Next(UpstreamScript.Sends(200, sent, "text/event-stream"));
        var answer = (await _gateway.AskAsync(protocol, true, account.Key)).ShouldBe(200);
        Talk.ShouldEndInError(protocol, answer.Body, BrokenOff);
        await ShouldBeChargedForHalfAsync(account, protocol, CallOutcome.UpstreamCut);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_stream_that_breaks_off_with_an_error_costs_what_was_delivered(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").FailAfter(1));
        var answer = (await _gateway.AskAsync(protocol, true, account.Key)).ShouldBe(200);
        Talk.ShouldEndInError(protocol, answer.Body, "Overloaded");
        Talk.TextOf(protocol, true, answer.Body).ShouldBe("one two ");
        await ShouldBeChargedForHalfAsync(account, protocol, CallOutcome.UpstreamCut);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_fallback_is_charged_at_its_own_price_and_the_hold_covers_it(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Refuses(500), UpstreamScript.Says("one two ").Using(new(100, 50)));

        var answer = (await _gateway.AskAsync(protocol, isStream, account.Key, GatewayApp.FallingModel)).ShouldBe(200);

        Talk.TextOf(protocol, isStream, answer.Body).ShouldBe("one two ");
        _gateway.Upstream.Calls.TakeLast(2).Select(call => call.Model).ShouldBe(["up-falling", "up-dear"]);
        var raw = Talk.AnthropicReport(isStream, 100, 50);
        await _gateway.ShouldBeChargedAsync(
            account,
            400_000,
            new("anthropic", "dear", new(100, 0, 0, 0, 50), false, CallOutcome.Completed, 0, null, raw)
        );
        answer.Body.ShouldContain("\"openai/falling\"");
        answer.Body.ShouldNotContain("up-dear");
    }

    [Fact]
    public async Task What_may_pass_is_tried_again_before_it_fails_for_good()
    {
        await using var gateway = await GatewayApp.StartAsync();
        var account = await gateway.RichAsync();
        gateway.Upstream.Next(UpstreamScript.Refuses(500), UpstreamScript.Refuses(503), UpstreamScript.Says("one ").Using(new(10, 5)));
        (await gateway.AskAsync(Protocol.OpenAi, true, account.Key)).ShouldBe(200);
        gateway.Upstream.Calls.Count.ShouldBe(3);
        await gateway.ShouldBeChargedAsync(
            account,
            20_000,
            new("openai", "plain", new(10, 0, 0, 0, 5), false, CallOutcome.Completed, 0, null, Talk.OpenAiUsage(10, 5))
        );

        var other = await gateway.RichAsync();
        gateway.Upstream.Otherwise(UpstreamScript.Refuses(500));
        (await gateway.AskAsync(Protocol.Anthropic, false, other.Key, GatewayApp.FallingModel)).ShouldRefuse(
            Protocol.Anthropic,
            (502, "upstream_error"),
            (502, "api_error")
        );
        gateway
            .Upstream.Calls.Skip(3)
            .Select(call => call.Model)
            .ShouldBe([.. Enumerable.Repeat("up-falling", 3), .. Enumerable.Repeat("up-dear", 3)]);
        await gateway.ShouldBeFreeAsync(other);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_free_model_costs_nothing_and_says_so(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync(0);
        _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(100, 50)));
        (await _gateway.AskAsync(protocol, isStream, account.Key, "openai/free")).ShouldBe(200);
        await _gateway.ShouldBeChargedAsync(
            account,
            0,
            new("openai", "free", new(100, 0, 0, 0, 50), false, CallOutcome.Completed, 0, null, Talk.OpenAiUsage(100, 50)),
            before: 0
        );
    }

    private async Task StoppedAsync(Protocol protocol, bool isStream, UpstreamFinish finish, CallOutcome outcome)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ").Using(new(10, 5)).Finishing(finish));
        (await _gateway.AskAsync(protocol, isStream, account.Key)).ShouldBe(200);
        await _gateway.ShouldBeChargedAsync(
            account,
            20_000,
            new(Talk.ProviderOf(protocol), "plain", new(10, 0, 0, 0, 5), false, outcome, 0, null, Talk.ReportOf(protocol, isStream, 10, 5))
        );
    }

    // Anthropic's protocol reports the input before the first word; of OpenAI's nothing was reported yet.
    private Task<HoldSettled> ShouldBeChargedForHalfAsync(TestAccount account, Protocol protocol, CallOutcome outcome) =>
        ShouldBeChargedForHalfAsync(_gateway, account, protocol, outcome);

    internal static Task<HoldSettled> ShouldBeChargedForHalfAsync(
        GatewayApp gateway,
        TestAccount account,
        Protocol protocol,
        CallOutcome outcome
    ) =>
        protocol == Protocol.OpenAi
            ? gateway.ShouldBeChargedAsync(
                account,
                18_000,
                new("openai", "plain", new(Talk.Counted, 0, 0, 0, 2), true, outcome, 0, null, null)
            )
            : gateway.ShouldBeChargedAsync(
                account,
                14_000,
                new("anthropic", "plain", new(10, 0, 0, 0, 2), true, outcome, 0, null, Talk.AnthropicUsage(10, 1))
            );

    // What failed in one test says nothing of a provider's health to the next.
    private static GatewayApp NextMinute(GatewayApp gateway)
    {
        gateway.App.Clock.Advance(TimeSpan.FromMinutes(1));
        return gateway;
    }
}
