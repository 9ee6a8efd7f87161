using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;

namespace Ledger.Api.Payments;

/// <summary>Which order a provider speaks of, as far as it says.</summary>
/// <param name="Account">The account that travelled with the order; null where the provider does not say.</param>
/// <param name="Order">The order's own id; null where the provider does not say.</param>
/// <param name="Session">The page on which it was to be paid.</param>
/// <param name="Intent">The payment that refunds and disputes name.</param>
public readonly record struct OrderHint(AccountId? Account = null, OrderId? Order = null, string? Session = null, string? Intent = null);

/// <summary>Something that a payment provider tells, in our words. In any order, any number of times, each has one effect.</summary>
/// <param name="Id">The provider's name for this telling.</param>
/// <param name="Type">The provider's name for what it tells.</param>
public abstract record ProviderEvent(string Id, string Type)
{
    /// <summary>An order was paid.</summary>
    public sealed record Paid(string Id, string Type, OrderHint Hint, PaymentNotice Payment) : ProviderEvent(Id, Type);

    /// <summary>An invoice of a subscription was paid: the first one pays the order it was bought with, every other one opens a period.</summary>
    public sealed record InvoicePaid(string Id, string Type, OrderHint Hint, PaymentNotice Payment, bool IsFirst) : ProviderEvent(Id, Type);

    /// <summary>An attempt to pay an order, or a subscription's invoice, failed.</summary>
    public sealed record Failed(string Id, string Type, OrderHint Hint, string Reason) : ProviderEvent(Id, Type);

    /// <summary>A page was closed unpaid.</summary>
    public sealed record Expired(string Id, string Type, OrderHint Hint) : ProviderEvent(Id, Type);

    /// <summary>Of a payment so much has been given back in all.</summary>
    public sealed record Refunded(string Id, string Type, OrderHint Hint, Amount Total, string Currency) : ProviderEvent(Id, Type);

    /// <summary>A dispute took a payment's money.</summary>
    public sealed record Disputed(string Id, string Type, OrderHint Hint, string Dispute, Amount Amount, string Currency)
        : ProviderEvent(Id, Type);

    /// <summary>A dispute gave it back.</summary>
    public sealed record DisputeWon(string Id, string Type, OrderHint Hint, string Dispute) : ProviderEvent(Id, Type);

    /// <summary>A subscription is to end with its period, or is not to any more.</summary>
    public sealed record SubscriptionUpdated(string Id, string Type, string Subscription, bool EndsWithPeriod) : ProviderEvent(Id, Type);

    /// <summary>A subscription has ended.</summary>
    public sealed record SubscriptionEnded(string Id, string Type, string Subscription) : ProviderEvent(Id, Type);

    /// <summary>Nothing that concerns the ledger.</summary>
    /// <param name="Id">The provider's name for this telling.</param>
    /// <param name="Type">The provider's name for what it tells.</param>
    /// <param name="Why">Why not, such as <c>unpaid</c>.</param>
    public sealed record Nothing(string Id, string Type, string? Why) : ProviderEvent(Id, Type);
}

/// <summary>What came of something that a provider told.</summary>
public enum ProviderOutcome
{
    /// <summary>It changed something.</summary>
    Done,

    /// <summary>It was so already.</summary>
    Repeated,

    /// <summary>It does not concern the ledger.</summary>
    Ignored,

    /// <summary>It was not what our own order says: recorded, and nothing changed.</summary>
    Mismatched,

    /// <summary>Nobody's order or subscription could be found: nothing changed.</summary>
    Unmatched,

    /// <summary>It was refused: nothing changed.</summary>
    Refused,
}

/// <summary>What came of it, for the provider's answer and the operator.</summary>
/// <param name="Outcome">What came of it.</param>
/// <param name="Place">Whom and which order it concerned, as far as that was found.</param>
/// <param name="Detail">What did not match, or why it was refused.</param>
public readonly record struct Handled(ProviderOutcome Outcome, OrderHint Place = default, string? Detail = null);
