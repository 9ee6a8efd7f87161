using System.Diagnostics;
using System.Security.Cryptography;

namespace Ledger.Api.Hosting;

/// <summary>One PostgreSQL cluster: makes, starts and stops it.</summary>
internal sealed class Cluster(ClusterFolder folder, ServerUser user, ServerBinaries binaries, ILogger logger, TimeProvider time)
{
    private const string DraftPattern = "data.*.new";
    private const int LogLines = 12;

    // Recovery reads up to max_wal_size of log, on whatever disk there is.
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan FastStopLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Where the cluster lives.</summary>
    public ClusterFolder Folder => folder;

    /// <summary>Makes the cluster with its role and database, as one step: a crash half way leaves nothing that looks like a cluster.</summary>
    /// <param name="password">The password of the application's role.</param>
    /// <param name="cancellationToken">Ends it, and the programs it runs.</param>
    public async Task CreateAsync(string password, CancellationToken cancellationToken)
    {
        logger.LogInformation("Creating a PostgreSQL {Version} cluster in {Folder}.", binaries.Version, folder.Data);
        DeleteDrafts();
        // A name of its own for each attempt: an initdb that outlived its killed server may still be writing into an earlier one.
        var draft = folder.Data + $".{RandomNumberGenerator.GetHexString(8, lowercase: true)}.new";
        await ClusterFolder.MakeOwnedAsync(draft, user, cancellationToken);
        // Its own pg_hba.conf refuses everybody, should somebody ever start the cluster without ours.
        string[] initdb =
        [
            binaries.Program("initdb"),
            "-D",
            draft,
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "-A",
            "reject",
            "--data-checksums",
            "--no-instructions",
        ];
        await RunAsync("create a PostgreSQL cluster", initdb, input: null, cancellationToken);
        await RunSqlAsync(
            draft,
            [
                $"create role {ClusterAddress.Application} login createdb password '{password}'",
                $"create database {ClusterAddress.Application} owner {ClusterAddress.Application}",
            ],
            cancellationToken
        );
        Directory.Move(draft, folder.Data);
        // The new name must survive a power cut too. PostgreSQL has synced all below it, but only it knows about the folder above.
        await ChildProcess.RunAsync(["sync", folder.Home], time, StartLimit, cancellationToken: cancellationToken);
    }

    /// <summary>Gives the application's role another password; the cluster must not run.</summary>
    public async Task ChangePasswordAsync(string password, CancellationToken cancellationToken)
    {
        logger.LogWarning("The password of the PostgreSQL cluster in {Folder} is lost: setting a new one.", folder.Data);
        await RunSqlAsync(folder.Data, [$"alter role {ClusterAddress.Application} password '{password}'"], cancellationToken);
    }

    /// <summary>Writes the configuration that the next start reads.</summary>
    public void Configure(ClusterAddress address, IReadOnlyDictionary<string, string> settings)
    {
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        UnixModes.ReplaceFile(folder.ConfigFile, ClusterConfiguration.Text(folder, address, memory, settings), UnixModes.Readable);
        UnixModes.ReplaceFile(folder.AccessFile, ClusterConfiguration.Access, UnixModes.Readable);
    }

    /// <summary>The postmaster that runs already, once it is ready; null where none runs, or once the one that was stopping is gone.</summary>
    public async Task<Postmaster?> RunningAsync(CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        while (Postmaster.Find(folder) is { } running)
        {
            if (running.Status == "ready")
                return running;
            if (time.GetElapsedTime(since) > StartLimit)
                throw Failure(
                    $"PostgreSQL (process {running.ProcessId}) has been {running.Status} for {StartLimit.TotalMinutes:0} minutes."
                );
            await Task.Delay(Pause, time, cancellationToken);
        }

        return null;
    }

    /// <summary>Starts the cluster unless it runs, and waits until it takes connections.</summary>
    /// <param name="address">Where it listens, as configured.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<Postmaster> StartAsync(ClusterAddress address, CancellationToken cancellationToken)
    {
        if (await RunningAsync(cancellationToken) is { } running)
            return running;
        // Backends outlive a killed postmaster by a moment; the next one refuses to start beside them.
        await WaitAsync(() => !Remains(), ShortLimit, cancellationToken);
        Postmaster.ForgetDead(folder, address);
        File.Delete(folder.StartupLog);
        // pg_ctl gives the server a session of its own, so that the terminal's Ctrl-C does not reach it.
        string[] start =
        [
            binaries.Program("pg_ctl"),
            "start",
            "-s",
            "-w",
            "-t",
            $"{StartLimit.TotalSeconds:0}",
            "-D",
            folder.Data,
            "-l",
            folder.StartupLog,
            "-o",
            $"-c config_file=\"{folder.ConfigFile}\"",
        ];
        var limit = StartLimit + ShortLimit;
        var started = await ChildProcess.RunAsync(
            user.Command(start),
            time,
            limit,
            leavesServer: true,
            cancellationToken: cancellationToken
        );
        return started.Succeeded && Postmaster.Find(folder) is { } postmaster
            ? postmaster
            : throw Failure($"PostgreSQL did not start. {started.Said}");
    }

    /// <summary>Stops the cluster and answers when nothing of it runs any more: politely at first, by force at last.</summary>
    public async Task StopAsync(bool atOnce = false)
    {
        foreach (var (mode, limit) in new[] { ("fast", FastStopLimit), ("immediate", ShortLimit) })
        {
            if (atOnce && mode == "fast")
                continue;
            if (Postmaster.Find(folder) is null)
                break;
            // We wait, not pg_ctl: it is in our process group, where a second Ctrl-C would end its waiting.
            string[] stop = [binaries.Program("pg_ctl"), "stop", "-s", "-W", "-m", mode, "-D", folder.Data];
            await ChildProcess.RunAsync(user.Command(stop), time, StartLimit);
            await WaitAsync(() => Postmaster.Find(folder) is null, limit, CancellationToken.None);
        }

        if (Postmaster.Find(folder) is { } stubborn)
        {
            logger.LogWarning("PostgreSQL (process {ProcessId}) does not stop: killing it.", stubborn.ProcessId);
            Kill(stubborn.ProcessId);
        }

        await WaitAsync(() => !Remains(), ShortLimit, CancellationToken.None);
    }

    private static void Kill(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (ArgumentException)
        {
            // Gone in the meantime.
        }
    }

    private bool Remains() => OperatingSystem.IsLinux() && Postmaster.Processes(folder).Any();

    private async Task WaitAsync(Func<bool> done, TimeSpan limit, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        while (!done() && time.GetElapsedTime(since) < limit)
            await Task.Delay(Pause, time, cancellationToken);
    }

    private void DeleteDrafts()
    {
        foreach (var draft in Directory.EnumerateDirectories(folder.Home, DraftPattern))
        {
            try
            {
                Directory.Delete(draft, recursive: true);
            }
            catch (IOException e)
            {
                // Somebody still writes into it; it is only room on the disk, and the next start tries again.
                logger.LogWarning("{Draft} is left of an earlier attempt and cannot be deleted: {Reason}", draft, e.Message);
            }
        }
    }

    // Statements run in PostgreSQL's single-user mode, as its superuser, who cannot connect otherwise. One line is one statement.
    private Task RunSqlAsync(string data, string[] statements, CancellationToken cancellationToken)
    {
        string[] single =
        [
            binaries.Program("postgres"),
            "--single",
            "-D",
            data,
            "-c",
            "exit_on_error=on",
            "-c",
            "log_min_error_statement=panic",
            "postgres",
        ];
        return RunAsync("set up the PostgreSQL cluster", single, string.Join('\n', statements) + "\n", cancellationToken);
    }

    private async Task RunAsync(string purpose, string[] command, string? input, CancellationToken cancellationToken)
    {
        var done = await ChildProcess.RunAsync(user.Command(command), time, StartLimit, input, cancellationToken: cancellationToken);
        if (!done.Succeeded)
            throw new EmbeddedPostgresException($"Could not {purpose} in {folder.Home} as the user {user.Name}. {done.Said}");
    }

    private EmbeddedPostgresException Failure(string what) =>
        new($"{what} The end of its log in {folder.Log}:\n{string.Join('\n', LogTail())}");

    private IEnumerable<string> LogTail()
    {
        try
        {
            return new DirectoryInfo(folder.Log)
                .GetFiles("*.log")
                .OrderByDescending(file => file.LastWriteTimeUtc)
                .Take(2)
                .Reverse()
                .SelectMany(file => File.ReadLines(file.FullName).TakeLast(LogLines));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [e.Message];
        }
    }
}
