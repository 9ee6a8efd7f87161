using System.Collections.Immutable;
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
        if (!account.Wallet.CanTake(Amount))
            return Reject(RejectionCode.AmountOutOfRange);
        if (ExpiresAt <= context.Now)
            return Reject(RejectionCode.ExpiryNotInFuture);

        return Accept(
            Granting(account.Wallet, new(account.Wallet.NextPocket, Amount, Source, Scope, ExpiresAt, Provider, Reference, Reason))
        );
    }

    /// <summary>A bonus that comes with something else: never lapses, pays debt first.</summary>
    internal static ImmutableArray<AccountEvent> Bonus(Wallet wallet, Amount amount, string provider, string reference) =>
        Granting(wallet, new(wallet.NextPocket, amount, PocketSource.Bonus, null, null, provider, reference, null));

    /// <summary>A grant, and the debt that it pays.</summary>
    internal static ImmutableArray<AccountEvent> Granting(Wallet wallet, CreditsGranted granted)
    {
        var debt = wallet.Debt(granted.Amount.Unit);
        return granted.Scope is null && debt.IsPositive
            ? [granted, new DebtRepaid(granted.Pocket, Amount.Min(debt, granted.Amount))]
            : [granted];
    }

    private bool SameContents(Fact first) =>
        first.Event is CreditsGranted e && e.Amount == Amount && e.Source == Source && e.Scope == Scope && e.ExpiresAt == ExpiresAt;
}
