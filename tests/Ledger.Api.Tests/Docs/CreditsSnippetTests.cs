using System.Text.RegularExpressions;
using Ledger.Api.Application;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Docs;

/// <summary>The Python of the credits document, and the client that it is written for, run against this server.</summary>
public sealed class CreditsSnippetTests(CreditsWorld world) : IClassFixture<CreditsWorld>
{
    private const string Snippets = "tests/Ledger.Api.Tests/Docs/credits-api";

    [Theory]
    [InlineData(
        "01-get-credit-balance",
        """{"balance": {"credits_balance": 1500, "payg_balance": 10105, "total_available_credits": 11605, "last_reset_at": null, "total_credits_used": 2645, "total_payg_credits_purchased": 10000, "next_reset_date": null, "credits_per_month": 0}, "entries": 6}"""
    )]
    [InlineData(
        "02-usage-analytics",
        """{"services": {"chat": {"total_credits": 5, "total_duration": 0, "usage_count": 1, "average_cost": 5.0}, "music_generation": {"total_credits": 1320, "total_duration": 0, "usage_count": 3, "average_cost": 440.0}, "voice_cloning_generation": {"total_credits": 660, "total_duration": 120, "usage_count": 1, "average_cost": 660.0}, "transcription": {"total_credits": 660, "total_duration": 60, "usage_count": 1, "average_cost": 660.0}}}"""
    )]
    [InlineData(
        "03-credit-manager",
        """{"check": {"sufficient": true, "available": 11605, "required": 660.0, "shortfall": 0}, "summary": {"period_days": 30, "total_credits_used": 1985, "service_breakdown": {"chat": 5, "music_generation": 1320, "voice_cloning_generation": 660}, "usage_count": 5}, "all_time": {"period_days": 3650, "total_credits_used": 2645, "service_breakdown": {"chat": 5, "music_generation": 1320, "voice_cloning_generation": 660, "transcription": 660}, "usage_count": 6}}"""
    )]
    [InlineData(
        "04-estimate-service-cost",
        """{"estimates": [{"service": "voice_cloning_generation", "credits_needed": 660, "usd_cost": 0.66, "parameters": {"duration": 120}}, {"service": "transcription", "credits_needed": 19800, "usd_cost": 19.8, "parameters": {"duration": 1800}}, {"service": "music_generation", "credits_needed": 2640, "usd_cost": 2.64, "parameters": {"duration": 60}}, {"service": "text_to_speech", "credits_needed": 1650, "usd_cost": 1.65, "parameters": {"characters": 5000}}]}"""
    )]
    [InlineData(
        "05-credit-alerts",
        """{"available": 11605, "purchase": {"session_id": "cs_test_…", "credits_to_receive": 375000, "amount_usd": 50, "url": "http…"}}"""
    )]
    [InlineData("06-bulk", """{"available": 11605, "batches": [5]}""")]
    [InlineData("client", """{"entries": 6, "newer": 1}""")]
    public async Task A_snippet_of_the_credits_document_runs_and_its_figures_are_those_of_the_account(string snippet, string figures)
    {
        var run = await world.RunAsync(Repository.Folder, $"{Snippets}/{snippet}.check.py");
        run.ExitCode.ShouldBe(0, run.ToString());
        run.Output.TrimEnd()
            .Split('\n')[^1]
            .ShouldMatch("^" + Regex.Escape(figures).Replace("…", ".*", StringComparison.Ordinal) + "$", run.ToString());
    }

    [Fact]
    public async Task The_clients_own_tests_pass()
    {
        var run = await world.RunAsync(Path.Combine(Repository.Folder, "clients/python"), "-m", "unittest");
        run.ExitCode.ShouldBe(0, run.ToString());
        run.Errors.ShouldMatch(@"Ran [1-9][0-9]* tests in", run.ToString());
    }

    [Fact]
    public void Every_snippet_has_a_check_and_a_line_in_the_table_of_what_is_changed()
    {
        var table = Repository.Read("docs/reference/credits-snippets.md");
        var snippets = Directory
            .GetFiles(Path.Combine(Repository.Folder, Snippets), "0*.py")
            .Select(Path.GetFileName)
            .Where(name => !name!.EndsWith(".check.py", StringComparison.Ordinal))
            .ToArray();
        snippets.Length.ShouldBe(6);
        foreach (var snippet in snippets)
        {
            File.Exists(Path.Combine(Repository.Folder, Snippets, Path.ChangeExtension(snippet, ".check.py")!)).ShouldBeTrue(snippet);
            table.ShouldContain($"| `{snippet}` |");
        }
    }
}

/// <summary>A server on a real port, an account with a history on it, and a Python to look at it with.</summary>
public sealed class CreditsWorld : IAsyncLifetime
{
    private LedgerApp _app = null!;
    private TestAccount _account = null!;
    private string _python = "";

    public async ValueTask InitializeAsync()
    {
        _python = await Programs.PythonAsync();

        // The third snippet counts thirty days back from the machine's own clock.
        var now = TimeProvider.System.GetUtcNow();
        var clock = new FixedClock { Now = now - TimeSpan.FromDays(40) };
        _app = await LedgerApp.StartAsync(clock: clock, onKestrel: true);
        _account = await _app.OpenAccountAsync();
        await GrantAsync(2_000, PocketSource.Subscription);
        await GrantAsync(500, PocketSource.Bonus);
        await GrantAsync(10_000, PocketSource.Payg);

        await SpendAsync("transcription", 1, audioDuration: 60);
        clock.Now = now - TimeSpan.FromDays(1);
        await SpendAsync("voice_cloning_generation", 2, audioDuration: 120);
        clock.Now = now - TimeSpan.FromHours(1);

        // 680 of the subscription, 500 of the bonus, 140 bought: three entries.
        await SpendAsync("music_generation", 1);
        clock.Now = now - TimeSpan.FromMinutes(30);
        await SpendAsync("chat", 1);
        clock.Now = now;
        await GrantAsync(1_500, PocketSource.Subscription);
        await GrantAsync(250, PocketSource.Bonus);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }

    /// <summary>Runs Python as the client's README says, for this account.</summary>
    public Task<ProgramRun> RunAsync(string folder, params IReadOnlyList<string> arguments) =>
        Programs.RunAsync(
            _python,
            arguments,
            new Dictionary<string, string>
            {
                ["AUDIOPOD_BASE_URL"] = _app.Http.BaseAddress!.GetLeftPart(UriPartial.Authority),
                ["AUDIOPOD_API_KEY"] = _account.Key,
                ["PYTHONPATH"] = Path.Combine(Repository.Folder, "clients/python"),
                ["PYTHONUTF8"] = "1",
                ["PYTHONDONTWRITEBYTECODE"] = "1",
            },
            folder: folder
        );

    private Task<Verdict> GrantAsync(long credits, PocketSource source) => _app.GrantAsync(_account.Id, Amount.Credits(credits), source);

    private async Task SpendAsync(string tool, int units, int? audioDuration = null)
    {
        var body = new Dictionary<string, object>
        {
            ["tool"] = tool,
            ["units"] = units,
            ["reference"] = $"{tool} of the snippets",
            ["metadata"] = new { quality = "high" },
        };
        if (audioDuration is { } seconds)
            body["audio_duration"] = seconds;
        (await _app.PostAsync("/api/v1/tools/spend", _account.Key, body)).ShouldBe(200);
    }
}
