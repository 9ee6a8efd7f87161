using System.Collections.Immutable;
using Ledger.Domain.Keys;

namespace Ledger.Domain.Accounts;

/// <summary>A request to change an account.</summary>
/// <param name="Account">Whose stream decides.</param>
/// <param name="Id">The id of the command, which is that of the event that answers it wherever the event has no narrower identity.</param>
public abstract record AccountCommand(AccountId Account, Guid Id)
{
    /// <summary>By what right it comes, which the account's own state judges with it; null where it comes from the operator or the server itself.</summary>
    public Credential? By { get; init; }

    /// <summary>What whoever comes by right of a key needs the key to be for; null where the command itself judges, or any key will do.</summary>
    public virtual KeyKind? NeedsKey => null;

    /// <summary>The ids under which earlier facts decide this command; looked up in the log before it is refused.</summary>
    public virtual ImmutableArray<Guid> Recalls => [Id];

    /// <summary>
    /// Whether an event under one of its ids, recorded by the same request, is what this command did: one request may bring two commands of one
    /// identity and other contents, of which one was refused.
    /// </summary>
    public virtual bool DidRecord(AccountEvent @event) => true;

    /// <summary>Decides on the state as it is at <paramref name="context"/>'s time, everything due by then having lapsed.</summary>
    public abstract Decision<AccountEvent> Decide(Account account, in DecisionContext context);

    /// <summary>Accepts with events.</summary>
    private protected static Decision<AccountEvent> Accept(params ImmutableArray<AccountEvent> events) =>
        new Decision<AccountEvent>.Accepted(events);

    /// <summary>Refuses for one reason.</summary>
    private protected static Decision<AccountEvent> Reject(RejectionCode code, Shortfall? shortfall = null) =>
        new Decision<AccountEvent>.Rejected(code, shortfall);

    /// <summary>Points at the fact that did this before.</summary>
    private protected static Decision<AccountEvent> Repeat(Fact first) => new Decision<AccountEvent>.Repeated(first);
}
