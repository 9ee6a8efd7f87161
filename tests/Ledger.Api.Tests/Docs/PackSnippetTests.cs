using System.Text.Json;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Docs;

/// <summary>The snippets of the packs document, and its answers and errors, against this server.</summary>
public sealed class PackSnippetTests(PackWorld world) : IClassFixture<PackWorld>
{
    private const string Chat = "/v1/chat/completions";

    [Theory]
    [InlineData("01-authentication.sh", """{"content":"Hello from upstream",""")]
    [InlineData("03-models.sh", """{"object":"list","data":[{"id":"auto",""")]
    [InlineData("04-python.py", "Hello from upstream")]
    [InlineData("05-node.mjs", "Hello from upstream")]
    public async Task A_snippet_runs_with_only_its_address_and_key_replaced(string snippet, string printed)
    {
        var account = await world.OpenAsync();
        var text = world.Addressed(PackWorld.Read(snippet), account);
        var run = await (
            Path.GetExtension(snippet) switch
            {
                ".sh" => Programs.RunAsync("bash", ["-c", text]),
                ".py" => Programs.RunAsync(await Programs.PythonAsync(), ["-c", text]),
                _ => Programs.RunAsync("node", ["--input-type=module", "--eval", text]),
            }
        );
        run.ExitCode.ShouldBe(0, run.ToString());
        run.Output.ShouldStartWith(printed);
    }

    [Fact]
    public async Task A_chat_is_answered_as_printed()
    {
        var account = await world.OpenAsync();
        world.Upstream.Next(UpstreamScript.Says("- One").Using(new(24, 86)));
        var answer = (await world.App.PostAsync(Chat, account.Key, PackWorld.Read("02-chat.json"))).ShouldBe(200);
        ShouldBeAsPrinted(answer.Json, JsonElement.Parse(PackWorld.Read("02-chat.answer.json")), "");
        var sent = world.Upstream.Calls[^1].Json;
        sent.GetProperty("temperature").GetDecimal().ShouldBe(0.5m);
        sent.GetProperty("max_tokens").GetInt32().ShouldBe(512);
        sent.TryGetProperty("provider", out _).ShouldBeFalse();
        sent.GetProperty("messages").GetArrayLength().ShouldBe(2);
    }

    [Fact]
    public async Task The_models_of_the_answer_are_among_those_that_are_listed()
    {
        var account = await world.OpenAsync();
        var listed = (await world.App.GetAsync("/v1/models", account.Key)).ShouldBe(200).Json.GetProperty("data").EnumerateArray();
        var printed = JsonElement.Parse(PackWorld.Read("03-models.answer.json")).GetProperty("data")[0];
        var model = listed.Single(model => model.GetProperty("id").GetString() == printed.GetProperty("id").GetString());
        foreach (var member in printed.EnumerateObject())
            model.GetProperty(member.Name).GetRawText().ShouldBe(member.Value.GetRawText(), member.Name);
    }

    [Theory]
    [InlineData(400, """{"provider":"deepseek","model":"none","messages":[{"role":"user","content":"Hello"}]}""")]
    [InlineData(400, """{"provider":"none","model":"deepseek-chat","messages":[{"role":"user","content":"Hello"}]}""")]
    [InlineData(400, """{"provider":"deepseek","model":"deepseek-chat","messages":"Hello"}""")]
    [InlineData(402, """{"provider":"sandbox","model":"echo","messages":[{"role":"user","content":"Hello"}]}""")]
    public async Task Errors_have_the_status_and_the_shape_of_the_document(int status, string body)
    {
        var account = await world.OpenAsync();
        ShouldBeAnError(await world.App.PostAsync(Chat, account.Key, body), status);
    }

    [Fact]
    public async Task So_have_those_of_keys_accounts_limits_and_providers()
    {
        var account = await world.OpenAsync();
        var body = PackWorld.Read("02-chat.json");
        ShouldBeAnError(await world.App.PostAsync(Chat, "tw_xxxxxxxxxxxx", body), 401);
        ShouldBeAnError(await world.App.PostAsync(Chat, null, body), 401);

        world.Upstream.Next(UpstreamScript.Refuses(500));
        ShouldBeAnError(await world.App.PostAsync(Chat, account.Key, body), 502);
        (await world.App.GetAsync("/v1/packs", account.Key))
            .Json.GetProperty("owned")[0]
            .GetProperty("internalCreditsRemaining")
            .GetInt64()
            .ShouldBe(19_246);

        ShouldBeAnError(
            await world.App.PostAsync(Chat, await world.KeyAsync(account, key => key with { AllowedModels = ["auto"] }), body),
            403
        );

        var slow = await world.KeyAsync(account, key => key with { RateLimit = new(1, Quantity.Parse("0.001"), false) });
        (await world.App.PostAsync(Chat, slow, body)).ShouldBe(200);
        ShouldBeAnError(await world.App.PostAsync(Chat, slow, body), 429);

        (await world.App.PostAsync(Chat, account.Key, body)).ShouldBe(200).ShouldHave("x-ratelimit-limit-requests", "10");
        await world.App.SuspendAsync(account.Id);
        ShouldBeAnError(await world.App.PostAsync(Chat, account.Key, body), 403);
    }

    [Fact]
    public void Every_snippet_has_a_line_in_the_table_of_what_is_changed()
    {
        var table = Repository.Read("docs/reference/packs-snippets.md");
        foreach (var file in Directory.GetFiles(PackWorld.Folder).Select(file => Path.GetFileName(file)))
            table.ShouldContain($"`{file}`");
    }

    private static void ShouldBeAnError(Answer answer, int status)
    {
        answer.ShouldBe(status);
        answer.Text("error", "message").ShouldNotBeNullOrEmpty(answer.ToString());
        answer.Text("error", "type").ShouldNotBeNullOrEmpty(answer.ToString());
    }

    private static void ShouldBeAsPrinted(JsonElement answer, JsonElement printed, string at)
    {
        if (printed.ValueKind == JsonValueKind.Object)
        {
            answer.EnumerateObject().Select(member => member.Name).ShouldBe(printed.EnumerateObject().Select(member => member.Name), at);
            foreach (var member in printed.EnumerateObject())
                ShouldBeAsPrinted(answer.GetProperty(member.Name), member.Value, $"{at}.{member.Name}");
        }
        else if (at == ".usage.latencyMs")
        {
            answer.TryGetInt64(out _).ShouldBeTrue(at);
        }
        else if (printed.ValueKind == JsonValueKind.String && printed.GetString()!.EndsWith('…'))
        {
            answer.GetString()!.ShouldStartWith(printed.GetString()![..^1], customMessage: at);
        }
        else
        {
            answer.GetRawText().ShouldBe(printed.GetRawText(), at);
        }
    }
}

/// <summary>The server as it comes, with a stand-in for the provider that the packs document asks.</summary>
public sealed class PackWorld : IAsyncLifetime
{
    private StandInUpstream _upstream = null!;
    private LedgerApp _app = null!;

    /// <summary>Where the snippets are.</summary>
    public static string Folder { get; } = Path.Combine(Repository.Folder, "tests/Ledger.Api.Tests/Docs/packs-api");

    public LedgerApp App => _app;

    public StandInUpstream Upstream => _upstream;

    public static string Read(string snippet) => File.ReadAllText(Path.Combine(Folder, snippet));

    public async ValueTask InitializeAsync()
    {
        _upstream = await StandInUpstream.StartAsync();
        var settings = _upstream.SettingsFor("deepseek");
        settings["Providers:deepseek:Retries"] = "0";
        _app = await LedgerApp.StartAsync(onKestrel: true, settings: settings);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
        if (_upstream is not null)
            await _upstream.DisposeAsync();
    }

    /// <summary>An account that owns a pack with as much in it as leaves what the document prints.</summary>
    public async Task<TestAccount> OpenAsync()
    {
        var account = await App.OpenAccountAsync();
        await App.GrantAsync(account.Id, new(19_246_500_000, Unit.Credits), PocketSource.Pack, "deepseek/deepseek-chat");
        return account;
    }

    /// <summary>Another key of an account.</summary>
    public async Task<string> KeyAsync(TestAccount account, Func<CreateKey, CreateKey> change) =>
        (await App.CreateKeyAsync(account.Id, change: change)).Secret;

    /// <summary>A snippet with this server's address and an account's key.</summary>
    public string Addressed(string snippet, TestAccount account) =>
        snippet
            .Replace("https://token-wallet.ai", App.Http.BaseAddress!.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal)
            .Replace("tw_xxxxxxxxxxxx", account.Key, StringComparison.Ordinal);
}
