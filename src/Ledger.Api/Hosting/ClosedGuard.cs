using Ledger.Api.Application;

namespace Ledger.Api.Hosting;

/// <summary>Refuses everything but questions of health while the ledger is closed: what would be answered or written could be wrong.</summary>
internal static class ClosedGuard
{
    private static readonly TimeSpan ComeBack = TimeSpan.FromSeconds(30);

    /// <summary>Guards everything behind it, in the shape of whatever would have answered.</summary>
    public static void UseClosures(this WebApplication app)
    {
        var readiness = app.Services.GetRequiredService<Readiness>();
        app.Use(
            (context, next) =>
                readiness.Closure is { } closure && !context.Request.Path.StartsWithSegments("/health", StringComparison.OrdinalIgnoreCase)
                    ? throw new LedgerUnavailableException(closure.Reason, ComeBack)
                    : next(context)
        );
    }
}
