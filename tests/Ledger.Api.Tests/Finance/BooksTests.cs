using System.Globalization;
using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Api.Tests.Payments;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Journal;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Finance;

/// <summary>The books over HTTP: one account's, as of any moment, and those of all.</summary>
public sealed class BooksTests : IAsyncLifetime
{
    private LedgerApp _app = null!;
    private TestAccount _buyer = null!;
    private string _owner = null!;

    /// <summary>July: 20 dollars of credits, 1,000 of them spent, and 100 given that lapse in August.</summary>
    public async ValueTask InitializeAsync()
    {
        _app = await LedgerApp.StartAsync();
        _buyer = await _app.OpenAccountAsync();
        _owner = (await _app.CreateKeyAsync(_buyer.Id, KeyKind.Provisioning)).Secret;
        await _app.BuyCreditsAsync(_buyer, 20);
        (await _app.ChatAsync(_buyer, 200, "one")).ShouldBe(200);
        await _app.GrantAsync(_buyer.Id, Amount.Credits(100), PocketSource.Bonus, expiresAt: new(2026, 8, 2, 0, 0, 0, TimeSpan.Zero));
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task The_journal_tells_what_every_event_moved()
    {
        var journal = (await _app.GetAsync("/v1/account/journal", _owner)).ShouldBe(200);
        Lines(journal)
            .ShouldBe([
                "order_paid: cash:sandbox usd 20/0 $20; clearing:sales usd 0/20 $-20",
                "credits_granted: clearing:sales credits 150000/0 $20; liability:payg credits 0/150000 $-20",
                "credits_spent: liability:payg credits 1000/0 $0.133333333; revenue:chat credits 0/1000 $-0.133333333",
                "credits_granted: promotion:test credits 100/0 $0; liability:bonus credits 0/100 $0",
            ]);
        journal.Text("next").ShouldBe("null");
        (await _app.AdminGetAsync($"/accounts/{_buyer.Id}/journal")).ShouldBe(200).Body.ShouldBe(journal.Body);

        var (read, cursor) = (new List<string>(), "");
        for (var next = "0"; next != "null"; cursor = "&cursor=" + next)
        {
            var page = (await _app.GetAsync($"/v1/account/journal?limit=1{cursor}", _owner)).ShouldBe(200);
            read.AddRange(Lines(page));
            next = page.Text("next")!;
        }

        read.ShouldBe(Lines(journal));
        Lines(await _app.GetAsync("/v1/account/journal?from=2026-07-04", _owner)).ShouldBeEmpty();
        Lines(await _app.GetAsync("/v1/account/journal?to=2026-07-02", _owner)).ShouldBeEmpty();
        Lines(await _app.GetAsync("/v1/account/journal?from=2026-07-03&to=2026-07-03", _owner)).Count.ShouldBe(4);
        Lines(await _app.GetAsync("/v1/account/journal?cursor=999999", _owner)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Statements_chain_from_month_to_month()
    {
        var july = await StatementAsync("2026-07");
        july.Text("data", "final").ShouldBe("false");
        Amounts(july, "opening").ShouldBeEmpty();
        Amounts(july, "lines")
            .ShouldBe(["credits bonus granted test 100", "credits payg purchased  150000", "credits payg spent chat -1000"]);
        Amounts(july, "closing").ShouldBe(["credits bonus 100", "credits payg 149000"]);
        july.Json.GetProperty("data").GetProperty("payments")[0].GetProperty("amount_usd").GetRawText().ShouldBe("20");

        // Nobody uses the account in August: what lapses then belongs there, whenever it is noticed.
        _app.Clock.Now = new(2026, 9, 5, 0, 0, 0, TimeSpan.Zero);
        var closed = await StatementAsync("2026-07");
        closed.Text("data", "final").ShouldBe("true");
        Amounts(closed, "closing").ShouldBe(Amounts(july, "closing"));
        var august = await StatementAsync("2026-08");
        Amounts(august, "opening").ShouldBe(Amounts(july, "closing"));
        Amounts(august, "lines").ShouldBe(["credits bonus expired  -100"]);
        Amounts(august, "closing").ShouldBe(["credits payg 149000"]);
        august.Text("data", "final").ShouldBe("true");
        var september = await StatementAsync("2026-09");
        Amounts(september, "lines").ShouldBeEmpty();

        // Noticed in September, and still August's.
        (await _app.ChatAsync(_buyer, 1, "two")).ShouldBe(200);
        Amounts(await StatementAsync("2026-08"), "lines").ShouldBe(["credits bonus expired  -100"]);
        Amounts(await StatementAsync("2026-09"), "lines").ShouldBe(["credits payg spent chat -5"]);
        Amounts(await StatementAsync("2026-09"), "opening").ShouldBe(["credits payg 149000"]);

        (await _app.GetAsync("/v1/account/statements", _owner))
            .ShouldBe(200)
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(period => $"{period.GetProperty("period")} {period.GetProperty("final")}")
            .ShouldBe(["2026-09 False", "2026-08 True", "2026-07 True"]);
        Amounts(await StatementAsync("2026-05"), "closing").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_statement_comes_as_a_table_and_as_a_page_and_neither_can_be_led_astray()
    {
        await _app.GrantAsync(_buyer.Id, Amount.Credits(1), PocketSource.Bonus);
        await _app.ExecuteAsync(
            new GrantCredits(_buyer.Id, Amount.Credits(7), PocketSource.Bonus, null, null, "=cmd|'<script>'!A1", "ref", null)
        );
        var table = await WantingAsync("/v1/account/statements/2026-07", "text/csv");
        table.ShouldBe(200).Header("content-type").ShouldBe("text/csv; charset=utf-8");
        table.Header("content-disposition").ShouldBe("attachment; filename=\"statement-2026-07.csv\"");
        var lines = table.Body.Split("\r\n");
        lines[0].ShouldBe("section,unit,source,kind,item,amount,usd_value");
        lines.ShouldContain("line,credits,payg,spent,chat,-1000,-0.133333333");
        lines.ShouldContain("line,credits,bonus,granted,\"'=cmd|'<script>'!A1\",7,0");
        lines.ShouldContain("closing,credits,bonus,,,108,0");

        var page = await WantingAsync("/v1/account/statements/2026-07", "text/html,application/xhtml+xml");
        page.ShouldBe(200).Header("content-type").ShouldBe("text/html; charset=utf-8");
        page.Body.ShouldContain("149,000");
        page.Body.ShouldNotContain("<script", Case.Insensitive);
        page.Header("content-security-policy").ShouldNotBeNull().ShouldStartWith("default-src 'none'");
    }

    [Fact]
    public async Task The_past_is_as_it_was()
    {
        var before = _app.Clock.Now;
        _app.Clock.Advance(TimeSpan.FromHours(1));
        (await _app.ChatAsync(_buyer, 100, "later")).ShouldBe(200);
        _app.Clock.Now = new(2026, 8, 10, 0, 0, 0, TimeSpan.Zero);
        await IsAsync("", "148600", "148600");
        await IsAsync($"&at={WireTime(before)}", "149100", "149100");
        await IsAsync("&at=2026-07-03", "148600", "148600");
        await IsAsync("&at=2026-07-02", "0", "0");
        await IsAsync("&at=2026-08-01", "148600", "148600");
        var events = await _app.EventsAsync(_buyer.Id);
        await IsAsync($"&version={events.Single(stored => stored.Type == "order_paid").Version}", "0", "0");
        await IsAsync($"&version={events.Single(stored => stored.Type == "order_paid").Version + 1}", "150000", "150000");
        (await _app.AdminGetAsync($"/audit/balance?account={_buyer.Id}&at=2026-07-02")).Text("status").ShouldBe("missing");

        // At a position of the log: the same, between any two events.
        var paid = events.Single(stored => stored.Type == "order_paid");
        await IsAsync($"&position={paid.Position}", "0", "0");
        await IsAsync($"&position={paid.Position + 1}", "150000", "150000");
        await IsAsync("&position=999999999", "148600", "148600");
        (await _app.AdminGetAsync($"/audit/balance?account={_buyer.Id}&position={events[0].Position}")).Text("version").ShouldBe("1");
        Lines(await _app.GetAsync($"/v1/account/journal?position={paid.Position}", _owner))
            .ShouldHaveSingleItem()
            .ShouldStartWith("order_paid");
        Lines(await _app.GetAsync("/v1/account/journal?position=1", _owner)).ShouldBeEmpty();
        var part = (await _app.GetAsync($"/v1/account/statements/2026-07?position={paid.Position + 1}", _owner)).ShouldBe(200);
        part.Text("data", "final").ShouldBe("false");
        part.Text("data", "version").ShouldBe($"{paid.Version + 1}");
        Amounts(part, "closing").ShouldContain("credits payg 150000");
        (await _app.AdminGetAsync($"/accounts/{_buyer.Id}/statements/2026-07?at={WireTime(before)}"))
            .ShouldBe(200)
            .Text("final")
            .ShouldBe("false");

        async Task IsAsync(string when, string posted, string available)
        {
            var answer = (await _app.AdminGetAsync($"/audit/balance?account={_buyer.Id}{when}")).ShouldBe(200);
            (answer.Text("balance", "credits", "posted"), answer.Text("balance", "credits", "available")).ShouldBe(
                (posted, available),
                when
            );
        }
    }

    [Fact]
    public async Task A_statement_as_of_a_place_among_the_lapses_of_months_before_says_nothing_of_these()
    {
        foreach (var day in (int[])[20, 25])
            await _app.GrantAsync(_buyer.Id, Amount.Credits(day), PocketSource.Bonus, expiresAt: new(2026, 7, day, 0, 0, 0, TimeSpan.Zero));
        _app.Clock.Now = new(2026, 8, 10, 0, 0, 0, TimeSpan.Zero);
        (await _app.ChatAsync(_buyer, 1, "august")).ShouldBe(200);
        var lapses = (await _app.EventsAsync(_buyer.Id)).Where(stored => stored.Type == "pocket_expired").ToList();
        lapses.Count.ShouldBe(3);
        foreach (var (lapse, lines) in lapses.Zip((string[])["", "", "credits bonus expired  -100"]))
        {
            var statement = (await _app.GetAsync($"/v1/account/statements/2026-08?position={lapse.Position}", _owner)).ShouldBe(200);
            Amounts(statement, "opening").ShouldBe(["credits bonus 100", "credits payg 149000"]);
            string.Join(", ", Amounts(statement, "lines")).ShouldBe(lines);
        }
    }

    [Fact]
    public async Task Events_are_shown_as_they_are_stored()
    {
        var all = await _app.EventsAsync(_buyer.Id);
        var first = (await _app.AdminGetAsync($"/audit/events?account={_buyer.Id}&limit=2")).ShouldBe(200);
        first.Json.GetProperty("data")[0].GetProperty("type").GetString().ShouldBe("account_opened");
        first.Text("next").ShouldBe("2");
        var rest = (await _app.AdminGetAsync($"/audit/events?account={_buyer.Id}&after=2")).ShouldBe(200);
        rest.Text("next").ShouldBe("null");
        var shown = rest.Json.GetProperty("data").EnumerateArray().ToList();
        shown.Select(line => line.GetProperty("event_id").GetGuid()).ShouldBe(all.Skip(2).Select(stored => stored.Id));
        shown
            .Select(line => line.GetProperty("data").GetRawText().Replace(" ", "", StringComparison.Ordinal))
            .ShouldBe(all.Skip(2).Select(stored => stored.Data.Replace(" ", "", StringComparison.Ordinal)));
        shown[0].GetProperty("hash").GetString().ShouldBe(Convert.ToBase64String(all[2].ReadHash()));
    }

    [Fact]
    public async Task Reports_are_what_the_reader_has_summed_and_say_up_to_where()
    {
        var empty = (await _app.AdminGetAsync("/reports/trial-balance")).ShouldBe(200);
        empty.Json.GetProperty("data").GetArrayLength().ShouldBe(0);
        empty.Text("up_to", "position").ShouldBe("0");
        empty.Text("up_to", "at").ShouldBe("null");
        foreach (var report in (string[])["deferred-revenue", "breakage"])
            (await _app.AdminGetAsync("/reports/" + report)).ShouldBe(200).Json.GetProperty("data").GetArrayLength().ShouldBe(0);

        _app.Clock.Now = new(2026, 8, 10, 0, 0, 0, TimeSpan.Zero);
        (await _app.ChatAsync(_buyer, 300, "august")).ShouldBe(200);
        var position = await CatchUpAsync();

        var july = (await _app.AdminGetAsync("/reports/trial-balance?at=2026-07-31")).ShouldBe(200);
        july.Text("up_to", "position").ShouldBe(position.ToString(CultureInfo.InvariantCulture));
        Rows(july, "account", "unit", "debit", "credit", "balance")
            .ShouldBe([
                "cash:sandbox usd 20 0 20",
                "clearing:sales credits 150000 0 150000",
                "clearing:sales usd 0 20 -20",
                "liability:bonus credits 0 100 -100",
                "liability:payg credits 1000 150000 -149000",
                "promotion:test credits 100 0 100",
                "revenue:chat credits 0 1000 -1000",
            ]);
        july.Json.GetProperty("totals").EnumerateArray().ShouldAllBe(total => total.GetProperty("balance").GetRawText() == "0");

        // A time is one of recording, a day one of booking: the bonus lapsed on August 2 and was noticed on the 10th.
        var events = await _app.EventsAsync(_buyer.Id);
        var lapse = events.Single(stored => stored.Type == "pocket_expired");
        await HasLapsedAsync("at=2026-08-01", false, "2026-08-01", "null", "null");
        await HasLapsedAsync("at=2026-08-02", true, "2026-08-02", "null", "null");
        await HasLapsedAsync("at=2026-08-09T23:00:00Z", false, "null", "2026-08-09T23:00:00Z", "null");
        await HasLapsedAsync("at=2026-08-10T00:00:00Z", true, "null", "2026-08-10T00:00:00Z", "null");
        await HasLapsedAsync($"position={lapse.Position - 1}", false, "null", "null", $"{lapse.Position - 1}");
        await HasLapsedAsync($"position={lapse.Position}", true, "null", "null", $"{lapse.Position}");

        async Task HasLapsedAsync(string when, bool has, params string[] said)
        {
            var answer = (await _app.AdminGetAsync("/reports/trial-balance?" + when)).ShouldBe(200);
            Rows(answer, "account", "balance").Contains("breakage:bonus -100").ShouldBe(has, when);
            new[] { answer.Text("at"), answer.Text("as_of"), answer.Text("position") }.ShouldBe(said);
            answer.Json.GetProperty("totals").EnumerateArray().ShouldAllBe(total => total.GetProperty("balance").GetRawText() == "0");
        }

        var deferred = (await _app.AdminGetAsync("/reports/deferred-revenue?from=2026-07-01&to=2026-08-31&group=month")).ShouldBe(200);
        Rows(deferred, "date", "source", "opening", "sold", "given", "spent", "expired", "closing", "earned_usd", "closing_usd")
            .ShouldBe([
                "2026-07-01 bonus 0 0 100 0 0 100 0 0",
                "2026-07-01 payg 0 150000 0 -1000 0 149000 0.133333333 19.866666667",
                "2026-08-01 bonus 100 0 0 0 -100 0 0 0",
                "2026-08-01 payg 149000 0 0 -1500 0 147500 0.2 19.666666667",
            ]);
        var byDay = (await _app.AdminGetAsync("/reports/deferred-revenue?from=2026-08-01&to=2026-08-03")).ShouldBe(200);
        Rows(byDay, "date", "source", "opening", "expired", "closing")
            .ShouldBe([
                "2026-08-01 bonus 100 0 100",
                "2026-08-01 payg 149000 0 149000",
                "2026-08-02 bonus 100 -100 0",
                "2026-08-02 payg 149000 0 149000",
                "2026-08-03 payg 149000 0 149000",
            ]);
        Rows(await _app.AdminGetAsync("/reports/breakage?from=2026-07-01&to=2026-08-31"), "date", "source", "unit", "amount", "usd_value")
            .ShouldBe(["2026-08-02 bonus credits 100 0"]);

        (await WantingAsync("/admin/reports/trial-balance?at=2026-07-31", "text/csv", LedgerApp.AdminKey))
            .Body.Split("\r\n")[..3]
            .ShouldBe([
                "account,unit,debit,credit,balance,usd_value",
                "cash:sandbox,usd,20,0,20,20",
                "clearing:sales,credits,150000,0,150000,20",
            ]);
        (await WantingAsync("/admin/reports/breakage?from=2026-08-01&to=2026-08-31", "text/csv", LedgerApp.AdminKey)).Body.ShouldBe(
            "date,source,unit,expired,taken_back,amount,usd_value\r\n2026-08-02,bonus,credits,100,0,100,0\r\n"
        );
        (
            await WantingAsync("/admin/reports/deferred-revenue?from=2026-08-02&to=2026-08-02", "text/csv", LedgerApp.AdminKey)
        ).Body.ShouldContain("2026-08-02,bonus,credits,100,0,0,0,-100,0,0,0,");
    }

    [Fact]
    public async Task A_line_of_deferred_revenue_adds_up_in_dollars_also_where_its_parts_do_not_come_out_even()
    {
        _app.Clock.Now = new(2026, 8, 10, 0, 0, 0, TimeSpan.Zero);

        // 149,000 credits are worth $19.8666…, 250 are worth $0.0333…, and what is left is worth $19.8333….
        (await _app.ChatAsync(_buyer, 50, "does not come out even")).ShouldBe(200);
        await CatchUpAsync();
        var deferred = (await _app.AdminGetAsync("/reports/deferred-revenue?from=2026-07-01&to=2026-08-31&group=month")).ShouldBe(200);
        Rows(deferred, "date", "source", "opening_usd", "sold_usd", "earned_usd", "closing_usd")
            .ShouldBe([
                "2026-07-01 bonus 0 0 0 0",
                "2026-07-01 payg 0 20 0.133333333 19.866666667",
                "2026-08-01 bonus 0 0 0 0",
                "2026-08-01 payg 19.866666667 0 0.033333334 19.833333333",
            ]);
        foreach (var line in deferred.Json.GetProperty("data").EnumerateArray())
        {
            decimal Usd(string name) => line.GetProperty(name).GetDecimal();
            (Usd("opening_usd") + Usd("sold_usd") - Usd("earned_usd") - Usd("expired_usd") - Usd("taken_back_usd")).ShouldBe(
                Usd("closing_usd"),
                line.GetRawText()
            );
        }
    }

    [Fact]
    public async Task The_running_server_keeps_the_books_by_itself()
    {
        await using var other = await LedgerApp.StartAsync(
            _app.Database,
            _app.Clock,
            settings: new Dictionary<string, string> { ["Ledger:JournalInterval"] = "00:00:00.02" }
        );
        await Eventually.IsSoAsync(async () =>
            (await other.AdminGetAsync("/reports/trial-balance")).Json.GetProperty("data").GetArrayLength() == 7
        );

        // Emptied while it runs: it begins again.
        await other.Services.GetRequiredService<JournalSums>().ResetAsync(default);
        (await other.ChatAsync(_buyer, 1, "again")).ShouldBe(200);
        await Eventually.IsSoAsync(async () =>
            Rows(await other.AdminGetAsync("/reports/trial-balance"), "account", "balance").Contains("revenue:chat -1005")
        );
    }

    [Theory]
    [InlineData("/v1/account/journal?from=2026-07-04&to=2026-07-03", "to")]
    [InlineData("/v1/account/journal?from=yesterday", "from")]
    [InlineData("/v1/account/journal?from=2026-02-30", "from")]
    [InlineData("/v1/account/journal?to=0001-01-01", "to")]
    [InlineData("/v1/account/journal?to=9999-12-31", "to")]
    [InlineData("/v1/account/journal?cursor=-1", "cursor")]
    [InlineData("/v1/account/journal?cursor=99999999999999999999", "cursor")]
    [InlineData("/v1/account/journal?limit=0", "limit")]
    [InlineData("/v1/account/journal?limit=1001", "limit")]
    [InlineData("/v1/account/statements/2026-13", "period")]
    [InlineData("/v1/account/statements/2026-7", "period")]
    [InlineData("/v1/account/statements/july", "period")]
    [InlineData("/v1/account/statements/2026-08", "period")]
    [InlineData("/v1/account/statements/1999-12", "period")]
    [InlineData("/v1/account/statements/2026-07?at=2026-06-30", "at")]
    [InlineData("/v1/account/statements/2026-07?at=2026-07-30", "at")]
    [InlineData("/v1/account/statements/2026-07?at=now", "at")]
    [InlineData("/admin/reports/trial-balance?at=now", "at")]
    [InlineData("/admin/reports/trial-balance?at=2999-01-01T00:00:00Z", "at")]
    [InlineData("/admin/reports/trial-balance?position=0", "position")]
    [InlineData("/admin/reports/trial-balance?position=1&at=2026-07-01", "position")]
    [InlineData("/v1/account/journal?position=x", "position")]
    [InlineData("/v1/account/statements/2026-07?position=-1", "position")]
    [InlineData("/v1/account/statements/2026-06?position=5", "position")]
    [InlineData("/v1/account/statements/2026-07?position=5&at=2026-07-03", "position")]
    [InlineData("/admin/reports/deferred-revenue?from=2026-07-04&to=2026-07-03", "to")]
    [InlineData("/admin/reports/deferred-revenue?from=2020-01-01&to=2026-07-03", "from")]
    [InlineData("/admin/reports/deferred-revenue?group=week", "group")]
    [InlineData("/admin/reports/breakage?from=2001-01-01&to=2026-07-03&group=month", "from")]
    [InlineData("/admin/reports/breakage?to=%00", "to")]
    [InlineData("/admin/audit/balance", "account")]
    [InlineData("/admin/audit/balance?account=a%20b", "account")]
    [InlineData("/admin/audit/balance?account=ID&at=2027-01-01", "at")]
    [InlineData("/admin/audit/balance?account=ID&version=0", "version")]
    [InlineData("/admin/audit/balance?account=ID&version=1&at=2026-07-03", "version")]
    [InlineData("/admin/audit/events", "account")]
    [InlineData("/admin/audit/events?account=ID&after=x", "after")]
    [InlineData("/admin/audit/events?account=ID&limit=many", "limit")]
    public async Task What_cannot_be_asked_is_refused_by_name(string path, string field) =>
        (
            await _app.GetAsync(
                path.Replace("ID", _buyer.Id.Value, StringComparison.Ordinal),
                path.StartsWith("/admin", StringComparison.Ordinal) ? LedgerApp.AdminKey : _owner
            )
        ).ShouldFault(field);

    [Theory]
    [InlineData("/accounts/nobody/journal")]
    [InlineData("/accounts/nobody/statements")]
    [InlineData("/accounts/nobody/statements/2026-07")]
    [InlineData("/audit/balance?account=nobody")]
    [InlineData("/audit/balance?account=nobody&at=2026-07-03")]
    [InlineData("/audit/events?account=nobody")]
    public async Task An_unknown_account_has_no_books(string path) =>
        (await _app.AdminGetAsync(path)).ShouldBeRefusedWith(404, "account_not_found");

    [Fact]
    public async Task Only_those_who_may_see_them_do()
    {
        foreach (var path in (string[])["/v1/account/journal", "/v1/account/statements", "/v1/account/statements/2026-07"])
        {
            (await _app.GetAsync(path)).ShouldBe(401);
            (await _app.GetAsync(path, _buyer.Key)).ShouldBe(403);
        }

        foreach (var path in (string[])["/admin/reports/trial-balance", $"/admin/accounts/{_buyer.Id}/journal", "/admin/audit/events"])
            (await _app.GetAsync(path, _owner)).ShouldBe(401);
    }

    private async Task<Answer> StatementAsync(string period) =>
        (await _app.GetAsync("/v1/account/statements/" + period, _owner)).ShouldBe(200);

    private async Task<Answer> WantingAsync(string path, string accept, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + (key ?? _owner));
        request.Headers.TryAddWithoutValidation("Accept", accept);
        return (await _app.SendAsync(request)).ShouldBe(200);
    }

    private async Task<long> CatchUpAsync()
    {
        var sums = _app.Services.GetRequiredService<JournalSums>();
        var reader = new LogReader(_app.Services.GetRequiredService<Npgsql.NpgsqlDataSource>(), 0);
        while (await reader.NextAsync(100, default) is { Count: > 0 } page)
            await sums.AddAsync(page, default);
        return reader.Position;
    }

    private static string WireTime(DateTimeOffset at) => at.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private static List<string> Lines(Answer journal) =>
        [
            .. journal
                .ShouldBe(200)
                .Json.GetProperty("data")
                .EnumerateArray()
                .Select(entry =>
                    $"{entry.GetProperty("event")}: "
                    + string.Join(
                        "; ",
                        entry
                            .GetProperty("postings")
                            .EnumerateArray()
                            .Select(posting =>
                                $"{posting.GetProperty("account")} {posting.GetProperty("unit")} {posting.GetProperty("debit")}/{posting.GetProperty("credit")} ${posting.GetProperty("usd_value")}"
                            )
                    )
                ),
        ];

    private static List<string> Amounts(Answer statement, string part) =>
        [
            .. statement
                .Json.GetProperty("data")
                .GetProperty(part)
                .EnumerateArray()
                .Select(line =>
                    part == "lines"
                        ? $"{line.GetProperty("unit")} {line.GetProperty("source")} {line.GetProperty("kind")} {line.GetProperty("item")} {line.GetProperty("amount")}"
                        : $"{line.GetProperty("unit")} {line.GetProperty("source")} {line.GetProperty("amount")}"
                ),
        ];

    private static List<string> Rows(Answer report, params string[] members) =>
        [
            .. report
                .ShouldBe(200)
                .Json.GetProperty("data")
                .EnumerateArray()
                .Select(line => string.Join(' ', members.Select(member => line.GetProperty(member).ToString()))),
        ];
}
