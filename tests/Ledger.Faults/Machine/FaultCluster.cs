using System.Globalization;
using System.Security.Cryptography;
using Ledger.Api.Hosting;
using Ledger.EventStore;
using Ledger.Faults.Plans;
using Ledger.Projections;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Ledger.Faults.Machine;

/// <summary>
/// A PostgreSQL cluster made to be mistreated: on small disks, watched by nobody, so that a crash stays one until it is started again. It
/// serves many runs, each on a database of its own.
/// </summary>
internal sealed class FaultCluster : IAsyncDisposable
{
    private const string Template = "ledger_template";
    private static readonly string Root = Path.Combine(Path.GetTempPath(), "ledger-faults");
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static int _made;

    private readonly string _folder;
    private readonly ServerUser _user;
    private readonly ServerBinaries _binaries;
    private readonly SmallDisk _tables;
    private readonly SmallDisk _log;
    private readonly string _password = RandomNumberGenerator.GetHexString(24, lowercase: true);

    private FaultCluster(string folder, ServerUser user, ServerBinaries binaries, SmallDisk tables, SmallDisk log) =>
        (_folder, _user, _binaries, _tables, _log) = (folder, user, binaries, tables, log);

    /// <summary>What cannot be injected on this machine.</summary>
    public IReadOnlySet<FaultKind> Impossible { get; private set; } = new HashSet<FaultKind>();

    /// <summary>Its socket.</summary>
    public string Socket => Path.Combine(_folder, "run", ".s.PGSQL.5432");

    /// <summary>The disk under the tables.</summary>
    public SmallDisk Tables => _tables;

    /// <summary>The disk under the write-ahead log.</summary>
    public SmallDisk Log => _log;

    private string Data => Path.Combine(_tables.Path, "data");

    private string ServerLog => Path.Combine(_folder, "run", "server.log");

    public static async Task<FaultCluster> CreateAsync(CancellationToken ct)
    {
        await DeleteAbandonedAsync();
        var folder = Path.Combine(
            Root,
            string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}-{Interlocked.Increment(ref _made)}")
        );
        Directory.CreateDirectory(folder);
        var user = await ServerUser.FindAsync(null, TimeProvider.System, cancellationToken: ct);
        var somewhere = ClusterFolder.Candidates(new(Path.Combine(folder, "embedded"))).First();
        var binaries = await ServerBinaries.FindAsync(somewhere, user, PostgresSources.Any, NullLogger.Instance, TimeProvider.System, ct);
        var tables = await SmallDisk.InMemoryAsync(Path.Combine(folder, "tables"), 400);
        var log = await SmallDisk.OnLoopAsync(Path.Combine(folder, "wal"), 96);
        var cluster = new FaultCluster(folder, user, binaries, tables, log);
        try
        {
            await cluster.MakeAsync(ct);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>A folder for the servers of a run; goes with the cluster at the latest.</summary>
    public string FolderOf(int seed) =>
        Directory.CreateDirectory(Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"seed-{seed}"))).FullName;

    /// <summary>Connects past every proxy.</summary>
    public string Direct(string database) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = Path.GetDirectoryName(Socket),
            Port = 5432,
            Database = database,
            Username = "postgres",
            Password = _password,
            CommandTimeout = 60,
            MaxPoolSize = 20,
        }.ConnectionString;

    /// <summary>Connects through a proxy.</summary>
    public string Through(Proxy proxy, string database) =>
        new NpgsqlConnectionStringBuilder(Direct(database))
        {
            Host = "127.0.0.1",
            Port = proxy.Port,
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
            CommandTimeout = 30,
        }.ConnectionString;

    /// <summary>Makes a database with a schema and nothing else.</summary>
    public async Task<string> CreateDatabaseAsync(int seed, CancellationToken ct)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"seed_{seed}");
        await ExecuteAsync($"drop database if exists {name} with (force)", ct);
        await ExecuteAsync($"create database {name} template {Template}", ct);
        return name;
    }

    /// <summary>Drops a run's database.</summary>
    public Task DropDatabaseAsync(string name, CancellationToken ct) => ExecuteAsync($"drop database if exists {name} with (force)", ct);

    /// <summary>Runs a statement as the superuser, in the database that always is.</summary>
    public async Task ExecuteAsync(string sql, CancellationToken ct)
    {
        await using var connection = await OpenAsync("postgres", ct);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The backends of the writers on a database, in the order of their start.</summary>
    public async Task<IReadOnlyList<int>> WritersAsync(string database, CancellationToken ct)
    {
        await using var connection = await OpenAsync("postgres", ct);
        await using var command = new NpgsqlCommand(
            "select pid from pg_stat_activity where datname = $1 and application_name = 'ledger-writer' order by backend_start",
            connection
        )
        {
            Parameters = { new() { Value = database } },
        };
        await using var rows = await command.ExecuteReaderAsync(ct);
        var found = new List<int>();
        while (await rows.ReadAsync(ct))
            found.Add(rows.GetInt32(0));
        return found;
    }

    /// <summary>Starts it unless it runs.</summary>
    public async Task StartAsync(CancellationToken ct)
    {
        if (Postmaster() is not null)
        {
            await ReadyAsync(ct);
            return;
        }

        // Backends outlive a killed postmaster by a moment; and a recovery that found no room may be on its way out.
        string[] start = [_binaries.Program("pg_ctl"), "start", "-s", "-w", "-t", "60", "-D", Data, "-l", ServerLog];
        for (var tries = 1; ; tries++)
        {
            var done = await ChildProcess.RunAsync(
                _user.Command(start),
                TimeProvider.System,
                Limit + Limit,
                leavesServer: true,
                cancellationToken: ct
            );
            if (done.Succeeded)
                return;
            if (tries == 10)
                throw new IOException($"PostgreSQL did not start. {done.Said}\n{LogTail(30)}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), ct);
        }
    }

    /// <summary>Crashes it: no last checkpoint, no goodbye.</summary>
    public async Task CrashAsync()
    {
        string[] stop = [_binaries.Program("pg_ctl"), "stop", "-s", "-w", "-t", "60", "-m", "immediate", "-D", Data];
        await ChildProcess.RunAsync(_user.Command(stop), TimeProvider.System, Limit);
    }

    /// <summary>Its processes, the postmaster first.</summary>
    public IReadOnlyList<int> Processes()
    {
        if (Postmaster() is not { } postmaster)
            return [];
        var found = new List<int> { postmaster };
        foreach (var folder in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) && ParentOf(pid) == postmaster)
                found.Add(pid);
        }

        return found;
    }

    /// <summary>Writes so much into the write-ahead log that its disk is full to the last segment; the cluster crashes of it.</summary>
    public async Task EatLogAsync(CancellationToken ct)
    {
        try
        {
            for (var megabytes = 0; megabytes < 200; megabytes++)
                await ExecuteAsync("select pg_logical_emit_message(false, 'ballast', repeat('x', 1000000))", ct);
        }
        catch (NpgsqlException)
        {
            // That was the last room there was.
        }
    }

    /// <summary>Waits until it takes connections, as after a crash that it recovers from by itself.</summary>
    public async Task ReadyAsync(CancellationToken ct)
    {
        var since = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await using var connection = await OpenAsync("postgres", ct);
                return;
            }
            catch (NpgsqlException) when (TimeProvider.System.GetElapsedTime(since) < Limit)
            {
                if (Postmaster() is null)
                {
                    await StartAsync(ct);
                    return;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(5), ct);
            }
        }
    }

    /// <summary>The end of PostgreSQL's own log.</summary>
    public string LogTail(int lines) => File.Exists(ServerLog) ? string.Join('\n', File.ReadLines(ServerLog).TakeLast(lines)) : "(no log)";

    public async ValueTask DisposeAsync()
    {
        if (Directory.Exists(_folder))
            await DeleteAsync(_folder);
    }

    private static async Task DeleteAsync(string folder)
    {
        // By the number that PostgreSQL itself wrote down, and only where that process is the cluster of this folder.
        var pidFile = Path.Combine(folder, "tables", "data", "postmaster.pid");
        if (
            File.Exists(pidFile)
            && int.TryParse(File.ReadLines(pidFile).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid)
            && CommandLine(pid).Contains(folder, StringComparison.Ordinal)
        )
        {
            if (Directory.Exists(Path.Combine(folder, "wal")))
                await ChildProcess.RunAsync(["fsfreeze", "--unfreeze", Path.Combine(folder, "wal")], TimeProvider.System, Limit);
            foreach (var child in Directory.GetDirectories("/proc"))
            {
                if (int.TryParse(Path.GetFileName(child), CultureInfo.InvariantCulture, out var id) && (id == pid || ParentOf(id) == pid))
                    await ChildProcess.RunAsync(["kill", "-KILL", id.ToString(CultureInfo.InvariantCulture)], TimeProvider.System, Limit);
            }

            var since = TimeProvider.System.GetTimestamp();
            while (CommandLine(pid).Length > 0 && TimeProvider.System.GetElapsedTime(since) < Limit)
                await Task.Delay(TimeSpan.FromMilliseconds(10));
        }

        await SmallDisk.UnmountBelowAsync(folder);
        Directory.Delete(folder, recursive: true);
    }

    private static async Task DeleteAbandonedAsync()
    {
        if (!Directory.Exists(Root))
            return;
        foreach (var folder in Directory.GetDirectories(Root))
        {
            if (
                int.TryParse(Path.GetFileName(folder).Split('-')[0], CultureInfo.InvariantCulture, out var owner)
                && !Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{owner}"))
            )
                await DeleteAsync(folder);
        }
    }

    private async Task MakeAsync(CancellationToken ct)
    {
        var run = Path.GetDirectoryName(Socket)!;
        foreach (var folder in (string[])[run, _tables.Path])
        {
            Directory.CreateDirectory(folder);
            await _user.OwnAsync(folder, ct);
        }

        // On a file system of its own there is a lost+found, which initdb does not take for an empty folder.
        await _user.OwnAsync(_log.Path, ct);
        var secret = Path.Combine(run, "password");
        await File.WriteAllTextAsync(secret, _password, ct);
        await _user.OwnAsync(secret, ct);
        string[] initdb =
        [
            _binaries.Program("initdb"),
            "-D",
            Data,
            "-X",
            Path.Combine(_log.Path, "segments"),
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "-A",
            "md5",
            $"--pwfile={secret}",
            "--data-checksums",
            "--wal-segsize=1",
            "--no-sync",
        ];
        var made = await ChildProcess.RunAsync(_user.Command(initdb), TimeProvider.System, Limit, cancellationToken: ct);
        if (!made.Succeeded)
            throw new IOException($"initdb failed. {made.Said}");
        await File.AppendAllTextAsync(
            Path.Combine(Data, "postgresql.conf"),
            $"""

            listen_addresses = ''
            unix_socket_directories = '{run}'
            unix_socket_permissions = 0700
            shared_buffers = 48MB
            max_connections = 120
            min_wal_size = 4MB
            max_wal_size = 32MB
            wal_level = minimal
            max_wal_senders = 0
            jit = off
            timezone = 'UTC'
            lc_messages = 'C'
            log_line_prefix = '%m [%p] '

            """,
            ct
        );
        await StartAsync(ct);
        await ExecuteAsync($"create database {Template}", ct);
        await using (var database = NpgsqlDataSource.Create(Direct(Template) + ";Pooling=false"))
            await new NpgsqlEventLog(database, ReadModelMigrations.All).MigrateAsync(ct);

        var impossible = new HashSet<FaultKind>();
        if (!_tables.IsSmall)
            impossible.Add(FaultKind.TableDiskFull);
        if (!_log.IsSmall)
            impossible.Add(FaultKind.LogDiskFull);
        if (!_log.CanFreeze)
            impossible.Add(FaultKind.LogDiskStalled);
        Impossible = impossible;
    }

    private async Task<NpgsqlConnection> OpenAsync(string database, CancellationToken ct)
    {
        // Never pooled: what is pooled may be older than the last crash.
        var connection = new NpgsqlConnection(Direct(database) + ";Pooling=false;Timeout=5");
        try
        {
            await connection.OpenAsync(ct);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private int? Postmaster()
    {
        var file = Path.Combine(Data, "postmaster.pid");
        return
            File.Exists(file)
            && int.TryParse(File.ReadLines(file).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid)
            && CommandLine(pid).Contains(Data, StringComparison.Ordinal)
            ? pid
            : null;
    }

    private static int ParentOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static string CommandLine(int pid)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/cmdline"));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
