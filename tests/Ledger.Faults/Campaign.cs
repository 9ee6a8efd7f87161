using System.Collections.Concurrent;
using System.Globalization;
using Ledger.Faults.Machine;
using Ledger.Faults.Plans;

namespace Ledger.Faults;

/// <summary>Runs many seeds one after the other and tells what came of them.</summary>
/// <param name="output">Where it is told.</param>
internal sealed class Campaign(TextWriter output)
{
    private readonly ConcurrentQueue<RunResult> _results = new();
    private readonly Lock _lock = new();
    private int _next;

    /// <summary>The first seed.</summary>
    public required int From { get; init; }

    /// <summary>How many.</summary>
    public required int Count { get; init; }

    /// <summary>Runs at a time.</summary>
    public required int Parallel { get; init; }

    /// <summary>Whether plans are printed.</summary>
    public required bool IsVerbose { get; init; }

    /// <summary>Whether only plans are printed.</summary>
    public required bool PlanOnly { get; init; }

    /// <summary>Runs them all.</summary>
    /// <returns>0 where every one passed, 1 where one did not, 130 where it was called off.</returns>
    public async Task<int> RunAsync(CancellationToken ct)
    {
        if (PlanOnly)
        {
            foreach (var seed in Enumerable.Range(From, Count))
                output.WriteLine(Planner.Derive(seed, new HashSet<FaultKind>()).Text(IsVerbose));
            return 0;
        }

        var since = TimeProvider.System.GetTimestamp();
        try
        {
            await Task.WhenAll(Enumerable.Range(0, Math.Max(1, Parallel)).Select(_ => WorkAsync(ct)));
        }
        catch (OperationCanceledException)
        {
            output.WriteLine("Called off.");
        }

        Summarise(TimeProvider.System.GetElapsedTime(since));
        return _results.Any(result => !result.Passed) ? 1
            : _results.Count < Count ? 130
            : 0;
    }

    private async Task WorkAsync(CancellationToken ct)
    {
        await using var cluster = await FaultCluster.CreateAsync(ct);
        lock (_lock)
        {
            if (_next == 0 && cluster.Impossible.Count > 0)
                output.WriteLine($"Cannot be injected on this machine: {string.Join(", ", cluster.Impossible)}. Others are taken instead.");
        }

        while (!ct.IsCancellationRequested && Interlocked.Increment(ref _next) is var n && n <= Count)
        {
            var plan = Planner.Derive(From + n - 1, cluster.Impossible);
            if (IsVerbose)
                Say(plan.Text(withSteps: Count == 1));
            var result = await Run.ExecuteAsync(plan, cluster, ct);

            // Ctrl-C at a terminal reaches the servers too; what that did to the seed under way is no finding.
            if (ct.IsCancellationRequested)
                break;
            _results.Enqueue(result);
            Say(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"seed {plan.Seed, 5} {(result.Passed ? "passed" : "FAILED")} in {result.Took.TotalSeconds, 4:0.0} s: {result.Accepted, 3} accepted, {result.Refused, 3} refused, {result.Unknown, 2} unknown, {result.Repeats, 3} repeats; {string.Join(", ", result.Struck)}"
                )
            );
            if (!result.Passed)
                Say(result.ToString());
        }
    }

    private void Say(string text)
    {
        lock (_lock)
            output.WriteLine(text);
    }

    private void Summarise(TimeSpan took)
    {
        var failed = _results.Where(result => !result.Passed).Select(result => result.Plan.Seed).Order().ToList();
        output.WriteLine();
        Row("seeds run", _results.Count);
        Row("seeds failed", failed.Count);
        foreach (var kind in Enum.GetValues<FaultKind>())
            Row("  " + kind, _results.Sum(result => result.Struck.Count(struck => struck == kind)));
        Row("commands", _results.Sum(result => result.Plan.Commands));
        Row("spends and holds accepted", _results.Sum(result => result.Accepted));
        Row("  refused", _results.Sum(result => result.Refused));
        Row("  of unknown outcome", _results.Sum(result => result.Unknown));
        Row("repeats answered", _results.Sum(result => result.Repeats));
        Row("events", _results.Sum(result => result.Events));
        Row("seconds", (long)took.TotalSeconds);
        foreach (var seed in failed)
            output.WriteLine(_results.First(result => result.Plan.Seed == seed).Command);
    }

    private void Row(string what, long count) => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what, -28}{count, 10}"));
}
