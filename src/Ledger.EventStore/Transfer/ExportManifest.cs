using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ledger.EventStore.Transfer;

/// <summary>One file of an export.</summary>
/// <param name="File">Its name, in the folder.</param>
/// <param name="Events">How many events it has.</param>
/// <param name="First">The position of the first.</param>
/// <param name="Last">The position of the last.</param>
/// <param name="Bytes">How long it is.</param>
/// <param name="Sha256">The SHA-256 of the file, in lower-case hex.</param>
/// <param name="LinesSha256">The SHA-256 of its lines, uncompressed, in lower-case hex.</param>
public sealed record ExportPart(string File, long Events, long First, long Last, long Bytes, string Sha256, string LinesSha256);

/// <summary>How far a reader of the log had come.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Position">The last position that it had dealt with.</param>
public sealed record ExportReader(string Name, long Position);

/// <summary>The signed checkpoints beside an export.</summary>
/// <param name="File">The file's name, in the folder.</param>
/// <param name="Count">How many checkpoints it has.</param>
/// <param name="Position">The last position that they cover.</param>
/// <param name="Sha256">The SHA-256 of the file, in lower-case hex.</param>
public sealed record ExportCheckpoints(string File, long Count, long Position, string Sha256);

/// <summary>
/// What an export is: what it was asked for, and which parts are finished. It says nothing of when it was made, so that the same range of the same log gives the same
/// files, however often the export was interrupted.
/// </summary>
/// <param name="Format">The format of manifest and parts: 1.</param>
/// <param name="Lines">How events stand in the parts: <c>jsonl</c> (compressed) or <c>csv</c>.</param>
/// <param name="After">The position before the first that is exported.</param>
/// <param name="UpTo">The last position that is exported; no event can come in at or before it any more.</param>
/// <param name="EventsPerPart">The most events of a part.</param>
/// <param name="Schema">The number of the last migration of each component of the schema, for whoever wonders which version wrote it.</param>
/// <param name="Readers">How far the readers of the log had come when the export began.</param>
/// <param name="Parts">The parts that are finished, in order.</param>
/// <param name="Checkpoints">The signed checkpoints up to the last position; null where there are none, or while the export goes on.</param>
/// <param name="IsComplete">Whether nothing is left to be exported.</param>
/// <param name="Digest">The SHA-256 of this manifest without this member, in lower-case hex.</param>
public sealed record ExportManifest(
    int Format,
    string Lines,
    long After,
    long UpTo,
    int EventsPerPart,
    IReadOnlyDictionary<string, int> Schema,
    IReadOnlyList<ExportReader> Readers,
    IReadOnlyList<ExportPart> Parts,
    ExportCheckpoints? Checkpoints,
    bool IsComplete,
    string? Digest
)
{
    /// <summary>Its name in the folder.</summary>
    public const string FileName = "manifest.json";

    /// <summary>The format that this program knows.</summary>
    public const int Known = 1;

    /// <summary>How many events all parts have together.</summary>
    [JsonIgnore]
    public long Events => Parts.Sum(part => part.Events);

    /// <summary>The position up to which parts are finished.</summary>
    [JsonIgnore]
    public long Finished => Parts is [.., var last] ? last.Last : After;

    /// <summary>Reads the manifest of a folder; null where there is none.</summary>
    /// <exception cref="TransferException">It is damaged, or not one.</exception>
    public static async Task<ExportManifest?> ReadAsync(string folder, CancellationToken ct)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return null;
        ExportManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(path, ct), ManifestJson.Default.ExportManifest);
        }
        catch (JsonException e)
        {
            throw new TransferException($"{path} line {e.LineNumber + 1}: it is not the manifest of an export.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TransferException($"{path} cannot be read: {e.Message}");
        }

        if (manifest?.Format != Known)
            throw new TransferException($"{path} is in a format that this program does not know.");
        var fault = manifest.Digest == manifest.DigestOf() ? manifest.Fault() : "its digest is not that of what it says";
        if (fault is not null)
            throw new TransferException($"{path} is not what an export wrote: {fault}.");
        return manifest;
    }

    /// <summary>Puts it in the place of the one that is there: whole or not at all, and on disk when it returns.</summary>
    public async Task WriteAsync(string folder, CancellationToken ct)
    {
        var path = Path.Combine(folder, FileName);
        await using (var file = new FileStream(path + ".new", FileMode.Create, FileAccess.Write, FileShare.None))
        {
            await file.WriteAsync(Bytes(this with { Digest = DigestOf() }), ct);
            file.Flush(flushToDisk: true);
        }

        File.Move(path + ".new", path, overwrite: true);
    }

    private string DigestOf() => Convert.ToHexStringLower(SHA256.HashData(Bytes(this with { Digest = null })));

    private static byte[] Bytes(ExportManifest manifest) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(manifest, ManifestJson.Default.ExportManifest), (byte)'\n'];

    /// <summary>What contradicts itself in it; null where nothing does.</summary>
    private string? Fault()
    {
        if (LineFormat.Find(Lines) is not { } lines)
            return "its parts are in a format that this program does not know";
        if (After < 0 || UpTo < After || EventsPerPart < 1)
            return "its range is not lawful";
        var at = After;
        foreach (var (part, index) in Parts.Select((part, index) => (part, index)))
        {
            if (part.File != FileOf(lines, index) || part.Events < 1 || part.Events > EventsPerPart)
                return $"its part {index + 1} is not lawful";
            if (part.First <= at || part.Last < part.First || part.Last > UpTo || part.Events > part.Last - part.First + 1)
                return $"its part {index + 1} does not follow on the one before it";
            if (index < Parts.Count - 1 && part.Events != EventsPerPart)
                return $"its part {index + 1} is not full, and another follows";
            at = part.Last;
        }

        return Checkpoints is { } checkpoints && Path.GetFileName(checkpoints.File) != checkpoints.File
            ? "its checkpoints lie outside of its folder"
            : null;
    }

    /// <summary>The name of a part.</summary>
    internal static string FileOf(LineFormat lines, int index) => $"events-{index + 1:000000}{lines.Extension}";
}

/// <summary>The manifest's JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    WriteIndented = true
)]
[JsonSerializable(typeof(ExportManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
