using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>What a provider says went wrong, without its secrets.</summary>
public sealed class UpstreamErrorsTests
{
    [Theory]
    [InlineData("""{"error":{"message":"Too long.","type":"invalid_request_error","param":null,"code":null}}""", "Too long.")]
    [InlineData("""{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 5 > 4"}}""", "max_tokens: 5 > 4")]
    [InlineData("""{"error":"Model is loading"}""", "Model is loading")]
    [InlineData("""{"message":"No."}""", "No.")]
    [InlineData("""{"detail":"Not found"}""", "Not found")]
    [InlineData("""{"detail":[{"loc":["body"],"msg":"field required"}]}""", "field required")]
    [InlineData("""[{"error":{"code":400,"message":"Bad."}}]""", "Bad.")]
    [InlineData("""{"error":{"message":"a\r\nb\tc\u0000\u001b[31m d\u202e"}}""", "a b c [31m d")]
    [InlineData(
        """{"error":{"message":"This model's most is max_tokens: 8192, not 100000"}}""",
        "This model's most is max_tokens: 8192, not 100000"
    )]
    [InlineData("""{"error":{"message":""}}""", UpstreamErrors.Unknown)]
    [InlineData("""{"error":{"code":5}}""", UpstreamErrors.Unknown)]
    [InlineData("""{"error":{"message":"\ud83d"}}""", UpstreamErrors.Unknown)]
    [InlineData("""{}""", UpstreamErrors.Unknown)]
    [InlineData("<html><title>502</title></html>", UpstreamErrors.Unknown)]
    [InlineData("", UpstreamErrors.Unknown)]
    public void The_message_for_people_is_found(string body, string message) =>
        UpstreamErrors.MessageOf(Wire.Bytes(body)).ShouldBe(message);

    [Theory]
    [InlineData("Incorrect API key provided: sk-proj-abc123***xyz. See the docs.", "proj-abc123")]
    [InlineData("Incorrect API key provided: 0a1b2c3d. See the docs.", "0a1b2c3d")]
    [InlineData("sk-ant-api03-AbCdEf-12345 is disabled", "AbCdEf")]
    [InlineData("Authorization: Bearer abcdef123456 refused", "abcdef123456")]
    [InlineData("authorization=Bearer abcdef123456", "abcdef123456")]
    [InlineData("GET https://api.example.com/v1?api_key=abcd1234efgh&x=1 failed", "abcd1234efgh")]
    [InlineData("GET https://user:hunter2@api.example.com/ failed", "hunter2")]
    [InlineData("GET https://user@api.example.com/ failed", "user@")]
    [InlineData("""x-api-key: "k1234567" is wrong""", "k1234567")]
    [InlineData("token AIzaSyD-1234567890abcdefghijklmnopqrstu", "AIzaSyD")]
    [InlineData("gsk_abcdEFGH1234 and xai-abcdEFGH1234", "EFGH1234")]
    [InlineData("no prefix 0123456789abcdef0123456789abcdef at all", "0123456789abcdef")]
    [InlineData("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc-def", "hbGci")]
    public void Nothing_that_looks_like_a_secret_comes_down(string message, string secret)
    {
        var body = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { error = new { message } });
        var told = UpstreamErrors.MessageOf(body);
        told.ShouldNotContain(secret);
        told.ShouldContain("***");
    }

    [Fact]
    public void A_message_is_at_most_500_characters_and_cuts_no_character_in_two()
    {
        foreach (var length in new[] { 499, 500, 501, 5_000, 50_000 })
        {
            var text = string.Concat(Enumerable.Repeat("a 😀", length));
            var told = UpstreamErrors.MessageOf(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { error = text }));
            told.Length.ShouldBeLessThanOrEqualTo(UpstreamErrors.Max);
            told.ShouldEndWith("…");
            told.ShouldNotContain('\uFFFD');
            told.EnumerateRunes().ShouldNotContain(System.Text.Rune.ReplacementChar);
        }
    }

    [Fact]
    public void A_message_of_500_characters_is_whole()
    {
        var text = string.Concat(Enumerable.Repeat("word ", 100)).TrimEnd() + "s";
        UpstreamErrors.MessageOf(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { error = text })).ShouldBe(text);
    }
}
