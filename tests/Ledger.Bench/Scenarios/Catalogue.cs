using Ledger.Api.Application;
using Ledger.Bench.Load;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Npgsql;

namespace Ledger.Bench.Scenarios;

/// <summary>One thing that is measured next to its baseline.</summary>
/// <param name="Name">How it is asked for.</param>
/// <param name="RunAsync">Measures it.</param>
internal sealed record Scenario(string Name, Func<TestBed, Report, CancellationToken, Task> RunAsync);

/// <summary>Everything that can be measured.</summary>
internal static class Catalogue
{
    /// <summary>Until the runtime has compiled the hot path for good.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(8);

    private const string Echo = "echo over HTTP, 64 connections";
    private const string Spend = "spend over HTTP";

    private static readonly Scenario[] All =
    [
        new("spend", SpendAsync),
        new("hot", HotAsync),
        new("repeats", RepeatsAsync),
        new("check", CheckAsync),
        new("caller", OneCallerAsync),
        new("store", StoreAsync),
    ];

    /// <summary>Not a measurement: everything set up and left running until the input ends, for a profiler.</summary>
    private static readonly Scenario Serve = new("serve", ServeAsync);

    public static IEnumerable<string> Names => All.Append(Serve).Select(scenario => scenario.Name);

    public static IReadOnlyList<Scenario> Find(string name) => name == "all" ? All : [.. All.Append(Serve).Where(scenario => scenario.Name == name)];

    private static async Task ServeAsync(TestBed bed, Report report, CancellationToken ct)
    {
        await using var server = await bed.StartServerAsync(ct);
        var secrets = bed.Accounts.Select(account => account.Secret).ToList();
        foreach (var (name, path, withReference) in ((string, string, bool)[])[("spend", "/api/v1/tools/spend", true), ("check", "/api/v1/tools/check", false)])
        {
            var file = Path.GetFullPath($"ledger-{name}.lua");
            await File.WriteAllTextAsync(file, Wrk.Script(path, secrets, 0, "serve", withReference), ct);
            Console.WriteLine($"wrk -t 1 -c {bed.Settings.Connections} -d 10s --latency -s {file} {server.Url}");
        }

        Console.WriteLine($"server process {server.ProcessId}; database {bed.ConnectionString}");
        Console.WriteLine("Ends with the input.");
        await Console.In.ReadToEndAsync(ct);
    }

    private static async Task SpendAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var echo = await EchoAsync(bed, report, ct);
        report.Add(Spend, await SpendOverHttpAsync(bed, bed.Accounts, 0, "spend", ct), echo);
    }

    private static async Task HotAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var echo = await EchoAsync(bed, report, ct);
        report.Add("spend over HTTP, one hot account", await SpendOverHttpAsync(bed, [bed.Accounts[0]], 0, "hot", ct), echo);
    }

    private static async Task RepeatsAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var first = report.Find(Spend) ?? report.Add(Spend, await SpendOverHttpAsync(bed, bed.Accounts, 0, "first", ct));
        report.Add("spend over HTTP, 2 % repeated references", await SpendOverHttpAsync(bed, bed.Accounts, 0.02, "repeats", ct), first);
    }

    private static async Task CheckAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var echo = await EchoAsync(bed, report, ct);
        await using var server = await bed.StartServerAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/check", bed.Accounts, 0, "warm-check", false, ct, WarmUp);
        report.Add("check over HTTP", await PostAsync(bed, server, "/api/v1/tools/check", bed.Accounts, 0, "check", false, ct), echo);
    }

    private static async Task OneCallerAsync(TestBed bed, Report report, CancellationToken ct)
    {
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        await using (var make = database.CreateCommand("create table if not exists bench_rows (id bigint generated always as identity primary key, body text)"))
            await make.ExecuteNonQueryAsync(ct);
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var insert = new NpgsqlCommand("insert into bench_rows (body) values ($1)", connection) { Parameters = { new() { Value = "one row" } } };
        await insert.PrepareAsync(ct);
        var baseline = report.Add("one-row insert, one client", await Callers.RunAsync(1, bed.Settings.Duration, async (_, _) => await insert.ExecuteNonQueryAsync(ct) == 1));

        await using var server = await bed.StartServerAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "warm", true, ct, WarmUp);
        var secrets = bed.Accounts.Select(account => account.Secret).ToList();
        report.Add(
            "spend over HTTP, one caller",
            await HttpLoad.PostAsync(server.Url, "/api/v1/tools/spend", secrets, 0, 1, bed.Settings.Duration, "caller", true, ct),
            baseline);
    }

    private static async Task StoreAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var baseline = report.Add("pgbench -s 100 -M prepared, 16 clients", await PgBench.RunAsync(bed.ConnectionString, bed.Settings.Duration, ct));
        await using var provider = await bed.OpenLedgerAsync(bed.Settings.Lanes, ct);
        var ledger = provider.GetRequiredService<LedgerService>();
        var caller = new Caller("bench", "bench");
        async Task<bool> OneAsync(string run, int number, long n)
        {
            var account = bed.Accounts[(int)((number + (n * bed.Settings.Connections)) % bed.Accounts.Count)];
            var verdict = await ledger.ExecuteAsync(new Spend(account.Account, account.Key, "chat", Quantity.Of(1), $"{run}-{number}-{n}"), caller);
            return verdict.Refusal is null;
        }

        await Callers.RunAsync(bed.Settings.Connections, WarmUp, (number, n) => OneAsync("warm-store", number, n));
        report.Add("the store alone, 64 callers", await Callers.RunAsync(bed.Settings.Connections, bed.Settings.Duration, (number, n) => OneAsync("store", number, n)), baseline);
    }

    private static async Task<Row> EchoAsync(TestBed bed, Report report, CancellationToken ct)
    {
        if (report.Find(Echo) is { } measured) return measured;
        await using var server = await TestBed.StartEchoAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "warm", true, ct, WarmUp);
        return report.Add(Echo, await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "echo", true, ct));
    }

    private static async Task<Measurement> SpendOverHttpAsync(TestBed bed, IReadOnlyList<BenchAccount> accounts, double repeats, string run, CancellationToken ct)
    {
        await using var server = await bed.StartServerAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/spend", accounts, 0, "warm-" + run, true, ct, WarmUp);
        return await PostAsync(bed, server, "/api/v1/tools/spend", accounts, repeats, run, true, ct);
    }

    private static Task<Measurement> PostAsync(
        TestBed bed, ServerProcess server, string path, IReadOnlyList<BenchAccount> accounts, double repeats, string run, bool withReference, CancellationToken ct, TimeSpan? duration = null) =>
        Wrk.PostAsync(
            server.Url, path, [.. accounts.Select(account => account.Secret)], repeats, bed.Settings.Connections, duration ?? bed.Settings.Duration,
            $"{run}-{Environment.TickCount64}", withReference, ct);
}
