using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Ledger.Api.Gateway.Protocols;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>What the gateway measures, and that nothing of what was said is among it.</summary>
public sealed class ObservingTests
{
    private const string Secret = "The wording of this question is private";

    [Fact]
    public async Task Calls_are_measured_by_how_they_ended()
    {
        await using var gateway = await SharedGateway.StartAsync();
        using var readings = MeterReadings.Of(gateway.App.Services);
        var account = await gateway.RichAsync();
        gateway.Upstream.Next(
            UpstreamScript.Says("one ").Using(new(100, 50, 30)),
            UpstreamScript.Says("one ", "two ").Using(new(10, 5)).CutAfter(1),
            UpstreamScript.Refuses(500)
        );
        (await gateway.AskAsync(Protocol.OpenAi, false, account.Key)).ShouldBe(200);
        (await gateway.AskAsync(Protocol.Anthropic, true, account.Key)).ShouldBe(200);
        (await gateway.AskAsync(Protocol.OpenAi, true, account.Key)).ShouldBe(502);

        readings.Total("ledger.gateway.calls", ("ledger.route", "chat.completions"), ("ledger.call.outcome", "completed")).ShouldBe(1);
        readings.Total("ledger.gateway.calls", ("ledger.route", "messages"), ("ledger.call.outcome", "upstream_cut")).ShouldBe(1);
        readings.Total("ledger.gateway.calls", ("ledger.route", "chat.completions"), ("ledger.call.outcome", "upstream_error")).ShouldBe(1);
        readings.Total("ledger.gateway.calls").ShouldBe(3);
        (string, object)[] served =
        [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "openai/plain"),
            ("gen_ai.response.model", "plain"),
        ];
        readings.Values("gen_ai.client.token.usage", [.. served, ("gen_ai.token.type", "input")]).ShouldBe([130]);
        readings.Values("gen_ai.client.token.usage", [.. served, ("gen_ai.token.type", "output")]).ShouldBe([50]);
        readings.Values("gen_ai.client.operation.duration", served).Count.ShouldBe(1);
        readings
            .Values(
                "gen_ai.client.operation.duration",
                ("gen_ai.operation.name", "chat"),
                ("gen_ai.provider.name", "anthropic"),
                ("gen_ai.request.model", "anthropic/plain"),
                ("gen_ai.response.model", "plain"),
                ("error.type", "upstream_cut")
            )
            .Count.ShouldBe(1);
        readings
            .Values(
                "gen_ai.client.operation.duration",
                ("gen_ai.operation.name", "chat"),
                ("gen_ai.provider.name", "openai"),
                ("gen_ai.request.model", "openai/plain"),
                ("error.type", "upstream_error")
            )
            .Count.ShouldBe(1);
        readings.Values("gen_ai.client.operation.duration").Count.ShouldBe(3);
        readings.Values("gen_ai.client.operation.time_to_first_chunk", served).Count.ShouldBe(1);
        readings.Gauge("ledger.gateway.calls.live").ShouldBe(0);
        readings.Total("ledger.gateway.upstream.attempts").ShouldBe(3);
    }

    [Fact]
    public async Task Nothing_that_was_said_is_in_the_log_or_in_any_table()
    {
        await using var gateway = await SharedGateway.StartAsync();
        var account = await gateway.RichAsync();
        foreach (var protocol in (Protocol[])[Protocol.OpenAi, Protocol.Anthropic])
        {
            gateway.Upstream.Next(
                UpstreamScript.Says(Secret),
                UpstreamScript.Says(Secret, "two ").CutAfter(1),
                UpstreamScript.Refuses(400, Secret),
                UpstreamScript.Sends(200, $$$"""{"error":{"message":"{{{Secret}}}"}}""")
            );
            foreach (var isStream in (bool[])[false, true, false, false])
                await gateway.App.SayAsync(
                    Talk.RouteOf(protocol),
                    account.Key,
                    Talk.BodyOf(protocol, isStream, text: Secret),
                    ("Idempotency-Key", "n-" + gateway.Upstream.Calls.Count)
                );
        }

        gateway.Upstream.Calls.Count.ShouldBe(8);
        foreach (var stored in await gateway.App.EventsAsync(account.Id))
            (stored.Data + stored.Headers).ShouldNotContain("private");
        const string Phrase = "wording of this question";
        (await TablesWithAsync(gateway, Phrase)).ShouldBeEmpty();

        // It would be found, as text and as bytes.
        await gateway.App.QueryAsync($"create table said_as_text as select '{Secret}' as said");
        await gateway.App.QueryAsync($"create table said_as_bytes as select convert_to('{Secret}', 'UTF8') as said");
        (await TablesWithAsync(gateway, Phrase)).ShouldBe(["public.said_as_bytes", "public.said_as_text"]);
    }

    [Fact]
    public async Task Each_call_has_a_span_that_says_what_it_came_to()
    {
        await using var gateway = await SharedGateway.StartAsync();
        var spans = new ConcurrentDictionary<string, Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Ledger.Gateway",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,

            // Other applications of this process have spans too: holds are told apart.
            ActivityStopped = span => spans[(string)span.GetTagItem("ledger.hold.id")!] = span,
        };
        ActivitySource.AddActivityListener(listener);
        gateway.Upstream.Next(
            UpstreamScript.Says("one ").Using(new(100, 50, 30, 20, 10)),
            UpstreamScript.Says("one ", "two ").Using(new(10, 5)).CutAfter(1),
            UpstreamScript.Refuses(500)
        );

        var served = await SpanAsync(Protocol.Anthropic, false, 200);
        (served.DisplayName, served.Kind, served.Status).ShouldBe(("chat anthropic/plain", ActivityKind.Client, ActivityStatusCode.Unset));
        ShouldHaveTags(
            served,
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.request.max_tokens", 100L),
            ("gen_ai.request.model", "anthropic/plain"),
            ("gen_ai.response.model", "plain"),
            ("gen_ai.usage.cache_creation.input_tokens", 30L),
            ("gen_ai.usage.cache_read.input_tokens", 30L),
            ("gen_ai.usage.input_tokens", 160L),
            ("gen_ai.usage.output_tokens", 50L),
            ("ledger.call.outcome", "completed")
        );

        var cut = await SpanAsync(Protocol.OpenAi, true, 200);
        (cut.DisplayName, cut.Status).ShouldBe(("chat openai/plain", ActivityStatusCode.Error));
        cut.GetTagItem("ledger.call.outcome").ShouldBe("upstream_cut");
        cut.GetTagItem("error.type").ShouldBe("upstream_cut");
        cut.GetTagItem("gen_ai.usage.input_tokens").ShouldBe(Talk.Counted);

        var failed = await SpanAsync(Protocol.OpenAi, false, 502);
        failed.Status.ShouldBe(ActivityStatusCode.Error);
        ShouldHaveTags(
            failed,
            ("error.type", "upstream_error"),
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.request.max_tokens", 100L),
            ("gen_ai.request.model", "openai/plain"),
            ("ledger.call.outcome", "upstream_error")
        );

        async Task<Activity> SpanAsync(Protocol protocol, bool isStream, int status)
        {
            var account = await gateway.RichAsync();
            (await gateway.AskAsync(protocol, isStream, account.Key)).ShouldBe(status);
            var placed = (await gateway.App.EventsAsync(account.Id)).Single(stored => stored.Type == "hold_placed");

            // The answer leaves a moment before its span ends.
            await Eventually.IsSoAsync(() => Task.FromResult(spans.ContainsKey(placed.Id.ToString())));
            return spans[placed.Id.ToString()];
        }
    }

    private static void ShouldHaveTags(Activity span, params (string Name, object Value)[] expected) =>
        span
            .TagObjects.Where(tag => tag.Key != "ledger.hold.id")
            .OrderBy(tag => tag.Key, StringComparer.Ordinal)
            .Select(tag => $"{tag.Key}={tag.Value}")
            .ShouldBe(expected.Select(tag => $"{tag.Name}={tag.Value}"));

    /// <summary>The tables with a row that holds a phrase, be it as text or as bytes, which show as hexadecimal digits.</summary>
    private static async Task<IReadOnlyList<string>> TablesWithAsync(GatewayApp gateway, string phrase)
    {
        var tables = (string)
            (
                await gateway.App.QueryAsync(
                    "select string_agg(format('%I.%I', table_schema, table_name), ';') from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
                )
            )!;
        var hex = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(phrase));
        var found = new List<string>();
        foreach (var table in tables.Split(';'))
        {
            var rows = await gateway.App.QueryAsync(
                $"select count(*) from {table} t where t::text like '%{phrase}%' or t::text like '%{hex}%'"
            );
            if (rows is not 0L)
                found.Add(table);
        }

        found.Sort(StringComparer.Ordinal);
        return found;
    }
}
