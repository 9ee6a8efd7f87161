using System.Globalization;
using Ledger.Api.Hosting;
using Npgsql;

namespace Ledger.Api.Backup;

/// <summary>PostgreSQL's own programs, and how they reach the database that the server reaches.</summary>
internal sealed class DatabaseTools(string folder, string connectionString, TimeProvider time)
{
    private static readonly TimeSpan Probe = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Limit = TimeSpan.FromDays(2);

    /// <summary>Finds programs that are not older than the server.</summary>
    /// <exception cref="BackupException">There are none: says what to install.</exception>
    public static async Task<DatabaseTools> FindAsync(string connectionString, int server, TimeProvider time, CancellationToken ct)
    {
        var found = new List<(Version Version, string Folder)>();
        foreach (var folder in ChildProcess.PathFolders().Concat(ServerBinaries.Installed()).Distinct())
        {
            if (!File.Exists(Program(folder, "pg_dump")) || !File.Exists(Program(folder, "pg_restore")))
                continue;
            var said = await ChildProcess.RunAsync([Program(folder, "pg_dump"), "--version"], time, Probe, cancellationToken: ct);
            if (said.Succeeded && ServerBinaries.ParseVersion(said.Output) is { } version)
                found.Add((version, folder));
        }

        // One of the server's own version reads back what it wrote without a surprise; a newer one will do.
        var fits = found.Where(one => one.Version.Major >= server).OrderBy(one => one.Version.Major).ThenByDescending(one => one.Version);
        return fits.Select(one => new DatabaseTools(one.Folder, connectionString, time)).FirstOrDefault()
            ?? throw new BackupException(
                $"PostgreSQL's programs pg_dump and pg_restore, version {server} or newer, were not found on PATH or in the usual install folders"
                    + (found.Count > 0 ? $" (there are: {string.Join(", ", found.Select(one => one.Version))})" : "")
                    + ". Install them (Debian: postgresql-client)."
            );
    }

    /// <summary>Runs one of them on the database.</summary>
    /// <exception cref="BackupException">It failed; the message is what it said.</exception>
    public async Task RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken ct)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);

        // Not on the command line, where everybody on the machine could read it.
        var secret = Path.Combine(Path.GetTempPath(), "ledger-" + Path.GetRandomFileName());
        try
        {
            var address = Address(settings);
            if (settings.Password is { Length: > 0 } password)
            {
                await PrivateFile.WriteAsync(secret, System.Text.Encoding.UTF8.GetBytes($"*:*:*:*:{Escape(password)}\n"), ct);
                address += $" passfile={Quote(secret)}";
            }

            var done = await ChildProcess.RunAsync(
                [Program(folder, program), "--no-password", "--dbname", address, .. arguments],
                time,
                Limit,
                cancellationToken: ct
            );
            if (!done.Succeeded)
                throw new BackupException($"{program} failed: {done.Said.Trim()}");
        }
        finally
        {
            File.Delete(secret);
        }

        static string Escape(string text) =>
            text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);
    }

    /// <summary>What libpq calls what Npgsql was told.</summary>
    internal static string Address(NpgsqlConnectionStringBuilder settings)
    {
        var hosts = (settings.Host ?? "").Split(',');
        var ports = hosts.Select(host => PortOf(host) ?? settings.Port.ToString(CultureInfo.InvariantCulture));
        var words = new List<string>
        {
            $"host={Quote(string.Join(',', hosts.Select(host => PortOf(host) is { } port ? host[..^(port.Length + 1)] : host)))}",
            $"port={Quote(string.Join(',', ports))}",
        };
        if (settings.Username is { Length: > 0 } user)
            words.Add($"user={Quote(user)}");
        if ((settings.Database ?? settings.Username) is { Length: > 0 } database)
            words.Add($"dbname={Quote(database)}");
        if (hosts.Length > 1)
            words.Add("target_session_attrs=read-write");
        words.Add(
            "sslmode="
                + settings.SslMode switch
                {
                    SslMode.Disable => "disable",
                    SslMode.Allow => "allow",
                    SslMode.Require => "require",
                    SslMode.VerifyCA => "verify-ca",
                    SslMode.VerifyFull => "verify-full",
                    _ => "prefer",
                }
        );
        if (settings.RootCertificate is { Length: > 0 } root)
            words.Add($"sslrootcert={Quote(root)}");
        return string.Join(' ', words);

        // A socket's folder has no port of its own.
        static string? PortOf(string host) =>
            !host.StartsWith('/') && host.LastIndexOf(':') is > 0 and var at && host[(at + 1)..].All(char.IsAsciiDigit)
                ? host[(at + 1)..]
                : null;
    }

    private static string Quote(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";

    private static string Program(string folder, string name) => Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".exe" : name);
}
