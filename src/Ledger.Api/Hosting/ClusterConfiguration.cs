using System.Globalization;
using System.Text;

namespace Ledger.Api.Hosting;

/// <summary>The text of the cluster's configuration files.</summary>
internal static class ClusterConfiguration
{
    private const long MiB = 1024 * 1024;

    /// <summary>Who may connect: with the password only. The superuser has none, so that nobody can connect as it.</summary>
    public const string Access = """
        # Written anew at each start.
        local all all scram-sha-256
        host all all 127.0.0.1/32 scram-sha-256

        """;

    /// <summary>The text of <c>postgresql.conf</c>.</summary>
    /// <param name="folder">Where the cluster lives.</param>
    /// <param name="address">Where it listens.</param>
    /// <param name="memory">The machine's memory, or this container's share, in bytes.</param>
    /// <param name="extra">Settings that win over ours.</param>
    public static string Text(ClusterFolder folder, ClusterAddress address, long memory, IReadOnlyDictionary<string, string> extra)
    {
        var shared = Math.Clamp(memory / 8 / MiB, 32, 1024);
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["cluster_name"] = folder.Name,
            ["hba_file"] = folder.AccessFile,
            ["listen_addresses"] = address.IsSocket ? "" : address.Host,
            ["port"] = address.Port.ToString(CultureInfo.InvariantCulture),
            ["unix_socket_directories"] = address.IsSocket ? $"\"{address.Host.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : "",
            ["unix_socket_permissions"] = "0700",
            ["password_encryption"] = "scram-sha-256",
            ["max_connections"] = "100",
            // Money: an answer is given after its commit is on the disk.
            ["fsync"] = "on",
            ["synchronous_commit"] = "on",
            ["full_page_writes"] = "on",
            ["shared_buffers"] = $"{shared}MB",
            ["effective_cache_size"] = $"{Math.Max(memory / 2 / MiB, 64)}MB",
            ["max_wal_size"] = "4GB",
            ["checkpoint_timeout"] = "15min",
            ["wal_compression"] = "on",
            // Our statements are short; compiling them costs more than it saves.
            ["jit"] = "off",
            // Read models are updated in place, row by row: dead rows must go before they slow the next update.
            ["autovacuum_naptime"] = "10s",
            ["autovacuum_vacuum_scale_factor"] = "0.05",
            ["autovacuum_analyze_scale_factor"] = "0.05",
            ["autovacuum_vacuum_cost_limit"] = "1000",
            ["timezone"] = "UTC",
            ["log_timezone"] = "UTC",
            ["lc_messages"] = "C",
            ["logging_collector"] = "on",
            ["log_directory"] = folder.Log,
            // One file per weekday, begun anew a week later: a week of logs, and no more.
            ["log_filename"] = "postgresql-%a.log",
            ["log_rotation_age"] = "1d",
            ["log_rotation_size"] = "0",
            ["log_truncate_on_rotation"] = "on",
            ["log_line_prefix"] = "%m [%p] ",
        };
        if (OperatingSystem.IsWindows())
        {
            settings.Remove("unix_socket_directories");
            settings.Remove("unix_socket_permissions");
        }

        foreach (var (name, value) in extra)
            settings[name] = value;

        var text = new StringBuilder("# Written anew at each start.\n");
        foreach (var (name, value) in settings)
            text.Append(CultureInfo.InvariantCulture, $"{name} = '{Escape(value)}'\n");
        return text.ToString();
    }

    private static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal);
}
