using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Ledger.EventStore;

/// <summary>
/// The chain that every stream is: each event's hash covers its canonical form and the hash before it. The form is computed from what is
/// stored, so it depends neither on the order of keys nor on the spelling of numbers, which <c>jsonb</c> does not keep.
/// </summary>
/// <remarks>
/// Format 1, all integers big-endian, all text UTF-8 behind its length in four bytes:
/// <c>01</c>, stream, version (8), id (16), type, time in microseconds since 1970 (8), actor as <see cref="EventHeaders.Covered"/> gives it (length
/// FFFFFFFF where there is none),
/// data, previous hash (32; zeros before the first event).
/// Data: <c>n</c> null, <c>t</c> true, <c>f</c> false, <c>i</c> integer (8), <c>d</c> any other number as text, <c>s</c> text,
/// <c>[</c> count (4) and items, <c>{</c> count (4) and members, shorter names first, then bytewise (the order of <c>jsonb</c>).
/// The top-level member <c>metadata</c> is left out: its digest is a member of its own, so that it can be erased with the chain intact.
/// </remarks>
public static class HashChain
{
    /// <summary>The length of a hash: 32 bytes.</summary>
    public const int Size = 32;

    private const byte Format = 1;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    /// <summary>What the first event of a stream is chained to.</summary>
    public static ReadOnlyMemory<byte> Start { get; } = new byte[Size];

    /// <summary>The hash of an event.</summary>
    /// <param name="streamId">Its stream.</param>
    /// <param name="version">Its place in the stream.</param>
    /// <param name="id">Its id.</param>
    /// <param name="type">Its stored name.</param>
    /// <param name="at">Its time; whole microseconds.</param>
    /// <param name="actor">Who did it, as its headers say; null where they do not.</param>
    /// <param name="data">Its members as JSON, in any order and spelling.</param>
    /// <param name="previous">The hash of the event before it.</param>
    public static byte[] Hash(
        string streamId,
        long version,
        Guid id,
        string type,
        DateTimeOffset at,
        string? actor,
        ReadOnlySpan<byte> data,
        ReadOnlySpan<byte> previous
    )
    {
        var buffer = _buffer ??= new ArrayBufferWriter<byte>(1024);
        buffer.ResetWrittenCount();
        WriteForm(buffer, streamId, version, id, type, at, actor, data, previous);
        return SHA256.HashData(buffer.WrittenSpan);
    }

    /// <summary>Writes the canonical form of an event; see the remarks on the class.</summary>
    public static void WriteForm(
        ArrayBufferWriter<byte> to,
        string streamId,
        long version,
        Guid id,
        string type,
        DateTimeOffset at,
        string? actor,
        ReadOnlySpan<byte> data,
        ReadOnlySpan<byte> previous
    )
    {
        ArgumentNullException.ThrowIfNull(to);
        if (previous.Length != Size)
            throw new ArgumentException("A hash has 32 bytes.", nameof(previous));
        WriteByte(to, Format);
        WriteText(to, streamId);
        WriteInt64(to, version);
        id.TryWriteBytes(to.GetSpan(16), bigEndian: true, out _);
        to.Advance(16);
        WriteText(to, type);
        WriteInt64(to, (at.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond);
        if (actor is null)
            WriteInt32(to, -1);
        else
            WriteText(to, actor);
        var reader = new Utf8JsonReader(data);
        reader.Read();
        WriteValue(to, data, ref reader, top: true);
        to.Write(previous);
    }

    /// <summary>Reads a hash out of an event's headers.</summary>
    /// <param name="headers">The headers' JSON text.</param>
    /// <param name="member"><c>hash</c> or <c>prev</c>.</param>
    /// <returns>Null where the headers do not hold one.</returns>
    public static byte[]? FromHeaders(string? headers, string member)
    {
        if (headers is null)
            return null;
        using var json = JsonDocument.Parse(headers);
        return
            json.RootElement.ValueKind == JsonValueKind.Object
            && json.RootElement.TryGetProperty(member, out var value)
            && value.ValueKind == JsonValueKind.String
            && value.TryGetBytesFromBase64(out var hash)
            && hash.Length == Size
            ? hash
            : null;
    }

    private static void WriteValue(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> json, ref Utf8JsonReader reader, bool top)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                WriteByte(to, (byte)'n');
                break;
            case JsonTokenType.True:
                WriteByte(to, (byte)'t');
                break;
            case JsonTokenType.False:
                WriteByte(to, (byte)'f');
                break;
            case JsonTokenType.Number when reader.TryGetInt64(out var integer):
                WriteByte(to, (byte)'i');
                WriteInt64(to, integer);
                break;
            case JsonTokenType.Number:
                WriteByte(to, (byte)'d');
                WriteInt32(to, reader.ValueSpan.Length);
                to.Write(reader.ValueSpan);
                break;
            case JsonTokenType.String:
                WriteByte(to, (byte)'s');
                WriteToken(to, ref reader);
                break;
            case JsonTokenType.StartArray:
                WriteArray(to, json, ref reader);
                break;
            default:
                WriteObject(to, json, ref reader, top);
                break;
        }
    }

    private static void WriteArray(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> json, ref Utf8JsonReader reader)
    {
        WriteByte(to, (byte)'[');
        var counter = reader;
        var count = 0;
        while (counter.Read() && counter.TokenType != JsonTokenType.EndArray)
        {
            counter.Skip();
            count++;
        }

        WriteInt32(to, count);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            WriteValue(to, json, ref reader, top: false);
    }

    private static void WriteObject(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> json, ref Utf8JsonReader reader, bool top)
    {
        // Where each member's name and value lie, so that they can be taken up again in canonical order.
        var members = ArrayPool<Member>.Shared.Rent(32);
        var count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var isErasable = top && reader.ValueTextEquals("metadata"u8);
            var name = (
                Start: (int)reader.TokenStartIndex + 1,
                reader.ValueSpan.Length,
                Unescaped: reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : null
            );
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (isErasable)
                continue;
            if (count == members.Length)
            {
                var larger = ArrayPool<Member>.Shared.Rent(count * 2);
                members.AsSpan(0, count).CopyTo(larger);
                ArrayPool<Member>.Shared.Return(members, clearArray: true);
                members = larger;
            }

            members[count++] = new(name.Start, name.Length, name.Unescaped, start, (int)reader.BytesConsumed);
        }

        Sort(json, members.AsSpan(0, count));
        WriteByte(to, (byte)'{');
        WriteInt32(to, count);
        foreach (var member in members.AsSpan(0, count))
        {
            var name = member.Name(json);
            WriteInt32(to, name.Length);
            to.Write(name);
            var text = json[member.ValueStart..member.ValueEnd];
            var value = new Utf8JsonReader(text);
            value.Read();
            WriteValue(to, text, ref value, top: false);
        }

        ArrayPool<Member>.Shared.Return(members, clearArray: true);
    }

    private static void Sort(ReadOnlySpan<byte> json, Span<Member> members)
    {
        // Insertion sort: members are few, and those that come out of jsonb are in order already.
        for (var i = 1; i < members.Length; i++)
        {
            var member = members[i];
            var j = i - 1;
            for (; j >= 0 && Compare(members[j].Name(json), member.Name(json)) > 0; j--)
                members[j + 1] = members[j];
            members[j + 1] = member;
        }

        static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
            left.Length != right.Length ? left.Length - right.Length : left.SequenceCompareTo(right);
    }

    private static void WriteByte(ArrayBufferWriter<byte> to, byte value)
    {
        to.GetSpan(1)[0] = value;
        to.Advance(1);
    }

    private static void WriteInt32(ArrayBufferWriter<byte> to, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(to.GetSpan(4), value);
        to.Advance(4);
    }

    private static void WriteInt64(ArrayBufferWriter<byte> to, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(to.GetSpan(8), value);
        to.Advance(8);
    }

    private static void WriteText(ArrayBufferWriter<byte> to, string text)
    {
        var span = to.GetSpan(4 + Encoding.UTF8.GetMaxByteCount(text.Length));
        var length = Encoding.UTF8.GetBytes(text, span[4..]);
        BinaryPrimitives.WriteInt32BigEndian(span, length);
        to.Advance(4 + length);
    }

    private static void WriteToken(ArrayBufferWriter<byte> to, ref Utf8JsonReader reader)
    {
        var span = to.GetSpan(4 + reader.ValueSpan.Length);
        var length = reader.CopyString(span[4..]);
        BinaryPrimitives.WriteInt32BigEndian(span, length);
        to.Advance(4 + length);
    }

    private readonly record struct Member(int NameStart, int NameLength, byte[]? Unescaped, int ValueStart, int ValueEnd)
    {
        public ReadOnlySpan<byte> Name(ReadOnlySpan<byte> json) => Unescaped ?? json.Slice(NameStart, NameLength);
    }
}
