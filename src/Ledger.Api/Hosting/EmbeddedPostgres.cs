using Npgsql;

namespace Ledger.Api.Hosting;

/// <summary>A private PostgreSQL cluster in a data folder, which this process creates, starts, keeps running and stops.</summary>
public sealed class EmbeddedPostgres : IAsyncDisposable
{
    private static readonly TimeSpan AttachLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan AttachPause = TimeSpan.FromMilliseconds(100);

    private readonly ClusterAddress _address;
    private readonly Owned? _owned;
    private readonly int _attachedTo;

    private EmbeddedPostgres(ClusterAddress address, Owned? owned, int attachedTo)
    {
        _address = address;
        _owned = owned;
        _attachedTo = attachedTo;
    }

    /// <summary>Connects to the database <c>ledger</c> as its owner; stays the same when PostgreSQL dies and is started again.</summary>
    public string ConnectionString => _address.ConnectionString;

    /// <summary>The postmaster's process; another one after a restart.</summary>
    public int ProcessId => _owned?.Supervisor.ProcessId ?? _attachedTo;

    /// <summary>Whether the cluster belongs to another running process, which goes on running it.</summary>
    public bool IsAttached => _owned is null;

    /// <summary>Starts the cluster of a data folder: makes it where it is missing, adopts it where an earlier server's death left it running.</summary>
    /// <param name="options">Names the data folder.</param>
    /// <param name="logger">Told what takes long, and of every restart.</param>
    /// <param name="time">Measures pauses and time-outs.</param>
    /// <param name="cancellationToken">Ends the start and leaves nothing running.</param>
    /// <exception cref="EmbeddedPostgresException">It cannot be started, or another process uses the folder.</exception>
    public static async Task<EmbeddedPostgres> StartAsync(
        EmbeddedPostgresOptions options,
        ILogger logger,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        options = await PrepareAsync(options, time, cancellationToken);
        FolderLock folderLock;
        try
        {
            folderLock = await FolderLock.AcquireAsync(options.DataFolder, time, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(options, e);
        }

        return await StartAsync(options, folderLock, logger, time, cancellationToken);
    }

    /// <summary>Uses the cluster of the server that runs on the data folder, without ever stopping it; starts it ourselves where none runs.</summary>
    /// <param name="options">Names the data folder.</param>
    /// <param name="logger">Told what takes long.</param>
    /// <param name="time">Measures pauses and time-outs.</param>
    /// <param name="cancellationToken">Ends the start and leaves nothing running that was not.</param>
    /// <exception cref="EmbeddedPostgresException">Neither is possible.</exception>
    public static async Task<EmbeddedPostgres> AttachOrStartAsync(
        EmbeddedPostgresOptions options,
        ILogger logger,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        options = await PrepareAsync(options, time, cancellationToken);
        var since = time.GetTimestamp();
        while (true)
        {
            if (InFolder(options, () => FolderLock.TryAcquire(options.DataFolder)) is { } folderLock)
                return await StartAsync(options, folderLock, logger, time, cancellationToken);
            // The other process may be at its first start, or about to end.
            if (
                InFolder(options, () => ClusterAddress.Load(options.DataFolder)) is { } address
                && Running(options) is { Status: "ready" } running
            )
            {
                address = address with { Host = running.Host, Port = running.Port };
                if (await RefusalAsync(address, cancellationToken) is null)
                    return new EmbeddedPostgres(address, owned: null, running.ProcessId);
            }

            if (time.GetElapsedTime(since) > AttachLimit)
                throw new EmbeddedPostgresException(
                    $"The process {await FolderLock.HolderAsync(options.DataFolder, time, cancellationToken)} uses the data folder "
                        + $"{options.DataFolder}, but its database does not answer."
                );
            await Task.Delay(AttachPause, time, cancellationToken);
        }
    }

    /// <summary>Stops PostgreSQL (a fast shutdown, which ends its connections), and gives the data folder free; an attached cluster runs on.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_owned is not null)
            await _owned.DisposeAsync();
    }

    /// <summary>Stops PostgreSQL without its last checkpoint: for a cluster that is deleted next.</summary>
    internal async ValueTask DiscardAsync()
    {
        if (_owned is not null)
            await _owned.StopAsync(atOnce: true);
    }

    /// <summary>Stops whatever runs of a data folder that no process holds, and deletes it with its cluster; does nothing where one does.</summary>
    internal static async Task DeleteAsync(EmbeddedPostgresOptions options, ILogger logger, TimeProvider time)
    {
        options = await PrepareAsync(options, time, CancellationToken.None);
        using var folderLock = FolderLock.TryAcquire(options.DataFolder);
        if (folderLock is null)
            return;
        foreach (var folder in ClusterFolder.Candidates(options).Where(folder => Directory.Exists(folder.Home)))
        {
            if (Postmaster.Find(folder) is not null)
            {
                var user = await ServerUser.FindAsync(folder.Data, time);
                var binaries = await ServerBinaries.FindAsync(folder, user, options.Sources, logger, time, CancellationToken.None);
                await new Cluster(folder, user, binaries, logger, time).StopAsync();
            }

            if (ClusterAddress.Load(options.DataFolder) is { } address && address.IsOutside(folder) && Directory.Exists(address.Host))
                Directory.Delete(address.Host, recursive: true);
            Directory.Delete(folder.Home, recursive: true);
        }

        Directory.Delete(options.DataFolder, recursive: true);
    }

    private static async Task<EmbeddedPostgres> StartAsync(
        EmbeddedPostgresOptions options,
        FolderLock folderLock,
        ILogger logger,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        Cluster? cluster = null;
        Supervisor? supervisor = null;
        try
        {
            var (folder, user) = await ClusterFolder.PrepareAsync(options, time, logger, cancellationToken);
            var binaries = await ServerBinaries.FindAsync(folder, user, options.Sources, logger, time, cancellationToken);
            cluster = new Cluster(folder, user, binaries, logger, time);

            var earlier = ClusterAddress.Load(options.DataFolder);
            if (earlier is null)
                await cluster.StopAsync();
            var orphan = await cluster.RunningAsync(cancellationToken);
            var address = orphan is null
                ? await ClusterAddress.ChooseAsync(folder, user, options.UnixSocket, earlier, cancellationToken)
                : earlier! with
                {
                    Host = orphan.Host,
                    Port = orphan.Port,
                };

            if (folder.Major is null)
            {
                // The password first: a cluster whose password was never written down would be of no use.
                address.Save(options.DataFolder);
                await cluster.CreateAsync(address.Password, cancellationToken);
            }
            else if (earlier is null)
            {
                await cluster.ChangePasswordAsync(address.Password, cancellationToken);
            }

            address.Save(options.DataFolder);
            cluster.Configure(address, options.Settings);
            var running = await cluster.StartAsync(address, cancellationToken);
            supervisor = new Supervisor(cluster, address, running, logger, time);
            if (await RefusalAsync(address, cancellationToken) is { } refusal)
                throw new EmbeddedPostgresException($"PostgreSQL runs, but refuses our connection: {refusal.Message}", refusal);
            logger.LogInformation(
                "PostgreSQL {Version} {Verb} (process {ProcessId}, cluster {Folder}).",
                binaries.Version,
                orphan is null ? "runs" : "was still running and is adopted",
                running.ProcessId,
                folder.Home
            );
            return new EmbeddedPostgres(address, new Owned(folderLock, cluster, supervisor, address), attachedTo: 0);
        }
        catch (Exception e)
        {
            using (folderLock)
            {
                if (supervisor is not null)
                    await supervisor.DisposeAsync();
                if (cluster is not null)
                    await cluster.StopAsync();
            }

            if (e is IOException or UnauthorizedAccessException or TimeoutException)
                throw Unusable(options, e);
            throw;
        }
    }

    private static async Task<EmbeddedPostgresOptions> PrepareAsync(
        EmbeddedPostgresOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        options = options with { DataFolder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.DataFolder)) };
        // Root's unprivileged user must pass through it; the secrets in it have modes of their own.
        InFolder(options, () => UnixModes.CreateFolder(options.DataFolder, ServerUser.WeAreRoot ? UnixModes.Passable : UnixModes.Private));
        if (OperatingSystem.IsWindows())
            return options;

        // One cluster has one name, whichever links led to it: by its path we recognise what runs on it.
        string[] resolve = ["sh", "-c", "cd \"$1\" && pwd -P", "sh", options.DataFolder];
        var resolved = await ChildProcess.RunAsync(resolve, time, ShortLimit, cancellationToken: cancellationToken);
        if (!resolved.Succeeded)
            throw Unusable(options, new IOException(resolved.Said));
        options = options with { DataFolder = resolved.Output.TrimEnd('\n') };
        // pg_ctl hands the path to a shell, in double quotes.
        if (options.DataFolder.AsSpan().IndexOfAny("\"$`\\\n") >= 0)
            throw new EmbeddedPostgresException(
                $"The data folder {options.DataFolder} has a character in its path that PostgreSQL's pg_ctl cannot take (\" $ ` \\ or a line break). "
                    + "Choose another folder with Ledger__Data."
            );
        return options;
    }

    private static void InFolder(EmbeddedPostgresOptions options, Action action) =>
        InFolder(
            options,
            () =>
            {
                action();
                return true;
            }
        );

    private static T InFolder<T>(EmbeddedPostgresOptions options, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(options, e);
        }
    }

    private static EmbeddedPostgresException Unusable(EmbeddedPostgresOptions options, Exception cause) =>
        new($"The data folder {options.DataFolder} cannot be used: {cause.Message}", cause);

    private static Postmaster? Running(EmbeddedPostgresOptions options) =>
        ClusterFolder.Candidates(options).Select(Postmaster.Find).FirstOrDefault(running => running is not null);

    private static async Task<NpgsqlException?> RefusalAsync(ClusterAddress address, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new NpgsqlConnection(
                new NpgsqlConnectionStringBuilder(address.ConnectionString) { Pooling = false }.ConnectionString
            );
            await connection.OpenAsync(cancellationToken);
            return null;
        }
        catch (NpgsqlException e)
        {
            return e;
        }
    }

    // What ends with us, in the order in which it has to.
    private sealed class Owned(FolderLock folderLock, Cluster cluster, Supervisor supervisor, ClusterAddress address) : IAsyncDisposable
    {
        private int _disposed;

        public Supervisor Supervisor => supervisor;

        public ValueTask DisposeAsync() => StopAsync(atOnce: false);

        public async ValueTask StopAsync(bool atOnce)
        {
            if (Interlocked.Exchange(ref _disposed, 1) != 0)
                return;
            await supervisor.DisposeAsync();
            await cluster.StopAsync(atOnce);
            if (address.IsOutside(cluster.Folder) && Directory.Exists(address.Host))
                Directory.Delete(address.Host, recursive: true);
            folderLock.Dispose();
        }
    }
}
