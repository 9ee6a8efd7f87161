namespace Ledger.Domain.Accounts;

/// <summary>What has happened to an account. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record AccountEvent
{
    private protected AccountEvent() { }
}

/// <summary>The account was opened.</summary>
/// <param name="Country">ISO 3166-1 alpha-2, where it is known.</param>
public sealed record AccountOpened(string? Country) : AccountEvent;

/// <summary>The account was suspended: it may do nothing until reinstated.</summary>
/// <param name="Reason">Why, in the operator's words.</param>
public sealed record AccountSuspended(string Reason) : AccountEvent;

/// <summary>A suspension ended.</summary>
/// <param name="Reason">Why, in the operator's words.</param>
public sealed record AccountReinstated(string Reason) : AccountEvent;
