using Npgsql;

namespace Ledger.EventStore;

/// <summary>How far a reader is behind.</summary>
/// <param name="Head">The last committed position of the log; 0 where it is empty.</param>
/// <param name="Positions">How many positions lie between the reader and the head: events, and a few gaps.</param>
/// <param name="Oldest">When the first event happened that was not read yet; null where there is none.</param>
public readonly record struct ReaderLag(long Head, long Positions, DateTimeOffset? Oldest);

/// <summary>
/// One process's turn to be the reader of a name. The lease, the checkpoint and the reading go through one session: where that is lost, the turn
/// is, and nothing more can be read or saved under it. Whoever takes the next turn begins at the saved checkpoint, so a page may be seen twice, and
/// what is done about it must bear that. Not safe for concurrent use.
/// </summary>
public sealed class ReaderTurn : IAsyncDisposable
{
    private readonly SessionLock _lease;
    private readonly LogReader _reader;

    private ReaderTurn(string name, SessionLock lease, LogReader reader) => (Name, _lease, _reader) = (name, lease, reader);

    /// <summary>Whose turn it is.</summary>
    public string Name { get; }

    /// <summary>The last position that was read.</summary>
    public long Position => _reader.Position;

    /// <summary>Whether the last page was full, so that there may be more at once.</summary>
    public bool MayHaveMore => _reader.MayHaveMore;

    /// <summary>Takes the turn to read every event, or answers null where another process has it.</summary>
    /// <exception cref="InvalidDataException">The checkpoint lies beyond the log: the two are not of one database.</exception>
    public static Task<ReaderTurn?> TryTakeAsync(NpgsqlDataSource database, string name, CancellationToken ct) =>
        TryTakeAsync(database, name, null, ct);

    /// <summary>Takes the turn, or answers null where another process has it.</summary>
    /// <param name="database">Connections.</param>
    /// <param name="name">Whose turn.</param>
    /// <param name="types">The stored names of the events that are wanted; null for all. Of others only the positions are read.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="InvalidDataException">The checkpoint lies beyond the log: the two are not of one database.</exception>
    public static async Task<ReaderTurn?> TryTakeAsync(
        NpgsqlDataSource database,
        string name,
        IReadOnlyList<string>? types,
        CancellationToken ct
    )
    {
        var lease = await SessionLock.TryTakeAsync(database, SessionLock.Of("reader " + name), ct);
        if (lease is null)
            return null;
        try
        {
            await using var command = new NpgsqlCommand(
                """
                select
                  coalesce((select p.last_seq_id from mt_event_progression p where p.name = $1), 0),
                  coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0)
                """,
                lease.Connection
            )
            {
                Parameters = { new() { Value = name } },
            };
            long checkpoint;
            await using (var row = await command.ExecuteReaderAsync(ct))
            {
                await row.ReadAsync(ct);
                checkpoint = row.GetInt64(0);

                // It would read nothing until the log has grown past it, and nobody would notice what was missed.
                if (checkpoint > row.GetInt64(1))
                    throw new InvalidDataException(
                        $"The reader {name} has read up to {checkpoint}, and the log ends at {row.GetInt64(1)}: they are not of one database."
                    );
            }

            return new(name, lease, new(checkpoint, types));
        }
        catch
        {
            await lease.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// The wanted ones of the next events. Empty at the end of the log, while a gap may still be filled, and where none is wanted; then
    /// <see cref="Position"/> has moved all the same.
    /// </summary>
    public Task<IReadOnlyList<StoredEvent>> NextAsync(int limit, CancellationToken ct) => _reader.NextAsync(_lease.Connection, limit, ct);

    /// <summary>Passes over events unread, for readers that only care for the latest.</summary>
    public void SkipTo(long position) => _reader.SkipTo(position);

    /// <summary>Keeps the checkpoint: all that was read was dealt with.</summary>
    public async Task SaveAsync(CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            insert into mt_event_progression as p (name, last_seq_id, last_updated)
            values ($1, $2, transaction_timestamp())
            on conflict (name) do update
            set
              last_seq_id = excluded.last_seq_id,
              last_updated = excluded.last_updated
            """,
            _lease.Connection
        )
        {
            Parameters =
            {
                new() { Value = Name },
                new() { Value = _reader.Position },
            },
        };
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>How far it is behind.</summary>
    public async Task<ReaderLag> LagAsync(CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            select
              coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0),
              (select m.timestamp from mt_events m where m.seq_id > $1 order by m.seq_id limit 1)
            """,
            _lease.Connection
        )
        {
            Parameters = { new() { Value = _reader.Position } },
        };
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        var head = row.GetInt64(0);
        return new(head, Math.Max(head - _reader.Position, 0), row.IsDBNull(1) ? null : row.GetFieldValue<DateTimeOffset>(1));
    }

    /// <summary>Ends the turn.</summary>
    public ValueTask DisposeAsync() => _lease.DisposeAsync();
}
