using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Npgsql;

namespace Ledger.Projections.Keys;

/// <summary>Whose key a secret is.</summary>
/// <param name="Account">The account.</param>
/// <param name="Key">The key.</param>
/// <param name="Secret">Which of the key's secrets it is, by number from 1.</param>
/// <param name="Country">Where the account is at home, ISO 3166-1 alpha-2; null where that is not known.</param>
public readonly record struct KeyOwner(AccountId Account, KeyId Key, int Secret, string? Country);

/// <summary>What a key has been charged, by period, in credits' and dollars' smallest parts.</summary>
public readonly record struct KeyUsage(long Credits, long Usd);

/// <summary>What a key has been charged in credits' smallest parts, and in dollars', less what was given back, by UTC days.</summary>
/// <param name="Total">Ever.</param>
/// <param name="Day">In the day.</param>
/// <param name="Week">In its week, from Monday.</param>
/// <param name="Month">In its month.</param>
/// <param name="LastDay">The day of the last charge.</param>
/// <param name="TotalUsd">Ever, in dollars.</param>
/// <param name="MonthUsd">In its month, in dollars.</param>
public readonly record struct KeyUsagePeriods(
    long Total,
    long Day,
    long Week,
    long Month,
    DateOnly? LastDay,
    long TotalUsd = 0,
    long MonthUsd = 0
);

/// <summary>Reads of the keys' read model.</summary>
/// <param name="database">Connections for reading.</param>
public sealed class KeyQueries(NpgsqlDataSource database)
{
    /// <summary>The columns of a key, in the order in which <see cref="Read"/> takes them.</summary>
    internal const string Select = """
        select
          k.account_id,
          k.key_id,
          k.name,
          k.kind,
          k.billing,
          k.environment,
          k.secret_hash,
          k.prefix,
          k.last_four,
          k.credit_limit,
          k.usd_limit,
          k.limit_reset,
          k.allowed_models,
          k.rate_burst,
          k.rate_refill_nanos,
          k.rate_unlimited,
          k.expires_at,
          k.created_at,
          k.revoked_at,
          k.limit_window,
          k.used,
          k.used_usd,
          k.minted_by,
          k.disabled,
          k.counted_from,
          k.secret,
          k.previous_secret_hash,
          k.previous_until
        from keys k
        """;

    /// <summary>
    /// Whose key has this hash, as its secret or as the one before; null where none has. The answer never changes: a hash is one numbered secret of
    /// one key for good.
    /// </summary>
    public async Task<KeyOwner?> FindBySecretAsync(string secretHash, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              k.account_id,
              k.key_id,
              k.secret,
              a.country
            from (
              select
                n.account_id,
                n.key_id,
                n.secret
              from keys n
              where n.secret_hash = $1
              union all
              select
                p.account_id,
                p.key_id,
                p.secret - 1
              from keys p
              where p.previous_secret_hash = $1
            ) k
            join accounts a on a.account_id = k.account_id
            limit 1
            """
        );
        command.Parameters.Add(new() { Value = secretHash });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct)
            ? new KeyOwner(new(row.GetString(0)), new(row.GetString(1)), row.GetInt32(2), row.IsDBNull(3) ? null : row.GetString(3))
            : null;
    }

    /// <summary>What each key of an account was charged since a day, by UTC days, both unit's parts.</summary>
    public async Task<IReadOnlyDictionary<KeyId, KeyUsage>> UsageSinceAsync(AccountId account, DateOnly since, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              u.key_id,
              sum(u.credits + u.pack_credits - u.credits_reversed - u.pack_credits_reversed)::bigint,
              sum(u.usd - u.usd_reversed)::bigint
            from usage_hourly u
            where u.account_id = $1
              and u.hour >= $2::date::timestamp at time zone 'UTC'
            group by u.key_id
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = since });
        var usage = new Dictionary<KeyId, KeyUsage>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            usage.Add(new(rows.GetString(0)), new(rows.GetInt64(1), rows.GetInt64(2)));
        return usage;
    }

    /// <summary>What each of some keys of an account was charged ever, and in the day, week (from Monday) and month of a UTC day; keys never charged are absent.</summary>
    public async Task<IReadOnlyDictionary<KeyId, KeyUsagePeriods>> UsageAsync(
        AccountId account,
        IEnumerable<KeyId> keys,
        DateOnly today,
        CancellationToken ct
    )
    {
        ArgumentNullException.ThrowIfNull(keys);
        await using var command = database.CreateCommand(
            """
            select
              u.key_id,
              sum(u.credits + u.pack_credits - u.credits_reversed - u.pack_credits_reversed)::bigint,
              coalesce(sum(u.credits + u.pack_credits - u.credits_reversed - u.pack_credits_reversed) filter (where u.hour >= $2::date::timestamp at time zone 'UTC'), 0)::bigint,
              coalesce(sum(u.credits + u.pack_credits - u.credits_reversed - u.pack_credits_reversed) filter (where u.hour >= date_trunc('week', $2::date::timestamp) at time zone 'UTC'), 0)::bigint,
              coalesce(sum(u.credits + u.pack_credits - u.credits_reversed - u.pack_credits_reversed) filter (where u.hour >= date_trunc('month', $2::date::timestamp) at time zone 'UTC'), 0)::bigint,
              (max(u.hour) filter (where u.requests > 0) at time zone 'UTC')::date,
              sum(u.usd - u.usd_reversed)::bigint,
              coalesce(sum(u.usd - u.usd_reversed) filter (where u.hour >= date_trunc('month', $2::date::timestamp) at time zone 'UTC'), 0)::bigint
            from usage_hourly u
            where u.account_id = $1
              and u.key_id = any($3)
            group by u.key_id
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = today });
        command.Parameters.Add(new() { Value = keys.Select(key => key.Value).ToArray() });
        var usage = new Dictionary<KeyId, KeyUsagePeriods>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            usage.Add(
                new(rows.GetString(0)),
                new(
                    rows.GetInt64(1),
                    rows.GetInt64(2),
                    rows.GetInt64(3),
                    rows.GetInt64(4),
                    rows.IsDBNull(5) ? null : rows.GetFieldValue<DateOnly>(5),
                    rows.GetInt64(6),
                    rows.GetInt64(7)
                )
            );
        }

        return usage;
    }

    internal static Key Read(NpgsqlDataReader row) =>
        new(
            new(row.GetString(1)),
            row.GetString(2),
            Wire.Read<KeyKind>(row.GetString(3)),
            Wire.Read<KeyBilling>(row.GetString(4)),
            row.IsDBNull(5) ? null : row.GetString(5),
            row.GetString(6),
            row.GetString(7),
            row.GetString(8),
            Wire.AmountOrNull(row.IsDBNull(9) ? null : row.GetInt64(9), Unit.Credits),
            Wire.AmountOrNull(row.IsDBNull(10) ? null : row.GetInt64(10), Unit.Usd),
            Wire.Read<LimitReset>(row.GetString(11)),
            [.. row.GetFieldValue<string[]>(12)],
            row.IsDBNull(13) ? null : new(row.GetInt32(13), new(row.GetInt64(14)), row.GetBoolean(15)),
            row.IsDBNull(16) ? null : row.GetFieldValue<DateTimeOffset>(16),
            row.GetFieldValue<DateTimeOffset>(17),
            row.IsDBNull(18) ? null : row.GetFieldValue<DateTimeOffset>(18),
            row.GetInt64(19),
            row.GetInt64(20),
            row.GetInt64(21),
            row.IsDBNull(22) ? null : new KeyId(row.GetString(22)),
            row.GetBoolean(23),
            row.IsDBNull(24) ? null : row.GetFieldValue<DateTimeOffset>(24),
            row.GetInt32(25),
            row.IsDBNull(26) ? null : row.GetString(26),
            row.IsDBNull(27) ? null : row.GetFieldValue<DateTimeOffset>(27)
        );
}
