using Ledger.Api.Gateway.Providers;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>How long a provider is waited for, and what becomes of a call whose caller waits no longer.</summary>
public sealed class TimeoutTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(600);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(120);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_no_first_byte_comes_in_time_the_next_entry_is_asked(bool hasHeaders)
    {
        var (one, two) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        var gate = new Gate();
        one.Next(hasHeaders ? UpstreamScript.Says("late").HoldFirstByte(gate) : UpstreamScript.Says("late").HoldHeaders(gate));
        await using var routing = await Routing.ToAsync([("one", "openai", one), ("two", "openai", two)], ("Providers:one:Retries", "0"));
        var sending = routing.SendAsync("one/m two/m", isStream: true);
        await gate.Reached;
        routing.Clock.Advance(Timeout);
        var served = (await sending).ShouldBeServed();
        await served.ReadAsync();
        served.Target.Provider.ShouldBe("two");
        await one.Calls.Single().ClientGone;
        routing.Attempts.ShouldBe(["one m failed", "two m served"]);
        routing.Log.Single().ShouldContain("nothing came for 600 s");
    }

    [Fact]
    public async Task A_stream_in_which_nothing_comes_for_too_long_is_cut()
    {
        var upstream = await StandInUpstream.StartAsync();
        var gate = new Gate();
        upstream.Next(UpstreamScript.Says("Hello", " world").HoldPiece(1, gate));
        await using var routing = await Routing.ToAsync(upstream);
        var served = (await routing.SendAsync(isStream: true)).ShouldBeServed();

        // Slow is not idle: the time counts from byte to byte, and only while somebody reads.
        routing.Clock.Advance(Timeout);
        var reading = served.ReadAsync();
        await gate.Reached;
        while (!reading.IsCompleted)
        {
            // Of what was sent before, not all may have been read yet.
            await Task.WhenAny(reading, routing.Clock.WaitingAsync(Idle));
            routing.Clock.Advance(Idle);
        }

        (await Should.ThrowAsync<IOException>(reading)).Message.ShouldContain("nothing came for 120 s");
        await upstream.Calls.Single().ClientGone;
    }

    [Fact]
    public async Task A_caller_who_gives_up_is_no_failure_of_the_provider()
    {
        var upstream = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync(upstream);
        for (var i = 0; i < 20; i++)
        {
            var gate = new Gate();
            upstream.Next(UpstreamScript.Says("late").HoldHeaders(gate));
            using var caller = new CancellationTokenSource();
            var sending = routing.SendAsync(ct: caller.Token);
            await gate.Reached;
            await caller.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(sending);
            await upstream.Calls[^1].ClientGone;
        }

        routing.Breaker("one/m").ShouldBe(0);
        routing.Attempts.ShouldAllBe(attempt => attempt == "one m cancelled");
        routing.Log.ShouldBeEmpty();
    }

    [Fact]
    public async Task Nor_does_a_caller_wait_for_a_retry_after_giving_up()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Otherwise(UpstreamScript.Refuses(500));
        await using var routing = await Routing.ToAsync(upstream);
        using var caller = new CancellationTokenSource();
        var sending = routing.SendAsync(ct: caller.Token);
        await routing.Clock.WaitingAsync(TimeSpan.FromMilliseconds(250));
        await caller.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(sending);
        upstream.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_reader_that_goes_away_ends_the_providers_work()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Next(UpstreamScript.Says("Hello", " world").HoldPiece(1, new Gate()));
        await using var routing = await Routing.ToAsync(upstream);
        var served = (await routing.SendAsync(isStream: true)).ShouldBeServed();
        await served.Answer.DisposeAsync();
        await upstream.Calls.Single().ClientGone;
    }

    [Fact]
    public async Task Nobody_there_is_a_failure_without_an_answer()
    {
        var gone = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync(gone, "openai", ("Providers:one:Retries", "0"));
        await gone.DisposeAsync();
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.Failed, null).Body.ShouldBeEmpty();
        routing.Log.Single().ShouldContain("ConnectionError");
    }
}
