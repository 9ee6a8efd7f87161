namespace Ledger.Api.Hosting;

/// <summary>
/// The operating system's user that PostgreSQL runs as: ourselves, or, since it refuses to run as root, an unprivileged user.
/// </summary>
internal sealed class ServerUser
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    // Preferred first. Each gets the command's words unchanged; `su` needs a shell in between and has no such option of its own.
    private static readonly (string Program, Func<string, string, string, string[]> Prefix)[] Launchers =
    [
        ("setpriv", (uid, gid, _) => [$"--reuid={uid}", $"--regid={gid}", "--clear-groups", "--"]),
        ("runuser", (_, _, name) => ["-u", name, "--"]),
        ("su", (_, _, name) => ["-s", "/bin/sh", "-c", "exec \"$0\" \"$@\"", name, "--"]),
    ];

    private readonly TimeProvider _time;
    private readonly string[] _prefix;
    private readonly string? _owner;

    private ServerUser(TimeProvider time, string name, string[] prefix, string? owner)
    {
        _time = time;
        Name = name;
        _prefix = prefix;
        _owner = owner;
    }

    /// <summary>The user's name.</summary>
    public string Name { get; }

    /// <summary>Whether PostgreSQL runs as somebody else than this process.</summary>
    public bool IsOther => _owner is not null;

    /// <summary>Whether this process is root, for whom PostgreSQL must run as somebody else.</summary>
    public static bool WeAreRoot => !OperatingSystem.IsWindows() && Environment.IsPrivilegedProcess;

    /// <summary>Chooses the user: the owner of the cluster where there is one, else <c>postgres</c>, else <c>nobody</c>.</summary>
    /// <param name="cluster">The cluster's own folder where it exists already.</param>
    /// <param name="time">Measures time-outs.</param>
    /// <param name="launchers">Which of the launchers may be used; all where null.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public static async Task<ServerUser> FindAsync(
        string? cluster,
        TimeProvider time,
        IReadOnlyCollection<string>? launchers = null,
        CancellationToken cancellationToken = default
    )
    {
        if (!WeAreRoot)
            return new ServerUser(time, Environment.UserName, [], owner: null);

        var owner = cluster is null ? null : await OwnerAsync(cluster, time, cancellationToken);
        foreach (var candidate in owner is null or "0" ? ["postgres", "nobody"] : new[] { owner })
        {
            var uid = await IdAsync("-u", candidate, time, cancellationToken);
            var gid = await IdAsync("-g", candidate, time, cancellationToken);
            var name = await IdAsync("-un", candidate, time, cancellationToken);
            if (uid is null or "0" || gid is null || name is null)
                continue;
            foreach (var (program, prefix) in Launchers)
            {
                if (launchers?.Contains(program) == false || ChildProcess.Which(program) is not { } path)
                    continue;
                string[] command = [path, .. prefix(uid, gid, name)];
                // The same name can be another program (BusyBox), and a container may forbid changing the user.
                var probe = await ChildProcess.RunAsync([.. command, "id", "-u"], time, Limit, cancellationToken: cancellationToken);
                if (probe.Succeeded && probe.Output.Trim() == uid)
                    return new ServerUser(time, name, command, $"{uid}:{gid}");
            }
        }

        throw new EmbeddedPostgresException(
            "PostgreSQL does not run as root, and no unprivileged user could be used for it (tried the users postgres and nobody with "
                + "setpriv, runuser and su). Start the server as an ordinary user, or set ConnectionStrings__Ledger to a database of your own."
        );
    }

    /// <summary>The words that run a command as this user.</summary>
    public string[] Command(params string[] words) => [.. _prefix, .. words];

    /// <summary>Makes this user the owner of one file or folder (not of what is in it).</summary>
    public async Task OwnAsync(string path, CancellationToken cancellationToken)
    {
        if (_owner is null)
            return;
        var done = await ChildProcess.RunAsync(["chown", "-h", _owner, path], _time, Limit, cancellationToken: cancellationToken);
        if (!done.Succeeded)
            throw new IOException(done.Said);
    }

    /// <summary>Whether this user owns the folder, which makes it safe to put a socket into it.</summary>
    public async Task<bool> OwnsAsync(string folder, CancellationToken cancellationToken)
    {
        if (_owner is not null)
            return await OwnerAsync(folder, _time, cancellationToken) == _owner.Split(':')[0];
        var own = await ChildProcess.RunAsync(["test", "-O", folder], _time, Limit, cancellationToken: cancellationToken);
        return own.Succeeded;
    }

    /// <summary>Whether this user can work in the folder, all its parents included.</summary>
    public async Task<bool> CanUseAsync(string folder, CancellationToken cancellationToken)
    {
        if (_owner is null)
            return true;
        string[] command = Command("sh", "-c", "cd \"$1\" && test -w .", "sh", folder);
        var probe = await ChildProcess.RunAsync(command, _time, Limit, cancellationToken: cancellationToken);
        return probe.Succeeded;
    }

    // POSIX promises the columns of `ls -ln`; there is no portable `stat`.
    private static async Task<string?> OwnerAsync(string path, TimeProvider time, CancellationToken cancellationToken)
    {
        var listed = await ChildProcess.RunAsync(["ls", "-ldn", path], time, Limit, cancellationToken: cancellationToken);
        return listed.Output.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, var uid, ..] ? uid : null;
    }

    private static async Task<string?> IdAsync(string what, string user, TimeProvider time, CancellationToken cancellationToken)
    {
        var id = await ChildProcess.RunAsync(["id", what, user], time, Limit, cancellationToken: cancellationToken);
        return id.Succeeded ? id.Output.Trim() : null;
    }
}
