using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Accounts;

public class AccountTests
{
    private static readonly Guid Request = EventIds.Request(Alice, "request-1");
    private static readonly Guid NextRequest = EventIds.Request(Alice, "request-2");

    [Fact]
    public void Opening_is_recorded() => Given().When(new OpenAccount(Alice, "DE")).Then(new AccountOpened("DE"));

    [Fact]
    public void Opening_again_is_a_repeat() =>
        Given(new AccountOpened("DE")).When(new OpenAccount(Alice, "DE")).ThenRepeated(new AccountOpened("DE"));

    [Fact]
    public void Opening_again_with_another_country_is_rejected() =>
        Given(new AccountOpened("DE")).When(new OpenAccount(Alice, "FR")).ThenRejected(RejectionCode.AccountExists);

    [Fact]
    public void Suspending_is_recorded() =>
        GivenAccount()
            .When(new SuspendAccount(Alice, Request, "fraud"))
            .Then(new AccountSuspended("fraud"))
            .After.Status.ShouldBe(AccountStatus.Suspended);

    [Fact]
    public void Suspending_what_is_suspended_is_already_so() =>
        GivenAccount(new AccountSuspended("fraud")).When(new SuspendAccount(Alice, Request, "spam")).ThenNothing();

    [Fact]
    public void Reinstating_is_recorded() =>
        GivenAccount(new AccountSuspended("fraud"))
            .When(new ReinstateAccount(Alice, Request, "sorry"))
            .Then(new AccountReinstated("sorry"))
            .After.Status.ShouldBe(AccountStatus.Open);

    [Fact]
    public void Reinstating_what_is_open_is_already_so() =>
        GivenAccount().When(new ReinstateAccount(Alice, Request, "sorry")).ThenNothing();

    [Fact]
    public void A_suspension_sent_again_after_a_reinstatement_does_not_suspend_again() =>
        GivenAccount()
            .When(new SuspendAccount(Alice, Request, "fraud"))
            .Then(new AccountSuspended("fraud"))
            .When(new ReinstateAccount(Alice, NextRequest, "sorry"))
            .Then(new AccountReinstated("sorry"))
            .When(new SuspendAccount(Alice, Request, "fraud"))
            .ThenRepeated(new AccountSuspended("fraud"))
            .After.Status.ShouldBe(AccountStatus.Open);

    [Fact]
    public void A_reinstatement_sent_again_after_a_suspension_does_not_reinstate_again() =>
        GivenAccount(new AccountSuspended("fraud"))
            .When(new ReinstateAccount(Alice, Request, "sorry"))
            .Then(new AccountReinstated("sorry"))
            .When(new SuspendAccount(Alice, NextRequest, "again"))
            .Then(new AccountSuspended("again"))
            .When(new ReinstateAccount(Alice, Request, "sorry"))
            .ThenRepeated(new AccountReinstated("sorry"));

    [Fact]
    public void One_request_cannot_both_suspend_and_reinstate() =>
        GivenAccount()
            .When(new SuspendAccount(Alice, Request, "fraud"))
            .Then(new AccountSuspended("fraud"))
            .When(new ReinstateAccount(Alice, Request, "sorry"))
            .ThenRejected(RejectionCode.ReferenceConflict);

    [Fact]
    public void An_account_that_is_missing_can_only_be_opened()
    {
        Given().When(new SuspendAccount(Alice, Request, "fraud")).ThenRejected(RejectionCode.AccountNotFound);
        Given().When(new ReinstateAccount(Alice, Request, "sorry")).ThenRejected(RejectionCode.AccountNotFound);
        Given().When(new RevokeKey(Alice, Main, null)).ThenRejected(RejectionCode.AccountNotFound);
        Given()
            .When(new GrantCredits(Alice, default, PocketSource.Bonus, null, null, "operator", "p", null))
            .ThenRejected(RejectionCode.AccountNotFound);
        Given().When(new ReverseSpend(Alice, default, "sorry")).ThenRejected(RejectionCode.AccountNotFound);
        Given().When(new ReleaseHold(Alice, Main, default)).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Fact]
    public void What_is_due_is_recorded_with_the_next_command_under_ids_of_its_own()
    {
        // A second revocation changes nothing itself, but finds something else due: its ids must not be those of the first.
        var first = GivenAccount(Granted(1, 10, expiresAt: Noon.AddHours(1)), Granted(2, 20, expiresAt: Noon.AddHours(2)), Created(Other))
            .At(Noon.AddHours(1))
            .When(new RevokeKey(Alice, Other, null))
            .Then(Lapsed(1, 10, Noon.AddHours(1)), new KeyRevoked(Other, null));

        first.At(Noon.AddHours(2)).When(new RevokeKey(Alice, Other, null)).Then(Lapsed(2, 20, Noon.AddHours(2)));
    }

    [Fact]
    public void Recording_what_is_due_records_nothing_where_nothing_is() =>
        GivenAccount(Granted(1, 10)).When(new RecordDue(Alice, Request)).ThenNothing();

    [Fact]
    public void Reading_sees_what_is_due_as_lapsed_and_keeps_the_version()
    {
        var account = GivenAccount(Granted(1, 10, expiresAt: Noon.AddHours(1))).After;
        var seen = account.LapsedAt(Noon.AddHours(1));

        seen.Wallet.Posted(Unit.Credits).IsZero.ShouldBeTrue();
        (seen.Version, seen.LastAt).ShouldBe((account.Version, account.LastAt));
        account.LapsedAt(Noon.AddMinutes(59)).ShouldBeSameAs(account);
    }
}
