namespace Ledger.EventStore.Checkpoints;

/// <summary>
/// Adds many checkpoints to a file in order, each behind the key that signs it, some hundred at a time: a file is brought to disk whenever something is added, and a year has
/// half a million checkpoints. Not safe for concurrent use.
/// </summary>
/// <param name="file">The file.</param>
public sealed class CheckpointPages(CheckpointFile file)
{
    private const int MostCheckpoints = 500;

    // Of 32 bytes each, which are written as text.
    private const int MostSegments = 50_000;

    private readonly List<CheckpointKey> _keys = [];
    private readonly List<SignedCheckpoint> _page = [];
    private int _segments;

    /// <summary>Adds a checkpoint.</summary>
    /// <param name="keys">The keys that stand before it.</param>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="ct">Gives up.</param>
    public async Task AddAsync(IReadOnlyCollection<CheckpointKey> keys, SignedCheckpoint checkpoint, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (keys.Count > 0 || _page.Count == MostCheckpoints || _segments >= MostSegments)
            await EndAsync(ct);
        _keys.AddRange(keys);
        _page.Add(checkpoint);
        _segments += checkpoint.Segments.Count;
    }

    /// <summary>Writes what is left.</summary>
    public async Task EndAsync(CancellationToken ct)
    {
        if (_page.Count > 0)
            await file.AppendAsync(_keys, _page, ct);
        _keys.Clear();
        _page.Clear();
        _segments = 0;
    }
}
