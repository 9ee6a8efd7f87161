using System.Collections.Immutable;
using System.Text.Json;
using Ledger.Domain.Accounts;
using Ledger.EventStore;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Accounts;

/// <summary>Writes which sign-ins of an account no longer hold.</summary>
public sealed class SignInRows : InlineWrite
{
    internal const string Select = """
        select
          s.account_id,
          s.ended_at,
          s.ended,
          s.expire_at
        from sign_ins s
        where s.account_id = any ($1)
        """;

    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<string> _accountId;
    private readonly InlineColumn<DateTimeOffset?> _endedAt;
    private readonly InlineColumn<string> _ended;

    /// <summary>For one writer.</summary>
    public SignInRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
        _endedAt = Column<DateTimeOffset?>("ended_at", NpgsqlDbType.TimestampTz);
        _ended = Column<string>("ended", NpgsqlDbType.Jsonb);
    }

    /// <inheritdoc/>
    /// <remarks>Arrays of arrays must be rectangular, so the ended ones travel as JSON: pairs of id and microseconds since 1970.</remarks>
    public override string Sql =>
        """
            sign_ins_changed as (
              insert into sign_ins (account_id, ended_at, ended, expire_at)
              select
                s.account_id,
                s.ended_at,
                array(select (e ->> 0)::uuid from jsonb_array_elements(s.ended) with ordinality as j (e, i) order by j.i),
                array(
                  select 'epoch'::timestamptz + (e ->> 1)::bigint * interval '1 microsecond'
                  from jsonb_array_elements(s.ended) with ordinality as j (e, i)
                  order by j.i
                )
              from unnest(:n, :account_id, :ended_at, :ended) as s (n, account_id, ended_at, ended)
              where :won(s.n)
              on conflict (account_id) do update
              set
                ended_at = excluded.ended_at,
                ended = excluded.ended,
                expire_at = excluded.expire_at
            )
            """;

    /// <summary>Adds the row of one account, where it changed.</summary>
    public void Add(int n, string accountId, SignIns before, SignIns after)
    {
        ArgumentNullException.ThrowIfNull(after);
        if (ReferenceEquals(before, after))
            return;
        _n.Add(n);
        _accountId.Add(accountId);
        _endedAt.Add(after.EndedAt);
        _ended.Add(
            JsonSerializer.Serialize(
                after
                    .Ended.OrderBy(ended => ended.Key)
                    .Select(ended => (object[])[ended.Key, (ended.Value - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond])
            )
        );
    }

    internal static SignIns Read(NpgsqlDataReader row) =>
        new(
            row.IsDBNull(1) ? null : row.GetFieldValue<DateTimeOffset>(1),
            row.GetFieldValue<Guid[]>(2)
                .Zip(row.GetFieldValue<DateTimeOffset[]>(3))
                .ToImmutableDictionary(ended => ended.First, ended => ended.Second)
        );
}
