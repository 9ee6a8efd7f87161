using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>Gives funds, once per payment: opens a pocket, from which debt of the unit is paid first unless it is scoped.</summary>
public sealed record GrantCredits(
    AccountId Account,
    Amount Amount,
    PocketSource Source,
    string? Scope,
    DateTimeOffset? ExpiresAt,
    string Provider,
    string Reference,
    string? Reason
) : AccountCommand(Account, EventIds.Grant(Account, Provider, Reference))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return SameContents(first) ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);
        if (!Amount.IsPositive || Amount > Limits.MaxAmount(Amount.Unit))
            return Reject(RejectionCode.AmountOutOfRange);
        var totals = account.Wallet.Totals(Amount.Unit);
        if ((Int128)totals.Granted + Amount.Parts > Limits.MaxAmount(Amount.Unit).Parts)
            return Reject(RejectionCode.AmountOutOfRange);
        if (ExpiresAt <= context.Now)
            return Reject(RejectionCode.ExpiryNotInFuture);

        var pocket = account.Wallet.NextPocket;
        var granted = new CreditsGranted(pocket, Amount, Source, Scope, ExpiresAt, Provider, Reference, Reason);
        return Scope is null && totals.Debt > 0
            ? Accept(granted, new DebtRepaid(pocket, Amount.Min(account.Wallet.Debt(Amount.Unit), Amount)))
            : Accept(granted);
    }

    private bool SameContents(Fact first) =>
        first.Event is CreditsGranted e && e.Amount == Amount && e.Source == Source && e.Scope == Scope && e.ExpiresAt == ExpiresAt;
}
