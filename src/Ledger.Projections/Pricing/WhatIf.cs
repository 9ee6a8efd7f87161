using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Npgsql;

namespace Ledger.Projections.Pricing;

/// <summary>What is compared: the charges of one account, day, tool or model, and source of funds.</summary>
/// <param name="Account">The account; empty in a sum over all.</param>
/// <param name="Day">The UTC day; null in a sum over all.</param>
/// <param name="What">The tool, or the provider/model; empty in a sum over all.</param>
/// <param name="Source">What paid; null in a sum over all.</param>
/// <param name="Unit">In what.</param>
/// <param name="Lacks">The entry that the other card lacks; null where it has a price.</param>
public readonly record struct WhatIfKey(string Account, DateOnly? Day, string What, ChargeSource? Source, Unit Unit, string? Lacks);

/// <summary>What was charged and what would have been, in parts of the unit; what was given back is taken off.</summary>
/// <param name="Charges">How many charges.</param>
/// <param name="Reversals">How many reversals.</param>
/// <param name="Old">What was charged.</param>
/// <param name="New">What the other card charges; without meaning where it has no price.</param>
public readonly record struct WhatIfSums(long Charges, long Reversals, Int128 Old, Int128 New)
{
    /// <summary>What the other card would have brought more; less where it is negative.</summary>
    public Int128 Difference => New - Old;

    /// <summary>Both.</summary>
    public WhatIfSums Plus(in WhatIfSums other) =>
        new(Charges + other.Charges, Reversals + other.Reversals, Old + other.Old, New + other.New);
}

/// <summary>One line of a report.</summary>
/// <param name="Key">Of what.</param>
/// <param name="Sums">How much.</param>
public sealed record WhatIfLine(WhatIfKey Key, WhatIfSums Sums);

/// <summary>By what lines are summed.</summary>
public enum WhatIfGrouping
{
    /// <summary>Nothing is: account, day, tool or model, and source each apart.</summary>
    All,

    /// <summary>By account.</summary>
    Account,

    /// <summary>By tool or model.</summary>
    Model,

    /// <summary>By day.</summary>
    Day,
}

/// <summary>What another rate card would have come to.</summary>
/// <param name="From">The first moment that was looked at.</param>
/// <param name="To">The first moment that was not any more.</param>
/// <param name="Lines">Whatever the card has a price for, in order.</param>
/// <param name="Unpriced">Whatever it has none for: in no sum, and never free.</param>
public sealed record WhatIfReport(
    DateTimeOffset From,
    DateTimeOffset To,
    IReadOnlyList<WhatIfLine> Lines,
    IReadOnlyList<WhatIfLine> Unpriced
)
{
    /// <summary>The sums of all that has a price, by unit and source.</summary>
    public IReadOnlyList<WhatIfLine> Totals => Sum(Lines, key => key with { Account = "", Day = null, What = "" });

    /// <summary>What is left of a line's key where lines are fewer.</summary>
    public static Func<WhatIfKey, WhatIfKey> ReducerOf(WhatIfGrouping grouping) =>
        grouping switch
        {
            WhatIfGrouping.All => key => key,
            WhatIfGrouping.Account => key => key with { Day = null, What = "" },
            WhatIfGrouping.Model => key => key with { Account = "", Day = null },
            WhatIfGrouping.Day => key => key with { Account = "", What = "" },
        };

    /// <summary>Sums lines by what is left of their keys, in order.</summary>
    public static IReadOnlyList<WhatIfLine> Sum(IEnumerable<WhatIfLine> lines, Func<WhatIfKey, WhatIfKey> reduce) =>
        [
            .. lines
                .GroupBy(line => reduce(line.Key))
                .Select(same => new WhatIfLine(same.Key, same.Aggregate(default(WhatIfSums), (sums, line) => sums.Plus(line.Sums))))
                .OrderBy(line => line.Key.Account, StringComparer.Ordinal)
                .ThenBy(line => line.Key.Day)
                .ThenBy(line => line.Key.What, StringComparer.Ordinal)
                .ThenBy(line => line.Key.Source)
                .ThenBy(line => line.Key.Unit)
                .ThenBy(line => line.Key.Lacks, StringComparer.Ordinal),
        ];
}

/// <summary>How far a re-rating has come.</summary>
/// <param name="Done">Events, or positions of the log, that were looked at.</param>
/// <param name="Total">How many there are.</param>
public readonly record struct WhatIfProgress(long Done, long Total);

/// <summary>
/// Re-rates what was really charged by another rate card. Reads the log as far as it is settled when it begins, a window of positions per transaction, and keeps the lines that are asked
/// for and no more: of all days of a million accounts, some thirty.
/// </summary>
/// <param name="database">Connections for reading.</param>
/// <param name="time">The clock, for pauses between attempts.</param>
public sealed class WhatIf(NpgsqlDataSource database, TimeProvider time)
{
    private const string Prefix = "account-";
    private const int Window = 20_000;
    private const int Page = 2000;

    private static readonly string[] Charges =
    [
        LedgerEvents.Types.NameOf<CreditsSpent>(),
        LedgerEvents.Types.NameOf<HoldSettled>(),
        LedgerEvents.Types.NameOf<HoldSettledLate>(),
        LedgerEvents.Types.NameOf<SpendReversed>(),
    ];

    private readonly NpgsqlEventLog _log = new(database, []) { IsPatient = true };
    private readonly LogScan _scan = new(database);

    /// <summary>Re-rates.</summary>
    /// <param name="card">The other card.</param>
    /// <param name="from">The first moment.</param>
    /// <param name="to">The first moment that does not count any more.</param>
    /// <param name="account">Whose charges; null for everybody's.</param>
    /// <param name="grouping">What lines are by. Each is kept in memory.</param>
    /// <param name="progress">Told how far it has come.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<WhatIfReport> RunAsync(
        RateCard card,
        DateTimeOffset from,
        DateTimeOffset to,
        AccountId? account,
        WhatIfGrouping grouping,
        IProgress<WhatIfProgress>? progress,
        CancellationToken ct
    )
    {
        var reduce = WhatIfReport.ReducerOf(grouping);
        var sums = new Dictionary<WhatIfKey, WhatIfSums>();
        var pages = account is { } id ? OfAccountAsync(id, from, to, progress, ct) : OfAllAsync(from, to, progress, ct);
        await foreach (var page in pages)
            Add(page, await ReversedAsync(page, ct), card, reduce, sums);
        var lines = WhatIfReport.Sum(sums.Select(line => new WhatIfLine(line.Key, line.Value)), key => key);
        return new(from, to, [.. lines.Where(line => line.Key.Lacks is null)], [.. lines.Where(line => line.Key.Lacks is not null)]);
    }

    private static void Add(
        IReadOnlyList<StoredEvent> page,
        Dictionary<(string StreamId, Guid Id), AccountEvent> reversed,
        RateCard card,
        Func<WhatIfKey, WhatIfKey> reduce,
        Dictionary<WhatIfKey, WhatIfSums> sums
    )
    {
        foreach (var stored in page)
        {
            var @event = LedgerEvents.ToFact(stored).Event;
            var spend = @event is SpendReversed e ? reversed.GetValueOrDefault((stored.StreamId, e.Spend.Value)) : null;
            if (Rerating.Of(@event, card, spend) is not { } rerated)
                continue;
            var key = reduce(
                new(
                    stored.StreamId[Prefix.Length..],
                    DateOnly.FromDateTime(stored.At.UtcDateTime),
                    rerated.What,
                    rerated.Source,
                    rerated.Old.Unit,
                    rerated.Lacks
                )
            );
            sums[key] = sums.GetValueOrDefault(key)
                .Plus(new(rerated.IsReversal ? 0 : 1, rerated.IsReversal ? 1 : 0, rerated.Old.Parts, rerated.New?.Parts ?? 0));
        }
    }

    /// <summary>The charges that a page's reversals give back, which may be older than what is looked at.</summary>
    private async Task<Dictionary<(string StreamId, Guid Id), AccountEvent>> ReversedAsync(
        IReadOnlyList<StoredEvent> page,
        CancellationToken ct
    )
    {
        var wanted = page.Where(stored => stored.Type == Charges[^1])
            .Select(stored => (stored.StreamId, ((SpendReversed)LedgerEvents.ToFact(stored).Event).Spend.Value))
            .ToList();
        return (await _log.FindAsync(wanted, ct)).ToDictionary(
            stored => (stored.StreamId, stored.Id),
            stored => LedgerEvents.ToFact(stored).Event
        );
    }

    private async IAsyncEnumerable<IReadOnlyList<StoredEvent>> OfAllAsync(
        DateTimeOffset from,
        DateTimeOffset to,
        IProgress<WhatIfProgress>? progress,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct
    )
    {
        var last = await _scan.SettledAsync(time, ct);
        for (var after = 0L; after < last; after += Window)
        {
            yield return await _scan.ReadBetweenAsync(after, Math.Min(after + Window, last), Charges, from, to, ct);
            progress?.Report(new(Math.Min(after + Window, last), last));
        }
    }

    private async IAsyncEnumerable<IReadOnlyList<StoredEvent>> OfAccountAsync(
        AccountId account,
        DateTimeOffset from,
        DateTimeOffset to,
        IProgress<WhatIfProgress>? progress,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct
    )
    {
        // Times never fall along a stream.
        var first = await _scan.VersionAtAsync(account.StreamId, from, ct) - 1;
        var last = await _scan.VersionAtAsync(account.StreamId, to, ct) - 1;
        for (var after = first; after < last; after += Page)
        {
            var page = await _scan.ReadAsync([new(account.StreamId, after, Math.Min(after + Page, last))], ct);
            yield return [.. page.Where(stored => Charges.Contains(stored.Type))];
            progress?.Report(new(Math.Min(after + Page, last) - first, last - first));
        }
    }
}
