using System.Data;
using System.Globalization;
using Ledger.Domain;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Ledger.Projections.Payments;
using Npgsql;

namespace Ledger.Projections.Rebuild;

/// <summary>What comparing one account's rows with the log came to.</summary>
/// <param name="Account">The account.</param>
/// <param name="Version">The version that was compared; 0 where there is no such stream.</param>
/// <param name="IsChecked">Whether it was compared; not so where folding it would have cost more than was allowed, or its rows are in another format.</param>
/// <param name="Differences">Which rows and columns are not what the log says, without their contents; empty where all is well.</param>
public sealed record DriftVerdict(AccountId Account, long Version, bool IsChecked, IReadOnlyList<string> Differences);

/// <summary>
/// Compares the live rows of single accounts with the fold of the log: cheap enough to be done all the time, where a
/// <see cref="Rebuilder"/>'s comparison goes over everything. Nothing is locked, and no snapshot is kept while the log is folded: the rows tell their
/// version, and what the log says about a version never changes.
/// </summary>
/// <param name="database">Connections for reading.</param>
/// <param name="snapshots">Folds the log.</param>
public sealed class DriftCheck(NpgsqlDataSource database, AccountSnapshots snapshots)
{
    /// <summary>Compares one account.</summary>
    /// <param name="id">The account.</param>
    /// <param name="maxEvents">The most events that may be folded for it, from its last checkpoint on; more only where something is wrong.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<DriftVerdict> CheckAsync(AccountId id, long maxEvents, CancellationToken ct)
    {
        var live = await ReadAsync(id, ct);
        var from = await snapshots.Checkpoints.FindAsync(id, live.Version, ct);
        if (live.Version - (from?.Account.Version ?? 0) > maxEvents || live.IsOtherFormat)
            return new(id, live.Version, false, []);
        List<string> differences = [.. Differences(live, await snapshots.FoldAsync(id, live.Version, ct))];
        if (differences.Count == 0 || from is null)
            return new(id, live.Version, true, differences);

        // The rows or the checkpoint: now it is worth reading all there is.
        List<string> whole = [.. Differences(live, await snapshots.FoldWholeAsync(id, live.Version, ct))];
        return new(id, live.Version, true, whole.Count > 0 ? whole : [$"account_checkpoints {from.Account.Version}"]);
    }

    /// <summary>All that the tables say about an account, as of one moment.</summary>
    private async Task<Live> ReadAsync(AccountId id, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);

        // The locks before the snapshot, as whoever loads an account takes them: a rebuild may be about to swap the tables.
        await using (
            var take = new NpgsqlCommand(
                "lock table accounts, pockets, holds, referrals, billing, orders, keys, sign_ins, usage_hourly in access share mode",
                connection
            )
        )
            await take.ExecuteNonQueryAsync(ct);
        var otherFormats = new List<AccountId>();
        var states = await AccountSnapshots.ReadAsync(connection, [id], inTransaction: true, otherFormats, ct);
        await using var command = new NpgsqlCommand(
            """
            select
              coalesce((select s.version from mt_streams s where s.id = $2), 0),
              coalesce(sum(u.credits + u.pack_credits), 0)::bigint,
              coalesce(sum(u.credits_reversed + u.pack_credits_reversed), 0)::bigint,
              coalesce(sum(u.usd), 0)::bigint,
              coalesce(sum(u.usd_reversed), 0)::bigint
            from usage_hourly u
            where u.account_id = $1
            """,
            connection
        )
        {
            Parameters =
            {
                new() { Value = id.Value },
                new() { Value = id.StreamId },
            },
        };
        Live live;
        await using (var row = await command.ExecuteReaderAsync(ct))
        {
            await row.ReadAsync(ct);
            live = new(
                row.GetInt64(0),
                otherFormats.Count > 0,
                states.GetValueOrDefault(id) ?? AccountSnapshot.Missing(id),
                (row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4))
            );
        }

        await transaction.CommitAsync(ct);
        return live;
    }

    private static IEnumerable<string> Differences(Live live, AccountSnapshot folded)
    {
        var (rows, log) = (Rows(live.State), Rows(folded));
        foreach (var name in rows.Keys.Union(log.Keys).Order(StringComparer.Ordinal))
        {
            if (!rows.TryGetValue(name, out var row))
                yield return name + " is missing";
            else if (!log.TryGetValue(name, out var fact))
                yield return name + " should not be there";
            else if (row != fact)
                yield return name;
        }

        var (credits, usd) = (folded.Account.Wallet.Credits, folded.Account.Wallet.Usd);
        foreach (
            var (name, row, fact) in ((string, long, long)[])
                [
                    ("usage_hourly.credits", live.Usage.Credits, credits.Spent),
                    ("usage_hourly.credits_reversed", live.Usage.CreditsReversed, credits.Reversed),
                    ("usage_hourly.usd", live.Usage.Usd, usd.Spent),
                    ("usage_hourly.usd_reversed", live.Usage.UsdReversed, usd.Reversed),
                ]
        )
        {
            if (row != fact)
                yield return name;
        }
    }

    /// <summary>A state as lines that can be compared, by the names of their rows. The contents are for comparing only: they hold what no log may.</summary>
    private static SortedDictionary<string, string> Rows(AccountSnapshot snapshot)
    {
        var (account, wallet) = (snapshot.Account, snapshot.Account.Wallet);
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (account.Version == 0)
            return rows;
        rows["accounts.version"] = account.Version.ToString(CultureInfo.InvariantCulture);
        rows["accounts.last_hash"] = Convert.ToHexString(snapshot.LastHash.Span);
        rows["accounts.last_at"] = account.LastAt.ToString("O", CultureInfo.InvariantCulture);
        rows["accounts.status"] = account.Status.ToString();
        rows["accounts.country"] = account.Country ?? "";
        rows["accounts.opened_at"] = account.OpenedAt.ToString("O", CultureInfo.InvariantCulture);
        rows["accounts.credits"] = wallet.Credits.ToString();
        rows["accounts.usd"] = wallet.Usd.ToString();
        rows["pockets in drain order"] = string.Join(' ', wallet.Open.Select(pocket => pocket.Id));
        foreach (var pocket in wallet.Pockets)
            rows[string.Create(CultureInfo.InvariantCulture, $"pockets {pocket.Id.Number}")] = pocket.ToString();
        foreach (var hold in wallet.Holds.Values)
            rows[$"holds {hold.Id.Value}"] = hold with { Allocated = [] } + string.Join<PocketShare>(' ', hold.Allocated);
        foreach (var key in account.Keys.Keys.Values)
            rows[$"keys {key.Id.Value}"] = key with { AllowedModels = [] } + string.Join('\n', key.AllowedModels);
        rows["sign_ins"] =
            $"{account.SignIns.EndedAt:O} {string.Join(' ', account.SignIns.Ended.OrderBy(ended => ended.Key).Select(ended => $"{ended.Key} {ended.Value:O}"))}";
        rows["referrals"] = account.Referral.ToString();
        rows["billing"] = BillingText.Write(BillingState.Of(account));
        foreach (var order in account.Orders.All.Values)
            rows[$"orders {order.Id.Value}"] = BillingText.Write(order);
        return rows;
    }

    private sealed record Live(
        long Version,
        bool IsOtherFormat,
        AccountSnapshot State,
        (long Credits, long CreditsReversed, long Usd, long UsdReversed) Usage
    );
}
