using Ledger.Domain;
using Npgsql;

namespace Ledger.Projections.Balances;

/// <summary>An account in which something has lapsed that is not journalled yet.</summary>
/// <param name="Account">The account.</param>
/// <param name="Version">The version it was at.</param>
public readonly record struct DueAccount(AccountId Account, long Version);

/// <summary>A place in the order in which things lapse, from which a search goes on.</summary>
/// <param name="At">When something lapsed.</param>
/// <param name="Account">In which account.</param>
public readonly record struct DuePlace(DateTimeOffset At, string Account)
{
    /// <summary>Before everything.</summary>
    public static readonly DuePlace Start = After(DateTimeOffset.MinValue);

    /// <summary>Before everything that lapses at a time or later.</summary>
    public static DuePlace After(DateTimeOffset at) => new(at, "");
}

/// <summary>Some of the accounts that are due.</summary>
/// <param name="Accounts">Each once.</param>
/// <param name="Last">Where to go on; null where there is no more.</param>
public sealed record DuePage(IReadOnlyList<DueAccount> Accounts, DuePlace? Last);

/// <summary>Finds accounts in which something has become due: holds or pockets that lapsed, a period, an order or a purchase; in the order in which it did.</summary>
/// <param name="database">Connections for reading.</param>
public sealed class DueAccounts(NpgsqlDataSource database)
{
    /// <summary>Accounts with holds that have lapsed by a time, from a place on, by at most <paramref name="limit"/> holds.</summary>
    public Task<DuePage> WithHoldsAsync(DateTimeOffset now, DuePlace after, int limit, CancellationToken ct) =>
        FindAsync(
            """
            select
              h.account_id,
              h.expires_at,
              a.version
            from holds h
            join accounts a on a.account_id = h.account_id
            where h.expires_at <= $1
              and (h.expires_at, h.account_id) > ($2, $3)
            order by h.expires_at, h.account_id
            limit $4
            """,
            now,
            after,
            limit,
            ct
        );

    /// <summary>Accounts with pockets that have lapsed by a time with something free in them, from a place on, by at most <paramref name="limit"/> pockets.</summary>
    public Task<DuePage> WithPocketsAsync(DateTimeOffset now, DuePlace after, int limit, CancellationToken ct) =>
        FindAsync(
            """
            select
              p.account_id,
              p.expires_at,
              a.version
            from pockets p
            join accounts a on a.account_id = p.account_id
            where p.expires_at <= $1
              and (p.expires_at, p.account_id) > ($2, $3)
              -- what is still held lapses when its hold ends
              and p.remaining > p.held
            order by p.expires_at, p.account_id
            limit $4
            """,
            now,
            after,
            limit,
            ct
        );

    /// <summary>Accounts in which a period, an order or a purchase is due by a time, from a place on, at most <paramref name="limit"/>.</summary>
    public Task<DuePage> WithBillingAsync(DateTimeOffset now, DuePlace after, int limit, CancellationToken ct) =>
        FindAsync(
            """
            select
              b.account_id,
              b.due_at,
              a.version
            from billing b
            join accounts a on a.account_id = b.account_id
            where b.due_at <= $1
              and (b.due_at, b.account_id) > ($2, $3)
            order by b.due_at, b.account_id
            limit $4
            """,
            now,
            after,
            limit,
            ct
        );

    private async Task<DuePage> FindAsync(string sql, DateTimeOffset now, DuePlace after, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.Add(new() { Value = now });
        command.Parameters.Add(new() { Value = after.At });
        command.Parameters.Add(new() { Value = after.Account });
        command.Parameters.Add(new() { Value = limit });
        var found = new List<DueAccount>();
        var last = after;
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            found.Add(new(new(rows.GetString(0)), rows.GetInt64(2)));
            last = new(rows.GetFieldValue<DateTimeOffset>(1), rows.GetString(0));
        }

        return new([.. found.DistinctBy(due => due.Account)], found.Count < limit ? null : last);
    }
}
