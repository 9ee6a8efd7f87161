using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Audit;

/// <summary>Whether every row of every read model is what the log says.</summary>
public sealed class ReadModelCheck : IAuditCheck
{
    /// <inheritdoc/>
    public string Name => "read_models";

    /// <inheritdoc/>
    public string Means => "Every row of every read model, and every state checkpoint, is what folding the whole log comes to.";

    /// <inheritdoc/>
    public async Task RunAsync(AuditRun run, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(run);
        var progress = new Told(run);
        IReadOnlyCollection<UnreadableStream> unreadable;
        IReadOnlyList<Drift> drifts;
        long events;
        if (run.Work.TakeRows() is { } rows)
        {
            await using (rows)
            {
                run.Report(0, 1, "comparisons");
                drifts = await rows.CompareAsync(ct);
                run.Report(1, 1, "comparisons");
            }

            (unreadable, events) = (rows.Unreadable, rows.Events);
        }
        else
        {
            var left = new List<UnreadableStream>();
            drifts = await new Rebuilder(run.Database, run.Time).CompareAsync("all", progress, ct, left);
            (unreadable, events) = (left, progress.Events);
        }

        // What was not compared comes first: whoever reads of a thousand rows must not miss it.
        foreach (var stream in unreadable)
            run.Find(
                "not_checked",
                $"{stream.StreamId} version {stream.Version}",
                $"The rows of this stream could not be compared, all others were: {stream.Message}"
            );
        foreach (var drift in drifts)
        {
            run.Find(
                drift.Live is null ? "row_missing"
                    : drift.Rebuilt is null ? "row_unfounded"
                    : "row_differs",
                $"{drift.Table} {drift.Key}",
                drift.Live is null ? "The log says that there is such a row."
                    : drift.Rebuilt is null ? "The log says nothing of such a row."
                    : "The row is not what the log says."
            );
        }

        run.Counted("events", events);
    }

    private sealed class Told(AuditRun run) : IProgress<RebuildProgress>
    {
        private long _before;
        private RebuildProgress _last;

        public long Events => _before + _last.Events;

        public void Report(RebuildProgress value)
        {
            if (value.Model != _last.Model)
                _before += _last.Events;
            _last = value;
            run.Report(value.AccountsDone, value.AccountsTotal, "accounts");
        }
    }
}
