using System.Net;
using System.Net.Http.Json;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>The stand-in for providers speaks as they do.</summary>
public sealed class StandInTests : IAsyncLifetime
{
    private readonly HttpClient _http = new();
    private StandInUpstream _upstream = null!;

    public async ValueTask InitializeAsync() => _upstream = await StandInUpstream.StartAsync();

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return _upstream.DisposeAsync();
    }

    [Fact]
    public async Task Token_classes_are_summed_up_as_each_protocol_does()
    {
        _upstream.Otherwise(
            UpstreamScript.Says("x").Using(new(Input: 10, Output: 5, CacheRead: 3, CacheWrite: 2, CacheWrite1h: 1, Reasoning: 4))
        );
        (await AskAsync("/v1/chat/completions", false)).ShouldContain(
            """usage":{"prompt_tokens":16,"completion_tokens":5,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":4}}"""
        );
        (await AskAsync("/v1/messages", false)).ShouldContain(
            """usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":1},"output_tokens":5}"""
        );
    }

    [Fact]
    public async Task OpenAis_streams_report_usage_only_where_they_are_asked_to()
    {
        (await AskAsync("/v1/chat/completions", true)).ShouldNotContain("usage");
        var asked = await AskAsync("/v1/chat/completions", true, wantsUsage: true);
        asked.ShouldContain(
            """data: {"id":"chatcmpl-upstream","object":"chat.completion.chunk","created":1783080000,"model":"m","choices":[],"usage":"""
        );
        asked.ShouldEndWith("data: [DONE]\n\n");
        _upstream.Otherwise(UpstreamScript.Says("x").WithoutUsage());
        (await AskAsync("/v1/chat/completions", true, wantsUsage: true)).ShouldNotContain("\"usage\":");
        _upstream.Otherwise(UpstreamScript.Says("x").WithUsageUnasked());
        (await AskAsync("/v1/chat/completions", true)).ShouldContain("\"usage\":");
    }

    [Fact]
    public async Task Anthropics_streams_report_cumulative_usage()
    {
        _upstream.Otherwise(UpstreamScript.Says("x").Using(new(10, 8)));
        var stream = await AskAsync("/v1/messages", true);
        stream.ShouldContain("\"output_tokens\":1}");
        stream.ShouldContain("\"usage\":{\"output_tokens\":4}");
        stream.ShouldContain("\"usage\":{\"output_tokens\":8}");
        stream.ShouldEndWith("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    [Fact]
    public async Task Scripts_come_from_the_queue_then_from_the_model_then_from_the_rest()
    {
        _upstream
            .Next(UpstreamScript.Says("queued"))
            .ForModel("m", UpstreamScript.Says("of the model").Calling("call_1", "look", "{\"at\":1}"))
            .Otherwise(UpstreamScript.Says("rest"));
        (await AskAsync("/v1/messages", false)).ShouldContain("queued");
        var called = await AskAsync("/v1/messages", true);
        called.ShouldContain("of the model");
        called.ShouldContain("\"partial_json\":\"{\\u0022at\"");
        called.ShouldContain("\"stop_reason\":\"tool_use\"");
        (await AskAsync("/v1/messages", false, model: "n")).ShouldContain("rest");
    }

    [Fact]
    public async Task A_quick_one_says_the_same_and_records_nothing()
    {
        await using var quick = await StandInUpstream.StartQuickAsync(UpstreamScript.Says("one ", "two"));
        foreach (var path in (string[])["/v1/chat/completions", "/v1/messages"])
        {
            (await AskAsync(path, false, of: quick)).ShouldContain("one two");
            (await AskAsync(path, true, of: quick)).ShouldContain("\"two\"");
        }

        quick.Calls.ShouldBeEmpty();
    }

    private async Task<string> AskAsync(string path, bool isStream, bool wantsUsage = false, string model = "m", StandInUpstream? of = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, (of ?? _upstream).Address + path);
        request.Headers.Authorization = new("Bearer", StandInUpstream.ApiKey);
        request.Headers.Add("x-api-key", StandInUpstream.ApiKey);
        request.Content = JsonContent.Create(
            new
            {
                model,
                stream = isStream,
                stream_options = new { include_usage = wantsUsage },
                messages = Array.Empty<object>(),
            }
        );
        using var answer = await _http.SendAsync(request);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await answer.Content.ReadAsStringAsync();
    }
}
