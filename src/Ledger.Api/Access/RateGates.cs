using System.Threading.RateLimiting;

namespace Ledger.Api.Access;

/// <summary>A bucket of requests that one identity shares; the first three are those of the tools document.</summary>
public enum RateBucket
{
    /// <summary>Reading one's referrals: 60 in 60 s.</summary>
    ReferralRead,

    /// <summary>Applying a referral code: 10 in 60 s.</summary>
    ReferralApply,

    /// <summary>Signing in, one-time codes and the like: 20 in 60 s by address of the person.</summary>
    Authentication,

    /// <summary>Sign-ins that failed, by address of the machine: 60 in 60 s. Many people may share one.</summary>
    FailedSignIns,

    /// <summary>Registering and asking for codes, by address of the machine: 120 in 60 s, since addresses of people can be made up without end.</summary>
    Newcomers,

    /// <summary>One-time codes sent to one person: 30 in 24 h, each good for five tries, so that guessing is hopeless.</summary>
    Codes,

    /// <summary>Managing keys and the like: a guard against loops gone wild, 6,000 in 60 s.</summary>
    Management,
}

/// <summary>Whether a request may pass, and if not, when to come back.</summary>
/// <param name="MayPass">Whether.</param>
/// <param name="RetryAfter">When to come back; zero where it may pass.</param>
public readonly record struct Passage(bool MayPass, TimeSpan RetryAfter);

/// <summary>Counts requests by identity, never by address alone, on this node.</summary>
public sealed class RateGates : IDisposable
{
    private readonly PartitionedRateLimiter<(RateBucket Bucket, string Identity)> _buckets = PartitionedRateLimiter.Create<
        (RateBucket Bucket, string Identity),
        (RateBucket, string)
    >(key =>
        RateLimitPartition.GetFixedWindowLimiter(
            key,
            static key =>
                new()
                {
                    PermitLimit = LimitOf(key.Item1),
                    Window = WindowOf(key.Item1),
                    QueueLimit = 0,
                }
        )
    );

    /// <summary>How long a bucket's window is.</summary>
    public static TimeSpan WindowOf(RateBucket bucket) => bucket == RateBucket.Codes ? TimeSpan.FromHours(24) : TimeSpan.FromSeconds(60);

    /// <summary>How many requests a bucket takes in its window.</summary>
    public static int LimitOf(RateBucket bucket) =>
        bucket switch
        {
            RateBucket.ReferralRead => 60,
            RateBucket.ReferralApply => 10,
            RateBucket.Authentication => 20,
            RateBucket.FailedSignIns => 60,
            RateBucket.Newcomers => 120,
            RateBucket.Codes => 30,
            RateBucket.Management => 6000,
        };

    /// <summary>Counts one request.</summary>
    public Passage Count(RateBucket bucket, string identity) => Acquire(bucket, identity, 1);

    /// <summary>Whether there is room for one more, without counting it.</summary>
    public Passage Look(RateBucket bucket, string identity) => Acquire(bucket, identity, 0);

    /// <inheritdoc/>
    public void Dispose() => _buckets.Dispose();

    private Passage Acquire(RateBucket bucket, string identity, int count)
    {
        using var lease = _buckets.AttemptAcquire((bucket, identity), count);
        return lease.IsAcquired ? new(true, TimeSpan.Zero)
            : lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? new(false, after)
            : new(false, WindowOf(bucket));
    }
}
