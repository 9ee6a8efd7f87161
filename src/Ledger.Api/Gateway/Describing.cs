namespace Ledger.Api.Gateway;

/// <summary>What <c>/openapi/v1.json</c> says of the gateway's routes.</summary>
internal static class Describing
{
    /// <summary>Describes a route with a body.</summary>
    public static RouteHandlerBuilder Describe<TRequest, TResponse>(
        this RouteHandlerBuilder route,
        string summary,
        int status,
        params int[] refusals
    )
        where TRequest : notnull =>
        route.Accepts<TRequest>("application/json").Describe<TResponse>(summary, status, [400, 413, 415, .. refusals]);

    /// <summary>Describes a route without one.</summary>
    public static RouteHandlerBuilder Describe<TResponse>(this RouteHandlerBuilder route, string summary, int status, params int[] refusals)
    {
        route.WithSummary(summary).Produces<TResponse>(status, "application/json");
        foreach (var refusal in (int[])[401, 403, .. refusals, 429, 503])
            route.Produces<OpenAiErrorResponse>(refusal, "application/json");
        return route;
    }
}
