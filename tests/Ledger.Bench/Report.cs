using System.Globalization;
using System.Text.Json;

namespace Ledger.Bench;

/// <summary>One measured row.</summary>
/// <param name="Scenario">What was measured.</param>
/// <param name="PerSecond">Operations per second.</param>
/// <param name="P50">Median latency in milliseconds.</param>
/// <param name="P99">99th percentile in milliseconds.</param>
/// <param name="Errors">Answers other than success.</param>
/// <param name="Baseline">What it stands next to; null for a baseline itself.</param>
/// <param name="Ratio">Operations per second over the baseline's.</param>
/// <param name="Micros">Processor time per operation, in microseconds; null where it was not measured.</param>
internal sealed record Row(
    string Scenario,
    double PerSecond,
    double? P50,
    double? P99,
    long Errors,
    string? Baseline,
    double? Ratio,
    Micros? Micros
);

/// <summary>Processor time per operation, in microseconds.</summary>
/// <param name="Server">The server's.</param>
/// <param name="Postgres">PostgreSQL's, all of its processes.</param>
/// <param name="Load">The load's.</param>
/// <param name="Idle">What no process of the three used of the machine's cores.</param>
internal sealed record Micros(double Server, double Postgres, double Load, double Idle);

/// <summary>What a run found: a table for people, JSON for machines.</summary>
internal sealed class Report
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };
    private readonly List<Row> _rows = [];

    public Row Add(string scenario, Measurement measured, Row? baseline = null)
    {
        var row = new Row(
            scenario,
            measured.PerSecond,
            measured.P50,
            measured.P99,
            measured.Errors,
            baseline?.Scenario,
            baseline is null ? null : measured.PerSecond / baseline.PerSecond,
            measured.Micros
        );
        _rows.Add(row);
        Console.WriteLine(Line(row));
        return row;
    }

    /// <summary>Whether anything went wrong: an answer other than success, or a figure that is not what it must be.</summary>
    public bool HasErrors => _rows.Exists(row => row.Errors > 0);

    public Row? Find(string scenario) => _rows.Find(row => row.Scenario == scenario);

    public void Print()
    {
        Console.WriteLine();
        Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}");
        Console.WriteLine();
        Console.WriteLine("| Scenario | per second | p50 ms | p99 ms | errors | ratio | baseline |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
        foreach (var row in _rows)
            Console.WriteLine(Line(row));
        if (!_rows.Exists(row => row.Micros is not null))
            return;
        Console.WriteLine();
        Console.WriteLine("| Microseconds of processor time per operation | server | PostgreSQL | load | idle or others |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        foreach (var row in _rows)
        {
            if (row.Micros is { } micros)
            {
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {row.Scenario} | {micros.Server:0.#} | {micros.Postgres:0.#} | {micros.Load:0.#} | {micros.Idle:0.#} |"
                    )
                );
            }
        }
    }

    public Task WriteAsync(string path, CancellationToken ct) =>
        File.WriteAllBytesAsync(path, JsonSerializer.SerializeToUtf8Bytes(_rows, Json), ct);

    private static string Line(Row row) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"| {row.Scenario} | {row.PerSecond:N0} | {row.P50:0.00} | {row.P99:0.00} | {row.Errors} | {row.Ratio:0.00} | {row.Baseline} |"
        );
}

/// <summary>What a load found.</summary>
/// <param name="PerSecond">Operations per second.</param>
/// <param name="P50">Median latency in milliseconds, where it was measured.</param>
/// <param name="P99">99th percentile in milliseconds, where it was measured.</param>
/// <param name="Errors">Answers other than success.</param>
internal readonly record struct Measurement(double PerSecond, double? P50, double? P99, long Errors)
{
    /// <summary>Processor time per operation, where it was measured.</summary>
    public Micros? Micros { get; init; }
}
