using System.Text.RegularExpressions;
using Ledger.Testing;

namespace Ledger.Api.Tests.Docs;

/// <summary>What the documents tell people to type is typed here.</summary>
public sealed partial class SnippetTests : IAsyncLifetime
{
    private const string Start = "dotnet run --project src/Ledger.Api";
    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task The_published_example_runs_with_only_its_address_and_key_replaced()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var snippets = Snippet.Of(Repository.Read("tests/Ledger.Api.Tests/Docs/tools-api-example.sh")).ToArray();
        snippets.Length.ShouldBe(3);

        // The document's figures are of two moments: a check does not charge, and yet its spend begins five credits later.
        foreach (var (snippet, credits) in ((Snippet, long)[])[(snippets[1], 10_000), (snippets[2], 9_995)])
        {
            var account = await app.OpenAccountAsync(credits);
            await Shell.RunAsync(
                [snippets[0], snippet],
                _folder.Path,
                text =>
                    text.Replace(
                            "https://api.amaimedia.com",
                            app.Http.BaseAddress!.GetLeftPart(UriPartial.Authority),
                            StringComparison.Ordinal
                        )
                        .Replace("amai_live_your_secret_here", account.Key, StringComparison.Ordinal)
            );
        }
    }

    [Fact]
    public async Task Every_line_of_the_start_page_does_what_it_says()
    {
        var sessions = SessionsOf(Repository.Read("docs/start.md"));
        sessions.Count.ShouldBe(2);
        var data = Path.Combine(_folder.Path, ".ledger");

        await using (await LedgerProcess.StartAsync(data))
            await Shell.RunAsync(sessions[0], _folder.Path);

        await using var own = await LedgerProcess.StartAsync(data, await new PostgresFixture().CreateDatabaseAsync());
        await Shell.RunAsync(
            sessions[1],
            _folder.Path,
            text => text.Replace("http://127.0.0.1:5080", own.Address, StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Every_line_of_the_readme_does_what_it_says()
    {
        var snippets = Snippet
            .BlocksOf(Repository.Read("README.md"))
            .SelectMany(Snippet.Of)
            .Where(snippet => snippet.Text != "dotnet test")
            .ToArray();
        snippets[0].Text.ShouldBe(Start);
        await using var server = await LedgerProcess.StartAsync(Path.Combine(_folder.Path, ".ledger"));
        await Shell.RunAsync(
            snippets[1..],
            _folder.Path,
            text => text.Replace("http://127.0.0.1:5080", server.Address, StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task The_line_that_the_welcome_offers_to_paste_spends_five_credits()
    {
        await using var server = await LedgerProcess.StartAsync(_folder.Data);
        var pasted = Pasted().Match(server.Output);
        pasted.Success.ShouldBeTrue(server.Output);
        await Shell.RunAsync([new(pasted.Value, ["""{"ok":true,"charged":5,"balance_after":9995}"""])], _folder.Path);
    }

    /// <summary>What is typed while a server runs, one list per server; the starts themselves are the tests' own.</summary>
    private static List<List<Snippet>> SessionsOf(string markdown)
    {
        var sessions = new List<List<Snippet>>();
        foreach (var snippet in Snippet.BlocksOf(markdown).SelectMany(Snippet.Of))
        {
            if (snippet.Text.EndsWith(Start, StringComparison.Ordinal))
                sessions.Add([]);
            else
                sessions[^1].Add(snippet);
        }

        return sessions;
    }

    [GeneratedRegex(@"curl -sS .*?'\{.*?\}'", RegexOptions.Singleline)]
    private static partial Regex Pasted();
}
