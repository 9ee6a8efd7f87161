using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Metering.Calls;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Metering;

/// <summary>Calls that a subscription's quota pays: so many tokens in each window of 24 hours, from its anchor.</summary>
public class QuotaCallTests
{
    private const long Quota = 2_000_000;

    private static readonly Guid Second = EventIds.Request(Alice, "request-2");
    private static readonly DateTimeOffset Tomorrow = Noon.AddDays(1);

    /// <summary>The operator's level pro since noon, and a key that draws on it.</summary>
    private static Scenario GivenPro(params AccountEvent[] more) =>
        GivenAccount([
            Created(OnQuota, billing: KeyBilling.Subscription),
            Started(),
            Reset(ByOperator, 0),
            PeriodGrant(1, 2_000, 0),
            .. more,
        ]);

    /// <summary>The same, billed: periods must be paid.</summary>
    private static Scenario GivenBilled(params AccountEvent[] more) =>
        GivenAccount([Created(OnQuota, billing: KeyBilling.Subscription), Started(Stripe), Reset(Billed(), 0), .. more]);

    private static PlaceCallHold Call(CallAsk? ask = null, string reference = "c1") => Place(ask, OnQuota, reference);

    private static QuotaShare Share(long tokens, long window = 0, SubscriptionId? of = null) => new(of ?? ByOperator, window, tokens);

    private static HoldPlaced HeldTokens(long tokens, long window = 0, CallAsk? ask = null, DateTimeOffset? at = null) =>
        Held(ask ?? Ask(), Usd(0), "tiers/pro", tokens - 1_000, [], quota: Share(tokens, window), key: OnQuota, at: at);

    private static (long Used, long Held) UseAt(Scenario scenario, DateTimeOffset now) =>
        scenario.After.Subscription.QuotaAt(now) is var use ? (use.Used, use.Held) : default;

    [Fact]
    public void The_worst_case_is_set_aside_in_tokens_and_costs_nothing()
    {
        var after = GivenPro().When(Call()).Then(HeldTokens(1_100)).After;
        after.Subscription.QuotaLeft(Noon).ShouldBe(Quota - 1_100);
        after.Wallet.Held(Unit.Usd).IsZero.ShouldBeTrue();
        after.Wallet.Held(Unit.Credits).IsZero.ShouldBeTrue();
    }

    [Fact]
    public void The_worst_case_is_that_of_the_longest_in_the_chain() =>
        GivenPro()
            .When(Call(Ask("openai/mini", input: 150_000, output: 16_000) with { Choices = 2 }))
            .After.Subscription.Quota.Held.ShouldBe(150_000 + 32_000, "the fallback reads more, the model itself says more");

    [Fact]
    public void What_was_used_counts_every_class_and_the_rest_is_given_back()
    {
        var tokens = new TokenUse(1, 2, 3, 4, 86);
        var settled = GivenPro()
            .When(Call())
            .When(Settle(tokens))
            .Then(Settled(tokens, Usd(0), "tiers/pro", [], quota: Share(96), key: OnQuota));
        UseAt(settled, Noon).ShouldBe((96, 0));
        settled.After.Subscription.QuotaLeft(Noon).ShouldBe(Quota - 96);
    }

    [Fact]
    public void More_than_was_held_counts_and_may_use_more_than_there_is()
    {
        var settled = GivenPro().When(Call(Ask(output: null))).When(Settle(Used(1_990_000, 20_000)));
        UseAt(settled, Noon).ShouldBe((2_010_000, 0));
        settled.After.Subscription.QuotaLeft(Noon).ShouldBe(0);
        settled.When(Call(Ask(input: 0, output: 1), "c2")).ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0)));
        settled.At(Tomorrow).When(Call(reference: "c2")).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>("a window later it does");
    }

    [Fact]
    public void What_is_released_or_lapses_is_given_back()
    {
        UseAt(GivenPro().When(Call()).When(ReleaseByServer()), Noon).ShouldBe((0, 0));
        UseAt(GivenPro().When(Call()).At(Noon + Lifetime).When(Sweep()), Noon).ShouldBe((0, 0));
    }

    [Fact]
    public void Where_the_quota_does_for_less_the_refusal_names_the_output_and_a_clamp_accepts_it()
    {
        var ask = Ask("sandbox/echo", input: 9_000, output: 1_000);
        var nearly = GivenPro().When(Call()).When(Settle(Used(1_000_000, 990_000)));
        nearly.After.Subscription.QuotaLeft(Noon).ShouldBe(10_000);
        nearly.When(Call(ask, "c2")).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        nearly.When(Call(ask with { Choices = 2 }, "c2")).ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0), 500));
        nearly.When(Call(ask with { Choices = 2, MayClamp = true }, "c2")).After.Subscription.QuotaLeft(Noon).ShouldBe(0);
        nearly
            .When(Call(ask with { Choices = 2, MayClamp = true }, "c2"))
            .After.Wallet.Holds.Values.ShouldHaveSingleItem()
            .Call!.MaxOutput.ShouldBe(500);
        nearly
            .When(Call(Ask(input: 10_000, output: 1) with { MayClamp = true }, "c2"))
            .ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0)));
        nearly.When(Call(Ask(input: 10_001, output: 1), "c2")).ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0)));
    }

    [Fact]
    public void What_no_window_can_ever_hold_says_so_used_up_or_not()
    {
        var most = Ask("openai/mini", input: 150_000, output: 16_000) with { Choices = 115 };
        var (fits, never) = (most with { MayClamp = false }, most with { Choices = 116 });
        GivenPro().When(Call(fits)).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        GivenPro().When(Call(never)).ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0), 15_948, NeverFits: true));
        var used = GivenPro().When(Call()).When(Settle(Used(1_990_000, 10_000)));
        used.When(Call(fits, "c2")).ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0)));
        used.When(Call(never, "c2")).ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0), NeverFits: true));
        GivenPro().When(Call(never with { MayClamp = true })).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
    }

    [Fact]
    public void Parallel_calls_share_no_quota()
    {
        var scenario = GivenPro();
        for (var i = 1; i <= 31; i++)
            scenario = scenario.When(Call(Ask(input: 63_000, output: 1_000), $"c{i}"));
        scenario.After.Subscription.QuotaLeft(Noon).ShouldBe(Quota - (31 * 64_000));
        scenario
            .When(Call(Ask(input: 63_000, output: 1_000), "c32"))
            .ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0)));
    }

    [Fact]
    public void A_call_counts_in_the_window_in_which_its_hold_was_placed_and_in_no_other()
    {
        var late = Tomorrow.AddMinutes(-1);
        var held = GivenPro().At(late).When(Call());
        UseAt(held, late).ShouldBe((0, 1_100));
        UseAt(held, Tomorrow).ShouldBe((0, 0), "the next window owes nothing to it");
        held.After.Subscription.QuotaLeft(Tomorrow).ShouldBe(Quota);

        var settled = held.At(Tomorrow)
            .When(Settle(Used(24, 86)))
            .Then(Settled(Used(24, 86), Usd(0), "tiers/pro", [], quota: Share(110), key: OnQuota, heldAt: late));
        UseAt(settled, Tomorrow).ShouldBe((0, 0));

        var both = held.At(Tomorrow).When(Call(reference: "c2"));
        UseAt(both, Tomorrow).ShouldBe((0, 1_100));
        UseAt(both.When(Settle(Used(24, 86))), Tomorrow).ShouldBe((0, 1_100), "what the first held is not given to the second window");
        UseAt(both.When(ReleaseByServer()), Tomorrow).ShouldBe((0, 1_100));
        UseAt(both.When(Settle(Used(24, 86), reference: "c2")), Tomorrow).ShouldBe((110, 0));
    }

    [Fact]
    public void Windows_are_days_from_the_anchor_and_not_from_midnight()
    {
        var subscription = GivenPro().After.Subscription;
        subscription.QuotaWindow(Noon).ShouldBe(0);
        subscription.QuotaWindow(Tomorrow.AddTicks(-1)).ShouldBe(0);
        subscription.QuotaWindow(Tomorrow).ShouldBe(1);
        subscription.QuotaResetsAt(Noon.AddHours(13)).ShouldBe(Tomorrow);
        subscription.QuotaResetsAt(Tomorrow).ShouldBe(Noon.AddDays(2));
    }

    [Fact]
    public void A_clock_that_steps_back_brings_no_window_back()
    {
        var held = GivenPro().When(Call()).At(Tomorrow).When(Call(reference: "c2"));
        var subscription = held.After.Subscription;
        subscription.QuotaWindow(Noon).ShouldBe(1);
        subscription.QuotaLeft(Noon).ShouldBe(Quota - 1_100);
        subscription.QuotaResetsAt(Noon).ShouldBe(Noon.AddDays(2));
        held.At(Noon).When(Call(reference: "c3")).After.Subscription.Quota.ShouldBe(new QuotaUse(1, 0, 2_200));
    }

    [Fact]
    public void A_late_charge_counts_in_the_window_of_its_hold()
    {
        var given = GivenPro().When(Call());
        var expired = new HoldExpired(HoldOf(), Noon + Lifetime);
        var late = SettledLate(Used(24, 86), Usd(0), "tiers/pro", [], quota: Share(110), key: OnQuota);
        UseAt(given.At(Noon.AddHours(1)).When(Settle(Used(24, 86))).Then(expired, late), Noon.AddHours(1)).ShouldBe((110, 0));
        UseAt(given.At(Tomorrow).When(Settle(Used(24, 86))).Then(expired, late), Tomorrow).ShouldBe((0, 0));
        UseAt(given.At(Tomorrow).When(Call(reference: "c2")).When(Settle(Used(24, 86))), Tomorrow).ShouldBe((0, 1_100));
    }

    [Fact]
    public void A_call_that_is_given_back_gives_its_quota_back_while_its_window_lasts()
    {
        var spend = new SpendId(EventIds.HoldEnd(Alice, HoldOf()));
        var settled = GivenPro().When(Call()).When(Settle(Used(24, 86)));
        var reversed = settled.When(new ReverseSpend(Alice, spend, "wrong"));
        reversed.Then(new SpendReversed(spend, OnQuota, Route, Usd(0), Noon, [], null, "wrong", Noon, Share(110), "tiers/pro", DeepSeek));
        UseAt(reversed, Noon).ShouldBe((0, 0));
        reversed.When(new ReverseSpend(Alice, spend, "wrong")).Decision.ShouldBeOfType<Decision<AccountEvent>.Repeated>();
        UseAt(settled.At(Tomorrow).When(Call(reference: "c2")).When(new ReverseSpend(Alice, spend, "wrong")), Tomorrow)
            .ShouldBe((0, 1_100));
    }

    [Fact]
    public void A_late_charge_that_is_given_back_gives_its_quota_back_too()
    {
        var late = GivenPro().When(Call()).At(Noon.AddHours(1)).When(Settle(Used(24, 86)));
        UseAt(late.When(new ReverseSpend(Alice, new(EventIds.LateSettlement(Alice, HoldOf())), "wrong")), Noon).ShouldBe((0, 0));
    }

    [Fact]
    public void A_new_subscription_starts_anew_and_owes_nothing_to_calls_of_the_one_before()
    {
        var next = EventIds.Subscription(Alice, Subscription.Operator, Second.ToString());
        var replaced = GivenPro()
            .When(Call())
            .When(Call(reference: "c2"))
            .When(Settle(Used(1_000_000, 990_000), reference: "c2"))
            .When(new EndSubscription(Alice, Request, false, "canceled"))
            .When(new SetSubscription(Alice, Second, "pro"));
        replaced.After.Subscription.Id.Value.ShouldBe(next);
        UseAt(replaced, Noon).ShouldBe((0, 0));
        UseAt(replaced.When(Settle(Used(24, 86))), Noon).ShouldBe((0, 0));
        UseAt(replaced.When(ReleaseByServer()), Noon).ShouldBe((0, 0));
        UseAt(replaced.When(new ReverseSpend(Alice, new(EventIds.HoldEnd(Alice, HoldOf("c2"))), "wrong")), Noon).ShouldBe((0, 0));
        replaced.When(Call(reference: "c3")).After.Subscription.Quota.ShouldBe(new QuotaUse(0, 0, 1_100));
    }

    [Fact]
    public void Another_level_has_another_quota_and_what_was_used_stays_used()
    {
        var used = GivenPro().When(Call()).When(Settle(Used(1_000_000, 990_000)));
        used.And(Changed(ByOperator, "max")).After.Subscription.QuotaLeft(Noon).ShouldBe(5_000_000 - 1_990_000);
        used.And(Changed(ByOperator, "basic")).After.Subscription.QuotaLeft(Noon).ShouldBe(0);
        used.And(Changed(ByOperator, "basic"))
            .When(Call(reference: "c2"))
            .ThenRejected(RejectionCode.QuotaExceeded, new("quota", Usd(0), Usd(0)));
    }

    [Fact]
    public void A_period_that_begins_moves_no_window()
    {
        // 31 days are a whole number of windows, so that both begin at once; the use of the window before does not come along.
        var end = Periods.Start(Noon, 1);
        var used = GivenPro().At(end.AddMinutes(-1)).When(Call()).When(Settle(Used(24, 86)));
        UseAt(used, end.AddMinutes(-1)).ShouldBe((110, 0));
        var next = used.At(end).When(Call(reference: "c2"));
        next.After.Subscription.Period.ShouldBe(1);
        next.After.Subscription.Quota.ShouldBe(new QuotaUse(31, 0, 1_100));
    }

    [Fact]
    public void A_subscription_key_without_a_subscription_is_refused_before_its_model_is_looked_at()
    {
        var none = GivenAccount(Created(OnQuota, billing: KeyBilling.Subscription), Prepaid(1, 1_000_000_000));
        none.When(Call()).ThenRejected(RejectionCode.NoActiveSubscription);
        none.When(Call(Ask("openai/none"))).ThenRejected(RejectionCode.NoActiveSubscription);
        GivenPro(new SubscriptionEnded(ByOperator, Noon, "canceled")).When(Call()).ThenRejected(RejectionCode.NoActiveSubscription);
        GivenPro().When(Call(Ask("openai/none"))).ThenRejected(RejectionCode.UnknownModel);
    }

    [Fact]
    public void One_that_is_to_end_serves_until_it_does()
    {
        var end = Periods.Start(Noon, 1);
        var ending = GivenPro(new SubscriptionEndScheduled(ByOperator, end));
        ending.At(end.AddTicks(-10)).When(Call()).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        ending.At(end).When(Call()).ThenRejected(RejectionCode.NoActiveSubscription);
    }

    [Fact]
    public void What_the_operator_gave_counts_as_paid_for_ever() =>
        GivenPro().At(Periods.Start(Noon, 5).AddDays(20)).When(Call()).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();

    [Fact]
    public void What_a_provider_bills_is_served_three_days_into_a_period_that_is_not_paid()
    {
        var end = Periods.Start(Noon, 1);
        GivenBilled().At(end.AddTicks(-10)).When(Call()).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        GivenBilled().At(end.AddDays(3).AddTicks(-10)).When(Call()).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        GivenBilled().At(end.AddDays(3)).When(Call()).ThenRejected(RejectionCode.NoActiveSubscription);
        GivenBilled(Reset(Billed(), 1))
            .At(end.AddDays(3))
            .When(Call())
            .Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>("it was paid");
        GivenBilled(new SubscriptionEndScheduled(Billed(), end)).At(end).When(Call()).ThenRejected(RejectionCode.NoActiveSubscription);
    }

    [Fact]
    public void A_subscription_key_is_refused_where_only_funds_pay()
    {
        var given = GivenPro(Prepaid(2, 1_000_000_000), Granted(3, 1_000, PocketSource.Pack, DeepSeek));
        given.When(Call(Ask() with { Payment = CallPayment.Balance })).ThenRejected(RejectionCode.KeyKindNotAllowed);
        given.When(Call(Ask() with { Payment = CallPayment.Pack })).ThenRejected(RejectionCode.KeyKindNotAllowed);
    }

    [Fact]
    public void A_pay_per_token_key_draws_on_no_quota_although_there_is_one()
    {
        var given = GivenPro();
        given.When(Place()).ThenRejected(RejectionCode.InsufficientCredits);
        var paid = given.And(Prepaid(2, 1_000_000)).When(Place());
        paid.Then(Held(Ask(), Usd(390_000), "models/" + DeepSeek, 100, [Part(2, 390_000)]));
        paid.After.Subscription.Quota.ShouldBe(default);
    }

    [Fact]
    public void A_list_of_models_binds_a_subscription_key_too() =>
        GivenAccount(Created(OnQuota, billing: KeyBilling.Subscription, models: "openai/mini"), Started(), Reset(ByOperator, 0))
            .When(Call())
            .ThenRejected(RejectionCode.ModelNotAllowed);

    [Fact]
    public void Debt_stops_no_call_that_the_quota_pays() =>
        GivenPro(Prepaid(2, 390_000))
            .When(Place())
            .When(Settle(Used(1_000, 200)))
            .When(Call(reference: "c2"))
            .Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
}
