namespace Ledger.Api.Http;

/// <summary>What <c>/openapi/v1.json</c> says of routes whose refusals have the shape <c>{"error":{"code","message",…}}</c>.</summary>
internal static class ApiRoutes
{
    /// <summary>Describes a route with a body.</summary>
    public static RouteHandlerBuilder Describe<TRequest, TResponse>(
        this RouteHandlerBuilder route,
        string summary,
        int status,
        params int[] refusals
    )
        where TRequest : notnull =>
        route
            .Accepts<TRequest>("application/json")
            .Produces<TResponse>(status, "application/json")
            .Describe(summary, [400, 413, 415, .. refusals]);

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

    /// <summary>Describes a route with a body that answers nothing but a status.</summary>
    public static RouteHandlerBuilder DescribeWithoutAnswer<TRequest>(
        this RouteHandlerBuilder route,
        string summary,
        int status,
        int refusal
    )
        where TRequest : notnull =>
        route.Accepts<TRequest>("application/json").Produces(status).Describe(summary, [400, 413, 415, refusal]);

    private static RouteHandlerBuilder Describe(this RouteHandlerBuilder route, string summary, int[] refusals)
    {
        route.WithSummary(summary);
        foreach (var status in (int[])[401, 403, .. refusals, 429, 503])
            route.Produces<ApiErrorResponse>(status, "application/json");
        return route;
    }
}

/// <summary>A refusal.</summary>
/// <param name="Error">What is the matter.</param>
public sealed record ApiErrorResponse(ApiErrorBody Error);

/// <summary>What is the matter.</summary>
/// <param name="Code">A stable string.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="Fields">With bad input: what is wrong, by member.</param>
public sealed record ApiErrorBody(string Code, string Message, IReadOnlyDictionary<string, string>? Fields);
