using System.Collections.Concurrent;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Application;

/// <summary>
/// Committed states of accounts, bounded in number and in size. Whatever stands here was true once and is checked by version before it counts,
/// so a stale entry costs an attempt and never a wrong answer.
/// </summary>
/// <param name="capacity">How many accounts are kept; an account with many keys, pockets and holds counts for several.</param>
/// <param name="cleared">Called when everything is forgotten, so that what else is in memory is forgotten with it.</param>
public sealed class AccountCache(int capacity, Action? cleared = null)
{
    /// <summary>As many keys, pockets and holds together take about as much room as the rest of an account.</summary>
    private const int PartsPerWeight = 8;

    private readonly ConcurrentDictionary<AccountId, Entry> _entries = new();

    // Who comes and goes does so under the lock, so that the ring always holds exactly what the dictionary holds. Looking up takes no lock.
    private readonly Lock _lock = new();
    private readonly List<Entry> _ring = [];
    private int _hand;
    private long _weight;
    private int _epoch;

    /// <summary>Changes whenever everything is forgotten: what was read before that is not to be kept after it.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>How many accounts are kept now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _ring.Count;
        }
    }

    /// <summary>The state of an account, if it is kept.</summary>
    public AccountSnapshot? Find(AccountId id)
    {
        if (!_entries.TryGetValue(id, out var entry))
            return null;
        entry.Used = true;
        return entry.Snapshot;
    }

    /// <summary>Keeps a committed state unless a later one is kept already.</summary>
    public void Keep(AccountSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var id = snapshot.Account.Id;
        while (true)
        {
            if (_entries.TryGetValue(id, out var entry))
            {
                var kept = entry.Snapshot;
                if (kept.Account.Version >= snapshot.Account.Version)
                    return;
                if (Interlocked.CompareExchange(ref entry.Snapshot, snapshot, kept) != kept)
                    continue;
                if (WeightOf(snapshot.Account) != entry.Weight)
                    Weigh(entry);
                return;
            }

            if (TryAdd(id, new() { Snapshot = snapshot }))
                return;
        }
    }

    /// <summary>Keeps a committed state as above, unless everything was forgotten since it was asked for.</summary>
    /// <param name="snapshot">The state.</param>
    /// <param name="epoch">The <see cref="Epoch"/> before it was asked for.</param>
    public void Keep(AccountSnapshot snapshot, int epoch)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (epoch != Epoch)
            return;
        Keep(snapshot);

        // Forgotten in between: then this entry came either before the end, and is gone, or after it.
        if (epoch != Epoch)
            Drop(snapshot.Account.Id);
    }

    /// <summary>Forgets one account.</summary>
    public void Drop(AccountId id)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(id, out var entry))
                Remove(entry);
        }
    }

    /// <summary>Forgets everything, such as after a lost connection: nothing cached outlives a fail-over.</summary>
    public void Clear()
    {
        Interlocked.Increment(ref _epoch);
        lock (_lock)
        {
            _entries.Clear();
            foreach (var entry in _ring)
                entry.Place = -1;
            _ring.Clear();
            (_hand, _weight) = (0, 0);
        }

        cleared?.Invoke();
    }

    private static int WeightOf(Account account) =>
        1
        + (
            (account.Keys.Keys.Count + account.Wallet.Holds.Count + account.Wallet.Emptied.Count + account.Wallet.Open.Length)
            / PartsPerWeight
        );

    private bool TryAdd(AccountId id, Entry entry)
    {
        lock (_lock)
        {
            if (!_entries.TryAdd(id, entry))
                return false;
            entry.Place = _ring.Count;
            _ring.Add(entry);
            Weigh(entry);
            return true;
        }
    }

    private void Weigh(Entry entry)
    {
        lock (_lock)
        {
            // Gone meanwhile.
            if (entry.Place < 0)
                return;
            var weight = WeightOf(Volatile.Read(ref entry.Snapshot).Account);
            _weight += weight - entry.Weight;
            entry.Weight = weight;
            Evict(entry);
        }
    }

    private void Evict(Entry newest)
    {
        // Second chance: who was used since the hand last passed stays for another round. Two rounds at most, then somebody goes; but never
        // who has just come, who would be loaded again at once.
        for (var steps = 2 * _ring.Count; _weight > capacity && _ring.Count > 1 && steps > 0; steps--)
        {
            if (_hand >= _ring.Count)
                _hand = 0;
            var entry = _ring[_hand];
            if (entry.Used || entry == newest)
                entry.Used = false;
            else
                Remove(entry);
            _hand++;
        }
    }

    private void Remove(Entry entry)
    {
        _entries.TryRemove(new(entry.Snapshot.Account.Id, entry));
        var last = _ring[^1];
        _ring[entry.Place] = last;
        last.Place = entry.Place;
        _ring.RemoveAt(_ring.Count - 1);
        _weight -= entry.Weight;
        entry.Place = -1;
    }

    private sealed class Entry
    {
        public required AccountSnapshot Snapshot;
        public volatile bool Used;
        public volatile int Weight;
        public int Place;
    }
}
