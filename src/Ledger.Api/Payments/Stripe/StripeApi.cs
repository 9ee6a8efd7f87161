using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Polly;
using Polly.Retry;

namespace Ledger.Api.Payments.Stripe;

/// <summary>A lasting answer of Stripe: what was asked for, or a refusal that a repeat would meet again.</summary>
/// <param name="What">The request in a few words.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The object, or <c>{"error":{…}}</c>.</param>
/// <param name="RequestId">Stripe's name for the request, for its support.</param>
internal sealed record StripeReply(string What, int Status, JsonElement Body, string? RequestId)
{
    /// <summary>Whether it was refused.</summary>
    public bool IsError => Status is not (>= 200 and < 300);

    /// <summary>Why it was refused, such as <c>resource_missing</c>; its kind where it has no code.</summary>
    public string? ErrorCode => Body.Get("error", "code").AsText ?? Body.Get("error", "type").AsText;

    /// <summary>This, where it was not refused.</summary>
    /// <exception cref="PaymentProviderException">It was.</exception>
    /// <remarks>Where the key itself is refused, somebody will mend the key: the request must be made again then.</remarks>
    public StripeReply Required() => IsError ? throw Fault(isFinal: Status is not (401 or 403)) : this;

    /// <summary>What to throw where this is of no use.</summary>
    public PaymentProviderException Fault(bool isFinal)
    {
        // Where the key itself is refused, Stripe's sentence quotes parts of it.
        var said = Status is 401 or 403 ? null : Body.Get("error", "message").AsText;
        return new(
            $"Stripe answered {Status} to {What}: {ErrorCode ?? "no reason"}, request {RequestId ?? "unknown"}. {said}".TrimEnd(),
            isFinal
        );
    }
}

/// <summary>
/// Stripe's REST API: forms in, JSON out. What may pass by itself is tried again under the same key, so that it has one effect; what comes back is
/// an answer that lasts.
/// </summary>
internal sealed partial class StripeApi : IDisposable
{
    /// <summary>The version of Stripe's API that this code speaks. What Stripe tells by itself comes in the version of its endpoint instead.</summary>
    public const string Version = "2025-08-27.basil";

    private const int MaxAnswer = 8 * 1024 * 1024;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(250);

    // Somebody waits for a page meanwhile: what takes longer than this is better asked for again later.
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(8);

    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly ResiliencePipeline<Attempt> _attempts;
    private readonly ILogger _logger;

    /// <summary>Makes the one client.</summary>
    /// <param name="settings">Where Stripe is, and the key.</param>
    /// <param name="time">For how long an answer may take, and the pauses between attempts.</param>
    /// <param name="logger">Told about attempts that failed.</param>
    public StripeApi(StripeSettings settings, TimeProvider time, ILogger<StripeApi> logger)
    {
        _logger = logger;
        _time = time;
        _timeout = settings.Timeout;
        _http = new(
            new SocketsHttpHandler
            {
                // The key goes to Stripe and nowhere else.
                AllowAutoRedirect = false,
                UseCookies = false,
                ConnectTimeout = settings.Timeout,
                PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            }
        )
        {
            BaseAddress = new(settings.BaseUrl.AbsoluteUri.TrimEnd('/') + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = MaxAnswer,
        };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", settings.ApiKey);
        _http.DefaultRequestHeaders.Add("Stripe-Version", Version);
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Ledger", null));

        var builder = new ResiliencePipelineBuilder<Attempt> { TimeProvider = time };
        if (settings.Retries > 0)
            builder.AddRetry(
                new RetryStrategyOptions<Attempt>
                {
                    MaxRetryAttempts = settings.Retries,
                    BackoffType = DelayBackoffType.Exponential,
                    UseJitter = true,
                    Delay = FirstDelay,
                    MaxDelay = MaxDelay,
                    ShouldHandle = static args => ValueTask.FromResult(args.Outcome.Result.MayPass),

                    // Null means: by the rule above.
                    DelayGenerator = static args =>
                        ValueTask.FromResult(
                            args.Outcome.Result.After is { } after && after > MaxDelay ? MaxDelay : args.Outcome.Result.After
                        ),
                }
            );
        _attempts = builder.Build();
    }

    /// <summary>Asks for an object or a list.</summary>
    /// <exception cref="PaymentProviderException">Stripe is away.</exception>
    public Task<StripeReply> GetAsync(string path, CancellationToken ct) => SendAsync(HttpMethod.Get, path, null, null, ct);

    /// <summary>Makes or changes an object.</summary>
    /// <param name="path">Where.</param>
    /// <param name="form">With what.</param>
    /// <param name="key">What is done once: Stripe gives the first answer again for a day, and refuses other contents.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="PaymentProviderException">Stripe is away: whether it was done is not known, and may be asked again under the same key.</exception>
    public Task<StripeReply> PostAsync(string path, StripeForm form, string key, CancellationToken ct) =>
        SendAsync(HttpMethod.Post, path, form, key, ct);

    /// <summary>Ends an object.</summary>
    /// <exception cref="PaymentProviderException">Stripe is away: whether it was done is not known.</exception>
    public Task<StripeReply> DeleteAsync(string path, CancellationToken ct) => SendAsync(HttpMethod.Delete, path, null, null, ct);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<StripeReply> SendAsync(HttpMethod method, string path, StripeForm? form, string? key, CancellationToken ct)
    {
        // A query may name customers; the path alone is enough for people.
        var what = $"{method} {path.Split('?')[0]}";
        var last = await _attempts.ExecuteAsync(
            async cancel =>
            {
                var attempt = await AttemptAsync(what, method, path, form, key, cancel);
                if (attempt.MayPass)
                    LogFailed(_logger, what, attempt.Why);
                return attempt;
            },
            ct
        );
        if (last.Reply is { } reply)
            return last.MayPass || reply.Status is 409 or 429 or >= 500 ? throw reply.Fault(isFinal: false) : reply;
        throw new PaymentProviderException($"Stripe could not be asked: {what}, {last.Why}.", isFinal: false, last.Fault);
    }

    private async Task<Attempt> AttemptAsync(
        string what,
        HttpMethod method,
        string path,
        StripeForm? form,
        string? key,
        CancellationToken ct
    )
    {
        using var late = new CancellationTokenSource(_timeout, _time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct, late.Token);
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = form?.ToContent() };
            if (key is not null)
                request.Headers.Add("Idempotency-Key", key);
            using var response = await _http.SendAsync(request, limit.Token);
            var body = await response.Content.ReadAsByteArrayAsync(limit.Token);
            var (status, requestId) = ((int)response.StatusCode, HeaderOf(response, "Request-Id"));
            var mayPass = HeaderOf(response, "Stripe-Should-Retry") switch
            {
                "true" => true,
                "false" => false,
                _ => status is 409 or 429 or >= 500,
            };
            if (Parse(body) is not { } json)
                return new(
                    null,
                    mayPass || status < 400,
                    RetryAfterOf(response),
                    $"HTTP {status} without JSON, request {requestId ?? "unknown"}",
                    null
                );
            var reply = new StripeReply(what, status, json, requestId);
            return new(reply, reply.IsError && mayPass, RetryAfterOf(response), $"HTTP {status} {reply.ErrorCode}", null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new(null, true, null, e.Message, e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            return new(null, true, null, string.Create(CultureInfo.InvariantCulture, $"no answer within {_timeout.TotalSeconds} s"), e);
        }
    }

    private static JsonElement? Parse(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static TimeSpan? RetryAfterOf(HttpResponseMessage response) =>
        response.Headers.RetryAfter?.Delta is { } after && after >= TimeSpan.Zero ? after : null;

    private static string? HeaderOf(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stripe failed to answer {What}: {Why}.")]
    private static partial void LogFailed(ILogger logger, string what, string why);

    /// <summary>What one attempt came to.</summary>
    /// <param name="Reply">The answer; null where none came, or none that can be read.</param>
    /// <param name="MayPass">Whether another attempt may come to something else.</param>
    /// <param name="After">How long Stripe wants us to wait before it.</param>
    /// <param name="Why">What was the matter.</param>
    /// <param name="Fault">What went wrong underneath.</param>
    private readonly record struct Attempt(StripeReply? Reply, bool MayPass, TimeSpan? After, string Why, Exception? Fault);
}
