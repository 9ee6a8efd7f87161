namespace Ledger.Api.Hosting;

/// <summary>File modes of the data folder and the cluster, set regardless of the umask; nothing on Windows.</summary>
internal static class UnixModes
{
    /// <summary>0600: a file for its owner only.</summary>
    public const UnixFileMode Secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>0644: a file that everyone may read.</summary>
    public const UnixFileMode Readable = Secret | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>0700: a folder for its owner only.</summary>
    public const UnixFileMode Private = Secret | UnixFileMode.UserExecute;

    /// <summary>0711: a folder that others may pass through but not list.</summary>
    public const UnixFileMode Passable = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>0755: a folder or program for everyone.</summary>
    public const UnixFileMode Public = Passable | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Sets a file's or folder's mode.</summary>
    public static void Set(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, mode);
    }

    /// <summary>Makes a folder with the given mode where it is missing; one that exists keeps its own mode.</summary>
    public static void CreateFolder(string path, UnixFileMode mode)
    {
        if (Directory.Exists(path))
            return;
        Directory.CreateDirectory(path);
        Set(path, mode);
    }

    /// <summary>Replaces a file as one step, so that a crash leaves the old or the new text; never readable by others before its mode is set.</summary>
    public static void ReplaceFile(string path, string text, UnixFileMode mode)
    {
        var draft = path + ".new";
        File.Delete(draft);
        var how = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            how.UnixCreateMode = Secret;
        using (var file = new FileStream(draft, how))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        Set(draft, mode);
        File.Move(draft, path, overwrite: true);
    }
}
