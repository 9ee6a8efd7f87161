using Ledger.Api.Access;
using Ledger.Api.Http;
using Ledger.Domain;

namespace Ledger.Api.Dialects.Credits;

/// <summary>One refusal: <c>{"detail":"…"}</c>.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">One sentence for people.</param>
internal readonly record struct CreditsError(int Status, string Detail);

/// <summary>The dialect's errors: <c>{"detail":"…"}</c>, and for bad input <c>{"detail":[{"loc","msg","type"}]}</c>.</summary>
internal static class CreditsErrors
{
    public static readonly CreditsError AuthRequired = new(
        401,
        "A valid API key or access token is required: Authorization: Bearer <token>."
    );

    /// <summary>The provider did not open a page.</summary>
    public static readonly CreditsError ProviderAway = new(502, "The payment provider could not be reached; nothing was ordered.");

    /// <summary>For everything under the routes that no handler answered.</summary>
    public static readonly FaultShape Shape = new(
        "/api/v1/credits",
        static (context, fault) => SendAsync(context, new CreditsError(fault.Status, fault.Message))
    );

    /// <summary>Why somebody was not let in.</summary>
    public static CreditsError Of(Denial denial) =>
        denial switch
        {
            Denial.AuthRequired => AuthRequired,
            Denial.RegionBlocked => new(403, "This service is not available in your country."),
            Denial.Forged => new(403, "A session's write needs its token: X-CSRF-Token, as /api/v1/auth/session gives it."),
            Denial.None => throw new ArgumentOutOfRangeException(nameof(denial)),
        };

    /// <summary>The one mapping of every rejection to this dialect.</summary>
    public static CreditsError Of(RejectionCode code) =>
        code switch
        {
            RejectionCode.AccountNotFound or RejectionCode.KeyNotUsable or RejectionCode.SignInEnded => AuthRequired,
            RejectionCode.AccountSuspended => new(403, "The account is suspended."),
            RejectionCode.KeyKindNotAllowed => new(403, "A provisioning key may read here, not buy or change."),
            RejectionCode.AmountOutOfRange => new(400, "The amount is outside the limits; GET /api/v1/credits/payg/info tells them."),
            RejectionCode.UnknownTool => new(400, "There is no such service; GET /api/v1/credits/multipliers lists them."),
            RejectionCode.NoPaymentMethod => new(
                409,
                "Buy credits once by hand first: automatic purchases charge the card that paid before."
            ),
            RejectionCode.TooManyOrders => new(409, "Too many checkouts wait to be paid; pay one or wait until they lapse."),
            RejectionCode.ReferenceConflict => new(409, "This was done before with other contents."),
            RejectionCode.InsufficientCredits => new(402, "Available credits do not cover the cost."),
            RejectionCode.KeyLimitReached => new(402, "This would take the key above its credit limit."),
            RejectionCode.NoActiveSubscription => new(402, "The account has no active subscription."),

            // None of these comes from a command that this dialect sends.
            RejectionCode.KeyTooWide
            or RejectionCode.ModelNotAllowed
            or RejectionCode.UnknownModel
            or RejectionCode.NoActivePack
            or RejectionCode.QuotaExceeded
            or RejectionCode.KeyNotMinted
            or RejectionCode.AccountExists
            or RejectionCode.KeyNotFound
            or RejectionCode.TooManyKeys
            or RejectionCode.ReferralNotFound
            or RejectionCode.ReferralToOneself
            or RejectionCode.AlreadyReferred
            or RejectionCode.OrderNotFound
            or RejectionCode.PackNotFound
            or RejectionCode.TierNotFound
            or RejectionCode.AlreadySubscribed
            or RejectionCode.SetByOperator
            or RejectionCode.BilledByProvider
            or RejectionCode.PaymentRequired
            or RejectionCode.NotForSale
            or RejectionCode.ExpiryNotInFuture
            or RejectionCode.HoldNotFound
            or RejectionCode.HoldAlreadyReleased
            or RejectionCode.HoldAlreadySettled
            or RejectionCode.HoldAlreadyExpired
            or RejectionCode.SpendNotFound
            or RejectionCode.EffectiveDateNotAllowed => new(400, "The request cannot be carried out."),
        };

    /// <summary>Answers with an error.</summary>
    public static Task SendAsync(HttpContext context, CreditsError error)
    {
        if (error.Status == 401)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        ForbidRepeats(context, error.Status);
        return JsonAnswer.SendAsync(
            context,
            error.Status,
            error.Detail,
            static (json, detail) =>
            {
                json.WriteStartObject();
                json.WriteString("detail", detail);
                json.WriteEndObject();
            }
        );
    }

    /// <summary>Answers with the faults of a request, each by its place.</summary>
    /// <param name="context">The request.</param>
    /// <param name="where">Where they stand: <c>body</c> or <c>query</c>.</param>
    /// <param name="faults">The faults.</param>
    public static Task SendAsync(HttpContext context, string where, JsonFaults faults)
    {
        ForbidRepeats(context, 422);
        return JsonAnswer.SendAsync(
            context,
            422,
            (where, faults.All),
            static (json, state) =>
            {
                json.WriteStartObject();
                json.WriteStartArray("detail");
                foreach (var fault in state.All)
                {
                    json.WriteStartObject();
                    json.WriteStartArray("loc");
                    json.WriteStringValue(state.where);
                    if (fault.Path.Length > 0)
                        json.WriteStringValue(fault.Path);
                    json.WriteEndArray();
                    json.WriteString("msg", fault.Message);
                    json.WriteString("type", "value_error");
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }
        );
    }

    /// <summary>Why an entry is closed.</summary>
    public static Task SendAsync(HttpContext context, in Entry entry)
    {
        if (entry.RetryAfter is { } after)
        {
            ApiErrors.SetRetryAfter(context, after);
            return SendAsync(context, new CreditsError(429, "Too many requests; come back when the window is over."));
        }

        return SendAsync(context, entry.Refusal is { } code ? Of(code) : Of(entry.Denial));
    }

    // Only what may succeed later, unchanged, is worth a repeat by itself.
    private static void ForbidRepeats(HttpContext context, int status)
    {
        if (status is not (402 or 429 or >= 500))
            context.Response.Headers["x-should-retry"] = "false";
    }
}
