using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Balances;
using Ledger.Projections.Keys;
using Ledger.Projections.Payments;
using Ledger.Projections.Referrals;
using Ledger.Projections.Usage;

namespace Ledger.Projections;

/// <summary>The inline read models of an account, fed together: rows of state from the folded state, rows of usage from the facts.</summary>
public sealed class AccountWrites
{
    private readonly AccountRows _accounts = new();
    private readonly PocketRows _pockets = new();
    private readonly HoldRows _holds = new();
    private readonly ReferralRows _referrals = new();
    private readonly BillingRows _billing = new();
    private readonly OrderRows _orders = new();
    private readonly KeyRows _keys = new();
    private readonly SignInRows _signIns = new();
    private readonly TrailRows _trail = new();
    private readonly UsageRows _usage = new();

    /// <summary>For one writer.</summary>
    public AccountWrites() =>
        All = [
            .. _accounts.Parts,
            .. _pockets.Parts,
            .. _holds.Parts,
            _referrals,
            _billing,
            _orders,
            .. _keys.Parts,
            _signIns,
            _trail,
            _usage,
        ];

    /// <summary>What to open the writer with.</summary>
    public IReadOnlyList<InlineWrite> All { get; }

    /// <summary>Adds what a batch did to one account.</summary>
    /// <param name="n">The index of its stream in the batch, from 1.</param>
    /// <param name="before">Its state as it stands in the database.</param>
    /// <param name="after">Its state after the batch.</param>
    /// <param name="facts">What the batch appends to it.</param>
    /// <param name="hash">The hash of its last event.</param>
    public void Add(int n, Account before, Account after, IReadOnlyList<Fact> facts, ReadOnlyMemory<byte> hash)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        var id = after.Id.Value;
        _accounts.Add(n, before, after, hash);
        _pockets.Add(n, id, before.Wallet, after.Wallet);
        _holds.Add(n, id, before.Wallet, after.Wallet, facts);
        _referrals.Add(n, id, before.Referral, after.Referral);
        _billing.Add(n, before, after);
        _orders.Add(n, id, before.Orders, after.Orders);
        _keys.Add(n, id, before.Keys, after.Keys);
        _signIns.Add(n, id, before.SignIns, after.SignIns);
        _trail.Add(n, id, facts);
        _usage.Add(n, id, facts);
    }

    /// <summary>
    /// Adds the rows of an account that has none yet, as of a version, however many events led to it. Rows that are about single events, of usage and of the
    /// access trail, are the caller's.
    /// </summary>
    /// <param name="n">The index of its stream in the batch, from 1.</param>
    /// <param name="account">Its state.</param>
    /// <param name="hash">The hash of its last event.</param>
    public void AddWhole(int n, Account account, ReadOnlyMemory<byte> hash)
    {
        ArgumentNullException.ThrowIfNull(account);
        var (id, empty) = (account.Id.Value, Account.Empty(account.Id));
        _accounts.Add(n, empty, account, hash);
        _pockets.Add(n, id, empty.Wallet, account.Wallet);
        _holds.AddWhole(n, id, account.Wallet);
        _referrals.Add(n, id, empty.Referral, account.Referral);
        _billing.Add(n, empty, account);
        _orders.Add(n, id, empty.Orders, account.Orders);
        _keys.Add(n, id, empty.Keys, account.Keys);
        _signIns.Add(n, id, empty.SignIns, account.SignIns);
    }

    /// <summary>Empties every column.</summary>
    public void Clear()
    {
        foreach (var write in All)
            write.Clear();
    }
}
