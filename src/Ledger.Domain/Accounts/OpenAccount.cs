namespace Ledger.Domain.Accounts;

/// <summary>Opens an account, once; the same again is a repeat.</summary>
public sealed record OpenAccount(AccountId Account, string? Country) : AccountCommand(Account, EventIds.Opening(Account))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (context.Past.Find(Id) is { Event: AccountOpened opened } first && opened.Country == Country)
            return Repeat(first);

        return account.Status == AccountStatus.Missing ? Accept(new AccountOpened(Country)) : Reject(RejectionCode.AccountExists);
    }
}
