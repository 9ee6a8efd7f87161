using System.ComponentModel;
using System.Diagnostics;

namespace Ledger.Api.Hosting;

/// <summary>What a program left behind: 127 and the reason where it could not be run at all.</summary>
internal sealed record Finished(int ExitCode, string Output, string Error)
{
    /// <summary>Whether the program ended with exit code 0.</summary>
    public bool Succeeded => ExitCode == 0;

    /// <summary>Everything it said, errors first, in one string for a message.</summary>
    public string Said => string.Join('\n', new[] { Error.Trim(), Output.Trim() }.Where(text => text.Length > 0));
}

/// <summary>Runs a short-lived program to its end, without a terminal and without PostgreSQL's environment variables.</summary>
internal static class ChildProcess
{
    /// <summary>Runs a command; cancelling or the time-out kills it.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="time">Measures the time-out.</param>
    /// <param name="timeout">After this the program is killed and a <see cref="TimeoutException"/> thrown.</param>
    /// <param name="input">Its standard input; empty where null.</param>
    /// <param name="leavesServer">
    /// The program starts a server that outlives it: killing spares its children, and on Windows, where the server would
    /// inherit our end of the pipes and keep us reading for ever, its output is not read.
    /// </param>
    /// <param name="cancellationToken">Kills the program.</param>
    public static async Task<Finished> RunAsync(
        IReadOnlyList<string> command,
        TimeProvider time,
        TimeSpan timeout,
        string? input = null,
        bool leavesServer = false,
        CancellationToken cancellationToken = default
    )
    {
        var readsOutput = !leavesServer || !OperatingSystem.IsWindows();
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = readsOutput,
            RedirectStandardError = readsOutput,
            UseShellExecute = false,
            // Our own working folder may be one that the unprivileged user cannot enter.
            WorkingDirectory = Path.GetPathRoot(Environment.SystemDirectory) is { Length: > 0 } root ? root : "/",
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C";

        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            return new Finished(127, "", e.Message);
        }

        using var late = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            var output = readsOutput ? process.StandardOutput.ReadToEndAsync(stop.Token) : Task.FromResult("");
            var error = readsOutput ? process.StandardError.ReadToEndAsync(stop.Token) : Task.FromResult("");
            await FeedAsync(process, input, stop.Token);
            await process.WaitForExitAsync(stop.Token);
            return new Finished(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: !leavesServer);
            cancellationToken.ThrowIfCancellationRequested();
            throw new TimeoutException($"{Path.GetFileName(command[0])} did not end within {timeout.TotalSeconds:0} s.");
        }
    }

    /// <summary>The full path of a program on <c>PATH</c>, or null.</summary>
    public static string? Which(string name) =>
        PathFolders()
            .SelectMany(folder =>
                OperatingSystem.IsWindows()
                    ? new[] { Path.Combine(folder, name + ".exe"), Path.Combine(folder, name + ".cmd") }
                    : [Path.Combine(folder, name)]
            )
            .FirstOrDefault(File.Exists);

    /// <summary>The folders of <c>PATH</c>, in its order.</summary>
    public static IEnumerable<string> PathFolders() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(
            Path.PathSeparator,
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries
        );

    private static async Task FeedAsync(Process process, string? input, CancellationToken cancellationToken)
    {
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The program ended without reading its input; its exit code and its own words say why.
        }
    }
}
