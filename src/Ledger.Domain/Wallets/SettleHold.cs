using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>
/// Turns a hold into a spend at the actual cost, at the price it was placed under. What the hold does not cover is taken from what is
/// available, and what that does not cover is booked as debt, never dropped. A hold that has expired can be settled late, once.
/// </summary>
public sealed record SettleHold(AccountId Account, KeyId Key, HoldId Hold, Quantity Units)
    : AccountCommand(Account, EventIds.HoldEnd(Account, Hold))
{
    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls => [Id, EventIds.LateSettlement(Account, Hold), Hold.Value];

    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is HoldSettled or HoldSettledLate;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.RefusesWork(By ?? new Credential(Key), context.Now) is { } refusal)
            return Reject(refusal);

        // What a call comes to, only the gateway that carried it knows; its hold has no price per unit.
        if (Wallets.Hold.IsOfCall(account, Hold, context.Past))
            return Reject(RejectionCode.HoldNotFound);
        var late = context.Past.Find(EventIds.LateSettlement(Account, Hold));
        if (late?.Event is HoldSettledLate done)
            return done.Units == Units ? Repeat(late.Value) : Reject(RejectionCode.ReferenceConflict);

        var end = context.Past.Find(Id);
        if (end?.Event is HoldSettled settled)
            return settled.Units == Units ? Repeat(end.Value) : Reject(RejectionCode.ReferenceConflict);
        if (end?.Event is HoldReleased)
            return Reject(RejectionCode.HoldAlreadyReleased);

        if (account.Wallet.Holds.TryGetValue(Hold, out var open))
            return Charge.WholeCredits(Units, open.Price) is { } cost && account.Wallet.CanCount(cost)
                ? Accept(new Settlement(open, Units, cost, open.Entry).Of(account.Wallet, context.Now))
                : Reject(RejectionCode.AmountOutOfRange);

        // Neither open nor ended by anything but time: a late settlement, for which the fact that placed the hold is enough.
        if (context.Past.Find(Hold.Value) is not { Event: HoldPlaced placed } fact)
            return Reject(RejectionCode.HoldNotFound);
        var expired = Wallets.Hold.From(fact, placed);
        return Charge.WholeCredits(Units, expired.Price) is { } lateCost && account.Wallet.CanCount(lateCost)
            ? Accept(new Settlement(expired, Units, lateCost, expired.Entry).Late(account.Wallet, context.Now))
            : Reject(RejectionCode.AmountOutOfRange);
    }
}
