using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Wallets;

public class GrantCreditsTests
{
    private static GrantCredits Grant(
        long credits,
        string reference = "payment-1",
        string? scope = null,
        DateTimeOffset? expiresAt = null,
        string? reason = null
    ) => new(Alice, Amount.Credits(credits), PocketSource.Payg, scope, expiresAt, "operator", reference, reason);

    /// <summary>10 credits granted, 5 of them held, and settled at 15: 5 of debt.</summary>
    private static Scenario GivenDebt() =>
        GivenAccount(Granted(1, 10), Held("1", 5, allocated: Share(1, 5)), Settled("3", 15, [Share(1, 5)], [Share(1, 5)], debt: 5));

    [Fact]
    public void A_grant_opens_a_pocket()
    {
        var wallet = GivenAccount().When(Grant(100)).Then(Granted(1, 100)).After.Wallet;
        wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(100));
        wallet.Pocket(new(1)).OpenedBy.ShouldBe(EventIds.Grant(Alice, "operator", "payment-1"));
    }

    [Fact]
    public void The_next_grant_opens_the_next_pocket() => GivenAccount(Granted(1, 100)).When(Grant(5, "payment-2")).Then(Granted(2, 5));

    [Fact]
    public void A_pocket_that_was_emptied_keeps_its_number() =>
        GivenAccount(Granted(1, 5), Spent("1", 5, paid: Share(1, 5))).When(Grant(5, "payment-2")).Then(Granted(2, 5));

    [Fact]
    public void The_same_payment_is_granted_once() =>
        GivenAccount(Granted(1, 100)).When(Grant(100, reason: "retry")).ThenRepeated(Granted(1, 100));

    [Fact]
    public void The_same_payment_with_other_contents_is_rejected()
    {
        GivenAccount(Granted(1, 100)).When(Grant(101)).ThenRejected(RejectionCode.ReferenceConflict);
        GivenAccount(Granted(1, 100)).When(Grant(100, scope: "deepseek/chat")).ThenRejected(RejectionCode.ReferenceConflict);
        GivenAccount(Granted(1, 100)).When(Grant(100, expiresAt: Noon.AddDays(1))).ThenRejected(RejectionCode.ReferenceConflict);
        GivenAccount(Granted(1, 100)).When(Grant(100) with { Source = PocketSource.Bonus }).ThenRejected(RejectionCode.ReferenceConflict);
        GivenAccount(Granted(1, 100)).When(Grant(1) with { Amount = Amount.Usd(100) }).ThenRejected(RejectionCode.ReferenceConflict);
    }

    [Fact]
    public void A_repeat_is_answered_also_when_the_grant_has_expired() =>
        GivenAccount(Granted(1, 100, expiresAt: Noon.AddHours(1)))
            .At(Noon.AddHours(2))
            .When(Grant(100, expiresAt: Noon.AddHours(1)))
            .ThenRepeated(Granted(1, 100, expiresAt: Noon.AddHours(1)));

    [Fact]
    public void The_same_reference_at_another_provider_is_another_payment() =>
        GivenAccount(Granted(1, 100))
            .When(new GrantCredits(Alice, Amount.Credits(100), PocketSource.Payg, null, null, "stripe", "payment-1", null))
            .Then(Granted(2, 100, reference: "payment-1") with { Provider = "stripe" });

    [Fact]
    public void A_grant_of_nothing_or_less_is_rejected()
    {
        GivenAccount().When(Grant(0)).ThenRejected(RejectionCode.AmountOutOfRange);
        GivenAccount().When(Grant(-1)).ThenRejected(RejectionCode.AmountOutOfRange);
    }

    [Fact]
    public void An_account_is_granted_at_most_the_limit_in_all()
    {
        const long most = 1_000_000_000_000;
        GivenAccount().When(Grant(most + 1)).ThenRejected(RejectionCode.AmountOutOfRange);
        GivenAccount(Granted(1, 1)).When(Grant(most, "payment-2")).ThenRejected(RejectionCode.AmountOutOfRange);
        GivenAccount().When(Grant(most)).Then(Granted(1, most)).When(Grant(1, "payment-2")).ThenRejected(RejectionCode.AmountOutOfRange);
    }

    [Fact]
    public void A_grant_that_expires_at_once_is_rejected() =>
        GivenAccount().When(Grant(1, expiresAt: Noon)).ThenRejected(RejectionCode.ExpiryNotInFuture);

    [Fact]
    public void A_grant_pays_debt_first() =>
        GivenDebt()
            .When(Grant(100, "payment-2"))
            .Then(Granted(2, 100), Repaid(2, 5))
            .After.Wallet.Available(Unit.Credits, Noon)
            .ShouldBe(Amount.Credits(95));

    [Fact]
    public void A_grant_smaller_than_the_debt_goes_into_it_whole()
    {
        var wallet = GivenDebt().When(Grant(2, "payment-2")).Then(Granted(2, 2), Repaid(2, 2)).After.Wallet;
        wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(3));
        wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(0));
    }

    [Fact]
    public void A_scoped_grant_never_pays_debt() =>
        GivenDebt()
            .When(Grant(100, "payment-2", scope: "deepseek/chat"))
            .Then(Granted(2, 100, scope: "deepseek/chat"))
            .After.Wallet.Debt(Unit.Credits)
            .ShouldBe(Amount.Credits(5));

    [Fact]
    public void A_grant_of_another_unit_neither_pays_the_debt_nor_is_blocked_by_it()
    {
        var usd = new CreditsGranted(new(2), Amount.Usd(3), PocketSource.Prepaid, null, null, "operator", "payment-2", null);
        GivenDebt()
            .When(new GrantCredits(Alice, Amount.Usd(3), PocketSource.Prepaid, null, null, "operator", "payment-2", null))
            .Then(usd)
            .After.Wallet.Available(Unit.Usd, Noon)
            .ShouldBe(Amount.Usd(3));
    }

    [Fact]
    public void A_suspended_account_can_be_granted_credits() =>
        GivenAccount(new Ledger.Domain.Accounts.AccountSuspended("fraud")).When(Grant(1)).Then(Granted(1, 1));
}
