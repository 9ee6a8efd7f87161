using System.Collections.Concurrent;
using Ledger.Projections.Keys;
using Microsoft.Extensions.Primitives;

namespace Ledger.Api.Keys;

/// <summary>
/// Whose secret a token is, from memory after the first time. The answer can be kept as long as the log is the same, since a hash belongs to
/// one key for good; whether that key may act is never kept here: the account's own state decides it, with every command and every read.
/// </summary>
/// <param name="keys">The keys' read model.</param>
public sealed class KeyDirectory(KeyQueries keys)
{
    private const int Capacity = 1_000_000;
    private readonly ConcurrentDictionary<SecretHash, KeyOwner> _owners = new();
    private int _epoch;

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
        if (token is null || !KeySecret.IsWellFormed(token))
            return new((KeyOwner?)null);
        var hash = SecretHash.Of(token);
        return _owners.TryGetValue(hash, out var owner) ? new(owner) : LookUpAsync(hash, ct);
    }

    /// <summary>Forgets everything, as after a lost connection: a fail-over or a restore may have taken the newest keys away.</summary>
    public void Clear()
    {
        Interlocked.Increment(ref _epoch);
        _owners.Clear();
    }

    private async ValueTask<KeyOwner?> LookUpAsync(SecretHash hash, CancellationToken ct)
    {
        var epoch = Volatile.Read(ref _epoch);
        if (await keys.FindBySecretAsync(hash.ToString(), ct) is not { } owner)
            return null;
        if (_owners.Count >= Capacity)
            _owners.Clear();
        _owners.TryAdd(hash, owner);

        // Read before everything was forgotten, and written after it.
        if (epoch != Volatile.Read(ref _epoch))
            _owners.TryRemove(hash, out _);
        return owner;
    }
}
