using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>Real server processes that are killed, or told to stop, while the provider speaks.</summary>
public sealed class ServerDeathTests : IAsyncLifetime
{
    private const string Stopping = "This server stops, and could not wait for the end of the answer. What was delivered was charged.";

    private readonly TestFolder _folder = TestFolder.Create();
    private StandInUpstream _upstream = null!;
    private string _database = "";
    private TestAccount _account = null!;

    public static TheoryData<Protocol> Protocols => Talk.Protocols;

    public async ValueTask InitializeAsync()
    {
        _upstream = await StandInUpstream.StartAsync();
        _database = await new PostgresFixture().CreateDatabaseAsync();
        var first = await SharedGateway.StartAsync(_database, _upstream);
        _account = await first.RichAsync();
        await first.App.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _upstream.DisposeAsync();
        await _folder.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task What_a_killed_server_held_lapses_and_nothing_is_charged(Protocol protocol)
    {
        await using var server = await StartAsync();
        _upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, new()));
        using var stream = await LiveStream.OpenAsync(
            server.Http.BaseAddress!,
            Talk.RouteOf(protocol),
            _account.Key,
            Talk.BodyOf(protocol, isStream: true),
            ("Idempotency-Key", "n")
        );
        await stream.UntilAsync("one two ");
        await server.KillAsync();
        server.Output.ShouldNotContain(Talk.Question);

        // The next one finds the hold, and ends it when its time has come.
        var next = await NextAsync();
        var placed = (await next.App.FactsAsync(_account.Id)).OfType<HoldPlaced>().ShouldHaveSingleItem();
        next.App.Clock.Now = placed.ExpiresAt.AddSeconds(-1);
        await next.SweepAsync();
        (await next.DollarsAsync(_account)).ShouldBe(1_000_000_000 - placed.Amount.Parts);
        next.App.Clock.Now = placed.ExpiresAt.AddMinutes(1);
        await next.SweepAsync();
        (await next.App.FactsAsync(_account.Id))[^1].ShouldBeOfType<HoldExpired>().ExpiredAt.ShouldBe(placed.ExpiresAt);
        await next.ShouldBeFreeAsync(_account);

        // A repeat of the same name is served, and charged once.
        _upstream.Next(UpstreamScript.Says("one two ").Using(new(10, 5)));
        var again = await next.App.SayAsync(
            Talk.RouteOf(protocol),
            _account.Key,
            Talk.BodyOf(protocol, isStream: true),
            ("Idempotency-Key", "n")
        );
        Talk.HasEnd(protocol, again.ShouldBe(200).Body).ShouldBeTrue(again.Body);
        (await next.DollarsAsync(_account)).ShouldBe(1_000_000_000 - 20_000);
        await next.App.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_server_that_stops_and_cannot_wait_charges_what_was_delivered(Protocol protocol)
    {
        await using var server = await StartAsync(("Gateway:Drain", "00:00:00"));
        _upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, new()));
        using var stream = await OpenAsync(server, protocol);
        await stream.UntilAsync("one two ");
        await server.TerminateAsync();
        Talk.ShouldEndInError(protocol, await stream.ToEndAsync(), Stopping);
        (await server.ExitAsync()).ShouldBe(0, server.Output);

        var next = await NextAsync();
        await OutcomeTests.ShouldBeChargedForHalfAsync(next, _account, protocol, CallOutcome.UpstreamCut);
        await next.App.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_server_that_stops_lets_calls_end_while_it_can(Protocol protocol)
    {
        await using var server = await StartAsync(("Gateway:Drain", "00:01:00"));
        var gate = new Gate();
        _upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate));
        using var stream = await OpenAsync(server, protocol);
        await stream.UntilAsync("one two ");
        await server.TerminateAsync();
        await Eventually.IsSoAsync(() => server.Output.Contains("Application is shutting down", StringComparison.Ordinal));
        gate.Open();
        Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);
        (await server.ExitAsync()).ShouldBe(0, server.Output);

        var next = await NextAsync();
        (await next.App.ChargeAsync(_account)).Charged.ShouldBe(new(20_000, Unit.Usd));
        await next.App.DisposeAsync();
    }

    private Task<LiveStream> OpenAsync(LedgerProcess server, Protocol protocol) =>
        LiveStream.OpenAsync(server.Http.BaseAddress!, Talk.RouteOf(protocol), _account.Key, Talk.BodyOf(protocol, isStream: true));

    private async Task<LedgerProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        var all = new Dictionary<string, string>(settings.Select(setting => KeyValuePair.Create(setting.Name, setting.Value)));
        foreach (var (name, value) in _upstream.SettingsFor("openai").Concat(_upstream.SettingsFor("anthropic", "anthropic")))
            all[name] = value;
        all["Ledger:RateCard"] = Path.Combine(AppContext.BaseDirectory, "Gateway", "rate-card.json");
        all["Ledger:AdminKey"] = LedgerApp.AdminKey;
        var server = LedgerProcess.Launch(_folder.Data, _database, all);
        await server.ListensAsync();
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
        return server;
    }

    // Its clock is not behind that of the process before it.
    private Task<GatewayApp> NextAsync() =>
        SharedGateway.StartAsync(_database, _upstream, new FixedClock { Now = TimeProvider.System.GetUtcNow() });
}
