using System.Security.Cryptography;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Projections.Payments;
using Microsoft.AspNetCore.DataProtection;

namespace Ledger.Api.Payments.Sandbox;

/// <summary>
/// A payment provider that is part of this server and takes no money: its pages have buttons that pay, cancel, decline, refund and dispute. What they
/// do comes to the ledger by the same way as what a real provider tells.
/// </summary>
public sealed class SandboxProvider(SandboxCards cards, IDataProtectionProvider protection, TimeProvider time) : IPaymentProvider
{
    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static readonly TimeSpan PortalLifetime = TimeSpan.FromHours(1);
    private readonly IDataProtector _portals = protection.CreateProtector("sandbox-portal");

    /// <inheritdoc/>
    public string Name => PaymentOptions.Sandbox;

    /// <inheritdoc/>
    public Task<string> CreateCustomerAsync(AccountId account, CancellationToken ct) => Task.FromResult(CustomerOf(account));

    /// <inheritdoc/>
    public Task<CheckoutPage> OpenCheckoutAsync(AccountId account, Order order, Uri server, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(order);
        var session = order.Session ?? "cs_test_" + RandomNumberGenerator.GetString(Base62, 24);
        return Task.FromResult(new CheckoutPage(session, new Uri(server, "/sandbox/checkout/" + session).ToString()));
    }

    /// <inheritdoc/>
    public Task<string> OpenPortalAsync(AccountId account, string customer, Uri server, CancellationToken ct) =>
        Task.FromResult(
            new Uri(
                server,
                "/sandbox/portal/" + _portals.Protect(WireTime.Format(LedgerTime.Now(time) + PortalLifetime) + account)
            ).ToString()
        );

    /// <inheritdoc/>
    public async Task<ChargeOutcome> ChargeAsync(AccountId account, Order order, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(order);
        return await cards.IsDecliningAsync(account, ct)
            ? new ChargeOutcome.Declined("card_declined")
            : new ChargeOutcome.Paid(PaymentOf(account, order, LedgerTime.Now(time)));
    }

    /// <inheritdoc/>
    public Task ChangeSubscriptionAsync(string reference, SubscriptionTerms terms, Guid id, CancellationToken ct) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task EndSubscriptionAsync(string reference, bool atPeriodEnd, CancellationToken ct) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task KeepSubscriptionAsync(string reference, CancellationToken ct) => Task.CompletedTask;

    /// <inheritdoc/>
    /// <remarks>What its pages do is in the ledger's own database, and nowhere else.</remarks>
    public IAsyncEnumerable<ProviderEvent> TellAgainAsync(DateTimeOffset since, CancellationToken ct) =>
        AsyncEnumerable.Empty<ProviderEvent>();

    /// <summary>Whose portal a link opens; null where it opens none any more.</summary>
    public AccountId? OwnerOf(string portal)
    {
        try
        {
            // By the ledger's clock, like everything else here: data protection's own limit knows the machine's only.
            var text = _portals.Unprotect(portal);
            var ends = text.IndexOf('Z', StringComparison.Ordinal) + 1;
            return WireTime.TryParse(text[..ends], out var until) && until > time.GetUtcNow() ? new AccountId(text[ends..]) : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>The one payment of an order.</summary>
    internal static PaymentNotice PaymentOf(AccountId account, Order order, DateTimeOffset at)
    {
        var isSubscription = order.Kind == OrderKind.Subscription;
        return new(
            PaymentOptions.Sandbox,
            (isSubscription ? "in_test_" : "pi_test_") + order.Id,
            "pi_test_" + order.Id,
            order.Price,
            PaymentNotice.OnlyCurrency,
            CustomerOf(account),
            isSubscription ? "sub_test_" + order.Id : null,
            at
        );
    }

    /// <summary>By what name the account is known here.</summary>
    internal static string CustomerOf(AccountId account) => "cus_test_" + account.Value;
}
