using Ledger.Domain.Keys;
using Ledger.Testing;

namespace Ledger.Api.Tests.Gateway;

/// <summary><c>GET /v1/models</c>: one list for all readers.</summary>
public sealed class ModelsTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Auto =
        """{"id":"auto","object":"model","created":1783080000,"owned_by":"sandbox","type":"model","display_name":"auto (sandbox/echo)","created_at":"2026-07-03T12:00:00Z","provider":"sandbox","model":"echo","input_price_per_1m_tokens":1,"output_price_per_1m_tokens":2}""";
    private const string DeepSeek =
        """{"id":"deepseek/deepseek-chat","object":"model","created":1783080000,"owned_by":"deepseek","type":"model","display_name":"deepseek-chat","created_at":"2026-07-03T12:00:00Z","provider":"deepseek","model":"deepseek-chat","input_price_per_1m_tokens":1.4,"output_price_per_1m_tokens":2.8}""";
    private const string Echo =
        """{"id":"sandbox/echo","object":"model","created":1783080000,"owned_by":"sandbox","type":"model","display_name":"echo","created_at":"2026-07-03T12:00:00Z","provider":"sandbox","model":"echo","input_price_per_1m_tokens":1,"output_price_per_1m_tokens":2}""";

    // The same but for the name: they are there to ask for trouble.
    private static readonly string[] Trouble =
    [
        .. new[]
        {
            "cached",
            "cut-mid-stream",
            "echo",
            "error-429",
            "error-500",
            "error-529",
            "length",
            "no-usage",
            "refuse",
            "slow",
        }.Select(static name =>
            Echo.Replace("\"sandbox/echo\"", $"\"sandbox/{name}\"", StringComparison.Ordinal)
                .Replace("\"echo\"", $"\"{name}\"", StringComparison.Ordinal)
        ),
    ];

    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task The_list_has_the_members_of_all_three_documents_and_auto_comes_first()
    {
        var account = await _app.OpenAccountAsync();
        (await _app.GetAsync("/v1/models", account.Key)).ShouldBe(
            200,
            $$"""{"object":"list","data":[{{Auto}},{{DeepSeek}},{{string.Join(
                ',',
                Trouble
            )}}],"has_more":false,"first_id":"auto","last_id":"sandbox/slow"}"""
        );
    }

    [Fact]
    public async Task The_request_has_its_name_in_the_headers_of_both_protocols()
    {
        var account = await _app.OpenAccountAsync();
        foreach (var path in (string[])["/v1/models", "/claudecode/v1/models", "/cline/v1/models/auto", "/cline/v1/models/nothing"])
        {
            var answer = await _app.GetAsync(path, account.Key);
            answer.Header("request-id").ShouldBe(answer.Header("x-request-id"), path);
            answer.Header("request-id").ShouldNotBeNullOrEmpty(path);
        }
    }

    [Fact]
    public async Task Logical_names_come_before_models_with_their_targets_prices_and_patterns_are_not_listed()
    {
        await using var app = await LedgerApp.StartAsync();
        await app.PublishAsync(card =>
            card with
            {
                Models = [.. card.Models.Take(2)],
                Aliases = new Dictionary<string, string>
                {
                    ["zeta"] = "deepseek/deepseek-chat",
                    ["auto"] = "fast",
                    ["fast"] = "sandbox/echo",
                    ["claude-*"] = "zeta",
                    ["claude-3-*"] = "fast",
                },
            }
        );
        var account = await app.OpenAccountAsync();
        var models = (await app.GetAsync("/v1/models", account.Key)).ShouldBe(200).Json.GetProperty("data").EnumerateArray().ToList();
        models
            .Select(model => $"{model.GetProperty("id").GetString()} {model.GetProperty("input_price_per_1m_tokens").GetRawText()}")
            .ShouldBe(["auto 1", "fast 1", "zeta 1.4", "deepseek/deepseek-chat 1.4", "sandbox/echo 1"]);

        // Of two patterns the longer one leads.
        (await app.GetAsync("/v1/models/claude-opus", account.Key))
            .ShouldBe(200)
            .Text("model")
            .ShouldBe("deepseek-chat");
        (await app.GetAsync("/v1/models/claude-3-opus", account.Key)).ShouldBe(200).Text("model").ShouldBe("echo");
    }

    [Theory]
    [InlineData("auto", Auto)]
    [InlineData("deepseek/deepseek-chat", DeepSeek)]
    [InlineData("deepseek%2Fdeepseek-chat", DeepSeek)]
    [InlineData("deepseek%2fdeepseek-chat", DeepSeek)]
    [InlineData("sandbox/echo", Echo)]
    public async Task One_model_is_found_by_its_name_with_its_slash_escaped_or_not(string id, string model)
    {
        var account = await _app.OpenAccountAsync();
        (await _app.GetAsync("/v1/models/" + id, account.Key)).ShouldBe(200, model);
    }

    [Fact]
    public async Task An_escaped_slash_gets_through_a_real_server_too()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync();
        foreach (var id in (string[])["deepseek/deepseek-chat", "deepseek%2Fdeepseek-chat"])
            (await app.GetAsync("/v1/models/" + id, account.Key)).ShouldBe(200, DeepSeek);
    }

    [Fact]
    public async Task A_name_that_fits_a_pattern_is_answered_as_it_was_asked_for()
    {
        var answer = (await _app.GetAsync("/v1/models/claude-opus-4-1", (await _app.OpenAccountAsync()).Key)).ShouldBe(200);
        (answer.Text("id"), answer.Text("provider"), answer.Text("model")).ShouldBe(("claude-opus-4-1", "sandbox", "echo"));
        answer.Text("display_name").ShouldBe("claude-opus-4-1 (sandbox/echo)");
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("deepseek")]
    [InlineData("deepseek-chat")]
    [InlineData("deepseek/deepseek-chat/more")]
    [InlineData("DEEPSEEK/deepseek-chat")]
    [InlineData("claude")]
    public async Task What_is_not_there_is_said_so(string id) =>
        (await _app.GetAsync("/v1/models/" + id, (await _app.OpenAccountAsync()).Key)).ShouldBeOpenAiError(
            404,
            "invalid_request_error",
            "model",
            "model_not_found"
        );

    [Theory]
    [InlineData("deepseek/deepseek-chat", "deepseek/deepseek-chat")]
    [InlineData("auto", "auto")]
    [InlineData("sandbox/echo", "auto sandbox/echo")]
    [InlineData("auto,deepseek/deepseek-chat", "auto deepseek/deepseek-chat")]
    public async Task A_key_with_a_list_of_models_sees_those_alone(string allowed, string seen)
    {
        var account = await _app.OpenAccountAsync();
        var key = (
            await _app.PostAsync(
                $"/admin/accounts/{account.Id}/keys",
                LedgerApp.AdminKey,
                new { name = "some", allowed_models = allowed.Split(',') }
            )
        )
            .ShouldBe(201)
            .Text("key");
        var list = (await _app.GetAsync("/v1/models", key)).ShouldBe(200);
        var ids = list.Json.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()).ToList();
        string.Join(' ', ids).ShouldBe(seen);
        (list.Text("first_id"), list.Text("last_id")).ShouldBe((ids[0], ids[^1]));
        foreach (var id in (string[])["auto", "deepseek/deepseek-chat", "sandbox/echo"])
            (await _app.GetAsync("/v1/models/" + id, key)).ShouldBe(ids.Contains(id) ? 200 : 404);
    }

    [Fact]
    public async Task Pages_go_forwards_and_backwards()
    {
        var key = (await _app.OpenAccountAsync()).Key;
        foreach (
            var (query, ids, hasMore) in ((string, string, bool)[])
                [
                    ("limit=1", "auto", true),
                    ("limit=3", "auto deepseek/deepseek-chat sandbox/cached", true),
                    ("limit=1&after_id=auto", "deepseek/deepseek-chat", true),
                    ("limit=2&after_id=auto", "deepseek/deepseek-chat sandbox/cached", true),
                    ("after_id=sandbox/refuse", "sandbox/slow", false),
                    ("after_id=sandbox/slow", "", false),
                    ("limit=1&before_id=sandbox/cached", "deepseek/deepseek-chat", true),
                    ("limit=2&before_id=sandbox%2Fcached", "auto deepseek/deepseek-chat", false),
                    ("before_id=auto", "", false),
                ]
        )
        {
            var answer = (await _app.GetAsync("/v1/models?" + query, key)).ShouldBe(200);
            var found = answer.Json.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString());
            string.Join(' ', found).ShouldBe(ids, query);
            answer.Json.GetProperty("has_more").GetBoolean().ShouldBe(hasMore, query);
        }
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("limit=some", "limit")]
    [InlineData("after_id=nothing", "after_id")]
    [InlineData("before_id=", "before_id")]
    public async Task Bad_questions_are_refused_by_name(string query, string name) =>
        (await _app.GetAsync("/v1/models?" + query, (await _app.OpenAccountAsync()).Key)).ShouldBeOpenAiError(
            400,
            "invalid_request_error",
            name,
            "invalid_request_error"
        );

    [Fact]
    public async Task Every_kind_of_key_may_look_and_nobody_else()
    {
        foreach (var kind in (KeyKind[])[KeyKind.Inference, KeyKind.Provisioning])
            (await _app.GetAsync("/v1/models", (await _app.OpenAccountAsync(kind: kind)).Key)).ShouldBe(200);
        foreach (var key in (string?[])[null, "sk-nobody", LedgerApp.AdminKey])
        {
            foreach (var path in (string[])["/v1/models", "/v1/models/auto"])
                (await _app.GetAsync(path, key))
                    .ShouldBeOpenAiError(401, "authentication_error", null, "invalid_api_key")
                    .ShouldHave("WWW-Authenticate", "Bearer");
        }

        var suspended = await _app.OpenAccountAsync();
        await _app.SuspendAsync(suspended.Id);
        (await _app.GetAsync("/v1/models", suspended.Key)).ShouldBeOpenAiError(403, "permission_error", null, "permission_denied");
    }
}
