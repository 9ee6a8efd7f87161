using System.Text.RegularExpressions;
using Ledger.Api.Tests.Docs;
using Ledger.Domain.Money;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Application;

/// <summary>What the real application measures, listened to as a collector would.</summary>
public sealed partial class MetricsTests : IAsyncLifetime
{
    private LedgerApp _app = null!;
    private MeterReadings _metrics = null!;

    public async ValueTask InitializeAsync()
    {
        _app = await LedgerApp.StartAsync();
        _metrics = MeterReadings.Of(_app.Services);
    }

    public ValueTask DisposeAsync()
    {
        _metrics.Dispose();
        return _app.DisposeAsync();
    }

    [Fact]
    public void The_page_of_metrics_lists_exactly_what_there_is()
    {
        // Kinds and units too: both are part of the names that a collector makes of them.
        var there = _metrics.Instruments.Select(instrument => $"{instrument.Name} {Kind(instrument.GetType().Name)} {instrument.Unit}");
        var page = Repository.Read("docs/reference/metrics.md");
        Row()
            .Matches(page)
            .Select(row => $"{row.Groups["name"].Value} {row.Groups["kind"].Value} {row.Groups["unit"].Value}")
            .Order(StringComparer.Ordinal)
            .ShouldBe(there.Order(StringComparer.Ordinal));
        foreach (var instrument in _metrics.Instruments)
            instrument.Description.ShouldNotBeNullOrWhiteSpace(instrument.Name);

        // And every rule is about one of them.
        var names = _metrics.Instruments.Select(instrument => instrument.Name.Replace('.', '_')).ToHashSet(StringComparer.Ordinal);
        var used = Used().Matches(page).Select(match => Suffix().Replace(match.Value, "")).Distinct().ToList();
        used.Count.ShouldBeGreaterThan(10);
        used.Where(name => !names.Contains(name)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Spends_repeats_refusals_and_the_cache_are_counted()
    {
        var account = await _app.OpenAccountAsync(credits: 10);
        var (spends, hits) = (_metrics.Total("ledger.spends"), _metrics.Total("ledger.cache.lookups", ("hit", true)));
        await SpendAsync(account, "r1", 200);
        await SpendAsync(account, "r2", 200);
        await SpendAsync(account, "r2", 200);
        await SpendAsync(account, "r3", 402);
        (_metrics.Total("ledger.spends") - spends).ShouldBe(2);
        _metrics.Total("ledger.repeats").ShouldBe(1);
        _metrics.Total("ledger.refusals", ("code", "insufficient_credits")).ShouldBe(1);
        _metrics.Total("ledger.refusals").ShouldBe(1);
        (_metrics.Total("ledger.cache.lookups", ("hit", true)) - hits).ShouldBe(4);
        _metrics.Gauge("ledger.cache.accounts").ShouldBe(1);
        _metrics.Gauge("ledger.lanes.running").ShouldBe(1);
        _metrics.Gauge("ledger.queue.depth").ShouldBe(0);
    }

    [Fact]
    public async Task Commits_tell_their_size_and_their_duration()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        var before = _metrics.Values("ledger.commit.size").Count;
        await Task.WhenAll(Enumerable.Range(0, 50).Select(n => SpendAsync(account, $"r{n}", 200)));
        var sizes = _metrics.Values("ledger.commit.size").Skip(before).ToList();
        sizes.Sum().ShouldBe(50);
        sizes.ShouldAllBe(size => size >= 1);
        _metrics.Values("ledger.commit.duration").Count.ShouldBe(_metrics.Values("ledger.commit.size").Count);
        _metrics.Values("ledger.commit.duration").ShouldAllBe(seconds => seconds > 0 && seconds < 60);
    }

    [Fact]
    public async Task A_conflict_and_its_second_attempt_are_counted()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        await using var other = await LedgerApp.StartAsync(_app.Database, _app.Clock);
        await other.GrantAsync(account.Id, Amount.Credits(1));
        await SpendAsync(account, "r", 200);
        _metrics.Total("ledger.conflicts").ShouldBe(1);
        _metrics.Total("ledger.second_attempts").ShouldBe(1);
    }

    [Fact]
    public async Task A_lost_connection_is_counted()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        await using var operatorsOwn = NpgsqlDataSource.Create(_app.Database + ";Pooling=false");
        await operatorsOwn.ExecuteAsync(
            """
            select pg_terminate_backend(pid)
            from pg_stat_activity
            where datname = current_database()
              and application_name = 'ledger-writer'
            """
        );
        await SpendAsync(account, "r", 200);
        _metrics.Total("ledger.connections.lost").ShouldBe(1);
    }

    [Fact]
    public async Task The_clock_s_offset_has_a_sign()
    {
        await using var ahead = await LedgerApp.StartAsync(nodeClock: new AheadClock(), mustBeReady: false);
        using var metrics = MeterReadings.Of(ahead.Services);
        await ahead.GetAsync("/health/ready");
        metrics.Gauge("ledger.clock.offset").ShouldNotBeNull().ShouldBeInRange(30, 60);
        await _app.GetAsync("/health/ready");
        _metrics.Gauge("ledger.clock.offset").ShouldNotBeNull().ShouldBeInRange(-1, 1);
    }

    private async Task SpendAsync(TestAccount account, string reference, int status) =>
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference,
                }
            )
        ).ShouldBe(status);

    private static string Kind(string type) =>
        type.Split('`')[0] switch
        {
            "Counter" => "counter",
            "Histogram" => "histogram",
            "ObservableGauge" => "gauge",
            var other => other,
        };

    [GeneratedRegex(
        @"^\| `(?<name>(ledger|gen_ai)\.[a-z_.]+)` \| (?<kind>[a-z]+) \| `(?<unit>[^`]+)` \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Row();

    [GeneratedRegex(@"\bledger_[a-z_]+")]
    private static partial Regex Used();

    [GeneratedRegex("(_seconds)?(_bucket|_sum|_count|_total)?$")]
    private static partial Regex Suffix();

    private sealed class AheadClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromSeconds(45);
    }
}
