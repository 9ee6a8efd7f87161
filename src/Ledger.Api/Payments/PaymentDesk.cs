using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Projections.Payments;

namespace Ledger.Api.Payments;

/// <summary>What asking for a checkout came to.</summary>
/// <param name="Order">The order; null where it was refused.</param>
/// <param name="Page">Where it can be paid; null where it was refused.</param>
/// <param name="Refusal">Why it was refused; null where it was not.</param>
public readonly record struct Checkout(Order? Order, CheckoutPage? Page, RejectionCode? Refusal);

/// <summary>
/// Between the ledger and whoever takes payments: opens orders and their pages, and turns what the provider tells into commands of the account that
/// it concerns. Amount, currency, customer and provider are judged there, against our own order.
/// </summary>
public sealed partial class PaymentDesk(
    LedgerService ledger,
    IPaymentProvider provider,
    OrderQueries orders,
    ProviderEvents told,
    TimeProvider time,
    ILogger<PaymentDesk> logger
)
{
    /// <summary>Who takes payments.</summary>
    public IPaymentProvider Provider => provider;

    /// <summary>Opens an order and the page on which it can be paid.</summary>
    /// <param name="account">Who orders.</param>
    /// <param name="by">By what right; null for the server itself.</param>
    /// <param name="kind">What is bought.</param>
    /// <param name="item">The pack or level; null where money buys a unit.</param>
    /// <param name="pays">For how much, where money buys a unit.</param>
    /// <param name="server">This server's address, as the caller knows it.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="ct">Gives up.</param>
    /// <param name="id">The order's id, where the caller has chosen it: the same one is opened once. A new one where it is null.</param>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    public async Task<Checkout> OpenAsync(
        AccountId account,
        Credential? by,
        OrderKind kind,
        string? item,
        Amount? pays,
        Uri server,
        Caller caller,
        CancellationToken ct,
        OrderId? id = null
    )
    {
        // The order first: what is refused must not leave a customer at the provider.
        var customer = (await ledger.ReadAsync(account)).Account.Orders.CustomerAt(provider.Name);
        var opening = new OpenOrder(account, id ?? new(Identifiers.NewKey().Value), kind, item, pays, provider.Name, customer) { By = by };
        var opened = await ledger.ExecuteAsync(opening, caller);
        if (opened.Refusal is { } refusal)
            return new(null, null, refusal.Code);

        try
        {
            if (customer is null)
            {
                customer = await provider.CreateCustomerAsync(account, ct);
                await DoAsync(new LinkCustomer(account, provider.Name, customer), caller);
            }

            // The first order was opened before there was a customer; and where two were made at once, the one that was linked pays.
            var all = (await ledger.ReadAsync(account)).Account.Orders;
            var order = all.Find(opening.Order)! with { Customer = all.CustomerAt(provider.Name) };
            var page = await provider.OpenCheckoutAsync(account, order, server, ct);
            await DoAsync(new AttachSession(account, order.Id, page.Session), caller);
            return new(order with { Session = page.Session }, page, null);
        }
        catch (PaymentProviderException fault)
        {
            LogProvider(logger, provider.Name, fault);
            await DoAsync(new FailOrder(account, EventIds.Request(account, caller.RequestId), opening.Order, "provider_error"), caller);
            throw;
        }
    }

    /// <summary>The page of an order that can still be paid: asked for again, it is the same page.</summary>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    public async Task<string> ResumeAsync(AccountId account, Order order, Uri server, Caller caller, CancellationToken ct)
    {
        var page = await provider.OpenCheckoutAsync(account, order, server, ct);
        await DoAsync(new AttachSession(account, order.Id, page.Session), caller);
        return page.Url;
    }

    /// <summary>Opens the page on which an account sees what it paid, and changes its card.</summary>
    /// <exception cref="PaymentProviderException">The provider is away, or refused.</exception>
    public async Task<string> OpenPortalAsync(Account account, Uri server, Caller caller, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Orders.CustomerAt(provider.Name) is not { } customer)
        {
            customer = await provider.CreateCustomerAsync(account.Id, ct);
            await DoAsync(new LinkCustomer(account.Id, provider.Name, customer), caller);
        }

        return await provider.OpenPortalAsync(account.Id, customer, server, ct);
    }

    /// <summary>Deals with what the provider told, and writes down what came of it. Once it returns, it need not be told again.</summary>
    /// <exception cref="LedgerUnavailableException">The database is away; it must be told again.</exception>
    public async Task<Handled> HandleAsync(ProviderEvent @event, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(@event);
        var handled = await DecideAsync(@event, ct);
        await told.KeepAsync(
            provider.Name,
            @event.Id,
            @event.Type,
            LedgerTime.Now(time),
            handled.Place.Account?.Value,
            handled.Place.Order?.Value,
            NameOf(handled.Outcome),
            handled.Detail,
            ct
        );
        if (handled.Outcome is ProviderOutcome.Mismatched or ProviderOutcome.Unmatched or ProviderOutcome.Refused)
            LogOdd(logger, provider.Name, @event.Type, @event.Id, handled.Outcome, handled.Detail);
        return handled;
    }

    /// <summary>Charges for an order that the ledger opened by itself, and books what came of it. May be done again.</summary>
    /// <exception cref="PaymentProviderException">The provider is away: whether it was paid is not known yet.</exception>
    public async Task ChargeAsync(AccountId account, OrderId id, CancellationToken ct)
    {
        var order = (await ledger.ReadAsync(account)).Account.Orders.Find(id);
        if (order is not { Status: OrderStatus.Open } || order.Provider != provider.Name)
            return;
        var caller = Caller.System(RequestIds.Next());
        switch (await provider.ChargeAsync(account, order, ct))
        {
            case ChargeOutcome.Paid(var payment):
                await DoAsync(new ConfirmPayment(account, id, payment), caller);
                break;
            case ChargeOutcome.Declined(var reason):
                await DoAsync(new FailOrder(account, EventIds.Derive(account, "charge-failed", id.Value), id, reason), caller);
                break;
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    /// <summary>An outcome as it is written down.</summary>
    internal static string NameOf(ProviderOutcome outcome) =>
        outcome switch
        {
            ProviderOutcome.Done => "done",
            ProviderOutcome.Repeated => "repeated",
            ProviderOutcome.Ignored => "ignored",
            ProviderOutcome.Mismatched => "mismatched",
            ProviderOutcome.Unmatched => "unmatched",
            ProviderOutcome.Refused => "refused",
        };

    private async Task<Handled> DecideAsync(ProviderEvent @event, CancellationToken ct) =>
        @event switch
        {
            ProviderEvent.Paid e => await ForOrderAsync(e, e.Hint, place => new ConfirmPayment(place.Account, place.Order, e.Payment), ct),
            ProviderEvent.InvoicePaid { IsFirst: true } e => await ForOrderAsync(
                e,
                e.Hint,
                place => new ConfirmPayment(place.Account, place.Order, e.Payment),
                ct
            ),
            ProviderEvent.InvoicePaid e => await ForSubscriptionAsync(
                e,
                e.Payment.Subscription,
                account => new RenewSubscription(account, e.Payment),
                ct
            ),
            ProviderEvent.Failed e => await ForOrderAsync(
                e,
                e.Hint,
                place => new FailOrder(
                    place.Account,
                    EventIds.Derive(place.Account, "order-failed", provider.Name, e.Id),
                    place.Order,
                    e.Reason
                ),
                ct
            ),
            ProviderEvent.Expired e => await ForOrderAsync(e, e.Hint, place => new ExpireOrder(place.Account, place.Order), ct),
            ProviderEvent.Refunded e => await ForOrderAsync(
                e,
                e.Hint,
                place => new RefundOrder(place.Account, place.Order, provider.Name, e.Hint.Intent ?? "", e.Total, e.Currency),
                ct
            ),
            ProviderEvent.Disputed e => await ForOrderAsync(
                e,
                e.Hint,
                place => new DisputeOrder(place.Account, place.Order, provider.Name, e.Dispute, e.Amount, e.Currency),
                ct
            ),
            ProviderEvent.DisputeWon e => await ForOrderAsync(
                e,
                e.Hint,
                place => new WinDispute(place.Account, place.Order, provider.Name, e.Dispute),
                ct
            ),
            ProviderEvent.SubscriptionUpdated e => await ForSubscriptionAsync(
                e,
                e.Subscription,
                account =>
                    e.EndsWithPeriod
                        ? new EndSubscription(account, IdOf(account, e), true, "canceled", provider.Name, e.Subscription)
                        : new ContinueSubscription(account, IdOf(account, e), provider.Name, e.Subscription),
                ct
            ),
            ProviderEvent.SubscriptionEnded e => await ForSubscriptionAsync(
                e,
                e.Subscription,
                account => new EndSubscription(account, IdOf(account, e), false, "canceled", provider.Name, e.Subscription),
                ct
            ),
            ProviderEvent.Nothing e => new(ProviderOutcome.Ignored, Detail: e.Why),
            _ => throw new System.Diagnostics.UnreachableException(),
        };

    private Guid IdOf(AccountId account, ProviderEvent @event) => EventIds.Derive(account, "provider-event", provider.Name, @event.Id);

    private async Task<Handled> ForOrderAsync(
        ProviderEvent @event,
        OrderHint hint,
        Func<OrderPlace, AccountCommand> command,
        CancellationToken ct
    ) =>
        await FindAsync(hint, ct) is { } place
            ? await ExecuteAsync(@event, command(place), new(place.Account, place.Order))
            : new(ProviderOutcome.Unmatched, hint, "no such order");

    private async Task<Handled> ForSubscriptionAsync(
        ProviderEvent @event,
        string? subscription,
        Func<AccountId, AccountCommand> command,
        CancellationToken ct
    ) =>
        subscription is not null && await orders.FindSubscriptionAsync(provider.Name, subscription, ct) is { } account
            ? await ExecuteAsync(@event, command(account), new(account))
            : new(ProviderOutcome.Unmatched, Detail: "no such subscription");

    /// <summary>What travelled with the order counts first, then our own notes of the page and the payment.</summary>
    private async Task<OrderPlace?> FindAsync(OrderHint hint, CancellationToken ct)
    {
        if (hint is { Account: { } account, Order: { } order })
            return new OrderPlace(account, order);
        if (hint.Session is { } session && await orders.FindSessionAsync(provider.Name, session, ct) is { } bySession)
            return bySession;
        return hint.Intent is { } intent ? await orders.FindIntentAsync(provider.Name, intent, ct) : null;
    }

    private async Task<Handled> ExecuteAsync(ProviderEvent @event, AccountCommand command, OrderHint place)
    {
        var verdict = await ledger.ExecuteAsync(command, new("provider:" + provider.Name, "evt-" + @event.Id));
        if (verdict.Refusal is { } refusal)
            return refusal.Code is RejectionCode.OrderNotFound or RejectionCode.AccountNotFound or RejectionCode.NoActiveSubscription
                ? new(ProviderOutcome.Unmatched, place, refusal.Code.ToString())
                : new(ProviderOutcome.Refused, place, refusal.Code.ToString());
        return verdict.Answer?.Event is PaymentMismatched mismatch ? new(ProviderOutcome.Mismatched, place, mismatch.Reason)
            : verdict.IsRepeat || verdict.Answer is null ? new(ProviderOutcome.Repeated, place)
            : new(ProviderOutcome.Done, place);
    }

    private async Task DoAsync(AccountCommand command, Caller caller)
    {
        if ((await ledger.ExecuteAsync(command, caller)).Refusal is { } refusal)
            throw new InvalidOperationException($"{command.GetType().Name} was refused with {refusal.Code}.");
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Provider} told {Type} ({Event}): {Outcome}, {Detail}. Nothing was changed.")]
    private static partial void LogOdd(
        ILogger logger,
        string provider,
        string type,
        string @event,
        ProviderOutcome outcome,
        string? detail
    );

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Provider} could not be asked for a page.")]
    private static partial void LogProvider(ILogger logger, string provider, Exception fault);
}
