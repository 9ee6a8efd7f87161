using Ledger.Domain;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;

namespace Ledger.Api.Payments;

/// <summary>A page on which an order can be paid.</summary>
/// <param name="Session">The provider's name for it.</param>
/// <param name="Url">Where it is.</param>
public sealed record CheckoutPage(string Session, string Url);

/// <summary>What charging a card behind its holder's back came to.</summary>
public abstract record ChargeOutcome
{
    private ChargeOutcome() { }

    /// <summary>It was paid.</summary>
    public sealed record Paid(PaymentNotice Payment) : ChargeOutcome;

    /// <summary>It was not, and will not be without its holder.</summary>
    /// <param name="Reason">Why, such as <c>card_declined</c>.</param>
    public sealed record Declined(string Reason) : ChargeOutcome;
}

/// <summary>
/// Takes payments for us. Everything may be asked again, after a crash or a lost answer, and has its effect once: the order's id, or the id that is
/// given, is the key. What a provider tells by itself comes to <see cref="PaymentDesk"/>.
/// </summary>
public interface IPaymentProvider
{
    /// <summary>Its name, in orders, grants and settings.</summary>
    string Name { get; }

    /// <summary>The origins of its own pages, to which forms of ours may lead; none where its pages are ours.</summary>
    IReadOnlyList<string> PageOrigins => [];

    /// <summary>Makes the account known, once.</summary>
    /// <returns>The provider's name for it.</returns>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    Task<string> CreateCustomerAsync(AccountId account, CancellationToken ct);

    /// <summary>Opens a page on which an order can be paid.</summary>
    /// <param name="account">Who ordered.</param>
    /// <param name="order">The order.</param>
    /// <param name="server">This server's address, as the caller knows it; with a path, the page of ours to come back to.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    Task<CheckoutPage> OpenCheckoutAsync(AccountId account, Order order, Uri server, CancellationToken ct);

    /// <summary>Opens a page on which the account sees what it paid, and changes its card.</summary>
    /// <param name="account">The account.</param>
    /// <param name="customer">The provider's name for it.</param>
    /// <param name="server">This server's address, as the caller knows it; with a path, the page of ours to come back to.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>Where the page is.</returns>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    Task<string> OpenPortalAsync(AccountId account, string customer, Uri server, CancellationToken ct);

    /// <summary>Charges the card that paid before for an order that nobody is there to pay.</summary>
    /// <exception cref="PaymentProviderException">The provider is away: whether it was paid is not known, and must be asked again.</exception>
    Task<ChargeOutcome> ChargeAsync(AccountId account, Order order, CancellationToken ct);

    /// <summary>Bills a subscription by other terms from its next period on.</summary>
    /// <param name="reference">The provider's name for the subscription.</param>
    /// <param name="terms">The terms.</param>
    /// <param name="id">The change: the same one is made once.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    Task ChangeSubscriptionAsync(string reference, SubscriptionTerms terms, Guid id, CancellationToken ct);

    /// <summary>Stops billing a subscription; already so where it is not billed any more.</summary>
    /// <param name="reference">The provider's name for the subscription.</param>
    /// <param name="atPeriodEnd">Whether only after the period under way.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    Task EndSubscriptionAsync(string reference, bool atPeriodEnd, CancellationToken ct);

    /// <summary>Goes on billing a subscription that was to end.</summary>
    /// <param name="reference">The provider's name for the subscription.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    Task KeepSubscriptionAsync(string reference, CancellationToken ct);

    /// <summary>Everything that it has told since a moment, oldest first, as far as it still knows: for a ledger that has forgotten, such as after a restore.</summary>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    IAsyncEnumerable<ProviderEvent> TellAgainAsync(DateTimeOffset since, CancellationToken ct);
}

/// <summary>A payment provider is away, or refused what we asked for.</summary>
/// <param name="message">What is the matter, in words for the log; nothing of it is shown to customers.</param>
/// <param name="isFinal">Whether asking again would come to the same.</param>
/// <param name="inner">What went wrong underneath.</param>
public sealed class PaymentProviderException(string message, bool isFinal, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether asking again would come to the same.</summary>
    public bool IsFinal { get; } = isFinal;
}
