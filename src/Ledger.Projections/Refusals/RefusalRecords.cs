using Ledger.Domain;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Refusals;

/// <summary>How often something was refused in a minute.</summary>
/// <param name="Account">Whom.</param>
/// <param name="Key">With which key; the default value for none.</param>
/// <param name="Code">Why, in snake case.</param>
/// <param name="Minute">The minute's beginning.</param>
/// <param name="Count">How often.</param>
public readonly record struct RefusalCount(AccountId Account, KeyId Key, string Code, DateTimeOffset Minute, long Count);

/// <summary>One refusal in full.</summary>
/// <param name="Account">Whom.</param>
/// <param name="RequestId">In which request.</param>
/// <param name="Command">The id of what was asked.</param>
/// <param name="Key">With which key; the default value for none.</param>
/// <param name="Code">Why, in snake case.</param>
/// <param name="Kind">What was asked, in snake case.</param>
/// <param name="At">The time by which it was decided.</param>
/// <param name="Version">The version of the account that it was decided on.</param>
/// <param name="Card">The version of the rate card that it was decided by; 0 where none mattered.</param>
/// <param name="Asked">What was asked, in a form that can be asked again; null where it cannot.</param>
/// <param name="Shortfall">Which limit refused, what was needed and what was there; null where none did.</param>
public sealed record RefusalSample(
    AccountId Account,
    string RequestId,
    Guid Command,
    KeyId Key,
    string Code,
    string Kind,
    DateTimeOffset At,
    long Version,
    long Card,
    string? Asked,
    string? Shortfall
);

/// <summary>How long a line of refusals is.</summary>
public enum RefusalStep
{
    /// <summary>A minute, as they are kept.</summary>
    Minute,

    /// <summary>An hour.</summary>
    Hour,

    /// <summary>A UTC day.</summary>
    Day,
}

/// <summary>Which refusals of an account are wanted.</summary>
/// <param name="Account">The account.</param>
/// <param name="From">The first day.</param>
/// <param name="To">The last day.</param>
/// <param name="Step">How long a line is.</param>
/// <param name="Key">Only those of a key; null for all.</param>
/// <param name="Code">Only those of a code; null for all.</param>
public sealed record RefusalAsk(AccountId Account, DateOnly From, DateOnly To, RefusalStep Step, string? Key, string? Code);

/// <summary>One line of refusals.</summary>
/// <param name="At">The beginning of its step.</param>
/// <param name="Key">The key; empty for none.</param>
/// <param name="Code">Why.</param>
/// <param name="KeyName">The key's present name.</param>
/// <param name="Count">How often.</param>
public sealed record RefusalLine(DateTimeOffset At, string Key, string Code, string? KeyName, long Count);

/// <summary>The primary tables <c>refusal_counts</c> and <c>refusal_samples</c>.</summary>
/// <param name="database">Connections.</param>
public sealed class RefusalRecords(NpgsqlDataSource database)
{
    private const int Batch = 10_000;

    /// <summary>Adds counts, and keeps samples: of each key and code the newest.</summary>
    /// <param name="counts">Each key, code and minute once.</param>
    /// <param name="samples">The samples.</param>
    /// <param name="most">How many samples of a key and code are kept.</param>
    /// <param name="ct">Gives up.</param>
    public async Task SaveAsync(
        IReadOnlyCollection<RefusalCount> counts,
        IReadOnlyCollection<RefusalSample> samples,
        int most,
        CancellationToken ct
    )
    {
        ArgumentNullException.ThrowIfNull(counts);
        ArgumentNullException.ThrowIfNull(samples);
        await using var connection = await database.OpenConnectionAsync(ct);

        // One transaction: what failed is written again as a whole. Rows in the order of their key, so that two nodes cannot lock each other out.
        await using var transaction = await connection.BeginTransactionAsync(ct);
        if (counts.Count > 0)
        {
            await using var add = new NpgsqlCommand(
                """
                insert into refusal_counts as t (account_id, minute, key_id, code, count)
                select
                  c.account_id,
                  c.minute,
                  c.key_id,
                  c.code,
                  c.count
                from unnest($1, $2, $3, $4, $5) as c (account_id, minute, key_id, code, count)
                order by c.account_id collate "C", c.minute, c.key_id collate "C", c.code collate "C"
                on conflict (account_id, minute, key_id, code) do update
                set count = t.count + excluded.count
                """,
                connection,
                transaction
            );
            Add(add, NpgsqlDbType.Varchar, counts, count => count.Account.Value);
            Add(add, NpgsqlDbType.TimestampTz, counts, count => count.Minute);
            Add(add, NpgsqlDbType.Varchar, counts, count => count.Key.Value);
            Add(add, NpgsqlDbType.Varchar, counts, count => count.Code);
            Add(add, NpgsqlDbType.Bigint, counts, count => count.Count);
            await add.ExecuteNonQueryAsync(ct);
        }

        if (samples.Count > 0)
            await SaveAsync(samples, most, connection, transaction, ct);
        await transaction.CommitAsync(ct);
    }

    private static async Task SaveAsync(
        IReadOnlyCollection<RefusalSample> samples,
        int most,
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        CancellationToken ct
    )
    {
        // The same asked twice in one request was refused twice for one reason.
        await using var keep = new NpgsqlCommand(
            """
            insert into refusal_samples (account_id, request_id, command_id, key_id, code, kind, at, version, card, asked, shortfall)
            select *
            from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
              as s (account_id, request_id, command_id, key_id, code, kind, at, version, card, asked, shortfall)
            order by s.account_id collate "C", s.request_id collate "C", s.command_id
            on conflict (account_id, request_id, command_id) do nothing
            """,
            connection,
            transaction
        );
        Add(keep, NpgsqlDbType.Varchar, samples, sample => sample.Account.Value);
        Add(keep, NpgsqlDbType.Varchar, samples, sample => sample.RequestId);
        Add(keep, NpgsqlDbType.Uuid, samples, sample => sample.Command);
        Add(keep, NpgsqlDbType.Varchar, samples, sample => sample.Key.Value);
        Add(keep, NpgsqlDbType.Varchar, samples, sample => sample.Code);
        Add(keep, NpgsqlDbType.Varchar, samples, sample => sample.Kind);
        Add(keep, NpgsqlDbType.TimestampTz, samples, sample => sample.At);
        Add(keep, NpgsqlDbType.Bigint, samples, sample => sample.Version);
        Add(keep, NpgsqlDbType.Bigint, samples, sample => sample.Card);
        Add(keep, NpgsqlDbType.Text, samples, sample => sample.Asked);
        Add(keep, NpgsqlDbType.Text, samples, sample => sample.Shortfall);
        await keep.ExecuteNonQueryAsync(ct);

        var groups = samples.Select(sample => (Account: sample.Account.Value, Key: sample.Key.Value, sample.Code)).Distinct().ToList();
        await using var trim = new NpgsqlCommand(
            """
            delete from refusal_samples s
            using (
              select o.ctid as row
              from unnest($1, $2, $3) as g (account_id, key_id, code)
              cross join lateral (
                select n.ctid
                from refusal_samples n
                where n.account_id = g.account_id
                  and n.key_id = g.key_id
                  and n.code = g.code
                order by n.at desc, n.request_id desc
                offset $4
              ) o
            ) old
            where s.ctid = old.row
            """,
            connection,
            transaction
        );
        Add(trim, NpgsqlDbType.Varchar, groups, group => group.Account);
        Add(trim, NpgsqlDbType.Varchar, groups, group => group.Key);
        Add(trim, NpgsqlDbType.Varchar, groups, group => group.Code);
        trim.Parameters.Add(new() { Value = most });
        await trim.ExecuteNonQueryAsync(ct);
    }

    /// <summary>What of one request of an account was refused, as far as it is kept: in the order of versions and times.</summary>
    public async Task<IReadOnlyList<RefusalSample>> FindAsync(AccountId account, string requestId, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              s.command_id,
              s.key_id,
              s.code,
              s.kind,
              s.at,
              s.version,
              s.card,
              s.asked,
              s.shortfall
            from refusal_samples s
            where s.account_id = $1
              and s.request_id = $2
            order by s.version, s.at, s.command_id
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = requestId });
        var samples = new List<RefusalSample>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            samples.Add(
                new(
                    account,
                    requestId,
                    rows.GetGuid(0),
                    new(rows.GetString(1)),
                    rows.GetString(2),
                    rows.GetString(3),
                    rows.GetFieldValue<DateTimeOffset>(4),
                    rows.GetInt64(5),
                    rows.GetInt64(6),
                    rows.IsDBNull(7) ? null : rows.GetString(7),
                    rows.IsDBNull(8) ? null : rows.GetString(8)
                )
            );
        }

        return samples;
    }

    /// <summary>How often what was refused, in the order of time, key and code; at most <paramref name="limit"/> lines after one.</summary>
    public async Task<IReadOnlyList<RefusalLine>> ListAsync(RefusalAsk ask, RefusalLine? after, int limit, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(ask);
        await using var command = database.CreateCommand(
            $"""
            select
              l.at,
              l.key_id,
              l.code,
              k.name,
              l.count
            from (
              select
                date_trunc('{StepOf(ask.Step)}', c.minute, 'UTC') as at,
                c.key_id,
                c.code,
                sum(c.count)::bigint as count
              from refusal_counts c
              where {Wanted}
              group by 1, 2, 3
            ) l
            left join keys k on k.account_id = $1 and k.key_id = l.key_id
            where $6::timestamptz is null or (l.at, l.key_id, l.code) > ($6, $7 collate "C", $8 collate "C")
            order by l.at, l.key_id, l.code
            limit $9
            """
        );
        AddAsk(command, ask);
        AddOrNull(command, NpgsqlDbType.TimestampTz, after?.At);
        command.Parameters.Add(new() { Value = after?.Key ?? "" });
        command.Parameters.Add(new() { Value = after?.Code ?? "" });
        command.Parameters.Add(new() { Value = limit });
        var lines = new List<RefusalLine>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            lines.Add(
                new(
                    rows.GetFieldValue<DateTimeOffset>(0),
                    rows.GetString(1),
                    rows.GetString(2),
                    rows.IsDBNull(3) ? null : rows.GetString(3),
                    rows.GetInt64(4)
                )
            );
        }

        return lines;
    }

    /// <summary>How often anything of that was refused in all.</summary>
    public async Task<long> TotalAsync(RefusalAsk ask, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(ask);
        await using var command = database.CreateCommand($"select coalesce(sum(c.count), 0)::bigint from refusal_counts c where {Wanted}");
        AddAsk(command, ask);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Deletes what has been kept for long enough, a bounded number at a time.</summary>
    /// <param name="counts">Counts of minutes before this go.</param>
    /// <param name="samples">Samples from before this go.</param>
    /// <param name="ct">Gives up.</param>
    public async Task DeleteOldAsync(DateTimeOffset counts, DateTimeOffset samples, CancellationToken ct)
    {
        await DeleteAsync(
            """
            delete from refusal_counts c
            where c.ctid in (
              select o.ctid
              from refusal_counts o
              where o.minute < $1
              limit $2
            )
            """,
            counts
        );
        await DeleteAsync(
            """
            delete from refusal_samples s
            where s.ctid in (
              select o.ctid
              from refusal_samples o
              where o.at < $1
              limit $2
            )
            """,
            samples
        );

        async Task DeleteAsync(string sql, DateTimeOffset before)
        {
            int deleted;
            do
            {
                await using var command = database.CreateCommand(sql);
                command.Parameters.Add(new() { Value = before });
                command.Parameters.Add(new() { Value = Batch });
                deleted = await command.ExecuteNonQueryAsync(ct);
            } while (deleted == Batch);
        }
    }

    private const string Wanted = """
        c.account_id = $1
              and c.minute >= $2
              and c.minute < $3
              and ($4::varchar is null or c.key_id = $4)
              and ($5::varchar is null or c.code = $5)
        """;

    private static void AddAsk(NpgsqlCommand command, RefusalAsk ask)
    {
        command.Parameters.Add(new() { Value = ask.Account.Value });
        command.Parameters.Add(new() { Value = new DateTimeOffset(ask.From.ToDateTime(default), TimeSpan.Zero) });
        command.Parameters.Add(new() { Value = new DateTimeOffset(ask.To.AddDays(1).ToDateTime(default), TimeSpan.Zero) });
        AddOrNull(command, NpgsqlDbType.Varchar, ask.Key);
        AddOrNull(command, NpgsqlDbType.Varchar, ask.Code);
    }

    private static string StepOf(RefusalStep step) =>
        step switch
        {
            RefusalStep.Minute => "minute",
            RefusalStep.Hour => "hour",
            RefusalStep.Day => "day",
        };

    private static void AddOrNull(NpgsqlCommand command, NpgsqlDbType type, object? value) =>
        command.Parameters.Add(new() { Value = value ?? DBNull.Value, NpgsqlDbType = type });

    private static void Add<TRow, T>(NpgsqlCommand command, NpgsqlDbType type, IReadOnlyCollection<TRow> rows, Func<TRow, T> value) =>
        command.Parameters.Add(new NpgsqlParameter<T[]> { TypedValue = [.. rows.Select(value)], NpgsqlDbType = NpgsqlDbType.Array | type });
}
