namespace Ledger.Api.Access;

/// <summary>Refuses callers from blocked countries before anything is looked at, health apart: balancers must be able to ask for it from anywhere.</summary>
internal static class RegionGuard
{
    /// <summary>Guards everything behind it, in the shape of whatever would have answered.</summary>
    public static void UseRegions(this WebApplication app)
    {
        var regions = app.Services.GetRequiredService<Regions>();
        if (!regions.IsActive)
            return;
        app.Use(
            (context, next) =>
            {
                if (context.Request.Path.StartsWithSegments("/health", StringComparison.OrdinalIgnoreCase) || !regions.IsBlocked(context))
                    return next(context);
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                return Task.CompletedTask;
            }
        );
    }
}
