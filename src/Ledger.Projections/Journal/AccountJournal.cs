using System.Collections.Immutable;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Journal;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Npgsql;

namespace Ledger.Projections.Journal;

/// <summary>One entry of an account's journal.</summary>
/// <param name="Stored">The event as it stands in the log.</param>
/// <param name="Entry">What it moved.</param>
public sealed record JournalLine(StoredEvent Stored, Entry Entry);

/// <summary>A part of an account's journal.</summary>
/// <param name="Lines">In the order of versions.</param>
/// <param name="Next">The version after which the next part begins; null where there is no more.</param>
public sealed record JournalPage(IReadOnlyList<JournalLine> Lines, long? Next);

/// <summary>An account's statement of a time.</summary>
/// <param name="From">The first moment of it.</param>
/// <param name="To">The first moment after it.</param>
/// <param name="Version">The last version that it counts.</param>
/// <param name="IsFinal">Whether nothing can be recorded any more that would count in it.</param>
/// <param name="Statement">The statement.</param>
public sealed record PeriodStatement(DateTimeOffset From, DateTimeOffset To, long Version, bool IsFinal, Statement Statement);

/// <summary>
/// An account's books: its journal, what it had at any moment, statements of any time. Nothing is folded from the first event: each begins at the nearest
/// state checkpoint, sums at the nearest totals that are kept beside it.
/// </summary>
/// <param name="database">Connections for reading.</param>
/// <param name="log">The log.</param>
/// <param name="snapshots">States as of a version.</param>
/// <param name="scan">Finds versions by time.</param>
public sealed class AccountJournal(NpgsqlDataSource database, IEventLog log, AccountSnapshots snapshots, LogScan scan)
{
    private const int Page = 1000;

    /// <summary>
    /// How far clocks may be apart, and a commit may take: what is recorded later than this after the end of a time does not count in it.
    /// </summary>
    public static readonly TimeSpan Settling = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Least = TimeSpan.FromMicroseconds(1);

    private readonly JournalTotals _totals = new(database);

    /// <summary>The last version that was recorded before a time; 0 where none was.</summary>
    public async Task<long> VersionBeforeAsync(AccountId id, DateTimeOffset at, CancellationToken ct) =>
        await scan.VersionAtAsync(id.StreamId, at, ct) - 1;

    /// <summary>The last version that stands at a position of the log or before it; 0 where none does.</summary>
    public Task<long> VersionUpToAsync(AccountId id, long position, CancellationToken ct) =>
        scan.VersionUpToAsync(id.StreamId, position, ct);

    /// <summary>Whether nothing that would count before a moment can come to light any more: time enough has passed, and no commit of then hangs.</summary>
    /// <param name="to">The first moment that does not count.</param>
    /// <param name="now">The present.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<bool> HasSettledAsync(DateTimeOffset to, DateTimeOffset now, CancellationToken ct) =>
        to + Settling <= now && await scan.HasSettledAsync(ct);

    /// <summary>The state at a moment, with what was due by then, whether it was recorded by then or not.</summary>
    public async Task<Account> StateAtAsync(AccountId id, DateTimeOffset at, CancellationToken ct)
    {
        var version = await VersionBeforeAsync(id, at + Least, ct);
        return (await snapshots.FoldAsync(id, version, ct)).Account.LapsedAt(at);
    }

    /// <summary>The state right after a version; after the last one where there are fewer.</summary>
    public async Task<Account> StateAtAsync(AccountId id, long version, CancellationToken ct) =>
        (await snapshots.FoldAsync(id, version, ct)).Account;

    /// <summary>The entries after a version up to another, as far as a page goes; events that move nothing are left out.</summary>
    /// <param name="id">The account.</param>
    /// <param name="after">The version before the first.</param>
    /// <param name="upTo">The last version.</param>
    /// <param name="limit">The most entries.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<JournalPage> ReadAsync(AccountId id, long after, long upTo, int limit, CancellationToken ct)
    {
        var lines = new List<JournalLine>();
        if (after >= upTo)
            return new(lines, null);
        var books = Books.Of((await snapshots.FoldAsync(id, after, ct)).Account);

        // Bounded also where nearly nothing moves: a page may be short, or even empty, and still have a next one.
        for (var read = 0; read < 10 * Page; )
        {
            var wanted = (int)Math.Min(Page, upTo - after);
            var page = await log.ReadStreamAsync(id.StreamId, after, wanted, ct);
            var reversed = await Reversals.FindAsync(log, page, ct);
            foreach (var stored in page)
            {
                var fact = LedgerEvents.ToFact(stored);
                var entry = books.Post(fact, reversed.Of(stored.StreamId, fact));
                books = books.After(fact);
                after = stored.Version;
                if (entry.IsEmpty)
                    continue;
                lines.Add(new(stored, entry));
                if (lines.Count == limit)
                    return new(lines, after < upTo ? after : null);
            }

            if (page.Count < wanted || after >= upTo)
                return new(lines, null);
            read += page.Count;
        }

        return new(lines, after);
    }

    /// <summary>Everything that was moved up to a version, and the state then; the last version where there are fewer.</summary>
    public async Task<(Account Account, Totals Totals)> TotalsAsync(AccountId id, long version, CancellationToken ct)
    {
        var (from, totals) = await _totals.FindAsync(id, version, ct) ?? (0, Totals.None);
        var snapshot = await snapshots.FoldAsync(id, from, ct);
        var books = Books.Of(snapshot.Account);
        while (snapshot.Account.Version < version)
        {
            var wanted = (int)Math.Min(Page, version - snapshot.Account.Version);
            var page = await log.ReadStreamAsync(id.StreamId, snapshot.Account.Version, wanted, ct);
            var reversed = await Reversals.FindAsync(log, page, ct);
            foreach (var stored in page)
            {
                var fact = LedgerEvents.ToFact(stored);
                totals = totals.Plus(books.Post(fact, reversed.Of(stored.StreamId, fact)));
                books = books.After(fact);
                snapshot = snapshot.Then(stored);
                if (snapshot.Account.Version % snapshots.Checkpoints.Every != 0)
                    continue;
                await snapshots.Checkpoints.TrySaveAsync(snapshot, ct);
                await _totals.TrySaveAsync(id, snapshot.Account.Version, snapshot.LastHash, totals, ct);
            }

            if (page.Count < wanted)
                break;
        }

        return (snapshot.Account, totals);
    }

    /// <summary>Keeps totals up to a version, so that statements that begin or end after it need not read what is before.</summary>
    internal Task KeepAsync(AccountId id, long version, ReadOnlyMemory<byte> hash, Totals totals, CancellationToken ct) =>
        _totals.TrySaveAsync(id, version, hash, totals, ct);

    /// <summary>
    /// The statement of a time. What was due by its start or its end and recorded later counts in it as if it had been recorded then, so that each opens with
    /// what the one before closed with.
    /// </summary>
    /// <param name="id">The account.</param>
    /// <param name="from">The first moment.</param>
    /// <param name="to">The first moment after it.</param>
    /// <param name="now">The present.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<PeriodStatement> StateAsync(
        AccountId id,
        DateTimeOffset from,
        DateTimeOffset to,
        DateTimeOffset now,
        CancellationToken ct
    )
    {
        var end = to <= now ? to : now + Least;
        var upTo = await VersionBeforeAsync(id, end, ct);
        var (_, opening) = await CloseAsync(id, from < end ? from : end, ct);
        var (version, closing) = await CloseAsync(id, end, ct);

        // Times never fall along a stream: once it has gone on past the end, nothing can come before it any more.
        var isFinal = to <= now && (await HasAfterAsync(id, upTo, ct) || await HasSettledAsync(to, now, ct));
        return new(from, to, version, isFinal, Statement.Between(opening, closing));
    }

    /// <summary>
    /// The statement of a time as of a version in it, of what was recorded by then, and what was due before that time: what lapsed unnoticed is recorded by the first
    /// events in it, and a version may lie between these.
    /// </summary>
    /// <param name="id">The account.</param>
    /// <param name="from">The first moment.</param>
    /// <param name="version">The last version that it counts.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<PeriodStatement> StateAsync(AccountId id, DateTimeOffset from, long version, CancellationToken ct)
    {
        var (_, opening) = await CloseAsync(id, from, ct);
        var (account, totals) = await TotalsAsync(id, version, ct);
        return new(from, account.LastAt, account.Version, false, Statement.Between(opening, WithDue(account, totals, from)));
    }

    /// <summary>What was moved before a moment, with what was due before it.</summary>
    private async Task<(long Version, Totals Totals)> CloseAsync(AccountId id, DateTimeOffset at, CancellationToken ct)
    {
        var (account, totals) = await TotalsAsync(id, await VersionBeforeAsync(id, at, ct), ct);
        return (account.Version, WithDue(account, totals, at));
    }

    private static Totals WithDue(Account account, Totals totals, DateTimeOffset before)
    {
        var books = Books.Of(account);
        foreach (var fact in account.DueAt(before - Least))
        {
            totals = totals.Plus(books.Post(fact));
            books = books.After(fact);
        }

        return totals;
    }

    private async Task<bool> HasAfterAsync(AccountId id, long version, CancellationToken ct) =>
        (await log.ReadStreamAsync(id.StreamId, version, 1, ct)).Count > 0;
}

/// <summary>What reversals reverse, looked up in the log: it knows the model of a call.</summary>
internal sealed class Reversals
{
    private static readonly Reversals None = new([]);
    private static readonly string Type = LedgerEvents.Types.NameOf<SpendReversed>();
    private readonly Dictionary<(string Stream, Guid Id), AccountEvent> _spends;

    private Reversals(Dictionary<(string, Guid), AccountEvent> spends) => _spends = spends;

    /// <summary>What the reversals among some events reverse.</summary>
    public static async Task<Reversals> FindAsync(IEventLog log, IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        var wanted = page.Where(stored => stored.Type == Type)
            .Select(stored => (stored.StreamId, ((SpendReversed)LedgerEvents.Types.Read(stored)).Spend.Value))
            .Distinct()
            .ToList();
        return wanted.Count == 0
            ? None
            : new(
                (await log.FindAsync(wanted, ct)).ToDictionary(
                    stored => (stored.StreamId, stored.Id),
                    stored => (AccountEvent)LedgerEvents.Types.Read(stored)
                )
            );
    }

    /// <summary>What a fact reverses; null where it is no reversal.</summary>
    public AccountEvent? Of(string stream, in Fact fact) =>
        fact.Event is SpendReversed reversed ? _spends.GetValueOrDefault((stream, reversed.Spend.Value)) : null;
}
