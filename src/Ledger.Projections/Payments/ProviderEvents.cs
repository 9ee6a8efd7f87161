using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Payments;

/// <summary>Something that a payment provider told, and what came of it.</summary>
/// <param name="Provider">The provider.</param>
/// <param name="EventId">The provider's name for it.</param>
/// <param name="Type">What it tells.</param>
/// <param name="FirstAt">When it came first.</param>
/// <param name="LastAt">When it came last.</param>
/// <param name="Times">How often it came.</param>
/// <param name="Account">Whom it concerned; null where nobody could be found.</param>
/// <param name="Order">Which order; null where none.</param>
/// <param name="Outcome"><c>done</c>, <c>repeated</c>, <c>ignored</c>, <c>mismatched</c>, <c>unmatched</c> or <c>refused</c>.</param>
/// <param name="Detail">What did not match, or why it was refused.</param>
public sealed record ProviderEventLine(
    string Provider,
    string EventId,
    string Type,
    DateTimeOffset FirstAt,
    DateTimeOffset LastAt,
    int Times,
    string? Account,
    string? Order,
    string Outcome,
    string? Detail
);

/// <summary>Keeps what payment providers have told, for people; a primary table.</summary>
/// <param name="database">Connections for reading and writing.</param>
public sealed class ProviderEvents(NpgsqlDataSource database)
{
    /// <summary>Writes one down, or that it came again; what came of it the first time is replaced only by what came of it now.</summary>
    public async Task KeepAsync(
        string provider,
        string eventId,
        string type,
        DateTimeOffset at,
        string? account,
        string? order,
        string outcome,
        string? detail,
        CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            """
            insert into provider_events as p (
              provider, event_id, type, first_at, last_at, times, account_id, order_id, outcome, detail
            )
            values ($1, $2, $3, $4, $4, 1, $5, $6, $7, $8)
            on conflict (provider, event_id) do update
            set
              last_at = excluded.last_at,
              times = p.times + 1,
              account_id = coalesce(excluded.account_id, p.account_id),
              order_id = coalesce(excluded.order_id, p.order_id),
              outcome = case when excluded.outcome = 'repeated' then p.outcome else excluded.outcome end,
              detail = case when excluded.outcome = 'repeated' then p.detail else excluded.detail end
            """
        );
        command.Parameters.Add(new() { Value = provider });
        command.Parameters.Add(new() { Value = eventId });
        command.Parameters.Add(new() { Value = type });
        command.Parameters.Add(new() { Value = at });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = account, NpgsqlDbType = NpgsqlDbType.Varchar });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = order, NpgsqlDbType = NpgsqlDbType.Varchar });
        command.Parameters.Add(new() { Value = outcome });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = detail, NpgsqlDbType = NpgsqlDbType.Varchar });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The latest, from a place back.</summary>
    /// <param name="outcome">Only those of an outcome; null for all.</param>
    /// <param name="before">The last one seen; null to begin with.</param>
    /// <param name="limit">How many.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<ProviderEventLine>> ListAsync(
        string? outcome,
        (DateTimeOffset At, string Provider, string EventId)? before,
        int limit,
        CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            """
            select
              p.provider,
              p.event_id,
              p.type,
              p.first_at,
              p.last_at,
              p.times,
              p.account_id,
              p.order_id,
              p.outcome,
              p.detail
            from provider_events p
            where ($1 is null or p.outcome = $1)
              and ($2::timestamptz is null or (p.last_at, p.provider, p.event_id) < ($2, $3, $4))
            order by
              p.last_at desc,
              p.provider desc,
              p.event_id desc
            limit $5
            """
        );
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = outcome, NpgsqlDbType = NpgsqlDbType.Varchar });
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset?> { TypedValue = before?.At, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        command.Parameters.Add(new() { Value = before?.Provider ?? "" });
        command.Parameters.Add(new() { Value = before?.EventId ?? "" });
        command.Parameters.Add(new() { Value = limit });
        var found = new List<ProviderEventLine>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            found.Add(
                new(
                    rows.GetString(0),
                    rows.GetString(1),
                    rows.GetString(2),
                    rows.GetFieldValue<DateTimeOffset>(3),
                    rows.GetFieldValue<DateTimeOffset>(4),
                    rows.GetInt32(5),
                    rows.IsDBNull(6) ? null : rows.GetString(6),
                    rows.IsDBNull(7) ? null : rows.GetString(7),
                    rows.GetString(8),
                    rows.IsDBNull(9) ? null : rows.GetString(9)
                )
            );
        }

        return found;
    }
}
