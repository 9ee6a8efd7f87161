using Ledger.Domain;
using Ledger.EventStore;
using Ledger.Projections.Rebuild;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Application.Readers;

/// <summary>
/// Looks at a few of the accounts that changed last, all the time: whether their live rows are what the log says. A sample, so that it costs the
/// write path nothing to speak of; over time every account that is used comes up.
/// </summary>
public sealed partial class DriftFollower(
    DriftCheck check,
    LedgerMetrics metrics,
    IOptions<LedgerOptions> options,
    ILogger<DriftFollower> logger
) : LogFollower
{
    private const string Prefix = "account-";
    private readonly HashSet<AccountId> _drifted = [];
    private int _pass;

    /// <inheritdoc/>
    public override string Name => "drift";

    /// <inheritdoc/>
    public override int Page => 100;

    /// <inheritdoc/>
    public override int? OnlyLast => Page;

    /// <inheritdoc/>
    public override TimeSpan Pause => options.Value.DriftInterval;

    /// <inheritdoc/>
    public override async Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(page);
        var changed = page.Where(stored => stored.StreamId.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(stored => new AccountId(stored.StreamId[Prefix.Length..]))
            .Distinct()
            .ToList();

        // Those that differed are looked at again, so that the number goes back to zero when they are mended. Of the others a few, evenly over the
        // page and elsewhere each time: whoever changes most often must not be looked at alone.
        var count = Math.Min(options.Value.DriftAccounts, changed.Count);
        var sample = Enumerable.Range(0, count).Select(n => changed[(int)((((long)n * changed.Count / count) + _pass) % changed.Count)]);
        _pass++;
        foreach (var id in _drifted.Take(options.Value.DriftAccounts).Concat(sample).Distinct().ToList())
            await LookAsync(id, ct);
    }

    private async Task LookAsync(AccountId id, CancellationToken ct)
    {
        DriftVerdict verdict;
        try
        {
            verdict = await check.CheckAsync(id, options.Value.DriftEvents, ct);
        }
        catch (UnknownEventTypeException)
        {
            metrics.DriftSkipped("newer");
            return;
        }
        catch (Exception fault) when (!Outage.Is(fault) && fault is not OperationCanceledException)
        {
            // What cannot be folded is no read model's fault, and worse.
            LogUnfoldable(logger, id.Value, fault);
            metrics.DriftChecked(_drifted.Add(id), _drifted.Count);
            return;
        }

        if (!verdict.IsChecked)
        {
            metrics.DriftSkipped("too_long");
            return;
        }

        var isNew = false;
        if (verdict.Differences.Count == 0)
            _drifted.Remove(id);
        else
            isNew = _drifted.Add(id);
        metrics.DriftChecked(isNew, _drifted.Count);
        if (isNew)
            LogDrift(logger, id.Value, verdict.Version, string.Join(", ", verdict.Differences));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The history of account {Account} cannot be folded.")]
    private static partial void LogUnfoldable(ILogger logger, string account, Exception fault);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "The read models of account {Account} differ from the log at version {Version}: {Differences}. `rebuild` mends them; find out why first."
    )]
    private static partial void LogDrift(ILogger logger, string account, long version, string differences);
}
