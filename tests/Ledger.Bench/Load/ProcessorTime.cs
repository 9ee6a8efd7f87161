using System.Globalization;
using Npgsql;

namespace Ledger.Bench.Load;

/// <summary>Where processor time goes while a load runs: the server, PostgreSQL, the load itself. Linux only; elsewhere nothing is told.</summary>
internal sealed class ProcessorTime
{
    private const double TicksPerSecond = 100;
    private readonly int _server;
    private readonly int _postmaster;

    private ProcessorTime(int server, int postmaster) => (_server, _postmaster) = (server, postmaster);

    /// <summary>For a server and the database behind it.</summary>
    /// <param name="server">The server's process id.</param>
    /// <param name="connectionString">The database, on this machine.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>Null where the system does not tell.</returns>
    public static async Task<ProcessorTime?> OfAsync(int server, string connectionString, CancellationToken ct)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        await using var database = NpgsqlDataSource.Create(connectionString);
        await using var who = database.CreateCommand("select pg_backend_pid()");
        var backend = (int)(await who.ExecuteScalarAsync(ct))!;
        return Stat(backend) is { } stat ? new(server, stat.Parent) : null;
    }

    /// <summary>Seconds used so far.</summary>
    public Use Now()
    {
        // Those of its processes that have ended count with it.
        var postmaster = Stat(_postmaster);
        var postgres = (postmaster?.Own ?? 0) + (postmaster?.Children ?? 0);
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var process)
                && Stat(process) is { } stat
                && stat.Parent == _postmaster
            )
                postgres += stat.Own;
        }

        // The load is this process and its children that have ended.
        var self = Stat(Environment.ProcessId);
        return new(Stat(_server)?.Own ?? 0, postgres, (self?.Own ?? 0) + (self?.Children ?? 0));
    }

    private static (int Parent, double Own, double Children)? Stat(int process)
    {
        try
        {
            // The name, in parentheses, may hold spaces.
            var text = File.ReadAllText($"/proc/{process}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            double Seconds(int field) => long.Parse(fields[field], CultureInfo.InvariantCulture) / TicksPerSecond;
            return (int.Parse(fields[1], CultureInfo.InvariantCulture), Seconds(11) + Seconds(12), Seconds(13) + Seconds(14));
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return null;
        }
    }

    /// <summary>Processor seconds.</summary>
    public readonly record struct Use(double Server, double Postgres, double Load)
    {
        /// <summary>What was used since an earlier moment.</summary>
        public Use Since(Use before) => new(Server - before.Server, Postgres - before.Postgres, Load - before.Load);
    }
}
