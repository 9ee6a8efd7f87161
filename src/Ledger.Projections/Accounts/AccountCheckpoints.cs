using Ledger.Domain;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Accounts;

/// <summary>
/// State checkpoints: the whole state of an account, kept about every 5,000 versions, so that its state at any version costs that many
/// events to fold at most. They are derived from the log; a missing one costs time and nothing else.
/// </summary>
/// <param name="database">Connections for reading and for writing.</param>
/// <param name="every">How many versions apart checkpoints are, a batch more or less.</param>
public sealed class AccountCheckpoints(NpgsqlDataSource database, int every = 5000)
{
    /// <summary>The format of the state; a checkpoint of another format is as good as none.</summary>
    public const short Format = 4;

    /// <summary>How many versions apart checkpoints are, a batch more or less.</summary>
    public int Every => every;

    /// <summary>Whether an append that took an account from one version to another should leave a checkpoint.</summary>
    public bool IsDue(long before, long after) => before / every != after / every;

    /// <summary>The latest checkpoint of an account at or before a version; null where there is none.</summary>
    public async Task<AccountSnapshot?> FindAsync(AccountId id, long version, CancellationToken ct)
    {
        for (var upTo = version; upTo >= every; )
        {
            // The hash is compared with the log's: a checkpoint can outlive the events it was made of, where a node hands it over while a standby
            // takes over that had not received them yet, and other events get their versions.
            await using var command = database.CreateCommand(
                """
                select
                  c.version,
                  c.at,
                  c.last_hash,
                  c.state::text
                from account_checkpoints c
                where c.account_id = $1
                  and c.version <= $2
                  and c.format = $3
                  and exists (
                    select
                    from mt_events m
                    where m.stream_id = $4
                      and m.version = c.version
                      and m.headers ->> 'hash' = encode(c.last_hash, 'base64')
                  )
                order by c.version desc
                limit 1
                """
            );
            command.Parameters.Add(new() { Value = id.Value });
            command.Parameters.Add(new() { Value = upTo });
            command.Parameters.Add(new() { Value = Format });
            command.Parameters.Add(new() { Value = id.StreamId });
            await using var row = await command.ExecuteReaderAsync(ct);
            if (!await row.ReadAsync(ct))
                return null;
            var found = row.GetInt64(0);
            if (AccountState.Read(id, found, row.GetFieldValue<DateTimeOffset>(1), row.GetString(3)) is { } account)
                return new(account, row.GetFieldValue<byte[]>(2));
            upTo = found - 1;
        }

        return null;
    }

    /// <summary>Keeps states as checkpoints, in place of what stood at the same versions.</summary>
    /// <param name="snapshots">Committed states, no two of the same version of one account.</param>
    /// <param name="ct">Gives up.</param>
    public async Task SaveAsync(IReadOnlyCollection<AccountSnapshot> snapshots, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(snapshots);
        await using var command = database.CreateCommand(
            """
            insert into account_checkpoints (account_id, version, format, at, last_hash, state)
            select
              c.account_id,
              c.version,
              $1,
              c.at,
              c.last_hash,
              c.state
            from unnest($2, $3, $4, $5, $6) as c (account_id, version, at, last_hash, state)
            on conflict (account_id, version) do update
            set
              format = excluded.format,
              at = excluded.at,
              last_hash = excluded.last_hash,
              state = excluded.state
            """
        );
        command.Parameters.Add(new() { Value = Format });
        Add(NpgsqlDbType.Varchar, snapshot => snapshot.Account.Id.Value);
        Add(NpgsqlDbType.Bigint, snapshot => snapshot.Account.Version);
        Add(NpgsqlDbType.TimestampTz, snapshot => snapshot.Account.LastAt);
        Add(NpgsqlDbType.Bytea, snapshot => snapshot.LastHash.ToArray());
        Add(NpgsqlDbType.Jsonb, snapshot => AccountState.Write(snapshot.Account));
        await command.ExecuteNonQueryAsync(ct);

        void Add<T>(NpgsqlDbType type, Func<AccountSnapshot, T> value) =>
            command.Parameters.Add(
                new NpgsqlParameter<T[]> { TypedValue = [.. snapshots.Select(value)], NpgsqlDbType = NpgsqlDbType.Array | type }
            );
    }

    /// <summary>Keeps a state as checkpoint where that is possible: whoever only reads must not fail for it, such as on a standby.</summary>
    internal async Task TrySaveAsync(AccountSnapshot snapshot, CancellationToken ct)
    {
        try
        {
            await SaveAsync([snapshot], ct);
        }
        catch (PostgresException)
        {
            // Read-only, not permitted, or out of space: the fold is right all the same, and the next one tries again.
        }
    }
}
