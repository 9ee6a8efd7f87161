using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using NpgsqlTypes;

namespace Ledger.Projections.Usage;

/// <summary>What one event adds to usage.</summary>
public readonly record struct UsageDelta(KeyId Key, string Tool, int Requests, Quantity Units, Amount Charged, Amount Reversed)
{
    /// <summary>What a fact adds; null where it adds nothing.</summary>
    public static UsageDelta? Of(in Fact fact) =>
        fact.Event switch
        {
            CreditsSpent e => new(e.Key, e.Tool, 1, e.Units, e.Charged, Amount.Zero(e.Charged.Unit)),
            HoldSettled e => new(e.Key, e.Tool, 1, e.Units, e.Charged, Amount.Zero(e.Charged.Unit)),
            HoldSettledLate e => new(e.Key, e.Tool, 1, e.Units, e.Charged, Amount.Zero(e.Charged.Unit)),
            SpendReversed e => new(e.Key, e.Tool, 0, default, Amount.Zero(e.Amount.Unit), e.Amount),
            _ => null,
        };
}

/// <summary>Adds up usage per UTC day, account, key and tool.</summary>
public sealed class UsageRows : InlineWrite
{
    private readonly Dictionary<(KeyId Key, DateOnly Day, string Tool), Sums> _sums = [];
    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<string> _accountId;
    private readonly InlineColumn<DateOnly> _day;
    private readonly InlineColumn<string> _keyId;
    private readonly InlineColumn<string> _tool;
    private readonly InlineColumn<long> _requests;
    private readonly InlineColumn<decimal> _units;
    private readonly InlineColumn<long> _credits;
    private readonly InlineColumn<long> _usd;
    private readonly InlineColumn<long> _creditsReversed;
    private readonly InlineColumn<long> _usdReversed;

    /// <summary>For one writer.</summary>
    public UsageRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
        _day = Column<DateOnly>("day", NpgsqlDbType.Date);
        _keyId = Column<string>("key_id", NpgsqlDbType.Varchar);
        _tool = Column<string>("tool", NpgsqlDbType.Varchar);
        _requests = Column<long>("requests", NpgsqlDbType.Bigint);
        _units = Column<decimal>("units_nanos", NpgsqlDbType.Numeric);
        _credits = Column<long>("credits", NpgsqlDbType.Bigint);
        _usd = Column<long>("usd", NpgsqlDbType.Bigint);
        _creditsReversed = Column<long>("credits_reversed", NpgsqlDbType.Bigint);
        _usdReversed = Column<long>("usd_reversed", NpgsqlDbType.Bigint);
    }

    /// <inheritdoc/>
    public override string Sql =>
        """
            usage_added as (
              insert into usage_daily as t (
                account_id, day, key_id, tool, requests, units_nanos, credits, usd, credits_reversed, usd_reversed
              )
              select
                u.account_id, u.day, u.key_id, u.tool, u.requests, u.units_nanos, u.credits, u.usd, u.credits_reversed, u.usd_reversed
              from unnest(
                :n, :account_id, :day, :key_id, :tool, :requests, :units_nanos, :credits, :usd, :credits_reversed, :usd_reversed
              ) as u (n, account_id, day, key_id, tool, requests, units_nanos, credits, usd, credits_reversed, usd_reversed)
              where :won(u.n)
              on conflict (account_id, day, key_id, tool) do update
              set
                requests = t.requests + excluded.requests,
                units_nanos = t.units_nanos + excluded.units_nanos,
                credits = t.credits + excluded.credits,
                usd = t.usd + excluded.usd,
                credits_reversed = t.credits_reversed + excluded.credits_reversed,
                usd_reversed = t.usd_reversed + excluded.usd_reversed
            )
            """;

    /// <inheritdoc/>
    public override void Clear()
    {
        base.Clear();
        _sums.Clear();
    }

    /// <summary>Adds one account's facts of a batch, summed up first: a statement may touch each row only once.</summary>
    public void Add(int n, string accountId, IReadOnlyList<Fact> facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        foreach (var fact in facts)
        {
            if (UsageDelta.Of(fact) is not { } delta)
                continue;
            var key = (delta.Key, DateOnly.FromDateTime(fact.At.UtcDateTime), delta.Tool);
            _sums.TryGetValue(key, out var sums);
            _sums[key] = sums.Plus(delta);
        }

        foreach (var ((key, day, tool), sums) in _sums)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _day.Add(day);
            _keyId.Add(key.Value);
            _tool.Add(tool);
            _requests.Add(sums.Requests);
            _units.Add((decimal)sums.Units);
            _credits.Add(sums.Credits);
            _usd.Add(sums.Usd);
            _creditsReversed.Add(sums.CreditsReversed);
            _usdReversed.Add(sums.UsdReversed);
        }

        _sums.Clear();
    }

    private readonly record struct Sums(long Requests, Int128 Units, long Credits, long Usd, long CreditsReversed, long UsdReversed)
    {
        public Sums Plus(in UsageDelta delta) =>
            delta.Charged.Unit switch
            {
                Unit.Credits => this with
                {
                    Requests = Requests + delta.Requests,
                    Units = Units + delta.Units.Nanos,
                    Credits = Credits + delta.Charged.Parts,
                    CreditsReversed = CreditsReversed + delta.Reversed.Parts,
                },
                Unit.Usd => this with
                {
                    Requests = Requests + delta.Requests,
                    Units = Units + delta.Units.Nanos,
                    Usd = Usd + delta.Charged.Parts,
                    UsdReversed = UsdReversed + delta.Reversed.Parts,
                },
            };
    }
}
