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
                ? Settle(account.Wallet, open, cost, context.Now)
                : Reject(RejectionCode.AmountOutOfRange);

        // Neither open nor ended by anything but time: a late settlement, for which the fact that placed the hold is enough.
        if (context.Past.Find(Hold.Value) is not { Event: HoldPlaced placed } fact)
            return Reject(RejectionCode.HoldNotFound);
        var expired = Wallets.Hold.From(fact, placed);
        return Charge.WholeCredits(Units, expired.Price) is { } lateCost && account.Wallet.CanCount(lateCost)
            ? SettleLate(account.Wallet, expired, lateCost, context.Now)
            : Reject(RejectionCode.AmountOutOfRange);
    }

    private Decision<AccountEvent> Settle(Wallet wallet, Hold hold, Amount cost, DateTimeOffset now)
    {
        var fromHold = ImmutableArray.CreateBuilder<PocketShare>(hold.Allocated.Length);
        var returned = ImmutableArray.CreateBuilder<PocketShare>();
        var rest = cost.Parts;
        foreach (var share in hold.Allocated)
        {
            var parts = Math.Min(rest, share.Parts);
            if (parts > 0)
                fromHold.Add(new(share.Pocket, parts));
            if (parts < share.Parts)
                returned.Add(new(share.Pocket, share.Parts - parts));
            rest -= parts;
        }

        var (fromAvailable, debt) = Cover(wallet, new(rest, cost.Unit), now);
        var settled = new HoldSettled(
            Hold,
            hold.Key,
            hold.Tool,
            Units,
            cost,
            hold.Card,
            hold.Entry,
            hold.Reference,
            fromHold.DrainToImmutable(),
            fromAvailable,
            debt,
            hold.PlacedAt
        );
        return Accept([settled, .. wallet.AfterReturn(returned.DrainToImmutable(), 0, now)]);
    }

    private Decision<AccountEvent> SettleLate(Wallet wallet, Hold hold, Amount cost, DateTimeOffset now)
    {
        var (paid, debt) = Cover(wallet, cost, now);
        return Accept(
            new HoldSettledLate(Hold, hold.Key, hold.Tool, Units, cost, hold.Card, hold.Entry, hold.Reference, paid, debt, hold.PlacedAt)
        );
    }

    private static (ImmutableArray<PocketShare> Paid, Amount? Debt) Cover(Wallet wallet, Amount amount, DateTimeOffset now)
    {
        var paid = wallet.Allocate(amount, now);
        var uncovered = amount.Parts - paid.Sum(share => share.Parts);
        return (paid, uncovered > 0 ? new Amount(uncovered, amount.Unit) : null);
    }
}
