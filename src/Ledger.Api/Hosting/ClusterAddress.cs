using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;

namespace Ledger.Api.Hosting;

/// <summary>Where the cluster listens and the password of its one role; kept in the data folder (mode 0600) for the command line.</summary>
/// <param name="Host">The socket's folder, or the loopback address.</param>
/// <param name="Port">The port; part of the socket's name where there is one.</param>
/// <param name="Password">The password of the role <c>ledger</c>.</param>
internal sealed record ClusterAddress(string Host, int Port, string Password)
{
    /// <summary>The role and the database of the application.</summary>
    public const string Application = "ledger";

    private const int DefaultPort = 5432;

    // The kernel's limit for a socket's path: 107 bytes on Linux, 103 elsewhere.
    private const int LongestSocketPath = 103;

    /// <summary>Whether it is a Unix socket.</summary>
    [JsonIgnore]
    public bool IsSocket => Path.IsPathRooted(Host);

    /// <summary>Whether the socket is in a folder made for it outside of the cluster's own.</summary>
    public bool IsOutside(ClusterFolder folder) => IsSocket && Host != folder.Run;

    /// <summary>The connection string of the application.</summary>
    [JsonIgnore]
    public string ConnectionString =>
        new NpgsqlConnectionStringBuilder
        {
            Host = Host,
            Port = Port,
            Username = Application,
            Password = Password,
            Database = Application,
            // Nothing leaves the machine: spare each new connection the two questions about encryption.
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString;

    /// <summary>The address of an earlier start, or null where there was none or its file does not read.</summary>
    public static ClusterAddress? Load(string dataFolder)
    {
        try
        {
            var address = JsonSerializer.Deserialize(File.ReadAllText(PathIn(dataFolder)), ClusterAddressJson.Default.ClusterAddress);
            return address is { Host.Length: > 0, Password.Length: > 0 } ? address : null;
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Keeps the address for the next start and for the command line.</summary>
    public void Save(string dataFolder) =>
        UnixModes.ReplaceFile(
            PathIn(dataFolder),
            JsonSerializer.Serialize(this, ClusterAddressJson.Default.ClusterAddress),
            UnixModes.Secret
        );

    /// <summary>Where to listen now: as before where that is still possible.</summary>
    /// <param name="folder">Where the cluster lives.</param>
    /// <param name="user">PostgreSQL's user, who must own the socket's folder.</param>
    /// <param name="socket">Listen on a Unix socket.</param>
    /// <param name="earlier">The address of an earlier start.</param>
    /// <param name="cancellationToken">Ends the preparation.</param>
    public static async Task<ClusterAddress> ChooseAsync(
        ClusterFolder folder,
        ServerUser user,
        bool socket,
        ClusterAddress? earlier,
        CancellationToken cancellationToken
    )
    {
        var password = earlier?.Password ?? RandomNumberGenerator.GetHexString(48, lowercase: true);
        if (!socket)
            return new ClusterAddress(IPAddress.Loopback.ToString(), FreePort(earlier is { IsSocket: false } ? earlier.Port : 0), password);
        if (Encoding.UTF8.GetByteCount($"{folder.Run}/.s.PGSQL.{DefaultPort}") <= LongestSocketPath)
            return new ClusterAddress(folder.Run, DefaultPort, password);
        // /tmp and not the temporary folder: that one may be deep itself. A random name, since others can write there too.
        var host =
            earlier is not null
            && earlier.IsOutside(folder)
            && Directory.Exists(earlier.Host)
            && await user.OwnsAsync(earlier.Host, cancellationToken)
                ? earlier.Host
                : $"/tmp/ledger-{RandomNumberGenerator.GetHexString(16, lowercase: true)}";
        await ClusterFolder.MakeOwnedAsync(host, user, cancellationToken);
        return new ClusterAddress(host, DefaultPort, password);
    }

    private static int FreePort(int preferred)
    {
        foreach (var port in new[] { preferred, 0 })
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException) when (port != 0)
            {
                // Somebody else has taken it since: any free one will do.
            }
        }

        throw new EmbeddedPostgresException("There is no free port on the loopback address for PostgreSQL.");
    }

    private static string PathIn(string dataFolder) => Path.Combine(dataFolder, "postgres.json");
}

/// <summary>JSON of the address's file.</summary>
[JsonSerializable(typeof(ClusterAddress))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
internal sealed partial class ClusterAddressJson : JsonSerializerContext;
