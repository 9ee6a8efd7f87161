using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>Sets funds aside for work that has not been done yet, once per tool and reference.</summary>
public sealed record PlaceHold(AccountId Account, KeyId Key, string Tool, Quantity Units, string Reference, TimeSpan Lifetime)
    : AccountCommand(Account, EventIds.Use(Account, Tool, Reference))
{
    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is HoldPlaced;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.RefusesWork(By ?? new Credential(Key), context.Now) is { } refusal)
            return Reject(refusal);
        if (context.Past.Find(Id) is { } first)
            return first.Event is HoldPlaced e && e.Units == Units ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);

        // The hold is open, but the fact that placed it was not at hand: refused, so that it is looked up and this is decided again.
        if (account.Wallet.Holds.ContainsKey(new(Id)))
            return Reject(RejectionCode.ReferenceConflict);

        var quote = Quote.For(account, Key, Tool, Units, context.Now, context.Card);
        if (quote.Refusal is { } code)
            return Reject(code, quote.Shortfall);

        return Accept(
            new HoldPlaced(
                Key,
                Tool,
                Units,
                quote.Cost,
                quote.Entry!.Credits,
                context.Card.Version,
                quote.Entry.Id,
                Reference,
                account.Wallet.Allocate(quote.Cost, context.Now),
                context.Now + Lifetime
            )
        );
    }
}
