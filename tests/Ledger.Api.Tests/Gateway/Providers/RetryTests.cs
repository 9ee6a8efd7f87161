using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Gateway.Providers;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>What is tried again, how long is waited, and who is asked next.</summary>
public sealed class RetryTests
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Second = TimeSpan.FromMilliseconds(500);

    public static TheoryData<string> Passing =>
        ["500", "502", "503", "529", "429", "408", "hang up", "empty", "stream error", "stream cut"];

    [Theory]
    [MemberData(nameof(Passing))]
    public async Task What_may_pass_is_tried_again_with_growing_pauses(string trouble)
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Next(Trouble(trouble), Trouble(trouble));
        await using var routing = await Routing.ToAsync(upstream);
        var sending = routing.SendAsync(isStream: true);
        await routing.Clock.WaitingAsync(First);
        routing.Clock.Advance(First);
        await routing.Clock.WaitingAsync(Second);
        routing.Clock.Advance(Second);
        var served = (await sending).ShouldBeServed();
        served.Attempts.ShouldBe(3);
        served.Answer.IsEventStream.ShouldBeTrue();
        (await served.ReadAsync()).ShouldContain("[DONE]");
        upstream.Calls.Count.ShouldBe(3);
        upstream.Calls.Select(call => call.Text).Distinct().Count().ShouldBe(1);
        routing.Attempts[^1].ShouldBe("one m served");
    }

    [Theory]
    [MemberData(nameof(Passing))]
    public async Task What_does_not_pass_goes_to_the_next_entry(string trouble)
    {
        var (bad, good) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        bad.Otherwise(Trouble(trouble));
        await using var routing = await Routing.ToAsync([("one", "openai", bad), ("two", "openai", good)], ("Providers:one:Retries", "0"));
        var served = (await routing.SendAsync("one/m two/n", isStream: true)).ShouldBeServed();
        (served.Target.Provider, served.Target.Model.Model, served.Provider.Name, served.Attempts).ShouldBe(("two", "n", "two", 2));
        await served.ReadAsync();
        (bad.Calls.Count, good.Calls.Single().Model).ShouldBe((1, "n"));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(413)]
    [InlineData(422)]
    public async Task Refused_content_is_the_last_word(int status)
    {
        var (one, two) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        one.Next(UpstreamScript.Refuses(status, "max_tokens is too large"));
        await using var routing = await Routing.ToAsync([("one", "openai", one), ("two", "openai", two)]);
        var refused = (await routing.SendAsync("one/m two/m")).ShouldBeRefused(UpstreamRefusal.ContentRefused, status);
        System.Text.Encoding.UTF8.GetString(refused.Body).ShouldContain("max_tokens is too large");
        (refused.Protocol, refused.Attempts, one.Calls.Count, two.Calls.Count).ShouldBe((Protocol.OpenAi, 1, 1, 0));
        routing.Attempts.ShouldBe(["one m content_refused"]);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    public async Task A_refused_key_is_not_tried_again_but_the_next_entry_is(int status)
    {
        var (one, two) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        one.Otherwise(UpstreamScript.Refuses(status));
        await using var routing = await Routing.ToAsync([("one", "openai", one), ("two", "openai", two)]);
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.CredentialsRefused, status);
        one.Calls.Count.ShouldBe(1);
        await (await routing.SendAsync("one/m two/m")).ShouldBeServed().ReadAsync();
    }

    [Fact]
    public async Task An_account_without_money_is_no_matter_of_waiting()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Otherwise(UpstreamScript.Refuses(429, "You exceeded your current quota.", "insufficient_quota"));
        await using var routing = await Routing.ToAsync(upstream);
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.CredentialsRefused, 429);
        upstream.Calls.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_is_not_followed(int status)
    {
        var (one, two) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        one.Otherwise(UpstreamScript.Sends(status, "").With("Location", two.Address + "/v1/chat/completions"));
        await using var routing = await Routing.ToAsync([("one", "openai", one), ("two", "openai", two)]);
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.Failed, status);
        (one.Calls.Count, two.Calls.Count).ShouldBe((1, 0));
    }

    [Theory]
    [InlineData("retry-after", "3")]
    [InlineData("retry-after-ms", "3000")]
    [InlineData("retry-after", "Fri, 03 Jul 2026 12:00:03 GMT")]
    public async Task A_provider_is_waited_for_as_long_as_it_says(string header, string value)
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Next(UpstreamScript.Refuses(429).With(header, value));
        await using var routing = await Routing.ToAsync(upstream);
        var sending = routing.SendAsync();
        await routing.Clock.WaitingAsync(TimeSpan.FromSeconds(3));
        routing.Clock.Advance(TimeSpan.FromSeconds(3));
        await (await sending).ShouldBeServed().ReadAsync();
        upstream.Calls.Count.ShouldBe(2);
    }

    [Fact]
    public async Task But_not_for_longer_than_five_seconds_in_all()
    {
        var (one, two) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        one.Otherwise(UpstreamScript.Refuses(429).With("retry-after", "3"));
        await using var routing = await Routing.ToAsync([("one", "openai", one), ("two", "openai", two)]);
        var sending = routing.SendAsync("one/m two/m");
        await routing.Clock.WaitingAsync(TimeSpan.FromSeconds(3));
        routing.Clock.Advance(TimeSpan.FromSeconds(3));
        var served = (await sending).ShouldBeServed();
        await served.ReadAsync();
        (served.Target.Provider, one.Calls.Count).ShouldBe(("two", 2));

        // Whoever is the last one says when to come back.
        one.Next(UpstreamScript.Refuses(529).With("retry-after", "60"));
        var refused = (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.Busy, 529);
        (refused.RetryAfter, one.Calls.Count).ShouldBe((TimeSpan.FromSeconds(60), 3));
    }

    [Fact]
    public async Task A_provider_that_says_that_a_retry_is_no_use_is_believed()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Next(UpstreamScript.Refuses(500).With("x-should-retry", "false"));
        await using var routing = await Routing.ToAsync(upstream);
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.Failed, 500);
        upstream.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Once_a_byte_has_come_nothing_is_tried_again()
    {
        var upstream = await StandInUpstream.StartAsync();
        var gate = new Gate();
        upstream.Next(UpstreamScript.Says("Hello", " world").HoldPiece(1, gate).CutAfter(1));
        await using var routing = await Routing.ToAsync([("one", "openai", upstream), ("two", "openai", upstream)]);
        var served = (await routing.SendAsync("one/m two/m", isStream: true)).ShouldBeServed();
        gate.Open();
        var fault = await Should.ThrowAsync<IOException>(() => served.ReadAsync());
        fault.ShouldNotBeNull();
        upstream.Calls.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("an error")]
    [InlineData("the end")]
    public async Task A_comment_is_no_beginning_of_an_answer(string then)
    {
        var (one, two) = (await StandInUpstream.StartAsync(), await StandInUpstream.StartAsync());
        var gate = new Gate();
        var comments = UpstreamScript.Says("x").CommentFirst(gate);
        one.Next(then == "an error" ? comments.FailAfter(0) : comments.CutAfter(0));
        await using var routing = await Routing.ToAsync([("one", "openai", one), ("two", "openai", two)], ("Providers:one:Retries", "0"));
        var sending = routing.SendAsync("one/m two/m", isStream: true);
        await Task.WhenAny(sending, routing.Clock.WaitingAsync(TimeSpan.FromSeconds(120)));
        gate.Open();
        var served = (await sending).ShouldBeServed();
        await served.ReadAsync();
        served.Target.Provider.ShouldBe("two");
    }

    [Fact]
    public async Task Comments_that_go_before_an_answer_come_with_it()
    {
        var upstream = await StandInUpstream.StartAsync();
        var gate = new Gate();
        upstream.Next(UpstreamScript.Says("Hello").CommentFirst(gate));
        await using var routing = await Routing.ToAsync(upstream);
        var sending = routing.SendAsync(isStream: true);
        await Task.WhenAny(sending, routing.Clock.WaitingAsync(TimeSpan.FromSeconds(120)));
        sending.IsCompleted.ShouldBeFalse();
        gate.Open();
        (await (await sending).ShouldBeServed().ReadAsync()).ShouldStartWith(": PROCESSING\n\ndata: {");
    }

    [Fact]
    public async Task Comments_are_not_kept_back_for_longer_than_a_caller_waits()
    {
        var upstream = await StandInUpstream.StartAsync();
        var (headers, rest) = (new Gate(), new Gate());
        upstream.Next(UpstreamScript.Says("Hello").HoldFirstByte(headers).CommentFirst(rest));
        await using var routing = await Routing.ToAsync(upstream);
        var sending = routing.SendAsync(isStream: true);
        await headers.Reached;
        routing.Clock.Advance(TimeSpan.FromSeconds(16));
        headers.Open();
        var served = (await sending).ShouldBeServed();
        rest.Open();
        (await served.ReadAsync()).ShouldStartWith(": PROCESSING\n\ndata: {");
    }

    [Fact]
    public async Task A_whole_answer_that_breaks_off_is_the_readers()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Next(UpstreamScript.Says("Hello", " world").CutAfter(1));
        await using var routing = await Routing.ToAsync(upstream);
        var served = (await routing.SendAsync()).ShouldBeServed();
        await Should.ThrowAsync<IOException>(() => served.ReadAsync());
        upstream.Calls.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Of_several_reasons_the_one_is_told_with_which_a_caller_can_do_most()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream
            .ForModel("busy", UpstreamScript.Refuses(529))
            .ForModel("down", UpstreamScript.Refuses(500, "Down"))
            .ForModel("key", UpstreamScript.Refuses(401));
        await using var routing = await Routing.ToAsync(upstream, "openai", ("Providers:one:Retries", "0"));
        (await routing.SendAsync("one/busy one/down one/key none/m")).ShouldBeRefused(UpstreamRefusal.Busy, 529).Attempts.ShouldBe(3);
        (await routing.SendAsync("none/m one/key one/down none/m")).ShouldBeRefused(UpstreamRefusal.Failed, 500);
        (await routing.SendAsync("one/key none/m")).ShouldBeRefused(UpstreamRefusal.CredentialsRefused, 401);
        (await routing.SendAsync("none/m")).ShouldBeRefused(UpstreamRefusal.NotConfigured, null);
        routing.Attempts[^1].ShouldBe("none m not_configured");
    }

    [Theory]
    [InlineData(529, UpstreamRefusal.Busy)]
    [InlineData(500, UpstreamRefusal.Failed)]
    [InlineData(401, UpstreamRefusal.CredentialsRefused)]
    public async Task A_fallback_that_refuses_the_content_does_not_hide_why_the_first_one_did_not_serve(int status, UpstreamRefusal kind)
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.ForModel("first", UpstreamScript.Refuses(status)).ForModel("small", UpstreamScript.Refuses(400, "Too long for me"));
        await using var routing = await Routing.ToAsync(upstream, "openai", ("Providers:one:Retries", "0"));
        (await routing.SendAsync("one/first one/small")).ShouldBeRefused(kind, status).Attempts.ShouldBe(2);

        // And whoever comes after it is asked still; where nothing weightier came before, a refusal of the content is the last word as ever.
        await (await routing.SendAsync("one/first one/small one/m")).ShouldBeServed().ReadAsync();
        (await routing.SendAsync("none/m one/small one/m")).ShouldBeRefused(UpstreamRefusal.ContentRefused, 400).Attempts.ShouldBe(1);
    }

    [Fact]
    public async Task An_entry_that_cannot_be_asked_is_passed_over()
    {
        var upstream = await StandInUpstream.StartAsync();
        await using var routing = await Routing.ToAsync(upstream);
        var result = await routing.Router.SendAsync([Routing.Target("one/m")], static (_, _) => null, CancellationToken.None);
        result.ShouldBeRefused(UpstreamRefusal.ContentRefused, null);
        upstream.Calls.ShouldBeEmpty();
        (await routing.Router.SendAsync([], static (_, _) => null, CancellationToken.None)).ShouldBeRefused(
            UpstreamRefusal.NotConfigured,
            null
        );
    }

    [Fact]
    public async Task Of_an_error_at_most_64_KiB_are_kept()
    {
        var upstream = await StandInUpstream.StartAsync();
        upstream.Next(UpstreamScript.Sends(400, new string('x', 200_000)));
        await using var routing = await Routing.ToAsync(upstream);
        (await routing.SendAsync()).ShouldBeRefused(UpstreamRefusal.ContentRefused, 400).Body.Length.ShouldBe(64 * 1024);
    }

    private static UpstreamScript Trouble(string trouble) =>
        trouble switch
        {
            "hang up" => UpstreamScript.HangsUp(),
            "empty" => UpstreamScript.Sends(200, "", "text/event-stream"),
            "stream error" => UpstreamScript.Says("x").FailAfter(0),
            "stream cut" => UpstreamScript.Says("x").CutAfter(0),
            _ => UpstreamScript.Refuses(int.Parse(trouble, System.Globalization.CultureInfo.InvariantCulture)),
        };
}
