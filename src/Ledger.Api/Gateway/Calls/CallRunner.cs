using System.Buffers;
using System.Diagnostics;
using System.Text;
using Ledger.Api.Application;
using Ledger.Api.Gateway.Presets;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Gateway.Providers;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Calls;

/// <summary>Carries a call whose hold is placed: asks the providers, passes the answer on, and charges what it came to.</summary>
internal sealed partial class CallRunner(
    CallDesk desk,
    LiveCalls live,
    UpstreamRouter router,
    PresetLibrary presets,
    AnswerKeeper keeper,
    GatewayMetrics metrics,
    GatewayOptions options,
    TimeProvider time,
    ILogger<CallRunner> logger
)
{
    private static readonly OpenAiError ProviderMissing = new(
        502,
        "provider_not_configured",
        "No provider is configured for this model. The call was not charged."
    );

    private static readonly OpenAiError UpstreamFailed = new(502, "upstream_error", "The provider failed. The call was not charged.");

    private static readonly OpenAiError UpstreamBusy = new(
        502,
        "upstream_error",
        "The provider is too busy; try again later. The call was not charged."
    );

    private static readonly OpenAiError NotCharged = new(
        503,
        "unavailable",
        "The answer is there, but the ledger's database is away, so that it could not be charged. It may be charged yet; do not repeat it blindly."
    );

    private const string BrokenOff = "The provider failed in the middle of its answer. What was delivered was charged.";
    private const string Stopping = "This server stops, and could not wait for the end of the answer. What was delivered was charged.";

    /// <summary>Carries a call to its end. Whatever comes, its hold has ended when this has.</summary>
    /// <returns>Where its hold did not come to be after all, why; null else.</returns>
    public async Task<Placement?> RunAsync(
        HttpContext context,
        CallRoute route,
        CallRequest request,
        LiveCalls.BodyRoom room,
        Placement placement,
        bool isNamed
    )
    {
        using var cut = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        using var stopping = live.Cut.UnsafeRegister(static cut => ((CancellationTokenSource)cut!).Cancel(), cut);
        using var leaving = context.RequestAborted.UnsafeRegister(
            static state =>
            {
                var (cut, readOn) = ((CancellationTokenSource, TimeSpan))state!;
                try
                {
                    if (readOn > TimeSpan.Zero)
                        cut.CancelAfter(readOn);
                    else
                        cut.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    // It ended at the same moment.
                }
            },
            (cut, route.IsInPerson ? TimeSpan.Zero : options.ReadOn)
        );
        var run = new Run(context, route, request, room, placement.Call!, isNamed, time.GetTimestamp(), cut.Token);
        try
        {
            run.Activity = GatewayMetrics.Start(run.Call);
            run.IsPlaced = placement.Commit is null;
            using var early = CancellationTokenSource.CreateLinkedTokenSource(cut.Token);
            var asking = AskAsync(run, early.Token);
            if (placement.Commit is { } commit)
            {
                var (confirmed, isDropped) = await ConfirmAsync(run.Call, commit, asking, early);
                if (confirmed.Call is not { } placed)
                    return confirmed;

                // Decided anew, under other terms: the provider was asked, and dropped, under the old ones.
                if (isDropped)
                {
                    run.Call = placed;
                    asking = AskAsync(run, cut.Token);
                }

                (run.Call, run.IsPlaced) = (placed, true);
            }

            CallHeaders.SetHold(context, run.Call);
            await CarryAsync(run, asking);
            return null;
        }
        finally
        {
            run.Activity?.Dispose();

            // Neither charged nor released: a fault of ours, after which nothing may be kept from the caller.
            if (run is { IsPlaced: true, HasEnded: false })
                await desk.ReleaseAsync(run.Call);
        }
    }

    /// <summary>
    /// Waits for the hold while the provider is asked. Where it did not come to be, or not under the terms that were expected, what was asked is dropped.
    /// </summary>
    private static async Task<(Placement Placement, bool IsDropped)> ConfirmAsync(
        LiveCall expected,
        Task<Placement> commit,
        Task<Asked> asking,
        CancellationTokenSource early
    )
    {
        var isExpected = false;
        try
        {
            var placement = await commit;
            isExpected =
                placement.Call?.Hold is { } hold
                && hold.Card == expected.Hold.Card
                && hold.Entry == expected.Hold.Entry
                && hold.Call == expected.Hold.Call
                && placement.Call.Models.SequenceEqual(expected.Models);
            return (placement, !isExpected);
        }
        finally
        {
            if (!isExpected)
                await DropAsync(asking, early);
        }
    }

    private static async Task DropAsync(Task<Asked> asking, CancellationTokenSource early)
    {
        await early.CancelAsync();
        try
        {
            if ((await asking).Result is UpstreamResult.Served served)
                await served.Answer.DisposeAsync();
        }
        catch (Exception)
        {
            // Nobody waits for it any more.
        }
    }

    /// <summary>Asks the providers.</summary>
    private async Task<Asked> AskAsync(Run run, CancellationToken ct)
    {
        var headers = ForwardedHeaders.From(run.Context.Request.Headers, run.Route.Protocol);
        CallFault? fault = null;
        var result = await router.SendAsync(
            [.. run.Call.Models.Select(model => new UpstreamTarget(model.Provider, model))],
            (target, provider) =>
            {
                var speaks = provider.SpeaksFor(run.Route.Protocol);
                var body = UpstreamBody.Write(run.Request, speaks, RewriteOf(run, target, speaks), out var wrong);
                fault ??= wrong;
                return body is null
                    ? null
                    : new(speaks, body, run.Request.IsStream, speaks == run.Route.Protocol ? headers : [], run.Call.RequestId);
            },
            ct
        );
        return new(result, run.ElapsedMs(time), fault);
    }

    private async Task CarryAsync(Run run, Task<Asked> asking)
    {
        Asked asked;
        try
        {
            asked = await asking;
        }
        catch (OperationCanceledException) when (run.Cut.IsCancellationRequested)
        {
            await NotServedAsync(run, "cancelled");
            await SendAsync(run, UpstreamFailed);
            return;
        }

        if (asked.Result is not UpstreamResult.Served served)
        {
            await RefuseAsync(run, (UpstreamResult.Refused)asked.Result, asked.Fault);
            return;
        }

        // Nobody is asked again from here on, and a stream may take long.
        run.Request.LetGo();
        run.Room.Dispose();
        run.FirstByteMs = asked.ElapsedMs;
        run.Target = served.Target;
        run.Activity?.SetTag("gen_ai.provider.name", served.Target.Provider);
        await using var answer = served.Answer;
        if (run.Request.IsStream && answer.IsEventStream)
            await StreamAsync(run, served.Protocol, answer);
        else
            await AnswerAsync(run, served.Protocol, answer);
    }

    private UpstreamRewrite RewriteOf(Run run, UpstreamTarget target, Protocol speaks)
    {
        // Said only where the caller says so, or something else must be said than the caller did: not every model takes the member.
        var (bound, ceiling) = (run.Call.Hold.Call!.MaxOutput, (long)target.Model.MaxOutputTokens);
        var most = Math.Min(bound, ceiling);
        var isSaid = run.Request.MaxTokens is not null || bound < ceiling || speaks == Protocol.Anthropic;
        return new(target.Model.UpstreamModel, isSaid ? most : null, run.Route.Preset is { } tool ? presets.Find(tool) : null);
    }

    private async Task AnswerAsync(Run run, Protocol speaks, UpstreamAnswer upstream)
    {
        byte[] body;
        UsageReport report;
        var said = default(FirstChoice);
        try
        {
            var read = await ReadAsync(upstream.Body, run.Cut);
            body = AnswerRelay.Read(run.Request, speaks, read, out report, run.Call.PlacedAt.ToUnixTimeSeconds());
            if (run.Route.Payment == CallPayment.Pack)
                said = AnswerRelay.FirstOf(body);
        }
        catch (Exception broken) when (broken is IOException or InvalidDataException or OperationCanceledException)
        {
            // Nothing of it was delivered, so nothing of it is charged.
            LogBroken(logger, run.Call.RequestId, run.Target!.Provider, ReasonOf(broken));
            await NotServedAsync(run, "upstream_error");
            await SendAsync(run, UpstreamFailed);
            return;
        }

        var record = RecordOf(run, report, run.IsCallerGone ? CallOutcome.CallerGone : report.Outcome);
        var answer = body;
        if (await ChargeAsync(run, record, KeepAsync) is not { } charge)
        {
            run.Context.Response.Headers["x-should-retry"] = "false";
            await SendAsync(run, NotCharged);
            return;
        }

        CallHeaders.SetCharge(run.Context, charge);
        await SendBodyAsync(run.Context, answer);

        async Task KeepAsync(CallCharge charge)
        {
            if (run.Route.Payment == CallPayment.Pack)
                answer = PackAnswers.Write(said, run.Call, record, charge);
            if (run.IsNamed)
                await keeper.KeepAsync(run.Call.Account, run.Call.Id, answer);
        }
    }

    /// <summary>Sends an answer that is charged.</summary>
    public static async Task SendBodyAsync(HttpContext context, byte[] answer)
    {
        context.Response.StatusCode = 200;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = answer.Length;
        await context.Response.BodyWriter.WriteAsync(answer, context.RequestAborted);
    }

    private async Task StreamAsync(Run run, Protocol speaks, UpstreamAnswer upstream)
    {
        var response = run.Context.Response;
        response.StatusCode = 200;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        var isPack = run.Route.Payment == CallPayment.Pack;
        var relay = StreamRelay.Of(run.Request, speaks, isPack, run.Call.PlacedAt.ToUnixTimeSeconds());
        var isWhole = await PassOnAsync(run, relay, upstream.Body);

        var report = relay.Report;
        var isCutForCaller = !isWhole && run is { IsCut: true, IsCallerGone: true };
        if (!isWhole && !isCutForCaller && report is { IsReported: false, Tokens.Output: 0 })
        {
            // Nothing was said, and nothing is charged for it; whether somebody still listened does not make it the caller's doing.
            await NotServedAsync(run, "upstream_error");
            if (run.IsCallerGone)
                return;
            relay.WriteError(response.BodyWriter, "api_error", "upstream_error", relay.FailureMessage ?? UpstreamFailed.Message);
            await response.BodyWriter.FlushAsync(run.Context.RequestAborted);
            return;
        }

        var outcome =
            !isWhole ? (isCutForCaller ? CallOutcome.CallerGoneCut : CallOutcome.UpstreamCut)
            : run.IsCallerGone ? CallOutcome.CallerGone
            : report.Outcome;
        var record = RecordOf(run, report, outcome);
        var charge = await ChargeAsync(run, record);
        if (run.IsCallerGone)
            return;
        if (!isWhole || charge is null)
        {
            var message = charge is null
                ? NotCharged.Message
                : relay.FailureMessage ?? (run.Cut.IsCancellationRequested ? Stopping : BrokenOff);
            relay.WriteError(response.BodyWriter, "api_error", "upstream_error", message);
        }
        else
        {
            if (isPack)
                ServerSentEvents.Write(response.BodyWriter, PackAnswers.WriteLast(relay, run.Call, record, charge));
            relay.WriteEnd(response.BodyWriter);
        }

        await response.BodyWriter.FlushAsync(run.Context.RequestAborted);
    }

    /// <summary>Passes each event on as it comes, and reads to the end also where nobody listens any more.</summary>
    /// <returns>Whether the provider came to its end.</returns>
    private async Task<bool> PassOnAsync(Run run, StreamRelay relay, Stream upstream)
    {
        var down = run.Context.Response.BodyWriter;
        using var events = new ServerSentEvents();
        using var nowhere = new NullWriter();
        try
        {
            while (true)
            {
                var count = await upstream.ReadAsync(events.Room(), run.Cut);
                if (count == 0)
                    events.Complete();
                else
                    events.Advance(count);
                var isGone = run.IsCallerGone;
                while (events.TryRead(out var e))
                {
                    relay.Take(e, isGone ? nowhere : down);
                    if (relay.IsFailed)
                        return false;
                }

                if (!isGone)
                    await down.FlushAsync(CancellationToken.None);
                if (count == 0 || relay.IsDone)
                    return relay.IsComplete;
            }
        }
        catch (Exception broken)
        {
            // Whatever it was, what was delivered is charged. Who ended it decides what the rest comes to.
            run.IsCut = run.Cut.IsCancellationRequested;
            LogBroken(logger, run.Call.RequestId, run.Target!.Provider, ReasonOf(broken));
            return relay.IsComplete;
        }
    }

    private async Task<CallCharge?> ChargeAsync(Run run, CallRecord record, Func<CallCharge, Task>? keep = null)
    {
        metrics.Served(run.Call, record, run.Activity);
        run.HasEnded = true;
        try
        {
            return await desk.SettleAsync(run.Call, record, keep);
        }
        catch (LedgerUnavailableException away)
        {
            LogNotCharged(logger, run.Call.RequestId, run.Call.Id.ToString(), away);
            return null;
        }
    }

    private async Task NotServedAsync(Run run, string why)
    {
        metrics.NotServed(run.Call, run.Target?.Model, why, run.ElapsedMs(time), run.Activity);
        run.HasEnded = true;
        await desk.ReleaseAsync(run.Call);
    }

    private async Task RefuseAsync(Run run, UpstreamResult.Refused refused, CallFault? fault)
    {
        var (error, why) = refused.Kind switch
        {
            UpstreamRefusal.ContentRefused => (
                refused.Status is null && fault is not null
                    ? new OpenAiError(400, "invalid_request_error", fault.Message, fault.Param)
                    : new OpenAiError(400, "invalid_request_error", UpstreamErrors.MessageOf(refused.Body)),
                "content_refused"
            ),
            UpstreamRefusal.Busy => (UpstreamBusy, "upstream_busy"),
            UpstreamRefusal.NotConfigured => (ProviderMissing, "provider_not_configured"),
            UpstreamRefusal.CredentialsRefused => (UpstreamFailed, "credentials_refused"),
            UpstreamRefusal.Failed => (UpstreamFailed, "upstream_error"),
        };
        await NotServedAsync(run, why);
        if (refused.RetryAfter is { } after && refused.Kind == UpstreamRefusal.Busy)
            CallErrors.SetRetryAfter(run.Context, after);
        if (refused.Kind is UpstreamRefusal.NotConfigured or UpstreamRefusal.CredentialsRefused)
            run.Context.Response.Headers["x-should-retry"] = "false";
        if (refused.Kind == UpstreamRefusal.Busy && run.Route.Protocol == Protocol.Anthropic)
            error = UpstreamBusy with { Status = 529 };
        await SendAsync(run, error);
    }

    private static Task SendAsync(Run run, OpenAiError error)
    {
        if (run.IsCallerGone)
            return Task.CompletedTask;

        // There is no charge behind these names, and there will be none.
        if (error != NotCharged)
        {
            run.Context.Response.Headers.Remove("x-ledger-spend-id");
            run.Context.Response.Headers.Remove("x-ledger-hold");
        }

        return CallErrors.SendAsync(run.Context, run.Route.Protocol, error);
    }

    // What a provider says of its own fault may repeat what it was asked, and no log may show that.
    private static string ReasonOf(Exception broken) => broken is InvalidDataException ? "what came is no answer" : broken.Message;

    private CallRecord RecordOf(Run run, in UsageReport report, CallOutcome outcome) =>
        new(
            run.Target!.Model.Provider,
            run.Target.Model.Model,
            CountedOf(run, report),
            !report.IsReported,
            outcome,
            run.ElapsedMs(time),
            run.FirstByteMs,
            report.Raw,
            UsageCut: report.IsRawCut ? true : null
        );

    // The preset is in the input of a report. Where none has a figure for it, the preset was read by the model all the same.
    private TokenUse CountedOf(Run run, in UsageReport report) =>
        report.IsInputCounted && run.Route.Preset is { } tool
            ? report.Tokens with
            {
                Input = report.Tokens.Input + TokenCount.Likely(Encoding.UTF8.GetByteCount(presets.Find(tool)!)),
            }
            : report.Tokens;

    private async Task<ReadOnlyMemory<byte>> ReadAsync(Stream body, CancellationToken ct)
    {
        var buffer = new ArrayBufferWriter<byte>(8192);
        while (await body.ReadAsync(buffer.GetMemory(4096), ct) is var count and > 0)
        {
            buffer.Advance(count);
            if (buffer.WrittenCount > options.MaxAnswerBytes)
                throw new InvalidDataException($"The answer is longer than {options.MaxAnswerBytes} bytes.");
        }

        return buffer.WrittenMemory;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The answer to request {RequestId} from {Provider} broke off: {Reason}")]
    private static partial void LogBroken(ILogger logger, string requestId, string provider, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The answer to request {RequestId} could not be charged; the hold {Hold} lapses.")]
    private static partial void LogNotCharged(ILogger logger, string requestId, string hold, Exception away);

    /// <summary>What asking the providers came to.</summary>
    /// <param name="Result">Who answers, or why nobody does.</param>
    /// <param name="ElapsedMs">How long that took, in milliseconds.</param>
    /// <param name="Fault">What could not be said in a provider's protocol.</param>
    private sealed record Asked(UpstreamResult Result, long ElapsedMs, CallFault? Fault);

    /// <summary>What one call goes through.</summary>
    private sealed class Run(
        HttpContext context,
        CallRoute route,
        CallRequest request,
        LiveCalls.BodyRoom room,
        LiveCall call,
        bool isNamed,
        long started,
        CancellationToken cut
    )
    {
        public HttpContext Context { get; } = context;

        public CallRoute Route { get; } = route;

        public CallRequest Request { get; } = request;

        public LiveCalls.BodyRoom Room { get; } = room;

        public LiveCall Call { get; set; } = call;

        public bool IsNamed { get; } = isNamed;

        public CancellationToken Cut { get; } = cut;

        /// <summary>Whether its hold is in the log.</summary>
        public bool IsPlaced { get; set; }

        public UpstreamTarget? Target { get; set; }

        public long? FirstByteMs { get; set; }

        public Activity? Activity { get; set; }

        public bool HasEnded { get; set; }

        /// <summary>Whether this server stopped reading, rather than that the provider broke off.</summary>
        public bool IsCut { get; set; }

        public bool IsCallerGone => Context.RequestAborted.IsCancellationRequested;

        public long ElapsedMs(TimeProvider time) => (long)time.GetElapsedTime(started).TotalMilliseconds;
    }

    /// <summary>Takes what nobody reads.</summary>
    private sealed class NullWriter : IBufferWriter<byte>, IDisposable
    {
        private byte[]? _room;

        public void Advance(int count) { }

        public Memory<byte> GetMemory(int sizeHint = 0) => Room(sizeHint);

        public Span<byte> GetSpan(int sizeHint = 0) => Room(sizeHint);

        public void Dispose()
        {
            if (_room is not null)
                ArrayPool<byte>.Shared.Return(_room);
            _room = null;
        }

        private byte[] Room(int size)
        {
            if (_room is null || _room.Length < size)
            {
                Dispose();
                _room = ArrayPool<byte>.Shared.Rent(Math.Max(size, 4096));
            }

            return _room;
        }
    }
}
