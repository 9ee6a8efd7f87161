using Ledger.Api.Application;
using Ledger.EventStore;
using Npgsql;

namespace Ledger.Api.Http;

/// <summary>How a dialect speaks of what no handler has answered: bad requests, unknown routes, outages, bugs.</summary>
/// <param name="Prefix">The routes that it speaks for.</param>
/// <param name="SendAsync">Sends a fault in the dialect's shape.</param>
public sealed record FaultShape(string Prefix, Func<HttpContext, Fault, Task> SendAsync)
{
    /// <summary>Whether it is wanted by a request; null where its routes say enough.</summary>
    public Func<HttpContext, bool>? IsWanted { get; init; }
}

/// <summary>What went wrong, in words that may be shown: never a stack trace, never SQL.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">A stable name in snake case.</param>
/// <param name="Message">One sentence.</param>
public readonly record struct Fault(int Status, string Code, string Message);

/// <summary>Turns exceptions, and statuses without a body, into the dialect's own error.</summary>
internal static partial class Faults
{
    // A server that is too old gets better by an upgrade or by a balancer that sends the request elsewhere; neither takes one second.
    private const int SkewSeconds = 10;

    /// <summary>Guards everything behind it.</summary>
    public static void UseFaults(this WebApplication app, params FaultShape[] shapes)
    {
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Ledger.Api.Http.Faults");
        app.Use(
            async (context, next) =>
            {
                try
                {
                    await next(context);
                    if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null })
                        await SendAsync(context, shapes, OfStatus(context.Response.StatusCode));
                }
                catch (Exception) when (context.RequestAborted.IsCancellationRequested)
                {
                    // Nobody listens any more. What was sent to the ledger is decided all the same; a repeat gets its answer.
                }
                catch (Exception e) when (!context.Response.HasStarted)
                {
                    if (e is LedgerUnavailableException away)
                        LogAway(logger, context.TraceIdentifier, away.Message);
                    else if (e is not BadHttpRequestException)
                        LogFault(logger, context.TraceIdentifier, e);

                    if (RetryAfter(e) is { } seconds)
                        context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
                    await SendAsync(context, shapes, OfException(e));
                }
            }
        );
    }

    /// <summary>After how many seconds it is worth coming back; null where that helps nothing.</summary>
    private static int? RetryAfter(Exception e) =>
        e switch
        {
            LedgerUnavailableException away => (int)Math.Ceiling(away.RetryAfter.TotalSeconds),
            UnknownEventTypeException => SkewSeconds,
            NpgsqlException when Outage.Is(e) => 1,
            _ => null,
        };

    private static Task SendAsync(HttpContext context, FaultShape[] shapes, Fault fault)
    {
        foreach (var shape in shapes)
        {
            if (
                context.Request.Path.StartsWithSegments(shape.Prefix, StringComparison.OrdinalIgnoreCase)
                && shape.IsWanted?.Invoke(context) != false
            )
                return shape.SendAsync(context, fault);
        }

        return JsonAnswer.SendAsync(
            context,
            fault.Status,
            fault,
            static (json, fault) =>
            {
                json.WriteStartObject();
                json.WriteStartObject("error");
                json.WriteString("code", fault.Code);
                json.WriteString("message", fault.Message);
                json.WriteEndObject();
                json.WriteEndObject();
            }
        );
    }

    private static Fault OfStatus(int status) =>
        status switch
        {
            403 => new(403, "forbidden", "This service is not available in your country."),
            404 => new(404, "not_found", "There is nothing at this address."),
            405 => new(405, "method_not_allowed", "This address does not take this method."),
            415 => new(415, "unsupported_media_type", "Send JSON, with Content-Type: application/json."),
            413 => new(413, "request_too_large", "The body is larger than 10 MiB."),
            _ => new(status, "invalid_request", "The request could not be answered."),
        };

    private static Fault OfException(Exception e) =>
        e switch
        {
            LedgerUnavailableException away => new(503, "unavailable", away.Message),

            // PostgreSQL refusing a statement of ours is a bug: a repeat would meet it again.
            NpgsqlException when Outage.Is(e) => new(503, "unavailable", "The ledger's database is away; come back in a moment."),
            BadHttpRequestException { StatusCode: var status and not 400 } => OfStatus(status),
            BadHttpRequestException => new(400, "invalid_request", "The request is malformed."),
            UnknownEventTypeException => new(
                503,
                "version_skew",
                "A newer server has written this account's history; this one must be upgraded."
            ),
            _ => new(500, "internal_error", "Something broke on our side; nothing was charged unless the ledger says so."),
        };

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed.")]
    private static partial void LogFault(ILogger logger, string requestId, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Request {RequestId} was answered 503: {Reason}")]
    private static partial void LogAway(ILogger logger, string requestId, string reason);
}
