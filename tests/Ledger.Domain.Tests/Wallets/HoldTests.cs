using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Wallets;

public class HoldTests
{
    private static readonly DateTimeOffset Expiry = Noon.AddHours(1);

    private static PlaceHold Place(long units = 2, string reference = "h1", KeyId? key = null, string tool = "chat") =>
        new(Alice, key ?? Main, tool, Quantity.Of(units), reference, TimeSpan.FromHours(1));

    private static SettleHold Settle(string units, string reference = "h1") => new(Alice, Main, Hold(reference), Quantity.Parse(units));

    private static ReleaseHold Release(string reference = "h1") => new(Alice, Main, Hold(reference));

    private static RecordDue Due => new(Alice, EventIds.Request(Alice, "sweep"));

    /// <summary>100 credits, 10 of them held for two turns.</summary>
    private static Scenario GivenHold() => GivenAccount(Granted(1, 100), Held("2", 10, allocated: Share(1, 10)));

    [Fact]
    public void A_hold_sets_funds_aside()
    {
        var wallet = GivenAccount(Granted(1, 100)).When(Place()).Then(Held("2", 10, allocated: Share(1, 10))).After.Wallet;
        wallet.Posted(Unit.Credits).ShouldBe(Amount.Credits(100));
        wallet.Held(Unit.Credits).ShouldBe(Amount.Credits(10));
        wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(90));
    }

    [Fact]
    public void A_hold_allocates_pockets_in_drain_order() =>
        GivenAccount(Granted(1, 100), Granted(2, 4, PocketSource.Bonus), Granted(3, 3, expiresAt: Noon.AddDays(1)))
            .When(Place())
            .Then(Held("2", 10, allocated: [Share(3, 3), Share(2, 4), Share(1, 3)]));

    [Fact]
    public void A_hold_beyond_what_is_available_is_rejected() =>
        GivenAccount(Granted(1, 9))
            .When(Place())
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Credits(10), Amount.Credits(9)));

    [Fact]
    public void Two_holds_cannot_share_funds() =>
        GivenAccount(Granted(1, 19))
            .And(Held("2", 10, allocated: Share(1, 10)))
            .When(Place(reference: "h2"))
            .ThenRejected(RejectionCode.InsufficientCredits);

    [Fact]
    public void The_same_hold_again_is_a_repeat() => GivenHold().When(Place()).ThenRepeated(Held("2", 10, allocated: Share(1, 10)));

    [Fact]
    public void The_same_hold_again_is_a_repeat_also_after_its_end()
    {
        GivenHold().And(new HoldReleased(Hold())).When(Place()).ThenRepeated(Held("2", 10, allocated: Share(1, 10)));
        GivenHold().At(Expiry).When(Place()).ThenRepeated(Held("2", 10, allocated: Share(1, 10)));
    }

    [Fact]
    public void An_open_hold_whose_fact_is_not_at_hand_is_refused_so_that_it_is_looked_up()
    {
        var decision = GivenHold().After.Transact(Place(), new(Noon, Prices.Card, Past.None)).Decision;
        decision.ShouldBe(new Decision<AccountEvent>.Rejected(RejectionCode.ReferenceConflict));
    }

    [Fact]
    public void The_same_hold_with_other_units_is_rejected() => GivenHold().When(Place(3)).ThenRejected(RejectionCode.ReferenceConflict);

    [Fact]
    public void A_hold_for_nothing_or_for_an_unknown_tool_is_rejected()
    {
        GivenAccount(Granted(1, 100)).When(Place(0)).ThenRejected(RejectionCode.AmountOutOfRange);
        GivenAccount(Granted(1, 100)).When(Place(tool: "nosuch")).ThenRejected(RejectionCode.UnknownTool);
    }

    [Fact]
    public void Only_an_inference_key_holds_settles_and_releases()
    {
        var given = GivenHold().And(Created(Other, KeyKind.Provisioning));
        given.When(Place(key: Other)).ThenRejected(RejectionCode.KeyKindNotAllowed);
        given.When(Settle("2") with { Key = Other }).ThenRejected(RejectionCode.KeyKindNotAllowed);
        given.When(Release() with { Key = Other }).ThenRejected(RejectionCode.KeyKindNotAllowed);
    }

    [Fact]
    public void A_key_that_may_not_act_neither_holds_nor_settles_nor_releases()
    {
        foreach (AccountCommand command in (AccountCommand[])[Place(), Settle("2"), Release()])
        {
            GivenHold().And(new KeyRevoked(Main, null)).When(command).ThenRejected(RejectionCode.KeyNotUsable);
            GivenHold().And(new AccountSuspended("fraud")).When(command).ThenRejected(RejectionCode.AccountSuspended);
        }
    }

    [Fact]
    public void Settling_at_what_is_held_spends_it() =>
        GivenHold()
            .When(Settle("2"))
            .Then(Settled("2", 10, [Share(1, 10)]))
            .After.Wallet.Available(Unit.Credits, Noon)
            .ShouldBe(Amount.Credits(90));

    [Fact]
    public void Settling_at_less_than_is_held_gives_the_rest_back()
    {
        var wallet = GivenHold().When(Settle("0.5")).Then(Settled("0.5", 3, [Share(1, 3)])).After.Wallet;
        wallet.Held(Unit.Credits).IsZero.ShouldBeTrue();
        wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(97));
    }

    [Fact]
    public void Settling_at_nothing_is_a_report_and_spends_nothing() =>
        GivenHold().When(Settle("0")).Then(Settled("0", 0, [])).After.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(100));

    [Fact]
    public void Settling_at_more_than_is_held_takes_the_rest_from_what_is_available() =>
        GivenHold()
            .When(Settle("3"))
            .Then(Settled("3", 15, [Share(1, 10)], [Share(1, 5)]))
            .After.Wallet.Available(Unit.Credits, Noon)
            .ShouldBe(Amount.Credits(85));

    [Fact]
    public void The_rest_is_taken_in_the_order_then_in_force() =>
        GivenHold()
            .And(Granted(2, 3, expiresAt: Noon.AddDays(1)), Granted(3, 50, PocketSource.Bonus))
            .When(Settle("4"))
            .Then(Settled("4", 20, [Share(1, 10)], [Share(2, 3), Share(3, 7)]));

    [Fact]
    public void What_nothing_covers_is_booked_as_debt()
    {
        var wallet = GivenAccount(Granted(1, 12), Held("2", 10, allocated: Share(1, 10)))
            .When(Settle("3"))
            .Then(Settled("3", 15, [Share(1, 10)], [Share(1, 2)], debt: 3))
            .After.Wallet;
        wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(3));
        wallet.Posted(Unit.Credits).ShouldBe(Amount.Credits(0));
    }

    [Fact]
    public void A_settlement_never_takes_what_another_hold_holds() =>
        GivenAccount(Granted(1, 20), Held("2", 10, allocated: Share(1, 10)), Held("2", 10, reference: "h2", allocated: Share(1, 10)))
            .When(Settle("3"))
            .Then(Settled("3", 15, [Share(1, 10)], debt: 5));

    [Fact]
    public void A_hold_settles_at_the_price_it_was_placed_under() =>
        GivenHold().Under(Prices.Dearer).When(Settle("2")).Then(Settled("2", 10, [Share(1, 10)]));

    [Fact]
    public void Another_key_of_the_account_may_settle_and_the_charge_is_the_holds_own() =>
        GivenHold().And(Created(Other)).When(Settle("2") with { Key = Other }).Then(Settled("2", 10, [Share(1, 10)]));

    [Fact]
    public void A_negative_quantity_is_rejected() =>
        GivenHold().When(new SettleHold(Alice, Main, Hold(), new(-1_000_000_000))).ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void What_a_wallet_is_ever_charged_is_bounded_before_its_sums_overflow()
    {
        // Each settlement of a dear tool may book up to a million million credits of debt; the fifth would be too many.
        var scenario = GivenAccount(Granted(1, 10_000));
        HoldId IdOf(int i) => new(EventIds.Use(Alice, "dear", $"d{i}"));
        for (var i = 0; i < 5; i++)
            scenario = scenario.When(Place(1, $"d{i}", tool: "dear"));
        for (var i = 0; i < 4; i++)
        {
            scenario = scenario.When(new SettleHold(Alice, Main, IdOf(i), Quantity.Of(1_000_000_000)));
            scenario.Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        }

        scenario.When(new SettleHold(Alice, Main, IdOf(4), Quantity.Of(1_000_000_000))).ThenRejected(RejectionCode.AmountOutOfRange);
        scenario
            .At(Expiry)
            .When(new SettleHold(Alice, Main, IdOf(4), Quantity.Of(1_000_000_000)))
            .ThenRejected(RejectionCode.AmountOutOfRange);
    }

    [Fact]
    public void Releasing_gives_everything_back() =>
        GivenHold().When(Release()).Then(new HoldReleased(Hold())).After.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(100));

    [Fact]
    public void An_unknown_hold_can_be_neither_settled_nor_released()
    {
        GivenAccount().When(Settle("1")).ThenRejected(RejectionCode.HoldNotFound);
        GivenAccount().When(Release()).ThenRejected(RejectionCode.HoldNotFound);
        GivenAccount(Granted(1, 5), Spent("1", 5, "h1", paid: Share(1, 5))).When(Settle("1")).ThenRejected(RejectionCode.HoldNotFound);
        GivenAccount(Granted(1, 5), Spent("1", 5, "h1", paid: Share(1, 5))).When(Release()).ThenRejected(RejectionCode.HoldNotFound);
    }

    [Fact]
    public void A_hold_lapses_when_it_was_due_not_when_that_was_noticed() =>
        GivenHold()
            .At(Expiry.AddDays(3))
            .When(Due)
            .Then(new HoldExpired(Hold(), Expiry))
            .After.Wallet.Available(Unit.Credits, Expiry)
            .ShouldBe(Amount.Credits(100));

    [Fact]
    public void A_hold_is_open_until_the_very_moment_of_its_expiry()
    {
        GivenHold().At(Expiry.AddTicks(-10)).When(Settle("2")).Then(Settled("2", 10, [Share(1, 10)]));
        GivenHold().At(Expiry).When(Settle("2")).Then(new HoldExpired(Hold(), Expiry), SettledLate("2", 10, [Share(1, 10)]));
    }

    [Fact]
    public void A_late_settlement_takes_what_is_available_and_books_the_rest_as_debt() =>
        GivenHold()
            .And(Spent("17", 85, paid: Share(1, 85)), new HoldExpired(Hold(), Expiry))
            .At(Expiry.AddHours(1))
            .When(Settle("4"))
            .Then(SettledLate("4", 20, [Share(1, 15)], debt: 5));

    [Fact]
    public void A_late_settlement_happens_once()
    {
        var late = SettledLate("2", 10, [Share(1, 10)]);
        var given = GivenHold().At(Expiry.AddHours(1)).And(new HoldExpired(Hold(), Expiry), late);
        given.When(Settle("2")).ThenRepeated(late);
        given.When(Settle("1")).ThenRejected(RejectionCode.ReferenceConflict);
    }

    [Fact]
    public void A_late_settlement_is_priced_by_the_card_of_its_hold() =>
        GivenHold()
            .At(Expiry)
            .Under(Prices.Dearer)
            .When(Settle("1"))
            .Then(new HoldExpired(Hold(), Expiry), SettledLate("1", 5, [Share(1, 5)]));

    [Fact]
    public void What_a_hold_holds_survives_the_expiry_of_its_pocket()
    {
        var given = GivenAccount(Granted(1, 30, expiresAt: Noon.AddMinutes(30)), Held("2", 10, allocated: Share(1, 10)))
            .At(Noon.AddMinutes(45));

        given.When(Due).Then(Lapsed(1, 20, Noon.AddMinutes(30))).After.Wallet.Held(Unit.Credits).ShouldBe(Amount.Credits(10));
        given.When(Settle("2")).Then(Lapsed(1, 20, Noon.AddMinutes(30)), Settled("2", 10, [Share(1, 10)]));
    }

    [Fact]
    public void What_returns_to_a_lapsed_pocket_expires_at_once()
    {
        var now = Noon.AddMinutes(45);
        var given = GivenAccount(Granted(1, 10, expiresAt: Noon.AddMinutes(30)), Held("2", 10, allocated: Share(1, 10))).At(now);

        given.When(Settle("0.6")).Then(Settled("0.6", 3, [Share(1, 3)]), Lapsed(1, 7, now));
        given.When(Settle("0")).Then(Settled("0", 0, []), Lapsed(1, 10, now));
        given.When(Release()).Then(new HoldReleased(Hold()), Lapsed(1, 10, now));
    }

    [Fact]
    public void A_settlement_returns_to_each_pocket_what_it_did_not_pay_and_only_lapsed_ones_expire()
    {
        var now = Noon.AddMinutes(45);
        GivenAccount(
                Granted(1, 4, expiresAt: Noon.AddMinutes(20)),
                Granted(2, 3, expiresAt: Noon.AddMinutes(30)),
                Granted(3, 5),
                Held("2", 10, allocated: [Share(1, 4), Share(2, 3), Share(3, 3)])
            )
            .At(now)
            .When(Settle("1"))
            .Then(Settled("1", 5, [Share(1, 4), Share(2, 1)]), Lapsed(2, 2, now))
            .After.Wallet.Available(Unit.Credits, now)
            .ShouldBe(Amount.Credits(5));
    }

    [Fact]
    public void A_settlement_above_its_hold_takes_nothing_that_has_lapsed() =>
        GivenAccount(Granted(1, 20, expiresAt: Noon.AddMinutes(30)), Held("2", 10, allocated: Share(1, 10)), Granted(2, 2))
            .At(Noon.AddMinutes(45))
            .When(Settle("3"))
            .Then(Lapsed(1, 10, Noon.AddMinutes(30)), Settled("3", 15, [Share(1, 10)], [Share(2, 2)], debt: 3));
}
