using Ledger.Testing;

namespace Ledger.Api.Tests.Gateway;

/// <summary>What refusals look like where OpenAI's protocol is spoken.</summary>
internal static class OpenAiAssertions
{
    /// <summary>A refusal: <c>{"error":{"message","type","param","code"}}</c> in this order and nothing else.</summary>
    public static Answer ShouldBeOpenAiError(this Answer answer, int status, string type, string? param, string code)
    {
        answer.ShouldBe(status);
        answer.Json.EnumerateObject().ShouldHaveSingleItem().Name.ShouldBe("error");
        var error = answer.Json.GetProperty("error");
        error.EnumerateObject().Select(member => member.Name).ShouldBe(["message", "type", "param", "code"], answer.ToString());
        error.GetProperty("message").GetString().ShouldNotBeNullOrWhiteSpace();
        error.GetProperty("type").GetString().ShouldBe(type, answer.ToString());
        error.GetProperty("param").GetString().ShouldBe(param, answer.ToString());
        error.GetProperty("code").GetString().ShouldBe(code, answer.ToString());
        answer.Header("x-request-id").ShouldNotBeNullOrWhiteSpace(answer.ToString());
        answer.ShouldHave("x-should-retry", status is 402 or 429 or >= 500 ? null : "false");
        return answer;
    }
}
