using Ledger.Api.Tests.Payments;
using Ledger.Domain.Keys;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Credits;

/// <summary><c>POST /api/v1/credits/payg/create-checkout-session</c>, and who may call the dialect at all.</summary>
public sealed class CheckoutTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Path = "/api/v1/credits/payg/create-checkout-session";
    private readonly LedgerApp _app = shared.App;

    /// <summary>Every route of the dialect with a body that is lawful.</summary>
    private static readonly (string Method, string Path, string? Body)[] Reads =
    [
        ("GET", "/api/v1/credits", null),
        ("GET", "/api/v1/credits/usage", null),
        ("GET", "/api/v1/credits/multipliers", null),
        ("GET", "/api/v1/credits/payg/info", null),
        ("GET", "/api/v1/credits/alerts", null),
        ("GET", "/api/v1/credits/auto-topup", null),
    ];

    private static readonly (string Method, string Path, string? Body)[] Writes =
    [
        ("POST", Path, """{"amount_usd":25}"""),
        ("PUT", "/api/v1/credits/alerts", """{"warning_threshold":100}"""),
        ("PUT", "/api/v1/credits/auto-topup", """{"enabled":false,"amount_usd":10}"""),
    ];

    [Fact]
    public async Task Twenty_five_dollars_are_187500_credits_once_they_are_paid()
    {
        var account = await _app.OpenAccountAsync();
        var answer = await _app.PostAsync(Path, account.Key, """{"amount_usd":25}""");
        var session = answer.ShouldBe(200).Text("session_id")!;
        session.ShouldMatch("^cs_test_[0-9A-Za-z]{24}$");
        answer.ShouldBe(
            200,
            $$"""{"session_id":"{{session}}","credits_to_receive":187500,"amount_usd":25,"url":"http://localhost/sandbox/checkout/{{session}}"}"""
        );
        (await _app.CreditsAsync(account)).ShouldBe(0);
        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        (await _app.CreditsAsync(account)).ShouldBe(187_500);
        (await _app.CreditsAsync(account, "payg_balance")).ShouldBe(187_500);
        (await _app.CreditsAsync(account, "total_payg_credits_purchased")).ShouldBe(187_500);
    }

    [Theory]
    [InlineData("1", "1", "7500")]
    [InlineData("1000", "1000", "7500000")]
    [InlineData("1e3", "1000", "7500000")]
    [InlineData("25.00", "25", "187500")]
    [InlineData("33.33", "33.33", "249975")]
    [InlineData("1.01", "1.01", "7575")]
    [InlineData("\"25\"", "25", "187500")]
    public async Task Whole_cents_within_the_limits_can_be_ordered(string amount, string dollars, string credits)
    {
        var answer = await _app.PostAsync(Path, (await _app.OpenAccountAsync()).Key, $$"""{"amount_usd":{{amount}}}""");
        answer.ShouldBe(200).Text("amount_usd").ShouldBe(dollars);
        answer.Text("credits_to_receive").ShouldBe(credits);
    }

    [Theory]
    [InlineData("0.99")]
    [InlineData("1000.01")]
    [InlineData("0.001")]
    [InlineData("25.001")]
    [InlineData("0")]
    [InlineData("-25")]
    [InlineData("1e400")]
    [InlineData("\"twenty\"")]
    [InlineData("\"\"")]
    [InlineData("true")]
    [InlineData("[25]")]
    [InlineData("{}")]
    public async Task Anything_else_is_refused_and_nothing_is_ordered(string amount)
    {
        var account = await _app.OpenAccountAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(Path, account.Key, $$"""{"amount_usd":{{amount}}}""")).ShouldBe(
            422,
            """{"detail":[{"loc":["body","amount_usd"],"msg":"must be whole cents from 1 to 1000 dollars","type":"value_error"}]}"""
        );
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_body_that_is_not_the_documents_is_refused_by_name()
    {
        var account = await _app.OpenAccountAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(Path, account.Key, "{}")).ShouldFaultAt("body.amount_usd");
        (await _app.PostAsync(Path, account.Key, """{"amount_usd":null}""")).ShouldFaultAt("body.amount_usd");
        (await _app.PostAsync(Path, account.Key, """{"amount_usd":25,"currency":"EUR"}""")).ShouldFaultAt("body.currency");
        (await _app.PostAsync(Path, account.Key, """{"amount_usd":0,"coupon":"x"}""")).ShouldFaultAt("body.amount_usd", "body.coupon");
        (await _app.PostAsync(Path, account.Key, """{"amount_usd":25,"amount_usd":26}""")).ShouldFaultAt("body.amount_usd");
        (await _app.PostAsync(Path, account.Key, "[25]")).ShouldFaultAt("body");
        (await _app.PostAsync(Path, account.Key, "{")).ShouldBe(400, """{"detail":"The body is not valid JSON."}""");
        (await _app.PostAsync(Path, account.Key, "")).ShouldBe(400, """{"detail":"The body is empty; a JSON object was expected."}""");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_provisioning_key_reads_and_neither_buys_nor_changes()
    {
        var account = await _app.OpenAccountAsync(credits: 10, kind: KeyKind.Provisioning);
        foreach (var (method, path, body) in Reads)
            (await _app.SendAsync(new(method), path, account.Key, body)).ShouldBe(200);
        var before = await _app.StandingAsync(account.Id);
        foreach (var (method, path, body) in Writes)
            (await _app.SendAsync(new(method), path, account.Key, body))
                .ShouldBeRefusedInWords(403)
                .Text("detail")
                .ShouldBe("A provisioning key may read here, not buy or change.");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Whoever_is_nobody_learns_nothing_else()
    {
        foreach (var key in (string?[])[null, "lk_live_nobody", LedgerApp.AdminKey])
        {
            foreach (var (method, path, body) in Reads.Concat(Writes))
                (await _app.SendAsync(new(method), path, key, body)).ShouldBeRefusedInWords(401).ShouldHave("WWW-Authenticate", "Bearer");
        }
    }

    [Fact]
    public async Task A_suspended_account_neither_reads_nor_buys_and_can_be_paid_for_all_the_same()
    {
        var account = await _app.OpenAccountAsync();
        var session = await _app.OrderCreditsAsync(account, 1);
        await _app.SuspendAsync(account.Id);
        foreach (var (method, path, body) in Reads.Concat(Writes))
            (await _app.SendAsync(new(method), path, account.Key, body))
                .ShouldBeRefusedInWords(403)
                .Text("detail")
                .ShouldBe("The account is suspended.");

        // The money is there, whatever is thought of who sent it.
        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        await _app.ReinstateAsync(account.Id);
        (await _app.CreditsAsync(account)).ShouldBe(7_500);
    }

    [Fact]
    public async Task An_access_token_buys_too()
    {
        const string Credentials = """{"email":"buyer@example.com","password":"correct horse"}""";
        (await _app.PostAsync("/api/v1/auth/register", null, Credentials)).ShouldBe(201);
        var token = (await _app.PostAsync("/api/v1/auth/token", null, Credentials)).ShouldBe(200).Text("access_token");
        var session = (await _app.PostAsync(Path, token, """{"amount_usd":1}""")).ShouldBe(200).Text("session_id")!;
        (await _app.PressAsync(session, "pay")).ShouldBe(200);
        (await _app.GetAsync("/api/v1/credits", token)).ShouldBe(200).Text("payg_balance").ShouldBe("7500");
    }

    [Fact]
    public async Task Another_accounts_session_gives_nothing_to_whoever_pays_it()
    {
        var (one, other) = (await _app.OpenAccountAsync(), await _app.OpenAccountAsync());
        var session = await _app.OrderCreditsAsync(one, 25);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/sandbox/checkout/{session}/pay");
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + other.Key);
        (await _app.SendAsync(request)).ShouldBe(200);
        (await _app.CreditsAsync(one)).ShouldBe(187_500);
        (await _app.CreditsAsync(other)).ShouldBe(0);
    }

    [Fact]
    public async Task Only_so_many_checkouts_wait_at_a_time()
    {
        var account = await _app.OpenAccountAsync();
        var first = await _app.OrderCreditsAsync(account, 1);
        for (var n = 1; n < 100; n++)
            await _app.OrderCreditsAsync(account, 1);
        (await _app.PostAsync(Path, account.Key, """{"amount_usd":1}"""))
            .ShouldBeRefusedInWords(409)
            .Text("detail")
            .ShouldBe("Too many checkouts wait to be paid; pay one or wait until they lapse.");
        (await _app.PressAsync(first, "pay")).ShouldBe(200);
        (await _app.PostAsync(Path, account.Key, """{"amount_usd":1}""")).ShouldBe(200);
    }

    [Fact]
    public async Task What_is_not_there_is_said_in_the_dialects_words()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.GetAsync("/api/v1/credits/nothing", account.Key)).ShouldBeRefusedInWords(404);
        (await _app.DeleteAsync("/api/v1/credits/usage", account.Key)).ShouldBeRefusedInWords(405);
        (await _app.PostAsync(Path, account.Key, new byte[11 * 1024 * 1024])).ShouldBeRefusedInWords(413);
    }
}
