namespace Ledger.Projections.Audit;

/// <summary>Something that is not as it should be.</summary>
/// <param name="Check">Which check found it.</param>
/// <param name="Code">What kind of thing it is: a stable name.</param>
/// <param name="Place">Where: a stream and version, positions of the log, a checkpoint, a row.</param>
/// <param name="Message">What is the matter, in a sentence.</param>
public sealed record AuditFinding(string Check, string Code, string Place, string Message);

/// <summary>What one check came to.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Means">What it establishes where it finds nothing.</param>
/// <param name="Counted">What it looked at, and how much of it.</param>
/// <param name="Findings">How many findings it made.</param>
public sealed record AuditCheckResult(string Name, string Means, IReadOnlyList<KeyValuePair<string, long>> Counted, long Findings);

/// <summary>Up to where signed checkpoints speak for the log.</summary>
/// <param name="Checkpoint">The last checkpoint; 0 where there is none.</param>
/// <param name="Position">The last position that it covers.</param>
/// <param name="At">When it was made; null where there is none.</param>
public sealed record AuditCoverage(long Checkpoint, long Position, DateTimeOffset? At)
{
    /// <summary>No checkpoint.</summary>
    public static AuditCoverage None { get; } = new(0, 0, null);
}

/// <summary>What an audit came to.</summary>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Head">The last position of the log when it began.</param>
/// <param name="Outside">Up to where checkpoints kept outside of the database speak; what is before is vouched for, whoever has rewritten the database.</param>
/// <param name="Inside">Up to where the database's own checkpoints speak: against whoever cannot sign.</param>
/// <param name="Checks">Every check, in order.</param>
/// <param name="Findings">What was found; of very many only the first.</param>
/// <param name="FindingsTotal">How many findings there were.</param>
public sealed record AuditReport(
    DateTimeOffset StartedAt,
    DateTimeOffset EndedAt,
    long Head,
    AuditCoverage Outside,
    AuditCoverage Inside,
    IReadOnlyList<AuditCheckResult> Checks,
    IReadOnlyList<AuditFinding> Findings,
    long FindingsTotal
)
{
    /// <summary>Whether nothing was found.</summary>
    public bool IsWhole => FindingsTotal == 0;
}

/// <summary>How far an audit has come.</summary>
/// <param name="Check">The check that runs.</param>
/// <param name="Done">How much it has done.</param>
/// <param name="Total">How much there was to do when it began; 0 where that is not known.</param>
/// <param name="Unit">Of what.</param>
public readonly record struct AuditProgress(string Check, long Done, long Total, string Unit);
