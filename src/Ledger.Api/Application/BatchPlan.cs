using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Application;

/// <summary>
/// The decisions of one batch, made in order over states in memory, each on top of those before it; and the trip that makes them true.
/// Nothing outside the plan changes until the trip has come back.
/// </summary>
internal sealed class BatchPlan(RecentAnswers recent)
{
    private readonly Dictionary<AccountId, Work> _works = [];
    private readonly Dictionary<Guid, RecentAnswer> _answers = [];
    private readonly List<Item> _items = [];
    private readonly List<Work> _appended = [];

    /// <summary>What each command came to, in order.</summary>
    public IReadOnlyList<Item> Items => _items;

    /// <summary>The accounts that are appended to, in the order of the trip's streams.</summary>
    public IReadOnlyList<Work> Appended => _appended;

    /// <summary>The price list that every decision was made by; empty before the first.</summary>
    public RateBook Book { get; private set; } = RateBook.Empty;

    /// <summary>Whether any command recorded nothing, being refused, repeated, or so already: then versions must be confirmed.</summary>
    public bool Asks { get; private set; }

    /// <summary>Starts anew.</summary>
    public void Clear()
    {
        _works.Clear();
        _answers.Clear();
        _items.Clear();
        _appended.Clear();
        Book = RateBook.Empty;
        Asks = false;
    }

    /// <summary>An account's part, where the plan has touched it.</summary>
    public Work? Find(AccountId account) => _works.GetValueOrDefault(account);

    /// <summary>Decides one command.</summary>
    /// <param name="pending">The command.</param>
    /// <param name="basis">The state that its account's part is built on, where the plan has not touched the account yet: committed, or what the plan under way makes of it.</param>
    /// <param name="past">The facts found under the command's ids; null where nobody has looked yet.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cards">The price list of now, asked for at the first decision.</param>
    /// <param name="earlier">The plan whose trip is under way, on which this one builds.</param>
    public void Decide(Pending pending, AccountSnapshot? basis, Past? past, TimeProvider time, RateCards cards, BatchPlan? earlier)
    {
        if (Book.Version == 0)
            Book = cards.Book;
        var command = pending.Command;
        var work = _works.GetValueOrDefault(command.Account);
        var before = work?.Account ?? basis!.Account;
        var now = LedgerTime.Later(time, before.LastAt);
        var card = Book.InForce(now) ?? throw new LedgerUnavailableException("No rate card is in force yet.", TimeSpan.FromSeconds(1));
        if (work is null)
            _works.Add(command.Account, work = new(basis!));

        var known = FindAnswer(command.Id) ?? earlier?.FindAnswer(command.Id) ?? recent.Find(command.Id);
        var outcome = before.Transact(command, new(now, card, known is { } answer ? Past.Of(answer.Fact) : past ?? Past.None, Book));
        if (outcome.Facts.IsEmpty)
        {
            work.Account = outcome.After;
            Asks = true;
            var answered = outcome.Decision is Decision<AccountEvent>.Repeated { First: var first } ? first : (Fact?)null;
            var available = known?.Available ?? before.LapsedAt(now).Wallet.Available(Unit.Credits, now);
            _items.Add(
                new(
                    pending,
                    work,
                    new(outcome.Decision, answered, available)
                    {
                        RefusedOn = outcome.Decision is Decision<AccountEvent>.Rejected ? new(before.Version, now, card.Version) : null,
                    },
                    KnowsAvailable: answered is null || known is not null,
                    MayRecall: past is null && known is null
                )
            );
            return;
        }

        work.Add(outcome, pending.Caller);
        var own = AnswerAmong(outcome);
        var after = outcome.After.Wallet.Available(Unit.Credits, now);
        if (own is { } fact)
            _answers.TryAdd(fact.Id, new(fact, after));
        var settled = new Verdict(outcome.Decision, own, after) { After = outcome.After };
        _items.Add(new(pending, work, settled, KnowsAvailable: true, MayRecall: false) { IsSettled = true });
        pending.Early ??= settled;
    }

    /// <summary>Takes what a command did before its connection was lost for its answer: it is neither decided again nor a repeat.</summary>
    public void AddDone(Pending pending, AccountSnapshot snapshot, in Fact done, RateCards cards)
    {
        if (Book.Version == 0)
            Book = cards.Book;
        if (!_works.TryGetValue(pending.Command.Account, out var work))
            _works.Add(pending.Command.Account, work = new(snapshot));
        Asks = true;
        var verdict = new Verdict(new Decision<AccountEvent>.Accepted([done.Event]), done, default);
        _items.Add(new(pending, work, verdict, KnowsAvailable: false, MayRecall: false));
    }

    /// <summary>Takes an account's part out, where what it was based on did not come true.</summary>
    /// <returns>The commands that must be decided again.</returns>
    public List<Pending> Void(AccountId account)
    {
        if (!_works.Remove(account, out var work))
            return [];
        work.IsVoid = true;
        var again = new List<Pending>();
        foreach (var item in _items)
        {
            if (item.Work != work)
                continue;
            again.Add(item.Pending);

            // What was never done has no answer that somebody could repeat.
            if (item.IsSettled && item.Verdict.Answer is { } never)
                _answers.Remove(never.Id);
        }

        return again;
    }

    /// <summary>Fills the trip and the read models' columns.</summary>
    public void Fill(Trip trip, AccountWrites writes, bool confirm)
    {
        trip.Clear();
        writes.Clear();
        foreach (var work in _works.Values)
        {
            if (work.Append is not null)
                _appended.Add(work);
        }

        _appended.Sort(static (left, right) => string.CompareOrdinal(left.Append!.StreamId, right.Append!.StreamId));
        for (var s = 0; s < _appended.Count; s++)
        {
            var work = _appended[s];
            work.Index = s;
            trip.Streams.Add(work.Append!);
            writes.Add(s + 1, work.Snapshot.Account, work.Account, work.Facts, work.Append!.LastHash);
        }

        trip.Guard = (RateBook.StreamId, Book.Version);
        if (!confirm || !Asks)
            return;
        trip.Confirm.Add(RateBook.StreamId);
        foreach (var item in _items)
        {
            if (item.IsSettled || item.Work.IsVoid)
                continue;
            if (item.Work.Append is null && !item.Work.IsConfirmed)
            {
                item.Work.IsConfirmed = true;
                trip.Confirm.Add(item.Pending.Command.Account.StreamId);
            }

            if (item.Verdict.Refusal is null || !item.MayRecall)
                continue;
            foreach (var id in item.Pending.Command.Recalls)
                trip.Recall.Add((item.Pending.Command.Account.StreamId, id));
        }
    }

    /// <summary>Whether a card was published since: by the version that a trip confirmed.</summary>
    public bool IsStale(TripResult result) => result.Versions.GetValueOrDefault(RateBook.StreamId) != Book.Version;

    /// <summary>Remembers the first answer of a command whose stream won.</summary>
    public void Remember(Item item)
    {
        if (item.Verdict is { IsRepeat: false, Answer: { } fact })
            recent.Keep(fact, item.Verdict.Available);
    }

    /// <summary>The fact of the command's own first event. What merely was due beside it answers nobody, and is remembered for nobody.</summary>
    private static Fact? AnswerAmong(in Outcome outcome)
    {
        if (outcome.Decision is not Decision<AccountEvent>.Accepted { Events: { IsEmpty: false } events })
            return null;
        foreach (var fact in outcome.Facts)
        {
            if (ReferenceEquals(fact.Event, events[0]))
                return fact;
        }

        return null;
    }

    private RecentAnswer? FindAnswer(Guid id) => _answers.TryGetValue(id, out var answer) ? answer : null;

    /// <summary>One account's part of a batch.</summary>
    public sealed class Work(AccountSnapshot snapshot)
    {
        public AccountSnapshot Snapshot { get; } = snapshot;

        public Account Account { get; set; } = snapshot.Account;

        public List<Fact> Facts { get; } = [];

        public StreamAppend? Append { get; private set; }

        /// <summary>The state that the trip makes true: the new base of the account.</summary>
        public AccountSnapshot After => new(Account, Append?.LastHash ?? Snapshot.LastHash);

        public int Index { get; set; } = -1;

        public bool IsConfirmed { get; set; }

        public bool IsVoid { get; set; }

        public void Add(in Outcome outcome, Caller caller)
        {
            Append ??= new(Snapshot.Account.Id.StreamId, Account.StreamType, Snapshot.Account.Version, Snapshot.LastHash);
            foreach (var fact in outcome.Facts)
                Append.Add(
                    new(
                        fact.Id,
                        LedgerEvents.Types.Of(fact.Event),
                        fact.Event,
                        fact.At,
                        caller.Actor,
                        caller.RequestId,
                        null,
                        caller.Address is not null && TrailRows.IsOfAccess(fact.Event) ? caller.Address : null
                    )
                );
            Facts.AddRange(outcome.Facts);
            Account = outcome.After;
        }
    }

    /// <summary>One command's part of a batch.</summary>
    /// <param name="Pending">The command.</param>
    /// <param name="Work">Its account's part.</param>
    /// <param name="Verdict">What it came to.</param>
    /// <param name="KnowsAvailable">Whether the verdict's balance is right; not so for a repeat that memory no longer held.</param>
    /// <param name="MayRecall">Whether its ids have not been looked up in the log yet.</param>
    public sealed record Item(Pending Pending, Work Work, Verdict Verdict, bool KnowsAvailable, bool MayRecall)
    {
        /// <summary>Whether it appended something, and so stands or falls with its stream alone.</summary>
        public bool IsSettled { get; init; }
    }
}
