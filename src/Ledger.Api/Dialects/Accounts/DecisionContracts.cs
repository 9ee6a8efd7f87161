using System.Text.Json.Serialization;
using Ledger.Api.Http;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>An answer about the decisions of a request.</summary>
/// <param name="Data">The decisions.</param>
public sealed record DecisionsAnswer(DecisionsView Data);

/// <summary>What became of a request.</summary>
/// <param name="RequestId">The request.</param>
/// <param name="Decisions">Its decisions, in the order in which they were made.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last.</param>
public sealed record DecisionsView(string RequestId, IReadOnlyList<DecisionView> Decisions, string? Next);

/// <summary>One decision, and what led to it; every member is explained in <c>docs/reference/explain.md</c>.</summary>
/// <param name="Kind">What was asked: <c>spend</c>, <c>place_hold</c>, <c>settle_hold</c>, <c>release_hold</c>, <c>place_call_hold</c>, <c>settle_call</c>, …</param>
/// <param name="Verdict"><c>accepted</c> or <c>refused</c>.</param>
/// <param name="Code">Why it was refused; null where it was accepted.</param>
/// <param name="Summary">The decision in one sentence.</param>
/// <param name="At">The time by which it was decided.</param>
/// <param name="DecidedOn">The version of the account that it was decided on.</param>
/// <param name="Event">What was recorded; null where it was refused.</param>
/// <param name="KeyId">With which key; null for none.</param>
/// <param name="Asked">What was asked; null where that is not kept.</param>
/// <param name="Checks">What was looked at, in order.</param>
/// <param name="Price">What it cost and why; null where nothing priced it.</param>
/// <param name="Account">The account then.</param>
/// <param name="Limits">The limits that it counted against: the key's and its minters'.</param>
/// <param name="Quota">The subscription's quota then; null where there was no subscription.</param>
/// <param name="Funds">What there was to pay from; null where nothing was to be paid.</param>
/// <param name="Hold">The hold that it was about; null where it was about none.</param>
/// <param name="Shortfall">Which limit refused; null where none did.</param>
/// <param name="Rerun">What it comes to when it is made again.</param>
/// <param name="Today">What the same would come to today; null where that means nothing.</param>
/// <param name="Changes">Which of the account's rules have changed since.</param>
public sealed record DecisionView(
    string Kind,
    string Verdict,
    string? Code,
    string Summary,
    DateTimeOffset At,
    long DecidedOn,
    DecisionEvent? Event,
    string? KeyId,
    AskedView? Asked,
    IReadOnlyList<CheckView> Checks,
    PriceView? Price,
    StandingView Account,
    IReadOnlyList<LimitView> Limits,
    QuotaView? Quota,
    FundsView? Funds,
    HoldView? Hold,
    ShortfallView? Shortfall,
    RerunView Rerun,
    TodayView? Today,
    IReadOnlyList<ChangeView> Changes
);

/// <summary>What a decision was recorded as.</summary>
/// <param name="Id">The event: of a spend or settlement, its <c>spend_id</c>; of a hold that was placed, its <c>hold_id</c>.</param>
/// <param name="Version">Its place in the account's history.</param>
/// <param name="Position">Its place in the log.</param>
public sealed record DecisionEvent(Guid Id, long Version, long Position);

/// <summary>What was asked.</summary>
/// <param name="Tool">The tool, or a call's route.</param>
/// <param name="Units">How much of it.</param>
/// <param name="Reference">The caller's name for it.</param>
/// <param name="Model">The model as the caller named it.</param>
/// <param name="InputTokens">Input tokens as they were counted beforehand.</param>
/// <param name="MaxOutputTokens">The most output tokens per answer; null for the model's own most.</param>
/// <param name="Choices">How many answers.</param>
/// <param name="MayClamp">Whether fewer output tokens would have done.</param>
/// <param name="Tokens">What a call used in all.</param>
public sealed record AskedView(
    string? Tool,
    decimal? Units,
    string? Reference,
    string? Model,
    long? InputTokens,
    long? MaxOutputTokens,
    int? Choices,
    bool? MayClamp,
    long? Tokens
);

/// <summary>One thing that was looked at.</summary>
/// <param name="Check">Which.</param>
/// <param name="Passed">Whether it let the request pass; null where it was not reached.</param>
public sealed record CheckView(string Check, bool? Passed);

/// <summary>What something cost and why.</summary>
/// <param name="CardVersion">The rate card.</param>
/// <param name="EffectiveAt">From when it prices.</param>
/// <param name="Entry">Its entry.</param>
/// <param name="Rates">What the entry says: <c>per</c>, and a price for each class.</param>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Cost">What it came to: what was charged or set aside, or would have been.</param>
public sealed record PriceView(
    long CardVersion,
    DateTimeOffset EffectiveAt,
    string Entry,
    IReadOnlyDictionary<string, string> Rates,
    string? Unit,
    decimal? Cost
);

/// <summary>An account and a key as they stood.</summary>
/// <param name="Status"><c>open</c> or <c>suspended</c>.</param>
/// <param name="KeyStatus"><c>usable</c>, <c>disabled</c>, <c>expired</c> or <c>revoked</c>; null where there was no key.</param>
/// <param name="KeyKind"><c>inference</c> or <c>provisioning</c>; null where there was no key.</param>
/// <param name="AllowedModels">The models that the key may call; empty for all.</param>
public sealed record StandingView(string Status, string? KeyStatus, string? KeyKind, IReadOnlyList<string> AllowedModels);

/// <summary>A limit that a key's spending counts against.</summary>
/// <param name="KeyId">Whose limit it is.</param>
/// <param name="Name">That key's name then.</param>
/// <param name="Own">Whether it is the key's own, not that of a key which minted it.</param>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Limit">The most per period.</param>
/// <param name="Used">What the period had used or held.</param>
/// <param name="Remaining">What was left.</param>
/// <param name="Reset">The period: <c>none</c>, <c>daily</c>, <c>weekly</c> or <c>monthly</c>.</param>
public sealed record LimitView(
    string KeyId,
    string Name,
    bool Own,
    string Unit,
    decimal Limit,
    decimal Used,
    decimal Remaining,
    string Reset
);

/// <summary>A subscription's quota.</summary>
/// <param name="Tier">The level.</param>
/// <param name="Active">Whether it could be drawn on.</param>
/// <param name="Tokens">Tokens per 24 hours.</param>
/// <param name="Used">Used in the window.</param>
/// <param name="Held">Set aside in it.</param>
/// <param name="Left">What was left.</param>
/// <param name="ResetsAt">When the window ended.</param>
public sealed record QuotaView(string Tier, bool Active, long Tokens, long Used, long Held, long Left, DateTimeOffset ResetsAt);

/// <summary>What there was to pay from.</summary>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Scope">The provider/model whose packs pay; null where none do.</param>
/// <param name="Posted">What was in the pockets.</param>
/// <param name="Held">What of it was set aside.</param>
/// <param name="Debt">What was owed, which blocks the unit.</param>
/// <param name="Available">What could be spent.</param>
/// <param name="Pockets">The pockets, in the order in which they pay.</param>
public sealed record FundsView(
    string Unit,
    string? Scope,
    decimal Posted,
    decimal Held,
    decimal Debt,
    decimal Available,
    IReadOnlyList<PayingPocket> Pockets
);

/// <summary>A pocket that could pay.</summary>
/// <param name="PocketId">Its number.</param>
/// <param name="Source">Where its funds came from.</param>
/// <param name="Scope">The one provider/model that it is for; null for any.</param>
/// <param name="Remaining">What was in it.</param>
/// <param name="Held">What of that was set aside.</param>
/// <param name="ExpiresAt">When what is left lapses; null for never.</param>
/// <param name="Pays">What it paid or set aside; of a refusal, what it would have given.</param>
public sealed record PayingPocket(
    int PocketId,
    string Source,
    string? Scope,
    decimal Remaining,
    decimal Held,
    DateTimeOffset? ExpiresAt,
    decimal Pays
);

/// <summary>A hold.</summary>
/// <param name="HoldId">The hold.</param>
/// <param name="Held">How much was set aside.</param>
/// <param name="PlacedAt">When.</param>
/// <param name="ExpiresAt">When it lapses.</param>
/// <param name="CardVersion">The rate card at which it settles.</param>
/// <param name="Open">Whether it was still open.</param>
public sealed record HoldView(Guid HoldId, decimal Held, DateTimeOffset PlacedAt, DateTimeOffset ExpiresAt, long CardVersion, bool Open);

/// <summary>Which limit refused.</summary>
/// <param name="LimitSource"><c>balance</c>, <c>debt</c>, <c>pack</c>, <c>quota</c>, <c>key</c> or <c>minting_key</c>.</param>
/// <param name="Needed">What was needed.</param>
/// <param name="Available">What there was.</param>
/// <param name="Unit"><c>credits</c>, <c>usd</c> or <c>tokens</c>.</param>
/// <param name="AffordableMaxTokens">How many output tokens that would have done for; null where it would for none.</param>
public sealed record ShortfallView(string LimitSource, decimal Needed, decimal Available, string Unit, long? AffordableMaxTokens);

/// <summary>What a decision comes to when it is made again on the account and rate card of then.</summary>
/// <param name="Same">Whether it comes to the same; null where it cannot be made again.</param>
/// <param name="Verdict"><c>accepted</c> or <c>refused</c>; null where it cannot be made again.</param>
/// <param name="Code">Why it is refused.</param>
/// <param name="Cost">What is charged or set aside.</param>
/// <param name="Message">The same in a sentence.</param>
public sealed record RerunView(bool? Same, string? Verdict, string? Code, decimal? Cost, string Message);

/// <summary>What the same would come to today.</summary>
/// <param name="Verdict"><c>accepted</c> or <c>refused</c>.</param>
/// <param name="Code">Why it would be refused.</param>
/// <param name="Cost">What would be charged or set aside; null where it would be refused.</param>
/// <param name="CardVersion">The rate card in force.</param>
public sealed record TodayView(string Verdict, string? Code, decimal? Cost, long CardVersion);

/// <summary>A rule that has changed since.</summary>
/// <param name="What"><c>price</c>, <c>account_status</c>, <c>key_status</c>, <c>limit</c>, <c>limit_usd</c>, <c>limit_reset</c>, <c>allowed_models</c>, <c>rate_limit</c> or <c>tier</c>.</param>
/// <param name="KeyId">Of which key; null where of none.</param>
/// <param name="Then">What it was; null for none.</param>
/// <param name="Now">What it is; null for none.</param>
public sealed record ChangeView(string What, string? KeyId, string? Then, string? Now);

/// <summary>Writes them: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(DecisionsAnswer))]
internal sealed partial class DecisionJson : JsonSerializerContext;
