using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Subscriptions;

/// <summary>Subscriptions that the operator sets and nobody bills.</summary>
public class SubscriptionTests
{
    private static readonly Guid Second = EventIds.Request(Alice, "request-2");

    private static DateTimeOffset End(long period) => Periods.Start(Noon, period + 1);

    private static SetSubscription Set(string tier, Guid? request = null) => new(Alice, request ?? Request, tier);

    /// <summary>Level pro since noon: 2,000 credits a month in pocket 1.</summary>
    private static Scenario GivenPro(params AccountEvent[] more) =>
        GivenAccount([Started(), Reset(ByOperator, 0), PeriodGrant(1, 2_000, 0), .. more]);

    [Fact]
    public void The_operator_gives_a_level_and_its_first_credits_are_there_at_once()
    {
        var after = GivenAccount().When(Set("pro")).Then(Started(), Reset(ByOperator, 0), PeriodGrant(1, 2_000, 0)).After;
        after.Wallet.Available(Unit.Credits, Noon).ShouldBe(Amount.Credits(2_000));
        after.Subscription.IsActive.ShouldBeTrue();
        after.Subscription.IsBilled.ShouldBeFalse();
        (after.Subscription.LastResetAt, after.Subscription.PeriodEnd).ShouldBe((Noon, Noon.AddMonths(1)));
        after.NextScheduled.ShouldBe(Noon.AddMonths(1));
    }

    [Fact]
    public void A_level_without_credits_opens_no_pocket() =>
        GivenAccount().When(Set("quota")).Then(Started(tier: "quota"), Reset(ByOperator, 0)).After.Wallet.Pockets.ShouldBeEmpty();

    [Fact]
    public void The_same_level_again_is_nothing_new() => GivenPro().When(Set("pro", Second)).ThenNothing();

    [Fact]
    public void The_request_that_gave_it_is_answered_by_what_it_did_whatever_has_happened_since() =>
        GivenPro(Changed(ByOperator, "max")).When(Set("pro")).ThenRepeated(Started());

    [Fact]
    public void An_unknown_level_is_refused() => GivenAccount().When(Set("nosuch")).ThenRejected(RejectionCode.TierNotFound);

    [Fact]
    public void Nobody_can_be_given_a_level_before_there_is_an_account() =>
        Given().When(Set("pro")).ThenRejected(RejectionCode.AccountNotFound);

    [Fact]
    public void What_was_agreed_to_stays_whatever_later_rate_cards_say()
    {
        var dearer = new RateCard(2, Noon, Prices.Document(7) with { Tiers = [] });
        GivenPro().Under(dearer).At(End(0)).When(Sweep()).Then(Lapsed(1, 2_000, End(0)), Reset(ByOperator, 1), PeriodGrant(2, 2_000, 1));
    }

    [Fact]
    public void A_period_begins_at_its_boundary_and_not_before()
    {
        GivenPro().At(End(0).AddTicks(-10)).When(Sweep()).ThenNothing();
        GivenPro()
            .At(End(0))
            .When(Sweep())
            .Then(Lapsed(1, 2_000, End(0)), Reset(ByOperator, 1), PeriodGrant(2, 2_000, 1))
            .After.Subscription.Period.ShouldBe(1);
    }

    [Fact]
    public void A_sweep_after_the_spend_that_found_it_due_begins_nothing_again()
    {
        var spent = GivenPro()
            .At(End(0))
            .When(Turns(1))
            .Then(Lapsed(1, 2_000, End(0)), Reset(ByOperator, 1), PeriodGrant(2, 2_000, 1), Spent("1", 5, paid: Share(2, 5)));
        spent.When(Sweep()).ThenNothing();
        spent.Later(TimeSpan.FromDays(1)).When(Turns(1, "r2")).Then(Spent("1", 5, "r2", paid: Share(2, 5)));
    }

    [Fact]
    public void A_spend_after_the_sweep_draws_on_the_new_pocket() =>
        GivenPro().At(End(0)).When(Sweep()).When(Turns(1)).Then(Spent("1", 5, paid: Share(2, 5)));

    [Fact]
    public void Whoever_triggers_it_it_is_one_event_with_one_id()
    {
        var due = GivenPro().At(End(0));
        var (swept, spent) = (due.When(Sweep()), due.When(Turns(1)));
        swept
            .History.Where(fact => fact.Event is SubscriptionReset or CreditsGranted)
            .Select(fact => fact.Id)
            .ShouldBe(spent.History.Where(fact => fact.Event is SubscriptionReset or CreditsGranted).Select(fact => fact.Id));
    }

    [Fact]
    public void A_refused_command_begins_no_period()
    {
        var due = GivenPro().At(End(0));
        due.When(Turns(1_000))
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Credits(5_000), Amount.Credits(2_000)));
        due.After.LapsedAt(End(0)).Wallet.Available(Unit.Credits, End(0)).ShouldBe(Amount.Credits(2_000));
    }

    [Fact]
    public void An_idle_account_gets_every_period_that_it_missed_in_order() =>
        GivenPro()
            .At(End(2).AddDays(3))
            .When(Sweep())
            .Then(
                Lapsed(1, 2_000, End(0)),
                Reset(ByOperator, 1),
                PeriodGrant(2, 2_000, 1),
                Lapsed(2, 2_000, End(1)),
                Reset(ByOperator, 2),
                PeriodGrant(3, 2_000, 2),
                Lapsed(3, 2_000, End(2)),
                Reset(ByOperator, 3),
                PeriodGrant(4, 2_000, 3)
            )
            .After.Wallet.Available(Unit.Credits, End(2).AddDays(3))
            .ShouldBe(Amount.Credits(2_000));

    [Fact]
    public void A_period_that_began_leaves_all_other_pockets_alone()
    {
        var after = GivenPro(Granted(2, 10), Granted(3, 20, PocketSource.Bonus, expiresAt: End(1)), Granted(4, 30, scope: Scope))
            .At(End(0))
            .When(Sweep())
            .Then(Lapsed(1, 2_000, End(0)), Reset(ByOperator, 1), PeriodGrant(5, 2_000, 1))
            .After;
        after
            .Wallet.Pockets.OrderBy(pocket => pocket.Id.Number)
            .Select(pocket => pocket.Remaining / 1_000_000)
            .ShouldBe([0, 10, 20, 30, 2_000]);
    }

    [Fact]
    public void What_is_held_of_the_old_pocket_survives_until_its_hold_ends_and_then_lapses()
    {
        var held = GivenPro(Held("2", 10, End(0).AddHours(2), allocated: Share(1, 10)))
            .At(End(0).AddHours(1))
            .When(Sweep())
            .Then(Lapsed(1, 1_990, End(0)), Reset(ByOperator, 1), PeriodGrant(2, 2_000, 1));
        held.When(new SettleHold(Alice, Main, Hold(), Quantity.Of(1)))
            .Then(Settled("1", 5, [Share(1, 5)]), Lapsed(1, 5, End(0).AddHours(1)));
        held.When(new ReleaseHold(Alice, Main, Hold())).Then(new HoldReleased(Hold()), Lapsed(1, 10, End(0).AddHours(1)));
        held.At(End(0).AddHours(3))
            .When(Sweep("sweep-2"))
            .Then(new HoldExpired(Hold(), End(0).AddHours(2)), Lapsed(1, 10, End(0).AddHours(2)));
    }

    /// <summary>A hold that lapsed before the period began returns what then lapses with the old pocket.</summary>
    [Fact]
    public void What_lapses_before_a_period_begins_lapses_first() =>
        GivenPro(Held("2", 10, End(0).AddHours(-1), allocated: Share(1, 10)), Granted(2, 7, expiresAt: End(0).AddHours(1)))
            .At(End(0).AddHours(2))
            .When(Sweep())
            .Then(
                new HoldExpired(Hold(), End(0).AddHours(-1)),
                Lapsed(1, 2_000, End(0)),
                Reset(ByOperator, 1),
                PeriodGrant(3, 2_000, 1),
                Lapsed(2, 7, End(0).AddHours(1))
            );

    [Fact]
    public void What_is_owed_is_paid_first_by_the_new_periods_credits()
    {
        var owing = GivenPro(
            Spent("400", 2_000, paid: Share(1, 2_000)),
            Held("0", 0, End(0).AddDays(-1)),
            Settled("2", 10, [], [], debt: 10)
        );
        owing
            .At(End(0))
            .When(Sweep())
            .Then(Reset(ByOperator, 1), PeriodGrant(2, 2_000, 1), Repaid(2, 10))
            .After.Wallet.Available(Unit.Credits, End(0))
            .ShouldBe(Amount.Credits(1_990));
    }

    /// <summary>A node whose clock is behind decides on a stream that is ahead of it.</summary>
    [Fact]
    public void A_clock_that_steps_back_neither_ends_a_period_nor_begins_one_again()
    {
        var begun = GivenPro().At(End(0)).When(Sweep());
        var back = begun.At(End(0).AddMinutes(-5));
        back.When(Sweep("sweep-2")).ThenNothing().After.Subscription.Period.ShouldBe(1);
        back.When(Turns(1)).Then(Spent("1", 5, paid: Share(2, 5)));
        back.At(End(0).AddMinutes(1)).When(Sweep("sweep-3")).ThenNothing();
    }

    [Fact]
    public void A_higher_level_gives_the_further_credits_of_the_rest_of_the_period_down_to_a_whole_one()
    {
        // 21 of 31 days are left of 4,000 more credits: 2,709.67.
        var after = GivenPro()
            .At(Noon.AddDays(10))
            .When(Set("max", Second))
            .Then(Changed(ByOperator, "max"), SubscriptionGrant(2, 2_709, End(0), Subscription.Granter, $"change:{Second}"))
            .After;
        after.Subscription.Terms!.Tier.ShouldBe("max");
        after.Subscription.Period.ShouldBe(0);
    }

    [Fact]
    public void A_higher_level_that_prorates_nothing_gives_nothing_until_the_next_period()
    {
        var changed = GivenPro().At(Noon.AddDays(10)).When(Set("flat", Second)).Then(Changed(ByOperator, "flat"));
        changed.At(End(0)).When(Sweep()).Then(Lapsed(1, 2_000, End(0)), Reset(ByOperator, 1), PeriodGrant(2, 5_000, 1));
    }

    [Fact]
    public void A_lower_level_takes_nothing_back_and_gives_less_from_the_next_period_on()
    {
        var changed = GivenPro().At(Noon.AddDays(10)).When(Set("basic", Second)).Then(Changed(ByOperator, "basic"));
        changed.After.Wallet.Available(Unit.Credits, Noon.AddDays(10)).ShouldBe(Amount.Credits(2_000));
        changed.At(End(0)).When(Sweep()).Then(Lapsed(1, 2_000, End(0)), Reset(ByOperator, 1), PeriodGrant(2, 1_000, 1));
    }

    [Fact]
    public void A_request_that_gave_further_credits_gives_them_once_whatever_has_happened_since()
    {
        var granted = SubscriptionGrant(2, 2_709, End(0), Subscription.Granter, $"change:{Second}");
        GivenPro(Changed(ByOperator, "max"), granted, Changed(ByOperator, "basic"))
            .At(Noon.AddDays(11))
            .When(Set("max", Second))
            .ThenRepeated(granted);
    }

    [Fact]
    public void A_level_that_the_operator_set_is_not_changed_by_whoever_pays_for_it()
    {
        GivenPro().When(new ChangeSubscription(Alice, Second, "max", AtPeriodEnd: true)).ThenRejected(RejectionCode.SetByOperator);
        GivenPro()
            .When(new OpenOrder(Alice, TheOrder, OrderKind.Upgrade, "max", null, Stripe, null))
            .ThenRejected(RejectionCode.SetByOperator);
    }

    [Fact]
    public void It_ends_with_the_period_under_way_and_its_credits_with_it()
    {
        var ending = GivenPro()
            .When(new EndSubscription(Alice, Second, AtPeriodEnd: true, "canceled"))
            .Then(new SubscriptionEndScheduled(ByOperator, End(0)));
        ending.After.Subscription.IsActive.ShouldBeTrue();
        ending.When(new EndSubscription(Alice, Request, AtPeriodEnd: true, "canceled")).ThenNothing();
        var ended = ending
            .At(End(0).AddDays(1))
            .When(Sweep())
            .Then(Lapsed(1, 2_000, End(0)), new SubscriptionEnded(ByOperator, End(0), "canceled"));
        ended.After.Subscription.IsActive.ShouldBeFalse();
        ended.After.NextScheduled.ShouldBe(DateTimeOffset.MaxValue);
        ended.At(End(5)).When(Sweep("sweep-2")).ThenNothing();
    }

    [Fact]
    public void It_ends_at_once_and_its_credits_when_they_would_have_anyway()
    {
        var ended = GivenPro()
            .At(Noon.AddDays(1))
            .When(new EndSubscription(Alice, Second, AtPeriodEnd: false, "abuse"))
            .Then(new SubscriptionEnded(ByOperator, Noon.AddDays(1), "abuse"));
        ended.When(Turns(1)).Then(Spent("1", 5, paid: Share(1, 5)));
        ended.At(End(0)).When(Sweep()).Then(Lapsed(1, 2_000, End(0)));
        ended.When(new EndSubscription(Alice, Request, AtPeriodEnd: false, "again")).ThenNothing();
    }

    [Fact]
    public void What_was_to_end_can_go_on()
    {
        var kept = GivenPro(new SubscriptionEndScheduled(ByOperator, End(0)))
            .When(new ContinueSubscription(Alice, Second))
            .Then(new SubscriptionKept(ByOperator));
        kept.When(new ContinueSubscription(Alice, Request)).ThenNothing();
        kept.At(End(0)).When(Sweep()).Then(Lapsed(1, 2_000, End(0)), Reset(ByOperator, 1), PeriodGrant(2, 2_000, 1));
    }

    [Fact]
    public void What_has_ended_cannot_go_on_and_can_be_given_again()
    {
        var ended = GivenPro(new SubscriptionEnded(ByOperator, Noon, "canceled"));
        ended.When(new ContinueSubscription(Alice, Second)).ThenRejected(RejectionCode.NoActiveSubscription);
        var again = new SubscriptionId(EventIds.Subscription(Alice, Subscription.Operator, Second.ToString()));
        ended
            .When(Set("basic", Second))
            .Then(
                Started(tier: "basic") with
                {
                    Subscription = again,
                },
                Reset(again, 0),
                SubscriptionGrant(2, 1_000, End(0), Subscription.Granter, $"{again}:0")
            );
    }

    [Fact]
    public void Quotas_are_counted_in_windows_from_the_anchor()
    {
        var subscription = GivenPro().After.Subscription;
        subscription.QuotaResetsAt(Noon).ShouldBe(Noon.AddHours(24));
        subscription.QuotaResetsAt(Noon.AddHours(24)).ShouldBe(Noon.AddHours(48));
        subscription.IsPaidAt(End(0).AddTicks(-1)).ShouldBeTrue();
        subscription.IsPaidAt(End(0)).ShouldBeFalse();
    }
}
