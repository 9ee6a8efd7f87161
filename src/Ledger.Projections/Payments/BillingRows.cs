using Ledger.Domain.Accounts;
using Ledger.EventStore;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Payments;

/// <summary>Writes what accounts subscribe to, have bought for them and are told.</summary>
public sealed class BillingRows : InlineWrite
{
    internal const string Select = """
        select
          b.account_id,
          b.state::text
        from billing b
        where b.account_id = any ($1)
        """;

    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<string> _accountId;
    private readonly InlineColumn<DateTimeOffset?> _dueAt;
    private readonly InlineColumn<string?> _tier;
    private readonly InlineColumn<long?> _price;
    private readonly InlineColumn<long?> _credits;
    private readonly InlineColumn<long?> _tokens;
    private readonly InlineColumn<string?> _provider;
    private readonly InlineColumn<string?> _reference;
    private readonly InlineColumn<long?> _period;
    private readonly InlineColumn<DateTimeOffset?> _periodStart;
    private readonly InlineColumn<DateTimeOffset?> _periodEnd;
    private readonly InlineColumn<DateTimeOffset?> _endsAt;
    private readonly InlineColumn<DateTimeOffset?> _endedAt;
    private readonly InlineColumn<string> _state;

    /// <summary>For one writer.</summary>
    public BillingRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
        _dueAt = Column<DateTimeOffset?>("due_at", NpgsqlDbType.TimestampTz);
        _tier = Column<string?>("tier", NpgsqlDbType.Varchar);
        _price = Column<long?>("price", NpgsqlDbType.Bigint);
        _credits = Column<long?>("credits_per_month", NpgsqlDbType.Bigint);
        _tokens = Column<long?>("tokens_per_24h", NpgsqlDbType.Bigint);
        _provider = Column<string?>("provider", NpgsqlDbType.Varchar);
        _reference = Column<string?>("reference", NpgsqlDbType.Varchar);
        _period = Column<long?>("period", NpgsqlDbType.Bigint);
        _periodStart = Column<DateTimeOffset?>("period_start", NpgsqlDbType.TimestampTz);
        _periodEnd = Column<DateTimeOffset?>("period_end", NpgsqlDbType.TimestampTz);
        _endsAt = Column<DateTimeOffset?>("ends_at", NpgsqlDbType.TimestampTz);
        _endedAt = Column<DateTimeOffset?>("ended_at", NpgsqlDbType.TimestampTz);
        _state = Column<string>("state", NpgsqlDbType.Text);
    }

    /// <inheritdoc/>
    public override string Sql =>
        """
            billing_changed as (
              insert into billing (
                account_id, due_at, tier, price, credits_per_month, tokens_per_24h, provider, reference,
                period, period_start, period_end, ends_at, ended_at, state
              )
              select
                b.account_id, b.due_at, b.tier, b.price, b.credits_per_month, b.tokens_per_24h, b.provider, b.reference,
                b.period, b.period_start, b.period_end, b.ends_at, b.ended_at, b.state::jsonb
              from unnest(
                :n, :account_id, :due_at, :tier, :price, :credits_per_month, :tokens_per_24h, :provider, :reference,
                :period, :period_start, :period_end, :ends_at, :ended_at, :state
              ) as b (
                n, account_id, due_at, tier, price, credits_per_month, tokens_per_24h, provider, reference,
                period, period_start, period_end, ends_at, ended_at, state
              )
              where :won(b.n)
              on conflict (account_id) do update
              set
                due_at = excluded.due_at,
                tier = excluded.tier,
                price = excluded.price,
                credits_per_month = excluded.credits_per_month,
                tokens_per_24h = excluded.tokens_per_24h,
                provider = excluded.provider,
                reference = excluded.reference,
                period = excluded.period,
                period_start = excluded.period_start,
                period_end = excluded.period_end,
                ends_at = excluded.ends_at,
                ended_at = excluded.ended_at,
                state = excluded.state
            )
            """;

    /// <summary>Adds the row of one account, where it changed; when a sweep must look at it depends on more than what the row holds.</summary>
    public void Add(int n, Account before, Account after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (
            ReferenceEquals(before.Subscription, after.Subscription)
            && ReferenceEquals(before.Orders, after.Orders)
            && ReferenceEquals(before.AutoTopup, after.AutoTopup)
            && ReferenceEquals(before.Alerts, after.Alerts)
            && before.NextScheduled == after.NextScheduled
        )
            return;
        var subscription = after.Subscription;
        var (terms, hasAny) = (subscription.Terms, subscription.Terms is not null);
        _n.Add(n);
        _accountId.Add(after.Id.Value);
        _dueAt.Add(after.NextScheduled == DateTimeOffset.MaxValue ? null : after.NextScheduled);
        _tier.Add(terms?.Tier);
        _price.Add(terms?.Price.Parts);
        _credits.Add(terms?.Credits.Parts);
        _tokens.Add(terms?.TokensPer24h);
        _provider.Add(subscription.Provider);
        _reference.Add(subscription.Reference);
        _period.Add(hasAny ? subscription.Period : null);
        _periodStart.Add(hasAny ? subscription.PeriodStart : null);
        _periodEnd.Add(hasAny ? subscription.PeriodEnd : null);
        _endsAt.Add(subscription.EndsAt);
        _endedAt.Add(subscription.EndedAt);
        _state.Add(BillingText.Write(BillingState.Of(after)));
    }

    internal static BillingState Read(NpgsqlDataReader row) => BillingText.ReadBilling(row.GetString(1));
}
