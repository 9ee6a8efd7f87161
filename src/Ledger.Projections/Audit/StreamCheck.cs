using System.Collections.Immutable;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Npgsql;

namespace Ledger.Projections.Audit;

/// <summary>
/// Reads every stream from its first event: whether its hash chain holds and its versions are without gaps, whether every event can follow on the ones before it, whether
/// what it names exists, and whether nothing is lost or made in any account and unit at any event.
/// </summary>
public sealed class StreamCheck : IAuditCheck
{
    private const int StreamsPerPage = 500;
    private const int EventsPerPage = 1000;
    private const int LookUpsAtOnce = 500;

    private static readonly string[] Charges =
    [
        LedgerEvents.Types.NameOf<CreditsSpent>(),
        LedgerEvents.Types.NameOf<HoldSettled>(),
        LedgerEvents.Types.NameOf<HoldSettledLate>(),
    ];

    private static readonly string[] Holds = [LedgerEvents.Types.NameOf<HoldPlaced>()];

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

    /// <summary>Something that an event names, and that must stand in its stream.</summary>
    private readonly record struct Named(string StreamId, long Version, Guid Id, string[] Types, string What);

    private sealed class Pass(AuditRun run)
    {
        private readonly LogScan _scan = new(run.Database);
        private readonly NpgsqlEventLog _log = new(run.Database, []);
        private readonly List<Named> _named = [];
        private RateBook _book = RateBook.Empty;
        private long _total;
        private long _events;
        private long _streams;

        public async Task RunAsync(CancellationToken ct)
        {
            _total = await TotalAsync(ct);

            // The price list first: every charge names a version of it.
            await FoldCardsAsync(ct);
            for (var after = ""; await _scan.ListAsync(null, after, StreamsPerPage, ct) is { Count: > 0 } heads; after = heads[^1].Id)
            {
                foreach (var head in heads)
                {
                    await ReadAsync(head, ct);
                    _streams++;
                }
            }

            await LookUpAsync(ct);
            await FindOrphansAsync(ct);
            await FindSequenceAsync(ct);
            run.Counted("streams", _streams);
            run.Counted("events", _events);
            run.Report(_events, _events, "events");
        }

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
            catch (Exception e) when (IsUnfoldable(e))
            {
                run.Find(
                    "not_foldable",
                    $"{RateBook.StreamId} version {_book.Version + 1}",
                    $"The price list cannot be read on: {e.Message}"
                );
            }
        }

        private async Task ReadAsync(StreamHead head, CancellationToken ct)
        {
            var account = head.Id.StartsWith("account-", StringComparison.Ordinal)
                ? Account.Empty(new(head.Id["account-".Length..]))
                : null;
            var (version, hash, position, at) = (0L, HashChain.Start, 0L, DateTimeOffset.MinValue);
            var isWhole = true;
            while (await _scan.ReadAsync([new(head.Id, version, version + EventsPerPage)], ct) is { Count: > 0 } page)
            {
                foreach (var stored in page)
                {
                    _events++;
                    if (ChainVerifier.FaultOf(stored, version + 1, hash.Span) is { } fault)
                    {
                        // What comes behind a break follows on nothing that is known.
                        run.Find(Code(fault), $"{head.Id} version {version + 1}", Message(fault));
                        return;
                    }

                    if (stored.Position <= position)
                        run.Find(
                            "position_order",
                            $"{head.Id} version {stored.Version}",
                            $"It stands at position {stored.Position}, before the version before it: events were exchanged in the log."
                        );
                    if (stored.At < at)
                        run.Find("time_order", $"{head.Id} version {stored.Version}", "It is dated before the version before it.");
                    (version, position, at) = (stored.Version, stored.Position, stored.At);
                    hash = HashChain.FromHeaders(stored.Headers, "hash")!;
                    if (account is not null && isWhole)
                        (account, isWhole) = Follow(account, stored);
                }

                run.Report(_events, _total, "events");
                if (_named.Count >= LookUpsAtOnce)
                    await LookUpAsync(ct);
            }

            if (version < head.Version)
                run.Find(
                    "version_missing",
                    $"{head.Id} version {version + 1}",
                    $"The stream counts {head.Version} events and has {version}: its end was removed."
                );
            else if (version > head.Version && version > await VersionAsync(head.Id, ct))
                run.Find("version_uncounted", $"{head.Id} version {version}", "The stream has an event that it does not count.");
        }

        /// <summary>The state after one more event, once what it names was looked at.</summary>
        private (Account Account, bool IsWhole) Follow(Account account, StoredEvent stored)
        {
            var place = $"{stored.StreamId} version {stored.Version}";
            try
            {
                var fact = LedgerEvents.ToFact(stored);
                CheckNames(account, stored, fact.Event, place);
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
                    run.Find(
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
                run.Find("event_unknown", place, e.Message);
            }
            catch (Exception e) when (IsUnfoldable(e))
            {
                run.Find("not_foldable", place, $"It cannot follow on what is before it: {e.Message}");
            }

            return (account, false);
        }

        private void CheckNames(Account account, StoredEvent stored, AccountEvent @event, string place)
        {
            switch (@event)
            {
                case CreditsGranted e:
                    Must(e.Pocket == account.Wallet.NextPocket, "pocket", e.Pocket.ToString());
                    break;
                case CreditsSpent e:
                    Key(e.Key);
                    Card(e.Card, e.Entry);
                    Pockets(e.Paid);
                    break;
                case HoldPlaced e:
                    Key(e.Key);
                    Card(e.Card, e.Entry);
                    Pockets(e.Allocated);
                    break;
                case HoldExtended e:
                    OpenHold(e.Hold);
                    break;
                case HoldSettled e:
                    OpenHold(e.Hold);
                    Key(e.Key);
                    Card(e.Card, e.Entry);
                    Pockets([.. e.FromHold, .. e.FromAvailable]);
                    break;
                case HoldReleased e:
                    OpenHold(e.Hold);
                    break;
                case HoldExpired e:
                    OpenHold(e.Hold);
                    break;
                case HoldSettledLate e:
                    _named.Add(new(stored.StreamId, stored.Version, e.Hold.Value, Holds, "hold"));
                    Key(e.Key);
                    Card(e.Card, e.Entry);
                    Pockets(e.Paid);
                    break;
                case SpendReversed e:
                    _named.Add(new(stored.StreamId, stored.Version, e.Spend.Value, Charges, "spend"));
                    Pockets(e.Returned);
                    break;
                case PocketExpired e:
                    Pocket(e.Pocket);
                    break;
                case DebtRepaid e:
                    Pocket(e.Pocket);
                    break;
                case CreditsClawedBack e:
                    Order(e.Order);
                    Pockets(e.Taken);
                    break;
                case ClawbackReturned e:
                    Order(e.Order);
                    Pockets(e.Returned);
                    break;
                case OrderOpened e:
                    Must(_book.Find(e.Card) is not null, "rate card version", $"{e.Card}");
                    break;
                case OrderSessionOpened e:
                    Order(e.Order);
                    break;
                case OrderPaid e:
                    Order(e.Order);
                    break;
                case OrderFailed e:
                    Order(e.Order);
                    break;
                case OrderExpired e:
                    Order(e.Order);
                    break;
                case OrderRefunded e:
                    Order(e.Order);
                    break;
                case OrderDisputed e:
                    Order(e.Order);
                    break;
                case DisputeWon e:
                    Order(e.Order);
                    break;
                case SubscriptionStarted e:
                    Card(e.Card, "tiers/" + e.Tier);
                    break;
                case SubscriptionChanged e:
                    Card(e.Card, "tiers/" + e.Tier);
                    break;
                case SubscriptionChangeScheduled e:
                    Card(e.Card, "tiers/" + e.Tier);
                    break;
                case ReferralApplied e:
                    Must(_book.Find(e.Card) is not null, "rate card version", $"{e.Card}");
                    break;
                case KeyCreated { MintedBy: { } minter }:
                    Key(minter);
                    break;
                case KeyChanged e:
                    Key(e.Key);
                    break;
                case KeyRotated e:
                    Key(e.Key);
                    break;
                case KeyRevoked e:
                    Key(e.Key);
                    break;
            }

            void Key(KeyId key) => Must(key == default || account.Keys.Find(key) is not null, "key", key.Value);

            void Order(OrderId order) => Must(account.Orders.Find(order) is not null, "order", order.Value);

            void OpenHold(HoldId hold) => Must(account.Wallet.Holds.ContainsKey(hold), "open hold", hold.ToString());

            void Pocket(PocketId pocket) =>
                Must(pocket.Number >= 1 && pocket.Number < account.Wallet.NextPocket.Number, "pocket", pocket.ToString());

            void Pockets(ImmutableArray<PocketShare> shares)
            {
                foreach (var share in shares)
                    Pocket(share.Pocket);
            }

            void Card(long version, string entry)
            {
                if (_book.Find(version) is not { } card)
                    Must(false, "rate card version", $"{version}");
                else
                    Must(RateCardEntries.Has(card, entry), "entry of its rate card", entry);
            }

            void Must(bool exists, string what, string name)
            {
                if (!exists)
                    run.Find("reference_missing", place, $"A {stored.Type} names the {what} {name}, and there is none.");
            }
        }

        /// <summary>Looks up what was named and is no longer part of any state.</summary>
        private async Task LookUpAsync(CancellationToken ct)
        {
            foreach (var page in _named.Chunk(LookUpsAtOnce))
            {
                var found = (await _log.FindAsync([.. page.Select(named => (named.StreamId, named.Id)).Distinct()], ct)).ToDictionary(
                    stored => (stored.StreamId, stored.Id)
                );
                foreach (var named in page)
                {
                    if (
                        !found.TryGetValue((named.StreamId, named.Id), out var stored)
                        || stored.Version >= named.Version
                        || !named.Types.Contains(stored.Type)
                    )
                        run.Find(
                            "reference_missing",
                            $"{named.StreamId} version {named.Version}",
                            $"It names the {named.What} {named.Id}, and there is none before it."
                        );
                }
            }

            _named.Clear();
        }

        private async Task FindOrphansAsync(CancellationToken ct)
        {
            await foreach (var (stream, version) in new ChainVerifier(run.Database).OrphansAsync(ct))
                run.Find(
                    "stream_missing",
                    $"{stream} version {version}",
                    "There are events of this stream, and no such stream: its row was removed."
                );
        }

        private async Task FindSequenceAsync(CancellationToken ct)
        {
            await using var command = run.Database.CreateCommand(
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
                run.Find(
                    "sequence_behind",
                    "mt_events_sequence",
                    $"It stands at {row.GetInt64(0)}, and the log ends at {row.GetInt64(1)}."
                );
        }

        private async Task<long> TotalAsync(CancellationToken ct)
        {
            await using var command = run.Database.CreateCommand("select coalesce(sum(s.version), 0)::bigint from mt_streams s");
            command.CommandTimeout = 0;
            return (long)(await command.ExecuteScalarAsync(ct))!;
        }

        private async Task<long> VersionAsync(string stream, CancellationToken ct)
        {
            await using var command = run.Database.CreateCommand(
                "select coalesce((select s.version from mt_streams s where s.id = $1), 0)"
            );
            command.Parameters.Add(new() { Value = stream });
            return (long)(await command.ExecuteScalarAsync(ct))!;
        }

        // What a fold throws at events that cannot follow on each other; an outage is no such thing.
        private static bool IsUnfoldable(Exception e) =>
            e is not (OperationCanceledException or NpgsqlException or TimeoutException or IOException);

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
