using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;

namespace Ledger.Domain.Payments;

/// <summary>What has happened to what an account buys. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record PaymentEvent : AccountEvent
{
    private protected PaymentEvent() { }
}

/// <summary>The account is known to a payment provider.</summary>
/// <param name="Provider">The provider.</param>
/// <param name="Customer">The provider's own name for the account.</param>
public sealed record CustomerLinked(string Provider, string Customer) : PaymentEvent;

/// <summary>Something was ordered, at the price and terms of the rate card then in force; nothing is paid yet.</summary>
/// <param name="Order">The order.</param>
/// <param name="Kind">What is bought.</param>
/// <param name="Item">The pack or level, an entry of the rate card; null where money buys a unit.</param>
/// <param name="Price">What is to be paid, in dollars.</param>
/// <param name="Gives">What its payment grants; null where it grants nothing by itself.</param>
/// <param name="Scope">The one provider/model that the grant may be spent on; null for any.</param>
/// <param name="ValidDays">How long the grant lasts; null for ever.</param>
/// <param name="Rate">Credits per dollar, where money became credits at a rate.</param>
/// <param name="Card">The version of the rate card.</param>
/// <param name="Provider">Who takes the payment.</param>
/// <param name="Customer">Who pays, by the provider's name; null where that is not known.</param>
/// <param name="ExpiresAt">When it lapses unless paid; a payment that comes later counts all the same.</param>
/// <param name="IsAutomatic">Whether the ledger ordered it by itself, because too little was left.</param>
/// <param name="Terms">The subscription's terms from its payment on; null where no subscription is bought.</param>
public sealed record OrderOpened(
    OrderId Order,
    OrderKind Kind,
    string? Item,
    Amount Price,
    Amount? Gives,
    string? Scope,
    int? ValidDays,
    Quantity? Rate,
    long Card,
    string Provider,
    string? Customer,
    DateTimeOffset ExpiresAt,
    bool IsAutomatic,
    SubscriptionTerms? Terms = null
) : PaymentEvent;

/// <summary>The provider opened a page on which the order can be paid.</summary>
/// <param name="Order">The order.</param>
/// <param name="Session">The provider's name for that page.</param>
public sealed record OrderSessionOpened(OrderId Order, string Session) : PaymentEvent;

/// <summary>An order was paid. What that grants is granted beside this.</summary>
/// <param name="Order">The order.</param>
/// <param name="Provider">Who took the payment.</param>
/// <param name="Payment">The payment: with the provider, what happens only once.</param>
/// <param name="Intent">The provider's name under which refunds and disputes of it come; null where there is none.</param>
/// <param name="Amount">What was paid, in dollars.</param>
/// <param name="Pocket">The pocket that it opened; null where it granted nothing.</param>
public sealed record OrderPaid(OrderId Order, string Provider, string Payment, string? Intent, Amount Amount, PocketId? Pocket)
    : PaymentEvent;

/// <summary>An attempt to pay an order failed. It may still be paid.</summary>
/// <param name="Order">The order.</param>
/// <param name="Reason">Why, such as <c>card_declined</c>.</param>
public sealed record OrderFailed(OrderId Order, string Reason) : PaymentEvent;

/// <summary>Nobody paid an order in time.</summary>
/// <param name="Order">The order.</param>
/// <param name="ExpiredAt">When it lapsed.</param>
public sealed record OrderExpired(OrderId Order, DateTimeOffset ExpiredAt) : PaymentEvent;

/// <summary>Some or all of a payment was given back. What it had granted is clawed back beside this.</summary>
/// <param name="Order">The order.</param>
/// <param name="Refunded">What has been given back in all, in dollars.</param>
public sealed record OrderRefunded(OrderId Order, Amount Refunded) : PaymentEvent;

/// <summary>A payment is disputed and its money was withdrawn. What it had granted is clawed back beside this.</summary>
/// <param name="Order">The order.</param>
/// <param name="Dispute">The provider's name for the dispute.</param>
/// <param name="Amount">What was withdrawn, in dollars.</param>
public sealed record OrderDisputed(OrderId Order, string Dispute, Amount Amount) : PaymentEvent;

/// <summary>A dispute was won and its money came back. What it took from the wallet is given back beside this.</summary>
/// <param name="Order">The order.</param>
/// <param name="Dispute">The provider's name for the dispute.</param>
public sealed record DisputeWon(OrderId Order, string Dispute) : PaymentEvent;

/// <summary>A payment claimed to be for an order and was not what the order asks for. Nothing else changed.</summary>
/// <param name="Order">The order.</param>
/// <param name="Provider">Who sent it.</param>
/// <param name="Payment">The payment.</param>
/// <param name="Reason">What does not match: <c>amount</c>, <c>currency</c>, <c>customer</c>, <c>provider</c>, <c>paid_before</c>, <c>no_subscription</c>, <c>too_much</c>.</param>
/// <param name="Amount">The amount that came, in dollars; null where it was none.</param>
/// <param name="Currency">The currency that came, ISO 4217 in upper case.</param>
public sealed record PaymentMismatched(OrderId Order, string Provider, string Payment, string Reason, Amount? Amount, string Currency)
    : PaymentEvent;

/// <summary>It was said whether, and how, credits are bought when too few are left.</summary>
/// <param name="IsOn">Whether they are.</param>
/// <param name="Threshold">At how many credits or fewer.</param>
/// <param name="Price">For how much each time, in dollars.</param>
/// <param name="MaxPerDay">How often in 24 hours at most.</param>
/// <param name="Provider">Who charges the card.</param>
public sealed record AutoTopupSet(bool IsOn, Amount Threshold, Amount Price, int MaxPerDay, string Provider) : PaymentEvent;
