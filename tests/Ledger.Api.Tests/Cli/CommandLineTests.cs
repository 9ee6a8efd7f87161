using Ledger.Api.Cli;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Cli;

/// <summary>The operator's command line, beside a running server and alone.</summary>
public sealed class CommandLineTests
{
    private static readonly string Default = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rate-card.json")).Trim();

    private static async Task<(int Code, string Output, string Error)> RunAsync(string? database, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        string[] settings = database is null ? [] : ["--ConnectionStrings:Ledger=" + database];
        var code = await CommandLine.RunAsync([.. arguments, .. settings], new(output, error, IsTerminal: false), CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("--urls http://127.0.0.1:0", false)]
    [InlineData("--contentRoot=/somewhere", false)]
    [InlineData("--Ledger:Lanes=2", false)]
    [InlineData("--Ledger:Lanes 2", false)]
    [InlineData("Ledger:Lanes=2", false)]
    [InlineData("urls=http://127.0.0.1:0", false)]
    [InlineData("/Ledger:Lanes 2", false)]
    [InlineData("migrate", true)]
    [InlineData("rate-card show", true)]
    [InlineData("migrat", true)]
    [InlineData("--help", true)]
    [InlineData("-h", true)]
    [InlineData("--version", true)]
    public void Whatever_begins_with_an_option_is_configuration_of_the_server(string arguments, bool isCommand) =>
        CommandLine.IsFor(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ShouldBe(isCommand);

    [Theory]
    [InlineData("migrat", "migrate")]
    [InlineData("rate-card", "--help")]
    [InlineData("rate-card publish", "publish")]
    [InlineData("rate-card publish x --effective-at tomorrow", "'tomorrow' is not a time")]
    [InlineData("rebuild nothing", "'nothing' not recognized")]
    [InlineData("account show a b", "'b'")]
    [InlineData("migrate --force", "--force")]
    [InlineData("export", "export")]
    [InlineData("export x --format xml", "'xml' not recognized")]
    [InlineData("export x --from 0", "is not a whole number from 1.")]
    [InlineData("export x --from -5", "is not a whole number from 1.")]
    [InlineData("export x --to abc", "'abc'")]
    [InlineData("export x --part 0", "'0' is not a whole number from 1 to 100000000.")]
    [InlineData("import", "import")]
    public async Task What_is_not_understood_is_said_and_ends_with_2(string arguments, string said)
    {
        var (code, output, error) = await RunAsync(null, arguments.Split(' '));
        code.ShouldBe(2);
        output.ShouldBeEmpty();
        error.ShouldContain(said);
    }

    [Fact]
    public async Task Help_names_every_command()
    {
        var (code, output, _) = await RunAsync(null, "--help");
        code.ShouldBe(0);
        foreach (
            var command in (string[])
                ["migrate", "rebuild", "rate-card", "account", "audit", "export", "import", "replay", "backup", "restore"]
        )
            output.ShouldContain("  " + command);
    }

    [Theory]
    [InlineData("Host=127.0.0.1;Port=1", "The database is not reachable")]
    [InlineData("nonsense", "The configuration cannot be used")]
    public async Task A_database_that_is_not_there_is_said_and_ends_with_1(string database, string said)
    {
        var (code, output, error) = await RunAsync(database, "rate-card", "show");
        (code, output).ShouldBe((1, ""));
        error.ShouldStartWith(said);
        error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task Migrating_an_empty_database_can_be_repeated_and_comes_first()
    {
        var database = await new PostgresFixture().CreateDatabaseAsync();
        var (code, _, error) = await RunAsync(database, "rate-card", "show");
        code.ShouldBe(1);
        error.ShouldContain("migrate");

        (code, var output, _) = await RunAsync(database, "migrate");
        code.ShouldBe(0);
        output.ShouldStartWith("Applied ");
        (await RunAsync(database, "migrate")).ShouldBe((0, "The schema is up to date." + Environment.NewLine, ""));
        (await RunAsync(database, "rate-card", "show")).Error.ShouldStartWith("No rate card is in force.");

        // A database without a server gets its first rate card from here too.
        var file = Path.Combine(AppContext.BaseDirectory, "rate-card.json");
        (code, output, _) = await RunAsync(database, "rate-card", "publish", file);
        code.ShouldBe(0);
        output.ShouldStartWith("Published version 1, in force from ");
        (await RunAsync(database, "rate-card", "publish", file)).Output.ShouldStartWith("Already published, as version 1");
    }

    [Fact]
    public async Task A_rate_card_is_shown_published_and_listed_beside_a_running_server()
    {
        await using var app = await LedgerApp.StartAsync(clock: new() { Now = TimeProvider.System.GetUtcNow() });
        var account = await app.OpenAccountAsync(credits: 100);
        var (code, shown, _) = await RunAsync(app.Database, "rate-card", "show");
        (code, shown).ShouldBe((0, Default + Environment.NewLine));

        var file = Path.Combine(app.DataFolder, "card.json");
        Directory.CreateDirectory(app.DataFolder);
        await File.WriteAllTextAsync(file, Default.Replace("\"5\"", "\"6\"", StringComparison.Ordinal));
        (await RunAsync(app.Database, "rate-card", "publish", file)).Code.ShouldBe(0);
        app.Clock.Now = TimeProvider.System.GetUtcNow();
        (
            await app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r",
                }
            )
        ).Text("charged").ShouldBe("6");

        (await RunAsync(app.Database, "rate-card", "publish", file, "--effective-at", "2020-01-01T00:00:00Z")).Code.ShouldBe(1);
        (await RunAsync(app.Database, "rate-card", "publish", file, "--effective-at", "2999-01-01T00:00:00Z")).Output.ShouldBe(
            "Published version 3, in force from 2999-01-01T00:00:00Z." + Environment.NewLine
        );
        var versions = (await RunAsync(app.Database, "rate-card", "versions")).Output.TrimEnd().Split(Environment.NewLine);
        versions.Length.ShouldBe(3);
        versions.Select(line => line.EndsWith("  in force", StringComparison.Ordinal)).ShouldBe([false, true, false]);
    }

    [Fact]
    public async Task A_rate_card_that_is_not_lawful_is_told_fault_by_fault()
    {
        var database = await new PostgresFixture().CreateDatabaseAsync();
        await RunAsync(database, "migrate");
        var folder = TestFolder.Create();
        await using (folder)
        {
            var file = Path.Combine(folder.Data, "card.json");
            Directory.CreateDirectory(folder.Data);
            await File.WriteAllTextAsync(
                file,
                Default.Replace("\"5\"", "5", StringComparison.Ordinal).Replace("\"sandbox/echo\"", "\"gone\"", StringComparison.Ordinal)
            );
            var (code, output, error) = await RunAsync(database, "rate-card", "publish", file);
            (code, output).ShouldBe((1, ""));
            foreach (var place in (string[])["  tools[0].credits must be", "  aliases.auto must lead", "  aliases.gpt-* must lead"])
                error.ShouldContain(place);
            (await RunAsync(database, "rate-card", "publish", file + ".gone")).Error.ShouldContain("cannot be read");
        }
    }

    [Theory]
    [InlineData("type = 'unknown'", "holds an event 'unknown' at version 2")]
    [InlineData("data = jsonb_set(data, '{amount}', '\"x\"')", " version 2")]
    public async Task A_log_that_cannot_be_read_is_told_in_one_line_and_ends_with_1(string tamper, string said)
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100);
        (
            await app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r",
                }
            )
        ).ShouldBe(200);
        var stream = account.Id.StreamId;
        var version = (await app.EventsAsync(account.Id)).First(stored => stored.Type == "credits_granted").Version;
        said = said.Replace("version 2", $"version {version}", StringComparison.Ordinal);
        await using var database = Npgsql.NpgsqlDataSource.Create(app.Database);
        await app
            .Services.GetRequiredService<JournalSums>()
            .AddAsync(await app.Services.GetRequiredService<IEventLog>().ReadLogAsync(0, 1000, default), default);
        await database.ExecuteAsync($"update mt_events set {tamper} where stream_id = '{stream}' and version = {version}");

        var (code, output, error) = await RunAsync(app.Database, "rebuild", "--check");
        code.ShouldBe(1);
        output.ShouldContain($"{stream} is broken at version {version}: HashMismatch");
        output.ShouldContain($"{stream} cannot be booked from version {version} on");
        output.ShouldContain($"{stream} cannot be compared from version {version} on");
        error.ShouldContain("Not all is well: 3 findings.");

        (code, output, error) = await RunAsync(app.Database, "rebuild", "all");
        (code, output).ShouldBe((1, ""));
        error
            .Split('\r', '\n')
            .ShouldContain(line => line.StartsWith("The command could not be carried through: ", StringComparison.Ordinal));
        error.ShouldContain(stream);
        error.ShouldContain(said);
        error.ShouldNotContain("   at ");
        (await database.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();

        // Charges of which the amount cannot be read.
        await database.ExecuteAsync(
            $"update mt_events set data = jsonb_set(data, '{{charged}}', '\"x\"') where stream_id = '{stream}' and type = 'credits_spent'"
        );
        (code, output, error) = await RunAsync(
            app.Database,
            "replay",
            "--rate-card",
            Path.Combine(AppContext.BaseDirectory, "rate-card.json"),
            "--from",
            "2020-01-01",
            "--to",
            "2999-01-01"
        );
        (code, output).ShouldBe((1, ""));
        error.ShouldContain($"The command could not be carried through: {stream} version ");
        error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task What_a_killed_rebuild_has_left_is_dropped_by_the_next_start()
    {
        await using var app = await LedgerApp.StartAsync();
        await using var database = Npgsql.NpgsqlDataSource.Create(app.Database);
        await database.ExecuteAsync("create schema ledger_rebuild; create table ledger_rebuild.accounts (account_id varchar)");
        await using var next = await LedgerApp.StartAsync(database: app.Database);
        (await database.QueryAsync<bool>("select to_regnamespace('ledger_rebuild') is null")).ShouldBeTrue();
    }

    [Fact]
    public async Task Accounts_are_found_and_shown_and_read_models_rebuilt_beside_a_running_server()
    {
        await using var app = await LedgerApp.StartAsync();
        var id = (await app.PostAsync("/admin/accounts", LedgerApp.AdminKey, new { email = "ada@example.com", country = "GB" })).Text(
            "account_id"
        )!;
        await app.GrantAsync(new(id), Amount.Credits(12));
        await app.GrantAsync(new(id), Amount.Credits(1000), PocketSource.Pack, "deepseek/deepseek-chat");
        var (_, secret) = await app.CreateKeyAsync(new(id));

        (await RunAsync(app.Database, "account", "find", "ADA@")).Output.ShouldBe(
            $"{id}  open       2026-07-03T12:00:00Z  ada@example.com" + Environment.NewLine
        );
        (await RunAsync(app.Database, "account", "find", "nobody")).Code.ShouldBe(1);
        var (code, shown, _) = await RunAsync(app.Database, "account", "show", id);
        code.ShouldBe(0);
        shown.ShouldContain("email    ada@example.com\n");
        shown.ShouldContain("credits  posted 12, held 0, available 12, debt 0\n");
        shown.ShouldContain("pack for deepseek/deepseek-chat");
        shown.ShouldContain($"lk_live_…{secret[^4..]}");
        shown.ShouldNotContain(secret);
        (await RunAsync(app.Database, "account", "show", "nobody")).ShouldBe((1, "", "There is no account nobody." + Environment.NewLine));

        foreach (var model in Rebuilder.Models)
        {
            var (rebuilt, output, error) = await RunAsync(app.Database, "rebuild", model);
            rebuilt.ShouldBe(0, error);
            output.ShouldBe($"Rebuilt {model}." + Environment.NewLine);
        }

        (await app.AvailableAsync(new(id))).ShouldBe(12);
    }

    [Fact]
    public async Task It_works_on_the_embedded_database_of_a_server_that_runs()
    {
        await using var folder = TestFolder.Create();
        await using var server = await LedgerProcess.StartAsync(folder.Data);
        var (code, output, error) = await RunAsync(null, "account", "find", "demo@", "--Ledger:Data", folder.Data);
        code.ShouldBe(0, error);
        output.ShouldContain("demo@example.com");
        (await server.GetAsync("/health/ready")).ShouldBe(200);
    }

    [Fact]
    public async Task A_check_tells_what_is_wrong_and_changes_nothing()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100);
        var (whole, output, _) = await RunAsync(app.Database, "rebuild", "--check");
        (whole, output).ShouldBe((0, "All is well: 2 streams have whole chains, and all is what the log says." + Environment.NewLine));

        await app.QueryAsync($"update pockets set remaining = remaining + 1 where account_id = '{account.Id.Value}'");
        await app.QueryAsync(
            $"update mt_events set data = jsonb_set(data, '{{reason}}', '\"x\"') where stream_id = '{account.Id.StreamId}' and version = 2"
        );
        var (code, said, error) = await RunAsync(app.Database, "rebuild", "all", "--check");
        code.ShouldBe(1);
        said.ShouldContain($"{account.Id.StreamId} is broken at version 2: ");
        said.ShouldContain($$"""pockets {"pocket": 1, "account_id": "{{account.Id.Value}}"} differs""");
        error.ShouldContain("Not all is well: 2 findings.");
        (await app.QueryAsync($"select remaining <> granted from pockets where account_id = '{account.Id.Value}'")).ShouldBe(true);
    }
}
