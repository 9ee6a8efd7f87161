using System.Buffers;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>Streams from a provider to a caller, in all four directions.</summary>
public sealed class StreamRelayTests
{
    private const string Stream = """{"model":"mine","stream":true,"messages":[{"role":"user","content":"Hello, you"}]}""";
    private const string StreamWithUsage =
        """{"model":"mine","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hello, you"}]}""";
    private const string AnthropicStream =
        """{"model":"mine","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hello, you"}]}""";

    private static readonly string[] OpenAiText =
    [
        """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}""",
        """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":"Hé\n"},"finish_reason":null}],"usage":null,"x":[1, 2]}""",
        """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":" you\ud83d"},"finish_reason":null}],"usage":null}""",
        """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":"\ude00"},"finish_reason":null}],"usage":null}""",
        """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}""",
        """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":6}}}""",
    ];

    private static readonly string OpenAiStory = Wire.OpenAiEvents([.. OpenAiText, "[DONE]"]);

    private static readonly string[] AnthropicText =
    [
        """{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,"output_tokens":1}}}""",
        """{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"abc"}}""",
        """{"type":"content_block_stop","index":0}""",
        """{"type":"ping"}""",
        """{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}""",
        """{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hé \"you\""}}""",
        """{"type":"content_block_stop","index":1}""",
        """{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_a","name":"weather","input":{}}}""",
        """{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}""",
        """{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}""",
        """{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"Paris\"}"}}""",
        """{"type":"content_block_stop","index":2}""",
        """{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_b","name":"now","input":{}}}""",
        """{"type":"content_block_stop","index":3}""",
        """{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}""",
        """{"type":"message_stop"}""",
    ];

    private static readonly string AnthropicStory = Wire.AnthropicEvents(AnthropicText);

    private static readonly string ParallelTools = Wire.OpenAiEvents(
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Hm","content":null},"finish_reason":null}]}""",
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{"content":"Let me see."},"finish_reason":null}]}""",
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":""}}]},"finish_reason":null}]}""",
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]},"finish_reason":null}]}""",
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"{Paris\"}"}}]},"finish_reason":null}]}""",
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"functions.now:1","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":null}]}""",
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{"content":"Wait."},"finish_reason":null}]}""",
        """{"id":"c1","model":"up","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}""",
        """{"id":"c1","model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":4}}}""",
        "[DONE]"
    );

    public static TheoryData<Protocol, Protocol> Directions =>
        new()
        {
            { Protocol.OpenAi, Protocol.OpenAi },
            { Protocol.OpenAi, Protocol.Anthropic },
            { Protocol.Anthropic, Protocol.Anthropic },
            { Protocol.Anthropic, Protocol.OpenAi },
        };

    [Fact]
    public void OpenAI_s_chunks_come_down_as_they_came_but_for_the_model_and_what_nobody_asked_for()
    {
        var down = Wire.Stream(Wire.OpenAi(Stream), Protocol.OpenAi, OpenAiStory);
        var chunks = OpenAiText[..^1]
            .Select(chunk =>
                chunk.Replace("\"up\"", "\"mine\"", StringComparison.Ordinal).Replace(",\"usage\":null", "", StringComparison.Ordinal)
            );
        down.Text.ShouldBe(Wire.OpenAiEvents([.. chunks, "[DONE]"]));
    }

    [Fact]
    public void Whoever_asks_what_a_stream_used_is_told()
    {
        var down = Wire.Stream(Wire.OpenAi(StreamWithUsage), Protocol.OpenAi, OpenAiStory);
        down.Text.ShouldBe(OpenAiStory.Replace("\"up\"", "\"mine\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(
        """{"usage":{"prompt_tokens":1,"completion_tokens":2},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"model":"up"}""",
        """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"model":"mine"}"""
    )]
    [InlineData(
        """{"model":"up", "usage" : {"prompt_tokens":1,"completion_tokens":2}, "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""",
        """{"model":"mine", "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""
    )]
    [InlineData(
        """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}""",
        """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""
    )]
    public void What_was_used_is_cut_out_of_a_chunk_that_says_more(string chunk, string expected)
    {
        var down = Wire.Stream(Wire.OpenAi(Stream), Protocol.OpenAi, Wire.OpenAiEvents(chunk));
        down.Text.ShouldBe(Wire.OpenAiEvents(expected, "[DONE]"));
        down.Relay.Report.Tokens.ShouldBe(new(1, 0, 0, 0, 2));
        down.Relay.Report.IsReported.ShouldBeTrue();
    }

    [Fact]
    public void A_chunk_without_choices_that_says_nothing_of_usage_is_kept()
    {
        const string first = """{"model":"","choices":[],"prompt_filter_results":[]}""";
        Wire.Stream(Wire.OpenAi(Stream), Protocol.OpenAi, Wire.OpenAiEvents(first))
            .Text.ShouldBe(Wire.OpenAiEvents(first.Replace("\"\"", "\"mine\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void In_the_pack_dialect_chunks_carry_their_text_and_nothing_of_what_was_used()
    {
        var down = Wire.Stream(Wire.OpenAi(StreamWithUsage), Protocol.OpenAi, OpenAiStory, pack: true);
        var lines = down.Text.Split("\n\n");
        lines[1].ShouldStartWith("""data: {"content":"Hé\n","id":"c1",""");
        lines[0].ShouldStartWith("""data: {"id":"c1",""");
        down.Text.ShouldNotContain("usage");
        down.Relay.Report.Tokens.Output.ShouldBe(4);

        var crossed = Wire.Stream(Wire.OpenAi(StreamWithUsage), Protocol.Anthropic, AnthropicStory, pack: true).Text;
        crossed.ShouldContain("""data: {"content":"Hé \"you\"","id":"chatcmpl-msg_1",""");
        crossed.ShouldNotContain("usage");
        crossed.ShouldNotContain("""{"content":"Hm","id""");
    }

    [Fact]
    public void Anthropic_s_events_come_down_as_they_came_but_for_the_model()
    {
        var down = Wire.Stream(Wire.Anthropic(AnthropicStream), Protocol.Anthropic, AnthropicStory);
        down.Text.ShouldBe(AnthropicStory.Replace("\"up\"", "\"mine\"", StringComparison.Ordinal));
    }

    [Fact]
    public void Events_that_a_provider_did_not_name_are_named()
    {
        var unnamed = Wire.OpenAiEvents(AnthropicText);
        var down = Wire.Stream(Wire.Anthropic(AnthropicStream), Protocol.Anthropic, unnamed);
        down.Text.ShouldBe(AnthropicStory.Replace("\"up\"", "\"mine\"", StringComparison.Ordinal));
    }

    [Fact]
    public void An_Anthropic_caller_gets_OpenAI_s_text_as_one_block()
    {
        var down = Wire.Stream(Wire.Anthropic(AnthropicStream), Protocol.OpenAi, OpenAiStory);
        Wire.Short(down.Text)
            .ShouldBe(
                """
                message_start
                start 0 {"type":"text","text":""}
                delta 0 {"type":"text_delta","text":"Hé\n"}
                delta 0 {"type":"text_delta","text":" you\ud83d"}
                delta 0 {"type":"text_delta","text":"\ude00"}
                stop  0
                end   end_turn {"input_tokens":4,"cache_creation_input_tokens":0,"cache_read_input_tokens":6,"output_tokens":4}
                message_stop
                """
            );
        down.Text.ShouldStartWith(
            """
            event: message_start
            data: {"type":"message_start","message":{"id":"msg_c1","type":"message","role":"assistant","model":"mine","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":
            """
        );
    }

    [Fact]
    public void An_Anthropic_caller_gets_OpenAI_s_parallel_calls_as_blocks_in_a_row()
    {
        var down = Wire.Stream(Wire.Anthropic(AnthropicStream), Protocol.OpenAi, ParallelTools);
        Wire.Short(down.Text)
            .ShouldBe(
                """
                message_start
                start 0 {"type":"text","text":""}
                delta 0 {"type":"text_delta","text":"Let me see."}
                stop  0
                start 1 {"type":"tool_use","id":"call_a","name":"weather","input":{}}
                delta 1 {"type":"input_json_delta","partial_json":"{\"city\":"}
                delta 1 {"type":"input_json_delta","partial_json":"\"{Paris\"}"}
                stop  1
                start 2 {"type":"tool_use","id":"functions_now_1","name":"now","input":{}}
                delta 2 {"type":"input_json_delta","partial_json":"{}"}
                stop  2
                start 3 {"type":"text","text":""}
                delta 3 {"type":"text_delta","text":"Wait."}
                stop  3
                end   tool_use {"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":20}
                message_stop
                """
            );
    }

    [Fact]
    public void Calls_whose_arguments_come_by_turns_stay_open_side_by_side()
    {
        var down = Wire.Stream(
            Wire.Anthropic(AnthropicStream),
            Protocol.OpenAi,
            Wire.OpenAiEvents(
                """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"\\\""}},{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}]}}]}""",
                """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}\"}"}},{"index":1,"function":{"arguments":"}"}}]}}]}""",
                """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":2,"id":"c","function":{"name":"h","arguments":""}}]},"finish_reason":"stop"}]}"""
            )
        );
        Wire.Short(down.Text)
            .ShouldStartWith(
                """
                message_start
                start 0 {"type":"tool_use","id":"a","name":"f","input":{}}
                delta 0 {"type":"input_json_delta","partial_json":"{\"x\":\"\\\""}
                start 1 {"type":"tool_use","id":"b","name":"g","input":{}}
                delta 1 {"type":"input_json_delta","partial_json":"{"}
                delta 0 {"type":"input_json_delta","partial_json":"}\"}"}
                delta 1 {"type":"input_json_delta","partial_json":"}"}
                stop  0
                stop  1
                start 2 {"type":"tool_use","id":"c","name":"h","input":{}}
                stop  2
                end   tool_use
                """
            );
    }

    [Fact]
    public void Calls_without_an_index_are_told_apart_by_their_ids()
    {
        var down = Wire.Stream(
            Wire.Anthropic(AnthropicStream),
            Protocol.OpenAi,
            Wire.OpenAiEvents(
                """{"choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}""",
                """{"choices":[{"index":0,"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{"}},{"function":{"arguments":"}"}}]},"finish_reason":"tool_calls"}]}"""
            )
        );
        Wire.Short(down.Text)
            .ShouldStartWith(
                """
                message_start
                start 0 {"type":"tool_use","id":"a","name":"f","input":{}}
                delta 0 {"type":"input_json_delta","partial_json":"{}"}
                stop  0
                start 1 {"type":"tool_use","id":"b","name":"g","input":{}}
                delta 1 {"type":"input_json_delta","partial_json":"{"}
                delta 1 {"type":"input_json_delta","partial_json":"}"}
                stop  1
                end   tool_use
                """
            );
    }

    [Theory]
    [InlineData(
        """{"index":0,"id":"a","function":{"name":"f","arguments":"{"}},{"index":0,"function":{"arguments":"}"}}""",
        """{"index":0,"id":"b","function":{"name":"g","arguments":""}},{"index":0,"function":{"arguments":"{"}},{"index":0,"function":{"arguments":"}"}}"""
    )]
    [InlineData(
        """{"index":0,"id":"a","function":{"name":"f","arguments":"{"}},{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}""",
        """{"index":0,"id":"b","function":{"name":"g","arguments":"{"}},{"index":0,"id":"made up","function":{"arguments":"}"}}"""
    )]
    [InlineData(
        """{"id":"a","function":{"name":"f","arguments":"{"}},{"id":"a","function":{"arguments":"}"}}""",
        """{"id":"b","function":{"name":"g","arguments":"{"}},{"id":"b","function":{"name":"g","arguments":"}"}}"""
    )]
    public void Calls_under_one_index_are_told_apart_by_their_ids(string first, string second)
    {
        var down = Wire.Stream(
            Wire.Anthropic(AnthropicStream),
            Protocol.OpenAi,
            Wire.OpenAiEvents(
                $$$"""{"choices":[{"index":0,"delta":{"tool_calls":[{{{first}}}]}}]}""",
                $$$"""{"choices":[{"index":0,"delta":{"tool_calls":[{{{second}}}]},"finish_reason":"tool_calls"}]}"""
            )
        );
        Wire.Short(down.Text)
            .ShouldStartWith(
                """
                message_start
                start 0 {"type":"tool_use","id":"a","name":"f","input":{}}
                delta 0 {"type":"input_json_delta","partial_json":"{"}
                delta 0 {"type":"input_json_delta","partial_json":"}"}
                stop  0
                start 1 {"type":"tool_use","id":"b","name":"g","input":{}}
                delta 1 {"type":"input_json_delta","partial_json":"{"}
                delta 1 {"type":"input_json_delta","partial_json":"}"}
                stop  1
                end   tool_use
                """
            );
    }

    [Fact]
    public void Calls_without_ids_of_their_own_are_told_apart_when_they_are_whole()
    {
        var down = Wire.Stream(
            Wire.Anthropic(AnthropicStream),
            Protocol.OpenAi,
            Wire.OpenAiEvents(
                """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"{}"}},{"index":0,"id":"","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}"""
            )
        );
        Wire.Short(down.Text)
            .ShouldStartWith(
                """
                message_start
                start 0 {"type":"tool_use","id":"toolu_0","name":"f","input":{}}
                delta 0 {"type":"input_json_delta","partial_json":"{}"}
                stop  0
                start 1 {"type":"tool_use","id":"toolu_1","name":"f","input":{}}
                delta 1 {"type":"input_json_delta","partial_json":"{}"}
                stop  1
                end   tool_use
                """
            );
    }

    [Fact]
    public void An_OpenAI_caller_gets_Anthropic_s_blocks_as_chunks()
    {
        var down = Wire.Stream(Wire.OpenAi(StreamWithUsage), Protocol.Anthropic, AnthropicStory);
        Wire.Short(down.Text)
            .ShouldBe(
                """
                {"role":"assistant","content":""}
                {"reasoning_content":"Hm"}
                :
                {"content":"Hé \"you\""}
                {"tool_calls":[{"index":0,"id":"toolu_a","type":"function","function":{"name":"weather","arguments":""}}]}
                {"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}
                {"tool_calls":[{"index":0,"function":{"arguments":"\"Paris\"}"}}]}
                {"tool_calls":[{"index":1,"id":"toolu_b","type":"function","function":{"name":"now","arguments":""}}]}
                {"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}
                finish tool_calls
                usage {"prompt_tokens":15,"completion_tokens":20,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":3}}
                [DONE]
                """
            );
        down.Text.ShouldStartWith(
            """data: {"id":"chatcmpl-msg_1","object":"chat.completion.chunk","created":7,"model":"mine","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"""
        );
        Wire.Stream(Wire.OpenAi(Stream), Protocol.Anthropic, AnthropicStory).Text.ShouldNotContain("usage");
    }

    [Fact]
    public void A_call_whose_input_comes_at_once_keeps_it()
    {
        var down = Wire.Stream(
            Wire.OpenAi(Stream),
            Protocol.Anthropic,
            Wire.AnthropicEvents(
                """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":"é"}}}""",
                """{"type":"content_block_stop","index":0}""",
                """{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}}"""
            )
        );
        Wire.Short(down.Text).ShouldContain("""{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":\"é\"}"}}]}""");
    }

    [Theory]
    [MemberData(nameof(Directions))]
    public void Wherever_a_stream_is_cut_the_same_comes_down(Protocol caller, Protocol upstream)
    {
        foreach (var story in upstream == Protocol.OpenAi ? [OpenAiStory, ParallelTools] : new[] { AnthropicStory })
        {
            var request = Request(caller);
            var whole = Wire.Stream(request, upstream, story);
            whole.Relay.IsDone.ShouldBeTrue();
            var length = Wire.Bytes(story).Length;
            for (var cut = 1; cut < length; cut = cut < 100 ? cut + 1 : cut + 37)
            {
                var down = Wire.Stream(request, upstream, story, cut);
                down.Text.ShouldBe(whole.Text);
                down.Relay.Report.ShouldBe(whole.Relay.Report);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Directions))]
    public void A_stream_that_breaks_off_anywhere_is_incomplete_until_it_says_why_it_ended(Protocol caller, Protocol upstream)
    {
        var request = Request(caller);
        var events = (upstream == Protocol.OpenAi ? OpenAiStory : AnthropicStory).Split("\n\n")[..^1];
        var stops = Array.FindIndex(
            events,
            one => one.Contains("\"stop\"", StringComparison.Ordinal) || one.Contains("message_delta", StringComparison.Ordinal)
        );
        for (var count = 0; count <= events.Length; count++)
        {
            var down = Wire.Stream(request, upstream, string.Concat(events[..count].Select(one => one + "\n\n")));
            down.Relay.IsComplete.ShouldBe(count > stops, $"after {count}");
            down.Relay.IsDone.ShouldBe(count == events.Length);
            down.Relay.IsFailed.ShouldBeFalse();

            // It ends, whichever of its last frames were missing.
            if (count > stops)
                down.Text.TrimEnd().ShouldEndWith(caller == Protocol.OpenAi ? "data: [DONE]" : """data: {"type":"message_stop"}""");
        }
    }

    [Fact]
    public void Several_choices_are_complete_when_all_of_them_are()
    {
        var request = Wire.OpenAi(Stream[..^1] + ""","n":2}""");
        const string first = """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""";
        const string second = """{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}""";
        Wire.Stream(request, Protocol.OpenAi, Wire.OpenAiEvents(first, first)).Relay.IsComplete.ShouldBeFalse();
        Wire.Stream(request, Protocol.OpenAi, Wire.OpenAiEvents(first, second)).Relay.IsComplete.ShouldBeTrue();
    }

    [Theory]
    [InlineData(
        Protocol.OpenAi,
        """{"error":{"message":"Overloaded, key sk-abcdefgh1234","type":"server_error"}}""",
        "Overloaded, key ***"
    )]
    [InlineData(Protocol.OpenAi, """{"error":"Out of memory"}""", "Out of memory")]
    [InlineData(
        Protocol.OpenAi,
        """{"id":"x","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"Gone"}}""",
        "Gone"
    )]
    [InlineData(Protocol.OpenAi, """{"choices":[""", "The provider's stream cannot be read.")]
    [InlineData(Protocol.OpenAi, "<html>", "The provider's stream cannot be read.")]
    [InlineData(Protocol.OpenAi, "5", "The provider answered with an error.")]
    [InlineData(Protocol.Anthropic, """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""", "Overloaded")]
    [InlineData(Protocol.Anthropic, """{"type":""", "The provider's stream cannot be read.")]
    [InlineData(Protocol.Anthropic, """{"error":{"message":"Unnamed"}}""", "Unnamed")]
    public void An_error_within_a_stream_is_noticed_and_not_passed_down(Protocol upstream, string data, string message)
    {
        foreach (var caller in new[] { Protocol.OpenAi, Protocol.Anthropic })
        {
            var before = upstream == Protocol.OpenAi ? Wire.OpenAiEvents(OpenAiText[..2]) : Wire.AnthropicEvents(AnthropicText[..8]);
            var after = upstream == Protocol.OpenAi ? Wire.OpenAiEvents(OpenAiText[2..]) : Wire.AnthropicEvents(AnthropicText[8..]);
            var down = Wire.Stream(Request(caller), upstream, before + $"data: {data}\n\n" + after);
            down.Relay.IsFailed.ShouldBeTrue();
            down.Relay.IsComplete.ShouldBeFalse();
            down.Relay.FailureMessage.ShouldBe(message);
            down.Text.ShouldBe(Wire.Stream(Request(caller), upstream, before).Text);
        }
    }

    [Fact]
    public void An_error_that_is_null_is_none() =>
        Wire.Stream(
                Wire.OpenAi(Stream),
                Protocol.OpenAi,
                Wire.OpenAiEvents("""{"error":null,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""")
            )
            .Relay.IsFailed.ShouldBeFalse();

    [Theory]
    [MemberData(nameof(Directions))]
    public void What_comes_after_the_end_is_not_passed_down(Protocol caller, Protocol upstream)
    {
        var story = upstream == Protocol.OpenAi ? OpenAiStory : AnthropicStory;
        Wire.Stream(Request(caller), upstream, story + story + ": alive\n\n")
            .Text.ShouldBe(Wire.Stream(Request(caller), upstream, story).Text);
    }

    [Theory]
    [MemberData(nameof(Directions))]
    public void Comments_that_keep_a_connection_alive_come_down(Protocol caller, Protocol upstream) =>
        Wire.Stream(Request(caller), upstream, ": OPENROUTER PROCESSING\n\n").Text.ShouldBe(": keep-alive\n\n");

    [Fact]
    public void Data_in_several_lines_stays_whole()
    {
        const string stream =
            "data: {\"model\":\ndata: \"up\",\ndata: \"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n";
        Wire.Stream(Wire.OpenAi(Stream), Protocol.OpenAi, stream)
            .Text.ShouldBe(stream.Replace("\"up\"", "\"mine\"", StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_s_name_with_quotes_stays_JSON()
    {
        var request = Wire.OpenAi("""{"model":"a\"b\\c","stream":true,"messages":[{"role":"user","content":"x"}]}""");
        Wire.Stream(request, Protocol.OpenAi, OpenAiStory)
            .Text.ShouldContain(
                """
                "model":"a\"b\\c"
                """
            );
    }

    [Fact]
    public void Errors_have_the_form_of_the_caller_s_protocol()
    {
        Error(Wire.OpenAi(Stream), Protocol.Anthropic)
            .ShouldBe(
                "data: {\"error\":{\"message\":\"It \\\"broke\\\".\",\"type\":\"api_error\",\"param\":null,\"code\":\"upstream_error\"}}\n\n"
            );
        Error(Wire.Anthropic(AnthropicStream), Protocol.OpenAi)
            .ShouldBe("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"It \\\"broke\\\".\"}}\n\n");

        static string Error(CallRequest request, Protocol upstream)
        {
            var down = new ArrayBufferWriter<byte>();
            StreamRelay.Of(request, upstream).WriteError(down, "api_error", "upstream_error", "It \"broke\".");
            return Wire.Text(down.WrittenSpan);
        }
    }

    [Theory]
    [InlineData("stop", "end_turn", CallOutcome.Completed)]
    [InlineData("length", "max_tokens", CallOutcome.Length)]
    [InlineData("content_filter", "refusal", CallOutcome.ContentFilter)]
    [InlineData("tool_calls", "end_turn", CallOutcome.Completed)]
    [InlineData("eos", "end_turn", CallOutcome.Completed)]
    public void Why_it_ended_is_told_in_Anthropic_s_words(string reason, string expected, CallOutcome outcome)
    {
        var chunk = $$"""{"choices":[{"index":0,"delta":{},"finish_reason":"{{reason}}"}]}""";
        var down = Wire.Stream(Wire.Anthropic(AnthropicStream), Protocol.OpenAi, Wire.OpenAiEvents(chunk));
        Wire.Short(down.Text).ShouldContain($"end   {expected} ");
        down.Relay.Report.Outcome.ShouldBe(outcome);
        Wire.Stream(Wire.OpenAi(Stream), Protocol.OpenAi, Wire.OpenAiEvents(chunk)).Relay.Report.Outcome.ShouldBe(outcome);
    }

    [Theory]
    [InlineData("end_turn", "stop", CallOutcome.Completed)]
    [InlineData("stop_sequence", "stop", CallOutcome.Completed)]
    [InlineData("pause_turn", "stop", CallOutcome.Completed)]
    [InlineData("max_tokens", "length", CallOutcome.Length)]
    [InlineData("model_context_window_exceeded", "length", CallOutcome.Length)]
    [InlineData("refusal", "content_filter", CallOutcome.ContentFilter)]
    public void Why_it_ended_is_told_in_OpenAI_s_words(string reason, string expected, CallOutcome outcome)
    {
        var end = $$$"""{"type":"message_delta","delta":{"stop_reason":"{{{reason}}}"},"usage":{"output_tokens":3}}""";
        var down = Wire.Stream(Wire.OpenAi(Stream), Protocol.Anthropic, Wire.AnthropicEvents(end));
        Wire.Short(down.Text).ShouldContain($"finish {expected}");
        down.Relay.Report.Outcome.ShouldBe(outcome);
        Wire.Stream(Wire.Anthropic(AnthropicStream), Protocol.Anthropic, Wire.AnthropicEvents(end)).Relay.Report.Outcome.ShouldBe(outcome);
    }

    private static CallRequest Request(Protocol caller) =>
        caller == Protocol.OpenAi ? Wire.OpenAi(StreamWithUsage) : Wire.Anthropic(AnthropicStream);
}
