using Npgsql;

namespace Ledger.Projections.Access;

/// <summary>A key that signs access tokens.</summary>
/// <param name="Id">Its name, as tokens carry it.</param>
/// <param name="PrivateKey">ECDSA on P-256, PKCS #8.</param>
/// <param name="CreatedAt">Since when it signs.</param>
public sealed record SigningKey(string Id, byte[] PrivateKey, DateTimeOffset CreatedAt);

/// <summary>The primary table <c>signing_keys</c>.</summary>
/// <param name="database">Connections.</param>
public sealed class SigningKeys(NpgsqlDataSource database)
{
    /// <summary>Every key, newest first.</summary>
    public async Task<IReadOnlyList<SigningKey>> ListAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              k.key_id,
              k.private_key,
              k.created_at
            from signing_keys k
            order by k.created_at desc, k.key_id
            """
        );
        var keys = new List<SigningKey>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            keys.Add(new(rows.GetString(0), rows.GetFieldValue<byte[]>(1), rows.GetFieldValue<DateTimeOffset>(2)));
        return keys;
    }

    /// <summary>Adds the first key, unless there is one.</summary>
    public async Task AddFirstAsync(SigningKey key, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);

        // Two nodes that start together must not both find none.
        await using var batch = database.CreateBatch();
        batch.BatchCommands.Add(new("begin"));
        batch.BatchCommands.Add(new("lock table signing_keys in share row exclusive mode"));
        batch.BatchCommands.Add(
            new("insert into signing_keys (key_id, private_key, created_at) select $1, $2, $3 where not exists (select from signing_keys)")
            {
                Parameters =
                {
                    new() { Value = key.Id },
                    new() { Value = key.PrivateKey },
                    new() { Value = key.CreatedAt },
                },
            }
        );
        batch.BatchCommands.Add(new("commit"));
        await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Adds a key, which signs from now on, and forgets those that were replaced before a time.</summary>
    public async Task RotateAsync(SigningKey key, DateTimeOffset replacedBefore, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);

        // Later than every other, also where another node's clock is ahead of this one's: the newest signs.
        await using var command = database.CreateCommand(
            """
            with forgotten as (
              delete from signing_keys k
              where exists (
                select
                from signing_keys n
                where n.created_at > k.created_at
                  and n.created_at < $4
              )
            )
            insert into signing_keys (key_id, private_key, created_at)
            select
              $1,
              $2,
              greatest($3, max(k.created_at) + interval '1 microsecond')
            from signing_keys k
            """
        );
        command.Parameters.Add(new() { Value = key.Id });
        command.Parameters.Add(new() { Value = key.PrivateKey });
        command.Parameters.Add(new() { Value = key.CreatedAt });
        command.Parameters.Add(new() { Value = replacedBefore });
        await command.ExecuteNonQueryAsync(ct);
    }
}
