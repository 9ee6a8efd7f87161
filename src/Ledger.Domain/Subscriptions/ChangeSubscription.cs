using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;

namespace Ledger.Domain.Subscriptions;

/// <summary>Gives an account a subscription that nobody bills, or changes the level of one, at once; nothing where it has that level.</summary>
/// <param name="Account">The account.</param>
/// <param name="Id">The command's id.</param>
/// <param name="Tier">The level, an entry of the rate card in force.</param>
public sealed record SetSubscription(AccountId Account, Guid Id, string Tier) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls =>
        [
            EventIds.Subscription(Account, Subscription.Operator, Id.ToString()),
            EventIds.Grant(Account, Subscription.Granter, Changing.Payment(Id)),
        ];

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        foreach (var id in Recalls)
        {
            if (context.Past.Find(id) is { } first)
                return Repeat(first);
        }

        if (SubscriptionTerms.Of(context.Card, Tier) is not { } terms)
            return Reject(RejectionCode.TierNotFound);
        var subscription = account.Subscription;
        if (!subscription.IsActive)
            return Accept(
                Starting.Events(
                    account,
                    terms,
                    Subscription.Operator,
                    null,
                    Id.ToString(),
                    context.Now,
                    context.Now,
                    Subscription.Granter,
                    $"{EventIds.Subscription(Account, Subscription.Operator, Id.ToString())}:0"
                )
            );
        if (subscription.IsBilled)
            return Reject(RejectionCode.BilledByProvider);
        return Accept(Changing.Now(account, terms, context, Id));
    }
}

/// <summary>
/// Changes the level of a subscription that a payment provider bills: at once where nothing is to be paid for the rest of the period, or from the
/// next period on, also where that is not paid yet. Nothing where it has that level; then it also goes on, if it was to end or change.
/// </summary>
/// <param name="Account">The account.</param>
/// <param name="Id">The command's id.</param>
/// <param name="Tier">The level, an entry of the rate card in force.</param>
/// <param name="AtPeriodEnd">Whether from the next period on.</param>
public sealed record ChangeSubscription(AccountId Account, Guid Id, string Tier, bool AtPeriodEnd) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (SubscriptionTerms.Of(context.Card, Tier) is not { } terms)
            return Reject(RejectionCode.TierNotFound);
        var subscription = account.Subscription;
        if (!subscription.IsActive)
            return Reject(RejectionCode.NoActiveSubscription);
        if (!subscription.IsBilled)
            return Reject(RejectionCode.SetByOperator);
        if (subscription.Terms!.Tier == Tier)
            return subscription is { Next: null, EndsAt: null } ? Accept() : Accept(new SubscriptionKept(subscription.Id));

        // While the next period's invoice is on its way, what it bills must stay what was agreed to.
        if (AtPeriodEnd || !subscription.IsPaidAt(context.Now))
            return subscription.Next?.Tier == Tier
                ? Accept()
                : Accept(
                    new SubscriptionChangeScheduled(subscription.Id, terms.Tier, terms.Card, terms.Price, terms.Credits, terms.TokensPer24h)
                );
        return Difference.Of(subscription, terms, context.Card, context.Now) is not null
            ? Reject(RejectionCode.PaymentRequired)
            : Accept(Changing.Now(account, terms, context, Id));
    }
}

/// <summary>Ends a subscription: at once, or with the period under way. Already so where it has ended, or is to end then.</summary>
/// <param name="Account">The account.</param>
/// <param name="Id">The command's id.</param>
/// <param name="AtPeriodEnd">Whether with the period under way.</param>
/// <param name="Reason">Why, such as <c>canceled</c>.</param>
/// <param name="Provider">Who bills it, where only that one is meant; null for whichever there is.</param>
/// <param name="Reference">The provider's name for it, where only that one is meant.</param>
public sealed record EndSubscription(
    AccountId Account,
    Guid Id,
    bool AtPeriodEnd,
    string Reason,
    string? Provider = null,
    string? Reference = null
) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        var subscription = account.Subscription;
        if (
            subscription.Terms is null
            || (Provider is not null && (subscription.Provider != Provider || subscription.Reference != Reference))
        )
            return Reject(RejectionCode.NoActiveSubscription);
        if (!subscription.IsActive)
            return Accept();
        if (!AtPeriodEnd || subscription.PeriodEnd <= context.Now)
            return Accept(new SubscriptionEnded(subscription.Id, context.Now, Reason));
        return subscription.EndsAt is not null ? Accept() : Accept(new SubscriptionEndScheduled(subscription.Id, subscription.PeriodEnd));
    }
}

/// <summary>
/// Lets a subscription go on that was to end or to change with the period under way; already so where it was not. Where its provider says so, only
/// the end is meant.
/// </summary>
/// <param name="Account">The account.</param>
/// <param name="Id">The command's id.</param>
/// <param name="Provider">Who bills it, where only that one is meant; null for whichever there is.</param>
/// <param name="Reference">The provider's name for it, where only that one is meant.</param>
public sealed record ContinueSubscription(AccountId Account, Guid Id, string? Provider = null, string? Reference = null)
    : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        var subscription = account.Subscription;
        if (!subscription.IsActive || (Provider is not null && (subscription.Provider != Provider || subscription.Reference != Reference)))
            return Reject(RejectionCode.NoActiveSubscription);

        // A provider speaks of the end alone: that another level begins with the next period is between the account and us.
        return subscription.EndsAt is null && (subscription.Next is null || Provider is not null)
            ? Accept()
            : Accept(new SubscriptionKept(subscription.Id));
    }
}

/// <summary>
/// Opens the period that an invoice pays, once per invoice, whenever it comes: also one that is over by then, whose credits have lapsed. An invoice
/// that is not what was agreed to is recorded and changes nothing.
/// </summary>
/// <param name="Account">The subscriber.</param>
/// <param name="Payment">The invoice's payment; its time is when the period begins.</param>
public sealed record RenewSubscription(AccountId Account, PaymentNotice Payment)
    : AccountCommand(Account, EventIds.OrderOpening(Account, EventIds.OrderOf(Account, Payment.Provider, Payment.Id)))
{
    private OrderId Order => EventIds.OrderOf(Account, Payment.Provider, Payment.Id);

    private Guid PaymentId => EventIds.Payment(Account, Payment.Provider, Payment.Id);

    private Guid Mismatch => EventIds.PaymentMismatch(Account, Order, Payment.Provider, Payment.Id);

    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls => [Id, PaymentId, Mismatch];

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);

        // The first invoice has paid the order of the checkout already, under the same payment.
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        if (context.Past.Find(PaymentId) is { } paid)
            return Repeat(paid);
        if (account.Orders.Find(Order) is not null)
            return Reject(RejectionCode.ReferenceConflict);
        var subscription = account.Subscription;
        if (subscription.Terms is null || subscription.Provider != Payment.Provider || subscription.Reference != Payment.Subscription)
            return Reject(RejectionCode.NoActiveSubscription);

        // However many orders there are: this one is paid.
        var next = subscription.Next;
        var isForeign = account.Orders.CustomerAt(Payment.Provider) is { } customer && Payment.Customer is { } payer && customer != payer;
        var terms =
            isForeign ? null
            : Payment.Currency != PaymentNotice.OnlyCurrency ? null
            : Payment.Amount == next?.Price ? next
            : Payment.Amount == subscription.Terms.Price ? subscription.Terms
            : null;
        if (terms is null)
        {
            var reason =
                isForeign ? "customer"
                : Payment.Currency != PaymentNotice.OnlyCurrency ? "currency"
                : "amount";
            return context.Past.Find(Mismatch) is { } before
                ? Repeat(before)
                : Accept(new PaymentMismatched(Order, Payment.Provider, Payment.Id, reason, Payment.Amount, Payment.Currency));
        }

        var period = Periods.Nearest(subscription.Anchor, Payment.At);
        var grants = terms.Credits.IsPositive && account.Wallet.CanTake(terms.Credits);
        var pocket = grants ? account.Wallet.NextPocket : (PocketId?)null;
        var events = ImmutableArray.CreateBuilder<AccountEvent>();
        events.Add(
            new OrderOpened(
                Order,
                OrderKind.Subscription,
                terms.Tier,
                Payment.Amount,
                terms.Credits.IsPositive ? terms.Credits : null,
                null,
                null,
                null,
                terms.Card,
                Payment.Provider,
                Payment.Customer,
                context.Now,
                false,
                terms
            )
        );
        events.Add(new OrderPaid(Order, Payment.Provider, Payment.Id, Payment.Intent, Payment.Amount, pocket));

        // A period that is over, or under way already, only gets what it was paid for: indexes never fall.
        if (period > subscription.Period && subscription.IsActive)
            events.AddRange(
                (ReferenceEquals(terms, next) ? subscription : subscription with { Next = null }).Reset(
                    account.Wallet,
                    period,
                    Payment.Provider,
                    Payment.Id,
                    context.Now
                )
            );
        else
            events.AddRange(
                Subscription.Granting(
                    account.Wallet,
                    terms.Credits,
                    Periods.Start(subscription.Anchor, period + 1),
                    Payment.Provider,
                    Payment.Id,
                    context.Now
                )
            );
        return Accept(events.DrainToImmutable());
    }
}

/// <summary>How a subscription begins.</summary>
internal static class Starting
{
    /// <summary>The start, period 0 and its credits.</summary>
    /// <param name="account">The subscriber.</param>
    /// <param name="terms">What was agreed to.</param>
    /// <param name="provider">Who bills it.</param>
    /// <param name="reference">The provider's name for it.</param>
    /// <param name="identity">From what its id follows.</param>
    /// <param name="anchor">When period 0 begins.</param>
    /// <param name="now">The time, not before <paramref name="anchor"/>.</param>
    /// <param name="granter">Who vouches for the payment of period 0.</param>
    /// <param name="payment">That payment.</param>
    public static ImmutableArray<AccountEvent> Events(
        Account account,
        SubscriptionTerms terms,
        string provider,
        string? reference,
        string identity,
        DateTimeOffset anchor,
        DateTimeOffset now,
        string granter,
        string payment
    )
    {
        var id = new SubscriptionId(EventIds.Subscription(account.Id, provider, identity));
        var started = new SubscriptionStarted(
            id,
            terms.Tier,
            terms.Card,
            terms.Price,
            terms.Credits,
            terms.TokensPer24h,
            provider,
            reference,
            anchor
        );
        return [started, .. Subscription.Evolve(account.Subscription, started).Reset(account.Wallet, 0, granter, payment, now)];
    }
}

/// <summary>How the level of a subscription changes at once.</summary>
internal static class Changing
{
    /// <summary>Under what name the further credits are granted: once per request, also where the level has changed again since.</summary>
    public static string Payment(Guid command) => $"change:{command}";

    /// <summary>The change, and the further credits of the rest of the period where nobody is billed for them.</summary>
    public static ImmutableArray<AccountEvent> Now(Account account, SubscriptionTerms terms, in DecisionContext context, Guid command)
    {
        var subscription = account.Subscription;
        if (subscription.Terms!.Tier == terms.Tier)
            return subscription is { Next: null, EndsAt: null } ? [] : [new SubscriptionKept(subscription.Id)];
        var further = subscription.IsBilled ? 0 : Difference.Credits(subscription, terms, context.Card, context.Now);
        return
        [
            new SubscriptionChanged(subscription.Id, terms.Tier, terms.Card, terms.Price, terms.Credits, terms.TokensPer24h),
            .. Subscription.Granting(
                account.Wallet,
                new(further, Unit.Credits),
                subscription.PeriodEnd,
                Subscription.Granter,
                Payment(command),
                context.Now
            ),
        ];
    }
}

/// <summary>What a higher level costs and gives for the rest of a period, as the level says.</summary>
internal static class Difference
{
    /// <summary>What is to be paid, rounded up to a cent, and what that gives, rounded down to a whole credit; null where nothing is to be paid.</summary>
    public static (Amount Price, Amount Credits)? Of(Subscription subscription, SubscriptionTerms to, RateCard card, DateTimeOffset now)
    {
        if (!IsByTime(to, card) || to.Price <= subscription.Terms!.Price || now >= subscription.PeriodEnd)
            return null;
        var parts = Periods.Remaining((to.Price - subscription.Terms.Price).Parts, subscription.PeriodStart, subscription.PeriodEnd, now);
        var price = Price.CentsUp(new(parts, Unit.Usd));
        return price < OpenOrder.LeastCharge ? null : (price, new(Credits(subscription, to, card, now), Unit.Credits));
    }

    /// <summary>The further credits of the rest of the period, rounded down to a whole one, in parts.</summary>
    public static long Credits(Subscription subscription, SubscriptionTerms to, RateCard card, DateTimeOffset now)
    {
        if (!IsByTime(to, card) || to.Credits <= subscription.Terms!.Credits)
            return 0;
        var parts = Periods.Remaining(
            (to.Credits - subscription.Terms.Credits).Parts,
            subscription.PeriodStart,
            subscription.PeriodEnd,
            now
        );
        return parts - (parts % Unit.Credits.PartsPerWhole());
    }

    private static bool IsByTime(SubscriptionTerms to, RateCard card) => card.FindTier(to.Tier)?.Proration != "none";
}
