using System.Globalization;

namespace Ledger.Api.Hosting;

/// <summary>A folder with PostgreSQL's server programs.</summary>
/// <param name="Folder">Holds <c>postgres</c>, <c>initdb</c> and <c>pg_ctl</c>.</param>
/// <param name="Version">Major and minor version, such as 17.5.</param>
internal sealed record ServerBinaries(string Folder, Version Version)
{
    /// <summary>The oldest major version that will do.</summary>
    public const int OldestMajor = 15;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly string[] Needed = ["postgres", "initdb", "pg_ctl"];

    // A star stands for any part of one folder's name.
    private static readonly string[] UsualFolders =
    [
        "/usr/lib/postgresql/*/bin", // Debian, Ubuntu
        "/usr/pgsql-*/bin", // PostgreSQL's own packages for Fedora and its kin
        "/usr/lib/postgresql*/bin", // openSUSE
        "/usr/libexec/postgresql*", // Alpine
        "/usr/local/pgsql/bin", // built from source
        "/opt/homebrew/opt/postgresql*/bin",
        "/usr/local/opt/postgresql*/bin",
        "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
        "/opt/local/lib/postgresql*/bin", // MacPorts
        "/Applications/Postgres.app/Contents/Versions/*/bin",
        "/Library/PostgreSQL/*/bin",
    ];

    /// <summary>The path of one of the programs.</summary>
    public string Program(string name) => Path.Combine(Folder, OperatingSystem.IsWindows() ? name + ".exe" : name);

    /// <summary>Finds the newest programs, or those of the cluster's own major version; installs them from npm where there are none.</summary>
    /// <param name="cluster">Where the cluster lives.</param>
    /// <param name="user">Who must be able to run them.</param>
    /// <param name="sources">Where they may come from.</param>
    /// <param name="logger">Told about an installation, which takes a while.</param>
    /// <param name="time">Measures time-outs.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="EmbeddedPostgresException">There are none: says what to install.</exception>
    public static async Task<ServerBinaries> FindAsync(
        ClusterFolder cluster,
        ServerUser user,
        PostgresSources sources,
        ILogger logger,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var major = cluster.Major;
        var tried = new List<string>();
        if (
            sources.HasFlag(PostgresSources.Installed)
            && await NewestAsync(Installed(), major, tried, user, time, cancellationToken) is { } installed
        )
            return installed;

        var npm = new NpmBinaries(cluster.Binaries, logger, time);
        if (sources.HasFlag(PostgresSources.Npm) && (major is null || major == NpmBinaries.Major))
        {
            if (await ProbeAsync(npm.Folder, user, time, cancellationToken) is { } earlier)
                return earlier;
            if (await npm.InstallAsync(cancellationToken) is { } reason)
                tried.Add(reason);
            else if (await ProbeAsync(npm.Folder, user, time, cancellationToken) is { } fresh)
                return fresh;
            else
                tried.Add($"the programs of the npm package do not run on this machine ({npm.Folder})");
        }

        var what = major is null ? $"version {OldestMajor} or newer" : $"version {major}, which made the cluster in {cluster.Data}";
        throw new EmbeddedPostgresException(
            $"PostgreSQL's server programs (postgres, initdb and pg_ctl, {what}) were not found on PATH or in the usual install folders"
                + (tried.Count > 0 ? $"; {string.Join("; ", tried)}" : "")
                + $". Install them ({Advice(major)}), or Node.js with npm, or set ConnectionStrings__Ledger to a database of your own."
        );
    }

    private static async Task<ServerBinaries?> NewestAsync(
        IEnumerable<string> folders,
        int? major,
        List<string> tried,
        ServerUser user,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        ServerBinaries? newest = null;
        foreach (var folder in folders.Distinct())
        {
            if (await ProbeAsync(folder, user, time, cancellationToken) is not { } found)
                continue;
            if (found.Version.Major < OldestMajor || (major is not null && found.Version.Major != major))
                tried.Add($"{folder} has version {found.Version}");
            else if (newest is null || found.Version > newest.Version)
                newest = found;
        }

        return newest;
    }

    // Run as the server's own user: programs in a folder which that user cannot enter are no use.
    private static async Task<ServerBinaries?> ProbeAsync(
        string folder,
        ServerUser user,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var candidate = new ServerBinaries(folder, new Version(0, 0));
        if (!Needed.All(name => File.Exists(candidate.Program(name))))
            return null;
        string[] command = user.Command(candidate.Program("postgres"), "--version");
        var said = await ChildProcess.RunAsync(command, time, Limit, cancellationToken: cancellationToken);
        return said.Succeeded && ParseVersion(said.Output) is { } version ? candidate with { Version = version } : null;
    }

    /// <summary>Reads <c>postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)</c>, or <c>19beta1</c>; null where there is no version.</summary>
    internal static Version? ParseVersion(string text)
    {
        const string Mark = "(PostgreSQL) ";
        var at = text.IndexOf(Mark, StringComparison.Ordinal);
        if (at < 0)
            return null;
        var digits = text[(at + Mark.Length)..].TakeWhile(c => char.IsAsciiDigit(c) || c == '.').ToArray();
        var parts = new string(digits).Split('.');
        return int.TryParse(parts[0], CultureInfo.InvariantCulture, out var major)
            ? new Version(major, parts.Length > 1 && int.TryParse(parts[1], CultureInfo.InvariantCulture, out var minor) ? minor : 0)
            : null;
    }

    internal static IEnumerable<string> Installed()
    {
        foreach (var folder in ChildProcess.PathFolders())
        {
            var program = Path.Combine(folder, OperatingSystem.IsWindows() ? "postgres.exe" : "postgres");
            // A link on PATH stands for the folder it points into, which holds the other programs.
            if (File.Exists(program))
                yield return Path.GetDirectoryName(File.ResolveLinkTarget(program, returnFinalTarget: true)?.FullName ?? program)!;
        }

        string[] usual = OperatingSystem.IsWindows()
            ? [Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL", "*", "bin")]
            : UsualFolders;
        foreach (var folder in usual.SelectMany(Expand))
            yield return folder;
    }

    private static IEnumerable<string> Expand(string pattern)
    {
        IEnumerable<string> folders = [Path.GetPathRoot(pattern)!];
        foreach (var part in pattern[Path.GetPathRoot(pattern)!.Length..].Split(Path.DirectorySeparatorChar))
            folders = part.Contains('*')
                ? folders.Where(Directory.Exists).SelectMany(folder => List(folder, part))
                : folders.Select(folder => Path.Combine(folder, part));
        return folders.Where(Directory.Exists);
    }

    private static string[] List(string folder, string part)
    {
        try
        {
            return Directory.GetDirectories(folder, part);
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string Advice(int? major)
    {
        var version = major is null ? "" : $"-{major}";
        if (OperatingSystem.IsWindows())
            return "the installer from postgresql.org";
        if (OperatingSystem.IsMacOS())
            return $"brew install postgresql@{major ?? 17}";
        return $"Debian and Ubuntu: apt-get install postgresql{version}; Fedora: dnf install postgresql-server; Alpine: apk add postgresql{major ?? 17}";
    }
}
