using System.Threading.Channels;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Application;

/// <summary>An account as it is committed now, and the price list as it is published now.</summary>
/// <param name="Account">The account's state; nothing that is merely due has lapsed in it.</param>
/// <param name="Book">The price list.</param>
public readonly record struct CurrentAccount(Account Account, RateBook Book);

/// <summary>
/// Reads that must be current without a database read each: states come from memory, and one small query confirms the versions of all
/// that are asked for at once. What another node has changed is loaded anew before anybody is answered.
/// </summary>
internal sealed partial class CurrentAccounts : IAsyncDisposable
{
    private readonly IEventLog _log;
    private readonly AccountSnapshots _snapshots;
    private readonly AccountCache _cache;
    private readonly RateCards _cards;
    private readonly LedgerOptions _options;
    private readonly ILogger _logger;
    private readonly Channel<Ask> _queue;
    private readonly Trip _trip = new();
    private ILogWriter? _reader;
    private Task _run = Task.CompletedTask;

    public CurrentAccounts(
        IEventLog log,
        AccountSnapshots snapshots,
        AccountCache cache,
        RateCards cards,
        LedgerOptions options,
        ILogger logger
    )
    {
        (_log, _snapshots, _cache, _cards, _options, _logger) = (log, snapshots, cache, cards, options, logger);
        _queue = Channel.CreateBounded<Ask>(new BoundedChannelOptions(options.QueueCapacity) { SingleReader = true });
    }

    public void Start() => _run = Task.Run(RunAsync);

    private bool IsStarted => _run != Task.CompletedTask;

    /// <summary>The account as it is now.</summary>
    /// <exception cref="LedgerUnavailableException">Too many ask at once, or the database is away.</exception>
    public Task<CurrentAccount> ReadAsync(AccountId id)
    {
        if (!IsStarted)
            throw new LedgerUnavailableException("The ledger is starting; come back in a moment.", TimeSpan.FromSeconds(1));
        var ask = new Ask(id);
        if (!_queue.Writer.TryWrite(ask))
            throw LedgerUnavailableException.Busy();
        return ask.Answer.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _run;
        if (_reader is not null)
            await _reader.DisposeAsync();
    }

    private async Task RunAsync()
    {
        var batch = new List<Ask>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            batch.Clear();
            while (batch.Count < _options.MaxBatch && _queue.Reader.TryRead(out var ask))
                batch.Add(ask);
            await AnswerAsync(batch);
        }
    }

    private async Task AnswerAsync(List<Ask> batch)
    {
        while (true)
        {
            var wasOpen = _reader is not null;
            try
            {
                await ConfirmAsync(batch);
                return;
            }
            catch (Exception fault) when (Outage.Is(fault))
            {
                LogAway(_logger, fault);
                await CloseAsync();

                // A connection that broke may be older than an outage that is over: a new one tells.
                if (wasOpen)
                    continue;
                Fail(batch, LedgerUnavailableException.Away(fault));
                return;
            }
            catch (Exception fault)
            {
                // One account's trouble, such as a history that a newer server wrote, is not its neighbours'.
                if (batch.Count == 1)
                {
                    LogFault(_logger, fault);
                    Fail(batch, fault);
                    return;
                }

                foreach (var ask in batch)
                    await AnswerAsync([ask]);
                return;
            }
        }
    }

    private static void Fail(List<Ask> batch, Exception fault)
    {
        foreach (var ask in batch)
            ask.Answer.TrySetException(fault);
    }

    private async Task CloseAsync()
    {
        _cache.Clear();
        if (_reader is not { } broken)
            return;
        _reader = null;
        try
        {
            await broken.DisposeAsync();
        }
        catch (Exception)
        {
            // Broken already.
        }
    }

    private async Task ConfirmAsync(List<Ask> batch)
    {
        if (_reader is null)
        {
            // Nothing that was known by an earlier connection is known to be in the log that this one leads to.
            _reader = await _log.OpenWriterAsync([], CancellationToken.None);
            await _cards.ReloadAsync(CancellationToken.None);
        }

        var book = _cards.Book;
        var epoch = _cache.Epoch;
        _trip.Clear();
        _trip.Confirm.Add(RateBook.StreamId);
        var kept = new Dictionary<AccountId, AccountSnapshot?>(batch.Count);
        foreach (var ask in batch)
        {
            if (kept.ContainsKey(ask.Id))
                continue;
            var snapshot = _cache.Find(ask.Id);
            kept.Add(ask.Id, snapshot);
            if (snapshot is not null)
                _trip.Confirm.Add(ask.Id.StreamId);
        }

        var versions = (await _reader.SendAsync(_trip, CancellationToken.None)).Versions;
        if (versions.GetValueOrDefault(RateBook.StreamId) != book.Version)
            book = await _cards.ReloadAsync(CancellationToken.None);

        var stale = kept.Where(pair => pair.Value is null || versions.GetValueOrDefault(pair.Key.StreamId) != pair.Value.Account.Version)
            .Select(pair => pair.Key)
            .ToList();
        if (stale.Count > 0)
        {
            foreach (var (id, snapshot) in await _snapshots.LoadAsync(stale, CancellationToken.None))
            {
                kept[id] = snapshot;
                if (snapshot.Account.Version > 0)
                    _cache.Keep(snapshot, epoch);
            }
        }

        foreach (var ask in batch)
            ask.Answer.TrySetResult(new(kept[ask.Id]!.Account, book));
    }

    private sealed class Ask(AccountId id)
    {
        public AccountId Id { get; } = id;

        public TaskCompletionSource<CurrentAccount> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Current states could not be confirmed; the database is away.")]
    private static partial void LogAway(ILogger logger, Exception fault);

    [LoggerMessage(Level = LogLevel.Error, Message = "A current state could not be read.")]
    private static partial void LogFault(ILogger logger, Exception fault);
}
