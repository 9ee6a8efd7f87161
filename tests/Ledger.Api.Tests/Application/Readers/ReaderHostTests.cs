using System.Collections.Concurrent;
using Ledger.Api.Application;
using Ledger.Api.Application.Readers;
using Ledger.EventStore;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Ledger.Api.Tests.Application.Readers;

/// <summary>Followers of the log on real nodes: everything in order, one node at a time, through failures and outages.</summary>
public sealed class ReaderHostTests : IAsyncLifetime
{
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Every_event_is_handed_over_once_in_order_and_the_checkpoint_is_kept()
    {
        var follower = new Collecting(page: 3);
        using var host = HostOf(_app, follower);
        await host.StartAsync(CancellationToken.None);
        await SpendAsync(20);
        await SeesAllAsync(follower);
        await KeepsAllAsync();
        await host.StopAsync(CancellationToken.None);
        follower.Positions.ShouldBe(await PositionsAsync());
        follower.Pages.ShouldAllBe(page => page <= 3);
        (await CheckpointAsync()).ShouldBe((await PositionsAsync())[^1]);

        // What is dealt with is not dealt with again.
        var next = new Collecting();
        using var later = HostOf(_app, next);
        await later.StartAsync(CancellationToken.None);
        await SpendAsync(1);
        await Eventually.IsSoAsync(() => !next.Positions.IsEmpty);
        await later.StopAsync(CancellationToken.None);
        next.Positions.ShouldAllBe(position => position > follower.Positions.Max());
    }

    [Fact]
    public async Task One_node_reads_and_when_it_stops_another_goes_on_where_it_was()
    {
        await using var other = await LedgerApp.StartAsync(_app.Database, _app.Clock);
        var (first, second) = (new Collecting(), new Collecting());
        using var one = HostOf(_app, first);
        await one.StartAsync(CancellationToken.None);
        await SpendAsync(5);
        await SeesAllAsync(first);
        using var two = HostOf(other, second);
        await two.StartAsync(CancellationToken.None);
        await SpendAsync(5);
        await SeesAllAsync(first);
        second.Positions.ShouldBeEmpty();

        // A stop between a page and its checkpoint lets the next one have that page too.
        await KeepsAllAsync();
        await one.StopAsync(CancellationToken.None);
        await SpendAsync(5);
        var all = await PositionsAsync();
        await Eventually.IsSoAsync(() => second.Positions.Contains(all[^1]));
        await two.StopAsync(CancellationToken.None);
        first.Positions.Concat(second.Positions).ShouldBe(all);
    }

    [Fact]
    public async Task A_page_that_could_not_be_dealt_with_is_handed_over_again()
    {
        var follower = new Collecting { Fails = 3 };
        using var host = HostOf(_app, follower);
        await host.StartAsync(CancellationToken.None);
        await SpendAsync(3);
        await SeesAllAsync(follower);
        await KeepsAllAsync();
        await host.StopAsync(CancellationToken.None);
        follower.Fails.ShouldBe(0);
        follower.Positions.ShouldBe(await PositionsAsync());
    }

    [Fact]
    public async Task A_lost_session_costs_no_event()
    {
        var follower = new Collecting(page: 2);
        using var host = HostOf(_app, follower);
        await host.StartAsync(CancellationToken.None);
        for (var round = 0; round < 3; round++)
        {
            await SpendAsync(5);
            await Eventually.IsSoAsync(() => follower.Positions.Count >= 5 * (round + 1));
            await _app.QueryAsync(
                """
                select count(pg_terminate_backend(l.pid))
                from pg_locks l
                where l.locktype = 'advisory'
                  and l.database = (select oid from pg_database where datname = current_database())
                """
            );
        }

        await SpendAsync(5);
        await SeesAllAsync(follower);
        await host.StopAsync(CancellationToken.None);

        // Twice, maybe; never out of order within a turn, and never not at all.
        follower.Positions.Distinct().Order().ShouldBe(await PositionsAsync());
    }

    [Fact]
    public async Task A_follower_that_only_cares_for_the_latest_passes_over_the_rest()
    {
        await SpendAsync(20);
        var all = await PositionsAsync();
        var follower = new Collecting(page: 5, onlyLast: 5);
        using var host = HostOf(_app, follower);
        await host.StartAsync(CancellationToken.None);
        await Eventually.IsSoAsync(() => follower.Positions.Contains(all[^1]));
        await host.StopAsync(CancellationToken.None);
        follower.Positions.ShouldBe(all.TakeLast(5));
    }

    [Fact]
    public async Task A_follower_that_cares_for_some_events_gets_these_and_is_not_behind_with_the_others()
    {
        await SpendAsync(20);
        var all = await PositionsAsync();
        var opened = (long)(await _app.QueryAsync("select seq_id from mt_events where type = 'account_opened'"))!;
        var follower = new Collecting(page: 3, types: ["account_opened"]);
        using var host = HostOf(_app, follower);
        await host.StartAsync(CancellationToken.None);
        await Eventually.IsSoAsync(async () => await CheckpointAsync() == all[^1]);
        using (var metrics = MeterReadings.Of(_app.Services))
            await Eventually.IsSoAsync(() => metrics.Gauge("ledger.reader.lag", ("reader", "collecting")) == 0);
        await host.StopAsync(CancellationToken.None);
        follower.Positions.ShouldBe([opened]);
        follower.Pages.ShouldBe([1]);
    }

    [Fact]
    public async Task A_follower_in_the_middle_of_a_page_is_told_to_stop_and_the_page_is_not_counted()
    {
        await SpendAsync(3);
        var follower = new Collecting { IsStuck = true };
        using var host = HostOf(_app, follower);
        await host.StartAsync(CancellationToken.None);
        await Eventually.IsSoAsync(() => follower.IsWaiting);
        using (var metrics = MeterReadings.Of(_app.Services))
            await Eventually.IsSoAsync(() => metrics.Gauge("ledger.reader.lag", ("reader", "collecting")) > 0);
        await host.StopAsync(CancellationToken.None);
        (await CheckpointAsync()).ShouldBe(0);
        using var after = MeterReadings.Of(_app.Services);
        after.Gauge("ledger.reader.lag", ("reader", "collecting")).ShouldBeNull();
    }

    private static ReaderHost HostOf(LedgerApp app, LogFollower follower) =>
        new(
            [follower],
            app.Services.GetRequiredService<LedgerService>(),
            app.Services.GetRequiredService<NpgsqlDataSource>(),
            app.Services.GetRequiredService<LedgerMetrics>(),
            TimeProvider.System,
            NullLogger<ReaderHost>.Instance
        );

    private async Task SpendAsync(int times)
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        for (var n = 0; n < times; n++)
            (
                await _app.PostAsync(
                    "/api/v1/tools/spend",
                    account.Key,
                    new
                    {
                        tool = "chat",
                        units = 1,
                        reference = $"r{n}",
                    }
                )
            ).ShouldBe(200);
    }

    private async Task SeesAllAsync(Collecting follower)
    {
        var last = (await PositionsAsync())[^1];
        await Eventually.IsSoAsync(() => follower.Positions.Contains(last));
    }

    private async Task KeepsAllAsync()
    {
        var last = (await PositionsAsync())[^1];
        await Eventually.IsSoAsync(async () => await CheckpointAsync() == last);
    }

    private async Task<IReadOnlyList<long>> PositionsAsync() =>
        [.. (await _app.Services.GetRequiredService<IEventLog>().ReadLogAsync(0, 10_000, CancellationToken.None)).Select(e => e.Position)];

    private async Task<long> CheckpointAsync() =>
        (long)(await _app.QueryAsync("select coalesce(max(last_seq_id), 0) from mt_event_progression where name = 'collecting'"))!;

    private sealed class Collecting(int page = 100, int? onlyLast = null, IReadOnlyList<string>? types = null) : LogFollower
    {
        public ConcurrentQueue<long> Positions { get; } = new();

        public ConcurrentQueue<int> Pages { get; } = new();

        public int Fails { get; set; }

        public bool IsStuck { get; init; }

        public volatile bool IsWaiting;

        public override string Name => "collecting";

        public override IReadOnlyList<string>? Types => types;

        public override int Page => page;

        public override int? OnlyLast => onlyLast;

        public override TimeSpan Pause => TimeSpan.FromMilliseconds(5);

        public override async Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
        {
            if (IsStuck)
            {
                IsWaiting = true;
                await Task.Delay(Timeout.Infinite, ct);
            }

            if (Fails > 0)
            {
                Fails--;
                throw new InvalidOperationException("Not now.");
            }

            Pages.Enqueue(page.Count);
            foreach (var stored in page)
                Positions.Enqueue(stored.Position);
        }
    }
}
