using System.Diagnostics;
using Ledger.Api.Hosting;
using Ledger.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Ledger.EventStore.Tests;

public sealed class LogReaderTests
{
    [Fact]
    public async Task Events_come_in_pages_in_the_order_of_positions()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3), LogDatabase.Stream("account-b", 4, 5));
        var reader = new LogReader(log.Database, 0);

        (await reader.NextAsync(2, default)).Select(stored => stored.Position).ShouldBe([1, 2]);
        (await reader.NextAsync(2, default)).Select(stored => stored.Position).ShouldBe([3, 4]);
        (await reader.NextAsync(2, default)).Select(stored => stored.Position).ShouldBe([5]);
        (await reader.NextAsync(2, default)).ShouldBeEmpty();
        reader.Position.ShouldBe(5);
        (await new LogReader(log.Database, 3).NextAsync(10, default)).Select(stored => stored.Position).ShouldBe([4, 5]);
    }

    [Fact]
    public async Task Of_events_that_are_not_wanted_only_the_positions_are_read()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3, 4, 5, 6, 7));
        await MakeAsync(log, "wanted", 2, 6);
        await MakeAsync(log, "wished", 3);
        var reader = new LogReader(log.Database, 0, ["wanted", "wished"]);

        (await PageAsync(reader, 3)).ShouldBe("2 3 up to 3, more");
        (await PageAsync(reader, 2)).ShouldBe(" up to 5, more");
        (await PageAsync(reader, 3)).ShouldBe("6 up to 7");
        (await PageAsync(reader, 3)).ShouldBe(" up to 7");

        // What is wanted comes whole.
        var all = await new LogReader(log.Database, 0).NextAsync(10, default);
        (await new LogReader(log.Database, 0, ["wanted", "wished"]).NextAsync(10, default)).ShouldBe([all[1], all[2], all[5]]);
        (await PageAsync(new LogReader(log.Database, 0, []), 10)).ShouldBe(" up to 7");
    }

    [Fact]
    public async Task A_late_commit_is_waited_for_also_where_nothing_behind_it_is_wanted()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var late = await BeginAsync(log);
        await InsertAsync(late, "account-late", 1);
        await ExecuteAsync(late, "update mt_events set type = 'wanted' where seq_id = 1");
        await log.AppendAsync(LogDatabase.Stream("account-a", 2, 3));
        var reader = new LogReader(log.Database, 0, ["wanted"]);

        for (var look = 0; look < 5; look++)
            (await PageAsync(reader, 10)).ShouldBe(" up to 0");
        await late.CommitAsync();
        (await PageAsync(reader, 10)).ShouldBe("1 up to 3");

        // And one that nobody wants, before one that somebody does.
        await using var unwanted = await BeginAsync(log);
        await InsertAsync(unwanted, "account-unwanted", 4);
        await log.AppendAsync(LogDatabase.Stream("account-b", 5));
        await MakeAsync(log, "wanted", 5);
        (await PageAsync(reader, 10)).ShouldBe(" up to 3");
        await unwanted.RollbackAsync();
        (await PageAsync(reader, 10)).ShouldBe("5 up to 5");
    }

    [Fact]
    public async Task A_late_commit_is_waited_for_and_never_skipped()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var late = await BeginAsync(log);
        await InsertAsync(late, "account-late", 1);
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        var reader = new LogReader(log.Database, 0);

        for (var look = 0; look < 5; look++)
            (await reader.NextAsync(10, default)).ShouldBeEmpty();
        await late.CommitAsync();
        (await reader.NextAsync(10, default)).Select(stored => stored.StreamId).ShouldBe(["account-late", "account-a"]);
    }

    [Fact]
    public async Task A_late_commit_is_not_skipped_when_it_began_after_the_one_that_came_before_it()
    {
        // The transaction ids and the positions are drawn in opposite orders, so the late one lies beyond the last id that has ended.
        await using var log = await LogDatabase.CreateAsync();
        await using var early = await BeginAsync(log);
        await ExecuteAsync(early, "select pg_current_xact_id()");
        await using var late = await BeginAsync(log);
        await InsertAsync(late, "account-late", 1);
        await InsertAsync(early, "account-early", 2);
        await early.CommitAsync();
        var reader = new LogReader(log.Database, 0);

        for (var look = 0; look < 5; look++)
            (await reader.NextAsync(10, default)).ShouldBeEmpty();
        await late.CommitAsync();
        (await reader.NextAsync(10, default)).Select(stored => stored.StreamId).ShouldBe(["account-late", "account-early"]);
    }

    [Fact]
    public async Task A_gap_that_was_rolled_back_is_passed_once_everybody_who_had_drawn_by_then_has_ended_and_not_before()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var undone = await BeginAsync(log);
        await InsertAsync(undone, "account-undone", 1);
        await using var neighbour = await BeginAsync(log);
        await InsertAsync(neighbour, "account-neighbour", 2);
        await log.AppendAsync(LogDatabase.Stream("account-a", 3));
        var reader = new LogReader(log.Database, 0);
        (await reader.NextAsync(10, default)).ShouldBeEmpty();

        await undone.RollbackAsync();
        (await reader.NextAsync(10, default)).ShouldBeEmpty("nobody knows whose position it was");
        await neighbour.CommitAsync();
        (await PositionsAsync(reader)).ShouldBe([2, 3]);
    }

    [Fact]
    public async Task A_gap_that_nobody_can_fill_any_more_is_passed_at_once()
    {
        // As after a rollback that was over before anybody looked, and after a crash, which skips up to 32 positions.
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync("select nextval('mt_events_sequence')");
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        await log.ExecuteAsync("select nextval('mt_events_sequence') from generate_series(1, 32)");
        await log.AppendAsync(LogDatabase.Stream("account-b", 2));
        var reader = new LogReader(log.Database, 0);

        (await PositionsAsync(reader)).ShouldBe([2, 35]);
    }

    [Fact]
    public async Task Positions_that_were_drawn_at_the_end_of_the_log_for_nothing_hold_nobody_up()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        await log.ExecuteAsync("select nextval('mt_events_sequence')");
        var reader = new LogReader(log.Database, 0);
        (await PositionsAsync(reader)).ShouldBe([1]);
        (await PositionsAsync(reader)).ShouldBeEmpty();
        reader.Position.ShouldBe(1);

        await using var late = await BeginAsync(log);
        await InsertAsync(late, "account-late", 2);
        (await PositionsAsync(reader)).ShouldBeEmpty();
        await late.CommitAsync();
        (await PositionsAsync(reader)).ShouldBe([3]);
    }

    [Fact]
    public async Task Strangers_hold_nobody_up_whatever_they_have_written_and_wherever()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var elsewhere = await LogDatabase.CreateAsync();

        // One that has an id and locks, but no position; one that reads the log under an old snapshot; one in another log of the same cluster.
        await using var writer = await BeginAsync(log);
        await ExecuteAsync(
            writer,
            "insert into mt_streams (id, type, version) values ('account-idle', 'account', 0); lock table mt_events in row exclusive mode"
        );
        await using var reading = await BeginAsync(log);
        await ExecuteAsync(reading, "set transaction isolation level repeatable read; select count(*) from mt_events");
        await using var other = await BeginAsync(elsewhere);
        await InsertAsync(other, "account-other", 1);
        await ExecuteAsync(reading, "select last_value from mt_events_sequence");

        await using var undone = await BeginAsync(log);
        await InsertAsync(undone, "account-undone", 1);
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        var reader = new LogReader(log.Database, 0);
        (await PositionsAsync(reader)).ShouldBeEmpty();
        await undone.RollbackAsync();
        (await PositionsAsync(reader)).ShouldBe([2]);
        (await new LogScan(log.Database).SettledAsync(TimeProvider.System, default)).ShouldBe(2);
    }

    [Fact]
    public async Task A_prepared_transaction_is_waited_for()
    {
        await using var log = await LogDatabase.CreateAsync();
        foreach (var (name, end) in ((string, string)[])[("one", "commit prepared"), ("two", "rollback prepared")])
            await TryAsync(name, end);

        async Task TryAsync(string name, string end)
        {
            var last = await log.QueryAsync<long>("select coalesce(max(m.seq_id), 0) from mt_events m");
            var reader = new LogReader(log.Database, last);
            await using var connection = await log.Database.OpenConnectionAsync();
            await using var begin = new NpgsqlCommand("begin", connection);
            await begin.ExecuteNonQueryAsync();
            await using var insert = new NpgsqlCommand(InsertSql($"account-{name}", (int)last + 1), connection);
            await insert.ExecuteNonQueryAsync();
            await log.AppendAsync(LogDatabase.Stream($"account-behind-{name}", (int)last + 2));
            (await PositionsAsync(reader)).ShouldBeEmpty();

            // Seen first while it ran, then only as prepared.
            await using var prepare = new NpgsqlCommand($"prepare transaction '{log.Name}-{name}'", connection);
            await prepare.ExecuteNonQueryAsync();
            for (var look = 0; look < 3; look++)
                (await PositionsAsync(reader)).ShouldBeEmpty();
            (await PositionsAsync(new LogReader(log.Database, last))).ShouldBeEmpty("seen as prepared only");
            await log.ExecuteAsync($"{end} '{log.Name}-{name}'");
            (await PositionsAsync(reader)).ShouldBe(end.StartsWith("commit", StringComparison.Ordinal) ? [last + 1, last + 2] : [last + 2]);
        }
    }

    [Fact]
    public async Task After_a_crash_only_what_was_prepared_is_waited_for_and_what_was_skipped_is_passed()
    {
        await using var folder = TestFolder.Create();
        await using var cluster = await EmbeddedPostgres.StartAsync(
            new EmbeddedPostgresOptions(folder.Data) { Settings = PostgresFixture.Small },
            NullLogger.Instance,
            TimeProvider.System,
            CancellationToken.None
        );
        await using var log = await LogDatabase.CreateAtAsync(cluster.ConnectionString);
        await using var prepared = await log.Database.OpenConnectionAsync();
        await using (var insert = new NpgsqlCommand("begin; " + InsertSql("account-prepared", 1), prepared))
            await insert.ExecuteNonQueryAsync();
        await using var lost = await BeginAsync(log);
        await InsertAsync(lost, "account-lost", 2);
        await log.AppendAsync(LogDatabase.Stream("account-a", 3));
        var reader = new LogReader(log.Database, 0);
        (await PositionsAsync(reader)).ShouldBeEmpty();
        await using (var prepare = new NpgsqlCommand("prepare transaction 'prepared'", prepared))
            await prepare.ExecuteNonQueryAsync();

        // One server process that is killed takes all others with it, and PostgreSQL recovers as after a crash.
        var killed = lost.Connection.ProcessID;
        using (var process = Process.GetProcessById(killed))
            process.Kill();
        await Eventually.IsSoAsync(async () =>
        {
            try
            {
                NpgsqlConnection.ClearAllPools();
                // Until everything in shared memory has been made anew, it still stands there.
                return await log.QueryAsync<bool>($"select not exists (select from pg_stat_activity where pid = {killed})");
            }
            catch (NpgsqlException)
            {
                return false;
            }
        });
        for (var look = 0; look < 3; look++)
            (await PositionsAsync(reader)).ShouldBeEmpty();
        await log.ExecuteAsync("commit prepared 'prepared'");
        (await PositionsAsync(reader)).ShouldBe([1, 3]);

        await log.AppendAsync(LogDatabase.Stream("account-b", 4));
        (await log.QueryAsync<long>("select max(m.seq_id) from mt_events m")).ShouldBeGreaterThan(4, "a crash skips positions");
        (await PositionsAsync(reader)).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task What_a_savepoint_took_back_and_what_it_did_not_is_told_apart_at_the_end()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var late = await BeginAsync(log);
        await ExecuteAsync(late, "savepoint s");
        await InsertAsync(late, "account-undone", 1);
        await ExecuteAsync(late, "rollback to savepoint s");
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        var reader = new LogReader(log.Database, 0);
        (await PositionsAsync(reader)).ShouldBeEmpty();

        // It had drawn before: what it draws now is behind.
        await InsertAsync(late, "account-late", 3);
        (await PositionsAsync(reader)).ShouldBeEmpty();
        await late.CommitAsync();
        (await PositionsAsync(reader)).ShouldBe([2, 3]);
    }

    [Fact]
    public async Task A_position_that_is_used_long_after_it_was_drawn_is_waited_for()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var late = await BeginAsync(log);
        await ExecuteAsync(late, "select nextval('mt_events_sequence')");
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        var reader = new LogReader(log.Database, 0);
        (await PositionsAsync(reader)).ShouldBeEmpty();
        await ExecuteAsync(late, InsertSql("account-late", 1).Replace("nextval('mt_events_sequence')", "1", StringComparison.Ordinal));
        (await PositionsAsync(reader)).ShouldBeEmpty();
        await late.CommitAsync();
        (await PositionsAsync(reader)).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task Transactions_that_begin_after_a_gap_was_seen_do_not_hold_the_reader_up()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var undone = await BeginAsync(log);
        await InsertAsync(undone, "account-undone", 1);
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        var reader = new LogReader(log.Database, 0);
        (await PositionsAsync(reader)).ShouldBeEmpty();

        await using var later = await BeginAsync(log);
        await InsertAsync(later, "account-later", 3);
        await undone.RollbackAsync();
        (await PositionsAsync(reader)).ShouldBe([2]);
    }

    [Fact]
    public async Task Every_gap_on_the_way_is_waited_for_on_its_own()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var first = await BeginAsync(log);
        await InsertAsync(first, "account-first", 1);
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        await using var second = await BeginAsync(log);
        await InsertAsync(second, "account-second", 3);
        await log.AppendAsync(LogDatabase.Stream("account-b", 4));
        var reader = new LogReader(log.Database, 0);
        (await reader.NextAsync(10, default)).ShouldBeEmpty();

        await first.CommitAsync();
        (await reader.NextAsync(10, default)).Select(stored => stored.Position).ShouldBe([1, 2]);
        (await reader.NextAsync(10, default)).ShouldBeEmpty();
        await second.CommitAsync();
        (await reader.NextAsync(10, default)).Select(stored => stored.Position).ShouldBe([3, 4]);
    }

    [Fact]
    public async Task A_wide_gap_that_is_filled_in_part_is_passed_over_for_the_rest()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var undone = await BeginAsync(log);
        await InsertAsync(undone, "account-undone", 1);
        await using var late = await BeginAsync(log);
        await InsertAsync(late, "account-late", 2);
        await log.AppendAsync(LogDatabase.Stream("account-a", 3));
        var reader = new LogReader(log.Database, 0);
        (await reader.NextAsync(10, default)).ShouldBeEmpty();

        await late.CommitAsync();
        (await reader.NextAsync(10, default)).ShouldBeEmpty();
        await undone.RollbackAsync();
        (await reader.NextAsync(10, default)).Select(stored => stored.Position).ShouldBe([2, 3]);
    }

    [Fact]
    public async Task No_transaction_is_held_between_calls()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var late = await BeginAsync(log);
        await InsertAsync(late, "account-late", 1);
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        await using var watched = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(log.ConnectionString) { ApplicationName = "watched", MinPoolSize = 1 }.ConnectionString
        );
        var reader = new LogReader(watched, 0);

        (await reader.NextAsync(10, default)).ShouldBeEmpty();
        (await log.QueryAsync<long>("select count(*) from pg_stat_activity where application_name = 'watched'")).ShouldBe(1);
        (
            await log.QueryAsync<long>(
                "select count(*) from pg_stat_activity where application_name = 'watched' and (state <> 'idle' or backend_xid is not null or backend_xmin is not null)"
            )
        ).ShouldBe(0);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("wanted")]
    public async Task Under_concurrent_appends_and_rollbacks_nothing_is_missed_and_nothing_comes_twice(string? wanted)
    {
        await using var log = await LogDatabase.CreateAsync();
        using var done = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            var reader = new LogReader(log.Database, 0, wanted is null ? null : [wanted]);
            var seen = new List<long>();
            while (true)
            {
                var last = done.IsCancellationRequested;
                var page = await reader.NextAsync(7, default);
                seen.AddRange(page.Select(stored => stored.Position));
                if (last && page.Count == 0 && reader.Position == await log.QueryAsync<long>("select max(seq_id) from mt_events"))
                    return seen;
            }
        });

        await Task.WhenAll(
            Enumerable
                .Range(0, 6)
                .Select(worker =>
                    Task.Run(async () =>
                    {
                        var random = new Random(worker);
                        for (var i = 0; i < 40; i++)
                        {
                            await using var transaction = await BeginAsync(log);
                            await ExecuteAsync(transaction, "select pg_current_xact_id()");
                            for (var e = random.Next(1, 4); e > 0; e--)
                                await InsertAsync(
                                    transaction,
                                    $"account-{worker}-{i}",
                                    (worker * 1000) + (i * 10) + e,
                                    random.Next(3) == 0 ? "wanted" : "noted"
                                );
                            if (random.Next(3) == 0)
                                await transaction.RollbackAsync();
                            else
                                await transaction.CommitAsync();
                        }
                    })
                )
        );
        await done.CancelAsync();

        var positions = await log.QueryAsync<long[]>(
            $"select array_agg(m.seq_id order by m.seq_id) from mt_events m where m.type like '{wanted ?? "%"}'"
        );
        string.Join(' ', await reading).ShouldBe(string.Join(' ', positions));
    }

    private static async Task<IReadOnlyList<long>> PositionsAsync(LogReader reader) =>
        [.. (await reader.NextAsync(10, default)).Select(stored => stored.Position)];

    private static async Task<string> PageAsync(LogReader reader, int limit)
    {
        var page = await reader.NextAsync(limit, default);
        return $"{string.Join(' ', page.Select(stored => stored.Position))} up to {reader.Position}{(reader.MayHaveMore ? ", more" : "")}";
    }

    private static Task MakeAsync(LogDatabase log, string type, params long[] positions) =>
        log.ExecuteAsync($"update mt_events set type = '{type}' where seq_id in ({string.Join(',', positions)})");

    private static async Task<OpenTransaction> BeginAsync(LogDatabase log)
    {
        var connection = await log.Database.OpenConnectionAsync();
        return new(connection, await connection.BeginTransactionAsync());
    }

    private static Task InsertAsync(OpenTransaction transaction, string streamId, int id, string type = "noted") =>
        ExecuteAsync(transaction, InsertSql(streamId, id, type));

    private static string InsertSql(string streamId, int id, string type = "noted") =>
        $$"""
            with moved as (
              insert into mt_streams (id, type, version) values ('{{streamId}}', 'account', 1)
              on conflict (id) do update set version = mt_streams.version + 1
              returning version
            )
            insert into mt_events (seq_id, id, stream_id, version, data, type)
            select nextval('mt_events_sequence'), '{{LogDatabase.Id(id)}}', '{{streamId}}', version, '{}', '{{type}}'
            from moved
            """;

    private static async Task ExecuteAsync(OpenTransaction transaction, string sql)
    {
        await using var command = new NpgsqlCommand(sql, transaction.Connection);
        await command.ExecuteNonQueryAsync();
    }

    private sealed record OpenTransaction(NpgsqlConnection Connection, NpgsqlTransaction Transaction) : IAsyncDisposable
    {
        public Task CommitAsync() => Transaction.CommitAsync();

        public Task RollbackAsync() => Transaction.RollbackAsync();

        public async ValueTask DisposeAsync()
        {
            await Transaction.DisposeAsync();
            await Connection.DisposeAsync();
        }
    }
}
