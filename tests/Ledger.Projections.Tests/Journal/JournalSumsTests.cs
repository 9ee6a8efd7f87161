using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Journal;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Journal;

namespace Ledger.Projections.Tests.Journal;

/// <summary>The books of all accounts: what the reader sums is what the log says, whatever happens to the reader.</summary>
public sealed class JournalSumsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task The_sums_are_at_every_moment_what_all_accounts_hold_and_the_trial_balance_is_zero(int seed)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, 6);
        var sums = SumsOf(ledger);
        var reader = new LogReader(ledger.Database, 0);
        for (var step = 0; step < 90; step++)
        {
            await history.StepAsync();
            await CatchUpAsync(sums, reader);
            if (step % 10 != 9)
                continue;
            var (totals, upTo) = await sums.UpToAsync(new(9000, 1, 1), default);
            upTo.Position.ShouldBe(await ledger.QueryAsync<long>("select max(seq_id) from mt_events"));
            Holds(totals, history.States.Values.Select(state => state.Account));
        }

        (await sums.CompareAsync(default)).ShouldBeEmpty();
        history.Events.Count().ShouldBeGreaterThan(35, "the histories have nearly every kind of event");
    }

    [Fact]
    public async Task A_page_that_is_handed_over_twice_counts_once()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await StoryAsync(ledger);
        var sums = SumsOf(ledger);
        var all = await ledger.Log.ReadLogAsync(0, 10_000, default);
        await sums.AddAsync([.. all.Take(40)], default);
        await sums.AddAsync([.. all.Take(40)], default);
        await sums.AddAsync([.. all.Skip(20)], default);
        await SumsOf(ledger).AddAsync(all, default);
        (await sums.CompareAsync(default)).ShouldBeEmpty();
        Holds((await sums.UpToAsync(new(9000, 1, 1), default)).Totals, history.States.Values.Select(state => state.Account));
    }

    [Fact]
    public async Task Who_empties_the_sums_makes_the_reader_begin_again()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await StoryAsync(ledger);
        var sums = SumsOf(ledger);
        await using (var turn = (await ReaderTurn.TryTakeAsync(ledger.Database, JournalSums.Reader, default))!)
        {
            await sums.AddAsync(await turn.NextAsync(40, default), default);
            await turn.SaveAsync(default);
            await sums.ResetAsync(default);
            var next = await turn.NextAsync(40, default);
            await Should.ThrowAsync<JournalRewoundException>(() => sums.AddAsync(next, default));
        }

        // Also where that was missed, since the checkpoint was saved a moment later.
        await ledger.ExecuteAsync("update mt_event_progression set last_seq_id = 30 where name = 'journal'");
        await using (var turn = (await ReaderTurn.TryTakeAsync(ledger.Database, JournalSums.Reader, default))!)
        {
            var next = await turn.NextAsync(40, default);
            await Should.ThrowAsync<JournalRewoundException>(() => sums.AddAsync(next, default));
        }

        await using (var turn = (await ReaderTurn.TryTakeAsync(ledger.Database, JournalSums.Reader, default))!)
        {
            turn.Position.ShouldBe(0);
            while (await turn.NextAsync(500, default) is { Count: > 0 } page)
                await sums.AddAsync(page, default);
        }

        (await sums.CompareAsync(default)).ShouldBeEmpty();
        Holds((await sums.UpToAsync(new(9000, 1, 1), default)).Totals, history.States.Values.Select(state => state.Account));
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(5, 0)]
    [InlineData(6, 30)]
    public async Task The_books_are_known_as_of_every_position_and_every_moment(int seed, int apart)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, 6);
        for (var step = 0; step < 50; step++)
            await history.StepAsync();
        var sums = new JournalSums(ledger.Database, ledger.Log, ledger.Snapshots, markEvery: 25);

        // Half of the accounts were written by a server whose clock was behind: times go back and forth along the log, never along a stream.
        await ledger.ExecuteAsync(
            $"update mt_events set timestamp = timestamp - interval '{apart} seconds' where stream_id in ('account-a001', 'account-a003', 'account-a005')"
        );
        var all = await ledger.Log.ReadLogAsync(0, 10_000, default);
        all.Zip(all.Skip(1)).Any(pair => pair.Second.At < pair.First.At).ShouldBe(apart > 0);
        foreach (var page in all.Chunk(11))
            await sums.AddAsync(page, default);
        (await ledger.QueryAsync<long>("select count(*) from journal_marks")).ShouldBeGreaterThan(5);
        for (var n = 1; n <= all.Count; n += apart > 0 ? 1 : 17)
        {
            var (position, at) = (all[n - 1].Position, all[n - 1].At);
            var (totals, upTo) = await sums.AsOfAsync(position, default);
            Same(totals, await SumAsync(all.Take(n)));
            upTo.Position.ShouldBe(position);
            Same((await sums.AsOfAsync(at, default)).Totals, await SumAsync(all.Where(stored => stored.At <= at)));
        }

        (await sums.AsOfAsync(long.MaxValue, default)).UpTo.Position.ShouldBe(all[^1].Position);
        Same((await sums.AsOfAsync(0, default)).Totals, Totals.None);
        Same((await sums.AsOfAsync(LedgerDatabase.Start.AddDays(-1), default)).Totals, Totals.None);

        // Marks are not needed, and a later one never counts for an earlier moment.
        await ledger.ExecuteAsync("delete from journal_marks where position > 30");
        Same((await sums.AsOfAsync(all[^2].Position, default)).Totals, await SumAsync(all.SkipLast(1)));

        async Task<Totals> SumAsync(IEnumerable<StoredEvent> events) =>
            (await sums.SumAsync([.. events], default))
                .Values.SelectMany(day => day.Moves)
                .Aggregate(Totals.None, (all, move) => all.Plus(move.Key, move.Value));
    }

    [Fact]
    public async Task A_changed_row_is_found()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await StoryAsync(ledger);
        var sums = SumsOf(ledger);
        await sums.AddAsync(await ledger.Log.ReadLogAsync(0, 10_000, default), default);
        await ledger.ExecuteAsync(
            "update journal_days set parts = parts + 1 where (day, debit, credit, unit) = (select day, debit, credit, unit from journal_days limit 1)"
        );
        (await sums.CompareAsync(default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Totals_that_statements_begin_at_are_compared_with_the_log()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await StoryAsync(ledger);
        var sums = SumsOf(ledger);
        await sums.AddAsync(await ledger.Log.ReadLogAsync(0, 10_000, default), default);
        var snapshots = new AccountSnapshots(ledger.Database, ledger.Log, new(ledger.Database, 7));
        var journal = new AccountJournal(ledger.Database, ledger.Log, snapshots, new LogScan(ledger.Database));
        foreach (var (id, state) in history.States)
            await journal.TotalsAsync(id, state.Account.Version, default);
        (await ledger.QueryAsync<long>("select count(*) from journal_totals")).ShouldBeGreaterThan(8);
        (await sums.CompareAsync(default)).ShouldBeEmpty();

        var wrong = await ledger.QueryAsync<string>(
            """
            update journal_totals set moves = jsonb_set(moves, '{0,parts}', to_jsonb(((moves -> 0 ->> 'parts')::numeric + 1)::text))
            where (account_id, version) = (select account_id, version from journal_totals where jsonb_array_length(moves) > 1 order by account_id, version limit 1)
            returning account_id || ' ' || version
            """
        );
        (await sums.CompareAsync(default)).ShouldBe(["journal_totals " + wrong]);

        // Totals of another hash are never read.
        await ledger.ExecuteAsync("update journal_totals set last_hash = '\\x00'");
        (await sums.CompareAsync(default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Read_models_that_lack_a_row_do_not_stop_the_books()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await StoryAsync(ledger);
        await ledger.ExecuteAsync("delete from pockets; delete from orders");
        var sums = SumsOf(ledger);
        await sums.AddAsync(await ledger.Log.ReadLogAsync(0, 10_000, default), default);
        Holds((await sums.UpToAsync(new(9000, 1, 1), default)).Totals, history.States.Values.Select(state => state.Account));
    }

    [Fact]
    public async Task An_event_of_a_newer_server_stops_them()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await StoryAsync(ledger);
        var all = (await ledger.Log.ReadLogAsync(0, 10_000, default)).ToList();
        all[^1] = all[^1] with { Type = "credits_lent" };
        await Should.ThrowAsync<UnknownEventTypeException>(() => SumsOf(ledger).AddAsync(all, default));
        (await SumsOf(ledger).ReadUpToAsync(default)).Position.ShouldBe(0);
    }

    [Fact]
    public async Task Days_and_months_add_up()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await StoryAsync(ledger);
        var sums = SumsOf(ledger);
        await sums.AddAsync(await ledger.Log.ReadLogAsync(0, 10_000, default), default);
        var (first, last) = (new DateOnly(2021, 1, 20), new DateOnly(2021, 6, 30));
        var (opening, days, _) = await sums.BetweenAsync(first, last, byMonth: false, default);
        var (same, months, _) = await sums.BetweenAsync(first, last, byMonth: true, default);
        Text(same).ShouldBe(Text(opening));
        days.ShouldNotBeEmpty();
        months.Count.ShouldBeLessThan(days.Count);
        Text(All(opening, months)).ShouldBe(Text(All(opening, days)));
        Text(All(opening, days)).ShouldBe(Text((await sums.UpToAsync(last, default)).Totals));
        days.Select(day => day.From).ShouldBe(days.Select(day => day.From).Order());
    }

    internal static JournalSums SumsOf(LedgerDatabase ledger) => new(ledger.Database, ledger.Log, ledger.Snapshots);

    private static async Task<History> StoryAsync(LedgerDatabase ledger)
    {
        var history = await ledger.OpenHistoryAsync(7, 4);
        for (var step = 0; step < 100; step++)
            await history.StepAsync();
        return history;
    }

    private static async Task CatchUpAsync(JournalSums sums, LogReader reader)
    {
        while (await reader.NextAsync(17, default) is { Count: > 0 } page)
            await sums.AddAsync(page, default);
    }

    private static Totals All(Totals opening, IEnumerable<PeriodTotals> periods) =>
        periods.SelectMany(period => period.Totals.Moves).Aggregate(opening, (totals, move) => totals.Plus(move.Key, move.Value));

    private static string Text(Totals totals) =>
        string.Join('\n', totals.Moves.Select(move => $"{move.Key} {move.Value}").Order(StringComparer.Ordinal));

    private static void Same(Totals left, Totals right) => left.Since(right).Moves.ShouldBeEmpty();

    private static void Holds(Totals totals, IEnumerable<Account> accounts)
    {
        var (balances, all) = (totals.Balances(), accounts.ToList());
        foreach (var unit in Enum.GetValues<Unit>())
        {
            balances
                .Where(balance => balance.Key.Unit == unit)
                .Aggregate((Int128)0, (sum, balance) => sum + balance.Value.Parts)
                .ShouldBe((Int128)0);
            foreach (var source in Enum.GetValues<PocketSource>())
                (-balances.GetValueOrDefault((LedgerAccount.Liability(source), unit)).Parts).ShouldBe(
                    all.SelectMany(account => account.Wallet.Pockets)
                        .Where(pocket => pocket.Unit == unit && pocket.Source == source)
                        .Sum(pocket => pocket.Remaining)
                );
            balances
                .GetValueOrDefault((LedgerAccount.Receivable, unit))
                .Parts.ShouldBe(all.Sum(account => account.Wallet.Debt(unit).Parts));
        }

        balances.Values.Aggregate(Worth.Zero, (sum, balance) => sum + balance.Worth).ShouldBe(Worth.Zero);
    }
}
