using Ledger.Testing;

namespace Ledger.Api.Tests.Faults;

/// <summary>The one server process behind a writer hangs, and PostgreSQL cannot end it.</summary>
public sealed class StuckBackendTests
{
    [Fact]
    public async Task Whoever_waits_behind_it_is_told_and_nothing_is_charged_twice()
    {
        await using var app = await LedgerApp.StartAsync(
            PostgresFixture.Impatient(await new PostgresFixture().CreateDatabaseAsync()),
            settings: new Dictionary<string, string> { ["Ledger:RecoveryPatience"] = "00:00:00.2", ["Ledger:MaxBatch"] = "1" }
        );
        var account = await app.OpenAccountAsync(credits: 100);
        var backend = (int)
            (
                await app.QueryAsync(
                    "select pid from pg_stat_activity where datname = current_database() and application_name = 'ledger-writer' order by backend_start limit 1"
                )
            )!;
        await Signal.SendAsync(backend, "STOP");
        try
        {
            var first = SpendAsync(app, account, "first");
            var second = SpendAsync(app, account, "second");
            await Eventually.IsSoAsync(() => app.QueueDepth() == 1 || first.IsCompleted);
            await Eventually.IsSoAsync(() => first.IsCompleted && second.IsCompleted);
            foreach (var answer in (Answer[])[await first, await second, await SpendAsync(app, account, "third")])
                answer.ShouldBeRefused(503, "unavailable");
        }
        finally
        {
            await Signal.SendAsync(backend, "CONT");
        }

        await Eventually.IsSoAsync(async () => (await app.GetAsync("/health/ready")).Status == 200);
        foreach (var reference in (string[])["first", "second", "third"])
            (await SpendAsync(app, account, reference)).ShouldBe(200);
        (await app.AvailableAsync(account.Id)).ShouldBe(100 - (5 * 3));
    }

    private static Task<Answer> SpendAsync(LedgerApp app, TestAccount account, string reference) =>
        app.PostAsync(
            "/api/v1/tools/spend",
            account.Key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );
}
