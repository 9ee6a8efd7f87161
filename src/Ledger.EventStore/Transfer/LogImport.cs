using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ledger.EventStore.Checkpoints;
using Npgsql;

namespace Ledger.EventStore.Transfer;

/// <summary>
/// Puts an export into an empty database: all of it is read and verified first, then loaded in one transaction, and held against the export once more before that is committed. So
/// the log is there whole, or nothing has changed. Afterwards the ledger is closed until its read models stand too.
/// </summary>
/// <param name="database">The database, with the schema; its role must own the tables.</param>
public sealed class LogImport(NpgsqlDataSource database)
{
    private const int Block = 1 << 20;

    private static readonly byte[] CopyHead = [.. "PGCOPY\n"u8, 0xFF, .. "\r\n"u8, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>Whether there is nothing in the database yet that an import would be in the way of.</summary>
    public static async Task<bool> IsEmptyAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var connection = await database.OpenConnectionAsync(ct);
        await using (var exists = new NpgsqlCommand("select to_regclass('mt_events') is not null", connection))
        {
            if (!(bool)(await exists.ExecuteScalarAsync(ct))!)
                return true;
        }

        return await IsEmptyAsync(connection, ct);
    }

    /// <summary>Loads an export.</summary>
    /// <param name="folder">Where it is.</param>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="isKnown">Whether a type of event is one that this program can read.</param>
    /// <param name="beginAnew">Readers of the log that must see all of it again, because what they make of it is not in the export.</param>
    /// <param name="progress">Told how far it has come.</param>
    /// <param name="ct">Gives up; then nothing has changed.</param>
    /// <exception cref="TransferException">The export is damaged, or the database is not empty. Nothing has changed.</exception>
    public async Task RunAsync(
        string folder,
        ExportManifest manifest,
        Func<string, bool> isKnown,
        IReadOnlyCollection<string> beginAnew,
        IProgress<TransferProgress>? progress,
        CancellationToken ct
    )
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var check = new ExportCheck(folder, manifest, isKnown);
        await Task.Run(() => check.Run(progress, ct), ct);

        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await ExecuteAsync(connection, "lock table mt_streams, mt_events in access exclusive mode", ct);
        if (!await IsEmptyAsync(connection, ct))
            throw NotEmpty();

        // Rows that come into a table emptied in the same transaction need no freezing later, and indexes are faster made than kept.
        await ExecuteAsync(
            connection,
            """
            set local maintenance_work_mem = '128MB';
            truncate mt_streams, mt_events, mt_event_progression;
            drop index pk_mt_events_stream_and_version;
            drop index ux_mt_events_stream_and_id;
            alter table mt_events drop constraint pkey_mt_events_seq_id
            """,
            ct
        );
        await LoadEventsAsync(connection, folder, manifest, progress, ct);
        await LoadStreamsAsync(connection, check.Streams, ct);
        progress?.Report(new("indexes", 0, 1, "indexes"));
        await ExecuteAsync(
            connection,
            $"""
            alter table mt_events add constraint pkey_mt_events_seq_id primary key (seq_id);
            {SqlFile.Read("pk_mt_events_stream_and_version.sql")}
            {SqlFile.Read("ux_mt_events_stream_and_id.sql")}
            analyze mt_streams;
            analyze mt_events;
            """,
            ct
        );
        progress?.Report(new("indexes", 1, 1, "indexes"));
        await CompareAsync(connection, folder, manifest, progress, ct);
        await LoadCheckpointsAsync(connection, check, ct);
        await LoadReadersAsync(connection, manifest, beginAnew, ct);
        await Closures.CloseAsync(connection, new(Closures.Import, manifest.Digest!), ct);

        // Positions drawn from now on come behind those that are there. A sequence knows no transactions; ahead of an empty log it does no harm.
        if (manifest.Parts.Count > 0)
            await ExecuteAsync(connection, $"select setval('mt_events_sequence', {manifest.Finished})", ct);
        await transaction.CommitAsync(ct);
    }

    /// <summary>What is said where the database is not empty.</summary>
    public static TransferException NotEmpty() =>
        new("The database is not empty, and an import begins with nothing. Name another database or data folder; nothing was changed.");

    private static async Task<bool> IsEmptyAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            select
              not exists (select from mt_streams)
              and not exists (select from mt_events)
              and not exists (select from log_checkpoints)
              and not exists (select from people)
            """,
            connection
        );
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    private static async Task LoadEventsAsync(
        NpgsqlConnection connection,
        string folder,
        ExportManifest manifest,
        IProgress<TransferProgress>? progress,
        CancellationToken ct
    )
    {
        await using var copy = await connection.BeginRawBinaryCopyAsync(
            """
            copy mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, correlation_id, causation_id, headers)
            from stdin (format binary, freeze)
            """,
            ct
        );
        var (filling, leaving, writing, done) = (new ByteBuffer(2 * Block), new ByteBuffer(2 * Block), Task.CompletedTask, 0L);
        filling.Write(CopyHead);
        var format = LineFormat.Find(manifest.Lines)!;
        foreach (var part in manifest.Parts)
        {
            using var reader = new PartReader(folder, part, format);
            while (reader.TryRead(out var row))
            {
                WriteEvent(filling, row);
                done++;
                if (filling.Length < Block)
                    continue;
                await LeaveAsync();
                progress?.Report(new("load", done, manifest.Events, "events"));
            }
        }

        Int16(filling, -1);
        await LeaveAsync();
        await writing;
        progress?.Report(new("load", done, manifest.Events, "events"));

        async Task LeaveAsync()
        {
            await writing;
            (filling, leaving) = (leaving, filling);
            filling.Clear();
            var block = leaving.Memory;
            writing = Task.Run(async () => await copy.WriteAsync(block, ct), ct);
        }
    }

    private static void WriteEvent(ByteBuffer to, in EventRow row)
    {
        Int16(to, 11);
        Int64(to, row.Position);
        Int32(to, 16);
        row.Id.TryWriteBytes(to.GetSpan(16), bigEndian: true, out _);
        to.Advance(16);
        Text(to, row.Stream);
        Int64(to, row.Version);
        Json(to, row.Data);
        Text(to, row.Type);
        Int64(to, row.At - EventRow.PostgresEpoch);
        Text(to, row.DotnetType);
        Text(to, row.CorrelationId);
        Text(to, row.CausationId);
        Json(to, row.Headers);
    }

    private static async Task LoadStreamsAsync(
        NpgsqlConnection connection,
        IReadOnlyDictionary<string, StreamEnd> streams,
        CancellationToken ct
    )
    {
        await using var copy = await connection.BeginRawBinaryCopyAsync(
            "copy mt_streams (id, type, version, timestamp, created) from stdin (format binary)",
            ct
        );
        var buffer = new ByteBuffer(2 * Block);
        buffer.Write(CopyHead);
        foreach (var (id, stream) in streams)
        {
            Int16(buffer, 5);
            Text(buffer, Encoding.UTF8.GetBytes(id));
            Text(buffer, Encoding.UTF8.GetBytes(stream.Type!));
            Int64(buffer, stream.Version);
            Int64(buffer, stream.At - EventRow.PostgresEpoch);
            Int64(buffer, stream.Created - EventRow.PostgresEpoch);
            if (buffer.Length < Block)
                continue;
            await copy.WriteAsync(buffer.Memory, ct);
            buffer.Clear();
        }

        Int16(buffer, -1);
        await copy.WriteAsync(buffer.Memory, ct);
    }

    /// <summary>Holds what has been loaded against the export: every line that it would be exported as again.</summary>
    private static async Task CompareAsync(
        NpgsqlConnection connection,
        string folder,
        ExportManifest manifest,
        IProgress<TransferProgress>? progress,
        CancellationToken ct
    )
    {
        var (format, page, line, done) = (LineFormat.Find(manifest.Lines)!, new ExportCopy.Page(), new ByteBuffer(Block), 0L);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in manifest.Parts)
        {
            var check = 0u;
            format.WriteHead(line);
            for (var copy = new ExportCopy(part.First - 1, part.Last); !copy.IsDone; )
            {
                await copy.NextAsync(connection, page, ExportCopy.PageSize, ct);
                for (var i = 0; i < page.Count; i++)
                {
                    format.Write(page.Read(), line, ref check);
                    hash.AppendData(line.Span);
                    line.Clear();
                }

                done += page.Count;
                progress?.Report(new("compare", done, manifest.Events, "events"));
            }

            hash.AppendData(line.Span);
            line.Clear();
            if (Convert.ToHexStringLower(hash.GetHashAndReset()) != part.LinesSha256)
                throw new TransferException(
                    $"The database does not hold what {Path.Combine(folder, part.File)} says, positions {part.First} to {part.Last}. Nothing was changed."
                );
        }
    }

    private static async Task LoadCheckpointsAsync(NpgsqlConnection connection, ExportCheck check, CancellationToken ct)
    {
        // Who made them keeps the private keys. What comes later is signed with a key of this ledger's own.
        foreach (var key in check.Keys)
        {
            await using var add = new NpgsqlCommand(
                "insert into checkpoint_keys (key_id, x, y, private_key, created_at) values ($1, $2, $3, '', $4)",
                connection
            )
            {
                Parameters =
                {
                    new() { Value = key.Id },
                    new() { Value = key.X.ToArray() },
                    new() { Value = key.Y.ToArray() },
                    new() { Value = check.Checkpoints.First(signed => signed.Checkpoint.KeyId == key.Id).Checkpoint.At },
                },
            };
            await add.ExecuteNonQueryAsync(ct);
        }

        foreach (var signed in check.Checkpoints)
            await CheckpointTurn.AddAsync(connection, signed, ct);
    }

    private static async Task LoadReadersAsync(
        NpgsqlConnection connection,
        ExportManifest manifest,
        IReadOnlyCollection<string> beginAnew,
        CancellationToken ct
    )
    {
        foreach (var reader in manifest.Readers.Where(reader => reader.Name != CheckpointTurn.Name && !beginAnew.Contains(reader.Name)))
        {
            await using var add = new NpgsqlCommand(
                "insert into mt_event_progression (name, last_seq_id, last_updated) values ($1, $2, transaction_timestamp())",
                connection
            )
            {
                Parameters =
                {
                    new() { Value = reader.Name },
                    new() { Value = Math.Min(reader.Position, manifest.Finished) },
                },
            };
            await add.ExecuteNonQueryAsync(ct);
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(ct);
    }

    private static void Int16(ByteBuffer to, short value)
    {
        BinaryPrimitives.WriteInt16BigEndian(to.GetSpan(2), value);
        to.Advance(2);
    }

    private static void Int32(ByteBuffer to, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(to.GetSpan(4), value);
        to.Advance(4);
    }

    private static void Int64(ByteBuffer to, long value)
    {
        Int32(to, 8);
        BinaryPrimitives.WriteInt64BigEndian(to.GetSpan(8), value);
        to.Advance(8);
    }

    private static void Text(ByteBuffer to, ReadOnlyMemory<byte>? text)
    {
        Int32(to, text?.Length ?? -1);
        if (text is { } some)
            to.Write(some.Span);
    }

    /// <summary><c>jsonb</c> travels as its text behind the number of its format.</summary>
    private static void Json(ByteBuffer to, ReadOnlyMemory<byte>? json)
    {
        if (json is not { } some)
        {
            Int32(to, -1);
            return;
        }

        Int32(to, some.Length + 1);
        to.Write([1]);
        to.Write(some.Span);
    }
}
