using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Ledger.Api.Hosting;

/// <summary>
/// Where the cluster lives: <c>pg</c> in the data folder, or a folder of <c>/var/lib/ledger</c> where root's unprivileged user
/// cannot reach the data folder. It belongs to us, and only what PostgreSQL itself writes belongs to PostgreSQL's user: so
/// nobody who runs as that user can make root write through a planted link.
/// </summary>
internal sealed class ClusterFolder
{
    private ClusterFolder(string home) => Home = home;

    /// <summary>The folder of everything below.</summary>
    public string Home { get; }

    /// <summary>PostgreSQL's data directory.</summary>
    public string Data => Path.Combine(Home, "data");

    /// <summary>PostgreSQL's logs, one file per weekday.</summary>
    public string Log => Path.Combine(Home, "log");

    /// <summary>Holds the socket where its path is short enough.</summary>
    public string Run => Path.Combine(Home, "run");

    /// <summary>Programs installed from npm.</summary>
    public string Binaries => Path.Combine(Home, "postgresql");

    /// <summary>What the postmaster says before its log collector runs.</summary>
    public string StartupLog => Path.Combine(Log, "startup.log");

    /// <summary>Our configuration, written anew at each start.</summary>
    public string ConfigFile => Path.Combine(Home, "postgresql.conf");

    /// <summary>Who may connect, written anew at each start.</summary>
    public string AccessFile => Path.Combine(Home, "pg_hba.conf");

    /// <summary>
    /// A name made of the data directory's path. It is part of the title of each of the cluster's processes, by which they can
    /// be found even when another user runs them.
    /// </summary>
    public string Name => "ledger-" + Hash(Data);

    /// <summary>The major version of the cluster, or null where there is none yet.</summary>
    public int? Major =>
        File.Exists(VersionFile) && int.TryParse(File.ReadAllText(VersionFile).Trim(), CultureInfo.InvariantCulture, out var major)
            ? major
            : null;

    private string VersionFile => Path.Combine(Data, "PG_VERSION");

    /// <summary>The folders in which the cluster of a data folder may be, likeliest first.</summary>
    public static IEnumerable<ClusterFolder> Candidates(EmbeddedPostgresOptions options)
    {
        yield return new ClusterFolder(Path.Combine(options.DataFolder, "pg"));
        if (ServerUser.WeAreRoot)
            yield return new ClusterFolder(Path.Combine(options.FallbackFolder, Hash(options.DataFolder)));
    }

    /// <summary>Finds the folder, or makes one that the user can work in.</summary>
    /// <param name="options">Names the data folder, by its full path.</param>
    /// <param name="time">Measures time-outs.</param>
    /// <param name="logger">Told where the cluster is when it is not in the data folder.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public static async Task<(ClusterFolder Folder, ServerUser User)> PrepareAsync(
        EmbeddedPostgresOptions options,
        TimeProvider time,
        ILogger logger,
        CancellationToken cancellationToken
    )
    {
        // A cluster that exists is the one to use, whoever owns it and whether or not it would be put there today.
        var existing = Candidates(options).FirstOrDefault(folder => folder.Major is not null);
        var user = await ServerUser.FindAsync(existing?.Data, time, cancellationToken: cancellationToken);
        foreach (var folder in existing is null ? Candidates(options) : [existing])
        {
            if (!await folder.PrepareForAsync(user, cancellationToken))
                continue;
            if (!folder.Home.StartsWith(options.DataFolder, StringComparison.Ordinal))
                logger.LogInformation(
                    "The user {User} cannot reach {DataFolder}: the cluster is in {Home}.",
                    user.Name,
                    options.DataFolder,
                    folder.Home
                );
            return (folder, user);
        }

        throw new EmbeddedPostgresException(
            $"PostgreSQL runs as the user {user.Name}, who cannot work in {string.Join(" or ", (existing is null ? Candidates(options) : [existing]).Select(folder => folder.Home))}. "
                + "Let that user pass through the folders above (chmod o+x), or choose another folder with Ledger__Data."
        );
    }

    /// <summary>Makes an empty folder that only PostgreSQL's user can enter.</summary>
    public static async Task MakeOwnedAsync(string path, ServerUser user, CancellationToken cancellationToken)
    {
        UnixModes.CreateFolder(path, UnixModes.Private);
        await user.OwnAsync(path, cancellationToken);
    }

    private async Task<bool> PrepareForAsync(ServerUser user, CancellationToken cancellationToken)
    {
        try
        {
            // Others pass through the outer folders to their own inner ones, and can list none.
            UnixModes.CreateFolder(Path.GetDirectoryName(Home)!, user.IsOther ? UnixModes.Passable : UnixModes.Private);
            UnixModes.CreateFolder(Home, user.IsOther ? UnixModes.Passable : UnixModes.Private);
            await MakeOwnedAsync(Log, user, cancellationToken);
            await MakeOwnedAsync(Run, user, cancellationToken);
            return await user.CanUseAsync(Run, cancellationToken);
        }
        catch (Exception e) when (user.IsOther && e is IOException or UnauthorizedAccessException)
        {
            // A file system that lets nobody but root own files.
            return false;
        }
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
}
