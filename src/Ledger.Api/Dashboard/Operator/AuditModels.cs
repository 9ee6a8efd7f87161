namespace Ledger.Api.Dashboard.Operator;

/// <summary>The audit of this server: under way, done, or none yet.</summary>
/// <param name="StartedAt">When it began; null where there was none since this server started.</param>
/// <param name="Progress">How far it has come; null where it does not run.</param>
/// <param name="Failure">Why it could not be carried through; null where it was, or none was.</param>
/// <param name="Report">What it came to; null where there is no report.</param>
public sealed record AuditModel(DateTimeOffset? StartedAt, AuditStep? Progress, string? Failure, AuditSummary? Report);

/// <summary>How far an audit has come.</summary>
/// <param name="Check">The check that runs; empty before the first.</param>
/// <param name="Done">How much it has done.</param>
/// <param name="Total">How much there was to do when it began; 0 where that is not known.</param>
/// <param name="Unit">Of what.</param>
public sealed record AuditStep(string Check, long Done, long Total, string Unit)
{
    /// <summary>In words, such as <c>streams: 1,200 of 5,000 events</c>.</summary>
    public string Words =>
        Check.Length == 0 ? "It begins…"
        : Total > 0 ? $"{Check}: {Show.Number(Done)} of {Show.Number(Math.Max(Done, Total))} {Unit}"
        : $"{Check}: {Show.Number(Done)} {Unit}";

    /// <summary>In hundredths, 0 to 100; null where that cannot be said.</summary>
    public int? Percent => Total > 0 ? (int)(Int128.Min(Done, Total) * 100 / Total) : null;
}

/// <summary>What an audit came to.</summary>
/// <param name="IsWhole">Whether nothing was found.</param>
/// <param name="IsSigned">Whether a key of this ledger signed the report.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Head">The last position of the log when it began.</param>
/// <param name="Vouched">Up to where it vouches, in words.</param>
/// <param name="Checks">Every check.</param>
/// <param name="Findings">What was found; of very many only the first.</param>
/// <param name="FindingsTotal">How many findings there were.</param>
public sealed record AuditSummary(
    bool IsWhole,
    bool IsSigned,
    DateTimeOffset StartedAt,
    DateTimeOffset EndedAt,
    long Head,
    string Vouched,
    IReadOnlyList<AuditCheckLine> Checks,
    IReadOnlyList<AuditFindingLine> Findings,
    long FindingsTotal
);

/// <summary>What one check came to.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Means">What it establishes where it finds nothing.</param>
/// <param name="Counted">What it looked at, in words.</param>
/// <param name="Findings">How many findings it made.</param>
public sealed record AuditCheckLine(string Name, string Means, string Counted, long Findings);

/// <summary>Something that is not as it should be.</summary>
/// <param name="Check">Which check found it.</param>
/// <param name="Code">What kind of thing it is.</param>
/// <param name="Place">Where.</param>
/// <param name="Message">What is the matter.</param>
public sealed record AuditFindingLine(string Check, string Code, string Place, string Message);
