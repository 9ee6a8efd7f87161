namespace Ledger.Api.Dialects.Credits;

/// <summary>What <c>/openapi/v1.json</c> says of the credits dialect.</summary>
internal static class Describing
{
    /// <summary>Describes a route with a body.</summary>
    public static RouteHandlerBuilder Describe<TRequest, TResponse>(this RouteHandlerBuilder route, string summary, params int[] refusals)
        where TRequest : notnull => route.Accepts<TRequest>("application/json").Describe<TResponse>(summary, [400, 413, 415, .. refusals]);

    /// <summary>Describes a route without one.</summary>
    public static RouteHandlerBuilder Describe<TResponse>(this RouteHandlerBuilder route, string summary, params int[] refusals)
    {
        route.WithSummary(summary).Produces<TResponse>(200, "application/json");
        foreach (var status in (int[])[401, 403, .. refusals, 429, 503])
            route.Produces<CreditsErrorResponse>(status, "application/json");
        return route;
    }
}
