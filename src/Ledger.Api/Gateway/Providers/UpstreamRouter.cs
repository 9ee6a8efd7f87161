using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Polly;
using Polly.CircuitBreaker;

namespace Ledger.Api.Gateway.Providers;

/// <summary>
/// Has a call answered by the first entry of a chain that can. What may pass is tried again, then the next entry is asked; but only as long as no byte of
/// an answer has come: from then on the answer is the caller's, whatever becomes of it.
/// </summary>
public sealed partial class UpstreamRouter
{
    /// <summary>The most of a provider's error that is kept, in bytes.</summary>
    public const int MaxErrorBody = 64 * 1024;

    private const int FirstChunk = 4 * 1024;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(2);

    // Somebody waits meanwhile: who is told to come back later knows better what to do until then.
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(5);

    // Clients and proxies give up on an answer that has no headers sooner than on one that only comments.
    private static readonly TimeSpan MaxComments = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan BreakFor = TimeSpan.FromSeconds(15);

    private readonly Upstreams _upstreams;
    private readonly UpstreamMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Func<double> _jitter;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<(string Provider, string Model), Breaker> _breakers = new();

    /// <summary>Makes one.</summary>
    /// <param name="upstreams">The providers.</param>
    /// <param name="metrics">Told about every attempt.</param>
    /// <param name="time">For the pauses, and for breakers.</param>
    /// <param name="logger">Told about attempts that failed.</param>
    /// <param name="jitter">Numbers from 0 to 1 that keep nodes from coming back all at once; its own where none is given.</param>
    public UpstreamRouter(
        Upstreams upstreams,
        UpstreamMetrics metrics,
        TimeProvider time,
        ILogger<UpstreamRouter> logger,
        Func<double>? jitter = null
    )
    {
        (_upstreams, _metrics, _time, _logger) = (upstreams, metrics, time, logger);
        _jitter = jitter ?? (static () => RandomNumberGenerator.GetInt32(1 << 20) / (double)(1 << 20));
    }

    /// <summary>Has a call answered.</summary>
    /// <param name="chain">Whom to ask, in this order.</param>
    /// <param name="write">
    /// Writes the request for an entry, in the protocol of its provider; null where it cannot be said in that protocol, and the entry is passed over.
    /// </param>
    /// <param name="ct">Gives up: nothing is counted against a provider then.</param>
    /// <exception cref="OperationCanceledException">The caller gave up.</exception>
    public async Task<UpstreamResult> SendAsync(
        IReadOnlyList<UpstreamTarget> chain,
        Func<UpstreamTarget, IProvider, UpstreamRequest?> write,
        CancellationToken ct
    )
    {
        ArgumentNullException.ThrowIfNull(chain);
        ArgumentNullException.ThrowIfNull(write);
        var call = new Call();
        foreach (var target in chain)
        {
            if (_upstreams.Find(target.Provider) is not { } provider)
            {
                _metrics.Attempted(target.Provider, target.Model.Model, "not_configured");
                call.Note(new(UpstreamRefusal.NotConfigured, null, [], null));
            }
            else if (write(target, provider) is not { } request)
            {
                // Whoever can be asked comes before whoever cannot: this counts only where it is all there is.
                call.Note(new(UpstreamRefusal.ContentRefused, null, [], null));
            }
            else if (await AskAsync(call, target, provider, request, ct) is { } result)
            {
                return result;
            }
        }

        return (call.Worst ?? new(UpstreamRefusal.NotConfigured, null, [], null)) with
        {
            Attempts = call.Attempts,
        };
    }

    /// <summary>Asks one entry, several times where that may help; null where the next one is to be asked.</summary>
    private async Task<UpstreamResult?> AskAsync(
        Call call,
        UpstreamTarget target,
        IProvider provider,
        UpstreamRequest request,
        CancellationToken ct
    )
    {
        var breaker = _breakers.GetOrAdd((target.Provider, target.Model.Model), Make);
        for (var again = 0; ; again++)
        {
            var attempt = await ThroughAsync(breaker, target, provider, request, ct);
            if (attempt.WasSent)
                call.Attempts++;
            _metrics.Attempted(target.Provider, target.Model.Model, attempt.OutcomeName);
            if (attempt.Answer is { } answer)
                return new UpstreamResult.Served(target, provider, request.Protocol, answer, call.Attempts);
            var refused = attempt.Refused! with { Protocol = request.Protocol };
            if (attempt.WasSent)
                LogRefused(_logger, target.Provider, target.Model.Model, refused.Kind, refused.Status, attempt.Why, request.RequestId);

            // The last word, unless an entry before it may serve the same later: what a fallback cannot carry says nothing of what the first one can.
            if (refused.Kind == UpstreamRefusal.ContentRefused && !call.HasWeightier(refused.Kind))
                return refused with { Attempts = call.Attempts };
            call.Note(refused);
            if (!attempt.MayPass || again >= provider.Retries)
                return null;
            var wait = refused.RetryAfter ?? Pause(again);
            if (call.Waited + wait > MaxWait)
                return null;
            call.Waited += wait;
            await Task.Delay(wait, _time, ct);
        }
    }

    private TimeSpan Pause(int again)
    {
        var full = FirstDelay * (1 << Math.Min(again, 3));
        return (full < MaxDelay ? full : MaxDelay) * (0.5 + _jitter() / 2);
    }

    private async Task<Attempt> ThroughAsync(
        Breaker breaker,
        UpstreamTarget target,
        IProvider provider,
        UpstreamRequest request,
        CancellationToken ct
    )
    {
        var context = ResilienceContextPool.Shared.Get(ct);
        try
        {
            var outcome = await breaker.Pipeline.ExecuteOutcomeAsync(
                static async (context, state) =>
                {
                    try
                    {
                        var (router, target, provider, request) = state;
                        return Outcome.FromResult(await router.AttemptAsync(target, provider, request, context.CancellationToken));
                    }
                    catch (Exception e)
                    {
                        return Outcome.FromException<Attempt>(e);
                    }
                },
                context,
                (this, target, provider, request)
            );
            if (outcome.Exception is BrokenCircuitException broken)
                return Attempt.NotSent(breaker.LastKind, broken.RetryAfter);
            outcome.ThrowIfException();
            var attempt = outcome.Result!;
            if (attempt.Refused is { Kind: UpstreamRefusal.Busy or UpstreamRefusal.Failed } refused)
                breaker.LastKind = refused.Kind;
            return attempt;
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private async Task<Attempt> AttemptAsync(UpstreamTarget target, IProvider provider, UpstreamRequest request, CancellationToken ct)
    {
        var began = _time.GetTimestamp();
        UpstreamAnswer? answer = null;
        try
        {
            answer = await provider.SendAsync(request, ct);
            if (answer.Status is < 200 or >= 300)
                return await RefusedAsync(answer, ct);
            var first = new byte[FirstChunk];
            var read = await FirstAsync(answer, first, began, ct);
            if (read == 0)
                return Attempt.Failed(answer.Status, "an empty answer");
            if (answer.IsEventStream && FirstEvent.ErrorOf(first.AsSpan(0, read)) is { } told)
                return new(
                    new(told.Kind, told.Status ?? answer.Status, told.Body, answer.RetryAfter),
                    null,
                    told.MayPass && !answer.IsFinal,
                    "an error instead of a stream"
                );
            _metrics.Served(target.Provider, target.Model.Model, _time.GetElapsedTime(began));
            answer.Replay(first.AsMemory(0, read));
            var served = new Attempt(null, answer, false, "");
            answer = null;
            return served;
        }
        catch (UpstreamException e)
        {
            return Attempt.Failed(null, e.Message);
        }
        catch (IOException e)
        {
            return Attempt.Failed(answer?.Status, e.Message);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            _metrics.Attempted(target.Provider, target.Model.Model, "cancelled");
            throw;
        }
        finally
        {
            if (answer is not null)
                await answer.DisposeAsync();
        }
    }

    /// <summary>
    /// Reads until an answer has begun. A stream's comments are no beginning: some providers send them for as long as they look for somebody who serves it, and
    /// then say that there is nobody. They are kept back within bounds, since they also tell the caller that somebody is at work.
    /// </summary>
    /// <returns>How much was read; 0 where nothing came.</returns>
    private async Task<int> FirstAsync(UpstreamAnswer answer, byte[] first, long began, CancellationToken ct)
    {
        var read = await answer.Body.ReadAsync(first, ct);
        if (!answer.IsEventStream)
            return read;
        for (var more = read; more > 0; read += more)
        {
            if (read == first.Length || FirstEvent.HasCome(first.AsSpan(0, read)) || _time.GetElapsedTime(began) > MaxComments)
                return read;
            more = await answer.Body.ReadAsync(first.AsMemory(read), ct);
        }

        return FirstEvent.IsEmpty(first.AsSpan(0, read)) ? 0 : read;
    }

    private static async Task<Attempt> RefusedAsync(UpstreamAnswer answer, CancellationToken ct)
    {
        var body = await ErrorBodyAsync(answer.Body, ct);
        var (kind, mayPass) = answer.Status switch
        {
            400 or 404 or 413 or 422 => (UpstreamRefusal.ContentRefused, false),

            // 402: our account there is empty, which is about us as a refused key is.
            401 or 402 or 403 => (UpstreamRefusal.CredentialsRefused, false),
            429 when IsOutOfQuota(body) => (UpstreamRefusal.CredentialsRefused, false),
            429 or 503 or 529 => (UpstreamRefusal.Busy, true),
            408 or 409 or 425 or >= 500 => (UpstreamRefusal.Failed, true),

            // Redirects too: the key stays with the address that it was given for.
            _ => (UpstreamRefusal.Failed, false),
        };
        return new(new(kind, answer.Status, body, answer.RetryAfter), null, mayPass && !answer.IsFinal, "");
    }

    private static async Task<byte[]> ErrorBodyAsync(Stream body, CancellationToken ct)
    {
        using var kept = new MemoryStream();
        var buffer = new byte[FirstChunk];
        try
        {
            while (kept.Length < MaxErrorBody)
            {
                var read = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, MaxErrorBody - kept.Length)), ct);
                if (read == 0)
                    break;
                kept.Write(buffer, 0, read);
            }
        }
        catch (IOException)
        {
            // The status says enough.
        }

        return kept.ToArray();
    }

    // OpenAI's "too many requests" for an account without money: waiting does not fill it.
    private static bool IsOutOfQuota(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("error", out var error)
                && error.ValueKind == JsonValueKind.Object
                && error.TryGetProperty("code", out var code)
                && code.ValueKind == JsonValueKind.String
                && code.ValueEquals("insufficient_quota");
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private Breaker Make((string Provider, string Model) key)
    {
        var state = new CircuitBreakerStateProvider();
        var pipeline = new ResiliencePipelineBuilder<Attempt> { TimeProvider = _time }
            .AddCircuitBreaker(
                new CircuitBreakerStrategyOptions<Attempt>
                {
                    FailureRatio = 0.5,
                    MinimumThroughput = 10,
                    SamplingDuration = TimeSpan.FromSeconds(30),
                    BreakDuration = BreakFor,
                    StateProvider = state,

                    // Neither what a caller does wrong nor that one goes away says anything about a provider's health; nor does 429, which a single caller
                    // can bring about with what it asks for, and must not for all the others.
                    ShouldHandle = static args =>
                        ValueTask.FromResult(
                            args.Outcome.Result?.Refused is { Kind: UpstreamRefusal.Busy or UpstreamRefusal.Failed, Status: not 429 }
                        ),
                    OnOpened = args =>
                    {
                        LogOpened(_logger, key.Provider, key.Model, args.BreakDuration.TotalSeconds);
                        return default;
                    },
                }
            )
            .Build();
        _metrics.Watch(key.Provider, key.Model, state);
        return new(pipeline);
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Provider}/{Model} did not serve a call: {Kind}, status {Status}. {Why} Request {RequestId}."
    )]
    private static partial void LogRefused(
        ILogger logger,
        string provider,
        string model,
        UpstreamRefusal kind,
        int? status,
        string why,
        string requestId
    );

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Provider}/{Model} is not asked for {Seconds} s: half of the last attempts failed."
    )]
    private static partial void LogOpened(ILogger logger, string provider, string model, double seconds);

    /// <summary>What one call has come to so far.</summary>
    private sealed class Call
    {
        public int Attempts { get; set; }

        public TimeSpan Waited { get; set; }

        public UpstreamResult.Refused? Worst { get; private set; }

        public void Note(UpstreamResult.Refused refused)
        {
            if (Worst is null || Weight(refused.Kind) >= Weight(Worst.Kind))
                Worst = refused;
        }

        public bool HasWeightier(UpstreamRefusal kind) => Worst is not null && Weight(Worst.Kind) > Weight(kind);

        private static int Weight(UpstreamRefusal kind) =>
            kind switch
            {
                UpstreamRefusal.NotConfigured => 0,
                UpstreamRefusal.ContentRefused => 1,
                UpstreamRefusal.CredentialsRefused => 2,
                UpstreamRefusal.Failed => 3,
                UpstreamRefusal.Busy => 4,
            };
    }

    /// <summary>A model's breaker, and what it was that opened it.</summary>
    private sealed class Breaker(ResiliencePipeline<Attempt> pipeline)
    {
        public ResiliencePipeline<Attempt> Pipeline => pipeline;

        public UpstreamRefusal LastKind { get; set; } = UpstreamRefusal.Failed;
    }

    /// <summary>What one attempt came to: an answer, or a refusal.</summary>
    private sealed record Attempt(UpstreamResult.Refused? Refused, UpstreamAnswer? Answer, bool MayPass, string Why)
    {
        public bool WasSent { get; private init; } = true;

        public string OutcomeName =>
            !WasSent ? "skipped"
            : Refused is null ? "served"
            : Refused.Kind switch
            {
                UpstreamRefusal.ContentRefused => "content_refused",
                UpstreamRefusal.CredentialsRefused => "credentials_refused",
                UpstreamRefusal.Busy => "busy",
                UpstreamRefusal.Failed => "failed",
                UpstreamRefusal.NotConfigured => "not_configured",
            };

        public static Attempt Failed(int? status, string why) => new(new(UpstreamRefusal.Failed, status, [], null), null, true, why);

        public static Attempt NotSent(UpstreamRefusal kind, TimeSpan? retryAfter) =>
            new(new(kind, null, [], retryAfter), null, false, "") { WasSent = false };
    }
}
