using Ledger.Api.Decisions;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Accounts;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ledger.Api.Application;

/// <summary>
/// The one door to the ledger: commands in, verdicts out after their commit; and reads of what is committed now.
/// Before it is started, and while the database is away, it refuses everything as unavailable.
/// </summary>
public sealed class LedgerService : IAsyncDisposable
{
    private readonly Lane[] _lanes;
    private readonly AccountCache _cache;
    private readonly CurrentAccounts _current;
    private readonly CheckpointWriter _checkpoints;
    private readonly RateCards _cards;
    private readonly NpgsqlDataSource _database;
    private readonly IEventLog _log;
    private bool _stopped;

    /// <summary>Makes the lanes.</summary>
    public LedgerService(
        IOptions<LedgerOptions> options,
        IEventLog log,
        NpgsqlDataSource database,
        AccountSnapshots snapshots,
        RateCards cards,
        KeyDirectory keys,
        TimeProvider time,
        LedgerMetrics metrics,
        RefusalBook refusals,
        ILogger<LedgerService> logger
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(metrics);
        var settings = options.Value;

        // A lost connection may be a fail-over. Nothing in memory outlives that, and no idle connection either: it may lead to the old primary.
        var cache = _cache = new AccountCache(
            settings.CachedAccounts,
            cleared: () =>
            {
                keys.Clear();
                database.Clear();
            }
        );
        _cards = cards;
        _checkpoints = new(snapshots.Checkpoints, logger);
        _lanes =
        [
            .. Enumerable
                .Range(0, settings.Lanes)
                .Select(_ => new Lane(settings, log, database, snapshots, cache, _checkpoints, cards, time, metrics, refusals, logger)),
        ];
        _current = new(log, snapshots, cache, cards, settings, logger);
        (_database, _log) = (database, log);
        metrics.Watch(() => _lanes.Sum(lane => lane.Depth), () => _lanes.Count(lane => lane.IsRunning), () => cache.Count);
    }

    /// <summary>Whether every lane has its connection and takes commands.</summary>
    public bool IsRunning => !_stopped && _lanes.All(lane => lane.IsRunning);

    /// <summary>
    /// Decides a command and makes it so. The verdict comes after the commit; a refusal, after the version it rests on was confirmed.
    /// </summary>
    /// <exception cref="LedgerUnavailableException">The database is away or the queue is full.</exception>
    public Task<Verdict> ExecuteAsync(AccountCommand command, in Caller caller)
    {
        ArgumentNullException.ThrowIfNull(command);
        return _lanes[LaneOf(command.Account)].SendAsync(command, caller);
    }

    /// <summary>
    /// The same, and what it came to in memory where that is known at once: on this node's knowledge it will be so, but only the answer makes it so. For
    /// work that may begin while the commit is under way and of which nobody is told before the answer.
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="caller">On whose behalf.</param>
    /// <param name="early">What it is expected to come to; null where that is not known yet.</param>
    /// <exception cref="LedgerUnavailableException">The database is away or the queue is full.</exception>
    public Task<Verdict> Execute(AccountCommand command, in Caller caller, out Verdict? early)
    {
        ArgumentNullException.ThrowIfNull(command);
        var pending = _lanes[LaneOf(command.Account)].Send(command, caller, isHurried: true);
        early = pending.Early;
        return pending.Answer;
    }

    /// <summary>
    /// The account as this node knew it last, for what need not be exact, such as a rate limit; read, where it does not know it. What is decided by it
    /// must be decided again by a command.
    /// </summary>
    /// <exception cref="LedgerUnavailableException">The database is away or too many ask at once.</exception>
    public async ValueTask<Account> GlimpseAsync(AccountId account) =>
        _cache.Find(account)?.Account ?? (await _current.ReadAsync(account)).Account;

    /// <summary>Every version of the price list that this node knows of.</summary>
    public RateBook Book => _cards.Book;

    /// <summary>The account as it is committed now, with the price list.</summary>
    /// <exception cref="LedgerUnavailableException">The database is away or too many ask at once.</exception>
    public Task<CurrentAccount> ReadAsync(AccountId account) => _current.ReadAsync(account);

    /// <summary>The fact that stands in an account's stream under an id, if there is one.</summary>
    public async Task<Fact?> FindAsync(AccountId account, Guid id, CancellationToken ct) =>
        await _log.FindAsync([(account.StreamId, id)], ct) is [var stored] ? LedgerEvents.ToFact(stored) : null;

    /// <summary>Reads the price list, opens every lane's connection, and takes commands from then on. To be called again where it failed.</summary>
    public async Task StartAsync(CancellationToken ct)
    {
        // What a crash left on this machine alone must be where commits are promised to be, before anybody is answered from it.
        await Replication.CatchUpAsync(_database, ct);
        await _cards.ReloadAsync(ct);
        foreach (var lane in _lanes)
            await lane.StartAsync(ct);
        _current.Start();
    }

    /// <summary>Takes nothing more, and returns when all that was queued is decided and answered.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopped)
            return;
        _stopped = true;
        foreach (var lane in _lanes)
            await lane.DisposeAsync();
        await _current.DisposeAsync();
        await _checkpoints.DisposeAsync();
    }

    private int LaneOf(AccountId account)
    {
        if (_lanes.Length == 1)
            return 0;
        var hash = 2166136261u;
        foreach (var c in account.Value)
            hash = unchecked((hash ^ c) * 16777619);
        return (int)(hash % (uint)_lanes.Length);
    }
}
