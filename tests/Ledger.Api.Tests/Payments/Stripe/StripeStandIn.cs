using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Ledger.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>What may go wrong with a request to Stripe.</summary>
public enum StripeTrouble
{
    /// <summary>Stripe's own fault: nothing was done.</summary>
    Fault,

    /// <summary>Stripe's own fault, of which it says that a repeat would meet it again.</summary>
    LastingFault,

    /// <summary>Too many requests, with the seconds after which to come back.</summary>
    TooMany,

    /// <summary>Another request with the same key is under way.</summary>
    KeyInUse,

    /// <summary>The connection is cut before anything is done.</summary>
    Cut,

    /// <summary>It is done, and the connection is cut before the answer.</summary>
    AnswerLost,

    /// <summary>No answer ever comes.</summary>
    Silence,

    /// <summary>Something between us and Stripe answers instead.</summary>
    Stranger,

    /// <summary>The key may not do this.</summary>
    Forbidden,
}

/// <summary>A request as Stripe saw it.</summary>
public sealed record StripeRequest(
    string Method,
    string Path,
    IReadOnlyDictionary<string, string> Query,
    IReadOnlyDictionary<string, string> Form,
    string? Key,
    string? Version
)
{
    public override string ToString() => $"{Method} {Path}";
}

/// <summary>
/// A server on a free loopback port that speaks Stripe's wire format: keys, versions, forms, idempotency, faults; and that signs and delivers what it
/// tells as Stripe does.
/// </summary>
public sealed class StripeStandIn : IAsyncDisposable
{
    public const string ApiKey = "sk_test_4eC39HqLyjWDarjtT1zdp7dc";
    public const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    public const string Route = "/webhooks/stripe";

    private readonly WebApplication _server;
    private readonly TimeProvider _clock;
    private readonly ConcurrentQueue<StripeRequest> _requests = new();
    private readonly ConcurrentDictionary<string, (string Contents, StripeAnswer Answer)> _keys = new();
    private readonly List<(StripeTrouble Trouble, string? Path)> _troubles = [];
    private readonly CancellationTokenSource _over = new();
    private bool _stopped;

    private StripeStandIn(WebApplication server, TimeProvider clock) => (_server, _clock, World) = (server, clock, new(clock));

    /// <summary>What it knows.</summary>
    public StripeWorld World { get; }

    /// <summary>Where it is.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1");

    /// <summary>Every request so far.</summary>
    public IReadOnlyList<StripeRequest> Requests => [.. _requests];

    /// <summary>How many seconds it asks to wait where there were too many requests.</summary>
    public string RetryAfter { get; set; } = "0";

    /// <summary>What a ledger is told so that it takes payments here.</summary>
    public Dictionary<string, string> Settings =>
        new()
        {
            ["Billing:Provider"] = "stripe",
            ["Billing:Stripe:ApiKey"] = ApiKey,
            ["Billing:Stripe:WebhookSecret"] = Secret,
            ["Billing:Stripe:BaseUrl"] = Address.ToString(),
        };

    /// <summary>Starts one.</summary>
    /// <param name="clock">Its clock.</param>
    public static async Task<StripeStandIn> StartAsync(TimeProvider clock)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        var stripe = new StripeStandIn(server, clock);
        server.Run(stripe.AnswerAsync);
        await server.StartAsync();
        stripe.Address = new(server.Urls.Single());
        return stripe;
    }

    /// <summary>Lets the next requests go wrong.</summary>
    /// <param name="trouble">How.</param>
    /// <param name="times">How many of them.</param>
    /// <param name="path">Only those whose path begins so.</param>
    public void Trouble(StripeTrouble trouble, int times = 1, string? path = null)
    {
        lock (_troubles)
            _troubles.AddRange(Enumerable.Repeat((trouble, path), times));
    }

    /// <summary>Nothing goes wrong any more.</summary>
    public void Recover()
    {
        lock (_troubles)
            _troubles.Clear();
    }

    /// <summary>Forgets the keys of what was done, as Stripe does after a day.</summary>
    public void ForgetKeys() => _keys.Clear();

    /// <summary>The header that says who signed a body, and when.</summary>
    public string Sign(string body, DateTimeOffset? at = null, params string[] secrets)
    {
        var time = (at ?? _clock.GetUtcNow()).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        ArgumentNullException.ThrowIfNull(secrets);
        var signatures = (secrets.Length == 0 ? [Secret] : secrets).Select(secret =>
            "v1=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{time}.{body}")))
        );
        return $"t={time},{string.Join(',', signatures)}";
    }

    /// <summary>Delivers what it tells, signed as of now.</summary>
    public Task<Answer> DeliverAsync(LedgerClient to, Telling telling)
    {
        ArgumentNullException.ThrowIfNull(telling);
        return DeliverAsync(to, telling.Body, Sign(telling.Body));
    }

    /// <summary>Delivers anything, with any signature or none.</summary>
    public static Task<Answer> DeliverAsync(LedgerClient to, string body, string? signature)
    {
        ArgumentNullException.ThrowIfNull(to);
        var request = new HttpRequestMessage(HttpMethod.Post, Route) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
        request.Headers.UserAgent.ParseAdd("Stripe/1.0");
        if (signature is not null)
            request.Headers.TryAddWithoutValidation("Stripe-Signature", signature);
        return to.SendAsync(request);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Some tests stop it themselves.
        if (Interlocked.Exchange(ref _stopped, true))
            return;
        await _over.CancelAsync();
        await _server.DisposeAsync();
        _over.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        if (request.Path.StartsWithSegments("/c/pay", StringComparison.Ordinal, out var page))
        {
            await SendPageAsync(context, World.Show(page.Value![1..]));
            return;
        }

        if (request.Path.StartsWithSegments("/p/session", StringComparison.Ordinal))
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            await context.Response.WriteAsync("<!doctype html><html lang=\"en\"><title>Paid</title><h1>What you paid</h1></html>");
            return;
        }

        var form = request.HasFormContentType
            ? (await request.ReadFormAsync()).ToDictionary(pair => pair.Key, pair => pair.Value.ToString())
            : [];
        var seen = new StripeRequest(
            request.Method,
            request.Path.Value!,
            request.Query.ToDictionary(pair => pair.Key, pair => pair.Value.ToString()),
            form,
            request.Headers["Idempotency-Key"],
            request.Headers["Stripe-Version"]
        );
        _requests.Enqueue(seen);
        context.Response.Headers["Request-Id"] = string.Create(CultureInfo.InvariantCulture, $"req_{_requests.Count:D14}");
        if (request.Headers.Authorization != "Bearer " + ApiKey)
        {
            await SendAsync(context, StripeWorld.Error(401, null, $"Invalid API Key provided: {request.Headers.Authorization}"));
            return;
        }

        var trouble = Next(seen.Path);
        switch (trouble)
        {
            case StripeTrouble.Fault:
                await SendAsync(context, StripeWorld.Error(500, null, "An unknown error occurred.", type: "api_error"));
                return;
            case StripeTrouble.LastingFault:
                context.Response.Headers["Stripe-Should-Retry"] = "false";
                await SendAsync(context, StripeWorld.Error(500, null, "An unknown error occurred.", type: "api_error"));
                return;
            case StripeTrouble.TooMany:
                context.Response.Headers.RetryAfter = RetryAfter;
                await SendAsync(context, StripeWorld.Error(429, "rate_limit", "Too many requests."));
                return;
            case StripeTrouble.KeyInUse:
                await SendAsync(context, StripeWorld.Error(409, "idempotency_key_in_use", "Another request with this key is under way."));
                return;
            case StripeTrouble.Cut:
                context.Abort();
                return;
            case StripeTrouble.Silence:
                using (var gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _over.Token))
                    await Task.Delay(Timeout.Infinite, gone.Token).ContinueWith(_ => { }, TaskScheduler.Default);
                return;
            case StripeTrouble.Stranger:
                context.Response.StatusCode = 502;
                await context.Response.WriteAsync("<html>Bad gateway</html>");
                return;
            case StripeTrouble.Forbidden:
                await SendAsync(context, StripeWorld.Error(403, null, "The provided key does not have the required permissions."));
                return;
            default:
                break;
        }

        var answer = Once(seen, context);
        if (trouble == StripeTrouble.AnswerLost)
            context.Abort();
        else
            await SendAsync(context, answer);
    }

    // What a customer sees of it: the ways back, as the session has them.
    private static Task SendPageAsync(HttpContext context, JsonObject session)
    {
        context.Response.ContentType = "text/html; charset=utf-8";
        var (paid, left) = (session["success_url"]!.GetValue<string>(), session["cancel_url"]!.GetValue<string>());
        paid = paid.Replace("{CHECKOUT_SESSION_ID}", session["id"]!.GetValue<string>(), StringComparison.Ordinal);
        return context.Response.WriteAsync(
            $"""
            <!doctype html><html lang="en"><title>Pay</title><h1>Pay {session["amount_total"]} cents</h1>
            <a href="{WebUtility.HtmlEncode(paid)}">It is paid</a> <a href="{WebUtility.HtmlEncode(left)}">Back</a></html>
            """
        );
    }

    private StripeAnswer Once(StripeRequest seen, HttpContext context)
    {
        if (seen.Method != "POST")
            return World.Answer(seen.Method, seen.Path, seen.Query, seen.Form);
        if (seen.Key is not { Length: > 0 and <= 255 } key)
            return StripeWorld.Error(400, "no_key", "Here every POST must have a key.");
        var contents = seen.Path + "?" + string.Join('&', seen.Form.Select(pair => $"{pair.Key}={pair.Value}"));
        if (_keys.TryGetValue(key, out var before))
        {
            if (before.Contents != contents)
                return StripeWorld.Error(
                    400,
                    null,
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                    type: "idempotency_error"
                );
            context.Response.Headers["Idempotent-Replayed"] = "true";
            return before.Answer;
        }

        var answer = World.Answer(seen.Method, seen.Path, seen.Query, seen.Form);

        // What was not even begun is not remembered.
        if (answer.Status is not (400 or 404))
            _keys[key] = (contents, answer);
        return answer;
    }

    private StripeTrouble? Next(string path)
    {
        lock (_troubles)
        {
            var at = _troubles.FindIndex(trouble => trouble.Path is null || path.StartsWith(trouble.Path, StringComparison.Ordinal));
            if (at < 0)
                return null;
            var trouble = _troubles[at].Trouble;
            _troubles.RemoveAt(at);
            return trouble;
        }
    }

    private static Task SendAsync(HttpContext context, StripeAnswer answer)
    {
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(answer.Body.ToJsonString());
    }
}
