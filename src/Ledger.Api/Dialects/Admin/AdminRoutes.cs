using Ledger.Api.Hosting;
using Ledger.Api.Keys;

namespace Ledger.Api.Dialects.Admin;

/// <summary>Who may use the routes, and what <c>/openapi/v1.json</c> says of them.</summary>
internal static class AdminRoutes
{
    /// <summary>Lets only the operator pass. One guard for all routes, so that none can forget it.</summary>
    public static RouteGroupBuilder OnlyFor(this RouteGroupBuilder routes, OperatorKey operatorKey) =>
        routes.AddEndpointFilter(
            async (call, next) =>
            {
                var context = call.HttpContext;
                if (operatorKey.Matches(KeyDirectory.TokenOf(context)))
                    return await next(call);
                context.Response.Headers.WWWAuthenticate = "Bearer";
                await AdminErrors.SendAsync(context, AdminErrors.AuthRequired);
                return Results.Empty;
            }
        );

    /// <summary>Describes a route with a body; where it answers 201, a repeat is answered 200.</summary>
    public static RouteHandlerBuilder Describe<TRequest, TResponse>(
        this RouteHandlerBuilder route,
        string summary,
        int status,
        params int[] refusals
    )
        where TRequest : notnull =>
        route.Accepts<TRequest>("application/json").Describe<TResponse>(summary, status, [400, 413, 415, .. refusals]);

    /// <summary>Describes a route without a body.</summary>
    public static RouteHandlerBuilder Describe<TResponse>(
        this RouteHandlerBuilder route,
        string summary,
        int status,
        params int[] refusals
    ) => route.Produces<TResponse>(status, "application/json").Describe(summary, refusals);

    /// <summary>Describes a route that answers nothing but a status.</summary>
    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder route, string summary, int status, int refusal) =>
        route.Produces(status).Describe(summary, [refusal]);

    private static RouteHandlerBuilder Describe(this RouteHandlerBuilder route, string summary, int[] refusals)
    {
        route.WithSummary(summary);
        foreach (var status in (int[])[401, .. refusals, 503])
            route.Produces<AdminErrorResponse>(status, "application/json");
        return route;
    }
}
