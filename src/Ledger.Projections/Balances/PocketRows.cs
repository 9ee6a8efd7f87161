using Ledger.Domain.Wallets;
using Ledger.EventStore;
using NpgsqlTypes;

namespace Ledger.Projections.Balances;

/// <summary>Writes the rows of the pockets that a batch opened or changed.</summary>
public sealed class PocketRows
{
    private readonly Opened _opened = new();
    private readonly Changed _changed = new();

    /// <summary>The parts of the statement.</summary>
    public IReadOnlyList<InlineWrite> Parts => [_opened, _changed];

    /// <summary>Adds the rows of one account's pockets.</summary>
    /// <param name="n">The index of its stream in the batch, from 1.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="before">Its wallet as it stands in the database.</param>
    /// <param name="after">Its wallet after the batch.</param>
    public void Add(int n, string accountId, Wallet before, Wallet after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        var firstNew = before.NextPocket.Number;
        for (var number = firstNew; number < after.NextPocket.Number; number++)
            _opened.Add(n, accountId, after.Pocket(new(number)));

        foreach (var pocket in after.Open)
        {
            if (pocket.Id.Number < firstNew && !before.Open.Contains(pocket, ReferenceEqualityComparer.Instance))
                _changed.Add(n, accountId, pocket);
        }

        foreach (var pocket in before.Open)
        {
            if (after.Emptied.TryGetValue(pocket.Id, out var emptied))
                _changed.Add(n, accountId, emptied);
        }
    }

    private sealed class Opened : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<int> _pocket;
        private readonly InlineColumn<string> _unit;
        private readonly InlineColumn<string> _source;
        private readonly InlineColumn<string?> _scope;
        private readonly InlineColumn<long> _granted;
        private readonly InlineColumn<long> _remaining;
        private readonly InlineColumn<long> _held;
        private readonly InlineColumn<DateTimeOffset?> _expiresAt;
        private readonly InlineColumn<DateTimeOffset> _openedAt;
        private readonly InlineColumn<Guid> _openedBy;

        public Opened()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _pocket = Column<int>("pocket", NpgsqlDbType.Integer);
            _unit = Column<string>("unit", NpgsqlDbType.Varchar);
            _source = Column<string>("source", NpgsqlDbType.Varchar);
            _scope = Column<string?>("scope", NpgsqlDbType.Varchar);
            _granted = Column<long>("granted", NpgsqlDbType.Bigint);
            _remaining = Column<long>("remaining", NpgsqlDbType.Bigint);
            _held = Column<long>("held", NpgsqlDbType.Bigint);
            _expiresAt = Column<DateTimeOffset?>("expires_at", NpgsqlDbType.TimestampTz);
            _openedAt = Column<DateTimeOffset>("opened_at", NpgsqlDbType.TimestampTz);
            _openedBy = Column<Guid>("opened_by", NpgsqlDbType.Uuid);
        }

        public override string Sql =>
            """
                pockets_opened as (
                  insert into pockets (account_id, pocket, unit, source, scope, granted, remaining, held, expires_at, opened_at, opened_by)
                  select p.account_id, p.pocket, p.unit, p.source, p.scope, p.granted, p.remaining, p.held, p.expires_at, p.opened_at, p.opened_by
                  from unnest(
                    :n, :account_id, :pocket, :unit, :source, :scope, :granted, :remaining, :held, :expires_at, :opened_at, :opened_by
                  ) as p (n, account_id, pocket, unit, source, scope, granted, remaining, held, expires_at, opened_at, opened_by)
                  where :won(p.n)
                )
                """;

        public void Add(int n, string accountId, Pocket pocket)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _pocket.Add(pocket.Id.Number);
            _unit.Add(Wire.Of(pocket.Unit));
            _source.Add(Wire.Of(pocket.Source));
            _scope.Add(pocket.Scope);
            _granted.Add(pocket.Granted);
            _remaining.Add(pocket.Remaining);
            _held.Add(pocket.Held);
            _expiresAt.Add(pocket.ExpiresAt);
            _openedAt.Add(pocket.OpenedAt);
            _openedBy.Add(pocket.OpenedBy);
        }
    }

    /// <summary>Of a pocket that is open already only these two ever change.</summary>
    private sealed class Changed : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<int> _pocket;
        private readonly InlineColumn<long> _remaining;
        private readonly InlineColumn<long> _held;

        public Changed()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _pocket = Column<int>("pocket", NpgsqlDbType.Integer);
            _remaining = Column<long>("remaining", NpgsqlDbType.Bigint);
            _held = Column<long>("held", NpgsqlDbType.Bigint);
        }

        public override string Sql =>
            """
                pockets_changed as (
                  update pockets t
                  set
                    remaining = p.remaining,
                    held = p.held
                  from unnest(:n, :account_id, :pocket, :remaining, :held) as p (n, account_id, pocket, remaining, held)
                  where :won(p.n)
                    and t.account_id = any (array[p.account_id])
                    and t.pocket = p.pocket
                )
                """;

        public void Add(int n, string accountId, Pocket pocket)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _pocket.Add(pocket.Id.Number);
            _remaining.Add(pocket.Remaining);
            _held.Add(pocket.Held);
        }
    }
}
