using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;

namespace Ledger.Projections.Usage;

/// <summary>One charge, or its reversal, as it stands in the log.</summary>
/// <param name="Fact">The fact.</param>
/// <param name="Tool">For what.</param>
/// <param name="Paid">Which pockets paid; for a reversal, which got something back.</param>
/// <param name="Debt">What nothing covered; for a reversal, what came off the debt. In parts.</param>
/// <param name="Unit">The unit.</param>
/// <param name="IsReversal">Whether it gives back.</param>
/// <param name="AudioDuration">Seconds of audio, where the caller said so.</param>
/// <param name="Metadata">The caller's own JSON; null where there is none.</param>
public sealed record SpendLine(
    Fact Fact,
    string Tool,
    IReadOnlyList<PocketShare> Paid,
    long Debt,
    Unit Unit,
    bool IsReversal,
    Quantity? AudioDuration,
    string? Metadata
);

/// <summary>Reads an account's charges back from the end of its stream, by key.</summary>
/// <param name="log">Reads streams.</param>
public sealed class SpendHistory(LogScan log)
{
    private static readonly string[] Types =
    [
        LedgerEvents.Types.NameOf<CreditsSpent>(),
        LedgerEvents.Types.NameOf<HoldSettled>(),
        LedgerEvents.Types.NameOf<HoldSettledLate>(),
        LedgerEvents.Types.NameOf<SpendReversed>(),
    ];

    /// <summary>The first version of an account's stream at a time or after; one more than the last where there is none.</summary>
    public Task<long> VersionAtAsync(AccountId account, DateTimeOffset at, CancellationToken ct) =>
        log.VersionAtAsync(account.StreamId, at, ct);

    /// <summary>Charges and reversals with versions below one and not below another, newest first.</summary>
    /// <param name="account">The account.</param>
    /// <param name="below">The version above the first.</param>
    /// <param name="from">The lowest version.</param>
    /// <param name="tool">Only those of a tool; null for all.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<SpendLine>> ReadBackAsync(
        AccountId account,
        long below,
        long from,
        string? tool,
        int limit,
        CancellationToken ct
    )
    {
        var found = await log.ReadBackAsync(account.StreamId, below, from, Types, tool is null ? null : "tool", tool, limit, ct);
        return [.. found.Select(stored => LineOf(LedgerEvents.ToFact(stored)))];
    }

    private static SpendLine LineOf(in Fact fact) =>
        fact.Event switch
        {
            CreditsSpent e => new(fact, e.Tool, e.Paid, 0, e.Charged.Unit, false, e.AudioDuration, e.Metadata),
            HoldSettled e => new(fact, e.Tool, [.. e.FromHold, .. e.FromAvailable], e.Debt?.Parts ?? 0, e.Charged.Unit, false, null, null),
            HoldSettledLate e => new(fact, e.Tool, e.Paid, e.Debt?.Parts ?? 0, e.Charged.Unit, false, null, null),
            SpendReversed e => new(fact, e.Tool, e.Returned, e.DebtCleared?.Parts ?? 0, e.Amount.Unit, true, null, null),
            _ => throw new InvalidDataException($"{fact.Event.GetType().Name} charges nothing."),
        };
}
