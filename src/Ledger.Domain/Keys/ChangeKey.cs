using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Keys;

/// <summary>What is to change about a key: each part that is not null, to the value that it holds.</summary>
/// <param name="Name">The owner's name for it.</param>
/// <param name="Environment">The owner's label; null in it for none.</param>
/// <param name="Limit">The most credits per period; null in it for no limit.</param>
/// <param name="LimitUsd">The most dollars per period; null in it for no limit.</param>
/// <param name="LimitReset">The period.</param>
/// <param name="AllowedModels">The models it may call; empty in it for all.</param>
/// <param name="RateLimit">Its own token bucket; null in it for the route's default.</param>
/// <param name="ExpiresAt">When it stops working; null in it for never.</param>
/// <param name="Disabled">Whether it rests.</param>
public sealed record KeyChange(
    Change<string>? Name = null,
    Change<string?>? Environment = null,
    Change<Amount?>? Limit = null,
    Change<Amount?>? LimitUsd = null,
    Change<LimitReset>? LimitReset = null,
    Change<ImmutableArray<string>>? AllowedModels = null,
    Change<KeyRateLimit?>? RateLimit = null,
    Change<DateTimeOffset?>? ExpiresAt = null,
    Change<bool>? Disabled = null
);

/// <summary>A new value, as opposed to none given.</summary>
/// <param name="To">The value.</param>
public readonly record struct Change<T>(T To);

/// <summary>Changes a key; already so where it is like that.</summary>
public sealed record ChangeKey(AccountId Account, KeyId Key, Guid Id, KeyChange Change) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override KeyKind? NeedsKey => KeyKind.Provisioning;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return first.Event is KeyChanged ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);
        if (account.Keys.FindLive(Key) is not { } key)
            return Reject(RejectionCode.KeyNotFound);
        if (Change.Limit is { To.IsPositive: false } || Change.LimitUsd is { To.IsPositive: false })
            return Reject(RejectionCode.AmountOutOfRange);
        if (Change.ExpiresAt?.To <= context.Now)
            return Reject(RejectionCode.ExpiryNotInFuture);
        if (By is not null && Change.RateLimit is { } rate && !MayHave(key, rate.To))
            return Reject(RejectionCode.KeyTooWide);

        var changed = new KeyChanged(
            Key,
            Change.Name?.To ?? key.Name,
            Change.Environment is { } environment ? environment.To : key.Environment,
            Change.Limit is { } limit ? limit.To : key.Limit,
            Change.LimitUsd is { } limitUsd ? limitUsd.To : key.LimitUsd,
            Change.LimitReset?.To ?? key.LimitReset,
            Change.AllowedModels?.To ?? key.AllowedModels,
            Change.RateLimit is { } rateLimit ? rateLimit.To : key.RateLimit,
            Change.ExpiresAt is { } expiresAt ? expiresAt.To : key.ExpiresAt,
            Change.Disabled?.To ?? key.Disabled
        );
        return IsSo(key, changed) ? Accept() : Accept(changed);
    }

    /// <summary>Only the operator may raise a rate limit, above the default and above what the operator set. The default itself is free.</summary>
    private static bool MayHave(Key key, KeyRateLimit? wanted)
    {
        var standard = KeyRateLimit.Of(key.Billing);
        return (wanted ?? standard).IsWithin(key.EffectiveRateLimit) || (wanted ?? standard).IsWithin(standard);
    }

    private static bool IsSo(Key key, KeyChanged e) =>
        key.Name == e.Name
        && key.Environment == e.Environment
        && key.Limit == e.Limit
        && key.LimitUsd == e.LimitUsd
        && key.LimitReset == e.LimitReset
        && key.AllowedModels.SequenceEqual(e.AllowedModels, StringComparer.Ordinal)
        && key.RateLimit == e.RateLimit
        && key.ExpiresAt == e.ExpiresAt
        && key.Disabled == e.Disabled;
}

/// <summary>Gives a key a new secret. The one before works on for a while, so that whoever uses it can change over without a gap.</summary>
/// <param name="Account">The account.</param>
/// <param name="Key">The key.</param>
/// <param name="Id">The command's own id.</param>
/// <param name="SecretHash">SHA-256 of the new secret, lower-case hex.</param>
/// <param name="Prefix">What the new secret starts with, up to <c>_live_</c>.</param>
/// <param name="LastFour">The new secret's last four characters.</param>
/// <param name="Grace">How long the secret before works on; zero for not at all.</param>
public sealed record RotateKey(AccountId Account, KeyId Key, Guid Id, string SecretHash, string Prefix, string LastFour, TimeSpan Grace)
    : AccountCommand(Account, Id)
{
    /// <summary>The longest grace: 30 days.</summary>
    public static readonly TimeSpan MaxGrace = TimeSpan.FromDays(30);

    /// <inheritdoc/>
    public override KeyKind? NeedsKey => KeyKind.Provisioning;

    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is KeyRotated e && e.SecretHash == SecretHash;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return first.Event is KeyRotated e && e.SecretHash == SecretHash ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);
        if (account.Keys.FindLive(Key) is null)
            return Reject(RejectionCode.KeyNotFound);

        return Accept(new KeyRotated(Key, SecretHash, Prefix, LastFour, context.Now + Grace));
    }
}
