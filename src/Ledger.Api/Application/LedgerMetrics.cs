using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Ledger.Domain;
using Ledger.EventStore;
using Ledger.Projections.Notifications;

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
    private readonly Counter<long> _refusalsDropped;
    private readonly Counter<long> _repeats;
    private readonly Counter<long> _conflicts;
    private readonly Counter<long> _secondAttempts;
    private readonly Counter<long> _cacheLookups;
    private readonly Counter<long> _lostConnections;
    private readonly Counter<long> _settlementsAboveHold;
    private readonly Counter<long> _driftFound;
    private readonly Counter<long> _driftChecked;
    private readonly Counter<long> _driftSkipped;
    private readonly Counter<long> _deliveries;
    private readonly ConcurrentDictionary<string, ReaderLag> _readers = new(StringComparer.Ordinal);
    private long _drifted;
    private double _clockOffset = double.NaN;
    private DeliveryBacklog? _backlog;

    /// <summary>Makes the instruments.</summary>
    /// <param name="factory">The host's factory.</param>
    /// <param name="time">The clock that lags are told by.</param>
    public LedgerMetrics(IMeterFactory factory, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentNullException.ThrowIfNull(time);
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
        _refusalsDropped = _meter.CreateCounter<long>(
            "ledger.refusals.dropped",
            "{refusal}",
            "Refusals that were not counted for their account, or not kept in full, since too many of different kinds came at once."
        );
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
        _driftFound = _meter.CreateCounter<long>(
            "ledger.drift.found",
            "{account}",
            "Accounts whose rows were found not to be what the log says."
        );
        _driftChecked = _meter.CreateCounter<long>("ledger.drift.checked", "{account}", "Accounts whose rows were compared with the log.");
        _driftSkipped = _meter.CreateCounter<long>(
            "ledger.drift.skipped",
            "{account}",
            "Accounts that were passed over instead of compared, by reason."
        );
        _deliveries = _meter.CreateCounter<long>(
            "ledger.deliveries",
            "{attempt}",
            "Attempts to tell accounts what happened to them, by channel and outcome."
        );
        _meter.CreateObservableGauge(
            "ledger.deliveries.waiting",
            () => Volatile.Read(ref _backlog) is { } backlog ? [new(backlog.Waiting)] : Array.Empty<Measurement<long>>(),
            "{delivery}",
            "Deliveries that are to be sent, for the first time or again."
        );
        _meter.CreateObservableGauge(
            "ledger.deliveries.waiting.time",
            () =>
                Volatile.Read(ref _backlog) is { } backlog
                    ? [new(backlog.Oldest is { } oldest ? Math.Max((time.GetUtcNow() - oldest).TotalSeconds, 0) : 0)]
                    : Array.Empty<Measurement<double>>(),
            "s",
            "For how long the delivery waits that has waited longest."
        );
        _meter.CreateObservableGauge(
            "ledger.deliveries.dead",
            () => Volatile.Read(ref _backlog) is { } backlog ? [new(backlog.Dead)] : Array.Empty<Measurement<long>>(),
            "{delivery}",
            "Deliveries that were given up and that nobody has replayed."
        );
        _meter.CreateObservableGauge(
            "ledger.drift.accounts",
            () => Interlocked.Read(ref _drifted),
            "{account}",
            "Accounts whose rows are not what the log says, as far as this node knows."
        );
        _meter.CreateObservableGauge(
            "ledger.reader.lag",
            () => _readers.Select(reader => new Measurement<long>(reader.Value.Positions, Tag("reader", reader.Key))),
            "{event}",
            "Events that a reader of the log has not dealt with."
        );

        // Reckoned when it is asked for: the lag of a reader that is stuck must be seen to grow.
        _meter.CreateObservableGauge(
            "ledger.reader.lag.time",
            () =>
                _readers.Select(reader => new Measurement<double>(
                    reader.Value.Oldest is { } oldest ? Math.Max((time.GetUtcNow() - oldest).TotalSeconds, 0) : 0,
                    Tag("reader", reader.Key)
                )),
            "s",
            "The age of the oldest event that a reader of the log has not dealt with."
        );
        _meter.CreateObservableGauge(
            "ledger.clock.offset",
            () => Volatile.Read(ref _clockOffset) is var offset && double.IsNaN(offset) ? [] : (Measurement<double>[])[new(offset)],
            "s",
            "How far this node's clock was ahead of the database's when readiness was last asked for."
        );
    }

    /// <summary>Watches the write path.</summary>
    /// <param name="depth">How many commands wait.</param>
    /// <param name="running">How many lanes have their connection.</param>
    /// <param name="cached">How many accounts are in memory.</param>
    public void Watch(Func<int> depth, Func<int> running, Func<int> cached)
    {
        _meter.CreateObservableGauge("ledger.queue.depth", depth, "{command}", "Commands waiting for a lane.");
        _meter.CreateObservableGauge("ledger.lanes.running", running, "{lane}", "Lanes that have their connection and take commands.");
        _meter.CreateObservableGauge("ledger.cache.accounts", cached, "{account}", "Accounts whose state is in memory.");
    }

    internal void Committed(int commands, TimeSpan took)
    {
        _commitSize.Record(commands);
        _commitDuration.Record(took.TotalSeconds);
    }

    internal void Answered(Verdict verdict)
    {
        if (verdict.Refusal is { } refusal)
            _refusals.Add(1, Tag("code", CodeName(refusal.Code)));
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

    internal void RefusalDropped(string what, int count = 1) => _refusalsDropped.Add(count, Tag("what", what));

    internal void Conflicted(int streams) => _conflicts.Add(streams);

    internal void AttemptedAgain(int commands) => _secondAttempts.Add(commands);

    internal void LookedUp(int hits, int misses)
    {
        if (hits > 0)
            _cacheLookups.Add(hits, Tag("hit", true));
        if (misses > 0)
            _cacheLookups.Add(misses, Tag("hit", false));
    }

    internal void LostConnection() => _lostConnections.Add(1);

    /// <summary>How far a reader is behind; null where this node is not the one that runs it.</summary>
    internal void Following(string reader, ReaderLag? lag)
    {
        if (lag is { } known)
            _readers[reader] = known;
        else
            _readers.TryRemove(reader, out _);
    }

    internal void DriftChecked(bool isNew, int drifted)
    {
        _driftChecked.Add(1);
        if (isNew)
            _driftFound.Add(1);
        Interlocked.Exchange(ref _drifted, drifted);
    }

    internal void DriftSkipped(string reason) => _driftSkipped.Add(1, Tag("reason", reason));

    /// <summary>An attempt to deliver something, and what came of it.</summary>
    internal void Delivered(string channel, string outcome) => _deliveries.Add(1, Tag("channel", channel), Tag("outcome", outcome));

    /// <summary>What there is to deliver; null where this node is not the one that does.</summary>
    internal void Delivering(DeliveryBacklog? backlog) => Volatile.Write(ref _backlog, backlog);

    internal void ClockIsOff(TimeSpan ahead) => Volatile.Write(ref _clockOffset, ahead.TotalSeconds);

    /// <summary>The code in snake case, as metrics and logs carry it.</summary>
    public static string CodeName(RejectionCode code) => EventTypes.SnakeCase(code.ToString());

    private static KeyValuePair<string, object?> Tag(string name, object value) => new(name, value);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
