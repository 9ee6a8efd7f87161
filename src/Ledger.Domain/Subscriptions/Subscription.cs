using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json.Serialization;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Subscriptions;

/// <summary>What a subscriber agreed to: these stay, whatever later rate cards say, until the subscription is changed.</summary>
/// <param name="Tier">The level.</param>
/// <param name="Card">The version of the rate card that had it.</param>
/// <param name="Price">What a month costs, in dollars.</param>
/// <param name="Credits">Credits per month.</param>
/// <param name="TokensPer24h">Tokens per window of 24 hours.</param>
public sealed record SubscriptionTerms(string Tier, long Card, Amount Price, Amount Credits, long TokensPer24h)
{
    /// <summary>The terms of a level by a rate card; null where it has none, or none that an account can hold.</summary>
    public static SubscriptionTerms? Of(RateCard card, string tier)
    {
        ArgumentNullException.ThrowIfNull(card);
        return
            card.FindTier(tier) is { } entry
            && Money.Price.Usd(entry.PriceUsd) is { } price
            && Money.Price.Credits(entry.CreditsPerMonth) is { } credits
            ? new(tier, card.Version, price, credits, entry.TokensPer24h)
            : null;
    }
}

/// <summary>The one subscription that an account has, or had last.</summary>
/// <param name="Id">Its id; the default value where there never was one.</param>
/// <param name="Terms">What was agreed to; null where there never was one.</param>
/// <param name="Provider">Who bills it.</param>
/// <param name="Reference">The provider's own name for it.</param>
/// <param name="Anchor">When period 0 starts.</param>
/// <param name="Period">The last period that began; never falls.</param>
/// <param name="LastResetAt">When that began; null where none did.</param>
/// <param name="Next">The terms from the next period on; null where they stay.</param>
/// <param name="EndsAt">When it is going to end; null where it goes on.</param>
/// <param name="EndedAt">When it ended; null where it has not.</param>
/// <param name="Quota">What of its quota is used.</param>
public sealed record Subscription(
    SubscriptionId Id,
    SubscriptionTerms? Terms,
    string? Provider,
    string? Reference,
    DateTimeOffset Anchor,
    long Period,
    DateTimeOffset? LastResetAt,
    SubscriptionTerms? Next,
    DateTimeOffset? EndsAt,
    DateTimeOffset? EndedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] QuotaUse Quota = default
)
{
    /// <summary>Who bills what the operator gave: nobody.</summary>
    public const string Operator = "operator";

    /// <summary>The name under which periods that nobody bills are granted.</summary>
    public const string Granter = "subscription";

    /// <summary>There never was one.</summary>
    public static Subscription None { get; } = new(default, null, null, null, default, 0, null, null, null, null);

    /// <summary>Whether there is one that has not ended.</summary>
    public bool IsActive => Terms is not null && EndedAt is null;

    /// <summary>Whether a payment provider bills it, so that each period must be paid before it begins.</summary>
    public bool IsBilled => Provider is not (null or Operator);

    /// <summary>When the last period that began did so.</summary>
    public DateTimeOffset PeriodStart => Periods.Start(Anchor, Period);

    /// <summary>When it ends.</summary>
    public DateTimeOffset PeriodEnd => Periods.Start(Anchor, Period + 1);

    /// <summary>When something happens to it by time alone; far in the future where nothing does.</summary>
    public DateTimeOffset NextDue =>
        !IsActive ? DateTimeOffset.MaxValue
        : EndsAt is { } end ? end
        : IsBilled ? DateTimeOffset.MaxValue
        : PeriodEnd;

    /// <summary>Whether the period that a time lies in has begun: where a provider bills, it was paid.</summary>
    public bool IsPaidAt(DateTimeOffset now) => IsActive && now < PeriodEnd;

    /// <summary>
    /// For how long a subscription that a provider bills goes on being served into a period that is not paid yet: an invoice is paid some time after its
    /// period begins, at Stripe about an hour, and a card that was declined is tried again for days.
    /// </summary>
    public static readonly TimeSpan Grace = TimeSpan.FromDays(3);

    /// <summary>Whether its quota can be drawn on at a time: in a paid period, and for some days into one that is still to be paid.</summary>
    public bool ServesAt(DateTimeOffset now) => IsActive && now < (IsBilled ? PeriodEnd + Grace : PeriodEnd);

    /// <summary>The window of 24 hours from the anchor that a time lies in; never falls, also where a clock does.</summary>
    public long QuotaWindow(DateTimeOffset now) => Math.Max(Periods.WindowOf(Anchor, now), Quota.Window);

    /// <summary>What is used and held in the window that a time lies in.</summary>
    public QuotaUse QuotaAt(DateTimeOffset now) => Quota.Plus(QuotaWindow(now), 0, 0);

    /// <summary>How many tokens are left in the window that a time lies in.</summary>
    public long QuotaLeft(DateTimeOffset now)
    {
        var use = QuotaAt(now);
        return Terms is { } terms ? Math.Max(0, terms.TokensPer24h - use.Used - use.Held) : 0;
    }

    /// <summary>When the window that a time lies in ends.</summary>
    public DateTimeOffset QuotaResetsAt(DateTimeOffset now) => Periods.WindowEnd(Anchor, QuotaWindow(now));

    /// <summary>The one thing that happens at <see cref="NextDue"/>: the end, or the next period.</summary>
    internal ImmutableArray<AccountEvent> DueEvents(Wallet wallet) =>
        EndsAt is { } end
            ? [new SubscriptionEnded(Id, end, "canceled")]
            : Reset(wallet, Period + 1, Granter, $"{Id}:{Period + 1}", PeriodEnd);

    /// <summary>The next period's events: changed terms first, then the reset, then what it grants.</summary>
    /// <param name="wallet">Takes the grant.</param>
    /// <param name="period">The period.</param>
    /// <param name="provider">Who vouches for its payment.</param>
    /// <param name="payment">The payment.</param>
    /// <param name="now">When it begins or, where that was earlier, is paid.</param>
    internal ImmutableArray<AccountEvent> Reset(Wallet wallet, long period, string provider, string payment, DateTimeOffset now)
    {
        var events = ImmutableArray.CreateBuilder<AccountEvent>(4);
        var terms = Terms!;
        if (Next is { } next)
        {
            terms = next;
            events.Add(new SubscriptionChanged(Id, next.Tier, next.Card, next.Price, next.Credits, next.TokensPer24h));
        }

        var (start, end) = (Periods.Start(Anchor, period), Periods.Start(Anchor, period + 1));
        events.Add(new SubscriptionReset(Id, period, start, end));
        events.AddRange(Granting(wallet, terms.Credits, end, provider, payment, now));
        return events.DrainToImmutable();
    }

    /// <summary>
    /// A period's credits; none where there are none, or where the wallet holds as much as one may. Those of a period that is over pay what is owed
    /// and lapse in the same append: nobody looks for pockets that lapsed long ago.
    /// </summary>
    internal static ImmutableArray<AccountEvent> Granting(
        Wallet wallet,
        Amount credits,
        DateTimeOffset expiresAt,
        string provider,
        string payment,
        DateTimeOffset now
    )
    {
        if (!credits.IsPositive || !wallet.CanTake(credits))
            return [];
        var pocket = wallet.NextPocket;
        var events = GrantCredits.Granting(
            wallet,
            new(pocket, credits, PocketSource.Subscription, null, expiresAt, provider, payment, null)
        );
        var left = credits - Amount.Min(credits, wallet.Debt(credits.Unit));
        return expiresAt <= now && left.IsPositive ? events.Add(new PocketExpired(pocket, left, expiresAt)) : events;
    }

    /// <summary>What an event of the wallet uses of the quota; <paramref name="before"/> knows the hold that it ends.</summary>
    public static Subscription Evolve(Subscription subscription, WalletEvent @event, Wallet before)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        ArgumentNullException.ThrowIfNull(before);
        return @event switch
        {
            HoldPlaced { Call.Quota: { } share } => subscription.Using(share, 0, share.Tokens),
            HoldSettled { Call.Quota: { } used } e => subscription.Using(used, used.Tokens, -HeldBy(before, e.Hold)),
            HoldReleased e => subscription.GivingBack(before, e.Hold),
            HoldExpired e => subscription.GivingBack(before, e.Hold),
            HoldSettledLate { Call.Quota: { } used } => subscription.Using(used, used.Tokens, 0),
            SpendReversed { Quota: { } used } => subscription.Using(used, -used.Tokens, 0),
            _ => subscription,
        };
    }

    private static long HeldBy(Wallet wallet, HoldId hold) => wallet.Holds[hold].Call?.Quota?.Tokens ?? 0;

    private Subscription GivingBack(Wallet before, HoldId hold) =>
        before.Holds[hold].Call?.Quota is { } share ? Using(share, 0, -share.Tokens) : this;

    /// <summary>What was drawn on a subscription that has been replaced since counts nowhere.</summary>
    private Subscription Using(QuotaShare share, long used, long held) =>
        share.Subscription == Id ? this with { Quota = Quota.Plus(share.Window, used, held) } : this;

    /// <summary>The state after one more event. Never refuses.</summary>
    public static Subscription Evolve(Subscription subscription, SubscriptionEvent @event)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        return @event switch
        {
            SubscriptionStarted e => new(
                e.Subscription,
                new(e.Tier, e.Card, e.Price, e.Credits, e.TokensPer24h),
                e.Provider,
                e.Reference,
                e.Anchor,
                0,
                null,
                null,
                null,
                null
            ),
            SubscriptionReset e => subscription with { Period = e.Period, LastResetAt = e.StartsAt },
            SubscriptionChanged e => subscription with { Terms = new(e.Tier, e.Card, e.Price, e.Credits, e.TokensPer24h), Next = null },
            SubscriptionChangeScheduled e => subscription with
            {
                Next = new(e.Tier, e.Card, e.Price, e.Credits, e.TokensPer24h),
                EndsAt = null,
            },
            SubscriptionKept => subscription with { Next = null, EndsAt = null },
            SubscriptionEndScheduled e => subscription with { Next = null, EndsAt = e.EndsAt },
            SubscriptionEnded e => subscription with { EndedAt = e.EndedAt, Next = null, EndsAt = null },
            _ => throw new UnreachableException($"No fold for {@event?.GetType().Name}."),
        };
    }
}
