using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ledger.Api.Http;

/// <summary>One refusal as several dialects speak it: <c>{"error":{"code","message","fields"?,…}}</c>.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">The stable string.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="Field">The member that is at fault, where it is one.</param>
internal readonly record struct ApiError(int Status, string Code, string Message, string? Field = null);

/// <summary>Sends what those dialects share.</summary>
internal static class ApiErrors
{
    private static readonly ApiError Invalid = new(400, "invalid_request", "The request is invalid; see fields.");

    /// <summary>For everything under a prefix that no handler answered.</summary>
    public static FaultShape ShapeOf(string prefix) =>
        new(prefix, static (context, fault) => SendAsync(context, new ApiError(fault.Status, fault.Code, fault.Message)));

    /// <summary>Answers with an error.</summary>
    public static Task SendAsync(HttpContext context, ApiError error)
    {
        if (error.Status == 401)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        return SendAsync(context, error, error.Field is { } field ? [new(field, error.Message)] : []);
    }

    /// <summary>Answers with the faults of a request.</summary>
    public static Task SendAsync(HttpContext context, JsonFaults faults) => SendAsync(context, Invalid, faults.All);

    /// <summary>Answers that there were too many requests.</summary>
    public static Task SendAsync(HttpContext context, TimeSpan retryAfter)
    {
        SetRetryAfter(context, retryAfter);
        return SendAsync(context, new ApiError(429, "rate_limited", "Too many requests; come back when the window is over."));
    }

    /// <summary>Says when to come back, in whole seconds, at least one.</summary>
    public static void SetRetryAfter(HttpContext context, TimeSpan retryAfter) =>
        context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(retryAfter.TotalSeconds))
            .ToString(CultureInfo.InvariantCulture);

    /// <summary>Reads a body; where something is wrong with it, answers that with every fault, and gives nothing.</summary>
    public static async Task<T?> ReadAsync<T>(HttpContext context, Func<JsonMembers, JsonElement, JsonFaults, T> read)
        where T : class
    {
        var faults = new JsonFaults();
        using var document = await JsonMembers.ParseAsync(context, faults);
        var request = document is null ? null : read(new(document.RootElement, "", faults), document.RootElement, faults);
        if (faults.IsEmpty)
            return request;
        await SendAsync(context, faults);
        return null;
    }

    /// <summary>How many items a page has: the query's <c>limit</c>, 1 to 1,000, or 100; answered 400 where it is something else.</summary>
    public static async Task<int?> PageSizeAsync(HttpContext context, string? limit, JsonFaults faults)
    {
        var size = 100;
        if (
            limit is not null
            && !(int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size is >= 1 and <= 1000)
        )
            faults.Add("limit", "must be a whole number from 1 to 1000");
        if (faults.IsEmpty)
            return size;
        await SendAsync(context, faults);
        return null;
    }

    /// <summary>Answers with a value.</summary>
    public static Task SendAsync<T>(HttpContext context, int status, T answer, JsonTypeInfo<T> type) =>
        JsonAnswer.SendAsync(
            context,
            status,
            (answer, type),
            static (json, state) => JsonSerializer.Serialize(json, state.answer, state.type)
        );

    private static Task SendAsync(HttpContext context, ApiError error, IReadOnlyList<JsonFault> fields)
    {
        // Only what may succeed later, unchanged, is worth a repeat by itself.
        if (error.Status is not (402 or 429 or >= 500))
            context.Response.Headers["x-should-retry"] = "false";
        return JsonAnswer.SendAsync(
            context,
            error.Status,
            (error, fields),
            static (json, state) =>
            {
                json.WriteStartObject();
                json.WriteStartObject("error");
                json.WriteString("code", state.error.Code);
                json.WriteString("message", state.error.Message);
                if (state.fields.Count > 0)
                {
                    json.WriteStartObject("fields");
                    foreach (var fault in state.fields.DistinctBy(fault => fault.Path))
                        json.WriteString(fault.Path.Length == 0 ? "body" : fault.Path, fault.Message);
                    json.WriteEndObject();
                }

                json.WriteEndObject();
                json.WriteEndObject();
            }
        );
    }
}
