using System.Collections.Concurrent;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Projections.Keys;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Keys;

/// <summary>
/// Whose secret a token is, from memory after the first time. The answer can be kept as long as the log is the same, since a hash is one numbered
/// secret of one key for good; whether that secret may act is never kept here: the account's own state decides it, with every command and every read.
/// What is none of ours is not kept at all: anybody can make up tokens without end.
/// </summary>
/// <param name="keys">The keys' read model.</param>
/// <param name="options">How many are kept.</param>
/// <param name="time">The clock that says when a key was used.</param>
public sealed class KeyDirectory(KeyQueries keys, IOptions<LedgerOptions> options, TimeProvider time)
{
    private readonly TwoHalves<SecretHash, Known> _known = new(options.Value.CachedKeys);
    private readonly ConcurrentQueue<Known> _used = new();

    /// <summary>How many are kept now.</summary>
    public int Count => _known.Count;

    /// <summary>Whose key a token is; null where it is none of ours.</summary>
    public ValueTask<KeyOwner?> FindAsync(string? token, CancellationToken ct)
    {
        if (token is null || token.Length > KeySecret.MaxLength)
            return new((KeyOwner?)null);
        var hash = SecretHash.Of(token);
        if (_known.Find(hash) is { } known)
            return new(Use(known));

        // Only now: the checksum spares the database a look-up, and who is known has been looked up.
        return KeySecret.IsWellFormed(token) ? LookUpAsync(hash, ct) : new((KeyOwner?)null);
    }

    /// <summary>Forgets everything, as after a lost connection: a fail-over or a restore may have taken the newest keys away.</summary>
    public void Clear() => _known.Clear();

    /// <summary>When keys were used since this was asked the last time; whoever takes them sees to it that they are written.</summary>
    internal List<(AccountId Account, KeyId Key, DateTimeOffset At)> TakeUses()
    {
        var uses = new Dictionary<(AccountId, KeyId), DateTimeOffset>();
        for (var left = _used.Count; left > 0 && _used.TryDequeue(out var known); left--)
        {
            // Unmarked before it is read: a use in between is queued again, never lost.
            Volatile.Write(ref known.IsQueued, false);
            var (key, at) = ((known.Owner.Account, known.Owner.Key), known.UsedAt);
            if (!(uses.TryGetValue(key, out var later) && later >= at))
                uses[key] = at;
        }

        return [.. uses.Select(use => (use.Key.Item1, use.Key.Item2, use.Value))];
    }

    /// <summary>When keys of an account were used that nobody has written yet.</summary>
    internal IEnumerable<(KeyId Key, DateTimeOffset At)> UsesOf(AccountId account) =>
        _used.Where(known => known.Owner.Account == account).Select(known => (known.Owner.Key, known.UsedAt));

    private async ValueTask<KeyOwner?> LookUpAsync(SecretHash hash, CancellationToken ct)
    {
        var generation = _known.Generation;
        if (await keys.FindBySecretAsync(hash.ToString(), ct) is not { } owner)
            return null;
        var known = new Known(owner);
        _known.Keep(generation, hash, known);
        return Use(known);
    }

    private KeyOwner Use(Known known)
    {
        known.UsedAt = time.GetUtcNow();
        if (!Volatile.Read(ref known.IsQueued))
        {
            // Two at once may queue it twice, which does no harm.
            Volatile.Write(ref known.IsQueued, true);
            _used.Enqueue(known);
        }

        return known.Owner;
    }

    private sealed class Known(KeyOwner owner)
    {
        private long _usedAt;
        public bool IsQueued;

        public KeyOwner Owner { get; } = owner;

        public DateTimeOffset UsedAt
        {
            get => new(Volatile.Read(ref _usedAt), TimeSpan.Zero);
            set => Volatile.Write(ref _usedAt, value.UtcTicks);
        }
    }
}
