using Ledger.Api.Http;

namespace Ledger.Api.Hosting;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: it may be sent requests; where not, why.</summary>
internal static class Health
{
    public static void Map(WebApplication app)
    {
        var readiness = app.Services.GetRequiredService<Readiness>();
        app.MapGet("/health/live", static (HttpContext context) => SendAsync(context, 200, "live", null)).WithTags("Operations").WithSummary("Whether the process answers.");
        app.MapGet("/health/ready", async (HttpContext context) =>
        {
            var reason = await readiness.CheckAsync(context.RequestAborted);
            if (reason is not null) context.Response.Headers.RetryAfter = "1";
            await SendAsync(context, reason is null ? 200 : 503, reason is null ? "ready" : "not_ready", reason);
        }).WithTags("Operations").WithSummary("Whether the server may be sent requests; where not, why.");
    }

    private static Task SendAsync(HttpContext context, int status, string state, string? reason) =>
        JsonAnswer.SendAsync(context, status, (state, reason), static (json, answer) =>
        {
            json.WriteStartObject();
            json.WriteString("status", answer.state);
            if (answer.reason is not null) json.WriteString("reason", answer.reason);
            json.WriteEndObject();
        });
}
