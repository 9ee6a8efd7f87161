using Ledger.Domain.Payments;
using Ledger.EventStore;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Payments;

/// <summary>Writes what accounts have bought and are about to buy.</summary>
public sealed class OrderRows : InlineWrite
{
    internal const string Select = """
        select
          o.account_id,
          o.state::text
        from orders o
        where o.account_id = any ($1)
        """;

    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<string> _accountId;
    private readonly InlineColumn<string> _orderId;
    private readonly InlineColumn<string> _kind;
    private readonly InlineColumn<string?> _item;
    private readonly InlineColumn<long> _price;
    private readonly InlineColumn<string?> _unit;
    private readonly InlineColumn<long?> _gives;
    private readonly InlineColumn<long> _card;
    private readonly InlineColumn<string> _provider;
    private readonly InlineColumn<string> _status;
    private readonly InlineColumn<string?> _session;
    private readonly InlineColumn<string?> _payment;
    private readonly InlineColumn<string?> _intent;
    private readonly InlineColumn<int?> _pocket;
    private readonly InlineColumn<DateTimeOffset> _openedAt;
    private readonly InlineColumn<DateTimeOffset> _expiresAt;
    private readonly InlineColumn<DateTimeOffset?> _paidAt;
    private readonly InlineColumn<long> _refunded;
    private readonly InlineColumn<long> _disputed;
    private readonly InlineColumn<long> _clawedBack;
    private readonly InlineColumn<string> _state;

    /// <summary>For one writer.</summary>
    public OrderRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
        _orderId = Column<string>("order_id", NpgsqlDbType.Varchar);
        _kind = Column<string>("kind", NpgsqlDbType.Varchar);
        _item = Column<string?>("item", NpgsqlDbType.Varchar);
        _price = Column<long>("price", NpgsqlDbType.Bigint);
        _unit = Column<string?>("unit", NpgsqlDbType.Varchar);
        _gives = Column<long?>("gives", NpgsqlDbType.Bigint);
        _card = Column<long>("card", NpgsqlDbType.Bigint);
        _provider = Column<string>("provider", NpgsqlDbType.Varchar);
        _status = Column<string>("status", NpgsqlDbType.Varchar);
        _session = Column<string?>("session", NpgsqlDbType.Varchar);
        _payment = Column<string?>("payment", NpgsqlDbType.Varchar);
        _intent = Column<string?>("intent", NpgsqlDbType.Varchar);
        _pocket = Column<int?>("pocket", NpgsqlDbType.Integer);
        _openedAt = Column<DateTimeOffset>("opened_at", NpgsqlDbType.TimestampTz);
        _expiresAt = Column<DateTimeOffset>("expires_at", NpgsqlDbType.TimestampTz);
        _paidAt = Column<DateTimeOffset?>("paid_at", NpgsqlDbType.TimestampTz);
        _refunded = Column<long>("refunded", NpgsqlDbType.Bigint);
        _disputed = Column<long>("disputed", NpgsqlDbType.Bigint);
        _clawedBack = Column<long>("clawed_back", NpgsqlDbType.Bigint);
        _state = Column<string>("state", NpgsqlDbType.Text);
    }

    /// <inheritdoc/>
    public override string Sql =>
        """
            orders_changed as (
              insert into orders (
                account_id, order_id, kind, item, price, unit, gives, card, provider, status, session, payment, intent, pocket,
                opened_at, expires_at, paid_at, refunded, disputed, clawed_back, state
              )
              select
                o.account_id, o.order_id, o.kind, o.item, o.price, o.unit, o.gives, o.card, o.provider, o.status, o.session, o.payment,
                o.intent, o.pocket, o.opened_at, o.expires_at, o.paid_at, o.refunded, o.disputed, o.clawed_back, o.state::jsonb
              from unnest(
                :n, :account_id, :order_id, :kind, :item, :price, :unit, :gives, :card, :provider, :status, :session, :payment,
                :intent, :pocket, :opened_at, :expires_at, :paid_at, :refunded, :disputed, :clawed_back, :state
              ) as o (
                n, account_id, order_id, kind, item, price, unit, gives, card, provider, status, session, payment,
                intent, pocket, opened_at, expires_at, paid_at, refunded, disputed, clawed_back, state
              )
              where :won(o.n)
              on conflict (account_id, order_id) do update
              set
                status = excluded.status,
                session = excluded.session,
                payment = excluded.payment,
                intent = excluded.intent,
                pocket = excluded.pocket,
                paid_at = excluded.paid_at,
                refunded = excluded.refunded,
                disputed = excluded.disputed,
                clawed_back = excluded.clawed_back,
                state = excluded.state
            )
            """;

    /// <summary>Adds the rows of one account's orders that changed.</summary>
    public void Add(int n, string accountId, Orders before, Orders after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (ReferenceEquals(before.All, after.All))
            return;
        foreach (var (id, order) in after.All)
        {
            if (ReferenceEquals(before.Find(id), order))
                continue;
            _n.Add(n);
            _accountId.Add(accountId);
            _orderId.Add(id.Value);
            _kind.Add(Wire.Of(order.Kind));
            _item.Add(order.Item);
            _price.Add(order.Price.Parts);
            _unit.Add(order.Gives is { } gives ? Wire.Of(gives.Unit) : null);
            _gives.Add(order.Gives?.Parts);
            _card.Add(order.Card);
            _provider.Add(order.Provider);
            _status.Add(Wire.Of(order.Status));
            _session.Add(order.Session);
            _payment.Add(order.Payment);
            _intent.Add(order.Intent);
            _pocket.Add(order.Pocket?.Number);
            _openedAt.Add(order.OpenedAt);
            _expiresAt.Add(order.ExpiresAt);
            _paidAt.Add(order.PaidAt);
            _refunded.Add(order.Refunded);
            _disputed.Add(order.Disputes.Where(dispute => !dispute.IsWon).Sum(dispute => dispute.Amount));
            _clawedBack.Add(order.ClawedBack);
            _state.Add(BillingText.Write(order));
        }
    }

    internal static Order Read(NpgsqlDataReader row) => BillingText.ReadOrder(row.GetString(1));
}
