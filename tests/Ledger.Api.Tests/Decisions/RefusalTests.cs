using System.Globalization;
using Ledger.Api.Application;
using Ledger.Api.Decisions;
using Ledger.Domain;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Decisions;

/// <summary>What is kept of refusals: counted all, in full the newest, and nothing in the log.</summary>
public sealed class RefusalTests : IAsyncLifetime
{
    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() =>
        _app = await LedgerApp.StartAsync(settings: new Dictionary<string, string> { ["Ledger:RefusalSamples"] = "3" });

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task They_are_counted_by_key_code_and_minute_and_shown_by_minute_hour_or_day()
    {
        var account = await _app.OpenAccountAsync(credits: 3);
        var manager = await _app.ManagerAsync(account);
        var (second, secret) = await _app.CreateKeyAsync(account.Id, change: key => key with { Name = "=Second" });
        await RefuseAsync(account.Key, "a", 2);
        await _app.SpendAsync(account.Key, "x", tool: "teleport");
        _app.Clock.Advance(TimeSpan.FromMinutes(1));
        await RefuseAsync(account.Key, "b", 3);
        _app.Clock.Advance(TimeSpan.FromHours(1));
        await RefuseAsync(secret, "c", 1);
        _app.Clock.Advance(TimeSpan.FromDays(1));
        await RefuseAsync(secret, "d", 1);
        (await _app.EventsAsync(account.Id)).Count.ShouldBe(5);

        var days = (await _app.GetAsync("/v1/account/refusals", manager)).ShouldBe(200);
        Lines(days)
            .ShouldBe([
                ("2026-07-03", account.KeyId.Value, "insufficient_credits", "5"),
                ("2026-07-03", account.KeyId.Value, "unknown_tool", "1"),
                ("2026-07-03", second.Value, "insufficient_credits", "1"),
                ("2026-07-04", second.Value, "insufficient_credits", "1"),
            ]);
        (days.Text("totals", "count"), days.Text("next")).ShouldBe(("8", "null"));
        Lines(await _app.GetAsync("/v1/account/refusals?group_by=minute&to=2026-07-03&code=insufficient_credits", manager))
            .ShouldBe([
                ("2026-07-03T12:00:00Z", account.KeyId.Value, "insufficient_credits", "2"),
                ("2026-07-03T12:01:00Z", account.KeyId.Value, "insufficient_credits", "3"),
                ("2026-07-03T13:01:00Z", second.Value, "insufficient_credits", "1"),
            ]);
        Lines(await _app.GetAsync($"/v1/account/refusals?group_by=hour&key_id={second}", manager))
            .ShouldBe([
                ("2026-07-03T13:00:00Z", second.Value, "insufficient_credits", "1"),
                ("2026-07-04T13:00:00Z", second.Value, "insufficient_credits", "1"),
            ]);

        // By pages, each line once.
        var (paged, cursor) = (new List<(string?, string?, string?, string?)>(), "");
        for (var pages = 0; cursor != "null"; pages++)
        {
            pages.ShouldBeLessThan(5);
            var page = (await _app.GetAsync("/v1/account/refusals?limit=1" + (pages == 0 ? "" : "&cursor=" + cursor), manager)).ShouldBe(
                200
            );
            paged.AddRange(Lines(page));
            page.Text("totals", "count").ShouldBe("8");
            cursor = page.Text("next")!;
        }

        paged.ShouldBe(Lines(days));

        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/account/refusals");
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + manager);
        request.Headers.TryAddWithoutValidation("Accept", "text/csv");
        var csv = (await _app.SendAsync(request)).ShouldBe(200);
        var rows = csv.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        rows[0].ShouldBe("at,key_id,key_name,code,count");
        rows.Length.ShouldBe(5);
        rows[1].ShouldBe($"2026-07-03,{account.KeyId},Test,insufficient_credits,5");
        rows[3].ShouldNotContain(",=Second");

        foreach (
            var (query, field) in ((string, string)[])
                [
                    ("group_by=week", "group_by"),
                    ("limit=0", "limit"),
                    ("cursor=00", "cursor"),
                    ("cursor=zz", "cursor"),
                    ("from=2026-07-04&to=2026-07-03", "to"),
                    ("key_id=%00", "key_id"),
                ]
        )
            (await _app.GetAsync("/v1/account/refusals?" + query, manager)).ShouldBe(400).Text("error", "fields", field).ShouldNotBeNull();

        // Somebody else's are not among them.
        var other = await _app.OpenAccountAsync();
        Lines(await _app.GetAsync("/v1/account/refusals", await _app.ManagerAsync(other))).ShouldBeEmpty();
    }

    [Fact]
    public async Task In_full_the_newest_of_each_key_and_code_are_kept()
    {
        var account = await _app.OpenAccountAsync(credits: 3);
        var manager = await _app.ManagerAsync(account);
        var rare = await _app.SpendAsync(account.Key, "x", tool: "teleport");
        var refused = new List<Answer>();
        for (var n = 0; n < 7; n++)
        {
            _app.Clock.Advance(TimeSpan.FromSeconds(1));
            refused.Add((await _app.SpendAsync(account.Key, $"a{n}")).ShouldBe(402));

            // Both what memory holds and what is in the table is bounded.
            if (n == 3)
                await _app.Writer().WriteAsync(default);
        }

        foreach (var (answer, n) in refused.Select((answer, n) => (answer, n)))
            (await _app.ExplainAsync(manager, answer)).ShouldBe(n < 4 ? 404 : 200);
        (await _app.ExplainAsync(manager, rare)).ShouldBe(200);
        (await _app.QueryAsync("select count(*) from refusal_samples")).ShouldBe(4L);
        (await _app.GetAsync("/v1/account/refusals", manager)).Text("totals", "count").ShouldBe("8");
    }

    [Fact]
    public async Task What_has_gathered_is_written_when_the_server_stops()
    {
        var account = await _app.OpenAccountAsync(credits: 3);
        var manager = await _app.ManagerAsync(account);
        var refused = (await _app.SpendAsync(account.Key, "a")).ShouldBe(402);
        _app = await _app.RestartAsync();
        await _app.WhyRefusedAsync(manager, refused, "insufficient_credits", "funds");
        (await _app.GetAsync("/v1/account/refusals", manager)).Text("totals", "count").ShouldBe("1");
    }

    [Fact]
    public async Task Two_nodes_count_together_and_explain_each_others()
    {
        await using var two = await LedgerApp.StartAsync(_app.Database, _app.Clock);
        var account = await _app.OpenAccountAsync(credits: 8);
        var manager = await _app.ManagerAsync(account);
        var here = (await _app.SpendAsync(account.Key, "a", units: 2)).ShouldBe(402);
        var there = (await two.SpendAsync(account.Key, "b", units: 3)).ShouldBe(402);
        var spent = (await two.SpendAsync(account.Key, "c")).ShouldBe(200);
        here.Header("x-request-id").ShouldNotBe(there.Header("x-request-id"));
        await two.Writer().WriteAsync(default);
        await _app.Writer().WriteAsync(default);
        (await _app.WhyRefusedAsync(manager, there, "insufficient_credits", "funds")).Text("price", "cost").ShouldBe("15");
        (await two.WhyRefusedAsync(manager, here, "insufficient_credits", "funds")).Text("price", "cost").ShouldBe("10");
        (await _app.WhyAsync(manager, spent)).Text("verdict").ShouldBe("accepted");
        (await _app.GetAsync("/v1/account/refusals", manager)).Text("totals", "count").ShouldBe("2");
        Lines(await two.GetAsync("/v1/account/refusals", manager)).ShouldHaveSingleItem().Item4.ShouldBe("2");
    }

    [Fact]
    public async Task The_sweep_forgets_what_is_old()
    {
        var account = await _app.OpenAccountAsync(credits: 3);
        var manager = await _app.ManagerAsync(account);
        var refused = (await _app.SpendAsync(account.Key, "a")).ShouldBe(402);
        await _app.Writer().WriteAsync(default);
        var sweep = _app.Services.GetRequiredService<Sweep>();
        _app.Clock.Advance(TimeSpan.FromDays(7) - TimeSpan.FromMinutes(1));
        await sweep.PassAsync(default);
        (await _app.ExplainAsync(manager, refused)).ShouldBe(200);
        _app.Clock.Advance(TimeSpan.FromMinutes(2));
        await sweep.PassAsync(default);
        (await _app.ExplainAsync(manager, refused)).ShouldBe(404);
        (await _app.QueryAsync("select count(*) from refusal_counts")).ShouldBe(1L);
        _app.Clock.Advance(TimeSpan.FromDays(23));
        await sweep.PassAsync(default);
        (await _app.QueryAsync("select count(*) from refusal_counts")).ShouldBe(0L);
    }

    [Fact]
    public async Task Memory_is_bounded_and_what_it_drops_is_a_metric()
    {
        using var readings = MeterReadings.Of(_app.Services);
        var account = await _app.OpenAccountAsync(credits: 3);
        var state = await _app.ReadAsync(account.Id);
        var book = _app.Services.GetRequiredService<RefusalBook>();
        await _app.Writer().WriteAsync(default);
        for (var n = 0; n < RefusalBook.Capacity + 5; n++)
        {
            var key = new KeyId(n.ToString(CultureInfo.InvariantCulture));
            book.Take(state, new(key), $"r{n}", RejectionCode.KeyNotUsable, _app.Clock.Now);
        }

        readings.Total("ledger.refusals.dropped", ("what", "count")).ShouldBe(5);
        readings.Total("ledger.refusals.dropped", ("what", "sample")).ShouldBe(5);

        // One that is counted already goes on being counted.
        book.Take(state, new(new KeyId("0")), "again", RejectionCode.KeyNotUsable, _app.Clock.Now);
        readings.Total("ledger.refusals.dropped", ("what", "count")).ShouldBe(5);
        await _app.Writer().WriteAsync(default);
        (await _app.QueryAsync("select sum(count)::bigint from refusal_counts")).ShouldBe((long)RefusalBook.Capacity + 1);
        book.IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task Nothing_secret_and_nothing_of_metadata_is_kept()
    {
        var account = await _app.OpenAccountAsync(credits: 3);
        await _app.PostAsync(
            "/api/v1/tools/spend",
            account.Key,
            new
            {
                tool = "chat",
                units = 1,
                reference = "a",
                metadata = new { prompt = "my secret plan" },
            }
        );
        await _app.Writer().WriteAsync(default);
        var kept = (string)(await _app.QueryAsync("select s::text from refusal_samples s"))!;
        kept.ShouldContain("insufficient_credits");
        kept.ShouldNotContain("secret plan");
        kept.ShouldNotContain(account.Key);
    }

    private async Task RefuseAsync(string key, string reference, int times)
    {
        for (var n = 0; n < times; n++)
            (await _app.SpendAsync(key, $"{reference}{n}")).ShouldBeRefused(402, "insufficient_credits");
    }

    private static List<(string?, string?, string?, string?)> Lines(Answer answer) =>
        [
            .. answer
                .ShouldBe(200)
                .Json.GetProperty("data")
                .EnumerateArray()
                .Select(line => (line.Text("at"), line.Text("key_id"), line.Text("code"), line.Text("count"))),
        ];
}
