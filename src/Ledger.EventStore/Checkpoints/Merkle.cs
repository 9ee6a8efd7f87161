using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Ledger.EventStore.Checkpoints;

/// <summary>
/// Merkle trees as in RFC 6962, section 2.1, with SHA-256: leaves and nodes are hashed with different first bytes, and a tree that is not full splits at the
/// largest power of two below its size.
/// </summary>
public static class Merkle
{
    /// <summary>The length of a node: 32 bytes.</summary>
    public const int Size = 32;

    private const byte LeafPrefix = 0x00;
    private const byte NodePrefix = 0x01;

    // With a prefix and nine bytes of padding: 42, and 74.
    private const int LeafBlocks = 1;
    private const int NodeBlocks = 2;

    [ThreadStatic]
    private static IncrementalHash? _hash;

    /// <summary>The root of a tree without leaves: SHA-256 of nothing.</summary>
    public static ReadOnlyMemory<byte> Empty { get; } = SHA256.HashData([]);

    /// <summary>The leaf of some data.</summary>
    public static byte[] Leaf(ReadOnlySpan<byte> data)
    {
        var leaf = new byte[Size];
        Leaf(data, leaf);
        return leaf;
    }

    /// <summary>The node over two others.</summary>
    public static byte[] Node(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        Span<byte> both = stackalloc byte[1 + Size + Size];
        both[0] = NodePrefix;
        left.CopyTo(both[1..]);
        right.CopyTo(both[(1 + Size)..]);
        return Hash(both);
    }

    private static byte[] Hash(ReadOnlySpan<byte> data)
    {
        var hash = new byte[Size];
        Hash(data, hash);
        return hash;
    }

    // One that is used again costs a quarter less than one that is made each time.
    private static void Hash(ReadOnlySpan<byte> data, Span<byte> to)
    {
        var hash = _hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(data);
        hash.GetHashAndReset(to);
    }

    /// <summary>Writes the leaf of some data.</summary>
    internal static void Leaf(ReadOnlySpan<byte> data, Span<byte> to)
    {
        var size = 1 + data.Length;
        Span<byte> leaf = size <= 256 ? stackalloc byte[size] : new byte[size];
        leaf[0] = LeafPrefix;
        data.CopyTo(leaf[1..]);
        Hash(leaf, to);
    }

    /// <summary>
    /// Makes leaves or nodes that lie side by side their root, which comes to lie where the first was. Two and two from the bottom, one that is left over goes up as it
    /// is: the same tree as one that is split at the largest power of two.
    /// </summary>
    internal static void Reduce(Span<byte> nodes)
    {
        Span<byte> messages = stackalloc byte[Sha256Lanes.Lanes * NodeBlocks * Sha256Lanes.BlockSize];
        Pad(messages, NodePrefix, Size + Size, NodeBlocks);
        for (var count = nodes.Length / Size; count > 1; count = (count + 1) / 2)
        {
            for (var n = 0; n < count / 2; n += Sha256Lanes.Lanes)
                Hash(messages, nodes, n * Size * 2, Size + Size, nodes, n * Size, Math.Min(Sha256Lanes.Lanes, (count / 2) - n));
            if (count % 2 == 1)
                nodes.Slice((count - 1) * Size, Size).CopyTo(nodes[(count / 2 * Size)..]);
        }
    }

    /// <summary>Makes hashes that lie side by side their leaves.</summary>
    internal static void MakeLeaves(Span<byte> hashes)
    {
        Span<byte> messages = stackalloc byte[Sha256Lanes.Lanes * LeafBlocks * Sha256Lanes.BlockSize];
        Pad(messages, LeafPrefix, Size, LeafBlocks);
        var count = hashes.Length / Size;
        for (var n = 0; n < count; n += Sha256Lanes.Lanes)
            Hash(messages, hashes, n * Size, Size, hashes, n * Size, Math.Min(Sha256Lanes.Lanes, count - n));
    }

    /// <summary>Hashes up to eight pieces of equal length, each behind its prefix: all at once where that is faster.</summary>
    private static void Hash(Span<byte> messages, ReadOnlySpan<byte> from, int at, int size, Span<byte> to, int place, int count)
    {
        var stride = messages.Length / Sha256Lanes.Lanes;
        for (var lane = 0; lane < count; lane++)
            from.Slice(at + (lane * size), size).CopyTo(messages[((lane * stride) + 1)..]);
        if (count > 1 && Sha256Lanes.IsFaster)
        {
            Span<byte> hashes = stackalloc byte[Sha256Lanes.Lanes * Size];
            Sha256Lanes.Hash(messages, stride / Sha256Lanes.BlockSize, hashes);
            hashes[..(count * Size)].CopyTo(to[place..]);
            return;
        }

        for (var lane = 0; lane < count; lane++)
            Hash(messages.Slice(lane * stride, 1 + size), to.Slice(place + (lane * Size), Size));
    }

    /// <summary>What is the same in all messages: the prefix, and behind the content what FIPS 180-4 pads it with.</summary>
    private static void Pad(Span<byte> messages, byte prefix, int size, int blocks)
    {
        var stride = blocks * Sha256Lanes.BlockSize;
        for (var lane = 0; lane < Sha256Lanes.Lanes; lane++)
        {
            var message = messages.Slice(lane * stride, stride);
            message[0] = prefix;
            message[1 + size] = 0x80;
            BinaryPrimitives.WriteInt32BigEndian(message[(stride - sizeof(int))..], (1 + size) * 8);
        }
    }

    /// <summary>The root over leaves, or over the nodes of equally large, full parts of a tree, of which only the last may be smaller.</summary>
    public static byte[] Root(ReadOnlySpan<byte[]> nodes)
    {
        if (nodes.IsEmpty)
            return Empty.ToArray();
        if (nodes.Length == 1)
            return nodes[0];
        var split = Split(nodes.Length);
        return Node(Root(nodes[..split]), Root(nodes[split..]));
    }

    /// <summary>What is hashed with a leaf or node on the way up to the root, from the bottom.</summary>
    /// <param name="index">Its place, from 0.</param>
    /// <param name="nodes">As in <see cref="Root"/>.</param>
    public static IReadOnlyList<byte[]> Path(int index, ReadOnlySpan<byte[]> nodes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, nodes.Length);
        var path = new List<byte[]>();
        Add(index, nodes, path);
        return path;

        static void Add(int index, ReadOnlySpan<byte[]> nodes, List<byte[]> path)
        {
            if (nodes.Length == 1)
                return;
            var split = Split(nodes.Length);
            if (index < split)
            {
                Add(index, nodes[..split], path);
                path.Add(Root(nodes[split..]));
            }
            else
            {
                Add(index - split, nodes[split..], path);
                path.Add(Root(nodes[..split]));
            }
        }
    }

    /// <summary>The root that a leaf and its path lead to, as in RFC 9162, section 2.1.3.2; null where such a path cannot be.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <param name="index">Its place, from 0.</param>
    /// <param name="count">How many leaves the tree has.</param>
    /// <param name="path">The path, from the bottom.</param>
    public static byte[]? RootFrom(byte[] leaf, long index, long count, IReadOnlyList<byte[]> path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (index < 0 || index >= count)
            return null;
        var (at, last, node) = (index, count - 1, leaf);
        foreach (var other in path)
        {
            if (last == 0 || other.Length != Size)
                return null;
            if ((at & 1) == 1 || at == last)
            {
                node = Node(other, node);
                while ((at & 1) == 0 && at != 0)
                {
                    at >>= 1;
                    last >>= 1;
                }
            }
            else
            {
                node = Node(node, other);
            }

            at >>= 1;
            last >>= 1;
        }

        return last == 0 ? node : null;
    }

    /// <summary>The largest power of two below a number.</summary>
    private static int Split(int count) => 1 << System.Numerics.BitOperations.Log2((uint)count - 1);
}

/// <summary>At most 64 leaves side by side, and the node over them. Used again once that is made. Not safe for concurrent use.</summary>
public sealed class MerkleLeaves
{
    // Leaves, and behind them hashes of which leaves are made all at once.
    private readonly byte[] _leaves = new byte[MerkleSegments.Leaves * Merkle.Size];
    private int _made;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a leaf.</summary>
    /// <param name="data">What it is of.</param>
    public void Add(ReadOnlySpan<byte> data)
    {
        var leaf = _leaves.AsSpan(Count * Merkle.Size, Merkle.Size);
        if (data.Length == Merkle.Size)
        {
            data.CopyTo(leaf);
            Count++;
            return;
        }

        Make();
        Merkle.Leaf(data, leaf);
        _made = ++Count;
    }

    /// <summary>The node over the leaves; there are none any more.</summary>
    public byte[] Root()
    {
        if (Count == 0)
            return Merkle.Empty.ToArray();
        Make();
        Merkle.Reduce(_leaves.AsSpan(0, Count * Merkle.Size));
        Clear();
        return _leaves.AsSpan(0, Merkle.Size).ToArray();
    }

    /// <summary>Forgets them.</summary>
    public void Clear() => (Count, _made) = (0, 0);

    private void Make()
    {
        Merkle.MakeLeaves(_leaves.AsSpan(_made * Merkle.Size, (Count - _made) * Merkle.Size));
        _made = Count;
    }
}

/// <summary>A tree that grows leaf by leaf, of which only the nodes over each 64 leaves are kept.</summary>
public sealed class MerkleSegments
{
    /// <summary>How many leaves have one node: a power of two, so that each is a node of the whole tree.</summary>
    public const int Leaves = 64;

    private readonly List<byte[]> _segments = [];
    private readonly MerkleLeaves _open = new();

    /// <summary>How many leaves there are.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a leaf.</summary>
    /// <param name="data">What it is of.</param>
    public void Add(ReadOnlySpan<byte> data)
    {
        _open.Add(data);
        Count++;
        if (_open.Count == Leaves)
            Close();
    }

    /// <summary>Ends the tree.</summary>
    /// <returns>Its nodes over each 64 leaves, the last over what is left.</returns>
    public IReadOnlyList<byte[]> End()
    {
        if (_open.Count > 0)
            Close();
        return _segments;
    }

    private void Close() => _segments.Add(_open.Root());
}
