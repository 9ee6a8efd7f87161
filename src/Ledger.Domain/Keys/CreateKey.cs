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

        if (Limit is { IsPositive: false } || LimitUsd is { IsPositive: false })
            return Reject(RejectionCode.AmountOutOfRange);
        if (ExpiresAt <= context.Now)
            return Reject(RejectionCode.ExpiryNotInFuture);

        return Accept(
            new KeyCreated(
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
            )
        );
    }
}

/// <summary>Revokes a key; already so where it was revoked before.</summary>
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

        return key.RevokedAt is null ? Accept(new KeyRevoked(Key, Reason)) : Accept();
    }
}
