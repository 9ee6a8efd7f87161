using System.Globalization;
using System.Runtime.InteropServices;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Journal;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Journal;

/// <summary>The sums of the books as they stand, and up to where: what a whole log is posted anew to be compared with.</summary>
/// <param name="Days">What is booked per day.</param>
/// <param name="UpTo">Up to where the log is in it, and how late its latest event is, in microseconds since 1970.</param>
/// <param name="Marks">What was booked up to some positions, in their order, and how late the latest event was.</param>
/// <param name="Kept">What was booked for single accounts up to some of their versions, which statements begin at; by stream, the first version last.</param>
/// <param name="Unlawful">The rows that cannot be read, or cannot be: by table and key.</param>
internal sealed record StandingSums(
    IReadOnlyList<PeriodTotals> Days,
    (long Position, long? Micros) UpTo,
    IReadOnlyList<StandingMark> Marks,
    IReadOnlyDictionary<string, Stack<(long Version, Totals Totals)>> Kept,
    IReadOnlyList<string> Unlawful
);

/// <summary>What was booked up to a position.</summary>
/// <param name="Position">The position.</param>
/// <param name="Micros">How late the latest event up to there is, in microseconds since 1970: reports as of a moment begin at marks by that.</param>
/// <param name="Totals">The sums; null where they cannot be read.</param>
internal readonly record struct StandingMark(long Position, long Micros, Totals? Totals);

/// <summary>Posts the whole log anew, account by account as a pass folds them, and tells where the sums that stand differ. Not safe for concurrent use.</summary>
/// <param name="log">For what reversals reverse.</param>
/// <param name="standing">The sums that stand.</param>
internal sealed class BookSums(IEventLog log, StandingSums standing)
{
    private const int Page = 1000;

    // Between two marks, within a day: some tools, paid from some sources.
    private const int MostKnown = 64;

    private readonly Dictionary<(int Mark, DateOnly Day, Move Move), Cell> _sums = [];
    private readonly List<(string Tool, PocketSource Source, Unit Unit, Cell Cell)> _spent = [];
    private readonly Dictionary<(string Stream, Guid Id), AccountEvent> _reversed = [];
    private readonly Dictionary<string, Dictionary<Move, Sum>> _running = new(StringComparer.Ordinal);
    private readonly List<string> _wrongTotals = [];
    private readonly long[] _marks = [.. standing.Marks.Select(mark => mark.Position)];
    private readonly long[] _latest = [.. Enumerable.Repeat(long.MinValue, standing.Marks.Count + 1)];
    private int _mark;
    private int _seen;
    private long _seenUpTo = standing.Marks.Count > 0 ? standing.Marks[0].Position : long.MaxValue;
    private DateOnly _day;
    private (long After, long UpTo) _positions = (0, -1);
    private (long From, long Before) _ticks;

    /// <summary>The last position that counts.</summary>
    public long UpTo => standing.UpTo.Position;

    /// <summary>Streams that could not be posted; then nothing can be compared.</summary>
    public List<UnreadableStream> Unreadable { get; } = [];

    /// <summary>A pass begins at the first position.</summary>
    public void BeginPass() => (_seen, _seenUpTo) = (0, _marks.Length > 0 ? _marks[0] : long.MaxValue);

    /// <summary>
    /// Takes the time of the next event of the log, whosesoever it is and whether it moves anything or not. Called by one thread in the order of positions, which need not be the one
    /// that posts.
    /// </summary>
    public void See(long position, long micros)
    {
        while (position > _seenUpTo)
            _seenUpTo = ++_seen < _marks.Length ? _marks[_seen] : long.MaxValue;
        if (micros > _latest[_seen] && position <= UpTo)
            _latest[_seen] = micros;
    }

    /// <summary>Looks up what the reversals among some events reverse.</summary>
    public async ValueTask LookUpAsync(List<PassEvent> events, CancellationToken ct)
    {
        List<(string, Guid)>? wanted = null;
        foreach (var next in events)
        {
            if (next.Event is SpendReversed reversed && next.Position <= UpTo)
                (wanted ??= []).Add((next.Account.StreamId, reversed.Spend.Value));
        }

        _reversed.Clear();
        if (wanted is null)
            return;
        foreach (var stored in await log.FindAsync([.. wanted.Distinct()], ct))
        {
            try
            {
                if (LedgerEvents.Types.Find(stored) is AccountEvent spend)
                    _reversed[(stored.StreamId, stored.Id)] = spend;
            }
            catch (Exception e) when (UnreadableStream.IsMeantBy(e))
            {
                // Its own stream is left where it stands, before the reversal, and whoever looks closer there says what is the matter.
            }
        }
    }

    /// <summary>Posts the next fact of an account.</summary>
    public void Post(FoldedAccount account, in Fact fact, long position)
    {
        if (position > UpTo)
            return;
        if (fact.Event is CreditsSpent spent)
        {
            Post(account, spent, fact.At, position);
            Keep(account.StreamId, fact.Version);
            return;
        }

        var reversed = fact.Event is SpendReversed e ? _reversed.GetValueOrDefault((account.StreamId, e.Spend.Value)) : null;
        var entry = account.Books.Post(fact, reversed);
        account.Books = account.Books.After(fact);
        if (entry.Transfers.IsEmpty)
        {
            Keep(account.StreamId, fact.Version);
            return;
        }

        var (mark, day) = (MarkOf(position), DateOnly.FromDateTime(entry.BookedAt.UtcDateTime));
        foreach (var transfer in entry.Transfers)
        {
            var move = new Move(transfer.Debit, transfer.Credit, transfer.Amount.Unit);
            CellOf(mark, day, move).Add(transfer.Amount.Parts, transfer.Worth);
            if (IsKept(account.StreamId))
                Add(account.StreamId, move, new(transfer.Amount.Parts, transfer.Worth));
        }

        Keep(account.StreamId, fact.Version);
    }

    // In most logs nobody has any, and nothing is looked up.
    private bool IsKept(string stream) => standing.Kept.Count > 0 && standing.Kept.TryGetValue(stream, out var kept) && kept.Count > 0;

    private void Add(string stream, Move move, Sum sum)
    {
        if (!_running.TryGetValue(stream, out var moves))
            _running.Add(stream, moves = []);
        ref var running = ref CollectionsMarshal.GetValueRefOrAddDefault(moves, move, out _);
        running = running.Plus(sum);
    }

    /// <summary>Where totals of an account are kept up to this version, they are what was posted.</summary>
    private void Keep(string stream, long version)
    {
        if (
            standing.Kept.Count == 0
            || !standing.Kept.TryGetValue(stream, out var kept)
            || !kept.TryPeek(out var next)
            || next.Version != version
        )
            return;
        kept.Pop();
        var running = _running.TryGetValue(stream, out var moves) ? moves : [];
        if (
            running.Any(sum => next.Totals.Moves.GetValueOrDefault(sum.Key) != sum.Value)
            || next.Totals.Moves.Any(sum => running.GetValueOrDefault(sum.Key) != sum.Value)
        )
            _wrongTotals.Add(JournalTotals.Name(stream["account-".Length..], version));
        if (kept.Count == 0)
            _running.Remove(stream);
    }

    /// <summary>A spend, which nearly all of a log is: the same as <see cref="Books"/> say, without an entry in between.</summary>
    private void Post(FoldedAccount account, CreditsSpent spent, DateTimeOffset at, long position)
    {
        var ticks = at.UtcTicks;
        if (position <= _positions.After || position > _positions.UpTo || ticks < _ticks.From || ticks >= _ticks.Before)
        {
            _mark = MarkOf(position);
            _day = DateOnly.FromDateTime(at.UtcDateTime);
            _positions = (_mark == 0 ? 0 : _marks[_mark - 1], _mark == _marks.Length ? long.MaxValue : _marks[_mark]);
            _ticks = (_day.DayNumber * TimeSpan.TicksPerDay, (_day.DayNumber + 1) * TimeSpan.TicksPerDay);
            _spent.Clear();
        }

        foreach (var share in spent.Paid)
        {
            if (share.Parts == 0)
                continue;
            var lot = account.Books.LotOf(share.Pocket);
            CellOf(spent.Tool, lot).Add(share.Parts, lot.WorthOf(share.Parts));
            if (IsKept(account.StreamId))
                Add(account.StreamId, MoveOf(spent.Tool, lot), new(share.Parts, lot.WorthOf(share.Parts)));
        }
    }

    private Cell CellOf(string tool, Lot lot)
    {
        // Names that come again and again are made once: it takes no look at what they say.
        foreach (var (known, source, unit, cell) in CollectionsMarshal.AsSpan(_spent))
        {
            if (ReferenceEquals(known, tool) && source == lot.Source && unit == lot.Unit)
                return cell;
        }

        var found = CellOf(_mark, _day, MoveOf(tool, lot));
        if (_spent.Count == MostKnown)
            _spent.Clear();
        _spent.Add((tool, lot.Source, lot.Unit, found));
        return found;
    }

    private static Move MoveOf(string tool, Lot lot) =>
        new(LedgerAccount.Liability(lot.Source), new(LedgerAccountKind.Revenue, tool), lot.Unit);

    private Cell CellOf(int mark, DateOnly day, Move move)
    {
        ref var cell = ref CollectionsMarshal.GetValueRefOrAddDefault(_sums, (mark, day, move), out _);
        return cell ??= new();
    }

    private int MarkOf(long position) => Array.BinarySearch(_marks, position) is var mark && mark < 0 ? ~mark : mark;

    /// <summary>Posts the rest of a stream that a pass has left.</summary>
    public async Task FollowAsync(FoldedAccount account, CancellationToken ct)
    {
        var version = account.Account.Version;
        try
        {
            while (await log.ReadStreamAsync(account.StreamId, version, Page, ct) is { Count: > 0 } page)
            {
                List<PassEvent> events =
                [
                    .. page.Select(stored => new PassEvent(
                        account,
                        (AccountEvent)LedgerEvents.Types.Read(stored),
                        stored.Id,
                        stored.Position,
                        stored.Version,
                        stored.At,
                        default,
                        default
                    )),
                ];
                await LookUpAsync(events, ct);
                foreach (var next in events)
                {
                    if (next.Version != version + 1)
                        throw new InvalidDataException($"{account.StreamId} has no version {version + 1}.");
                    Post(account, new(next.Id, next.Version, next.At, next.Event!), next.Position);
                    version = next.Version;
                }
            }
        }
        catch (Exception e) when (UnreadableStream.IsMeantBy(e))
        {
            Unreadable.Add(new(account.StreamId, version + 1, e.Message));
        }
    }

    /// <summary>Where what stands is not what was posted; nothing where all is well.</summary>
    public IReadOnlyList<string> Differences()
    {
        var differences = new List<string>(standing.Unlawful);
        AddSums(differences);
        AddTimes(differences);
        differences.AddRange(_wrongTotals);
        return differences;
    }

    /// <summary>Where marks, and the position, are not as late as the latest event up to them.</summary>
    private void AddTimes(List<string> differences)
    {
        var latest = long.MinValue;
        for (var mark = 0; mark < _marks.Length; mark++)
        {
            latest = Math.Max(latest, _latest[mark]);
            if (standing.Marks[mark].Micros != latest)
                differences.Add(string.Create(CultureInfo.InvariantCulture, $"journal_marks {_marks[mark]} at"));
        }

        if (standing.UpTo.Micros is { } at && at != Math.Max(latest, _latest[^1]))
            differences.Add(string.Create(CultureInfo.InvariantCulture, $"journal_position {UpTo} at"));
    }

    private void AddSums(List<string> differences)
    {
        // They go over all accounts.
        if (Unreadable.Count > 0)
            return;
        var days = new SortedDictionary<DateOnly, Totals>();
        foreach (var ((_, day, move), cell) in _sums)
            days[day] = days.GetValueOrDefault(day, Totals.None).Plus(move, cell.Sum);
        foreach (var day in standing.Days)
            days[day.From] = days.GetValueOrDefault(day.From, Totals.None).Since(day.Totals);
        differences.AddRange(
            days.SelectMany(day =>
                day.Value.Moves.Keys.Select(move => $"journal_days {day.Key.ToString("O", CultureInfo.InvariantCulture)} {Name(move)}")
            )
        );
        var byMark = _sums.ToLookup(sum => sum.Key.Mark);
        var upTo = Totals.None;
        for (var mark = 0; mark < _marks.Length; mark++)
        {
            foreach (var (key, cell) in byMark[mark])
                upTo = upTo.Plus(key.Move, cell.Sum);
            if (standing.Marks[mark].Totals is not { } kept)
                continue;
            differences.AddRange(
                upTo.Since(kept)
                    .Moves.Keys.Select(move => string.Create(CultureInfo.InvariantCulture, $"journal_marks {_marks[mark]} {Name(move)}"))
            );
        }
    }

    /// <summary>A sum that grows.</summary>
    private sealed class Cell
    {
        public Sum Sum { get; private set; }

        public void Add(long parts, Worth worth) => Sum = Sum.Plus(new(parts, worth));
    }

    private static string Name(Move move) => $"{move.Debit} {move.Credit} {Wire.Of(move.Unit)}";
}
