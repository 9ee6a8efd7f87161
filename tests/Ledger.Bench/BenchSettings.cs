namespace Ledger.Bench;

/// <summary>How a run measures.</summary>
/// <param name="Duration">How long each measurement runs.</param>
/// <param name="Accounts">Accounts the load is spread over.</param>
/// <param name="Connections">Connections, or callers, at once.</param>
/// <param name="Lanes">Lanes of the server.</param>
/// <param name="Events">How many events the log holds before anything is measured.</param>
/// <param name="BodyBytes">About how long the requests of streams are; as short as can be where 0.</param>
/// <param name="Folder">Where the database is kept for the next run; null where it is thrown away.</param>
internal sealed record BenchSettings(
    TimeSpan Duration,
    int Accounts,
    int Connections,
    int Lanes,
    long Events,
    int BodyBytes = 0,
    string? Folder = null
);
