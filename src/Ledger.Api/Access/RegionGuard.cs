namespace Ledger.Api.Access;

/// <summary>
/// Refuses callers from blocked countries before anything is looked at. Health apart: balancers must be able to ask for it from anywhere; and what
/// payment providers tell, who sign it and are nobody's customers. Before that, what a trusted proxy says of the connection is taken.
/// </summary>
internal static class RegionGuard
{
    /// <summary>Guards everything behind it, in the shape of whatever would have answered.</summary>
    public static void UseRegions(this WebApplication app)
    {
        var regions = app.Services.GetRequiredService<Regions>();
        if (regions.HasProxies)
        {
            // This server's address is what its callers know: where one comes back to after a checkout, and what is pasted from the docs.
            app.Use(
                (context, next) =>
                {
                    if (regions.IsSecure(context))
                        context.Request.Scheme = Uri.UriSchemeHttps;
                    return next(context);
                }
            );
        }

        if (!regions.IsActive)
            return;
        app.Use(
            (context, next) =>
            {
                if (IsForEverywhere(context.Request.Path) || !regions.IsBlocked(context))
                    return next(context);
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                return Task.CompletedTask;
            }
        );
    }

    private static bool IsForEverywhere(PathString path) =>
        path.StartsWithSegments("/health", StringComparison.OrdinalIgnoreCase)
        || path.StartsWithSegments("/webhooks", StringComparison.OrdinalIgnoreCase);
}
