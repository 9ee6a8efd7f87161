using System.Text.Json.Nodes;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>Funds for three calls admit three, however many come at once, on one server or on two; and a hold lives as long as its call.</summary>
public sealed class FundsTests : IAsyncLifetime
{
    private const int Admitted = 3;
    private const int Came = 16;
    private GatewayApp _one = null!;
    private GatewayApp _two = null!;

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
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_balance_admits_as_many_as_it_covers(int servers)
    {
        var cost = await HeldAsync(Talk.RouteOf(Protocol.OpenAi), Talk.BodyOf(Protocol.OpenAi), await _one.RichAsync());
        var account = await _one.RichAsync((Admitted * cost.Amount.Parts) + cost.Amount.Parts - 1);
        await AdmitsAsync(servers, account, Talk.RouteOf(Protocol.OpenAi), Talk.BodyOf(Protocol.OpenAi), 402);
        (await _one.DollarsAsync(account)).ShouldBe((Admitted * cost.Amount.Parts) + cost.Amount.Parts - 1 - (Admitted * 20_000));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_limit_of_a_key_admits_as_many_as_it_covers(int servers)
    {
        var cost = await HeldAsync(Talk.RouteOf(Protocol.Anthropic), Talk.BodyOf(Protocol.Anthropic, true), await _one.RichAsync());
        var rich = await _one.RichAsync();
        var limit = new Amount((Admitted * cost.Amount.Parts) + cost.Amount.Parts - 1, Unit.Usd);
        var account = await _one.KeyAsync(rich, key => key with { LimitUsd = limit });
        await AdmitsAsync(servers, account, Talk.RouteOf(Protocol.Anthropic), Talk.BodyOf(Protocol.Anthropic, true), 402);
        (await _one.DollarsAsync(account)).ShouldBe(1_000_000_000 - (Admitted * 20_000));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_pack_admits_as_many_as_it_covers(int servers)
    {
        var body = Talk.BodyOf(Protocol.OpenAi, model: "plain", change: json => json["provider"] = "openai");
        var rich = await _one.RichAsync(0);
        await _one.App.GrantAsync(rich.Id, Amount.Credits(20_000), PocketSource.Pack, "openai/plain");
        var cost = await HeldAsync("/v1/chat/completions", body, rich);
        cost.Amount.Unit.ShouldBe(Unit.Credits);
        var account = await _one.RichAsync(0);
        var funds = new Amount((Admitted * cost.Amount.Parts) + cost.Amount.Parts - 1, Unit.Credits);
        await _one.App.GrantAsync(account.Id, funds, PocketSource.Pack, "openai/plain");
        await AdmitsAsync(servers, account, "/v1/chat/completions", body, 402);

        // 10 in, 5 out: 0.5 + 0.625 credits, rounded up.
        (await _one.App.ReadAsync(account.Id))
            .Wallet.AvailableInPacks("openai/plain", _one.App.Clock.Now)
            .ShouldBe(new Amount(funds.Parts - (Admitted * 2_000_000), Unit.Credits));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_quota_admits_as_many_as_it_covers(int servers)
    {
        var rich = await _one.SubscribedAsync("pro");
        var small = Talk.BodyOf(Protocol.Anthropic, maxTokens: 1);
        var share = (await HeldAsync("/roocode/v1/messages", small, rich)).Call!.Quota!.Tokens;

        // So many tokens of answer that three calls fit into the quota of 5000, and no fourth; most of each is the preset, so it is the shortest one.
        var each = 5_000 / Admitted;
        var body = Talk.BodyOf(Protocol.Anthropic, maxTokens: Math.Min(1_000, each - share));
        var held = (await HeldAsync("/roocode/v1/messages", body, rich)).Call!.Quota!.Tokens;
        var fits = 5_000 / held;
        var account = await _one.SubscribedAsync();
        await AdmitsAsync(servers, account, "/roocode/v1/messages", body, 429, (int)fits);
        var subscription = (await _one.App.GetAsync("/tenant/subscription", account.Key)).ShouldBe(200);
        (subscription.Text("used"), subscription.Text("held")).ShouldBe(
            ((15 * fits).ToString(System.Globalization.CultureInfo.InvariantCulture), "0")
        );
    }

    [Theory]
    [InlineData(Protocol.OpenAi)]
    [InlineData(Protocol.Anthropic)]
    public async Task A_hold_is_extended_as_long_as_its_stream_lives(Protocol protocol)
    {
        var account = await _one.RichAsync();
        var gate = new Gate();
        _one.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate));
        using var stream = await _one.OpenAsync(protocol, account.Key);
        await stream.UntilAsync("one two ");

        for (var minute = 0; minute < 5; minute++)
        {
            _one.App.Clock.Advance(TimeSpan.FromSeconds(61));
            await _one.Live().ExtendAsync();
            await _one.SweepAsync();
        }

        var facts = await _one.App.FactsAsync(account.Id);
        facts.OfType<HoldExtended>().Count().ShouldBe(5);
        facts.OfType<HoldExpired>().ShouldBeEmpty();
        (await _one.DollarsAsync(account)).ShouldBeLessThan(1_000_000_000);
        gate.Open();
        Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);
        (await _one.App.ChargeAsync(account)).Charged.ShouldBe(new(20_000, Unit.Usd));
    }

    [Theory]
    [InlineData(Protocol.OpenAi)]
    [InlineData(Protocol.Anthropic)]
    public async Task A_stream_whose_hold_lapsed_is_charged_late_and_once(Protocol protocol)
    {
        var account = await _one.RichAsync();
        var gate = new Gate();
        _one.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate));
        using var stream = await _one.OpenAsync(protocol, account.Key);
        await stream.UntilAsync("one two ");

        // Nobody extended it, and another server's sweep came by.
        _one.App.Clock.Advance(TimeSpan.FromMinutes(3));
        await _two.SweepAsync();
        (await _one.App.FactsAsync(account.Id))[^1].ShouldBeOfType<HoldExpired>();
        (await _one.DollarsAsync(account)).ShouldBe(1_000_000_000);

        gate.Open();
        Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);
        var facts = await _one.App.FactsAsync(account.Id);
        var late = facts.OfType<HoldSettledLate>().ShouldHaveSingleItem(string.Join('\n', facts));
        late.Charged.ShouldBe(new(20_000, Unit.Usd));
        late.Call!.Tokens.ShouldBe(new(10, 0, 0, 0, 5));
        facts.OfType<HoldSettled>().ShouldBeEmpty();
        (await _one.DollarsAsync(account)).ShouldBe(1_000_000_000 - 20_000);
    }

    [Theory]
    [InlineData(Protocol.OpenAi, "revoke")]
    [InlineData(Protocol.Anthropic, "revoke")]
    [InlineData(Protocol.OpenAi, "suspend")]
    [InlineData(Protocol.Anthropic, "suspend")]
    public async Task Whoever_is_shut_out_in_the_middle_of_a_stream_still_pays_for_it(Protocol protocol, string how)
    {
        var account = await _one.RichAsync();
        var gate = new Gate();
        _one.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate));
        using var stream = await _one.OpenAsync(protocol, account.Key);
        await stream.UntilAsync("one two ");
        await (how == "revoke" ? _two.App.RevokeAsync(account) : _two.App.SuspendAsync(account.Id));

        // On every server, from now on.
        foreach (var gateway in (GatewayApp[])[_one, _two])
            (await gateway.AskAsync(protocol, false, account.Key)).ShouldBe(how == "revoke" ? 401 : 403);

        gate.Open();
        Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);
        (await _one.App.ChargeAsync(account)).Charged.ShouldBe(new(20_000, Unit.Usd));
    }

    [Fact]
    public async Task What_is_used_beyond_the_hold_is_owed_and_never_dropped()
    {
        var cost = await HeldAsync(Talk.RouteOf(Protocol.OpenAi), Talk.BodyOf(Protocol.OpenAi), await _one.RichAsync());
        var account = await _one.RichAsync(cost.Amount.Parts + 1_000);
        _one.Upstream.Next(UpstreamScript.Says("one ").Using(new(1_000, 50)));
        var answer = (await _one.AskAsync(Protocol.OpenAi, false, account.Key)).ShouldBe(200).ShouldHave("x-ledger-cost", "0.0011");

        var settled = (await _one.App.FactsAsync(account.Id)).OfType<HoldSettled>().ShouldHaveSingleItem();
        settled.Charged.ShouldBe(new(1_100_000, Unit.Usd));
        settled.FromHold.Sum(share => share.Parts).ShouldBe(cost.Amount.Parts);
        settled.FromAvailable.Sum(share => share.Parts).ShouldBe(1_000);
        settled.Debt.ShouldBe(new Amount(1_100_000 - cost.Amount.Parts - 1_000, Unit.Usd));
        answer.ShouldHave("x-ledger-balance", "0");

        // What is owed is paid first.
        (await _one.AskAsync(Protocol.OpenAi, false, account.Key))
            .ShouldBe(402)
            .Text("error", "limit_source")
            .ShouldBe("debt");
        await _one.App.GrantAsync(account.Id, Amount.Usd(1), PocketSource.Prepaid);
        (await _one.DollarsAsync(account)).ShouldBe(1_000_000_000 - settled.Debt!.Value.Parts);
        (await _one.AskAsync(Protocol.OpenAi, false, account.Key)).ShouldBe(200);
    }

    [Fact]
    public async Task A_call_is_charged_by_the_card_that_its_hold_was_placed_under()
    {
        var account = await _one.RichAsync();
        var gate = new Gate();
        _one.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate));
        using var stream = await _one.OpenAsync(Protocol.OpenAi, account.Key);
        await stream.UntilAsync("one two ");

        var card = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Gateway", "rate-card.json")))!;
        card["models"]![0]!["usd_per_1m"]!["output"] = "200";
        (await _two.App.AdminPutAsync("/rate-card", card.ToJsonString())).ShouldBe(201);
        gate.Open();
        await stream.ToEndAsync();
        (await _one.App.ChargeAsync(account)).Charged.ShouldBe(new(20_000, Unit.Usd));

        // The next request is governed by the new one.
        var other = await _one.RichAsync();
        _one.Upstream.Next(UpstreamScript.Says("one "));
        (await _one.AskAsync(Protocol.OpenAi, false, other.Key)).ShouldBe(200).ShouldHave("x-ledger-cost", "0.00101");
    }

    /// <summary>What one call sets aside.</summary>
    private async Task<HoldPlaced> HeldAsync(string path, string body, TestAccount account)
    {
        (await _one.App.SayAsync(path, account.Key, body)).ShouldBe(200);
        return (await _one.App.FactsAsync(account.Id)).OfType<HoldPlaced>().Last();
    }

    /// <summary>All come at once, and nobody is answered by the provider until everybody has been let in or refused.</summary>
    private async Task AdmitsAsync(int servers, TestAccount account, string path, string body, int refusal, int admitted = Admitted)
    {
        var gate = new Gate();
        _one.Upstream.Otherwise(UpstreamScript.Says("one ", "two ").HoldHeaders(gate));
        var asked = Enumerable
            .Range(0, Came)
            .Select(n => (servers == 2 && n % 2 == 1 ? _two : _one).App.SayAsync(path, account.Key, body))
            .ToList();
        await Eventually.IsSoAsync(() => asked.Count(task => task.IsCompleted) >= Came - admitted);
        gate.Open();
        var answers = await Task.WhenAll(asked);

        answers.Count(answer => answer.Status == 200).ShouldBe(admitted, string.Join("\n\n", answers.Select(answer => answer.ToString())));
        answers.Count(answer => answer.Status == refusal).ShouldBe(Came - admitted);
        var facts = await _one.App.FactsAsync(account.Id);
        facts.OfType<HoldPlaced>().Count().ShouldBe(admitted);
        facts.OfType<HoldSettled>().Count().ShouldBe(admitted);
        facts.OfType<HoldSettled>().ShouldAllBe(settled => settled.Debt == null);
        var state = await _one.App.ReadAsync(account.Id);
        state.Wallet.Holds.ShouldBeEmpty();
        state.Wallet.Pockets.ShouldAllBe(pocket => pocket.Remaining >= 0);
    }
}
