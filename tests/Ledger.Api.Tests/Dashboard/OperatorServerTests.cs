using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.RateCards;
using Ledger.Projections.Notifications;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Npgsql;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>The rate card, deliveries and audits, as the operator sees them in a browser.</summary>
public sealed class OperatorServerTests(DashboardWorld world, Browser browser) : IClassFixture<DashboardWorld>
{
    private LedgerApp App => world.App;

    [Fact]
    public async Task A_rate_card_is_written_compared_and_published()
    {
        await using var visitor = await OperatorAsync();
        var user = await App.OpenAccountAsync(credits: 100);
        (await world.SpendAsync(user.Key, units: 3)).ShouldBe(200);
        (await world.SpendAsync(user.Key, tool: "sfx")).ShouldBe(200);
        App.Clock.Advance(TimeSpan.FromSeconds(1));
        await visitor.GoAsync("/operator");
        await visitor.PressAsync("Rate card");
        await visitor.LookAsync("operator-rate-card");
        await visitor.PressAsync("Edit…");
        var written = await visitor.Page.GetByLabel("Rate card, as JSON").InputValueAsync();
        await visitor.LookAsync("operator-rate-card-edit");

        // Whatever is wrong is named by its place, and the text stays as it was typed.
        var wrong = written.Replace("\"credits\": \"5\"", "\"credits\": \"five\"", StringComparison.Ordinal);
        await visitor.FillAsync("Rate card, as JSON", wrong);
        await visitor.FillAsync("Prices from", "2020-01-01T00:00");
        await visitor.PressAsync("Review the changes");
        var page = await visitor.TextAsync();
        page.ShouldContain("tools[0].credits");
        page.ShouldContain("A time in the future");
        (await visitor.Page.GetByLabel("Rate card, as JSON").InputValueAsync()).ShouldBe(wrong);
        await visitor.FillAsync("Rate card, as JSON", "{ no card");
        await visitor.PressAsync("Review the changes");
        (await visitor.TextAsync()).ShouldContain("The rate card is not valid JSON, at line 1.");
        await visitor.LookAsync("operator-rate-card-faults");

        var right = written
            .Replace("\"credits\": \"5\"", "\"credits\": \"6\"", StringComparison.Ordinal)
            .Replace("\"name\": \"sfx\"", "\"name\": \"sound\"", StringComparison.Ordinal);
        await visitor.FillAsync("Rate card, as JSON", right);
        await visitor.FillAsync("Prices from", "");
        await visitor.PressAsync("Review the changes");
        page = await visitor.TextAsync();
        page.ShouldContain("chat");
        page.ShouldContain("(+20 %)");
        page.ShouldContain("sfx");
        page.ShouldContain("Removed");
        page.ShouldContain("sound");
        page.ShouldContain("Added");
        page.ShouldNotContain("voice_clone", customMessage: "what stays is not listed");
        await visitor.LookAsync("operator-rate-card-review");
        var before = await VersionsAsync();

        // What it would have made of what was really done.
        await visitor.Page.GetByLabel("Of what was really done in").SelectOptionAsync("7");
        await visitor.PressAsync("Reckon");
        page = await visitor.TextAsync();
        page.ShouldMatch(@"chat\s+Credits\s+1\s+15 credits\s+18 credits\s+\+3 credits");
        page.ShouldMatch(@"sfx\s+Credits\s+tools/sfx\s+1\s+20 credits");
        await visitor.LookAsync("operator-what-if");
        (await VersionsAsync()).ShouldBe(before, "asking publishes nothing");

        // While it is looked at, another one is published: what is confirmed must be what was seen.
        await App.PublishPriceAsync("image", "41");
        await visitor.PressAsync("Publish it");
        (await visitor.TextAsync()).ShouldContain("Another card has come into force since you looked.");
        (await VersionsAsync()).ShouldBe(before + 1);
        var again = await OperatorForm.ReadAsync(visitor);
        await visitor.PressAsync("Publish it");
        visitor.Path.ShouldBe("/operator/rate-card?done=published");
        (await VersionsAsync()).ShouldBe(before + 2);
        (await visitor.TextAsync()).ShouldContain($"What version {before + 2} changed");
        var account = await App.OpenAccountAsync(credits: 100);
        (await world.SpendAsync(account.Key)).ShouldBe(200);
        (await App.AvailableAsync(account.Id)).ShouldBe(94);
        (
            await App.QueryAsync("select headers ->> 'actor' from mt_events where stream_id = 'rate-card' order by version desc limit 1")
        ).ShouldBe("operator");

        // Sent again, it is what it is.
        (await again.SendAsync(visitor)).ShouldBe("/operator/rate-card?done=same");
        (await VersionsAsync()).ShouldBe(before + 2);
        await visitor.PressAsync($"Version {before + 1}");
        (await visitor.TextAsync()).ShouldContain($"What version {before + 1} changed");
        (await visitor.GoAsync("/operator/rate-card?version=4711")).ShouldBe(404);
    }

    [Fact]
    public async Task A_card_is_compared_with_the_one_whose_place_it_takes_and_told_of_those_that_take_its_own()
    {
        await using var own = await OwnWorldAsync();
        await using var visitor = await OperatorAsync(own);
        await visitor.GoAsync("/operator/rate-card/edit");
        var written = await visitor.Page.GetByLabel("Rate card, as JSON").InputValueAsync();
        var now = own.App.Clock.Now;

        // In nine days chat costs 6.
        (await ReviewAsync(visitor, Priced("6"), now.AddDays(9))).ShouldContain(
            "Compared with version 1, which is in force now and will be then."
        );
        await visitor.PressAsync("Publish it");
        visitor.Path.ShouldBe("/operator/rate-card?done=scheduled");

        // Whatever is corrected today is undone then, and that is said.
        var page = await ReviewAsync(visitor, Priced("7"), null);
        page.ShouldContain("Compared with version 1, which is in force.");
        page.ShouldContain($"Version 2 takes effect {Ledger.Api.Dashboard.Show.Moment(now.AddDays(9))} and replaces this one then.");
        page.ShouldContain("(+40 %)");
        await visitor.LookAsync("operator-rate-card-review-scheduled");

        // What comes after it takes its place, not that of the one in force now.
        page = await ReviewAsync(visitor, Priced("9"), now.AddDays(20));
        page.ShouldContain("Compared with version 2, which will be in force then.");
        page.ShouldContain("(+50 %)");
        page.ShouldNotContain("takes effect");

        // While it is looked at, somebody schedules another one.
        await own
            .App.Services.GetRequiredService<RateCards>()
            .PublishAsync(new(Priced("8"), now.AddDays(10)), new("operator", "meanwhile", null), CancellationToken.None);
        await visitor.PressAsync("Publish it");
        page = await visitor.TextAsync();
        page.ShouldContain("Another card has been published since you looked.");
        page.ShouldContain("Compared with version 3, which will be in force then.");
        page.ShouldContain("(+12.5 %)");
        (await VersionsAsync(own)).ShouldBe(3);
        await visitor.PressAsync("Publish it");
        visitor.Path.ShouldBe("/operator/rate-card?done=scheduled");
        (await VersionsAsync(own)).ShouldBe(4);

        string Priced(string credits) => written.Replace("\"credits\": \"5\"", $"\"credits\": \"{credits}\"", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_operators_who_publish_at_once_one_is_shown_what_the_other_did()
    {
        await using var own = await OwnWorldAsync();
        var forms = new List<(Visitor Visitor, OperatorForm Form)>();
        foreach (var credits in (string[])["6", "7", "8", "9"])
        {
            var visitor = await OperatorAsync(own);
            await visitor.GoAsync("/operator/rate-card/edit");
            var written = await visitor.Page.GetByLabel("Rate card, as JSON").InputValueAsync();
            await ReviewAsync(
                visitor,
                written.Replace("\"credits\": \"5\"", $"\"credits\": \"{credits}\"", StringComparison.Ordinal),
                null
            );
            forms.Add((visitor, await OperatorForm.ReadAsync(visitor)));
        }

        var answers = await Task.WhenAll(forms.Select(form => form.Form.SendAsync(form.Visitor)));
        answers.Where(answer => answer is not null).ShouldBe(["/operator/rate-card?done=published"]);
        (await VersionsAsync(own)).ShouldBe(2);
        foreach (var (visitor, _) in forms)
            await visitor.DisposeAsync();

        // However late it is noticed: what decides looks at the versions that there are then.
        var cards = own.App.Services.GetRequiredService<RateCards>();
        var (book, seen) = (cards.Book, new RateCardsSeen(1, 1));
        var late = await cards.PublishAsync(new(book.Cards[0].Source, null, seen), new("operator", "late", null), CancellationToken.None);
        (late.IsOutdated, late.Card, late.Refusal).ShouldBe((true, null, null));
        (await VersionsAsync(own)).ShouldBe(2);
    }

    [Fact]
    public async Task What_was_being_written_is_not_lost_by_another_page_in_between()
    {
        await using var own = await OwnWorldAsync();
        await using var visitor = await OperatorAsync(own);
        await visitor.GoAsync("/operator/rate-card/edit");
        var editor = visitor.Page.GetByLabel("Rate card, as JSON");
        var written = await editor.InputValueAsync();
        var draft = written.Replace("\"credits\": \"5\"", "\"credits\": \"6\"", StringComparison.Ordinal);
        await ReviewAsync(visitor, draft, null);

        // Other colours are another page, and the review was the answer to a form.
        await visitor.PressAsync("Dark");
        visitor.Path.ShouldBe("/operator/rate-card/edit");
        (await editor.InputValueAsync()).ShouldBe(written);
        await visitor.LookAsync("operator-rate-card-draft");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Go on with it" }).ClickAsync();
        (await editor.InputValueAsync()).ShouldBe(draft);
        await visitor.PressAsync("Review the changes");
        await visitor.PressAsync("Publish it");
        visitor.Path.ShouldBe("/operator/rate-card?done=published");
        await visitor.PressAsync("Version 1");
        await visitor.PressAsync("Edit…");
        visitor.Path.ShouldBe("/operator/rate-card/edit?version=1");
        (await editor.InputValueAsync()).ShouldBe(written);
        (await visitor.Page.Locator("#draft").IsVisibleAsync()).ShouldBeFalse("it is published");
    }

    private static async Task<string> ReviewAsync(Visitor visitor, string card, DateTimeOffset? from)
    {
        await visitor.GoAsync("/operator/rate-card/edit");
        await visitor.FillAsync("Rate card, as JSON", card);
        if (from is { } at)
            await visitor.FillAsync(
                "Prices from",
                at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm", System.Globalization.CultureInfo.InvariantCulture)
            );
        await visitor.PressAsync("Review the changes");
        return await visitor.TextAsync();
    }

    [Fact]
    public async Task Dead_letters_are_found_and_sent_again()
    {
        var account = await App.OpenAccountAsync();
        var deliveries = App.Services.GetRequiredService<Deliveries>();
        var now = App.Clock.Now;
        var made = new List<Delivery>();
        for (var i = 0; i < 55; i++)
        {
            var id = EventIds.Request(account.Id, $"delivery{i}");
            made.Add(
                new(
                    id,
                    account.Id,
                    DeliveryChannel.Webhook,
                    1_000_000 + i,
                    id,
                    "credits.warning",
                    """{"type":"credits.warning","note":"<b>low</b>"}""",
                    DeliveryState.Waiting,
                    0,
                    now,
                    now,
                    null,
                    null,
                    null,
                    now
                )
            );
        }

        await deliveries.AddAsync(made, CancellationToken.None);
        await deliveries.MarkAsync(made[0], new(DeliveryState.Dead, now, null, 410, "The address answered 410."), CancellationToken.None);
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync("/operator/deliveries?account=" + account.Id);
        (await visitor.Page.Locator("tbody tr").CountAsync()).ShouldBe(50);
        await visitor.PressAsync("Next page");
        (await visitor.Page.Locator("tbody tr").CountAsync()).ShouldBe(5);
        await visitor.PressAsync("Dead");
        (await visitor.Page.Locator("tbody tr").CountAsync()).ShouldBe(1);
        (await visitor.TextAsync()).ShouldContain("The address answered 410.");
        await visitor.LookAsync("operator-deliveries");
        await visitor.PressAsync("credits.warning");
        (await visitor.TextAsync()).ShouldContain("<b>low</b>");
        await visitor.LookAsync("operator-delivery");
        await visitor.PressAsync("Send it again");
        visitor.Path.ShouldBe($"/operator/deliveries/{made[0].Id}?done=replayed");
        (await deliveries.FindAsync(made[0].Id, CancellationToken.None))!.Attempts.ShouldBe(0);
        foreach (var path in (string[])["/nothing", "/" + Guid.Empty, "?state=lost", "?account=no+id", "?before=0-nowhere"])
            (await visitor.GoAsync("/operator/deliveries" + path)).ShouldBe(404);
    }

    [Fact]
    public async Task An_audit_is_watched_while_it_runs_and_its_report_is_signed()
    {
        await App.OpenAccountAsync(credits: 10);
        await using var visitor = await OperatorAsync();
        await visitor.GoAsync("/operator/audit");
        (await visitor.TextAsync()).ShouldContain("None since this server started");
        await visitor.LookAsync("operator-audit-none");

        // A read model that nobody may read for a while keeps the audit where it is.
        await using (var connection = await App.Services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await using (var command = new NpgsqlCommand("lock table usage_hourly in access exclusive mode", connection, transaction))
                await command.ExecuteNonQueryAsync();
            await visitor.PressAsync("Verify the ledger");
            await Assertions.Expect(visitor.Page.Locator("#audit-words")).ToContainTextAsync("read_models: 0 of");
            (await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Verify the ledger" }).CountAsync()).ShouldBe(0, "one at a time");
            (await visitor.Page.APIRequest.GetAsync("/operator/audit/report.json")).Status.ShouldBe(404);
            await visitor.LookAsync("operator-audit-running");
        }

        // The page comes to its end by itself.
        await Assertions.Expect(visitor.Page.GetByText("All is whole.")).ToBeVisibleAsync(new() { Timeout = 30_000 });
        var page = await visitor.TextAsync();
        foreach (var check in (string[])["checkpoints", "streams", "read_models"])
            page.ShouldContain(check);
        await visitor.LookAsync("operator-audit");
        var download = await visitor.Page.RunAndWaitForDownloadAsync(() =>
            visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Signed report, JSON" }).ClickAsync()
        );
        download.SuggestedFilename.ShouldBe("audit-report.json");
        using var report = JsonDocument.Parse(await File.ReadAllBytesAsync((await download.PathAsync())!));
        report.RootElement.GetProperty("whole").GetBoolean().ShouldBeTrue();
        report.RootElement.GetProperty("signature").GetProperty("key").GetProperty("kid").GetString().ShouldNotBeNullOrEmpty();

        // What is not as it should be is said, and where.
        var account = await App.OpenAccountAsync(credits: 10);
        await App.QueryAsync($"update pockets set remaining = remaining + 1 where account_id = '{account.Id}'");
        await visitor.PressAsync("Verify the ledger");
        await Assertions.Expect(visitor.Page.GetByText("Not all is whole:")).ToBeVisibleAsync(new() { Timeout = 30_000 });
        (await visitor.TextAsync()).ShouldContain("row_differs");
        await visitor.LookAsync("operator-audit-findings");
        await App.QueryAsync($"update pockets set remaining = remaining - 1 where account_id = '{account.Id}'");
    }

    private Task<long> VersionsAsync() => VersionsAsync(world);

    private static async Task<long> VersionsAsync(DashboardWorld world) =>
        (long)(await world.App.QueryAsync("select max(version) from mt_events where stream_id = 'rate-card'"))!;

    /// <summary>A server on which nobody else publishes.</summary>
    private async Task<DashboardWorld> OwnWorldAsync()
    {
        var own = new DashboardWorld(browser);
        await own.InitializeAsync();
        return own;
    }

    private Task<Visitor> OperatorAsync() => OperatorAsync(world);

    private static async Task<Visitor> OperatorAsync(DashboardWorld world)
    {
        var visitor = await world.VisitAsync();
        await visitor.SignInAsOperatorAsync();
        return visitor;
    }
}
