using System.Text.Json;
using System.Text.Json.Nodes;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>A call in one protocol for a provider of the other.</summary>
public sealed class TranslationTests
{
    [Fact]
    public void An_Anthropic_call_with_everything_becomes_OpenAI_s()
    {
        var request = Wire.Anthropic(
            """
            {"model":"m","max_tokens":100,"stream":true,"temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["END"],"metadata":{"user_id":"u1"},
             "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"Be kind."}],
             "tools":[{"name":"weather","description":"Wé","input_schema":{"type":"object","properties":{"city":{"type":"string"}}},"cache_control":{"type":"ephemeral"}}],
             "tool_choice":{"type":"any","disable_parallel_tool_use":true},
             "messages":[
               {"role":"user","content":"Hi"},
               {"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"s"},{"type":"text","text":"One."},{"type":"tool_use","id":"a","name":"weather","input":{"city":"Paris"}},{"type":"text","text":"Two."},{"type":"tool_use","id":"b","name":"weather","input":{}}]},
               {"role":"user","content":[{"type":"text","text":"Before."},{"type":"tool_result","tool_use_id":"a","content":"Sun"},{"type":"tool_result","tool_use_id":"b","is_error":true,"content":[{"type":"text","text":"No"},{"type":"text","text":"city"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},{"type":"text","text":"After."}]}
             ]}
            """
        );
        Same(
            Wire.Send(request, Protocol.OpenAi, maxTokens: 50, preset: "Preset."),
            """
            {"model":"up",
             "messages":[
               {"role":"system","content":"Preset.\n\nBe brief.\n\nBe kind."},
               {"role":"user","content":"Hi"},
               {"role":"assistant","content":"One.\n\nTwo.","tool_calls":[
                 {"id":"a","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}},
                 {"id":"b","type":"function","function":{"name":"weather","arguments":"{}"}}]},
               {"role":"tool","tool_call_id":"a","content":"Sun"},
               {"role":"tool","tool_call_id":"b","content":"Error: No\ncity"},
               {"role":"user","content":[{"type":"text","text":"Before."},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"text","text":"After."}]}
             ],
             "max_tokens":50,"stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"top_p":0.9,"stop":["END"],"user":"u1",
             "tools":[{"type":"function","function":{"name":"weather","description":"Wé","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],
             "tool_choice":"required","parallel_tool_calls":false}
            """
        );
    }

    [Fact]
    public void An_OpenAI_call_with_everything_becomes_Anthropic_s()
    {
        var request = Wire.OpenAi(
            """
            {"model":"m","stream":true,"temperature":1.7,"top_p":0.9,"stop":["END"," "],"user":"u1","seed":1,"logit_bias":{},"reasoning_effort":"high",
             "tools":[{"type":"function","function":{"name":"weather","description":"Wé","parameters":{"type":"object"},"strict":true}},{"type":"function","function":{"name":"now"}}],
             "tool_choice":{"type":"function","function":{"name":"weather"}},"parallel_tool_calls":false,
             "messages":[
               {"role":"system","content":"Be brief."},
               {"role":"user","content":"Hi"},
               {"role":"user","content":[{"type":"text","text":"Look:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"https://e.com/a.png"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"}}]},
               {"role":"assistant","content":"One.","tool_calls":[{"id":"call.a","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Paris\"}"}},{"id":"b","type":"function","function":{"name":"now","arguments":""}}]},
               {"role":"tool","tool_call_id":"call.a","content":"Sun"},
               {"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"Noon"}]},
               {"role":"developer","content":[{"type":"text","text":"Be kind."}]},
               {"role":"user","content":"Go on."},
               {"role":"assistant","content":""}
             ]}
            """
        );
        Same(
            Wire.Send(request, Protocol.Anthropic, maxTokens: 50, preset: "Preset."),
            """
            {"model":"up","max_tokens":50,
             "system":[{"type":"text","text":"Preset."},{"type":"text","text":"Be brief."},{"type":"text","text":"Be kind."}],
             "messages":[
               {"role":"user","content":[{"type":"text","text":"Hi"},{"type":"text","text":"Look:"},
                 {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
                 {"type":"image","source":{"type":"url","url":"https://e.com/a.png"}},
                 {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BBBB"}}]},
               {"role":"assistant","content":[{"type":"text","text":"One."},
                 {"type":"tool_use","id":"call_a","name":"weather","input":{"city":"Paris"}},
                 {"type":"tool_use","id":"b","name":"now","input":{}}]},
               {"role":"user","content":[
                 {"type":"tool_result","tool_use_id":"call_a","content":"Sun"},
                 {"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"Noon"}]},
                 {"type":"text","text":"Go on."}]}
             ],
             "stream":true,"temperature":1,"stop_sequences":["END"],"metadata":{"user_id":"u1"},
             "tools":[{"name":"weather","description":"Wé","input_schema":{"type":"object"},"strict":true},{"name":"now","input_schema":{"type":"object","properties":{}}}],
             "tool_choice":{"type":"tool","name":"weather","disable_parallel_tool_use":true}}
            """
        );
    }

    [Fact]
    public void Functions_as_they_were_before_tools_are_understood() =>
        Same(
            Wire.Send(
                Wire.OpenAi(
                    """
                    {"model":"m","functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},
                     "messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"x\":1}"}},{"role":"function","name":"f","content":"2"}]}
                    """
                ),
                Protocol.Anthropic,
                maxTokens: 5
            ),
            """
            {"model":"up","max_tokens":5,
             "messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},
               {"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"f","input":{"x":1}}]},
               {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"2"}]}],
             "tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f"}}
            """
        );

    [Theory]
    [InlineData(""" "tool_choice":{"type":"auto"} """, "auto")]
    [InlineData(""" "tool_choice":{"type":"none"} """, "none")]
    [InlineData(""" "tool_choice":{"type":"tool","name":"t"} """, """{"type":"function","function":{"name":"t"}}""")]
    public void Which_tool_is_told_to_OpenAI(string choice, string expected)
    {
        var call = Wire.AnthropicCall[..^1] + ""","tools":[{"name":"t","input_schema":{}}],""" + choice + "}";
        var sent = JsonDocument.Parse(Wire.Send(Wire.Anthropic(call), Protocol.OpenAi)).RootElement.GetProperty("tool_choice");
        (sent.ValueKind == JsonValueKind.String ? sent.GetString() : sent.GetRawText()).ShouldBe(expected);
    }

    [Theory]
    [InlineData(""" "tool_choice":"auto" """, """{"type":"auto"}""")]
    [InlineData(""" "tool_choice":"required" """, """{"type":"any"}""")]
    [InlineData(""" "tool_choice":"none","parallel_tool_calls":false """, """{"type":"none"}""")]
    [InlineData(""" "parallel_tool_calls":false """, """{"type":"auto","disable_parallel_tool_use":true}""")]
    [InlineData(""" "parallel_tool_calls":true """, null)]
    public void Which_tool_is_told_to_Anthropic(string choice, string? expected)
    {
        var call = Wire.OpenAiCall[..^1] + ""","tools":[{"type":"function","function":{"name":"t"}}],""" + choice + "}";
        var sent = JsonDocument.Parse(Wire.Send(Wire.OpenAi(call), Protocol.Anthropic, maxTokens: 5)).RootElement;
        (sent.TryGetProperty("tool_choice", out var found) ? found.GetRawText() : null).ShouldBe(expected);
    }

    [Theory]
    [InlineData(""","tool_choice":"auto" """, "tool_choice")]
    [InlineData(""","tools":[],"tool_choice":"none" """, "tools")]
    public void A_choice_among_no_tools_is_not_sent(string more, string member) =>
        JsonDocument
            .Parse(Wire.Send(Wire.OpenAi(Wire.OpenAiCall[..^1] + more + "}"), Protocol.Anthropic, maxTokens: 5))
            .RootElement.TryGetProperty(member, out _)
            .ShouldBeFalse();

    [Theory]
    [InlineData("o3")]
    [InlineData("openai/gpt-5.1-codex")]
    public void Models_that_reason_are_not_told_what_they_refuse(string model)
    {
        var call = Wire.AnthropicCall[..^1] + ""","temperature":1,"top_p":0.9,"stop_sequences":["END"]}""";
        foreach (var member in (string[])["temperature", "top_p", "stop"])
        {
            JsonNode.Parse(Wire.Send(Wire.Anthropic(call), Protocol.OpenAi, model))![member].ShouldBeNull();
            JsonNode.Parse(Wire.Send(Wire.Anthropic(call), Protocol.OpenAi, "gpt-4o"))![member].ShouldNotBeNull();
        }
    }

    [Fact]
    public void A_schema_for_the_answer_is_kept_both_ways()
    {
        const string schema = """{"type":"object","properties":{"x":{"type":"number"}},"required":["x"],"additionalProperties":false}""";
        Same(
            FormatForOpenAi(schema),
            $$$$"""{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{{{{schema}}}}}}"""
        );
        Same(FormatForAnthropic(schema), $$$$"""{"format":{"type":"json_schema","schema":{{{{schema}}}}}}""");
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}""")]
    [InlineData("""{"type":"object","properties":{"x":{},"y":{}},"required":["x"],"additionalProperties":false}""")]
    [InlineData("""{"type":"object","properties":{"x":{"type":["object","null"]}},"required":["x"],"additionalProperties":false}""")]
    [InlineData(
        """{"type":"object","properties":{"x":{"type":"array","items":{"properties":{}}}},"required":["x"],"additionalProperties":false}"""
    )]
    [InlineData("""{"type":"object","properties":{"x":{"anyOf":[{"type":"object"}]}},"required":["x"],"additionalProperties":false}""")]
    [InlineData("""{"type":"object","properties":{},"$defs":{"d":{"type":"object"}},"additionalProperties":false}""")]
    [InlineData("""{"type":"object","properties":{"x":{"allOf":[]}},"required":["x"],"additionalProperties":false}""")]
    [InlineData("""{"type":"array","items":{"type":"string"}}""")]
    public void A_schema_that_OpenAI_does_not_take_strictly_is_not_sent_so(string schema)
    {
        Same(
            FormatForOpenAi(schema),
            $$$$"""{"type":"json_schema","json_schema":{"name":"answer","strict":false,"schema":{{{{schema}}}}}}"""
        );
        var tools = $$$""","tools":[{"name":"t","strict":true,"input_schema":{{{schema}}}}]}""";
        JsonNode.Parse(Wire.Send(Wire.Anthropic(Wire.AnthropicCall[..^1] + tools), Protocol.OpenAi))!["tools"]![0]!["function"]!["strict"]!
            .GetValue<bool>()
            .ShouldBeFalse();
    }

    [Fact]
    public void Properties_may_be_called_what_schemas_are_made_of()
    {
        const string schema = """
            {"type":"object","properties":{"type":{"type":"string"},"properties":{"type":"array","items":{"type":"object","properties":{"allOf":{"type":"string"}},"required":["allOf"],"additionalProperties":false}}},
             "required":["type","properties"],"additionalProperties":false}
            """;
        Same(
            FormatForOpenAi(schema),
            $$$$"""{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{{{{schema}}}}}}"""
        );
        Same(FormatForAnthropic(schema), $$$$"""{"format":{"type":"json_schema","schema":{{{{schema}}}}}}""");
    }

    [Fact]
    public void Objects_of_a_schema_are_closed_for_Anthropic() =>
        Same(
            FormatForAnthropic(
                """
                {"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string","enum":["é"]}},"additionalProperties":true},
                  "c":{"type":"array","items":{"anyOf":[{"properties":{}},{"type":"null"}]}}},"$defs":{"d":{"type":"object","properties":{}}}}
                """
            ),
            """
            {"format":{"type":"json_schema","schema":
              {"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string","enum":["é"]}},"additionalProperties":false},
                "c":{"type":"array","items":{"anyOf":[{"properties":{},"additionalProperties":false},{"type":"null"}]}}},
               "$defs":{"d":{"type":"object","properties":{},"additionalProperties":false}},"additionalProperties":false}}}
            """
        );

    [Theory]
    [InlineData("""{"type":"object"}""")]
    [InlineData("""{"type":"array","items":{"type":"object","properties":{"x":{}},"additionalProperties":{"type":"number"}}}""")]
    public void Objects_of_any_members_are_refused_where_Anthropic_would(string schema) =>
        Fault(Wire.OpenAi(WithSchema(schema)), Protocol.Anthropic).Param.ShouldBe("response_format.json_schema.schema");

    [Fact]
    public void An_answer_in_JSON_without_a_schema_is_asked_for_in_words() =>
        JsonNode.Parse(
            Wire.Send(
                Wire.OpenAi(Wire.OpenAiCall[..^1] + ""","response_format":{"type":"json_object"}}"""),
                Protocol.Anthropic,
                maxTokens: 5
            )
        )!["system"]!
            .GetValue<string>()
            .ShouldContain("JSON");

    [Theory]
    [InlineData("o3", 1_024, "low")]
    [InlineData("gpt-5-mini", 8_000, "medium")]
    [InlineData("o3", 32_000, "high")]
    [InlineData("deepseek-chat", 32_000, null)]
    public void How_long_to_think_is_told_to_models_that_take_it(string model, int budget, string? effort)
    {
        var call = Wire.AnthropicCall[..^1] + $$$""","thinking":{"type":"enabled","budget_tokens":{{{budget}}}}}""";
        var sent = JsonNode.Parse(Wire.Send(Wire.Anthropic(call), Protocol.OpenAi, model))!;
        sent["reasoning_effort"]?.GetValue<string>().ShouldBe(effort);
        (sent["reasoning_effort"] is null).ShouldBe(effort is null);
        (sent["max_completion_tokens"] is null).ShouldBe(effort is null);
        sent["thinking"].ShouldBeNull();
    }

    [Fact]
    public void A_user_s_long_name_becomes_a_digest()
    {
        var call = Wire.AnthropicCall[..^1] + $$$""","metadata":{"user_id":"{{{new string('u', 65)}}}"}}""";
        JsonNode.Parse(Wire.Send(Wire.Anthropic(call), Protocol.OpenAi))!["user"]!.GetValue<string>().ShouldMatch("^[0-9a-f]{64}$");
    }

    [Fact]
    public void Documents_become_files_or_text() =>
        Same(
            JsonNode.Parse(
                Wire.Send(
                    Wire.Anthropic(
                        """
                        {"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
                          {"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},
                          {"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"Words"}},
                          {"type":"document","source":{"type":"content","content":[{"type":"text","text":"A"},{"type":"text","text":"B"}]}},
                          {"type":"search_result","title":"T","source":"https://e.com","content":[{"type":"text","text":"Found"}]},
                          {"type":"image","source":{"type":"url","url":"https://e.com/a.png"}}]}]}
                        """
                    ),
                    Protocol.OpenAi
                )
            )!["messages"]![0]!["content"]!.ToJsonString(),
            """
            [{"type":"file","file":{"filename":"T","file_data":"data:application/pdf;base64,AAAA"}},
             {"type":"text","text":"T\n\nWords"},{"type":"text","text":"A\n\nB"},{"type":"text","text":"T\nFound"},
             {"type":"image_url","image_url":{"url":"https://e.com/a.png"}}]
            """
        );

    [Theory]
    [InlineData(""" "tools":[{"type":"web_search_20250305","name":"web_search"}] """, "tools[0].type")]
    [InlineData(""" "tools":[{"name":"t","input_schema":{}}],"tool_choice":{"type":"some"} """, "tool_choice")]
    [InlineData(""" "mcp_servers":[{"type":"url","url":"https://e.com"}] """, "mcp_servers")]
    [InlineData(""" "output_config":{"format":{"type":"xml"}} """, "output_config.format")]
    public void What_OpenAI_cannot_express_is_refused(string member, string param) =>
        Fault(Wire.Anthropic(Wire.AnthropicCall[..^1] + "," + member + "}"), Protocol.OpenAi).Param.ShouldBe(param);

    [Theory]
    [InlineData("user", """{"type":"document","source":{"type":"url","url":"https://e.com/a.pdf"}}""")]
    [InlineData("user", """{"type":"image","source":{"type":"file","file_id":"f"}}""")]
    [InlineData("user", """{"type":"container_upload","file_id":"f"}""")]
    [InlineData("assistant", """{"type":"server_tool_use","id":"a","name":"web_search","input":{}}""")]
    public void Blocks_that_OpenAI_cannot_express_are_refused(string role, string block) =>
        Fault(
            Wire.Anthropic(
                $$"""{"model":"m","max_tokens":9,"messages":[{"role":"{{role}}","content":[{"type":"text","text":"x"},{{block}}]}]}"""
            ),
            Protocol.OpenAi
        )
            .Param.ShouldBe("messages[0].content[1]");

    [Theory]
    [InlineData(""" "n":2 """, "n")]
    [InlineData(""" "logprobs":true """, "logprobs")]
    [InlineData(""" "audio":{"voice":"alloy"} """, "audio")]
    [InlineData(""" "modalities":["text","audio"] """, "modalities")]
    [InlineData(""" "web_search_options":{} """, "web_search_options")]
    [InlineData(""" "temperature":"hot" """, "temperature")]
    [InlineData(""" "tools":[{"type":"custom","custom":{"name":"t"}}] """, "tools[0].type")]
    [InlineData(""" "tools":[{"type":"function","function":{"name":"t"}}],"tool_choice":{"type":"allowed_tools"} """, "tool_choice")]
    [InlineData(""" "response_format":{"type":"grammar"} """, "response_format")]
    public void What_Anthropic_cannot_express_is_refused(string member, string param) =>
        Fault(Wire.OpenAi(Wire.OpenAiCall[..^1] + "," + member + "}"), Protocol.Anthropic).Param.ShouldBe(param);

    [Theory]
    [InlineData(
        """{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}""",
        "messages[0].content[0]"
    )]
    [InlineData("""{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}""", "messages[0].content[0]")]
    [InlineData(
        """{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml,<svg/>"}}]}""",
        "messages[0].content[0]"
    )]
    [InlineData(
        """{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{bad"}}]}""",
        "messages[0].tool_calls[0]"
    )]
    [InlineData(
        """{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"[]"}}]}""",
        "messages[0].tool_calls[0]"
    )]
    [InlineData("""{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{}}]}""", "messages[0].tool_calls[0]")]
    [InlineData("""{"role":"system","content":"alone"}""", "messages")]
    [InlineData("""{"role":"user","content":""}""", "messages")]
    public void Messages_that_Anthropic_cannot_express_are_refused(string message, string param) =>
        Fault(Wire.OpenAi($$"""{"model":"m","messages":[{{message}}]}"""), Protocol.Anthropic).Param.ShouldBe(param);

    [Fact]
    public void An_answer_in_Anthropic_s_protocol_needs_somebody_to_say_how_long_it_may_be() =>
        Should.Throw<ArgumentException>(() =>
            UpstreamBody.Write(Wire.OpenAi(Wire.OpenAiCall), Protocol.Anthropic, new("up", null, null), out _)
        );

    [Theory]
    [InlineData("temperature", "0", "temperature", 0)]
    [InlineData("temperature", "2", "temperature", 1)]
    [InlineData("temperature", "0.25", "temperature", 0.25)]
    [InlineData("top_p", "0.5", "top_p", 0.5)]
    public void Figures_are_brought_within_Anthropic_s_bounds(string name, string value, string member, double expected) =>
        JsonNode.Parse(Wire.Send(Wire.OpenAi(Wire.OpenAiCall[..^1] + $",\"{name}\":{value}}}"), Protocol.Anthropic, maxTokens: 5))![member]!
            .GetValue<double>()
            .ShouldBe(expected);

    [Theory]
    [InlineData(Protocol.OpenAi)]
    [InlineData(Protocol.Anthropic)]
    public void A_translation_is_a_body_that_we_would_take_ourselves(Protocol caller)
    {
        var other = caller == Protocol.OpenAi ? Protocol.Anthropic : Protocol.OpenAi;
        var request = Wire.Read(caller, caller == Protocol.OpenAi ? Wire.OpenAiCall : Wire.AnthropicCall);
        var there = Wire.Read(other, Wire.Send(request, other, maxTokens: 9));
        var back = Wire.Read(caller, Wire.Send(there, caller, maxTokens: 9));
        (there.Model, there.MaxTokens, back.Model, back.MaxTokens).ShouldBe(("up", 9, "up", 9));
        back.CountedInput.ShouldBeInRange(request.CountedInput, request.CountedInput + 10);
    }

    private static string WithSchema(string schema) =>
        Wire.OpenAiCall[..^1] + $$$$""","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{{{{schema}}}}}}}""";

    private static string FormatForAnthropic(string schema) =>
        JsonNode.Parse(Wire.Send(Wire.OpenAi(WithSchema(schema)), Protocol.Anthropic, maxTokens: 5))!["output_config"]!.ToJsonString();

    private static string FormatForOpenAi(string schema) =>
        JsonNode.Parse(
            Wire.Send(
                Wire.Anthropic(
                    Wire.AnthropicCall[..^1] + $$$$""","output_config":{"format":{"type":"json_schema","schema":{{{{schema}}}}}}}"""
                ),
                Protocol.OpenAi
            )
        )!["response_format"]!.ToJsonString();

    private static CallFault Fault(CallRequest request, Protocol upstream)
    {
        UpstreamBody.Write(request, upstream, new("up", 5, null), out var fault).ShouldBeNull();
        return fault.ShouldNotBeNull();
    }

    private static void Same(string actual, string expected) =>
        JsonNode.DeepEquals(JsonNode.Parse(actual), JsonNode.Parse(expected)).ShouldBeTrue($"{actual}\nis not\n{expected}");
}
