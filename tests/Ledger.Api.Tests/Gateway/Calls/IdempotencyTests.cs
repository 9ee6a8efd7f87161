using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ledger.Api.Gateway.Calls;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary><c>Idempotency-Key</c>: a named request is served and charged once, whoever repeats it, wherever.</summary>
public sealed class IdempotencyTests : IAsyncLifetime
{
    private GatewayApp _one = null!;
    private GatewayApp _two = null!;

    public static TheoryData<Protocol> Protocols => Talk.Protocols;

    public async ValueTask InitializeAsync()
    {
        _one = await SharedGateway.StartAsync();
        _two = await SharedGateway.StartAsync(_one.App.Database, _one.Upstream, _one.App.Clock);
    }

    public async ValueTask DisposeAsync()
    {
        await _two.App.DisposeAsync();
        await _one.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_repeat_gets_the_first_answer_byte_for_byte_on_any_server(Protocol protocol)
    {
        var account = await _one.RichAsync();
        _one.Upstream.Next(UpstreamScript.Says("Grüße – ", "<there>").Using(new(10, 5)));
        var first = (await AskAsync(_one, protocol, account)).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        foreach (var gateway in (GatewayApp[])[_one, _two, _one])
        {
            var again = (await AskAsync(gateway, protocol, account)).ShouldBe(200, first.Body);
            again.ShouldHave("Idempotent-Replayed", "true");
            foreach (var header in (string[])["x-ledger-spend-id", "x-ledger-hold", "x-ledger-cost", "x-ledger-unit", "x-ledger-balance"])
                again.ShouldHave(header, first.Header(header));
        }

        _one.Upstream.Calls.Count.ShouldBe(1);
        (await _one.App.ChargeAsync(account)).Charged.ShouldBe(new(20_000, Unit.Usd));

        // Another route, another account and another name are other requests.
        var other = await _one.RichAsync();
        (await AskAsync(_one, protocol, other)).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        (await AskAsync(_one, protocol, account, name: "n-2")).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        _one.Upstream.Calls.Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_packs_answer_is_given_again_as_it_was()
    {
        var account = await _one.RichAsync(0);
        await _one.App.GrantAsync(account.Id, Amount.Credits(100), PocketSource.Pack, "openai/plain");
        var body = Talk.BodyOf(Protocol.OpenAi, model: "plain", change: json => json["provider"] = "openai");
        var first = (await _one.App.SayAsync("/v1/chat/completions", account.Key, body, ("Idempotency-Key", "p"))).ShouldBe(200);
        first.Json.GetProperty("pack").GetProperty("internalCreditsRemaining").GetInt64().ShouldBe(99);
        (await _two.App.SayAsync("/v1/chat/completions", account.Key, body, ("Idempotency-Key", "p")))
            .ShouldBe(200, first.Body)
            .ShouldHave("Idempotent-Replayed", "true");
        _one.Upstream.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_repeat_gets_the_first_answer_also_where_it_could_not_be_asked_any_more()
    {
        var account = await _one.RichAsync();
        await LeadsToAsync(GatewayApp.AnthropicModel);
        var body = Talk.BodyOf(
            Protocol.Anthropic,
            model: "mine",
            change: json =>
                json["messages"]![0]!["content"] = new JsonArray(
                    JsonNode.Parse("""{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}""")
                )
        );
        var first = (await AskAsync("n-1")).ShouldBe(200);

        // A provider of OpenAI's protocol takes no such document.
        await LeadsToAsync(GatewayApp.OpenAiModel);
        (await AskAsync("n-1")).ShouldBe(200, first.Body).ShouldHave("Idempotent-Replayed", "true");
        (await AskAsync("n-2")).ShouldRefuse(Protocol.Anthropic, default, (400, "invalid_request_error"));
        body = body.Replace("a.pdf", "b.pdf", StringComparison.Ordinal);
        (await AskAsync("n-1")).ShouldRefuse(Protocol.Anthropic, default, (409, "invalid_request_error"));
        _one.Upstream.Calls.Count.ShouldBe(1);
        await _one.App.ChargeAsync(account);

        Task<Answer> AskAsync(string name) => _one.App.SayAsync("/v1/messages", account.Key, body, ("Idempotency-Key", name));

        async Task LeadsToAsync(string model)
        {
            var written = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Gateway", "rate-card.json"));
            var card = JsonSerializer.Deserialize(written, RateCardJson.Default.RateCardDocument)!;
            await _one.App.PublishAsync(_ => card with { Aliases = new Dictionary<string, string>(card.Aliases) { ["mine"] = model } });
        }
    }

    [Theory]
    [InlineData(Protocol.OpenAi, 1)]
    [InlineData(Protocol.OpenAi, 2)]
    [InlineData(Protocol.Anthropic, 1)]
    [InlineData(Protocol.Anthropic, 2)]
    public async Task Twins_that_come_at_once_are_one_call_and_one_charge(Protocol protocol, int servers)
    {
        var account = await _one.RichAsync();
        var gate = new Gate();
        _one.Upstream.Otherwise(UpstreamScript.Says("one ", "two ").HoldHeaders(gate));
        var asked = Enumerable.Range(0, 8).Select(n => AskAsync(servers == 2 && n % 2 == 1 ? _two : _one, protocol, account)).ToList();
        await gate.Reached;
        gate.Open();
        var answers = await Task.WhenAll(asked);
        foreach (var answer in answers)
            answer.ShouldBe(200, answers[0].Body);
        answers.Count(answer => answer.Header("Idempotent-Replayed") == "true").ShouldBe(7);
        _one.Upstream.Calls.Count.ShouldBe(1);
        (await _one.App.ChargeAsync(account)).Charged.ShouldBe(new(20_000, Unit.Usd));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Another_body_under_the_same_name_is_a_conflict(Protocol protocol)
    {
        var account = await _one.RichAsync();
        (await AskAsync(_one, protocol, account)).ShouldBe(200);
        var body = Talk.BodyOf(protocol, text: "Another");
        (await _two.App.SayAsync(Talk.RouteOf(protocol), account.Key, body, ("Idempotency-Key", "n-1"))).ShouldRefuse(
            protocol,
            (409, "idempotency_conflict"),
            (409, "invalid_request_error")
        );
        await _one.App.ChargeAsync(account);
        foreach (var name in (string[])["", new string('x', 256)])
            (await AskAsync(_one, protocol, account, name: name)).ShouldRefuse(
                protocol,
                (400, "invalid_request_error"),
                (400, "invalid_request_error")
            );
        (await AskAsync(_one, protocol, account, name: new string('x', 255))).ShouldBe(200);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task What_failed_or_was_refused_is_decided_anew(Protocol protocol)
    {
        var account = await _one.RichAsync(0);
        (await AskAsync(_one, protocol, account)).ShouldBe(402);
        await _one.App.GrantAsync(account.Id, Amount.Usd(1), PocketSource.Prepaid);
        _one.Upstream.Next(UpstreamScript.Refuses(500), UpstreamScript.Refuses(400, "Too long"), UpstreamScript.Says("one "));
        (await AskAsync(_one, protocol, account)).ShouldBe(502);
        (await AskAsync(_two, protocol, account)).ShouldBe(400);
        (await AskAsync(_one, protocol, account)).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        (await AskAsync(_two, protocol, account)).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
        _one.Upstream.Calls.Count.ShouldBe(3);
        (await _one.App.FactsAsync(account.Id))
            .OfType<HoldPlaced>()
            .Select(placed => placed.Reference)
            .ShouldBe(["n-1#1", "n-1#2", "n-1#3"]);
        (await _one.App.FactsAsync(account.Id)).OfType<HoldSettled>().ShouldHaveSingleItem().Charged.ShouldBe(new(20_000, Unit.Usd));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_stream_that_was_charged_is_not_given_again(Protocol protocol)
    {
        var account = await _one.RichAsync();
        var first = await AskAsync(_one, protocol, account, isStream: true);
        Talk.HasEnd(protocol, first.ShouldBe(200).Body).ShouldBeTrue();
        foreach (var gateway in (GatewayApp[])[_one, _two])
        {
            var again = await AskAsync(gateway, protocol, account, isStream: true);
            again.ShouldBe(409).ShouldHave("x-should-retry", "false");
            again
                .Text("error", protocol == Protocol.OpenAi ? "code" : "type")
                .ShouldBe(protocol == Protocol.OpenAi ? "idempotency_conflict" : "invalid_request_error");

            // It says which charge it was.
            again.ShouldHave("x-ledger-spend-id", first.Header("x-ledger-spend-id"));
        }

        (await _one.App.ChargeAsync(account)).Call!.Outcome.ShouldBe(CallOutcome.Completed);
        (await _one.App.QueryAsync("select count(*) from kept_answers")).ShouldBe(0L);
    }

    [Fact]
    public async Task The_answer_is_kept_encrypted_and_for_a_day()
    {
        var account = await _one.RichAsync();
        const string Secret = "the words of this answer";
        _one.Upstream.Next(UpstreamScript.Says(Secret));
        var first = (await AskAsync(_one, Protocol.OpenAi, account)).ShouldBe(200);
        first.Body.ShouldContain(Secret);
        var kept = (byte[])(await _one.App.QueryAsync("select answer from kept_answers"))!;
        foreach (var encoding in (Encoding[])[Encoding.UTF8, Encoding.Unicode])
            Encoding.Latin1.GetString(kept).ShouldNotContain(Encoding.Latin1.GetString(encoding.GetBytes("words of this")));
        Encoding.UTF8.GetString(kept).ShouldNotContain("chatcmpl");

        var keeper = _one.App.Services.GetRequiredService<AnswerKeeper>();
        _one.App.Clock.Advance(TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1));
        (await keeper.DeleteOldAsync(CancellationToken.None)).ShouldBe(0);
        (await AskAsync(_two, Protocol.OpenAi, account)).ShouldBe(200, first.Body);

        _one.App.Clock.Advance(TimeSpan.FromSeconds(1));
        (await AskAsync(_two, Protocol.OpenAi, account)).ShouldBe(409);
        (await keeper.DeleteOldAsync(CancellationToken.None)).ShouldBe(1);
        (await _one.App.QueryAsync("select count(*) from kept_answers")).ShouldBe(0L);
        (await AskAsync(_one, Protocol.OpenAi, account)).ShouldBe(409);
        _one.Upstream.Calls.Count.ShouldBe(1);
        await _one.App.ChargeAsync(account);
    }

    [Fact]
    public async Task An_answer_that_was_lost_between_its_charge_and_its_keeping_is_a_conflict_and_no_second_charge()
    {
        // As a server leaves it that is killed in between.
        var account = await _one.RichAsync();
        (await AskAsync(_one, Protocol.OpenAi, account)).ShouldBe(200);
        await _one.App.QueryAsync("delete from kept_answers");
        (await AskAsync(_two, Protocol.OpenAi, account)).ShouldBe(409).Text("error", "code").ShouldBe("idempotency_conflict");
        _one.Upstream.Calls.Count.ShouldBe(1);
        await _one.App.ChargeAsync(account);
    }

    [Fact]
    public async Task Whoever_repeats_a_call_that_still_runs_is_told_so_when_patience_ends()
    {
        await using var gateway = await SharedGateway.StartAsync(
            settings: new Dictionary<string, string> { ["Gateway:RepeatPatience"] = "00:00:00" }
        );
        var account = await gateway.RichAsync();
        var gate = new Gate();
        gateway.Upstream.Next(UpstreamScript.Says("one ").HoldHeaders(gate));
        var first = AskAsync(gateway, Protocol.Anthropic, account);
        await gate.Reached;
        (await AskAsync(gateway, Protocol.Anthropic, account)).ShouldRefuse(Protocol.Anthropic, default, (409, "invalid_request_error"));
        gate.Open();
        (await first).ShouldBe(200);
        (await AskAsync(gateway, Protocol.Anthropic, account)).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
        await gateway.App.ChargeAsync(account);
    }

    private static Task<Answer> AskAsync(
        GatewayApp gateway,
        Protocol protocol,
        TestAccount account,
        bool isStream = false,
        string name = "n-1"
    ) => gateway.App.SayAsync(Talk.RouteOf(protocol), account.Key, Talk.BodyOf(protocol, isStream), ("Idempotency-Key", name));
}
