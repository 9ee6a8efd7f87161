using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>A gateway that does not read on for callers who have left.</summary>
public sealed class HastyGateway : SharedGateway
{
    internal override Dictionary<string, string> Settings => new() { ["Gateway:ReadOn"] = "00:00:00" };
}

/// <summary>Callers who leave pay for what they asked for.</summary>
public sealed class LeavingTests(SharedGateway shared, HastyGateway hasty) : IClassFixture<SharedGateway>, IClassFixture<HastyGateway>
{
    public static TheoryData<Protocol, bool> Ways => Talk.Ways;

    public static TheoryData<Protocol> Protocols => Talk.Protocols;

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Whoever_leaves_before_the_first_byte_pays_what_is_reported_at_the_end(Protocol protocol, bool isStream)
    {
        var gateway = shared.Gateway;
        var account = await gateway.RichAsync();
        var gate = new Gate();
        gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldHeaders(gate));

        await AskAndLeaveAsync(gateway, protocol, isStream, account, gate);
        gate.Open();

        await EndedAsync(gateway, account);
        await gateway.ShouldBeChargedAsync(account, 20_000, Gone(protocol, isStream));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Whoever_leaves_in_the_middle_pays_what_is_reported_at_the_end(Protocol protocol)
    {
        var gateway = shared.Gateway;
        var account = await gateway.RichAsync();
        var gate = new Gate();
        gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate));

        var done = await ReadAndLeaveAsync(gateway, protocol, account);
        gate.Open();
        await done;

        await gateway.ShouldBeChargedAsync(account, 20_000, Gone(protocol, isStream: true));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Where_the_provider_does_not_end_in_time_what_had_come_is_charged(Protocol protocol)
    {
        var gateway = hasty.Gateway;
        var account = await gateway.RichAsync();
        gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, new()));

        await await ReadAndLeaveAsync(gateway, protocol, account);

        await OutcomeTests.ShouldBeChargedForHalfAsync(gateway, account, protocol, CallOutcome.CallerGoneCut);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Where_nothing_had_come_in_time_nothing_is_charged(Protocol protocol, bool isStream)
    {
        var gateway = hasty.Gateway;
        var account = await gateway.RichAsync();
        var gate = new Gate();
        gateway.Upstream.Next(UpstreamScript.Says("one two ").HoldHeaders(gate));

        await AskAndLeaveAsync(gateway, protocol, isStream, account, gate);

        await Eventually.IsSoAsync(async () => (await gateway.App.FactsAsync(account.Id))[^1] is HoldReleased);
        await gateway.ShouldBeFreeAsync(account);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Whoever_leaves_pays_nothing_where_the_provider_fails_before_it_says_anything(Protocol protocol)
    {
        var gateway = shared.Gateway;
        var account = await gateway.RichAsync();
        var gate = new Gate();

        // By a provider of OpenAI's protocol, which has reported nothing by then.
        gateway.Upstream.Next(UpstreamScript.Says("", "one two ").HoldPiece(1, gate).CutAfter(1));
        using var callers = new Callers(gateway);
        var body = Talk.BodyOf(protocol, isStream: true, model: GatewayApp.OpenAiModel);
        using (var stream = await gateway.OpenAsync(protocol, account.Key, body))
            await gate.Reached;
        await callers.Gone;
        gate.Open();

        await Eventually.IsSoAsync(async () => (await gateway.App.FactsAsync(account.Id))[^1] is HoldReleased);
        await gateway.ShouldBeFreeAsync(account);
    }

    [Fact]
    public async Task Whoever_leaves_pays_for_what_came_before_the_provider_failed()
    {
        var gateway = shared.Gateway;
        var account = await gateway.RichAsync();
        var gate = new Gate();
        gateway.Upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, gate).CutAfter(1));

        var done = await ReadAndLeaveAsync(gateway, Protocol.OpenAi, account);
        gate.Open();
        await done;

        await OutcomeTests.ShouldBeChargedForHalfAsync(gateway, account, Protocol.OpenAi, CallOutcome.UpstreamCut);
    }

    private static CallRecord Gone(Protocol protocol, bool isStream) =>
        new(
            Talk.ProviderOf(protocol),
            "plain",
            new(10, 0, 0, 0, 5),
            false,
            CallOutcome.CallerGone,
            0,
            null,
            Talk.ReportOf(protocol, isStream, 10, 5)
        );

    private static Task EndedAsync(GatewayApp gateway, TestAccount account) =>
        Eventually.IsSoAsync(async () => (await gateway.App.FactsAsync(account.Id))[^1] is HoldSettled);

    private static async Task AskAndLeaveAsync(GatewayApp gateway, Protocol protocol, bool isStream, TestAccount account, Gate gate)
    {
        using var callers = new Callers(gateway);
        using var leaving = new CancellationTokenSource();
        using var http = LiveStream.Caller(gateway.App.Http.BaseAddress!);
        using var request = Talk.RequestFor(Talk.RouteOf(protocol), account.Key, Talk.BodyOf(protocol, isStream));
        var asking = http.SendAsync(request, leaving.Token);
        await gate.Reached;
        await leaving.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => asking);
        await callers.Gone;
    }

    /// <summary>Reads the first piece and hangs up.</summary>
    /// <returns>The end of the call, which comes later.</returns>
    private static async Task<Task> ReadAndLeaveAsync(GatewayApp gateway, Protocol protocol, TestAccount account)
    {
        using var callers = new Callers(gateway);
        Task done;
        using (var stream = await gateway.OpenAsync(protocol, account.Key))
        {
            await stream.UntilAsync("one two ");
            done = gateway.Live().Find(stream.Hold)!.Done;
        }

        await callers.Gone;
        return done;
    }
}
