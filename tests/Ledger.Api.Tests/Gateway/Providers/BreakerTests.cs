using System.Text;
using Ledger.Api.Gateway.Providers;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>A provider that fails is left alone for a while.</summary>
public sealed class BreakerTests : IAsyncLifetime
{
    private StandInUpstream _one = null!;
    private StandInUpstream _two = null!;
    private Routing _routing = null!;

    public async ValueTask InitializeAsync()
    {
        (_one, _two) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        _routing = await Routing.ToAsync([("one", "openai", _one), ("two", "openai", _two)], ("Providers:one:Retries", "0"));
    }

    public ValueTask DisposeAsync() => _routing.DisposeAsync();

    [Fact]
    public async Task Half_of_ten_attempts_open_it_and_the_next_entry_is_asked_at_once()
    {
        await OpenAsync(500);
        _routing.Breaker("one/m").ShouldBe(2);
        var served = (await _routing.SendAsync("one/m two/m")).ShouldBeServed();
        await served.ReadAsync();
        (served.Target.Provider, served.Attempts, _one.Calls.Count).ShouldBe(("two", 1, 10));
        _routing.Attempts.TakeLast(2).ShouldBe(["one m skipped", "two m served"]);
        _routing.Log.ShouldContain("Warning: one/m is not asked for 15 s: half of the last attempts failed.");
    }

    [Theory]
    [InlineData(500, UpstreamRefusal.Failed)]
    [InlineData(529, UpstreamRefusal.Busy)]
    public async Task Where_there_is_no_other_entry_the_answer_comes_at_once(int status, UpstreamRefusal kind)
    {
        await OpenAsync(status);
        var refused = (await _routing.SendAsync()).ShouldBeRefused(kind, null);
        (refused.RetryAfter, refused.Attempts, _one.Calls.Count).ShouldBe((TimeSpan.FromSeconds(15), 0, 10));
    }

    [Fact]
    public async Task After_a_while_one_call_tries_and_closes_it_where_it_is_served()
    {
        await OpenAsync(500);
        _routing.Clock.Advance(TimeSpan.FromSeconds(16));
        await (await _routing.SendAsync()).ShouldBeServed().ReadAsync();
        _routing.Breaker("one/m").ShouldBe(0);
        await (await _routing.SendAsync()).ShouldBeServed().ReadAsync();
        _one.Calls.Count.ShouldBe(12);
    }

    [Fact]
    public async Task Where_the_trial_fails_it_stays_open()
    {
        await OpenAsync(500);
        _routing.Clock.Advance(TimeSpan.FromSeconds(16));
        _one.Next(UpstreamScript.Refuses(500));
        (await _routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.Failed, 500);
        (await _routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.Failed, null);
        (_routing.Breaker("one/m"), _one.Calls.Count).ShouldBe((2, 11));
    }

    [Fact]
    public async Task Another_model_of_the_same_provider_has_its_own()
    {
        await OpenAsync(500);
        await (await _routing.SendAsync("one/n")).ShouldBeServed().ReadAsync();
        (_routing.Breaker("one/m"), _routing.Breaker("one/n")).ShouldBe((2, 0));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    public async Task What_is_the_callers_fault_or_ours_does_not_open_it(int status)
    {
        _one.Otherwise(UpstreamScript.Refuses(status));
        for (var i = 0; i < 20; i++)
            (await _routing.SendAsync()).ShouldBeOfType<UpstreamResult.Refused>();
        (_routing.Breaker("one/m"), _one.Calls.Count).ShouldBe((0, 20));
    }

    [Theory]
    [InlineData("""{"error":{"type":"rate_limit_error","message":"Slow down"}}""")]
    [InlineData("""{"error":{"code":"rate_limit_exceeded","message":"Slow down"}}""")]
    public async Task Rate_limits_do_not_open_it_wherever_they_are_told(string error)
    {
        // One caller alone can bring them about, and a stream says 200 first.
        foreach (var script in new[] { UpstreamScript.Refuses(429), UpstreamScript.Sends(200, $"data: {error}\n\n", "text/event-stream") })
        {
            _one.Otherwise(script);
            for (var i = 0; i < 20; i++)
                (await _routing.SendAsync(isStream: true)).ShouldBeRefused(UpstreamRefusal.Busy, 429);
        }

        (_routing.Breaker("one/m"), _one.Calls.Count).ShouldBe((0, 40));
    }

    [Theory]
    [InlineData(
        """{"error":{"message":"Too long","type":"BadRequestError","param":null,"code":400}}""",
        UpstreamRefusal.ContentRefused,
        400
    )]
    [InlineData("""{"error":{"message":"No","type":"UnprocessableEntityError","code":"422"}}""", UpstreamRefusal.ContentRefused, 422)]
    [InlineData("""{"error":{"message":"Too long","code":"context_length_exceeded"}}""", UpstreamRefusal.ContentRefused, 400)]
    [InlineData("""{"type":"error","error":{"type":"invalid_request_error","message":"No"}}""", UpstreamRefusal.ContentRefused, 400)]
    [InlineData("""{"type":"error","error":{"type":"not_found_error","message":"No"}}""", UpstreamRefusal.ContentRefused, 400)]
    [InlineData("""{"type":"error","error":{"type":"request_too_large","message":"No"}}""", UpstreamRefusal.ContentRefused, 400)]
    [InlineData("""{"type":"error","error":{"type":"authentication_error","message":"No"}}""", UpstreamRefusal.CredentialsRefused, 401)]
    [InlineData("""{"type":"error","error":{"type":"permission_error","message":"No"}}""", UpstreamRefusal.CredentialsRefused, 401)]
    [InlineData(
        """{"error":{"message":"No","type":"invalid_request_error","code":"invalid_api_key"}}""",
        UpstreamRefusal.CredentialsRefused,
        401
    )]
    [InlineData("""{"error":{"message":"No","type":"insufficient_quota"}}""", UpstreamRefusal.CredentialsRefused, 200)]
    [InlineData("""{"error":{"message":"No credit","code":402}}""", UpstreamRefusal.CredentialsRefused, 402)]
    public async Task What_is_the_callers_fault_or_ours_does_not_open_it_where_a_stream_tells_it(
        string error,
        UpstreamRefusal kind,
        int status
    )
    {
        // With a retry that it must not take.
        await using var routing = await Routing.ToAsync([("one", "openai", _one)], ("Providers:one:Retries", "1"));
        _one.Otherwise(UpstreamScript.Sends(200, $"event: error\ndata: {error}\n\n", "text/event-stream"));
        for (var i = 0; i < 20; i++)
            Encoding.UTF8.GetString((await routing.SendAsync(isStream: true)).ShouldBeRefused(kind, status).Body).ShouldBe(error);
        (routing.Breaker("one/m"), _one.Calls.Count).ShouldBe((0, 20));
    }

    [Fact]
    public async Task A_stream_that_begins_with_being_overloaded_opens_it()
    {
        _one.Otherwise(UpstreamScript.Says("x").FailAfter(0));
        for (var i = 0; i < 10; i++)
            (await _routing.SendAsync(isStream: true)).ShouldBeRefused(UpstreamRefusal.Busy, 200);
        _routing.Breaker("one/m").ShouldBe(2);
    }

    [Fact]
    public async Task Failures_of_long_ago_do_not_count()
    {
        for (var i = 0; i < 20; i++)
        {
            _one.Next(UpstreamScript.Refuses(500));
            (await _routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.Failed, 500);
            _routing.Clock.Advance(TimeSpan.FromSeconds(4));
        }

        _routing.Breaker("one/m").ShouldBe(0);
    }

    private async Task OpenAsync(int status)
    {
        for (var i = 0; i < 5; i++)
        {
            await (await _routing.SendAsync()).ShouldBeServed().ReadAsync();
            _one.Next(UpstreamScript.Refuses(status));
            (await _routing.SendAsync()).ShouldBeOfType<UpstreamResult.Refused>().Status.ShouldBe(status);
        }
    }
}
