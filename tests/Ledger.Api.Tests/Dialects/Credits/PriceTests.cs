using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Credits;

/// <summary><c>/api/v1/credits/multipliers</c>, <c>payg/info</c> and <c>estimate</c>: what things cost.</summary>
public sealed class PriceTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Estimate = "/api/v1/credits/estimate";

    private static readonly Dictionary<string, decimal> Document = new()
    {
        ["voice_cloning_generation"] = 330,
        ["voice_conversion"] = 990,
        ["speech_translation"] = 3300,
        ["translation"] = 1650,
        ["speaker_diarization"] = 1650,
        ["speaker_extraction"] = 1650,
        ["denoise_audio"] = 330,
        ["spectral_denoise"] = 660,
        ["stem_extraction"] = 990,
        ["music_generation"] = 1320,
        ["transcription"] = 660,
        ["video_download"] = 6,
    };

    private static readonly string[] ReadBySnippets = ["transcription_with_diarization", "text_to_speech", "voice_cloning_training"];

    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task The_multipliers_are_the_documents_and_those_that_its_snippets_read()
    {
        var answer = (await _app.GetAsync("/api/v1/credits/multipliers", (await _app.OpenAccountAsync()).Key)).ShouldBe(200);
        var table = answer.Json.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetDecimal());
        foreach (var (name, credits) in Document)
            table[name].ShouldBe(credits, name);
        table.Keys.Except(Document.Keys).ShouldBe(ReadBySnippets, ignoreOrder: true);

        // In the document's order, whatever stands between.
        table.Keys.Where(Document.ContainsKey).ShouldBe(Document.Keys);
        answer.Body.ShouldContain("\"voice_cloning_generation\":330,");
    }

    [Fact]
    public async Task Every_name_of_the_table_is_a_tool()
    {
        var account = await _app.OpenAccountAsync(credits: 10_000);
        foreach (var entry in (await _app.GetAsync("/api/v1/credits/multipliers", account.Key)).Json.EnumerateObject())
            (await _app.PostAsync("/api/v1/tools/check", account.Key, new { tool = entry.Name, units = 1 }))
                .ShouldBe(200)
                .Text("cost_tokens")
                .ShouldBe(entry.Value.GetRawText());
    }

    [Fact]
    public async Task The_terms_of_buying_are_the_documents() =>
        (await _app.GetAsync("/api/v1/credits/payg/info", (await _app.OpenAccountAsync()).Key)).ShouldBe(
            200,
            """{"credits_per_dollar":7500,"min_amount_usd":1,"max_amount_usd":1000,"currency":"USD"}"""
        );

    [Fact]
    public async Task A_published_card_governs_the_next_question()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync();
        await app.PublishAsync(card =>
            card with
            {
                Services = [.. card.Services.Select(entry => entry with { Credits = Quantity.Parse("1.25") })],
                Payg = card.Payg with { CreditsPerDollar = Quantity.Parse("0.5"), MinAmountUsd = 2 },
            }
        );
        (await app.GetAsync("/api/v1/credits/multipliers", account.Key)).Text("transcription").ShouldBe("1.25");
        (await app.GetAsync("/api/v1/credits/payg/info", account.Key)).ShouldBe(
            200,
            """{"credits_per_dollar":0.5,"min_amount_usd":2,"max_amount_usd":1000,"currency":"USD"}"""
        );
    }

    [Theory]
    [InlineData(
        """{"service_type":"voice_cloning_generation","duration":120}""",
        """{"service":"voice_cloning_generation","credits_needed":660,"usd_cost":0.088,"parameters":{"duration":120}}"""
    )]
    [InlineData(
        """{"service_type":"transcription","duration":1800}""",
        """{"service":"transcription","credits_needed":19800,"usd_cost":2.64,"parameters":{"duration":1800}}"""
    )]
    [InlineData(
        """{"service_type":"music_generation","duration":60}""",
        """{"service":"music_generation","credits_needed":2640,"usd_cost":0.352,"parameters":{"duration":60}}"""
    )]
    [InlineData(
        """{"service_type":"text_to_speech","characters":5000}""",
        """{"service":"text_to_speech","credits_needed":1650,"usd_cost":0.22,"parameters":{"characters":5000}}"""
    )]
    [InlineData(
        """{"service_type":"voice_cloning_training"}""",
        """{"service":"voice_cloning_training","credits_needed":5000,"usd_cost":0.666667,"parameters":{}}"""
    )]
    [InlineData(
        """{"service_type":"chat","units":"2.5"}""",
        """{"service":"chat","credits_needed":13,"usd_cost":0.001734,"parameters":{"units":2.5}}"""
    )]
    [InlineData(
        """{"service_type":"transcription","duration":0.1}""",
        """{"service":"transcription","credits_needed":2,"usd_cost":0.000267,"parameters":{"duration":0.1}}"""
    )]
    public async Task An_estimate_is_what_a_spend_would_charge_and_what_that_costs_bought(string asked, string answered)
    {
        var account = await _app.OpenAccountAsync();
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync(Estimate, account.Key, asked)).ShouldBe(200, answered);
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Theory]
    [InlineData("""{"duration":60}""", "body.service_type")]
    [InlineData("""{"service_type":""}""", "body.service_type")]
    [InlineData("""{"service_type":"transcription"}""", "body.units")]
    [InlineData("""{"service_type":"transcription","characters":5}""", "body.characters")]
    [InlineData("""{"service_type":"text_to_speech","duration":5}""", "body.duration")]
    [InlineData("""{"service_type":"video_download","duration":5}""", "body.duration")]
    [InlineData("""{"service_type":"transcription","duration":0}""", "body.duration")]
    [InlineData("""{"service_type":"transcription","duration":-1}""", "body.duration")]
    [InlineData("""{"service_type":"transcription","duration":true}""", "body.duration")]
    [InlineData("""{"service_type":"transcription","duration":1e30}""", "body.duration")]
    [InlineData("""{"service_type":"transcription","duration":60,"units":1}""", "body.units")]
    [InlineData("""{"service_type":"transcription","duration":60,"minutes":1}""", "body.minutes")]
    [InlineData("[]", "body")]
    public async Task What_cannot_be_estimated_is_refused_by_name(string asked, string place) =>
        (await _app.PostAsync(Estimate, (await _app.OpenAccountAsync()).Key, asked)).ShouldFaultAt(place);

    [Fact]
    public async Task A_service_that_is_not_there_is_said_to_be_unknown() =>
        (await _app.PostAsync(Estimate, (await _app.OpenAccountAsync()).Key, """{"service_type":"unheard_of","units":1}"""))
            .ShouldBeRefusedInWords(400)
            .Text("detail")
            .ShouldBe("There is no such service; GET /api/v1/credits/multipliers lists them.");

    [Fact]
    public async Task A_key_that_may_only_read_may_ask_what_work_would_cost() =>
        (
            await _app.PostAsync(
                Estimate,
                (await _app.OpenAccountAsync(kind: KeyKind.Provisioning)).Key,
                """{"service_type":"chat","units":1}"""
            )
        ).ShouldBe(200);
}
