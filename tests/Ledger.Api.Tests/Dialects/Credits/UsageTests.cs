using System.Text.Json;
using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Api.Tests.Payments;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Credits;

/// <summary><c>GET /api/v1/credits/usage</c>.</summary>
public sealed class UsageTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Path = "/api/v1/credits/usage";
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_charge_is_a_row_with_the_documents_members_in_its_order()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        var spent = (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                """{"tool":"transcription","units":0.5,"reference":"r","audio_duration":300.5,"metadata":{"model_type": "whisperx", "n":1.50}}"""
            )
        ).ShouldBe(200);
        var answer = await _app.GetAsync(Path, account.Key);
        var wallet = answer.Json[0].GetProperty("user_credits_id").GetString();
        Guid.TryParseExact(wallet, "D", out _).ShouldBeTrue();
        answer.ShouldBe(
            200,
            $$$"""[{"id":"{{{spent.Header("x-ledger-spend-id")}}}","user_credits_id":"{{{wallet}}}","credits_used":330,"service_type":"transcription","audio_duration":300.5,"credit_source":"payg","created_at":"2026-07-03T12:00:00Z","usage_metadata":{"model_type": "whisperx", "n":1.50}}]"""
        );
        (await _app.ChatAsync(account, 1, "plain")).ShouldBe(200);
        var plain = (await RowsAsync(account))[0];
        plain.GetProperty("audio_duration").GetRawText().ShouldBe("0");
        plain.GetProperty("usage_metadata").GetRawText().ShouldBe("{}");
        plain.GetProperty("user_credits_id").GetString().ShouldBe(wallet);

        var other = await _app.OpenAccountAsync(credits: 10);
        (await _app.ChatAsync(other, 1, "r")).ShouldBe(200);
        (await RowsAsync(other)).ShouldHaveSingleItem().GetProperty("user_credits_id").GetString().ShouldNotBe(wallet);
    }

    [Fact]
    public async Task A_charge_that_several_sources_paid_is_a_row_for_each_and_each_adds_up()
    {
        var account = await MixedAsync();
        (await _app.ChatAsync(account, 430, "all three")).ShouldBe(200);
        (await _app.ChatAsync(account, 10, "bought")).ShouldBe(200);
        var rows = await RowsAsync(account);
        rows.Select(Short).ShouldBe(["50 payg", "2000 subscription", "100 bonus", "50 payg"]);
        rows.Select(row => row.GetProperty("id").GetGuid()).Distinct().Count().ShouldBe(4);

        // The rows of one charge have ids of their own that stay the same.
        (await RowsAsync(account))
            .Select(row => row.GetProperty("id").GetGuid())
            .ShouldBe(rows.Select(row => row.GetProperty("id").GetGuid()));
        foreach (var (source, left) in ((string, decimal)[])[("subscription", 0), ("bonus", 0), ("payg", 900)])
        {
            var used = rows.Where(row => row.GetProperty("credit_source").GetString() == source)
                .Sum(row => row.GetProperty("credits_used").GetDecimal());
            var granted =
                source == "subscription" ? 2000
                : source == "bonus" ? 100
                : 1000;
            (granted - used).ShouldBe(left, source);
        }
    }

    [Fact]
    public async Task Pages_are_of_rows_and_meet_without_gaps()
    {
        var account = await MixedAsync();
        (await _app.ChatAsync(account, 430, "all three")).ShouldBe(200);
        for (var n = 0; n < 5; n++)
            (await _app.ChatAsync(account, 1, $"r{n}")).ShouldBe(200);
        var all = await RowsAsync(account);
        all.Count.ShouldBe(8);
        foreach (var size in (int[])[1, 3, 7, 8, 1000])
        {
            var read = new List<string>();
            for (var offset = 0; offset < 8; offset += size)
                read.AddRange((await RowsAsync(account, $"?limit={size}&offset={offset}")).Select(row => row.GetRawText()));
            read.ShouldBe(all.Select(row => row.GetRawText()));
        }

        (await RowsAsync(account, "?offset=8")).ShouldBeEmpty();
        (await RowsAsync(account, "?offset=100000")).ShouldBeEmpty();
    }

    [Fact]
    public async Task One_services_charges_can_be_asked_for_alone()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        (await _app.ChatAsync(account, 1, "a")).ShouldBe(200);
        (await _app.PostAsync("/api/v1/tools/spend", account.Key, """{"tool":"sfx","units":1,"reference":"b"}""")).ShouldBe(200);
        (await _app.ChatAsync(account, 2, "c")).ShouldBe(200);
        (await RowsAsync(account, "?service_type=chat")).Select(Short).ShouldBe(["10 payg", "5 payg"]);
        (await RowsAsync(account, "?service_type=sfx")).Select(Short).ShouldBe(["20 payg"]);
        (await RowsAsync(account, "?service_type=nothing")).ShouldBeEmpty();
        (await RowsAsync(account, "?service_type=chat&limit=1&offset=1")).Select(Short).ShouldBe(["5 payg"]);
    }

    [Fact]
    public async Task A_time_bounds_what_is_listed_and_a_date_begins_at_midnight()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 1000);
        for (var day = 1; day <= 3; day++)
        {
            (await app.ChatAsync(account, day, $"day {day}")).ShouldBe(200);
            app.Clock.Advance(TimeSpan.FromDays(1));
        }

        foreach (
            var (query, found) in ((string, string)[])
                [
                    ("", "15 10 5"),
                    ("?from=2026-07-04", "15 10"),
                    ("?from=2026-07-04T12:00:00Z", "15 10"),
                    ("?from=2026-07-04T12:00:00.000001Z", "15"),
                    ("?to=2026-07-05", "10 5"),
                    ("?to=2026-07-05T12:00:00Z", "10 5"),
                    ("?to=2026-07-05T14:00:00.000001%2B02:00", "15 10 5"),
                    ("?from=2026-07-04&to=2026-07-05", "10"),
                    ("?from=2026-07-04&to=2026-07-05&service_type=sfx", ""),
                    ("?from=2027-01-01", ""),
                    ("?to=2020-01-01", ""),
                ]
        )
        {
            var rows = (await app.GetAsync(Path + query, account.Key)).ShouldBe(200).Json.EnumerateArray();
            string.Join(' ', rows.Select(row => row.GetProperty("credits_used").GetRawText())).ShouldBe(found, query);
        }
    }

    [Fact]
    public async Task Only_the_hours_that_hold_what_is_asked_for_are_read()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100_000);
        for (var n = 0; n < 3; n++)
        {
            (await app.PostAsync("/api/v1/tools/spend", account.Key, $$"""{"tool":"sfx","units":1,"reference":"sfx {{n}}"}""")).ShouldBe(
                200
            );
            app.Clock.Advance(TimeSpan.FromHours(1));
            (await app.ChatAsync(account, 1, $"chat {n}")).ShouldBe(200);
            app.Clock.Advance(TimeSpan.FromHours(1));
        }

        // Who reads these says so: there is no charge in it.
        await app.QueryAsync("update mt_events set data = '{\"tool\":\"sfx\"}' where data ->> 'tool' = 'chat'");
        foreach (
            var query in (string[])["?service_type=sfx", "?service_type=sfx&from=2026-07-03&to=2026-07-04", "?service_type=sfx&limit=3"]
        )
            (await app.GetAsync(Path + query, account.Key)).ShouldBe(200).Json.GetArrayLength().ShouldBe(3, query);
        (await app.GetAsync(Path + "?service_type=sfx&limit=1&offset=2", account.Key)).ShouldBe(200).Json.GetArrayLength().ShouldBe(1);
        (await app.GetAsync(Path + "?service_type=nothing", account.Key)).ShouldBe(200, "[]");
    }

    [Fact]
    public async Task Charges_in_dollars_beside_those_in_credits_are_not_read()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100_000);
        for (var n = 0; n < 3; n++)
            (await app.ChatAsync(account, n + 1, $"chat {n}")).ShouldBe(200);

        // Who reads this says so: it is no whole charge.
        await app.QueryAsync("""update mt_events set data = '{"tool":"chat","charged":{"usd":5}}' where data ->> 'reference' = 'chat 1'""");
        foreach (var query in (string[])["", "?service_type=chat"])
            (await app.GetAsync(Path + query, account.Key))
                .ShouldBe(200)
                .Json.EnumerateArray()
                .Select(Short)
                .ShouldBe(["15 payg", "5 payg"]);
    }

    [Fact]
    public async Task Charges_of_more_hours_than_are_looked_up_at_once_come_in_their_order()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync(credits: 100_000);
        const int Hours = 520;
        for (var n = 1; n <= Hours; n++)
        {
            (await app.ChatAsync(account, 1, $"{n}")).ShouldBe(200);
            app.Clock.Advance(TimeSpan.FromHours(n % 3 == 0 ? 2 : 1));
        }

        var rows = (await app.GetAsync(Path, account.Key)).ShouldBe(200).Json.EnumerateArray().ToList();
        rows.Count.ShouldBe(Hours);
        rows.Select(row => row.GetProperty("created_at").GetDateTimeOffset()).ShouldBeInOrder(SortDirection.Descending);
        rows.Select(row => row.GetProperty("id").GetGuid()).Distinct().Count().ShouldBe(Hours);
    }

    [Fact]
    public async Task What_was_given_back_is_a_row_of_its_own_that_takes_the_charge_away()
    {
        var account = await MixedAsync();
        var spent = (await _app.ChatAsync(account, 430, "all three")).ShouldBe(200).Header("x-ledger-spend-id")!;
        (await _app.AdminPostAsync($"/accounts/{account.Id}/reversals", new { spend_id = spent, reason = "A test" })).ShouldBe(201);
        var rows = await RowsAsync(account);
        rows.Take(3).Select(Short).ShouldBe(["-2000 subscription", "-100 bonus", "-50 payg"], ignoreOrder: true);
        rows.Take(3).ShouldAllBe(row => row.GetProperty("usage_metadata").GetRawText() == $$"""{"reverses":"{{spent}}"}""");
        rows.Sum(row => row.GetProperty("credits_used").GetDecimal()).ShouldBe(0);
        rows.Select(row => row.GetProperty("id").GetGuid()).Distinct().Count().ShouldBe(6);
    }

    [Fact]
    public async Task A_hold_is_a_row_once_it_is_settled_and_what_nothing_covered_is_debt()
    {
        var account = await _app.OpenAccountAsync(credits: 10);
        var hold = (
            await _app.PostAsync("/api/v1/tools/reserve", account.Key, """{"tool":"chat","units":2,"reference":"h","ttl_seconds":60}""")
        ).ShouldBe(200);
        (await RowsAsync(account)).ShouldBeEmpty();
        (await _app.PostAsync("/api/v1/tools/settle", account.Key, new { hold_id = hold.Text("hold_id"), units = 5 })).ShouldBe(200);
        (await RowsAsync(account)).Select(Short).ShouldBe(["10 payg", "15 debt"]);
    }

    [Fact]
    public async Task What_costs_nothing_is_a_row_all_the_same()
    {
        await using var app = await LedgerApp.StartAsync();
        await app.PublishPriceAsync("chat", "0");
        var account = await app.OpenAccountAsync();
        (await app.ChatAsync(account, 1, "free")).ShouldBe(200);
        (await app.GetAsync(Path, account.Key))
            .ShouldBe(200)
            .Json.EnumerateArray()
            .ShouldHaveSingleItem()
            .GetProperty("credits_used")
            .GetRawText()
            .ShouldBe("0");
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("limit=ten", "limit")]
    [InlineData("limit=%2B1", "limit")]
    [InlineData("limit=", "limit")]
    [InlineData("offset=-1", "offset")]
    [InlineData("offset=100001", "offset")]
    [InlineData("from=yesterday", "from")]
    [InlineData("from=2026-7-3", "from")]
    [InlineData("to=2026-07-03T12:00:00", "to")]
    [InlineData("to=2026-02-30", "to")]
    [InlineData("from=2026-07-04&to=2026-07-04", "to")]
    [InlineData("from=2026-07-04&to=2026-07-03", "to")]
    [InlineData("service_type=", "service_type")]
    [InlineData("service_type=%00", "service_type")]
    [InlineData("limit=x&offset=x&from=x&to=x&service_type=", "limit offset from to service_type")]
    public async Task Bad_questions_are_refused_by_the_names_of_what_is_wrong(string query, string faults) =>
        (await _app.GetAsync($"{Path}?{query}", (await _app.OpenAccountAsync()).Key)).ShouldFaultAt([
            .. faults.Split(' ').Select(name => "query." + name),
        ]);

    [Fact]
    public async Task A_refusal_has_the_shape_of_the_document() =>
        (await _app.GetAsync(Path + "?limit=0", (await _app.OpenAccountAsync()).Key)).ShouldBe(
            422,
            """{"detail":[{"loc":["query","limit"],"msg":"must be a whole number from 1 to 1000","type":"value_error"}]}"""
        );

    [Fact]
    public async Task It_can_be_read_while_new_funds_come_and_are_spent_at_once()
    {
        var account = await _app.OpenAccountAsync();
        var buying = Task.Run(async () =>
        {
            for (var n = 0; n < 60; n++)
            {
                await _app.GrantAsync(account.Id, Amount.Credits(5), n % 2 == 0 ? PocketSource.Payg : PocketSource.Bonus);
                (await _app.ChatAsync(account, 1, $"r{n}")).ShouldBe(200);
            }
        });
        while (!buying.IsCompleted)
            (await _app.GetAsync(Path, account.Key)).ShouldBe(200);
        await buying;
        (await RowsAsync(account)).Count.ShouldBe(60);
    }

    private static string Short(JsonElement row) =>
        $"{row.GetProperty("credits_used").GetRawText()} {row.GetProperty("credit_source").GetString()}";

    private async Task<IReadOnlyList<JsonElement>> RowsAsync(TestAccount account, string query = "") =>
        [.. (await _app.GetAsync(Path + query, account.Key)).ShouldBe(200).Json.EnumerateArray()];

    /// <summary>2,000 of a subscription, 100 given, 1,000 bought.</summary>
    private async Task<TestAccount> MixedAsync()
    {
        var account = await _app.OpenAccountAsync(credits: 1000);
        await _app.GrantAsync(account.Id, Amount.Credits(100), PocketSource.Bonus);
        (await _app.AdminPutAsync($"/accounts/{account.Id}/subscription", new { tier = "pro" })).ShouldBe(200);
        return account;
    }
}
