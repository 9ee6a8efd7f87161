using System.Text.Json;
using Ledger.Api.Audit;
using Ledger.Api.Cli;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore.Checkpoints;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>What was used, from the day's figure down to the proof of a charge.</summary>
public sealed class ActivityTests(DashboardWorld world) : IClassFixture<DashboardWorld>
{
    [Fact]
    public async Task Somebody_signs_up_buys_spends_and_follows_the_charge_to_a_receipt_that_holds_without_the_server()
    {
        await using var visitor = await world.VisitAsync();
        var email = world.NewEmail();
        await visitor.SignUpAsync(email);
        var account = await world.AccountOfAsync(email);
        await visitor.GoAsync("/activity");
        await visitor.LookAsync("activity-empty");

        await visitor.GoAsync("/credits");
        await visitor.FillAsync("Another sum in dollars", "10");
        await visitor.PressAsync("Continue to checkout");
        await visitor.PressAsync("Pay $10.00");
        await visitor.PressAsync("Back to Ledger");
        (await visitor.TextAsync()).ShouldContain("75,000 credits were added");
        await visitor.GoAsync("/");
        (await visitor.TextAsync()).ShouldContain("75,000");

        var (_, secret) = await world.App.CreateKeyAsync(account, change: key => key with { Name = "Notebook" });
        var spend = (await world.SpendAsync(secret, "chat", 3)).ShouldBe(200).Header("x-ledger-spend-id")!;
        await visitor.GoAsync("/activity?by=key");
        var row = visitor.Page.GetByRole(AriaRole.Row).Filter(new() { HasText = "Notebook" });
        (await row.InnerTextAsync()).ShouldContain("15");
        await visitor.PressAsync("Notebook");
        (await visitor.TextAsync()).ShouldContain("Key Notebook");
        await visitor.LookAsync("spends");
        await visitor.Page.Locator("tbody th a").ClickAsync();
        await visitor.Page.WaitForURLAsync("**/activity/receipts/" + spend);
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("The proof is still being made"),
            text => text.ShouldContain("15 credits for chat"),
            text => text.ShouldContain("tools/chat"),
            text => text.ShouldContain("$10.00, paid"),
            text => text.ShouldContain("through sandbox")
        );
        await visitor.LookAsync("receipt-pending");

        await world.App.Services.GetRequiredService<CheckpointPublisher>().PublishAsync(default);
        await visitor.GoAsync("/activity/receipts/" + spend);
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldNotContain("The proof is still being made"),
            text => text.ShouldContain("events under checkpoint 1 of"),
            text => text.ShouldContain($"audit receipt receipt-{spend}.json")
        );
        await visitor.LookAsync("receipt");

        var download = await visitor.Page.RunAndWaitForDownloadAsync(() =>
            visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Download the receipt" }).ClickAsync()
        );
        download.SuggestedFilename.ShouldBe($"receipt-{spend}.json");
        var file = Path.Combine(world.App.DataFolder, download.SuggestedFilename);
        await download.SaveAsAsync(file);
        var kept = world.App.Services.GetRequiredService<CheckpointFile>().Path;
        var (code, output) = await RunAsync("audit", "receipt", file, "--checkpoints", kept);
        code.ShouldBe(0, output);
        output.ShouldSatisfyAllConditions(
            text => text.ShouldContain($"account {account} was charged 15 credits"),
            text => text.ShouldContain("Every checkpoint of it is one that was kept outside.")
        );

        // What was taken away is not good any more once somebody has changed a word of it.
        await File.WriteAllTextAsync(
            file,
            (await File.ReadAllTextAsync(file)).Replace("\"charged\": 15", "\"charged\": 14", StringComparison.Ordinal)
        );
        (await RunAsync("audit", "receipt", file)).Code.ShouldBe(1);
    }

    [Fact]
    public async Task Figures_are_grouped_by_day_model_key_and_tool_and_all_of_it_comes_as_CSV()
    {
        var (visitor, account, _) = await world.SignUpWithHistoryAsync();
        await using var _1 = visitor;
        var days = Enumerable.Range(0, 30).ToList();
        var chat = days.Sum(day => 5 + (day * 7 % 23)) + 8;
        var dubs = days.Where(day => day % 5 == 2).Sum(day => 1 + (day % 3));
        var tools = new Dictionary<string, (int Charges, long Credits)> { ["dub"] = (6, dubs * 300L), ["chat"] = (32, chat * 5L) };
        await visitor.GoAsync("/activity?by=tool");
        (await RowsAsync(visitor)).ShouldBe(
            tools
                .OrderByDescending(tool => tool.Value.Credits)
                .Select(tool => (tool.Key, $"{tool.Value.Charges}", Show(tool.Value.Credits)))
        );
        await visitor.LookAsync("activity-tool");
        await visitor.GoAsync("/activity?by=model");
        (await RowsAsync(visitor)).ShouldBe([("Tools, without a model", "38", Show(tools.Values.Sum(tool => tool.Credits)))]);
        await visitor.GoAsync("/activity?by=key");
        (await RowsAsync(visitor)).Select(row => row.Item1.Split('\n')[0].Trim()).ShouldBe(["Nightly export", "Billing worker"]);

        await visitor.GoAsync("/activity");
        var rows = await RowsAsync(visitor);
        rows.Count.ShouldBe(30);
        rows[0].Item1.ShouldBe(world.App.Clock.Now.UtcDateTime.ToString("d MMM yyyy", System.Globalization.CultureInfo.InvariantCulture));
        await visitor.LookAsync("activity");

        // A shorter range, by one click, and its hours.
        await visitor.PressAsync("7 days");
        (await RowsAsync(visitor)).Count.ShouldBe(7);
        await visitor.PressAsync("Today");
        (await visitor.TextAsync()).ShouldContain("Credits by hour");
        await visitor.PressAsync("90 days");
        (await RowsAsync(visitor)).Count.ShouldBe(30);

        var csv = await visitor.Context.APIRequest.GetAsync("/activity.csv?by=tool");
        csv.Headers["content-disposition"].ShouldStartWith("attachment");
        var lines = (await csv.TextAsync()).Trim().Split("\r\n");
        lines[1..]
            .Select(line => (line.Split(',')[2], line.Split(',')[6], line.Split(',')[11]))
            .ShouldBe(
                tools
                    .OrderBy(tool => tool.Key, StringComparer.Ordinal)
                    .Select(tool => (tool.Key, $"{tool.Value.Charges}", $"{tool.Value.Credits}"))
            );
        (await (await visitor.Context.APIRequest.GetAsync("/activity.csv")).TextAsync()).Trim().Split("\r\n").Length.ShouldBe(38);
        (await visitor.Context.APIRequest.GetAsync("/activity.csv?from=x")).Status.ShouldBe(400);
        account.Value.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Other_days_keep_what_the_charges_are_filtered_by_and_years_are_told_apart()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await world.App.GrantAsync(account, Amount.Credits(1000));
        var (key, secret) = await world.App.CreateKeyAsync(account);
        foreach (var tool in (string[])["chat", "sfx"])
            (await world.SpendAsync(secret, tool)).ShouldBe(200);
        await visitor.GoAsync($"/activity/spends?tool=sfx&key={key}");
        await visitor.PressAsync("7 days");
        (await visitor.Page.Locator("tbody tr").CountAsync()).ShouldBe(1);
        visitor.Path.ShouldContain("tool=sfx");
        var now = world.App.Clock.Now;
        await visitor.FillAsync("From", $"{now.Year - 1}-12-31");
        await visitor.FillAsync("To, UTC", $"{now:yyyy-MM-dd}");
        await visitor.PressAsync("Show");
        (await visitor.Page.Locator("tbody tr").CountAsync()).ShouldBe(1);
        visitor.Path.ShouldContain("tool=sfx");
        visitor.Path.ShouldContain("key=" + key);
        (await visitor.Page.Locator("tbody th").InnerTextAsync()).ShouldContain(
            now.Year.ToString(System.Globalization.CultureInfo.InvariantCulture)
        );
    }

    [Fact]
    public async Task A_young_account_is_told_how_long_it_lasts_by_the_days_that_it_has_had()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await world.App.GrantAsync(account, Amount.Credits(1050));
        var (_, secret) = await world.App.CreateKeyAsync(account);
        (await world.SpendAsync(secret, units: 14)).ShouldBe(200);
        await visitor.GoAsync("/");
        var page = await visitor.TextAsync();
        page.ShouldContain("At 70 credits a day, as in the last day");
        page.ShouldContain("14 days");
    }

    [Fact]
    public async Task Where_something_was_only_given_back_there_is_no_chart_of_what_was_used()
    {
        var (now, email) = (world.App.Clock.Now, world.NewEmail());
        world.App.Clock.Now = now.AddDays(-1);
        var registered = (
            await world.App.PostAsync("/api/v1/auth/register", null, new { email, password = DashboardWorld.Password })
        ).ShouldBe(201);
        var account = new AccountId(registered.Text("account_id")!);
        await world.App.GrantAsync(account, Amount.Credits(100));
        var (_, secret) = await world.App.CreateKeyAsync(account);
        (await world.SpendAsync(secret)).ShouldBe(200);
        world.App.Clock.Now = now;
        var spend = (await world.App.EventsAsync(account)).Single(one => one.Type == "credits_spent").Id;
        await world.App.ExecuteAsync(new ReverseSpend(account, new(spend), "It failed"));
        await using var visitor = await world.SignInAsync(email);
        await visitor.GoAsync("/activity");
        await visitor.PressAsync("Today");
        (await visitor.TextAsync()).ShouldContain("Nothing was used; something was only given back.");
        (await visitor.Page.Locator(".chart-axis").CountAsync()).ShouldBe(0);
        await visitor.LookAsync("activity-given-back");
    }

    [Fact]
    public async Task A_statement_is_as_dark_as_the_other_pages_and_leads_back()
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.PressAsync("Dark");
        await visitor.GoAsync($"/activity/statements/{world.App.Clock.Now:yyyy-MM}");
        (await visitor.Page.Locator("html").GetAttributeAsync("data-theme")).ShouldBe("dark");
        await visitor.LookAsync("statement-dark");
        await visitor.PressAsync("To the statements");
        visitor.Path.ShouldBe("/activity/statements");
    }

    [Fact]
    public async Task A_range_that_is_none_is_said_at_its_fields()
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        (await visitor.GoAsync("/activity?from=2026-02-30&to=x%22%3E%3Cb%3E")).ShouldBe(400);
        (await visitor.TextAsync()).ShouldContain("Must be a UTC date such as 2026-07-03.");
        (await visitor.Page.Locator("main b").CountAsync()).ShouldBe(0);
        await visitor.LookAsync("activity-wrong");
        (await visitor.GoAsync("/activity?from=2026-07-03&to=2026-07-01")).ShouldBe(400);
        (await visitor.TextAsync()).ShouldContain("Must not be before from.");
        (await visitor.GoAsync("/activity?from=2020-01-01&to=2021-12-31&by=nothing&page=99")).ShouldBe(200);
        (await visitor.GoAsync("/activity/spends?from=x&after=y&key=z")).ShouldBe(400);
    }

    [Fact]
    public async Task Charges_are_paged_newest_first_and_filtered_by_what_they_were_for()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await world.App.GrantAsync(account, Amount.Credits(1000));
        var (_, first) = await world.App.CreateKeyAsync(account, change: key => key with { Name = "First" });
        var (second, other) = await world.App.CreateKeyAsync(account, change: key => key with { Name = "<img src=x onerror=alert(1)>" });
        for (var n = 0; n < 55; n++)
            (await world.SpendAsync(first, n == 0 ? "sfx" : "chat")).ShouldBe(200);
        (
            await world.App.PostAsync(
                "/api/v1/tools/spend",
                other,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "<b>mine</b>",
                }
            )
        ).ShouldBe(200);
        await visitor.GoAsync("/activity/spends");
        var rows = visitor.Page.Locator("tbody tr");
        (await rows.CountAsync()).ShouldBe(50);
        (await rows.First.InnerTextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("<b>mine</b>"),
            text => text.ShouldContain("<img src=x onerror=alert(1)>")
        );
        (await visitor.Page.Locator("main img, main b").CountAsync()).ShouldBe(0);
        await visitor.LookAsync("spends-hostile");
        await visitor.PressAsync("Next page");
        (await rows.CountAsync()).ShouldBe(6);
        (await rows.Last.InnerTextAsync()).ShouldContain("sfx");
        await visitor.GoAsync("/activity/spends?tool=sfx");
        (await rows.CountAsync()).ShouldBe(1);
        await visitor.GoAsync("/activity/spends?key=" + second);
        (await rows.CountAsync()).ShouldBe(1);
        await visitor.GoAsync("/activity/spends?model=none%2Fsuch");
        (await visitor.TextAsync()).ShouldContain("No charges in these days");
        await rows.First.Or(visitor.Page.Locator(".empty")).First.WaitForAsync();
        await visitor.GoAsync("/activity?by=key");
        await visitor.LookAsync("activity-hostile");
    }

    [Fact]
    public async Task A_reversal_is_among_the_charges_and_on_the_receipt()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await world.App.GrantAsync(account, Amount.Credits(100), PocketSource.Bonus);
        var (_, secret) = await world.App.CreateKeyAsync(account);
        var spend = (await world.SpendAsync(secret, "chat", 2)).ShouldBe(200).Header("x-ledger-spend-id")!;
        await world.App.ExecuteAsync(new ReverseSpend(account, new(Guid.Parse(spend)), "Goodwill <i>"));
        await visitor.GoAsync("/activity/spends");
        (await visitor.Page.Locator("tbody tr").First.InnerTextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("Reversal"),
            text => text.ShouldContain("−10")
        );
        await visitor.GoAsync("/activity/receipts/" + spend);
        (await visitor.TextAsync()).ShouldContain("10 credits of it was given back");
        (await visitor.TextAsync()).ShouldContain("Goodwill <i>");
        await visitor.LookAsync("receipt-reversed");
        await visitor.GoAsync("/activity");
        (await RowsAsync(visitor)).Single().Item3.ShouldBe("0");
    }

    [Fact]
    public async Task A_call_to_a_model_has_its_tokens_on_the_receipt()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await world.App.GrantAsync(account, Amount.Usd(5), PocketSource.Prepaid);
        var (_, secret) = await world.App.CreateKeyAsync(account);
        (
            await world.App.PostAsync(
                "/v1/chat/completions",
                secret,
                """{"model":"sandbox/echo","max_tokens":16,"messages":[{"role":"user","content":"Hello there"}]}"""
            )
        ).ShouldBe(200);
        await visitor.GoAsync("/activity?by=model");
        (await RowsAsync(visitor)).Single().Item1.ShouldBe("sandbox/echo");
        await visitor.LookAsync("activity-model");
        await visitor.PressAsync("sandbox/echo");
        await visitor.Page.Locator("tbody th a").ClickAsync();
        await visitor.Page.WaitForURLAsync("**/activity/receipts/**");
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("Served by"),
            text => text.ShouldContain("tokens"),
            text => text.ShouldContain("Held before"),
            text => text.ShouldContain("models/sandbox/echo")
        );
        await visitor.LookAsync("receipt-call");
    }

    [Fact]
    public async Task Nobody_sees_somebody_elses_receipts_charges_or_statements()
    {
        var (owner, account, key) = await world.SignUpWithHistoryAsync();
        await owner.DisposeAsync();
        var spend = (
            await world.App.QueryAsync(
                $"select id from mt_events where stream_id = '{account.StreamId}' and type = 'credits_spent' limit 1"
            )
        )!;
        var (other, _, _) = await world.SignUpAsync();
        await using var _1 = other;
        (await other.GoAsync($"/activity/receipts/{spend}")).ShouldBe(404);
        (await other.Context.APIRequest.GetAsync($"/activity/receipts/{spend}.json")).Status.ShouldBe(404);
        foreach (var id in (string[])["x", Guid.Empty.ToString(), spend.ToString()!.ToUpperInvariant() + "0"])
            (await other.GoAsync("/activity/receipts/" + id)).ShouldBe(404, id);
        await other.GoAsync("/activity/spends?key=" + key);
        (await other.TextAsync()).ShouldContain("No charges in these days");
        await other.GoAsync("/activity");
        (await other.TextAsync()).ShouldContain("Nothing was used in these days");
        (await (await other.Context.APIRequest.GetAsync("/activity.csv")).TextAsync()).Trim().Split("\r\n").Length.ShouldBe(1);
    }

    [Fact]
    public async Task Every_month_has_its_statement_as_a_page_a_table_and_JSON()
    {
        var (visitor, account, _) = await world.SignUpWithHistoryAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/activity/statements");
        await visitor.LookAsync("statements");
        var now = world.App.Clock.Now;
        var months = await visitor.Page.Locator("tbody th").AllInnerTextsAsync();
        months[0].ShouldBe(now.UtcDateTime.ToString("MMMM yyyy", System.Globalization.CultureInfo.InvariantCulture));
        var period = now.UtcDateTime.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture);
        await visitor.PressAsync("Statement " + period);
        (await visitor.TextAsync()).ShouldContain(account.Value);
        await visitor.LookAsync("statement");
        var json = await visitor.Context.APIRequest.GetAsync($"/activity/statements/{period}.json");
        JsonElement.Parse(await json.TextAsync()).GetProperty("data").GetProperty("account_id").GetString().ShouldBe(account.Value);
        var csv = await visitor.Context.APIRequest.GetAsync($"/activity/statements/{period}.csv");
        csv.Headers["content-type"].ShouldBe("text/csv; charset=utf-8");
        (await visitor.Context.APIRequest.GetAsync("/activity/statements/2026-13.csv")).Status.ShouldBe(400);
        foreach (var none in (string[])["2026-13", "1999-01", "2999-12", "x"])
            (await visitor.GoAsync("/activity/statements/" + none)).ShouldBe(404);
    }

    /// <summary>The rows of the table: name, charges, credits.</summary>
    private static async Task<List<(string, string, string)>> RowsAsync(Visitor visitor)
    {
        var found = new List<(string, string, string)>();
        foreach (
            var row in await visitor.Page.GetByRole(AriaRole.Region, new() { NameRegex = new("^Use by") }).Locator("tbody tr").AllAsync()
        )
            found.Add(
                (
                    (await row.Locator("th").InnerTextAsync()).Trim(),
                    await row.Locator("td").First.InnerTextAsync(),
                    await row.Locator("td").Nth(1).InnerTextAsync()
                )
            );
        return found;
    }

    private static string Show(long credits) => Api.Dashboard.Show.Figure(Amount.Credits(credits));

    private static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        var code = await CommandLine.RunAsync(arguments, new(output, output, IsTerminal: false), CancellationToken.None);
        return (code, output.ToString());
    }
}
