using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary><c>POST /api/v1/tools/spend/batch</c>: many spends, each with its own verdict.</summary>
public sealed class BatchTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task Each_item_has_its_own_verdict_in_its_own_place()
    {
        var account = await _app.OpenAccountAsync(credits: 27);
        var answer = await _app.PostAsync(
            "/api/v1/tools/spend/batch",
            account.Key,
            """
            {"items":[
              {"tool":"chat","units":1,"reference":"a"},
              {"tool":"teleport","units":1,"reference":"b"},
              {"tool":"chat","units":0,"reference":"c"},
              {"tool":"dub","units":1,"reference":"d"},
              {"tool":"chat","units":1,"reference":"a"},
              {"tool":"chat","units":2,"reference":"a"},
              7,
              {"tool":"sfx","units":1,"reference":"e","metadata":{"a":1},"audio_duration":3}
            ]}
            """
        );
        var ids = (await _app.EventsAsync(account.Id))
            .Where(stored => stored.Type == "credits_spent")
            .Select(stored => stored.Id)
            .ToArray();
        ids.Length.ShouldBe(2);
        answer.ShouldBe(
            200,
            $$$"""
            {"ok":true,"results":[
            {"ok":true,"charged":5,"balance_after":22,"spend_id":"{{{ids[0]}}}","replayed":false},
            {"ok":false,"error":"unknown_tool","message":"The rate card in force has no price for this tool."},
            {"ok":false,"error":"invalid_request","message":"The request is invalid; see fields.","fields":{"units":"must be a number above 0 and up to 1000000000, with at most nine decimal places"}},
            {"ok":false,"error":"insufficient_credits","cost_tokens":300,"balance":22,"limit_source":"balance","message":"Available credits do not cover the cost."},
            {"ok":true,"charged":5,"balance_after":22,"spend_id":"{{{ids[0]}}}","replayed":true},
            {"ok":false,"error":"reference_conflict","message":"This was done before with other contents."},
            {"ok":false,"error":"invalid_request","message":"The request is invalid; see fields.","fields":{"body":"Each item must be a JSON object."}},
            {"ok":true,"charged":20,"balance_after":2,"spend_id":"{{{ids[1]}}}","replayed":false}
            ]}
            """.ReplaceLineEndings("")
        );
        (await _app.AvailableAsync(account.Id)).ShouldBe(2);
    }

    [Fact]
    public async Task A_batch_sent_again_charges_nothing_and_says_so_item_by_item()
    {
        var account = await _app.OpenAccountAsync(credits: 1_000);
        var first = (await SendAsync(account, 50)).ShouldBe(200);
        var again = (await SendAsync(account, 50)).ShouldBe(200);
        again.Body.ShouldBe(first.Body.Replace("\"replayed\":false", "\"replayed\":true", StringComparison.Ordinal));
        (await _app.AvailableAsync(account.Id)).ShouldBe(750);
    }

    [Fact]
    public async Task A_thousand_items_are_taken_and_charged_in_order()
    {
        var account = await _app.OpenAccountAsync(credits: 5_000);
        var results = (await SendAsync(account, 1_000)).ShouldBe(200).Json.GetProperty("results").EnumerateArray().ToArray();
        results.Length.ShouldBe(1_000);
        results
            .Select(result => result.GetProperty("balance_after").GetInt64())
            .ShouldBe(Enumerable.Range(1, 1_000).Select(n => 5_000L - (5 * n)));
        (await _app.AvailableAsync(account.Id)).ShouldBe(0);
    }

    [Fact]
    public async Task A_thousand_and_one_items_are_refused_as_a_whole()
    {
        var account = await _app.OpenAccountAsync(credits: 10_000);
        (await SendAsync(account, 1_001)).ShouldBeRefused(400, "invalid_request").Text("fields", "items").ShouldBe("must be at most 1000");
        (await _app.AvailableAsync(account.Id)).ShouldBe(10_000);
    }

    [Fact]
    public async Task A_batch_that_the_funds_cover_in_part_is_charged_in_part()
    {
        var account = await _app.OpenAccountAsync(credits: 500);
        var results = (await SendAsync(account, 1_000)).ShouldBe(200).Json.GetProperty("results").EnumerateArray().ToArray();
        results.Count(result => result.GetProperty("ok").GetBoolean()).ShouldBe(100);
        results.Skip(100).ShouldAllBe(result => result.GetProperty("error").GetString() == "insufficient_credits");
        (await _app.AvailableAsync(account.Id)).ShouldBe(0);
    }

    private Task<Answer> SendAsync(TestAccount account, int items) =>
        _app.PostAsync(
            "/api/v1/tools/spend/batch",
            account.Key,
            new
            {
                items = Enumerable
                    .Range(1, items)
                    .Select(n => new
                    {
                        tool = "chat",
                        units = 1,
                        reference = $"r{n}",
                    }),
            }
        );
}
