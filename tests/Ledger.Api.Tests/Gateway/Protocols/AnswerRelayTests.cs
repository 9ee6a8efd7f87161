using System.Text.Json.Nodes;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>Whole answers, in the caller's protocol whatever the provider speaks.</summary>
public sealed class AnswerRelayTests
{
    private const string OpenAiAnswer =
        """{ "id":"c1","object":"chat.completion","created":1,"model" : "up","choices":[{"index":0,"message":{"role":"assistant","content":"H\u00e9","tool_calls":[{"id":"a.1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}},"more":[1.0] }""";

    private const string AnthropicAnswer =
        """{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[{"type":"thinking","thinking":"Hm","signature":"s"},{"type":"text","text":"H\u00e9, "},{"type":"text","text":"you"},{"type":"tool_use","id":"a","name":"f","input":{"x": "é"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":3,"output_tokens":5}}""";

    [Fact]
    public void An_answer_in_the_caller_s_protocol_comes_as_it_came_but_for_the_model()
    {
        Read(Wire.OpenAi(Wire.OpenAiCall), Protocol.OpenAi, OpenAiAnswer)
            .ShouldBe(OpenAiAnswer.Replace("\"up\"", "\"m\"", StringComparison.Ordinal));
        Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.Anthropic, AnthropicAnswer)
            .ShouldBe(AnthropicAnswer.Replace("\"up\"", "\"m\"", StringComparison.Ordinal));
    }

    [Fact]
    public void OpenAI_s_answer_is_translated_for_Anthropic_s_caller() =>
        Same(
            Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.OpenAi, OpenAiAnswer),
            """
            {"id":"msg_c1","type":"message","role":"assistant","model":"m",
             "content":[{"type":"text","text":"Hé"},{"type":"tool_use","id":"a_1","name":"f","input":{"x":1}},{"type":"tool_use","id":"b","name":"g","input":{}}],
             "stop_reason":"tool_use","stop_sequence":null,
             "usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":5}}
            """
        );

    [Fact]
    public void Anthropic_s_answer_is_translated_for_OpenAI_s_caller() =>
        Same(
            Read(Wire.OpenAi(Wire.OpenAiCall), Protocol.Anthropic, AnthropicAnswer),
            """
            {"id":"chatcmpl-msg_1","object":"chat.completion","created":7,"model":"m",
             "choices":[{"index":0,"message":{"role":"assistant","content":"Hé, you","reasoning_content":"Hm",
               "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": \"é\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],
             "usage":{"prompt_tokens":17,"completion_tokens":5,"total_tokens":22,"prompt_tokens_details":{"cached_tokens":4}}}
            """
        );

    [Theory]
    [InlineData("{bad")]
    [InlineData("[1]")]
    public void Arguments_that_are_no_object_are_shown_as_they_are(string arguments)
    {
        var answer =
            $$$"""{"choices":[{"index":0,"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{{{arguments}}}"}}]},"finish_reason":"stop"}]}""";
        var block = JsonNode.Parse(Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.OpenAi, answer))!["content"]![0]!;
        block["input"]!["arguments"]!.GetValue<string>().ShouldBe(arguments);
    }

    [Fact]
    public void What_came_with_half_a_surrogate_pair_comes_down_all_the_same()
    {
        const string answer = """{"choices":[{"index":0,"message":{"content":"a\ud83d\n"},"finish_reason":"stop"}]}""";
        Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.OpenAi, answer)
            .ShouldContain(
                """
                "text":"a\ud83d\n"
                """
            );
        AnswerRelay.FirstOf(Wire.Bytes(answer)).Text.ShouldBe("a\uFFFD\n");
    }

    [Theory]
    [InlineData(Protocol.OpenAi, "")]
    [InlineData(Protocol.OpenAi, "<html>")]
    [InlineData(Protocol.OpenAi, "[]")]
    [InlineData(Protocol.OpenAi, "{}")]
    [InlineData(Protocol.OpenAi, """{"choices":null}""")]
    [InlineData(Protocol.OpenAi, """{"choices":[]}""")]
    [InlineData(Protocol.OpenAi, """{"choices":[{"index":0,"message":{"content":"x"}}]""")]
    [InlineData(Protocol.OpenAi, """{"choices":[{"index":0,"message":{"content":"x"}}],"error":{"message":"No."}}""")]
    [InlineData(Protocol.OpenAi, AnthropicAnswer)]
    [InlineData(Protocol.Anthropic, "")]
    [InlineData(Protocol.Anthropic, "5")]
    [InlineData(Protocol.Anthropic, "{}")]
    [InlineData(Protocol.Anthropic, """{"type":"message"}""")]
    [InlineData(Protocol.Anthropic, """{"type":"error","error":{"message":"No."}}""")]
    [InlineData(Protocol.Anthropic, OpenAiAnswer)]
    public void What_is_no_answer_of_the_provider_s_protocol_is_a_failure(Protocol upstream, string answer)
    {
        foreach (var request in new[] { Wire.OpenAi(Wire.OpenAiCall), Wire.Anthropic(Wire.AnthropicCall) })
        {
            var fault = Should.Throw<InvalidDataException>(() => Read(request, upstream, answer));
            if (answer.Contains("No.", StringComparison.Ordinal))
                fault.Message.ShouldBe("No.");
        }
    }

    [Theory]
    [InlineData("stop", "end_turn", CallOutcome.Completed)]
    [InlineData("length", "max_tokens", CallOutcome.Length)]
    [InlineData("content_filter", "refusal", CallOutcome.ContentFilter)]
    public void Why_it_ended_is_told_in_the_other_s_words(string openAi, string anthropic, CallOutcome outcome)
    {
        var one = $$$"""{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"{{{openAi}}}"}]}""";
        AnswerRelay
            .Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.OpenAi, Wire.Bytes(one), out var report)
            .ShouldSatisfyAllConditions(answer => JsonNode.Parse(answer)!["stop_reason"]!.GetValue<string>().ShouldBe(anthropic));
        report.Outcome.ShouldBe(outcome);

        var other = $$$"""{"type":"message","content":[{"type":"text","text":"x"}],"stop_reason":"{{{anthropic}}}"}""";
        AnswerRelay
            .Read(Wire.OpenAi(Wire.OpenAiCall), Protocol.Anthropic, Wire.Bytes(other), out report)
            .ShouldSatisfyAllConditions(answer =>
                JsonNode.Parse(answer)!["choices"]![0]!["finish_reason"]!.GetValue<string>().ShouldBe(openAi)
            );
        report.Outcome.ShouldBe(outcome);
    }

    [Theory]
    [InlineData("""{"choices":[{"message":{"content":"One"}},{"message":{"content":"Two"}}]}""", "One")]
    [InlineData("""{"choices":[{"message":{"content":[{"type":"text","text":"A"},{"type":"text","text":"B"}]}}]}""", "AB")]
    [InlineData("""{"choices":[{"message":{"content":null}}]}""", "")]
    [InlineData("""{"choices":[]}""", "")]
    public void The_first_text_is_found_for_the_pack_dialect(string answer, string text) =>
        AnswerRelay.FirstOf(Wire.Bytes(answer)).Text.ShouldBe(text);

    [Fact]
    public void Tools_come_back_from_the_caller_as_they_went_down()
    {
        // An answer of OpenAI's to an Anthropic caller, who sends it back with the result: the provider sees its own call again.
        var content = JsonNode.Parse(Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.OpenAi, OpenAiAnswer))!["content"]!.ToJsonString();
        var next = Wire.Anthropic(
            $$$"""{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":{{{content}}}},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a_1","content":"2"}]}]}"""
        );
        var sent = JsonNode.Parse(Wire.Send(next, Protocol.OpenAi))!["messages"]!;
        sent[1]!["tool_calls"]![0]!["function"]!["arguments"]!
            .GetValue<string>()
            .Replace(" ", "", StringComparison.Ordinal)
            .ShouldBe("""{"x":1}""");
        sent[1]!["tool_calls"]![0]!["id"]!.GetValue<string>().ShouldBe(sent[2]!["tool_call_id"]!.GetValue<string>());
    }

    private static string Read(CallRequest request, Protocol upstream, string answer) =>
        Wire.Text(AnswerRelay.Read(request, upstream, Wire.Bytes(answer), out _, created: 7));

    private static void Same(string actual, string expected) =>
        JsonNode.DeepEquals(JsonNode.Parse(actual), JsonNode.Parse(expected)).ShouldBeTrue($"{actual}\nis not\n{expected}");
}
