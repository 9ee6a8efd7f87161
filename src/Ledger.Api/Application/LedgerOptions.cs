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

    /// <summary>Accounts whose state is kept in memory; one with many keys, pockets and holds counts for several.</summary>
    public int CachedAccounts { get; set; } = 200_000;

    /// <summary>Keys whose owner is kept in memory; any other is looked up with every request.</summary>
    public int CachedKeys { get; set; } = 400_000;

    /// <summary>References per lane whose first answer is kept in memory.</summary>
    public int RecentReferences { get; set; } = 100_000;

    /// <summary>How long commands in flight wait for a lost database to come back before they are answered 503.</summary>
    public TimeSpan RecoveryPatience { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How often lapsed holds and pockets of idle accounts are journalled; zero for never.</summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a few accounts' rows are compared with the log; zero for never.</summary>
    public TimeSpan DriftInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Accounts that are compared at a time.</summary>
    public int DriftAccounts { get; set; } = 3;

    /// <summary>The most events that are folded for one of them, from its last state checkpoint on; an account with more is passed over, and counted.</summary>
    public int DriftEvents { get; set; } = 1000;

    /// <summary>How often a signed checkpoint of what is new in the log is made; zero for never.</summary>
    public TimeSpan CheckpointInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The file outside of the database that checkpoints are kept in; null for <c>checkpoints.jsonl</c> in the data folder.</summary>
    public string? CheckpointFile { get; set; }

    /// <summary>How often the books of all accounts are brought up to date; zero for never on this node.</summary>
    public TimeSpan JournalInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often it is written when keys were last used.</summary>
    public TimeSpan KeyUseInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often it is written down what was refused.</summary>
    public TimeSpan RefusalInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How many refusals of each key and code are kept in full: the newest.</summary>
    public int RefusalSamples { get; set; } = 100;

    /// <summary>For how long refusals are kept in full.</summary>
    public TimeSpan RefusalSampleAge { get; set; } = TimeSpan.FromDays(7);

    /// <summary>For how long it is kept how much was refused.</summary>
    public TimeSpan RefusalCountAge { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingsException">One of them cannot be used; the message names it.</exception>
    public static LedgerOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        LedgerOptions options;
        try
        {
            options = configuration.GetSection("Ledger").Get<LedgerOptions>() ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw new SettingsException(e.Message, e);
        }

        foreach (
            var (isLawful, rule) in ((bool, string)[])
                [
                    (options.Lanes is >= 1 and <= 64, "Ledger:Lanes must be from 1 to 64."),
                    (options.QueueCapacity >= 1, "Ledger:QueueCapacity must be at least 1."),
                    (options.MaxBatch is >= 1 and <= 10_000, "Ledger:MaxBatch must be from 1 to 10000."),
                    (options.CachedAccounts >= 1, "Ledger:CachedAccounts must be at least 1."),
                    (options.CachedKeys >= 1, "Ledger:CachedKeys must be at least 1."),
                    (options.RecentReferences >= 0, "Ledger:RecentReferences must not be negative."),
                    (options.RecoveryPatience >= TimeSpan.Zero, "Ledger:RecoveryPatience must not be negative."),
                    (options.SweepInterval >= TimeSpan.Zero, "Ledger:SweepInterval must not be negative."),
                    (options.DriftInterval >= TimeSpan.Zero, "Ledger:DriftInterval must not be negative."),
                    (options.JournalInterval >= TimeSpan.Zero, "Ledger:JournalInterval must not be negative."),
                    (options.DriftAccounts is >= 1 and <= 100, "Ledger:DriftAccounts must be from 1 to 100."),
                    (options.DriftEvents >= 1, "Ledger:DriftEvents must be at least 1."),
                    (options.CheckpointInterval >= TimeSpan.Zero, "Ledger:CheckpointInterval must not be negative."),
                    (options.RefusalInterval > TimeSpan.Zero, "Ledger:RefusalInterval must be positive."),
                    (options.RefusalSamples is >= 1 and <= 10_000, "Ledger:RefusalSamples must be from 1 to 10000."),
                    (options.RefusalSampleAge > TimeSpan.Zero, "Ledger:RefusalSampleAge must be positive."),
                    (options.RefusalCountAge > TimeSpan.Zero, "Ledger:RefusalCountAge must be positive."),
                    (options.KeyUseInterval > TimeSpan.Zero, "Ledger:KeyUseInterval must be positive."),
                ]
        )
        {
            if (!isLawful)
                throw new SettingsException(rule);
        }

        return options;
    }
}

/// <summary>A setting cannot be used.</summary>
/// <param name="message">Which, and what it must be.</param>
/// <param name="inner">What reading it came to.</param>
public sealed class SettingsException(string message, Exception? inner = null) : Exception(message, inner);
