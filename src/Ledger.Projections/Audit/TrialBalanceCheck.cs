using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Audit;

/// <summary>Whether the books of all accounts are what posting the whole log anew comes to, and in balance.</summary>
/// <param name="sums">The books.</param>
public sealed class TrialBalanceCheck(JournalSums sums) : IAuditCheck
{
    /// <inheritdoc/>
    public string Name => "trial_balance";

    /// <inheritdoc/>
    public string Means =>
        "What was moved between two accounts of the books on any day is what posting the whole log anew comes to, and in every unit debits equal credits.";

    /// <summary>The sums as they stand, for whoever goes over the log before this check has its turn.</summary>
    internal Task<BookSums> BeginAsync(CancellationToken ct) => sums.BeginAsync(ct);

    /// <inheritdoc/>
    public async Task RunAsync(AuditRun run, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(run);
        var unreadable = new List<UnreadableStream>();
        IReadOnlyList<string> differences;
        if (run.Work.TakeBooks() is { } posted)
        {
            differences = posted.Differences();
            unreadable.AddRange(posted.Unreadable);
        }
        else
        {
            differences = await sums.CompareAsync(ct, unreadable);
        }

        foreach (var difference in differences)
            run.Find("books_differ", difference, "It is not what the log says.");
        foreach (var stream in unreadable)
            run.Find(
                "not_checked",
                $"{stream.StreamId} version {stream.Version}",
                $"The sums go over all accounts, so they could not be compared: {stream.Message}"
            );
    }
}
