namespace Ledger.Api.Dialects.Tools;

/// <summary>What <c>/openapi/v1.json</c> says of routes whose handlers read and write the wire by hand.</summary>
internal static class Describing
{
    /// <summary>Describes a route of the tools dialect with a body.</summary>
    public static RouteHandlerBuilder Describe<TRequest, TResponse>(this RouteHandlerBuilder route, string summary, params int[] refusals)
        where TRequest : notnull => route.Accepts<TRequest>("application/json").Describe<TResponse>(summary, [400, .. refusals]);

    /// <summary>Describes a route of the tools dialect that answers nothing but a status.</summary>
    public static RouteHandlerBuilder DescribeDone(this RouteHandlerBuilder route, string summary)
    {
        route.WithSummary(summary).Produces(204);
        foreach (var status in (int[])[400, 401, 403, 503])
            route.Produces<ToolsErrorResponse>(status, "application/json");
        return route;
    }

    /// <summary>Describes a route of the tools dialect without one.</summary>
    public static RouteHandlerBuilder Describe<TResponse>(this RouteHandlerBuilder route, string summary, params int[] refusals)
    {
        route.WithSummary(summary).Produces<TResponse>(200, "application/json");
        foreach (var status in (int[])[401, 403, .. refusals, 503])
            route.Produces<ToolsErrorResponse>(status, "application/json");
        return route;
    }
}
