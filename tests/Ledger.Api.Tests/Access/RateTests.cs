using Ledger.Api.Access;
using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Testing;

namespace Ledger.Api.Tests.Access;

public sealed class RateTests
{
    private static readonly AccountId Account = new("acc0000000000001");

    private static Key KeyOf(string id, KeyRateLimit? limit = null) =>
        new(
            new(id),
            "ci",
            KeyKind.Inference,
            KeyBilling.PayPerToken,
            null,
            "hash",
            "lk",
            "abcd",
            null,
            null,
            LimitReset.None,
            [],
            limit,
            null,
            FixedClock.Start,
            null,
            0,
            0,
            0
        );

    [Fact]
    public void A_key_may_burst_and_then_waits_for_its_refill()
    {
        using var buckets = new KeyBuckets();
        (KeyRateLimit.Generic.Burst, KeyRateLimit.Generic.RefillPerSecond).ShouldBe((10, Quantity.Parse("0.5")));

        // Slower than that, so that nothing comes back while it is counted.
        var slow = new KeyRateLimit(10, Quantity.Parse("0.001"), false);
        for (var n = 9; n >= 0; n--)
        {
            var passage = buckets.Count(Account, KeyOf("one", slow), KeyRateLimit.Generic)!.Value;
            passage.MayPass.ShouldBeTrue();
            passage.Limit.ShouldBe(10);
            passage.Remaining.ShouldBe(n);
            passage.Reset.ShouldBe(TimeSpan.FromSeconds(1000 * (10 - n)));
        }

        var refused = buckets.Count(Account, KeyOf("one", slow), KeyRateLimit.Generic)!.Value;
        refused.MayPass.ShouldBeFalse();
        refused.Remaining.ShouldBe(0);
        refused.RetryAfter.ShouldBe(TimeSpan.FromSeconds(1000));
        buckets.Count(Account, KeyOf("two"), KeyRateLimit.Generic)!.Value.MayPass.ShouldBeTrue("each key has its own");
        buckets.Count(new("acc0000000000002"), KeyOf("one"), KeyRateLimit.Generic)!.Value.MayPass.ShouldBeTrue("and each account");
    }

    [Fact]
    public async Task What_was_used_comes_back()
    {
        using var buckets = new KeyBuckets();
        var key = KeyOf("one", new(1, Quantity.Of(20), false));
        buckets.Count(Account, key, KeyRateLimit.Generic)!.Value.MayPass.ShouldBeTrue();
        await Eventually.IsSoAsync(() => buckets.Count(Account, key, KeyRateLimit.Generic)!.Value.MayPass);
    }

    [Fact]
    public void A_keys_own_limit_replaces_the_routes_and_a_changed_one_begins_anew()
    {
        using var buckets = new KeyBuckets();
        var key = KeyOf("one", new(1, Quantity.Parse("0.001"), false));
        buckets.Count(Account, key, KeyRateLimit.ToolTuned)!.Value.MayPass.ShouldBeTrue();
        buckets.Count(Account, key, KeyRateLimit.ToolTuned)!.Value.MayPass.ShouldBeFalse();
        var raised = key with { RateLimit = new(2, Quantity.Parse("0.001"), false) };
        buckets.Count(Account, raised, KeyRateLimit.ToolTuned)!.Value.Remaining.ShouldBe(1);
        buckets.Count(Account, key with { RateLimit = new(0, default, true) }, KeyRateLimit.ToolTuned).ShouldBeNull();
    }

    [Theory]
    [InlineData(RateBucket.ReferralRead, 60)]
    [InlineData(RateBucket.ReferralApply, 10)]
    [InlineData(RateBucket.Authentication, 20)]
    public void The_documents_buckets_are_by_identity(RateBucket bucket, int limit)
    {
        using var gates = new RateGates();
        for (var n = 0; n < limit; n++)
            gates.Count(bucket, "one").MayPass.ShouldBeTrue();
        gates.Look(bucket, "one").MayPass.ShouldBeFalse();
        var refused = gates.Count(bucket, "one");
        refused.MayPass.ShouldBeFalse();
        refused.RetryAfter.ShouldBeInRange(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));
        gates.Count(bucket, "two").MayPass.ShouldBeTrue();
    }
}
