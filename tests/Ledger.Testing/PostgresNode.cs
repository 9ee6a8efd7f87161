using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ledger.Api.Hosting;
using Npgsql;

namespace Ledger.Testing;

/// <summary>
/// A PostgreSQL as an operator would set it up, with nobody who watches it: for standbys, fail-overs, backups. It listens on a free loopback
/// port and lets everybody on this machine in.
/// </summary>
public sealed class PostgresNode : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private readonly string _binaries;
    private readonly ServerUser _user;
    private bool _runs;

    private PostgresNode(string name, string folder, string binaries, ServerUser user)
    {
        (Name, Folder, _binaries, _user) = (name, folder, binaries, user);
        Port = FreePort();
    }

    /// <summary>Its name, by which a primary knows its standby.</summary>
    public string Name { get; }

    /// <summary>Its data directory.</summary>
    public string Folder { get; }

    /// <summary>Where it listens on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>Connects to its database <c>ledger</c>.</summary>
    public string ConnectionString => ConnectionTo(this);

    /// <summary>Connects to whichever of several nodes is the primary.</summary>
    public static string ConnectionTo(params IEnumerable<PostgresNode> nodes) =>
        $"Host={string.Join(',', nodes.Select(node => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{node.Port}")))};Username=ledger;Database=ledger";

    /// <summary>Makes a new cluster with a database <c>ledger</c> and starts it.</summary>
    /// <param name="parent">The folder in which it gets one of its own.</param>
    /// <param name="name">Its name.</param>
    /// <param name="settings">Settings beside the usual.</param>
    public static async Task<PostgresNode> CreateAsync(string parent, string name, IReadOnlyDictionary<string, string>? settings = null)
    {
        var user = await ServerUser.FindAsync(null, TimeProvider.System);
        var node = new PostgresNode(name, Path.Combine(parent, name), FindBinaries(), user);
        await node.MakeFolderAsync();
        await node.RunAsync("initdb", "-D", node.Folder, "-U", "ledger", "-A", "trust", "--no-instructions");
        await node.StartAsync(settings);
        await using var maintenance = NpgsqlDataSource.Create(node.ConnectionString + ";Database=postgres;Pooling=false");
        await maintenance.ExecuteAsync("create database ledger");
        return node;
    }

    /// <summary>Copies this cluster while it runs, as <c>pg_basebackup</c> does, and leaves the copy stopped.</summary>
    /// <param name="parent">The folder in which the copy gets one of its own.</param>
    /// <param name="name">Its name.</param>
    /// <param name="options">More options of <c>pg_basebackup</c>, such as <c>-R</c>.</param>
    public async Task<PostgresNode> CopyAsync(string parent, string name, params string[] options)
    {
        var copy = new PostgresNode(name, Path.Combine(parent, name), _binaries, _user);
        await copy.MakeFolderAsync();
        await RunAsync(
            "pg_basebackup",
            [
                "-d",
                $"host=127.0.0.1 port={Port.ToString(CultureInfo.InvariantCulture)} user=ledger",
                "-D",
                copy.Folder,
                "-c",
                "fast",
                .. options,
            ]
        );
        return copy;
    }

    /// <summary>Makes a hot standby that follows this primary, and starts it.</summary>
    /// <param name="parent">The folder in which it gets one of its own.</param>
    /// <param name="name">Its name.</param>
    public async Task<PostgresNode> AddStandbyAsync(string parent, string name)
    {
        var standby = await CopyAsync(parent, name, "-R", "-C", "-S", name);
        await standby.StartAsync(new Dictionary<string, string> { ["synchronous_standby_names"] = "" });
        return standby;
    }

    /// <summary>Starts it.</summary>
    /// <param name="settings">Settings beside the usual; they win.</param>
    public async Task StartAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var all = new Dictionary<string, string>
        {
            ["cluster_name"] = Name,
            ["port"] = Port.ToString(CultureInfo.InvariantCulture),
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = "",
            ["shared_buffers"] = "32MB",
            ["max_connections"] = "50",
            ["wal_receiver_status_interval"] = "1s",
        };
        foreach (var (setting, value) in settings ?? new Dictionary<string, string>())
            all[setting] = value;
        await File.AppendAllLinesAsync(
            Path.Combine(Folder, "postgresql.conf"),
            all.Select(pair => $"{pair.Key} = '{pair.Value.Replace("'", "''", StringComparison.Ordinal)}'")
        );
        _runs = true;
        await RunAsync("pg_ctl", "-D", Folder, "-l", Path.Combine(Folder, "server.log"), "-w", "-t", "60", "start");
    }

    /// <summary>Changes a setting while it runs.</summary>
    public async Task SetAsync(string name, string value)
    {
        await using var database = Connect();
        await database.ExecuteAsync($"alter system set {name} = '{value}'");
        await database.ExecuteAsync("select pg_reload_conf()");
    }

    /// <summary>Ends all its processes at once, as a crash of the machine would.</summary>
    public Task CrashAsync() => StopAsync("immediate");

    /// <summary>Stops it as an operator would.</summary>
    public Task StopAsync() => StopAsync("fast");

    /// <summary>Makes a standby the primary, and returns when it is.</summary>
    public Task PromoteAsync() => RunAsync("pg_ctl", "-D", Folder, "-w", "-t", "60", "promote");

    /// <summary>Connections of the test's own.</summary>
    public NpgsqlDataSource Connect() => NpgsqlDataSource.Create(ConnectionString + ";Pooling=false");

    /// <summary>Leaves a file in the data directory, such as <c>recovery.signal</c>.</summary>
    public async Task TouchAsync(string file)
    {
        var path = Path.Combine(Folder, file);
        await File.WriteAllTextAsync(path, "");
        await _user.OwnAsync(path, CancellationToken.None);
    }

    /// <summary>Makes a folder that it may write to.</summary>
    public async Task<string> MakeWritableAsync(string path)
    {
        await ClusterFolder.MakeOwnedAsync(path, _user, CancellationToken.None);
        return path;
    }

    /// <summary>Runs one of PostgreSQL's programs as its user.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message is what it said.</exception>
    public async Task<string> RunAsync(string program, params string[] arguments)
    {
        var done = await ChildProcess.RunAsync(
            _user.Command([Path.Combine(_binaries, program), .. arguments]),
            TimeProvider.System,
            Patience,
            leavesServer: program == "pg_ctl"
        );
        if (done.Succeeded)
            return done.Output;
        var log = Path.Combine(Folder, "server.log");
        throw new InvalidOperationException(
            $"{program} {string.Join(' ', arguments)}\n{done.Said}\n{(File.Exists(log) ? await File.ReadAllTextAsync(log) : "")}"
        );
    }

    /// <summary>Stops it at once.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_runs)
            await CrashAsync();
    }

    private async Task StopAsync(string mode)
    {
        await RunAsync("pg_ctl", "-D", Folder, "-m", mode, "-w", "-t", "60", "stop");
        _runs = false;
    }

    private Task MakeFolderAsync() => ClusterFolder.MakeOwnedAsync(Folder, _user, CancellationToken.None);

    // The newest that has all of PostgreSQL's programs; what comes by npm has no pg_basebackup.
    private static string FindBinaries() =>
        ServerBinaries
            .Installed()
            .Where(folder => File.Exists(Path.Combine(folder, "pg_basebackup")))
            .OrderByDescending(folder => folder, StringComparer.Ordinal)
            .FirstOrDefault()
        ?? throw new InvalidOperationException("Install all of PostgreSQL's programs, pg_basebackup among them (Debian: postgresql).");

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
