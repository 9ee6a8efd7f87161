using Npgsql;

namespace Ledger.Projections.Rebuild;

/// <summary>A stream that the log does not let be folded to its end: what rests on it cannot be compared, and everything else can.</summary>
/// <param name="StreamId">The stream.</param>
/// <param name="Version">The version that could not be read or folded.</param>
/// <param name="Message">Why.</param>
public sealed record UnreadableStream(string StreamId, long Version, string Message)
{
    /// <summary>Whether an exception is what a fold throws at events that cannot follow on each other; an outage is no such thing.</summary>
    internal static bool IsMeantBy(Exception e) =>
        e is not (OperationCanceledException or NpgsqlException or TimeoutException or IOException);
}
