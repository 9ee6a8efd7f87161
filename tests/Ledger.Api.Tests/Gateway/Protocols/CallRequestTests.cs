using System.Globalization;
using System.Text;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>What is read of a call, and what is refused before anybody pays for it.</summary>
public sealed class CallRequestTests
{
    [Fact]
    public void A_plain_call_of_OpenAI_is_read()
    {
        var request = Wire.OpenAi(Wire.OpenAiCall);
        request.Model.ShouldBe("m");
        request.IsStream.ShouldBeFalse();
        request.MaxTokens.ShouldBeNull();
        request.Choices.ShouldBe(1);
        request.WantsUsage.ShouldBeFalse();
        request.Provider.ShouldBeNull();
        request.CacheWrites.ShouldBe(CacheWrites.None);
        Wire.Text(request.Body.Span).ShouldBe(Wire.OpenAiCall);
    }

    [Fact]
    public void Every_member_that_matters_is_read()
    {
        var request = Wire.OpenAi(
            """{"provider":"deepseek","model":"deepseek-chat","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":6,"n":3,"messages":[{"role":"user","content":"x"}],"unknown":{"a":[1,null]}}"""
        );
        request.Provider.ShouldBe("deepseek");
        request.IsStream.ShouldBeTrue();
        request.WantsUsage.ShouldBeTrue();
        request.MaxTokens.ShouldBe(6);
        request.Choices.ShouldBe(3);
    }

    [Fact]
    public void A_null_is_a_member_left_out()
    {
        var request = Wire.OpenAi(
            """{"model":"m","stream":null,"stream_options":null,"max_tokens":null,"n":null,"provider":null,"tools":null,"messages":[{"role":"assistant","content":null}]}"""
        );
        (request.IsStream, request.WantsUsage, request.MaxTokens, request.Choices, request.Provider).ShouldBe(
            (false, false, null, 1, null)
        );
    }

    [Fact]
    public void Counting_tokens_needs_no_most_tokens()
    {
        CallRequest
            .Read(
                Protocol.Anthropic,
                Wire.Bytes("""{"model":"m","messages":[{"role":"user","content":"x"}]}"""),
                out var fault,
                isCount: true
            )
            .ShouldNotBeNull();
        fault.ShouldBeNull();
    }

    [Theory]
    [InlineData("", CacheWrites.None)]
    [InlineData(""","cache_control":null""", CacheWrites.None)]
    [InlineData(""","cache_control":{"type":"ephemeral"}""", CacheWrites.FiveMinutes)]
    [InlineData(""","cache_control":{"type":"ephemeral","ttl":"5m"}""", CacheWrites.FiveMinutes)]
    [InlineData(""","cache_control":{"ttl":"1h","type":"ephemeral"}""", CacheWrites.OneHour)]
    [InlineData(""","system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]""", CacheWrites.FiveMinutes)]
    [InlineData(""","tools":[{"name":"t","input_schema":{},"cache_control":{"type":"ephemeral","ttl":"1h"}}]""", CacheWrites.OneHour)]
    [InlineData(
        ""","tools":[{"name":"t","cache_control":{"ttl":"1h"}},{"name":"u","cache_control":{"type":"ephemeral"}}]""",
        CacheWrites.OneHour
    )]
    public void A_wish_to_cache_is_found_wherever_it_stands(string more, CacheWrites expected) =>
        Wire.Anthropic(Wire.AnthropicCall[..^1] + more + "}").CacheWrites.ShouldBe(expected);

    [Fact]
    public void A_wish_to_cache_is_found_in_a_message_and_in_a_result_within_it()
    {
        Call("""[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]""").ShouldBe(CacheWrites.FiveMinutes);
        Call(
                """[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]"""
            )
            .ShouldBe(CacheWrites.OneHour);

        static CacheWrites Call(string content) =>
            Wire.Anthropic("""{"model":"m","max_tokens":9,"messages":[{"role":"user","content":""" + content + "}]}").CacheWrites;
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("  ", null)]
    [InlineData("x", null)]
    [InlineData("[]", null)]
    [InlineData("\"x\"", null)]
    [InlineData("null", null)]
    [InlineData("""{"model":"m",}""", null)]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}]}{}""", null)]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}]""", null)]
    [InlineData("""{"messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":null,"messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"","messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":1,"messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"a b","messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"a\r\nX: y","messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"a\u0000","messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"é","messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"m","model":"m","messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"m","mod\u0065l":"n","messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"messages":[]}""", "messages")]
    [InlineData("""{"model":"m","stream":true,"stream":false,"messages":[{"role":"user","content":"x"}]}""", "stream")]
    [InlineData("""{"model":"m"}""", "messages")]
    [InlineData("""{"model":"m","messages":null}""", "messages")]
    [InlineData("""{"model":"m","messages":[]}""", "messages")]
    [InlineData("""{"model":"m","messages":{}}""", "messages")]
    [InlineData("""{"model":"m","messages":["x"]}""", "messages[0]")]
    [InlineData("""{"model":"m","messages":[{"content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"model":"m","messages":[{"role":null,"content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"},{"role":"robot","content":"x"}]}""", "messages[1].role")]
    [InlineData("""{"model":"m","messages":[{"role":"user","role":"user","content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":1}]}""", "messages[0].content")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":{"type":"text"}}]}""", "messages[0].content")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x","content":"y"}]}""", "messages[0].content")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":["x"]}]}""", "messages[0].content[0]")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}""", "messages[0].content[0].type")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}""", "messages[0].content[0].text")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":1}]}]}""", "messages[0].content[0].text")]
    [InlineData(
        """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}]}""",
        "messages[0].content[1]"
    )]
    [InlineData(
        """{"model":"m","messages":[{"role":"user","content":[{"image_url":{"url":"gopher:\/\/x"},"type":"image_url"}]}]}""",
        "messages[0].content[0]"
    )]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}""", "messages[0].content[0]")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":1}]}]}""", "messages[0].content[0]")]
    [InlineData("""{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":1.5,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":1e3,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":"5","messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":10000001,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":99999999999999999999,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_completion_tokens":0,"messages":[{"role":"user","content":"x"}]}""", "max_completion_tokens")]
    [InlineData("""{"model":"m","n":0,"messages":[{"role":"user","content":"x"}]}""", "n")]
    [InlineData("""{"model":"m","n":17,"messages":[{"role":"user","content":"x"}]}""", "n")]
    [InlineData("""{"model":"m","n":1.5,"messages":[{"role":"user","content":"x"}]}""", "n")]
    [InlineData("""{"model":"m","stream":1,"messages":[{"role":"user","content":"x"}]}""", "stream")]
    [InlineData("""{"model":"m","stream":"true","messages":[{"role":"user","content":"x"}]}""", "stream")]
    [InlineData("""{"model":"m","stream_options":true,"messages":[{"role":"user","content":"x"}]}""", "stream_options")]
    [InlineData(
        """{"model":"m","stream_options":{"include_usage":1},"messages":[{"role":"user","content":"x"}]}""",
        "stream_options.include_usage"
    )]
    [InlineData(
        """{"model":"m","stream_options":{"include_usage":true,"include_usage":true},"messages":[{"role":"user","content":"x"}]}""",
        "stream_options.include_usage"
    )]
    [InlineData("""{"model":"m","provider":"","messages":[{"role":"user","content":"x"}]}""", "provider")]
    [InlineData("""{"model":"m","provider":{"order":[]},"messages":[{"role":"user","content":"x"}]}""", "provider")]
    [InlineData("""{"model":"m","tools":{},"messages":[{"role":"user","content":"x"}]}""", "tools")]
    [InlineData("""{"model":"m","tools":[{},1],"messages":[{"role":"user","content":"x"}]}""", "tools[1]")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"\ud83d"}]}""", "messages[0]")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"\ude00\ud83d"}]}""", "messages[0]")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"a":{"\ud83d":1}}""", null)]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"\ud83d":1}""", null)]
    public void Bad_input_in_OpenAI_s_protocol_is_refused_and_named(string body, string? param)
    {
        var fault = Wire.Refused(Protocol.OpenAi, body);
        fault.Param.ShouldBe(param);
        fault.Message.ShouldEndWith(".");
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":null,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"m","max_tokens":9,"messages":[{"role":"tool","content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"model":"m","max_tokens":9,"messages":[{"role":"user"}]}""", "messages[0].content")]
    [InlineData("""{"model":"m","max_tokens":9,"messages":[{"role":"user","content":null}]}""", "messages[0].content")]
    [InlineData("""{"model":"m","max_tokens":9,"system":1,"messages":[{"role":"user","content":"x"}]}""", "system")]
    [InlineData("""{"model":"m","max_tokens":9,"system":["x"],"messages":[{"role":"user","content":"x"}]}""", "system[0]")]
    [InlineData(
        """{"model":"m","max_tokens":9,"system":[{"type":"text","text":"a"},{"type":"image","source":{"data":"x"}}],"messages":[{"role":"user","content":"x"}]}""",
        "system[1].type"
    )]
    [InlineData("""{"model":"m","max_tokens":9,"system":"a","system":"b","messages":[{"role":"user","content":"x"}]}""", "system")]
    [InlineData(
        """{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"ftp://x/y"}}]}]}""",
        "messages[0].content[0]"
    )]
    [InlineData("""{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document"}]}]}""", "messages[0].content[0]")]
    public void Bad_input_in_Anthropic_s_protocol_is_refused_and_named(string body, string? param) =>
        Wire.Refused(Protocol.Anthropic, body).Param.ShouldBe(param);

    [Fact]
    public void A_model_s_name_may_have_256_characters_and_no_more()
    {
        Wire.OpenAi(Named(256)).Model.Length.ShouldBe(256);
        Wire.Refused(Protocol.OpenAi, Named(257)).Param.ShouldBe("model");
        Wire.Refused(Protocol.OpenAi, Named(100_000)).Param.ShouldBe("model");

        static string Named(int length) => Wire.OpenAiCall.Replace("\"m\"", $"\"{new string('a', length)}\"", StringComparison.Ordinal);
    }

    [Fact]
    public void Ten_thousand_messages_are_taken_and_no_more()
    {
        Wire.OpenAi(Of(10_000)).ShouldNotBeNull();
        Wire.Refused(Protocol.OpenAi, Of(10_001)).Param.ShouldBe("messages");

        static string Of(int count) =>
            $$"""{"model":"m","messages":[{{string.Join(',', Enumerable.Repeat("""{"role":"user","content":"x"}""", count))}}]}""";
    }

    [Fact]
    public void A_body_may_be_64_deep_and_no_deeper()
    {
        Wire.OpenAi(Deep(63)).ShouldNotBeNull();
        Wire.Refused(Protocol.OpenAi, Deep(64)).Message.ShouldContain("64");

        static string Deep(int depth) =>
            $$"""{"model":"m","messages":[{"role":"user","content":"x"}],"a":{{new string('[', depth)}}{{new string(']', depth)}}}""";
    }

    [Fact]
    public void Bytes_that_are_no_UTF_8_are_refused()
    {
        var body = Wire.Bytes(Wire.OpenAiCall);
        body[^8] = 0xFF;
        CallRequest.Read(Protocol.OpenAi, body, out var fault).ShouldBeNull();
        fault.ShouldBe(new("The body is not valid UTF-8."));
    }

    [Fact]
    public void A_NUL_and_whole_surrogate_pairs_travel_in_texts() =>
        Wire.OpenAi("""{"model":"m","messages":[{"role":"user","content":"\u0000 \ud83d\ude00 😀"}]}""").ShouldNotBeNull();

    [Theory]
    [InlineData("https://example.com/a.png")]
    [InlineData("HTTP://example.com/a.png")]
    [InlineData("""https:\/\/example.com\/a.png""")]
    [InlineData("data:image/png;base64,AAAA")]
    public void Pictures_come_as_data_or_by_their_address(string url) =>
        Wire.OpenAi(
                """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"X"}}]}]}""".Replace(
                    "X",
                    url,
                    StringComparison.Ordinal
                )
            )
            .CountedInput.ShouldBeInRange(TokenCount.ImageHeld, TokenCount.ImageHeld + 100);

    [Fact]
    public void A_text_costs_the_same_however_its_letters_are_spelt()
    {
        var plain = Wire.OpenAi("""{"model":"m","messages":[{"role":"user","content":"é漢😀/"}]}""");
        var escaped = Wire.OpenAi("""{"model":"m","messages":[{"role":"user","content":"\u00e9\u6F22\ud83d\ude00\/"}]}""");
        (escaped.CountedInput, escaped.HeuristicInput).ShouldBe((plain.CountedInput, plain.HeuristicInput));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(300)]
    [InlineData(30_000)]
    public void A_text_counts_a_token_for_two_bytes_held_and_for_four_likely(int length)
    {
        var empty = Of(0);
        var request = Of(length);
        (request.CountedInput - empty.CountedInput).ShouldBe(length / 2);
        (request.HeuristicInput - empty.HeuristicInput).ShouldBe(length / 4);
        request.CountedInput.ShouldBeGreaterThan(request.HeuristicInput);

        static CallRequest Of(int length) =>
            Wire.OpenAi(Wire.OpenAiCall.Replace("Hello", new string('x', length), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Protocol.OpenAi, ""","tools":[{"type":"function","function":{"name":"t","description":"X"}}]""")]
    [InlineData(Protocol.OpenAi, ""","functions":[{"name":"t","description":"X"}]""")]
    [InlineData(Protocol.OpenAi, ""","response_format":{"type":"json_schema","json_schema":{"schema":{"X":1}}}""")]
    [InlineData(Protocol.Anthropic, ""","system":"X" """)]
    [InlineData(Protocol.Anthropic, ""","system":[{"type":"text","text":"X"}]""")]
    [InlineData(Protocol.Anthropic, ""","tools":[{"name":"t","input_schema":{"properties":{"X":{}}}}]""")]
    public void Everything_that_a_model_reads_counts(Protocol protocol, string member)
    {
        var call = protocol == Protocol.OpenAi ? Wire.OpenAiCall : Wire.AnthropicCall;
        var without = Wire.Read(protocol, call);
        var with = Wire.Read(protocol, call[..^1] + member.Replace("X", new string('x', 3000), StringComparison.Ordinal) + "}");
        (with.CountedInput - without.CountedInput).ShouldBeInRange(1500, 2100);
        (with.HeuristicInput - without.HeuristicInput).ShouldBeInRange(750, 1100);
    }

    [Theory]
    [InlineData("""{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"t","arguments":"X"}}]}""")]
    [InlineData("""{"role":"tool","tool_call_id":"a","content":"X"}""")]
    [InlineData("""{"role":"assistant","content":[{"type":"text","text":"X"}]}""")]
    [InlineData("""{"role":"user","content":[{"type":"unheard_of","data":"X"}]}""")]
    [InlineData("""{"role":"user","content":[{"type":"unheard_of","source":{"data":"X"}}]}""")]
    public void Calls_results_and_unknown_parts_count_as_text(string message) =>
        Wire.OpenAi($$"""{"model":"m","messages":[{{message.Replace("X", new string('x', 3000), StringComparison.Ordinal)}}]}""")
            .CountedInput.ShouldBeInRange(1500, 1600);

    [Theory]
    [InlineData("""{"type":"image","source":{"type":"base64","media_type":"image/png","data":"X"}}""", 4_000, 40_000, 1_600)]
    [InlineData("""{"type":"image","source":{"type":"url","url":"https://e.com/a"}}""", 0, 40_000, 1_600)]
    [InlineData("""{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"X"}}""", 400, 10_000_000, 1_500)]
    [InlineData("""{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"X"}}""", 400_000, 10_000_000, 7_500)]
    [InlineData("""{"type":"document","source":{"data":"X","media_type":"application/pdf","type":"base64"}}""", 400_000, 10_000_000, 7_500)]
    [InlineData("""{"type":"document","source":{"type":"url","url":"https://e.com/a.pdf"}}""", 0, 10_000_000, 3_000)]
    [InlineData("""{"type":"document","source":{"type":"file","file_id":"f"}}""", 0, 10_000_000, 3_000)]
    [InlineData("""{"type":"document","source":{"type":"text","media_type":"text/plain","data":"X"}}""", 30_000, 15_000, 7_500)]
    [InlineData("""{"type":"document","source":{"type":"content","content":[{"type":"text","text":"X"}]}}""", 30_000, 15_000, 7_500)]
    [InlineData(
        """{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"X"}}]}""",
        4_000,
        40_000,
        1_600
    )]
    public void What_is_no_text_counts_by_its_kind(string block, int length, long held, long likely)
    {
        var empty = Of("""{"type":"text","text":""}""");
        var request = Of(block.Replace("X", new string('x', length), StringComparison.Ordinal));
        (request.CountedInput - empty.CountedInput).ShouldBeInRange(held, held + 30);
        (request.HeuristicInput - empty.HeuristicInput).ShouldBeInRange(likely - 2, likely + 30);

        static CallRequest Of(string block) =>
            Wire.Anthropic($$"""{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{{block}}]}]}""");
    }

    [Theory]
    [InlineData("""{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}""")]
    [InlineData("""{"type":"file","file":{"file_id":"f"}}""")]
    [InlineData("""{"type":"file","file":{"type":"text","file_id":"f"}}""")]
    [InlineData("""{"type":"video_url","video_url":{"url":"https://e.com/a.mp4"}}""")]
    [InlineData("""{"type":"input_file","file_id":"f"}""")]
    public void What_cannot_be_counted_holds_all_that_a_model_may_read(string part)
    {
        Of(part).ShouldBeInRange(10_000_000, 10_000_100);

        // Once: a model reads no more than that.
        Of(part + "," + part).ShouldBeInRange(10_000_000, 10_000_100);

        static long Of(string parts) => Wire.OpenAi($$"""{"model":"m","messages":[{"role":"user","content":[{{parts}}]}]}""").CountedInput;
    }

    [Theory]
    [InlineData(Protocol.Anthropic, """ "tools":[{"type":"web_fetch_20250910","name":"web_fetch"}] """)]
    [InlineData(Protocol.Anthropic, """ "mcp_servers":[{"type":"url","url":"https://e.com"}] """)]
    [InlineData(Protocol.OpenAi, """ "tools":[{"type":"web_search"}] """)]
    [InlineData(Protocol.OpenAi, """ "web_search_options":{} """)]
    public void What_a_provider_fetches_by_itself_holds_all_that_a_model_may_read(Protocol protocol, string member) =>
        Wire.Read(protocol, With(protocol, member)).CountedInput.ShouldBeInRange(10_000_000, 10_001_000);

    [Theory]
    [InlineData(Protocol.OpenAi, """ "service_tier":"priority" """, "service_tier")]
    [InlineData(Protocol.OpenAi, """ "service_tier":"auto","service_tier":"priority" """, "service_tier")]
    [InlineData(Protocol.OpenAi, """ "service_tier":1 """, "service_tier")]
    [InlineData(Protocol.OpenAi, """ "service\u005ftier":"priorit\u0079" """, "service_tier")]
    [InlineData(Protocol.OpenAi, """ "web_search_options":{} """, "web_search_options")]
    [InlineData(Protocol.OpenAi, """ "search_parameters":{"mode":"on"} """, "search_parameters")]
    [InlineData(Protocol.OpenAi, """ "enable_search":true """, "enable_search")]
    [InlineData(Protocol.OpenAi, """ "audio":{"voice":"a"},"modalities":["text","audio"] """, "audio modalities")]
    [InlineData(Protocol.OpenAi, """ "modalities":["image"] """, "modalities")]
    [InlineData(Protocol.OpenAi, """ "modalities":"audio" """, "modalities")]
    [InlineData(Protocol.OpenAi, """ "models":["a"],"route":"fallback","plugins":[{"id":"web"}] """, "models route plugins")]
    [InlineData(Protocol.OpenAi, """ "fallbacks":["a"] """, "fallbacks")]
    [InlineData(Protocol.OpenAi, """ "tools":[{"type":"function","function":{"name":"t"}},{"type":"web_search"}] """, "web_search")]
    [InlineData(Protocol.OpenAi, """ "tools":[{"type":"function","type":"web_search"}] """, "web_search")]
    [InlineData(Protocol.OpenAi, """ "tools":[{"type":"function","Type":"web_search"}] """, "web_search")]
    [InlineData(Protocol.OpenAi, """ "tools":[{"google_search":{}}] """, "tools")]
    [InlineData(Protocol.OpenAi, """ "tools":[{"type":{"a":1}},{"type":"a\r\nb"}] """, "tools")]
    [InlineData(Protocol.Anthropic, """ "service_tier":"priority" """, "service_tier")]
    [InlineData(Protocol.Anthropic, """ "speed":"fast" """, "speed")]
    [InlineData(Protocol.Anthropic, """ "inference_geo":"us" """, "inference_geo")]
    [InlineData(Protocol.Anthropic, """ "mcp_servers":[{"type":"url"}] """, "mcp_servers")]
    [InlineData(Protocol.Anthropic, """ "mcp_servers":{"a":1} """, "mcp_servers")]
    [InlineData(Protocol.Anthropic, """ "container":"c" """, "container")]
    [InlineData(Protocol.Anthropic, """ "provider":{"order":["a"]},"models":["a"] """, "provider models")]
    [InlineData(
        Protocol.Anthropic,
        """ "tools":[{"type":"web_search_20250305"},{"type":"web_fetch_20250910"},{"type":"code_execution_20250825"},{"type":"mcp_toolset"},{"type":"unheard_of"},{"type":"web_search_20250305"}] """,
        "web_search_20250305 web_fetch_20250910 code_execution_20250825 mcp_toolset unheard_of"
    )]
    public void What_changes_the_bill_without_a_price_is_named(Protocol protocol, string members, string expected) =>
        string.Join(' ', Wire.Read(protocol, With(protocol, members)).Unpriced).ShouldBe(expected);

    [Theory]
    [InlineData(
        Protocol.OpenAi,
        """ "service_tier":null,"web_search_options":null,"audio":null,"modalities":["text"],"models":[],"plugins":null,"route":null,"enable_search":false """
    )]
    [InlineData(Protocol.OpenAi, """ "service_tier":"auto" """)]
    [InlineData(Protocol.OpenAi, """ "service_tier":"default" """)]
    [InlineData(Protocol.OpenAi, """ "service_tier":"flex" """)]
    [InlineData(Protocol.OpenAi, """ "modalities":null,"speed":"fast","container":"mine" """)]
    [InlineData(
        Protocol.OpenAi,
        """ "tools":[{"type":"function","function":{"name":"t","parameters":{"type":"web_search"}}},{"type":"custom","custom":{"name":"u"}},{"function":{"name":"v"}}] """
    )]
    [InlineData(Protocol.OpenAi, """ "functions":[{"name":"t","type":"web_search"}] """)]
    [InlineData(Protocol.Anthropic, """ "service_tier":null,"speed":null,"inference_geo":null,"mcp_servers":null,"container":null """)]
    [InlineData(Protocol.Anthropic, """ "service_tier":"auto","speed":"standard","inference_geo":"global","mcp_servers":[] """)]
    [InlineData(Protocol.Anthropic, """ "service_tier":"standard_only","metadata":{"speed":"fast"} """)]
    [InlineData(
        Protocol.Anthropic,
        """ "tools":[{"name":"t"},{"type":null,"name":"u"},{"type":"custom","name":"v"},{"type":"bash_20250124"},{"type":"text_editor_20250728"},{"type":"computer_20250124"},{"type":"memory_20250818"}] """
    )]
    public void What_has_a_price_is_not_named(Protocol protocol, string members)
    {
        var request = Wire.Read(protocol, With(protocol, members));
        request.Unpriced.ShouldBeEmpty();
        request.CountedInput.ShouldBeLessThan(2_000);
    }

    [Theory]
    [InlineData(Protocol.OpenAi, """ "Model":"dearest" """, "Model")]
    [InlineData(Protocol.OpenAi, """ "MESSAGES":[] """, "MESSAGES")]
    [InlineData(Protocol.OpenAi, """ "MAX_TOKENS":1 """, "MAX_TOKENS")]
    [InlineData(Protocol.OpenAi, """ "max_Completion_tokens":1 """, "max_Completion_tokens")]
    [InlineData(Protocol.OpenAi, """ "N":16 """, "N")]
    [InlineData(Protocol.OpenAi, """ "Stream":true """, "Stream")]
    [InlineData(Protocol.OpenAi, """ "Stream_Options":{} """, "Stream_Options")]
    [InlineData(Protocol.OpenAi, """ "\u0053tream":true """, "Stream")]
    [InlineData(Protocol.OpenAi, """ "\u017ftream":true """, "\u017ftream")]
    [InlineData(Protocol.OpenAi, """ "max_to\u212aens":1 """, "max_to\u212aens")]
    [InlineData(Protocol.OpenAi, """ "Provider":{} """, "Provider")]
    [InlineData(Protocol.OpenAi, """ "Service_Tier":"priority" """, "Service_Tier")]
    [InlineData(Protocol.OpenAi, """ "Tools":[] """, "Tools")]
    [InlineData(Protocol.OpenAi, """ "stream_options":{"Include_Usage":false} """, "stream_options.Include_Usage")]
    [InlineData(
        Protocol.OpenAi,
        """ "stream_options":{"include_usage":true,"include_u\u017fage":false} """,
        "stream_options.include_u\u017fage"
    )]
    [InlineData(Protocol.Anthropic, """ "Model":"dearest" """, "Model")]
    [InlineData(Protocol.Anthropic, """ "Max_Tokens":1 """, "Max_Tokens")]
    [InlineData(Protocol.Anthropic, """ "System":"x" """, "System")]
    [InlineData(Protocol.Anthropic, """ "Cache_Control":{} """, "Cache_Control")]
    [InlineData(Protocol.Anthropic, """ "Speed":"fast" """, "Speed")]
    public void A_name_that_differs_by_case_alone_is_refused(Protocol protocol, string members, string param) =>
        Wire.Refused(protocol, With(protocol, members)).Param.ShouldBe(param);

    private static string With(Protocol protocol, string members) =>
        (protocol == Protocol.OpenAi ? Wire.OpenAiCall : Wire.AnthropicCall)[..^1] + "," + members + "}";

    [Fact]
    public void A_recording_counts_by_its_length() =>
        Wire.OpenAi(
                """{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"X","format":"wav"}}]}]}""".Replace(
                    "X",
                    new string('x', 4_000_000),
                    StringComparison.Ordinal
                )
            )
            .CountedInput.ShouldBeInRange(15_000, 15_050);

    [Fact]
    public void A_body_of_ten_mebibytes_is_read()
    {
        var text = new StringBuilder("""{"model":"m","messages":[{"role":"user","content":""" + "\"");
        text.Append('x', 10 * 1024 * 1024 - text.Length - 4).Append("\"}]}");
        var request = Wire.OpenAi(text.ToString());
        request.Body.Length.ShouldBe(10 * 1024 * 1024);
        request.CountedInput.ToString(CultureInfo.InvariantCulture).ShouldStartWith("5242");
    }
}
