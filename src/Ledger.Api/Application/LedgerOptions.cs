namespace Ledger.Api.Application;

/// <summary>Settings of the write path, section <c>Ledger</c> of the configuration.</summary>
public sealed class LedgerOptions
{
    /// <summary>Lanes that accounts are spread over, each a connection; one is best up to about 64 requests in flight, two beyond.</summary>
    public int Lanes { get; set; } = 1;

    /// <summary>Commands that may wait in one lane; beyond that callers get 503 at once.</summary>
    public int QueueCapacity { get; set; } = 8192;

    /// <summary>The most commands in one commit.</summary>
    public int MaxBatch { get; set; } = 1000;

    /// <summary>Accounts whose state is kept in memory.</summary>
    public int CachedAccounts { get; set; } = 200_000;

    /// <summary>References per lane whose first answer is kept in memory.</summary>
    public int RecentReferences { get; set; } = 100_000;

    /// <summary>How long commands in flight wait for a lost database to come back before they are answered 503.</summary>
    public TimeSpan RecoveryPatience { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How often lapsed holds and pockets of idle accounts are journalled; zero for never.</summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(30);
}
