using System.Collections.Concurrent;
using Ledger.Api.Application;
using Ledger.Projections.Keys;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Ledger.Api.Keys;

/// <summary>
/// Whose secret a token is, from memory after the first time. The answer can be kept as long as the log is the same, since a hash belongs to
/// one key for good; whether that key may act is never kept here: the account's own state decides it, with every command and every read.
/// </summary>
/// <param name="keys">The keys' read model.</param>
/// <param name="options">How many are kept.</param>
public sealed class KeyDirectory(KeyQueries keys, IOptions<LedgerOptions> options)
{
    // Two halves: when the young one is full it becomes the old one, and what the old one held is forgotten but for what was asked for meanwhile.
    // What is none of ours is not kept at all: anybody can make up tokens without end.
    private readonly int _half = Math.Max(1, options.Value.CachedKeys / 2);
    private readonly Lock _turn = new();
    private volatile Half _young = new();
    private volatile Half _old = new();

    /// <summary>How many are kept now.</summary>
    public int Count => _young.Owners.Count + _old.Owners.Count;

    /// <summary>The token of a request: <c>Authorization: Bearer …</c>; null where there is none.</summary>
    public static string? TokenOf(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        StringValues header = context.Request.Headers.Authorization;
        if (header.Count != 1 || header[0] is not { } value)
            return null;
        const string Scheme = "Bearer ";
        return value.Length > Scheme.Length && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? value[Scheme.Length..].Trim()
            : null;
    }

    /// <summary>Whose key a token is; null where it is none of ours.</summary>
    public ValueTask<KeyOwner?> FindAsync(string? token, CancellationToken ct)
    {
        if (token is null || token.Length > KeySecret.MaxLength)
            return new((KeyOwner?)null);
        var hash = SecretHash.Of(token);
        var (young, old) = (_young, _old);
        if (young.Owners.TryGetValue(hash, out var owner))
            return new(owner);
        if (!old.Owners.TryGetValue(hash, out owner))
        {
            // Only now: the checksum spares the database a look-up, and who is known has been looked up.
            return KeySecret.IsWellFormed(token) ? LookUpAsync(young, hash, ct) : new((KeyOwner?)null);
        }

        Keep(young, hash, owner);
        return new(owner);
    }

    /// <summary>Forgets everything, as after a lost connection: a fail-over or a restore may have taken the newest keys away.</summary>
    public void Clear()
    {
        lock (_turn)
            (_young, _old) = (new(), new());
    }

    private async ValueTask<KeyOwner?> LookUpAsync(Half young, SecretHash hash, CancellationToken ct)
    {
        if (await keys.FindBySecretAsync(hash.ToString(), ct) is not { } owner)
            return null;
        Keep(young, hash, owner);
        return owner;
    }

    /// <summary>Keeps an owner in the half that was the young one before it was read: where all was forgotten since, that half is forgotten too.</summary>
    private void Keep(Half young, SecretHash hash, KeyOwner owner)
    {
        if (!young.Owners.TryAdd(hash, owner) || Interlocked.Increment(ref young.Count) < _half)
            return;
        lock (_turn)
        {
            if (_young == young)
                (_young, _old) = (new(), young);
        }
    }

    private sealed class Half
    {
        public readonly ConcurrentDictionary<SecretHash, KeyOwner> Owners = new();
        public int Count;
    }
}
