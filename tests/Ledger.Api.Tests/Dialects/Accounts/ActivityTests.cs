using Ledger.Api.Tests.Gateway;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Dialects.Accounts;

/// <summary>What was used, told by day, hour, model, key and tool, and never from the log.</summary>
public sealed class ActivityTests : IAsyncLifetime
{
    private GatewayApp _gateway = null!;
    private TestAccount _account = null!;
    private string _provisioning = "";

    private LedgerApp App => _gateway.App;

    public async ValueTask InitializeAsync()
    {
        _gateway = await GatewayApp.StartAsync();
        _account = await App.OpenAccountAsync(credits: 1000);
        await App.GrantAsync(_account.Id, Amount.Usd(10), PocketSource.Prepaid);
        await App.GrantAsync(_account.Id, Amount.Credits(20_000), PocketSource.Pack, "openai/plain");
        (_, _provisioning) = await App.CreateKeyAsync(_account.Id, KeyKind.Provisioning);
        _gateway.Upstream.Otherwise(UpstreamScript.Says("Hello").Using(new(100, 50, CacheRead: 10)));
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Tools_calls_and_packs_are_told_apart_and_add_up()
    {
        await SpendAsync("chat", "r1");
        await CallAsync(new { model = "auto", messages = Hello });
        await CallAsync(
            new
            {
                provider = "openai",
                model = "plain",
                messages = Hello,
            }
        );
        App.Clock.Advance(TimeSpan.FromDays(1));
        await SpendAsync("chat", "r2");

        var answer = await ActivityAsync("?group_by=day,tool,model");

        answer.ShouldBe(200);
        Lines(answer)
            .ShouldBe([
                "2026-07-03 null chat 1 0 0 0 5 0 0",
                "2026-07-03 openai/plain chat.completions 1 110 50 10 0 201 0",
                "2026-07-03 openai/plain pack 1 110 50 10 0 0 12",
                "2026-07-04 null chat 1 0 0 0 5 0 0",
            ]);
        Line(answer.Json.GetProperty("totals")).ShouldBe("4 220 100 20 10 201 12");
        answer.Text("next").ShouldBe("null");
    }

    [Fact]
    public async Task A_reversal_counts_against_what_it_gives_back_on_its_own_day()
    {
        var spent = await SpendAsync("chat", "r1");
        App.Clock.Advance(TimeSpan.FromDays(1));
        await App.ExecuteAsync(new ReverseSpend(_account.Id, new(Guid.Parse(spent.Header("x-ledger-spend-id")!)), "A test"));
        Lines(await ActivityAsync("?group_by=day")).ShouldBe(["2026-07-03 null null 1 0 0 0 5 0 0", "2026-07-04 null null 0 0 0 0 -5 0 0"]);
    }

    [Fact]
    public async Task Pages_meet_without_gap_or_repeat()
    {
        for (var hour = 0; hour < 5; hour++)
        {
            await SpendAsync("chat", $"c{hour}");
            await SpendAsync("sfx", $"s{hour}");
            App.Clock.Advance(TimeSpan.FromHours(1));
        }

        var whole = Lines(await ActivityAsync("?group_by=hour,tool"));
        whole.Count.ShouldBe(10);
        var (pages, next) = (new List<string>(), "");
        do
        {
            var page = await ActivityAsync($"?group_by=hour,tool&limit=3{next}");
            page.ShouldBe(200);
            pages.AddRange(Lines(page));
            next = page.Text("next") is "null" or null ? "" : "&cursor=" + page.Text("next");
        } while (next.Length > 0);
        pages.ShouldBe(whole);
    }

    [Fact]
    public async Task Keys_come_with_their_names_and_environments_and_can_be_asked_for_alone()
    {
        var (other, secret) = await App.CreateKeyAsync(_account.Id, change: key => key with { Name = "=cmd()", Environment = "staging" });
        await SpendAsync("chat", "r1");
        await SpendAsync("chat", "r2", secret);
        var lines = (await ActivityAsync("?group_by=key,environment")).Json.GetProperty("data").EnumerateArray().ToList();
        lines.Select(line => line.GetProperty("key_name").GetString()).ShouldBe(["Test", "=cmd()"], ignoreOrder: true);
        lines.Select(line => line.GetProperty("environment").GetString()).ShouldBe([null, "staging"], ignoreOrder: true);
        var one = await ActivityAsync($"?group_by=key&key_id={other.Value}");
        one.Json.GetProperty("data").GetArrayLength().ShouldBe(1);
        one.Text("totals", "requests").ShouldBe("1");

        // As a table, a name is no formula.
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/account/activity?group_by=key")
        {
            Headers = { { "Authorization", "Bearer " + _provisioning }, { "Accept", "text/csv" } },
        };
        var csv = await App.SendAsync(request);
        csv.ShouldBe(200);
        csv.Header("Content-Type").ShouldBe("text/csv; charset=utf-8");
        csv.Body.ShouldContain("'=cmd()");
        csv.Body.Split("\r\n")[0]
            .ShouldBe(
                "date,model,tool,key_id,key_name,environment,requests,input_tokens,output_tokens,cached_tokens,quota_tokens,credits,usd_micros,pack_credits"
            );
    }

    [Fact]
    public async Task Who_used_nothing_gets_an_empty_list()
    {
        var answer = await ActivityAsync("");
        answer.ShouldBe(200);
        answer.Json.GetProperty("data").GetArrayLength().ShouldBe(0);
        Line(answer.Json.GetProperty("totals")).ShouldBe("0 0 0 0 0 0 0");
    }

    [Theory]
    [InlineData("?from=2026-07-04&to=2026-07-03", "to")]
    [InlineData("?from=yesterday", "from")]
    [InlineData("?from=0001-01-01", "from")]
    [InlineData("?to=9999-12-31", "to")]
    [InlineData("?group_by=day,phase", "group_by")]
    [InlineData("?limit=0", "limit")]
    [InlineData("?limit=10001", "limit")]
    [InlineData("?cursor=nonsense", "cursor")]
    [InlineData("?cursor=W251bGwsIiIsIiIsIiIsIiJd", "cursor")] // [null,"","","",""]
    [InlineData("?cursor=WyIiLCJcdTAwMDAiLCIiLCIiLCIiXQ", "cursor")] // ["","\\u0000","","",""]
    [InlineData("?key_id=%00", "key_id")]
    public async Task What_cannot_be_asked_for_is_named(string query, string field)
    {
        var answer = await ActivityAsync(query);
        answer.ShouldBe(400);
        answer.Text("error", "fields", field).ShouldNotBeNull(answer.Body);
    }

    [Fact]
    public async Task Nobody_sees_anothers_activity()
    {
        await SpendAsync("chat", "r1");
        var other = await App.OpenAccountAsync(kind: KeyKind.Provisioning);
        (await App.GetAsync($"/v1/account/activity?key_id={_account.KeyId.Value}", other.Key))
            .Json.GetProperty("data")
            .GetArrayLength()
            .ShouldBe(0);
        (await App.GetAsync("/v1/account/activity", _account.Key)).ShouldBe(403);
    }

    [Fact]
    public async Task A_tenant_sees_days()
    {
        await CallAsync(new { model = "auto", messages = Hello });
        App.Clock.Advance(TimeSpan.FromDays(2));
        await CallAsync(new { model = "auto", messages = Hello });
        var answer = await App.GetAsync("/tenant/usage?from=2026-07-01&to=2026-07-05", _account.Key);
        answer.ShouldBe(200);
        answer.Body.ShouldBe(
            """{"data":[{"date":"2026-07-03","requests":1,"input_tokens":110,"output_tokens":50,"cached_tokens":10,"usd_micros":201},{"date":"2026-07-05","requests":1,"input_tokens":110,"output_tokens":50,"cached_tokens":10,"usd_micros":201}]}"""
        );
        (await App.GetAsync("/tenant/usage?from=2026-07-05&to=2026-07-01", _account.Key)).ShouldBe(400);
    }

    private static object[] Hello => [new { role = "user", content = "Hello" }];

    private Task<Answer> ActivityAsync(string query) => App.GetAsync("/v1/account/activity" + query, _provisioning);

    private async Task<Answer> SpendAsync(string tool, string reference, string? key = null)
    {
        var answer = await App.PostAsync(
            "/api/v1/tools/spend",
            key ?? _account.Key,
            new
            {
                tool,
                units = 1,
                reference,
            }
        );
        answer.ShouldBe(200);
        return answer;
    }

    private async Task CallAsync(object body) => (await App.PostAsync("/v1/chat/completions", _account.Key, body)).ShouldBe(200);

    private static List<string> Lines(Answer answer) =>
        [
            .. answer
                .Json.GetProperty("data")
                .EnumerateArray()
                .Select(line => $"{Text(line, "date")} {Text(line, "model")} {Text(line, "tool")} {Line(line)}"),
        ];

    private static string Line(System.Text.Json.JsonElement line) =>
        string.Join(
            ' ',
            new[] { "requests", "input_tokens", "output_tokens", "cached_tokens", "credits", "usd_micros", "pack_credits" }.Select(name =>
                line.GetProperty(name).GetRawText()
            )
        );

    private static string Text(System.Text.Json.JsonElement line, string name) => line.GetProperty(name).GetString() ?? "null";
}
