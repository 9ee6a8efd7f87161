using System.Data.Common;
using Npgsql;

namespace Ledger.Api.Hosting;

/// <summary>The database the server works on: one of the operator's own, or an embedded one that starts and stops with the server.</summary>
public sealed class LedgerDatabase : IAsyncDisposable
{
    private readonly EmbeddedPostgres? _embedded;

    private LedgerDatabase(string connectionString, EmbeddedPostgres? embedded, string dataFolder) =>
        (ConnectionString, Connections, _embedded, DataFolder) = (connectionString, Connect(connectionString), embedded, dataFolder);

    /// <summary>How it is reached, secrets included: for PostgreSQL's own programs.</summary>
    internal string ConnectionString { get; }

    /// <summary>Pooled connections.</summary>
    public NpgsqlDataSource Connections { get; }

    /// <summary>Whether the database is embedded.</summary>
    public bool IsEmbedded => _embedded is not null;

    /// <summary>The postmaster of the embedded database; null where the database is the operator's own.</summary>
    public int? ProcessId => _embedded?.ProcessId;

    /// <summary>Where the server keeps its own files: <c>Ledger__Data</c>, by default <c>.ledger</c> in the working folder.</summary>
    public string DataFolder { get; }

    /// <summary>Opens the database that the configuration names; starts the embedded one where it names none.</summary>
    /// <param name="configuration"><c>ConnectionStrings:Ledger</c> and <c>Ledger:Data</c>.</param>
    /// <param name="attach">Whether to work beside a server that runs on the data folder, as the command line does, instead of refusing.</param>
    /// <param name="loggers">Told what takes long.</param>
    /// <param name="time">The clock.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="EmbeddedPostgresException">The embedded database cannot be started; the message says what to do.</exception>
    public static async Task<LedgerDatabase> OpenAsync(
        IConfiguration configuration,
        bool attach,
        ILoggerFactory loggers,
        TimeProvider time,
        CancellationToken ct
    )
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(loggers);
        var folder = Path.GetFullPath(configuration["Ledger:Data"] is { Length: > 0 } named ? named : ".ledger");
        if (configuration.GetConnectionString("Ledger") is { Length: > 0 } own)
            return new(own, null, folder);

        var logger = loggers.CreateLogger<EmbeddedPostgres>();
        var options = new EmbeddedPostgresOptions(folder);
        var embedded = attach
            ? await EmbeddedPostgres.AttachOrStartAsync(options, logger, time, ct)
            : await EmbeddedPostgres.StartAsync(options, logger, time, ct);
        return new(embedded.ConnectionString, embedded, folder);
    }

    /// <summary>Closes the connections, and stops the embedded database.</summary>
    public async ValueTask DisposeAsync()
    {
        await Connections.DisposeAsync();
        if (_embedded is not null)
            await _embedded.DisposeAsync();
    }

    // As many keys as there are callers may be unknown at once, after a start: they wait for each other rather than for PostgreSQL's last connection.
    private const int PoolSize = 40;

    private static bool SaysPoolSize(string connectionString)
    {
        var said = new DbConnectionStringBuilder { ConnectionString = connectionString };
        return said.Keys!.Cast<string>()
            .Any(key => key.Replace(" ", "", StringComparison.Ordinal).ToLowerInvariant() is "maximumpoolsize" or "maxpoolsize");
    }

    private static NpgsqlDataSource Connect(string connectionString)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        var settings = builder.ConnectionStringBuilder;
        settings.ApplicationName = "ledger";
        settings.MaxAutoPrepare = 50;
        if (!SaysPoolSize(connectionString))
            settings.MaxPoolSize = PoolSize;
        settings.Timeout = Math.Min(settings.Timeout, 5);
        if (settings.Host?.Contains(',', StringComparison.Ordinal) == true)
        {
            // Several hosts are one database and its standbys. Only the one that takes writes will do, and after a fail-over the driver must not
            // go on believing for long what it knew of each before.
            settings.TargetSessionAttributes = "read-write";
            settings.HostRecheckSeconds = Math.Min(settings.HostRecheckSeconds, 1);
        }
        else
        {
            // With one host there is nothing to choose, and the driver refuses the setting; whether it takes writes, readiness tells.
            settings.Remove("Target Session Attributes");
        }

        return builder.Build();
    }
}
