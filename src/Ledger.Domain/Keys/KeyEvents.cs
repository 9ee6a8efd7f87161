using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Keys;

/// <summary>What has happened to a key. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record KeyEvent : AccountEvent
{
    private protected KeyEvent() { }
}

/// <summary>A key was created. Its secret appears only as a hash.</summary>
/// <param name="Key">The key's id.</param>
/// <param name="Name">The owner's name for it.</param>
/// <param name="Kind">What it may be used for.</param>
/// <param name="Billing">What its calls are paid from.</param>
/// <param name="Environment">The owner's label, such as <c>production</c>; null for none.</param>
/// <param name="SecretHash">SHA-256 of the secret, lower-case hex.</param>
/// <param name="Prefix">What the secret starts with, up to <c>_live_</c>.</param>
/// <param name="LastFour">The secret's last four characters.</param>
/// <param name="Limit">The most credits it may spend per period; null for no limit.</param>
/// <param name="LimitUsd">The most dollars it may spend per period; null for no limit.</param>
/// <param name="LimitReset">The period.</param>
/// <param name="AllowedModels">The models it may call; empty for all.</param>
/// <param name="RateLimit">Its own token bucket; null for the route's default.</param>
/// <param name="ExpiresAt">When it stops working; null for never.</param>
/// <param name="MintedBy">The key that minted it, whose limit it counts against too; null where no key did.</param>
public sealed record KeyCreated(
    KeyId Key,
    string Name,
    KeyKind Kind,
    KeyBilling Billing,
    string? Environment,
    string SecretHash,
    string Prefix,
    string LastFour,
    Amount? Limit,
    Amount? LimitUsd,
    LimitReset LimitReset,
    ImmutableArray<string> AllowedModels,
    KeyRateLimit? RateLimit,
    DateTimeOffset? ExpiresAt,
    KeyId? MintedBy = null
) : KeyEvent;

/// <summary>A key was changed: everything that can be, as it is from now on.</summary>
/// <param name="Key">The key's id.</param>
/// <param name="Name">The owner's name for it.</param>
/// <param name="Environment">The owner's label; null for none.</param>
/// <param name="Limit">The most credits it may spend per period; null for no limit.</param>
/// <param name="LimitUsd">The most dollars it may spend per period; null for no limit.</param>
/// <param name="LimitReset">The period. Where it changes, or a limit comes to be, counting starts anew with the holds that are open.</param>
/// <param name="AllowedModels">The models it may call; empty for all.</param>
/// <param name="RateLimit">Its own token bucket; null for the route's default.</param>
/// <param name="ExpiresAt">When it stops working; null for never.</param>
/// <param name="Disabled">Whether it rests.</param>
public sealed record KeyChanged(
    KeyId Key,
    string Name,
    string? Environment,
    Amount? Limit,
    Amount? LimitUsd,
    LimitReset LimitReset,
    ImmutableArray<string> AllowedModels,
    KeyRateLimit? RateLimit,
    DateTimeOffset? ExpiresAt,
    bool Disabled
) : KeyEvent;

/// <summary>A key got a new secret; the one before works on for a while, any older one no more.</summary>
/// <param name="Key">The key's id.</param>
/// <param name="SecretHash">SHA-256 of the new secret, lower-case hex.</param>
/// <param name="Prefix">What the new secret starts with, up to <c>_live_</c>.</param>
/// <param name="LastFour">The new secret's last four characters.</param>
/// <param name="PreviousUntil">Until when the secret before works too.</param>
public sealed record KeyRotated(KeyId Key, string SecretHash, string Prefix, string LastFour, DateTimeOffset PreviousUntil) : KeyEvent;

/// <summary>A key was revoked: it never works again.</summary>
/// <param name="Key">The key's id.</param>
/// <param name="Reason">Why; null where nobody said.</param>
public sealed record KeyRevoked(KeyId Key, string? Reason) : KeyEvent;
