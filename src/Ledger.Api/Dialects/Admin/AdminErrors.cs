using Ledger.Api.Http;
using Ledger.Domain;

namespace Ledger.Api.Dialects.Admin;

/// <summary>One refusal as the operator's API speaks it.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">The stable string.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="Field">The member that is at fault, where it is one.</param>
internal readonly record struct AdminError(int Status, string Code, string Message, string? Field = null);

/// <summary>The dialect's errors: <c>{"error":{"code","message","fields"?}}</c>.</summary>
internal static class AdminErrors
{
    public static readonly AdminError AuthRequired = new(
        401,
        "auth_required",
        "The operator's key is required: Authorization: Bearer <key>."
    );
    public static readonly AdminError NoAccount = new(404, "account_not_found", "There is no such account.");
    public static readonly AdminError NoKey = new(404, "key_not_found", "The account has no such key.");
    public static readonly AdminError EmailTaken = new(409, "email_taken", "There is an account with this address already.");
    private static readonly AdminError Invalid = new(400, "invalid_request", "The request is invalid; see fields.");

    /// <summary>For everything under the routes that no handler answered.</summary>
    public static readonly FaultShape Shape = new(
        "/admin",
        static (context, fault) => SendAsync(context, new AdminError(fault.Status, fault.Code, fault.Message))
    );

    /// <summary>The one mapping of every rejection to this dialect.</summary>
    public static AdminError Of(RejectionCode code) =>
        code switch
        {
            RejectionCode.AccountNotFound => NoAccount,
            RejectionCode.KeyNotFound => NoKey,
            RejectionCode.SpendNotFound => new(404, "spend_not_found", "The account has no such spend."),
            RejectionCode.ReferenceConflict => new(409, "reference_conflict", "This reference was used before with other contents."),
            RejectionCode.AccountExists => new(409, "account_exists", "There is an account with this id already."),
            RejectionCode.AmountOutOfRange => new(400, "invalid_request", "The amount is beyond what one account may hold.", "amount"),
            RejectionCode.ExpiryNotInFuture => new(400, "invalid_request", "The expiry must be in the future.", "expires_at"),
            RejectionCode.EffectiveDateNotAllowed => new(
                400,
                "invalid_request",
                "A rate card cannot take effect in the past.",
                "effective_at"
            ),

            // None of these comes from a command that the operator sends.
            RejectionCode.KeyNotUsable
            or RejectionCode.AccountSuspended
            or RejectionCode.KeyKindNotAllowed
            or RejectionCode.UnknownTool
            or RejectionCode.HoldNotFound
            or RejectionCode.HoldAlreadyReleased
            or RejectionCode.HoldAlreadySettled
            or RejectionCode.HoldAlreadyExpired
            or RejectionCode.KeyLimitReached
            or RejectionCode.InsufficientCredits => new(400, "invalid_request", "The request cannot be carried out."),
        };

    /// <summary>Answers with an error.</summary>
    public static Task SendAsync(HttpContext context, AdminError error) =>
        SendAsync(context, error, error.Field is { } field ? [new(field, error.Message)] : []);

    /// <summary>Answers with the faults of a request.</summary>
    public static Task SendAsync(HttpContext context, JsonFaults faults) => SendAsync(context, Invalid, faults.All);

    private static Task SendAsync(HttpContext context, AdminError error, IReadOnlyList<JsonFault> fields)
    {
        // Only what may succeed later, unchanged, is worth a repeat by itself.
        if (error.Status is not (429 or >= 500))
            context.Response.Headers["x-should-retry"] = "false";
        return JsonAnswer.SendAsync(
            context,
            error.Status,
            (error, fields),
            static (json, state) =>
            {
                json.WriteStartObject();
                json.WriteStartObject("error");
                json.WriteString("code", state.error.Code);
                json.WriteString("message", state.error.Message);
                if (state.fields.Count > 0)
                {
                    json.WriteStartObject("fields");
                    foreach (var fault in state.fields.DistinctBy(fault => fault.Path))
                        json.WriteString(fault.Path.Length == 0 ? "body" : fault.Path, fault.Message);
                    json.WriteEndObject();
                }

                json.WriteEndObject();
                json.WriteEndObject();
            }
        );
    }
}
