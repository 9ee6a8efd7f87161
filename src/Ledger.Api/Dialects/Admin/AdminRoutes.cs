using Ledger.Api.Access;
using Ledger.Api.Hosting;
using Ledger.Api.Http;

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
                if (operatorKey.Matches(Doorkeeper.TokenOf(context)))
                    return await next(call);
                await ApiErrors.SendAsync(context, AdminErrors.AuthRequired);
                return Results.Empty;
            }
        );
}
