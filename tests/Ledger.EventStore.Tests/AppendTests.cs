using Npgsql;
using NpgsqlTypes;

namespace Ledger.EventStore.Tests;

public sealed class AppendTests
{
    [Fact]
    public async Task An_event_is_stored_column_by_column_as_Marten_would()
    {
        await using var log = await LogDatabase.CreateAsync();
        var append = new StreamAppend("account-a", "account", 0, HashChain.Start);
        append.Add(
            new(LogDatabase.Id(1), LogDatabase.Types.Of(new Noted()), new Noted("Grüße"), LogDatabase.Noon, "key:a", "request", "cause")
        );
        append.Add(
            new(
                LogDatabase.Id(2),
                LogDatabase.Types.Of(new Noted()),
                new Noted(Number: 7),
                LogDatabase.Noon.AddMicroseconds(1),
                null,
                null,
                null
            )
        );
        await log.AppendAsync(append);

        (await log.LinesAsync("select to_jsonb(m)::text from mt_events m order by m.seq_id")).ShouldBe([
            Json(
                $$"""
                {"id": "00000001-0000-0000-0000-000000000001", "data": {"text": "Grüße"}, "type": "noted", "bdata": null, "seq_id": 1,
                 "headers": {{await HeadersAsync(1)}}, "version": 1, "stream_id": "account-a", "tenant_id": "*DEFAULT*",
                 "timestamp": "2026-01-02T12:00:00+00:00", "is_archived": false, "causation_id": "cause", "correlation_id": "request",
                 "mt_dotnet_type": "Ledger.EventStore.Tests.Noted, Ledger.EventStore.Tests"}
                """
            ),
            Json(
                $$"""
                {"id": "00000002-0000-0000-0000-000000000001", "data": {"number": 7}, "type": "noted", "bdata": null, "seq_id": 2,
                 "headers": {{await HeadersAsync(2)}}, "version": 2, "stream_id": "account-a", "tenant_id": "*DEFAULT*",
                 "timestamp": "2026-01-02T12:00:00.000001+00:00", "is_archived": false, "causation_id": null, "correlation_id": null,
                 "mt_dotnet_type": "Ledger.EventStore.Tests.Noted, Ledger.EventStore.Tests"}
                """
            ),
        ]);
        (await log.LinesAsync("select to_jsonb(s)::text from mt_streams s")).ShouldBe([
            Json(
                """
                {"id": "account-a", "type": "account", "created": "2026-01-02T12:00:00.000001+00:00", "version": 2, "tenant_id": "*DEFAULT*",
                 "timestamp": "2026-01-02T12:00:00.000001+00:00", "is_archived": false}
                """
            ),
        ]);
        (await log.LinesAsync("select k from mt_events m, jsonb_object_keys(m.headers) k where m.version = 1 order by k")).ShouldBe([
            "actor",
            "hash",
            "prev",
        ]);

        static string Json(string text) => text.ReplaceLineEndings("").Replace(",  ", ", ", StringComparison.Ordinal);
        Task<string> HeadersAsync(long version) =>
            log.QueryAsync<string>($"select m.headers::text from mt_events m where m.version = {version}");
    }

    [Fact]
    public async Task Versions_and_positions_are_contiguous_in_the_order_of_the_batch()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var writer = await log.OpenWriterAsync();
        var first = LogDatabase.Stream("account-b", 1, 2);
        (
            await writer.SendAsync(
                LogDatabase.Trip(LogDatabase.Stream("account-c", 3, 4), first, LogDatabase.Stream("account-a", 5)),
                default
            )
        ).Won.ShouldBe([true, true, true]);
        (await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-b", 2, first.LastHash, 6, 7)), default)).Won.ShouldBe([true]);

        (await log.LinesAsync("select m.seq_id || ' ' || m.stream_id || ' ' || m.version from mt_events m order by m.seq_id")).ShouldBe([
            "1 account-a 1",
            "2 account-b 1",
            "3 account-b 2",
            "4 account-c 1",
            "5 account-c 2",
            "6 account-b 3",
            "7 account-b 4",
        ]);
        (
            await log.LinesAsync(
                "select s.id || ' ' || s.version || ' ' || s.timestamp || ' ' || s.created from mt_streams s where s.id = 'account-b'"
            )
        ).ShouldBe(["account-b 4 2026-01-02 12:00:07+00 2026-01-02 12:00:02+00"]);
    }

    [Fact]
    public async Task A_stream_at_another_version_is_not_touched_and_its_neighbours_are()
    {
        await using var log = await LogDatabase.CreateAsync();
        var b = LogDatabase.Stream("account-b", 1, 2);
        await log.AppendAsync(b);
        var result = await log.AppendAsync(
            LogDatabase.Stream("account-a", 3),
            LogDatabase.Stream("account-b", 1, b.LastHash, 4, 5),
            LogDatabase.Stream("account-c", 6, 7),
            LogDatabase.Stream("account-d", 1, HashChain.Start, 8)
        );

        result.GuardHeld.ShouldBeTrue();
        result.Won.ShouldBe([true, false, true, false]);
        result.Repeated.ShouldBeEmpty();
        (await log.LinesAsync("select s.id || ' ' || s.version from mt_streams s order by s.id")).ShouldBe([
            "account-a 1",
            "account-b 2",
            "account-c 2",
        ]);
        (await log.LinesAsync("select m.stream_id || ' ' || m.version from mt_events m order by 1")).ShouldBe([
            "account-a 1",
            "account-b 1",
            "account-b 2",
            "account-c 1",
            "account-c 2",
        ]);
    }

    [Fact]
    public async Task What_exists_is_not_opened_again()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        (await log.AppendAsync(LogDatabase.Stream("account-a", 2), LogDatabase.Stream("account-b", 3))).Won.ShouldBe([false, true]);
        (await log.ReadAsync("account-a")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task When_the_guard_has_moved_nothing_is_appended_anywhere()
    {
        await using var log = await LogDatabase.CreateAsync();
        var a = LogDatabase.Stream("account-a", 1);
        await log.AppendAsync(a, LogDatabase.Stream("rate-card", 2));
        await using var writer = await log.OpenWriterAsync();
        var trip = LogDatabase.Trip(LogDatabase.Stream("account-a", 1, a.LastHash, 3), LogDatabase.Stream("account-b", 4));

        trip.Guard = ("rate-card", 2);
        var missed = await writer.SendAsync(trip, default);
        missed.GuardHeld.ShouldBeFalse();
        missed.Won.ShouldBe([false, false]);
        trip.Guard = ("nowhere", 1);
        (await writer.SendAsync(trip, default)).GuardHeld.ShouldBeFalse();
        (await log.QueryAsync<long>("select count(*) from mt_events")).ShouldBe(2);

        trip.Guard = ("rate-card", 1);
        var held = await writer.SendAsync(trip, default);
        held.GuardHeld.ShouldBeTrue();
        held.Won.ShouldBe([true, true]);
        (await log.QueryAsync<long>("select count(*) from mt_events")).ShouldBe(4);
    }

    [Fact]
    public async Task The_first_id_that_stands_in_the_log_undoes_its_trip_and_the_next_ones_are_flagged_and_cost_their_neighbours_nothing()
    {
        await using var log = await LogDatabase.CreateAsync();
        var (a, b) = (LogDatabase.Stream("account-a", 1, 2), LogDatabase.Stream("account-b", 3));
        await log.AppendAsync(a, b);
        await using var writer = await log.OpenWriterAsync();
        Trip Repeating() =>
            LogDatabase.Trip(
                LogDatabase.Stream("account-a", 2, a.LastHash, 4, 1, 2),
                LogDatabase.Stream("account-b", 1, b.LastHash, 5),
                LogDatabase.Stream("account-c", 1, 2)
            );

        (await Should.ThrowAsync<PostgresException>(() => writer.SendAsync(Repeating(), default))).SqlState.ShouldBe(
            PostgresErrorCodes.UniqueViolation
        );
        (await log.QueryAsync<long>("select count(*) from mt_events")).ShouldBe(3);

        var result = await writer.SendAsync(Repeating(), default);
        result.Won.ShouldBe([false, true, true]);
        result.Repeated.ShouldBe([0]);
        (await log.ReadAsync("account-a")).Count.ShouldBe(2);
        (await log.ReadAsync("account-b")).Count.ShouldBe(2);
    }

    [Fact]
    public async Task An_id_twice_in_one_batch_is_refused_by_the_unique_index()
    {
        await using var log = await LogDatabase.CreateAsync();
        (await Should.ThrowAsync<PostgresException>(() => log.AppendAsync(LogDatabase.Stream("account-a", 1, 1)))).SqlState.ShouldBe(
            PostgresErrorCodes.UniqueViolation
        );
        (await log.QueryAsync<long>("select count(*) from mt_streams")).ShouldBe(0);
    }

    [Fact]
    public async Task A_trip_confirms_versions_and_recalls_facts_as_they_are_after_its_own_appends()
    {
        await using var log = await LogDatabase.CreateAsync();
        var a = LogDatabase.Stream("account-a", 1, 2);
        await log.AppendAsync(a, LogDatabase.Stream("account-b", 3));
        await using var writer = await log.OpenWriterAsync();
        var trip = LogDatabase.Trip(LogDatabase.Stream("account-a", 2, a.LastHash, 4));
        trip.Confirm.AddRange(["account-a", "account-b", "nowhere"]);
        trip.Recall.AddRange([
            ("account-a", LogDatabase.Id(4)),
            ("account-a", LogDatabase.Id(3)),
            ("account-b", LogDatabase.Id(3)),
            ("nowhere", LogDatabase.Id(1)),
        ]);

        for (var again = 0; again < 2; again++)
        {
            var result = await writer.SendAsync(trip, default);
            result.Versions.ShouldBe(new Dictionary<string, long> { ["account-a"] = 3, ["account-b"] = 1 }, ignoreOrder: true);
            result
                .Recalled.Select(stored => (stored.StreamId, stored.Id))
                .ShouldBe([("account-a", LogDatabase.Id(4)), ("account-b", LogDatabase.Id(3))], ignoreOrder: true);
            result.Recalled.Single(stored => stored.StreamId == "account-b").Data.ShouldBe("""{"text": "event 3"}""");
            trip.Streams.Clear();
        }
    }

    [Fact]
    public async Task A_trip_with_nothing_in_it_goes_nowhere()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var writer = await log.OpenWriterAsync();
        var result = await writer.SendAsync(new(), default);
        result.GuardHeld.ShouldBeTrue();
        result.Won.ShouldBeEmpty();
        result.Versions.ShouldBeEmpty();
        result.Recalled.ShouldBeEmpty();
    }

    [Fact]
    public async Task Inline_rows_are_written_for_the_streams_that_won_and_for_no_other()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync("create table notes (stream varchar primary key, note varchar)");
        await log.AppendAsync(LogDatabase.Stream("account-b", 1));
        var notes = new Notes();
        await using var writer = await log.OpenWriterAsync(notes);

        notes.Add(1, "account-a", "one");
        notes.Add(2, "account-b", "two");
        notes.Add(3, "account-c", "three");
        var trip = LogDatabase.Trip(
            LogDatabase.Stream("account-a", 2),
            LogDatabase.Stream("account-b", 3),
            LogDatabase.Stream("account-c", 4)
        );
        (await writer.SendAsync(trip, default)).Won.ShouldBe([true, false, true]);
        (await log.LinesAsync("select stream || ' ' || note from notes order by stream")).ShouldBe(["account-a one", "account-c three"]);

        // The columns are empty again, so what comes next adds nothing.
        await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-d", 5)), default);
        (await log.QueryAsync<long>("select count(*) from notes")).ShouldBe(2);
    }

    [Fact]
    public async Task When_an_inline_row_is_refused_no_event_is_appended_and_the_writer_goes_on()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync("create table notes (stream varchar primary key, note varchar check (note <> 'bad'))");
        var notes = new Notes();
        await using var writer = await log.OpenWriterAsync(notes);

        notes.Add(1, "account-a", "bad");
        (
            await Should.ThrowAsync<PostgresException>(() =>
                writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1)), default)
            )
        ).SqlState.ShouldBe(PostgresErrorCodes.CheckViolation);
        (await log.QueryAsync<long>("select count(*) from mt_events")).ShouldBe(0);

        notes.Add(1, "account-a", "good");
        (await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1)), default)).Won.ShouldBe([true]);
        (await log.LinesAsync("select note from notes")).ShouldBe(["good"]);
    }

    [Fact]
    public async Task A_prepared_append_goes_on_when_its_table_is_replaced_by_another_of_the_name()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync("create table notes (stream varchar primary key, note varchar)");
        var notes = new Notes();
        await using var writer = await log.OpenWriterAsync(notes);
        notes.Add(1, "account-a", "old");
        await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1)), default);

        await log.ExecuteAsync(
            """
            create schema shadow;
            create table shadow.notes (stream varchar primary key, note varchar);
            begin;
            drop table notes;
            alter table shadow.notes set schema public;
            commit;
            """
        );
        notes.Add(1, "account-b", "new");
        await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-b", 2)), default);
        (await log.LinesAsync("select note from notes")).ShouldBe(["new"]);
    }

    [Fact]
    public async Task Inline_rows_can_be_written_outside_of_an_append_by_the_same_statement()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync("create table notes (stream varchar primary key, note varchar)");
        var notes = new Notes();
        await using var connection = await log.Database.OpenConnectionAsync();
        await using var writer = new InlineWriter(connection, [notes]);
        notes.Add(7, "account-a", "one");
        notes.Add(8, "account-b", "two");
        await writer.WriteAsync(default);
        notes.Add(1, "account-c", "three");
        await writer.WriteAsync(default);
        (await log.LinesAsync("select stream || ' ' || note from notes order by stream")).ShouldBe([
            "account-a one",
            "account-b two",
            "account-c three",
        ]);
    }

    private sealed class Notes : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _stream;
        private readonly InlineColumn<string> _note;

        public Notes()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _stream = Column<string>("stream", NpgsqlDbType.Varchar);
            _note = Column<string>("note", NpgsqlDbType.Varchar);
        }

        public override string Sql =>
            """
                noted as (
                  insert into notes (stream, note)
                  select
                    t.stream,
                    t.note
                  from unnest(:n, :stream, :note) as t (n, stream, note)
                  where :won(t.n)
                )
                """;

        public void Add(int n, string stream, string note)
        {
            _n.Add(n);
            _stream.Add(stream);
            _note.Add(note);
        }
    }
}
