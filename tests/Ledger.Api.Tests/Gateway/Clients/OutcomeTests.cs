using Ledger.Api.Gateway.Calls;
using Ledger.Domain;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.Extensions.DependencyInjection;
using static Ledger.Api.Tests.Gateway.Clients.Asks;

namespace Ledger.Api.Tests.Gateway.Clients;

/// <summary>Every end that a call can come to and a client can see, through both official clients and before both kinds of provider.</summary>
public sealed class OutcomeTests(ClientWorld world) : IClassFixture<ClientWorld>
{
    private static readonly UpstreamScript Answer = UpstreamScript.Says("Hello ", "there").Using(new(7, 3, CacheRead: 1));

    public static TheoryData<string, string> All =>
        new()
        {
            { "openai", "gpt-4o" },
            { "openai", "anthropic/plain" },
            { "anthropic", "claude-sonnet-4-5" },
            { "anthropic", "openai/plain" },
        };

    [Theory]
    [MemberData(nameof(All))]
    public async Task What_the_provider_does_not_report_is_counted_here(string client, string model)
    {
        var account = await world.OpenAsync(Answer.WithoutUsage(), Answer.WithoutUsage());
        (await StreamAsync(client, model, account))["text"].GetString().ShouldBe("Hello there");
        (await CreateAsync(client, model, account)).Statuses.ShouldBe([200]);

        // "Hi" and its message: 5; eleven bytes of an answer: 3.
        (await world.ChargesAsync(account)).ShouldBe(["0.000011 completed estimated", "0.000011 completed estimated"]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_report_of_nothing_is_a_report(string client, string model)
    {
        var account = await world.OpenAsync(Answer.Using(new(0, 0)), Answer.Using(new(0, 0)));
        (await StreamAsync(client, model, account))["text"].GetString().ShouldBe("Hello there");
        (await CreateAsync(client, model, account)).Cost.ShouldBe("0");
        (await world.ChargesAsync(account)).ShouldBe(["0 completed", "0 completed"]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task An_answer_that_was_stopped_says_so_and_costs_what_it_used(string client, string model)
    {
        var account = await world.OpenAsync(Answer.Finishing(UpstreamFinish.Length), Answer.Finishing(UpstreamFinish.ContentFilter));
        var (length, filter) = client == "openai" ? ("length", "content_filter") : ("max_tokens", "refusal");
        EndOf(await StreamAsync(client, model, account)).ShouldBe(length);
        EndOf(await StreamAsync(client, model, account)).ShouldBe(filter);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 length", "0.0000131 content_filter"]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Who_leaves_pays_what_the_provider_reports_at_its_end(string client, string model)
    {
        var rest = new Gate();
        using var arrivals = world.Watch();
        var account = await world.OpenAsync(Answer.HoldPiece(1, rest));
        var seen = await StreamAsync(client, model, account, """{"leaveAfter":1}""");
        seen["text"].GetString().ShouldBe("Hello ");
        await arrivals.Left;
        rest.Open();
        await EndedAsync(world.App, seen);
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 caller_gone"]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_provider_that_fails_is_asked_again_by_the_client_and_one_answer_is_charged(string client, string model)
    {
        var account = await world.OpenAsync(UpstreamScript.Refuses(500), Answer);
        var seen = await CreateAsync(client, model, account);
        seen.Statuses.ShouldBe([502, 200]);
        seen.Cost.ShouldBe("0.0000131");
        (await world.ChargesAsync(account)).ShouldBe(["0.0000131 completed"]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_provider_that_hangs_up_costs_nothing(string client, string model)
    {
        var account = await world.OpenAsync(UpstreamScript.HangsUp());
        var seen = await StreamAsync(client, model, account, """{"client":{"maxRetries":0}}""");
        seen.ErrorLine.ShouldBe(
            client == "openai" ? "InternalServerError 502 api_error upstream_error" : "InternalServerError 502 api_error"
        );
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_stream_that_fails_in_the_middle_ends_with_an_error_that_the_client_raises(string client, string model)
    {
        var account = await world.OpenAsync(Answer.FailAfter(1), Answer.CutAfter(1));

        // Anthropic's protocol says at the beginning what went in: 7, and 1 from a cache. OpenAI's says nothing before the end: 5 are counted. Six bytes: 2.
        var speaks = model.StartsWith("anthropic", StringComparison.Ordinal) || model.StartsWith("claude", StringComparison.Ordinal);
        var charge = speaks ? "0.0000111 upstream_cut estimated" : "0.000009 upstream_cut estimated";
        foreach (var _ in (int[])[1, 2])
        {
            var seen = await StreamAsync(client, model, account);
            seen["text"].GetString().ShouldBe("Hello ");
            seen.ErrorLine.ShouldBe(client == "openai" ? "APIError api_error upstream_error" : "APIError api_error");
            seen.Statuses.ShouldBe([200]);
        }

        (await world.ChargesAsync(account)).ShouldBe([charge, charge]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task An_answer_that_breaks_off_before_it_is_whole_costs_nothing(string client, string model)
    {
        var account = await world.OpenAsync(Answer.CutAfter(0));
        var seen = await CreateAsync(client, model, account, """{"client":{"maxRetries":0}}""");
        seen.Statuses.ShouldBe([502]);
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task What_the_provider_refuses_is_told_in_its_words_and_costs_nothing(string client, string model)
    {
        var account = await world.OpenAsync(UpstreamScript.Refuses(422, "Too spicy."));
        var seen = await StreamAsync(client, model, account);
        seen.ErrorLine.ShouldStartWith("BadRequestError 400 invalid_request_error");
        seen.Error.GetProperty("message").GetString()!.ShouldContain("Too spicy.");
        seen.Statuses.ShouldBe([400]);
        (await world.ChargesAsync(account)).ShouldBeEmpty();
    }

    private static string? EndOf(Seen seen) => (seen.Json.TryGetProperty("finish", out var finish) ? finish : seen["stop"]).GetString();

    private Task<Seen> CreateAsync(string client, string model, TestAccount account, string more = "{}") =>
        AskAsync("create", client, model, account, more);

    private Task<Seen> StreamAsync(string client, string model, TestAccount account, string more = "{}") =>
        AskAsync("stream", client, model, account, more);

    private Task<Seen> AskAsync(string operation, string client, string model, TestAccount account, string more)
    {
        // Whoever says nothing of the client means one with its key.
        var input = Input(client == "openai" ? Chat(model) : Message(model), more);
        if (client == "anthropic" && input["client"] is { } options)
            options["apiKey"] = account.Key;
        return world.RunAsync(client, operation, account.Key, input);
    }

    internal static Task EndedAsync(LedgerApp app, Seen seen)
    {
        var hold = seen["requests"][0].GetProperty("hold").GetString()!;
        return app.Services.GetRequiredService<LiveCalls>().Find(new HoldId(Guid.Parse(hold)))?.Done ?? Task.CompletedTask;
    }
}

/// <summary>Where the provider is not read on for who has left.</summary>
public sealed class LeavingTests(ImpatientWorld world) : IClassFixture<ImpatientWorld>
{
    [Theory]
    [InlineData("openai", "gpt-4o", "0.000009 caller_gone_cut estimated")]
    [InlineData("anthropic", "claude-sonnet-4-5", "0.0000111 caller_gone_cut estimated")]
    public async Task Who_leaves_pays_what_had_come(string client, string model, string charge)
    {
        var account = await world.OpenAsync(UpstreamScript.Says("Hello ", "there").Using(new(7, 3, CacheRead: 1)).HoldPiece(1, new()));
        var body = client == "openai" ? Chat(model) : Message(model);
        var seen = await world.RunAsync(client, "stream", account.Key, Input(body, """{"leaveAfter":1}"""));
        await world.Upstream.Calls[^1].ClientGone;
        await OutcomeTests.EndedAsync(world.App, seen);
        (await world.ChargesAsync(account)).ShouldBe([charge]);
    }
}
