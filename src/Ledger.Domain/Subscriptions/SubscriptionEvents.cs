using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Subscriptions;

/// <summary>What has happened to an account's subscription. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record SubscriptionEvent : AccountEvent
{
    private protected SubscriptionEvent() { }
}

/// <summary>A subscription was started. Its first period is opened by the <see cref="SubscriptionReset"/> beside it.</summary>
/// <param name="Subscription">The subscription: this event's id.</param>
/// <param name="Tier">The level, an entry of the rate card.</param>
/// <param name="Card">The version of that rate card.</param>
/// <param name="Price">What a month costs, in dollars.</param>
/// <param name="Credits">Credits per month.</param>
/// <param name="TokensPer24h">Tokens per window of 24 hours.</param>
/// <param name="Provider">Who bills it: <c>operator</c>, or a payment provider.</param>
/// <param name="Reference">The provider's own name for it; null where it has none.</param>
/// <param name="Anchor">When period 0 starts, from which all others are reckoned.</param>
public sealed record SubscriptionStarted(
    SubscriptionId Subscription,
    string Tier,
    long Card,
    Amount Price,
    Amount Credits,
    long TokensPer24h,
    string Provider,
    string? Reference,
    DateTimeOffset Anchor
) : SubscriptionEvent;

/// <summary>A period began: its credits, where there are any, are granted beside this.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="Period">The period's index; with the subscription, the identity of the reset.</param>
/// <param name="StartsAt">When the period began, which may be earlier than when that was noticed.</param>
/// <param name="EndsAt">When it ends.</param>
public sealed record SubscriptionReset(SubscriptionId Subscription, long Period, DateTimeOffset StartsAt, DateTimeOffset EndsAt)
    : SubscriptionEvent;

/// <summary>The subscription is at another level from now on.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="Tier">The level.</param>
/// <param name="Card">The version of the rate card.</param>
/// <param name="Price">What a month costs, in dollars.</param>
/// <param name="Credits">Credits per month.</param>
/// <param name="TokensPer24h">Tokens per window of 24 hours.</param>
public sealed record SubscriptionChanged(
    SubscriptionId Subscription,
    string Tier,
    long Card,
    Amount Price,
    Amount Credits,
    long TokensPer24h
) : SubscriptionEvent;

/// <summary>The subscription will be at another level from its next period on.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="Tier">The level.</param>
/// <param name="Card">The version of the rate card.</param>
/// <param name="Price">What a month will cost, in dollars.</param>
/// <param name="Credits">Credits per month.</param>
/// <param name="TokensPer24h">Tokens per window of 24 hours.</param>
public sealed record SubscriptionChangeScheduled(
    SubscriptionId Subscription,
    string Tier,
    long Card,
    Amount Price,
    Amount Credits,
    long TokensPer24h
) : SubscriptionEvent;

/// <summary>What was to change with the next period will not: neither another level nor the end.</summary>
/// <param name="Subscription">The subscription.</param>
public sealed record SubscriptionKept(SubscriptionId Subscription) : SubscriptionEvent;

/// <summary>The subscription will end with the period under way.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="EndsAt">When that is.</param>
public sealed record SubscriptionEndScheduled(SubscriptionId Subscription, DateTimeOffset EndsAt) : SubscriptionEvent;

/// <summary>The subscription ended. The credits of its last period lapse when they would have anyway.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="EndedAt">When, which may be earlier than when that was noticed.</param>
/// <param name="Reason">Why: <c>canceled</c>, <c>replaced</c>, <c>unpaid</c> or the operator's words.</param>
public sealed record SubscriptionEnded(SubscriptionId Subscription, DateTimeOffset EndedAt, string Reason) : SubscriptionEvent;
