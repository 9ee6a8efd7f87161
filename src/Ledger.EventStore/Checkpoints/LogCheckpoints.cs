using System.Runtime.CompilerServices;
using Npgsql;

namespace Ledger.EventStore.Checkpoints;

/// <summary>A key pair that signs checkpoints, as it is stored.</summary>
/// <param name="Key">What everybody may know of it.</param>
/// <param name="PrivateKey">PKCS #8, protected; empty where only the public one came with an import.</param>
/// <param name="CreatedAt">Since when it signs.</param>
public sealed record StoredCheckpointKey(CheckpointKey Key, byte[] PrivateKey, DateTimeOffset CreatedAt);

/// <summary>The primary tables <c>log_checkpoints</c> and <c>checkpoint_keys</c>, for reading; only a <see cref="CheckpointTurn"/> adds checkpoints.</summary>
/// <param name="database">Connections.</param>
public sealed class LogCheckpoints(NpgsqlDataSource database)
{
    internal const string Select = """
        select
          c.number,
          c.after_position,
          c.position,
          c.count,
          array(select coalesce(g.position, -1) from unnest(c.gaps) with ordinality g (position, place) order by g.place),
          c.root,
          c.previous,
          c.at,
          c.key_id,
          c.signature,
          c.segments
        from log_checkpoints c
        """;

    /// <summary>The next checkpoints in order.</summary>
    /// <param name="after">The number before the first.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<SignedCheckpoint>> ListAsync(long after, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand($"{Select}\nwhere c.number > $1\norder by c.number\nlimit $2");
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = limit });
        return await ReadAsync(command, ct);
    }

    /// <summary>Every checkpoint in order, a few at a time.</summary>
    public async IAsyncEnumerable<SignedCheckpoint> AllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        for (var after = 0L; await ListAsync(after, 20, ct) is { Count: > 0 } page; after = page[^1].Checkpoint.Number)
        {
            foreach (var checkpoint in page)
                yield return checkpoint;
        }
    }

    /// <summary>The checkpoint of a number; null where there is none.</summary>
    public async Task<SignedCheckpoint?> FindAsync(long number, CancellationToken ct)
    {
        await using var command = database.CreateCommand($"{Select}\nwhere c.number = $1");
        command.Parameters.Add(new() { Value = number });
        return await ReadAsync(command, ct) is [var found, ..] ? found : null;
    }

    /// <summary>The checkpoint whose part of the log a position is in; null where none covers it yet.</summary>
    public async Task<SignedCheckpoint?> CoveringAsync(long position, CancellationToken ct)
    {
        await using var command = database.CreateCommand($"{Select}\nwhere c.position >= $1\norder by c.position\nlimit 1");
        command.Parameters.Add(new() { Value = position });
        return await ReadAsync(command, ct) is [var found, ..] && found.Checkpoint.After < position ? found : null;
    }

    /// <summary>The hashes of the events at some positions, in order, as the log has them; null where an event has none.</summary>
    public async Task<IReadOnlyList<(long Position, byte[]? Hash)>> HashesAsync(long after, long upTo, int limit, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await HashesAsync(connection, after, upTo, limit, ct);
    }

    internal static async Task<IReadOnlyList<(long Position, byte[]? Hash)>> HashesAsync(
        NpgsqlConnection connection,
        long after,
        long upTo,
        int limit,
        CancellationToken ct
    )
    {
        await using var command = new NpgsqlCommand(
            """
            select
              m.seq_id,
              m.headers ->> 'hash'
            from mt_events m
            where m.seq_id > $1
              and m.seq_id <= $2
            order by m.seq_id
            limit $3
            """,
            connection
        )
        {
            Parameters =
            {
                new() { Value = after },
                new() { Value = upTo },
                new() { Value = limit },
            },
        };
        var found = new List<(long, byte[]?)>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add((rows.GetInt64(0), rows.IsDBNull(1) ? null : HashOf(rows.GetString(1))));
        return found;
    }

    /// <summary>What proves that the event at a position is covered by a checkpoint: its place in it, and its path.</summary>
    /// <exception cref="InvalidDataException">The log is not what the checkpoint says.</exception>
    public async Task<(long Index, IReadOnlyList<byte[]> Path)> ProveAsync(SignedCheckpoint whole, long position, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(whole);
        var checkpoint = whole.Checkpoint;
        if (checkpoint.IndexOf(position) is not { } index || !whole.HasSegments)
            throw Differs();

        // A segment is a node of the whole tree, so a path through it is a path in it, and then one over the segments.
        var segment = (int)(index / MerkleSegments.Leaves);
        var first = (long)segment * MerkleSegments.Leaves;
        var count = (int)Math.Min(MerkleSegments.Leaves, checkpoint.Count - first);
        var hashes = await HashesAsync(
            checkpoint.PositionOf(first) - 1,
            checkpoint.PositionOf(first + count - 1),
            MerkleSegments.Leaves + 1,
            ct
        );
        if (hashes.Count != count || hashes.Any(found => found.Hash is null))
            throw Differs();
        byte[][] leaves = [.. hashes.Select(found => Merkle.Leaf(found.Hash))];
        byte[][] segments = [.. whole.Segments];
        return Merkle.Root(leaves).AsSpan().SequenceEqual(segments[segment])
            ? (index, [.. Merkle.Path((int)(index - first), leaves), .. Merkle.Path(segment, segments)])
            : throw Differs();

        InvalidDataException Differs() =>
            new($"The log at position {position} is not what checkpoint {checkpoint.Number} whole. `audit verify` tells more.");
    }

    /// <summary>Every key, newest first.</summary>
    public async Task<IReadOnlyList<StoredCheckpointKey>> ListKeysAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              k.x,
              k.y,
              k.private_key,
              k.created_at
            from checkpoint_keys k
            order by k.created_at desc, k.key_id
            """
        );
        var keys = new List<StoredCheckpointKey>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            keys.Add(
                new(
                    new(rows.GetFieldValue<byte[]>(0), rows.GetFieldValue<byte[]>(1)),
                    rows.GetFieldValue<byte[]>(2),
                    StoredTime.Read(rows, 3)
                )
            );
        return keys;
    }

    /// <summary>Adds a key, which signs from now on.</summary>
    /// <param name="key">The key.</param>
    /// <param name="onlyFirst">Whether only where there is none yet: two nodes that start together must not both find none.</param>
    /// <param name="ct">Gives up.</param>
    public async Task AddKeyAsync(StoredCheckpointKey key, bool onlyFirst, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);
        await using var batch = database.CreateBatch();
        batch.BatchCommands.Add(new("begin"));
        batch.BatchCommands.Add(new("lock table checkpoint_keys in share row exclusive mode"));
        batch.BatchCommands.Add(
            new(
                """
                insert into checkpoint_keys (key_id, x, y, private_key, created_at)
                select
                  $1,
                  $2,
                  $3,
                  $4,
                  greatest($5, (select max(k.created_at) + interval '1 microsecond' from checkpoint_keys k))
                where not ($6 and exists (select from checkpoint_keys k where k.private_key <> ''))
                """
            )
            {
                Parameters =
                {
                    new() { Value = key.Key.Id },
                    new() { Value = key.Key.X.ToArray() },
                    new() { Value = key.Key.Y.ToArray() },
                    new() { Value = key.PrivateKey },
                    new() { Value = key.CreatedAt },
                    new() { Value = onlyFirst },
                },
            }
        );
        batch.BatchCommands.Add(new("commit"));
        await batch.ExecuteNonQueryAsync(ct);
    }

    internal static async Task<IReadOnlyList<SignedCheckpoint>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var found = new List<SignedCheckpoint>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            var gaps = rows.GetFieldValue<long[]>(4);
            found.Add(
                new(
                    new(
                        rows.GetInt64(0),
                        rows.GetInt64(1),
                        rows.GetInt64(2),
                        rows.GetInt64(3),
                        [.. gaps.Chunk(2).Where(gap => gap.Length == 2).Select(gap => new PositionRun(gap[0], gap[1]))],
                        rows.GetFieldValue<byte[]>(5),
                        rows.GetFieldValue<byte[]>(6),
                        StoredTime.Read(rows, 7),
                        rows.GetString(8)
                    ),
                    rows.GetFieldValue<byte[]>(9),
                    [.. rows.GetFieldValue<byte[]>(10).Chunk(Merkle.Size)]
                )
            );
        }

        return found;
    }

    private static byte[]? HashOf(string text)
    {
        var hash = new byte[HashChain.Size];
        return text.Length == 44 && Convert.TryFromBase64String(text, hash, out var length) && length == hash.Length ? hash : null;
    }
}
