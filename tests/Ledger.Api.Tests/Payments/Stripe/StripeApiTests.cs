using System.Collections.Concurrent;
using Ledger.Api.Application;
using Ledger.Api.Payments;
using Ledger.Api.Payments.Stripe;
using Ledger.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>How Stripe is asked: what is tried again, under which key, and what is not.</summary>
public sealed class StripeApiTests : IAsyncLifetime
{
    private readonly HurriedClock _clock = new();
    private readonly KeptLog _log = new();
    private readonly List<StripeApi> _apis = [];
    private StripeStandIn _stripe = null!;

    public async ValueTask InitializeAsync() => _stripe = await StripeStandIn.StartAsync(new FixedClock());

    public ValueTask DisposeAsync()
    {
        foreach (var api in _apis)
            api.Dispose();
        return _stripe.DisposeAsync();
    }

    [Fact]
    public async Task A_request_names_the_version_and_what_it_does_once()
    {
        (await MakeAsync()).Status.ShouldBe(200);
        var made = _stripe.Requests.Single();
        (made.ToString(), made.Version, made.Key).ShouldBe(("POST /v1/customers", "2025-08-27.basil", "key-1"));
        made.Form.ShouldBe(new Dictionary<string, string> { ["metadata[account]"] = "acc+1 & more" });
    }

    [Theory]
    [InlineData(StripeTrouble.Fault)]
    [InlineData(StripeTrouble.TooMany)]
    [InlineData(StripeTrouble.KeyInUse)]
    [InlineData(StripeTrouble.Cut)]
    [InlineData(StripeTrouble.AnswerLost)]
    [InlineData(StripeTrouble.Stranger)]
    public async Task What_may_pass_is_tried_again_under_the_same_key_and_done_once(StripeTrouble trouble)
    {
        _stripe.Trouble(trouble, 3);
        (await MakeAsync()).Status.ShouldBe(200);
        _stripe.Requests.Select(request => request.Key).ShouldBe(Enumerable.Repeat("key-1", 4));
        _stripe.World.All("customer").Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(StripeTrouble.Fault)]
    [InlineData(StripeTrouble.TooMany)]
    [InlineData(StripeTrouble.KeyInUse)]
    [InlineData(StripeTrouble.Cut)]
    [InlineData(StripeTrouble.Stranger)]
    public async Task What_does_not_pass_is_given_up_and_may_be_asked_again(StripeTrouble trouble)
    {
        _stripe.Trouble(trouble, 4);
        (await Should.ThrowAsync<PaymentProviderException>(() => MakeAsync())).IsFinal.ShouldBeFalse();
        _stripe.Requests.Count.ShouldBe(4);
        (await MakeAsync()).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Where_no_answer_comes_in_time_it_is_asked_again()
    {
        _stripe.Trouble(StripeTrouble.Silence);
        var asking = MakeAsync(settings => settings.Timeout = TimeSpan.FromMilliseconds(300));
        await Eventually.IsSoAsync(() => _stripe.Requests.Count == 1);
        _clock.EndTimeout();
        (await asking).Status.ShouldBe(200);
        _stripe.Requests.Count.ShouldBe(2);
        _log.Text.ShouldContain("no answer within 0.3 s");
    }

    [Fact]
    public async Task Whoever_gives_up_waits_no_longer()
    {
        _stripe.Trouble(StripeTrouble.Silence);
        using var limit = new CancellationTokenSource();
        var asking = Api().GetAsync("v1/customers/cus_1", limit.Token);
        await Eventually.IsSoAsync(() => _stripe.Requests.Count == 1);
        await limit.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => asking);
        _stripe.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_fault_of_which_Stripe_says_that_it_lasts_is_not_tried_again_at_once()
    {
        _stripe.Trouble(StripeTrouble.LastingFault);
        var fault = await Should.ThrowAsync<PaymentProviderException>(() => MakeAsync());
        fault.IsFinal.ShouldBeFalse();
        _stripe.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_refusal_is_an_answer_and_not_tried_again()
    {
        var reply = await Api().GetAsync("v1/customers/cus_nobody?expand[]=x", CancellationToken.None);
        (reply.Status, reply.ErrorCode, reply.IsError).ShouldBe((404, "resource_missing", true));
        var fault = Should.Throw<PaymentProviderException>(reply.Required);
        fault.IsFinal.ShouldBeTrue();
        fault.Message.ShouldBe(
            "Stripe answered 404 to GET /v1/customers/cus_nobody: resource_missing, request req_00000000000001. No such object: 'cus_nobody'".Replace(
                "/v1",
                "v1",
                StringComparison.Ordinal
            )
        );
        _stripe.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_same_key_for_something_else_is_refused()
    {
        await MakeAsync();
        var form = new StripeForm().With("metadata[account]", "acc2");
        var reply = await Api().PostAsync("v1/customers", form, "key-1", CancellationToken.None);
        (reply.Status, reply.ErrorCode).ShouldBe((400, "idempotency_error"));
    }

    [Fact]
    public async Task Stripe_is_waited_for_as_long_as_it_says_within_bounds()
    {
        _stripe.RetryAfter = "3";
        _stripe.Trouble(StripeTrouble.TooMany);
        await MakeAsync();
        _clock.Waited.ShouldBe([TimeSpan.FromSeconds(3)]);

        _stripe.RetryAfter = "3600";
        _stripe.Trouble(StripeTrouble.TooMany);
        await MakeAsync();
        _clock.Waited[1..].ShouldBe([TimeSpan.FromSeconds(8)]);
    }

    [Fact]
    public async Task Without_a_word_from_Stripe_the_pauses_grow()
    {
        _stripe.Trouble(StripeTrouble.Fault, 10);
        (await MakeAsync(settings => settings.Retries = 10)).Status.ShouldBe(200);
        _clock.Waited.Count.ShouldBe(10);
        _clock.Waited[..3].ShouldAllBe(pause => pause < TimeSpan.FromSeconds(4));
        _clock.Waited.ShouldAllBe(pause => pause > TimeSpan.Zero && pause <= TimeSpan.FromSeconds(8));
        _clock.Waited[^1].ShouldBeGreaterThan(_clock.Waited[0]);
    }

    [Fact]
    public async Task Who_wants_no_second_attempt_gets_none()
    {
        _stripe.Trouble(StripeTrouble.Fault);
        await Should.ThrowAsync<PaymentProviderException>(() => MakeAsync(settings => settings.Retries = 0));
        _stripe.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_key_is_in_no_message_and_no_log()
    {
        // Stripe quotes a key that it refuses.
        const string Wrong = "sk_live_of_somebody_else";
        var reply = await MakeAsync(settings => settings.ApiKey = Wrong);
        reply.Body.GetRawText().ShouldContain(Wrong);
        var fault = Should.Throw<PaymentProviderException>(reply.Required);
        fault.IsFinal.ShouldBeFalse("somebody will mend the key, and what was asked for must be asked again");
        fault.ToString().ShouldNotContain(Wrong);

        _stripe.Trouble(StripeTrouble.Fault, 2);
        await MakeAsync();
        await _stripe.DisposeAsync();
        (await Should.ThrowAsync<PaymentProviderException>(() => MakeAsync())).ToString().ShouldNotContain(StripeStandIn.ApiKey);
        _log.Text.ShouldContain("Stripe failed to answer POST v1/customers: HTTP 500 api_error.");
        _log.Text.ShouldNotContain("sk_");
    }

    [Fact]
    public async Task Stripe_may_be_below_another_address()
    {
        var reply = await Api(settings => settings.BaseUrl = new(_stripe.Address, "/proxy/"))
            .GetAsync("v1/charges/ch_1", CancellationToken.None);
        reply.Status.ShouldBe(404);
        _stripe.Requests.Single().Path.ShouldBe("/proxy/v1/charges/ch_1");
    }

    [Theory]
    [InlineData("ApiKey", "")]
    [InlineData("ApiKey", "two words")]
    [InlineData("ApiKey", "sk_test_1\n")]
    [InlineData("WebhookSecret", "")]
    [InlineData("WebhookSecret", " , ")]
    [InlineData("BaseUrl", "somewhere")]
    [InlineData("Timeout", "00:00:00")]
    [InlineData("Retries", "11")]
    [InlineData("PageOrigins", "pay.example.com")]
    [InlineData("PageOrigins", "https://pay.example.com/")]
    [InlineData("PageOrigins", "https://checkout.stripe.com,https://*.example.com")]
    [InlineData("PageOrigins", "https://pay.example.com;script-src")]
    [InlineData("PageOrigins", "javascript:alert(1)")]
    public void Settings_with_which_nothing_could_be_paid_or_anybody_could_say_so_are_refused(string name, string value)
    {
        var settings = _stripe.Settings;
        settings["Billing:Stripe:" + name] = value;
        Should
            .Throw<SettingsException>(() =>
                PaymentOptions.From(
                    new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(s => s.Key, s => (string?)s.Value)).Build()
                )
            )
            .Message.ShouldContain("Billing:Stripe:" + name);
    }

    private Task<StripeReply> MakeAsync(Action<StripeSettings>? change = null) =>
        Api(change).PostAsync("v1/customers", new StripeForm().With("metadata[account]", "acc+1 & more"), "key-1", CancellationToken.None);

    private StripeApi Api(Action<StripeSettings>? change = null)
    {
        var settings = new StripeSettings { ApiKey = StripeStandIn.ApiKey, BaseUrl = _stripe.Address };
        change?.Invoke(settings);
        var api = new StripeApi(settings, _clock, _log);
        _apis.Add(api);
        return api;
    }

    /// <summary>A clock whose timers ring at once, and which remembers for how long they were set.</summary>
    private sealed class HurriedClock : TimeProvider
    {
        private readonly ConcurrentQueue<TimeSpan> _waited = new();
        private volatile CancellationTokenSource? _limit;

        public List<TimeSpan> Waited => [.. _waited];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            // The limit of an attempt is a source of cancellation; whatever else waits is a pause.
            if (state is CancellationTokenSource limit)
            {
                _limit = limit;
                return base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, period);
            }

            if (dueTime > TimeSpan.Zero)
                _waited.Enqueue(dueTime);
            return base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? TimeSpan.Zero : dueTime, period);
        }

        /// <summary>Lets the time of the attempt under way run out.</summary>
        public void EndTimeout() => _limit!.Cancel();
    }

    /// <summary>Keeps what is logged.</summary>
    private sealed class KeptLog : ILogger<StripeApi>
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public string Text => string.Join('\n', _lines);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => _lines.Enqueue(formatter(state, exception) + exception);
    }
}
