using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary><c>POST /api/v1/tools/check</c>.</summary>
public sealed class CheckTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_check_quotes_the_cost_and_charges_nothing()
    {
        var account = await _app.OpenAccountAsync(credits: 10_000);
        var before = (await _app.EventsAsync(account.Id)).Count;

        for (var again = 0; again < 2; again++)
            (await _app.PostAsync("/api/v1/tools/check", account.Key, new { tool = "chat", units = 1 })).ShouldBe(
                200, """{"ok":true,"allowed":true,"cost_tokens":5,"balance_after":9995}""");

        (await _app.EventsAsync(account.Id)).Count.ShouldBe(before);
    }
}
