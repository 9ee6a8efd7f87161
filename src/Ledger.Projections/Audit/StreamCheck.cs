using System.Runtime.Intrinsics;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Projections.Audit;

/// <summary>
/// Reads every stream from its first event: whether its hash chain holds and its versions are without gaps, whether every event can follow on the ones before it, whether
/// what it names exists, and whether nothing is lost or made in any account and unit at any event.
/// </summary>
public sealed class StreamCheck : IAuditCheck
{
    private const int StreamsPerPage = 1000;
    private const int EventsPerPage = 1000;
    private const int LookUpsAtOnce = 500;

    /// <inheritdoc/>
    public string Name => "streams";

    /// <inheritdoc/>
    public string Means =>
        "Every event is what its hash says and follows on the one before it; whatever an event names exists; in every account and unit, at every event, granted + reversed + debt = posted + spent + expired + clawed back.";

    /// <inheritdoc/>
    public async Task RunAsync(AuditRun run, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(run);
        await new Pass(run).RunAsync(ct);
    }

    /// <summary>Something that an event names, and that must stand in its stream; with the account, where a pass has met it that can still leave it to a closer look.</summary>
    private readonly record struct Named(string StreamId, long Version, EarlierEvent Earlier);

    private sealed class Pass
    {
        private readonly AuditRun _run;
        private readonly LogScan _scan;
        private readonly NpgsqlEventLog _log;
        private readonly List<Named> _named = [];
        private readonly List<string> _unlisted = [];
        private RateBook _book = RateBook.Empty;
        private EventNames _names = null!;
        private string _place = "";
        private string _type = "";
        private long _total;
        private long _events;
        private long _streams;
        private long _passed;
        private string? _above;
        private bool _isThrough;
        private long _eventsThrough;
        private long _erased;

        public Pass(AuditRun run) => (_run, _scan, _log) = (run, new(run.Database), new(run.Database, []) { IsPatient = true });

        public async Task RunAsync(CancellationToken ct)
        {
            _total = await _scan.CountEventsAsync(ct);

            // The price list first: every charge names a version of it.
            await FoldCardsAsync(ct);
            _names = new(_book, Miss);

            // One pass over the log does it for every check that would read all of it. What does not simply follow in it is looked at once more, event by event.
            var books = await BeginBooksAsync(ct);
            var unreadable = new List<UnreadableStream>();
            var shadow = _run.Work.Checks.Any(check => check is ReadModelCheck) ? await OpenShadowAsync(unreadable, ct) : null;
            var review = shadow is null ? null : new CheckpointReview(_run.Database, null, unreadable);
            var work = WorkOf(books, review, _run.Work.TakeHashes());
            try
            {
                if (shadow is null)
                {
                    await GoOverAsync(work, books, ct);
                }
                else if (await TryFillAsync(shadow, review!, work, books, ct))
                {
                    _run.Work.Leave(new PreparedRows(shadow, review!, unreadable, _events));
                    shadow = null;
                }
                else if (!_isThrough)
                {
                    // The check whose part the rows are tries again, and says why not; streams are gone over all the same, from where that ended.
                    (books, _events) = (null, _eventsThrough);
                    await GoOverAsync(WorkOf(null, null, null), null, ct);
                }
            }
            finally
            {
                work.Hashes?.Complete();
                if (shadow is not null)
                    await shadow.DisposeAsync();
            }

            if (books is not null)
                _run.Work.Leave(books);
            await LookUpAsync(ct);
            await FindOrphansAsync(ct);
            await FindSequenceAsync(ct);
            _run.Counted("streams", _streams);
            _run.Counted("events", _events);
            _run.Counted("erased", _erased);
            _run.Report(_events, _events, "events");
        }

        private LogPassWork WorkOf(BookSums? books, CheckpointReview? review, PassingHashes? hashes)
        {
            LogPassWork work = null!;
            work = new()
            {
                Verifies = true,
                Names = new(_book, (_, _) => work.IsNameMissing = true),
                Books = books,
                Checkpoints = review,
                Progress = Count,
                Earlier = NameAsync,
                Hashes = hashes,
            };
            return work;
        }

        private async Task<BookSums?> BeginBooksAsync(CancellationToken ct)
        {
            if (_run.Work.Checks.OfType<TrialBalanceCheck>().FirstOrDefault() is not { } trial)
                return null;
            try
            {
                return await trial.BeginAsync(ct);
            }
            catch (Exception e) when (IsFault(e))
            {
                // The check whose part it is tries again, and says why not.
                return null;
            }
        }

        private async Task<Shadow?> OpenShadowAsync(List<UnreadableStream> unreadable, CancellationToken ct)
        {
            try
            {
                return await Shadow.OpenAsync(_run.Database, ReadModel.Of("all"), _run.Time, null, ct, unreadable);
            }
            catch (PostgresException)
            {
                // The check whose part it is tries again, and says why not.
                return null;
            }
        }

        /// <summary>Fills the rows of all read models on the way.</summary>
        /// <returns>Whether they could be made; else streams were gone over as far as <see cref="_above"/>, or all of them.</returns>
        private async Task<bool> TryFillAsync(
            Shadow shadow,
            CheckpointReview review,
            LogPassWork work,
            BookSums? books,
            CancellationToken ct
        )
        {
            try
            {
                await review.BeginAsync(ct);
                await shadow.FillAsync(
                    work,
                    async (pass, above, upTo) =>
                    {
                        await LookCloserAsync(pass, work, above, upTo, books, ct);
                        await Rebuilder.RestOf(review, ct)!(pass, above, upTo);
                    },
                    ct
                );
                return true;
            }
            catch (Exception e) when (IsFault(e))
            {
                return false;
            }
        }

        private static bool IsFault(Exception e) => e is not (OperationCanceledException or RebuildRefusedException) && !Outage.Is(e);

        private async Task GoOverAsync(LogPassWork work, BookSums? books, CancellationToken ct)
        {
            var (pass, settled) = (new LogPass(_run.Database, work), await _scan.SettledAsync(_run.Time, ct));
            foreach (var upTo in await LogPass.PartsAsync(_run.Database, Shadow.AccountsAtOnce, ct))
            {
                if (upTo is not null && _above is not null && string.CompareOrdinal(upTo, _above) <= 0)
                    continue;
                var above = _above;
                await pass.RunAsync(above, upTo, settled, PassRows.DropAsync, ct);
                await LookCloserAsync(pass, work, above, upTo, books, ct);
            }
        }

        /// <summary>Goes over the streams of a part: those that the pass has not come to the end of are read on from where it has left them.</summary>
        private async Task LookCloserAsync(
            LogPass pass,
            LogPassWork work,
            string? above,
            string? upTo,
            BookSums? books,
            CancellationToken ct
        )
        {
            FindStrays(pass.Strays, pass.StraysTotal);
            var unlisted = new HashSet<string>(pass.Accounts.Keys.Concat(pass.Others), StringComparer.Ordinal);
            await LookCloserAsync(pass, unlisted, above, upTo, books, ct);

            _unlisted.AddRange(unlisted);
            _passed = pass.Position;
            (_above, _isThrough) = (upTo, upTo is null);
            _eventsThrough = _events;
            _erased += work.TakeErased();
        }

        private async Task LookCloserAsync(
            LogPass pass,
            HashSet<string> unlisted,
            string? above,
            string? upTo,
            BookSums? books,
            CancellationToken ct
        )
        {
            for (var after = above ?? ""; await _scan.ListAsync(null, after, StreamsPerPage, ct) is { Count: > 0 } heads; )
            {
                after = heads[^1].Id;
                foreach (var head in heads)
                {
                    if (upTo is not null && string.CompareOrdinal(head.Id, upTo) > 0)
                        return;
                    unlisted.Remove(head.Id);
                    _streams++;
                    var folded = pass.Accounts.GetValueOrDefault(head.Id);
                    if (folded is null || folded.IsLeft || folded.Account.Version != head.Version)
                        await ReadAsync(head, folded, ct);
                    if (folded is { IsLeft: true } && books is not null)
                        await books.FollowAsync(folded, ct);
                }
            }
        }

        private void Count(int events)
        {
            _events += events;
            _run.Report(_events, _total, "events");
        }

        private async ValueTask NameAsync(FoldedAccount account, long version, EarlierEvent earlier, CancellationToken ct)
        {
            _named.Add(new(account.StreamId, version, earlier));
            if (_named.Count >= LookUpsAtOnce)
                await LookUpAsync(ct);
        }

        private void Miss(string what, string name) =>
            _run.Find("reference_missing", _place, $"A {_type} names the {what} {name}, and there is none.");

        private async Task FoldCardsAsync(CancellationToken ct)
        {
            try
            {
                while (await _log.ReadStreamAsync(RateBook.StreamId, _book.Version, 100, ct) is { Count: > 0 } page)
                {
                    foreach (var stored in page)
                        _book = RateBook.Evolve(_book, (RateCardEvent)LedgerEvents.Types.Read(stored), stored.At);
                }
            }
            catch (Exception e) when (UnreadableStream.IsMeantBy(e))
            {
                _run.Find(
                    "not_foldable",
                    $"{RateBook.StreamId} version {_book.Version + 1}",
                    $"The price list cannot be read on: {e.Message}"
                );
            }
        }

        /// <summary>Reads a stream, or the rest of one, event by event.</summary>
        private async Task ReadAsync(StreamHead head, FoldedAccount? folded, CancellationToken ct)
        {
            var account = head.Id.StartsWith("account-", StringComparison.Ordinal)
                ? folded?.Account ?? Account.Empty(new(head.Id["account-".Length..]))
                : null;
            var (version, hash, position, at) = (0L, HashChain.Start, 0L, DateTimeOffset.MinValue);
            if (folded is { Account.Version: > 0 })
            {
                var last = new byte[HashChain.Size];
                Vector256.CopyTo(folded.Hash, last);
                (version, hash, position, at) = (folded.Account.Version, last, folded.Position, folded.Account.LastAt);
            }

            var isWhole = true;
            while (await _log.ReadStreamAsync(head.Id, version, EventsPerPage, ct) is { Count: > 0 } page)
            {
                foreach (var stored in page)
                {
                    _events++;
                    if (ChainVerifier.FaultOf(stored, version + 1, hash.Span) is { } fault)
                    {
                        // What comes behind a break follows on nothing that is known.
                        _run.Find(Code(fault), $"{head.Id} version {version + 1}", Message(fault));
                        return;
                    }

                    if (stored.Position <= position)
                        _run.Find(
                            "position_order",
                            $"{head.Id} version {stored.Version}",
                            $"It stands at position {stored.Position}, before the version before it: events were exchanged in the log."
                        );
                    if (stored.At < at)
                        _run.Find("time_order", $"{head.Id} version {stored.Version}", "It is dated before the version before it.");
                    (version, position, at) = (stored.Version, stored.Position, stored.At);
                    hash = HashChain.FromHeaders(stored.Headers, "hash")!;
                    if (account is not null && isWhole)
                        (account, isWhole) = Follow(account, stored);
                }

                _run.Report(_events, _total, "events");
                if (_named.Count >= LookUpsAtOnce)
                    await LookUpAsync(ct);
            }

            if (version < head.Version)
                _run.Find(
                    "version_missing",
                    $"{head.Id} version {version + 1}",
                    $"The stream counts {head.Version} events and has {version}: its end was removed."
                );
            else if (version > head.Version && version > await VersionAsync(head.Id, ct))
                _run.Find("version_uncounted", $"{head.Id} version {version}", "The stream has an event that it does not count.");
        }

        /// <summary>The state after one more event, once what it names was looked at.</summary>
        private (Account Account, bool IsWhole) Follow(Account account, StoredEvent stored)
        {
            var place = $"{stored.StreamId} version {stored.Version}";
            try
            {
                var fact = LedgerEvents.ToFact(stored);
                (_place, _type) = (place, stored.Type);
                if (_names.Check(account, fact.Event) is { } earlier)
                    _named.Add(new(stored.StreamId, stored.Version, earlier));
                account = Account.Evolve(account, fact);
                foreach (var unit in (ReadOnlySpan<Unit>)[Unit.Credits, Unit.Usd])
                {
                    var totals = account.Wallet.Totals(unit);
                    var posted = account.Wallet.Posted(unit).Parts;
                    var (given, taken) = (
                        (Int128)totals.Granted + totals.Reversed + totals.Debt,
                        (Int128)posted + totals.Spent + totals.Expired + totals.ClawedBack
                    );
                    if (given == taken)
                        continue;
                    _run.Find(
                        "not_conserved",
                        place,
                        $"In {unit.Name()}, granted + reversed + debt is {given} parts, and posted + spent + expired + clawed back is {taken}."
                    );
                    return (account, false);
                }

                return (account, true);
            }
            catch (UnknownEventTypeException e)
            {
                _run.Find("event_unknown", place, e.Message);
            }
            catch (Exception e) when (UnreadableStream.IsMeantBy(e))
            {
                _run.Find("not_foldable", place, $"It cannot follow on what is before it: {e.Message}");
            }

            return (account, false);
        }

        /// <summary>Looks up what was named and is no longer part of any state.</summary>
        private async Task LookUpAsync(CancellationToken ct)
        {
            foreach (var page in _named.Chunk(LookUpsAtOnce))
            {
                var found = (
                    await _log.FindAsync([.. page.Select(named => (named.StreamId, named.Earlier.Id)).Distinct()], ct)
                ).ToDictionary(stored => (stored.StreamId, stored.Id));
                foreach (var named in page)
                {
                    if (
                        !found.TryGetValue((named.StreamId, named.Earlier.Id), out var stored)
                        || stored.Version >= named.Version
                        || !named.Earlier.Types.Contains(stored.Type)
                    )
                        _run.Find(
                            "reference_missing",
                            $"{named.StreamId} version {named.Version}",
                            $"It names the {named.Earlier.What} {named.Earlier.Id}, and there is none before it."
                        );
                }
            }

            _named.Clear();
        }

        private void FindStrays(IReadOnlyList<(long Position, string StreamId, long Version)> strays, long total)
        {
            foreach (var (position, stream, version) in strays)
                _run.Find(
                    "event_added",
                    $"position {position}",
                    stream.Length == 0
                        ? "The event names no stream: nobody has appended it, or its stream was taken from it."
                        : $"The event is of {stream} version {version}, and versions begin with 1: it was put in, or its version was changed."
                );
            if (total > strays.Count)
                _run.Find("event_added", $"positions behind {strays[^1].Position}", $"There are {total - strays.Count} more such events.");
        }

        private async Task FindOrphansAsync(CancellationToken ct)
        {
            var strays = await new ChainVerifier(_run.Database).StraysAsync(_passed, AuditRun.MaxFindings, ct);
            FindStrays(strays, strays.Count);
            await foreach (var (stream, version) in new ChainVerifier(_run.Database).OrphansAsync(_unlisted, _passed, ct))
                _run.Find(
                    "stream_missing",
                    $"{stream} version {version}",
                    "There are events of this stream, and no such stream: its row was removed."
                );
        }

        private async Task FindSequenceAsync(CancellationToken ct)
        {
            await using var command = _run.Database.CreateCommand(
                """
                select
                  case when s.is_called then s.last_value else 0 end,
                  coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0)
                from mt_events_sequence s
                """
            );
            await using var row = await command.ExecuteReaderAsync(ct);
            await row.ReadAsync(ct);
            if (row.GetInt64(0) < row.GetInt64(1))
                _run.Find(
                    "sequence_behind",
                    "mt_events_sequence",
                    $"It stands at {row.GetInt64(0)}, and the log ends at {row.GetInt64(1)}."
                );
        }

        private async Task<long> VersionAsync(string stream, CancellationToken ct)
        {
            await using var command = _run.Database.CreateCommand(
                "select coalesce((select s.version from mt_streams s where s.id = $1), 0)"
            );
            command.Parameters.Add(new() { Value = stream });
            return (long)(await command.ExecuteScalarAsync(ct))!;
        }

        private static string Code(ChainFault fault) => EventTypes.SnakeCase(fault.ToString());

        private static string Message(ChainFault fault) =>
            fault switch
            {
                ChainFault.VersionMissing => "It is missing, and there are later ones: it was removed.",
                ChainFault.PreviousMismatch =>
                    "It does not name the hash of the event before it: one of the two was changed, exchanged or removed.",
                ChainFault.HashMismatch => "It is not what was hashed: its members, id, type, time, actor, stream or version were changed.",
                ChainFault.MetadataMismatch => "Its metadata or address is not what its digest says.",
                ChainFault.StreamMissing => "There are events of this stream, and no such stream: its row was removed.",
            };
    }
}

/// <summary>Entries of a rate card by the names under which events record them.</summary>
public static class RateCardEntries
{
    /// <summary>Whether a card has an entry: <c>tools/…</c>, <c>services/…</c>, <c>models/…</c>, <c>packs/…</c> or <c>tiers/…</c>.</summary>
    public static bool Has(RateCard card, string entry)
    {
        ArgumentNullException.ThrowIfNull(card);
        ArgumentNullException.ThrowIfNull(entry);
        return entry.Split('/', 2) is [var list, var name]
            && list switch
            {
                "tools" or "services" => card.Tools.Any(tool => tool.Id == entry),
                "models" => card.Document.Models.Any(model => ModelDirectory.NameOf(model) == name),
                "packs" => card.FindPack(name) is not null,
                "tiers" => card.FindTier(name) is not null,
                _ => false,
            };
    }
}
