using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Subscriptions;

namespace Ledger.Domain.Payments;

/// <summary>Orders something at the price and terms of the rate card in force; nothing is granted before it is paid.</summary>
/// <param name="Account">Who orders.</param>
/// <param name="Order">The order's id, of the caller's choosing.</param>
/// <param name="Kind">What is bought.</param>
/// <param name="Item">The pack or level; null where money buys a unit.</param>
/// <param name="Pays">For how much, where money buys a unit; null where the item has a price.</param>
/// <param name="Provider">Who takes the payment.</param>
/// <param name="Customer">Who pays, by the provider's name; null where that is not known.</param>
public sealed record OpenOrder(
    AccountId Account,
    OrderId Order,
    OrderKind Kind,
    string? Item,
    Amount? Pays,
    string Provider,
    string? Customer
) : AccountCommand(Account, EventIds.OrderOpening(Account, Order))
{
    /// <summary>Below this nothing is charged for the rest of a period: payment providers take no less.</summary>
    public static readonly Amount LeastCharge = new(50 * Price.Cent, Unit.Usd);

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return first.Event is OrderOpened e && e.Kind == Kind && e.Item == Item && (Pays is null || Pays == e.Price)
                ? Repeat(first)
                : Reject(RejectionCode.ReferenceConflict);

        // Opened before, but the fact is not at hand: refused, so that it is looked up and this is decided again.
        if (account.Orders.Find(Order) is not null)
            return Reject(RejectionCode.ReferenceConflict);
        var (card, now) = (context.Card, context.Now);
        var terms = Kind switch
        {
            OrderKind.Payg => OfPayg(card),
            OrderKind.Topup => OfTopup(card),
            OrderKind.Pack => OfPack(card),
            OrderKind.Subscription => OfSubscription(account, card),
            OrderKind.Upgrade => OfUpgrade(account, card, now),
        };
        if (terms.Refusal is { } refusal)
            return Reject(refusal);
        var (_, price, gives, scope, days, rate, subscribed) = terms;
        if (!price.IsPositive)
            return Reject(RejectionCode.NotForSale);
        if (gives is { } grant && !account.Wallet.CanTake(grant))
            return Reject(RejectionCode.AmountOutOfRange);
        if (account.Orders.All.Count >= Orders.MaxEver || account.Orders.All.Values.Count(order => order.IsOpenAt(now)) >= Orders.MaxOpen)
            return Reject(RejectionCode.TooManyOrders);
        return Accept(
            new OrderOpened(
                Order,
                Kind,
                Item,
                price,
                gives,
                scope,
                days,
                rate,
                card.Version,
                Provider,
                Customer,
                ExpiryOf(account, now),
                false,
                subscribed
            )
        );
    }

    /// <summary>What is priced for the rest of a period cannot be paid in the next.</summary>
    private DateTimeOffset ExpiryOf(Account account, DateTimeOffset now)
    {
        var at = now + Orders.Lifetime;
        return Kind == OrderKind.Upgrade && account.Subscription.PeriodEnd < at ? account.Subscription.PeriodEnd : at;
    }

    private Terms OfPayg(RateCard card)
    {
        var terms = card.Document.Payg;
        return
            Pays is { } paid
            && paid >= Amount.Usd(terms.MinAmountUsd)
            && paid <= Amount.Usd(terms.MaxAmountUsd)
            && Price.Credits(paid, terms.CreditsPerDollar) is { IsPositive: true } gives
            ? new(null, paid, gives, Rate: terms.CreditsPerDollar)
            : Terms.Refused(RejectionCode.AmountOutOfRange);
    }

    private Terms OfTopup(RateCard card)
    {
        var terms = card.Document.Topup;
        return Pays is { } paid && paid >= Amount.Usd(terms.MinAmountUsd) && paid <= Amount.Usd(terms.MaxAmountUsd)
            ? new(null, paid, paid)
            : Terms.Refused(RejectionCode.AmountOutOfRange);
    }

    private Terms OfPack(RateCard card) =>
        card.FindPack(Item ?? "") is not { } pack || Price.Usd(pack.PriceUsd) is not { } price ? Terms.Refused(RejectionCode.PackNotFound)
        : Price.Credits(pack.Credits) is not { } gives ? Terms.Refused(RejectionCode.AmountOutOfRange)
        : new(null, price, gives, pack.Provider + "/" + pack.Model, pack.ValidDays);

    private Terms OfSubscription(Account account, RateCard card) =>
        SubscriptionTerms.Of(card, Item ?? "") is not { } terms ? Terms.Refused(RejectionCode.TierNotFound)
        : account.Subscription.IsActive ? Terms.Refused(RejectionCode.AlreadySubscribed)
        : new(null, terms.Price, terms.Credits.IsPositive ? terms.Credits : null, Subscribed: terms);

    private Terms OfUpgrade(Account account, RateCard card, DateTimeOffset now) =>
        SubscriptionTerms.Of(card, Item ?? "") is not { } terms ? Terms.Refused(RejectionCode.TierNotFound)
        : !account.Subscription.IsActive ? Terms.Refused(RejectionCode.NoActiveSubscription)
        : !account.Subscription.IsBilled ? Terms.Refused(RejectionCode.SetByOperator)
        : Difference.Of(account.Subscription, terms, card, now) is var (price, credits)
            ? new(null, price, credits.IsPositive ? credits : null, Subscribed: terms)
        : Terms.Refused(RejectionCode.NotForSale);

    private readonly record struct Terms(
        RejectionCode? Refusal,
        Amount Price,
        Amount? Gives,
        string? Scope = null,
        int? Days = null,
        Quantity? Rate = null,
        SubscriptionTerms? Subscribed = null
    )
    {
        public static Terms Refused(RejectionCode code) => new(code, default, null);
    }
}

/// <summary>Says on which page of the provider an order can be paid.</summary>
/// <param name="Account">Who ordered.</param>
/// <param name="Order">The order.</param>
/// <param name="Session">The provider's name for the page.</param>
public sealed record AttachSession(AccountId Account, OrderId Order, string Session)
    : AccountCommand(Account, EventIds.OrderSession(Account, Order, Session))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        return account.Orders.Find(Order) is not { } order ? Reject(RejectionCode.OrderNotFound)
            : context.Past.Find(Id) is { } first ? Repeat(first)
            : order.Session == Session ? Accept()
            : Accept(new OrderSessionOpened(Order, Session));
    }
}

/// <summary>Says by what name a payment provider knows the account; already so where it does.</summary>
/// <param name="Account">The account.</param>
/// <param name="Provider">The provider.</param>
/// <param name="Customer">The provider's name for it.</param>
public sealed record LinkCustomer(AccountId Account, string Provider, string Customer)
    : AccountCommand(Account, EventIds.Customer(Account, Provider, Customer))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        return account.Status == AccountStatus.Missing ? Reject(RejectionCode.AccountNotFound)
            : account.Orders.CustomerAt(Provider) is not null ? Accept()
            : Accept(new CustomerLinked(Provider, Customer));
    }
}
