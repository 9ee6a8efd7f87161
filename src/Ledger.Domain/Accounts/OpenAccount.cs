namespace Ledger.Domain.Accounts;

/// <summary>Opens an account.</summary>
public sealed record OpenAccount(AccountId Account, string? Country) : AccountCommand(Account, EventIds.Opening(Account))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        return account.Status == AccountStatus.Missing ? Accept(new AccountOpened(Country)) : Reject(RejectionCode.AccountExists);
    }
}
