using System.Text.Json;
using Ledger.Api.Decisions;
using Ledger.Domain.Keys;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Decisions;

/// <summary>What the tests of explanations say over and over.</summary>
internal static class Explaining
{
    /// <summary>A provisioning key of an account.</summary>
    public static async Task<string> ManagerAsync(this LedgerApp app, TestAccount account) =>
        (await app.CreateKeyAsync(account.Id, KeyKind.Provisioning)).Secret;

    /// <summary>Spends on a tool of five credits.</summary>
    public static Task<Answer> SpendAsync(this LedgerApp app, string key, string reference, decimal units = 1, string tool = "chat") =>
        app.PostAsync(
            "/api/v1/tools/spend",
            key,
            new
            {
                tool,
                units,
                reference,
            }
        );

    /// <summary>Asks why an answer was as it was.</summary>
    public static Task<Answer> ExplainAsync(this LedgerApp app, string manager, Answer about) =>
        app.GetAsync("/v1/account/decisions/" + about.Header("x-request-id"), manager);

    /// <summary>The one decision of a request, which made again comes to the same.</summary>
    public static async Task<JsonElement> WhyAsync(this LedgerApp app, string manager, Answer about)
    {
        var answer = (await app.ExplainAsync(manager, about)).ShouldBe(200);
        answer.Text("data", "request_id").ShouldBe(about.Header("x-request-id"));
        var decision = answer.Json.GetProperty("data").GetProperty("decisions").EnumerateArray().ShouldHaveSingleItem();
        decision.Text("rerun", "same").ShouldBe("true", decision.ToString());
        return decision;
    }

    /// <summary>A refusal that is explained by a code, by the check that refused, and by nothing that comes after it.</summary>
    public static async Task<JsonElement> WhyRefusedAsync(this LedgerApp app, string manager, Answer about, string code, string check)
    {
        about.Status.ShouldBeGreaterThanOrEqualTo(400, about.ToString());
        var why = await app.WhyAsync(manager, about);
        (why.Text("verdict"), why.Text("code")).ShouldBe(("refused", code), why.ToString());
        (why.Text("rerun", "verdict"), why.Text("rerun", "code")).ShouldBe(("refused", code));
        why.Text("event").ShouldBe("null");
        var checks = why.GetProperty("checks").EnumerateArray().Select(one => (one.Text("check"), one.Text("passed"))).ToList();
        var at = checks.FindIndex(one => one.Item1 == check);
        checks[at].Item2.ShouldBe("false");
        checks[..at].ShouldAllBe(one => one.Item2 == "true");
        checks[(at + 1)..].ShouldAllBe(one => one.Item2 == "null");
        return why;
    }

    /// <summary>A member by its path; numbers name places in lists.</summary>
    public static string? Text(this JsonElement at, params string[] path)
    {
        foreach (var name in path)
        {
            if (int.TryParse(name, out var place))
                at = at[place];
            else if (!at.TryGetProperty(name, out at))
                return null;
        }

        return at.ValueKind == JsonValueKind.String ? at.GetString() : at.GetRawText();
    }

    /// <summary>What writes down what was refused.</summary>
    public static RefusalWriter Writer(this LedgerApp app) => app.Services.GetRequiredService<RefusalWriter>();
}
