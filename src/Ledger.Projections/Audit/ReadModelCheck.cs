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
        foreach (var drift in await new Rebuilder(run.Database, run.Time).CompareAsync("all", progress, ct))
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

        run.Counted("events", progress.Events);
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
