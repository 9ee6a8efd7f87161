using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Wallets;

public class ReverseSpendTests
{
    private static readonly SpendId OfSpend = new(EventIds.Use(Alice, "chat", "r1"));
    private static readonly SpendId OfSettlement = new(EventIds.HoldEnd(Alice, Hold()));
    private static readonly SpendId OfLateSettlement = new(EventIds.LateSettlement(Alice, Hold()));

    private static ReverseSpend Reverse(SpendId? spend = null) => new(Alice, spend ?? OfSpend, "sorry");

    private static SpendReversed Reversed(
        long credits,
        PocketShare[] returned,
        long cleared = 0,
        SpendId? spend = null,
        DateTimeOffset? heldAt = null
    ) =>
        new(
            spend ?? OfSpend,
            Main,
            "chat",
            Amount.Credits(credits),
            Noon,
            [.. returned],
            cleared > 0 ? Amount.Credits(cleared) : null,
            "sorry",
            heldAt,
            Entry: "tools/chat"
        );

    /// <summary>10 credits, all paid by a settlement at 15: 5 of debt.</summary>
    private static Scenario GivenDebt() =>
        GivenAccount(Granted(1, 10), Held("1", 5, allocated: Share(1, 5)), Settled("3", 15, [Share(1, 5)], [Share(1, 5)], debt: 5));

    [Fact]
    public void A_reversal_gives_every_pocket_its_part_back() =>
        GivenAccount(Granted(1, 3, PocketSource.Bonus), Granted(2, 10), Spent("1", 5, paid: [Share(1, 3), Share(2, 2)]))
            .When(Reverse())
            .Then(Reversed(5, [Share(1, 3), Share(2, 2)]))
            .After.Wallet.Available(Unit.Credits, Noon)
            .ShouldBe(Amount.Credits(13));

    [Fact]
    public void A_reversal_happens_once() =>
        GivenAccount(Granted(1, 5), Spent("1", 5, paid: Share(1, 5)))
            .And(Reversed(5, [Share(1, 5)]))
            .When(Reverse())
            .ThenRepeated(Reversed(5, [Share(1, 5)]));

    [Fact]
    public void A_free_spend_can_be_reversed() =>
        GivenAccount(Spent("1", 0, tool: "free"))
            .When(Reverse(new(EventIds.Use(Alice, "free", "r1"))))
            .Then(Reversed(0, [], spend: new(EventIds.Use(Alice, "free", "r1"))) with { Tool = "free", Entry = "tools/free" });

    [Fact]
    public void What_is_no_spend_cannot_be_reversed()
    {
        GivenAccount().When(Reverse()).ThenRejected(RejectionCode.SpendNotFound);
        GivenAccount(Granted(1, 5), Held("1", 5, allocated: Share(1, 5)))
            .When(Reverse(new(Hold().Value)))
            .ThenRejected(RejectionCode.SpendNotFound);
        GivenAccount(Granted(1, 5), Held("1", 5, allocated: Share(1, 5)), new HoldReleased(Hold()))
            .When(Reverse(OfSettlement))
            .ThenRejected(RejectionCode.SpendNotFound);
        GivenAccount(Granted(1, 5))
            .When(Reverse(new(EventIds.Grant(Alice, "operator", "payment-1"))))
            .ThenRejected(RejectionCode.SpendNotFound);
    }

    [Fact]
    public void A_reversed_reference_stays_used()
    {
        GivenAccount(Granted(1, 5), Spent("1", 5, paid: Share(1, 5)), Reversed(5, [Share(1, 5)]))
            .When(new Spend(Alice, Main, "chat", Quantity.Of(1), "r1"))
            .ThenRepeated(Spent("1", 5, paid: Share(1, 5)));
    }

    [Fact]
    public void What_returns_to_a_lapsed_pocket_expires_at_once()
    {
        var later = Noon.AddHours(2);
        GivenAccount(Granted(1, 3, expiresAt: Noon.AddHours(1)), Granted(2, 10), Spent("1", 5, paid: [Share(1, 3), Share(2, 2)]))
            .At(later)
            .When(Reverse())
            .Then(Reversed(5, [Share(1, 3), Share(2, 2)]), Lapsed(1, 3, later))
            .After.Wallet.Available(Unit.Credits, later)
            .ShouldBe(Amount.Credits(10));
    }

    [Fact]
    public void What_returns_before_its_pocket_lapses_lapses_with_it()
    {
        var given = GivenAccount(Granted(1, 5, expiresAt: Noon.AddHours(1)), Spent("1", 5, paid: Share(1, 5)))
            .When(Reverse())
            .Then(Reversed(5, [Share(1, 5)]));
        given.At(Noon.AddHours(3)).When(new RecordDue(Alice, EventIds.Request(Alice, "sweep"))).Then(Lapsed(1, 5, Noon.AddHours(1)));
    }

    [Fact]
    public void A_settlement_is_reversed_to_the_pockets_of_its_hold_and_of_its_rest() =>
        GivenAccount(Granted(1, 100), Held("1", 5, allocated: Share(1, 5)), Settled("3", 15, [Share(1, 5)], [Share(1, 10)]))
            .When(Reverse(OfSettlement))
            .Then(Reversed(15, [Share(1, 15)], spend: OfSettlement, heldAt: Noon));

    [Fact]
    public void A_late_settlement_can_be_reversed() =>
        GivenAccount(
                Granted(1, 100),
                Held("1", 5, allocated: Share(1, 5)),
                new HoldExpired(Hold(), Noon),
                SettledLate("1", 5, [Share(1, 5)])
            )
            .When(Reverse(OfLateSettlement))
            .Then(Reversed(5, [Share(1, 5)], spend: OfLateSettlement, heldAt: Noon));

    [Fact]
    public void What_nothing_had_paid_comes_off_the_debt() =>
        GivenDebt()
            .When(Reverse(OfSettlement))
            .Then(Reversed(15, [Share(1, 10)], cleared: 5, spend: OfSettlement, heldAt: Noon))
            .After.Wallet.Debt(Unit.Credits)
            .IsZero.ShouldBeTrue();

    [Fact]
    public void What_a_grant_has_repaid_of_the_debt_goes_back_to_the_newest_unscoped_pocket() =>
        GivenDebt()
            .And(Granted(2, 3), Repaid(2, 3))
            .When(Reverse(OfSettlement))
            .Then(Reversed(15, [Share(1, 10), Share(2, 3)], cleared: 2, spend: OfSettlement, heldAt: Noon));

    [Fact]
    public void What_a_grant_has_repaid_does_not_lapse_on_its_way_back_where_a_pocket_is_open() =>
        GivenDebt()
            .And(Granted(2, 3), Repaid(2, 3), Granted(3, 1, expiresAt: Noon.AddHours(1)), Repaid(3, 1), Granted(4, 1), Repaid(4, 1))
            .And(Granted(5, 1, expiresAt: Noon.AddHours(1)))
            .At(Noon.AddHours(1))
            .When(Reverse(OfSettlement))
            .Then(Lapsed(5, 1, Noon.AddHours(1)), Reversed(15, [Share(1, 10), Share(4, 5)], spend: OfSettlement, heldAt: Noon));

    [Fact]
    public void What_returns_while_the_unit_is_in_debt_pays_that_first()
    {
        var given = GivenAccount(
            Granted(1, 15),
            Spent("1", 5, paid: Share(1, 5)),
            Held("1", 5, allocated: Share(1, 5)),
            Settled("4", 20, [Share(1, 5)], [Share(1, 5)], debt: 10)
        );
        given.When(Reverse()).Then(Reversed(5, [Share(1, 5)]), Repaid(1, 5)).After.Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(5));
    }

    [Fact]
    public void A_suspended_account_can_be_given_back() =>
        GivenAccount(Granted(1, 5), Spent("1", 5, paid: Share(1, 5)), new AccountSuspended("fraud"))
            .When(Reverse())
            .Then(Reversed(5, [Share(1, 5)]));
}
