using Ledger.Api.Hosting;
using Ledger.Domain;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Faults;

/// <summary>A server on a database of the operator's own, which goes away and comes back.</summary>
public sealed class OutageTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task A_database_that_was_stopped_means_503_at_once_and_recovery_when_it_is_back()
    {
        // A PostgreSQL that nobody watches: its keeper is killed first, so that a stop is a stop.
        var keeper = await StandInServer.StartAsync(_folder.Data);
        await using var server = await LedgerProcess.StartAsync(Path.Combine(_folder.Path, "server"), keeper.ConnectionString);
        var (key, account) = await MakeAccountAsync(keeper.ConnectionString);
        (await SpendAsync(server, key, "before")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""");
        await keeper.KillAsync();
        await Signal.SendAsync(keeper.PostgresProcessId, "INT");
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 503);

        (await server.NotReadyAsync("The database is not reachable."))
            .ShouldBe(503, """{"status":"not_ready","reason":"The database is not reachable."}""")
            .ShouldHave("Retry-After", "1");
        (await server.GetAsync("/health/live")).ShouldBe(200, """{"status":"live"}""");
        var since = TimeProvider.System.GetTimestamp();
        foreach (
            var answer in await Task.WhenAll(
                SpendAsync(server, key, "during"),
                server.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 }),
                server.GetAsync("/api/v1/tools/prices", key),
                SpendAsync(server, Api.Keys.KeySecret.Create("lk").Text, "stranger")
            )
        )
            answer.ShouldBeRefused(503, "unavailable").ShouldHave("Retry-After", "1").ShouldHave("x-should-retry", null);
        TimeProvider.System.GetElapsedTime(since).ShouldBeLessThan(TimeSpan.FromSeconds(10));

        await using var again = await StandInServer.StartAsync(_folder.Data);
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
        (await SpendAsync(server, key, "before"))
            .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""")
            .ShouldHave("Idempotent-Replayed", "true");
        (await SpendAsync(server, key, "during")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":90}""");
        (await server.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 }))
            .ShouldBe(200)
            .Text("balance_after")
            .ShouldBe("85");
        await keeper.DisposeAsync();
    }

    [Fact]
    public async Task A_database_that_is_stuck_is_told_soon_and_nothing_is_lost_by_it()
    {
        await using var keeper = await StandInServer.StartAsync(_folder.Data);
        await using var server = await LedgerProcess.StartAsync(Path.Combine(_folder.Path, "server"), keeper.ConnectionString);
        var (key, _) = await MakeAccountAsync(keeper.ConnectionString);
        (await SpendAsync(server, key, "before")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""");

        var stuck = ClusterFolder.Candidates(new(_folder.Data)).SelectMany(Postmaster.Processes).ToArray();
        stuck.ShouldContain(keeper.PostgresProcessId);
        foreach (var process in stuck)
            await Signal.SendAsync(process, "STOP");
        Task<Answer> during;
        try
        {
            during = SpendAsync(server, key, "during");
            var since = TimeProvider.System.GetTimestamp();
            (await server.GetAsync("/health/ready")).ShouldBe(503, """{"status":"not_ready","reason":"The database does not answer."}""");
            TimeProvider.System.GetElapsedTime(since).ShouldBeLessThan(TimeSpan.FromSeconds(20));
            (await server.GetAsync("/health/live")).ShouldBe(200);
        }
        finally
        {
            foreach (var process in stuck)
                await Signal.SendAsync(process, "CONT");
        }

        // A machine so busy that the database stood still for longer than the writer waits: told so, and charged once by the repeat.
        var told = await during;
        if (told.Status != 200)
            told.ShouldBeRefused(503, "unavailable").ShouldHave("Retry-After", "1");
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
        (await SpendAsync(server, key, "during")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":90}""");
        (await SpendAsync(server, key, "after")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":85}""");
    }

    [Fact]
    public async Task A_server_started_before_its_database_becomes_ready_when_that_is()
    {
        var keeper = await StandInServer.StartAsync(_folder.Data);
        await keeper.DisposeAsync();
        await using var server = LedgerProcess.Launch(Path.Combine(_folder.Path, "server"), keeper.ConnectionString);
        await server.ListensAsync();
        (await server.NotReadyAsync("The database is not reachable.")).ShouldBe(503);
        (
            await server.PostAsync("/api/v1/tools/check", Api.Keys.KeySecret.Create("lk").Text, new { tool = "chat", units = 1 })
        ).ShouldBeRefused(503, "unavailable");

        await using var again = await StandInServer.StartAsync(_folder.Data);
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
    }

    [Fact]
    public async Task A_database_of_one_s_own_gets_a_rate_card_and_no_demo_account()
    {
        var database = await new PostgresFixture().CreateDatabaseAsync();
        var data = Path.Combine(_folder.Path, "server");
        await using var server = await LedgerProcess.StartAsync(data, database);
        File.Exists(Path.Combine(data, "demo.json")).ShouldBeFalse();
        server.Output.ShouldNotContain("demo");
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var streams = new NpgsqlCommand("select string_agg(id, ',') from mt_streams", connection);
        (await streams.ExecuteScalarAsync()).ShouldBe("rate-card");
        await using var people = new NpgsqlCommand("select count(*) from people", connection);
        (await people.ExecuteScalarAsync()).ShouldBe(0L);
    }

    // Made by an application in this process on the same database: the server under test has no other way to get an account.
    private static async Task<(string Key, AccountId Account)> MakeAccountAsync(string database)
    {
        await using var maker = await LedgerApp.StartAsync(database, new FixedClock { Now = TimeProvider.System.GetUtcNow() });
        var account = await maker.OpenAccountAsync(credits: 100);
        return (account.Key, account.Id);
    }

    private static Task<Answer> SpendAsync(LedgerClient server, string key, string reference) =>
        server.PostAsync(
            "/api/v1/tools/spend",
            key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );
}
