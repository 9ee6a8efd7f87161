using Npgsql;

namespace Ledger.EventStore.Tests;

/// <summary>Writers against each other, against refusals, and against the loss of their connection.</summary>
public sealed class WriterTests
{
    [Fact]
    public async Task A_writer_knows_the_server_process_behind_it()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var writer = await log.OpenWriterAsync();
        (
            await log.LinesAsync(
                "select pid || ' ' || backend_start from pg_stat_activity where application_name = 'ledger-writer' and datname = current_database()"
            )
        ).ShouldBe([await log.QueryAsync<string>($"select '{writer.Backend.ProcessId} ' || '{writer.Backend.StartedAt:O}'::timestamptz")]);
    }

    [Fact]
    public async Task Locked_streams_hold_other_writers_up_until_the_trip_that_commits()
    {
        await using var log = await LogDatabase.CreateAsync();
        var a = LogDatabase.Stream("account-a", 1);
        await log.AppendAsync(a, LogDatabase.Stream("account-b", 2));
        await using var holder = await log.OpenWriterAsync();
        await using var other = await log.OpenWriterAsync();
        await holder.LockAsync(["account-a", "account-b"], default);

        var waiting = other.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1, a.LastHash, 3)), default);
        await BlockedAsync(log, other);
        (await holder.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1, a.LastHash, 4)), default)).Won.ShouldBe([true]);

        // The one that waited finds the version gone when it looks again: it loses, it does not overwrite.
        (await waiting).Won.ShouldBe([false]);
        (await log.ReadAsync("account-a")).Select(stored => stored.Id).ShouldBe([LogDatabase.Id(1), LogDatabase.Id(4)]);
        (await other.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 2, a.LastHash, 5)), default)).Won.ShouldBe([true]);
    }

    [Fact]
    public async Task A_lost_stream_costs_its_waiting_neighbours_nothing()
    {
        await using var log = await LogDatabase.CreateAsync();
        var (a, b) = (LogDatabase.Stream("account-a", 1), LogDatabase.Stream("account-b", 2));
        await log.AppendAsync(a, b);
        await using var holder = await log.OpenWriterAsync();
        await using var other = await log.OpenWriterAsync();
        await holder.LockAsync(["account-a"], default);
        var waiting = other.SendAsync(
            LogDatabase.Trip(
                LogDatabase.Stream("account-a", 1, a.LastHash, 3),
                LogDatabase.Stream("account-b", 1, b.LastHash, 4),
                LogDatabase.Stream("account-c", 5)
            ),
            default
        );
        await BlockedAsync(log, other);
        await holder.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1, a.LastHash, 6)), default);
        (await waiting).Won.ShouldBe([false, true, true]);
    }

    [Fact]
    public async Task Locks_can_be_given_up()
    {
        await using var log = await LogDatabase.CreateAsync();
        var a = LogDatabase.Stream("account-a", 1);
        await log.AppendAsync(a);
        await using var holder = await log.OpenWriterAsync();
        await using var other = await log.OpenWriterAsync();
        await holder.LockAsync(["account-a"], default);
        var waiting = other.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1, a.LastHash, 2)), default);
        await BlockedAsync(log, other);
        await holder.RollbackAsync(default);
        (await waiting).Won.ShouldBe([true]);
        await holder.RollbackAsync(default);
    }

    [Fact]
    public async Task A_locked_trip_that_appends_nothing_gives_the_locks_up_too()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        await using var writer = await log.OpenWriterAsync();
        await writer.LockAsync(["account-a"], default);
        await writer.SendAsync(new(), default);
        await writer.LockAsync(["account-a"], default);
        var trip = new Trip();
        trip.Confirm.Add("account-a");
        (await writer.SendAsync(trip, default)).Versions["account-a"].ShouldBe(1);
        (
            await log.QueryAsync<long>(
                "select count(*) from pg_stat_activity where application_name = 'ledger-writer' and datname = current_database() and state <> 'idle'"
            )
        ).ShouldBe(0);
    }

    [Fact]
    public async Task After_a_lock_that_was_refused_the_writer_can_be_used_again()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        await using var holder = await log.OpenWriterAsync();
        await using var writer = await log.OpenWriterAsync();
        await holder.LockAsync(["account-a"], default);
        var waiting = writer.LockAsync(["account-a"], default);
        await BlockedAsync(log, writer);
        await log.ExecuteAsync($"select pg_cancel_backend({writer.Backend.ProcessId})");
        await Should.ThrowAsync<PostgresException>(() => waiting);

        await writer.RollbackAsync(default);
        (await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-b", 2)), default)).Won.ShouldBe([true]);
    }

    [Fact]
    public async Task Of_two_that_open_a_stream_one_wins()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var first = await log.OpenWriterAsync();
        await using var second = await log.OpenWriterAsync();
        for (var round = 0; round < 50; round++)
        {
            var id = $"account-{round}";
            var results = await Task.WhenAll(
                first.SendAsync(LogDatabase.Trip(LogDatabase.Stream(id, 1), LogDatabase.Stream(id + "-first", 2)), default),
                second.SendAsync(LogDatabase.Trip(LogDatabase.Stream(id, 3, 4), LogDatabase.Stream(id + "-second", 5)), default)
            );
            results.Count(result => result.Won[0]).ShouldBe(1);
            results.ShouldAllBe(result => result.Won[1]);
            (await log.ReadAsync(id)).Count.ShouldBe(results[0].Won[0] ? 1 : 2);
        }
    }

    [Theory]
    [InlineData("nul \0", PostgresErrorCodes.UntranslatableCharacter)]
    [InlineData("type", PostgresErrorCodes.StringDataRightTruncation)]
    public async Task What_PostgreSQL_refuses_is_raised_with_its_code_and_the_writer_goes_on(string poison, string code)
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var writer = await log.OpenWriterAsync();
        await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-a", 1)), default);
        var type = LogDatabase.Types.Of(new Noted());
        if (poison == "type")
            type = type with { Name = new('x', 501) };
        var append = new StreamAppend("account-b", "account", 0, HashChain.Start);
        append.Add(new(LogDatabase.Id(2), type, new Noted(poison), LogDatabase.Noon, null, null, null));

        (
            await Should.ThrowAsync<PostgresException>(() =>
                writer.SendAsync(LogDatabase.Trip(append, LogDatabase.Stream("account-c", 3)), default)
            )
        ).SqlState.ShouldBe(code);
        (await log.QueryAsync<long>("select count(*) from mt_streams")).ShouldBe(1);
        (await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-c", 3)), default)).Won.ShouldBe([true]);

        await writer.LockAsync(["account-a"], default);
        await Should.ThrowAsync<PostgresException>(() => writer.SendAsync(LogDatabase.Trip(append), default));
        await writer.RollbackAsync(default);
        (await writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-d", 4)), default)).Won.ShouldBe([true]);
    }

    [Fact]
    public async Task A_cut_connection_is_raised_and_nothing_of_its_open_transaction_stays()
    {
        await using var log = await LogDatabase.CreateAsync();
        await using var holder = await log.OpenWriterAsync();
        await log.AppendAsync(LogDatabase.Stream("account-a", 1));
        await holder.LockAsync(["account-a"], default);
        var writer = await log.OpenWriterAsync();
        var sending = writer.SendAsync(
            LogDatabase.Trip(LogDatabase.Stream("account-a", 1, HashChain.Start, 2), LogDatabase.Stream("account-b", 3)),
            default
        );
        await BlockedAsync(log, writer);
        await log.ExecuteAsync($"select pg_terminate_backend({writer.Backend.ProcessId})");

        await Should.ThrowAsync<NpgsqlException>(() => sending);
        await holder.RollbackAsync(default);
        await Should.ThrowAsync<NpgsqlException>(() => writer.LockAsync(["account-a"], default));
        await Should.ThrowAsync<NpgsqlException>(() => writer.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-b", 3)), default));
        await writer.DisposeAsync();
        (await log.QueryAsync<long>("select count(*) from mt_events")).ShouldBe(1);
    }

    [Fact]
    public async Task Writers_that_append_to_the_same_streams_lose_nothing_and_double_nothing()
    {
        const int Writers = 3;
        const int Rounds = 60;
        await using var log = await LogDatabase.CreateAsync();

        // They exist: what does not cannot be locked, so whoever opens it meanwhile is met out of order (see the next test).
        await log.AppendAsync([.. Enumerable.Range(0, 8).Select(n => LogDatabase.Stream($"account-{n}", 100_000_000 + n))]);
        var written = await Task.WhenAll(Enumerable.Range(0, Writers).Select(worker => Task.Run(() => RunAsync(worker))));

        var streams = await new LogScan(log.Database).ListAsync("account", "", 100, default);
        foreach (var stream in streams)
        {
            var events = await log.ReadAsync(stream.Id);
            events.Select(stored => stored.Version).ShouldBe(Enumerable.Range(1, events.Count).Select(version => (long)version));
            stream.Version.ShouldBe(events.Count);
            events
                .Select(stored => stored.Id)
                .Skip(1)
                .ShouldBe(written.SelectMany(own => own.GetValueOrDefault(stream.Id, [])), ignoreOrder: true);
        }

        streams.Sum(stream => stream.Version).ShouldBe(streams.Count + written.Sum(own => own.Values.Sum(ids => ids.Count)));
        (await log.QueryAsync<long>("select count(*) from mt_events")).ShouldBe(streams.Sum(stream => stream.Version));
        await foreach (var (_, verdict) in new ChainVerifier(log.Database).VerifyAllAsync(default))
            verdict.Break.ShouldBeNull();

        async Task<Dictionary<string, List<Guid>>> RunAsync(int worker)
        {
            var random = new Random(worker);
            var own = new Dictionary<string, List<Guid>>();
            await using var writer = await log.OpenWriterAsync();
            for (var round = 0; round < Rounds; round++)
            {
                var ids = Enumerable
                    .Range(0, 8)
                    .Where(_ => random.Next(2) == 0)
                    .Select(n => $"account-{n}")
                    .DefaultIfEmpty("account-0")
                    .ToList();
                var locked = random.Next(4) == 0;
                if (locked)
                    await writer.LockAsync(ids, default);
                var trip = new Trip();
                foreach (var (i, id) in ids.Index())
                {
                    var last = await log.QueryAsync<string>(
                        $"select coalesce((select m.version || ' ' || (m.headers ->> 'hash') from mt_events m where m.stream_id = '{id}' order by m.version desc limit 1), '')"
                    );
                    var version = last.Length == 0 ? 0 : long.Parse(last.Split(' ')[0], null);
                    var hash = last.Length == 0 ? HashChain.Start : Convert.FromBase64String(last.Split(' ')[1]);
                    var number = (worker * 1_000_000) + (round * 100) + (i * 10);
                    trip.Streams.Add(LogDatabase.Stream(id, version, hash, [.. Enumerable.Range(number, random.Next(1, 4))]));
                }

                var result = await writer.SendAsync(trip, default);
                foreach (var (i, stream) in trip.Streams.Index())
                {
                    if (locked)
                        result.Won[i].ShouldBeTrue();
                    if (!result.Won[i])
                        continue;
                    if (!own.TryGetValue(stream.StreamId, out var kept))
                        own.Add(stream.StreamId, kept = []);
                    var first = (worker * 1_000_000) + (round * 100) + (i * 10);
                    kept.AddRange(Enumerable.Range(first, stream.Count).Select(LogDatabase.Id));
                }
            }

            return own;
        }
    }

    [Fact]
    public async Task A_stream_that_another_opens_after_the_lock_is_lost_though_its_neighbours_are_locked()
    {
        await using var log = await LogDatabase.CreateAsync();
        var b = LogDatabase.Stream("account-b", 1);
        await log.AppendAsync(b);
        await using var holder = await log.OpenWriterAsync();
        await holder.LockAsync(["account-a", "account-b"], default);
        var a = LogDatabase.Stream("account-a", 2);
        await log.AppendAsync(a);
        (
            await holder.SendAsync(
                LogDatabase.Trip(LogDatabase.Stream("account-a", 3), LogDatabase.Stream("account-b", 1, b.LastHash, 4)),
                default
            )
        ).Won.ShouldBe([false, true]);

        // Nor does a version that was read under the lock hold, where there was no row to lock.
        await holder.LockAsync(["account-b", "account-c"], default);
        var c = LogDatabase.Stream("account-c", 5);
        await log.AppendAsync(c);
        await log.AppendAsync(LogDatabase.Stream("account-c", 1, c.LastHash, 6));
        (await holder.SendAsync(LogDatabase.Trip(LogDatabase.Stream("account-c", 1, c.LastHash, 7)), default)).Won.ShouldBe([false]);
    }

    private static Task BlockedAsync(LogDatabase log, ILogWriter writer) =>
        log.UntilAsync($"select cardinality(pg_blocking_pids({writer.Backend.ProcessId})) > 0");
}
