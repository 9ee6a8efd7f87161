using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Usage;

/// <summary>By what activity is grouped; several may be combined.</summary>
[Flags]
public enum ActivityGroups
{
    /// <summary>Everything in one line.</summary>
    None = 0,

    /// <summary>By UTC day.</summary>
    Day = 1,

    /// <summary>By UTC hour; a day is then part of it.</summary>
    Hour = 2,

    /// <summary>By provider/model.</summary>
    Model = 4,

    /// <summary>By key.</summary>
    Key = 8,

    /// <summary>By tool, or by route for calls.</summary>
    Tool = 16,

    /// <summary>By the label that the key has now.</summary>
    Environment = 32,
}

/// <summary>One line of activity. What it is not grouped by is null.</summary>
/// <param name="At">The beginning of the day or hour.</param>
/// <param name="Model">The provider/model; empty for tools.</param>
/// <param name="Tool">The tool or route.</param>
/// <param name="Key">The key; empty for whoever signed in without one.</param>
/// <param name="KeyName">What its owner calls it now.</param>
/// <param name="Environment">The label of the keys; empty where they have none.</param>
/// <param name="Sums">What was used.</param>
public sealed record ActivityLine(
    DateTimeOffset? At,
    string? Model,
    string? Tool,
    string? Key,
    string? KeyName,
    string? Environment,
    ActivitySums Sums
);

/// <summary>What was used in all. Money is what was charged less what was given back, dated at either.</summary>
/// <param name="Requests">Charges.</param>
/// <param name="InputTokens">Fresh input.</param>
/// <param name="CacheReadTokens">Input read from caches.</param>
/// <param name="CacheWriteTokens">Input written to caches.</param>
/// <param name="OutputTokens">Output.</param>
/// <param name="QuotaTokens">What of all tokens a subscription's quota paid.</param>
/// <param name="Credits">Credits but for packs', in parts.</param>
/// <param name="PackCredits">Credits of packs, in parts.</param>
/// <param name="Usd">Dollars, in parts.</param>
public readonly record struct ActivitySums(
    long Requests,
    long InputTokens,
    long CacheReadTokens,
    long CacheWriteTokens,
    long OutputTokens,
    long QuotaTokens,
    long Credits,
    long PackCredits,
    long Usd
);

/// <summary>What activity is asked for.</summary>
/// <param name="Account">Whose.</param>
/// <param name="From">The first UTC day.</param>
/// <param name="To">The last UTC day.</param>
/// <param name="Groups">By what.</param>
/// <param name="Key">Only this key's; null for all.</param>
public sealed record ActivityAsk(AccountId Account, DateOnly From, DateOnly To, ActivityGroups Groups, KeyId? Key);

/// <summary>Adds usage up from its hours; never from the log.</summary>
/// <param name="database">Connections.</param>
public sealed class ActivityQueries(NpgsqlDataSource database)
{
    private const string Sums = """
          coalesce(sum(u.requests), 0)::bigint,
          coalesce(sum(u.input_tokens), 0)::bigint,
          coalesce(sum(u.cache_read_tokens), 0)::bigint,
          coalesce(sum(u.cache_write_tokens), 0)::bigint,
          coalesce(sum(u.output_tokens), 0)::bigint,
          coalesce(sum(u.quota_tokens), 0)::bigint,
          coalesce(sum(u.credits - u.credits_reversed), 0)::bigint,
          coalesce(sum(u.pack_credits - u.pack_credits_reversed), 0)::bigint,
          coalesce(sum(u.usd - u.usd_reversed), 0)::bigint
        """;

    private const string Wanted = """
        where u.account_id = $1
          and u.hour >= $2
          and u.hour < $3
          and ($4::varchar is null or u.key_id = $4)
        """;

    /// <summary>Lines in the order of their time, then of what they are grouped by.</summary>
    /// <param name="ask">What is asked for.</param>
    /// <param name="after">The place of the last line before; null to begin.</param>
    /// <param name="limit">The most lines.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<ActivityLine>> ListAsync(ActivityAsk ask, ActivityLine? after, int limit, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(ask);
        var groups = ask.Groups;
        bool Has(ActivityGroups group) => groups.HasFlag(group);
        var at =
            Has(ActivityGroups.Hour) ? "u.hour"
            : Has(ActivityGroups.Day) ? "date_trunc('day', u.hour, 'UTC')"
            : "'epoch'::timestamptz";
        await using var command = database.CreateCommand(
            $"""
            with line as (
              select
                {at} as at,
                {(Has(ActivityGroups.Model) ? "u.model" : "''::varchar")} as model,
                {(Has(ActivityGroups.Tool) ? "u.tool" : "''::varchar")} as tool,
                {(Has(ActivityGroups.Key) ? "u.key_id" : "''::varchar")} as key_id,
                {(Has(ActivityGroups.Key) ? "max(k.name)" : "null::varchar")} as key_name,
                {(Has(ActivityGroups.Environment) ? "coalesce(k.environment, '')" : "''::varchar")} as environment,
                {Sums}
              from usage_hourly u
              {(
                Has(ActivityGroups.Key) || Has(ActivityGroups.Environment)
                    ? "left join keys k on k.account_id = u.account_id and k.key_id = u.key_id"
                    : ""
            )}
              {Wanted}
              group by 1, 2, 3, 4, 6
            )
            select *
            from line l
            where $5::timestamptz is null
              or (l.at, l.model collate "C", l.tool collate "C", l.key_id collate "C", l.environment collate "C") > ($5, $6, $7, $8, $9)
            order by l.at, l.model collate "C", l.tool collate "C", l.key_id collate "C", l.environment collate "C"
            limit $10
            """
        );
        Add(command, ask);
        command.Parameters.Add(
            new()
            {
                Value = after is null ? DBNull.Value : after.At ?? DateTimeOffset.UnixEpoch,
                NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.TimestampTz,
            }
        );
        command.Parameters.Add(new() { Value = after?.Model ?? "" });
        command.Parameters.Add(new() { Value = after?.Tool ?? "" });
        command.Parameters.Add(new() { Value = after?.Key ?? "" });
        command.Parameters.Add(new() { Value = after?.Environment ?? "" });
        command.Parameters.Add(new() { Value = limit });
        var lines = new List<ActivityLine>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            lines.Add(
                new(
                    Has(ActivityGroups.Hour) || Has(ActivityGroups.Day) ? rows.GetFieldValue<DateTimeOffset>(0) : null,
                    Has(ActivityGroups.Model) ? rows.GetString(1) : null,
                    Has(ActivityGroups.Tool) ? rows.GetString(2) : null,
                    Has(ActivityGroups.Key) ? rows.GetString(3) : null,
                    rows.IsDBNull(4) ? null : rows.GetString(4),
                    Has(ActivityGroups.Environment) ? rows.GetString(5) : null,
                    Read(rows, 6)
                )
            );
        }

        return lines;
    }

    /// <summary>All of it in one line.</summary>
    public async Task<ActivitySums> TotalAsync(ActivityAsk ask, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(ask);
        await using var command = database.CreateCommand($"select {Sums} from usage_hourly u {Wanted}");
        Add(command, ask);
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        return Read(row, 0);
    }

    private static void Add(NpgsqlCommand command, ActivityAsk ask)
    {
        command.Parameters.Add(new() { Value = ask.Account.Value });
        command.Parameters.Add(new() { Value = StartOf(ask.From) });
        command.Parameters.Add(new() { Value = StartOf(ask.To.AddDays(1)) });
        command.Parameters.Add(
            new() { Value = ask.Key is { } key ? key.Value : DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Varchar }
        );
    }

    private static DateTimeOffset StartOf(DateOnly day) => new(day, default, TimeSpan.Zero);

    private static ActivitySums Read(NpgsqlDataReader row, int at) =>
        new(
            row.GetInt64(at),
            row.GetInt64(at + 1),
            row.GetInt64(at + 2),
            row.GetInt64(at + 3),
            row.GetInt64(at + 4),
            row.GetInt64(at + 5),
            row.GetInt64(at + 6),
            row.GetInt64(at + 7),
            row.GetInt64(at + 8)
        );
}
