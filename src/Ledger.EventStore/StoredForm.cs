using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace Ledger.EventStore;

/// <summary>What hashing an event as it came over the wire came to.</summary>
public enum RawVerdict
{
    /// <summary>Its hash is that of its contents.</summary>
    Holds,

    /// <summary>It is not, or this cannot say: whoever wants to know what is wrong looks at it with <see cref="ChainVerifier.FaultOf"/>.</summary>
    Unclear,
}

/// <summary>
/// The same hash as <see cref="HashChain"/> reckons, for events as PostgreSQL sends them: <c>jsonb</c> comes in canonical order, so its form is written in one go, without
/// texts in between. What is not so is left to the general way. Not safe for concurrent use.
/// </summary>
public sealed class StoredForm : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _form = new byte[4096];
    private int _length;

    /// <summary>Whether an event is what was hashed, and which hashes it names.</summary>
    /// <param name="raw">The event, with its headers.</param>
    /// <param name="previous">Takes the hash of the event before it, as its headers say.</param>
    /// <param name="hash">Takes its own.</param>
    public RawVerdict Verify(in RawEvent raw, Span<byte> previous, Span<byte> hash)
    {
        if (raw.Headers.IsEmpty || !TryReadHeaders(raw.Headers, previous, hash, out var actor, out var hasActor))
            return RawVerdict.Unclear;
        _length = 0;
        Room(raw.StreamId.Length + raw.Type.Length + actor.Length + raw.Data.Length + 256);
        Byte(1);
        Text(raw.StreamId);
        Int64(raw.Version);
        Bytes(raw.Id);
        Text(raw.Type);
        Int64(raw.Micros);
        if (hasActor)
            Text(actor);
        else
            Int32(-1);
        var reader = new Utf8JsonReader(raw.Data);
        reader.Read();
        if (!TryValue(ref reader, top: true))
            return RawVerdict.Unclear;
        Room(HashChain.Size);
        Bytes(previous);
        Span<byte> actual = stackalloc byte[HashChain.Size];
        _hash.AppendData(_form.AsSpan(0, _length));
        _hash.GetHashAndReset(actual);
        return actual.SequenceEqual(hash) ? RawVerdict.Holds : RawVerdict.Unclear;
    }

    /// <summary>Headers as nearly all events have them: hash, hash before, perhaps an actor. With an address they are left to the general way.</summary>
    private static bool TryReadHeaders(
        ReadOnlySpan<byte> headers,
        Span<byte> previous,
        Span<byte> hash,
        out ReadOnlySpan<byte> actor,
        out bool hasActor
    )
    {
        actor = default;
        hasActor = false;
        var (hasHash, hasPrevious) = (false, false);
        var reader = new Utf8JsonReader(headers);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.ValueSpan;
            if (name.SequenceEqual("hash"u8))
                hasHash = reader.Read() && TryBase64(ref reader, hash);
            else if (name.SequenceEqual("prev"u8))
                hasPrevious = reader.Read() && TryBase64(ref reader, previous);
            else if (name.SequenceEqual("actor"u8) && reader.Read() && reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped)
            {
                actor = reader.ValueSpan;
                hasActor = true;
            }
            else
            {
                return false;
            }
        }

        return hasHash && hasPrevious;

        static bool TryBase64(ref Utf8JsonReader reader, Span<byte> to) =>
            reader.TokenType == JsonTokenType.String
            && Base64.DecodeFromUtf8(reader.ValueSpan, to, out _, out var written) == OperationStatus.Done
            && written == HashChain.Size;
    }

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();

    private bool TryValue(ref Utf8JsonReader reader, bool top)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                Byte((byte)'n');
                return true;
            case JsonTokenType.True:
                Byte((byte)'t');
                return true;
            case JsonTokenType.False:
                Byte((byte)'f');
                return true;
            case JsonTokenType.Number when reader.TryGetInt64(out var integer):
                Byte((byte)'i');
                Int64(integer);
                return true;
            case JsonTokenType.Number:
                Byte((byte)'d');
                Text(reader.ValueSpan);
                return true;
            case JsonTokenType.String:
                Byte((byte)'s');
                if (!reader.ValueIsEscaped)
                {
                    Text(reader.ValueSpan);
                    return true;
                }

                Room(4 + reader.ValueSpan.Length);
                var length = reader.CopyString(_form.AsSpan(_length + 4));
                Int32(length);
                _length += length;
                return true;
            case JsonTokenType.StartArray:
                return TryArray(ref reader);
            default:
                return TryObject(ref reader, top);
        }
    }

    private bool TryArray(ref Utf8JsonReader reader)
    {
        Byte((byte)'[');
        var (at, count) = (Reserve(), 0);
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; count++)
        {
            if (!TryValue(ref reader, top: false))
                return false;
        }

        BinaryPrimitives.WriteInt32BigEndian(_form.AsSpan(at), count);
        return true;
    }

    private bool TryObject(ref Utf8JsonReader reader, bool top)
    {
        Byte((byte)'{');
        var (at, count) = (Reserve(), 0);
        ReadOnlySpan<byte> before = default;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = reader.ValueSpan;

            // Metadata has a digest to be compared besides, and an escaped name an order of its own.
            if (reader.ValueIsEscaped || (top && name.SequenceEqual("metadata"u8)))
                return false;
            if (count > 0 && (name.Length != before.Length ? name.Length < before.Length : name.SequenceCompareTo(before) <= 0))
                return false;
            Text(name);
            before = name;
            reader.Read();
            if (!TryValue(ref reader, top: false))
                return false;
            count++;
        }

        BinaryPrimitives.WriteInt32BigEndian(_form.AsSpan(at), count);
        return true;
    }

    private int Reserve()
    {
        Room(4);
        _length += 4;
        return _length - 4;
    }

    private void Byte(byte value)
    {
        Room(1);
        _form[_length++] = value;
    }

    private void Int32(int value)
    {
        Room(4);
        BinaryPrimitives.WriteInt32BigEndian(_form.AsSpan(_length), value);
        _length += 4;
    }

    private void Int64(long value)
    {
        Room(8);
        BinaryPrimitives.WriteInt64BigEndian(_form.AsSpan(_length), value);
        _length += 8;
    }

    private void Text(ReadOnlySpan<byte> text)
    {
        Int32(text.Length);
        Bytes(text);
    }

    private void Bytes(ReadOnlySpan<byte> bytes)
    {
        Room(bytes.Length);
        bytes.CopyTo(_form.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Room(int size)
    {
        if (_length + size > _form.Length)
            Array.Resize(ref _form, Math.Max(_form.Length * 2, _length + size));
    }
}
