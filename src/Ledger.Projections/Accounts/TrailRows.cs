using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Accounts;

/// <summary>Writes which events of an account are about access to it: its keys, its sign-ins and its status.</summary>
public sealed class TrailRows : InlineWrite
{
    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<string> _accountId;
    private readonly InlineColumn<long> _version;
    private readonly InlineColumn<Guid> _eventId;

    /// <summary>For one writer.</summary>
    public TrailRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
        _version = Column<long>("version", NpgsqlDbType.Bigint);
        _eventId = Column<Guid>("event_id", NpgsqlDbType.Uuid);
    }

    /// <inheritdoc/>
    public override string Sql =>
        """
            trail_added as (
              insert into trail (account_id, version, event_id)
              select
                t.account_id,
                t.version,
                t.event_id
              from unnest(:n, :account_id, :version, :event_id) as t (n, account_id, version, event_id)
              where :won(t.n)
            )
            """;

    /// <summary>Adds the rows of one account's facts.</summary>
    public void Add(int n, string accountId, IReadOnlyList<Fact> facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        foreach (var fact in facts)
        {
            if (!IsOfAccess(fact.Event))
                continue;
            _n.Add(n);
            _accountId.Add(accountId);
            _version.Add(fact.Version);
            _eventId.Add(fact.Id);
        }
    }

    /// <summary>Writes whole rows.</summary>
    internal static async Task CopyAsync(
        NpgsqlConnection connection,
        IReadOnlyList<(AccountId Account, long Version, Guid Event)> trail,
        CancellationToken ct
    )
    {
        await using var rows = await connection.BeginBinaryImportAsync(
            "copy trail (account_id, version, event_id) from stdin (format binary)",
            ct
        );
        foreach (var (account, version, id) in trail)
        {
            await rows.StartRowAsync(ct);
            await rows.WriteAsync(account.Value, NpgsqlDbType.Varchar, ct);
            await rows.WriteAsync(version, NpgsqlDbType.Bigint, ct);
            await rows.WriteAsync(id, NpgsqlDbType.Uuid, ct);
        }

        await rows.CompleteAsync(ct);
    }

    /// <summary>Whether an event says who may act for an account; money that moves does not.</summary>
    public static bool IsOfAccess(AccountEvent @event) =>
        @event is not (WalletEvent or ReferralEvent or SubscriptionEvent or PaymentEvent or AlertEvent);
}
