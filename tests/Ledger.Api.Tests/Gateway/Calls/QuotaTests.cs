using System.Globalization;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>The tool-tuned routes: a subscription's quota pays in tokens, a pay-per-token key in dollars.</summary>
public sealed class QuotaTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private readonly GatewayApp _gateway = shared.Gateway;

    public static TheoryData<string, bool> Routes =>
        new(
            from tool in (string[])["claudecode", "cline", "cursor", "roocode"]
            from isStream in (bool[])[false, true]
            select (tool, isStream)
        );

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task A_subscription_pays_with_the_tokens_of_every_class_and_no_money(string tool, bool isStream)
    {
        var account = await _gateway.SubscribedAsync();
        var gate = new Gate();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ").Using(new(100, 50, 30, 20, 10)).HoldHeaders(gate));

        var asking = _gateway.App.SayAsync($"/{tool}/v1/messages", account.Key, Talk.BodyOf(Protocol.Anthropic, isStream));
        await gate.Reached;

        // The provider is asked while the hold is on its way to the log.
        await Eventually.IsSoAsync(async () => await QuotaAsync(account) is (0, > 100));
        gate.Open();
        var answer = (await asking).ShouldBe(200);

        (await QuotaAsync(account)).ShouldBe((210, 0));
        var charge = await _gateway.App.ChargeAsync(account);
        charge.Charged.ShouldBe(Amount.Zero(Unit.Usd));
        charge.Entry.ShouldBe("tiers/tiny");
        charge.Tool.ShouldBe(tool);
        charge.Call!.Tokens.ShouldBe(new TokenUse(100, 30, 20, 10, 50));
        charge.Call.Quota!.Tokens.ShouldBe(210);
        answer.ShouldHave("x-ledger-cost", isStream ? null : "0");
        answer.ShouldHave("x-ledger-quota-remaining", isStream ? null : "4790");
    }

    [Fact]
    public async Task A_used_up_quota_says_when_it_begins_anew_and_does()
    {
        await using var gateway = await SharedGateway.StartAsync();
        var account = await gateway.SubscribedAsync();
        gateway.App.Clock.Advance(TimeSpan.FromHours(1));
        gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(4_990, 5)));
        const string Path = "/claudecode/v1/messages";
        (await gateway.App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic))).ShouldBe(200);

        var refused = await gateway.App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic));
        refused.ShouldRefuse(Protocol.Anthropic, default, (429, "rate_limit_error"));
        refused.ShouldHave("Retry-After", (23 * 3600).ToString(CultureInfo.InvariantCulture));
        refused.Text("error", "limit_source").ShouldBe("quota");
        var state = (await gateway.App.GetAsync("/tenant/subscription", account.Key)).ShouldBe(200);
        (state.Text("quota"), state.Text("used"), state.Text("held"), state.Text("resets_at")).ShouldBe(
            ("5000", "4995", "0", "2026-07-04T12:00:00Z")
        );

        gateway.App.Clock.Advance(TimeSpan.FromHours(23));
        gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(10, 5)));
        (await gateway.App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic))).ShouldBe(200);
        (await gateway.App.GetAsync("/tenant/subscription", account.Key)).Text("used").ShouldBe("15");
    }

    [Fact]
    public async Task What_is_left_of_a_quota_can_be_asked_for()
    {
        var account = await _gateway.SubscribedAsync();
        const string Path = "/cursor/v1/messages";
        _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(3_000, 0)));
        (await _gateway.App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic))).ShouldBe(200);
        var body = Talk.BodyOf(Protocol.Anthropic, maxTokens: 1_000);
        var refused = await _gateway.App.SayAsync(Path, account.Key, body);
        refused.ShouldRefuse(Protocol.Anthropic, default, (429, "rate_limit_error"));
        var most = long.Parse(refused.Text("error", "affordable_max_tokens")!, CultureInfo.InvariantCulture);
        most.ShouldBeInRange(1, 999);
        (await _gateway.App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic, maxTokens: most + 1))).ShouldBe(429);

        _gateway.Upstream.Next(UpstreamScript.Says("one "), UpstreamScript.Says("one "));
        (await _gateway.App.SayAsync(Path, account.Key, Talk.BodyOf(Protocol.Anthropic, maxTokens: most))).ShouldBe(200);
        (await _gateway.App.SayAsync(Path, account.Key, body, ("X-Ledger-Clamp", "allow"))).ShouldBe(200);
        _gateway.Upstream.Calls[^1].Json.GetProperty("max_tokens").GetInt64().ShouldBe(most - 15);
    }

    [Fact]
    public async Task Without_a_subscription_its_keys_pay_for_nothing()
    {
        var account = await _gateway.SubscribedAsync(null);
        (await _gateway.App.SayAsync("/cline/v1/messages", account.Key, Talk.BodyOf(Protocol.Anthropic))).ShouldRefuse(
            Protocol.Anthropic,
            default,
            (402, "billing_error")
        );
        await _gateway.ShouldBeFreeAsync(account, 0);
    }

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task A_pay_per_token_key_pays_in_dollars_on_the_same_routes(string tool, bool isStream)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one two ").Using(new(100, 50)));
        (await _gateway.App.SayAsync($"/{tool}/v1/messages", account.Key, Talk.BodyOf(Protocol.Anthropic, isStream))).ShouldBe(200);
        var settled = await _gateway.ShouldBeChargedAsync(
            account,
            200_000,
            new(
                "anthropic",
                "plain",
                new(100, 0, 0, 0, 50),
                false,
                CallOutcome.Completed,
                0,
                null,
                Talk.ReportOf(Protocol.Anthropic, isStream, 100, 50)
            )
        );
        settled.Tool.ShouldBe(tool);
    }

    [Fact]
    public async Task Where_nothing_is_reported_the_preset_is_counted_too()
    {
        var account = await _gateway.RichAsync();
        var body = Talk.BodyOf(Protocol.Anthropic);
        var counted = (await _gateway.App.SayAsync("/cline/v1/messages/count_tokens", account.Key, body)).ShouldBe(200);
        var input = counted.Json.GetProperty("input_tokens").GetInt64();
        input.ShouldBeGreaterThan(100);
        (await _gateway.App.SayAsync("/v1/messages/count_tokens", account.Key, body)).ShouldBe(200, """{"input_tokens":14}""");
        _gateway.Upstream.Next(UpstreamScript.Says("one two ").WithoutUsage());
        (await _gateway.App.SayAsync("/cline/v1/messages", account.Key, body)).ShouldBe(200);
        await _gateway.ShouldBeChargedAsync(
            account,
            (input * 1_000) + 4_000,
            new("anthropic", "plain", new(input, 0, 0, 0, 2), true, CallOutcome.Completed, 0, null, null)
        );
    }

    [Fact]
    public async Task What_no_window_can_ever_hold_is_not_to_be_waited_for()
    {
        var account = await _gateway.SubscribedAsync();
        var body = Talk.BodyOf(Protocol.Anthropic, text: new string('x', 40_000));
        var refused = await _gateway.App.SayAsync("/cursor/v1/messages", account.Key, body);
        refused.ShouldRefuse(Protocol.Anthropic, default, (429, "rate_limit_error"));
        refused.ShouldHave("Retry-After", null).ShouldHave("x-should-retry", "false");
        refused.Text("error", "message")!.ShouldContain("never fits");
        refused.Text("error", "limit_source").ShouldBe("quota");
    }

    [Fact]
    public async Task Where_a_report_leaves_the_input_out_the_preset_is_counted_too()
    {
        var account = await _gateway.RichAsync();
        var input = await InputAsync(account);
        _gateway.Upstream.Next(
            UpstreamScript.Sends(
                200,
                """{"id":"m","type":"message","model":"up-plain","content":[{"type":"text","text":"one two "}],"stop_reason":"end_turn","usage":{"output_tokens":5}}"""
            )
        );
        (await _gateway.App.SayAsync("/cline/v1/messages", account.Key, Talk.BodyOf(Protocol.Anthropic))).ShouldBe(200);
        await _gateway.ShouldBeChargedAsync(
            account,
            (input * 1_000) + 10_000,
            new("anthropic", "plain", new(input, 0, 0, 0, 5), true, CallOutcome.Completed, 0, null, """{"output_tokens":5}""")
        );
    }

    [Fact]
    public async Task A_preset_that_a_long_report_has_counted_is_not_counted_again()
    {
        var account = await _gateway.RichAsync();
        var usage = $$"""{"input_tokens":300,"x":"{{new string('x', 9_000)}}"}""";
        _gateway.Upstream.Next(
            UpstreamScript.Sends(
                200,
                $$$$"""
                event: message_start
                data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"up-plain","content":[],"usage":{{{{usage}}}}}}

                event: content_block_delta
                data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one two "}}


                """,
                "text/event-stream"
            )
        );
        (await _gateway.App.SayAsync("/cline/v1/messages", account.Key, Talk.BodyOf(Protocol.Anthropic, isStream: true))).ShouldBe(200);
        await _gateway.ShouldBeChargedAsync(
            account,
            304_000,
            new("anthropic", "plain", new(300, 0, 0, 0, 2), true, CallOutcome.UpstreamCut, 0, null, usage[..8192], UsageCut: true)
        );
    }

    private async Task<long> InputAsync(TestAccount account)
    {
        var body = Talk.BodyOf(Protocol.Anthropic);
        var counted = (await _gateway.App.SayAsync("/cline/v1/messages/count_tokens", account.Key, body)).ShouldBe(200);
        return counted.Json.GetProperty("input_tokens").GetInt64();
    }

    private async Task<(long Used, long Held)> QuotaAsync(TestAccount account)
    {
        var answer = (await _gateway.App.GetAsync("/tenant/subscription", account.Key)).ShouldBe(200);
        return (answer.Json.GetProperty("used").GetInt64(), answer.Json.GetProperty("held").GetInt64());
    }
}
