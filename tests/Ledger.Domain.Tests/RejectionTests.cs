using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Metering.Calls;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests;

/// <summary>Each refusal once, in the order of precedence; a code that nothing produces fails here.</summary>
public class RejectionTests
{
    private static readonly Dictionary<RejectionCode, Func<Scenario>> Cases = new()
    {
        [RejectionCode.AccountNotFound] = () => Given().When(new SuspendAccount(Alice, Request, "fraud")),
        [RejectionCode.KeyNotUsable] = () => GivenAccount(new KeyRevoked(Main, null)).When(Spend()),
        [RejectionCode.AccountSuspended] = () => GivenAccount(new AccountSuspended("fraud")).When(Spend()),
        [RejectionCode.SignInEnded] = () =>
            GivenAccount(new SignInsEnded("lost"))
                .When(new Spend(Alice, default, "chat", Quantity.Of(1), "r1") { By = Credential.Of(Hold().Value, Noon) }),
        [RejectionCode.KeyKindNotAllowed] = () => GivenAccount(Created(Other, KeyKind.Provisioning)).When(Spend(key: Other)),
        [RejectionCode.ModelNotAllowed] = () => GivenAccount(Created(Other, models: "openai/mini")).When(Place(key: Other)),
        [RejectionCode.KeyTooWide] = () => GivenAccount().When(Create() with { Kind = KeyKind.Provisioning, By = new Credential(Main) }),
        [RejectionCode.KeyNotMinted] = () =>
            GivenAccount(Created(Other)).When(new RevokeKey(Alice, Other, null) { By = new Credential(Main) }),
        [RejectionCode.ReferenceConflict] = () => GivenAccount(Granted(1, 5), Spent("1", 5, paid: Share(1, 5))).When(Spend(2)),
        [RejectionCode.AccountExists] = () => GivenAccount().When(new OpenAccount(Alice, "FR")),
        [RejectionCode.KeyNotFound] = () => GivenAccount().When(new RevokeKey(Alice, Other, null)),
        [RejectionCode.TooManyKeys] = () =>
            GivenAccount([.. Enumerable.Range(1, KeyRing.MaxLive - 1).Select(i => Created(new($"many{i}")))]).When(Create()),
        [RejectionCode.ReferralNotFound] = () => GivenAccount().When(new ApplyReferral(Alice, null)),
        [RejectionCode.ReferralToOneself] = () => GivenAccount().When(new ApplyReferral(Alice, Alice)),
        [RejectionCode.AlreadyReferred] = () =>
            GivenAccount(new ReferralApplied(new("bob0000000000000"), Amount.Credits(1), 1))
                .When(new ApplyReferral(Alice, new AccountId("carol00000000000"))),
        [RejectionCode.OrderNotFound] = () => GivenAccount().When(new ExpireOrder(Alice, new("nosuch"))),
        [RejectionCode.PackNotFound] = () => GivenAccount().When(Buy(OrderKind.Pack, "nosuch")),
        [RejectionCode.TierNotFound] = () => GivenAccount().When(new SetSubscription(Alice, Request, "nosuch")),
        [RejectionCode.NoActiveSubscription] = () => GivenAccount().When(new ContinueSubscription(Alice, Request)),
        [RejectionCode.AlreadySubscribed] = () => GivenAccount(Started()).When(Buy(OrderKind.Subscription, "pro")),
        [RejectionCode.SetByOperator] = () => GivenAccount(Started()).When(new ChangeSubscription(Alice, Request, "max", false)),
        [RejectionCode.BilledByProvider] = () => GivenAccount(Started(Stripe)).When(new SetSubscription(Alice, Request, "max")),
        [RejectionCode.PaymentRequired] = () => GivenAccount(Started(Stripe)).When(new ChangeSubscription(Alice, Request, "max", false)),
        [RejectionCode.NotForSale] = () => GivenAccount().When(Buy(OrderKind.Pack, "gift")),
        [RejectionCode.NoPaymentMethod] = () =>
            GivenAccount().When(new SetAutoTopup(Alice, Request, true, Amount.Credits(100), Amount.Usd(25), 1, "stripe")),
        [RejectionCode.TooManyOrders] = () =>
            GivenAccount([.. Enumerable.Range(1, Orders.MaxOpen).Select(i => Opened(new($"order-{i}")))])
                .When(Buy(OrderKind.Pack, "deepseek-chat-20k")),
        [RejectionCode.UnknownTool] = () => GivenAccount().When(Spend(tool: "nosuch")),
        [RejectionCode.UnknownModel] = () => GivenAccount().When(Place(Ask("openai/none"))),
        [RejectionCode.AmountOutOfRange] = () => GivenAccount().When(Spend(0)),
        [RejectionCode.ExpiryNotInFuture] = () =>
            GivenAccount().When(new GrantCredits(Alice, Amount.Credits(1), PocketSource.Bonus, null, Noon, "operator", "payment-1", null)),
        [RejectionCode.HoldNotFound] = () => GivenAccount().When(new ReleaseHold(Alice, Main, Hold())),
        [RejectionCode.HoldAlreadyReleased] = () =>
            GivenHold(new HoldReleased(Hold())).When(new SettleHold(Alice, Main, Hold(), Quantity.Of(1))),
        [RejectionCode.HoldAlreadySettled] = () => GivenHold(Settled("1", 5, [Share(1, 5)])).When(new ReleaseHold(Alice, Main, Hold())),
        [RejectionCode.HoldAlreadyExpired] = () => GivenHold(new HoldExpired(Hold(), Noon)).When(new ReleaseHold(Alice, Main, Hold())),
        [RejectionCode.SpendNotFound] = () => GivenAccount().When(new ReverseSpend(Alice, default, "sorry")),
        [RejectionCode.KeyLimitReached] = () => GivenAccount(Granted(1, 5), Created(Other, limit: 1)).When(Spend(key: Other)),
        [RejectionCode.NoActivePack] = () => GivenAccount(Granted(1, 5)).When(Place(Ask() with { Payment = CallPayment.Pack })),
        [RejectionCode.QuotaExceeded] = () =>
            GivenAccount(Created(OnQuota, billing: KeyBilling.Subscription), Started(tier: "trial"))
                .When(Place(Ask(input: 64_000) with { Choices = 1_000 }, OnQuota)),
        [RejectionCode.InsufficientCredits] = () => GivenAccount().When(Spend()),
    };

    /// <summary>The codes of the other stream, which has no account to tell a scenario of.</summary>
    private static readonly RejectionCode[] OfRateCards = [RejectionCode.EffectiveDateNotAllowed];

    [Fact]
    public void Every_code_has_its_case() =>
        Cases.Keys.Concat(OfRateCards).ShouldBe(Enum.GetValues<RejectionCode>(), "each once, and in the order of precedence");

    [Fact]
    public void Every_case_gives_its_code()
    {
        foreach (var (code, scenario) in Cases)
            scenario().ThenRejected(code);
        new PublishRateCard("{}", Noon.AddDays(-1))
            .Decide(RateBook.Empty, Noon)
            .ShouldBe(new Decision<RateCardEvent>.Rejected(RejectionCode.EffectiveDateNotAllowed));
    }

    [Fact]
    public void Of_two_reasons_the_one_that_stands_first_is_given()
    {
        var broke = GivenAccount(Created(Other, KeyKind.Provisioning), new AccountSuspended("fraud"));
        broke.And(new KeyRevoked(Main, null)).When(Spend(0, tool: "nosuch")).ThenRejected(RejectionCode.KeyNotUsable);
        broke.When(Spend(0, tool: "nosuch", key: Other)).ThenRejected(RejectionCode.AccountSuspended);
        GivenAccount(Created(Other, KeyKind.Provisioning))
            .When(Spend(0, tool: "nosuch", key: Other))
            .ThenRejected(RejectionCode.KeyKindNotAllowed);
        GivenAccount().When(Spend(0, tool: "nosuch")).ThenRejected(RejectionCode.UnknownTool);
        GivenAccount(Created(Other, limit: 1)).When(Spend(key: Other)).ThenRejected(RejectionCode.KeyLimitReached);
    }

    private static OpenOrder Buy(OrderKind kind, string item) => new(Alice, new("order-0"), kind, item, null, "stripe", null);

    private static Scenario GivenHold(AccountEvent end) => GivenAccount(Granted(1, 5), Held("1", 5, allocated: Share(1, 5)), end);

    private static CreateKey Create() =>
        new(
            Alice,
            Other,
            "ci",
            KeyKind.Inference,
            KeyBilling.PayPerToken,
            null,
            new string('a', 64),
            "lk",
            "9x2Q",
            null,
            null,
            LimitReset.None,
            [],
            null,
            null
        );

    private static Spend Spend(long units = 1, string tool = "chat", KeyId? key = null) =>
        new(Alice, key ?? Main, tool, Quantity.Of(units), "r1");
}
