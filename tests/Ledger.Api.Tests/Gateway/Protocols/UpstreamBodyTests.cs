using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>What a provider of the caller's own protocol gets: every byte, but for what must change.</summary>
public sealed class UpstreamBodyTests
{
    private const string Messages = """
        "messages": [ {"role":"user","content":"H\u00e9 \"you\""} ]
        """;

    [Theory]
    // comes                                                     goes
    [InlineData("""{"model":"m",M}""", """{"model":"up",M}""")]
    [InlineData("""{ M , "model" : "m" }""", """{ M , "model" : "up" }""")]
    [InlineData("""{"m\u006fdel":"m",M,"x":{"model":"m"}}""", """{"m\u006fdel":"up",M,"x":{"model":"m"}}""")]
    [InlineData(
        """{"model":"m",M,"unknown":[1.50,1e5,null,{"a" : "\/"}]}""",
        """{"model":"up",M,"unknown":[1.50,1e5,null,{"a" : "\/"}]}"""
    )]
    [InlineData("""{"provider":"p","model":"m",M}""", """{"model":"up",M}""")]
    [InlineData("""{"model":"m", "provider" : "p" , M}""", """{"model":"up", M}""")]
    [InlineData("""{"model":"m",M , "provider":"p" }""", """{"model":"up",M }""")]
    [InlineData("""{"model":"m","provider":null,M}""", """{"model":"up",M}""")]
    [InlineData("""{"model":"m","stream":false,"stream_options":null,M}""", """{"model":"up","stream":false,"stream_options":null,M}""")]
    [InlineData("""{"model":"m","stream":true,M}""", """{"stream_options":{"include_usage":true},"model":"up","stream":true,M}""")]
    [InlineData(
        """{"model":"m","stream":true,"stream_options":null,M}""",
        """{"model":"up","stream":true,"stream_options":{"include_usage":true},M}"""
    )]
    [InlineData(
        """{"model":"m","stream":true,"stream_options":{},M}""",
        """{"model":"up","stream":true,"stream_options":{"include_usage":true},M}"""
    )]
    [InlineData(
        """{"model":"m","stream":true,"stream_options":{"a": {"include_usage":1}},M}""",
        """{"model":"up","stream":true,"stream_options":{"include_usage":true,"a": {"include_usage":1}},M}"""
    )]
    [InlineData(
        """{"model":"m","stream":true,"stream_options":{"a":1,"include_usage": false},M}""",
        """{"model":"up","stream":true,"stream_options":{"a":1,"include_usage": true},M}"""
    )]
    [InlineData(
        """{"model":"m","stream":true,"stream_options":{"include_usage":null},M}""",
        """{"model":"up","stream":true,"stream_options":{"include_usage":true},M}"""
    )]
    [InlineData(
        """{"model":"m","stream":true,"stream_options":{"include_usage":true,"b":2},M}""",
        """{"model":"up","stream":true,"stream_options":{"include_usage":true,"b":2},M}"""
    )]
    public void OpenAI_s_body_travels_byte_for_byte(string body, string expected) =>
        Wire.Send(Wire.OpenAi(Fill(body)), Protocol.OpenAi).ShouldBe(Fill(expected));

    [Theory]
    [InlineData("up", """{"model":"m",M}""", """{"max_tokens":77,"model":"up",M}""")]
    [InlineData("o3-mini", """{"model":"m",M}""", """{"max_completion_tokens":77,"model":"o3-mini",M}""")]
    [InlineData("openai/gpt-5", """{"model":"m",M}""", """{"max_completion_tokens":77,"model":"openai/gpt-5",M}""")]
    [InlineData("up", """{"model":"m","max_tokens": 100,M}""", """{"model":"up","max_tokens": 77,M}""")]
    [InlineData("up", """{"model":"m","max_tokens":null,M}""", """{"model":"up","max_tokens":77,M}""")]
    [InlineData("up", """{"model":"m","max_completion_tokens":100,M}""", """{"model":"up","max_completion_tokens":77,M}""")]
    [InlineData(
        "up",
        """{"model":"m","max_tokens":1,"max_completion_tokens":100,M}""",
        """{"model":"up","max_tokens":77,"max_completion_tokens":77,M}"""
    )]
    [InlineData(
        "up",
        """{"model":"m","max_tokens":null,"max_completion_tokens":100,M}""",
        """{"model":"up","max_tokens":null,"max_completion_tokens":77,M}"""
    )]
    [InlineData(
        "up",
        """{"model":"m","max_completion_tokens": null,"max_tokens": 100,M}""",
        """{"model":"up","max_completion_tokens": null,"max_tokens": 77,M}"""
    )]
    [InlineData(
        "up",
        """{"model":"m","max_tokens":null,"max_completion_tokens":null,M}""",
        """{"model":"up","max_tokens":77,"max_completion_tokens":77,M}"""
    )]
    public void The_most_tokens_are_ours_where_we_say_so(string model, string body, string expected) =>
        Wire.Send(Wire.OpenAi(Fill(body)), Protocol.OpenAi, model, maxTokens: 77).ShouldBe(Fill(expected));

    [Fact]
    public void What_is_added_at_one_place_keeps_its_order() =>
        Wire.Send(
                Wire.OpenAi(Fill("""{"provider":"p","stream":true,M,"model":"m"}""")),
                Protocol.OpenAi,
                maxTokens: 77,
                preset: "Be \"kind\"."
            )
            .ShouldBe(
                Fill("""{"max_tokens":77,"stream_options":{"include_usage":true},"stream":true,M,"model":"up"}""")
                    .Replace("[ {", """[{"role":"system","content":"Be \"kind\"."}, {""", StringComparison.Ordinal)
            );

    [Theory]
    [InlineData("""{"model":"m",M,"max_tokens":9}""", """{"model":"up",M,"max_tokens":9}""")]
    [InlineData("""{"model":"m","stream":true,M,"max_tokens":9}""", """{"model":"up","stream":true,M,"max_tokens":9}""")]
    [InlineData(
        """{"max_tokens":9,"provider":"p","stream_options":{},"model":"m",M}""",
        """{"max_tokens":9,"provider":"p","stream_options":{},"model":"up",M}"""
    )]
    [InlineData(
        """{"model":"m",M,"system":[ {"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],"max_tokens":9}""",
        """{"model":"up",M,"system":[ {"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],"max_tokens":9}"""
    )]
    public void Anthropic_s_body_travels_byte_for_byte(string body, string expected) =>
        Wire.Send(Wire.Anthropic(Fill(body)), Protocol.Anthropic).ShouldBe(Fill(expected));

    [Theory]
    [InlineData("", """ "system":"Be kind.", """)]
    [InlineData(""" "system":null, """, """ "system":"Be kind.", """)]
    [InlineData(""" "system":"", """, """ "system":"Be kind.", """)]
    [InlineData(""" "system":[], """, """ "system":"Be kind.", """)]
    [InlineData(""" "system":"S\u00e9", """, """ "system":[{"type":"text","text":"Be kind."},{"type":"text","text":"S\u00e9"}], """)]
    [InlineData(
        """ "system": [ {"type":"text","text":"S","cache_control":{"type":"ephemeral"}} ], """,
        """ "system": [{"type":"text","text":"Be kind."}, {"type":"text","text":"S","cache_control":{"type":"ephemeral"}} ], """
    )]
    public void A_preset_goes_before_the_caller_s_own_system_prompt(string own, string expected)
    {
        var body = Fill("{" + own.Trim() + "\"model\":\"m\",\"max_tokens\":9,M}");
        Wire.Send(Wire.Anthropic(body), Protocol.Anthropic, preset: "Be kind.")
            .ShouldBe(Fill("{" + expected.Trim() + "\"model\":\"up\",\"max_tokens\":9,M}"));
    }

    [Fact]
    public void Anthropic_s_most_tokens_are_replaced() =>
        Wire.Send(Wire.Anthropic(Fill("""{"model":"m","max_tokens":9,M}""")), Protocol.Anthropic, maxTokens: 5)
            .ShouldBe(Fill("""{"model":"up","max_tokens":5,M}"""));

    private static string Fill(string body) => body.Replace("M", Messages, StringComparison.Ordinal);
}
