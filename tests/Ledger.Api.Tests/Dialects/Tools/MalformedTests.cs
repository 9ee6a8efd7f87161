using System.Text;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary>Everything that can be wrong with a body. Nothing of it changes anything, and each answer names what is wrong.</summary>
public sealed class MalformedTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    /// <summary>Route, body, the member that the answer blames. In bodies <c>~xx</c> is one byte, in hex.</summary>
    public static TheoryData<string, string, string> Bodies =>
        new()
        {
            // Not JSON at all.
            { "spend", "", "body" },
            { "spend", " ", "body" },
            { "spend", "tool=chat&units=1&reference=r", "body" },
            { "spend", "{", "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"r" """, "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"r",}""", "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"r"} x""", "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"r"}{}""", "body" },
            { "spend", """{tool:"chat","units":1,"reference":"r"}""", "body" },
            { "spend", """{'tool':'chat','units':1,'reference':'r'}""", "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"r"/**/}""", "body" },
            { "spend", """{"tool":"chat","units":01,"reference":"r"}""", "body" },
            { "spend", """{"tool":"chat","units":.5,"reference":"r"}""", "body" },
            { "spend", """{"tool":"chat","units":+1,"reference":"r"}""", "body" },
            { "spend", """{"tool":"chat","units":1.,"reference":"r"}""", "body" },
            { "spend", """{"tool":"chat","units":NaN,"reference":"r"}""", "body" },
            { "spend", """{"tool":"chat","units":Infinity,"reference":"r"}""", "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"a~0ab"}""", "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"a~00b"}""", "body" },
            { "spend", "~ef~bb~bf{}", "body" },
            { "spend", "~ff~fe{~00}~00", "body" },
            // JSON, but not an object.
            { "spend", "null", "body" },
            { "spend", "1", "body" },
            { "spend", "\"{}\"", "body" },
            { "spend", """[{"tool":"chat","units":1,"reference":"r"}]""", "body" },
            // Members that are missing, unknown, or there twice.
            { "spend", "{}", "tool" },
            { "spend", "{}", "units" },
            { "spend", "{}", "reference" },
            { "spend", """{"units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":"chat","reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","price":0}""", "price" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","ttl_seconds":1}""", "ttl_seconds" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","hold_id":"x"}""", "hold_id" },
            { "spend", """{"Tool":"chat","units":1,"reference":"r"}""", "Tool" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","":1}""", "body" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","\ud800":1}""", "?" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","~ff":1}""", "?" },
            { "spend", """{"tool":"chat","tool":"chat","units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":"chat","units":1,"units":1,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","reference":"r"}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"un\u0069ts":2,"reference":"r"}""", "units" },
            // Units.
            { "spend", """{"tool":"chat","units":0,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":-1,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":-0.0,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":0.0000000001,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1.0000000001,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1000000000.1,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1000000001,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1e10,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1e400,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1e-400,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":1e99999999999,"reference":"r"}""", "units" },
            {
                "spend",
                """{"tool":"chat","units":99999999999999999999999999999999999999999999999999999999999999999,"reference":"r"}""",
                "units"
            },
            { "spend", """{"tool":"chat","units":"1","reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":null,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":true,"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":[1],"reference":"r"}""", "units" },
            { "spend", """{"tool":"chat","units":{"value":1},"reference":"r"}""", "units" },
            // Tools.
            { "spend", """{"tool":"","units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":null,"units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":1,"units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":["chat"],"units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":"chat\u0000","units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":"\ud800","units":1,"reference":"r"}""", "tool" },
            { "spend", """{"tool":"~ff","units":1,"reference":"r"}""", "tool" },
            { "spend", $$"""{"tool":"{{new string('x', 101)}}","units":1,"reference":"r"}""", "tool" },
            // References.
            { "spend", """{"tool":"chat","units":1,"reference":""}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":null}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":1}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":["r"]}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":"a\u0000b"}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":"\ud800"}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":"\udc00\ud800"}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":"~ff"}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":"~c0~80"}""", "reference" },
            { "spend", """{"tool":"chat","units":1,"reference":"~ed~a0~80"}""", "reference" },
            { "spend", $$"""{"tool":"chat","units":1,"reference":"{{new string('x', 201)}}"}""", "reference" },
            // Metadata and duration.
            { "spend", """{"tool":"chat","units":1,"reference":"r","metadata":"text"}""", "metadata" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","metadata":[]}""", "metadata" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","metadata":null}""", "metadata" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","metadata":{"a":"~ff"}}""", "metadata" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","metadata":{},"metadata":{}}""", "metadata" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","audio_duration":-1}""", "audio_duration" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","audio_duration":"1"}""", "audio_duration" },
            { "spend", """{"tool":"chat","units":1,"reference":"r","audio_duration":null}""", "audio_duration" },
            // The other routes allow what they need and nothing else.
            { "check", "{}", "tool" },
            { "check", """{"tool":"chat","units":0}""", "units" },
            { "check", """{"tool":"chat","units":1,"reference":"r"}""", "reference" },
            { "reserve", """{"tool":"chat","units":1}""", "reference" },
            { "reserve", """{"tool":"chat","units":1,"reference":"r","metadata":{}}""", "metadata" },
            { "reserve", """{"tool":"chat","units":1,"reference":"r","ttl_seconds":0}""", "ttl_seconds" },
            { "reserve", """{"tool":"chat","units":1,"reference":"r","ttl_seconds":86401}""", "ttl_seconds" },
            { "reserve", """{"tool":"chat","units":1,"reference":"r","ttl_seconds":1.5}""", "ttl_seconds" },
            { "reserve", """{"tool":"chat","units":1,"reference":"r","ttl_seconds":"60"}""", "ttl_seconds" },
            { "settle", "{}", "hold_id" },
            { "settle", """{"hold_id":"00000000-0000-8000-8000-000000000000"}""", "units" },
            { "settle", """{"hold_id":"00000000-0000-8000-8000-000000000000","units":0}""", "units" },
            { "settle", """{"hold_id":"","units":1}""", "hold_id" },
            { "settle", """{"hold_id":"not-a-uuid","units":1}""", "hold_id" },
            { "settle", """{"hold_id":"{00000000-0000-8000-8000-000000000000}","units":1}""", "hold_id" },
            { "settle", """{"hold_id":7,"units":1}""", "hold_id" },
            { "release", "{}", "hold_id" },
            { "release", """{"hold_id":null}""", "hold_id" },
            { "release", """{"hold_id":"00000000-0000-8000-8000-000000000000","units":1}""", "units" },
            { "spend/batch", "{}", "items" },
            { "spend/batch", "[]", "body" },
            { "spend/batch", """{"items":[]}""", "items" },
            { "spend/batch", """{"items":{}}""", "items" },
            { "spend/batch", """{"items":null}""", "items" },
            { "spend/batch", """{"items":[{"tool":"chat","units":1,"reference":"r"}],"more":1}""", "body" },
            { "spend/batch", """{"items":[{"tool":"chat","units":1,"reference":"r"}],"items":[]}""", "body" },
            { "spend/batch", """{"items":[],"items":[{"tool":"chat","units":1,"reference":"r"}]}""", "body" },
            { "spend/batch", """{"items":[{"tool":"chat","units":1,"reference":"r"}""", "body" },
            { "spend/batch", """{"\ud800":[{"tool":"chat","units":1,"reference":"r"}]}""", "body" },
            { "spend/batch", """{"items":[{"tool":"chat","units":1,"reference":"r"}]}x""", "body" },
        };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task A_body_that_is_wrong_is_refused_by_name_and_changes_nothing(string route, string body, string field)
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var before = await _app.StandingAsync(account.Id);
        var answer = await _app.PostAsync("/api/v1/tools/" + route, account.Key, Bytes(body));
        answer.ShouldBeRefused(400, "invalid_request").ShouldHave("x-should-retry", "false").ShouldHave("content-type", "application/json");
        answer.Text("fields", field).ShouldNotBeNullOrWhiteSpace(answer.ToString());
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_named_at_once()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        (await _app.PostAsync("/api/v1/tools/spend", account.Key, """{"tool":7,"units":0,"colour":"red","metadata":1}""")).ShouldBe(
            400,
            """{"ok":false,"error":"invalid_request","message":"The request is invalid; see fields.","fields":{"tool":"must be a text of 1 to 100 characters","""
                + "\"units\":\"must be a number above 0 and up to 1000000000, with at most nine decimal places\",\"colour\":\"is not known here\","
                + "\"metadata\":\"must be a JSON object\",\"reference\":\"is required\"}}"
        );
    }

    [Fact]
    public async Task A_thousand_unknown_members_are_not_listed_a_thousand_times()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var members = string.Join(',', Enumerable.Range(0, 1000).Select(n => $"\"m{n}\":{n}"));
        var answer = (await _app.PostAsync("/api/v1/tools/spend", account.Key, "{" + members + "}")).ShouldBeRefused(
            400,
            "invalid_request"
        );
        answer.Json.GetProperty("fields").EnumerateObject().Count().ShouldBe(20);
    }

    [Fact]
    public async Task A_long_unknown_name_is_cut_without_breaking_a_character()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var name = new string('x', 99) + "\uD83D\uDE00" + new string('y', 100);
        var answer = (
            await _app.PostAsync("/api/v1/tools/spend", account.Key, $$"""{"tool":"chat","units":1,"reference":"r","{{name}}":1}""")
        ).ShouldBeRefused(400, "invalid_request");
        answer.Json.GetProperty("fields").EnumerateObject().Single().Name.ShouldBe(new string('x', 99));
    }

    [Fact]
    public async Task What_is_nested_too_deep_is_refused()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var deep = string.Concat(Enumerable.Repeat("""{"a":""", 100)) + "1" + new string('}', 100);
        (
            await _app.PostAsync("/api/v1/tools/spend", account.Key, $$"""{"tool":"chat","units":1,"reference":"r","metadata":{{deep}}}""")
        ).ShouldBeRefused(400, "invalid_request");
    }

    [Fact]
    public async Task Order_and_white_space_do_not_matter()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                "\r\n\t { \"reference\" : \"\\u0072\" , \"un\\u0069ts\":\n1, \"tool\":\"ch\\u0061t\" } \n"
            )
        ).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""");
        (
            await _app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r",
                }
            )
        ).ShouldHave("Idempotent-Replayed", "true");
    }

    private static byte[] Bytes(string text)
    {
        var bytes = new List<byte>();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '~')
            {
                bytes.AddRange(Convert.FromHexString(text.AsSpan(i + 1, 2)));
                i += 2;
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text, i, 1));
            }
        }

        return [.. bytes];
    }
}
