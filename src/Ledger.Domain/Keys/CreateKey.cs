using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Keys;

/// <summary>Creates a key; already so where it was created before with the same secret. The secret was made at the edge; here it is only its hash.</summary>
public sealed record CreateKey(
    AccountId Account,
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
    DateTimeOffset? ExpiresAt
) : AccountCommand(Account, EventIds.KeyCreation(Account, Key))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (account.Keys.Find(Key) is { } existing)
        {
            // Decided again after a lost answer, it must still be told as created: its secret is in no other answer.
            if (existing.SecretHash != SecretHash)
                return Reject(RejectionCode.ReferenceConflict);
            return context.Past.Find(Id) is { } first ? Repeat(first) : Accept();
        }

        var wanted = new KeyCreated(
            Key,
            Name,
            Kind,
            Billing,
            Environment,
            SecretHash,
            Prefix,
            LastFour,
            Limit,
            LimitUsd,
            LimitReset,
            AllowedModels,
            RateLimit,
            ExpiresAt
        );

        // The operator may do all; a provisioning key or the account's holder, all but raise a rate limit; an inference key passes on what it has.
        var minter = By is { IsKey: true } by && account.Keys.Find(by.Key) is { Kind: KeyKind.Inference } inference ? inference : null;
        var isTooWide = minter is not null
            ? IsWider(account.Keys, minter, context.Now)
            : By is not null && RateLimit?.IsWithin(KeyRateLimit.Of(Billing)) == false;
        if (isTooWide)
            return Reject(RejectionCode.KeyTooWide);
        if (account.Keys.Keys.Count >= KeyRing.MaxEver || account.Keys.Keys.Values.Count(key => key.RevokedAt is null) >= KeyRing.MaxLive)
            return Reject(RejectionCode.TooManyKeys);
        if (Limit is { IsPositive: false } || LimitUsd is { IsPositive: false })
            return Reject(RejectionCode.AmountOutOfRange);
        if (ExpiresAt <= context.Now)
            return Reject(RejectionCode.ExpiryNotInFuture);
        if (minter is null)
            return Accept(wanted);

        var (left, leftUsd) = Left(account.Keys, minter, context.Now);
        if (left is { IsPositive: false } none)
            return Reject(RejectionCode.KeyLimitReached, new("key", Limit ?? none, none));
        if (leftUsd is { IsPositive: false } noneUsd)
            return Reject(RejectionCode.KeyLimitReached, new("key", LimitUsd ?? noneUsd, noneUsd));
        return Accept(
            wanted with
            {
                Limit = Limit ?? left,
                LimitUsd = LimitUsd ?? leftUsd,
                AllowedModels = AllowedModels.IsEmpty ? minter.AllowedModels : AllowedModels,
                RateLimit = RateLimit ?? minter.RateLimit,
                ExpiresAt = ExpiresAt ?? minter.ExpiresAt,
                MintedBy = minter.Id,
            }
        );
    }

    private bool IsWider(KeyRing keys, Key minter, DateTimeOffset now)
    {
        var (left, leftUsd) = Left(keys, minter, now);
        return Kind != KeyKind.Inference
            || Billing != minter.Billing
            || Limit > left
            || LimitUsd > leftUsd
            || (!minter.AllowedModels.IsEmpty && AllowedModels.Except(minter.AllowedModels, StringComparer.Ordinal).Any())
            || RateLimit?.IsWithin(minter.EffectiveRateLimit) == false
            || ExpiresAt > minter.ExpiresAt
            || keys.Line(minter.Id).Count() >= KeyRing.MaxLine;
    }

    private static (Amount? Credits, Amount? Usd) Left(KeyRing keys, Key minter, DateTimeOffset now) =>
        (keys.LeftFor(minter.Id, Unit.Credits, now)?.Left, keys.LeftFor(minter.Id, Unit.Usd, now)?.Left);
}

/// <summary>Revokes a key; already so where it was revoked before. An inference key may revoke itself and what it minted, directly or by others that it minted.</summary>
public sealed record RevokeKey(AccountId Account, KeyId Key, string? Reason) : AccountCommand(Account, EventIds.KeyRevocation(Account, Key))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (account.Keys.Find(Key) is not { } key)
            return Reject(RejectionCode.KeyNotFound);
        if (
            By is { IsKey: true } by
            && account.Keys.Find(by.Key) is { Kind: KeyKind.Inference }
            && !account.Keys.Line(Key).Any(minter => minter.Id == by.Key)
        )
            return Reject(RejectionCode.KeyNotMinted);

        return key.RevokedAt is null ? Accept(new KeyRevoked(Key, Reason)) : Accept();
    }
}
