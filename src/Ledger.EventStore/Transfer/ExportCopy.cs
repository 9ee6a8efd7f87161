using System.Buffers.Binary;
using System.Globalization;
using Npgsql;

namespace Ledger.EventStore.Transfer;

/// <summary>
/// Reads the log by binary <c>COPY</c>, page by page by key: each page is taken over whole before anybody looks at it, so that no transaction waits for a slow disk.
/// What it reads must be settled: it passes over gaps. Unlike <see cref="EventStore.LogCopy"/>, it reads all that is stored of an event, and the stream's row beside its first.
/// </summary>
/// <param name="after">The position before the first.</param>
/// <param name="upTo">The last position.</param>
internal sealed class ExportCopy(long after, long upTo)
{
    /// <summary>The most events of a page: some ten megabytes, and well below a second.</summary>
    public const int PageSize = 10_000;

    private static readonly byte[] Signature = [.. "PGCOPY\n"u8, 0xFF, .. "\r\n"u8, 0];

    private long _after = after;

    /// <summary>Whether the end was reached.</summary>
    public bool IsDone { get; private set; } = after >= upTo;

    /// <summary>The next page, into a buffer that is used again and again.</summary>
    /// <param name="connection">An open connection.</param>
    /// <param name="page">Takes it.</param>
    /// <param name="limit">The most events.</param>
    /// <param name="ct">Gives up.</param>
    public async Task NextAsync(NpgsqlConnection connection, Page page, int limit, CancellationToken ct)
    {
        var size = Math.Min(limit, PageSize);
        var sql = string.Create(
            CultureInfo.InvariantCulture,
            $"""
            copy (
              select
                m.seq_id,
                m.id,
                m.stream_id,
                m.version,
                m.type,
                m.timestamp,
                m.mt_dotnet_type,
                m.correlation_id,
                m.causation_id,
                m.headers,
                m.data,
                case when m.version = 1 then (select s.type from mt_streams s where s.id = m.stream_id) end,
                case when m.version = 1 then (select s.created from mt_streams s where s.id = m.stream_id) end,
                m.bdata is not null or m.tenant_id is distinct from '*DEFAULT*' or m.is_archived is distinct from false
              from mt_events m
              where m.seq_id > {_after}
                and m.seq_id <= {upTo}
              order by m.seq_id
              limit {size}
            ) to stdout (format binary)
            """
        );
        await using (var copy = await connection.BeginRawBinaryCopyAsync(sql, ct))
            await page.FillAsync(copy, ct);
        if (page.Count > 0)
            _after = page.Last;
        IsDone = page.Count < size || _after >= upTo;
    }

    /// <summary>Some rows of the log, as PostgreSQL sent them.</summary>
    internal sealed class Page
    {
        private byte[] _bytes = new byte[1 << 20];
        private int _length;
        private int _next;

        /// <summary>How many rows it has.</summary>
        public int Count { get; private set; }

        /// <summary>The position of the last of them.</summary>
        public long Last { get; private set; }

        public async Task FillAsync(Stream from, CancellationToken ct)
        {
            _length = 0;
            while (true)
            {
                if (_length == _bytes.Length)
                    Array.Resize(ref _bytes, checked(_bytes.Length * 2));
                var read = await from.ReadAsync(_bytes.AsMemory(_length), ct);
                if (read == 0)
                    break;
                _length += read;
            }

            Count = 0;
            var at = Begin();
            _next = at;
            while (BinaryPrimitives.ReadInt16BigEndian(_bytes.AsSpan(at)) is var columns and >= 0)
            {
                Last = BinaryPrimitives.ReadInt64BigEndian(_bytes.AsSpan(at + 6));
                at += 2;
                for (var i = 0; i < columns; i++)
                    at += 4 + Math.Max(0, BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(at)));
                Count++;
            }
        }

        /// <summary>The next row; there are as many as it counts.</summary>
        /// <exception cref="TransferException">It holds what this ledger never writes, and what an export cannot carry.</exception>
        public EventRow Read()
        {
            _next += 2;
            var row = new EventRow { Position = Int64(), Id = new(Field()!.Value.Span, bigEndian: true) };
            row.Stream = Required(row, "stream");
            row.Version = Int64();
            row.Type = Required(row, "type");
            row.At = Time(row, Int64());
            row.DotnetType = Field();
            row.CorrelationId = Field();
            row.CausationId = Field();
            row.Headers = Json(row, Field());
            row.Data = Json(row, Field())!.Value;
            row.StreamType = Field();
            if (Field() is { } created)
                row.StreamCreated = Time(row, BinaryPrimitives.ReadInt64BigEndian(created.Span));
            if (Field()!.Value.Span[0] != 0)
                throw Foreign(row, "a body in binary, a tenant, or an archived event");
            return row.Version > 1 || (row.StreamType is not null && row.StreamCreated is not null)
                ? row
                : throw new TransferException(
                    $"The event at position {row.Position} begins a stream that has no row of its own. `audit verify` tells more."
                );
        }

        private static TransferException Foreign(in EventRow row, string what) =>
            new($"The event at position {row.Position} has {what}, which this ledger never writes and an export does not carry.");

        /// <summary><c>jsonb</c> travels as its text behind the number of its format.</summary>
        private static ReadOnlyMemory<byte>? Json(in EventRow row, ReadOnlyMemory<byte>? field)
        {
            if (field is not { } json)
                return null;
            return json.Span is [1, ..] ? json[1..] : throw Foreign(row, "JSON in a form that this program does not know");
        }

        private static long Time(in EventRow row, long sinceEpoch) =>
            sinceEpoch is not (long.MinValue or long.MaxValue) && EventRow.IsLawful(sinceEpoch + EventRow.PostgresEpoch)
                ? sinceEpoch + EventRow.PostgresEpoch
                : throw Foreign(row, "a time without a date");

        private int Begin()
        {
            if (_length < 21 || !_bytes.AsSpan(0, Signature.Length).SequenceEqual(Signature))
                throw new InvalidDataException("PostgreSQL sent something else than a binary copy.");
            return 19 + BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(15));
        }

        private ReadOnlyMemory<byte> Required(in EventRow row, string what) => Field() ?? throw Foreign(row, "no " + what);

        private long Int64() => BinaryPrimitives.ReadInt64BigEndian(Field()!.Value.Span);

        private ReadOnlyMemory<byte>? Field()
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(_next));
            _next += 4;
            if (length < 0)
                return null;
            _next += length;
            return _bytes.AsMemory(_next - length, length);
        }
    }
}
