using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Referrals;

/// <summary>
/// Says who brought this account, once and for good: it gets its bonus with that. The referrer's is carried over by <see cref="RewardReferral"/>.
/// </summary>
/// <param name="Account">Who was brought.</param>
/// <param name="Referrer">Whose code it gave; null where there is no such code.</param>
public sealed record ApplyReferral(AccountId Account, AccountId? Referrer) : AccountCommand(Account, EventIds.ReferralApplication(Account))
{
    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is ReferralApplied e && e.Referrer == Referrer;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (Referrer is not { } referrer)
            return Reject(RejectionCode.ReferralNotFound);
        if (referrer == Account)
            return Reject(RejectionCode.ReferralToOneself);
        if (context.Past.Find(Id) is { Event: ReferralApplied e } first && e.Referrer == referrer)
            return Repeat(first);
        if (account.Referral.ReferredBy is not null)
            return Reject(RejectionCode.AlreadyReferred);
        var terms = context.Card.Document.Referral;
        if (Charge.WholeCredits(Quantity.Of(1), terms.ReferrerCredits) is not { } reward)
            return Reject(RejectionCode.AmountOutOfRange);

        var applied = new ReferralApplied(referrer, reward, context.Card.Version);
        if (!terms.ReferredCredits.IsPositive)
            return Accept(applied);
        if (Charge.WholeCredits(Quantity.Of(1), terms.ReferredCredits) is not { } bonus || !account.Wallet.CanTake(bonus))
            return Reject(RejectionCode.AmountOutOfRange);
        return Accept([applied, .. GrantCredits.Bonus(account.Wallet, bonus, Referral.Provider, "applied")]);
    }
}

/// <summary>Gives a referrer the bonus for one account that it brought, once. What <see cref="ReferralApplied"/> leads to, carried over by a reader of the log.</summary>
/// <param name="Account">The referrer.</param>
/// <param name="Referred">Whom it brought.</param>
/// <param name="Credits">The bonus, as it was promised.</param>
public sealed record RewardReferral(AccountId Account, AccountId Referred, Amount Credits)
    : AccountCommand(Account, EventIds.ReferralReward(Account, Referred))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);

        // Nobody can be told who holds as much as one account may hold: it is counted, and the promise is void.
        var credits = Credits.IsPositive && account.Wallet.CanTake(Credits) ? Credits : Amount.Zero(Unit.Credits);
        var rewarded = new ReferralRewarded(Referred, credits);
        return credits.IsZero
            ? Accept(rewarded)
            : Accept([rewarded, .. GrantCredits.Bonus(account.Wallet, credits, Referral.Provider, "referred:" + Referred.Value)]);
    }
}
