using System.Collections.Immutable;
using System.Data;
using System.Globalization;
using System.Numerics;
using Ledger.Domain;
using Ledger.Domain.Journal;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Rebuild;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Journal;

/// <summary>Up to where the log is summed.</summary>
/// <param name="Position">The last position.</param>
/// <param name="At">When that event was recorded; null where nothing is summed.</param>
public readonly record struct SummedUpTo(long Position, DateTimeOffset? At);

/// <summary>What was moved in one part of a time.</summary>
/// <param name="From">The first day of it.</param>
/// <param name="Totals">The sums.</param>
public sealed record PeriodTotals(DateOnly From, Totals Totals);

/// <summary>
/// The books of all accounts together, summed per day by a reader of the log: reports read these sums and never the log. Sums and position change in one
/// transaction, so that whatever is handed over twice counts once. Adding and comparing are not safe for concurrent use; reading is.
/// </summary>
/// <param name="database">Connections.</param>
/// <param name="log">The log.</param>
/// <param name="snapshots">States as of a version, for the few events whose postings depend on what has changed since.</param>
/// <param name="journal">Keeps the totals of accounts with a long history; null where nobody does.</param>
/// <param name="markEvery">How many positions apart marks are, a page more or less.</param>
public sealed class JournalSums(
    NpgsqlDataSource database,
    IEventLog log,
    AccountSnapshots snapshots,
    AccountJournal? journal = null,
    long markEvery = 20_000
)
{
    /// <summary>The name under which the reader's checkpoint stands.</summary>
    public const string Reader = "journal";

    private const string Prefix = "account-";

    // Small: what a pocket was opened with never changes, and those that are spent from are few.
    private const int MaxLots = 200_000;

    private const int MaxRunning = 20_000;

    private const int Page = 2000;

    private readonly Dictionary<(string Account, PocketId Pocket), Lot> _lots = [];
    private readonly Dictionary<AccountId, (long Version, Totals Totals)> _running = [];

    /// <summary>Adds the next events of the log to the sums; those that are in them already are passed over.</summary>
    /// <param name="page">Events in the order of positions, none left out.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="JournalRewoundException">The sums were emptied since: the reader begins again where they end.</exception>
    /// <exception cref="UnknownEventTypeException">A newer server wrote one of them, and it may have moved something.</exception>
    public async Task AddAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(page);
        if (page.Count == 0)
            return;
        var before = await ReadUpToAsync(ct);
        var lines = await PostAsync([.. page.Where(stored => stored.Position > before.Position)], ct);
        var sums = Sum(lines);

        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await TakeTurnAsync(connection, transaction, before.Position, ct);
        // Times of different accounts may stand in another order than positions: what is summed is as late as the latest of it.
        await SaveAsync(connection, sums, page[^1].Position, page.Max(stored => stored.At), ct);
        if (before.Position / markEvery != page[^1].Position / markEvery)
            await MarkAsync(connection, ct);
        await transaction.CommitAsync(ct);

        if (journal is not null)
            await KeepTotalsAsync(lines, ct);
    }

    /// <summary>Up to where the log is summed.</summary>
    public async Task<SummedUpTo> ReadUpToAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand("select p.position, p.at from journal_position p");
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? new(row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1)) : default;
    }

    /// <summary>Everything that was moved up to the end of a day, and up to where the log was summed then.</summary>
    public async Task<(Totals Totals, SummedUpTo UpTo)> UpToAsync(DateOnly day, CancellationToken ct)
    {
        var (opening, _, upTo) = await ReadAsync(day.AddDays(1), day.AddDays(1), "day", ct);
        return (opening, upTo);
    }

    /// <summary>
    /// Everything that was recorded up to a position of the log, as far as it is summed; and up to where that is. Begins at the nearest mark, so that some
    /// 20,000 events are read at most.
    /// </summary>
    public async Task<(Totals Totals, SummedUpTo UpTo)> AsOfAsync(long position, CancellationToken ct)
    {
        var (all, upTo) = await UpToAsync(DateOnly.MaxValue.AddDays(-1), ct);
        if (position >= upTo.Position)
            return (all, upTo);
        var (from, totals) = await FindMarkAsync("m.position <= $1", position, ct) ?? (default, Totals.None);
        return await ReadOnAsync(from, totals, upTo.Position, stored => stored.Position > position ? null : true, ct);
    }

    /// <summary>Everything that was recorded up to a moment, as far as it is summed; and up to where that is.</summary>
    /// <remarks>
    /// Events of different accounts may stand in the log in another order than that of their times, by as much as clocks are apart: a mark counts where
    /// none of its events is later, and the log is read on until events are later by more than that.
    /// </remarks>
    public async Task<(Totals Totals, SummedUpTo UpTo)> AsOfAsync(DateTimeOffset moment, CancellationToken ct)
    {
        var (all, upTo) = await UpToAsync(DateOnly.MaxValue.AddDays(-1), ct);
        if (moment >= upTo.At)
            return (all, upTo);
        var (from, totals) =
            await FindMarkAsync("m.at <= $1 and m.position <= (select p.position from journal_position p)", moment, ct)
            ?? (default, Totals.None);
        return await ReadOnAsync(
            from,
            totals,
            upTo.Position,
            stored =>
                stored.At <= moment ? true
                : stored.At <= moment + AccountJournal.Settling ? false
                : null,
            ct
        );
    }

    /// <summary>What was moved before a time, and in each day or month of it, both ends inclusive; parts in which nothing was are left out.</summary>
    /// <param name="from">The first day.</param>
    /// <param name="to">The last day.</param>
    /// <param name="byMonth">Whether by month, not by day.</param>
    /// <param name="ct">Gives up.</param>
    public Task<(Totals Opening, IReadOnlyList<PeriodTotals> Periods, SummedUpTo UpTo)> BetweenAsync(
        DateOnly from,
        DateOnly to,
        bool byMonth,
        CancellationToken ct
    ) => ReadAsync(from, to.AddDays(1), byMonth ? "month" : "day", ct);

    /// <summary>Empties the sums. The reader, wherever it runs, notices and reads the log from its beginning.</summary>
    public async Task ResetAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand("truncate journal_days, journal_position, journal_totals, journal_marks");
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Posts the whole log anew, as far as the sums go, and tells where the two differ; nothing where all is well.</summary>
    /// <param name="ct">Gives up.</param>
    /// <param name="unreadable">Takes the streams whose events cannot be booked; then nothing is compared. Where it is null, such a stream is an exception.</param>
    public async Task<IReadOnlyList<string>> CompareAsync(CancellationToken ct, ICollection<UnreadableStream>? unreadable = null)
    {
        var sums = await BeginAsync(ct);
        var pass = new LogPass(database, new() { Books = sums });
        string? above = null;
        foreach (var upTo in await LogPass.PartsAsync(database, Shadow.AccountsAtOnce, ct))
        {
            await pass.RunAsync(above, upTo, sums.UpTo, PassRows.DropAsync, ct);
            foreach (var account in pass.Accounts.Values.Where(account => account.IsLeft))
                await sums.FollowAsync(account, ct);
            above = upTo;
        }

        if (unreadable is null && sums.Unreadable.Count > 0)
            throw new InvalidDataException($"{sums.Unreadable[0].StreamId}: {sums.Unreadable[0].Message}");
        foreach (var stream in sums.Unreadable)
            unreadable!.Add(stream);
        return sums.Differences();
    }

    /// <summary>The sums as they stand, to post the log beside them.</summary>
    /// <remarks>Rows are read one by one: one that somebody has made unreadable is named by its key, and hides no other.</remarks>
    internal async Task<BookSums> BeginAsync(CancellationToken ct)
    {
        var unlawful = new List<string>();

        // The position, the sums and the marks are of one moment.
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var upTo = await StandingUpToAsync(connection, ct);
        var days = await StandingDaysAsync(connection, unlawful, ct);
        var marks = await StandingMarksAsync(connection, upTo.Position, unlawful, ct);
        await transaction.CommitAsync(ct);
        return new(
            log,
            new(
                [.. days.Select(day => new PeriodTotals(day.Key, day.Value))],
                upTo,
                marks,
                await new JournalTotals(database).ListAsync(unlawful, ct),
                unlawful
            )
        );
    }

    private static async Task<(long Position, long? Micros)> StandingUpToAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select p.position, p.at from journal_position p", connection);
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? (row.GetInt64(0), StoredTime.Micros(row.GetFieldValue<long>(1))) : (0, null);
    }

    private static async Task<SortedDictionary<DateOnly, Totals>> StandingDaysAsync(
        NpgsqlConnection connection,
        List<string> unlawful,
        CancellationToken ct
    )
    {
        await using var command = new NpgsqlCommand(
            """
            select
              d.day::text,
              d.debit,
              d.credit,
              d.unit,
              d.parts::text,
              d.worth::text
            from journal_days d
            order by d.day, d.debit, d.credit, d.unit
            """,
            connection
        )
        {
            CommandTimeout = 0,
        };
        var days = new SortedDictionary<DateOnly, Totals>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            var (day, debit, credit, unit) = (rows.GetString(0), rows.GetString(1), rows.GetString(2), rows.GetString(3));
            try
            {
                var of = DateOnly.ParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture);
                var move = JournalTotals.MoveOf(debit, credit, unit);
                var sum = JournalTotals.SumOf(rows.GetString(4), rows.GetString(5));
                days[of] = days.GetValueOrDefault(of, Totals.None).Plus(move, sum);
            }
            catch (Exception e) when (UnreadableStream.IsMeantBy(e))
            {
                unlawful.Add($"journal_days {day} {debit} {credit} {unit}");
            }
        }

        return days;
    }

    private static async Task<List<StandingMark>> StandingMarksAsync(
        NpgsqlConnection connection,
        long upTo,
        List<string> unlawful,
        CancellationToken ct
    )
    {
        await using var command = new NpgsqlCommand(
            """
            select
              m.position,
              m.at,
              m.moves::text
            from journal_marks m
            order by m.position
            """,
            connection
        )
        {
            CommandTimeout = 0,
        };
        var marks = new List<StandingMark>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            var position = rows.GetInt64(0);
            var name = string.Create(CultureInfo.InvariantCulture, $"journal_marks {position}");

            // A mark is made of the sums, so that none goes further than they do.
            if (position > upTo)
            {
                unlawful.Add(name);
                continue;
            }

            Totals? totals = null;
            try
            {
                totals = JournalTotals.Read(rows.GetString(2));
            }
            catch (Exception e) when (UnreadableStream.IsMeantBy(e))
            {
                unlawful.Add(name);
            }

            marks.Add(new(position, StoredTime.Micros(rows.GetFieldValue<long>(1)), totals));
        }

        return marks;
    }

    /// <summary>What events moved, by day; nothing of it is kept.</summary>
    public async Task<IReadOnlyDictionary<DateOnly, Totals>> SumAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(page);
        return Sum(await PostAsync(page, ct));
    }

    private static Dictionary<DateOnly, Totals> Sum(List<(AccountId Account, JournalLine Line)> lines)
    {
        var sums = new Dictionary<DateOnly, Totals>();
        foreach (var (_, (_, entry)) in lines)
        {
            if (entry.Transfers.IsEmpty)
                continue;
            var day = DateOnly.FromDateTime(entry.BookedAt.UtcDateTime);
            sums[day] = sums.GetValueOrDefault(day, Totals.None).Plus(entry);
        }

        return sums;
    }

    /// <summary>What events moved, account after account.</summary>
    private async Task<List<(AccountId Account, JournalLine Line)>> PostAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        var facts = page.Where(stored => stored.StreamId.StartsWith(Prefix, StringComparison.Ordinal))
            .GroupBy(stored => stored.StreamId)
            .Select(same =>
                (Account: new AccountId(same.Key[Prefix.Length..]), Stored: same.ToList(), Facts: same.Select(LedgerEvents.ToFact).ToList())
            )
            .ToList();
        var reversed = await Reversals.FindAsync(log, page, ct);
        var books = await BooksOfAsync([.. facts.Select(own => (own.Account, own.Facts))], ct);
        var lines = new List<(AccountId, JournalLine)>(page.Count);
        foreach (var (account, stored, own) in facts)
        {
            var kept = books[account];
            for (var n = 0; n < own.Count; n++)
            {
                lines.Add((account, new(stored[n], kept.Post(own[n], reversed.Of(account.StreamId, own[n])))));
                kept = kept.After(own[n]);
            }
        }

        return lines;
    }

    /// <summary>
    /// Of each account what its events need: what its pockets were opened with, which never changes and is read from where it is now. What was refunded or
    /// disputed before does change; then the account is folded up to the page.
    /// </summary>
    private async Task<Dictionary<AccountId, Books>> BooksOfAsync(List<(AccountId Account, List<Fact> Facts)> facts, CancellationToken ct)
    {
        var books = new Dictionary<AccountId, Books>();
        var (pockets, orders) = (new HashSet<(string Account, PocketId Pocket)>(), new HashSet<(string Account, OrderId Order)>());
        foreach (var (account, own) in facts)
        {
            if (own.Exists(fact => fact.Event is OrderRefunded or OrderDisputed or DisputeWon or ClawbackReturned or CreditsClawedBack))
            {
                books.Add(account, Books.Of((await snapshots.FoldAsync(account, own[0].Version - 1, ct)).Account));
                continue;
            }

            foreach (var fact in own)
            {
                foreach (var pocket in PocketsOf(fact))
                    pockets.Add((account.Value, pocket));
                if (fact.Event is OrderPaid paid)
                    orders.Add((account.Value, paid.Order));
            }
        }

        var found = await LotsAsync(pockets, ct);
        var lots = found.ToLookup(lot => lot.Key.Account);
        var sales = (await SalesAsync(orders, ct)).ToLookup(sale => sale.Key.Account);

        // Rows that are not there, as after somebody's hand, are no reason to stop: the log has everything.
        var lacking = pockets.Where(key => !found.ContainsKey(key)).Select(key => key.Account).ToHashSet(StringComparer.Ordinal);
        foreach (var (account, own) in facts)
        {
            if (books.ContainsKey(account))
                continue;
            books.Add(
                account,
                lacking.Contains(account.Value)
                    ? Books.Of((await snapshots.FoldAsync(account, own[0].Version - 1, ct)).Account)
                    : new(
                        lots[account.Value].ToImmutableDictionary(lot => lot.Key.Pocket, lot => lot.Value),
                        sales[account.Value].ToImmutableDictionary(sale => sale.Key.Order, sale => sale.Value),
                        lots[account.Value].ToImmutableDictionary(lot => lot.Key.Pocket, lot => lot.Value.Price)
                    )
            );
        }

        return books;
    }

    private static IEnumerable<PocketId> PocketsOf(Fact fact) =>
        fact.Event switch
        {
            CreditsGranted e => [e.Pocket],
            CreditsSpent e => e.Paid.Select(share => share.Pocket),
            HoldSettled e => e.FromHold.Concat(e.FromAvailable).Select(share => share.Pocket),
            HoldSettledLate e => e.Paid.Select(share => share.Pocket),
            SpendReversed e => e.Returned.Select(share => share.Pocket),
            PocketExpired e => [e.Pocket],
            DebtRepaid e => [e.Pocket],
            _ => [],
        };

    private async Task<Dictionary<(string Account, PocketId Pocket), Lot>> LotsAsync(
        HashSet<(string Account, PocketId Pocket)> wanted,
        CancellationToken ct
    )
    {
        var found = new Dictionary<(string Account, PocketId Pocket), Lot>(wanted.Count);
        foreach (var key in wanted)
        {
            if (_lots.TryGetValue(key, out var lot))
                found.Add(key, lot);
        }

        if (found.Count == wanted.Count)
            return found;
        var missing = wanted.Where(key => !found.ContainsKey(key)).ToList();
        await using var command = database.CreateCommand(
            """
            select
              p.account_id,
              p.pocket,
              p.unit,
              p.source,
              p.granted,
              p.opened_at,
              coalesce((
                select o.price
                from orders o
                where o.account_id = p.account_id
                  and o.pocket = p.pocket
              ), 0)
            from unnest($1::varchar[], $2::int[]) as wanted (account_id, pocket)
            join pockets p on p.account_id = wanted.account_id
              and p.pocket = wanted.pocket
            """
        );
        command.Parameters.Add(new() { Value = missing.Select(key => key.Account).ToArray() });
        command.Parameters.Add(new() { Value = missing.Select(key => key.Pocket.Number).ToArray() });
        if (_lots.Count + missing.Count > MaxLots)
            _lots.Clear();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            var lot = new Lot(
                Wire.Read<Unit>(rows.GetString(2)),
                Wire.Read<PocketSource>(rows.GetString(3)),
                rows.GetInt64(4),
                rows.GetInt64(6),
                rows.GetFieldValue<DateTimeOffset>(5)
            );
            var key = (rows.GetString(0), new PocketId(rows.GetInt32(1)));
            found[key] = _lots[key] = lot;
        }

        return found;
    }

    private async Task<Dictionary<(string Account, OrderId Order), Sale>> SalesAsync(
        HashSet<(string Account, OrderId Order)> wanted,
        CancellationToken ct
    )
    {
        var found = new Dictionary<(string Account, OrderId Order), Sale>(wanted.Count);
        if (wanted.Count == 0)
            return found;
        await using var command = database.CreateCommand(
            """
            select
              o.account_id,
              o.order_id,
              o.provider,
              o.item,
              o.gives is null
            from unnest($1::varchar[], $2::varchar[]) as wanted (account_id, order_id)
            join orders o on o.account_id = wanted.account_id
              and o.order_id = wanted.order_id
            """
        );
        command.Parameters.Add(new() { Value = wanted.Select(key => key.Account).ToArray() });
        command.Parameters.Add(new() { Value = wanted.Select(key => key.Order.Value).ToArray() });
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add(
                (rows.GetString(0), new(rows.GetString(1))),
                new(rows.GetString(2), rows.IsDBNull(3) ? null : rows.GetString(3), rows.GetBoolean(4), null, 0, [])
            );
        return found;
    }

    /// <summary>
    /// Waits for whoever else writes, and makes sure that nothing lies between the sums and what is to be added: the reader's checkpoint is never ahead of
    /// them unless they were emptied.
    /// </summary>
    private static async Task TakeTurnAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, long position, CancellationToken ct)
    {
        await using (var take = new NpgsqlCommand("lock table journal_position in share row exclusive mode", connection))
            await take.ExecuteNonQueryAsync(ct);
        await using var look = new NpgsqlCommand(
            """
            select
              coalesce((select p.position from journal_position p), 0),
              coalesce((select r.last_seq_id from mt_event_progression r where r.name = $1), 0)
            """,
            connection
        )
        {
            Parameters = { new() { Value = Reader } },
        };
        long summed;
        long read;
        await using (var row = await look.ExecuteReaderAsync(ct))
        {
            await row.ReadAsync(ct);
            (summed, read) = (row.GetInt64(0), row.GetInt64(1));
        }

        if (summed == position && read <= summed)
            return;
        await using var rewind = new NpgsqlCommand(
            "update mt_event_progression set last_seq_id = least(last_seq_id, $2) where name = $1",
            connection
        )
        {
            Parameters =
            {
                new() { Value = Reader },
                new() { Value = summed },
            },
        };
        await rewind.ExecuteNonQueryAsync(ct);
        await transaction.CommitAsync(ct);
        throw new JournalRewoundException(summed);
    }

    private static async Task SaveAsync(
        NpgsqlConnection connection,
        IReadOnlyDictionary<DateOnly, Totals> sums,
        long position,
        DateTimeOffset at,
        CancellationToken ct
    )
    {
        var rows = sums.SelectMany(day => day.Value.Moves, (day, move) => (Day: day.Key, Move: move.Key, Sum: move.Value)).ToList();
        await using var command = new NpgsqlCommand(
            """
            with added as (
              insert into journal_days as d (day, debit, credit, unit, parts, worth)
              select
                a.day,
                a.debit,
                a.credit,
                a.unit,
                a.parts,
                a.worth
              from unnest($1::date[], $2::varchar[], $3::varchar[], $4::varchar[], $5::numeric[], $6::numeric[])
                as a (day, debit, credit, unit, parts, worth)
              on conflict (day, debit, credit, unit) do update
              set
                parts = d.parts + excluded.parts,
                worth = d.worth + excluded.worth
            )
            insert into journal_position (position, at)
            values ($7, $8)
            on conflict (is_only) do update
            set
              position = greatest(journal_position.position, excluded.position),
              at = greatest(journal_position.at, excluded.at)
            """,
            connection
        );
        command.Parameters.Add(new() { Value = rows.Select(row => row.Day).ToArray() });
        command.Parameters.Add(new() { Value = rows.Select(row => row.Move.Debit.ToString()).ToArray() });
        command.Parameters.Add(new() { Value = rows.Select(row => row.Move.Credit.ToString()).ToArray() });
        command.Parameters.Add(new() { Value = rows.Select(row => Wire.Of(row.Move.Unit)).ToArray() });
        command.Parameters.Add(Numbers(rows.Select(row => row.Sum.Parts)));
        command.Parameters.Add(Numbers(rows.Select(row => row.Sum.Worth.Zeptos)));
        command.Parameters.Add(new() { Value = position });
        command.Parameters.Add(new() { Value = at });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Keeps what is summed by now, in the transaction that has summed it.</summary>
    private static async Task MarkAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            insert into journal_marks (position, at, moves)
            select
              p.position,
              p.at,
              coalesce(
                (
                  select
                    jsonb_agg(
                      jsonb_build_object(
                        'debit', s.debit, 'credit', s.credit, 'unit', s.unit, 'parts', s.parts::text, 'worth', s.worth::text
                      )
                    )
                  from (
                    select
                      d.debit,
                      d.credit,
                      d.unit,
                      sum(d.parts) as parts,
                      sum(d.worth) as worth
                    from journal_days d
                    group by d.debit, d.credit, d.unit
                  ) s
                ),
                '[]'
              )
            from journal_position p
            on conflict (position) do update
            set
              at = excluded.at,
              moves = excluded.moves
            """,
            connection
        );
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The latest mark of which something holds; null where there is none.</summary>
    private async Task<(SummedUpTo UpTo, Totals Totals)?> FindMarkAsync<T>(string condition, T value, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            $"""
            select
              m.position,
              m.at,
              m.moves::text
            from journal_marks m
            where {condition}
            order by m.position desc
            limit 1
            """
        );
        command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct)
            ? (new(row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1)), JournalTotals.Read(row.GetString(2)))
            : null;
    }

    /// <summary>Totals with what the log has behind them.</summary>
    /// <param name="from">Up to where they go.</param>
    /// <param name="totals">The totals.</param>
    /// <param name="end">The last position that is read.</param>
    /// <param name="counts">Whether an event counts; null where it ends the reading.</param>
    /// <param name="ct">Gives up.</param>
    private async Task<(Totals Totals, SummedUpTo UpTo)> ReadOnAsync(
        SummedUpTo from,
        Totals totals,
        long end,
        Func<StoredEvent, bool?> counts,
        CancellationToken ct
    )
    {
        for (var after = from.Position; after < end; )
        {
            var page = await log.ReadLogAsync(after, Page, ct);
            if (page.Count == 0)
                break;
            after = page[^1].Position;
            var own = page.Where(stored => stored.Position <= end).TakeWhile(stored => counts(stored) is not null).ToList();
            var counted = own.Where(stored => counts(stored) is true).ToList();
            foreach (var (_, sums) in await SumAsync(counted, ct))
                totals = sums.Moves.Aggregate(totals, (all, move) => all.Plus(move.Key, move.Value));
            if (counted.Count > 0)
                from = new(counted[^1].Position, counted.Max(stored => stored.At));
            if (own.Count < page.Count)
                break;
        }

        return (totals, from);
    }

    private static NpgsqlParameter<BigInteger[]> Numbers(IEnumerable<Int128> numbers) =>
        new() { TypedValue = [.. numbers.Select(number => (BigInteger)number)], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Numeric };

    /// <summary>
    /// Of accounts whose history has grown by some thousand events, the totals, so that their statements stay cheap. Read from the log once; from then on they
    /// are summed along the way.
    /// </summary>
    private async Task KeepTotalsAsync(List<(AccountId Account, JournalLine Line)> lines, CancellationToken ct)
    {
        foreach (var (account, line) in lines)
        {
            var version = line.Stored.Version;
            var isRunning = _running.TryGetValue(account, out var running) && running.Version == version - 1;
            if (isRunning)
                _running[account] = running = (version, running.Totals.Plus(line.Entry));
            if (version % snapshots.Checkpoints.Every != 0)
                continue;
            if (isRunning)
            {
                await journal!.KeepAsync(account, version, line.Stored.ReadHash(), running.Totals, ct);
                continue;
            }

            if (_running.Count >= MaxRunning)
                _running.Clear();
            _running[account] = (version, (await journal!.TotalsAsync(account, version, ct)).Totals);
        }
    }

    private async Task<(Totals Opening, IReadOnlyList<PeriodTotals> Periods, SummedUpTo UpTo)> ReadAsync(
        DateOnly from,
        DateOnly before,
        string period,
        CancellationToken ct
    )
    {
        // One statement, so that the position and the sums are of one moment.
        await using var command = database.CreateCommand(
            """
            select
              null::date as period,
              p.position::text as debit,
              null::varchar as credit,
              null::varchar as unit,
              null::numeric as parts,
              null::numeric as worth,
              p.at as up_to
            from journal_position p
            union all
            select
              case when d.day >= $1 then date_trunc($3, d.day::timestamp)::date end,
              d.debit,
              d.credit,
              d.unit,
              sum(d.parts),
              sum(d.worth),
              null
            from journal_days d
            where d.day < $2
            group by 1, 2, 3, 4
            """
        );
        command.Parameters.Add(new() { Value = from });
        command.Parameters.Add(new() { Value = before });
        command.Parameters.Add(new() { Value = period });
        var (opening, periods, upTo) = (Totals.None, new SortedDictionary<DateOnly, Totals>(), default(SummedUpTo));
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            if (!rows.IsDBNull(6))
            {
                upTo = new(long.Parse(rows.GetString(1), CultureInfo.InvariantCulture), rows.GetFieldValue<DateTimeOffset>(6));
                continue;
            }

            var move = JournalTotals.MoveOf(rows.GetString(1), rows.GetString(2), rows.GetString(3));
            var sum = new Sum((Int128)rows.GetFieldValue<BigInteger>(4), new((Int128)rows.GetFieldValue<BigInteger>(5)));
            if (rows.IsDBNull(0))
            {
                opening = opening.Plus(move, sum);
                continue;
            }

            var first = rows.GetFieldValue<DateOnly>(0);
            periods[first] = periods.GetValueOrDefault(first, Totals.None).Plus(move, sum);
        }

        return (opening, [.. periods.Select(pair => new PeriodTotals(pair.Key, pair.Value))], upTo);
    }
}

/// <summary>The sums were emptied while the reader ran: it begins again where they end.</summary>
/// <param name="position">Where that is.</param>
public sealed class JournalRewoundException(long position)
    : Exception(string.Create(CultureInfo.InvariantCulture, $"The books were emptied; they are read again from position {position} on."));
