using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Payments;
using Ledger.Projections.Payments;

namespace Ledger.Api.Payments.Stripe;

/// <summary>
/// Finds what a telling of Stripe's does not say by itself: in our own orders first, then by asking Stripe. A refund or a dispute names a payment, and
/// only the payment of a page carries our metadata; that of an invoice leads to an order by way of the invoice and its subscription.
/// </summary>
/// <param name="api">Stripe.</param>
/// <param name="orders">Our orders.</param>
/// <param name="ledger">The accounts.</param>
internal sealed class StripeLookup(StripeApi api, OrderQueries orders, LedgerService ledger)
{
    /// <summary>Adds what is missing, as far as it can be found.</summary>
    /// <exception cref="PaymentProviderException">Stripe is away, or does not let us ask.</exception>
    public async Task<Told> CompleteAsync(Told told, CancellationToken ct) =>
        told switch
        {
            { Event: ProviderEvent.SubscriptionUpdated e } => await AsItIsNowAsync(told, e, ct),
            { Event: ProviderEvent.Refunded or ProviderEvent.Disputed or ProviderEvent.DisputeWon } => await OfOwnPaymentAsync(
                told.Hint.Order is null ? told.With(await OfPaymentAsync(told, ct)) : told,
                ct
            ),
            {
                Event: ProviderEvent.InvoicePaid { IsFirst: true } or ProviderEvent.Failed,
                Subscription: { } subscription,
                Hint.Order: null
            } => told.With(await OfFirstInvoiceAsync(told.Hint, told.Invoice, subscription, ct)),
            _ => told,
        };

    /// <summary>
    /// Whether something that led nowhere will lead somewhere when it is told again. So it is where our own metadata names an order that is not here
    /// yet, or whose payment, which came later or at the same time, has still to be told of. Where nothing of ours is on it, it is the traffic of
    /// somebody else on the same Stripe account, and where its order was paid, what it is about is over (a subscription that another one has
    /// replaced): repeating that for three days, as Stripe does, would help nobody.
    /// </summary>
    /// <exception cref="PaymentProviderException">Stripe is away, or does not let us ask.</exception>
    public async Task<bool> IsAwaitedAsync(Told told, CancellationToken ct)
    {
        var hint = told.Hint;
        if (hint.Order is null && told.Subscription is { } subscription)
            hint = await MarkOfAsync(subscription, ct);
        if (hint is not { Account: { } account, Order: { } id })
            return false;
        var order = (await ledger.ReadAsync(account)).Account.Orders.Find(id);
        return told.Event switch
        {
            // Money moved.
            ProviderEvent.Paid
            or ProviderEvent.InvoicePaid
            or ProviderEvent.Refunded
            or ProviderEvent.Disputed
            or ProviderEvent.DisputeWon => order is not { Status: OrderStatus.Paid },

            // One that lapsed unpaid has no subscription that could end.
            ProviderEvent.SubscriptionUpdated or ProviderEvent.SubscriptionEnded => order
                is null
                    or { Status: OrderStatus.Open or OrderStatus.Failed },
            _ => false,
        };
    }

    /// <summary>Tellings of a subscription's changes may come in any order: what holds is what Stripe says now.</summary>
    private async Task<Told> AsItIsNowAsync(Told told, ProviderEvent.SubscriptionUpdated updated, CancellationToken ct)
    {
        if (await orders.FindSubscriptionAsync(PaymentOptions.StripeName, updated.Subscription, ct) is null)
            return told;
        if (await AskAsync("v1/subscriptions/" + Uri.EscapeDataString(updated.Subscription), ct) is not { } now)
            return told;
        return told with
        {
            Event = StripeSubscription.IsOver(now)
                ? new ProviderEvent.Nothing(updated.Id, updated.Type, "it has ended")
                : updated with
                {
                    EndsWithPeriod = StripeSubscription.EndsWithPeriod(now),
                },
        };
    }

    /// <summary>
    /// What an order's page took is not always its payment: it may have been the wrong amount, or the second time. Such money grants nothing, and when
    /// it goes back, as it should, nothing may be taken for it.
    /// </summary>
    private async Task<Told> OfOwnPaymentAsync(Told told, CancellationToken ct)
    {
        if (told.Hint is not { Account: { } account, Order: { } id })
            return told;
        var order = (await ledger.ReadAsync(account)).Account.Orders.Find(id);
        var isOwn = order switch
        {
            null => true,
            { Status: OrderStatus.Paid } => order.Intent is null || told.Hint.Intent is null || order.Intent == told.Hint.Intent,

            // Told of before the payment itself: then the payment is asked what it is.
            _ => (told.Payment ?? await FactsOfAsync(told.Hint.Intent, ct))?.IsFor(order) != false,
        };
        return isOwn ? told : new(new ProviderEvent.Nothing(told.Event.Id, told.Event.Type, "not the order's own payment"), told.Hint);
    }

    private async Task<PaidFacts?> FactsOfAsync(string? intent, CancellationToken ct) =>
        intent is not null && await AskAsync("v1/payment_intents/" + Uri.EscapeDataString(intent), ct) is { } payment
            ? PaidFacts.Of(payment)
            : null;

    private async Task<OrderHint> OfFirstInvoiceAsync(OrderHint hint, string? invoice, string subscription, CancellationToken ct)
    {
        if (invoice is not null && await orders.FindPaymentAsync(PaymentOptions.StripeName, invoice, ct) is { } place)
            return hint with { Account = place.Account, Order = place.Order };
        if (await MarkOfAsync(subscription, ct) is { Order: not null } mark)
            return mark with { Intent = hint.Intent };

        // Somebody has changed the subscription's metadata; the page that it was bought on is left.
        var pages = await AskAsync($"v1/checkout/sessions?subscription={Uri.EscapeDataString(subscription)}&limit=1", ct);
        return pages?.Items.FirstOrDefault() is { } page && page.IsThere
            ? StripeEvents.HintOf([page.Get("metadata")], page.AsId, hint.Intent)
            : hint;
    }

    private async Task<OrderHint> OfPaymentAsync(Told told, CancellationToken ct)
    {
        var (hint, invoice) = (told.Hint, told.Invoice);
        if (
            hint.Intent is null
            && told.Charge is { } charge
            && await AskAsync("v1/charges/" + Uri.EscapeDataString(charge), ct) is { } asked
        )
            hint = StripeEvents.HintOf([asked.Get("metadata")], intent: asked.Get("payment_intent").AsId);

        if (hint.Order is not null || hint.Intent is not { } intent)
            return await OfInvoiceAsync(hint, invoice, ct) ?? hint;
        if (await orders.FindIntentAsync(PaymentOptions.StripeName, intent, ct) is { } place)
            return hint with { Account = place.Account, Order = place.Order };
        if (await AskAsync("v1/payment_intents/" + Uri.EscapeDataString(intent), ct) is { } payment)
        {
            hint = StripeEvents.HintOf([payment.Get("metadata")], intent: intent);
            if (hint.Order is not null)
                return hint;
        }

        // Until 2025-03-31 the charge itself named its invoice.
        if (invoice is null)
        {
            var path = $"v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]={Uri.EscapeDataString(intent)}&limit=10";
            invoice = (await AskAsync(path, ct))?.Items.Select(line => line.Get("invoice").AsId).FirstOrDefault(id => id is not null);
        }

        return await OfInvoiceAsync(hint, invoice, ct) ?? hint;
    }

    /// <summary>The order that an invoice has paid, or is about to: an invoice of ours is known by its subscription before its payment is told of.</summary>
    private async Task<OrderHint?> OfInvoiceAsync(OrderHint hint, string? invoice, CancellationToken ct)
    {
        if (invoice is null || hint.Order is not null)
            return null;
        if (await orders.FindPaymentAsync(PaymentOptions.StripeName, invoice, ct) is { } place)
            return hint with { Account = place.Account, Order = place.Order };
        if (await AskAsync("v1/invoices/" + Uri.EscapeDataString(invoice), ct) is not { } asked)
            return null;
        var mark = StripeEvents.HintOf(StripeEvents.MetadataOf(asked), intent: hint.Intent);
        if (mark.Order is null && StripeEvents.SubscriptionOf(asked) is { } subscription)
            mark = await MarkOfAsync(subscription, ct) with { Intent = hint.Intent };
        if (mark.Account is not { } account)
            return null;

        // The metadata names the order that began the subscription; every later invoice is an order of its own.
        return asked.Get("billing_reason").AsText == "subscription_create"
            ? mark
            : mark with
            {
                Order = EventIds.OrderOf(account, PaymentOptions.StripeName, invoice),
            };
    }

    private async Task<OrderHint> MarkOfAsync(string subscription, CancellationToken ct) =>
        await AskAsync("v1/subscriptions/" + Uri.EscapeDataString(subscription), ct) is { } found
            ? StripeEvents.HintOf([found.Get("metadata")])
            : default;

    /// <summary>An object or a list; null where Stripe has none.</summary>
    private async Task<JsonElement?> AskAsync(string path, CancellationToken ct)
    {
        var reply = await api.GetAsync(path, ct);
        if (!reply.IsError)
            return reply.Body;

        // Nothing there, or nothing of that kind; a key that may not ask is another matter, which somebody has to mend.
        return reply.Status is 400 or 404 ? null : throw reply.Fault(isFinal: false);
    }
}
