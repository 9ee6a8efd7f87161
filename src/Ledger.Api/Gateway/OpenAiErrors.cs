using Ledger.Api.Access;
using Ledger.Api.Http;
using Ledger.Domain;

namespace Ledger.Api.Gateway;

/// <summary>One refusal as OpenAI's clients and the packs document read it.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">The stable string.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="Param">The member that is at fault, where it is one.</param>
/// <param name="Shortfall">Which limit refused, where one did.</param>
internal readonly record struct OpenAiError(int Status, string Code, string Message, string? Param = null, Shortfall? Shortfall = null)
{
    /// <summary>The kind of error, as OpenAI's clients sort them.</summary>
    public string Type =>
        Status switch
        {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            >= 500 => "api_error",
            _ => "invalid_request_error",
        };
}

/// <summary>The errors of the routes that speak OpenAI's protocol, packs included: <c>{"error":{"message","type","param","code"}}</c>.</summary>
internal static class OpenAiErrors
{
    public static readonly OpenAiError AuthRequired = new(
        401,
        "invalid_api_key",
        "A valid API key is required: Authorization: Bearer <key>."
    );
    public static readonly OpenAiError NoModel = new(404, "model_not_found", "There is no such model; GET /v1/models lists them.", "model");
    public static readonly OpenAiError UnknownModel = new(
        400,
        "model_not_found",
        "There is no such model, or none with a price; GET /v1/models lists them.",
        "model"
    );
    public static readonly OpenAiError ProviderAway = new(
        502,
        "payment_provider_error",
        "The payment provider could not be reached; nothing was ordered."
    );

    /// <summary>For everything under the routes that no handler answered.</summary>
    public static readonly FaultShape Shape = new(
        "/v1",
        static (context, fault) => SendAsync(context, new OpenAiError(fault.Status, CodeOf(fault), fault.Message))
    );

    // The dialects name the same refusal differently.
    private static string CodeOf(in Fault fault) =>
        fault.Code switch
        {
            "forbidden" => "permission_denied",
            "invalid_request" => "invalid_request_error",
            _ => fault.Code,
        };

    /// <summary>Why somebody was not let in.</summary>
    public static OpenAiError Of(Denial denial) =>
        denial switch
        {
            Denial.AuthRequired => AuthRequired,
            Denial.RegionBlocked => new(403, "permission_denied", "This service is not available in your country."),
            Denial.Forged => new(
                403,
                "permission_denied",
                "A session's write needs its token: X-CSRF-Token, as /api/v1/auth/session gives it."
            ),
            Denial.None => throw new ArgumentOutOfRangeException(nameof(denial)),
        };

    /// <summary>The one mapping of every rejection to this dialect.</summary>
    public static OpenAiError Of(RejectionCode code) =>
        code switch
        {
            RejectionCode.AccountNotFound or RejectionCode.KeyNotUsable or RejectionCode.SignInEnded => AuthRequired,
            RejectionCode.AccountSuspended => new(403, "permission_denied", "The account is suspended."),
            RejectionCode.KeyKindNotAllowed => new(403, "permission_denied", "This kind of key may not do this."),
            RejectionCode.ModelNotAllowed => new(403, "model_not_allowed", "This key may not call this model.", "model"),
            RejectionCode.UnknownModel => UnknownModel,
            RejectionCode.NoActivePack => new(
                402,
                "no_active_pack",
                "No active pack covers this call; GET /v1/packs lists what you own and what is sold."
            ),
            RejectionCode.QuotaExceeded => new(429, "quota_exceeded", "The subscription's quota for these 24 hours is used up."),
            RejectionCode.NoActiveSubscription => new(402, "no_active_subscription", "The account has no active subscription."),
            RejectionCode.InsufficientCredits => new(402, "insufficient_credits", "Available funds do not cover the cost."),
            RejectionCode.KeyLimitReached => new(402, "key_limit_reached", "This would take the key above its limit."),
            RejectionCode.ReferenceConflict => new(409, "idempotency_conflict", "This was done before with other contents."),
            RejectionCode.UnknownTool => NoModel,
            RejectionCode.PackNotFound => new(404, "pack_not_found", "No such pack is sold; GET /v1/packs lists them.", "pack"),
            RejectionCode.TooManyOrders => new(
                409,
                "too_many_orders",
                "Too many checkouts wait to be paid; pay one or wait until they lapse."
            ),
            RejectionCode.AmountOutOfRange => new(400, "invalid_request_error", "This is more than one account may hold."),

            // None of these comes from a command that these routes send.
            RejectionCode.KeyTooWide
            or RejectionCode.KeyNotMinted
            or RejectionCode.AccountExists
            or RejectionCode.KeyNotFound
            or RejectionCode.TooManyKeys
            or RejectionCode.ReferralNotFound
            or RejectionCode.ReferralToOneself
            or RejectionCode.AlreadyReferred
            or RejectionCode.OrderNotFound
            or RejectionCode.TierNotFound
            or RejectionCode.AlreadySubscribed
            or RejectionCode.SetByOperator
            or RejectionCode.BilledByProvider
            or RejectionCode.PaymentRequired
            or RejectionCode.NotForSale
            or RejectionCode.NoPaymentMethod
            or RejectionCode.ExpiryNotInFuture
            or RejectionCode.HoldNotFound
            or RejectionCode.HoldAlreadyReleased
            or RejectionCode.HoldAlreadySettled
            or RejectionCode.HoldAlreadyExpired
            or RejectionCode.SpendNotFound
            or RejectionCode.EffectiveDateNotAllowed => new(400, "invalid_request_error", "The request cannot be carried out."),
        };

    /// <summary>Answers with an error.</summary>
    public static Task SendAsync(HttpContext context, OpenAiError error)
    {
        if (error.Status == 401)
            context.Response.Headers.WWWAuthenticate = "Bearer";

        // Only what may succeed later, unchanged, is worth a repeat by itself.
        if (error.Status is not (402 or 429 or >= 500))
            context.Response.Headers["x-should-retry"] = "false";
        return JsonAnswer.SendAsync(
            context,
            error.Status,
            error,
            static (json, error) =>
            {
                json.WriteStartObject();
                json.WriteStartObject("error");
                json.WriteString("message", error.Message);
                json.WriteString("type", error.Type);
                json.WriteString("param", error.Param);
                json.WriteString("code", error.Code);
                CallErrors.WriteLimit(json, error.Shortfall);
                json.WriteEndObject();
                json.WriteEndObject();
            }
        );
    }

    /// <summary>The faults of a request in one sentence.</summary>
    public static string WordsOf(JsonFaults faults) =>
        string.Join("; ", faults.All.Select(fault => fault.Path.Length == 0 ? fault.Message : fault.Path + " " + fault.Message));

    /// <summary>Answers with the faults of a request: the first by its member, all of them in words.</summary>
    public static Task SendAsync(HttpContext context, JsonFaults faults) =>
        SendAsync(
            context,
            new OpenAiError(400, "invalid_request_error", WordsOf(faults), faults.All[0].Path.Length == 0 ? null : faults.All[0].Path)
        );

    /// <summary>Why an entry is closed.</summary>
    public static Task SendAsync(HttpContext context, in Entry entry)
    {
        if (entry.RetryAfter is not { } after)
            return SendAsync(context, entry.Refusal is { } code ? Of(code) : Of(entry.Denial));
        ApiErrors.SetRetryAfter(context, after);
        return SendAsync(context, new OpenAiError(429, "rate_limit_exceeded", "Too many requests; come back when the window is over."));
    }
}

/// <summary>A refusal.</summary>
/// <param name="Error">What is the matter.</param>
public sealed record OpenAiErrorResponse(OpenAiErrorBody Error);

/// <summary>What is the matter.</summary>
/// <param name="Message">One sentence for people.</param>
/// <param name="Type">The kind of error.</param>
/// <param name="Param">The member that is at fault, where it is one.</param>
/// <param name="Code">A stable string.</param>
public sealed record OpenAiErrorBody(string Message, string Type, string? Param, string Code);
