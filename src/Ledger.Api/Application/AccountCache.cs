using System.Collections.Concurrent;
using Ledger.Domain;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Application;

/// <summary>
/// Committed states of accounts, bounded in number. Whatever stands here was true once and is checked by version before it counts,
/// so a stale entry costs an attempt and never a wrong answer.
/// </summary>
/// <param name="capacity">How many accounts are kept.</param>
/// <param name="cleared">Called when everything is forgotten, so that what else is in memory is forgotten with it.</param>
public sealed class AccountCache(int capacity, Action? cleared = null)
{
    private readonly ConcurrentDictionary<AccountId, Entry> _entries = new();
    private readonly ConcurrentQueue<AccountId> _clock = new();

    private int _epoch;

    /// <summary>Changes whenever everything is forgotten: what was read before that is not to be kept after it.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>How many accounts are kept now.</summary>
    public int Count => _entries.Count;

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
                if (Interlocked.CompareExchange(ref entry.Snapshot, snapshot, kept) == kept)
                    return;
            }
            else if (_entries.TryAdd(id, new() { Snapshot = snapshot }))
            {
                _clock.Enqueue(id);
                Evict();
                return;
            }
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
    public void Drop(AccountId id) => _entries.TryRemove(id, out _);

    /// <summary>Forgets everything, such as after a lost connection: nothing cached outlives a fail-over.</summary>
    public void Clear()
    {
        Interlocked.Increment(ref _epoch);
        _entries.Clear();
        cleared?.Invoke();
    }

    private void Evict()
    {
        // Second chance: who was used since the hand last passed stays for another round. Two rounds at most, then somebody goes.
        for (var steps = 2 * capacity; _entries.Count > capacity && steps > 0 && _clock.TryDequeue(out var id); steps--)
        {
            if (!_entries.TryGetValue(id, out var entry))
                continue;
            if (entry.Used)
            {
                entry.Used = false;
                _clock.Enqueue(id);
            }
            else
            {
                _entries.TryRemove(id, out _);
            }
        }
    }

    private sealed class Entry
    {
        public required AccountSnapshot Snapshot;
        public bool Used;
    }
}
