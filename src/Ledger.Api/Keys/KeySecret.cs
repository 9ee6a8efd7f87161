using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Ledger.Api.Keys;

/// <summary>
/// A key's secret: <c>&lt;prefix&gt;_live_</c> and 40 base62 characters, of which the last six are a checksum, so that a mistyped or foreign
/// string is refused without a look-up and secret scanners can recognise ours. Only its SHA-256 is ever stored.
/// </summary>
/// <param name="Text">The secret itself; shown once.</param>
/// <param name="Prefix">What stands before <c>_live_</c>.</param>
public sealed record KeySecret(string Text, string Prefix)
{
    private const string Marker = "_live_";
    private const int MarkerLength = 6;
    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int RandomLength = 34;
    private const int ChecksumLength = 6;
    private const int MaxPrefixLength = 32;

    /// <summary>The length of the longest secret, in characters.</summary>
    public const int MaxLength = MaxPrefixLength + MarkerLength + RandomLength + ChecksumLength;

    /// <summary>The last four characters, by which people tell keys apart.</summary>
    public string LastFour => Text[^4..];

    /// <summary>SHA-256 of the secret, as it is looked up.</summary>
    public SecretHash Hash => SecretHash.Of(Text);

    /// <summary>A new secret with 202 bits of randomness.</summary>
    public static KeySecret Create(string prefix)
    {
        var body = prefix + Marker + RandomNumberGenerator.GetString(Base62, RandomLength);
        Span<char> checksum = stackalloc char[ChecksumLength];
        WriteChecksum(body, checksum);
        return new(body + new string(checksum), prefix);
    }

    /// <summary>Whether a text has a secret's shape and its checksum is right; says nothing about whether such a key exists.</summary>
    public static bool IsWellFormed(ReadOnlySpan<char> text)
    {
        var marker = text.IndexOf(Marker, StringComparison.Ordinal);
        if (marker is < 1 or > MaxPrefixLength || text.Length != marker + MarkerLength + RandomLength + ChecksumLength)
            return false;
        foreach (var c in text[..marker])
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c))
                return false;
        }

        foreach (var c in text[(marker + MarkerLength)..])
        {
            if (!char.IsAsciiLetterOrDigit(c))
                return false;
        }

        Span<char> checksum = stackalloc char[ChecksumLength];
        WriteChecksum(text[..^ChecksumLength], checksum);
        return text[^ChecksumLength..].SequenceEqual(checksum);
    }

    /// <summary>The first four bytes of SHA-256 over all that stands before it, as six base62 digits.</summary>
    private static void WriteChecksum(ReadOnlySpan<char> body, Span<char> checksum)
    {
        Span<byte> bytes = stackalloc byte[128];
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(bytes[..Encoding.ASCII.GetBytes(body, bytes)], hash);
        var number = BinaryPrimitives.ReadUInt32BigEndian(hash);
        for (var i = ChecksumLength - 1; i >= 0; i--)
        {
            checksum[i] = Base62[(int)(number % 62)];
            number /= 62;
        }
    }
}

/// <summary>SHA-256 of a secret, as a value that a dictionary can hold without holding the secret.</summary>
public readonly record struct SecretHash
{
    // A key's secret is far shorter; an access token is hashed too, to be remembered without being kept.
    private const int MaxSecret = 1024;
    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    private SecretHash(ReadOnlySpan<byte> hash)
    {
        _a = BinaryPrimitives.ReadUInt64BigEndian(hash);
        _b = BinaryPrimitives.ReadUInt64BigEndian(hash[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(hash[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(hash[24..]);
    }

    /// <summary>The hash of a secret's text.</summary>
    public static SecretHash Of(ReadOnlySpan<char> secret)
    {
        Span<byte> bytes = stackalloc byte[MaxSecret];
        if (!Encoding.UTF8.TryGetBytes(secret, bytes, out var length))
            throw new ArgumentException("Not a secret: too long.", nameof(secret));
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(bytes[..length], hash);
        return new(hash);
    }

    /// <summary>Lower-case hex, as the log and the read model hold it.</summary>
    public override string ToString() => $"{_a:x16}{_b:x16}{_c:x16}{_d:x16}";

    /// <summary>Spreads by the hash's own bits.</summary>
    public override int GetHashCode() => unchecked((int)_a);
}
