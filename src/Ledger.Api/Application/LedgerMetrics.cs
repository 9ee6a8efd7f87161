using System.Diagnostics;
using System.Diagnostics.Metrics;
using Ledger.Domain;

namespace Ledger.Api.Application;

/// <summary>What the write path tells OpenTelemetry: meter and activity source <c>Ledger</c>.</summary>
public sealed class LedgerMetrics : IDisposable
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "Ledger";

    /// <summary>Spans of the write path: one per commit.</summary>
    public static readonly ActivitySource Activities = new(Name);

    private readonly Meter _meter;
    private readonly Histogram<int> _commitSize;
    private readonly Histogram<double> _commitDuration;
    private readonly Counter<long> _spends;
    private readonly Counter<long> _refusals;
    private readonly Counter<long> _repeats;
    private readonly Counter<long> _conflicts;
    private readonly Counter<long> _secondAttempts;
    private readonly Counter<long> _cacheLookups;
    private readonly Counter<long> _lostConnections;
    private readonly Counter<long> _settlementsAboveHold;

    /// <summary>Makes the instruments.</summary>
    /// <param name="factory">The host's factory.</param>
    public LedgerMetrics(IMeterFactory factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        _meter = factory.Create(Name);
        _commitSize = _meter.CreateHistogram<int>("ledger.commit.size", "{command}", "Commands in one commit.");
        _commitDuration = _meter.CreateHistogram(
            "ledger.commit.duration",
            "s",
            "From sending a batch to its commit.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
            }
        );
        _spends = _meter.CreateCounter<long>("ledger.spends", "{spend}", "Charges recorded: spends, settlements, late settlements.");
        _refusals = _meter.CreateCounter<long>("ledger.refusals", "{refusal}", "Commands refused, by code.");
        _repeats = _meter.CreateCounter<long>("ledger.repeats", "{command}", "Commands answered from their first answer.");
        _conflicts = _meter.CreateCounter<long>("ledger.conflicts", "{stream}", "Streams that another node had moved.");
        _secondAttempts = _meter.CreateCounter<long>("ledger.second_attempts", "{command}", "Commands decided again under a lock.");
        _cacheLookups = _meter.CreateCounter<long>("ledger.cache.lookups", "{lookup}", "Look-ups of an account's state, by hit.");
        _lostConnections = _meter.CreateCounter<long>(
            "ledger.connections.lost",
            "{connection}",
            "Connections of the write path that were lost."
        );
        _settlementsAboveHold = _meter.CreateCounter<long>(
            "ledger.settlements.above_hold",
            "{settlement}",
            "Settlements that cost more than was held."
        );
    }

    /// <summary>Watches how many commands wait.</summary>
    public void WatchQueue(Func<int> depth) =>
        _meter.CreateObservableGauge("ledger.queue.depth", depth, "{command}", "Commands waiting for a lane.");

    internal void Committed(int commands, TimeSpan took)
    {
        _commitSize.Record(commands);
        _commitDuration.Record(took.TotalSeconds);
    }

    internal void Answered(Verdict verdict)
    {
        if (verdict.Refusal is { } refusal)
            _refusals.Add(1, new KeyValuePair<string, object?>("code", CodeName(refusal.Code)));
        else if (verdict.IsRepeat)
            _repeats.Add(1);
        else if (verdict.Answer?.Event is Domain.Wallets.CreditsSpent or Domain.Wallets.HoldSettled or Domain.Wallets.HoldSettledLate)
        {
            _spends.Add(1);
            if (
                verdict.Answer?.Event
                is Domain.Wallets.HoldSettled { FromAvailable.IsEmpty: false }
                    or Domain.Wallets.HoldSettled { Debt: not null }
            )
                _settlementsAboveHold.Add(1);
        }
    }

    internal void Conflicted(int streams) => _conflicts.Add(streams);

    internal void AttemptedAgain(int commands) => _secondAttempts.Add(commands);

    internal void LookedUp(int hits, int misses)
    {
        if (hits > 0)
            _cacheLookups.Add(hits, new KeyValuePair<string, object?>("hit", true));
        if (misses > 0)
            _cacheLookups.Add(misses, new KeyValuePair<string, object?>("hit", false));
    }

    internal void LostConnection() => _lostConnections.Add(1);

    /// <summary>The code in snake case, as metrics and logs carry it.</summary>
    public static string CodeName(RejectionCode code) => EventStore.EventTypes.SnakeCase(code.ToString());

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
