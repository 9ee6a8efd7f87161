using System.Text;
using System.Text.Json;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Gateway.Providers;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>The model that is part of the server: always the same, in both protocols, and troublesome by name.</summary>
public sealed class SandboxTests : IAsyncLifetime
{
    private readonly Routing _routing = Routing.With(serveMissingBySandbox: false);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _routing.DisposeAsync();

    [Fact]
    public async Task It_says_what_it_was_told_in_OpenAis_words()
    {
        var whole = (await AskAsync(Protocol.OpenAi, OpenAi("echo", "Hello  there,\nmodel"))).Whole;
        whole.GetProperty("object").GetString().ShouldBe("chat.completion");
        whole.GetProperty("model").GetString().ShouldBe("echo");
        var choice = whole.GetProperty("choices")[0];
        choice.GetProperty("message").GetRawText().ShouldBe("""{"role":"assistant","content":"You said: Hello  there,\nmodel"}""");
        choice.GetProperty("finish_reason").GetString().ShouldBe("stop");
        whole
            .GetProperty("usage")
            .GetRawText()
            .ShouldBe("""{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":0}}""");
    }

    [Fact]
    public async Task And_in_Anthropics()
    {
        var whole = (await AskAsync(Protocol.Anthropic, Anthropic("echo", "Hello there, model"))).Whole;
        whole.GetProperty("type").GetString().ShouldBe("message");
        whole.GetProperty("content").GetRawText().ShouldBe("""[{"type":"text","text":"You said: Hello there, model"}]""");
        whole.GetProperty("stop_reason").GetString().ShouldBe("end_turn");
        whole
            .GetProperty("usage")
            .GetRawText()
            .ShouldBe("""{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":5}""");
    }

    [Theory]
    [InlineData(Protocol.OpenAi, "Hello there, model")]
    [InlineData(Protocol.OpenAi, "  blanks first 🎈🎈 and\r\nlast  ")]
    [InlineData(Protocol.OpenAi, "")]
    [InlineData(Protocol.OpenAi, "please call get_weather now")]
    [InlineData(Protocol.Anthropic, "Hello there, model")]
    [InlineData(Protocol.Anthropic, "  blanks first 🎈🎈 and\r\nlast  ")]
    [InlineData(Protocol.Anthropic, "")]
    [InlineData(Protocol.Anthropic, "please call get_weather")]
    public async Task A_stream_adds_up_to_the_whole_answer(Protocol protocol, string text)
    {
        var extra = protocol == Protocol.OpenAi ? OpenAiTool : AnthropicTool;
        var body = protocol == Protocol.OpenAi ? OpenAi("echo", text, extra) : Anthropic("echo", text, extra);
        var whole = (await AskAsync(protocol, body)).Whole;
        var options = protocol == Protocol.OpenAi ? ",\"stream_options\":{\"include_usage\":true}" : "";
        var stream = await AskAsync(
            protocol,
            body.Replace("\"messages\"", $"\"stream\":true{options},\"messages\"", StringComparison.Ordinal)
        );
        stream.IsEventStream.ShouldBeTrue();
        Joined(protocol, stream.Events).ShouldBe(Said(protocol, whole));
    }

    [Theory]
    [InlineData(Protocol.OpenAi)]
    [InlineData(Protocol.Anthropic)]
    public async Task The_same_question_has_the_same_answer_byte_for_byte_and_another_one_another_id(Protocol protocol)
    {
        var body = protocol == Protocol.OpenAi ? OpenAi("echo", "Hi") : Anthropic("echo", "Hi");
        var first = await AskAsync(protocol, body);
        (await AskAsync(protocol, body)).Text.ShouldBe(first.Text);
        (await AskAsync(protocol, body.Replace("Hi", "Ho", StringComparison.Ordinal)))
            .Whole.GetProperty("id")
            .GetString()
            .ShouldNotBe(first.Whole.GetProperty("id").GetString());
    }

    [Fact]
    public async Task Usage_comes_in_OpenAis_streams_only_where_it_is_asked_for()
    {
        var body = OpenAi("echo", "Hi", "\"stream\":true,");
        (await AskAsync(Protocol.OpenAi, body)).Text.ShouldNotContain("usage");
        var asked = await AskAsync(Protocol.OpenAi, OpenAi("echo", "Hi", "\"stream\":true,\"stream_options\":{\"include_usage\":true},"));
        asked.Events[^1].GetProperty("choices").GetArrayLength().ShouldBe(0);
        asked.Events.SkipLast(1).ShouldAllBe(chunk => chunk.GetProperty("usage").ValueKind == JsonValueKind.Null);
        asked.Text.ShouldEndWith("data: [DONE]\n\n");
    }

    [Theory]
    [InlineData(Protocol.OpenAi, "max_tokens", "echo", 2, "You said: ", "length")]
    [InlineData(Protocol.OpenAi, "max_completion_tokens", "echo", 3, "You said: one ", "length")]
    [InlineData(Protocol.OpenAi, "max_tokens", "echo", 5, "You said: one two three", "stop")]
    [InlineData(Protocol.OpenAi, "max_tokens", "length", 50, "You said: one two ", "length")]
    [InlineData(Protocol.Anthropic, "max_tokens", "echo", 2, "You said: ", "max_tokens")]
    [InlineData(Protocol.Anthropic, "max_tokens", "length", 50, "You said: one two ", "max_tokens")]
    public async Task It_stops_at_the_most_tokens(Protocol protocol, string member, string model, int most, string text, string finish)
    {
        var extra = $"\"{member}\":{most},";
        var body = protocol == Protocol.OpenAi ? OpenAi(model, "one two three", extra) : Anthropic(model, "one two three", extra);
        var said = Said(protocol, (await AskAsync(protocol, body)).Whole);
        (said.Text, said.Finish).ShouldBe((text, finish));
        said.Output.ShouldBe(text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public async Task And_at_stop_sequences()
    {
        var openAi = Said(
            Protocol.OpenAi,
            (await AskAsync(Protocol.OpenAi, OpenAi("echo", "one two three", "\"stop\":[\"three\",\"two\"],"))).Whole
        );
        (openAi.Text, openAi.Finish).ShouldBe(("You said: one ", "stop"));
        var whole = (await AskAsync(Protocol.Anthropic, Anthropic("echo", "one two", "\"stop_sequences\":[\"two\"],"))).Whole;
        (Said(Protocol.Anthropic, whole).Finish, whole.GetProperty("stop_sequence").GetString()).ShouldBe(("stop_sequence", "two"));
    }

    [Fact]
    public async Task It_calls_a_tool_that_it_is_told_to_call_and_says_what_the_tool_said()
    {
        var openAi = (await AskAsync(Protocol.OpenAi, OpenAi("echo", "call get_weather", OpenAiTool))).Whole.GetProperty("choices")[0];
        openAi.GetProperty("finish_reason").GetString().ShouldBe("tool_calls");
        openAi
            .GetProperty("message")
            .GetProperty("tool_calls")[0]
            .GetProperty("function")
            .GetRawText()
            .ShouldBe("""{"name":"get_weather","arguments":"{}"}""");
        var anthropic = (await AskAsync(Protocol.Anthropic, Anthropic("echo", "call get_weather", AnthropicTool))).Whole;
        (anthropic.GetProperty("stop_reason").GetString(), anthropic.GetProperty("content")[0].GetProperty("input").GetRawText()).ShouldBe(
            ("tool_use", "{}")
        );
        var choiceless = OpenAi("echo", "call get_weather", OpenAiTool + "\"tool_choice\":\"none\",");
        Said(Protocol.OpenAi, (await AskAsync(Protocol.OpenAi, choiceless)).Whole).Text.ShouldBe("You said: call get_weather");
        var after =
            """{"model":"echo","messages":[{"role":"user","content":"call get_weather"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"sunny"}]}]}],"tools":[{"name":"get_weather"}]}""";
        Said(Protocol.Anthropic, (await AskAsync(Protocol.Anthropic, after)).Whole).Text.ShouldBe("The tool said: sunny");
    }

    [Theory]
    [InlineData("error-500", UpstreamRefusal.Failed, 500)]
    [InlineData("error-429", UpstreamRefusal.Busy, 429)]
    [InlineData("error-529", UpstreamRefusal.Busy, 529)]
    [InlineData("refuse", UpstreamRefusal.ContentRefused, 400)]
    public async Task Errors_can_be_asked_for_and_are_not_tried_again(string model, UpstreamRefusal kind, int status)
    {
        foreach (var protocol in (Protocol[])[Protocol.OpenAi, Protocol.Anthropic])
        {
            var refused = (await _routing.SendAsync("sandbox/" + model, asked: protocol)).ShouldBeRefused(kind, status);
            refused.Attempts.ShouldBe(1);
            var body = JsonElement.Parse(refused.Body);
            body.GetProperty("error").GetProperty("message").GetString()!.ShouldContain("as its model's name asks for");
            body.TryGetProperty("type", out _).ShouldBe(protocol == Protocol.Anthropic);
        }
    }

    [Theory]
    [InlineData(Protocol.OpenAi, false)]
    [InlineData(Protocol.OpenAi, true)]
    [InlineData(Protocol.Anthropic, false)]
    [InlineData(Protocol.Anthropic, true)]
    public async Task An_answer_can_be_cut_in_the_middle(Protocol protocol, bool isStream)
    {
        var served = (await _routing.SendAsync("sandbox/cut-mid-stream", isStream, protocol)).ShouldBeServed();
        var read = new MemoryStream();
        await Should.ThrowAsync<IOException>(async () => await served.Answer.Body.CopyToAsync(read));
        var text = Encoding.UTF8.GetString(read.ToArray());
        text.Length.ShouldBeGreaterThan(20);
        text.ShouldNotContain(protocol == Protocol.OpenAi ? "finish_reason\":\"stop" : "stop_sequence\":null}");
    }

    [Theory]
    [InlineData(Protocol.OpenAi)]
    [InlineData(Protocol.Anthropic)]
    public async Task It_can_keep_silent_about_usage(Protocol protocol)
    {
        foreach (var isStream in (bool[])[false, true])
            (await (await _routing.SendAsync("sandbox/no-usage", isStream, protocol)).ShouldBeServed().ReadAsync()).ShouldNotContain(
                "\"usage\""
            );
    }

    [Fact]
    public async Task Cached_tokens_are_told_as_each_protocol_counts_them()
    {
        (await AskAsync(Protocol.OpenAi, OpenAi("cached", "one two three four")))
            .Whole.GetProperty("usage")
            .GetRawText()
            .ShouldStartWith("""{"prompt_tokens":6,"completion_tokens":6,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":3}""");
        (await AskAsync(Protocol.Anthropic, Anthropic("cached", "one two three four")))
            .Whole.GetProperty("usage")
            .GetRawText()
            .ShouldBe("""{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":3,"output_tokens":6}""");
    }

    [Fact]
    public async Task It_can_be_slow_by_the_clock()
    {
        var sending = _routing.SendAsync("sandbox/slow", isStream: true);
        var word = TimeSpan.FromMilliseconds(200);
        await _routing.Clock.WaitingAsync(word);
        sending.IsCompleted.ShouldBeFalse();
        _routing.Clock.Advance(word);
        var served = (await sending).ShouldBeServed();
        var reading = served.ReadAsync();
        var words = 1;
        for (; !reading.IsCompleted; words++)
        {
            await Task.WhenAny(reading, _routing.Clock.WaitingAsync(word));
            _routing.Clock.Advance(word);
        }

        (await reading).ShouldEndWith("[DONE]\n\n");
        words.ShouldBeInRange(8, 10);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{\"messages\":[1]}")]
    public async Task What_is_no_request_is_refused(string body)
    {
        foreach (var protocol in (Protocol[])[Protocol.OpenAi, Protocol.Anthropic])
            (await AskAsync(protocol, body)).Status.ShouldBe(400);
    }

    private const string OpenAiTool =
        """ "tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object"}}}],""";
    private const string AnthropicTool = """ "tools":[{"name":"get_weather","input_schema":{"type":"object"}}],""";

    private static string OpenAi(string model, string text, string extra = "") =>
        $$"""{"model":"{{model}}",{{extra}}"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":{{JsonSerializer.Serialize(text)}}}]}""";

    private static string Anthropic(string model, string text, string extra = "") =>
        $$"""{"model":"{{model}}",{{extra}}"system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":[{"type":"text","text":{{JsonSerializer.Serialize(text)}}}]}]}""";

    private async Task<Heard> AskAsync(Protocol protocol, string body)
    {
        var isStream = body.Contains("\"stream\":true", StringComparison.Ordinal);
        var request = new UpstreamRequest(protocol, Encoding.UTF8.GetBytes(body), isStream, [], "req-1");
        await using var answer = await _routing.Upstreams.Find("sandbox")!.SendAsync(request, CancellationToken.None);
        using var reader = new StreamReader(answer.Body);
        return new(answer.Status, answer.IsEventStream, await reader.ReadToEndAsync());
    }

    private static (string Text, string? Tool, string Arguments, string? Finish, int Output) Said(Protocol protocol, JsonElement whole)
    {
        if (protocol == Protocol.OpenAi)
        {
            var choice = whole.GetProperty("choices")[0];
            var message = choice.GetProperty("message");
            var call = message.TryGetProperty("tool_calls", out var calls) ? calls[0].GetProperty("function") : (JsonElement?)null;
            return (
                message.GetProperty("content").GetString() ?? "",
                call?.GetProperty("name").GetString(),
                call?.GetProperty("arguments").GetString() ?? "",
                choice.GetProperty("finish_reason").GetString(),
                whole.GetProperty("usage").GetProperty("completion_tokens").GetInt32()
            );
        }

        var block = whole.GetProperty("content")[0];
        var isTool = block.GetProperty("type").GetString() == "tool_use";
        return (
            isTool ? "" : block.GetProperty("text").GetString()!,
            isTool ? block.GetProperty("name").GetString() : null,
            isTool ? block.GetProperty("input").GetRawText() : "",
            whole.GetProperty("stop_reason").GetString(),
            whole.GetProperty("usage").GetProperty("output_tokens").GetInt32()
        );
    }

    private static (string Text, string? Tool, string Arguments, string? Finish, int Output) Joined(
        Protocol protocol,
        IReadOnlyList<JsonElement> events
    )
    {
        var (text, tool, arguments, finish, output) = ("", (string?)null, "", (string?)null, 0);
        foreach (var data in events)
        {
            var delta =
                protocol == Protocol.Anthropic && data.TryGetProperty("delta", out var own) ? own
                : protocol == Protocol.OpenAi && data.GetProperty("choices") is var choices && choices.GetArrayLength() > 0
                    ? choices[0].GetProperty("delta")
                : default;
            if (data.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
                output = usage.GetProperty(protocol == Protocol.OpenAi ? "completion_tokens" : "output_tokens").GetInt32();
            if (data.TryGetProperty("content_block", out var block) && block.TryGetProperty("name", out var name))
                tool = name.GetString();
            if (protocol == Protocol.OpenAi && data.GetProperty("choices").GetArrayLength() > 0)
                finish = data.GetProperty("choices")[0].GetProperty("finish_reason").GetString() ?? finish;
            if (delta.ValueKind != JsonValueKind.Object)
                continue;
            if (delta.TryGetProperty(protocol == Protocol.OpenAi ? "content" : "text", out var piece))
                text += piece.GetString();
            if (delta.TryGetProperty("partial_json", out var part))
                arguments += part.GetString();
            if (delta.TryGetProperty("stop_reason", out var reason))
                finish = reason.GetString();
            if (delta.TryGetProperty("tool_calls", out var calls))
                (tool, arguments) = (
                    calls[0].GetProperty("function").GetProperty("name").GetString(),
                    calls[0].GetProperty("function").GetProperty("arguments").GetString()!
                );
        }

        return (text, tool, arguments, finish, output);
    }

    private sealed record Heard(int Status, bool IsEventStream, string Text)
    {
        public JsonElement Whole => JsonElement.Parse(Text);

        public IReadOnlyList<JsonElement> Events =>
            [
                .. Text.Split('\n')
                    .Where(line => line.StartsWith("data: {", StringComparison.Ordinal))
                    .Select(line => JsonElement.Parse(line["data: ".Length..])),
            ];
    }
}
