using Npgsql;

namespace Ledger.EventStore.Checkpoints;

/// <summary>
/// One process's turn to make checkpoints. The lease, the reading and the writing go through one session, so that whoever has lost it can add nothing. What it
/// reads is settled: it is read in order, past no gap that may still be filled, so that no commit comes in behind a checkpoint.
/// </summary>
public sealed class CheckpointTurn : IAsyncDisposable
{
    /// <summary>The name under which its lease and its place stand.</summary>
    public const string Name = "checkpoints";

    /// <summary>The most events of one checkpoint: what there is more comes into the next.</summary>
    public const int MaxEvents = 1 << 20;

    private const int Page = 5000;
    private readonly SessionLock _lease;
    private LogReader? _reader;

    private CheckpointTurn(SessionLock lease) => _lease = lease;

    /// <summary>Takes the turn, or answers null where another process has it.</summary>
    public static async Task<CheckpointTurn?> TryTakeAsync(NpgsqlDataSource database, CancellationToken ct) =>
        await SessionLock.TryTakeAsync(database, SessionLock.Of("reader " + Name), ct) is { } lease ? new(lease) : null;

    /// <summary>The last checkpoint; null where there is none yet.</summary>
    public async Task<SignedCheckpoint?> LastAsync(CancellationToken ct)
    {
        await using var command = new NpgsqlCommand($"{LogCheckpoints.Select}\norder by c.number desc\nlimit 1", _lease.Connection);
        return await LogCheckpoints.ReadAsync(command, ct) is [var last, ..] ? last : null;
    }

    /// <summary>Makes the next checkpoint, where there are events that none covers.</summary>
    /// <param name="at">Its time.</param>
    /// <param name="keyId">What signs it.</param>
    /// <param name="sign">Signs its canonical form.</param>
    /// <param name="maxEvents">The most positions that it covers, give or take a page.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>The checkpoint, committed; null where there is nothing new.</returns>
    /// <exception cref="InvalidDataException">An event has no hash, or the log ends before the last checkpoint.</exception>
    public async Task<SignedCheckpoint?> MakeAsync(
        DateTimeOffset at,
        string keyId,
        Func<byte[], byte[]> sign,
        int maxEvents,
        CancellationToken ct
    )
    {
        ArgumentNullException.ThrowIfNull(sign);
        var last = (await LastAsync(ct))?.Checkpoint;
        var after = last?.Position ?? 0;
        if (await EndsBeforeAsync(after, ct))
            throw new InvalidDataException($"The log ends before position {after}, which checkpoint {last!.Number} covers.");

        // The reader is kept from one time to the next: it remembers which gaps it waits for. Where nothing came of what it read, it begins anew.
        if (_reader is null || _reader.Position != after)
            _reader = new(after, []);
        do await _reader.NextAsync(_lease.Connection, Page, ct);
        while (_reader.MayHaveMore && _reader.Position - after < maxEvents);
        if (_reader.Position == after)
            return null;

        var (tree, gaps) = await ReadAsync(after, _reader.Position, ct);
        var segments = tree.End();
        var checkpoint = new LogCheckpoint(
            (last?.Number ?? 0) + 1,
            after,
            _reader.Position,
            tree.Count,
            gaps,
            Merkle.Root([.. segments]),
            last?.Hash() ?? new byte[Merkle.Size],
            last?.At > at ? last.At : at,
            keyId
        );
        var signed = new SignedCheckpoint(checkpoint, sign(checkpoint.Form()), segments);
        await AddAsync(_lease.Connection, signed, ct);
        return signed;
    }

    /// <summary>How far checkpoints are behind the log.</summary>
    public async Task<ReaderLag> LagAsync(CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            select
              coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0),
              c.position,
              (select m.timestamp from mt_events m where m.seq_id > c.position order by m.seq_id limit 1)
            from (select coalesce((select l.position from log_checkpoints l order by l.number desc limit 1), 0) as position) c
            """,
            _lease.Connection
        );
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        var head = row.GetInt64(0);
        return new(head, Math.Max(head - row.GetInt64(1), 0), row.IsDBNull(2) ? null : row.GetFieldValue<DateTimeOffset>(2));
    }

    /// <summary>Ends the turn.</summary>
    public ValueTask DisposeAsync() => _lease.DisposeAsync();

    private async Task<(MerkleSegments Tree, List<PositionRun> Gaps)> ReadAsync(long after, long upTo, CancellationToken ct)
    {
        var (tree, gaps, expected) = (new MerkleSegments(), new List<PositionRun>(), after + 1);
        while (expected <= upTo)
        {
            var page = await LogCheckpoints.HashesAsync(_lease.Connection, expected - 1, upTo, Page, ct);
            if (page.Count == 0)
                throw new InvalidDataException($"The event at position {upTo} has gone while it was read.");
            foreach (var (position, hash) in page)
            {
                if (position > expected)
                    gaps.Add(new(expected, position - 1));
                tree.Add(hash ?? throw new InvalidDataException($"The event at position {position} has no hash."));
                expected = position + 1;
            }
        }

        return (tree, gaps);
    }

    private async Task<bool> EndsBeforeAsync(long position, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            "select coalesce((select m.seq_id from mt_events m order by m.seq_id desc limit 1), 0) < $1",
            _lease.Connection
        )
        {
            Parameters = { new() { Value = position } },
        };
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    internal static async Task AddAsync(NpgsqlConnection connection, SignedCheckpoint signed, CancellationToken ct)
    {
        var checkpoint = signed.Checkpoint;
        await using var command = new NpgsqlCommand(
            """
            with added as (
              insert into log_checkpoints
                (number, after_position, position, count, gaps, root, previous, at, key_id, signature, segments)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            )
            insert into mt_event_progression as p (name, last_seq_id, last_updated)
            values ($12, $3, transaction_timestamp())
            on conflict (name) do update
            set
              last_seq_id = excluded.last_seq_id,
              last_updated = excluded.last_updated
            """,
            connection
        );
        foreach (
            var value in (object[])
                [
                    checkpoint.Number,
                    checkpoint.After,
                    checkpoint.Position,
                    checkpoint.Count,
                    checkpoint.Gaps.SelectMany(gap => (long[])[gap.First, gap.Last]).ToArray(),
                    checkpoint.Root.ToArray(),
                    checkpoint.Previous.ToArray(),
                    checkpoint.At,
                    checkpoint.KeyId,
                    signed.Signature.ToArray(),
                    signed.Segments.SelectMany(segment => segment).ToArray(),
                    Name,
                ]
        )
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync(ct);
    }
}
