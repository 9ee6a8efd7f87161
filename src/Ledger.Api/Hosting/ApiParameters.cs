using Microsoft.OpenApi;

namespace Ledger.Api.Hosting;

/// <summary>
/// What the parameters in addresses mean, for <c>/openapi/v1.json</c>. A name means the same wherever it stands; where a route takes it otherwise, that
/// route is named with it.
/// </summary>
internal static class ApiParameters
{
    private const string Account = "The account's id.";
    private const string FirstTime = "From this time on, such as 2026-07-03T12:00:00Z";
    private const string LastTime = "Before this time";

    private static readonly Dictionary<string, string> Paths = new()
    {
        ["id"] = Account,
        ["key_id"] = "The key's id.",
        ["number"] = "The checkpoint's number, from 1.",
        ["period"] = "A month, such as 2026-11.",
        ["request_id"] = "The request's id, as its answer's X-Request-Id had it.",
        ["spend_id"] = "The spend's id, as the charge's answer and the activity name it.",
    };

    private static readonly Dictionary<string, string> Queries = new()
    {
        ["account"] = Account,
        ["account /admin/webhooks/deliveries"] = "Only those of this account, by its id.",
        ["after"] = "Only events after this version.",
        ["after /v1/checkpoints"] = "Only checkpoints after this number.",
        ["after_id"] = "Only models that stand after this one in the list.",
        ["at"] = "As of this moment: a day (its end, UTC), or a time such as 2026-07-03T12:00:00Z. Now where it is missing.",
        ["at /admin/reports/trial-balance"] =
            "A day: what is booked up to its end, UTC. A time such as 2026-07-03T12:00:00Z: what was recorded by then. Today where it is missing.",
        ["at /v1/account/statements/{period}"] =
            "As of this moment, which lies in the month: a day, or a time. The month's end where it is missing.",
        ["at /admin/accounts/{id}/statements/{period}"] =
            "As of this moment, which lies in the month: a day, or a time. The month's end where it is missing.",
        ["before_id"] = "Only models that stand before this one in the list.",
        ["code"] = "Only refusals with this code, such as insufficient_credits.",
        ["cursor"] = "The next of the page before; the first page where it is missing.",
        ["from"] = "The first day, UTC, such as 2026-07-03. 29 days before the last where it is missing.",
        ["from /api/v1/credits/usage"] = FirstTime + ", or a day.",
        ["from /admin/payments"] = FirstTime + "; 30 days ago where it is missing.",
        ["from /v1/account/journal"] = "The first day, UTC, such as 2026-07-03. From the beginning where it is missing.",
        ["from /admin/accounts/{id}/journal"] = "The first day, UTC, such as 2026-07-03. From the beginning where it is missing.",
        ["from /admin/reports/deferred-revenue"] =
            "The first day, UTC, such as 2026-07-01. The first of the last day's month where it is missing.",
        ["from /admin/reports/breakage"] = "The first day, UTC, such as 2026-07-01. The first of the last day's month where it is missing.",
        ["group"] = "day, or month. By day where it is missing.",
        ["group_by"] = "What to add up by, with commas between: day, hour, model, key, tool, environment.",
        ["group_by /v1/account/refusals"] = "minute, hour or day. By day where it is missing.",
        ["key_id"] = "Only what this key did, by its id.",
        ["limit"] = "How many on a page, 1 to 1000. 100 where it is missing.",
        ["limit /v1/account/activity"] = "How many lines on a page, 1 to 10000. 1000 where it is missing.",
        ["limit /api/v1/credits/usage"] = "How many rows, 1 to 1000, which is also how many where it is missing.",
        ["offset"] = "How many rows to leave out, the newest first.",
        ["outcome"] = "Only what came out so: done, repeated, ignored, mismatched, unmatched or refused.",
        ["position"] = "As of this position of the log.",
        ["position /v1/account/journal"] = "Only what stands at or before this position of the log.",
        ["position /admin/accounts/{id}/journal"] = "Only what stands at or before this position of the log.",
        ["provider"] = "Only payments through this provider, such as stripe.",
        ["query"] = "A part of the e-mail address, or the whole id. All accounts where it is missing.",
        ["service_type"] = "Only charges of this service.",
        ["state"] = "waiting, delivered or dead. All where it is missing.",
        ["to"] = "The last day, UTC. Today where it is missing.",
        ["to /api/v1/credits/usage"] = LastTime + ", or this day's beginning.",
        ["to /admin/payments"] = LastTime + "; now where it is missing.",
        ["to /v1/account/journal"] = "The last day, UTC. Up to now where it is missing.",
        ["to /admin/accounts/{id}/journal"] = "The last day, UTC. Up to now where it is missing.",
        ["version"] = "Right after the account's event of this version; not beside at.",
        ["when"] = "now, or period_end: with the period that is paid, also where it is missing.",
        ["when /admin/accounts/{id}/subscription"] = "now, or period_end: with the period that is paid. Now where it is missing.",
        ["wait"] = "How many seconds to wait for the report, 0 to 60. 10 where it is missing.",
    };

    /// <summary>What a parameter of a route means; null where nobody said.</summary>
    public static string? Of(ParameterLocation? place, string name, string path)
    {
        if (place == ParameterLocation.Query && name == "limit" && path.EndsWith("/models", StringComparison.Ordinal))
            return "How many models, 1 to 1000, which is also how many where it is missing.";
        if (place == ParameterLocation.Query)
            return Queries.GetValueOrDefault($"{name} {path}") ?? Queries.GetValueOrDefault(name);
        return (name, path) switch
        {
            ("id", _) when path.Contains("/models/", StringComparison.Ordinal) => "The name of a model, or another name that leads to one.",
            ("id", _) when path.Contains("/deliveries/", StringComparison.Ordinal) => "The delivery's id.",
            _ => Paths.GetValueOrDefault(name),
        };
    }
}
