using System.Text.RegularExpressions;
using Ledger.Api.Tests.Docs;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>What can be pasted works as it stands there; every route that is described can be found and read.</summary>
[Collection("the clipboard that all pages of a browser share")]
public sealed class DocsTests(DashboardWorld world) : IClassFixture<DashboardWorld>
{
    [Fact]
    public async Task Somebody_finds_the_way_to_a_key_and_copies_a_snippet()
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.Context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await visitor.GoAsync("/docs");
        await visitor.LookAsync("docs");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Copy: Spend credits on work" }).ClickAsync();
        await visitor.Page.GetByText("Copied").First.WaitForAsync();
        (await visitor.Page.EvaluateAsync<string>("navigator.clipboard.readText()")).ShouldContain(
            $"curl -sS {world.App.Http.BaseAddress!.GetLeftPart(UriPartial.Authority)}/api/v1/tools/spend"
        );
        foreach (var language in (string[])["Python", "Node", "C#"])
        {
            await visitor.PressAsync(language);
            (await visitor.Page.Locator("pre").CountAsync()).ShouldBe(6);
        }

        await visitor.LookAsync("docs-csharp");
        await visitor.PressAsync("Make an API key");
        visitor.Path.ShouldBe("/keys/new");
        account.Value.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("curl")]
    [InlineData("python")]
    [InlineData("node")]
    [InlineData("csharp")]
    public async Task Every_snippet_runs_as_it_stands_on_the_page(string language)
    {
        var (visitor, account, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await world.App.GrantAsync(account, Amount.Credits(100));
        await world.App.GrantAsync(account, Amount.Usd(5), PocketSource.Prepaid);
        var (_, key) = await world.App.CreateKeyAsync(account);
        await visitor.GoAsync("/docs?language=" + language);
        foreach (
            var (id, printed) in ((string, string)[])
                [("spend", "balance_after"), ("chat", ""), ("messages", ""), ("packs", "402"), ("balance", "95")]
        )
        {
            // No provider but the sandbox's is there.
            var code = (await visitor.Page.Locator("#code-" + id).InnerTextAsync())
                .Replace('\u00a0', ' ')
                .Replace("auto", "sandbox/echo", StringComparison.Ordinal);
            if (language == "python" && id is "chat" or "messages")
            {
                (await Programs.RunAsync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], input: code)).ExitCode.ShouldBe(
                    0
                );
                continue;
            }

            var environment = new Dictionary<string, string> { ["LEDGER_KEY"] = key };
            var run = await (
                language switch
                {
                    "curl" => Programs.RunAsync("bash", ["-c", code], environment),
                    "csharp" => Programs.RunCSharpAsync(code, environment),
                    "python" => Programs.RunAsync(await Programs.PythonAsync(), ["-c", code], environment),
                    _ => Programs.RunAsync("node", ["--input-type=module", "--eval", code], environment),
                }
            );
            run.ExitCode.ShouldBe(0, run.ToString());
            run.Output.ShouldContain(
                id is "chat" or "messages" ? "Hello"
                    : id == "packs" && language is "curl" or "csharp" ? "no_active_pack"
                    : printed,
                customMessage: run.ToString()
            );
        }
    }

    [Fact]
    public async Task Every_described_route_can_be_read_and_looked_for_without_a_script()
    {
        var (visitor, _, _) = await world.SignUpAsync(scripts: false);
        await using var _1 = visitor;
        await visitor.GoAsync("/docs/api");
        var described = (await world.App.GetAsync("/openapi/v1.json"))
            .Json.GetProperty("paths")
            .EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject(), (path, operation) => $"{operation.Name.ToUpperInvariant()} {path.Name}")
            .ToList();
        var links = await visitor.Page.Locator(".routes a").AllAsync();
        var listed = new List<string>();
        foreach (var link in links)
            listed.Add(Regex.Replace(await link.InnerTextAsync(), @"\s+", " "));
        listed.ShouldBe(described, ignoreOrder: true);

        await visitor.FillAsync("Look for", "packs checkout");
        await visitor.PressAsync("Filter");
        (await visitor.Page.Locator(".routes a").CountAsync()).ShouldBe(1);
        await visitor.Page.Locator(".routes a").ClickAsync();
        (await visitor.TextAsync()).ShouldSatisfyAllConditions(
            text => text.ShouldContain("POST /v1/packs/checkout"),
            text => text.ShouldContain("Opens a page on which a pack can be bought."),
            text => text.ShouldContain("session_id"),
            text => text.ShouldContain("amount_usd"),
            text => text.ShouldContain("\"pack\": \"pack\"")
        );

        // All of them can be shown.
        foreach (var route in described)
        {
            var (method, path) = (route.Split(' ')[0], route.Split(' ')[1]);
            var answer = await visitor.Context.APIRequest.GetAsync(
                $"/docs/api/operation?method={method}&path={Uri.EscapeDataString(path)}"
            );
            answer.Status.ShouldBe(200, route);
        }

        (await visitor.GoAsync("/docs/api/operation?method=get&path=/nothing")).ShouldBe(404);
        (await visitor.GoAsync("/docs/api/operation")).ShouldBe(404);
    }

    [Fact]
    public async Task Every_parameter_of_a_described_route_says_what_it_means()
    {
        var parameters = (await world.App.GetAsync("/openapi/v1.json"))
            .Json.GetProperty("paths")
            .EnumerateObject()
            .SelectMany(
                path => path.Value.EnumerateObject(),
                (path, operation) => (Route: $"{operation.Name} {path.Name}", operation.Value)
            )
            .Where(route => route.Value.TryGetProperty("parameters", out _))
            .SelectMany(
                route => route.Value.GetProperty("parameters").EnumerateArray(),
                (route, parameter) => (route.Route, Name: parameter.GetProperty("name").GetString(), Parameter: parameter)
            )
            .ToList();
        parameters.Count.ShouldBeGreaterThan(100);
        parameters
            .Where(one => !one.Parameter.TryGetProperty("description", out var means) || means.GetString() is not { Length: > 10 })
            .Select(one => $"{one.Route}: {one.Name}")
            .ShouldBeEmpty();
    }

    [Fact]
    public async Task The_pages_of_the_API_are_looked_at()
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        await visitor.GoAsync("/docs/api");
        await visitor.LookAsync("api");
        await visitor.GoAsync("/docs/api?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
        (await visitor.TextAsync()).ShouldContain("No route has all of these words");
        (await visitor.Page.Locator("main script").CountAsync()).ShouldBe(0);
        await visitor.LookAsync("api-nothing");
        await visitor.GoAsync("/docs/api/operation?method=get&path=%2Fv1%2Faccount%2Factivity");
        (await visitor.TextAsync()).ShouldContain("What to add up by, with commas between: day, hour, model, key, tool, environment.");
        await visitor.LookAsync("operation-get");
        await visitor.GoAsync("/docs/api/operation?method=put&path=%2Fadmin%2Frate-card");
        await visitor.LookAsync("operation-put");
    }

    [Theory]
    [InlineData("evil\"><script>alert(1)</script>")]
    [InlineData("a b")]
    [InlineData("$(reboot)")]
    [InlineData("x;reboot")]
    public async Task A_host_that_cannot_be_one_is_pasted_nowhere(string host)
    {
        var (visitor, _, _) = await world.SignUpAsync();
        await using var _1 = visitor;
        var cookies = await visitor.Context.CookiesAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/docs");
        request.Headers.TryAddWithoutValidation("Host", host);
        request.Headers.Add("Cookie", string.Join("; ", cookies.Select(cookie => $"{cookie.Name}={cookie.Value}")));
        var answer = await world.App.SendAsync(request);

        // The server itself refuses most of them.
        if (answer.Status == 200)
            answer.Body.ShouldContain("curl -sS http://127.0.0.1:5080/");
        else
            answer.ShouldBe(400);
        answer.Body.ShouldNotContain(host);
    }
}
