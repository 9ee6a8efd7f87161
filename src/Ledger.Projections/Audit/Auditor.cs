using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Projections.Audit;

/// <summary>
/// One thing that an audit looks at. Checks run one after the other, in the order in which they are registered; each reads what it needs itself, in bounded
/// memory, and says what it found by <see cref="AuditRun.Find"/>. One that throws is a finding too, and the others run all the same.
/// </summary>
public interface IAuditCheck
{
    /// <summary>Its name: one stable word, which findings carry.</summary>
    string Name { get; }

    /// <summary>What it establishes where it finds nothing, in a sentence.</summary>
    string Means { get; }

    /// <summary>Looks.</summary>
    Task RunAsync(AuditRun run, CancellationToken ct);
}

/// <summary>One audit under way: what its checks work with, and what they have found.</summary>
/// <param name="database">Connections for reading.</param>
/// <param name="time">The clock.</param>
/// <param name="outside">Checkpoints kept outside of the database; null where there are none.</param>
/// <param name="progress">Told how far it has come.</param>
public sealed class AuditRun(NpgsqlDataSource database, TimeProvider time, CheckpointFile? outside, IProgress<AuditProgress>? progress)
{
    /// <summary>The most findings that are kept; all are counted.</summary>
    public const int MaxFindings = 1000;

    private readonly List<AuditFinding> _findings = [];
    private readonly List<KeyValuePair<string, long>> _counted = [];
    private string _check = "";
    private long _ofCheck;
    private BookSums? _books;
    private PreparedRows? _rows;

    /// <summary>Connections for reading.</summary>
    public NpgsqlDataSource Database => database;

    /// <summary>The clock.</summary>
    public TimeProvider Time => time;

    /// <summary>Checkpoints kept outside of the database; null where there are none.</summary>
    public CheckpointFile? OutsideFile => outside;

    /// <summary>Up to where checkpoints kept outside speak.</summary>
    public AuditCoverage Outside { get; set; } = AuditCoverage.None;

    /// <summary>Up to where the database's own checkpoints speak.</summary>
    public AuditCoverage Inside { get; set; } = AuditCoverage.None;

    /// <summary>What was found; of very many only the first.</summary>
    public IReadOnlyList<AuditFinding> Findings => _findings;

    /// <summary>How many findings there are.</summary>
    public long FindingsTotal { get; private set; }

    /// <summary>Says that something is not as it should be.</summary>
    /// <param name="code">What kind of thing it is: a stable name.</param>
    /// <param name="place">Where.</param>
    /// <param name="message">What is the matter, in a sentence.</param>
    public void Find(string code, string place, string message)
    {
        FindingsTotal++;
        _ofCheck++;
        if (_findings.Count < MaxFindings)
            _findings.Add(new(_check, code, place, message));
    }

    /// <summary>Says how much was looked at, once per kind.</summary>
    /// <param name="what">What, such as <c>events</c>.</param>
    /// <param name="count">How many.</param>
    public void Counted(string what, long count) => _counted.Add(new(what, count));

    /// <summary>Says how far the check has come.</summary>
    public void Report(long done, long total, string unit) => progress?.Report(new(_check, done, total, unit));

    /// <summary>The checks of this audit: one that goes over the whole log may do others' part of it on the way.</summary>
    internal IReadOnlyList<IAuditCheck> Checks { get; init; } = [];

    /// <summary>Leaves the books, posted anew, to the check that compares them.</summary>
    internal void Leave(BookSums books) => _books = books;

    /// <summary>Takes them; null where nobody has left them.</summary>
    internal BookSums? TakeBooks() => Interlocked.Exchange(ref _books, null);

    /// <summary>Leaves rows, made anew, to the check that compares them.</summary>
    internal void Leave(PreparedRows rows) => _rows = rows;

    /// <summary>Takes them; null where nobody has left them. Whoever takes them disposes of them.</summary>
    internal PreparedRows? TakeRows() => Interlocked.Exchange(ref _rows, null);

    internal void Begin(string check)
    {
        (_check, _ofCheck) = (check, 0);
        _counted.Clear();
    }

    internal AuditCheckResult End(IAuditCheck check) => new(check.Name, check.Means, [.. _counted], _ofCheck);
}

/// <summary>Runs every check over a database that others go on writing to.</summary>
/// <param name="database">Connections for reading; the comparison of read models needs a role that owns them.</param>
/// <param name="time">The clock.</param>
/// <param name="checks">The checks, in order.</param>
public sealed class Auditor(NpgsqlDataSource database, TimeProvider time, IEnumerable<IAuditCheck> checks)
{
    /// <summary>Audits.</summary>
    /// <param name="outside">Checkpoints kept outside of the database; null where there are none.</param>
    /// <param name="progress">Told how far it has come.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<AuditReport> RunAsync(CheckpointFile? outside, IProgress<AuditProgress>? progress, CancellationToken ct)
    {
        var startedAt = Now();
        List<IAuditCheck> all = [.. checks];
        var run = new AuditRun(database, time, outside, progress) { Checks = all };
        long head;
        await using (
            var command = database.CreateCommand("select coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0)")
        )
            head = (long)(await command.ExecuteScalarAsync(ct))!;
        var results = new List<AuditCheckResult>();
        try
        {
            foreach (var check in all)
            {
                run.Begin(check.Name);
                try
                {
                    await check.RunAsync(run, ct);
                }
                catch (Exception e) when (e is not OperationCanceledException && !Outage.Is(e))
                {
                    // What is so wrong that a check cannot go on is the worst of findings, and no reason to leave out the others.
                    run.Find("not_checked", "-", $"The check could not be carried through: {e.Message}");
                }

                results.Add(run.End(check));
            }
        }
        finally
        {
            if (run.TakeRows() is { } rows)
                await rows.DisposeAsync();
        }

        return new(startedAt, Now(), head, run.Outside, run.Inside, results, run.Findings, run.FindingsTotal);
    }

    private DateTimeOffset Now()
    {
        var now = time.GetUtcNow();
        return new(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }
}
