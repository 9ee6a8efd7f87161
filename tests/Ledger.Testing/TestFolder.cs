using System.Globalization;
using System.Security.Cryptography;
using Ledger.Api.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ledger.Testing;

/// <summary>A folder of one test; deleted with whatever still runs in the data folders below it.</summary>
public sealed class TestFolder : IAsyncDisposable
{
    private static readonly string Root = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "ledger-tests");

    private TestFolder(string path) => Path = path;

    /// <summary>The folder itself.</summary>
    public string Path { get; }

    /// <summary>A data folder in it, which nobody has made yet.</summary>
    public string Data => System.IO.Path.Combine(Path, "data");

    /// <summary>Makes a new folder; its name begins with this process's number.</summary>
    public static TestFolder Create()
    {
        if (!Directory.Exists(Root))
        {
            Directory.CreateDirectory(Root);
            // Test runs of several users share it, as they share the temporary folder.
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(Root, (UnixFileMode)0b001_111_111_111);
        }

        var name = string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}"
        );
        var path = System.IO.Path.Combine(Root, name);
        Directory.CreateDirectory(path);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        return new TestFolder(path);
    }

    /// <summary>Deletes the folders of test runs that were killed, and stops their clusters.</summary>
    public static async Task DeleteAbandonedAsync()
    {
        if (!Directory.Exists(Root))
            return;
        foreach (var path in Directory.GetDirectories(Root).Where(path => !IsRunning(path)))
        {
            try
            {
                await new TestFolder(path).DisposeAsync();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or EmbeddedPostgresException)
            {
                // Another user's, or being deleted by another test run at this moment.
            }
        }
    }

    /// <summary>Stops what runs in it and deletes it.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (
            var file in Directory.GetFiles(
                Path,
                "postgres.json",
                new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }
            )
        )
            await EmbeddedPostgres.DeleteAsync(
                new EmbeddedPostgresOptions(System.IO.Path.GetDirectoryName(file)!),
                NullLogger.Instance,
                TimeProvider.System
            );
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }

    private static bool IsRunning(string path)
    {
        var owner = System.IO.Path.GetFileName(path).Split('-')[0];
        if (!int.TryParse(owner, CultureInfo.InvariantCulture, out var pid))
            return true;
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(pid);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
