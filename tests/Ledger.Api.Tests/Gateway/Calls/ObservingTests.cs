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
        var tables = (string)
            (
                await gateway.App.QueryAsync(
                    "select string_agg(format('%I.%I', table_schema, table_name), ';') from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
                )
            )!;
        foreach (var table in tables.Split(';'))
            (await gateway.App.QueryAsync($"select count(*) from {table} t where t::text like '%wording of this question%'")).ShouldBe(
                0L,
                table
            );
    }
}
