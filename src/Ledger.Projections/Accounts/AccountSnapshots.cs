using System.Collections.Immutable;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Balances;
using Ledger.Projections.Keys;
using Ledger.Projections.Payments;
using Ledger.Projections.Referrals;
using Npgsql;

namespace Ledger.Projections.Accounts;

/// <summary>An account's state with the head of its hash chain: what the next append follows.</summary>
/// <param name="Account">The state.</param>
/// <param name="LastHash">The hash of the last event; <see cref="HashChain.Start"/> before the first.</param>
public sealed record AccountSnapshot(Account Account, ReadOnlyMemory<byte> LastHash)
{
    /// <summary>An account without events.</summary>
    public static AccountSnapshot Missing(AccountId id) => new(Account.Empty(id), HashChain.Start);

    /// <summary>The state after the next event of its stream.</summary>
    /// <exception cref="InvalidDataException">The event has no hash, or is not the next one.</exception>
    /// <exception cref="UnknownEventTypeException">A newer server wrote it.</exception>
    internal AccountSnapshot Then(StoredEvent stored)
    {
        if (stored.Version != Account.Version + 1)
            throw new InvalidDataException($"{stored.StreamId} has no version {Account.Version + 1}.");
        return new(Account.Evolve(Account, LedgerEvents.ToFact(stored)), stored.ReadHash());
    }
}

/// <summary>Loads accounts: from the rows of the read models, or by folding the log.</summary>
/// <param name="database">Connections for reading.</param>
/// <param name="log">The log.</param>
/// <param name="checkpoints">The checkpoints that folds begin with; those of the database where null.</param>
public sealed class AccountSnapshots(NpgsqlDataSource database, IEventLog log, AccountCheckpoints? checkpoints = null)
{
    private const int Page = 1000;
    private const int PartsPage = 8;

    /// <summary>The checkpoints that folds begin with.</summary>
    public AccountCheckpoints Checkpoints { get; } = checkpoints ?? new(database);

    /// <summary>The state of each account as of one moment, in one round trip; accounts that do not exist come as such.</summary>
    public async Task<IReadOnlyDictionary<AccountId, AccountSnapshot>> LoadAsync(IReadOnlyCollection<AccountId> ids, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(ids);
        await using var connection = await database.OpenConnectionAsync(ct);
        var otherFormats = new List<AccountId>();
        var found = await ReadAsync(connection, ids, inTransaction: false, otherFormats, ct);
        foreach (var id in otherFormats)
            found.Add(id, await FoldAsync(id, long.MaxValue, ct));
        foreach (var id in ids)
            found.TryAdd(id, AccountSnapshot.Missing(id));
        return found;
    }

    /// <summary>The states that a connection's tables hold; accounts that do not exist, or are in another format, are left out.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="ids">The accounts.</param>
    /// <param name="inTransaction">Whether the connection is in a transaction already, in which nobody else can write to the tables.</param>
    /// <param name="otherFormats">Takes the accounts whose rows are in another format.</param>
    /// <param name="ct">Gives up.</param>
    internal static async Task<Dictionary<AccountId, AccountSnapshot>> ReadAsync(
        NpgsqlConnection connection,
        IReadOnlyCollection<AccountId> ids,
        bool inTransaction,
        List<AccountId>? otherFormats,
        CancellationToken ct
    )
    {
        var found = new Dictionary<AccountId, AccountSnapshot>(ids.Count);
        await using var batch = new NpgsqlBatch(connection);
        if (!inTransaction)
            batch.Timeout = NpgsqlEventLog.PatienceOf(connection.CommandTimeout);
        var wanted = ids.Select(id => id.Value).ToArray();

        // One snapshot for all of them: rows of different moments would not be a state. And the locks before the snapshot: a rebuild that swaps a
        // table in between would show the new table as it was before it was caught up with, beside old tables that are ahead of it.
        if (!inTransaction)
        {
            batch.BatchCommands.Add(new("begin transaction isolation level repeatable read read only"));
            batch.BatchCommands.Add(
                new("lock table accounts, pockets, holds, referrals, billing, orders, keys, sign_ins in access share mode")
            );
        }

        foreach (
            var sql in (string[])
                [AccountSql, PocketSql, HoldSql, KeySql, SignInRows.Select, ReferralRows.Select, BillingRows.Select, OrderRows.Select]
        )
            batch.BatchCommands.Add(new(sql) { Parameters = { new() { Value = wanted } } });
        if (!inTransaction)
            batch.BatchCommands.Add(new("commit"));

        await using var rows = await batch.ExecuteReaderAsync(ct);
        var accounts = new Dictionary<string, (Account Account, byte[] Hash)>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
        {
            var id = rows.GetString(0);
            if (rows.GetInt16(4) != AccountRows.Format)
                otherFormats?.Add(new(id));
            else
                accounts.Add(id, (ReadAccount(rows), rows.GetFieldValue<byte[]>(2)));
        }

        await rows.NextResultAsync(ct);
        var pockets = new Dictionary<string, List<Pocket>>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
            Add(pockets, rows.GetString(0), ReadPocket(rows));

        await rows.NextResultAsync(ct);
        var holds = new Dictionary<string, List<Hold>>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
            Add(holds, rows.GetString(0), ReadHold(rows));

        await rows.NextResultAsync(ct);
        var keys = new Dictionary<string, List<Key>>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
            Add(keys, rows.GetString(0), KeyQueries.Read(rows));

        await rows.NextResultAsync(ct);
        var signIns = new Dictionary<string, SignIns>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
            signIns.Add(rows.GetString(0), SignInRows.Read(rows));

        await rows.NextResultAsync(ct);
        var referrals = new Dictionary<string, Referral>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
            referrals.Add(rows.GetString(0), ReferralRows.Read(rows));

        await rows.NextResultAsync(ct);
        var billing = new Dictionary<string, BillingState>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
            billing.Add(rows.GetString(0), BillingRows.Read(rows));

        await rows.NextResultAsync(ct);
        var orders = new Dictionary<string, List<Order>>(StringComparer.Ordinal);
        while (await rows.ReadAsync(ct))
            Add(orders, rows.GetString(0), OrderRows.Read(rows));

        foreach (var (id, (account, hash)) in accounts)
        {
            found.Add(
                new(id),
                new(
                    Compose(
                        billing
                            .GetValueOrDefault(id, BillingState.None)
                            .Onto(
                                account with
                                {
                                    SignIns = signIns.GetValueOrDefault(id, SignIns.Empty),
                                    Referral = referrals.GetValueOrDefault(id, Referral.Empty),
                                },
                                orders.GetValueOrDefault(id, [])
                            ),
                        pockets.GetValueOrDefault(id, []),
                        holds.GetValueOrDefault(id, []),
                        keys.GetValueOrDefault(id, [])
                    ),
                    hash
                )
            );
        }

        return found;
    }

    /// <summary>
    /// The state as of a version; the last version where there are fewer. Folded from the latest checkpoint before it, so that some 5,000 events
    /// are read at most. Where checkpoints are missing, more are read, once: those that are passed are left behind on the way.
    /// </summary>
    public async Task<AccountSnapshot> FoldAsync(AccountId id, long version, CancellationToken ct)
    {
        var from = await Checkpoints.FindAsync(id, version, ct) ?? AccountSnapshot.Missing(id);
        return await FoldAsync(from, version, leavesCheckpoints: true, ct);
    }

    /// <summary>The same from the first event on, whatever checkpoints say: for whoever checks what else rests on them.</summary>
    public Task<AccountSnapshot> FoldWholeAsync(AccountId id, long version, CancellationToken ct) =>
        FoldAsync(AccountSnapshot.Missing(id), version, leavesCheckpoints: false, ct);

    private async Task<AccountSnapshot> FoldAsync(AccountSnapshot snapshot, long version, bool leavesCheckpoints, CancellationToken ct)
    {
        while (snapshot.Account.Version < version)
        {
            var limit = (int)Math.Min(Page, version - snapshot.Account.Version);
            var page = await log.ReadStreamAsync(snapshot.Account.Id.StreamId, snapshot.Account.Version, limit, ct);
            foreach (var stored in page)
            {
                snapshot = snapshot.Then(stored);
                if (leavesCheckpoints && snapshot.Account.Version % Checkpoints.Every == 0)
                    await Checkpoints.TrySaveAsync(snapshot, ct);
            }

            if (page.Count < limit)
                break;
        }

        return snapshot;
    }

    /// <summary>The state right after the whole append of a command's answer: after the event that answers it and what came with that.</summary>
    /// <param name="id">The account.</param>
    /// <param name="command">The command's id.</param>
    /// <param name="answer">The version of the event that answers it.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<AccountSnapshot> FoldAnswerAsync(AccountId id, Guid command, long answer, CancellationToken ct)
    {
        var snapshot = await FoldAsync(id, answer, ct);
        while (true)
        {
            // One event comes with a settled spend or a grant, one per pocket at most with the end of a hold or a reversal.
            var page = await log.ReadStreamAsync(id.StreamId, snapshot.Account.Version, PartsPage, ct);
            foreach (var stored in page)
            {
                // The time too: a command that is given again, and finds things already so, records what fell due since under its own id.
                if (stored.At != snapshot.Account.LastAt || stored.Id != EventIds.Part(id, command, stored.Version))
                    return snapshot;
                snapshot = snapshot.Then(stored);
            }

            if (page.Count < PartsPage)
                return snapshot;
        }
    }

    /// <summary>A state with the rows that it consists of besides its own.</summary>
    internal static Account Compose(Account account, IReadOnlyCollection<Pocket> pockets, IEnumerable<Hold> holds, IEnumerable<Key> keys)
    {
        var wallet = account.Wallet with
        {
            Open = [.. pockets.Where(pocket => pocket.Remaining > 0).Order(Comparer<Pocket>.Create(Pocket.CompareDrainOrder))],
            Emptied = pockets.Where(pocket => pocket.Remaining == 0).ToImmutableDictionary(pocket => pocket.Id),
            Holds = holds.ToImmutableDictionary(hold => hold.Id),
        };
        return account with { Wallet = wallet.WithDueReckoned(), Keys = new(keys.ToImmutableDictionary(key => key.Id)) };
    }

    private static void Add<T>(Dictionary<string, List<T>> to, string id, T item)
    {
        if (!to.TryGetValue(id, out var list))
            to.Add(id, list = []);
        list.Add(item);
    }

    private const string AccountSql = """
        select
          a.account_id,
          a.version,
          a.last_hash,
          a.last_at,
          a.format,
          a.status,
          a.country,
          a.opened_at,
          a.credits_granted,
          a.credits_spent,
          a.credits_reversed,
          a.credits_expired,
          a.credits_debt,
          a.usd_granted,
          a.usd_spent,
          a.usd_reversed,
          a.usd_expired,
          a.usd_debt,
          a.credits_clawed_back,
          a.usd_clawed_back
        from accounts a
        where a.account_id = any ($1)
        """;

    private static Account ReadAccount(NpgsqlDataReader row) =>
        Account.Empty(new(row.GetString(0))) with
        {
            Version = row.GetInt64(1),
            LastAt = row.GetFieldValue<DateTimeOffset>(3),
            Status = Wire.Read<AccountStatus>(row.GetString(5)),
            OpenedAt = row.GetFieldValue<DateTimeOffset>(7),
            Country = row.IsDBNull(6) ? null : row.GetString(6),
            Wallet = Wallet.Empty with
            {
                Credits = new(row.GetInt64(8), row.GetInt64(9), row.GetInt64(10), row.GetInt64(11), row.GetInt64(12), row.GetInt64(18)),
                Usd = new(row.GetInt64(13), row.GetInt64(14), row.GetInt64(15), row.GetInt64(16), row.GetInt64(17), row.GetInt64(19)),
            },
        };

    private const string PocketSql = """
        select
          p.account_id,
          p.pocket,
          p.unit,
          p.source,
          p.scope,
          p.granted,
          p.remaining,
          p.held,
          p.expires_at,
          p.opened_at,
          p.opened_by
        from pockets p
        where p.account_id = any ($1)
        """;

    private static Pocket ReadPocket(NpgsqlDataReader row) =>
        new(
            new(row.GetInt32(1)),
            Wire.Read<Unit>(row.GetString(2)),
            Wire.Read<PocketSource>(row.GetString(3)),
            row.IsDBNull(4) ? null : row.GetString(4),
            row.GetInt64(5),
            row.GetInt64(6),
            row.GetInt64(7),
            row.IsDBNull(8) ? null : row.GetFieldValue<DateTimeOffset>(8),
            row.GetFieldValue<DateTimeOffset>(9),
            row.GetGuid(10)
        );

    private const string HoldSql = """
        select
          h.account_id,
          h.hold_id,
          h.key_id,
          h.tool,
          h.units_nanos,
          h.unit,
          h.amount,
          h.price_nanos,
          h.card,
          h.entry,
          h.reference,
          h.pockets,
          h.parts,
          h.placed_at,
          h.expires_at,
          h.call
        from holds h
        where h.account_id = any ($1)
        """;

    private static Hold ReadHold(NpgsqlDataReader row) =>
        new(
            new(row.GetGuid(1)),
            new(row.GetString(2)),
            row.GetString(3),
            new(row.GetInt64(4)),
            new(row.GetInt64(6), Wire.Read<Unit>(row.GetString(5))),
            new(row.GetInt64(7)),
            row.GetInt64(8),
            row.GetString(9),
            row.GetString(10),
            HoldRows.Shares(row.GetFieldValue<int[]>(11), row.GetFieldValue<long[]>(12)),
            row.GetFieldValue<DateTimeOffset>(13),
            row.GetFieldValue<DateTimeOffset>(14),
            row.IsDBNull(15) ? null : HoldRows.ReadCall(row.GetString(15))
        );

    private const string KeySql = KeyQueries.Select + "\nwhere k.account_id = any ($1)";
}
