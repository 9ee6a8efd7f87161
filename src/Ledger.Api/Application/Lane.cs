using System.Threading.Channels;
using Ledger.Domain;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Accounts;
using Npgsql;

namespace Ledger.Api.Application;

/// <summary>
/// One lane of the write path. It takes whatever has queued while its last commit ran, decides all of it in memory, in order, and makes it
/// true in one round trip and one transaction; then it answers. No timer fills a batch: under load batches grow by themselves.
/// </summary>
internal sealed partial class Lane : IAsyncDisposable
{
    /// <summary>A second attempt repeats only where a stream or a rate card came into being under it; more often than this is a bug.</summary>
    private const int MaxLockedRounds = 50;

    /// <summary>The longest pause between two tries to reach a lost database.</summary>
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(1);

    private readonly LedgerOptions _options;
    private readonly IEventLog _log;
    private readonly NpgsqlDataSource _database;
    private readonly AccountSnapshots _snapshots;
    private readonly AccountCache _cache;
    private readonly RateCards _cards;
    private readonly TimeProvider _time;
    private readonly LedgerMetrics _metrics;
    private readonly ILogger _logger;
    private readonly Channel<Pending> _queue;
    private readonly AccountWrites _writes = new();
    private readonly Trip _trip = new();
    private readonly RecentAnswers _recent;
    private readonly BatchPlan _plan;
    private readonly CancellationTokenSource _stop = new();
    private ILogWriter? _writer;
    private Backend? _lostBackend;
    private volatile bool _down = true;
    private Task _run = Task.CompletedTask;

    public Lane(
        LedgerOptions options,
        IEventLog log,
        NpgsqlDataSource database,
        AccountSnapshots snapshots,
        AccountCache cache,
        RateCards cards,
        TimeProvider time,
        LedgerMetrics metrics,
        ILogger logger
    )
    {
        (_options, _log, _database, _snapshots, _cache, _cards, _time, _metrics, _logger) = (
            options,
            log,
            database,
            snapshots,
            cache,
            cards,
            time,
            metrics,
            logger
        );
        _queue = Channel.CreateBounded<Pending>(new BoundedChannelOptions(options.QueueCapacity) { SingleReader = true });
        _recent = new(options.RecentReferences);
        _plan = new(_recent);
    }

    /// <summary>Commands that wait.</summary>
    public int Depth => _queue.Reader.Count;

    /// <summary>Whether it has a connection and takes commands.</summary>
    public bool IsRunning => !_down;

    public async Task StartAsync(CancellationToken ct)
    {
        if (_writer is not null)
            return;
        _writer = await _log.OpenWriterAsync(_writes.All, ct);
        _down = false;
        _run = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Queues a command.</summary>
    /// <exception cref="LedgerUnavailableException">The queue is full, or the database is away.</exception>
    public Task<Verdict> SendAsync(Domain.Accounts.AccountCommand command, in Caller caller)
    {
        if (_down)
            throw Away();
        var pending = new Pending(command, caller, _time.GetTimestamp());
        if (!_queue.Writer.TryWrite(pending))
            throw new LedgerUnavailableException("The ledger is busy; come back in a second.", TimeSpan.FromSeconds(1));
        return pending.Answer;
    }

    public async ValueTask DisposeAsync()
    {
        // Whatever was queued is still decided and answered: a drain, not a cut.
        _queue.Writer.TryComplete();
        await _stop.CancelAsync();
        await _run;
        if (_writer is not null)
            await _writer.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var batch = new List<Pending>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            batch.Clear();
            while (batch.Count < _options.MaxBatch && _queue.Reader.TryRead(out var pending))
                batch.Add(pending);
            try
            {
                await ProcessAsync(batch);
            }
            catch (Exception fault)
            {
                // Nothing lawful ends here. Whoever waits must hear of it, and the lane must live, without locks that nobody will give up.
                LogFault(_logger, fault);
                foreach (var pending in batch)
                    pending.Fail(fault);
                await LetGoAsync(batch);
            }
        }
    }

    private async Task LetGoAsync(List<Pending> batch)
    {
        try
        {
            foreach (var pending in batch)
                _cache.Drop(pending.Command.Account);
            if (_writer is not null)
                await _writer.RollbackAsync(CancellationToken.None);
        }
        catch (Exception lost) when (IsOutage(lost))
        {
            await RecoverAsync(batch, lost, isAgain: false);
        }
    }

    private async Task ProcessAsync(List<Pending> batch)
    {
        // After an outage nobody knows what was committed, so only an attempt under locks, which looks references up first, will do.
        for (var isUnsure = false; ; isUnsure = true)
        {
            try
            {
                if (_writer is null)
                    throw Away();
                var again = isUnsure ? batch : await AttemptAsync(batch);
                if (again.Count > 0)
                    await AttemptLockedAsync(again, isUnsure);
                return;
            }
            catch (Exception lost) when (IsOutage(lost))
            {
                await RecoverAsync(batch, lost, isAgain: isUnsure);
                batch = Unanswered(batch);
                if (batch.Count == 0)
                    return;
            }
            catch (Exception refused) when (refused is PostgresException or UnknownEventTypeException)
            {
                await SplitAsync(batch, refused);
                return;
            }
        }
    }

    private static List<Pending> Unanswered(List<Pending> batch) => [.. batch.Where(pending => !pending.IsAnswered)];

    /// <summary>The first attempt: decided over cached states, without a lock.</summary>
    /// <returns>The commands that must be decided again.</returns>
    private async Task<List<Pending>> AttemptAsync(List<Pending> batch)
    {
        await LoadMissingAsync(batch);
        var book = _cards.Book;
        _plan.Clear();
        foreach (var pending in batch)
        {
            var snapshot = _cache.Find(pending.Command.Account) ?? AccountSnapshot.Missing(pending.Command.Account);
            _plan.Decide(pending, snapshot, null, _time, book);
        }

        _plan.Fill(_trip, _writes, book, confirm: true);
        var result = await SendAsync(_trip, batch.Count);
        if (!result.GuardHeld || (_trip.Confirm.Count > 0 && result.Versions.GetValueOrDefault(RateBook.StreamId) != book.Version))
            await _cards.ReloadAsync(CancellationToken.None);

        var conflicts = 0;
        for (var s = 0; s < _plan.Appended.Count; s++)
        {
            if (result.Won[s])
            {
                _cache.Keep(BatchPlan.Committed(_plan.Appended[s]));
            }
            else
            {
                if (result.GuardHeld && !result.Repeated.Contains(s))
                    conflicts++;
                _cache.Drop(_plan.Appended[s].Account.Id);
            }
        }

        if (conflicts > 0)
            _metrics.Conflicted(conflicts);

        var recalled = result.Recalled.Count == 0 ? null : result.Recalled.Select(found => (found.StreamId, found.Id)).ToHashSet();
        var again = new List<Pending>();
        foreach (var item in _plan.Items)
        {
            if (Stands(item, result, book, recalled))
                await AnswerAsync(item);
            else
                again.Add(item.Pending);
        }

        return again;
    }

    /// <summary>Whether a decision of the first attempt is still true now that the trip is back.</summary>
    private bool Stands(BatchPlan.Item item, TripResult result, RateBook book, HashSet<(string, Guid)>? recalled)
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
        if (result.Versions.GetValueOrDefault(RateBook.StreamId) != book.Version)
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

    /// <summary>
    /// The second attempt cannot lose: the streams are locked, their states and every reference are read afresh, and only then it decides.
    /// </summary>
    /// <param name="batch">The commands.</param>
    /// <param name="isUnsure">Whether they may have been done already: then what a request did itself is its answer, also where it would be refused now.</param>
    private async Task AttemptLockedAsync(List<Pending> batch, bool isUnsure)
    {
        _metrics.AttemptedAgain(batch.Count);
        for (var round = 1; ; round++)
        {
            if (round > MaxLockedRounds)
                throw new InvalidOperationException($"{batch.Count} commands could not be decided under their own locks.");
            var ids = batch.Select(pending => pending.Command.Account).Distinct().ToList();
            await _writer!.LockAsync([.. ids.Select(id => id.StreamId).Order(StringComparer.Ordinal)], CancellationToken.None);
            var states = await _snapshots.LoadAsync(ids, CancellationToken.None);
            var pasts = await RecallAsync(batch);
            var book = _cards.Book;
            _plan.Clear();
            foreach (var pending in batch)
            {
                var (past, done) = pasts[pending];
                if (isUnsure && done is { } own)
                    _plan.AddDone(pending, states[pending.Command.Account], own);
                else
                    _plan.Decide(pending, states[pending.Command.Account], past, _time, book);
            }

            _plan.Fill(_trip, _writes, book, confirm: false);
            _trip.Confirm.Add(RateBook.StreamId);
            var result = await SendAsync(_trip, batch.Count);
            if (_trip.Streams.Count > 0 ? !result.GuardHeld : result.Versions.GetValueOrDefault(RateBook.StreamId) != book.Version)
            {
                await _cards.ReloadAsync(CancellationToken.None);
                continue;
            }

            for (var s = 0; s < _plan.Appended.Count; s++)
            {
                if (result.Won[s])
                    _cache.Keep(BatchPlan.Committed(_plan.Appended[s]));
            }

            var again = new List<Pending>();
            foreach (var item in _plan.Items)
            {
                // A stream that did not exist had no row to lock; who lost the race to open it decides again, on what is there now.
                if (item.Work.Append is not null && !result.Won[item.Work.Index])
                    again.Add(item.Pending);
                else
                    await AnswerAsync(item);
            }

            if (again.Count == 0)
                return;
            batch = again;
        }
    }

    /// <summary>The facts that stand under each command's ids, and the last one of them that the very same request recorded.</summary>
    private async Task<Dictionary<Pending, (Past Past, Fact? Done)>> RecallAsync(List<Pending> batch)
    {
        var wanted = batch
            .SelectMany(pending => pending.Command.Recalls.Select(id => (pending.Command.Account.StreamId, id)))
            .Distinct()
            .ToList();
        var found = (await _log.FindAsync(wanted, CancellationToken.None)).ToDictionary(
            stored => (stored.StreamId, stored.Id),
            stored => (Fact: LedgerEvents.ToFact(stored), stored.CorrelationId)
        );
        var recalled = new Dictionary<Pending, (Past, Fact?)>(batch.Count);
        foreach (var pending in batch)
        {
            var facts = new List<Fact>(1);
            Fact? done = null;
            foreach (var id in pending.Command.Recalls)
            {
                if (!found.TryGetValue((pending.Command.Account.StreamId, id), out var known))
                    continue;
                facts.Add(known.Fact);
                if (known.CorrelationId == pending.Caller.RequestId && !(done?.Version > known.Fact.Version))
                    done = known.Fact;
            }

            recalled.Add(pending, (Past.Of(facts), done));
        }

        return recalled;
    }

    private async Task LoadMissingAsync(List<Pending> batch)
    {
        HashSet<AccountId>? missing = null;
        foreach (var pending in batch)
        {
            if (_cache.Find(pending.Command.Account) is null)
                (missing ??= []).Add(pending.Command.Account);
        }

        _metrics.LookedUp(batch.Count - (missing?.Count ?? 0), missing?.Count ?? 0);
        if (missing is null)
            return;
        foreach (var snapshot in (await _snapshots.LoadAsync(missing, CancellationToken.None)).Values)
        {
            // What does not exist is not kept: made-up ids must not push real accounts out.
            if (snapshot.Account.Version > 0)
                _cache.Keep(snapshot);
        }
    }

    private async Task<TripResult> SendAsync(Trip trip, int commands)
    {
        using var activity = LedgerMetrics.Activities.StartActivity("ledger.commit");
        activity?.SetTag("ledger.commit.size", commands);
        var started = _time.GetTimestamp();
        var result = await _writer!.SendAsync(trip, CancellationToken.None);
        if (trip.Streams.Count > 0)
            _metrics.Committed(commands, _time.GetElapsedTime(started));
        return result;
    }

    private async Task AnswerAsync(BatchPlan.Item item)
    {
        var verdict = item.Verdict;
        if (item.IsSettled)
        {
            _plan.Remember(item);
        }
        else if (!item.KnowsAvailable && verdict.Answer is { } first)
        {
            // The first answer told what was available then. Memory no longer knows; the log does.
            var then = await _snapshots.FoldAsync(item.Pending.Command.Account, first.Version, CancellationToken.None);
            verdict = verdict with { Available = then.Account.Wallet.Available(Domain.Money.Unit.Credits, first.At) };
            _recent.Keep(first, verdict.Available);
        }

        _metrics.Answered(verdict);
        item.Pending.Complete(verdict);
    }

    /// <summary>
    /// PostgreSQL refused something, or a stream holds what only a newer server can read: the batch is halved until the culprit stands alone,
    /// so that its neighbours do not pay for it.
    /// </summary>
    private async Task SplitAsync(List<Pending> batch, Exception refused)
    {
        await _writer!.RollbackAsync(CancellationToken.None);
        var open = Unanswered(batch);
        var state = (refused as PostgresException)?.SqlState;
        if (state is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure)
        {
            if (open.Count > 0)
                await ProcessAsync(open);
            return;
        }

        foreach (var pending in open)
            _cache.Drop(pending.Command.Account);
        if (open.Count == 0)
            return;
        if (open.Count == 1)
        {
            LogPoison(_logger, open[0].Command.GetType().Name, open[0].Caller.RequestId, state ?? "version skew", refused);
            open[0].Fail(refused);
            return;
        }

        var half = open.Count / 2;
        await ProcessAsync(open[..half]);
        await ProcessAsync(open[half..]);
    }

    /// <summary>
    /// The connection is gone and nobody knows whether the last batch was committed. Everything cached is dropped, and the old server process
    /// is ended and waited for, so that references can be looked up and decided on. Who has no patience gets 503 and may repeat. Returns
    /// with a connection, or with the whole batch answered where the lane stops.
    /// </summary>
    private async Task RecoverAsync(List<Pending> batch, Exception lost, bool isAgain)
    {
        _down = true;
        _metrics.LostConnection();
        LogLost(_logger, lost);
        var why = lost;
        await CloseAsync();
        _cache.Clear();
        _recent.Clear();

        // Lost right after it was found again, as on a full disk: not at full speed.
        for (var delay = TimeSpan.FromMilliseconds(50); ; delay = delay * 2 < MaxDelay ? delay * 2 : MaxDelay)
        {
            if (isAgain)
                await PauseAsync(delay);
            isAgain = true;
            foreach (var pending in batch)
            {
                if (
                    !pending.IsAnswered
                    && (_stop.IsCancellationRequested || _time.GetElapsedTime(pending.Since) > _options.RecoveryPatience)
                )
                    pending.Fail(Away(why));
            }

            try
            {
                _writer = await _log.OpenWriterAsync(_writes.All, _stop.Token);
                if (_lostBackend is { } backend)
                    await EndAsync(backend);
                _lostBackend = null;
                await _cards.ReloadAsync(CancellationToken.None);
                LogRecovered(_logger);
                _down = false;
                return;
            }
            catch (Exception again) when (IsOutage(again) || again is OperationCanceledException)
            {
                why = again;
                await CloseAsync();
                while (_queue.Reader.TryRead(out var queued))
                    queued.Fail(Away(again));
                if (_stop.IsCancellationRequested && Unanswered(batch).Count == 0)
                    return;
            }
        }
    }

    private async Task CloseAsync()
    {
        if (_writer is null)
            return;
        _lostBackend ??= _writer.Backend;
        await DisposeQuietlyAsync(_writer);
        _writer = null;
    }

    private async Task PauseAsync(TimeSpan delay)
    {
        try
        {
            await Task.Delay(delay, _time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // Stopping: whoever still waits is answered at once.
        }
    }

    /// <summary>Ends the server process behind a lost connection and waits until it is gone: until then its transaction could still commit.</summary>
    /// <exception cref="TimeoutException">It does not end, such as one that is stopped: whoever waits behind it must be told.</exception>
    private async Task EndAsync(Backend backend)
    {
        var since = _time.GetTimestamp();
        while (true)
        {
            await using var command = _database.CreateCommand(
                "select pg_terminate_backend(a.pid) from pg_stat_activity a where a.pid = $1 and a.backend_start = $2"
            );
            command.Parameters.Add(new() { Value = backend.ProcessId });
            command.Parameters.Add(new() { Value = backend.StartedAt });
            if (await command.ExecuteScalarAsync(_stop.Token) is null)
                return;
            if (_time.GetElapsedTime(since) > MaxDelay)
                throw new TimeoutException("The server process behind the lost connection does not end.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), _time, _stop.Token);
        }
    }

    private static async Task DisposeQuietlyAsync(ILogWriter writer)
    {
        try
        {
            await writer.DisposeAsync();
        }
        catch (NpgsqlException)
        {
            // The connection was broken already; that is why it is disposed of.
        }
    }

    private static LedgerUnavailableException Away(Exception? why = null) =>
        new("The ledger's database is away; come back in a moment.", TimeSpan.FromSeconds(1), why);

    /// <summary>Whether the outcome is unknown or the server cannot serve at all, as opposed to PostgreSQL having refused our statement.</summary>
    private static bool IsOutage(Exception fault) =>
        fault switch
        {
            PostgresException { SqlState: var state } => state.StartsWith("08", StringComparison.Ordinal)
                || state.StartsWith("57", StringComparison.Ordinal)
                || state.StartsWith("53", StringComparison.Ordinal)
                || state.StartsWith("58", StringComparison.Ordinal)
                || state is PostgresErrorCodes.ReadOnlySqlTransaction,
            LedgerUnavailableException
            or NpgsqlException
            or IOException
            or TimeoutException
            or System.Net.Sockets.SocketException
            or ObjectDisposedException => true,
            _ => false,
        };

    [LoggerMessage(Level = LogLevel.Error, Message = "A lane failed; its batch was answered with the fault.")]
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
