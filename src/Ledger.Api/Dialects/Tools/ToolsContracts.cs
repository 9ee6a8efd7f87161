using System.Text.Json;

namespace Ledger.Api.Dialects.Tools;

/// <summary>Asks what work would cost.</summary>
/// <param name="Tool">A tool or service of the live price table.</param>
/// <param name="Units">How much work; up to nine decimal places.</param>
public sealed record CheckRequest(string Tool, decimal Units);

/// <summary>What work would cost.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="Allowed">Whether a spend would be accepted now.</param>
/// <param name="CostTokens">What it would cost, in whole credits.</param>
/// <param name="BalanceAfter">What would be available after it; what is available now where it would be refused.</param>
public sealed record CheckResponse(bool Ok, bool Allowed, long CostTokens, long BalanceAfter);

/// <summary>Charges work that was done.</summary>
/// <param name="Tool">A tool or service of the live price table.</param>
/// <param name="Units">How much work; up to nine decimal places.</param>
/// <param name="Reference">The caller's name for it: with the tool, charged once. At most 200 characters.</param>
/// <param name="Metadata">The caller's own object, at most 4 KiB; comes back in the usage log.</param>
/// <param name="AudioDuration">Seconds of audio; comes back in the usage log.</param>
public sealed record SpendRequest(string Tool, decimal Units, string Reference, JsonElement? Metadata, decimal? AudioDuration);

/// <summary>What was charged.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="Charged">Whole credits.</param>
/// <param name="BalanceAfter">What was available after it, rounded down.</param>
public sealed record SpendResponse(bool Ok, long Charged, long BalanceAfter);

/// <summary>Many spends at once, each with its own verdict.</summary>
/// <param name="Items">At most 1,000.</param>
public sealed record SpendBatchRequest(IReadOnlyList<SpendRequest> Items);

/// <summary>The verdicts of many spends, in the order of the items.</summary>
/// <param name="Ok">Always true; each result says for itself.</param>
/// <param name="Results">One for each item.</param>
public sealed record SpendBatchResponse(bool Ok, IReadOnlyList<SpendBatchResult> Results);

/// <summary>One verdict of a batch.</summary>
/// <param name="Ok">Whether it was charged.</param>
/// <param name="Charged">Whole credits.</param>
/// <param name="BalanceAfter">What was available after it.</param>
/// <param name="SpendId">The spend.</param>
/// <param name="Replayed">Whether this is the answer of an earlier spend.</param>
/// <param name="Error">Why it was not charged.</param>
public sealed record SpendBatchResult(bool Ok, long? Charged, long? BalanceAfter, Guid? SpendId, bool? Replayed, string? Error);

/// <summary>Sets credits aside for work to come.</summary>
/// <param name="Tool">A tool or service of the live price table.</param>
/// <param name="Units">The most that is expected.</param>
/// <param name="Reference">The caller's name for it: shared with spends.</param>
/// <param name="TtlSeconds">When it lapses; 900 where it is left out, at most 86,400.</param>
public sealed record ReserveRequest(string Tool, decimal Units, string Reference, int? TtlSeconds);

/// <summary>What was set aside.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="HoldId">Names the hold to settle and release.</param>
/// <param name="Held">Whole credits.</param>
/// <param name="BalanceAfter">What was available after it.</param>
/// <param name="ExpiresAt">When it lapses.</param>
public sealed record ReserveResponse(bool Ok, Guid HoldId, long Held, long BalanceAfter, DateTimeOffset ExpiresAt);

/// <summary>Charges a hold at what was really done.</summary>
/// <param name="HoldId">The hold.</param>
/// <param name="Units">How much was done.</param>
public sealed record SettleRequest(Guid HoldId, decimal Units);

/// <summary>What a hold was charged.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="HoldId">The hold.</param>
/// <param name="Charged">Whole credits.</param>
/// <param name="BalanceAfter">What was available after it.</param>
public sealed record SettleResponse(bool Ok, Guid HoldId, long Charged, long BalanceAfter);

/// <summary>Gives a hold back.</summary>
/// <param name="HoldId">The hold.</param>
public sealed record ReleaseRequest(Guid HoldId);

/// <summary>A hold was given back.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="HoldId">The hold.</param>
/// <param name="BalanceAfter">What was available after it.</param>
public sealed record ReleaseResponse(bool Ok, Guid HoldId, long BalanceAfter);

/// <summary>The live price table.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="Version">The rate card in force.</param>
/// <param name="EffectiveAt">Since when.</param>
/// <param name="Prices">One for each tool and service.</param>
public sealed record PricesResponse(bool Ok, long Version, DateTimeOffset EffectiveAt, IReadOnlyList<ToolPrice> Prices);

/// <summary>One price.</summary>
/// <param name="Tool">What to name it in requests.</param>
/// <param name="Per">What one unit of it is.</param>
/// <param name="CostTokens">Credits per unit.</param>
public sealed record ToolPrice(string Tool, string Per, decimal CostTokens);

/// <summary>A refusal.</summary>
/// <param name="Ok">Always false.</param>
/// <param name="Error">A stable string.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="CostTokens">With 402: what it would have cost.</param>
/// <param name="Balance">With 402: what there was.</param>
/// <param name="LimitSource">With 402: <c>balance</c>, <c>debt</c> or <c>key</c>.</param>
/// <param name="Fields">With bad input: what is wrong, by member.</param>
public sealed record ToolsErrorResponse(
    bool Ok,
    string Error,
    string Message,
    long? CostTokens,
    long? Balance,
    string? LimitSource,
    IReadOnlyDictionary<string, string>? Fields
);
