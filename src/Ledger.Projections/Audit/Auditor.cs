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

/// <summary>One audit under way, as one check sees it: what it works with, and what it has found.</summary>
public sealed class AuditRun
{
    /// <summary>The most findings of a check that are kept; all are counted.</summary>
    public const int MaxFindings = 1000;

    private readonly List<AuditFinding> _findings = [];
    private readonly List<KeyValuePair<string, long>> _counted = [];
    private readonly IProgress<AuditProgress>? _progress;
    private readonly IAuditCheck _check;

    internal AuditRun(
        NpgsqlDataSource database,
        TimeProvider time,
        CheckpointFile? outside,
        IProgress<AuditProgress>? progress,
        IAuditCheck check,
        AuditWork work
    )
    {
        (Database, Time, OutsideFile, _progress) = (database, time, outside, progress);
        (_check, Work) = (check, work);
    }

    /// <summary>Connections for reading.</summary>
    public NpgsqlDataSource Database { get; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>Checkpoints kept outside of the database; null where there are none.</summary>
    public CheckpointFile? OutsideFile { get; }

    /// <summary>Up to where checkpoints kept outside speak, as far as this check knows.</summary>
    public AuditCoverage Outside { get; set; } = AuditCoverage.None;

    /// <summary>Up to where the database's own checkpoints speak, as far as this check knows.</summary>
    public AuditCoverage Inside { get; set; } = AuditCoverage.None;

    /// <summary>What was found; of very many only the first.</summary>
    public IReadOnlyList<AuditFinding> Findings => _findings;

    /// <summary>How many findings there are.</summary>
    public long FindingsTotal { get; private set; }

    /// <summary>What the checks of this audit do for each other.</summary>
    internal AuditWork Work { get; }

    /// <summary>Says that something is not as it should be.</summary>
    /// <param name="code">What kind of thing it is: a stable name.</param>
    /// <param name="place">Where.</param>
    /// <param name="message">What is the matter, in a sentence.</param>
    public void Find(string code, string place, string message)
    {
        FindingsTotal++;
        if (_findings.Count < MaxFindings)
            _findings.Add(new(_check.Name, code, place, message));
    }

    /// <summary>Says how much was looked at, once per kind.</summary>
    /// <param name="what">What, such as <c>events</c>.</param>
    /// <param name="count">How many.</param>
    public void Counted(string what, long count) => _counted.Add(new(what, count));

    /// <summary>Says how far the check has come.</summary>
    public void Report(long done, long total, string unit) => _progress?.Report(new(_check.Name, done, total, unit));

    internal AuditCheckResult End() => new(_check.Name, _check.Means, [.. _counted], FindingsTotal);
}

/// <summary>What the checks of one audit do for each other: one that goes over the whole log may do others' part of it on the way.</summary>
/// <param name="checks">The checks, in order.</param>
internal sealed class AuditWork(IReadOnlyList<IAuditCheck> checks)
{
    private readonly List<(AuditRun Run, Task Part)> _rests = [];
    private PassingHashes? _hashes;
    private BookSums? _books;
    private PreparedRows? _rows;

    /// <summary>The checks of this audit.</summary>
    public IReadOnlyList<IAuditCheck> Checks => checks;

    /// <summary>Leaves the books, posted anew, to the check that compares them.</summary>
    public void Leave(BookSums books) => _books = books;

    /// <summary>Takes them; null where nobody has left them.</summary>
    public BookSums? TakeBooks() => Interlocked.Exchange(ref _books, null);

    /// <summary>Leaves rows, made anew, to the check that compares them.</summary>
    public void Leave(PreparedRows rows) => _rows = rows;

    /// <summary>Takes them; null where nobody has left them. Whoever takes them disposes of them.</summary>
    public PreparedRows? TakeRows() => Interlocked.Exchange(ref _rows, null);

    /// <summary>Takes the way by which whoever goes over the whole log hands hashes to a check before it; null where none waits for them.</summary>
    public PassingHashes? TakeHashes() => Interlocked.Exchange(ref _hashes, null);

    /// <summary>Whether one check comes after another.</summary>
    public bool IsBehind<T>(IAuditCheck check)
        where T : IAuditCheck => checks.SkipWhile(each => each != check).OfType<T>().Any();

    /// <summary>The rest of a check is done while others have their turn, with the hashes that pass there.</summary>
    public void DoLater(AuditRun run, PassingHashes hashes, Func<Task> rest)
    {
        _hashes = hashes;
        _rests.Add((run, Task.Run(rest)));
    }

    /// <summary>Waits for what is done later.</summary>
    public async Task EndAsync(Func<AuditRun, Func<Task>, Task> carryThrough)
    {
        // Nobody goes over the log any more.
        TakeHashes()?.Complete();
        foreach (var (run, rest) in _rests)
            await carryThrough(run, () => rest);
    }

    /// <summary>Waits until nothing is done any more, whatever came of it.</summary>
    public async Task AbandonAsync() =>
        await Task.WhenAll(_rests.Select(each => each.Part)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
    /// <exception cref="RebuildRefusedException">Another rebuild or comparison runs: that says nothing of the ledger, and no report may.</exception>
    public async Task<AuditReport> RunAsync(CheckpointFile? outside, IProgress<AuditProgress>? progress, CancellationToken ct)
    {
        var startedAt = Now();
        List<IAuditCheck> all = [.. checks];
        var work = new AuditWork(all);
        long head;
        await using (
            var command = database.CreateCommand("select coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0)")
        )
            head = (long)(await command.ExecuteScalarAsync(ct))!;
        var runs = all.ConvertAll(check => new AuditRun(database, time, outside, progress, check, work));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            foreach (var (check, run) in all.Zip(runs))
                await CarryThroughAsync(run, () => check.RunAsync(run, stop.Token));
            await work.EndAsync(CarryThroughAsync);
        }
        finally
        {
            await stop.CancelAsync();
            await work.AbandonAsync();
            if (work.TakeRows() is { } rows)
                await rows.DisposeAsync();
        }

        return new(
            startedAt,
            Now(),
            head,
            runs.Select(run => run.Outside).MaxBy(coverage => coverage.Position) ?? AuditCoverage.None,
            runs.Select(run => run.Inside).MaxBy(coverage => coverage.Position) ?? AuditCoverage.None,
            runs.ConvertAll(run => run.End()),
            [.. runs.SelectMany(run => run.Findings)],
            runs.Sum(run => run.FindingsTotal)
        );
    }

    private static async Task CarryThroughAsync(AuditRun run, Func<Task> check)
    {
        try
        {
            await check();
        }
        catch (Exception e) when (e is not (OperationCanceledException or RebuildRefusedException) && !Outage.Is(e))
        {
            // What is so wrong that a check cannot go on is the worst of findings, and no reason to leave out the others.
            run.Find("not_checked", "-", $"The check could not be carried through: {e.Message}");
        }
    }

    private DateTimeOffset Now()
    {
        var now = time.GetUtcNow();
        return new(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }
}
