using Ledger.Domain.Accounts;
using Ledger.EventStore;
using NpgsqlTypes;

namespace Ledger.Projections.Accounts;

/// <summary>Writes the row of each account of a batch: the head of its stream, its status and totals.</summary>
public sealed class AccountRows
{
    /// <summary>The format of the state that the read models' rows hold together; a row of another format is loaded from the log instead.</summary>
    public const short Format = 1;

    private readonly Opened _opened = new();
    private readonly Changed _changed = new();

    /// <summary>The parts of the statement.</summary>
    public IReadOnlyList<InlineWrite> Parts => [_opened, _changed];

    /// <summary>Adds the row of one account.</summary>
    /// <param name="n">The index of its stream in the batch, from 1.</param>
    /// <param name="before">Its state as it stands in the database.</param>
    /// <param name="after">Its state after the batch.</param>
    /// <param name="hash">The hash of its last event.</param>
    public void Add(int n, Account before, Account after, ReadOnlyMemory<byte> hash)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (before.Version == 0)
            _opened.Add(n, after, hash);
        else
            _changed.Add(n, after, hash);
    }

    private abstract class Row : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<long> _version;
        private readonly InlineColumn<ReadOnlyMemory<byte>> _lastHash;
        private readonly InlineColumn<DateTimeOffset> _lastAt;
        private readonly InlineColumn<string> _status;
        private readonly InlineColumn<long>[] _totals;

        protected Row()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _version = Column<long>("version", NpgsqlDbType.Bigint);
            _lastHash = Column<ReadOnlyMemory<byte>>("last_hash", NpgsqlDbType.Bytea);
            _lastAt = Column<DateTimeOffset>("last_at", NpgsqlDbType.TimestampTz);
            _status = Column<string>("status", NpgsqlDbType.Varchar);
            _totals =
            [
                .. ((string[])["cg", "cs", "cr", "ce", "cd", "cc", "ug", "us", "ur", "ue", "ud", "uc"]).Select(name =>
                    Column<long>(name, NpgsqlDbType.Bigint)
                ),
            ];
        }

        public virtual void Add(int n, Account after, ReadOnlyMemory<byte> hash)
        {
            _n.Add(n);
            _accountId.Add(after.Id.Value);
            _version.Add(after.Version);
            _lastHash.Add(hash);
            _lastAt.Add(after.LastAt);
            _status.Add(Wire.Of(after.Status));
            var (credits, usd) = (after.Wallet.Credits, after.Wallet.Usd);
            _totals[0].Add(credits.Granted);
            _totals[1].Add(credits.Spent);
            _totals[2].Add(credits.Reversed);
            _totals[3].Add(credits.Expired);
            _totals[4].Add(credits.Debt);
            _totals[5].Add(credits.ClawedBack);
            _totals[6].Add(usd.Granted);
            _totals[7].Add(usd.Spent);
            _totals[8].Add(usd.Reversed);
            _totals[9].Add(usd.Expired);
            _totals[10].Add(usd.Debt);
            _totals[11].Add(usd.ClawedBack);
        }
    }

    private sealed class Opened : Row
    {
        private readonly InlineColumn<string?> _country;
        private readonly InlineColumn<DateTimeOffset> _openedAt;

        public Opened()
        {
            _country = Column<string?>("country", NpgsqlDbType.Varchar);
            _openedAt = Column<DateTimeOffset>("opened_at", NpgsqlDbType.TimestampTz);
        }

        public override string Sql =>
            $"""
                accounts_opened as (
                  insert into accounts (
                    account_id, version, last_hash, last_at, format, status, country, opened_at,
                    credits_granted, credits_spent, credits_reversed, credits_expired, credits_debt, credits_clawed_back,
                    usd_granted, usd_spent, usd_reversed, usd_expired, usd_debt, usd_clawed_back
                  )
                  select
                    a.account_id, a.version, a.last_hash, a.last_at, {Format}, a.status, a.country, a.opened_at,
                    a.cg, a.cs, a.cr, a.ce, a.cd, a.cc, a.ug, a.us, a.ur, a.ue, a.ud, a.uc
                  from unnest(
                    :n, :account_id, :version, :last_hash, :last_at, :status, :country, :opened_at,
                    :cg, :cs, :cr, :ce, :cd, :cc, :ug, :us, :ur, :ue, :ud, :uc
                  ) as a (n, account_id, version, last_hash, last_at, status, country, opened_at, cg, cs, cr, ce, cd, cc, ug, us, ur, ue, ud, uc)
                  where :won(a.n)
                )
                """;

        public override void Add(int n, Account after, ReadOnlyMemory<byte> hash)
        {
            base.Add(n, after, hash);
            _country.Add(after.Country);
            _openedAt.Add(after.OpenedAt);
        }
    }

    private sealed class Changed : Row
    {
        public override string Sql =>
            $"""
                accounts_changed as (
                  update accounts t
                  set
                    version = a.version,
                    last_hash = a.last_hash,
                    last_at = a.last_at,
                    format = {Format},
                    status = a.status,
                    credits_granted = a.cg,
                    credits_spent = a.cs,
                    credits_reversed = a.cr,
                    credits_expired = a.ce,
                    credits_debt = a.cd,
                    credits_clawed_back = a.cc,
                    usd_granted = a.ug,
                    usd_spent = a.us,
                    usd_reversed = a.ur,
                    usd_expired = a.ue,
                    usd_debt = a.ud,
                    usd_clawed_back = a.uc
                  from unnest(
                    :n, :account_id, :version, :last_hash, :last_at, :status, :cg, :cs, :cr, :ce, :cd, :cc, :ug, :us, :ur, :ue, :ud, :uc
                  ) as a (n, account_id, version, last_hash, last_at, status, cg, cs, cr, ce, cd, cc, ug, us, ur, ue, ud, uc)
                  where :won(a.n)
                    and t.account_id = any (array[a.account_id])
                )
                """;
    }
}
