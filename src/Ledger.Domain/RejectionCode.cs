namespace Ledger.Domain;

/// <summary>Every lawful no. The order is the precedence: of two reasons, the one that stands first here is given.</summary>
public enum RejectionCode
{
    /// <summary>There is no such account.</summary>
    AccountNotFound,

    /// <summary>The account has no such key, or the key was revoked, disabled, or has expired, or its secret was replaced.</summary>
    KeyNotUsable,

    /// <summary>The account is suspended.</summary>
    AccountSuspended,

    /// <summary>The sign-in was ended: by signing out, or together with all others.</summary>
    SignInEnded,

    /// <summary>The kind of key may not do this.</summary>
    KeyKindNotAllowed,

    /// <summary>The key's list of models does not have this one.</summary>
    ModelNotAllowed,

    /// <summary>The key would be wider than the one that mints it, or than only the operator may make it.</summary>
    KeyTooWide,

    /// <summary>The key may revoke only itself and the keys that it minted.</summary>
    KeyNotMinted,

    /// <summary>The same reference was used before with other contents.</summary>
    ReferenceConflict,

    /// <summary>An account of this id exists.</summary>
    AccountExists,

    /// <summary>The account has no such key.</summary>
    KeyNotFound,

    /// <summary>The account has as many keys as one may have.</summary>
    TooManyKeys,

    /// <summary>There is no such referral code.</summary>
    ReferralNotFound,

    /// <summary>Nobody refers themselves.</summary>
    ReferralToOneself,

    /// <summary>The account was referred before, by somebody else or under another code.</summary>
    AlreadyReferred,

    /// <summary>The account has no such order.</summary>
    OrderNotFound,

    /// <summary>The rate card in force sells no such pack.</summary>
    PackNotFound,

    /// <summary>The rate card in force has no such subscription level.</summary>
    TierNotFound,

    /// <summary>The account has no subscription, or it has ended.</summary>
    NoActiveSubscription,

    /// <summary>The account has a subscription already.</summary>
    AlreadySubscribed,

    /// <summary>The subscription was set by the operator, and only the operator changes it.</summary>
    SetByOperator,

    /// <summary>The subscription is billed by a payment provider, and only who pays changes it.</summary>
    BilledByProvider,

    /// <summary>The change takes effect only when its difference is paid.</summary>
    PaymentRequired,

    /// <summary>What is priced at nothing is not sold; the operator gives it.</summary>
    NotForSale,

    /// <summary>Nothing was paid there before, so no card can be charged.</summary>
    NoPaymentMethod,

    /// <summary>As many orders wait to be paid, or were ever made, as an account may have.</summary>
    TooManyOrders,

    /// <summary>The rate card in force has no such tool, or no price for it.</summary>
    UnknownTool,

    /// <summary>The rate card in force has no such model.</summary>
    UnknownModel,

    /// <summary>An amount is not positive, or beyond what one account may hold.</summary>
    AmountOutOfRange,

    /// <summary>The expiry is not in the future.</summary>
    ExpiryNotInFuture,

    /// <summary>The account has no such hold.</summary>
    HoldNotFound,

    /// <summary>The hold was released and cannot be settled.</summary>
    HoldAlreadyReleased,

    /// <summary>The hold was settled and cannot be released.</summary>
    HoldAlreadySettled,

    /// <summary>The hold has expired and cannot be released.</summary>
    HoldAlreadyExpired,

    /// <summary>The account has no such spend.</summary>
    SpendNotFound,

    /// <summary>The spend would take the key above its credit limit.</summary>
    KeyLimitReached,

    /// <summary>No pack of the account is for this provider and model, or what it has left does not cover the cost.</summary>
    NoActivePack,

    /// <summary>The subscription's quota for these 24 hours does not cover the tokens.</summary>
    QuotaExceeded,

    /// <summary>Available funds do not cover the cost.</summary>
    InsufficientCredits,

    /// <summary>A rate card would become effective in the past, or is the first and would become effective later.</summary>
    EffectiveDateNotAllowed,
}
