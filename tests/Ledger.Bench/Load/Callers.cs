using System.Diagnostics;

namespace Ledger.Bench.Load;

/// <summary>Callers in this process, each doing one thing after another.</summary>
internal static class Callers
{
    /// <summary>Runs callers side by side and measures each call.</summary>
    /// <param name="callers">How many.</param>
    /// <param name="duration">How long.</param>
    /// <param name="call">One call of a caller, by its number and count; false for an error.</param>
    /// <param name="isDone">Ends the run before its time.</param>
    public static async Task<Measurement> RunAsync(
        int callers,
        TimeSpan duration,
        Func<int, long, Task<bool>> call,
        Func<bool>? isDone = null
    )
    {
        var started = Stopwatch.GetTimestamp();
        var all = await Task.WhenAll(
            Enumerable
                .Range(0, callers)
                .Select(caller =>
                    Task.Run(async () =>
                    {
                        var latencies = new List<double>();
                        var errors = 0L;
                        for (var n = 0L; Stopwatch.GetElapsedTime(started) < duration && isDone?.Invoke() != true; n++)
                        {
                            var at = Stopwatch.GetTimestamp();
                            if (!await call(caller, n))
                                errors++;
                            latencies.Add(Stopwatch.GetElapsedTime(at).TotalMilliseconds);
                        }

                        return (Latencies: latencies, Errors: errors);
                    })
                )
        );
        var took = Stopwatch.GetElapsedTime(started);
        var sorted = all.SelectMany(each => each.Latencies).Order().ToArray();
        return new(
            sorted.Length / took.TotalSeconds,
            sorted[sorted.Length / 2],
            sorted[(int)(sorted.Length * 0.99)],
            all.Sum(each => each.Errors)
        );
    }
}
