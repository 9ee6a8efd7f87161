using System.Buffers.Binary;

namespace Ledger.EventStore;

/// <summary>One event of the log as the bytes in which PostgreSQL sends it; valid until its block is given back.</summary>
public readonly ref struct RawEvent
{
    /// <summary>Its place in the log.</summary>
    public long Position { get; init; }

    /// <summary>Its derived id, in the order of its text.</summary>
    public ReadOnlySpan<byte> Id { get; init; }

    /// <summary>Its stream, UTF-8.</summary>
    public ReadOnlySpan<byte> StreamId { get; init; }

    /// <summary>Its place in the stream.</summary>
    public long Version { get; init; }

    /// <summary>Its stored name, UTF-8.</summary>
    public ReadOnlySpan<byte> Type { get; init; }

    /// <summary>When it was recorded, in microseconds since 1970.</summary>
    public long Micros { get; init; }

    /// <summary>Its members as JSON.</summary>
    public ReadOnlySpan<byte> Data { get; init; }

    /// <summary>Its headers as JSON; empty where it has none, or none were asked for.</summary>
    public ReadOnlySpan<byte> Headers { get; init; }

    /// <summary>When it was recorded.</summary>
    public DateTimeOffset At => StoredTime.Of(Micros);
}

/// <summary>Some events of the log, in order, as they came over the wire.</summary>
public sealed class LogBlock
{
    internal const int Fields = 8;

    /// <summary>How many events.</summary>
    public int Count { get; internal set; }

    internal byte[] Buffer { get; set; } = new byte[1 << 19];

    internal int Start { get; set; }

    /// <summary>Goes over the events.</summary>
    public Enumerator GetEnumerator() => new(this);

    /// <summary>The end of the tuple that begins at a place; -1 where it is not there in full. A tuple of no fields ends the data.</summary>
    internal static int EndOf(ReadOnlySpan<byte> data, int at)
    {
        if (at + 2 > data.Length)
            return -1;
        var fields = BinaryPrimitives.ReadInt16BigEndian(data[at..]);
        at += 2;
        for (var n = 0; n < fields; n++)
        {
            if (at + 4 > data.Length)
                return -1;
            at += 4 + Math.Max(0, BinaryPrimitives.ReadInt32BigEndian(data[at..]));
        }

        return at > data.Length ? -1 : at;
    }

    /// <summary>Goes over a block's events.</summary>
    public ref struct Enumerator
    {
        private readonly ReadOnlySpan<byte> _data;
        private int _left;
        private int _at;

        internal Enumerator(LogBlock block)
        {
            _data = block.Buffer;
            _left = block.Count;
            _at = block.Start;
        }

        /// <summary>The event.</summary>
        public RawEvent Current { get; private set; }

        /// <summary>Goes to the next one.</summary>
        public bool MoveNext()
        {
            if (_left-- == 0)
                return false;
            _at += 2;
            var position = BinaryPrimitives.ReadInt64BigEndian(Field());
            var id = Field();
            var stream = Field();
            var version = BinaryPrimitives.ReadInt64BigEndian(Field());
            var type = Field();
            var micros = StoredTime.Micros(BinaryPrimitives.ReadInt64BigEndian(Field()));
            var data = Json();
            var headers = Json();
            Current = new()
            {
                Position = position,
                Id = id,
                StreamId = stream,
                Version = version,
                Type = type,
                Micros = micros,
                Data = data,
                Headers = headers,
            };
            return true;
        }

        // What is null is empty; of what we read only headers may be.
        private ReadOnlySpan<byte> Field()
        {
            var length = Math.Max(0, BinaryPrimitives.ReadInt32BigEndian(_data[_at..]));
            var field = _data.Slice(_at + 4, length);
            _at += 4 + length;
            return field;
        }

        // In binary form, jsonb is its text behind a byte that says so.
        private ReadOnlySpan<byte> Json()
        {
            var field = Field();
            return field.IsEmpty ? field : field[1..];
        }
    }
}
