using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Journal;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Journal;
using Npgsql;

namespace Ledger.Projections.Tests.Journal;

/// <summary>One account's books as of any moment.</summary>
public sealed class AccountJournalTests
{
    private static readonly AccountId Id = new("a000");

    [Theory]
    [InlineData(1, 7)]
    [InlineData(2, 1)]
    [InlineData(3, 5000)]
    public async Task Statements_of_a_whole_life_chain_and_close_with_what_the_account_had_then(int seed, int every)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, 1);
        for (var step = 0; step < 130; step++)
            await history.StepAsync();
        var (journal, now) = (JournalOf(ledger, every), history.Now.AddDays(40));
        var before = default(PeriodStatement);
        for (var month = new DateTimeOffset(2020, 12, 1, 0, 0, 0, TimeSpan.Zero); month <= now; month = month.AddMonths(1))
        {
            var statement = await journal.StateAsync(Id, month, month.AddMonths(1), now, default);
            if (before is not null)
                statement.Statement.Opening.ShouldBe(before.Statement.Closing);
            statement.IsFinal.ShouldBe(month.AddMonths(1).AddMinutes(1) <= now);
            var end = month.AddMonths(1) <= now ? month.AddMonths(1).AddMicroseconds(-1) : now;
            var state = await journal.StateAtAsync(Id, end, default);
            foreach (var unit in Enum.GetValues<Unit>())
            {
                foreach (var source in Enum.GetValues<PocketSource>())
                    Had(statement.Statement.Closing, unit, LedgerAccount.Liability(source))
                        .ShouldBe(
                            state
                                .Wallet.Pockets.Where(pocket => pocket.Unit == unit && pocket.Source == source)
                                .Sum(pocket => pocket.Remaining)
                        );
                Had(statement.Statement.Closing, unit, LedgerAccount.Receivable).ShouldBe(-state.Wallet.Debt(unit).Parts);
            }

            before = statement;
        }

        before!.Statement.Closing.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task A_statement_is_final_only_once_no_commit_hangs_that_may_be_of_its_time()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(4, 1);
        for (var step = 0; step < 20; step++)
            await history.StepAsync();
        var (journal, from) = (JournalOf(ledger, 5000), new DateTimeOffset(2998, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var (to, now) = (from.AddMonths(1), from.AddMonths(2));

        // As an append whose commit waits for a standby that is away: it has drawn a position, and nobody sees yet what stands there.
        await using (var connection = await ledger.Database.OpenConnectionAsync())
        await using (var hanging = await connection.BeginTransactionAsync())
        {
            await using var draw = new NpgsqlCommand("select nextval('mt_events_sequence')", connection);
            await draw.ExecuteScalarAsync();
            (await journal.StateAsync(Id, from, to, now, default)).IsFinal.ShouldBeFalse();
            await hanging.RollbackAsync();
        }

        (await journal.StateAsync(Id, from, to, now, default)).IsFinal.ShouldBeTrue();
        (await journal.StateAsync(Id, from, to, to.AddSeconds(59), default)).IsFinal.ShouldBeFalse();
    }

    [Fact]
    public async Task Totals_that_are_kept_change_nothing_but_the_time_it_takes()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(5, 1);
        for (var step = 0; step < 100; step++)
            await history.StepAsync();
        var last = history.States[Id].Account.Version;
        var log = new CountingLog(ledger.Log);
        var (some, whole) = (JournalOf(ledger, 10, log), JournalOf(ledger, 1_000_000));
        await some.TotalsAsync(Id, last, default);
        (await ledger.QueryAsync<long>("select count(*) from journal_totals")).ShouldBe(last / 10);
        for (var version = 0L; version <= last; version += 3)
        {
            var read = await log.CountAsync(async () =>
                Text((await some.TotalsAsync(Id, version, default)).Totals)
                    .ShouldBe(Text((await whole.TotalsAsync(Id, version, default)).Totals))
            );
            read.ShouldBe(version % 10);
        }

        // Totals of events that a fail-over took away are as good as none.
        await ledger.ExecuteAsync("update journal_totals set last_hash = '\\x00'");
        Text((await some.TotalsAsync(Id, last, default)).Totals).ShouldBe(Text((await whole.TotalsAsync(Id, last, default)).Totals));
    }

    [Fact]
    public async Task The_journal_reads_on_page_by_page_and_adds_up_to_the_totals()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(6, 1);
        for (var step = 0; step < 60; step++)
            await history.StepAsync();
        var (journal, last) = (JournalOf(ledger, 20), history.States[Id].Account.Version);
        var whole = await journal.ReadAsync(Id, 0, last, 10_000, default);
        whole.Next.ShouldBeNull();
        var (read, after) = (new List<JournalLine>(), (long?)0);
        while (after is { } place)
        {
            var page = await journal.ReadAsync(Id, place, last, 7, default);
            page.Lines.Count.ShouldBeLessThanOrEqualTo(7);
            read.AddRange(page.Lines);
            after = page.Next;
        }

        read.Select(line => line.Stored.Version).ShouldBe(whole.Lines.Select(line => line.Stored.Version));
        Text(read.Aggregate(Totals.None, (totals, line) => totals.Plus(line.Entry)))
            .ShouldBe(Text((await journal.TotalsAsync(Id, last, default)).Totals));
        (await journal.ReadAsync(Id, last, last, 10, default)).ShouldSatisfyAllConditions(
            page => page.Lines.ShouldBeEmpty(),
            page => page.Next.ShouldBeNull()
        );
        (await journal.ReadAsync(new("nobody"), 0, 10, 10, default)).Lines.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_long_wallets_statement_begins_at_the_nearest_totals()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        await history.SendAsync(new OpenAccount(Id, null));
        await history.SendAsync(new GrantCredits(Id, Amount.Credits(1_000_000), PocketSource.Payg, null, null, "operator", "1", null));
        await history.StepAsync();
        await history.StepAsync();
        await history.StepAsync();
        var log = new CountingLog(ledger.Log);
        var journal = JournalOf(ledger, 2, log);
        var sums = new JournalSums(ledger.Database, ledger.Log, new(ledger.Database, ledger.Log, new(ledger.Database, 2)), journal);
        await sums.AddAsync(await ledger.Log.ReadLogAsync(0, 10_000, default), default);
        (await ledger.QueryAsync<long>("select count(*) from journal_totals")).ShouldBe(history.States[Id].Account.Version / 2);
        Task StateAsync() =>
            journal.StateAsync(Id, LedgerDatabase.Start.AddDays(1), LedgerDatabase.Start.AddDays(300), history.Now, default);

        // States are left behind where there were none, as a lane leaves them every some thousand versions.
        await StateAsync();
        (await log.CountAsync(StateAsync)).ShouldBeLessThan(4);
        var whole = JournalOf(ledger, 1_000_000);
        var last = history.States[Id].Account.Version;
        await ledger.ExecuteAsync($"delete from journal_totals where version < {last - 1}");
        Text((await journal.TotalsAsync(Id, last, default)).Totals).ShouldBe(Text((await whole.TotalsAsync(Id, last, default)).Totals));
    }

    private static AccountJournal JournalOf(LedgerDatabase ledger, int every, IEventLog? log = null) =>
        new(
            ledger.Database,
            log ?? ledger.Log,
            new AccountSnapshots(ledger.Database, log ?? ledger.Log, new(ledger.Database, every)),
            new LogScan(ledger.Database)
        );

    private static Int128 Had(IEnumerable<Position> positions, Unit unit, LedgerAccount source) =>
        positions.SingleOrDefault(position => position.Unit == unit && position.Source == source).Sum.Parts;

    private static string Text(Totals totals) =>
        string.Join('\n', totals.Moves.Select(move => $"{move.Key} {move.Value}").Order(StringComparer.Ordinal));
}
