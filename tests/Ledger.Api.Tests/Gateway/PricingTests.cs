using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Domain.RateCards;
using Ledger.Testing;

namespace Ledger.Api.Tests.Gateway;

/// <summary><c>/pricing</c> and <c>/pricing/tokens</c>: for everybody, as JSON and as pages.</summary>
public sealed class PricingTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task Tiers_are_for_everybody_to_see() =>
        (await _app.GetAsync("/pricing"))
            .ShouldBe(200, """{"data":[{"id":"pro","price_usd":20,"credits_per_month":2000,"tokens_per_24h":2000000}]}""")
            .ShouldHave("Vary", "Accept");

    [Fact]
    public async Task So_are_the_prices_of_tokens()
    {
        var answer = (await _app.GetAsync("/pricing/tokens")).ShouldBe(200).ShouldHave("Vary", "Accept");
        answer.Body.ShouldStartWith(
            """{"data":[{"id":"deepseek/deepseek-chat","input_price_per_1m_tokens":1.4,"output_price_per_1m_tokens":2.8,"cache_read_price_per_1m_tokens":0.14,"cache_write_price_per_1m_tokens":1.75,"cache_write_1h_price_per_1m_tokens":2.8},{"id":"sandbox/cached","""
        );
        answer.Body.ShouldContain(
            """{"id":"sandbox/echo","input_price_per_1m_tokens":1,"output_price_per_1m_tokens":2,"cache_read_price_per_1m_tokens":0.1,"cache_write_price_per_1m_tokens":1.25,"cache_write_1h_price_per_1m_tokens":2}"""
        );
    }

    [Fact]
    public async Task Whoever_has_a_key_that_does_not_work_sees_them_too() =>
        (await _app.GetAsync("/pricing", "lk_live_nobody")).ShouldBe(200);

    [Fact]
    public async Task A_browser_sees_a_table_of_tiers()
    {
        var page = (await BrowseAsync(_app, "/pricing")).ShouldBe(200).ShouldHave("Content-Type", "text/html; charset=utf-8");
        page.ShouldHave("Vary", "Accept");
        page.Header("Content-Security-Policy").ShouldStartWith("default-src 'none';");
        CellsOf(page).ShouldBe(["pro", "$20", "2,000", "2,000,000"]);
        page.Body.ShouldContain("<th scope=\"col\">Tier</th>");
        page.Body.ShouldContain("href=\"/pricing/tokens\"");
        page.Body.ShouldNotContain("<script");
    }

    [Fact]
    public async Task A_browser_sees_a_table_of_models()
    {
        var page = (await BrowseAsync(_app, "/pricing/tokens")).ShouldBe(200);
        CellsOf(page)
            .Chunk(6)
            .Select(row => string.Join(' ', row))
            .Where(row => !row.StartsWith("sandbox/", StringComparison.Ordinal) || row.StartsWith("sandbox/echo", StringComparison.Ordinal))
            .ShouldBe(["deepseek/deepseek-chat $1.4 $2.8 $0.14 $1.75 $2.8", "sandbox/echo $1 $2 $0.1 $1.25 $2"]);
    }

    [Theory]
    [InlineData("application/json", false)]
    [InlineData("*/*", false)]
    [InlineData("text/html;q=0", false)]
    [InlineData("text/html", true)]
    [InlineData("TEXT/HTML", true)]
    [InlineData("application/json, text/html;q=0.5", true)]
    [InlineData("nonsense", false)]
    public async Task A_page_is_for_whoever_asks_for_one(string accept, bool isPage) =>
        (await BrowseAsync(_app, "/pricing", accept))
            .Header("Content-Type")!
            .StartsWith("text/html", StringComparison.Ordinal)
            .ShouldBe(isPage);

    [Fact]
    public async Task A_published_card_governs_the_next_question_and_one_ahead_does_not()
    {
        await using var app = await LedgerApp.StartAsync();
        var plus = Cards.WithTier("plus", "50.50", "6000.5", 5_000_000);
        (await app.AdminPutAsync("/rate-card", $$"""{"rate_card":{{plus}},"effective_at":"2026-07-03T13:00:00Z"}""")).ShouldBe(201);
        (await app.GetAsync("/pricing")).Json.GetProperty("data").GetArrayLength().ShouldBe(1);
        app.Clock.Advance(TimeSpan.FromHours(1));
        (await app.GetAsync("/pricing")).ShouldBe(
            200,
            """{"data":[{"id":"pro","price_usd":20,"credits_per_month":2000,"tokens_per_24h":2000000},{"id":"plus","price_usd":50.5,"credits_per_month":6000.5,"tokens_per_24h":5000000}]}"""
        );
    }

    [Fact]
    public async Task Where_nothing_is_sold_the_page_says_so()
    {
        await using var app = await LedgerApp.StartAsync();
        await app.PublishAsync(card => card with { Tiers = [], Models = [], Packs = [], Aliases = new Dictionary<string, string>() });
        foreach (var path in (string[])["/pricing", "/pricing/tokens"])
        {
            (await app.GetAsync(path)).ShouldBe(200, """{"data":[]}""");
            (await BrowseAsync(app, path)).ShouldBe(200).Body.ShouldContain("Nothing is sold yet.");
        }
    }

    [Fact]
    public async Task Free_is_a_price()
    {
        await using var app = await LedgerApp.StartAsync();
        await app.PublishAsync(card => card with { Tiers = [new PricedTier("free", default, default, 0)] });
        (await app.GetAsync("/pricing")).ShouldBe(
            200,
            """{"data":[{"id":"free","price_usd":0,"credits_per_month":0,"tokens_per_24h":0}]}"""
        );
    }

    private static async Task<Answer> BrowseAsync(LedgerClient app, string path, string accept = "text/html")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        return await app.SendAsync(request);
    }

    private static IEnumerable<string> CellsOf(Answer page) =>
        page.Body.Split("<td").Skip(1).Select(part => part[(part.IndexOf('>', StringComparison.Ordinal) + 1)..].Split('<')[0]);
}
