using System.Globalization;

namespace Ledger.Api.Hosting;

/// <summary>The exclusive right to a data folder: an OS lock on its file <c>lock</c>, which ends with the process however that ends.</summary>
internal sealed class FolderLock : IDisposable
{
    private static readonly TimeSpan ReadLimit = TimeSpan.FromSeconds(5);

    private readonly FileStream _file;

    private FolderLock(FileStream file) => _file = file;

    /// <summary>Takes the lock, or refuses with the message for the second server on one folder.</summary>
    public static async Task<FolderLock> AcquireAsync(string folder, TimeProvider time, CancellationToken cancellationToken)
    {
        if (TryAcquire(folder) is { } taken)
            return taken;
        var holder = await HolderAsync(folder, time, cancellationToken) is { } pid ? $" (process {pid})" : "";
        throw new EmbeddedPostgresException(
            $"The data folder {folder} is in use by another Ledger process{holder}. "
                + "Stop it first, or give this one a folder of its own with Ledger__Data."
        );
    }

    /// <summary>Takes the lock, or answers null where another process holds it.</summary>
    public static FolderLock? TryAcquire(string folder)
    {
        FileStream file;
        try
        {
            // FileShare.None is flock(LOCK_EX) on Unix; .NET opens with O_CLOEXEC, so that PostgreSQL does not inherit the lock.
            file = new FileStream(PathIn(folder), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
        {
            return null;
        }

        UnixModes.Set(file.Name, UnixModes.Secret);
        file.SetLength(0);
        using (var writer = new StreamWriter(file, leaveOpen: true))
            writer.WriteLine(Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        file.Flush();
        return new FolderLock(file);
    }

    /// <summary>The process that holds the lock, as far as its file tells.</summary>
    public static async Task<int?> HolderAsync(string folder, TimeProvider time, CancellationToken cancellationToken)
    {
        // .NET takes a shared lock even for reading, which the exclusive one refuses; `cat` just reads.
        var read = await ChildProcess.RunAsync(["cat", PathIn(folder)], time, ReadLimit, cancellationToken: cancellationToken);
        return read.Succeeded && int.TryParse(read.Output, CultureInfo.InvariantCulture, out var pid) ? pid : null;
    }

    /// <summary>Gives the folder free; the file stays, since deleting it would let two processes lock two files of one name.</summary>
    public void Dispose()
    {
        if (_file.CanWrite)
            _file.SetLength(0);
        _file.Dispose();
    }

    private static string PathIn(string folder) => Path.Combine(folder, "lock");
}
