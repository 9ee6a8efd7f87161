using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Accounts;

public class SignInTests
{
    private static readonly Guid First = new(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    private static readonly Guid Second = new(2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    private static readonly Guid Ask = EventIds.Request(Alice, "ask");

    private static Spend Spend(Guid signIn, DateTimeOffset? at = null) =>
        new(Alice, default, "chat", Quantity.Of(1), "r1") { By = Credential.Of(signIn, at ?? Noon) };

    private static Scenario Funded(params AccountEvent[] events) => GivenAccount(Granted(1, 100)).And(events);

    [Fact]
    public void Signing_out_ends_one_sign_in()
    {
        var given = Funded().When(new SignOut(Alice, First, Noon, Noon.AddHours(1))).Then(new SignedOut(First, Noon.AddHours(1))).And();
        given.When(Spend(First)).ThenRejected(RejectionCode.SignInEnded);
        given.When(Spend(Second)).Then(Spent("1", 5, key: default(KeyId), paid: [Share(1, 5)]));
    }

    [Fact]
    public void Signing_out_twice_or_too_late_is_already_so()
    {
        Funded(new SignedOut(First, Noon.AddHours(1))).When(new SignOut(Alice, First, Noon, Noon.AddHours(1))).ThenNothing();
        Funded().When(new SignOut(Alice, First, Noon.AddHours(-1), Noon)).ThenNothing();
    }

    [Fact]
    public void A_sign_in_that_was_ended_is_forgotten_once_it_has_expired() =>
        Funded(new SignedOut(First, Noon.AddHours(1)))
            .At(Noon.AddHours(2))
            .And(new SignedOut(Second, Noon.AddHours(3)))
            .After.SignIns.Ended.Keys.ShouldBe([Second]);

    [Fact]
    public void Ending_all_sign_ins_spares_later_ones()
    {
        var given = Funded().When(new EndSignIns(Alice, Ask, "lost laptop")).Then(new SignInsEnded("lost laptop")).And();
        given.When(Spend(First)).ThenRejected(RejectionCode.SignInEnded);
        given
            .At(Noon.AddMinutes(1))
            .When(Spend(Second, Noon.AddMicroseconds(1)))
            .Then(Spent("1", 5, key: default(KeyId), paid: [Share(1, 5)]));
    }

    [Fact]
    public void A_suspension_ends_all_sign_ins_for_good_and_keys_only_while_it_lasts()
    {
        var given = Funded(new AccountSuspended("fraud"));
        given.When(Spend(First)).ThenRejected(RejectionCode.AccountSuspended);
        var after = given.And(new AccountReinstated("cleared"));
        after.When(Spend(First)).ThenRejected(RejectionCode.SignInEnded);
        after.When(new Spend(Alice, Main, "chat", Quantity.Of(1), "r1")).Then(Spent("1", 5, paid: [Share(1, 5)]));
    }

    [Fact]
    public void There_is_nothing_to_sign_out_of_without_an_account()
    {
        Given().When(new SignOut(Alice, First, Noon, Noon.AddHours(1))).ThenRejected(RejectionCode.AccountNotFound);
        Given().When(new EndSignIns(Alice, Ask, "x")).ThenRejected(RejectionCode.AccountNotFound);
    }
}
