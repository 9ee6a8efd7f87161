using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Api.Keys;
using Ledger.Bench.Load;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Ledger.Bench;

/// <summary>One account of the load.</summary>
internal readonly record struct BenchAccount(AccountId Account, KeyId Key, string Secret);

/// <summary>An embedded PostgreSQL with durable settings, accounts with funds and limited keys, and server processes on demand.</summary>
internal sealed class TestBed : IAsyncDisposable
{
    private readonly EmbeddedPostgres _postgres;
    private readonly string _folder;

    private TestBed(BenchSettings settings, EmbeddedPostgres postgres, string folder) =>
        (Settings, _postgres, _folder) = (settings, postgres, folder);

    public BenchSettings Settings { get; }

    public string ConnectionString => _postgres.ConnectionString;

    public IReadOnlyList<BenchAccount> Accounts { get; private set; } = [];

    public static async Task<TestBed> CreateAsync(BenchSettings settings, bool fills, CancellationToken ct)
    {
        var folder = settings.Folder is { } kept
            ? Directory.CreateDirectory(kept).FullName
            : Directory.CreateTempSubdirectory("ledger-bench-").FullName;
        var isNew = !Directory.Exists(Path.Combine(folder, "data"));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(folder, (UnixFileMode)0b111_001_001);
        var postgres = await EmbeddedPostgres.StartAsync(new(Path.Combine(folder, "data")), NullLogger.Instance, TimeProvider.System, ct);
        var bed = new TestBed(settings, postgres, folder);
        if (!isNew)
        {
            // It may have been left by an earlier build.
            await bed.RunCommandAsync(["migrate"], ct);
            return bed;
        }

        await using var ledger = await bed.OpenLedgerAsync(1, ct);
        var service = ledger.GetRequiredService<LedgerService>();
        if (fills)
        {
            bed.Accounts = await MakeAccountsAsync(service, settings.Accounts);
            await FillAsync(service, bed.Accounts, settings.Events);
        }

        // What it does in turns with other nodes it would keep to itself for as long as this process runs.
        foreach (var hosted in ledger.GetServices<IHostedService>().Reverse())
            await hosted.StopAsync(ct);
        await bed.SettleAsync(ct);
        return bed;
    }

    /// <summary>
    /// Brings PostgreSQL to where it is after it has run for a while: statistics of what there is, nothing left to clean up, and segments of
    /// its write-ahead log that are used again instead of being made. A new cluster makes every segment while a commit waits for it.
    /// </summary>
    public async Task SettleAsync(CancellationToken ct)
    {
        const int Segments = 128;
        await using var database = NpgsqlDataSource.Create(ConnectionString);
        await using var connection = await database.OpenConnectionAsync(ct);
        async Task RunAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(ct);
        }

        await RunAsync("vacuum (analyze)");
        for (var segment = 0; segment < Segments; segment++)
            await RunAsync("select pg_logical_emit_message(false, 'bench', repeat('x', 16 * 1024 * 1024))");

        // Our role may not ask for a checkpoint, but for a database that needs one.
        await RunAsync("create database settled strategy file_copy");
        await RunAsync("drop database settled");
    }

    /// <summary>Spends until the log holds as many, through the ledger itself, many of one account at once.</summary>
    private static async Task FillAsync(LedgerService ledger, IReadOnlyList<BenchAccount> accounts, long events)
    {
        const int AtOnce = 100;
        const int Side = 10;
        var caller = new Caller("bench", "bench");
        var done = 0L;
        for (var round = 0; done < events; round++)
        {
            foreach (var some in accounts.Chunk(Side))
            {
                await Task.WhenAll(
                    from account in some
                    from i in Enumerable.Range(0, AtOnce)
                    select ledger.ExecuteAsync(new Spend(account.Account, account.Key, "chat", Quantity.Of(1), $"fill-{round}-{i}"), caller)
                );
                done += some.Length * AtOnce;
                if (done >= events)
                    break;
            }
        }
    }

    /// <summary>The ledger without a web server, in this process.</summary>
    /// <param name="lanes">Its lanes.</param>
    /// <param name="ct">Gives up.</param>
    /// <param name="clock">Its clock; the machine's where it is not given.</param>
    /// <param name="sweeps">Whether it sweeps by itself.</param>
    public async Task<ServiceProvider> OpenLedgerAsync(int lanes, CancellationToken ct, TimeProvider? clock = null, bool sweeps = true)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(
                new Dictionary<string, string?>
                {
                    ["ConnectionStrings:Ledger"] = ConnectionString,
                    ["Ledger:Data"] = Path.Combine(_folder, "server"),
                    ["Ledger:AdminKey"] = "bench",
                    ["Ledger:Lanes"] = lanes.ToString(System.Globalization.CultureInfo.InvariantCulture),
                    ["Ledger:SweepInterval"] = sweeps ? null : "00:00:00",
                }
            )
            .Build();
        var database = await LedgerDatabase.OpenAsync(configuration, attach: false, NullLoggerFactory.Instance, TimeProvider.System, ct);
        var services = new ServiceCollection().AddLogging().AddMetrics().AddSingleton<IConfiguration>(configuration);
        services.AddSingleton(new OperatorKey("bench"));
        services.AddLedgerStore(database).AddLedger(configuration).AddAccess(configuration);
        if (clock is not null)
            services.AddSingleton(clock);
        var provider = services.BuildServiceProvider();
        if (clock is null)
        {
            foreach (var hosted in provider.GetServices<IHostedService>())
                await hosted.StartAsync(ct);
        }
        else
        {
            // A node whose clock differs from the database's is not ready, and rightly so; only the ledger itself is started.
            await provider.GetRequiredService<LedgerService>().StartAsync(ct);
        }

        return provider;
    }

    /// <summary>Accounts that subscribe now.</summary>
    public async Task SubscribeAsync(int count, CancellationToken ct)
    {
        await using var provider = await OpenLedgerAsync(1, ct, sweeps: false);
        var ledger = provider.GetRequiredService<LedgerService>();
        var caller = Caller.System("bench");
        foreach (var some in Enumerable.Range(0, count).Chunk(1000))
        {
            await Task.WhenAll(
                some.SelectMany(i =>
                {
                    var account = new AccountId(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"s{i:000000000000000}"));
                    return (Task[])
                        [
                            ledger.ExecuteAsync(new OpenAccount(account, null), caller),
                            ledger.ExecuteAsync(new SetSubscription(account, EventIds.Request(account, "bench"), "pro"), caller),
                        ];
                })
            );
        }
    }

    /// <summary>How many resets of a period the log holds.</summary>
    public async Task<long> CountResetsAsync(int period, CancellationToken ct)
    {
        await using var database = NpgsqlDataSource.Create(ConnectionString);
        await using var command = database.CreateCommand(
            "select count(*) from mt_events m where m.type = 'subscription_reset' and (m.data ->> 'period')::int = $1"
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = period });
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>The machine's clock, put forward.</summary>
    public sealed class ClockAhead(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + by;
    }

    /// <summary>The real server as a process of its own.</summary>
    /// <param name="ct">Gives up.</param>
    /// <param name="settings">Environment beside the usual.</param>
    public Task<ServerProcess> StartServerAsync(CancellationToken ct, params IEnumerable<(string Name, string Value)> settings)
    {
        var url = $"http://127.0.0.1:{FreePort()}";
        return ServerProcess.StartAsync(
            Path.Combine(AppContext.BaseDirectory, "Ledger.Api.dll"),
            ["--urls", url],
            url,
            "/health/ready",
            new(settings.Select(setting => KeyValuePair.Create(setting.Name, setting.Value)))
            {
                ["ConnectionStrings__Ledger"] = ConnectionString,
                ["Ledger__Data"] = Path.Combine(_folder, "server"),
                ["Ledger__AdminKey"] = "bench",
                ["Ledger__Lanes"] = Settings.Lanes.ToString(System.Globalization.CultureInfo.InvariantCulture),
                ["Logging__LogLevel__Default"] = "Warning",
            },
            ct
        );
    }

    /// <summary>One command of the server's command line, as a process of its own.</summary>
    /// <param name="arguments">The command.</param>
    /// <param name="ct">Gives up.</param>
    /// <param name="database">Another database of the same PostgreSQL; null for the ledger's.</param>
    public async Task<CommandRun> RunCommandAsync(string[] arguments, CancellationToken ct, string? database = null)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Ledger.Api.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ConnectionStrings__Ledger"] = database is null
            ? ConnectionString
            : new NpgsqlConnectionStringBuilder(ConnectionString) { Database = database }.ConnectionString;
        start.Environment["Ledger__Data"] = Path.Combine(_folder, database ?? "server");
        start.Environment["Ledger__AdminKey"] = "bench";
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(ct), process.StandardError.ReadToEndAsync(ct));
        var exited = process.WaitForExitAsync(ct);
        var (times, peak) = (await ProcessorTime.OfAsync(process.Id, ConnectionString, ct), 0L);
        var (before, used) = (times?.Now().Postgres ?? 0, default(ProcessorTime.Use));
        while (await Task.WhenAny(exited, Task.Delay(50, ct)) != exited)
        {
            process.Refresh();
            peak = Math.Max(peak, process.HasExited ? 0 : process.PeakWorkingSet64);
            if (times?.Now() is { Server: > 0 } now)
                used = now;
        }

        var took = Stopwatch.GetElapsedTime(started);
        if (process.ExitCode != 0)
            await Console.Error.WriteLineAsync(await errors + await output);
        return new(process.ExitCode, took, peak / 1_000_000d, used.Server, used.Postgres - before, await output);
    }

    /// <summary>The echoing baseline as a process of its own.</summary>
    public static Task<ServerProcess> StartEchoAsync(CancellationToken ct)
    {
        var url = $"http://127.0.0.1:{FreePort()}";
        return ServerProcess.StartAsync(typeof(TestBed).Assembly.Location, ["echo-server", url], url, "/", [], ct);
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await _postgres.DisposeAsync();
        if (Settings.Folder is null)
            Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Accounts with funds.</summary>
    /// <param name="ledger">Makes them.</param>
    /// <param name="count">How many.</param>
    /// <param name="ofCalls">Whether they pay for calls: in dollars, with keys that are not measured by a bucket.</param>
    public static async Task<IReadOnlyList<BenchAccount>> MakeAccountsAsync(LedgerService ledger, int count, bool ofCalls = false)
    {
        var funds = ofCalls
            ? (Amount.Usd(100_000), PocketSource.Prepaid, (Amount?)null)
            : (Amount.Credits(1_000_000_000), PocketSource.Payg, Amount.Credits(900_000_000));
        var accounts = Enumerable
            .Range(0, count)
            .Select(_ =>
            {
                var secret = KeySecret.Create("lk");
                return (Account: new BenchAccount(Identifiers.NewAccount(), Identifiers.NewKey(), secret.Text), Secret: secret);
            })
            .ToList();
        var caller = Caller.System("bench");
        foreach (var chunk in accounts.Chunk(200))
        {
            await Task.WhenAll(
                chunk.Select(async each =>
                {
                    var (account, key, _) = each.Account;
                    await ledger.ExecuteAsync(new OpenAccount(account, null), caller);
                    await ledger.ExecuteAsync(
                        new GrantCredits(account, funds.Item1, funds.Item2, null, null, "bench", "funds", null),
                        caller
                    );
                    await ledger.ExecuteAsync(
                        new CreateKey(
                            account,
                            key,
                            "bench",
                            KeyKind.Inference,
                            KeyBilling.PayPerToken,
                            null,
                            each.Secret.Hash.ToString(),
                            "lk",
                            each.Secret.LastFour,
                            funds.Item3,
                            null,
                            LimitReset.Monthly,
                            [],
                            ofCalls ? new(1, Quantity.Of(1), true) : null,
                            null
                        ),
                        caller
                    );
                })
            );
        }

        return [.. accounts.Select(each => each.Account)];
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>What a command came to.</summary>
/// <param name="ExitCode">0 where all is well.</param>
/// <param name="Took">How long it ran, start included.</param>
/// <param name="PeakMegabytes">The most memory that it had.</param>
/// <param name="OwnSeconds">Processor time of its own.</param>
/// <param name="PostgresSeconds">PostgreSQL's meanwhile.</param>
/// <param name="Output">What it said.</param>
internal sealed record CommandRun(
    int ExitCode,
    TimeSpan Took,
    double PeakMegabytes,
    double OwnSeconds,
    double PostgresSeconds,
    string Output
);

/// <summary>A server as a process of its own, which this one starts and ends.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly Process _process;

    private ServerProcess(Process process, string url) => (_process, Url) = (process, url);

    public string Url { get; }

    public int ProcessId => _process.Id;

    public static async Task<ServerProcess> StartAsync(
        string assembly,
        string[] arguments,
        string url,
        string ready,
        Dictionary<string, string> environment,
        CancellationToken ct
    )
    {
        var start = new ProcessStartInfo("dotnet", [assembly, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) => Console.Error.WriteLine(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var server = new ServerProcess(process, url);
        using var client = new HttpClient { BaseAddress = new(url) };
        for (var tries = 0; ; tries++)
        {
            if (process.HasExited || tries == 600)
                throw new InvalidOperationException($"{assembly} did not start.");
            try
            {
                using var answer = await client.GetAsync(ready, ct);
                if (ready == "/" || answer.IsSuccessStatusCode)
                    return server;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(100, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        using (var stop = Process.Start("kill", ["-TERM", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await stop.WaitForExitAsync();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
