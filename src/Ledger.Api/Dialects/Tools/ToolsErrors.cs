using System.Text.Json;
using Ledger.Api.Access;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Money;

namespace Ledger.Api.Dialects.Tools;

/// <summary>One refusal as the tools dialect speaks it.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Error">The stable string.</param>
/// <param name="Message">One sentence for people.</param>
internal readonly record struct ToolsError(int Status, string Error, string Message);

/// <summary>The dialect's errors: <c>{"ok":false,"error":"…",…}</c>.</summary>
internal static class ToolsErrors
{
    public static readonly ToolsError AuthRequired = new(401, "auth_required", "A valid API key is required: Authorization: Bearer <key>.");

    public static readonly ToolsError EmailTaken = new(409, "email_taken", "There is an account with this address already.");
    public static readonly ToolsError WrongCredentials = new(401, "auth_required", "The address, the password or the code is wrong.");
    public static readonly ToolsError NoSignIn = new(400, "invalid_request", "A key is not signed in: revoke it instead.");
    public static readonly ToolsError RateLimited = new(429, "rate_limited", "Too many requests; come back when the window is over.");

    /// <summary>For everything under the routes that no handler answered.</summary>
    public static readonly FaultShape Shape = new(
        "/api/v1",
        static (context, fault) => SendAsync(context, new ToolsError(fault.Status, fault.Code, fault.Message))
    );

    /// <summary>Why somebody was not let in.</summary>
    public static ToolsError Of(Denial denial) =>
        denial switch
        {
            Denial.AuthRequired => AuthRequired,
            Denial.RegionBlocked => new(403, "forbidden", "This service is not available in your country."),
            Denial.Forged => new(403, "forbidden", "A session's write needs its token: X-CSRF-Token, as /api/v1/auth/session gives it."),
            Denial.None => throw new ArgumentOutOfRangeException(nameof(denial)),
        };

    /// <summary>The one mapping of every rejection to this dialect.</summary>
    public static ToolsError Of(RejectionCode code) =>
        code switch
        {
            RejectionCode.AccountNotFound or RejectionCode.KeyNotUsable or RejectionCode.SignInEnded => AuthRequired,
            RejectionCode.AccountSuspended => new(403, "forbidden", "The account is suspended."),
            RejectionCode.KeyKindNotAllowed => new(403, "forbidden", "This kind of key may not use the tools."),
            RejectionCode.ReferenceConflict => new(409, "reference_conflict", "This was done before with other contents."),
            RejectionCode.UnknownTool => new(400, "unknown_tool", "The rate card in force has no price for this tool."),
            RejectionCode.AmountOutOfRange => new(400, "invalid_request", "The cost is beyond what one account may hold."),
            RejectionCode.HoldNotFound => new(404, "hold_not_found", "There is no such hold."),
            RejectionCode.HoldAlreadyReleased => new(409, "hold_released", "The hold was released."),
            RejectionCode.HoldAlreadySettled => new(409, "hold_settled", "The hold was settled."),
            RejectionCode.HoldAlreadyExpired => new(409, "hold_expired", "The hold has expired; it can still be settled, once."),
            RejectionCode.KeyLimitReached => new(402, "key_limit_reached", "This would take the key above its credit limit."),
            RejectionCode.ReferralNotFound => new(404, "referral_not_found", "There is no such referral code."),
            RejectionCode.ReferralToOneself => new(409, "referral_to_oneself", "Nobody refers themselves."),
            RejectionCode.AlreadyReferred => new(409, "already_referred", "The account was referred before."),
            RejectionCode.InsufficientCredits => new(402, "insufficient_credits", "Available credits do not cover the cost."),

            // None of these comes from a command that the tools send.
            RejectionCode.AccountExists
            or RejectionCode.KeyTooWide
            or RejectionCode.ModelNotAllowed
            or RejectionCode.UnknownModel
            or RejectionCode.NoActivePack
            or RejectionCode.QuotaExceeded
            or RejectionCode.KeyNotMinted
            or RejectionCode.KeyNotFound
            or RejectionCode.TooManyKeys
            or RejectionCode.ExpiryNotInFuture
            or RejectionCode.SpendNotFound
            or RejectionCode.OrderNotFound
            or RejectionCode.PackNotFound
            or RejectionCode.TierNotFound
            or RejectionCode.NoActiveSubscription
            or RejectionCode.AlreadySubscribed
            or RejectionCode.SetByOperator
            or RejectionCode.BilledByProvider
            or RejectionCode.PaymentRequired
            or RejectionCode.NotForSale
            or RejectionCode.NoPaymentMethod
            or RejectionCode.TooManyOrders
            or RejectionCode.EffectiveDateNotAllowed => new(400, "invalid_request", "The request cannot be carried out."),
        };

    /// <summary>Answers with an error.</summary>
    public static Task SendAsync(
        HttpContext context,
        ToolsError error,
        Shortfall? shortfall = null,
        IReadOnlyList<FieldFault>? fields = null
    )
    {
        if (error.Status == 401)
            context.Response.Headers.WWWAuthenticate = "Bearer";

        // Only what may succeed later, unchanged, is worth a repeat by itself.
        if (error.Status is not (402 or 429 or >= 500))
            context.Response.Headers["x-should-retry"] = "false";
        return JsonAnswer.SendAsync(
            context,
            error.Status,
            (error, shortfall, fields),
            static (json, state) => Write(json, state.error, state.shortfall, state.fields)
        );
    }

    /// <summary>Answers with the faults of a body.</summary>
    public static Task SendAsync(HttpContext context, IReadOnlyList<FieldFault> faults) => SendAsync(context, Invalid, null, faults);

    /// <summary>Answers with the faults of a body that was read strictly.</summary>
    public static Task SendAsync(HttpContext context, JsonFaults faults) =>
        SendAsync(context, [.. faults.All.Select(fault => new FieldFault(fault.Path, fault.Message))]);

    /// <summary>Writes an error, as a body or as an item of a batch.</summary>
    public static void Write(Utf8JsonWriter json, ToolsError error, Shortfall? shortfall = null, IReadOnlyList<FieldFault>? fields = null)
    {
        json.WriteStartObject();
        json.WriteBoolean("ok", false);
        json.WriteString("error", error.Error);
        if (shortfall is not null)
        {
            json.WriteNumber("cost_tokens", WholeUp(shortfall.Needed));
            json.WriteNumber("balance", shortfall.Available.WholeFloor());
            json.WriteString("limit_source", shortfall.Source);
        }

        json.WriteString("message", error.Message);
        if (fields is { Count: > 0 })
        {
            json.WriteStartObject("fields");
            foreach (var fault in fields.DistinctBy(fault => fault.Field))
                json.WriteString(fault.Field.Length == 0 ? "body" : fault.Field, fault.Message);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    public static readonly ToolsError Invalid = new(400, "invalid_request", "The request is invalid; see fields.");

    private static long WholeUp(Amount amount) => -new Amount(-amount.Parts, amount.Unit).WholeFloor();
}
