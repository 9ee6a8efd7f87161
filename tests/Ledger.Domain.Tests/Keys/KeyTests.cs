using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Keys;

public class KeyTests
{
    private static CreateKey Create(
        KeyId key,
        long? limit = null,
        DateTimeOffset? expiresAt = null,
        char secret = 'a',
        Amount? limitUsd = null
    ) =>
        new(
            Alice,
            key,
            "ci",
            KeyKind.Inference,
            KeyBilling.PayPerToken,
            null,
            new string(secret, 64),
            "lk_live_",
            "9x2Q",
            limit is { } credits ? Amount.Credits(credits) : null,
            limitUsd,
            LimitReset.None,
            [],
            null,
            expiresAt
        );

    private static Spend Spend(string reference, long units = 1, KeyId? key = null, string tool = "chat") =>
        new(Alice, key ?? Other, tool, Quantity.Of(units), reference);

    /// <summary>100 credits, and the key <c>Other</c> with a limit.</summary>
    private static Scenario GivenLimit(
        long limit,
        LimitReset reset = LimitReset.None,
        params Ledger.Domain.Accounts.AccountEvent[] events
    ) => GivenAccount(Granted(1, 100), Created(Other, limit: limit, reset: reset)).And(events);

    [Fact]
    public void Creating_a_key_is_recorded() =>
        GivenAccount().When(Create(Other, 50, Noon.AddDays(1))).Then(Created(Other, limit: 50, expiresAt: Noon.AddDays(1)));

    [Fact]
    public void Creating_a_key_again_is_answered_by_its_creation() =>
        GivenAccount(Created(Other)).When(Create(Other)).ThenRepeated(Created(Other));

    [Fact]
    public void Creating_a_key_again_with_another_secret_is_rejected() =>
        GivenAccount(Created(Other)).When(Create(Other, secret: 'b')).ThenRejected(RejectionCode.ReferenceConflict);

    [Fact]
    public void Creating_a_key_in_no_account_is_rejected() => Given().When(Create(Other)).ThenRejected(RejectionCode.AccountNotFound);

    [Fact]
    public void A_limit_that_allows_nothing_is_rejected()
    {
        GivenAccount().When(Create(Other, 0)).ThenRejected(RejectionCode.AmountOutOfRange);
        GivenAccount().When(Create(Other, -1)).ThenRejected(RejectionCode.AmountOutOfRange);
        GivenAccount().When(Create(Other, limitUsd: Amount.Usd(0))).ThenRejected(RejectionCode.AmountOutOfRange);
    }

    [Fact]
    public void A_key_that_expires_at_once_is_rejected() =>
        GivenAccount().When(Create(Other, expiresAt: Noon)).ThenRejected(RejectionCode.ExpiryNotInFuture);

    [Fact]
    public void Revoking_a_key_is_recorded() =>
        GivenAccount()
            .When(new RevokeKey(Alice, Main, "leaked"))
            .Then(new KeyRevoked(Main, "leaked"))
            .After.Keys.Find(Main)!
            .UsableAt(Noon)
            .ShouldBeFalse();

    [Fact]
    public void Revoking_a_key_again_is_already_so() =>
        GivenAccount(new KeyRevoked(Main, "leaked")).When(new RevokeKey(Alice, Main, "again")).ThenNothing();

    [Fact]
    public void Revoking_an_unknown_key_is_rejected() =>
        GivenAccount().When(new RevokeKey(Alice, Other, null)).ThenRejected(RejectionCode.KeyNotFound);

    [Fact]
    public void Creating_a_revoked_key_again_does_not_revive_it() =>
        GivenAccount(new KeyRevoked(Main, null))
            .When(Create(Main))
            .ThenRepeated(Created(Main))
            .After.Keys.Find(Main)!
            .RevokedAt.ShouldBe(Noon);

    [Fact]
    public void A_key_stops_working_at_its_expiry()
    {
        var given = GivenAccount(Granted(1, 100), Created(Other, expiresAt: Noon.AddHours(1)));
        given.At(Noon.AddHours(1).AddTicks(-10)).When(Spend("r1")).Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]));
        given.At(Noon.AddHours(1)).When(Spend("r1")).ThenRejected(RejectionCode.KeyNotUsable);
    }

    [Fact]
    public void Spending_up_to_the_limit_is_accepted() =>
        GivenLimit(10)
            .When(Spend("r1", 2))
            .Then(Spent("2", 10, key: Other, paid: [Share(1, 10)]))
            .After.Keys.Find(Other)!
            .LimitRemaining(Unit.Credits, Noon)
            .ShouldBe(Amount.Credits(0));

    [Fact]
    public void Spending_above_the_limit_is_rejected_with_what_is_left_of_it() =>
        GivenLimit(10, events: Spent("1", 5, "r0", key: Other, paid: Share(1, 5)))
            .When(Spend("r1", 2))
            .ThenRejected(RejectionCode.KeyLimitReached, new("key", Amount.Credits(10), Amount.Credits(5)));

    [Fact]
    public void The_limit_is_named_before_the_balance() =>
        GivenAccount(Created(Other, limit: 10)).When(Spend("r1", 3)).ThenRejected(RejectionCode.KeyLimitReached);

    [Fact]
    public void Free_work_passes_a_limit_that_is_used_up() =>
        GivenLimit(5, events: Spent("1", 5, "r0", key: Other, paid: Share(1, 5)))
            .When(Spend("r1", tool: "free"))
            .Then(Spent("1", 0, tool: "free", key: Other));

    [Fact]
    public void A_limit_counts_only_its_own_key() =>
        GivenLimit(5, events: Spent("1", 5, "r0", key: Main, paid: Share(1, 5)))
            .When(Spend("r1"))
            .Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]));

    [Fact]
    public void A_hold_counts_towards_the_limit() =>
        GivenAccount(Granted(1, 100), Created(Other, limit: 10))
            .When(new PlaceHold(Alice, Other, "chat", Quantity.Of(2), "h1", TimeSpan.FromHours(1)))
            .Then(Held("2", 10, allocated: Share(1, 10)) with { Key = Other })
            .When(Spend("r1"))
            .ThenRejected(RejectionCode.KeyLimitReached);

    [Fact]
    public void A_limit_starts_anew_with_each_day()
    {
        var given = GivenLimit(5, LimitReset.Daily, Spent("1", 5, "r0", key: Other, paid: Share(1, 5)));
        var midnight = new DateTimeOffset(2026, 3, 5, 0, 0, 0, TimeSpan.Zero);

        given.At(midnight.AddTicks(-10)).When(Spend("r1")).ThenRejected(RejectionCode.KeyLimitReached);
        given
            .At(midnight)
            .When(Spend("r1"))
            .Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]))
            .After.Keys.Find(Other)!
            .Used.ShouldBe(Amount.Credits(5).Parts);
    }

    [Fact]
    public void A_limit_does_not_start_anew_when_the_clock_steps_back() =>
        GivenAccount(Granted(1, 100), Created(Other, limit: 5, reset: LimitReset.Daily))
            .At(Noon.AddDays(1))
            .And(Spent("1", 5, "r0", key: Other, paid: Share(1, 5)))
            .At(Noon)
            .When(Spend("r1"))
            .ThenRejected(RejectionCode.KeyLimitReached);

    [Fact]
    public void What_a_hold_gives_back_counts_in_the_day_it_was_placed()
    {
        var placed = Noon.AddHours(11);
        var next = Noon.AddHours(13);
        var hold = Held("2", 10, next.AddHours(1), allocated: Share(1, 10)) with { Key = Other };
        var given = GivenAccount(Granted(1, 100), Created(Other, limit: 10, reset: LimitReset.Daily))
            .At(placed)
            .And(hold)
            .At(next)
            .And(Spent("1", 5, "r0", key: Other, paid: Share(1, 5)));

        given
            .When(new ReleaseHold(Alice, Other, Hold()))
            .Then(new HoldReleased(Hold()))
            .After.Keys.Find(Other)!
            .Used.ShouldBe(Amount.Credits(5).Parts);
    }

    [Fact]
    public void The_reversal_of_a_settled_hold_gives_back_in_the_day_the_hold_was_placed()
    {
        var placed = Noon.AddHours(11);
        var next = Noon.AddHours(13);
        var hold = Held("1", 5, next.AddHours(1), allocated: Share(1, 5)) with { Key = Other };
        var settled = Settled("1", 5, [Share(1, 5)], heldAt: placed) with { Key = Other };
        var spend = new SpendId(EventIds.HoldEnd(Alice, Hold()));

        GivenAccount(Granted(1, 100), Created(Other, limit: 5, reset: LimitReset.Daily))
            .At(placed)
            .And(hold)
            .At(next)
            .And(settled, Spent("1", 5, "r0", key: Other, paid: Share(1, 5)))
            .When(new ReverseSpend(Alice, spend, "sorry"))
            .Then(
                new SpendReversed(spend, Other, "chat", Amount.Credits(5), next, [Share(1, 5)], null, "sorry", placed, null, "tools/chat")
            )
            .When(Spend("r1"))
            .ThenRejected(RejectionCode.KeyLimitReached);
    }

    [Fact]
    public void The_reversal_of_a_spend_gives_back_in_its_own_day()
    {
        var spend = new SpendId(EventIds.Use(Alice, "chat", "r0"));
        var given = GivenLimit(5, LimitReset.Daily, Spent("1", 5, "r0", key: Other, paid: Share(1, 5)));

        given.When(new ReverseSpend(Alice, spend, "sorry")).After.Keys.Find(Other)!.Used.ShouldBe(0);
        given
            .At(Noon.AddDays(1))
            .And(Spent("1", 5, "r1", key: Other, paid: Share(1, 5)))
            .When(new ReverseSpend(Alice, spend, "sorry"))
            .After.Keys.Find(Other)!
            .Used.ShouldBe(Amount.Credits(5).Parts);
    }

    [Fact]
    public void A_settlement_above_its_hold_may_take_the_key_above_its_limit() =>
        GivenAccount(Granted(1, 100), Created(Other, limit: 5), Held("1", 5, allocated: Share(1, 5)) with { Key = Other })
            .When(new SettleHold(Alice, Other, Hold(), Quantity.Of(3)))
            .Then(Settled("3", 15, [Share(1, 5)], [Share(1, 10)]) with { Key = Other })
            .After.Keys.Find(Other)!
            .LimitRemaining(Unit.Credits, Noon)
            .ShouldBe(Amount.Credits(0));
}
