using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ledger.EventStore.Checkpoints;

/// <summary>
/// SHA-256 (FIPS 180-4) of eight messages of one length at a time, one in each lane of a vector. A call of the system's own costs several times what it takes to hash the few
/// bytes of a Merkle node, of which a log has two for every event.
/// </summary>
internal static class Sha256Lanes
{
    /// <summary>How many messages there are.</summary>
    public const int Lanes = 8;

    /// <summary>The length of a block.</summary>
    public const int BlockSize = 64;

    private const int Size = 32;
    private const int Rounds = 64;

    /// <summary>Whether the processor does it faster so.</summary>
    public static bool IsFaster => Vector256.IsHardwareAccelerated;

    // The fractions of the cube roots of the first 64 primes.
    private static ReadOnlySpan<uint> K =>
        [
            0x428a2f98,
            0x71374491,
            0xb5c0fbcf,
            0xe9b5dba5,
            0x3956c25b,
            0x59f111f1,
            0x923f82a4,
            0xab1c5ed5,
            0xd807aa98,
            0x12835b01,
            0x243185be,
            0x550c7dc3,
            0x72be5d74,
            0x80deb1fe,
            0x9bdc06a7,
            0xc19bf174,
            0xe49b69c1,
            0xefbe4786,
            0x0fc19dc6,
            0x240ca1cc,
            0x2de92c6f,
            0x4a7484aa,
            0x5cb0a9dc,
            0x76f988da,
            0x983e5152,
            0xa831c66d,
            0xb00327c8,
            0xbf597fc7,
            0xc6e00bf3,
            0xd5a79147,
            0x06ca6351,
            0x14292967,
            0x27b70a85,
            0x2e1b2138,
            0x4d2c6dfc,
            0x53380d13,
            0x650a7354,
            0x766a0abb,
            0x81c2c92e,
            0x92722c85,
            0xa2bfe8a1,
            0xa81a664b,
            0xc24b8b70,
            0xc76c51a3,
            0xd192e819,
            0xd6990624,
            0xf40e3585,
            0x106aa070,
            0x19a4c116,
            0x1e376c08,
            0x2748774c,
            0x34b0bcb5,
            0x391c0cb3,
            0x4ed8aa4a,
            0x5b9cca4f,
            0x682e6ff3,
            0x748f82ee,
            0x78a5636f,
            0x84c87814,
            0x8cc70208,
            0x90befffa,
            0xa4506ceb,
            0xbef9a3f7,
            0xc67178f2,
        ];

    /// <summary>Hashes.</summary>
    /// <remarks>Compiled for good at once: without registers for its vectors it would be slower than what it replaces.</remarks>
    /// <param name="messages">The messages, one behind the other, padded to whole blocks.</param>
    /// <param name="blocks">How many blocks each has.</param>
    /// <param name="to">Takes the hashes, one behind the other.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Hash(ReadOnlySpan<byte> messages, int blocks, Span<byte> to)
    {
        var h0 = Vector256.Create(0x6a09e667u);
        var h1 = Vector256.Create(0xbb67ae85u);
        var h2 = Vector256.Create(0x3c6ef372u);
        var h3 = Vector256.Create(0xa54ff53au);
        var h4 = Vector256.Create(0x510e527fu);
        var h5 = Vector256.Create(0x9b05688cu);
        var h6 = Vector256.Create(0x1f83d9abu);
        var h7 = Vector256.Create(0x5be0cd19u);
        Span<Vector256<uint>> w = stackalloc Vector256<uint>[Rounds];
        for (var block = 0; block < blocks; block++)
        {
            Schedule(messages, blocks, block, w);
            var (a, b, c, d) = (h0, h1, h2, h3);
            var (e, f, g, h) = (h4, h5, h6, h7);
            for (var t = 0; t < Rounds; t++)
            {
                var t1 =
                    h + (Right(e, 6) ^ Right(e, 11) ^ Right(e, 25)) + Vector256.ConditionalSelect(e, f, g) + Vector256.Create(K[t]) + w[t];
                var t2 = (Right(a, 2) ^ Right(a, 13) ^ Right(a, 22)) + ((a & b) | (c & (a | b)));
                h = g;
                g = f;
                f = e;
                e = d + t1;
                d = c;
                c = b;
                b = a;
                a = t1 + t2;
            }

            (h0, h1, h2, h3) = (h0 + a, h1 + b, h2 + c, h3 + d);
            (h4, h5, h6, h7) = (h4 + e, h5 + f, h6 + g, h7 + h);
        }

        Span<Vector256<uint>> words = [h0, h1, h2, h3, h4, h5, h6, h7];
        for (var lane = 0; lane < Lanes; lane++)
        {
            for (var n = 0; n < words.Length; n++)
                BinaryPrimitives.WriteUInt32BigEndian(to[((lane * Size) + (n * sizeof(uint)))..], words[n][lane]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Schedule(ReadOnlySpan<byte> messages, int blocks, int block, Span<Vector256<uint>> w)
    {
        var stride = blocks * BlockSize;
        var at = messages[(block * BlockSize)..];
        for (var t = 0; t < 16; t++, at = at[sizeof(uint)..])
        {
            w[t] = Vector256.Create(
                BinaryPrimitives.ReadUInt32BigEndian(at),
                BinaryPrimitives.ReadUInt32BigEndian(at[stride..]),
                BinaryPrimitives.ReadUInt32BigEndian(at[(2 * stride)..]),
                BinaryPrimitives.ReadUInt32BigEndian(at[(3 * stride)..]),
                BinaryPrimitives.ReadUInt32BigEndian(at[(4 * stride)..]),
                BinaryPrimitives.ReadUInt32BigEndian(at[(5 * stride)..]),
                BinaryPrimitives.ReadUInt32BigEndian(at[(6 * stride)..]),
                BinaryPrimitives.ReadUInt32BigEndian(at[(7 * stride)..])
            );
        }

        for (var t = 16; t < Rounds; t++)
        {
            var (x, y) = (w[t - 15], w[t - 2]);
            w[t] = w[t - 16] + (Right(x, 7) ^ Right(x, 18) ^ (x >>> 3)) + w[t - 7] + (Right(y, 17) ^ Right(y, 19) ^ (y >>> 10));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Right(Vector256<uint> word, int bits) => (word >>> bits) | (word << (32 - bits));
}
