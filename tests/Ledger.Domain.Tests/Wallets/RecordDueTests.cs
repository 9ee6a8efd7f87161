using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Wallets;

public class RecordDueTests
{
    private static RecordDue Due => new(Alice, EventIds.Request(Alice, "sweep"));

    private static DateTimeOffset Minute(int minutes) => Noon.AddMinutes(minutes);

    [Fact]
    public void A_pocket_lapses_at_its_expiry_and_not_before()
    {
        var given = GivenAccount(Granted(1, 10, expiresAt: Minute(30)));
        given.At(Minute(30).AddTicks(-10)).When(Due).ThenNothing();
        given.At(Minute(30)).When(Due).Then(Lapsed(1, 10, Minute(30)));
        given.At(Minute(500)).When(Due).Then(Lapsed(1, 10, Minute(30)));
    }

    [Fact]
    public void Only_what_is_left_lapses() =>
        GivenAccount(Granted(1, 10, expiresAt: Minute(30)), Spent("1", 5, paid: Share(1, 5)))
            .At(Minute(30))
            .When(Due)
            .Then(Lapsed(1, 5, Minute(30)));

    [Fact]
    public void A_pocket_that_was_spent_out_does_not_lapse() =>
        GivenAccount(Granted(1, 5, expiresAt: Minute(30)), Spent("1", 5, paid: Share(1, 5))).At(Minute(30)).When(Due).ThenNothing();

    [Fact]
    public void Everything_due_lapses_in_the_order_of_its_time() =>
        GivenAccount(
                Granted(1, 10, expiresAt: Minute(40)),
                Granted(2, 10, expiresAt: Minute(20)),
                Granted(3, 10),
                Held("1", 5, Minute(30), "h1", Share(3, 5)),
                Held("1", 5, Minute(10), "h2", Share(3, 5))
            )
            .At(Minute(60))
            .When(Due)
            .Then(
                new HoldExpired(Hold("h2"), Minute(10)),
                Lapsed(2, 10, Minute(20)),
                new HoldExpired(Hold("h1"), Minute(30)),
                Lapsed(1, 10, Minute(40))
            );

    [Fact]
    public void What_an_expired_hold_returns_to_a_lapsed_pocket_lapses_with_the_hold() =>
        GivenAccount(Granted(1, 12, expiresAt: Minute(20)), Held("2", 10, Minute(30), allocated: Share(1, 10)))
            .At(Minute(60))
            .When(Due)
            .Then(Lapsed(1, 2, Minute(20)), new HoldExpired(Hold(), Minute(30)), Lapsed(1, 10, Minute(30)));

    [Fact]
    public void What_an_expired_hold_returns_before_its_pocket_lapses_is_one_lapse() =>
        GivenAccount(Granted(1, 12, expiresAt: Minute(40)), Held("2", 10, Minute(30), allocated: Share(1, 10)))
            .At(Minute(60))
            .When(Due)
            .Then(new HoldExpired(Hold(), Minute(30)), Lapsed(1, 12, Minute(40)));

    [Fact]
    public void A_hold_and_its_pocket_that_expire_together_lapse_at_the_same_time() =>
        GivenAccount(Granted(1, 12, expiresAt: Minute(30)), Held("2", 10, Minute(30), allocated: Share(1, 10)))
            .At(Minute(30))
            .When(Due)
            .Then(Lapsed(1, 2, Minute(30)), new HoldExpired(Hold(), Minute(30)), Lapsed(1, 10, Minute(30)));

    [Fact]
    public void Two_holds_on_one_lapsed_pocket_each_return_what_then_lapses() =>
        GivenAccount(
                Granted(1, 10, expiresAt: Minute(20)),
                Held("1", 5, Minute(30), "h1", Share(1, 5)),
                Held("1", 5, Minute(40), "h2", Share(1, 5))
            )
            .At(Minute(60))
            .When(Due)
            .Then(
                new HoldExpired(Hold("h1"), Minute(30)),
                Lapsed(1, 5, Minute(30)),
                new HoldExpired(Hold("h2"), Minute(40)),
                Lapsed(1, 5, Minute(40))
            );

    [Fact]
    public void The_next_due_moment_is_that_of_the_first_thing_that_can_lapse()
    {
        GivenAccount(Granted(1, 10)).After.Wallet.NextDue.ShouldBe(DateTimeOffset.MaxValue);
        GivenAccount(Granted(1, 10, expiresAt: Minute(30)), Granted(2, 10, expiresAt: Minute(20)))
            .After.Wallet.NextDue.ShouldBe(Minute(20));
        GivenAccount(Granted(1, 10), Held("1", 5, Minute(10), allocated: Share(1, 5))).After.Wallet.NextDue.ShouldBe(Minute(10));
    }

    [Fact]
    public void A_pocket_that_was_spent_out_or_is_held_whole_leaves_no_moment_behind()
    {
        GivenAccount(Granted(1, 5, expiresAt: Minute(30)), Spent("1", 5, paid: Share(1, 5)))
            .After.Wallet.NextDue.ShouldBe(DateTimeOffset.MaxValue);
        GivenAccount(Granted(1, 5, expiresAt: Minute(30)), Held("1", 5, Minute(60), allocated: Share(1, 5)))
            .After.Wallet.NextDue.ShouldBe(Minute(60));
        GivenAccount(Granted(1, 5, expiresAt: Minute(30)), Held("1", 5, Minute(60), allocated: Share(1, 5)), new HoldReleased(Hold()))
            .After.Wallet.NextDue.ShouldBe(Minute(30));
    }

    [Fact]
    public void An_open_hold_does_not_lapse_with_the_accounts_suspension() =>
        GivenAccount(Granted(1, 5), Held("1", 5, Minute(30), allocated: Share(1, 5)), new AccountSuspended("fraud"))
            .At(Minute(30))
            .When(Due)
            .Then(new HoldExpired(Hold(), Minute(30)))
            .After.Wallet.Available(Unit.Credits, Minute(30))
            .ShouldBe(Amount.Credits(5));
}
