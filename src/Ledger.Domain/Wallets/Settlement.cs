using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>
/// How a hold becomes a spend: from what it holds first, then from what is available, in the order then in force, and what that does not cover is
/// booked as debt, never dropped.
/// </summary>
/// <param name="Hold">The hold.</param>
/// <param name="Units">How much was done.</param>
/// <param name="Cost">What that costs.</param>
/// <param name="Entry">The entry of the hold's rate card that prices it.</param>
/// <param name="Call">What the call came to; null where it was a tool.</param>
internal readonly record struct Settlement(Hold Hold, Quantity Units, Amount Cost, string Entry, CallRecord? Call = null)
{
    /// <summary>Of an open hold.</summary>
    public ImmutableArray<AccountEvent> Of(Wallet wallet, DateTimeOffset now)
    {
        var fromHold = ImmutableArray.CreateBuilder<PocketShare>(Hold.Allocated.Length);
        var returned = ImmutableArray.CreateBuilder<PocketShare>();
        var rest = Cost.Parts;
        foreach (var share in Hold.Allocated)
        {
            var parts = Math.Min(rest, share.Parts);
            if (parts > 0)
                fromHold.Add(new(share.Pocket, parts));
            if (parts < share.Parts)
                returned.Add(new(share.Pocket, share.Parts - parts));
            rest -= parts;
        }

        var (fromAvailable, debt) = Cover(wallet, new(rest, Cost.Unit), now);
        var settled = new HoldSettled(
            Hold.Id,
            Hold.Key,
            Hold.Tool,
            Units,
            Cost,
            Hold.Card,
            Entry,
            Hold.Reference,
            fromHold.DrainToImmutable(),
            fromAvailable,
            debt,
            Hold.PlacedAt,
            Call
        );
        return [settled, .. wallet.AfterReturn(returned.DrainToImmutable(), 0, now)];
    }

    /// <summary>Of one that has expired.</summary>
    public AccountEvent Late(Wallet wallet, DateTimeOffset now)
    {
        var (paid, debt) = Cover(wallet, Cost, now);
        return new HoldSettledLate(
            Hold.Id,
            Hold.Key,
            Hold.Tool,
            Units,
            Cost,
            Hold.Card,
            Entry,
            Hold.Reference,
            paid,
            debt,
            Hold.PlacedAt,
            Call
        );
    }

    private (ImmutableArray<PocketShare> Paid, Amount? Debt) Cover(Wallet wallet, Amount amount, DateTimeOffset now)
    {
        var paid = wallet.Allocate(amount, now, Hold.Call?.Scope);
        var uncovered = amount.Parts - paid.Sum(share => share.Parts);
        return (paid, uncovered > 0 ? new Amount(uncovered, amount.Unit) : null);
    }
}
