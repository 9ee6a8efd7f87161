using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Ledger.EventStore.Checkpoints;

namespace Ledger.EventStore.Transfer;

/// <summary>What is known of a stream once all its events were seen.</summary>
/// <param name="Type">The aggregate's alias.</param>
/// <param name="Created">When its row says that it began, in microseconds since 1970.</param>
/// <param name="Version">Its last event's version.</param>
/// <param name="At">Its last event's time, in microseconds since 1970.</param>
/// <param name="Hash">Its last event's hash.</param>
internal readonly record struct StreamEnd(string? Type, long Created, long Version, long At, LastHash Hash);

/// <summary>A hash where there are millions of them.</summary>
[InlineArray(HashChain.Size)]
internal struct LastHash
{
    private byte _first;

    /// <summary>Keeps a hash.</summary>
    public static LastHash Of(ReadOnlySpan<byte> hash)
    {
        var kept = new LastHash();
        hash.CopyTo(kept);
        return kept;
    }
}

/// <summary>
/// Reads a whole export, before anything is done with it: every part against the manifest, every line, every stream's versions and hash chain, and every signed
/// checkpoint. Keeps some two hundred bytes per stream.
/// </summary>
/// <param name="folder">Where the export is.</param>
/// <param name="manifest">Its manifest.</param>
/// <param name="isKnown">Whether a type of event is one that this program can read.</param>
internal sealed class ExportCheck(string folder, ExportManifest manifest, Func<string, bool> isKnown)
{
    private const int Step = 10_000;

    private readonly Dictionary<string, StreamEnd> _streams = new(StringComparer.Ordinal);
    private readonly HashSet<string> _types = new(StringComparer.Ordinal);
    private readonly List<SignedCheckpoint> _checkpoints = [];
    private readonly List<CheckpointKey> _keys = [];
    private MerkleSegments _tree = new();
    private int _signed;

    /// <summary>Every stream, once all was read.</summary>
    public IReadOnlyDictionary<string, StreamEnd> Streams => _streams;

    /// <summary>The checkpoints that came with it.</summary>
    public IReadOnlyList<SignedCheckpoint> Checkpoints => _checkpoints;

    /// <summary>The keys that signed them, as everybody may know them.</summary>
    public IReadOnlyList<CheckpointKey> Keys => _keys;

    /// <summary>Reads everything.</summary>
    /// <exception cref="TransferException">Something is not what was exported; the message names file and line.</exception>
    public void Run(IProgress<TransferProgress>? progress, CancellationToken ct)
    {
        if (!manifest.IsComplete)
            throw new TransferException($"The export in {folder} is not complete. Run `export` with the same folder again.");
        if (manifest.After > 0)
            throw new TransferException(
                $"The export in {folder} is a part: it begins behind position {manifest.After}, and streams do not begin there. Only a whole log can be imported."
            );
        if (manifest.Checkpoints is { } checkpoints)
            ReadCheckpoints(checkpoints);
        var format = LineFormat.Find(manifest.Lines)!;
        var done = 0L;
        foreach (var part in manifest.Parts)
        {
            using var reader = new PartReader(folder, part, format);
            while (reader.TryRead(out var row))
            {
                Follow(row, reader);
                if (++done % Step == 0)
                {
                    ct.ThrowIfCancellationRequested();
                    progress?.Report(new("verify", done, manifest.Events, "events"));
                }
            }
        }

        if (_signed < _checkpoints.Count)
            throw Unsigned(_checkpoints[_signed].Checkpoint);
        progress?.Report(new("verify", done, manifest.Events, "events"));
    }

    private void Follow(in EventRow row, PartReader reader)
    {
        var stored = row.ToStored();
        var known = _streams.GetValueOrDefault(stored.StreamId);
        if (row.Version == 1 == row.StreamType is null || row.Version == 1 == row.StreamCreated is null)
            throw reader.Fault(
                row.Version == 1 ? "it does not say what stream begins with it" : "it says what stream begins with it, and none does"
            );
        if (_types.Add(stored.Type) && !isKnown(stored.Type))
            throw reader.Fault($"'{stored.Type}' is an event that this program does not know: a newer server wrote it");
        var previous = known.Hash;
        if (ChainVerifier.FaultOf(stored, known.Version + 1, previous) is { } fault)
            throw reader.Fault(
                fault switch
                {
                    ChainFault.VersionMissing => $"version {known.Version + 1} of {stored.StreamId} is missing before it",
                    ChainFault.PreviousMismatch => $"it does not follow on version {known.Version} of {stored.StreamId}",
                    ChainFault.MetadataMismatch => "its metadata or address is not what its digest says",
                    _ => "it is not what its hash says",
                }
            );
        var hash = stored.ReadHash();
        _streams[stored.StreamId] = new(
            row.StreamType is { } type ? Encoding.UTF8.GetString(type.Span) : known.Type,
            row.StreamCreated ?? known.Created,
            row.Version,
            row.At,
            LastHash.Of(hash)
        );
        if (_signed < _checkpoints.Count)
            Sign(row.Position, hash);
    }

    /// <summary>Adds an event to the checkpoint that covers it, and holds the checkpoint against what it has signed where it ends.</summary>
    private void Sign(long position, byte[] hash)
    {
        var checkpoint = _checkpoints[_signed].Checkpoint;
        if (position > checkpoint.Position || checkpoint.IndexOf(position) != _tree.Count)
            throw Unsigned(checkpoint);
        _tree.Add(hash);
        if (position < checkpoint.Position)
            return;
        if (_tree.Count != checkpoint.Count || !Merkle.Root([.. _tree.End()]).AsSpan().SequenceEqual(checkpoint.Root.Span))
            throw Unsigned(checkpoint);
        (_tree, _signed) = (new(), _signed + 1);
    }

    private TransferException Unsigned(LogCheckpoint checkpoint) =>
        new(
            $"The events in {folder} at positions {checkpoint.After + 1} to {checkpoint.Position} are not those that checkpoint {checkpoint.Number} signed. Nothing was changed."
        );

    private void ReadCheckpoints(ExportCheckpoints said)
    {
        var path = Path.Combine(folder, said.File);
        var file = new CheckpointFile(path);
        foreach (var line in file.Read())
        {
            if (line.Key is { } key)
            {
                _keys.Add(key);
                continue;
            }

            var (signed, last) = (line.Checkpoint!, _checkpoints.Count > 0 ? _checkpoints[^1].Checkpoint : null);
            var checkpoint = signed.Checkpoint;
            if (
                checkpoint.Number != (last?.Number ?? 0) + 1
                || checkpoint.After != (last?.Position ?? 0)
                || !checkpoint.Previous.Span.SequenceEqual(last?.Hash() ?? new byte[Merkle.Size])
            )
                throw Fault(line.Number, "the checkpoint does not follow on the one before it");
            if (!_keys.Any(signed.IsSignedBy) || !signed.HasSegments)
                throw Fault(line.Number, "the checkpoint is not what was signed");
            _checkpoints.Add(signed);
        }

        using var bytes = File.OpenRead(path);
        if (
            _checkpoints.Count != said.Count
            || _checkpoints[^1].Checkpoint.Position != said.Position
            || Convert.ToHexStringLower(SHA256.HashData(bytes)) != said.Sha256
        )
            throw Fault(1, "the file is not the one that the manifest means");

        TransferException Fault(long line, string why) => new($"{path} line {line}: {why}. Nothing was changed.");
    }
}
