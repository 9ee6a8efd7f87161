using Ledger.Domain;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Notifications;

/// <summary>The primary table <c>deliveries</c>.</summary>
/// <param name="database">Connections.</param>
public sealed class Deliveries(NpgsqlDataSource database)
{
    private const string Columns = """
        d.delivery_id,
        d.account_id,
        d.channel,
        d.position,
        d.event_id,
        d.type,
        d.body,
        d.state,
        d.attempts,
        d.queued_at,
        d.next_at,
        d.last_at,
        d.last_status,
        d.last_error,
        d.created_at
        """;

    // The first that waits of an account and channel, then the first of the next: as many looks into the index as there are accounts with something to be
    // told, however much each of them has waiting. What is not asked for is not looked at: the outer limit ends the recursion.
    private const string DueSql = $"""
        with recursive heads as (
          (
            select d.*
            from deliveries d
            where d.state = 'waiting'
              and (d.account_id, d.channel) > ($2, $3)
            order by
              d.account_id,
              d.channel,
              d.position
            limit 1
          )
          union all
          select n.*
          from heads h
          cross join lateral (
            select d.*
            from deliveries d
            where d.state = 'waiting'
              and (d.account_id, d.channel) > (h.account_id, h.channel)
            order by
              d.account_id,
              d.channel,
              d.position
            limit 1
          ) n
        )
        select
          {Columns}
        from heads d
        where d.next_at <= $1
        limit $4
        """;

    /// <summary>Adds deliveries, unless their events are told by these channels already.</summary>
    /// <returns>How many were added.</returns>
    public async Task<int> AddAsync(IReadOnlyCollection<Delivery> deliveries, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(deliveries);
        if (deliveries.Count == 0)
            return 0;
        await using var command = database.CreateCommand(
            """
            insert into deliveries (
              delivery_id,
              account_id,
              channel,
              position,
              event_id,
              type,
              body,
              state,
              attempts,
              queued_at,
              next_at,
              created_at
            )
            select
              n.delivery_id,
              n.account_id,
              n.channel,
              n.position,
              n.event_id,
              n.type,
              n.body,
              'waiting',
              0,
              n.created_at,
              n.created_at,
              n.created_at
            from unnest($1, $2, $3, $4, $5, $6, $7, $8) as n (
              delivery_id,
              account_id,
              channel,
              position,
              event_id,
              type,
              body,
              created_at
            )
            on conflict do nothing
            """
        );
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => delivery.Id).ToArray() });
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => delivery.Account.Value).ToArray() });
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => Wire.Of(delivery.Channel)).ToArray() });
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => delivery.Position).ToArray() });
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => delivery.EventId).ToArray() });
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => delivery.Type).ToArray() });
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => delivery.Body).ToArray() });
        command.Parameters.Add(new() { Value = deliveries.Select(delivery => delivery.CreatedAt).ToArray() });
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>
    /// What is to be sent by now: of each account and channel at most the first that waits, and that only where it is due. In the order of accounts and
    /// channels, behind a place.
    /// </summary>
    public async Task<IReadOnlyList<Delivery>> DueAsync(DateTimeOffset now, DeliveryPlace after, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand(DueSql);
        command.Parameters.Add(new() { Value = now });
        command.Parameters.Add(new() { Value = after.Account });
        command.Parameters.Add(new() { Value = after.Channel });
        command.Parameters.Add(new() { Value = limit });
        return await ReadAsync(command, ct);
    }

    /// <summary>Writes down what came of sending one, unless it was sent again or no longer waits since it was read.</summary>
    /// <returns>The first that waits now of the same account and channel; null where none does, or where nothing was written.</returns>
    public async Task<Delivery?> MarkAsync(Delivery delivery, DeliveryOutcome outcome, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        ArgumentNullException.ThrowIfNull(outcome);
        await using var batch = database.CreateBatch();
        batch.BatchCommands.Add(
            new(
                """
                update deliveries d
                set
                  state = $4,
                  attempts = d.attempts + 1,
                  last_at = $5,
                  next_at = $6,
                  last_status = $7,
                  last_error = $8
                where d.delivery_id = $1
                  and d.state = 'waiting'
                  and d.attempts = $2
                  and d.queued_at = $3
                returning
                  true
                """
            )
            {
                Parameters =
                {
                    new() { Value = delivery.Id },
                    new() { Value = delivery.Attempts },
                    new() { Value = delivery.QueuedAt },
                    new() { Value = Wire.Of(outcome.State) },
                    new() { Value = outcome.At },
                    new NpgsqlParameter<DateTimeOffset?> { TypedValue = outcome.NextAt, NpgsqlDbType = NpgsqlDbType.TimestampTz },
                    new NpgsqlParameter<int?> { TypedValue = outcome.Status, NpgsqlDbType = NpgsqlDbType.Integer },
                    new NpgsqlParameter<string?> { TypedValue = outcome.Error, NpgsqlDbType = NpgsqlDbType.Varchar },
                },
            }
        );

        // The second statement sees what the first has done.
        batch.BatchCommands.Add(
            new(
                $"""
                select
                  {Columns}
                from deliveries d
                where d.state = 'waiting'
                  and d.account_id = $1
                  and d.channel = $2
                order by d.position
                limit 1
                """
            )
            {
                Parameters =
                {
                    new() { Value = delivery.Account.Value },
                    new() { Value = Wire.Of(delivery.Channel) },
                },
            }
        );
        await using var rows = await batch.ExecuteReaderAsync(ct);
        var isWritten = await rows.ReadAsync(ct);
        await rows.NextResultAsync(ct);
        return isWritten && await rows.ReadAsync(ct) ? Read(rows) : null;
    }

    /// <summary>One delivery; null where there is none of this id.</summary>
    public async Task<Delivery?> FindAsync(Guid id, CancellationToken ct)
    {
        await using var command = database.CreateCommand($"select {Columns} from deliveries d where d.delivery_id = $1");
        command.Parameters.Add(new() { Value = id });
        return (await ReadAsync(command, ct)).SingleOrDefault();
    }

    /// <summary>The latest, from a place back: by the place of the event in the log, then by channel.</summary>
    /// <param name="state">Only those in a state; null for all.</param>
    /// <param name="account">Only those of an account; null for all.</param>
    /// <param name="before">The last one seen; null to begin with.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<Delivery>> ListAsync(
        DeliveryState? state,
        AccountId? account,
        (long Position, DeliveryChannel Channel)? before,
        int limit,
        CancellationToken ct
    )
    {
        // Composed of what is asked for: each has an index of its own, which one statement for all would not use.
        await using var command = database.CreateCommand(
            $"""
            select
              {Columns}
            from deliveries d
            where (d.position, d.channel) < ($1, $2)
              {(state is null ? "" : "and d.state = $4")}
              {(
                account is null ? ""
                : state is null ? "and d.account_id = $4"
                : "and d.account_id = $5"
            )}
            order by
              d.position desc,
              d.channel desc
            limit $3
            """
        );
        command.Parameters.Add(new() { Value = before?.Position ?? long.MaxValue });
        command.Parameters.Add(new() { Value = before is { Channel: var channel } ? Wire.Of(channel) : "" });
        command.Parameters.Add(new() { Value = limit });
        if (state is { } wanted)
            command.Parameters.Add(new() { Value = Wire.Of(wanted) });
        if (account is { } whose)
            command.Parameters.Add(new() { Value = whose.Value });
        return await ReadAsync(command, ct);
    }

    /// <summary>Lets one that does not wait wait again, as if it had never been sent.</summary>
    /// <returns>It as it is now; null where there is none of this id that does not wait.</returns>
    public async Task<Delivery?> ReplayAsync(Guid id, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            $"""
            update deliveries d
            set
              state = 'waiting',
              attempts = 0,
              queued_at = $2,
              next_at = $2
            where d.delivery_id = $1
              and d.state <> 'waiting'
            returning
              {Columns}
            """
        );
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = now });
        return (await ReadAsync(command, ct)).SingleOrDefault();
    }

    /// <summary>Lets an account's webhooks that wait for their next attempt be sent at once.</summary>
    public async Task HurryAsync(AccountId account, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            update deliveries d
            set next_at = $2
            where d.state = 'waiting'
              and d.account_id = $1
              and d.channel = 'webhook'
              and d.next_at > $2
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = now });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Deletes some of those that were delivered before a time.</summary>
    /// <returns>How many.</returns>
    public async Task<int> DeleteDeliveredAsync(DateTimeOffset before, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            delete from deliveries d
            where d.delivery_id in (
              select o.delivery_id
              from deliveries o
              where o.state = 'delivered'
                and o.last_at < $1
              order by o.last_at
              limit $2
            )
            """
        );
        command.Parameters.Add(new() { Value = before });
        command.Parameters.Add(new() { Value = limit });
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>What there is to do.</summary>
    public async Task<DeliveryBacklog> CountAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              (select count(*) from deliveries d where d.state = 'waiting'),
              (select min(d.queued_at) from deliveries d where d.state = 'waiting'),
              (select count(*) from deliveries d where d.state = 'dead')
            """
        );
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        return new(row.GetInt64(0), row.IsDBNull(1) ? null : row.GetFieldValue<DateTimeOffset>(1), row.GetInt64(2));
    }

    private static async Task<IReadOnlyList<Delivery>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var found = new List<Delivery>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            found.Add(Read(rows));
        return found;
    }

    private static Delivery Read(NpgsqlDataReader row) =>
        new(
            row.GetGuid(0),
            new(row.GetString(1)),
            Wire.Read<DeliveryChannel>(row.GetString(2)),
            row.GetInt64(3),
            row.GetGuid(4),
            row.GetString(5),
            row.GetString(6),
            Wire.Read<DeliveryState>(row.GetString(7)),
            row.GetInt32(8),
            row.GetFieldValue<DateTimeOffset>(9),
            row.IsDBNull(10) ? null : row.GetFieldValue<DateTimeOffset>(10),
            row.IsDBNull(11) ? null : row.GetFieldValue<DateTimeOffset>(11),
            row.IsDBNull(12) ? null : row.GetInt32(12),
            row.IsDBNull(13) ? null : row.GetString(13),
            row.GetFieldValue<DateTimeOffset>(14)
        );
}
