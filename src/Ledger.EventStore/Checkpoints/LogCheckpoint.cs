using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Ledger.EventStore.Checkpoints;

/// <summary>Positions of the log that follow on each other.</summary>
/// <param name="First">The first.</param>
/// <param name="Last">The last.</param>
public readonly record struct PositionRun(long First, long Last)
{
    /// <summary>How many they are.</summary>
    public long Count => Last - First + 1;
}

/// <summary>
/// What a part of the log was: how many events it had, at which positions, and the root of the Merkle tree over their hashes in the order of positions. Each names
/// the one before it, so that the last one speaks for the whole log up to its position.
/// </summary>
/// <param name="Number">Its number, from 1 without gaps.</param>
/// <param name="After">The position before the first of its part.</param>
/// <param name="Position">The last position of its part; an event stands there.</param>
/// <param name="Count">How many events it covers.</param>
/// <param name="Gaps">The positions of its part at which nothing stands: commits that were rolled back.</param>
/// <param name="Root">The root.</param>
/// <param name="Previous">The hash of the checkpoint before it; zeros in the first.</param>
/// <param name="At">When it was made, to the microsecond.</param>
/// <param name="KeyId">What signs it.</param>
/// <remarks>
/// Format 1, all integers big-endian, text UTF-8 behind its length in four bytes: text <c>ledger-checkpoint</c>, <c>01</c>, number (8), after (8), position (8),
/// count (8), how many gaps (4), first (8) and last (8) of each, root (32), previous (32), time in microseconds since 1970 (8), key id as text. Its hash is the SHA-256 of
/// that; its signature is ECDSA on P-256 with SHA-256 over that, as r and s of 32 bytes each.
/// </remarks>
public sealed record LogCheckpoint(
    long Number,
    long After,
    long Position,
    long Count,
    IReadOnlyList<PositionRun> Gaps,
    ReadOnlyMemory<byte> Root,
    ReadOnlyMemory<byte> Previous,
    DateTimeOffset At,
    string KeyId
)
{
    private const string Domain = "ledger-checkpoint";
    private const byte Format = 1;

    /// <summary>The canonical form; see the remarks.</summary>
    public byte[] Form()
    {
        var form = new ArrayBufferWriter<byte>(256);
        Text(form, Domain);
        form.Write([Format]);
        foreach (var number in (ReadOnlySpan<long>)[Number, After, Position, Count])
            Int64(form, number);
        Int32(form, Gaps.Count);
        foreach (var gap in Gaps)
        {
            Int64(form, gap.First);
            Int64(form, gap.Last);
        }

        form.Write(Root.Span);
        form.Write(Previous.Span);
        Int64(form, (At.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond);
        Text(form, KeyId);
        return form.WrittenSpan.ToArray();
    }

    /// <summary>Its hash, which the next one names.</summary>
    public byte[] Hash() => SHA256.HashData(Form());

    /// <summary>What contradicts itself in it; null where nothing does.</summary>
    public string? Fault()
    {
        if (Number < 1 || After < 0 || Position <= After || Count < 1)
            return "its numbers are not lawful";
        if (Root.Length != Merkle.Size || Previous.Length != Merkle.Size)
            return "a hash has not 32 bytes";
        var (at, gone) = (After, 0L);
        foreach (var gap in Gaps)
        {
            if (gap.First <= at || gap.Last < gap.First || gap.Last >= Position)
                return "its gaps are not in order";
            (at, gone) = (gap.Last, gone + gap.Count);
        }

        return Count == Position - After - gone ? null : "its count is not what its positions and gaps come to";
    }

    /// <summary>Which of its events stands at a position, from 0; null where none does.</summary>
    public long? IndexOf(long position)
    {
        if (position <= After || position > Position)
            return null;
        var gone = 0L;
        foreach (var gap in Gaps)
        {
            if (gap.First > position)
                break;
            if (gap.Last >= position)
                return null;
            gone += gap.Count;
        }

        return position - After - 1 - gone;
    }

    /// <summary>Where its event of a place stands.</summary>
    /// <param name="index">From 0.</param>
    public long PositionOf(long index)
    {
        var position = After + 1 + index;
        foreach (var gap in Gaps)
        {
            if (gap.First > position)
                break;
            position += gap.Count;
        }

        return position;
    }

    private static void Int32(ArrayBufferWriter<byte> to, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(to.GetSpan(4), value);
        to.Advance(4);
    }

    private static void Int64(ArrayBufferWriter<byte> to, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(to.GetSpan(8), value);
        to.Advance(8);
    }

    private static void Text(ArrayBufferWriter<byte> to, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Int32(to, bytes.Length);
        to.Write(bytes);
    }
}

/// <summary>A checkpoint with its signature.</summary>
/// <param name="Checkpoint">What is signed.</param>
/// <param name="Signature">The signature: 64 bytes.</param>
/// <param name="Segments">
/// The tree's nodes over each 64 events. They need no signature, since the root follows from them; empty where they were not kept.
/// </param>
public sealed record SignedCheckpoint(LogCheckpoint Checkpoint, ReadOnlyMemory<byte> Signature, IReadOnlyList<byte[]> Segments)
{
    /// <summary>Whether the root follows from the segments, so that they can be relied on.</summary>
    public bool HasSegments =>
        Checkpoint.Count > 0
        && Segments.Count == ((Checkpoint.Count - 1) / MerkleSegments.Leaves) + 1
        && Checkpoint.Root.Span.SequenceEqual(Merkle.Root([.. Segments]));

    /// <summary>Whether a key has signed this.</summary>
    public bool IsSignedBy(CheckpointKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.Id == Checkpoint.KeyId && key.Verifies(Checkpoint.Form(), Signature.Span);
    }
}

/// <summary>What signs checkpoints and reports, as everybody may know it: an ECDSA key on P-256.</summary>
/// <param name="X">The point's first coordinate, 32 bytes.</param>
/// <param name="Y">The point's second coordinate, 32 bytes.</param>
public sealed record CheckpointKey(ReadOnlyMemory<byte> X, ReadOnlyMemory<byte> Y)
{
    /// <summary>Its name: the thumbprint of RFC 7638, so that no other key can have it.</summary>
    public string Id { get; } =
        System.Buffers.Text.Base64Url.EncodeToString(
            SHA256.HashData(
                Encoding.ASCII.GetBytes(
                    $$"""{"crv":"P-256","kty":"EC","x":"{{System.Buffers.Text.Base64Url.EncodeToString(
                        X.Span
                    )}}","y":"{{System.Buffers.Text.Base64Url.EncodeToString(Y.Span)}}"}"""
                )
            )
        );

    /// <summary>What of a key pair everybody may know.</summary>
    public static CheckpointKey Of(ECDsa key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return new(point.X!, point.Y!);
    }

    /// <summary>Whether it has signed something.</summary>
    public bool Verifies(ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature)
    {
        try
        {
            using var key = ECDsa.Create(
                new ECParameters
                {
                    Curve = ECCurve.NamedCurves.nistP256,
                    Q = new() { X = X.ToArray(), Y = Y.ToArray() },
                }
            );
            return signature.Length == 64
                && key.VerifyData(content, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
        catch (CryptographicException)
        {
            // The coordinates are no point of the curve.
            return false;
        }
    }

    /// <summary>Signs with a key pair, as <see cref="Verifies"/> expects it.</summary>
    public static byte[] Sign(ECDsa key, ReadOnlySpan<byte> content)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.SignData(content, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }
}
