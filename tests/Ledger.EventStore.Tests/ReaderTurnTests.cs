using Npgsql;

namespace Ledger.EventStore.Tests;

public sealed class ReaderTurnTests
{
    [Fact]
    public async Task One_process_at_a_time_has_the_turn_of_a_name_and_the_next_begins_at_the_checkpoint()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3));
        await using (var turn = await TakeAsync(log))
        {
            (await ReaderTurn.TryTakeAsync(log.Database, "test", default)).ShouldBeNull();
            await using (var another = await ReaderTurn.TryTakeAsync(log.Database, "another", default))
                another.ShouldNotBeNull();
            (await turn.NextAsync(2, default)).Select(stored => stored.Position).ShouldBe([1, 2]);
            await turn.SaveAsync(default);

            // Read, and not dealt with.
            (await turn.NextAsync(2, default))
                .Select(stored => stored.Position)
                .ShouldBe([3]);
        }

        await using var next = await TakeAsync(log);
        next.Position.ShouldBe(2);
        (await next.NextAsync(2, default)).Select(stored => stored.Position).ShouldBe([3]);
        await next.SaveAsync(default);
        (await log.QueryAsync<long>("select last_seq_id from mt_event_progression where name = 'test'")).ShouldBe(3);
    }

    [Fact]
    public async Task A_turn_ends_with_its_session_and_nothing_can_be_read_or_saved_after_it()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3));
        await using var lost = await TakeAsync(log);
        (await lost.NextAsync(1, default)).Count.ShouldBe(1);
        // pg_locks shows the whole cluster's locks: a neighbour's migration holds one too.
        await log.ExecuteAsync(
            """
            select pg_terminate_backend(l.pid)
            from pg_locks l
            join pg_database d on d.oid = l.database
            where l.locktype = 'advisory' and d.datname = current_database() and l.pid <> pg_backend_pid()
            """
        );

        ReaderTurn? next = null;
        while (next is null)
            next = await ReaderTurn.TryTakeAsync(log.Database, "test", default);
        await using (next)
        {
            (await next.NextAsync(2, default)).Select(stored => stored.Position).ShouldBe([1, 2]);
            await next.SaveAsync(default);
            await Should.ThrowAsync<NpgsqlException>(() => lost.SaveAsync(default));
            await Should.ThrowAsync<Exception>(() => lost.NextAsync(1, default));
            (await log.QueryAsync<long>("select last_seq_id from mt_event_progression where name = 'test'")).ShouldBe(2);
        }
    }

    [Fact]
    public async Task Whoever_works_on_under_a_lock_can_see_that_it_is_lost()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var held = (await SessionLock.TryTakeAsync(log.Database, SessionLock.Of("test"), default)).ShouldNotBeNull();
        await held.CheckAsync(default);
        await log.ExecuteAsync(
            """
            select pg_terminate_backend(l.pid)
            from pg_locks l
            join pg_database d on d.oid = l.database
            where l.locktype = 'advisory' and d.datname = current_database()
            """
        );
        await Should.ThrowAsync<NpgsqlException>(() => held.CheckAsync(default));
    }

    [Fact]
    public async Task A_late_commit_is_not_skipped_by_whoever_takes_the_next_turn()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var late = new NpgsqlConnection(log.ConnectionString + ";Pooling=false");
        await late.OpenAsync();
        await using var transaction = await late.BeginTransactionAsync();
        await using (
            var insert = new NpgsqlCommand(
                """
                with xid as materialized (select pg_current_xact_id())
                insert into mt_events (seq_id, id, stream_id, version, data, type, timestamp)
                select nextval('mt_events_sequence'), gen_random_uuid(), 'account-late', 1, '{}', 'noted', now()
                from xid
                """,
                late,
                transaction
            )
        )
            await insert.ExecuteNonQueryAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 2));
        for (var turns = 0; turns < 3; turns++)
        {
            await using var turn = await TakeAsync(log);
            for (var look = 0; look < 3; look++)
                (await turn.NextAsync(10, default)).ShouldBeEmpty();
            await turn.SaveAsync(default);
        }

        await transaction.CommitAsync();
        await using var last = await TakeAsync(log);
        (await last.NextAsync(10, default)).Select(stored => stored.StreamId).ShouldBe(["account-late", "account-a"]);
    }

    [Fact]
    public async Task Between_two_pages_it_holds_no_snapshot()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3));
        await using var turn = await TakeAsync(log);
        await turn.NextAsync(1, default);
        await turn.LagAsync(default);
        await turn.SaveAsync(default);
        (
            await log.QueryAsync<bool>(
                """
                select count(*) = 1 and bool_and(a.state = 'idle' and a.backend_xmin is null and a.backend_xid is null)
                from pg_stat_activity a
                where a.pid = (select l.pid from pg_locks l where l.locktype = 'advisory' and l.database = (select oid from pg_database where datname = current_database()))
                """
            )
        ).ShouldBeTrue();
    }

    [Fact]
    public async Task It_tells_how_far_it_is_behind()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var turn = await TakeAsync(log);
        (await turn.LagAsync(default)).ShouldBe(new(0, 0, null));
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3));
        (await turn.LagAsync(default)).ShouldBe(new(3, 3, LogDatabase.Noon.AddSeconds(1)));
        await turn.NextAsync(2, default);
        (await turn.LagAsync(default)).ShouldBe(new(3, 1, LogDatabase.Noon.AddSeconds(3)));
        turn.SkipTo(3);
        (await turn.LagAsync(default)).ShouldBe(new(3, 0, null));
        turn.SkipTo(1);
        turn.Position.ShouldBe(3);
    }

    [Fact]
    public async Task Events_that_are_not_wanted_count_as_read()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3));
        await log.ExecuteAsync("update mt_events set type = 'wanted' where seq_id = 1");
        await using (var turn = (await ReaderTurn.TryTakeAsync(log.Database, "test", ["wanted"], default)).ShouldNotBeNull())
        {
            (await turn.NextAsync(2, default)).Select(stored => stored.Position).ShouldBe([1]);
            turn.MayHaveMore.ShouldBeTrue();
            (await turn.NextAsync(2, default)).ShouldBeEmpty();
            turn.MayHaveMore.ShouldBeFalse();
            turn.Position.ShouldBe(3);
            await turn.SaveAsync(default);
        }

        await using var next = await TakeAsync(log);
        next.Position.ShouldBe(3);
    }

    [Fact]
    public async Task A_checkpoint_that_lies_beyond_the_log_is_refused()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        await log.ExecuteAsync("insert into mt_event_progression (name, last_seq_id) values ('test', 2)");
        (await Should.ThrowAsync<InvalidDataException>(() => ReaderTurn.TryTakeAsync(log.Database, "test", default))).Message.ShouldBe(
            "The reader test has read up to 2, and the log ends at 1: they are not of one database."
        );

        // And holds nobody up.
        await log.ExecuteAsync("update mt_event_progression set last_seq_id = 1");
        await using var turn = await TakeAsync(log);
    }

    private static async Task<ReaderTurn> TakeAsync(LogDatabase log) =>
        (await ReaderTurn.TryTakeAsync(log.Database, "test", default)).ShouldNotBeNull();
}
