using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Ledger.Bench.Load;
using Npgsql;

namespace Ledger.Bench.Scenarios;

/// <summary>What goes over a long log: rebuilding from it, and verifying it. The real commands, each a process of its own.</summary>
internal static class HistoryScenarios
{
    private const long Million = 1_000_000;
    private const string Reading = "reading the log over binary COPY, parsing and hashing it";

    public static async Task RebuildAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var events = await FillAsync(bed, ct);
        var reading = await ReadingAsync(bed, report, events, ct);
        await CommandAsync(bed, report, "rebuild all", events, reading, ct, "rebuild", "all");
    }

    public static async Task VerifyAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var events = await FillAsync(bed, ct);
        var reading = await ReadingAsync(bed, report, events, ct);
        await CommandAsync(bed, report, "audit verify", events, reading, ct, "audit", "verify");
    }

    /// <summary>Makes the log, unless it is there already, with its read models, its books and its checkpoints.</summary>
    /// <returns>How many events it holds.</returns>
    private static async Task<long> FillAsync(TestBed bed, CancellationToken ct)
    {
        var wanted = bed.Settings.Events == 0 ? Million : bed.Settings.Events;
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        if (await CountAsync(database, ct) < wanted)
        {
            var started = Stopwatch.GetTimestamp();
            await using (var forge = await LogForge.OpenAsync(bed.ConnectionString, ct))
            {
                // A day: so many events in an hour that an hour is worth summing.
                var end = TimeProvider.System.GetUtcNow().AddHours(-1);
                var accounts = await forge.OpenAccountsAsync(bed.Settings.Accounts, end.AddDays(-1), ct);
                await forge.SpendAsync(accounts, wanted - forge.Count, end.AddDays(-1), end, ct);
                await forge.EndAsync(ct);
            }

            await bed.RunCommandAsync(["rebuild", "all"], ct);
            await bed.SettleAsync(ct);
            Console.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"made {wanted} events in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s")
            );
        }

        return await CountAsync(database, ct);
    }

    /// <summary>The least that anybody does who looks at every event: one connection, one thread.</summary>
    private static async Task<Row> ReadingAsync(TestBed bed, Report report, long events, CancellationToken ct)
    {
        if (report.Find(Reading) is { } measured)
            return measured;
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        await using var connection = await database.OpenConnectionAsync(ct);
        var (started, read, tokens) = (Stopwatch.GetTimestamp(), 0L, 0L);
        var hash = new byte[SHA256.HashSizeInBytes];
        await using (
            var rows = await connection.BeginRawBinaryCopyAsync(
                "copy (select m.data from mt_events m where m.seq_id > 0 order by m.seq_id) to stdout (format binary)",
                ct
            )
        )
        {
            // One message per row: two bytes for the number of fields, four for the length, one for jsonb's format, the text; nineteen ahead of the first.
            var buffer = new byte[1 << 20];
            for (var (filled, skip) = (0, 19); ; )
            {
                var count = await rows.ReadAsync(buffer.AsMemory(filled), ct);
                if (count == 0)
                    break;
                filled += count;
                var at = skip;
                skip = 0;
                while (at + 6 <= filled)
                {
                    var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(at + 2));
                    if (at + 6 + length > filled)
                        break;
                    var data = buffer.AsSpan(at + 7, length - 1);
                    for (var reader = new Utf8JsonReader(data); reader.Read(); )
                        tokens++;
                    SHA256.HashData(data, hash);
                    read++;
                    at += 6 + length;
                }

                buffer.AsSpan(at, filled - at).CopyTo(buffer);
                filled -= at;
            }
        }

        if (read < events || tokens < read)
            throw new InvalidOperationException($"{read} of {events} events were read.");
        return report.Add(Reading, new(read / Stopwatch.GetElapsedTime(started).TotalSeconds, null, null, 0));
    }

    private static async Task CommandAsync(
        TestBed bed,
        Report report,
        string scenario,
        long events,
        Row baseline,
        CancellationToken ct,
        params string[] arguments
    )
    {
        var run = await bed.RunCommandAsync(arguments, ct);
        report.Add(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{scenario}, {events} events, {bed.Settings.Accounts} accounts: {run.Took.TotalSeconds:0.0} s, at most {run.PeakMegabytes:0} MB"
            ),
            new(events / run.Took.TotalSeconds, null, null, run.ExitCode == 0 ? 0 : 1)
            {
                Micros = new(
                    run.OwnSeconds * Million / events,
                    run.PostgresSeconds * Million / events,
                    0,
                    ((run.Took.TotalSeconds * Environment.ProcessorCount) - run.OwnSeconds - run.PostgresSeconds) * Million / events
                ),
            },
            baseline
        );
    }

    private static async Task<long> CountAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select count(*) from mt_events");
        command.CommandTimeout = 0;
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }
}
