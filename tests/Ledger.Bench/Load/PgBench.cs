using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;

namespace Ledger.Bench.Load;

/// <summary>PostgreSQL's own benchmark, on the same cluster: what a transaction per request comes to.</summary>
internal static partial class PgBench
{
    public static async Task<Measurement> RunAsync(string connectionString, TimeSpan duration, CancellationToken ct)
    {
        var at = new NpgsqlConnectionStringBuilder(connectionString);
        await using (var database = NpgsqlDataSource.Create(connectionString))
        {
            await using var make = database.CreateCommand("create database pgbench");
            await make.ExecuteNonQueryAsync(ct);
        }

        await RunAsync(at, ["-i", "-q", "-s", "100"], ct);
        var output = await RunAsync(
            at,
            ["-M", "prepared", "-c", "16", "-j", "1", "-T", ((int)duration.TotalSeconds).ToString(CultureInfo.InvariantCulture)],
            ct
        );
        await using (var database = NpgsqlDataSource.Create(connectionString))
        {
            await using var drop = database.CreateCommand("drop database pgbench");
            await drop.ExecuteNonQueryAsync(ct);
        }

        return new(
            double.Parse(Rate().Match(output).Groups[1].Value, CultureInfo.InvariantCulture),
            double.Parse(Latency().Match(output).Groups[1].Value, CultureInfo.InvariantCulture),
            null,
            0
        );
    }

    private static async Task<string> RunAsync(NpgsqlConnectionStringBuilder at, IEnumerable<string> arguments, CancellationToken ct)
    {
        var start = new ProcessStartInfo(
            "pgbench",
            ["-h", at.Host!, "-p", at.Port.ToString(CultureInfo.InvariantCulture), "-U", at.Username!, .. arguments, "pgbench"]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PGPASSWORD"] = at.Password;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(ct);
        var output = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"pgbench failed: {await errors}");
    }

    [GeneratedRegex(@"tps = ([0-9.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"latency average = ([0-9.]+) ms")]
    private static partial Regex Latency();
}
