using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.EventStore;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Application;

/// <summary>
/// What a lane has decided and what still waits. A command is decided when it comes, on the thread it comes on, on top of all that was decided
/// before it, while the batch before is on its way to the database. Nothing in here ever waits for the database.
/// </summary>
/// <remarks>
/// Whoever changes anything holds the gate, and so does whoever reads the recent answers. The plan under way is not changed any more: its
/// states are what the next plan builds on, and where one of them does not come true, what was built on it is decided again.
/// </remarks>
internal sealed partial class LaneState
{
    private readonly LedgerOptions _options;
    private readonly AccountCache _cache;
    private readonly CheckpointWriter _checkpoints;
    private readonly RateCards _cards;
    private readonly TimeProvider _time;
    private readonly LedgerMetrics _metrics;
    private readonly ILogger _logger;
    private readonly RecentAnswers _recent;
    private readonly Lock _gate = new();

    /// <summary>What could not be decided when it came: its account was not in memory, the batch was full, or others waited already.</summary>
    private readonly Queue<Pending> _waiting = new();

    /// <summary>What must be decided again, under locks.</summary>
    private readonly List<Pending> _again = [];

    private BatchPlan _next;
    private BatchPlan? _spare;
    private BatchPlan? _underWay;
    private bool _isPumped;
    private bool _isStopping;
    private volatile bool _isDown = true;
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LaneState(
        LedgerOptions options,
        AccountCache cache,
        CheckpointWriter checkpoints,
        RateCards cards,
        TimeProvider time,
        LedgerMetrics metrics,
        ILogger logger
    )
    {
        (_options, _cache, _checkpoints, _cards, _time, _metrics, _logger) = (options, cache, checkpoints, cards, time, metrics, logger);
        _recent = new(options.RecentReferences);
        (_next, _spare) = (NewPlan(), NewPlan());
    }

    /// <summary>Commands that wait for the trip under way to come back.</summary>
    public int Depth
    {
        get
        {
            lock (_gate)
                return _waiting.Count + _next.Items.Count;
        }
    }

    /// <summary>Whether there is no connection.</summary>
    public bool IsDown => _isDown;

    public BatchPlan NewPlan() => new(_recent);

    /// <summary>Takes a command: decides it, or lets it wait.</summary>
    /// <returns>Whether nobody pumps, so that the caller must.</returns>
    /// <exception cref="LedgerUnavailableException">Too many wait, or the database is away.</exception>
    public bool Accept(Pending pending)
    {
        lock (_gate)
        {
            if (_isStopping)
                throw new LedgerUnavailableException("The ledger is stopping; come back in a moment.", TimeSpan.FromSeconds(1));
            if (_isDown)
                throw LedgerUnavailableException.Away();
            if (_waiting.Count + _next.Items.Count >= _options.QueueCapacity)
                throw LedgerUnavailableException.Busy();
            if (_waiting.Count > 0 || !TryDecide(pending, loaded: null))
                _waiting.Enqueue(pending);
            var mustPump = !_isPumped;
            _isPumped = true;
            return mustPump;
        }
    }

    /// <summary>What is to be done next.</summary>
    /// <param name="loaded">The states that were missing, where they were asked for just now.</param>
    public Turn Take(IReadOnlyDictionary<AccountId, AccountSnapshot>? loaded)
    {
        lock (_gate)
        {
            while (_waiting.TryPeek(out var first) && (first.IsAnswered || TryDecide(first, loaded)))
                _waiting.Dequeue();
            if (_again.Count > 0)
            {
                List<Pending> again = [.. _again.Where(pending => !pending.IsAnswered).Distinct()];
                _again.Clear();
                return new Turn.Again(again);
            }

            if (_next.Items.Count > 0)
            {
                var plan = _next;
                (_underWay, _next, _spare) = (plan, _spare!, null);
                return new Turn.Send(plan);
            }

            if (_waiting.Count > 0)
                return new Turn.Load([.. _waiting.Take(_options.MaxBatch)]);
            _isPumped = false;
            if (_isStopping)
                _drained.TrySetResult();
            return Turn.Rest;
        }
    }

    /// <summary>Takes nothing more.</summary>
    /// <returns>Ends when all that was taken is answered.</returns>
    public Task StopAsync()
    {
        lock (_gate)
        {
            _isStopping = true;
            return _isPumped ? _drained.Task : Task.CompletedTask;
        }
    }

    /// <summary>Decides a command on top of what is decided already.</summary>
    /// <returns>Whether it was decided, or failed; where not, its account is not in memory or the batch is full.</returns>
    private bool TryDecide(Pending pending, IReadOnlyDictionary<AccountId, AccountSnapshot>? loaded)
    {
        if (_next.Items.Count >= _options.MaxBatch)
            return false;
        var account = pending.Command.Account;
        AccountSnapshot? basis = null;
        if (_next.Find(account) is null)
        {
            var underWay = _underWay?.Find(account) is { Append: not null } work ? work.After : null;
            basis = underWay ?? _cache.Find(account) ?? loaded?.GetValueOrDefault(account);
            if (basis is null)
                return false;
        }

        Decide(_next, pending, basis, past: null, _underWay, _again);
        return true;
    }

    private void Decide(BatchPlan plan, Pending pending, AccountSnapshot? basis, Past? past, BatchPlan? underWay, List<Pending> again)
    {
        try
        {
            plan.Decide(pending, basis, past, _time, _cards, underWay);
        }
        catch (LedgerUnavailableException unavailable)
        {
            pending.Fail(unavailable);
        }
        catch (Exception fault)
        {
            // Half of it may stand in the plan already: whoever was decided on the same account starts anew.
            LogFault(_logger, pending.Command.GetType().Name, pending.Caller.RequestId, fault);
            again.AddRange(plan.Void(pending.Command.Account));
            pending.Fail(fault);
        }
    }

    /// <summary>The trip of the first attempt is back: the rest of what does not hold is left to the second.</summary>
    /// <returns>What holds and is to be answered.</returns>
    public List<BatchPlan.Item> Conclude(BatchPlan plan, TripResult result, bool isStale)
    {
        var recalled = result.Recalled.Count == 0 ? null : result.Recalled.Select(found => (found.StreamId, found.Id)).ToHashSet();
        var answered = new List<BatchPlan.Item>(plan.Items.Count);
        var conflicts = 0;
        lock (_gate)
        {
            for (var s = 0; s < plan.Appended.Count; s++)
            {
                var work = plan.Appended[s];
                if (result.Won[s])
                {
                    Keep(work);
                    continue;
                }

                if (result.GuardHeld && !result.Repeated.Contains(s))
                    conflicts++;
                _cache.Drop(work.Account.Id);
            }

            foreach (var item in plan.Items)
            {
                if (item.Work.IsVoid)
                    continue;
                if (!Stands(plan, item, result, recalled))
                {
                    _again.Add(item.Pending);
                    continue;
                }

                if (item.IsSettled)
                    plan.Remember(item);
                answered.Add(item);
            }

            for (var s = 0; s < plan.Appended.Count; s++)
            {
                if (!result.Won[s])
                    _again.AddRange(_next.Void(plan.Appended[s].Account.Id));
            }

            // A card was published: what has gathered meanwhile was decided by the one before.
            if (isStale)
                PutBack();
            Retire(plan);
        }

        if (conflicts > 0)
            _metrics.Conflicted(conflicts);
        return answered;
    }

    /// <summary>Gives the plan under way up: nothing is known to be true of it.</summary>
    /// <returns>Its commands that wait for an answer, and those that were decided on top of them.</returns>
    public List<Pending> Abandon(BatchPlan plan)
    {
        lock (_gate)
        {
            var open = plan.Items.Where(item => !item.Work.IsVoid && !item.Pending.IsAnswered).Select(item => item.Pending).ToList();
            foreach (var work in plan.Appended)
            {
                _cache.Drop(work.Account.Id);
                open.AddRange(_next.Void(work.Account.Id));
            }

            Retire(plan);
            return open;
        }
    }

    /// <summary>Decides commands over states that cannot change, with all that the log holds under their ids.</summary>
    /// <param name="plan">Takes the decisions.</param>
    /// <param name="batch">The commands.</param>
    /// <param name="states">Their accounts.</param>
    /// <param name="pasts">What the log holds.</param>
    /// <param name="again">Takes what must be decided once more, because a neighbour on the same account failed.</param>
    public void DecideLocked(
        BatchPlan plan,
        List<Pending> batch,
        IReadOnlyDictionary<AccountId, AccountSnapshot> states,
        IReadOnlyDictionary<Pending, Recollection> pasts,
        List<Pending> again
    )
    {
        lock (_gate)
        {
            plan.Clear();

            // What a request did is the answer of one of its commands; whoever came with the same reference beside it repeats that one.
            var told = new HashSet<Guid>();
            foreach (var pending in batch)
            {
                var state = states[pending.Command.Account];
                if (pending.MayBeDone && pasts[pending].Done is { } done && told.Add(done.Id))
                    plan.AddDone(pending, state, done, _cards);
                else
                    Decide(plan, pending, state, pasts[pending].Past, underWay: null, again);
            }
        }
    }

    /// <summary>The trip of a second attempt is back.</summary>
    /// <param name="plan">What was decided.</param>
    /// <param name="result">What came back.</param>
    /// <param name="again">Takes what must be decided once more: of a stream that did not exist, there was no row to lock.</param>
    /// <returns>What holds and is to be answered.</returns>
    public List<BatchPlan.Item> ConcludeLocked(BatchPlan plan, TripResult result, List<Pending> again)
    {
        var answered = new List<BatchPlan.Item>(plan.Items.Count);
        lock (_gate)
        {
            for (var s = 0; s < plan.Appended.Count; s++)
            {
                if (result.Won[s])
                    Keep(plan.Appended[s]);
            }

            foreach (var item in plan.Items)
            {
                if (item.Work.IsVoid)
                    continue;
                if (item.Work.Append is not null && !result.Won[item.Work.Index])
                {
                    again.Add(item.Pending);
                    continue;
                }

                if (item.IsSettled)
                    plan.Remember(item);
                answered.Add(item);
            }
        }

        return answered;
    }

    /// <summary>Adds to what must be decided again, under locks.</summary>
    public void Again(IEnumerable<Pending> batch)
    {
        lock (_gate)
            _again.AddRange(batch.Where(pending => !pending.IsAnswered));
    }

    /// <summary>The same for those that wait first in line.</summary>
    public void AgainWaiting(int count)
    {
        lock (_gate)
        {
            while (count-- > 0 && _waiting.TryDequeue(out var pending))
            {
                if (!pending.IsAnswered)
                    _again.Add(pending);
            }
        }
    }

    /// <summary>Remembers a first answer that was read from the log, unless everything was forgotten since.</summary>
    /// <param name="fact">The answer.</param>
    /// <param name="available">What was available then.</param>
    /// <param name="epoch">The cache's epoch before the log was asked.</param>
    public void Remember(in Fact fact, Amount available, int epoch)
    {
        lock (_gate)
        {
            if (epoch == _cache.Epoch)
                _recent.Keep(fact, available);
        }
    }

    /// <summary>The connection is lost: nothing in memory counts, and what was decided is to be decided anew.</summary>
    public void GoDown()
    {
        lock (_gate)
        {
            _isDown = true;
            PutBack();
            _cache.Clear();
            _recent.Clear();
        }
    }

    /// <summary>There is a connection.</summary>
    public void GoUp() => _isDown = false;

    /// <summary>Nobody knows how long it will take: whoever only waits is told so.</summary>
    public void FailWaiting(Exception away)
    {
        lock (_gate)
        {
            while (_waiting.TryDequeue(out var waiting))
                waiting.Fail(away);
        }
    }

    /// <summary>Whether a decision of the first attempt is still true now that the trip is back.</summary>
    private bool Stands(BatchPlan plan, BatchPlan.Item item, TripResult result, HashSet<(string, Guid)>? recalled)
    {
        var command = item.Pending.Command;
        if (item.Work.Append is not null && !result.Won[item.Work.Index])
            return false;
        if (item.IsSettled)
            return true;
        if (item.Work.Append is null && result.Versions.GetValueOrDefault(command.Account.StreamId) != item.Work.Snapshot.Account.Version)
        {
            _cache.Drop(command.Account);
            return false;
        }

        if (item.Verdict.Refusal is null)
            return true;
        if (plan.IsStale(result))
            return false;
        if (recalled is null || !item.MayRecall)
            return true;
        foreach (var id in command.Recalls)
        {
            if (recalled.Contains((command.Account.StreamId, id)))
                return false;
        }

        return true;
    }

    private void Keep(BatchPlan.Work work)
    {
        var committed = work.After;
        _cache.Keep(committed);
        _checkpoints.Offer(work.Snapshot.Account.Version, committed);
    }

    private void Retire(BatchPlan plan)
    {
        plan.Clear();
        (_underWay, _spare) = (null, plan);
    }

    private void PutBack()
    {
        Pending[] all = [.. _next.Items.Where(item => !item.Work.IsVoid).Select(item => item.Pending), .. _waiting];
        _next.Clear();
        _waiting.Clear();
        foreach (var pending in all)
            _waiting.Enqueue(pending);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Command} of request {RequestId} could not be decided.")]
    private static partial void LogFault(ILogger logger, string command, string requestId, Exception fault);

    /// <summary>What a lane does next.</summary>
    public abstract record Turn
    {
        private Turn() { }

        /// <summary>Nothing, until somebody comes.</summary>
        public static Turn Rest { get; } = new Nothing();

        /// <summary>Sends a plan.</summary>
        public sealed record Send(BatchPlan Plan) : Turn;

        /// <summary>Loads the accounts of those that wait first in line.</summary>
        public sealed record Load(List<Pending> Waiting) : Turn;

        /// <summary>Decides again, under locks.</summary>
        public sealed record Again(List<Pending> Batch) : Turn;

        private sealed record Nothing : Turn;
    }
}
