using Ledger.Domain;
using Ledger.Domain.Referrals;
using Ledger.EventStore;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Referrals;

/// <summary>Writes who brought an account, and whom it brought.</summary>
public sealed class ReferralRows : InlineWrite
{
    /// <summary>The reader of the log that carries rewards to who referred.</summary>
    public const string Reader = "referrals";

    internal const string Select = """
        select
          r.account_id,
          r.referred_by,
          r.referred,
          r.earned
        from referrals r
        where r.account_id = any ($1)
        """;

    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<string> _accountId;
    private readonly InlineColumn<string?> _referredBy;
    private readonly InlineColumn<long> _referred;
    private readonly InlineColumn<long> _earned;

    /// <summary>For one writer.</summary>
    public ReferralRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
        _referredBy = Column<string?>("referred_by", NpgsqlDbType.Varchar);
        _referred = Column<long>("referred", NpgsqlDbType.Bigint);
        _earned = Column<long>("earned", NpgsqlDbType.Bigint);
    }

    /// <inheritdoc/>
    public override string Sql =>
        """
            referrals_changed as (
              insert into referrals (account_id, referred_by, referred, earned)
              select
                r.account_id,
                r.referred_by,
                r.referred,
                r.earned
              from unnest(:n, :account_id, :referred_by, :referred, :earned) as r (n, account_id, referred_by, referred, earned)
              where :won(r.n)
              on conflict (account_id) do update
              set
                referred_by = excluded.referred_by,
                referred = excluded.referred,
                earned = excluded.earned
            )
            """;

    /// <summary>Adds the row of one account, where it changed.</summary>
    public void Add(int n, string accountId, Referral before, Referral after)
    {
        ArgumentNullException.ThrowIfNull(after);
        if (ReferenceEquals(before, after))
            return;
        _n.Add(n);
        _accountId.Add(accountId);
        _referredBy.Add(after.ReferredBy?.Value);
        _referred.Add(after.Referred);
        _earned.Add(after.Earned);
    }

    internal static Referral Read(NpgsqlDataReader row) =>
        new(row.IsDBNull(1) ? null : new AccountId(row.GetString(1)), row.GetInt64(2), row.GetInt64(3));
}
