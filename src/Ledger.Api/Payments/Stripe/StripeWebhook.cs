using System.Buffers;
using System.Text.Json;
using Ledger.Api.Http;

namespace Ledger.Api.Payments.Stripe;

/// <summary>What Stripe is answered.</summary>
/// <param name="Received">Whether it need not tell this again.</param>
public sealed record StripeWebhookResponse(bool Received);

/// <summary>
/// <c>POST /webhooks/stripe</c>, where Stripe tells what has happened. Anybody can send something here: only what is signed with our secret, just now, is
/// so much as parsed. 200 means that it need not be told again; anything else, and Stripe tells it again, for three days.
/// </summary>
internal sealed partial class StripeWebhook(
    PaymentDesk desk,
    StripeLookup lookup,
    StripeSignature signature,
    StripeMetrics metrics,
    TimeProvider time,
    ILogger<StripeWebhook> logger
)
{
    /// <summary>The largest body, in bytes: Stripe's are some thousands.</summary>
    public const int MaxBody = 1024 * 1024;

    private const string Route = "/webhooks/stripe";
    private static readonly ApiError TooLarge = new(413, "request_too_large", "The body is larger than 1 MiB.");
    private static readonly ApiError Unreadable = new(400, "event_invalid", "The body is not an event that can be understood.");
    private static readonly ApiError Unknown = new(
        404,
        "not_known_yet",
        "This concerns an order that is not known or not paid yet; tell it again."
    );
    private static readonly ApiError Away = new(503, "provider_unavailable", "Stripe could not be asked about this; tell it again.");

    /// <summary>Maps the route, where payments go through Stripe.</summary>
    public static void Map(WebApplication app)
    {
        if (app.Services.GetService<StripeWebhook>() is not { } webhook)
            return;
        app.MapPost(Route, (Delegate)((HttpContext context) => webhook.AnswerAsync(context)))
            .WithTags("Payments")
            .WithSummary("What Stripe tells, signed by it.")
            .Produces<StripeWebhookResponse>();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (await ReadAsync(context) is not { } body)
        {
            await RefuseAsync(context, TooLarge, "too_large", null);
            return;
        }

        var refusal = signature.Check(context.Request.Headers["Stripe-Signature"], body, time.GetUtcNow()) switch
        {
            SignatureCheck.Good => (ApiError?)null,
            SignatureCheck.Missing => new(400, "signature_missing", "The header Stripe-Signature is missing or cannot be read."),
            SignatureCheck.Forged => new(400, "signature_invalid", "The signature is not one of this body under our secret."),
            SignatureCheck.Stale => new(400, "signature_expired", "The signature is more than five minutes old, or from the future."),
        };
        if (refusal is { } error)
        {
            await RefuseAsync(context, error, error.Code, null);
            return;
        }

        Told told;
        try
        {
            using var document = JsonDocument.Parse(body);
            told = StripeEvents.Translate(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            await RefuseAsync(context, Unreadable, Unreadable.Code, e);
            return;
        }

        try
        {
            told = await lookup.CompleteAsync(told, context.RequestAborted);

            // Not given up when Stripe hangs up: what was begun is written down to its end.
            var handled = await desk.HandleAsync(told.Event, CancellationToken.None);
            var isAwaited = handled.Outcome == ProviderOutcome.Unmatched && await lookup.IsAwaitedAsync(told, context.RequestAborted);
            metrics.Delivered(isAwaited ? "awaited" : PaymentDesk.NameOf(handled.Outcome));
            if (isAwaited)
                await SendAsync(context, Unknown);
            else
                await JsonAnswer.SendAsync(
                    context,
                    200,
                    true,
                    static (json, received) =>
                    {
                        json.WriteStartObject();
                        json.WriteBoolean("received", received);
                        json.WriteEndObject();
                    }
                );
        }
        catch (PaymentProviderException e)
        {
            metrics.Delivered(Away.Code);
            LogAway(logger, told.Event.Type, told.Event.Id, e);
            context.Response.Headers.RetryAfter = "10";
            await SendAsync(context, Away);
        }
    }

    /// <summary>The whole body; null where it is too large.</summary>
    private static async ValueTask<byte[]?> ReadAsync(HttpContext context)
    {
        if (context.Request.ContentLength > MaxBody)
            return null;
        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            var isTooLarge = result.Buffer.Length > MaxBody;
            if (isTooLarge || result.IsCompleted)
            {
                var body = isTooLarge ? null : result.Buffer.ToArray();
                reader.AdvanceTo(result.Buffer.End);
                return body;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private Task RefuseAsync(HttpContext context, ApiError error, string outcome, Exception? why)
    {
        metrics.Delivered(outcome);
        LogRefused(logger, context.Connection.RemoteIpAddress?.ToString() ?? "nowhere", error.Code, why?.Message);
        return SendAsync(context, error);
    }

    /// <summary>Whoever is refused is told why; Stripe shows it to whom it may concern.</summary>
    private static Task SendAsync(HttpContext context, ApiError error) =>
        JsonAnswer.SendAsync(
            context,
            error.Status,
            error,
            static (json, error) =>
            {
                json.WriteStartObject();
                json.WriteStartObject("error");
                json.WriteString("code", error.Code);
                json.WriteString("message", error.Message);
                json.WriteEndObject();
                json.WriteEndObject();
            }
        );

    [LoggerMessage(Level = LogLevel.Warning, Message = "A delivery to the webhook from {Address} was refused: {Code}. {Why}")]
    private static partial void LogRefused(ILogger logger, string address, string code, string? why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stripe could not be asked about {Type} ({Event}), which it will tell again.")]
    private static partial void LogAway(ILogger logger, string type, string @event, Exception fault);
}
