using System.Runtime.CompilerServices;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Npgsql;
using NpgsqlTypes;

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

/// <summary>Which charges are wanted. What the hours' sums know of narrows what is read; only <see cref="Tool"/> is exact.</summary>
/// <param name="Tool">Only those of a tool; null for all.</param>
/// <param name="Model">In hours with charges for a provider/model, empty for tools; null for all.</param>
/// <param name="Key">In hours with charges by a key; null for all.</param>
/// <param name="IsOfCredits">In hours with charges in credits, from packs or not.</param>
public readonly record struct SpendFilter(string? Tool = null, string? Model = null, string? Key = null, bool IsOfCredits = false);

/// <summary>
/// Reads an account's charges back from the end of its stream, by key: of the hours whose sums say that there are such charges, and of no others. An account with
/// millions of calls in dollars answers for its ten charges in credits as fast as one that has only these.
/// </summary>
/// <param name="log">Reads streams.</param>
/// <param name="database">Where the hours' sums are.</param>
public sealed class SpendHistory(LogScan log, NpgsqlDataSource database)
{
    private const int Chunk = 500;
    private const int Hours = 500;
    private const int MostAtATime = 20_000;

    // A charge of nothing is in credits too where a pack or a tool has a price of nothing; dollars and quotas show in the sums.
    private const string HoursSql = """
        select distinct u.hour
        from usage_hourly u
        where u.account_id = $1
          and u.hour < $2
          and ($3 is null or u.tool = $3)
          and ($4 is null or u.model = $4)
          and ($5 is null or u.key_id = $5)
          and (
            not $6
            or u.model = ''
            or u.credits <> 0
            or u.pack_credits <> 0
            or u.pack_credits_reversed <> 0
            or (u.usd = 0 and u.usd_reversed = 0 and u.quota_tokens = 0)
          )
        order by u.hour desc
        limit $7
        """;

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

    /// <summary>
    /// Charges and reversals with versions below one and not below another, newest first: all that a filter wants, and others of the same hours. They are read as they
    /// are asked for.
    /// </summary>
    /// <param name="account">The account.</param>
    /// <param name="below">The version above the first.</param>
    /// <param name="from">The lowest version.</param>
    /// <param name="filter">Which are wanted.</param>
    /// <param name="ct">Gives up.</param>
    public async IAsyncEnumerable<SpendLine> ReadBackAsync(
        AccountId account,
        long below,
        long from,
        SpendFilter filter,
        [EnumeratorCancellation] CancellationToken ct
    )
    {
        var stream = account.StreamId;
        var before = await log.TimeOfAsync(stream, below - 1, ct) is { } last ? HourOf(last).AddHours(1) : DateTimeOffset.MaxValue;
        while (true)
        {
            var hours = await HoursAsync(account, before, filter, ct);
            foreach (var (start, end) in RunsOf(hours))
            {
                below = Math.Min(below, await log.VersionAtAsync(stream, end, ct));
                if (below <= from)
                    yield break;
                var lowest = Math.Max(from, await log.VersionAtAsync(stream, start, ct));
                while (below > lowest)
                {
                    // In steps, so that no statement goes over more of an hour than it has time for, however few of its charges are wanted.
                    var floor = Math.Max(lowest, below - MostAtATime);
                    var page = await log.ReadBackAsync(
                        stream,
                        below,
                        floor,
                        Types,
                        filter.Tool is null ? null : "tool",
                        filter.Tool,
                        filter.IsOfCredits ? "usd" : null,
                        Chunk,
                        ct
                    );
                    foreach (var stored in page)
                        yield return LineOf(LedgerEvents.ToFact(stored));
                    below = page.Count < Chunk ? floor : page[^1].Version;
                }
            }

            if (hours.Count < Hours)
                yield break;
            before = hours[^1];
        }
    }

    private static DateTimeOffset HourOf(DateTimeOffset at) => new(at.UtcTicks - (at.UtcTicks % TimeSpan.TicksPerHour), TimeSpan.Zero);

    private async Task<List<DateTimeOffset>> HoursAsync(AccountId account, DateTimeOffset before, SpendFilter filter, CancellationToken ct)
    {
        await using var command = database.CreateCommand(HoursSql);
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = before });
        foreach (var text in (string?[])[filter.Tool, filter.Model, filter.Key])
            command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = text, NpgsqlDbType = NpgsqlDbType.Varchar });
        command.Parameters.Add(new() { Value = filter.IsOfCredits });
        command.Parameters.Add(new() { Value = Hours });
        var hours = new List<DateTimeOffset>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            hours.Add(rows.GetFieldValue<DateTimeOffset>(0));
        return hours;
    }

    /// <summary>Hours that follow each other are read as one.</summary>
    private static IEnumerable<(DateTimeOffset Start, DateTimeOffset End)> RunsOf(List<DateTimeOffset> hours)
    {
        for (var i = 0; i < hours.Count; )
        {
            var first = i++;
            while (i < hours.Count && hours[i].AddHours(1) == hours[i - 1])
                i++;
            yield return (hours[i - 1], hours[first].AddHours(1));
        }
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
