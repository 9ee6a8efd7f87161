namespace Ledger.Domain.Accounts;

/// <summary>Ends one sign-in; already so where it was ended before, or has expired.</summary>
public sealed record SignOut(AccountId Account, Guid SignIn, DateTimeOffset SignedInAt, DateTimeOffset ExpiresAt)
    : AccountCommand(Account, EventIds.SignOut(Account, SignIn))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);

        return ExpiresAt <= context.Now || account.SignIns.HasEnded(SignIn, SignedInAt)
            ? Accept()
            : Accept(new SignedOut(SignIn, ExpiresAt));
    }
}

/// <summary>Ends every sign-in up to now, as a new password does.</summary>
public sealed record EndSignIns(AccountId Account, Guid Id, string Reason) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return first.Event is SignInsEnded ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);

        return Accept(new SignInsEnded(Reason));
    }
}
