using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>Funds set aside, not yet ended.</summary>
/// <param name="Id">The id of the event that placed it.</param>
/// <param name="Key">Who asked.</param>
/// <param name="Tool">For what.</param>
/// <param name="Units">For how much of it.</param>
/// <param name="Amount">How much is set aside.</param>
/// <param name="Price">Credits per unit at which it settles.</param>
/// <param name="Card">The version of the rate card that priced it.</param>
/// <param name="Entry">The entry of that card.</param>
/// <param name="Reference">The caller's name for it.</param>
/// <param name="Allocated">Which pockets hold how much, in drain order.</param>
/// <param name="PlacedAt">When it was placed: the window in which limits count it.</param>
/// <param name="ExpiresAt">When it lapses.</param>
/// <param name="Call">For what call it is; null where it is for a tool.</param>
public sealed record Hold(
    HoldId Id,
    KeyId Key,
    string Tool,
    Quantity Units,
    Amount Amount,
    Quantity Price,
    long Card,
    string Entry,
    string Reference,
    ImmutableArray<PocketShare> Allocated,
    DateTimeOffset PlacedAt,
    DateTimeOffset ExpiresAt,
    CallTerms? Call = null
)
{
    /// <summary>The hold that a fact placed.</summary>
    public static Hold From(in Fact fact, HoldPlaced placed)
    {
        ArgumentNullException.ThrowIfNull(placed);
        return new(
            new(fact.Id),
            placed.Key,
            placed.Tool,
            placed.Units,
            placed.Amount,
            placed.Price,
            placed.Card,
            placed.Entry,
            placed.Reference,
            placed.Allocated,
            fact.At,
            placed.ExpiresAt,
            placed.Call
        );
    }

    /// <summary>Whether a hold is, or was, for a call, by what is at hand of it: itself, the fact that placed it, or the one that settled it.</summary>
    internal static bool IsOfCall(Account account, HoldId hold, Past past) =>
        account.Wallet.Holds.GetValueOrDefault(hold)?.Call is not null
        || past.Find(hold.Value)?.Event is HoldPlaced { Call: not null }
        || past.Find(EventIds.HoldEnd(account.Id, hold))?.Event is HoldSettled { Call: not null }
        || past.Find(EventIds.LateSettlement(account.Id, hold))?.Event is HoldSettledLate { Call: not null };
}
