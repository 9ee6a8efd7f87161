using System.Globalization;
using System.Text.Json.Nodes;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>Who and what is refused, in both protocols' own shapes; and that none of it costs anything.</summary>
public sealed class RefusalTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    public static TheoryData<Protocol, bool> Ways => Talk.Ways;

    public static TheoryData<Protocol> Protocols => Talk.Protocols;

    private static readonly (int, string) NoKey = (401, "invalid_api_key");
    private static readonly (int, string) NoKeyAnthropic = (401, "authentication_error");
    private static readonly (int, string) Denied = (403, "permission_denied");
    private static readonly (int, string) DeniedAnthropic = (403, "permission_error");
    private static readonly (int, string) Invalid = (400, "invalid_request_error");

    private readonly GatewayApp _gateway = NextMinute(shared.Gateway);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Nobody_is_served_without_a_key_that_works(Protocol protocol, bool isStream)
    {
        var asked = _gateway.Upstream.Calls.Count;
        foreach (var key in (string?[])[null, "sk-nobody", LedgerApp.AdminKey, "lk_live_" + new string('a', 40)])
            (await _gateway.AskAsync(protocol, isStream, key))
                .ShouldRefuse(protocol, NoKey, NoKeyAnthropic)
                .ShouldHave("WWW-Authenticate", "Bearer");

        var account = await _gateway.RichAsync();
        await _gateway.App.RevokeAsync(account);
        var expiring = await _gateway.KeyAsync(account, key => key with { ExpiresAt = _gateway.App.Clock.Now.AddSeconds(1) });
        (await _gateway.AskAsync(protocol, isStream, account.Key)).ShouldRefuse(protocol, NoKey, NoKeyAnthropic);
        _gateway.App.Clock.Advance(TimeSpan.FromSeconds(1));
        (await _gateway.AskAsync(protocol, isStream, expiring.Key)).ShouldRefuse(protocol, NoKey, NoKeyAnthropic);
        await _gateway.ShouldBeFreeAsync(account);
        _gateway.Upstream.Calls.Count.ShouldBe(asked);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Beyond_the_bound_of_calls_nothing_is_read_or_held(Protocol protocol)
    {
        await using var gateway = await SharedGateway.StartAsync(settings: new Dictionary<string, string> { ["Gateway:MaxCalls"] = "2" });
        var account = await gateway.RichAsync();
        var gate = new Gate();
        gateway.Upstream.Next(
            UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate),
            UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate)
        );
        using var first = await gateway.OpenAsync(protocol, account.Key);
        using var second = await gateway.OpenAsync(protocol, account.Key);
        foreach (var isStream in (bool[])[true, false])
            (await gateway.AskAsync(protocol, isStream, account.Key))
                .ShouldRefuse(protocol, (503, "unavailable"), (503, "api_error"))
                .ShouldHave("Retry-After", "1");
        gateway.Upstream.Calls.Count.ShouldBe(2);
        (await gateway.App.FactsAsync(account.Id)).OfType<HoldPlaced>().Count().ShouldBe(2);
        gate.Open();
        foreach (var stream in (LiveStream[])[first, second])
            Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);

        // Their places are free as soon as their callers know that they are over.
        await Eventually.IsSoAsync(async () => (await gateway.AskAsync(protocol, isStream: false, account.Key)).Status == 200);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Beyond_the_bound_of_bodies_nothing_is_read_or_held_until_an_answer_begins(Protocol protocol)
    {
        const int bound = 10 * 1024 * 1024;
        await using var gateway = await SharedGateway.StartAsync(
            settings: new Dictionary<string, string> { ["Gateway:MaxBodyBytes"] = "10485760" }
        );
        var account = await gateway.RichAsync(1_000_000_000_000);
        var (headers, end) = (new Gate(), new Gate());
        gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldHeaders(headers).HoldPiece(1, end));
        var body = Talk.BodyOf(protocol, isStream: true, change: json => json["weird"] = new string('x', bound / 2));
        var opening = gateway.OpenAsync(protocol, account.Key, body);
        await headers.Reached;
        gateway.Live().BodyBytes.ShouldBe(body.Length);

        (await gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, body))
            .ShouldRefuse(protocol, (503, "unavailable"), (503, "api_error"))
            .ShouldHave("Retry-After", "1");

        // Whoever does not say how long it is may send as much as a body may have.
        using (var chunked = Talk.RequestFor(Talk.RouteOf(protocol), account.Key, Talk.BodyOf(protocol)))
        {
            chunked.Headers.TransferEncodingChunked = true;
            (await gateway.App.SendAsync(chunked)).ShouldRefuse(protocol, (503, "unavailable"), (503, "api_error"));
        }

        gateway.Upstream.Calls.Count.ShouldBe(1);
        (await gateway.AskAsync(protocol, false, account.Key)).ShouldBe(200);

        // The stream goes on without it.
        headers.Open();
        using var stream = await opening;
        await stream.UntilAsync("one two ");
        gateway.Live().BodyBytes.ShouldBe(0);
        (await gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, body)).ShouldBe(200);
        end.Open();
        Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);
        await Eventually.IsSoAsync(() => Task.FromResult(gateway.Live().BodyBytes == 0));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task What_a_provider_refuses_in_the_first_event_of_a_stream_is_told_in_its_words(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        const string error = """{"error":{"message":"Too many words","type":"BadRequestError","param":null,"code":400}}""";
        foreach (var model in (string[])[GatewayApp.OpenAiModel, GatewayApp.FallingModel])
        {
            var before = _gateway.Upstream.Calls.Count;
            _gateway.Upstream.Next(UpstreamScript.Sends(200, $"data: {error}\n\ndata: [DONE]\n\n", "text/event-stream"));
            var refused = await _gateway.AskAsync(protocol, true, account.Key, model);
            refused.ShouldRefuse(protocol, Invalid, Invalid);
            refused.Text("error", "message").ShouldBe("Too many words");
            _gateway.Upstream.Calls.Count.ShouldBe(before + 1);
        }

        await _gateway.ShouldBeFreeAsync(account);
    }

    [Fact]
    public async Task Headers_that_are_too_long_to_travel_are_refused_rather_than_dropped()
    {
        var account = await _gateway.RichAsync();
        var (one, two) = (new string('a', 3000), new string('b', 3000));
        var body = Talk.BodyOf(Protocol.Anthropic);
        (await _gateway.App.SayAsync("/v1/messages", account.Key, body, ("anthropic-beta", one), ("anthropic-beta", two))).ShouldBe(200);
        _gateway.Upstream.Calls[^1].Header("anthropic-beta")!.Split(',', StringSplitOptions.TrimEntries).ShouldBe([one, two]);
        var refused = await _gateway.App.SayAsync(
            "/v1/messages",
            account.Key,
            body,
            ("anthropic-beta", one),
            ("anthropic-beta", two),
            ("anthropic-beta", one)
        );
        refused.ShouldRefuse(Protocol.Anthropic, default, (400, "invalid_request_error"));
        refused.Text("error", "message")!.ShouldContain("anthropic-beta");
    }

    [Fact]
    public async Task Anthropics_clients_send_their_key_their_own_way()
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one "));
        (await _gateway.App.SayAsync("/v1/messages", null, Talk.BodyOf(Protocol.Anthropic), ("x-api-key", account.Key))).ShouldBe(200);
        (await _gateway.App.SayAsync("/v1/chat/completions", null, Talk.BodyOf(Protocol.OpenAi), ("x-api-key", account.Key))).ShouldRefuse(
            Protocol.OpenAi,
            NoKey,
            NoKeyAnthropic
        );
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Not_every_key_may_call_models(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        var provisioning = await _gateway.KeyAsync(account, key => key with { Kind = KeyKind.Provisioning });
        var subscription = await _gateway.KeyAsync(account, key => key with { Billing = KeyBilling.Subscription });
        (await _gateway.AskAsync(protocol, false, provisioning.Key)).ShouldRefuse(protocol, Denied, DeniedAnthropic);
        (await _gateway.AskAsync(protocol, false, subscription.Key)).ShouldRefuse(protocol, Denied, DeniedAnthropic);

        var narrow = await _gateway.KeyAsync(account, key => key with { AllowedModels = ["openai/free"] });
        (await _gateway.AskAsync(protocol, false, narrow.Key)).ShouldRefuse(protocol, (403, "model_not_allowed"), DeniedAnthropic);

        await _gateway.App.SuspendAsync(account.Id);
        (await _gateway.AskAsync(protocol, false, account.Key)).ShouldRefuse(protocol, Denied, DeniedAnthropic);
        await _gateway.App.ReinstateAsync(account.Id);
        await _gateway.ShouldBeFreeAsync(account);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Whoever_signed_in_without_a_key_gets_no_answers(Protocol protocol)
    {
        var user = new { email = $"{protocol}@example.com", password = "correct horse battery" };
        (await _gateway.App.PostAsync("/api/v1/auth/register", null, user)).ShouldBe(201);
        var token = (await _gateway.App.PostAsync("/api/v1/auth/token", null, user)).ShouldBe(200).Text("access_token");
        (await _gateway.AskAsync(protocol, false, token)).ShouldRefuse(protocol, Denied, DeniedAnthropic);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Bad_input_is_named(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        string[] bodies =
        [
            "",
            "{",
            "[]",
            "{}",
            """{"model":"auto"}""",
            """{"messages":[{"role":"user","content":"Hi"}]}""",
            """{"model":5,"messages":[{"role":"user","content":"Hi"}],"max_tokens":5}""",
            """{"model":"auto","messages":"Hi","max_tokens":5}""",
            """{"model":"auto","messages":[{"role":"user","content":"Hi"}],"max_tokens":0}""",
            """{"model":"auto","messages":[{"role":"user","content":"Hi"}],"max_tokens":"5"}""",
        ];
        foreach (var body in bodies)
            (await _gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, body)).ShouldRefuse(protocol, Invalid, Invalid);
        var unnamed = await _gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, """{"model":"auto","max_tokens":5}""");
        unnamed.ShouldRefuse(protocol, Invalid, Invalid);
        if (protocol == Protocol.OpenAi)
            unnamed.Text("error", "param").ShouldBe("messages");
        if (protocol == Protocol.Anthropic)
            (await _gateway.App.SayAsync("/v1/messages", account.Key, Talk.BodyOf(protocol, maxTokens: null)))
                .ShouldRefuse(protocol, Invalid, Invalid)
                .Text("error", "message")
                .ShouldBe("max_tokens is required.");
        await _gateway.ShouldBeFreeAsync(account);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_changes_the_bill_without_a_price_is_refused(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        var asked = _gateway.Upstream.Calls.Count;
        var body = Talk.BodyOf(protocol, isStream, change: body => body["service_tier"] = "priority");
        var answer = await _gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, body);
        answer.ShouldRefuse(protocol, Invalid, Invalid);
        answer.Text("error", "message").ShouldBe("service_tier changes what the provider bills, and has no price here.");
        if (protocol == Protocol.OpenAi)
            answer.Text("error", "param").ShouldBe("service_tier");
        _gateway.Upstream.Calls.Count.ShouldBe(asked);
        await _gateway.ShouldBeFreeAsync(account);
    }

    [Fact]
    public async Task Betas_that_change_prices_stay_here()
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one "));
        (
            await _gateway.App.SayAsync(
                "/v1/messages",
                account.Key,
                Talk.BodyOf(Protocol.Anthropic),
                ("anthropic-beta", "one-2025-01-01, context-1m-2025-08-07,Fast-Mode-2026-02-01, two-2025-01-01")
            )
        ).ShouldBe(200);
        _gateway.Upstream.Calls[^1].Header("anthropic-beta").ShouldBe("one-2025-01-01, two-2025-01-01");
    }

    [Fact]
    public async Task What_the_operator_allows_travels_without_a_price()
    {
        await using var gateway = await SharedGateway.StartAsync(
            settings: new Dictionary<string, string> { ["Gateway:Unpriced"] = "service_tier, web_search_*, context-1m" }
        );
        var account = await gateway.RichAsync();
        gateway.Upstream.Next(UpstreamScript.Says("one "));
        var body = Talk.BodyOf(
            Protocol.Anthropic,
            change: body =>
            {
                body["service_tier"] = "priority";
                body["tools"] = JsonNode.Parse("""[{"type":"web_search_20250305","name":"web_search"}]""");
            }
        );
        (await gateway.App.SayAsync("/v1/messages", account.Key, body, ("anthropic-beta", "context-1m-2025-08-07"))).ShouldBe(200);
        var call = gateway.Upstream.Calls.ShouldHaveSingleItem();
        call.Json.GetProperty("service_tier").GetString().ShouldBe("priority");
        call.Header("anthropic-beta").ShouldBe("context-1m-2025-08-07");

        var other = Talk.BodyOf(Protocol.Anthropic, change: body => body["speed"] = "fast");
        (await gateway.App.SayAsync("/v1/messages", account.Key, other)).ShouldRefuse(Protocol.Anthropic, Invalid, Invalid);
        gateway.Upstream.Calls.ShouldHaveSingleItem();
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_body_over_ten_mebibytes_is_refused(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        using var request = Talk.RequestFor(
            Talk.RouteOf(protocol),
            account.Key,
            Talk.BodyOf(protocol, text: new string('a', 10 * 1024 * 1024))
        );

        // Who asks first is told before it has sent all that.
        request.Headers.ExpectContinue = true;
        (await _gateway.App.AskFirstAsync(request)).ShouldRefuse(protocol, (413, "request_too_large"), (413, "request_too_large"));
        await _gateway.ShouldBeFreeAsync(account);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_model_that_is_not_sold_is_unknown(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        (await _gateway.AskAsync(protocol, isStream, account.Key, "openai/nothing")).ShouldRefuse(
            protocol,
            (400, "model_not_found"),
            (404, "not_found_error")
        );
        await _gateway.ShouldBeFreeAsync(account);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Whoever_cannot_pay_hears_what_is_missing_and_what_would_do(Protocol protocol, bool isStream)
    {
        // Input of the worst case, and 50 tokens of output.
        var account = await _gateway.RichAsync(0);
        var needed = await NeededAsync(protocol, isStream, account);
        var there = needed - 100_001;
        await _gateway.App.GrantAsync(account.Id, new(there, Unit.Usd), PocketSource.Prepaid);

        var answer = await _gateway.AskAsync(protocol, isStream, account.Key);

        answer.ShouldRefuse(protocol, (402, "insufficient_credits"), (402, "billing_error"));
        answer.Text("error", "limit_source").ShouldBe("balance");
        answer.Text("error", "needed").ShouldBe(new Amount(needed, Unit.Usd).ToDecimalString());
        answer.Text("error", "available").ShouldBe(new Amount(there, Unit.Usd).ToDecimalString());
        answer.Text("error", "unit").ShouldBe("usd");
        answer.Text("error", "affordable_max_tokens").ShouldBe("49");
        answer.ShouldHave("Retry-After", null);
        await _gateway.ShouldBeFreeAsync(account, there);

        // One more is one too many; as many as it says are accepted.
        (await _gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, Talk.BodyOf(protocol, isStream, maxTokens: 50))).ShouldBe(402);
        _gateway.Upstream.Next(UpstreamScript.Says("one "));
        (await _gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, Talk.BodyOf(protocol, isStream, maxTokens: 49))).ShouldBe(200);
        _gateway.Upstream.Calls[^1].Json.GetProperty("max_tokens").GetInt64().ShouldBe(49);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Whoever_asks_to_be_clamped_is(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync(0);
        var needed = await NeededAsync(protocol, isStream, account);
        await _gateway.App.GrantAsync(account.Id, new(needed - 100_001, Unit.Usd), PocketSource.Prepaid);
        _gateway.Upstream.Next(UpstreamScript.Says("one ").Using(new(10, 49)));

        (
            await _gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, Talk.BodyOf(protocol, isStream), ("X-Ledger-Clamp", "allow"))
        ).ShouldBe(200);

        _gateway.Upstream.Calls[^1].Json.GetProperty("max_tokens").GetInt64().ShouldBe(49);
        (await _gateway.App.ChargeAsync(account)).Charged.ShouldBe(new(108_000, Unit.Usd));

        // Nothing to clamp to.
        var poor = await _gateway.RichAsync(1);
        var answer = await _gateway.App.SayAsync(
            Talk.RouteOf(protocol),
            poor.Key,
            Talk.BodyOf(protocol, isStream),
            ("X-Ledger-Clamp", "allow")
        );
        answer.ShouldRefuse(protocol, (402, "insufficient_credits"), (402, "billing_error"));
        answer.Text("error", "affordable_max_tokens").ShouldBeNull(answer.ToString());
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task The_limit_of_a_key_refuses_by_its_own_name(Protocol protocol)
    {
        var account = await _gateway.RichAsync();
        var limited = await _gateway.KeyAsync(account, key => key with { LimitUsd = new(100_000, Unit.Usd) });
        var answer = await _gateway.AskAsync(protocol, false, limited.Key);
        answer.ShouldRefuse(protocol, (402, "key_limit_reached"), (402, "billing_error"));
        answer.Text("error", "limit_source").ShouldBe("key");
        answer.Text("error", "available").ShouldBe("0.0001");
        answer.Text("error", "unit").ShouldBe("usd");
        var most = long.Parse(answer.Text("error", "affordable_max_tokens")!, CultureInfo.InvariantCulture);
        _gateway.Upstream.Next(UpstreamScript.Says("one "));
        (await _gateway.App.SayAsync(Talk.RouteOf(protocol), limited.Key, Talk.BodyOf(protocol, maxTokens: most + 1))).ShouldBe(402);
        (await _gateway.App.SayAsync(Talk.RouteOf(protocol), limited.Key, Talk.BodyOf(protocol, maxTokens: most))).ShouldBe(200);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_the_provider_refuses_of_the_request_is_said_in_its_own_words(Protocol protocol, bool isStream)
    {
        foreach (var status in (int[])[400, 404, 413, 422])
        {
            var account = await _gateway.RichAsync();
            _gateway.Upstream.Next(
                UpstreamScript.Refuses(
                    status,
                    $"Status {status}: the key {StandInUpstream.ApiKey} is not at fault",
                    "context_length_exceeded"
                )
            );
            var answer = await _gateway.AskAsync(protocol, isStream, account.Key);
            answer.ShouldRefuse(protocol, Invalid, Invalid);
            answer.Text("error", "message")!.ShouldStartWith($"Status {status}: the key");
            answer.Body.ShouldNotContain(StandInUpstream.ApiKey);
            await _gateway.ShouldBeFreeAsync(account);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task That_the_provider_refuses_our_key_is_our_fault(Protocol protocol, bool isStream)
    {
        foreach (var status in (int[])[401, 402, 403])
        {
            var account = await _gateway.RichAsync();
            _gateway.Upstream.Next(UpstreamScript.Refuses(status, $"The key {StandInUpstream.ApiKey} is wrong"));
            var answer = await _gateway.AskAsync(protocol, isStream, account.Key);
            answer.ShouldRefuse(protocol, (502, "upstream_error"), (502, "api_error"));
            answer.Body.ShouldNotContain("wrong");
            answer.ToString().ShouldNotContain(StandInUpstream.ApiKey);
            await _gateway.ShouldBeFreeAsync(account);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_provider_that_is_too_busy_says_when_to_come_back(Protocol protocol, bool isStream)
    {
        foreach (var status in (int[])[429, 503, 529])
        {
            var account = await _gateway.RichAsync();
            _gateway.Upstream.Next(UpstreamScript.Refuses(status, "Slow down").With("Retry-After", "17"));
            var answer = await _gateway.AskAsync(protocol, isStream, account.Key);
            answer.ShouldRefuse(protocol, (502, "upstream_error"), (529, "overloaded_error"));
            answer.ShouldHave("Retry-After", "17");
            answer.ShouldHave("x-should-retry", null);
            await _gateway.ShouldBeFreeAsync(account);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_provider_that_fails_is_told_from_one_that_is_busy(Protocol protocol, bool isStream)
    {
        foreach (var status in (int[])[500, 502, 504])
        {
            var account = await _gateway.RichAsync();
            _gateway.Upstream.Next(UpstreamScript.Refuses(status, "Oops"));
            (await _gateway.AskAsync(protocol, isStream, account.Key)).ShouldRefuse(protocol, (502, "upstream_error"), (502, "api_error"));
            await _gateway.ShouldBeFreeAsync(account);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_provider_that_nobody_configured_is_said_to_be_missing(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        (await _gateway.AskAsync(protocol, isStream, account.Key, "nobody/plain"))
            .ShouldRefuse(protocol, (502, "provider_not_configured"), (502, "api_error"))
            .ShouldHave("x-should-retry", "false");
        await _gateway.ShouldBeFreeAsync(account);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Nobody_hears_of_anybody_elses_keys(Protocol protocol, bool isStream)
    {
        var account = await _gateway.RichAsync();
        _gateway.Upstream.Next(UpstreamScript.Says("one "));
        var answer = await _gateway.App.SayAsync(
            Talk.RouteOf(protocol),
            account.Key,
            Talk.BodyOf(protocol, isStream),
            ("x-api-key", protocol == Protocol.Anthropic ? account.Key : "none"),
            ("Cookie", "ledger_session=secret-cookie"),
            ("X-Forwarded-For", "203.0.113.7"),
            ("X-Mine", "private-header"),
            ("openai-organization", "org-mine")
        );
        answer.ShouldBe(200);
        var call = _gateway.Upstream.Calls[^1];
        foreach (var secret in (string[])[account.Key, account.Id.Value, "secret-cookie", "203.0.113.7", "private-header", "org-mine"])
            call.Contains(secret).ShouldBeFalse(secret);
        answer.ToString().ShouldNotContain(StandInUpstream.ApiKey);
    }

    /// <summary>What the usual request may cost at most.</summary>
    private async Task<long> NeededAsync(Protocol protocol, bool isStream, TestAccount account)
    {
        var refused = await _gateway.AskAsync(protocol, isStream, account.Key);
        var needed = refused.ShouldBe(402).Text("error", "needed")!;
        Amount.TryParse(needed, Unit.Usd, out var amount).ShouldBeTrue(needed);
        return amount.Parts;
    }

    // What failed in one test says nothing of a provider's health to the next.
    private static GatewayApp NextMinute(GatewayApp gateway)
    {
        gateway.App.Clock.Advance(TimeSpan.FromMinutes(1));
        return gateway;
    }
}
