using Ledger.Api.Decisions;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Accounts;
using Npgsql;

namespace Ledger.Api.Application;

/// <summary>
/// One lane of the write path: what <see cref="LaneState"/> has decided is sent in one round trip and one transaction, while the next batch
/// gathers; and callers are answered when it has come back. No timer fills a batch: under load batches grow by themselves. What does not
/// hold is decided again under locks. One pump at a time talks to the database; whoever comes while none runs starts it.
/// </summary>
internal sealed partial class Lane : IAsyncDisposable
{
    /// <summary>A second attempt repeats only where a stream or a rate card came into being under it; more often than this is a bug.</summary>
    private const int MaxLockedRounds = 50;

    private readonly LedgerOptions _options;
    private readonly IEventLog _log;
    private readonly AccountSnapshots _snapshots;
    private readonly AccountCache _cache;
    private readonly RateCards _cards;
    private readonly TimeProvider _time;
    private readonly LedgerMetrics _metrics;
    private readonly RefusalBook _refusals;
    private readonly ILogger _logger;
    private readonly LaneState _state;
    private readonly LaneConnection _connection;
    private readonly AccountWrites _writes = new();
    private readonly Trip _trip = new();
    private readonly BatchPlan _locked;
    private List<Pending> _inHand = [];
    private Task _late = Task.CompletedTask;
    private int _lateOnes;
    private bool _isStarted;
    private int _misses;

    public Lane(
        LedgerOptions options,
        IEventLog log,
        NpgsqlDataSource database,
        AccountSnapshots snapshots,
        AccountCache cache,
        CheckpointWriter checkpoints,
        RateCards cards,
        TimeProvider time,
        LedgerMetrics metrics,
        RefusalBook refusals,
        ILogger logger
    )
    {
        (_options, _log, _snapshots, _cache, _cards, _time, _metrics, _refusals, _logger) = (
            options,
            log,
            snapshots,
            cache,
            cards,
            time,
            metrics,
            refusals,
            logger
        );
        _state = new(options, cache, checkpoints, cards, time, metrics, logger);
        _connection = new(log, database, _writes.All, time);
        _locked = _state.NewPlan();
    }

    /// <summary>Commands that wait for the trip under way to come back.</summary>
    public int Depth => _state.Depth;

    /// <summary>Whether it has a connection and takes commands.</summary>
    public bool IsRunning => !_state.IsDown;

    public async Task StartAsync(CancellationToken ct)
    {
        if (_isStarted)
            return;
        await _connection.OpenAsync(ct);
        _isStarted = true;
        _state.GoUp();
    }

    /// <summary>Takes a command.</summary>
    /// <exception cref="LedgerUnavailableException">Too many wait, or the database is away.</exception>
    public Task<Verdict> SendAsync(AccountCommand command, in Caller caller) => Send(command, caller).Answer;

    /// <summary>Takes a command, of which something may be known before its answer.</summary>
    /// <param name="command">The command.</param>
    /// <param name="caller">On whose behalf.</param>
    /// <param name="isHurried">Whether this thread has something to do meanwhile: the trip is then begun by another one.</param>
    /// <exception cref="LedgerUnavailableException">Too many wait, or the database is away.</exception>
    public Pending Send(AccountCommand command, in Caller caller, bool isHurried = false)
    {
        var pending = new Pending(command, caller, _time.GetTimestamp());
        if (!_state.Accept(pending))
            return pending;

        // It goes on for others too, so this request's trace and log scope are not its own.
        if (isHurried)
            ThreadPool.UnsafeQueueUserWorkItem(static lane => _ = lane.PumpAsync(), this, preferLocal: true);
        else
        {
            using (ExecutionContext.SuppressFlow())
                _ = PumpAsync();
        }

        return pending;
    }

    public async ValueTask DisposeAsync()
    {
        // Whatever has come is still decided and answered: a drain, not a cut.
        var drained = _state.StopAsync();
        await _connection.StopAsync();
        await drained;
        await _late;
        await _connection.DisposeAsync();
    }

    /// <summary>Does what there is to do until there is nothing.</summary>
    private async Task PumpAsync()
    {
        while (true)
        {
            try
            {
                await RunAsync();
                return;
            }
            catch (Exception fault)
            {
                // Nothing lawful ends here. Whoever waits must hear of it, and the lane must live, without locks that nobody will give up.
                LogFault(_logger, fault);
                foreach (var pending in _inHand)
                {
                    _cache.Drop(pending.Command.Account);
                    pending.Fail(fault);
                }

                await LetGoAsync();
            }
        }
    }

    private async Task RunAsync()
    {
        IReadOnlyDictionary<AccountId, AccountSnapshot>? loaded = null;
        for (var losses = 0; ; )
        {
            switch (_state.Take(loaded))
            {
                case LaneState.Turn.Send(var plan):
                    loaded = null;
                    await AttemptAsync(plan);
                    break;
                case LaneState.Turn.Again(var batch):
                    loaded = null;
                    _inHand = batch;
                    await DecideAgainAsync(batch);
                    _inHand = [];
                    break;
                case LaneState.Turn.Load(var waiting):
                    try
                    {
                        loaded = await LoadAsync(waiting);
                        losses = 0;
                    }
                    catch (Exception lost) when (LaneConnection.IsOutage(lost))
                    {
                        await RecoverAsync(waiting, lost, losses++);
                    }
                    catch (Exception)
                    {
                        // One of them cannot be read; under locks it is found, and fails alone.
                        _state.AgainWaiting(waiting.Count);
                    }

                    break;
                default:
                    return;
            }
        }
    }

    private async Task<IReadOnlyDictionary<AccountId, AccountSnapshot>> LoadAsync(List<Pending> waiting)
    {
        var missing = new HashSet<AccountId>();
        foreach (var pending in waiting)
        {
            if (_cache.Find(pending.Command.Account) is null)
                missing.Add(pending.Command.Account);
        }

        _misses += missing.Count;
        var loaded = await _snapshots.LoadAsync(missing, CancellationToken.None);
        foreach (var snapshot in loaded.Values)
        {
            // What does not exist is not kept: made-up ids must not push real accounts out.
            if (snapshot.Account.Version > 0)
                _cache.Keep(snapshot);
        }

        return loaded;
    }

    /// <summary>The first attempt: what was decided over states in memory, without a lock. What does not hold is left to the second.</summary>
    private async Task AttemptAsync(BatchPlan plan)
    {
        _metrics.LookedUp(Math.Max(plan.Items.Count - _misses, 0), _misses);
        _misses = 0;
        var isBack = false;
        try
        {
            plan.Fill(_trip, _writes, confirm: true);
            var result = await SendAsync(_trip, plan.Items.Count);
            isBack = true;
            var isStale = !result.GuardHeld || (_trip.Confirm.Count > 0 && plan.IsStale(result));
            if (isStale)
                await _cards.ReloadAsync(CancellationToken.None);
            Answer(_state.Conclude(plan, result, isStale));
        }
        catch (Exception lost) when (LaneConnection.IsOutage(lost))
        {
            // Nobody knows what was committed, so only an attempt under locks, which looks references up first, will do.
            await AbandonAsync(plan, lost, mayBeDone: true);
        }
        catch (Exception)
        {
            // Under locks the culprit is found, and fails alone; whose id stands in the log already is found to repeat.
            await AbandonAsync(plan, lost: null, mayBeDone: isBack);
        }
    }

    private async Task AbandonAsync(BatchPlan plan, Exception? lost, bool mayBeDone)
    {
        _inHand = _state.Abandon(plan);
        if (mayBeDone)
            MarkUnsure(_inHand);
        if (lost is not null)
            await RecoverAsync(_inHand, lost, losses: 0);
        _state.Again(_inHand);
        _inHand = [];
    }

    /// <summary>Decides commands again, under locks, until every one is answered.</summary>
    private async Task DecideAgainAsync(List<Pending> batch)
    {
        for (var losses = 0; batch.Count > 0; batch = Unanswered(batch))
        {
            try
            {
                await AttemptLockedAsync(batch);
                return;
            }
            catch (Exception lost) when (LaneConnection.IsOutage(lost))
            {
                MarkUnsure(batch);
                await RecoverAsync(batch, lost, losses++);
            }
            catch (PostgresException busy)
                when (busy.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure)
            {
                // The other one went first.
            }
            catch (Exception refused)
            {
                await SplitAsync(Unanswered(batch), refused);
                return;
            }
        }
    }

    /// <summary>
    /// PostgreSQL refused something, or a stream holds what cannot be read, such as a newer server's events: the batch is halved until the
    /// culprit stands alone, so that its neighbours do not pay for it.
    /// </summary>
    private async Task SplitAsync(List<Pending> batch, Exception refused)
    {
        foreach (var pending in batch)
            _cache.Drop(pending.Command.Account);
        if (batch is [var culprit])
        {
            var state = (refused as PostgresException)?.SqlState ?? refused.GetType().Name;
            LogPoison(_logger, culprit.Command.GetType().Name, culprit.Caller.RequestId, state, refused);
            culprit.Fail(refused);
            return;
        }

        var half = batch.Count / 2;
        await DecideAgainAsync(batch[..half]);
        await DecideAgainAsync(batch[half..]);
    }

    /// <summary>
    /// The second attempt cannot lose: the streams are locked, their states and every reference are read afresh, and only then it decides.
    /// </summary>
    private async Task AttemptLockedAsync(List<Pending> batch)
    {
        _metrics.AttemptedAgain(batch.Count);
        var writer = _connection.Writer;
        for (var round = 1; batch.Count > 0; round++)
        {
            if (round > MaxLockedRounds)
                throw new InvalidOperationException($"{batch.Count} commands could not be decided under their own locks.");
            try
            {
                var again = new List<Pending>();
                var ids = batch.Select(pending => pending.Command.Account).Distinct().ToList();
                await writer.LockAsync([.. ids.Select(id => id.StreamId).Order(StringComparer.Ordinal)], CancellationToken.None);
                var states = _snapshots.LoadAsync(ids, CancellationToken.None);
                var pasts = RecallAsync(batch);
                await Task.WhenAll(states, pasts);
                _state.DecideLocked(_locked, batch, await states, await pasts, again);
                _locked.Fill(_trip, _writes, confirm: false);
                _trip.Confirm.Add(RateBook.StreamId);
                var result = await SendAsync(_trip, batch.Count);
                if (_trip.Streams.Count > 0 ? !result.GuardHeld : _locked.IsStale(result))
                {
                    await _cards.ReloadAsync(CancellationToken.None);
                    batch = Unanswered(batch);
                    continue;
                }

                Answer(_state.ConcludeLocked(_locked, result, again));
                batch = again;
            }
            catch (Exception refused) when (!LaneConnection.IsOutage(refused))
            {
                await writer.RollbackAsync(CancellationToken.None);
                throw;
            }
        }
    }

    private async Task<Dictionary<Pending, Recollection>> RecallAsync(List<Pending> batch)
    {
        var wanted = batch
            .SelectMany(pending => pending.Command.Recalls.Select(id => (pending.Command.Account.StreamId, id)))
            .Distinct()
            .ToList();
        var found = (await _log.FindAsync(wanted, CancellationToken.None)).ToDictionary(
            stored => (stored.StreamId, stored.Id),
            stored => (Fact: LedgerEvents.ToFact(stored), stored.CorrelationId)
        );
        var recalled = new Dictionary<Pending, Recollection>(batch.Count);
        foreach (var pending in batch)
        {
            var facts = new List<Fact>(1);
            Fact? done = null;
            foreach (var id in pending.Command.Recalls)
            {
                if (!found.TryGetValue((pending.Command.Account.StreamId, id), out var known))
                    continue;
                facts.Add(known.Fact);
                var isOwn = known.CorrelationId == pending.Caller.RequestId && pending.Command.DidRecord(known.Fact.Event);
                if (isOwn && !(done?.Version > known.Fact.Version))
                    done = known.Fact;
            }

            recalled.Add(pending, new(Past.Of(facts), done));
        }

        return recalled;
    }

    private async Task<TripResult> SendAsync(Trip trip, int commands)
    {
        using var activity = LedgerMetrics.Activities.StartActivity("ledger.commit");
        activity?.SetTag("ledger.commit.size", commands);
        var started = _time.GetTimestamp();
        var result = await _connection.Writer.SendAsync(trip, CancellationToken.None);
        if (trip.Streams.Count > 0)
            _metrics.Committed(commands, _time.GetElapsedTime(started));
        return result;
    }

    private void Answer(List<BatchPlan.Item> items)
    {
        foreach (var item in items)
        {
            // Who has forgotten what was available at the first answer must read it from the log, and must not hold the others up.
            if (item.KnowsAvailable || item.Verdict.Answer is not { } first)
                Complete(item.Pending, item.Verdict);
            else if (Interlocked.Increment(ref _lateOnes) <= _options.QueueCapacity)
                _late = AnswerLateAsync(_late, item, first);
            else
                FailLate(item);
        }
    }

    private void FailLate(BatchPlan.Item item)
    {
        Interlocked.Decrement(ref _lateOnes);
        item.Pending.Fail(LedgerUnavailableException.Busy());
    }

    /// <summary>The first answer told what was available then. Memory no longer knows; the log does. One at a time.</summary>
    private async Task AnswerLateAsync(Task before, BatchPlan.Item item, Fact first)
    {
        await before;
        var command = item.Pending.Command;
        try
        {
            var epoch = _cache.Epoch;
            var then = await _snapshots.FoldAnswerAsync(command.Account, command.Id, first.Version, CancellationToken.None);
            var verdict = item.Verdict with { Available = then.Account.Wallet.Available(Domain.Money.Unit.Credits, first.At) };
            _state.Remember(first, verdict.Available, epoch);
            Complete(item.Pending, verdict);
        }
        catch (Exception fault)
        {
            LogLate(_logger, fault);
            item.Pending.Fail(LaneConnection.IsOutage(fault) ? LedgerUnavailableException.Away(fault) : fault);
        }
        finally
        {
            Interlocked.Decrement(ref _lateOnes);
        }
    }

    private void Complete(Pending pending, Verdict verdict)
    {
        try
        {
            _metrics.Answered(verdict);
            if (verdict.Refusal is { } refusal)
                _refusals.Take(pending, verdict, refusal);
        }
        finally
        {
            pending.Complete(verdict);
        }
    }

    private async Task LetGoAsync()
    {
        _inHand = [];
        try
        {
            if (_connection.IsOpen)
                await _connection.Writer.RollbackAsync(CancellationToken.None);
        }
        catch (Exception lost)
        {
            await RecoverAsync([], lost, losses: 0);
        }
    }

    /// <summary>
    /// The connection is gone and nobody knows whether what was under way was committed. Everything in memory is dropped, and the old server
    /// process is ended and waited for, so that references can be looked up and decided on. Who has no patience gets 503 and may repeat.
    /// Returns with a connection, or with everybody answered where the lane stops.
    /// </summary>
    /// <param name="unsure">Whose outcome is unknown.</param>
    /// <param name="lost">What it came to.</param>
    /// <param name="losses">How often it was lost right after it was found again, as on a full disk: not at full speed.</param>
    private async Task RecoverAsync(List<Pending> unsure, Exception lost, int losses)
    {
        _metrics.LostConnection();
        LogLost(_logger, lost);
        await _connection.CloseAsync();
        _state.GoDown();
        for (var (tries, why) = (losses, lost); ; tries++)
        {
            if (tries > 0)
                await _connection.PauseAsync(tries - 1);
            foreach (var pending in unsure.Concat(_inHand))
            {
                if (_connection.IsStopping || _time.GetElapsedTime(pending.Since) > _options.RecoveryPatience)
                    pending.Fail(LedgerUnavailableException.Away(why));
            }

            try
            {
                await _connection.ReopenAsync();
                await _cards.ReloadAsync(CancellationToken.None);
                LogRecovered(_logger);
                _state.GoUp();
                return;
            }
            catch (Exception again)
            {
                // Whatever it is, such as a database that is being restored and not there at all: a lane without a connection can only try again.
                why = again;
                await _connection.CloseAsync();
                _state.FailWaiting(LedgerUnavailableException.Away(again));
                if (_connection.IsStopping && unsure.Concat(_inHand).All(pending => pending.IsAnswered))
                    return;
            }
        }
    }

    private static void MarkUnsure(List<Pending> batch)
    {
        foreach (var pending in batch)
            pending.MayBeDone = true;
    }

    private static List<Pending> Unanswered(List<Pending> batch) => [.. batch.Where(pending => !pending.IsAnswered)];

    [LoggerMessage(Level = LogLevel.Warning, Message = "A first answer could not be read from the log.")]
    private static partial void LogLate(ILogger logger, Exception fault);

    [LoggerMessage(Level = LogLevel.Error, Message = "A lane failed; whoever it concerned was answered with the fault.")]
    private static partial void LogFault(ILogger logger, Exception fault);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "{Command} of request {RequestId} was refused underneath ({SqlState}); it failed alone."
    )]
    private static partial void LogPoison(ILogger logger, string command, string requestId, string sqlState, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A lane lost its connection to PostgreSQL; reconnecting.")]
    private static partial void LogLost(ILogger logger, Exception fault);

    [LoggerMessage(Level = LogLevel.Information, Message = "A lane is connected to PostgreSQL again.")]
    private static partial void LogRecovered(ILogger logger);
}
