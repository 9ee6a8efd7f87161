using System.Collections.Immutable;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Decisions;

/// <summary>What a decision came to.</summary>
/// <param name="Code">Why it was refused, in snake case; null where it was accepted.</param>
/// <param name="Cost">What was charged or set aside; null where nothing was.</param>
/// <param name="Card">The version of the rate card that priced it; 0 where none did.</param>
/// <param name="Entry">The entry of that card; null where none did.</param>
/// <param name="Paid">Which pockets paid, or hold, how much.</param>
/// <param name="Debt">What nothing covered.</param>
/// <param name="QuotaTokens">What of a subscription's quota was set aside or used; null where nothing was.</param>
/// <param name="Shortfall">Which limit refused; null where none did.</param>
internal sealed record DecisionResult(
    string? Code,
    Amount? Cost,
    long Card,
    string? Entry,
    ImmutableArray<PocketShare> Paid,
    Amount? Debt,
    long? QuotaTokens,
    Shortfall? Shortfall
)
{
    /// <summary>A refusal.</summary>
    public static DecisionResult Refused(string code, Shortfall? shortfall) => new(code, null, 0, null, [], null, null, shortfall);

    /// <summary>What an event of work says; null where it is none.</summary>
    public static DecisionResult? Of(AccountEvent @event) =>
        @event switch
        {
            CreditsSpent e => new(null, e.Charged, e.Card, e.Entry, e.Paid, null, null, null),
            HoldPlaced e => new(null, e.Amount, e.Card, e.Entry, e.Allocated, null, e.Call?.Quota?.Tokens, null),
            HoldSettled e => new(
                null,
                e.Charged,
                e.Card,
                e.Entry,
                [.. e.FromHold, .. e.FromAvailable],
                e.Debt,
                e.Call?.Quota?.Tokens,
                null
            ),
            HoldSettledLate e => new(null, e.Charged, e.Card, e.Entry, e.Paid, e.Debt, e.Call?.Quota?.Tokens, null),
            HoldReleased => new(null, null, 0, null, [], null, null, null),
            _ => null,
        };

    /// <summary>What a decision made in memory came to.</summary>
    public static DecisionResult Of(in Outcome outcome) =>
        outcome.Decision switch
        {
            Decision<AccountEvent>.Rejected refused => Refused(Application.LedgerMetrics.CodeName(refused.Code), refused.Shortfall),
            Decision<AccountEvent>.Accepted({ IsEmpty: false } events) when Of(events[0]) is { } accepted => accepted,
            _ => new(null, null, 0, null, [], null, null, null),
        };

    /// <summary>Whether two decisions came to the same.</summary>
    public bool IsSameAs(DecisionResult other) =>
        Code == other.Code
        && Cost == other.Cost
        && Card == other.Card
        && Entry == other.Entry
        && Debt == other.Debt
        && QuotaTokens == other.QuotaTokens
        && Shortfall == other.Shortfall
        && Paid.AsSpan().SequenceEqual(other.Paid.AsSpan());
}

/// <summary>One decision, and all that led to it.</summary>
/// <param name="Kind">What was asked: <c>spend</c>, <c>place_hold</c>, …</param>
/// <param name="At">The time by which it was decided.</param>
/// <param name="Version">The version of the account that it was decided on.</param>
/// <param name="Event">The event that it was recorded as, and where; null where it was refused.</param>
/// <param name="Key">With which key; the default value for none.</param>
/// <param name="Asked">What was asked; null where that is not kept.</param>
/// <param name="Account">The account as it was then, with what was due by then.</param>
/// <param name="Card">The rate card in force then; null where there was none.</param>
/// <param name="Hold">The hold that it was about, as it was then or as it was placed; null where it was about none.</param>
/// <param name="Recorded">What it came to.</param>
/// <param name="Again">What it comes to when it is made again; null where it cannot be.</param>
/// <param name="Why">Why it cannot be made again; null where it can.</param>
/// <param name="Today">What the same would come to today; null where that means nothing.</param>
internal sealed record Explained(
    string Kind,
    DateTimeOffset At,
    long Version,
    (Guid Id, long Version, long Position)? Event,
    KeyId Key,
    AskedWork? Asked,
    Account Account,
    RateCard? Card,
    Hold? Hold,
    DecisionResult Recorded,
    DecisionResult? Again,
    string? Why,
    DecisionResult? Today
)
{
    /// <summary>Whether made again it comes to something else: the program decides otherwise than it did then.</summary>
    public bool IsOtherwise => Again is { } again && !again.IsSameAs(Recorded);
}

/// <summary>What became of a request.</summary>
/// <param name="RequestId">The request.</param>
/// <param name="Decisions">Its decisions, in the order in which they were made.</param>
/// <param name="IsWhole">Whether there are no more of them.</param>
/// <param name="Now">The account as it is now, with what is due.</param>
/// <param name="Book">Every rate card.</param>
/// <param name="At">The time by which that is now.</param>
internal sealed record ExplainedRequest(
    string RequestId,
    IReadOnlyList<Explained> Decisions,
    bool IsWhole,
    Account Now,
    RateBook Book,
    DateTimeOffset At
);
