using Ledger.Testing;

namespace Ledger.Api.Tests.Application.Readers;

/// <summary>Drift as a number, on the whole application.</summary>
public sealed class DriftFollowerTests
{
    [Fact]
    public async Task Rows_that_are_not_what_the_log_says_are_counted_until_they_are_mended()
    {
        await using var app = await StartAsync();
        using var metrics = MeterReadings.Of(app.Services);
        var account = await app.OpenAccountAsync(credits: 100);
        await SpendAsync(app, account, "r1");
        await Eventually.IsSoAsync(() => metrics.Total("ledger.drift.checked") >= 1);
        metrics.Gauge("ledger.drift.accounts").ShouldBe(0);
        metrics.Total("ledger.drift.found").ShouldBe(0);

        await app.QueryAsync($"update pockets set granted = granted + 1 where account_id = '{account.Id.Value}'");
        await SpendAsync(app, account, "r2");
        await Eventually.IsSoAsync(() => metrics.Gauge("ledger.drift.accounts") == 1);

        // Found once, however often it is looked at.
        await SpendAsync(app, account, "r3");
        var seen = metrics.Total("ledger.drift.checked");
        await SpendAsync(app, account, "r4");
        await Eventually.IsSoAsync(() => metrics.Total("ledger.drift.checked") > seen);
        metrics.Total("ledger.drift.found").ShouldBe(1);

        await app.QueryAsync($"update pockets set granted = granted - 1 where account_id = '{account.Id.Value}'");
        await SpendAsync(app, account, "r5");
        await Eventually.IsSoAsync(() => metrics.Gauge("ledger.drift.accounts") == 0);
        metrics.Total("ledger.drift.found").ShouldBe(1);
        (await app.GetAsync("/health/ready")).ShouldBe(200);
    }

    [Fact]
    public async Task What_is_too_long_or_too_new_to_be_compared_is_counted_and_not_left_out_in_silence()
    {
        await using var app = await StartAsync(("Ledger:DriftEvents", "4"));
        using var metrics = MeterReadings.Of(app.Services);
        var account = await app.OpenAccountAsync(credits: 100);
        await SpendAsync(app, account, "r1");
        await Eventually.IsSoAsync(() => metrics.Total("ledger.drift.checked") >= 1);
        await SpendAsync(app, account, "r2");
        await Eventually.IsSoAsync(() => metrics.Total("ledger.drift.skipped", ("reason", "too_long")) >= 1);

        var newer = await app.OpenAccountAsync();
        await app.QueryAsync($"update mt_events set type = 'account_dreamt' where stream_id = '{newer.Id.StreamId}' and version = 1");
        await app.GrantAsync(newer.Id, Domain.Money.Amount.Credits(1));
        await Eventually.IsSoAsync(() => metrics.Total("ledger.drift.skipped", ("reason", "newer")) >= 1);
        metrics.Gauge("ledger.drift.accounts").ShouldBe(0);
    }

    [Fact]
    public async Task A_history_that_cannot_be_folded_counts_as_drift()
    {
        await using var app = await StartAsync();
        using var metrics = MeterReadings.Of(app.Services);
        var account = await app.OpenAccountAsync(credits: 100);
        await SpendAsync(app, account, "r1");
        await app.QueryAsync($"update mt_events set headers = headers - 'hash' where stream_id = '{account.Id.StreamId}' and version = 2");
        await SpendAsync(app, account, "r2");
        await Eventually.IsSoAsync(() => metrics.Gauge("ledger.drift.accounts") == 1);
    }

    private static Task<LedgerApp> StartAsync(params (string Name, string Value)[] more) =>
        LedgerApp.StartAsync(
            settings: new Dictionary<string, string>(more.Select(setting => KeyValuePair.Create(setting.Name, setting.Value)))
            {
                ["Ledger:DriftInterval"] = "00:00:00.005",
            }
        );

    private static async Task SpendAsync(LedgerApp app, TestAccount account, string reference) =>
        (
            await app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference,
                }
            )
        ).ShouldBe(200);
}
