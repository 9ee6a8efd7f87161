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
    // The form of the least JSON that has so much of one: [1] takes 14 bytes.
    private const int MostPerByte = 5;

    private const int MaxDepth = 32;

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
        var head = _length;
        Room((MostPerByte * raw.Data.Length) + 16);
        var json = new JsonbText(raw.Data);
        if (!TryQuick(ref json, MaxDepth, top: true) || !json.IsAtEnd)
        {
            _length = head;
            var reader = new Utf8JsonReader(raw.Data);
            reader.Read();
            if (!TryValue(ref reader, top: true))
                return RawVerdict.Unclear;
        }

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
        var quick = new JsonbText(headers);
        if (
            quick.TryTake("{\"hash\": "u8)
            && quick.TryString(out var own)
            && IsHash(own, hash)
            && quick.TryTake(", \"prev\": "u8)
            && quick.TryString(out var before)
            && IsHash(before, previous)
        )
        {
            hasActor = quick.TryTake(", \"actor\": "u8);
            if ((!hasActor || quick.TryString(out actor)) && quick.TryTake((byte)'}') && quick.IsAtEnd)
                return true;
            hasActor = false;
            actor = default;
        }

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
            reader.TokenType == JsonTokenType.String && IsHash(reader.ValueSpan, to);

        static bool IsHash(ReadOnlySpan<byte> text, Span<byte> to) =>
            Base64.DecodeFromUtf8(text, to, out _, out var written) == OperationStatus.Done && written == HashChain.Size;
    }

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();

    /// <summary>The form of data as nearly all events have it, into room that was made before; false where it is any other.</summary>
    private bool TryQuick(ref JsonbText json, int depth, bool top)
    {
        switch (json.Next)
        {
            case (byte)'"' when json.TryString(out var text):
                _form[_length++] = (byte)'s';
                QuickText(text);
                return true;
            case (byte)'{' when depth > 0:
                return TryQuickObject(ref json, depth, top);
            case (byte)'[' when depth > 0:
                return TryQuickArray(ref json, depth);
            case (byte)'n' when json.TryTake("null"u8):
                _form[_length++] = (byte)'n';
                return true;
            case (byte)'t' when json.TryTake("true"u8):
                _form[_length++] = (byte)'t';
                return true;
            case (byte)'f' when json.TryTake("false"u8):
                _form[_length++] = (byte)'f';
                return true;
            default:
                if (!json.TryInteger(out var integer))
                    return false;
                _form[_length++] = (byte)'i';
                BinaryPrimitives.WriteInt64BigEndian(_form.AsSpan(_length), integer);
                _length += 8;
                return true;
        }
    }

    private bool TryQuickArray(ref JsonbText json, int depth)
    {
        json.TryTake((byte)'[');
        _form[_length++] = (byte)'[';
        var (at, count) = (_length, 0);
        _length += 4;
        if (!json.TryTake((byte)']'))
        {
            do
            {
                if (!TryQuick(ref json, depth - 1, top: false))
                    return false;
                count++;
            } while (json.HasMore());

            if (!json.TryTake((byte)']'))
                return false;
        }

        BinaryPrimitives.WriteInt32BigEndian(_form.AsSpan(at), count);
        return true;
    }

    private bool TryQuickObject(ref JsonbText json, int depth, bool top)
    {
        json.TryTake((byte)'{');
        _form[_length++] = (byte)'{';
        var (at, count) = (_length, 0);
        _length += 4;
        if (!json.TryTake((byte)'}'))
        {
            ReadOnlySpan<byte> before = default;
            do
            {
                if (
                    !json.TryName(out var name)
                    || (count > 0 && (name.Length != before.Length ? name.Length < before.Length : name.SequenceCompareTo(before) <= 0))
                    || (top && name.StartsWith("metadata"u8))
                )
                    return false;
                QuickText(name);
                before = name;
                if (!TryQuick(ref json, depth - 1, top: false))
                    return false;
                count++;
            } while (json.HasMore());

            if (!json.TryTake((byte)'}'))
                return false;
        }

        BinaryPrimitives.WriteInt32BigEndian(_form.AsSpan(at), count);
        return true;
    }

    private void QuickText(ReadOnlySpan<byte> text)
    {
        BinaryPrimitives.WriteInt32BigEndian(_form.AsSpan(_length), text.Length);
        text.CopyTo(_form.AsSpan(_length + 4));
        _length += 4 + text.Length;
    }

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

            // Metadata has a digest to be compared besides, or is gone and only that is there; and an escaped name has an order of its own.
            if (reader.ValueIsEscaped || (top && name.StartsWith("metadata"u8)))
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
