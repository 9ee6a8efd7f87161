using System.Text.Json.Serialization;
using Ledger.Api.Http;

namespace Ledger.Api.Finance;

/// <summary>A page of an account's journal.</summary>
/// <param name="Data">Oldest first.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last. A page may be short, or empty, and still have a next one.</param>
public sealed record JournalList(IReadOnlyList<JournalEntryView> Data, string? Next);

/// <summary>What one event moved.</summary>
/// <param name="Version">The event's place in the account's stream.</param>
/// <param name="At">When it was recorded.</param>
/// <param name="BookedAt">When it counts: earlier only for what lapsed unnoticed.</param>
/// <param name="Event">What happened, such as <c>credits_spent</c>.</param>
/// <param name="EventId">The event's id.</param>
/// <param name="RequestId">The request that did it, as its <c>x-request-id</c> said.</param>
/// <param name="Postings">Zero in sum for each unit.</param>
/// <param name="QuotaTokens">A memo: how many tokens of the subscription's quota it used; null where none.</param>
public sealed record JournalEntryView(
    long Version,
    DateTimeOffset At,
    DateTimeOffset BookedAt,
    string Event,
    Guid EventId,
    string? RequestId,
    IReadOnlyList<PostingView> Postings,
    long? QuotaTokens
);

/// <summary>One side of an entry.</summary>
/// <param name="Account">The account of the books, such as <c>liability:payg</c>.</param>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Debit">How much, where it is a debit; else 0.</param>
/// <param name="Credit">How much, where it is a credit; else 0.</param>
/// <param name="UsdValue">What somebody paid for it, in dollars.</param>
public sealed record PostingView(string Account, string Unit, decimal Debit, decimal Credit, decimal UsdValue);

/// <summary>The periods that there are statements of.</summary>
/// <param name="Data">The newest first.</param>
/// <param name="Next">Always null: they are all here.</param>
public sealed record StatementList(IReadOnlyList<StatementPeriod> Data, string? Next);

/// <summary>One of them.</summary>
/// <param name="Period">A month, such as <c>2026-11</c>.</param>
/// <param name="From">Its first day.</param>
/// <param name="To">Its last day.</param>
/// <param name="Final">Whether nothing can change in it any more.</param>
public sealed record StatementPeriod(string Period, DateOnly From, DateOnly To, bool Final);

/// <summary>An answer about a statement.</summary>
/// <param name="Data">The statement.</param>
public sealed record StatementAnswer(StatementView Data);

/// <summary>A statement: opening and lines add up to closing, for every unit and source.</summary>
/// <param name="AccountId">Whose.</param>
/// <param name="Period">The month.</param>
/// <param name="From">Its first day.</param>
/// <param name="To">Its last day.</param>
/// <param name="At">The moment that it closes at: the period's last, or now where that is not over.</param>
/// <param name="Version">The last of the account's events that it counts.</param>
/// <param name="Final">Whether nothing can change in it any more.</param>
/// <param name="Opening">What there was: what the period before closed with.</param>
/// <param name="Lines">What happened to it.</param>
/// <param name="Payments">Which money changed hands.</param>
/// <param name="Closing">What there is.</param>
public sealed record StatementView(
    string AccountId,
    string Period,
    DateOnly From,
    DateOnly To,
    DateTimeOffset At,
    long Version,
    bool Final,
    IReadOnlyList<PositionView> Opening,
    IReadOnlyList<StatementLineView> Lines,
    IReadOnlyList<PaymentLineView> Payments,
    IReadOnlyList<PositionView> Closing
);

/// <summary>What there is of one source.</summary>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Source"><c>subscription</c>, <c>bonus</c>, <c>payg</c>, <c>prepaid</c>, <c>pack</c> or <c>debt</c>, which is negative.</param>
/// <param name="Amount">How much.</param>
/// <param name="UsdValue">What of it somebody paid, in dollars.</param>
public sealed record PositionView(string Unit, string Source, decimal Amount, decimal UsdValue);

/// <summary>What happened to the funds of one source.</summary>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Source">The source, or <c>debt</c>.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Item">The tool or provider/model, or who gave it; null elsewhere.</param>
/// <param name="Amount">How much: positive for what came in.</param>
/// <param name="UsdValue">What of it somebody paid, in dollars.</param>
public sealed record StatementLineView(string Unit, string Source, string Kind, string? Item, decimal Amount, decimal UsdValue);

/// <summary>Money that changed hands.</summary>
/// <param name="Provider">The payment provider.</param>
/// <param name="Kind"><c>paid</c>, <c>refunded</c>, <c>disputed</c> or <c>dispute_won</c>.</param>
/// <param name="Item">The tier, where it is a subscription without credits; null elsewhere.</param>
/// <param name="AmountUsd">How much: positive for what was paid in.</param>
public sealed record PaymentLineView(string Provider, string Kind, string? Item, decimal AmountUsd);

/// <summary>Up to where the log is in the books of all accounts.</summary>
/// <param name="Position">The last position; 0 where nothing is.</param>
/// <param name="At">When that event was recorded; null where nothing is.</param>
public sealed record UpToView(long Position, DateTimeOffset? At);

/// <summary>A trial balance.</summary>
/// <param name="At">The last day that it counts, by the days on which things are booked; null where a time or a position was asked for.</param>
/// <param name="AsOf">The time up to which it counts what was recorded; null where none was asked for.</param>
/// <param name="Position">The position of the log up to which it counts; null where none was asked for.</param>
/// <param name="UpTo">Up to where the log is in it.</param>
/// <param name="Data">The accounts of the books.</param>
/// <param name="Totals">Their sums by unit; the balance is zero, always.</param>
public sealed record TrialBalanceView(
    DateOnly? At,
    DateTimeOffset? AsOf,
    long? Position,
    UpToView UpTo,
    IReadOnlyList<TrialBalanceLine> Data,
    IReadOnlyList<TrialBalanceTotal> Totals
);

/// <summary>One account of the books in one unit.</summary>
/// <param name="Account">The account.</param>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Debit">All debits.</param>
/// <param name="Credit">All credits.</param>
/// <param name="Balance">Debits less credits.</param>
/// <param name="UsdValue">What of that somebody paid, in dollars.</param>
public sealed record TrialBalanceLine(string Account, string Unit, decimal Debit, decimal Credit, decimal Balance, decimal UsdValue);

/// <summary>All accounts of the books in one unit.</summary>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Debit">All debits.</param>
/// <param name="Credit">All credits.</param>
/// <param name="Balance">Debits less credits: zero.</param>
public sealed record TrialBalanceTotal(string Unit, decimal Debit, decimal Credit, decimal Balance);

/// <summary>What is still to be earned, and how it came to that.</summary>
/// <param name="From">The first day.</param>
/// <param name="To">The last day.</param>
/// <param name="Group"><c>day</c> or <c>month</c>.</param>
/// <param name="UpTo">Up to where the log is in it.</param>
/// <param name="Data">By day or month, unit and source.</param>
public sealed record DeferredRevenueView(DateOnly From, DateOnly To, string Group, UpToView UpTo, IReadOnlyList<DeferredRevenueLine> Data);

/// <summary>One source in one day or month: opening and what happened add up to closing.</summary>
/// <param name="Date">The day, or the first one of the month that is asked for.</param>
/// <param name="Source">The source of the funds.</param>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Opening">What accounts had.</param>
/// <param name="Sold">What was sold to them.</param>
/// <param name="Given">What was given to them.</param>
/// <param name="Spent">What they spent, less what was given back; negative.</param>
/// <param name="Expired">What lapsed; negative.</param>
/// <param name="TakenBack">What refunds and disputes took, less what won disputes gave back; negative.</param>
/// <param name="DebtRepaid">What paid debt; negative.</param>
/// <param name="Closing">What accounts have.</param>
/// <param name="OpeningUsd">What was paid for the opening, and not earned yet, in dollars.</param>
/// <param name="SoldUsd">What was paid for what was sold.</param>
/// <param name="EarnedUsd">What of it was earned by spending, debt that was paid included.</param>
/// <param name="ExpiredUsd">What of it was earned since it lapsed.</param>
/// <param name="TakenBackUsd">What of it went back; positive.</param>
/// <param name="ClosingUsd">What is deferred then.</param>
public sealed record DeferredRevenueLine(
    DateOnly Date,
    string Source,
    string Unit,
    decimal Opening,
    decimal Sold,
    decimal Given,
    decimal Spent,
    decimal Expired,
    decimal TakenBack,
    decimal DebtRepaid,
    decimal Closing,
    decimal OpeningUsd,
    decimal SoldUsd,
    decimal EarnedUsd,
    decimal ExpiredUsd,
    decimal TakenBackUsd,
    decimal ClosingUsd
);

/// <summary>What lapsed unspent.</summary>
/// <param name="From">The first day.</param>
/// <param name="To">The last day.</param>
/// <param name="Group"><c>day</c> or <c>month</c>.</param>
/// <param name="UpTo">Up to where the log is in it.</param>
/// <param name="Data">By day or month, unit and source; only where something lapsed.</param>
public sealed record BreakageView(DateOnly From, DateOnly To, string Group, UpToView UpTo, IReadOnlyList<BreakageLine> Data);

/// <summary>One source in one day or month.</summary>
/// <param name="Date">The day, or the first one of the month that is asked for.</param>
/// <param name="Source">The source of the funds.</param>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Expired">What lapsed.</param>
/// <param name="TakenBack">What of what had lapsed was taken back since its money was, less what won disputes gave back.</param>
/// <param name="Amount">The one less the other.</param>
/// <param name="UsdValue">What of that somebody paid, in dollars.</param>
public sealed record BreakageLine(
    DateOnly Date,
    string Source,
    string Unit,
    decimal Expired,
    decimal TakenBack,
    decimal Amount,
    decimal UsdValue
);

/// <summary>Writes the answers: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(JournalList))]
[JsonSerializable(typeof(StatementList))]
[JsonSerializable(typeof(StatementAnswer))]
[JsonSerializable(typeof(TrialBalanceView))]
[JsonSerializable(typeof(DeferredRevenueView))]
[JsonSerializable(typeof(BreakageView))]
internal sealed partial class FinanceJson : JsonSerializerContext;
