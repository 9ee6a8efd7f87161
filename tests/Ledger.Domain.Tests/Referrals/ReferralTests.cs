using Ledger.Domain.Money;
using Ledger.Domain.Referrals;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Referrals;

public class ReferralTests
{
    private static readonly AccountId Bob = new("bob0000000000000");
    private static readonly AccountId Carol = new("carol00000000000");
    private static readonly ReferralApplied Applied = new(Bob, Amount.Credits(1000), 1);

    private static CreditsGranted Bonus(int pocket, long credits, string reference) =>
        new(new(pocket), Amount.Credits(credits), PocketSource.Bonus, null, null, Referral.Provider, reference, null);

    [Fact]
    public void Applying_a_code_brings_a_bonus_once()
    {
        var given = GivenAccount().When(new ApplyReferral(Alice, Bob)).Then(Applied, Bonus(1, 500, "applied")).And();
        given.When(new ApplyReferral(Alice, Bob)).ThenRepeated(Applied);
        given.When(new ApplyReferral(Alice, Carol)).ThenRejected(RejectionCode.AlreadyReferred);
        given.After.Referral.ReferredBy.ShouldBe(Bob);
    }

    [Fact]
    public void Nobody_refers_themselves() =>
        GivenAccount().When(new ApplyReferral(Alice, Alice)).ThenRejected(RejectionCode.ReferralToOneself);

    [Fact]
    public void An_unknown_code_is_rejected() =>
        GivenAccount().When(new ApplyReferral(Alice, null)).ThenRejected(RejectionCode.ReferralNotFound);

    [Fact]
    public void A_referrer_is_rewarded_once_for_each()
    {
        var given = GivenAccount()
            .When(new RewardReferral(Alice, Bob, Amount.Credits(1000)))
            .Then(new ReferralRewarded(Bob, Amount.Credits(1000)), Bonus(1, 1000, "referred:" + Bob.Value))
            .And();
        given.When(new RewardReferral(Alice, Bob, Amount.Credits(1000))).ThenRepeated(new ReferralRewarded(Bob, Amount.Credits(1000)));
        var after = given.When(new RewardReferral(Alice, Carol, Amount.Credits(1000))).After;
        after.Referral.ShouldBe(new Referral(null, 2, Amount.Credits(2000).Parts));
        after.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(2000));
    }

    [Fact]
    public void A_bonus_pays_debt_first()
    {
        var given = GivenAccount(Granted(1, 10), Held("2", 10, allocated: Share(1, 10)), Settled("8", 40, [Share(1, 10)], debt: 30));
        given.When(new ApplyReferral(Alice, Bob)).Then(Applied, Bonus(2, 500, "applied"), Repaid(2, 30));
    }

    [Fact]
    public void Who_can_hold_no_more_is_counted_without_a_bonus() =>
        GivenAccount(Granted(1, 1_000_000_000_000))
            .When(new RewardReferral(Alice, Bob, Amount.Credits(1000)))
            .Then(new ReferralRewarded(Bob, Amount.Zero(Unit.Credits)));

    [Fact]
    public void A_code_follows_from_the_account_and_is_as_the_database_makes_it() =>
        Referral.CodeOf(Alice).ShouldBe("f38390a186a1c477", "sha256('referral:alice00000000000'), 16 digits");
}
