using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;

namespace Ledger.Domain.Wallets;

/// <summary>What has happened to a wallet. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record WalletEvent : AccountEvent
{
    private protected WalletEvent() { }
}

/// <summary>What one pocket gave, holds or got back, in parts of the pocket's unit.</summary>
/// <param name="Pocket">The pocket.</param>
/// <param name="Parts">How many parts; positive.</param>
public readonly record struct PocketShare(PocketId Pocket, long Parts);

/// <summary>Funds were given and opened a pocket.</summary>
/// <param name="Pocket">The pocket that this opened.</param>
/// <param name="Amount">How much; positive.</param>
/// <param name="Source">Where the funds came from.</param>
/// <param name="Scope">The one provider/model they may be spent on; null for any.</param>
/// <param name="ExpiresAt">When what is left lapses; null for never.</param>
/// <param name="Provider">Who vouches for the payment, such as <c>operator</c>.</param>
/// <param name="Reference">The payment's id at that provider.</param>
/// <param name="Reason">Why, in the giver's words.</param>
public sealed record CreditsGranted(
    PocketId Pocket,
    Amount Amount,
    PocketSource Source,
    string? Scope,
    DateTimeOffset? ExpiresAt,
    string Provider,
    string Reference,
    string? Reason
) : WalletEvent;

/// <summary>Work was charged.</summary>
/// <param name="Key">Who asked.</param>
/// <param name="Tool">For what.</param>
/// <param name="Units">How much of it.</param>
/// <param name="Charged">What it cost.</param>
/// <param name="Card">The version of the rate card that priced it.</param>
/// <param name="Entry">The entry of that card.</param>
/// <param name="Reference">The caller's name for it; with the tool, unique in the account.</param>
/// <param name="Paid">Which pockets paid how much, in drain order.</param>
/// <param name="Metadata">The caller's own JSON, byte for byte; erasable.</param>
/// <param name="MetadataDigest">SHA-256 of <paramref name="Metadata"/> in lower-case hex; what the hash chain covers in its place.</param>
/// <param name="AudioDuration">Seconds of audio, where the caller said so.</param>
public sealed record CreditsSpent(
    KeyId Key,
    string Tool,
    Quantity Units,
    Amount Charged,
    long Card,
    string Entry,
    string Reference,
    ImmutableArray<PocketShare> Paid,
    string? Metadata = null,
    string? MetadataDigest = null,
    Quantity? AudioDuration = null
) : WalletEvent;

/// <summary>Funds were set aside for work whose cost is not known yet. The event's id is the hold's.</summary>
/// <param name="Key">Who asked.</param>
/// <param name="Tool">For what.</param>
/// <param name="Units">For how much of it at the most expected.</param>
/// <param name="Amount">How much was set aside.</param>
/// <param name="Price">Credits per unit at which it will settle.</param>
/// <param name="Card">The version of the rate card that priced it.</param>
/// <param name="Entry">The entry of that card.</param>
/// <param name="Reference">The caller's name for it; with the tool, unique in the account.</param>
/// <param name="Allocated">Which pockets hold how much, in drain order.</param>
/// <param name="ExpiresAt">When it lapses unless it ends before or is extended.</param>
/// <param name="Call">For what call it was; null where it was for a tool.</param>
public sealed record HoldPlaced(
    KeyId Key,
    string Tool,
    Quantity Units,
    Amount Amount,
    Quantity Price,
    long Card,
    string Entry,
    string Reference,
    ImmutableArray<PocketShare> Allocated,
    DateTimeOffset ExpiresAt,
    CallTerms? Call = null
) : WalletEvent;

/// <summary>A hold lasts longer, since the work that it is for still goes on.</summary>
/// <param name="Hold">The hold.</param>
/// <param name="ExpiresAt">When it lapses now unless it ends before or is extended again.</param>
public sealed record HoldExtended(HoldId Hold, DateTimeOffset ExpiresAt) : WalletEvent;

/// <summary>A hold became a spend; what it held beyond the cost went back.</summary>
/// <param name="Hold">The hold.</param>
/// <param name="Key">Who asked for it.</param>
/// <param name="Tool">For what.</param>
/// <param name="Units">How much of it was done.</param>
/// <param name="Charged">What it cost.</param>
/// <param name="Card">The version of the rate card of the hold.</param>
/// <param name="Entry">The entry of that card.</param>
/// <param name="Reference">The hold's reference.</param>
/// <param name="FromHold">What was paid out of the hold.</param>
/// <param name="FromAvailable">What was paid beyond the hold.</param>
/// <param name="Debt">What nothing covered.</param>
/// <param name="HeldAt">When the hold was placed: the window in which limits count it.</param>
/// <param name="Call">What the call came to; null where it was a tool.</param>
public sealed record HoldSettled(
    HoldId Hold,
    KeyId Key,
    string Tool,
    Quantity Units,
    Amount Charged,
    long Card,
    string Entry,
    string Reference,
    ImmutableArray<PocketShare> FromHold,
    ImmutableArray<PocketShare> FromAvailable,
    Amount? Debt,
    DateTimeOffset HeldAt,
    CallRecord? Call = null
) : WalletEvent;

/// <summary>A hold was given back unused.</summary>
/// <param name="Hold">The hold.</param>
public sealed record HoldReleased(HoldId Hold) : WalletEvent;

/// <summary>A hold lapsed. One late settlement may follow.</summary>
/// <param name="Hold">The hold.</param>
/// <param name="ExpiredAt">When it lapsed, which is earlier than when that was noticed.</param>
public sealed record HoldExpired(HoldId Hold, DateTimeOffset ExpiredAt) : WalletEvent;

/// <summary>An expired hold became a spend after all.</summary>
/// <param name="Hold">The hold.</param>
/// <param name="Key">Who asked for it.</param>
/// <param name="Tool">For what.</param>
/// <param name="Units">How much of it was done.</param>
/// <param name="Charged">What it cost.</param>
/// <param name="Card">The version of the rate card of the hold.</param>
/// <param name="Entry">The entry of that card.</param>
/// <param name="Reference">The hold's reference.</param>
/// <param name="Paid">What was paid out of available funds, in the order in force now.</param>
/// <param name="Debt">What nothing covered.</param>
/// <param name="HeldAt">When the hold was placed: the window in which limits count it.</param>
/// <param name="Call">What the call came to; null where it was a tool.</param>
public sealed record HoldSettledLate(
    HoldId Hold,
    KeyId Key,
    string Tool,
    Quantity Units,
    Amount Charged,
    long Card,
    string Entry,
    string Reference,
    ImmutableArray<PocketShare> Paid,
    Amount? Debt,
    DateTimeOffset HeldAt,
    CallRecord? Call = null
) : WalletEvent;

/// <summary>A spend was given back: a new fact, not a deletion.</summary>
/// <param name="Spend">The spend.</param>
/// <param name="Key">The key that had spent it.</param>
/// <param name="Tool">For what it was spent.</param>
/// <param name="Amount">What it had cost.</param>
/// <param name="SpentAt">When it was charged.</param>
/// <param name="Returned">Which pockets got how much back.</param>
/// <param name="DebtCleared">What of it came off the debt.</param>
/// <param name="Reason">Why.</param>
/// <param name="HeldAt">When its hold was placed: the window in which limits counted it; null where there was no hold, and <paramref name="SpentAt"/> is that window.</param>
/// <param name="Quota">What of the subscription's quota it had used; null where something else paid.</param>
/// <param name="Entry">The entry of the rate card that had priced it.</param>
/// <param name="Model">The provider/model that had served, where it was a call; null else.</param>
public sealed record SpendReversed(
    SpendId Spend,
    KeyId Key,
    string Tool,
    Amount Amount,
    DateTimeOffset SpentAt,
    ImmutableArray<PocketShare> Returned,
    Amount? DebtCleared,
    string Reason,
    DateTimeOffset? HeldAt = null,
    QuotaShare? Quota = null,
    string? Entry = null,
    string? Model = null
) : WalletEvent;

/// <summary>What was left in a pocket lapsed.</summary>
/// <param name="Pocket">The pocket.</param>
/// <param name="Amount">How much lapsed.</param>
/// <param name="ExpiredAt">When, which is earlier than when that was noticed.</param>
public sealed record PocketExpired(PocketId Pocket, Amount Amount, DateTimeOffset ExpiredAt) : WalletEvent;

/// <summary>Debt was paid from a pocket.</summary>
/// <param name="Pocket">The pocket that paid.</param>
/// <param name="Amount">How much.</param>
public sealed record DebtRepaid(PocketId Pocket, Amount Amount) : WalletEvent;

/// <summary>What a payment had granted was taken back, because its money was: the unspent part, and the rest as debt.</summary>
/// <param name="Order">The order whose payment it was.</param>
/// <param name="Dispute">The dispute that took it; null where it was a refund.</param>
/// <param name="Amount">How much, debt included.</param>
/// <param name="Taken">What was unspent, and from which pocket it was taken.</param>
/// <param name="Debt">What was spent or held already.</param>
/// <param name="Lapsed">What had lapsed already: nobody had it any more, so it is neither taken nor owed.</param>
public sealed record CreditsClawedBack(
    OrderId Order,
    string? Dispute,
    Amount Amount,
    ImmutableArray<PocketShare> Taken,
    Amount? Debt,
    Amount? Lapsed
) : WalletEvent;

/// <summary>What a dispute had taken was given back, because it was won.</summary>
/// <param name="Order">The order whose payment was disputed.</param>
/// <param name="Dispute">The dispute.</param>
/// <param name="Amount">How much, what came off the debt included.</param>
/// <param name="Returned">Which pockets got how much back.</param>
/// <param name="DebtCleared">What came off the debt.</param>
/// <param name="Lapsed">What had lapsed before it was disputed: nothing comes back for it.</param>
public sealed record ClawbackReturned(
    OrderId Order,
    string Dispute,
    Amount Amount,
    ImmutableArray<PocketShare> Returned,
    Amount? DebtCleared,
    Amount? Lapsed
) : WalletEvent;
