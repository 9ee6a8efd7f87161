using System.Security.Cryptography;
using Ledger.EventStore.Checkpoints;
using Npgsql;

namespace Ledger.EventStore.Transfer;

/// <summary>What an export is asked for.</summary>
/// <param name="Folder">Where it goes.</param>
/// <param name="Format">How events stand in its parts: <c>jsonl</c> or <c>csv</c>.</param>
/// <param name="From">The first position; null for the first there is.</param>
/// <param name="To">The last position; null for the last there is.</param>
/// <param name="EventsPerPart">The most events of a part.</param>
public sealed record ExportOptions(string Folder, string Format, long? From, long? To, int EventsPerPart)
{
    /// <summary>The names of all formats.</summary>
    public static IReadOnlyList<string> Formats => LineFormat.Names;
}

/// <summary>
/// Writes the log into files, in order and past no gap that may still be filled, while writing goes on. A part is finished or not there; an export that was interrupted goes on
/// at the next part.
/// </summary>
/// <param name="database">Connections for reading, to the primary.</param>
/// <param name="time">The clock, for pauses between attempts.</param>
public sealed class LogExport(NpgsqlDataSource database, TimeProvider time)
{
    private const string CheckpointsFile = "checkpoints.jsonl";

    // What the disk says where it has no room: Linux and macOS, the quota of both, a file that may not grow any more, and Windows.
    private static readonly int[] Full = [28, 122, 69, 27, unchecked((int)0x80070070), unchecked((int)0x80070027)];

    /// <summary>Exports, or goes on with an export.</summary>
    /// <returns>The manifest of the whole export.</returns>
    /// <exception cref="TransferException">It cannot be made; what was finished stays, and the next run goes on from there.</exception>
    public async Task<ExportManifest> RunAsync(ExportOptions options, IProgress<TransferProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(options);
        var format =
            LineFormat.Find(options.Format) ?? throw new ArgumentException($"There is no format '{options.Format}'.", nameof(options));
        try
        {
            Directory.CreateDirectory(options.Folder);
            await using var turn = Turn(options.Folder);
            var manifest = await BeginAsync(options, format, progress, ct);
            if (!manifest.IsComplete)
                manifest = await GoOnAsync(options.Folder, manifest, format, progress, ct);
            return manifest;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var finished = await FinishedAsync(options.Folder);
            throw new TransferException(
                Full.Contains(e.HResult)
                    ? $"There is no room left for {options.Folder}. {finished}"
                    : $"{options.Folder} cannot be written: {e.Message} {finished}"
            );
        }
    }

    private static FileStream Turn(string folder)
    {
        var path = Path.Combine(folder, "export.lock");
        try
        {
            return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw new TransferException($"Another export works in {folder}.");
        }
    }

    private static async Task<string> FinishedAsync(string folder)
    {
        var manifest = await ExportManifest.ReadAsync(folder, CancellationToken.None);
        return manifest is null
            ? "Nothing was exported."
            : $"What was finished stays, up to position {manifest.Finished}: run the command again, and it goes on from there.";
    }

    private async Task<ExportManifest> BeginAsync(
        ExportOptions options,
        LineFormat format,
        IProgress<TransferProgress>? progress,
        CancellationToken ct
    )
    {
        var after = (options.From ?? 1) - 1;
        if (await ExportManifest.ReadAsync(options.Folder, ct) is { } begun)
        {
            if (
                begun.Lines != format.Name
                || begun.After != after
                || begun.EventsPerPart != options.EventsPerPart
                || (options.To is { } to && to != begun.UpTo)
            )
                throw new TransferException(
                    $"{options.Folder} holds another export: {begun.Lines}, positions {begun.After + 1} to {begun.UpTo}, {begun.EventsPerPart} events a part. Go on with that, or name another folder."
                );
            await VerifyAsync(options.Folder, begun, progress, ct);
            return begun;
        }

        if (Directory.EnumerateFileSystemEntries(options.Folder).Any(entry => Path.GetFileName(entry) != "export.lock" && !IsScrap(entry)))
            throw new TransferException($"{options.Folder} holds something that is no export.");
        var settled = await new LogScan(database).SettledAsync(time, ct);
        var last = await LastAsync(settled, ct);
        if (options.To is { } wanted && wanted > settled)
            throw new TransferException($"The log ends at position {last}, before {wanted}.");
        if (after > 0 && after >= last)
            throw new TransferException($"The log ends at position {last}, before {after + 1}.");
        var manifest = new ExportManifest(
            ExportManifest.Known,
            format.Name,
            after,
            options.To ?? last,
            options.EventsPerPart,
            await SchemaAsync(ct),
            await ReadersAsync(ct),
            [],
            null,
            false,
            null
        );
        await manifest.WriteAsync(options.Folder, ct);
        return manifest;
    }

    /// <summary>What an export leaves behind that is killed before its first manifest stands.</summary>
    private static bool IsScrap(string entry) =>
        entry.EndsWith(".part", StringComparison.Ordinal) || entry.EndsWith(".new", StringComparison.Ordinal);

    private async Task<ExportManifest> GoOnAsync(
        string folder,
        ExportManifest manifest,
        LineFormat format,
        IProgress<TransferProgress>? progress,
        CancellationToken ct
    )
    {
        var copy = new ExportCopy(manifest.Finished, manifest.UpTo);
        var (page, next, check) = (new ExportCopy.Page(), new ExportCopy.Page(), 0u);
        PartWriter? part = null;
        var fetching = FetchAsync(copy, page, ct);
        try
        {
            while (await fetching is var rows and > 0)
            {
                fetching = FetchAsync(copy, next, ct);
                for (; rows > 0; rows--)
                {
                    var row = page.Read();
                    if (part is null)
                    {
                        part = new(Path.Combine(folder, ExportManifest.FileOf(format, manifest.Parts.Count)), format.IsCompressed);
                        part.WriteHead(format);
                        check = 0;
                    }

                    part.Add(format, row, ref check);
                    if (part.IsFull)
                        await part.LeaveAsync();
                    if (part.Events == manifest.EventsPerPart)
                        manifest = await EndAsync(part);
                }

                progress?.Report(new("export", page.Last - manifest.After, manifest.UpTo - manifest.After, "events"));
                (page, next) = (next, page);
            }

            if (part is not null)
                manifest = await EndAsync(part);
            manifest = manifest with { Checkpoints = await WriteCheckpointsAsync(folder, manifest.UpTo, ct), IsComplete = true };
            await manifest.WriteAsync(folder, ct);
            return manifest;
        }
        finally
        {
            await Task.WhenAny(fetching);
            if (part is not null)
                await part.DisposeAsync();
        }

        async Task<ExportManifest> EndAsync(PartWriter ending)
        {
            var known = manifest with { Parts = [.. manifest.Parts, await ending.EndAsync()] };
            await known.WriteAsync(folder, ct);
            await ending.DisposeAsync();
            part = null;
            return known;
        }
    }

    private async Task<int> FetchAsync(ExportCopy copy, ExportCopy.Page page, CancellationToken ct)
    {
        if (copy.IsDone)
            return 0;
        await using var connection = await database.OpenConnectionAsync(ct);
        await copy.NextAsync(connection, page, ExportCopy.PageSize, ct);
        return page.Count;
    }

    /// <summary>Whether the parts that are finished are still what they were.</summary>
    private static async Task VerifyAsync(
        string folder,
        ExportManifest manifest,
        IProgress<TransferProgress>? progress,
        CancellationToken ct
    )
    {
        foreach (var (part, index) in manifest.Parts.Select((part, index) => (part, index)))
        {
            var path = Path.Combine(folder, part.File);
            if (!File.Exists(path))
                throw new TransferException($"{path} is gone. Export into another folder.");
            await using var file = File.OpenRead(path);
            if (file.Length != part.Bytes || Convert.ToHexStringLower(await SHA256.HashDataAsync(file, ct)) != part.Sha256)
                throw new TransferException($"{path} is not what was exported. Export into another folder.");
            progress?.Report(new("finished before", index + 1, manifest.Parts.Count, "parts"));
        }
    }

    /// <summary>Writes the checkpoints that speak for what is exported and nothing else, with the keys that signed them.</summary>
    private async Task<ExportCheckpoints?> WriteCheckpointsAsync(string folder, long upTo, CancellationToken ct)
    {
        var table = new LogCheckpoints(database);
        var path = Path.Combine(folder, CheckpointsFile);
        File.Delete(path + ".part");
        var pages = new CheckpointPages(new(path + ".part"));
        var keys = (await table.ListKeysAsync(ct)).ToDictionary(stored => stored.Key.Id, stored => stored.Key, StringComparer.Ordinal);
        var (count, position) = (0L, 0L);
        await foreach (var signed in table.AllAsync(ct))
        {
            if (signed.Checkpoint.Position > upTo)
                break;
            await pages.AddAsync(keys.Remove(signed.Checkpoint.KeyId, out var key) ? [key] : [], signed, ct);
            (count, position) = (count + 1, signed.Checkpoint.Position);
        }

        if (count == 0)
            return null;
        await pages.EndAsync(ct);
        File.Move(path + ".part", path, overwrite: true);
        await using var written = File.OpenRead(path);
        return new(CheckpointsFile, count, position, Convert.ToHexStringLower(await SHA256.HashDataAsync(written, ct)));
    }

    private async Task<long> LastAsync(long upTo, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            "select coalesce((select m.seq_id from mt_events m where m.seq_id <= $1 order by m.seq_id desc limit 1), 0)"
        );
        command.Parameters.Add(new() { Value = upTo });
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    private async Task<SortedDictionary<string, int>> SchemaAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand("select s.component, max(s.number) from ledger_migrations s group by s.component");
        var schema = new SortedDictionary<string, int>(StringComparer.Ordinal);
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            schema.Add(rows.GetString(0), rows.GetInt32(1));
        return schema;
    }

    private async Task<List<ExportReader>> ReadersAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            "select p.name, p.last_seq_id from mt_event_progression p where p.last_seq_id is not null order by p.name collate \"C\""
        );
        var readers = new List<ExportReader>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            readers.Add(new(rows.GetString(0), rows.GetInt64(1)));
        return readers;
    }
}
