using Npgsql;

namespace Ledger.EventStore.Tests;

public sealed class ReadTests
{
    [Fact]
    public async Task A_stream_is_read_in_pages_after_a_version()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3, 4, 5), LogDatabase.Stream("account-b", 6));
        (await log.Log.ReadStreamAsync("account-a", 0, 2, default)).Select(stored => stored.Version).ShouldBe([1, 2]);
        (await log.Log.ReadStreamAsync("account-a", 2, 2, default)).Select(stored => stored.Version).ShouldBe([3, 4]);
        (await log.Log.ReadStreamAsync("account-a", 4, 2, default)).Select(stored => stored.Version).ShouldBe([5]);
        (await log.Log.ReadStreamAsync("account-a", 5, 2, default)).ShouldBeEmpty();
        (await log.Log.ReadStreamAsync("nowhere", 0, 2, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stream_with_a_gap_is_read_on_behind_it()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3, 4, 5, 6, 7, 8));
        await log.ExecuteAsync("delete from mt_events where version between 3 and 6");
        (await log.Log.ReadStreamAsync("account-a", 0, 3, default)).Select(stored => stored.Version).ShouldBe([1, 2, 7]);
        (await log.Log.ReadStreamAsync("account-a", 2, 1, default)).Select(stored => stored.Version).ShouldBe([7]);
        (await log.Log.ReadStreamAsync("account-a", 0, 100, default)).Select(stored => stored.Version).ShouldBe([1, 2, 7, 8]);
        (await log.Log.ReadStreamAsync("account-a", 7, int.MaxValue, default)).Select(stored => stored.Version).ShouldBe([8]);
        (await log.Log.ReadStreamAsync("account-a", long.MaxValue, 2, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_page_of_a_stream_of_which_nothing_is_known_reads_no_more_than_the_page()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync(
            """
            alter table mt_events set (autovacuum_enabled = false);
            insert into mt_events (seq_id, id, stream_id, version, data, type)
            select n, gen_random_uuid(), 'account-long', n, '{}', 'noted'
            from generate_series(1, 20000) n
            """
        );
        await using (
            var database = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(log.ConnectionString) { Pooling = false }.ConnectionString
            )
        )
            (await new NpgsqlEventLog(database, []).ReadStreamAsync("account-long", 5000, 100, default)).Count.ShouldBe(100);

        // Figures arrive when the connection has gone.
        await log.UntilAsync("select idx_tup_read > 0 from pg_stat_user_indexes where indexrelname = 'pk_mt_events_stream_and_version'");
        (
            await log.QueryAsync<long>(
                "select max(idx_tup_read)::bigint from pg_stat_user_indexes where indexrelname in ('pk_mt_events_stream_and_version', 'ux_mt_events_stream_and_id')"
            )
        ).ShouldBeLessThanOrEqualTo(200);
        (await log.QueryAsync<long>("select seq_tup_read from pg_stat_user_tables where relname = 'mt_events'")).ShouldBe(0);
    }

    [Fact]
    public async Task An_event_comes_back_as_it_went_in()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        var stored = (await log.ReadAsync("account-a")).ShouldHaveSingleItem();
        stored.ShouldBe(
            new(
                1,
                LogDatabase.Id(1),
                "account-a",
                1,
                "noted",
                LogDatabase.Noon.AddSeconds(1),
                """{"text": "event 1"}""",
                stored.Headers,
                "request-1",
                null
            )
        );
        stored.At.Offset.ShouldBe(TimeSpan.Zero);
        LogDatabase.Types.Read(stored).ShouldBe(new Noted("event 1"));
    }

    [Fact]
    public async Task The_log_is_read_in_pages_in_the_order_of_positions_over_gaps()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-b", 1));
        await log.ExecuteAsync("select nextval('mt_events_sequence')");
        await log.AppendAsync(LogDatabase.Stream("account-a", 2, 3));
        (await log.Log.ReadLogAsync(0, 2, default)).Select(stored => stored.Position).ShouldBe([1, 3]);
        (await log.Log.ReadLogAsync(3, 2, default)).Select(stored => stored.Position).ShouldBe([4]);
        (await log.Log.ReadLogAsync(4, 2, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Facts_are_found_by_id_in_their_own_stream_only()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2), LogDatabase.Stream("account-b", 2));
        (
            await log.Log.FindAsync(
                [("account-b", LogDatabase.Id(2)), ("account-a", LogDatabase.Id(1)), ("account-b", LogDatabase.Id(1))],
                default
            )
        )
            .Select(stored => (stored.StreamId, stored.Id))
            .ShouldBe([("account-a", LogDatabase.Id(1)), ("account-b", LogDatabase.Id(2))], ignoreOrder: true);
        (await log.Log.FindAsync([], default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_event_of_an_unknown_type_is_version_skew_and_not_corruption()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        await log.ExecuteAsync("update mt_events set type = 'from_the_future'");
        var stored = (await log.ReadAsync("account-a")).Single();
        Should
            .Throw<UnknownEventTypeException>(() => LogDatabase.Types.Read(stored))
            .Message.ShouldBe(
                "Stream account-a holds an event 'from_the_future' at version 1 that this server does not know. A newer server has written it; upgrade this one."
            );
    }

    [Fact]
    public void An_event_that_is_not_registered_is_a_bug() =>
        Should.Throw<InvalidOperationException>(() => LogDatabase.Types.Of(new object()));

    [Theory]
    [InlineData("CreditsSpent", "credits_spent")]
    [InlineData("Noted", "noted")]
    [InlineData("HoldSettledLate", "hold_settled_late")]
    public void Stored_names_are_snake_case(string name, string stored) => EventTypes.SnakeCase(name).ShouldBe(stored);

    [Fact]
    public async Task Streams_are_listed_by_type_in_pages_of_ids()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(
            LogDatabase.Stream("account-b", 1, 2),
            LogDatabase.Stream("account-a", 3),
            LogDatabase.Stream("account-c", 4)
        );
        await log.ExecuteAsync("insert into mt_streams (id, type, version) values ('rate-card', 'rate_card', 1)");
        var scan = new LogScan(log.Database);
        (await scan.CountAsync("account", default)).ShouldBe(3);
        (await scan.ListAsync("account", "", 2, default)).ShouldBe([new("account-a", 1), new("account-b", 2)]);
        (await scan.ListAsync("account", "account-b", 2, default)).ShouldBe([new("account-c", 1)]);
        (await scan.ListAsync(null, "account-b", 5, default)).ShouldBe([new("account-c", 1), new("rate-card", 1)]);
    }

    [Fact]
    public async Task Ranges_of_many_streams_come_stream_after_stream()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-b", 1, 2, 3), LogDatabase.Stream("account-a", 4, 5));
        (await new LogScan(log.Database).ReadAsync([new("account-b", 1, 3), new("nowhere", 0, 9), new("account-a", 0, 1)], default))
            .Select(stored => (stored.StreamId, stored.Version))
            .ShouldBe([("account-b", 2), ("account-b", 3), ("account-a", 1)]);
    }

    [Fact]
    public async Task Streams_that_changed_between_two_positions_come_with_their_version_of_now()
    {
        await using var log = await LogDatabase.CreateAsync();
        var a = LogDatabase.Stream("account-a", 1);
        await log.AppendAsync(a, LogDatabase.Stream("account-b", 2));
        await log.AppendAsync(LogDatabase.Stream("account-c", 3));
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, a.LastHash, 4, 5));
        var scan = new LogScan(log.Database);
        (await scan.ChangedAsync("account", 0, 2, default)).ShouldBe([new("account-a", 3), new("account-b", 1)]);
        (await scan.ChangedAsync("account", 2, 4, default)).ShouldBe([new("account-a", 3), new("account-c", 1)]);
        (await scan.ChangedAsync("account", 5, 9, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_log_is_settled_up_to_a_position_once_every_transaction_that_may_have_drawn_it_has_ended()
    {
        await using var log = await LogDatabase.CreateAsync();
        var scan = new LogScan(log.Database);
        (await scan.SettledAsync(TimeProvider.System, default)).ShouldBe(0);
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        (await scan.SettledAsync(TimeProvider.System, default)).ShouldBe(1);

        await using var connection = await log.Database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var draw = new Npgsql.NpgsqlCommand("select pg_current_xact_id(), nextval('mt_events_sequence')", connection))
            await draw.ExecuteNonQueryAsync();
        var settling = scan.SettledAsync(TimeProvider.System, default);
        await log.AppendAsync(LogDatabase.Stream("account-b", 2));
        settling.IsCompleted.ShouldBeFalse();
        await transaction.CommitAsync();
        (await settling).ShouldBeInRange(2, 3);
    }
}
