using Ledger.Api.Http;
using Ledger.Domain;

namespace Ledger.Api.Dialects.Admin;

/// <summary>The dialect's errors: <c>{"error":{"code","message","fields"?}}</c>.</summary>
internal static class AdminErrors
{
    public static readonly ApiError AuthRequired = new(
        401,
        "auth_required",
        "The operator's key is required: Authorization: Bearer <key>."
    );
    public static readonly ApiError NoAccount = new(404, "account_not_found", "There is no such account.");
    public static readonly ApiError NoKey = new(404, "key_not_found", "The account has no such key.");
    public static readonly ApiError EmailTaken = new(409, "email_taken", "There is an account with this address already.");

    /// <summary>For everything under the routes that no handler answered.</summary>
    public static readonly FaultShape Shape = ApiErrors.ShapeOf("/admin");

    /// <summary>The one mapping of every rejection to this dialect.</summary>
    public static ApiError Of(RejectionCode code) =>
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

            RejectionCode.OrderNotFound => new(404, "order_not_found", "The account has no such order."),
            RejectionCode.PackNotFound => new(400, "invalid_request", "The rate card in force sells no such pack.", "pack"),
            RejectionCode.TierNotFound => new(400, "invalid_request", "The rate card in force has no such tier.", "tier"),
            RejectionCode.NoActiveSubscription => new(409, "no_active_subscription", "The account has no subscription."),
            RejectionCode.BilledByProvider => new(
                409,
                "billed_by_provider",
                "The subscription is billed by the payment provider; end it first."
            ),
            RejectionCode.TooManyOrders => new(409, "too_many_orders", "The account has as many orders as one may have."),

            RejectionCode.TooManyKeys => new(409, "too_many_keys", "The account has as many keys as one may have; revoke some."),

            // None of these comes from a command that the operator sends.
            RejectionCode.KeyNotUsable
            or RejectionCode.SignInEnded
            or RejectionCode.KeyTooWide
            or RejectionCode.ModelNotAllowed
            or RejectionCode.UnknownModel
            or RejectionCode.NoActivePack
            or RejectionCode.QuotaExceeded
            or RejectionCode.KeyNotMinted
            or RejectionCode.ReferralNotFound
            or RejectionCode.ReferralToOneself
            or RejectionCode.AlreadyReferred
            or RejectionCode.AccountSuspended
            or RejectionCode.KeyKindNotAllowed
            or RejectionCode.AlreadySubscribed
            or RejectionCode.SetByOperator
            or RejectionCode.PaymentRequired
            or RejectionCode.NotForSale
            or RejectionCode.NoPaymentMethod
            or RejectionCode.UnknownTool
            or RejectionCode.HoldNotFound
            or RejectionCode.HoldAlreadyReleased
            or RejectionCode.HoldAlreadySettled
            or RejectionCode.HoldAlreadyExpired
            or RejectionCode.KeyLimitReached
            or RejectionCode.InsufficientCredits => new(400, "invalid_request", "The request cannot be carried out."),
        };
}
