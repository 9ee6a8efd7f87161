using Ledger.Api.Access;
using Ledger.Api.Http;
using Ledger.Domain;

namespace Ledger.Api.Keys;

/// <summary>What the dialects in which accounts manage themselves answer where something is refused: <c>/v1/account</c> and <c>/tenant</c> speak alike.</summary>
internal static class KeyErrors
{
    public static readonly ApiError NoKey = new(404, "key_not_found", "The account has no such key.");
    private static readonly ApiError AuthRequired = new(
        401,
        "auth_required",
        "A valid key or access token is required: Authorization: Bearer <token>."
    );

    /// <summary>Why somebody was not let in.</summary>
    public static ApiError Of(Denial denial) =>
        denial switch
        {
            Denial.AuthRequired => AuthRequired,
            Denial.RegionBlocked => new(403, "forbidden", "This service is not available in your country."),
            Denial.Forged => new(403, "forbidden", "A session's write needs its token: X-CSRF-Token, as /api/v1/auth/session gives it."),
            Denial.None => throw new ArgumentOutOfRangeException(nameof(denial)),
        };

    /// <summary>The one mapping of every rejection to these dialects.</summary>
    public static ApiError Of(RejectionCode code) =>
        code switch
        {
            RejectionCode.AccountNotFound or RejectionCode.KeyNotUsable or RejectionCode.SignInEnded => AuthRequired,
            RejectionCode.AccountSuspended => new(403, "forbidden", "The account is suspended."),
            RejectionCode.KeyKindNotAllowed => new(403, "forbidden", "This needs a provisioning key, or to be signed in."),
            RejectionCode.KeyTooWide => new(
                403,
                "forbidden",
                "The key would be wider than may be: an inference key passes on at most what it has, and only the operator raises a rate limit."
            ),
            RejectionCode.KeyNotMinted => new(403, "forbidden", "An inference key may revoke only itself and the keys that it minted."),
            RejectionCode.KeyNotFound => NoKey,
            RejectionCode.TooManyKeys => new(409, "too_many_keys", "The account has as many keys as one may have; revoke some."),
            RejectionCode.ExpiryNotInFuture => new(400, "invalid_request", "The expiry must be in the future.", "expires_at"),
            RejectionCode.AmountOutOfRange => new(400, "invalid_request", "The limit must be more than nothing.", "limit"),
            RejectionCode.ReferenceConflict => new(409, "reference_conflict", "This was done before with other contents."),
            RejectionCode.KeyLimitReached => new(402, "key_limit_reached", "The key has nothing left that it could pass on."),
            RejectionCode.OrderNotFound => new(404, "order_not_found", "The account has no such order."),
            RejectionCode.PackNotFound => new(404, "pack_not_found", "No such pack is sold."),
            RejectionCode.TierNotFound => new(400, "invalid_request", "There is no such tier; GET /pricing lists them.", "tier"),
            RejectionCode.NoActiveSubscription => new(402, "no_active_subscription", "The account has no active subscription."),
            RejectionCode.AlreadySubscribed => new(
                409,
                "already_subscribed",
                "The account has a subscription; change it by PUT /tenant/subscription."
            ),
            RejectionCode.SetByOperator => new(
                409,
                "set_by_operator",
                "The subscription was set by the operator, who alone can change it."
            ),
            RejectionCode.BilledByProvider => new(409, "billed_by_provider", "The subscription is billed by the payment provider."),
            RejectionCode.PaymentRequired => new(402, "payment_required", "The change takes effect when its difference is paid."),
            RejectionCode.NotForSale => new(400, "invalid_request", "What costs nothing is not sold; ask the operator for it."),
            RejectionCode.NoPaymentMethod => new(
                409,
                "no_payment_method",
                "Buy something once by hand first; its card is charged from then on."
            ),
            RejectionCode.TooManyOrders => new(
                409,
                "too_many_orders",
                "Too many orders wait to be paid; pay one or wait until they lapse."
            ),

            // None of these comes from a command that these dialects send.
            RejectionCode.AccountExists
            or RejectionCode.ReferralNotFound
            or RejectionCode.ReferralToOneself
            or RejectionCode.AlreadyReferred
            or RejectionCode.UnknownTool
            or RejectionCode.ModelNotAllowed
            or RejectionCode.UnknownModel
            or RejectionCode.NoActivePack
            or RejectionCode.QuotaExceeded
            or RejectionCode.HoldNotFound
            or RejectionCode.HoldAlreadyReleased
            or RejectionCode.HoldAlreadySettled
            or RejectionCode.HoldAlreadyExpired
            or RejectionCode.SpendNotFound
            or RejectionCode.InsufficientCredits
            or RejectionCode.EffectiveDateNotAllowed => new(400, "invalid_request", "The request cannot be carried out."),
        };
}
