using System.Diagnostics;
using System.Globalization;

namespace Ledger.Api.Hosting;

/// <summary>A running postmaster of one cluster, as its <c>postmaster.pid</c> tells.</summary>
/// <param name="ProcessId">Its process.</param>
/// <param name="Host">The folder of its socket, or its loopback address; empty while it starts.</param>
/// <param name="Port">Its port.</param>
/// <param name="Status"><c>starting</c>, <c>ready</c>, <c>stopping</c>; empty while it starts.</param>
internal sealed record Postmaster(int ProcessId, string Host, int Port, string Status)
{
    private const int PortLine = 3;
    private const int SocketLine = 4;
    private const int AddressLine = 5;
    private const int StatusLine = 7;

    /// <summary>The running postmaster of a cluster, or null where none runs.</summary>
    public static Postmaster? Find(ClusterFolder folder)
    {
        if (
            Read(PathIn(folder)) is not [var first, ..] lines
            || !int.TryParse(first, CultureInfo.InvariantCulture, out var pid)
            || !IsAlive(pid, folder)
        )
            return null;
        string Line(int at) => lines.Length > at ? lines[at].Trim() : "";
        return new Postmaster(
            pid,
            Line(SocketLine) is { Length: > 0 } socket ? socket : Line(AddressLine),
            int.TryParse(Line(PortLine), CultureInfo.InvariantCulture, out var port) ? port : 0,
            Line(StatusLine)
        );
    }

    /// <summary>Whether this process is a postmaster of the cluster, and not a later process with the same number, or one that is dead but not buried.</summary>
    public static bool IsAlive(int pid, ClusterFolder folder)
    {
        if (OperatingSystem.IsLinux())
            return !IsDead(pid) && IsPostmaster(CommandLine(pid), folder);
        try
        {
            using var process = Process.GetProcessById(pid);
            return !process.HasExited && process.ProcessName.StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>
    /// Deletes the lock files of a dead postmaster whose process number now belongs to somebody else (a reboot, a container) or
    /// that nobody has buried: PostgreSQL would take either for a running server and refuse to start.
    /// </summary>
    /// <param name="folder">Where the cluster lives.</param>
    /// <param name="address">Where it listens; its socket's folder is the cluster's alone.</param>
    /// <remarks>
    /// Never while a process of the cluster is left, nor where the number belongs to a PostgreSQL that we do not recognise (the same
    /// folder by another path): the files are what keeps two servers off one cluster.
    /// </remarks>
    public static void ForgetDead(ClusterFolder folder, ClusterAddress address)
    {
        if (!OperatingSystem.IsLinux() || Processes(folder).Any())
            return;
        string[] socket = address.IsSocket
            ? [string.Create(CultureInfo.InvariantCulture, $"{address.Host}/.s.PGSQL.{address.Port}.lock")]
            : [];
        foreach (var path in (string[])[PathIn(folder), .. socket])
        {
            // Where no process has the number, PostgreSQL sees that itself, and checks more than we can.
            if (
                Read(path) is [var first, ..]
                && int.TryParse(first, CultureInfo.InvariantCulture, out var pid)
                && Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}"))
                && (IsDead(pid) || ReadProc(pid, "comm").Trim() != "postgres")
            )
                File.Delete(path);
        }
    }

    /// <summary>The live processes of the cluster on Linux, children without a postmaster included.</summary>
    public static IEnumerable<int> Processes(ClusterFolder folder) =>
        Directory
            .EnumerateDirectories("/proc")
            .Select(path => int.TryParse(Path.GetFileName(path), CultureInfo.InvariantCulture, out var pid) ? pid : 0)
            .Where(pid => pid > 0 && pid != Environment.ProcessId && !IsDead(pid) && Belongs(CommandLine(pid), folder));

    private static bool Belongs(string[] commandLine, ClusterFolder folder) =>
        IsPostmaster(commandLine, folder)
        || (commandLine is [var title, ..] && title.StartsWith($"postgres: {folder.Name}", StringComparison.Ordinal));

    private static bool IsPostmaster(string[] commandLine, ClusterFolder folder) =>
        commandLine is [var program, .. var words] && Path.GetFileName(program) == "postgres" && words.Contains(folder.Data);

    private static string[] CommandLine(int pid) => ReadProc(pid, "cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);

    // "pid (name) state …", where the name may hold anything.
    private static bool IsDead(int pid)
    {
        var stat = ReadProc(pid, "stat");
        var end = stat.LastIndexOf(')');
        return end < 0 || stat.Length < end + 3 || stat[end + 2] is 'Z' or 'X';
    }

    private static string ReadProc(int pid, string file)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/{file}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone between listing and reading: ESRCH arrives as an IOException.
            return "";
        }
    }

    private static string[]? Read(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static string PathIn(ClusterFolder folder) => Path.Combine(folder.Data, "postmaster.pid");
}
