namespace Ledger.Domain.Accounts;

/// <summary>Suspends an account; already so where it is suspended.</summary>
public sealed record SuspendAccount(AccountId Account, Guid Id, string Reason) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (context.Past.Find(Id) is { } first)
            return first.Event is AccountSuspended ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);

        return account.Status switch
        {
            AccountStatus.Missing => Reject(RejectionCode.AccountNotFound),
            AccountStatus.Suspended => Accept(),
            AccountStatus.Open => Accept(new AccountSuspended(Reason)),
        };
    }
}

/// <summary>Ends a suspension; already so where the account is open.</summary>
public sealed record ReinstateAccount(AccountId Account, Guid Id, string Reason) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (context.Past.Find(Id) is { } first)
            return first.Event is AccountReinstated ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);

        return account.Status switch
        {
            AccountStatus.Missing => Reject(RejectionCode.AccountNotFound),
            AccountStatus.Open => Accept(),
            AccountStatus.Suspended => Accept(new AccountReinstated(Reason)),
        };
    }
}

/// <summary>Records what is due by now, such as expired holds and pockets; what a sweep sends to idle accounts.</summary>
public sealed record RecordDue(AccountId Account, Guid Id) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context) => Accept();
}
