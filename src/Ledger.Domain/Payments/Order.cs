using System.Collections.Immutable;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;

namespace Ledger.Domain.Payments;

/// <summary>What an order buys.</summary>
public enum OrderKind
{
    /// <summary>Credits at a rate.</summary>
    Payg,

    /// <summary>Dollars.</summary>
    Topup,

    /// <summary>A pack for one provider/model.</summary>
    Pack,

    /// <summary>A period of a subscription.</summary>
    Subscription,

    /// <summary>The rest of a period at a higher level.</summary>
    Upgrade,
}

/// <summary>How far an order has come. What came back of a paid one is said beside this.</summary>
public enum OrderStatus
{
    /// <summary>Not paid yet.</summary>
    Open,

    /// <summary>Paid.</summary>
    Paid,

    /// <summary>The last attempt to pay failed.</summary>
    Failed,

    /// <summary>Nobody paid in time.</summary>
    Expired,
}

/// <summary>One dispute of a payment.</summary>
/// <param name="Id">The provider's name for it.</param>
/// <param name="Amount">What was withdrawn, in parts of a dollar; 0 where only its end is known yet.</param>
/// <param name="IsWon">Whether the money came back.</param>
public sealed record Dispute(string Id, long Amount, bool IsWon);

/// <summary>One purchase.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Kind">What is bought.</param>
/// <param name="Item">The pack or level; null where money buys a unit.</param>
/// <param name="Price">What is to be paid, in dollars.</param>
/// <param name="Gives">What its payment grants; null where it grants nothing by itself.</param>
/// <param name="Scope">The one provider/model that the grant may be spent on; null for any.</param>
/// <param name="ValidDays">How long the grant lasts; null for ever.</param>
/// <param name="Rate">Credits per dollar, where money became credits at a rate.</param>
/// <param name="Card">The version of the rate card.</param>
/// <param name="Provider">Who takes the payment.</param>
/// <param name="Customer">Who pays, by the provider's name.</param>
/// <param name="IsAutomatic">Whether the ledger ordered it by itself.</param>
/// <param name="Terms">The subscription's terms from its payment on; null where no subscription is bought.</param>
/// <param name="OpenedAt">When it was ordered.</param>
/// <param name="ExpiresAt">When it lapses unless paid.</param>
/// <param name="Status">How far it has come.</param>
/// <param name="Session">The provider's page on which it can be paid.</param>
/// <param name="Payment">What paid it.</param>
/// <param name="Intent">Under which name refunds and disputes come.</param>
/// <param name="PaidAt">When it was paid.</param>
/// <param name="Pocket">What its payment opened.</param>
/// <param name="Reason">Why the last attempt failed.</param>
/// <param name="Refunded">What was given back in all, in parts of a dollar.</param>
/// <param name="ClawedBack">What of its grant is clawed back, debt and what had lapsed included, in parts.</param>
/// <param name="Debt">What of that was booked as debt, whether that was paid since or not, in parts.</param>
/// <param name="Lapsed">What of its grant has lapsed in all, in parts.</param>
/// <param name="LapsedClaimed">What of that stood for something to be clawed back, in parts.</param>
/// <param name="Disputes">Its disputes.</param>
public sealed record Order(
    OrderId Id,
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
    bool IsAutomatic,
    SubscriptionTerms? Terms,
    DateTimeOffset OpenedAt,
    DateTimeOffset ExpiresAt,
    OrderStatus Status,
    string? Session,
    string? Payment,
    string? Intent,
    DateTimeOffset? PaidAt,
    PocketId? Pocket,
    string? Reason,
    long Refunded,
    long ClawedBack,
    long Debt,
    long Lapsed,
    long LapsedClaimed,
    ImmutableArray<Dispute> Disputes
)
{
    /// <summary>What clawbacks took out of its pocket, less what came back to it, in parts.</summary>
    public long Taken => ClawedBack - Debt - LapsedClaimed;

    /// <summary>Whether it can be paid now by its page.</summary>
    public bool IsOpenAt(DateTimeOffset now) => Status is OrderStatus.Open or OrderStatus.Failed && ExpiresAt > now;

    /// <summary>The dispute of a name.</summary>
    public Dispute? FindDispute(string id)
    {
        foreach (var dispute in Disputes)
        {
            if (string.Equals(dispute.Id, id, StringComparison.Ordinal))
                return dispute;
        }

        return null;
    }

    /// <summary>
    /// What of the grant must have been clawed back when so much money is gone: in proportion, rounded down, and all of it when all the money is.
    /// Never more than was granted, however refunds and disputes overlap.
    /// </summary>
    public long ToClawBack(long moneyGone) =>
        Pocket is null || Gives is not { } gives ? 0
        : moneyGone >= Price.Parts ? gives.Parts
        : (long)((Int128)gives.Parts * moneyGone / Price.Parts);

    /// <summary>The money that refunds and open disputes have taken away, in parts of a dollar.</summary>
    public long MoneyGone
    {
        get
        {
            var gone = Refunded;
            foreach (var dispute in Disputes)
            {
                if (!dispute.IsWon)
                    gone += dispute.Amount;
            }

            return gone;
        }
    }
}
