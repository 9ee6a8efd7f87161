using Ledger.Api.Http;

namespace Ledger.Api.Hosting;

/// <summary>Whether the server is well.</summary>
/// <param name="Status"><c>live</c>, <c>ready</c> or <c>not_ready</c>.</param>
/// <param name="Reason">Why it is not ready.</param>
public sealed record HealthResponse(string Status, string? Reason);

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: it may be sent requests; where not, why.</summary>
internal static class Health
{
    public static void Map(WebApplication app)
    {
        var readiness = app.Services.GetRequiredService<Readiness>();
        var health = app.MapGroup("/health").WithTags("Operations");
        health
            .MapGet("/live", (Delegate)(static (HttpContext context) => SendAsync(context, 200, "live", null)))
            .WithSummary("Whether the process answers.")
            .Produces<HealthResponse>();
        health
            .MapGet(
                "/ready",
                (Delegate)(
                    async (HttpContext context) =>
                    {
                        var reason = await readiness.CheckAsync(context.RequestAborted);
                        if (reason is not null)
                            context.Response.Headers.RetryAfter = "1";
                        await SendAsync(context, reason is null ? 200 : 503, reason is null ? "ready" : "not_ready", reason);
                    }
                )
            )
            .WithSummary("Whether the server may be sent requests; where not, why.")
            .Produces<HealthResponse>()
            .Produces<HealthResponse>(503, "application/json");
    }

    private static Task SendAsync(HttpContext context, int status, string state, string? reason) =>
        JsonAnswer.SendAsync(
            context,
            status,
            (state, reason),
            static (json, answer) =>
            {
                json.WriteStartObject();
                json.WriteString("status", answer.state);
                if (answer.reason is not null)
                    json.WriteString("reason", answer.reason);
                json.WriteEndObject();
            }
        );
}
