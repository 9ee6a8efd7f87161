using Ledger.Api.Tests.Payments;
using Ledger.Domain.Money;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Credits;

/// <summary><c>/api/v1/credits/alerts</c>: the thresholds and what they make of a balance.</summary>
public sealed class AlertTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Path = "/api/v1/credits/alerts";
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task The_level_falls_and_rises_with_the_balance_and_each_crossing_is_told_once()
    {
        var account = await _app.OpenAccountAsync(credits: 600);
        (await LevelAsync(account)).ShouldBe("ok");
        (await _app.PutAsync(Path, account.Key, """{"warning_threshold":500,"critical_threshold":100}""")).ShouldBe(200);
        (await LevelAsync(account)).ShouldBe("ok");
        (await _app.ChatAsync(account, 19, "above")).ShouldBe(200);
        (await LevelAsync(account)).ShouldBe("ok");
        (await _app.ChatAsync(account, 1, "warning")).ShouldBe(200);
        (await LevelAsync(account)).ShouldBe("warning");
        (await _app.ChatAsync(account, 79, "still warning")).ShouldBe(200);
        (await LevelAsync(account)).ShouldBe("warning");
        (await _app.ChatAsync(account, 1, "critical")).ShouldBe(200);
        (await LevelAsync(account)).ShouldBe("critical");
        await _app.GrantAsync(account.Id, Amount.Credits(1000));
        (await LevelAsync(account)).ShouldBe("ok");
        (await _app.CountsAsync(account))["balance_level_changed"].ShouldBe(3);
    }

    [Fact]
    public async Task Thresholds_that_are_met_already_are_told_at_once()
    {
        var account = await _app.OpenAccountAsync(credits: 50);
        (await _app.PutAsync(Path, account.Key, """{"warning_threshold":500,"critical_threshold":100}"""))
            .ShouldBe(200)
            .Text("level")
            .ShouldBe("critical");
    }

    [Fact]
    public async Task Only_what_is_given_changes_and_null_switches_off()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        var answer = (await _app.PutAsync(Path, account.Key, """{"warning_threshold":500.5,"critical_threshold":"100"}""")).ShouldBe(200);
        (answer.Text("warning_threshold"), answer.Text("critical_threshold")).ShouldBe(("500.5", "100"));
        answer = (await _app.PutAsync(Path, account.Key, """{"critical_threshold":null}""")).ShouldBe(200);
        (answer.Text("warning_threshold"), answer.Text("critical_threshold")).ShouldBe(("500.5", "null"));
        answer = (await _app.PutAsync(Path, account.Key, """{"warning_threshold":null}""")).ShouldBe(200);
        (answer.Text("warning_threshold"), answer.Text("critical_threshold")).ShouldBe(("null", "null"));
        (await _app.ChatAsync(account, 200, "all")).ShouldBe(200);
        (await LevelAsync(account)).ShouldBe("ok");
    }

    [Fact]
    public async Task The_same_again_records_nothing()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        (await _app.PutAsync(Path, account.Key, """{"warning_threshold":500}""")).ShouldBe(200);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PutAsync(Path, account.Key, """{"warning_threshold":500}""")).ShouldBe(200);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Theory]
    [InlineData("""{"warning_threshold":-1}""", "body.warning_threshold")]
    [InlineData("""{"warning_threshold":"many"}""", "body.warning_threshold")]
    [InlineData("""{"critical_threshold":0.0000001}""", "body.critical_threshold")]
    [InlineData("""{"warning_threshold":100,"critical_threshold":101}""", "body.critical_threshold")]
    [InlineData("""{"email":"owner@example.com"}""", "body.email")]
    [InlineData("""{"sms":"+49"}""", "body.sms")]
    public async Task What_makes_no_sense_is_refused_by_name_and_changes_nothing(string body, string place)
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PutAsync(Path, account.Key, body)).ShouldFaultAt(place);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    private async Task<string?> LevelAsync(TestAccount account) => (await _app.GetAsync(Path, account.Key)).ShouldBe(200).Text("level");
}
