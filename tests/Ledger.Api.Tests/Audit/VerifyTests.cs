using Ledger.Testing;

namespace Ledger.Api.Tests.Audit;

/// <summary><c>audit verify</c> on the command line and over HTTP: reports, exit codes, wrong input.</summary>
public sealed class VerifyTests
{
    [Fact]
    public async Task The_command_line_reports_signs_and_ends_with_0_or_1()
    {
        await using var world = await AuditWorld.CreateAsync();
        var (json, html) = (Path.Combine(world.App.DataFolder, "report.json"), Path.Combine(world.App.DataFolder, "report.html"));
        var (code, output, error) = await world.RunAsync("audit", "verify", "--json", json, "--html", html);
        code.ShouldBe(0, error);
        output.ShouldContain("checkpoints  whole");
        output.ShouldContain("Up to position ");
        error.ShouldContain("streams: 100 %");
        (await world.RunAsync("audit", "report", json)).Output.ShouldStartWith("The report is what the key ");
        var page = await File.ReadAllTextAsync(html);
        page.ShouldStartWith("<!doctype html>");
        page.ShouldContain("All is whole");

        await File.WriteAllTextAsync(
            json,
            (await File.ReadAllTextAsync(json)).Replace("\"findings_total\": 0", "\"findings_total\": 1", StringComparison.Ordinal)
        );
        (await world.RunAsync("audit", "report", json)).ShouldBe((1, "", "The report is not what was signed." + Environment.NewLine));
        (await world.RunAsync("audit", "report", html)).Error.ShouldContain("not a signed report");

        await world.Database.ExecuteAsync("update pockets set remaining = remaining + 1 where pocket = 1");
        (code, output, error) = await world.RunAsync("audit", "verify", "--checkpoints", world.File.Path, "--html", html);
        code.ShouldBe(1);
        output.ShouldContain("read_models row_differs, pockets ");
        error.ShouldContain("Not all is whole: 2 findings.");
        (await File.ReadAllTextAsync(html)).ShouldContain("row_differs");

        (await world.RunAsync("audit", "verify", "--checkpoints", world.File.Path + ".gone")).Error.ShouldContain("There is no file");
        (await world.RunAsync("audit", "verify", "--json", Path.Combine(json, "in", "a", "file"))).Error.ShouldContain("cannot be written");
        (await world.RunAsync("audit", "verify", "--nonsense")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task What_was_erased_is_counted_and_everything_is_whole_without_it()
    {
        await using var world = await AuditWorld.CreateAsync();
        var account = await world.App.OpenAccountAsync(credits: 100);
        foreach (var reference in (string[])["a", "b", "c"])
            await world.SpendAsync(account, reference, new { who = "somebody" });
        (await ErasedAsync()).ShouldBe(0);
        await world.Database.ExecuteAsync(
            $"update mt_events set data = data - 'metadata' where stream_id = 'account-{account.Id}' and data ->> 'reference' in ('a', 'c')"
        );
        (await ErasedAsync()).ShouldBe(2);

        async Task<long> ErasedAsync()
        {
            var done = (await world.App.PostAsync("/admin/audit/verify?wait=60", LedgerApp.AdminKey)).ShouldBe(200);
            done.Text("report", "whole").ShouldBe("true", done.Body);
            var checks = done.Json.GetProperty("report").GetProperty("checks").EnumerateArray();
            return checks
                .Single(check => check.GetProperty("name").GetString() == "streams")
                .GetProperty("counted")
                .GetProperty("erased")
                .GetInt64();
        }
    }

    [Fact]
    public async Task The_operator_starts_it_and_is_told_how_far_it_is()
    {
        await using var world = await AuditWorld.CreateAsync();
        (await world.App.GetAsync("/admin/audit/verify", LedgerApp.AdminKey))
            .ShouldBe(404)
            .Text("error", "code")
            .ShouldBe("audit_not_found");
        (await world.App.PostAsync("/admin/audit/verify")).ShouldBe(401);
        (await world.App.PostAsync("/admin/audit/verify?wait=61", LedgerApp.AdminKey)).ShouldBe(400);
        var done = (await world.App.PostAsync("/admin/audit/verify?wait=60", LedgerApp.AdminKey)).ShouldBe(200);
        (done.Text("state"), done.Text("report", "whole")).ShouldBe(("done", "true"));
        done.Text("report", "vouched", "outside", "checkpoint").ShouldBe("2");
        done.Json.GetProperty("report").GetProperty("signature").GetProperty("key").GetProperty("kid").GetString().ShouldNotBeNullOrEmpty();
        (await world.App.GetAsync("/admin/audit/verify", LedgerApp.AdminKey)).ShouldBe(200).Body.ShouldBe(done.Body);

        var started = await world.App.PostAsync("/admin/audit/verify?wait=0", LedgerApp.AdminKey);
        started.Status.ShouldBeOneOf(200, 202);
        await Eventually.IsSoAsync(async () =>
            (await world.App.GetAsync("/admin/audit/verify", LedgerApp.AdminKey)).Text("state") == "done"
        );
    }
}
