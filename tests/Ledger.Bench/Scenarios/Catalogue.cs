using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Bench.Load;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Rebuild;
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
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(15);

    private const string Echo = "echo over HTTP, 64 connections";
    private const string Spend = "spend over HTTP";

    private static readonly Scenario[] All =
    [
        new("spend", SpendAsync),
        new("hot", HotAsync),
        new("repeats", RepeatsAsync),
        new("check", CheckAsync),
        new("auth", AuthenticateAsync),
        new("caller", OneCallerAsync),
        new("store", StoreAsync),
        new("two", TwoServersAsync),
        new("beside", WhileOthersWorkAsync),
        new("resets", ResetsAsync),
        new("rollups", RollupScenario.RunAsync),
        new("gateway", GatewayScenarios.RunAsync),
        new("million", MillionAccountsAsync),
    ];

    /// <summary>Over a log of their own, as long as <c>--events</c> says: not among all, since what it leaves would weigh on the others.</summary>
    private static readonly Scenario[] OfHistory =
    [
        new("rebuild", HistoryScenarios.RebuildAsync),
        new("verify", HistoryScenarios.VerifyAsync),
        new("history", HistoryScenarios.EveryKindAsync),
        new("activity", HistoryScenarios.ActivityAsync),
        new("as-of", HistoryScenarios.AsOfAsync),
        new("transfer", HistoryScenarios.TransferAsync),
    ];

    /// <summary>Not a measurement: everything set up and left running until the input ends, for a profiler.</summary>
    private static readonly Scenario Serve = new("serve", ServeAsync);

    /// <summary>A part of <c>gateway</c>, for a look at what bodies weigh.</summary>
    private static readonly Scenario Streams = new("streams", GatewayScenarios.RunStreamsAsync);

    private static IEnumerable<Scenario> Each => [.. All, .. OfHistory, Streams, Serve];

    public static IEnumerable<string> Names => Each.Select(scenario => scenario.Name);

    public static IReadOnlyList<Scenario> Find(string name) => name == "all" ? All : [.. Each.Where(scenario => scenario.Name == name)];

    /// <summary>Whether a scenario makes its log by itself.</summary>
    public static bool IsOfHistory(Scenario scenario) => OfHistory.Contains(scenario);

    private static async Task ServeAsync(TestBed bed, Report report, CancellationToken ct)
    {
        await using var server = await bed.StartServerAsync(ct);
        var secrets = bed.Accounts.Select(account => account.Secret).ToList();
        foreach (
            var (name, path, withReference) in ((string, string, bool)[])
                [("spend", "/api/v1/tools/spend", true), ("check", "/api/v1/tools/check", false)]
        )
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

    /// <summary>Finding out whose key a request comes with, in memory, on one thread: what it takes, and what it allocates.</summary>
    private static async Task AuthenticateAsync(TestBed bed, Report report, CancellationToken ct)
    {
        const int Keys = 100;
        await using var ledger = await bed.OpenLedgerAsync(1, ct);
        var door = ledger.GetRequiredService<Doorkeeper>();
        var requests = bed
            .Accounts.Take(Keys)
            .Select(account =>
            {
                var context = new DefaultHttpContext();
                context.Request.Headers.Authorization = "Bearer " + account.Secret;
                return context;
            })
            .ToArray();
        foreach (var request in requests)
            await door.FindAsync(request);

        // Twice: the first time warms up.
        var (found, seconds, allocated) = (0L, 0d, 0L);
        for (var run = 0; run < 2; run++)
        {
            (found, var since, var before) = (0L, Stopwatch.GetTimestamp(), GC.GetAllocatedBytesForCurrentThread());
            while (Stopwatch.GetElapsedTime(since) < bed.Settings.Duration)
            {
                foreach (var request in requests)
                    found += (await door.FindAsync(request)).Denial == Denial.None ? 1 : 0;
            }

            (seconds, allocated) = (Stopwatch.GetElapsedTime(since).TotalSeconds, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        report.Add("authenticating a known key, one thread", new(found / seconds, seconds * 1000 / found, null, 0));
        Console.WriteLine(
            string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"authenticating a known key: {seconds * 1_000_000 / found:0.00} microseconds, {(double)allocated / found:0} bytes allocated"
            )
        );
    }

    private static async Task OneCallerAsync(TestBed bed, Report report, CancellationToken ct)
    {
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        await using (
            var make = database.CreateCommand(
                "create table if not exists bench_rows (id bigint generated always as identity primary key, body text)"
            )
        )
            await make.ExecuteNonQueryAsync(ct);
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var insert = new NpgsqlCommand("insert into bench_rows (body) values ($1)", connection)
        {
            Parameters = { new() { Value = "one row" } },
        };
        await insert.PrepareAsync(ct);
        var baseline = report.Add(
            "one-row insert, one client",
            await Callers.RunAsync(1, bed.Settings.Duration, async (_, _) => await insert.ExecuteNonQueryAsync(ct) == 1)
        );

        await using var server = await bed.StartServerAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "warm", true, ct, WarmUp);
        var secrets = bed.Accounts.Select(account => account.Secret).ToList();
        report.Add(
            "spend over HTTP, one caller",
            await HttpLoad.PostAsync(server.Url, "/api/v1/tools/spend", secrets, 0, 1, bed.Settings.Duration, "caller", true, ct),
            baseline
        );
    }

    private static async Task StoreAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var baseline = report.Add(
            "pgbench -s 100 -M prepared, 16 clients",
            await PgBench.RunAsync(bed.ConnectionString, bed.Settings.Duration, ct)
        );
        await using var provider = await bed.OpenLedgerAsync(bed.Settings.Lanes, ct);
        var ledger = provider.GetRequiredService<LedgerService>();
        var caller = new Caller("bench", "bench");
        async Task<bool> OneAsync(string run, int number, long n)
        {
            var account = bed.Accounts[(int)((number + (n * bed.Settings.Connections)) % bed.Accounts.Count)];
            var verdict = await ledger.ExecuteAsync(
                new Spend(account.Account, account.Key, "chat", Quantity.Of(1), $"{run}-{number}-{n}"),
                caller
            );
            return verdict.Refusal is null;
        }

        await Callers.RunAsync(bed.Settings.Connections, WarmUp, (number, n) => OneAsync("warm-store", number, n));
        report.Add(
            "the store alone, 64 callers",
            await Callers.RunAsync(bed.Settings.Connections, bed.Settings.Duration, (number, n) => OneAsync("store", number, n)),
            baseline
        );
    }

    private static async Task TwoServersAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var first = report.Find(Spend) ?? report.Add(Spend, await SpendOverHttpAsync(bed, bed.Accounts, 0, "one", ct));
        await using var left = await bed.StartServerAsync(ct);
        await using var right = await bed.StartServerAsync(ct);
        foreach (var (run, duration) in ((string, TimeSpan)[])[("warm-two", WarmUp), ("two", bed.Settings.Duration)])
        {
            var both = await Task.WhenAll(
                PostAsync(
                    bed,
                    left,
                    "/api/v1/tools/spend",
                    bed.Accounts,
                    0,
                    run + "-left",
                    true,
                    ct,
                    duration,
                    bed.Settings.Connections / 2
                ),
                PostAsync(
                    bed,
                    right,
                    "/api/v1/tools/spend",
                    bed.Accounts,
                    0,
                    run + "-right",
                    true,
                    ct,
                    duration,
                    bed.Settings.Connections / 2
                )
            );
            if (run != "two")
                continue;
            var sum = new Measurement(
                both.Sum(each => each.PerSecond),
                both.Max(each => each.P50),
                both.Max(each => each.P99),
                both.Sum(each => each.Errors)
            );
            report.Add("spend over HTTP, two server processes, same accounts", sum, first);
        }
    }

    /// <summary>Beside the load: everything is rebuilt, everything is verified, the whole log is read; each again and again.</summary>
    private static async Task WhileOthersWorkAsync(TestBed bed, Report report, CancellationToken ct)
    {
        var first = report.Find(Spend) ?? report.Add(Spend, await SpendOverHttpAsync(bed, bed.Accounts, 0, "undisturbed", ct));
        await using var server = await bed.StartServerAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "warm-beside", true, ct, WarmUp);
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        var rebuilder = new Rebuilder(database, TimeProvider.System);
        foreach (
            var (what, work) in ((string, Func<CancellationToken, Task>)[])
                [
                    ("all read models are rebuilt", done => rebuilder.RebuildAsync("all", null, done)),
                    ("the chain and all read models are verified", done => VerifyAsync(database, rebuilder, done)),
                    ("the log is exported", done => ExportAsync(database, done)),
                ]
        )
        {
            using var done = CancellationTokenSource.CreateLinkedTokenSource(ct);
            var times = 0;
            var working = Task.Run(
                async () =>
                {
                    for (; !done.IsCancellationRequested; times++)
                        await work(done.Token);
                },
                ct
            );
            var measured = await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "beside", true, ct);
            await done.CancelAsync();
            try
            {
                await working;
            }
            catch (OperationCanceledException)
            {
                // The last one was cut short, as meant.
            }

            report.Add($"spend over HTTP, while {what} ({times} times to the end)", measured, first);
        }
    }

    private static async Task VerifyAsync(NpgsqlDataSource database, Rebuilder rebuilder, CancellationToken ct)
    {
        await foreach (var (stream, verdict) in new ChainVerifier(database).VerifyAllAsync(ct))
        {
            if (verdict.Break is not null)
                throw new InvalidDataException($"The chain of {stream} does not hold.");
        }

        if (await rebuilder.CompareAsync("all", null, ct) is { Count: > 0 } drifts)
            throw new InvalidDataException($"{drifts.Count} rows are not what the log says.");
    }

    /// <summary>What any export comes to: the log in order, page by page, as lines of JSON, compressed.</summary>
    private static async Task ExportAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await using var to = new GZipStream(Stream.Null, CompressionLevel.Fastest);
        await using var lines = new StreamWriter(to);
        var reader = new LogReader(database, 0);
        while (await reader.NextAsync(1000, ct) is { Count: > 0 } page)
        {
            foreach (var stored in page)
                await lines.WriteLineAsync(JsonSerializer.Serialize(stored));
        }
    }

    /// <summary>A hundred thousand subscriptions whose period ended: one pass of the sweep opens the next, while spends go on beside it.</summary>
    private static async Task ResetsAsync(TestBed bed, Report report, CancellationToken ct)
    {
        const int Due = 100_000;
        await bed.SubscribeAsync(Due, ct);
        await bed.SettleAsync(ct);
        await using var provider = await bed.OpenLedgerAsync(
            bed.Settings.Lanes,
            ct,
            new TestBed.ClockAhead(TimeSpan.FromDays(32)),
            sweeps: false
        );
        var ledger = provider.GetRequiredService<LedgerService>();
        var caller = new Caller("bench", "bench");
        async Task<bool> OneAsync(string run, int number, long n)
        {
            var account = bed.Accounts[(int)((number + (n * bed.Settings.Connections)) % bed.Accounts.Count)];
            var verdict = await ledger.ExecuteAsync(
                new Spend(account.Account, account.Key, "chat", Quantity.Of(1), $"{run}-{number}-{n}"),
                caller
            );
            return verdict.Refusal is null;
        }

        await Callers.RunAsync(bed.Settings.Connections, WarmUp, (number, n) => OneAsync("warm-resets", number, n));
        var alone = report.Add(
            "spends, 64 callers, before the sweep",
            await Callers.RunAsync(bed.Settings.Connections, bed.Settings.Duration, (number, n) => OneAsync("before", number, n))
        );
        var sweep = provider.GetRequiredService<Sweep>();
        var (started, swept, isOver) = (Stopwatch.GetTimestamp(), 0, false);
        var sweeping = Task.Run(
            async () =>
            {
                swept = await sweep.PassAsync(ct);
                Volatile.Write(ref isOver, true);
            },
            ct
        );
        var beside = await Callers.RunAsync(
            bed.Settings.Connections,
            TimeSpan.FromMinutes(5),
            (number, n) => OneAsync("beside", number, n),
            () => Volatile.Read(ref isOver)
        );
        await sweeping;
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        report.Add("spends, 64 callers, while the sweep runs", beside, alone);
        report.Add(
            $"subscriptions reset by the sweep, {Due} due, in {seconds.ToString("0.0", System.Globalization.CultureInfo.InvariantCulture)} s",
            new(swept / seconds, null, null, Due - await bed.CountResetsAsync(period: 1, ct))
        );
    }

    /// <summary>A million accounts put in by SQL: enough to be loaded, not to be replayed.</summary>
    private static async Task MillionAccountsAsync(TestBed bed, Report report, CancellationToken ct)
    {
        const int Million = 1_000_000;
        await using var database = NpgsqlDataSource.Create(bed.ConnectionString);
        await using (
            var fill = database.CreateCommand(
                $"""
                insert into mt_streams (id, type, version, timestamp, created)
                select 'account-m' || lpad(i::text, 15, '0'), 'account', 3, now(), now() from generate_series(1, {Million}) i;
                insert into accounts
                select 'm' || lpad(i::text, 15, '0'), 3, decode(repeat('00', 32), 'hex'), now(), {AccountRows.Format}, 'open', null, now(), 1000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0
                from generate_series(1, {Million}) i;
                insert into pockets
                select 'm' || lpad(i::text, 15, '0'), 1, 'credits', 'payg', null, 1000000000, 1000000000, 0, null, now(), gen_random_uuid() from generate_series(1, {Million}) i;
                insert into keys
                select 'm' || lpad(i::text, 15, '0'), 'k' || lpad(i::text, 15, '0'), 'bench', 'inference', 'pay_per_token', null, md5(i::text), 'lk', '0000', 900000000, null,
                  'monthly', array[]::varchar[], null, null, null, null, now(), null, 0, 0, 0
                from generate_series(1, {Million}) i;
                analyze
                """
            )
        )
        {
            fill.CommandTimeout = 0;
            await fill.ExecuteNonQueryAsync(ct);
        }

        var started = Stopwatch.GetTimestamp();
        await using (await bed.StartServerAsync(ct))
            Console.WriteLine(
                $"start to ready on a database with 1 million accounts: {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s"
            );

        await using var provider = await bed.OpenLedgerAsync(bed.Settings.Lanes, ct);
        var ledger = provider.GetRequiredService<LedgerService>();
        var touched = 0;
        report.Add(
            "reading each of a million accounts once, 64 callers",
            await Callers.RunAsync(
                bed.Settings.Connections,
                TimeSpan.FromMinutes(3),
                async (_, _) =>
                {
                    var i = Interlocked.Increment(ref touched);
                    return i > Million || (await ledger.ReadAsync(new($"m{i:000000000000000}"))).Account.Version == 3;
                },
                () => touched >= Million
            )
        );
        using var self = Process.GetCurrentProcess();
        Console.WriteLine($"memory after touching 1 million accounts: {self.WorkingSet64 / 1_000_000} MB, the benchmark's own included");
    }

    private static async Task<Row> EchoAsync(TestBed bed, Report report, CancellationToken ct)
    {
        if (report.Find(Echo) is { } measured)
            return measured;
        await using var server = await TestBed.StartEchoAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "warm", true, ct, WarmUp);
        return report.Add(Echo, await PostAsync(bed, server, "/api/v1/tools/spend", bed.Accounts, 0, "echo", true, ct));
    }

    private static async Task<Measurement> SpendOverHttpAsync(
        TestBed bed,
        IReadOnlyList<BenchAccount> accounts,
        double repeats,
        string run,
        CancellationToken ct
    )
    {
        await using var server = await bed.StartServerAsync(ct);
        await PostAsync(bed, server, "/api/v1/tools/spend", accounts, 0, "warm-" + run, true, ct, WarmUp);
        return await PostAsync(bed, server, "/api/v1/tools/spend", accounts, repeats, run, true, ct);
    }

    private static async Task<Measurement> PostAsync(
        TestBed bed,
        ServerProcess server,
        string path,
        IReadOnlyList<BenchAccount> accounts,
        double repeats,
        string run,
        bool withReference,
        CancellationToken ct,
        TimeSpan? duration = null,
        int? connections = null
    )
    {
        var times = await ProcessorTime.OfAsync(server.ProcessId, bed.ConnectionString, ct);
        var before = times?.Now();
        var started = Stopwatch.GetTimestamp();
        var measured = await Wrk.PostAsync(
            server.Url,
            path,
            [.. accounts.Select(account => account.Secret)],
            repeats,
            connections ?? bed.Settings.Connections,
            duration ?? bed.Settings.Duration,
            $"{run}-{Environment.TickCount64}",
            withReference,
            ct
        );
        var took = Stopwatch.GetElapsedTime(started).TotalSeconds;
        if (times is null || before is not { } then)
            return measured;
        var used = times.Now().Since(then);
        var each = 1_000_000 / (measured.PerSecond * took);
        return measured with
        {
            Micros = new(
                used.Server * each,
                used.Postgres * each,
                used.Load * each,
                ((took * Environment.ProcessorCount) - used.Server - used.Postgres - used.Load) * each
            ),
        };
    }
}
