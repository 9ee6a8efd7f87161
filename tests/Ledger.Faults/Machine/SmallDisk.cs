using System.Globalization;
using Ledger.Api.Hosting;

namespace Ledger.Faults.Machine;

/// <summary>A folder on a small disk of its own that can be filled and, where it is a file system on a loop device, frozen.</summary>
internal sealed class SmallDisk
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly string? _image;

    private SmallDisk(string path, string? image, bool isMounted) => (Path, _image, IsSmall) = (path, image, isMounted);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Whether it is a disk of its own; else it is an ordinary folder, because nothing can be mounted here.</summary>
    public bool IsSmall { get; }

    /// <summary>Whether it can be frozen.</summary>
    public bool CanFreeze => _image is not null;

    private string Ballast => System.IO.Path.Combine(Path, "ballast");

    /// <summary>Makes one in memory, which is quick and can be filled.</summary>
    public static async Task<SmallDisk> InMemoryAsync(string path, int megabytes)
    {
        Directory.CreateDirectory(path);
        var size = string.Create(CultureInfo.InvariantCulture, $"size={megabytes}m");
        return new(path, null, await TryAsync("mount", "-t", "tmpfs", "-o", size, "ledger-faults", path));
    }

    /// <summary>Makes one on a loop device, which can be filled and frozen; in memory where there are no loop devices.</summary>
    public static async Task<SmallDisk> OnLoopAsync(string path, int megabytes)
    {
        var below = await InMemoryAsync(path + "-image", megabytes + 8);
        if (below.IsSmall)
        {
            Directory.CreateDirectory(path);
            var image = System.IO.Path.Combine(below.Path, "disk");
            await using (var file = File.Create(image))
                file.SetLength(megabytes * 1024L * 1024);
            if (await TryAsync("mkfs.ext4", "-q", "-m", "0", image) && await TryAsync("mount", "-o", "loop", image, path))
            {
                if (await TryAsync("fsfreeze", "--freeze", path) && await TryAsync("fsfreeze", "--unfreeze", path))
                    return new(path, image, isMounted: true);
                return new(path, null, isMounted: true);
            }
        }

        await TryAsync("umount", below.Path);
        return await InMemoryAsync(path, megabytes);
    }

    /// <summary>Leaves nothing free.</summary>
    public async Task FillAsync()
    {
        await using var ballast = new FileStream(Ballast, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        foreach (var size in (int[])[1 << 20, 1 << 16, 1 << 12])
        {
            var block = new byte[size];
            try
            {
                while (true)
                    ballast.Write(block);
            }
            catch (IOException)
            {
                // No room for a block of this size.
            }
        }
    }

    /// <summary>Gives the room back.</summary>
    public void Empty() => File.Delete(Ballast);

    /// <summary>Lets nobody write, who tries waits.</summary>
    public Task FreezeAsync() => RunAsync("fsfreeze", "--freeze", Path);

    /// <summary>Lets everybody write again.</summary>
    public Task ThawAsync() => RunAsync("fsfreeze", "--unfreeze", Path);

    /// <summary>Unmounts whatever is mounted below a folder, frozen or not.</summary>
    public static async Task UnmountBelowAsync(string folder)
    {
        if (!File.Exists("/proc/self/mounts"))
            return;
        var mounts = (await File.ReadAllLinesAsync("/proc/self/mounts"))
            .Select(line => line.Split(' '))
            .Where(words => words[1].StartsWith(folder + "/", StringComparison.Ordinal))
            .Reverse();
        foreach (var words in mounts)
        {
            if (words[2] == "ext4")
                await TryAsync("fsfreeze", "--unfreeze", words[1]);
            if (!await TryAsync("umount", words[1]))
                await TryAsync("umount", "--lazy", words[1]);
        }
    }

    private static async Task<bool> TryAsync(params string[] command) =>
        OperatingSystem.IsLinux() && (await ChildProcess.RunAsync(command, TimeProvider.System, Limit)).Succeeded;

    private static async Task RunAsync(params string[] command)
    {
        var done = await ChildProcess.RunAsync(command, TimeProvider.System, Limit);
        if (!done.Succeeded)
            throw new IOException($"{string.Join(' ', command)}: {done.Said}");
    }
}
