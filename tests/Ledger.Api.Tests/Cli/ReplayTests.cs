using System.Text.Json;
using Ledger.Api.Cli;
using Ledger.Testing;

namespace Ledger.Api.Tests.Cli;

/// <summary><c>replay</c> as an operator types it.</summary>
public sealed class ReplayTests : IAsyncLifetime
{
    private static readonly string Default = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rate-card.json"));

    private readonly TestFolder _folder = TestFolder.Create();

    private string Card => Path.Combine(_folder.Path, "other.json");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task The_difference_is_told_as_table_json_and_csv()
    {
        await using var app = await LedgerApp.StartAsync();
        var (ada, bob) = (await app.OpenAccountAsync(credits: 1000), await app.OpenAccountAsync(credits: 1000));
        foreach (var (account, units) in ((TestAccount, int)[])[(ada, 1), (ada, 2), (bob, 4)])
            (
                await app.PostAsync(
                    "/api/v1/tools/spend",
                    account.Key,
                    new
                    {
                        tool = "chat",
                        units,
                        reference = $"r{units}",
                    }
                )
            ).ShouldBe(200);

        // 5 credits a turn became 5.5, each charge rounded up: 6, 11 and 22 instead of 5, 10 and 20.
        await File.WriteAllTextAsync(Card, Default.Replace("\"5\"", "\"5.5\"", StringComparison.Ordinal));
        var day = app.Clock.Now.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
        string[] range = ["replay", "--rate-card", Card, "--from", day, "--to", "2026-08-01"];
        var (code, table, error) = await RunAsync(app.Database, range);
        code.ShouldBe(0, error);
        error.ShouldContain("replay: 100 %");
        table.ShouldContain($"{ada.Id}  {day}  chat  balance  credits        2          0   15   17           2\n");
        table.ShouldContain("In all, credits from balance: 3 charges, 0 reversals; 35 was charged, 39 would be, difference 4.\n");

        using var json = JsonDocument.Parse(
            (await RunAsync(app.Database, [.. range, "--format", "json", "--account", bob.Id.Value])).Output
        );
        var line = json.RootElement.GetProperty("lines").EnumerateArray().ShouldHaveSingleItem();
        (
            line.GetProperty("account").GetString(),
            line.GetProperty("charges").GetInt64(),
            line.GetProperty("difference").GetString()
        ).ShouldBe((bob.Id.Value, 1L, "2"));
        json.RootElement.GetProperty("unpriced").GetArrayLength().ShouldBe(0);
        json.RootElement.GetProperty("totals")[0].GetProperty("new").GetString().ShouldBe("22");

        var csv = (await RunAsync(app.Database, [.. range, "--format", "csv", "--by", "model"])).Output;
        csv.ReplaceLineEndings("\n")
            .ShouldBe("account,day,what,paid_by,unit,charges,reversals,old,new,difference,lacks\n,,chat,balance,credits,3,0,35,39,4,\n");

        await File.WriteAllTextAsync(Card, Default.Replace("\"name\": \"chat\"", "\"name\": \"talk\"", StringComparison.Ordinal));
        table = (await RunAsync(app.Database, range)).Output;
        table.ShouldContain("Nothing was charged that the card has a price for.\n");
        table.ShouldContain("The card has no price for these; they are in no sum above:\n");
        table.ShouldContain($"{bob.Id}  {day}  chat  balance  credits        1          0   20  tools/chat\n");
        (await RunAsync(app.Database, [.. range, "--format", "csv", "--by", "all"])).Output.ShouldContain(
            ",chat,balance,credits,1,0,20,,,tools/chat"
        );
        (await app.AvailableAsync(bob.Id)).ShouldBe(980);
    }

    [Theory]
    [InlineData("--from 2026-02-30 --to 2026-08-01", 2, "'2026-02-30' is not a day")]
    [InlineData("--from 2026-07-01 --to 9999-01-01", 2, "'9999-01-01' is not a day")]
    [InlineData("--from 1970-01-01 --to 2026-08-01", 2, "'1970-01-01' is not a day")]
    [InlineData("--from 2026-07-01", 2, "--to")]
    [InlineData("--from 2026-07-01 --to 2026-08-01 --format xml", 2, "'xml'")]
    [InlineData("--from 2026-07-01 --to 2026-08-01 --by moon", 2, "'moon'")]
    [InlineData("--from 2026-08-01 --to 2026-07-01", 1, "empty or reversed")]
    [InlineData("--from 2026-08-01 --to 2026-08-01", 1, "empty or reversed")]
    [InlineData("--from 2026-07-01 --to 2026-08-01 --account nobody", 1, "There is no account nobody.")]
    public async Task What_cannot_be_replayed_is_said(string arguments, int expected, string told)
    {
        await using var app = await LedgerApp.StartAsync();
        await File.WriteAllTextAsync(Card, Default);
        var (code, output, error) = await RunAsync(app.Database, ["replay", "--rate-card", Card, .. arguments.Split(' ')]);
        (code, output).ShouldBe((expected, ""));
        error.ShouldContain(told);
    }

    [Fact]
    public async Task A_card_that_is_not_lawful_is_told_fault_by_fault()
    {
        await using var app = await LedgerApp.StartAsync();
        await File.WriteAllTextAsync(Card, Default.Replace("\"5\"", "5", StringComparison.Ordinal));
        string[] range = ["--from", "2026-07-01", "--to", "2026-08-01"];
        var (code, output, error) = await RunAsync(app.Database, ["replay", "--rate-card", Card, .. range]);
        (code, output).ShouldBe((1, ""));
        error.ShouldContain("  tools[0].credits must be");
        (await RunAsync(app.Database, ["replay", "--rate-card", Card + ".gone", .. range])).Error.ShouldContain("cannot be read");
    }

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
