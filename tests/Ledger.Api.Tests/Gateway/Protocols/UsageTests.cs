using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>What a call used: as reported, each token in one class; or counted.</summary>
public sealed class UsageTests
{
    private const string OpenAiEnd = """{"choices":[{"index":0,"delta":{"content":"12345678"},"finish_reason":"stop"}]}""";

    [Theory]
    // usage                                                                                    input  read  output
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}""", 6, 4, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":10,"audio_tokens":0}}""", 0, 10, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":12}}""", 0, 12, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":null}}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":3,"prompt_cache_miss_tokens":7}""", 7, 3, 5)]
    [InlineData(
        """{"prompt_cache_hit_tokens":3,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens":5,"prompt_tokens":10}""",
        7,
        3,
        5
    )]
    [InlineData(
        """{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":4},"total_tokens":15}""",
        10,
        0,
        5
    )]
    // Reasoning beside the completion; and totals that say nothing.
    [InlineData(
        """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}""",
        10,
        0,
        105
    )]
    [InlineData("""{"total_tokens":115,"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}""", 6, 4, 105)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":12}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":0}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":null}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":-1}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":"100"}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":{"a":[1]}}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":100000001}""", 10, 0, 5)]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":100000000}""", 10, 0, 99_999_990)]
    [InlineData("""{"prompt_tokens":0,"completion_tokens":0}""", 0, 0, 0)]
    [InlineData("""{"prompt_tokens":100000000,"completion_tokens":1}""", 100_000_000, 0, 1)]
    public void OpenAI_s_report_is_read(string usage, long input, long read, long output)
    {
        var expected = new UsageReport(new(input, read, 0, 0, output), true, usage, CallOutcome.Completed);
        OpenAiStream(OpenAiEnd, $$"""{"choices":[],"usage":{{usage}}}""").ShouldBe(expected);
        OpenAiAnswer(usage).ShouldBe(expected);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("5")]
    [InlineData("""{"prompt_tokens":10}""")]
    [InlineData("""{"completion_tokens":10}""")]
    [InlineData("""{"prompt_tokens":null,"completion_tokens":5}""")]
    [InlineData("""{"prompt_tokens":-1,"completion_tokens":5}""")]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":-5}""")]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5.5}""")]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":"5"}""")]
    [InlineData("""{"prompt_tokens":1e2,"completion_tokens":5}""")]
    [InlineData("""{"prompt_tokens":100000001,"completion_tokens":5}""")]
    [InlineData("""{"prompt_tokens":99999999999999999999999,"completion_tokens":5}""")]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":-1}}""")]
    [InlineData("""{"prompt_tokens":{"a":[1]},"completion_tokens":5}""")]
    public void A_report_of_OpenAI_s_that_cannot_be_is_none_and_tokens_are_counted(string usage)
    {
        var input = Wire.OpenAi(Wire.OpenAiCall).HeuristicInput;
        input.ShouldBePositive();
        foreach (var report in new[] { OpenAiStream(OpenAiEnd, $$"""{"choices":[],"usage":{{usage}}}"""), OpenAiAnswer(usage) })
        {
            report.IsReported.ShouldBeFalse();
            report.Tokens.ShouldBe(new(input, 0, 0, 0, 2));
        }
    }

    [Fact]
    public void The_last_of_several_reports_counts_and_is_kept_and_one_that_cannot_be_does_not_undo_it()
    {
        var report = OpenAiStream(
            """{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":10,"completion_tokens":1}}""",
            """{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"length"}],"usage":{"prompt_tokens":10,"completion_tokens":2}}""",
            """{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":-1}}"""
        );
        report.ShouldBe(new(new(10, 0, 0, 0, 2), true, """{"prompt_tokens":10,"completion_tokens":2}""", CallOutcome.Length));
    }

    [Theory]
    [InlineData("""{"content":"12345678"}""", 2)]
    [InlineData("""{"content":"123456789"}""", 3)]
    [InlineData("""{"content":"\u00e9\u00e9\n\ud83d\ude00"}""", 3)]
    [InlineData("""{"content":[{"type":"text","text":"12345678"}]}""", 2)]
    [InlineData("""{"reasoning_content":"1234","content":"5678"}""", 2)]
    [InlineData("""{"reasoning":"1234","reasoning_content":"1234","content":"5678"}""", 2)]
    [InlineData("""{"refusal":"12345678"}""", 2)]
    [InlineData("""{"tool_calls":[{"index":0,"id":"not counted","type":"function","function":{"name":"1234","arguments":"5678"}}]}""", 2)]
    [InlineData("""{"function_call":{"name":"1234","arguments":"5678"}}""", 2)]
    [InlineData("""{"role":"assistant","content":null}""", 0)]
    [InlineData("""{"content":""}""", 0)]
    public void What_OpenAI_delivered_is_counted_where_nobody_reports(string delta, long output)
    {
        OpenAiStream($$"""{"choices":[{"index":0,"delta":{{delta}}}]}""").Tokens.Output.ShouldBe(output);
        AnswerRelay.Read(
            Wire.OpenAi(Wire.OpenAiCall),
            Protocol.OpenAi,
            Wire.Bytes($$"""{"choices":[{"index":0,"message":{{delta}}}]}"""),
            out var report
        );
        report.Tokens.Output.ShouldBe(output);
    }

    [Theory]
    // of the start                                        of the end                     input read 5m 1h out
    [InlineData("""{"input_tokens":10,"output_tokens":1}""", """{"output_tokens":5}""", 10, 0, 0, 0, 5)]
    [InlineData(
        """{"input_tokens":10,"cache_read_input_tokens":7,"cache_creation_input_tokens":6,"output_tokens":1}""",
        """{"output_tokens":5}""",
        10,
        7,
        6,
        0,
        5
    )]
    [InlineData(
        """{"input_tokens":10,"cache_creation_input_tokens":6,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":4}}""",
        """{"output_tokens":5}""",
        10,
        0,
        2,
        4,
        5
    )]
    [InlineData(
        """{"input_tokens":10,"cache_creation":{"ephemeral_1h_input_tokens":4,"ephemeral_5m_input_tokens":2}}""",
        """{"output_tokens":5}""",
        10,
        0,
        2,
        4,
        5
    )]
    [InlineData(
        """{"input_tokens":10,"cache_creation_input_tokens":6,"cache_creation":{"ephemeral_1h_input_tokens":4}}""",
        """{"output_tokens":5}""",
        10,
        0,
        2,
        4,
        5
    )]
    [InlineData("""{"input_tokens":10,"cache_creation":null}""", """{"output_tokens":5,"cache_read_input_tokens":null}""", 10, 0, 0, 0, 5)]
    [InlineData(
        """{"input_tokens":1,"cache_read_input_tokens":1}""",
        """{"input_tokens":10,"cache_read_input_tokens":7,"output_tokens":5}""",
        10,
        7,
        0,
        0,
        5
    )]
    [InlineData("""{"input_tokens":10,"output_tokens":1}""", """{"input_tokens":0,"output_tokens":0}""", 0, 0, 0, 0, 0)]
    public void Anthropic_s_report_is_read_from_both_ends_of_the_stream(
        string start,
        string end,
        long input,
        long read,
        long write,
        long writeForAnHour,
        long output
    )
    {
        var tokens = new TokenUse(input, read, write, writeForAnHour, output);

        // Kept are those of which a figure still stands: what the end says again, the start need not.
        var raw = end.StartsWith("""{"input_tokens":""", StringComparison.Ordinal) ? end : $"[{start},{end}]";
        AnthropicStream(Start(start), End(end)).ShouldBe(new(tokens, true, raw, CallOutcome.Completed));
    }

    [Fact]
    public void Anthropic_s_reports_are_cumulative_and_never_added_up() =>
        AnthropicStream(Start("""{"input_tokens":10,"output_tokens":1}"""), End("""{"output_tokens":5}"""), End("""{"output_tokens":9}"""))
            .ShouldBe(
                new(new(10, 0, 0, 0, 9), true, """[{"input_tokens":10,"output_tokens":1},{"output_tokens":9}]""", CallOutcome.Completed)
            );

    [Theory]
    // usage                                                                                            input read 5m 1h out
    [InlineData(
        """{"input_tokens":10,"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":100,"output_tokens":50},{"type":"message","input_tokens":10,"output_tokens":5}]}""",
        110,
        0,
        0,
        0,
        55
    )]
    [InlineData(
        """{"iterations":[{"input_tokens":1,"cache_read_input_tokens":2,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},"output_tokens":5},{"input_tokens":10,"cache_read_input_tokens":20,"cache_creation_input_tokens":30,"cache_creation":null,"output_tokens":50}],"input_tokens":10,"cache_read_input_tokens":20,"cache_creation_input_tokens":30,"output_tokens":50}""",
        11,
        22,
        33,
        4,
        55
    )]
    // The larger of each class.
    [InlineData(
        """{"input_tokens":10,"cache_read_input_tokens":9,"output_tokens":5,"iterations":[{"input_tokens":3,"output_tokens":50},{"input_tokens":4}]}""",
        10,
        9,
        0,
        0,
        50
    )]
    // One of them does not tell for how long the same was written.
    [InlineData(
        """{"input_tokens":10,"cache_creation_input_tokens":6,"cache_creation":{"ephemeral_1h_input_tokens":6},"output_tokens":5,"iterations":[{"input_tokens":10,"cache_creation_input_tokens":6,"output_tokens":5}]}""",
        10,
        0,
        0,
        6,
        5
    )]
    [InlineData("""{"input_tokens":10,"output_tokens":5,"iterations":null}""", 10, 0, 0, 0, 5)]
    [InlineData("""{"input_tokens":10,"output_tokens":5,"iterations":7}""", 10, 0, 0, 0, 5)]
    [InlineData("""{"input_tokens":10,"output_tokens":5,"iterations":{"input_tokens":70}}""", 10, 0, 0, 0, 5)]
    [InlineData("""{"input_tokens":10,"output_tokens":5,"iterations":[]}""", 10, 0, 0, 0, 5)]
    [InlineData(
        """{"input_tokens":10,"output_tokens":5,"iterations":[1,null,["x"],{},{"iterations":[{"input_tokens":70}]}]}""",
        10,
        0,
        0,
        0,
        5
    )]
    public void Passes_that_only_the_iterations_list_are_used_too(
        string usage,
        long input,
        long read,
        long write,
        long writeForAnHour,
        long output
    )
    {
        var expected = new UsageReport(new(input, read, write, writeForAnHour, output), true, usage, CallOutcome.Completed);
        AnthropicStream(Start("""{"input_tokens":1,"output_tokens":1}"""), End(usage)).ShouldBe(expected);
        AnthropicAnswer(usage).ShouldBe(expected);
    }

    [Fact]
    public void The_last_list_of_passes_counts_and_stays_where_a_later_report_has_none()
    {
        AnthropicStream(
            Start("""{"input_tokens":10,"iterations":[{"input_tokens":500}]}"""),
            End("""{"output_tokens":5,"iterations":[{"input_tokens":100,"output_tokens":2},{"input_tokens":10,"output_tokens":5}]}"""),
            End("""{"output_tokens":6}""")
        )
            .Tokens.ShouldBe(new(110, 0, 0, 0, 7));
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("100000001")]
    [InlineData("99999999999999999999999")]
    [InlineData("1},{\"output_tokens\":99999999},{\"output_tokens\":1")]
    public void Passes_that_cannot_be_are_no_report(string output)
    {
        var usage = $$"""{"input_tokens":10,"output_tokens":5,"iterations":[{"input_tokens":1,"output_tokens":{{output}}}]}""";
        AnthropicAnswer(usage).IsReported.ShouldBeFalse();
        AnthropicStream(Start("""{"input_tokens":10}"""), End(usage)).IsReported.ShouldBeFalse();
    }

    [Fact]
    public void Anthropic_s_whole_answer_is_reported_at_once()
    {
        const string usage =
            """{"input_tokens":10,"cache_read_input_tokens":2,"cache_creation_input_tokens":3,"output_tokens":5,"service_tier":"standard"}""";
        var answer = $$"""{"type":"message","content":[],"stop_reason":"max_tokens","usage":{{usage}}}""";
        AnswerRelay.Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.Anthropic, Wire.Bytes(answer), out var report);
        report.ShouldBe(new(new(10, 2, 3, 0, 5), true, usage, CallOutcome.Length));
    }

    [Fact]
    public void A_stream_that_breaks_off_keeps_what_was_said_of_its_input_and_counts_its_output()
    {
        var report = AnthropicStream(
            Start("""{"input_tokens":10,"cache_read_input_tokens":7,"output_tokens":1}"""),
            """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"12345678"}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"1234"}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"signature_delta","signature":"not counted"}}""",
            """{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"not counted","name":"1234","input":{}}}""",
            """{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"""
        );
        report.IsReported.ShouldBeFalse();
        report.Tokens.ShouldBe(new(10, 7, 0, 0, 5));
    }

    [Theory]
    [InlineData("""{"input_tokens":10}""", """{"output_tokens":-1}""", 10)]
    [InlineData("""{"input_tokens":10}""", """{"output_tokens":1.5}""", 10)]
    [InlineData("""{"input_tokens":10}""", """{"output_tokens":100000001}""", 10)]
    [InlineData("""{"input_tokens":10}""", """{}""", 10)]
    [InlineData("""{"input_tokens":-10}""", """{"output_tokens":5}""", null)]
    [InlineData("""{}""", """{"output_tokens":5}""", null)]
    [InlineData("""{"input_tokens":10,"cache_creation":{"ephemeral_1h_input_tokens":-4}}""", """{"output_tokens":5}""", null)]
    public void A_report_of_Anthropic_s_that_cannot_be_is_none(string start, string end, int? input)
    {
        var report = AnthropicStream(Start(start), End(end));
        report.IsReported.ShouldBeFalse();
        report.Tokens.Input.ShouldBe(input ?? Wire.Anthropic(Wire.AnthropicCall).HeuristicInput);
        report.IsInputCounted.ShouldBe(input is null);
    }

    [Theory]
    [InlineData("""{"prompt_tokens":10,"completion_tokens":-5}""")]
    [InlineData("{}")]
    public void Where_no_report_has_a_figure_that_can_be_the_last_one_is_kept_and_the_input_is_counted(string usage)
    {
        var report = OpenAiStream(OpenAiEnd, """{"choices":[],"usage":{"prompt_tokens":1}}""", $$"""{"choices":[],"usage":{{usage}}}""");
        report.ShouldBe(
            new(new(Wire.OpenAi(Wire.OpenAiCall).HeuristicInput, 0, 0, 0, 2), false, usage, CallOutcome.Completed, IsInputCounted: true)
        );
        AnthropicAnswer(usage)
            .ShouldSatisfyAllConditions(anthropic => anthropic.Raw.ShouldBe(usage), anthropic => anthropic.IsInputCounted.ShouldBeTrue());
    }

    [Fact]
    public void Without_any_report_there_is_nothing_raw()
    {
        OpenAiStream(OpenAiEnd).Raw.ShouldBeNull();
        OpenAiStream()
            .ShouldBe(
                new(new(Wire.OpenAi(Wire.OpenAiCall).HeuristicInput, 0, 0, 0, 0), false, null, CallOutcome.Completed, IsInputCounted: true)
            );
    }

    [Theory]
    [InlineData(8192, "", false)]
    [InlineData(8193, "", true)]
    [InlineData(8195, "é", true)]
    public void A_report_is_kept_byte_for_byte_up_to_eight_kibibytes_and_says_where_it_was_cut(int length, string last, bool isCut)
    {
        const string head = """{"prompt_tokens": 1, "completion_tokens":2,"x":"é""";
        var tail = last + "\"}";
        var usage = head + new string('x', length - Wire.Bytes(head + tail).Length) + tail;
        var report = OpenAiStream(OpenAiEnd, $$"""{"choices":[],"usage":{{usage}}}""");

        // Of the character that stands across the bound, nothing.
        report.Raw.ShouldBe(isCut ? usage[..(last.Length == 0 ? 8191 : 8190)] : usage);
        report.IsRawCut.ShouldBe(isCut);
        report.IsReported.ShouldBeTrue();
    }

    private static string Start(string usage) => $$$"""{"type":"message_start","message":{"model":"m","content":[],"usage":{{{usage}}}}}""";

    private static string End(string usage) => $$$"""{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{{{usage}}}}""";

    private static UsageReport OpenAiStream(params string[] chunks) =>
        Wire.Stream(Wire.OpenAi(Wire.OpenAiCall), Protocol.OpenAi, Wire.OpenAiEvents(chunks)).Relay.Report;

    private static UsageReport AnthropicStream(params string[] events)
    {
        // What is counted does not depend on whom it is for.
        var report = Wire.Stream(Wire.Anthropic(Wire.AnthropicCall), Protocol.Anthropic, Wire.AnthropicEvents(events)).Relay.Report;
        Wire.Stream(Wire.OpenAi(Wire.OpenAiCall), Protocol.Anthropic, Wire.AnthropicEvents(events)).Relay.Report.ShouldBe(report);
        return report;
    }

    private static UsageReport AnthropicAnswer(string usage)
    {
        var answer = $$"""{"type":"message","content":[],"stop_reason":"end_turn","usage":{{usage}}}""";
        AnswerRelay.Read(Wire.Anthropic(Wire.AnthropicCall), Protocol.Anthropic, Wire.Bytes(answer), out var report);
        return report;
    }

    private static UsageReport OpenAiAnswer(string usage)
    {
        var answer = $$"""{"choices":[{"index":0,"message":{"content":"12345678"},"finish_reason":"stop"}],"usage":{{usage}}}""";
        AnswerRelay.Read(Wire.OpenAi(Wire.OpenAiCall), Protocol.OpenAi, Wire.Bytes(answer), out var report);
        return report;
    }
}
