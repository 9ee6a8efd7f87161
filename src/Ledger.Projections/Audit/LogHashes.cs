using System.Threading.Channels;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;
using Npgsql;

namespace Ledger.Projections.Audit;

/// <summary>Hashes of some events, in the order of their positions.</summary>
internal sealed class HashPage
{
    private readonly HashSet<int> _without = [];
    private long[] _positions = new long[1024];
    private byte[] _hashes = new byte[1024 * HashChain.Size];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The position of one.</summary>
    public long PositionOf(int n) => _positions[n];

    /// <summary>The hash of one; empty where the event has none.</summary>
    public ReadOnlySpan<byte> HashOf(int n) =>
        _without.Count > 0 && _without.Contains(n) ? default : _hashes.AsSpan(n * HashChain.Size, HashChain.Size);

    /// <summary>Adds one.</summary>
    /// <param name="position">Its position.</param>
    /// <param name="hash">Its hash; empty where it has none.</param>
    public void Add(long position, ReadOnlySpan<byte> hash)
    {
        if (Count == _positions.Length)
        {
            Array.Resize(ref _positions, Count * 2);
            Array.Resize(ref _hashes, Count * 2 * HashChain.Size);
        }

        if (hash.IsEmpty)
            _without.Add(Count);
        hash.CopyTo(_hashes.AsSpan(Count * HashChain.Size));
        _positions[Count++] = position;
    }

    /// <summary>Empties it, to be used again.</summary>
    public void Clear()
    {
        Count = 0;
        _without.Clear();
    }
}

/// <summary>
/// The way of hashes from a pass over the log to whoever compares them with what was signed, so that the log is read once and not twice. Whoever takes them may stop; the pass
/// never waits for somebody who has.
/// </summary>
internal sealed class PassingHashes
{
    private const int Pages = 4;

    private readonly Channel<HashPage> _empty = Channel.CreateBounded<HashPage>(Pages);
    private readonly Channel<HashPage> _full = Channel.CreateBounded<HashPage>(Pages);

    public PassingHashes()
    {
        for (var n = 0; n < Pages; n++)
            _empty.Writer.TryWrite(new());
    }

    /// <summary>Gives an empty page; null where nobody takes any more.</summary>
    public async ValueTask<HashPage?> RentAsync(CancellationToken ct) =>
        await _empty.Reader.WaitToReadAsync(ct) && _empty.Reader.TryRead(out var page) ? page : null;

    /// <summary>Hands over a full one.</summary>
    public void Give(HashPage page) => _full.Writer.TryWrite(page);

    /// <summary>No more come: what is behind must be read elsewhere.</summary>
    public void Complete() => _full.Writer.TryComplete();

    /// <summary>Takes the next page; null where no more come.</summary>
    public async ValueTask<HashPage?> TakeAsync(CancellationToken ct) =>
        await _full.Reader.WaitToReadAsync(ct) && _full.Reader.TryRead(out var page) ? page : null;

    /// <summary>Gives back a page that was taken.</summary>
    public void Return(HashPage page)
    {
        page.Clear();
        _empty.Writer.TryWrite(page);
    }

    /// <summary>Takes no more.</summary>
    public void Stop() => _empty.Writer.TryComplete();
}

/// <summary>The hashes of the log in the order of positions: from a pass that goes over it anyway, as far as that comes, and else from the database.</summary>
/// <param name="database">Connections for reading.</param>
/// <param name="passing">The pass; null where there is none.</param>
internal sealed class LogHashes(NpgsqlDataSource database, PassingHashes? passing) : IDisposable
{
    private const int PageSize = 10_000;

    private readonly LogCheckpoints _log = new(database);
    private HashPage? _page;
    private int _next;
    private long _taken;

    /// <summary>Whether they come from a pass, which tells itself how far it has come.</summary>
    public bool IsPassing => passing is not null;

    /// <summary>Hands over the hashes of the events above one position and up to another.</summary>
    /// <param name="after">The position before the first.</param>
    /// <param name="upTo">The last position.</param>
    /// <param name="take">Takes one: its position, and its hash, empty where it has none.</param>
    /// <param name="read">Told of so many more.</param>
    /// <param name="ct">Gives up.</param>
    public async Task ReadAsync(long after, long upTo, Action<long, ReadOnlySpan<byte>> take, Action<int> read, CancellationToken ct)
    {
        // What has passed does not come again.
        while (after >= _taken && after < upTo && await PageAsync(ct) is { } page)
        {
            var first = _next;
            for (; _next < page.Count && page.PositionOf(_next) is var position && position <= upTo; _next++)
            {
                _taken = position;
                if (position <= after)
                    continue;
                take(position, page.HashOf(_next));
                after = position;
            }

            read(_next - first);
            if (_next < page.Count)
                return;
        }

        if (after >= upTo)
            return;
        for (var found = await _log.HashesAsync(after, upTo, PageSize, ct); found.Count > 0; )
        {
            // PostgreSQL sends the next page while this one is hashed.
            after = found[^1].Position;
            var next = after < upTo ? _log.HashesAsync(after, upTo, PageSize, ct) : null;
            foreach (var (position, hash) in found)
                take(position, hash);
            read(found.Count);
            found = next is null ? [] : await next;
        }
    }

    /// <summary>Takes no more from the pass.</summary>
    public void Dispose() => passing?.Stop();

    private async ValueTask<HashPage?> PageAsync(CancellationToken ct)
    {
        if (_page is not null && _next < _page.Count)
            return _page;
        if (passing is null)
            return null;
        if (_page is not null)
            passing.Return(_page);
        (_page, _next) = (await passing.TakeAsync(ct), 0);
        return _page;
    }
}
