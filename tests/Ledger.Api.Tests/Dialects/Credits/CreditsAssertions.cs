using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Credits;

/// <summary>What the credits dialect's refusals look like.</summary>
internal static class CreditsAssertions
{
    /// <summary>A refusal in words: <c>{"detail":"…"}</c> and nothing else.</summary>
    public static Answer ShouldBeRefusedInWords(this Answer answer, int status)
    {
        answer.ShouldBe(status);
        answer.Json.EnumerateObject().Select(member => member.Name).ShouldBe(["detail"], answer.ToString());
        answer.Text("detail").ShouldNotBeNullOrWhiteSpace(answer.ToString());
        answer.Header("x-request-id").ShouldNotBeNullOrWhiteSpace(answer.ToString());
        answer.ShouldHave("x-should-retry", status is 402 or 429 or >= 500 ? null : "false");
        return answer;
    }

    /// <summary>A refusal of bad input that names exactly these places, such as <c>body.amount_usd</c>.</summary>
    public static Answer ShouldFaultAt(this Answer answer, params string[] places)
    {
        answer.ShouldBe(422).ShouldHave("x-should-retry", "false");
        var detail = answer.Json.GetProperty("detail").EnumerateArray().ToList();
        detail
            .Select(fault => string.Join('.', fault.GetProperty("loc").EnumerateArray().Select(part => part.GetString())))
            .ShouldBe(places, ignoreOrder: true, answer.ToString());
        foreach (var fault in detail)
        {
            fault.EnumerateObject().Select(member => member.Name).ShouldBe(["loc", "msg", "type"]);
            fault.GetProperty("msg").GetString().ShouldNotBeNullOrWhiteSpace(answer.ToString());
        }

        return answer;
    }
}
