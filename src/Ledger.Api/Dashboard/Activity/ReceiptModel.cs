using Ledger.Domain.Money;

namespace Ledger.Api.Dashboard.Activity;

/// <summary>A charge with everything that it follows from, as its receipt says it.</summary>
/// <param name="Spend">The spend.</param>
/// <param name="IsPending">Whether no checkpoint covers it yet.</param>
/// <param name="At">When.</param>
/// <param name="What">For what.</param>
/// <param name="Reference">The caller's name for it.</param>
/// <param name="Units">How much was done.</param>
/// <param name="Charged">What was charged.</param>
/// <param name="Debt">What of that nothing covered.</param>
/// <param name="Key">The key's name, or who else.</param>
/// <param name="Price">At what price.</param>
/// <param name="Paid">What paid it.</param>
/// <param name="Hold">What was held for it before; null where nothing was.</param>
/// <param name="Call">The call to a model; null for tools.</param>
/// <param name="Reversal">What was given back; null where nothing was.</param>
/// <param name="Event">Its place in the log.</param>
/// <param name="Proof">That it stands there; null while it is pending.</param>
/// <param name="Evidence">The other events that it follows from.</param>
/// <param name="Verdict">What checking the receipt says, line by line.</param>
/// <param name="IsGood">Whether that is good.</param>
public sealed record ReceiptModel(
    Guid Spend,
    bool IsPending,
    DateTimeOffset At,
    string What,
    string Reference,
    string Units,
    Amount Charged,
    Amount Debt,
    string Key,
    ReceiptPrice Price,
    IReadOnlyList<ReceiptShare> Paid,
    ReceiptHold? Hold,
    ReceiptCall? Call,
    ReceiptReversal? Reversal,
    ReceiptPlace Event,
    ReceiptInclusion? Proof,
    IReadOnlyList<ReceiptPlace> Evidence,
    IReadOnlyList<string> Verdict,
    bool IsGood
);

/// <summary>A price.</summary>
/// <param name="Card">The version of the price list.</param>
/// <param name="Entry">The entry.</param>
/// <param name="EffectiveAt">Since when it is in effect.</param>
/// <param name="Rates">What it says, by name.</param>
public sealed record ReceiptPrice(string Card, string Entry, DateTimeOffset EffectiveAt, IReadOnlyList<(string Name, string Value)> Rates);

/// <summary>What one pocket paid, and where that came from.</summary>
/// <param name="Amount">How much.</param>
/// <param name="Pocket">The pocket's number.</param>
/// <param name="Source">What kind of pocket it is.</param>
/// <param name="Scope">The one model that it is for; null for any.</param>
/// <param name="GrantedAt">When it was opened.</param>
/// <param name="Granted">With how much.</param>
/// <param name="By">Who vouched for that.</param>
/// <param name="Reason">Why; null where nobody said.</param>
/// <param name="Order">What was bought; null where nothing was.</param>
public sealed record ReceiptShare(
    Amount Amount,
    string Pocket,
    string Source,
    string? Scope,
    DateTimeOffset GrantedAt,
    Amount Granted,
    string By,
    string? Reason,
    ReceiptOrder? Order
);

/// <summary>A purchase.</summary>
/// <param name="Id">The order.</param>
/// <param name="Paid">What was paid.</param>
/// <param name="PaidAt">When.</param>
/// <param name="Provider">Through whom.</param>
/// <param name="Payment">Their name for it.</param>
public sealed record ReceiptOrder(string Id, Amount Paid, DateTimeOffset PaidAt, string Provider, string Payment);

/// <summary>A hold.</summary>
/// <param name="At">When it was placed.</param>
/// <param name="Amount">How much it set aside.</param>
public sealed record ReceiptHold(DateTimeOffset At, Amount Amount);

/// <summary>A call to a model.</summary>
/// <param name="Model">The provider/model that served.</param>
/// <param name="Asked">What the caller had asked for; null where that is not known.</param>
/// <param name="Tokens">Its tokens, by class.</param>
/// <param name="IsEstimated">Whether they were counted here because the provider did not tell.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="LatencyMs">How long it took.</param>
/// <param name="QuotaTokens">What of its tokens a subscription paid; null where none did.</param>
public sealed record ReceiptCall(
    string Model,
    string? Asked,
    IReadOnlyList<(string Name, long Count)> Tokens,
    bool IsEstimated,
    string Outcome,
    long LatencyMs,
    long? QuotaTokens
);

/// <summary>A reversal.</summary>
/// <param name="At">When.</param>
/// <param name="Amount">How much.</param>
/// <param name="Reason">Why; null where nobody said.</param>
public sealed record ReceiptReversal(DateTimeOffset At, Amount Amount, string? Reason);

/// <summary>An event's place in the log.</summary>
/// <param name="Role">What it is for.</param>
/// <param name="Type">What kind of event it is.</param>
/// <param name="Position">Its position.</param>
/// <param name="At">When.</param>
/// <param name="Hash">Its hash, base64.</param>
/// <param name="Checkpoint">The checkpoint that covers it; null where none does yet.</param>
public sealed record ReceiptPlace(string Role, string Type, long Position, DateTimeOffset At, string Hash, long? Checkpoint);

/// <summary>That an event is among those of a checkpoint.</summary>
/// <param name="Checkpoint">The checkpoint's number.</param>
/// <param name="At">When it was made.</param>
/// <param name="Root">Its root, base64.</param>
/// <param name="Key">The key that signs it.</param>
/// <param name="Index">The event's place among its events, from 0.</param>
/// <param name="Count">How many events it covers.</param>
/// <param name="Path">The way from the event's leaf to the root, from the bottom, base64.</param>
public sealed record ReceiptInclusion(
    long Checkpoint,
    DateTimeOffset At,
    string Root,
    string Key,
    long Index,
    long Count,
    IReadOnlyList<string> Path
);
