using System.Threading.RateLimiting;
using Ledger.Domain;
using Ledger.Domain.Keys;

namespace Ledger.Api.Access;

/// <summary>What a key's own bucket says of a request, as the headers of inference routes tell it.</summary>
/// <param name="MayPass">Whether it may pass.</param>
/// <param name="Limit">How many may come at once.</param>
/// <param name="Remaining">How many may still come now.</param>
/// <param name="Reset">When the bucket is full again, if nothing more comes.</param>
/// <param name="RetryAfter">When the next one may come; zero where this one may.</param>
public readonly record struct KeyPassage(bool MayPass, int Limit, int Remaining, TimeSpan Reset, TimeSpan RetryAfter);

/// <summary>
/// Counts inference requests by key, on this node: a bucket that holds a burst and fills again steadily. A key whose limit was changed has a new bucket from
/// then on.
/// </summary>
public sealed class KeyBuckets : IDisposable
{
    private const double NanosPerUnit = 1_000_000_000;

    private readonly PartitionedRateLimiter<(AccountId Account, KeyId Key, KeyRateLimit Limit)> _buckets = PartitionedRateLimiter.Create<
        (AccountId Account, KeyId Key, KeyRateLimit Limit),
        (AccountId, KeyId, KeyRateLimit)
    >(asked => RateLimitPartition.GetTokenBucketLimiter(asked, static asked => OptionsOf(asked.Item3)));

    /// <summary>Counts one request of a key.</summary>
    /// <param name="account">Whose key it is.</param>
    /// <param name="key">The key.</param>
    /// <param name="standard">The route's own bucket, for keys that have none of theirs.</param>
    /// <returns>Null where the key has no limit at all.</returns>
    public KeyPassage? Count(AccountId account, Key key, KeyRateLimit standard)
    {
        ArgumentNullException.ThrowIfNull(key);
        var limit = key.RateLimit ?? standard;
        if (limit.Unlimited)
            return null;
        var bucket = (account, key.Id, limit);
        using var lease = _buckets.AttemptAcquire(bucket);
        var remaining = (int)(_buckets.GetStatistics(bucket)?.CurrentAvailablePermits ?? 0);
        var perToken = Seconds(NanosPerUnit / limit.RefillPerSecond.Nanos);
        return new(
            lease.IsAcquired,
            limit.Burst,
            remaining,
            Seconds((limit.Burst - remaining) * NanosPerUnit / limit.RefillPerSecond.Nanos),
            lease.IsAcquired ? TimeSpan.Zero
                : lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after
                : perToken
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _buckets.Dispose();

    // A lawful limit may be as slow as one request in thirty years; nobody waits for longer than one.
    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(Math.Min(seconds, 365 * 24 * 3600d));

    /// <summary>As many whole tokens at a time as come in about a tenth of a second, at least one; and as long as these take to come.</summary>
    private static TokenBucketRateLimiterOptions OptionsOf(KeyRateLimit limit)
    {
        var perSecond = limit.RefillPerSecond.Nanos / NanosPerUnit;
        var tokens = Math.Max(1, (int)(perSecond / 10));
        return new()
        {
            TokenLimit = limit.Burst,
            TokensPerPeriod = Math.Min(tokens, limit.Burst),
            ReplenishmentPeriod = Seconds(Math.Min(tokens, limit.Burst) / perSecond),
            QueueLimit = 0,
        };
    }
}
