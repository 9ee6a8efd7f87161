using Ledger.Api.Audit;
using Ledger.Api.Cli;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Cli;

/// <summary><c>export</c> and <c>import</c> as an operator types them, beside a server that runs, and a server on what was imported.</summary>
public sealed class TransferTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Theory]
    [InlineData("jsonl")]
    [InlineData("csv")]
    public async Task A_server_on_an_imported_ledger_goes_on_where_the_other_one_stopped(string format)
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 1000);
        (await SpendAsync(app, account.Key, "before")).ShouldBe(200);
        (await app.Services.GetRequiredService<CheckpointPublisher>().PublishAsync(default)).ShouldBe(1);
        var out1 = Path.Combine(_folder.Path, "out");
        var (code, output, error) = await RunAsync(app.Database, "export", out1, "--format", format, "--part", "2");
        code.ShouldBe(0, error);
        output.ShouldStartWith($"Exported to {out1}: ");
        error.ShouldContain("export: 100 %");

        var elsewhere = await new PostgresFixture().CreateDatabaseAsync();
        (code, output, error) = await RunAsync(elsewhere, "import", out1);
        code.ShouldBe(0, error);
        output.ShouldStartWith("Imported ");
        error.ShouldContain("verify: 100 %");
        error.ShouldContain("all: 100 %");
        (await RunAsync(elsewhere, "import", out1)).ShouldBe(
            (
                1,
                "",
                "The database is not empty, and an import begins with nothing. Name another database or data folder; nothing was changed."
                    + Environment.NewLine
            )
        );

        // Everything that an audit asks for is there, signatures included; and spends go on, and are signed by a key of the new ledger's own.
        (code, output, error) = await RunAsync(elsewhere, "audit", "verify", "--checkpoints", Path.Combine(out1, "checkpoints.jsonl"));
        code.ShouldBe(0, output + error);
        output.ShouldContain("checkpoints  whole");
        await using var server = await LedgerApp.StartAsync(elsewhere, app.Clock);
        (await SpendAsync(server, account.Key, "before")).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
        (await SpendAsync(server, account.Key, "after")).ShouldBe(200).Text("balance_after").ShouldBe("990");
        (await server.Services.GetRequiredService<CheckpointPublisher>().PublishAsync(default)).ShouldBe(1);
        (code, output, error) = await RunAsync(
            elsewhere,
            "audit",
            "verify",
            "--checkpoints",
            Path.Combine(server.DataFolder, "checkpoints.jsonl")
        );
        code.ShouldBe(0, output + error);
        (await server.QueryAsync("select count(*) from checkpoint_keys")).ShouldBe(2L);
    }

    [Fact]
    public async Task What_cannot_be_done_ends_with_1_and_says_why()
    {
        await using var app = await LedgerApp.StartAsync();
        await app.OpenAccountAsync(credits: 1);
        var full = Path.Combine(_folder.Path, "full");
        Directory.CreateDirectory(full);
        File.CreateSymbolicLink(Path.Combine(full, "events-000002.jsonl.gz.part"), "/dev/full");
        var (code, output, error) = await RunAsync(app.Database, "export", full, "--part", "1");
        (code, output).ShouldBe((1, ""));
        error.ShouldContain($"There is no room left for {full}. What was finished stays, up to position 1: run the command again");
        (await RunAsync(app.Database, "export", full, "--part", "1")).Code.ShouldBe(0);

        var other = Path.Combine(_folder.Path, "other");
        Directory.CreateDirectory(other);
        await File.WriteAllTextAsync(Path.Combine(other, "holiday.jpg"), "");
        (await RunAsync(app.Database, "export", other)).Error.ShouldContain("holds something that is no export");
        (await RunAsync(app.Database, "import", other)).Error.ShouldContain("it has no manifest.json");
        (await RunAsync(app.Database, "export", other, "--from", "9", "--to", "8")).Error.ShouldStartWith(
            "The range is reversed: it begins at 9 and ends at 8."
        );
        (await RunAsync(app.Database, "export", Path.Combine(other, "holiday.jpg"))).Error.ShouldContain("cannot be written");
    }

    [Fact]
    public async Task A_server_on_a_ledger_that_is_closed_is_not_ready_and_says_why()
    {
        await using var app = await LedgerApp.StartAsync();
        await app.OpenAccountAsync(credits: 1);
        await app.QueryAsync("insert into ledger_closures (what, detail) values ('import', 'x')");
        await using var second = await LedgerApp.StartAsync(app.Database, app.Clock, mustBeReady: false);
        var health = (await second.GetAsync("/health/ready")).ShouldBe(503);
        health.Text("reason").ShouldNotBeNull().ShouldContain("an import into it has not come to its end");
        (await RunAsync(app.Database, "export", Path.Combine(_folder.Path, "out"))).Error.ShouldContain("closed");
        (await RunAsync(app.Database, "migrate")).Error.ShouldContain("closed");
    }

    private static Task<Answer> SpendAsync(LedgerApp app, string key, string reference) =>
        app.PostAsync(
            "/api/v1/tools/spend",
            key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );

    private static async Task<(int Code, string Output, string Error)> RunAsync(string database, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(
            [.. arguments, "--ConnectionStrings:Ledger=" + database],
            new(output, error, IsTerminal: false),
            CancellationToken.None
        );
        return (code, output.ToString(), error.ToString());
    }
}
