using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Ledger.Testing;

/// <summary>A separate process that runs an embedded PostgreSQL, for tests of what happens when such a process dies.</summary>
public sealed class StandInServer : IAsyncDisposable
{
    private readonly Process _process;

    private StandInServer(Process process, int postgresProcessId, string connectionString)
    {
        _process = process;
        PostgresProcessId = postgresProcessId;
        ConnectionString = connectionString;
    }

    /// <summary>The process itself.</summary>
    public int ProcessId => _process.Id;

    /// <summary>Its postmaster.</summary>
    public int PostgresProcessId { get; }

    /// <summary>Connects to its database.</summary>
    public string ConnectionString { get; }

    /// <summary>Starts one and waits until its PostgreSQL runs.</summary>
    /// <param name="dataFolder">Its data folder.</param>
    /// <exception cref="InvalidOperationException">It did not start; the message is what it said.</exception>
    public static Task<StandInServer> StartAsync(string dataFolder) => ReadyAsync(Launch(dataFolder));

    /// <summary>Starts one as the user nobody; only root can.</summary>
    /// <param name="dataFolder">Its data folder, in a folder that nobody can write to.</param>
    /// <param name="copyFolder">Gets a copy of .NET and of the program: the originals may be where nobody cannot go, such as root's home.</param>
    /// <exception cref="InvalidOperationException">It did not start; the message is what it said.</exception>
    public static async Task<StandInServer> StartAsNobodyAsync(string dataFolder, string copyFolder)
    {
        // …/shared/Microsoft.NETCore.App/<version>/
        var dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        Directory.CreateDirectory(copyFolder);
        string[] parts = [Path.Combine(dotnet, "dotnet"), Path.Combine(dotnet, "host"), Path.Combine(dotnet, "shared")];
        await RunAsync(["cp", "-rL", .. parts, copyFolder]);
        await RunAsync(["cp", "-rL", AppContext.BaseDirectory, Path.Combine(copyFolder, "program")]);
        await RunAsync(["chmod", "-R", "a+rX", copyFolder]);
        string[] command =
        [
            "setpriv",
            "--reuid=nobody",
            "--regid=nogroup",
            "--clear-groups",
            "--",
            Path.Combine(copyFolder, "dotnet"),
            Path.Combine(copyFolder, "program", Path.GetFileName(Assembly)),
            dataFolder,
        ];
        return await ReadyAsync(Start(command));
    }

    /// <summary>Starts one without waiting for its PostgreSQL.</summary>
    /// <param name="dataFolder">Its data folder.</param>
    public static Process Launch(string dataFolder) =>
        Start([
            Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet",
            Assembly,
            dataFolder,
        ]);

    /// <summary>Kills it as <c>kill -9</c> does: it cleans nothing up.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks it to stop, as the end of its input, and waits for it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static string Assembly => typeof(StandInServer).Assembly.Location;

    private static async Task<StandInServer> ReadyAsync(Process process)
    {
        var first = await process.StandardOutput.ReadLineAsync() ?? "";
        if (int.TryParse(first, CultureInfo.InvariantCulture, out var pid))
            return new StandInServer(process, pid, (await process.StandardOutput.ReadLineAsync())!);
        var rest = await process.StandardOutput.ReadToEndAsync() + await process.StandardError.ReadToEndAsync();
        throw new InvalidOperationException($"{first}\n{rest}");
    }

    private static Process Start(string[] command) =>
        Process.Start(
            new ProcessStartInfo(command[0], command.Skip(1))
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;

    private static async Task RunAsync(string[] command)
    {
        using var process = Process.Start(command[0], command.Skip(1));
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', command)} failed.");
    }
}
