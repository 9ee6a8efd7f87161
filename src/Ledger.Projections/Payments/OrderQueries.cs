using Ledger.Domain;
using Ledger.Domain.Payments;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Payments;

/// <summary>Where an order stands.</summary>
/// <param name="Account">Whose it is.</param>
/// <param name="Order">The order.</param>
public readonly record struct OrderPlace(AccountId Account, OrderId Order);

/// <summary>One payment, for whoever compares the ledger with a payment provider.</summary>
/// <param name="Account">Whose it is.</param>
/// <param name="Order">The order as it stands now.</param>
public sealed record PaymentLine(AccountId Account, Order Order);

/// <summary>What payments of a time come to, in parts of a dollar.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="Paid">What was paid.</param>
/// <param name="Refunded">What of it was given back since.</param>
/// <param name="Disputed">What of it is withdrawn by disputes that were not won.</param>
public readonly record struct PaymentTotals(long Count, decimal Paid, decimal Refunded, decimal Disputed);

/// <summary>A subscription whose next period a provider should bill.</summary>
/// <param name="Account">The subscriber.</param>
/// <param name="Reference">The provider's name for the subscription.</param>
/// <param name="PeriodEnd">When the last paid period ends.</param>
public readonly record struct RenewalDue(AccountId Account, string Reference, DateTimeOffset PeriodEnd);

/// <summary>Finds orders and subscriptions across accounts.</summary>
/// <param name="database">Connections for reading.</param>
public sealed class OrderQueries(NpgsqlDataSource database)
{
    /// <summary>The order that a provider's page is for.</summary>
    public Task<OrderPlace?> FindSessionAsync(string provider, string session, CancellationToken ct) =>
        FindAsync(
            """
            select
              o.account_id,
              o.order_id
            from orders o
            where o.provider = $1
              and o.session = $2
            """,
            provider,
            session,
            ct
        );

    /// <summary>The order that a provider's payment has paid.</summary>
    public Task<OrderPlace?> FindIntentAsync(string provider, string intent, CancellationToken ct) =>
        FindAsync(
            """
            select
              o.account_id,
              o.order_id
            from orders o
            where o.provider = $1
              and o.intent = $2
            limit 1
            """,
            provider,
            intent,
            ct
        );

    /// <summary>The order that a provider's payment has paid, by the name under which it counts: that of an invoice, where there is one.</summary>
    public Task<OrderPlace?> FindPaymentAsync(string provider, string payment, CancellationToken ct) =>
        FindAsync(
            """
            select
              o.account_id,
              o.order_id
            from orders o
            where o.provider = $1
              and o.payment = $2
            limit 1
            """,
            provider,
            payment,
            ct
        );

    /// <summary>Whose subscription a provider speaks of.</summary>
    public async Task<AccountId?> FindSubscriptionAsync(string provider, string reference, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select b.account_id
            from billing b
            where b.provider = $1
              and b.reference = $2
            limit 1
            """
        );
        command.Parameters.Add(new() { Value = provider });
        command.Parameters.Add(new() { Value = reference });
        return await command.ExecuteScalarAsync(ct) is string id ? new AccountId(id) : null;
    }

    /// <summary>Subscriptions whose paid period has ended by a time and that have not ended, the longest overdue first.</summary>
    /// <param name="provider">Who bills them.</param>
    /// <param name="now">The time.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    /// <param name="after">The last one seen; null to begin with.</param>
    public async Task<IReadOnlyList<RenewalDue>> FindRenewalsAsync(
        string provider,
        DateTimeOffset now,
        int limit,
        CancellationToken ct,
        RenewalDue? after = null
    )
    {
        await using var command = database.CreateCommand(
            """
            select
              b.account_id,
              b.reference,
              b.period_end
            from billing b
            where b.provider = $1
              and b.period_end <= $2
              and b.ended_at is null
              and b.ends_at is null
              and (b.period_end, b.account_id) > ($4, $5)
            order by
              b.period_end,
              b.account_id
            limit $3
            """
        );
        command.Parameters.Add(new() { Value = provider });
        command.Parameters.Add(new() { Value = now });
        command.Parameters.Add(new() { Value = limit });
        command.Parameters.Add(new() { Value = after?.PeriodEnd ?? DateTimeOffset.MinValue });
        command.Parameters.Add(new() { Value = after?.Account.Value ?? "" });
        var found = new List<RenewalDue>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add(new(new(rows.GetString(0)), rows.GetString(1), rows.GetFieldValue<DateTimeOffset>(2)));
        return found;
    }

    /// <summary>The orders that the ledger opened by itself and whose outcome is not known yet.</summary>
    public async Task<IReadOnlyList<OrderPlace>> FindAutomaticAsync(string provider, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              o.account_id,
              o.order_id
            from orders o
            where o.status = 'open'
              and o.provider = $1
              and (o.state ->> 'isAutomatic')::boolean
            order by
              o.account_id,
              o.order_id
            """
        );
        command.Parameters.Add(new() { Value = provider });
        var found = new List<OrderPlace>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add(new(new(rows.GetString(0)), new(rows.GetString(1))));
        return found;
    }

    /// <summary>The packs that somebody owns with something left in them, or is about to pay for, each with the provider/model that it is for.</summary>
    public Task<IReadOnlyList<(string Item, string? Scope)>> FindPacksInUseAsync(DateTimeOffset now, CancellationToken ct) =>
        PairsAsync(
            """
            select distinct
              o.item,
              o.state ->> 'scope'
            from orders o
            left join pockets p
              on p.account_id = o.account_id
              and p.pocket = o.pocket
            where o.kind = 'pack'
              and o.item is not null
              and (
                (p.remaining > 0 and p.expires_at > $1)
                or (o.status in ('open', 'failed') and o.expires_at > $1)
              )
            order by 1, 2
            """,
            now,
            ct
        );

    /// <summary>The subscription levels that somebody has, will have, or is about to pay for.</summary>
    public async Task<IReadOnlyList<string>> FindTiersInUseAsync(DateTimeOffset now, CancellationToken ct)
    {
        var found = await PairsAsync(
            """
            select
              b.tier,
              null
            from billing b
            where b.tier is not null
              and b.ended_at is null
            union
            select
              b.state -> 'subscription' -> 'next' ->> 'tier',
              null
            from billing b
            where b.ended_at is null
              and b.state -> 'subscription' -> 'next' is not null
            union
            select
              o.item,
              null
            from orders o
            where o.kind in ('subscription', 'upgrade')
              and o.item is not null
              and o.status in ('open', 'failed')
              and o.expires_at > $1
            order by 1
            """,
            now,
            ct
        );
        return [.. found.Select(pair => pair.Item)];
    }

    /// <summary>Payments of a time, the oldest first, from a place on.</summary>
    /// <param name="from">The first moment.</param>
    /// <param name="to">The first moment after.</param>
    /// <param name="provider">The provider; null for all.</param>
    /// <param name="after">The last one seen; null to begin with.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<PaymentLine>> ListPaymentsAsync(
        DateTimeOffset from,
        DateTimeOffset to,
        string? provider,
        (DateTimeOffset At, string Account, string Order)? after,
        int limit,
        CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            """
            select
              o.account_id,
              o.state::text
            from orders o
            where o.paid_at >= $1
              and o.paid_at < $2
              -- what the operator gave was no payment, unless it is asked for
              and o.provider = coalesce($3, o.provider)
              and ($3 is not null or o.provider <> 'operator')
              and (o.paid_at, o.account_id, o.order_id) > ($4, $5, $6)
            order by
              o.paid_at,
              o.account_id,
              o.order_id
            limit $7
            """
        );
        command.Parameters.Add(new() { Value = from });
        command.Parameters.Add(new() { Value = to });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = provider, NpgsqlDbType = NpgsqlDbType.Varchar });
        command.Parameters.Add(new() { Value = after?.At ?? DateTimeOffset.MinValue });
        command.Parameters.Add(new() { Value = after?.Account ?? "" });
        command.Parameters.Add(new() { Value = after?.Order ?? "" });
        command.Parameters.Add(new() { Value = limit });
        var found = new List<PaymentLine>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add(new(new(rows.GetString(0)), OrderRows.Read(rows)));
        return found;
    }

    /// <summary>What payments of a time come to.</summary>
    public async Task<PaymentTotals> SumPaymentsAsync(DateTimeOffset from, DateTimeOffset to, string? provider, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              count(*),
              coalesce(sum(o.price), 0),
              coalesce(sum(o.refunded), 0),
              coalesce(sum(o.disputed), 0)
            from orders o
            where o.paid_at >= $1
              and o.paid_at < $2
              -- what the operator gave was no payment, unless it is asked for
              and o.provider = coalesce($3, o.provider)
              and ($3 is not null or o.provider <> 'operator')
            """
        );
        command.Parameters.Add(new() { Value = from });
        command.Parameters.Add(new() { Value = to });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = provider, NpgsqlDbType = NpgsqlDbType.Varchar });
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        return new(row.GetInt64(0), row.GetDecimal(1), row.GetDecimal(2), row.GetDecimal(3));
    }

    private async Task<OrderPlace?> FindAsync(string sql, string provider, string name, CancellationToken ct)
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.Add(new() { Value = provider });
        command.Parameters.Add(new() { Value = name });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? new OrderPlace(new(row.GetString(0)), new(row.GetString(1))) : null;
    }

    private async Task<IReadOnlyList<(string Item, string? Scope)>> PairsAsync(string sql, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.Add(new() { Value = now });
        var found = new List<(string, string?)>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add((rows.GetString(0), rows.IsDBNull(1) ? null : rows.GetString(1)));
        return found;
    }
}
