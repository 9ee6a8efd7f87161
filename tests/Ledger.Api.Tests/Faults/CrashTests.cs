using Ledger.Api.Hosting;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Faults;

/// <summary>The built server with its embedded database as real processes, killed and stopped for real.</summary>
public sealed class CrashTests : IAsyncLifetime
{
    private const long Rich = 1_000_000;
    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task A_server_killed_under_load_loses_no_spend_that_was_acknowledged_and_doubles_none()
    {
        var killed = await LedgerProcess.StartAsync(_folder.Data);
        var (key, account) = await RichAsync(killed);
        var load = Load.Start(killed, key);
        await load.AcknowledgesAsync(500);
        await killed.KillAsync();
        await load.EndsAsync();
        await killed.DisposeAsync();
        load.Acknowledged.Count.ShouldBeLessThanOrEqualTo(load.Sent.Count());

        await using var server = await LedgerProcess.StartAsync(_folder.Data);
        DemoOf(server).ShouldBe((key, account));
        var (database, _) = await server.EmbeddedAsync();
        await load.ReconcileAsync(server, key, database, account, before: Rich);
    }

    [Fact]
    public async Task A_killed_PostgreSQL_is_started_again_and_the_server_recovers_by_itself()
    {
        await using var server = await LedgerProcess.StartAsync(_folder.Data);
        var (key, account) = await RichAsync(server);
        var load = Load.StartInsisting(server, key);
        for (var round = 0; round < 2; round++)
        {
            await load.AcknowledgesAsync(300);
            await Signal.SendAsync((await server.EmbeddedAsync()).PostmasterId, "KILL");
        }

        await load.AcknowledgesAsync(300);
        await load.StopAsync();
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
        await load.ReconcileAsync(server, key, (await server.EmbeddedAsync()).ConnectionString, account, before: Rich);
        server.Output.ShouldContain("A lane lost its connection to PostgreSQL; reconnecting.");
        server.Output.ShouldContain("A lane is connected to PostgreSQL again.");
    }

    [Fact]
    public async Task Both_killed_together_come_back_with_every_acknowledged_spend()
    {
        var killed = await LedgerProcess.StartAsync(_folder.Data);
        var (key, account) = await RichAsync(killed);
        var (_, postmaster) = await killed.EmbeddedAsync();
        var load = Load.Start(killed, key);
        await load.AcknowledgesAsync(300);
        await Signal.SendAsync(postmaster, "KILL");
        await killed.KillAsync();
        await load.EndsAsync();
        await killed.DisposeAsync();

        await using var server = await LedgerProcess.StartAsync(_folder.Data);
        await load.ReconcileAsync(server, key, (await server.EmbeddedAsync()).ConnectionString, account, before: Rich);
    }

    [Fact]
    public async Task A_server_asked_to_stop_answers_what_is_under_way_and_leaves_nothing_running()
    {
        await using var server = await LedgerProcess.StartAsync(_folder.Data);
        var (key, account) = DemoOf(server);
        var (database, _) = await server.EmbeddedAsync();

        Task<Answer>[] underWay;
        await using (var somebody = new NpgsqlConnection(database + ";Pooling=false"))
        {
            // Holds the stream, so that the spends are certainly still under way when the server is told to stop.
            await somebody.OpenAsync();
            var transaction = await somebody.BeginTransactionAsync();
            await using (
                var hold = new NpgsqlCommand("select id from mt_streams where id = $1 for update", somebody)
                {
                    Parameters = { new() { Value = "account-" + account } },
                }
            )
                await hold.ExecuteNonQueryAsync();
            underWay =
            [
                .. Enumerable
                    .Range(0, 20)
                    .Select(n =>
                        server.PostAsync(
                            "/api/v1/tools/spend",
                            key,
                            new
                            {
                                tool = "chat",
                                units = 1,
                                reference = $"r{n}",
                            }
                        )
                    ),
            ];
            await using var waits = new NpgsqlCommand(
                "select count(*) from pg_stat_activity where application_name = 'ledger-writer' and wait_event_type = 'Lock'",
                somebody
            );
            await Eventually.IsSoAsync(async () => await waits.ExecuteScalarAsync() is 1L);

            await server.TerminateAsync();
            await Eventually.IsSoAsync(() => server.Output.Contains("Application is shutting down", StringComparison.Ordinal));
            server.HasExited.ShouldBeFalse();
            await transaction.RollbackAsync();
        }

        var answered = (await Task.WhenAll(underWay.Select(AnsweredAsync))).OfType<Answer>().ToArray();
        answered.ShouldNotBeEmpty();
        foreach (var answer in answered)
            answer.ShouldBe(200);
        (await server.ExitAsync()).ShouldBe(0, server.Output);
        ClusterFolder.Candidates(new(_folder.Data)).SelectMany(Postmaster.Processes).ShouldBeEmpty();

        // Whoever was answered was charged, and nothing else is needed to start again.
        await using var next = await LedgerProcess.StartAsync(_folder.Data);
        for (var n = 0; n < underWay.Length; n++)
            (
                await next.PostAsync(
                    "/api/v1/tools/spend",
                    key,
                    new
                    {
                        tool = "chat",
                        units = 1,
                        reference = $"r{n}",
                    }
                )
            ).ShouldBe(200);
        (await next.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 }))
            .Text("balance_after")
            .ShouldBe($"{10_000 - (5 * 21)}");
    }

    [Theory]
    [InlineData("postgres.json")]
    [InlineData("admin-key")]
    [InlineData("demo.json")]
    public async Task A_first_run_that_was_killed_is_finished_by_the_next(string reached)
    {
        var first = LedgerProcess.Launch(_folder.Data);
        await Eventually.IsSoAsync(() => File.Exists(Path.Combine(_folder.Data, reached)), () => first.Output);
        await first.KillAsync();
        await first.DisposeAsync();

        await using var server = await LedgerProcess.StartAsync(_folder.Data);
        var demo = server.Demo;
        demo.EnumerateObject()
            .Select(member => member.Name)
            .ShouldBe(["base_url", "admin_key", "account_id", "email", "password", "api_key", "subscription_key", "provisioning_key"]);
        demo.EnumerateObject().ShouldAllBe(member => member.Value.GetString()!.Length > 0);
        demo.GetProperty("base_url").GetString().ShouldBe(server.Address);
        foreach (var kind in (string[])["api_key", "subscription_key"])
        {
            (await server.PostAsync("/api/v1/tools/check", demo.GetProperty(kind).GetString(), new { tool = "chat", units = 1 })).ShouldBe(
                200,
                """{"ok":true,"allowed":true,"cost_tokens":5,"balance_after":9995}"""
            );
        }

        (
            await server.PostAsync(
                "/api/v1/tools/check",
                demo.GetProperty("provisioning_key").GetString(),
                new { tool = "chat", units = 1 }
            )
        ).ShouldBeRefused(403, "forbidden");
        await using var connection = new NpgsqlConnection((await server.EmbeddedAsync()).ConnectionString);
        await connection.OpenAsync();
        await using var count = new NpgsqlCommand(
            "select (select count(*) from mt_streams where type = 'account') + (select count(*) from people)",
            connection
        );
        (await count.ExecuteScalarAsync()).ShouldBe(2L);
    }

    // The demo account, with more than any load can spend.
    private static async Task<(string Key, string Account)> RichAsync(LedgerProcess server)
    {
        var (key, account) = DemoOf(server);
        var grant = new
        {
            amount = Rich - 10_000,
            unit = "credits",
            source = "payg",
            reason = "A test",
            reference = "rich",
        };
        (await server.PostAsync($"/admin/accounts/{account}/grants", server.Demo.GetProperty("admin_key").GetString(), grant)).ShouldBe(
            201
        );
        return (key, account);
    }

    private static (string Key, string Account) DemoOf(LedgerProcess server) =>
        (server.Demo.GetProperty("api_key").GetString()!, server.Demo.GetProperty("account_id").GetString()!);

    // A request that had not been read when the server stopped listening was never under way.
    private static async Task<Answer?> AnsweredAsync(Task<Answer> request)
    {
        try
        {
            return await request;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
