using System.Runtime.CompilerServices;
using System.Text;
using Ledger.Api.Gateway;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Gateway.Providers;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>What goes out to a provider, and what never does.</summary>
public sealed class HttpProviderTests
{
    private const string Secret = "lk_live_callersown";

    [Fact]
    public async Task OpenAi_is_asked_on_its_route_with_our_key()
    {
        var upstream = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync(upstream);
        var served = (await routing.SendAsync()).ShouldBeServed();
        (await served.ReadAsync()).ShouldContain("Hello from upstream");
        served.Protocol.ShouldBe(Protocol.OpenAi);
        var call = upstream.Calls.Single();
        (call.Method, call.Path, call.Model).ShouldBe(("POST", "/v1/chat/completions", "m"));
        Names(call)
            .ShouldBe([
                "Accept=application/json",
                "Authorization=Bearer " + StandInUpstream.ApiKey,
                "Content-Type=application/json",
                "User-Agent=Ledger",
                "x-client-request-id=req-1",
            ]);
    }

    [Theory]
    [InlineData(Protocol.OpenAi)]
    [InlineData(Protocol.Anthropic)]
    public async Task Anthropic_is_asked_on_its_route_in_its_protocol_whatever_the_caller_speaks(Protocol asked)
    {
        var upstream = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync(upstream, "anthropic");
        var served = (await routing.SendAsync(isStream: true, asked: asked)).ShouldBeServed();
        (await served.ReadAsync()).ShouldContain("event: message_stop");
        served.Protocol.ShouldBe(Protocol.Anthropic);
        var call = upstream.Calls.Single();
        call.Path.ShouldBe("/v1/messages");
        Names(call)
            .ShouldBe([
                "Accept=text/event-stream",
                "Content-Type=application/json",
                "User-Agent=Ledger",
                "anthropic-version=2023-06-01",
                "x-api-key=" + StandInUpstream.ApiKey,
                "x-client-request-id=req-1",
            ]);
    }

    [Fact]
    public async Task Nothing_that_says_who_the_caller_is_travels_and_what_says_how_to_read_the_body_does()
    {
        var upstream = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync([("one", "anthropic", upstream), ("two", "openai", upstream)]);
        var headers = new HeaderDictionary
        {
            ["Authorization"] = "Bearer " + Secret,
            ["x-api-key"] = Secret,
            ["Cookie"] = "ledger_session=" + Secret,
            ["Host"] = Secret,
            ["X-Forwarded-For"] = Secret,
            ["Forwarded"] = Secret,
            ["OpenAI-Organization"] = Secret,
            ["traceparent"] = Secret,
            ["Idempotency-Key"] = Secret,
            ["Proxy-Authorization"] = Secret,
            ["anthropic-version"] = "2024-01-01",
            ["anthropic-beta"] = new(["tools-2024", "cache-2024"]),
            ["openai-beta"] = "assistants=v2",
        };
        await (await routing.SendAsync("one/m", headers: headers)).ShouldBeServed().ReadAsync();
        await (await routing.SendAsync("two/m", headers: headers)).ShouldBeServed().ReadAsync();
        upstream.Calls.ShouldAllBe(call => !call.Contains(Secret));
        var (anthropic, openAi) = (upstream.Calls[0], upstream.Calls[1]);
        (anthropic.Header("anthropic-version"), anthropic.Header("anthropic-beta"), anthropic.Header("openai-beta")).ShouldBe(
            ("2024-01-01", "tools-2024,cache-2024", null)
        );
        (openAi.Header("openai-beta"), openAi.Header("anthropic-beta"), openAi.Header("anthropic-version")).ShouldBe(
            ("assistants=v2", null, null)
        );
    }

    [Fact]
    public async Task Nor_where_a_request_was_built_with_it()
    {
        var upstream = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync(upstream);
        var request = new UpstreamRequest(
            Protocol.OpenAi,
            "{}"u8.ToArray(),
            false,
            [new("X-Api-Key", Secret), new("Cookie", Secret), new("openai-beta", "a\r\nX-Other: b")],
            "req-1"
        );
        await using var answer = await routing.Upstreams.Find("one")!.SendAsync(request, CancellationToken.None);
        answer.Status.ShouldBe(200);
        var call = upstream.Calls.Single();
        call.Contains(Secret).ShouldBeFalse();
        (call.Header("openai-beta"), call.Header("X-Other")).ShouldBe((null, null));
    }

    [Theory]
    [InlineData("a\r\nx-evil: 1")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    [InlineData("käse")]
    [InlineData("")]
    public void A_value_that_is_no_plain_text_is_dropped(string value)
    {
        ForwardedHeaders.From(new HeaderDictionary { ["openai-beta"] = value }, Protocol.OpenAi).ShouldBeEmpty();
        ForwardedHeaders
            .From(new HeaderDictionary { ["anthropic-version"] = value, ["anthropic-beta"] = new([value, "kept"]) }, Protocol.Anthropic)
            .ShouldBe([new("anthropic-version", "2023-06-01"), new("anthropic-beta", "kept")]);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("context-1m", "context-1m-2025-08-07")]
    [InlineData("other,fast-mode-2026-02-01", "fast-mode-2026-02-01")]
    [InlineData("fast*", "fast-mode-2026-02-01")]
    [InlineData("*", "context-1m-2025-08-07,fast-mode-2026-02-01")]
    public void A_beta_without_a_price_is_dropped_unless_it_is_allowed(string allowed, string kept)
    {
        var headers = new HeaderDictionary { ["anthropic-beta"] = new(["context-1m-2025-08-07", "fast-mode-2026-02-01"]) };
        ForwardedHeaders.DropUnpriced(headers, new() { Unpriced = allowed });
        headers["anthropic-beta"].ToString().ShouldBe(kept);
        var none = new HeaderDictionary();
        ForwardedHeaders.DropUnpriced(none, new() { Unpriced = allowed });
        none.ShouldBeEmpty();
    }

    [Fact]
    public void What_is_allowed_comes_as_a_text_or_as_a_list()
    {
        Of(("Gateway:Unpriced", "speed, web_search_*")).ShouldBe((true, true, false));
        Of(("Gateway:Unpriced:0", "speed"), ("Gateway:Unpriced:1", "web_search_*")).ShouldBe((true, true, false));
        Of(("Gateway:Unpriced", "*")).ShouldBe((true, true, true));
        Of().ShouldBe((false, false, false));

        static (bool, bool, bool) Of(params (string Name, string Value)[] settings)
        {
            var options = GatewayOptions.From(
                new ConfigurationBuilder()
                    .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Name, (string?)setting.Value)))
                    .Build()
            );
            return (options.Allows("speed"), options.Allows("web_search_20250305"), options.Allows("speedy"));
        }
    }

    [Theory]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task A_stream_that_goes_on_keeps_nothing_of_what_was_asked(string kind)
    {
        var upstream = await StandInUpstream.StartAsync();
        var gate = new Gate();
        upstream.Next(UpstreamScript.Says("one ", "two ").HoldPiece(1, gate));
        await using var routing = await Routing.ToAsync(upstream, kind);
        var (asked, answer) = await AskAsync(routing.Upstreams.Find("one")!);
        await using (answer)
        {
            (await answer.Body.ReadAsync(new byte[16])).ShouldBeGreaterThan(0);
            await gate.Reached;

            // The stack may still hold it where the answer was told: not after the next wait.
            await Eventually.IsSoAsync(async () =>
            {
                await Task.Yield();
                GC.Collect();
                return !asked.IsAlive;
            });
            gate.Open();
            using var reader = new StreamReader(answer.Body);
            (await reader.ReadToEndAsync()).ShouldContain("two ");
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static async Task<(WeakReference Asked, UpstreamAnswer Answer)> AskAsync(IProvider provider)
        {
            // Without leaving anything of it in this test's own state.
            await Task.Yield();
            var protocol = provider.SpeaksFor(Protocol.OpenAi);
            var body = Encoding.UTF8.GetBytes($$"""{"model":"m","stream":true,"weird":"{{new string('x', 100_000)}}"}""");
            var asked = new WeakReference(body);
            return (asked, await provider.SendAsync(new(protocol, body, true, [], "req-1"), CancellationToken.None));
        }
    }

    [Fact]
    public async Task Cookies_are_not_kept_and_a_key_is_in_no_log()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Next(
            UpstreamScript.Says("x").With("Set-Cookie", "session=1"),
            UpstreamScript.Refuses(401, "Incorrect API key provided: " + StandInUpstream.ApiKey)
        );
        await using var routing = await Routing.ToAsync(upstream);
        await (await routing.SendAsync()).ShouldBeServed().ReadAsync();
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.CredentialsRefused, 401);
        upstream.Calls[1].Header("Cookie").ShouldBeNull();
        routing.Log.ShouldHaveSingleItem().ShouldBe("Warning: one/m did not serve a call: CredentialsRefused, status 401.  Request req-1.");
    }

    [Fact]
    public async Task A_server_that_wants_no_key_gets_none()
    {
        var upstream = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync(upstream, "openai", ("Providers:one:ApiKey", ""));
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.CredentialsRefused, 401);
        upstream.Calls.Single().Header("Authorization").ShouldBeNull();
    }

    // What belongs to the connection rather than to the request is left out.
    private static IEnumerable<string> Names(UpstreamCall call) =>
        call
            .Headers.Where(header => header.Key is not ("Host" or "Content-Length"))
            .Select(header => $"{header.Key}={header.Value}")
            .Order(StringComparer.Ordinal);
}
