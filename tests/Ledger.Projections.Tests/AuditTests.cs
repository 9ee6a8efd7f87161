using Ledger.Domain.Money;
using Ledger.Projections.Audit;
using Ledger.Projections.Journal;

namespace Ledger.Projections.Tests;

/// <summary>An audit of histories of every kind of event finds nothing, and of one that was tampered with what and where.</summary>
public sealed class AuditTests
{
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public async Task Of_whatever_has_lawfully_happened_nothing_is_found(int seed)
    {
        await using var ledger = await FilledAsync(seed);
        var report = await AuditAsync(ledger);
        report.Findings.ShouldBeEmpty();
        report.IsWhole.ShouldBeTrue();
        report.Checks.Select(check => check.Name).ShouldBe(["checkpoints", "streams", "read_models", "trial_balance"]);
        report.Checks[1].Counted.ShouldContain(counted => counted.Key == "events" && counted.Value > 100);
        report.Inside.ShouldBe(AuditCoverage.None);
    }

    [Theory]
    [InlineData("version_missing", "version", "delete from mt_events where stream_id = 'account-a000' and version = 3")]
    [InlineData("stream_missing", "account-a000 version 1", "delete from mt_streams where id = 'account-a000'")]
    [InlineData(
        "version_missing",
        "account-a000 version",
        "delete from mt_events m where m.stream_id = 'account-a000' and m.version = (select s.version from mt_streams s where s.id = 'account-a000')"
    )]
    [InlineData("version_uncounted", "account-a000 version", "update mt_streams set version = version - 1 where id = 'account-a000'")]
    [InlineData(
        "position_order",
        "account-a000 version 3",
        "update mt_events m set seq_id = -1 where m.stream_id = 'account-a000' and m.version = 3"
    )]
    [InlineData("sequence_behind", "mt_events_sequence", "select setval('mt_events_sequence', 1)")]
    [InlineData("row_differs", "pockets", "update pockets set remaining = remaining + 1 where account_id = 'a000' and pocket = 1")]
    public async Task What_was_tampered_with_is_found_and_named(string code, string place, string tamper)
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(tamper);
        var report = await AuditAsync(ledger);
        report.IsWhole.ShouldBeFalse();
        report.Findings.ShouldContain(
            finding => finding.Code == code && finding.Place.Contains(place, StringComparison.Ordinal),
            string.Join('\n', report.Findings)
        );
    }

    [Fact]
    public async Task A_stream_that_cannot_be_read_is_named_and_the_rows_of_all_others_are_compared()
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(
            """
            update mt_events set type = 'x' where stream_id = 'account-a000' and version = 2;
            update pockets set remaining = remaining + 1 where account_id = 'a000' and pocket = 1;
            update pockets set remaining = remaining + 1 where account_id = 'a001' and pocket = 1;
            update prices set credits_nanos = 7 where card = 1 and tool = 'chat'
            """
        );
        var report = await AuditAsync(ledger);
        report
            .Findings.Select(finding => (finding.Check, finding.Code, finding.Place))
            .ShouldBe([
                ("streams", "hash_mismatch", "account-a000 version 2"),
                ("read_models", "not_checked", "account-a000 version 2"),
                ("read_models", "row_differs", """pockets {"pocket": 1, "account_id": "a001"}"""),
                ("read_models", "row_differs", """prices {"card": 1, "entry": "tools/chat"}"""),
                ("trial_balance", "not_checked", "account-a000 version 2"),
            ]);
    }

    [Fact]
    public async Task A_thousand_wrong_rows_hide_neither_what_was_not_compared_nor_what_other_checks_found()
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(
            """
            insert into pockets select 'ghost', n, unit, source, scope, granted, remaining, held, expires_at, opened_at, opened_by
            from pockets, generate_series(1, 1500) n where account_id = 'a000' and pocket = 1;
            update mt_events set type = 'x' where stream_id = 'account-a000' and version = 2
            """
        );
        var report = await AuditAsync(ledger);
        report
            .Findings.Select(finding => (finding.Check, finding.Code))
            .Distinct()
            .ShouldBe([
                ("streams", "hash_mismatch"),
                ("read_models", "not_checked"),
                ("read_models", "row_unfounded"),
                ("read_models", "row_differs"),
                ("trial_balance", "not_checked"),
            ]);
        report.Findings.Count.ShouldBe(204);
        report.Findings[^2].Place.ShouldBe("pockets and 1300 more");
    }

    [Fact]
    public async Task A_price_list_that_cannot_be_read_is_named_and_the_rows_of_accounts_are_compared()
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(
            """
            update mt_events set type = 'x' where stream_id = 'rate-card';
            update pockets set remaining = remaining + 1 where account_id = 'a001' and pocket = 1
            """
        );
        (await AuditAsync(ledger))
            .Findings.Where(finding => finding.Check == "read_models")
            .Select(finding => (finding.Code, finding.Place))
            .ShouldBe(
                [("row_differs", """pockets {"pocket": 1, "account_id": "a001"}"""), ("not_checked", "rate-card version 1")],
                ignoreOrder: true
            );
    }

    [Theory]
    [InlineData(
        "update journal_days set parts = parts + 1 where (day, debit, credit, unit) = (select day, debit, credit, unit from journal_days limit 1)"
    )]
    [InlineData(
        "update journal_days set worth = worth + 1 where (day, debit, credit, unit) = (select day, debit, credit, unit from journal_days limit 1)"
    )]
    [InlineData("delete from journal_days where (day, debit, credit, unit) = (select day, debit, credit, unit from journal_days limit 1)")]
    [InlineData("insert into journal_days values ('2021-01-01', 'promotion:operator', 'liability:bonus', 'credits', 1, 0)")]
    public async Task A_sum_of_the_books_that_was_changed_is_named(string tamper)
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(tamper);
        var finding = (await AuditAsync(ledger)).Findings.ShouldHaveSingleItem();
        (finding.Check, finding.Code).ShouldBe(("trial_balance", "books_differ"));
        finding.Place.ShouldStartWith("journal_days 2021-");
    }

    [Fact]
    public async Task One_check_that_cannot_go_on_costs_no_other_one_its_turn()
    {
        await using var ledger = await FilledAsync(22);
        var report = await new Auditor(ledger.Database, TimeProvider.System, [new Broken(), new StreamCheck()]).RunAsync(
            null,
            null,
            default
        );
        report.Findings.ShouldHaveSingleItem().ShouldBe(new("broken", "not_checked", "-", "The check could not be carried through: no."));
        report.Checks.Count.ShouldBe(2);
    }

    private static Task<AuditReport> AuditAsync(LedgerDatabase ledger) =>
        new Auditor(
            ledger.Database,
            TimeProvider.System,
            [new CheckpointCheck(), new StreamCheck(), new ReadModelCheck(), new TrialBalanceCheck(BooksOf(ledger))]
        ).RunAsync(null, null, default);

    private static JournalSums BooksOf(LedgerDatabase ledger) => new(ledger.Database, ledger.Log, ledger.Snapshots);

    private static async Task<LedgerDatabase> FilledAsync(int seed)
    {
        var ledger = await LedgerDatabase.CreateAsync();
        await ledger.PublishAsync(Quantity.Of(1));
        await using var history = await ledger.OpenHistoryAsync(seed, 12);
        for (var step = 0; step < 60; step++)
            await history.StepAsync();
        await BooksOf(ledger).AddAsync(await ledger.Log.ReadLogAsync(0, 10_000, default), default);
        return ledger;
    }

    private sealed class Broken : IAuditCheck
    {
        public string Name => "broken";

        public string Means => "Nothing.";

        public Task RunAsync(AuditRun run, CancellationToken ct) => throw new InvalidDataException("no.");
    }
}
