using Ledger.Domain.Money;
using Ledger.Domain.Payments;

namespace Ledger.Api.Dashboard.Credits;

/// <summary>How a purchase stands, in one word.</summary>
public enum PurchaseState
{
    /// <summary>Not paid yet.</summary>
    Open,

    /// <summary>The last attempt to pay failed; it may be tried again.</summary>
    Failed,

    /// <summary>Cancelled, or not paid in time.</summary>
    Expired,

    /// <summary>Paid, and all of it kept.</summary>
    Paid,

    /// <summary>Paid, and some of it given back.</summary>
    PartlyRefunded,

    /// <summary>Paid, and all of it given back.</summary>
    Refunded,

    /// <summary>Paid, and withdrawn by a dispute that is not won.</summary>
    Disputed,
}

/// <summary>A purchase as the pages show it.</summary>
/// <param name="Order">The order.</param>
public sealed record OrderLine(Order Order)
{
    /// <summary>How it stands.</summary>
    public PurchaseState State =>
        Order.Status switch
        {
            OrderStatus.Open => PurchaseState.Open,
            OrderStatus.Failed => PurchaseState.Failed,
            OrderStatus.Expired => PurchaseState.Expired,
            OrderStatus.Paid when Order.Disputes.Any(dispute => !dispute.IsWon) => PurchaseState.Disputed,
            OrderStatus.Paid when Order.Refunded >= Order.Price.Parts => PurchaseState.Refunded,
            OrderStatus.Paid when Order.Refunded > 0 => PurchaseState.PartlyRefunded,
            OrderStatus.Paid => PurchaseState.Paid,
        };

    /// <summary>The same for readers, and how it is to be taken.</summary>
    public (string Word, string? Tone) Badge =>
        State switch
        {
            PurchaseState.Open => ("Not paid yet", "warn"),
            PurchaseState.Failed => ("Payment failed", "bad"),
            PurchaseState.Expired => ("Expired", null),
            PurchaseState.Paid => ("Paid", "good"),
            PurchaseState.PartlyRefunded => ("Partly refunded", "warn"),
            PurchaseState.Refunded => ("Refunded", null),
            PurchaseState.Disputed => ("Disputed", "bad"),
        };

    /// <summary>What was bought.</summary>
    public string What =>
        Order.Kind switch
        {
            OrderKind.Payg => "Credits",
            OrderKind.Topup => "Prepaid dollars",
            OrderKind.Pack => $"Pack {Order.Item}",
            OrderKind.Subscription => $"Subscription {Order.Item}",
            OrderKind.Upgrade => $"Upgrade to {Order.Item}",
        };

    /// <summary>What was given back of the money.</summary>
    public Amount Refunded => new(Order.Refunded, Unit.Usd);

    /// <summary>What was taken back of what the purchase gave; null where nothing was.</summary>
    public Amount? ClawedBack => Order.ClawedBack > 0 && Order.Gives is { } gives ? new(Order.ClawedBack, gives.Unit) : null;

    /// <summary>Why the last payment failed, in words.</summary>
    public string? Reason =>
        Order.Reason switch
        {
            null => null,
            "card_declined" => "the card was declined",
            "provider_error" => "the payment provider could not be reached",
            "no_payment_method" => "no card is known",
            var other => other.Replace('_', ' '),
        };

    /// <summary>Where one looks after it was paid.</summary>
    public string Home => HomeOf(Order.Kind);

    /// <summary>Where a kind of purchase is made.</summary>
    public static string HomeOf(OrderKind kind) =>
        kind switch
        {
            OrderKind.Payg or OrderKind.Topup => "/credits",
            OrderKind.Pack => "/packs",
            OrderKind.Subscription or OrderKind.Upgrade => "/credits/subscription",
        };
}
