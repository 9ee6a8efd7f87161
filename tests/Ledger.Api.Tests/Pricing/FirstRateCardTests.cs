using Ledger.Api.Pricing;
using Ledger.Testing;

namespace Ledger.Api.Tests.Pricing;

/// <summary>The rate card that <c>Ledger__RateCard</c> names is what an empty database gets.</summary>
public sealed class FirstRateCardTests
{
    private static readonly string Default = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rate-card.json")).Trim();

    [Fact]
    public async Task A_file_of_ones_own_prices_from_the_first_start()
    {
        await using var folder = TestFolder.Create();
        var file = await WriteAsync(folder, Default.Replace("\"5\"", "\"9\"", StringComparison.Ordinal) + "\n");
        await using var app = await LedgerApp.StartAsync(settings: new Dictionary<string, string> { ["Ledger:RateCard"] = file });
        var account = await app.OpenAccountAsync(credits: 10);
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
        ).Text("charged").ShouldBe("9");
    }

    [Fact]
    public async Task A_file_that_is_not_lawful_stops_the_start_with_every_fault_named()
    {
        await using var folder = TestFolder.Create();
        var file = await WriteAsync(
            folder,
            Default.Replace("\"5\"", "5", StringComparison.Ordinal).Replace("\"USD\"", "\"EUR\"", StringComparison.Ordinal)
        );
        var fault = await Should.ThrowAsync<RateCardFileException>(() => RateCardFile.ReadAsync(file, CancellationToken.None));
        fault.Message.ShouldStartWith($"The rate card {file} is not lawful:\n");
        fault.Message.ShouldContain("  tools[0].credits must be");
        fault.Message.ShouldContain("  payg.currency must be USD");
        await Should.ThrowAsync<Exception>(() =>
            LedgerApp.StartAsync(settings: new Dictionary<string, string> { ["Ledger:RateCard"] = file })
        );
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_said() =>
        (
            await Should.ThrowAsync<RateCardFileException>(() => RateCardFile.ReadAsync("/nowhere/card.json", CancellationToken.None))
        ).Message.ShouldStartWith("The rate card /nowhere/card.json cannot be read");

    private static async Task<string> WriteAsync(TestFolder folder, string text)
    {
        Directory.CreateDirectory(folder.Data);
        var file = Path.Combine(folder.Data, "card.json");
        await File.WriteAllTextAsync(file, text);
        return file;
    }
}
