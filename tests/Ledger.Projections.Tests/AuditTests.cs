using System.Security.Cryptography;
using Ledger.Domain.Money;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;

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

    /// <summary>Whatever a value was made, its place is named, every check goes on, and what else was tampered with is found too.</summary>
    [Theory]
    [InlineData(
        "streams",
        "hash_mismatch",
        "account-a000 version 2",
        "update mt_events set timestamp = 'infinity' where stream_id = 'account-a000' and version = 2"
    )]
    [InlineData(
        "streams",
        "hash_mismatch",
        "account-a000 version 2",
        "update mt_events set timestamp = '-infinity' where stream_id = 'account-a000' and version = 2"
    )]
    [InlineData(
        "streams",
        "hash_mismatch",
        "account-a000 version 2",
        "update mt_events set timestamp = '20000-01-01' where stream_id = 'account-a000' and version = 2"
    )]
    [InlineData(
        "streams",
        "hash_mismatch",
        "account-a000 version 2",
        "update mt_events set timestamp = '4000-01-01 BC' where stream_id = 'account-a000' and version = 2"
    )]
    [InlineData(
        "streams",
        "hash_mismatch",
        "account-a000 version 2",
        "update mt_events set data = jsonb_set(data, '{x}', (repeat('[', 100) || repeat(']', 100))::jsonb) where stream_id = 'account-a000' and version = 2"
    )]
    [InlineData(
        "streams",
        "previous_mismatch",
        "account-a000 version 2",
        "update mt_events set headers = '[]' where stream_id = 'account-a000' and version = 2"
    )]
    [InlineData(
        "streams",
        "hash_mismatch",
        "account-a000 version 2",
        "update mt_events set headers = headers || jsonb_build_object('x', (repeat('[', 100) || repeat(']', 100))::jsonb) where stream_id = 'account-a000' and version = 2"
    )]
    [InlineData(
        "streams",
        "hash_mismatch",
        "rate-card version 1",
        "update mt_events set timestamp = 'infinity' where stream_id = 'rate-card'"
    )]
    [InlineData(
        "streams",
        "hash_mismatch",
        "account-",
        "update mt_events m set data = jsonb_set(m.data, '{charged}', '\"x\"') where m.id in (select (r.data ->> 'spend')::uuid from mt_events r where r.type = 'spend_reversed')"
    )]
    [InlineData("streams", "version_uncounted", "account-a000 version", "update mt_streams set version = null where id = 'account-a000'")]
    [InlineData(
        "streams",
        "version_missing",
        "account-a000 version",
        "update mt_streams set version = 9223372036854775807 where id in ('account-a000', 'account-a002')"
    )]
    [InlineData(
        "streams",
        "version_missing",
        "account-a000 version",
        "update mt_streams set version = -9223372036854775808 where id = 'account-a003'; update mt_streams set version = version + 1 where id = 'account-a000'"
    )]
    [InlineData(
        "trial_balance",
        "books_differ",
        "journal_days 2021-",
        "update journal_days set debit = 'x' where (day, debit, credit, unit) = (select day, debit, credit, unit from journal_days limit 1)"
    )]
    [InlineData(
        "trial_balance",
        "books_differ",
        "journal_days 2021-",
        "update journal_days set unit = 'x' where (day, debit, credit, unit) = (select day, debit, credit, unit from journal_days limit 1)"
    )]
    [InlineData("trial_balance", "books_differ", "journal_days 2021-", "update journal_days set parts = parts + 0.5")]
    [InlineData("trial_balance", "books_differ", "journal_days 2021-", "update journal_days set worth = 'NaN'")]
    [InlineData(
        "trial_balance",
        "books_differ",
        "journal_days infinity ",
        "insert into journal_days values ('infinity', 'promotion:operator', 'liability:bonus', 'credits', 1, 0)"
    )]
    [InlineData("trial_balance", "books_differ", "journal_marks ", "update journal_marks set moves = '{}'")]
    [InlineData("trial_balance", "books_differ", "journal_marks ", "update journal_marks set moves = '[null]'")]
    [InlineData("trial_balance", "books_differ", "journal_marks 1000000", "insert into journal_marks values (1000000, '2021-01-01', '[]')")]
    [InlineData(
        "trial_balance",
        "books_differ",
        "journal_totals a000 3",
        "insert into journal_totals select 'a000', 3, 1, decode(m.headers ->> 'hash', 'base64'), '{}' from mt_events m where m.stream_id = 'account-a000' and m.version = 3"
    )]
    public async Task A_value_that_nothing_can_read_is_named_and_hides_nothing_else(string check, string code, string place, string tamper)
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(tamper);
        await ledger.ExecuteAsync(
            """
            update mt_events set headers = headers || '{"actor": "x"}' where stream_id = 'account-a005' and version = 2;
            update pockets set remaining = remaining + 1 where account_id = 'a001' and pocket = 1
            """
        );
        var report = await AuditAsync(ledger);
        var told = string.Join('\n', report.Findings);
        report.Findings.ShouldContain(
            finding =>
                finding.Check == check
                && finding.Code == code
                && finding.Place.StartsWith(place, StringComparison.Ordinal)
                && finding.Place != "account-a005 version 2",
            told
        );
        report.Findings.ShouldContain(finding => finding.Code == "hash_mismatch" && finding.Place == "account-a005 version 2", told);
        report.Findings.ShouldContain(
            finding => finding.Code == "row_differs" && finding.Place == """pockets {"pocket": 1, "account_id": "a001"}""",
            told
        );
        report.Findings.ShouldNotContain(finding => finding.Place == "-", told);
    }

    [Theory]
    [InlineData("checkpoint_unlawful", "update log_checkpoints set count = 9223372036854775807")]
    [InlineData("checkpoint_unlawful", "update log_checkpoints set gaps = '{null,null}'")]
    [InlineData("checkpoint_unlawful", "update log_checkpoints set gaps = '{{1,2},{3,4}}'")]
    [InlineData("checkpoint_signature", "update log_checkpoints set at = 'infinity'")]
    [InlineData("checkpoint_signature", "update log_checkpoints set at = '20000-01-01'")]
    [InlineData("checkpoint_signature", "update log_checkpoints set signature = ''")]
    [InlineData("checkpoint_segments", "update log_checkpoints set segments = substr(segments, 2)")]
    public async Task A_checkpoint_that_contradicts_itself_is_named_and_what_comes_behind_is_looked_at(string code, string tamper)
    {
        await using var ledger = await FilledAsync(21);
        await SignAsync(ledger);
        (await AuditAsync(ledger)).Findings.ShouldBeEmpty();
        await ledger.ExecuteAsync(tamper);
        await ledger.ExecuteAsync("update pockets set remaining = remaining + 1 where account_id = 'a001' and pocket = 1");
        var report = await AuditAsync(ledger);
        var told = string.Join('\n', report.Findings);
        report.Findings.ShouldContain(
            finding => finding.Check == "checkpoints" && finding.Code == code && finding.Place == "checkpoint 1",
            told
        );
        report.Findings.ShouldContain(finding => finding.Code == "row_differs", told);
        report.Findings.ShouldNotContain(finding => finding.Code == "not_checked", told);
    }

    [Theory]
    [InlineData("event_added", "position ", "version = 0, seq_id = nextval('mt_events_sequence')")]
    [InlineData("event_added", "position ", "version = -3, seq_id = nextval('mt_events_sequence')")]
    [InlineData("event_added", "position ", "stream_id = null, seq_id = nextval('mt_events_sequence')")]
    [InlineData("event_added", "position ", "stream_id = '', seq_id = nextval('mt_events_sequence')")]
    [InlineData("event_added", "position -5", "version = 0, seq_id = -5")]
    [InlineData("event_added", "position 1000000", "stream_id = null, seq_id = 1000000")]
    [InlineData("version_missing", "account-a000 version ", "version = 1000000, seq_id = nextval('mt_events_sequence')")]
    [InlineData("stream_missing", "account-zzz version 2", "stream_id = 'account-zzz', seq_id = nextval('mt_events_sequence')")]
    [InlineData("stream_missing", "zzz version 2", "stream_id = 'zzz', seq_id = -5")]
    public async Task An_event_that_was_put_in_beside_every_stream_is_found(string code, string place, string change)
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(
            $"""
            create temporary table added as select * from mt_events where stream_id = 'account-a000' and version = 2;
            update added set id = 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa', {change};
            insert into mt_events select * from added;
            drop table added
            """
        );
        foreach (
            var checks in (IAuditCheck[][])
                [
                    [new StreamCheck()],
                    [new StreamCheck(), new ReadModelCheck()],
                ]
        )
        {
            var finding = (await new Auditor(ledger.Database, TimeProvider.System, checks).RunAsync(null, null, default))
                .Findings.Where(finding => finding.Code != "sequence_behind")
                .ShouldHaveSingleItem();
            (finding.Check, finding.Code).ShouldBe(("streams", code));
            finding.Place.ShouldStartWith(place);
        }
    }

    [Fact]
    public async Task A_stream_whose_rows_no_table_takes_is_left_out_and_the_rows_of_all_others_are_compared()
    {
        await using var ledger = await FilledAsync(21);
        await ledger.ExecuteAsync(
            """
            update mt_events m
            set data = jsonb_set(m.data, '{secretHash}', (select to_jsonb(k.secret_hash) from keys k where k.account_id = 'a002' limit 1))
            where m.stream_id = 'account-a000' and m.version = 2;
            update mt_streams set version = version + 1 where id = 'account-a003';
            update pockets set remaining = remaining + 1 where account_id = 'a001' and pocket = 1
            """
        );
        var report = await AuditAsync(ledger);
        var told = string.Join('\n', report.Findings);
        report.Findings.ShouldContain(finding => finding.Code == "hash_mismatch", told);
        report.Findings.ShouldContain(
            finding => finding.Code == "version_missing" && finding.Place.StartsWith("account-a003 ", StringComparison.Ordinal),
            told
        );
        var rows = report.Findings.Where(finding => finding.Check == "read_models").ToList();
        rows.ShouldContain(
            finding => finding.Code == "not_checked" && finding.Message.Contains("Its rows are not lawful", StringComparison.Ordinal),
            told
        );
        rows.Where(finding => finding.Code != "not_checked")
            .Select(finding => (finding.Code, finding.Place))
            .ShouldBe([("row_differs", """pockets {"pocket": 1, "account_id": "a001"}""")], told);
    }

    [Theory]
    [InlineData(
        "journal_marks",
        "update journal_marks set at = at - interval '1 microsecond' where position = (select max(position) from journal_marks)"
    )]
    [InlineData("journal_marks", "update journal_marks set at = 'infinity' where position = (select min(position) from journal_marks)")]
    [InlineData("journal_position", "update journal_position set at = at + interval '1 day'")]
    public async Task A_mark_of_the_books_that_is_dated_otherwise_than_its_latest_event_is_named(string table, string tamper)
    {
        await using var ledger = await FilledAsync(21);
        (await AuditAsync(ledger)).Findings.ShouldBeEmpty();
        await ledger.ExecuteAsync(tamper);
        var finding = (await AuditAsync(ledger)).Findings.ShouldHaveSingleItem();
        (finding.Check, finding.Code).ShouldBe(("trial_balance", "books_differ"));
        finding.Place.ShouldStartWith(table + " ");
        finding.Place.ShouldEndWith(" at");
        (await BooksOf(ledger).CompareAsync(default)).ShouldBe([finding.Place]);
    }

    [Fact]
    public async Task While_another_comparison_runs_nothing_is_reported_of_the_ledger()
    {
        await using var ledger = await FilledAsync(21);
        var during = new During(() =>
            Should.Throw<RebuildRefusedException>(() => AuditAsync(ledger)).Message.ShouldStartWith("Another rebuild")
        );
        await new Rebuilder(ledger.Database, TimeProvider.System).RebuildAsync("usage", during, default);
        during.Times.ShouldBeGreaterThan(0);
        (await AuditAsync(ledger)).IsWhole.ShouldBeTrue();
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

    private static JournalSums BooksOf(LedgerDatabase ledger) => new(ledger.Database, ledger.Log, ledger.Snapshots, markEvery: 100);

    private static async Task SignAsync(LedgerDatabase ledger)
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = CheckpointKey.Of(pair);
        await new LogCheckpoints(ledger.Database).AddKeyAsync(new(key, [1], LedgerDatabase.Start), onlyFirst: true, default);
        await using var turn = (await CheckpointTurn.TryTakeAsync(ledger.Database, default))!;
        (
            await turn.MakeAsync(LedgerDatabase.Start, key.Id, form => CheckpointKey.Sign(pair, form), int.MaxValue, default)
        ).ShouldNotBeNull();
    }

    private static async Task<LedgerDatabase> FilledAsync(int seed)
    {
        var ledger = await LedgerDatabase.CreateAsync();
        await ledger.PublishAsync(Quantity.Of(1));
        await using var history = await ledger.OpenHistoryAsync(seed, 12);
        for (var step = 0; step < 60; step++)
            await history.StepAsync();
        foreach (var page in (await ledger.Log.ReadLogAsync(0, 10_000, default)).Chunk(70))
            await BooksOf(ledger).AddAsync(page, default);
        return ledger;
    }

    private sealed class During(Action act) : IProgress<RebuildProgress>
    {
        public int Times { get; private set; }

        public void Report(RebuildProgress value)
        {
            if (Times++ == 0)
                act();
        }
    }

    private sealed class Broken : IAuditCheck
    {
        public string Name => "broken";

        public string Means => "Nothing.";

        public Task RunAsync(AuditRun run, CancellationToken ct) => throw new InvalidDataException("no.");
    }
}
