using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Api.Hosting;
using Ledger.EventStore;

namespace Ledger.Api.Backup;

/// <summary>What a backup is: which moment of which log, and which file.</summary>
/// <param name="Format">1.</param>
/// <param name="MadeAt">When it was begun: the moment that it holds.</param>
/// <param name="Server">The major version of PostgreSQL.</param>
/// <param name="Log">What the log was at that moment.</param>
/// <param name="File">The dump's name, in the folder.</param>
/// <param name="Bytes">How long it is.</param>
/// <param name="Sha256">Its SHA-256, in lower-case hex.</param>
/// <param name="Digest">The SHA-256 of this manifest without this member, in lower-case hex.</param>
public sealed record BackupManifest(
    int Format,
    DateTimeOffset MadeAt,
    int Server,
    LogFacts Log,
    string File,
    long Bytes,
    string Sha256,
    string? Digest
)
{
    /// <summary>Its name in the folder.</summary>
    public const string FileName = "manifest.json";

    /// <summary>The name of the dump.</summary>
    public const string DumpName = "ledger.dump";

    /// <summary>The format that this program knows.</summary>
    public const int Known = 1;

    /// <summary>Reads the manifest of a folder, and checks that the dump is the one that it means.</summary>
    /// <exception cref="BackupException">There is none, or one of the two is damaged.</exception>
    public static async Task<BackupManifest> ReadAsync(string folder, CancellationToken ct)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            var manifest = JsonSerializer.Deserialize(await System.IO.File.ReadAllBytesAsync(path, ct), BackupJson.Default.BackupManifest);
            if (manifest?.Format != Known || manifest.File != DumpName)
                throw new BackupException($"{path} is in a format that this program does not know.");
            if (manifest.Digest != manifest.DigestOf())
                throw new BackupException($"{path} is not what was backed up: its digest is not that of what it says.");
            await using var dump = System.IO.File.OpenRead(Path.Combine(folder, manifest.File));
            if (dump.Length != manifest.Bytes || Convert.ToHexStringLower(await SHA256.HashDataAsync(dump, ct)) != manifest.Sha256)
                throw new BackupException(
                    $"{dump.Name} is damaged: it is not the file of which {path} has the hash. Take another backup; nothing was changed."
                );
            return manifest;
        }
        catch (JsonException e)
        {
            throw new BackupException($"{path} line {e.LineNumber + 1}: it is not the manifest of a backup.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"There is no backup in {folder}: {e.Message}");
        }
    }

    /// <summary>Writes it: whole or not at all.</summary>
    public Task WriteAsync(string folder, CancellationToken ct) =>
        PrivateFile.WriteAsync(Path.Combine(folder, FileName), Written(this with { Digest = DigestOf() }), ct);

    private string DigestOf() => Convert.ToHexStringLower(SHA256.HashData(Written(this with { Digest = null })));

    private static byte[] Written(BackupManifest manifest) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Default.BackupManifest), (byte)'\n'];
}

/// <summary>The manifest's JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    WriteIndented = true
)]
[JsonSerializable(typeof(BackupManifest))]
internal sealed partial class BackupJson : JsonSerializerContext;
