using System.Text.Json;
using Ledger.Api.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;

namespace Ledger.Api.Payments.Stripe;

/// <summary>Something that Stripe told, in our words, and what else it named, by which more can be asked for.</summary>
/// <param name="Event">In our words.</param>
/// <param name="Hint">Which order it concerns, as far as it says; its account and order are there only where they travelled as our metadata.</param>
/// <param name="Subscription">The subscription that it concerns.</param>
/// <param name="Invoice">The invoice that it concerns.</param>
/// <param name="Charge">The charge that it concerns.</param>
/// <param name="Payment">What was paid by what is given back; null where it does not say.</param>
internal sealed record Told(
    ProviderEvent Event,
    OrderHint Hint = default,
    string? Subscription = null,
    string? Invoice = null,
    string? Charge = null,
    PaidFacts? Payment = null
)
{
    /// <summary>The same, of a payment that leads to an order.</summary>
    public Told With(OrderHint hint) =>
        this with
        {
            Hint = hint,
            Event = Event switch
            {
                ProviderEvent.InvoicePaid e => e with { Hint = hint },
                ProviderEvent.Failed e => e with { Hint = hint },
                ProviderEvent.Refunded e => e with { Hint = hint },
                ProviderEvent.Disputed e => e with { Hint = hint },
                ProviderEvent.DisputeWon e => e with { Hint = hint },
                var other => other,
            },
        };
}

/// <summary>What of a payment an order can be compared with.</summary>
/// <param name="Amount">How much, in parts.</param>
/// <param name="Currency">ISO 4217 in upper case.</param>
/// <param name="Customer">Who paid; null where that is not said.</param>
internal sealed record PaidFacts(Amount Amount, string Currency, string? Customer)
{
    /// <summary>Reads those of a charge, or of a payment intent.</summary>
    public static PaidFacts? Of(JsonElement payment)
    {
        var currency = StripeMoney.CurrencyOf(payment);
        return payment.Get("amount").AsWhole is { } amount
            ? new(StripeMoney.Of(amount, currency), currency, payment.Get("customer").AsId)
            : null;
    }

    /// <summary>Whether an order asks for just that.</summary>
    public bool IsFor(Order order) =>
        Amount == order.Price
        && Currency == PaymentNotice.OnlyCurrency
        && (order.Customer is null || Customer is null || order.Customer == Customer);
}

/// <summary>
/// Translates what Stripe tells. It comes in the version of Stripe's API in which its endpoint was made, whatever version we speak ourselves, so what
/// has moved between versions is looked for in both places.
/// </summary>
internal static class StripeEvents
{
    /// <summary>Translates one.</summary>
    /// <exception cref="FormatException">It is not an event, or not one that can be understood.</exception>
    public static Told Translate(JsonElement root)
    {
        var about = root.Get("data", "object");
        var telling = new Telling(
            root.Get("id").AsText ?? throw new FormatException("An event without an id."),
            root.Get("type").AsText ?? throw new FormatException("An event without a type."),
            root.Get("created").AsTime ?? throw new FormatException("An event without a time."),
            about.ValueKind == JsonValueKind.Object ? about : throw new FormatException("An event about nothing."),
            root.Get("data", "previous_attributes")
        );
        return telling.Type switch
        {
            "checkout.session.completed" or "checkout.session.async_payment_succeeded" => Completed(telling),
            "checkout.session.async_payment_failed" => OfSession(
                telling,
                hint => new ProviderEvent.Failed(telling.Id, telling.Type, hint, "async_payment_failed")
            ),
            "checkout.session.expired" => OfSession(telling, hint => new ProviderEvent.Expired(telling.Id, telling.Type, hint)),
            "payment_intent.succeeded" => Succeeded(telling),
            "invoice.paid" => InvoicePaid(telling),
            "invoice.payment_failed" => InvoiceFailed(telling),
            "customer.subscription.updated" => SubscriptionUpdated(telling),
            "customer.subscription.deleted" => new(
                new ProviderEvent.SubscriptionEnded(telling.Id, telling.Type, Id(telling.About)),
                HintOf([telling.About.Get("metadata")]),
                Subscription: Id(telling.About)
            ),
            "charge.refunded" => Refunded(telling),
            "charge.dispute.funds_withdrawn" => OfDispute(
                telling,
                (hint, dispute, amount, currency) =>
                    new ProviderEvent.Disputed(telling.Id, telling.Type, hint, dispute, StripeMoney.Of(amount, currency), currency)
            ),
            "charge.dispute.funds_reinstated" => OfDispute(
                telling,
                (hint, dispute, _, _) => new ProviderEvent.DisputeWon(telling.Id, telling.Type, hint, dispute)
            ),

            // Its first invoice says more: whether it was paid.
            "customer.subscription.created" => Nothing(telling, "its invoice counts"),
            _ => Nothing(telling, null),
        };
    }

    /// <summary>The order that metadata names, the first that does; our own names and nothing else, as others may use the same words.</summary>
    /// <param name="metadata">Where our metadata may be.</param>
    /// <param name="session">The page, where one is named.</param>
    /// <param name="intent">The payment, where one is named.</param>
    public static OrderHint HintOf(IEnumerable<JsonElement> metadata, string? session = null, string? intent = null)
    {
        foreach (var members in metadata)
        {
            if (
                members.Get(StripeProvider.AccountMember).AsText is { } account
                && members.Get(StripeProvider.OrderMember).AsText is { } order
                && Identifiers.IsLawful(account)
                && Identifiers.IsLawful(order)
            )
                return new(new(account), new(order), session, intent);
        }

        return new(Session: session, Intent: intent);
    }

    /// <summary>Where an invoice holds the metadata of its subscription, as it was when the invoice was made.</summary>
    public static IEnumerable<JsonElement> MetadataOf(JsonElement invoice) =>
        [
            invoice.Get("parent", "subscription_details", "metadata"),
            invoice.Get("subscription_details", "metadata"),
            .. invoice.Get("lines").Items.Select(line => line.Get("metadata")),
        ];

    private static Told Completed(Telling telling)
    {
        var (session, mode) = (telling.About, telling.About.Get("mode").AsText);
        if (session.Get("payment_status").AsText is var status && status != "paid")
            return Nothing(telling, status ?? "unpaid");
        var (invoice, subscription) = (session.Get("invoice").AsId, session.Get("subscription").AsId);
        return mode switch
        {
            "payment" => OfSession(
                telling,
                hint => new ProviderEvent.Paid(telling.Id, telling.Type, hint, NoticeOf(hint.Intent ?? Id(session), hint.Intent, null))
            ),
            "subscription" when invoice is not null && subscription is not null => OfSession(
                telling,
                hint => new ProviderEvent.InvoicePaid(
                    telling.Id,
                    telling.Type,
                    hint,
                    NoticeOf(invoice, hint.Intent, subscription),
                    IsFirst: true
                )
            ) with
            {
                Subscription = subscription,
                Invoice = invoice,
            },

            // Then the invoice tells it.
            "subscription" => Nothing(telling, "its invoice counts"),
            _ => Nothing(telling, mode),
        };

        PaymentNotice NoticeOf(string payment, string? intent, string? subscription)
        {
            var currency = StripeMoney.CurrencyOf(session);
            return new(
                PaymentOptions.StripeName,
                payment,
                intent,
                StripeMoney.Of(Whole(session, "amount_total"), currency),
                currency,
                session.Get("customer").AsId,
                subscription,
                telling.At
            );
        }
    }

    private static Told OfSession(Telling telling, Func<OrderHint, ProviderEvent> translate)
    {
        var session = telling.About;
        var hint = HintOf([session.Get("metadata")], Id(session), session.Get("payment_intent").AsId);
        return new(translate(hint), hint);
    }

    /// <summary>
    /// Of most payments the page tells too, and the first of the two counts. Of one that was taken behind its holder's back, and took its time, nobody
    /// else does.
    /// </summary>
    private static Told Succeeded(Telling telling)
    {
        var intent = telling.About;
        var hint = HintOf([intent.Get("metadata")], intent: Id(intent));
        if (hint.Order is null)
            return Nothing(telling, "of no order");
        var currency = StripeMoney.CurrencyOf(intent);
        var payment = new PaymentNotice(
            PaymentOptions.StripeName,
            Id(intent),
            Id(intent),
            StripeMoney.Of(Whole(intent, "amount_received"), currency),
            currency,
            intent.Get("customer").AsId,
            Subscription: null,
            telling.At
        );
        return new(new ProviderEvent.Paid(telling.Id, telling.Type, hint, payment), hint);
    }

    private static Told InvoicePaid(Telling telling)
    {
        var invoice = telling.About;
        var reason = invoice.Get("billing_reason").AsText;
        if (SubscriptionOf(invoice) is not { } subscription)
            return Nothing(telling, "not of a subscription");

        // An invoice that somebody made by hand opens no period. One that is due to a change does, if it is what a period costs; else it is recorded.
        if (reason is not ("subscription_create" or "subscription_cycle" or "subscription_update" or "subscription"))
            return Nothing(telling, reason);
        var (intent, currency) = (IntentOf(invoice), StripeMoney.CurrencyOf(invoice));
        var hint = HintOf(MetadataOf(invoice), intent: intent);
        var payment = new PaymentNotice(
            PaymentOptions.StripeName,
            Id(invoice),
            intent,
            StripeMoney.Of(Whole(invoice, "amount_paid"), currency),
            currency,
            invoice.Get("customer").AsId,
            subscription,
            PeriodStartOf(invoice) ?? telling.At
        );
        return new(
            new ProviderEvent.InvoicePaid(telling.Id, telling.Type, hint, payment, IsFirst: reason == "subscription_create"),
            hint,
            subscription,
            Id(invoice)
        );
    }

    private static Told InvoiceFailed(Telling telling)
    {
        var invoice = telling.About;
        if (SubscriptionOf(invoice) is not { } subscription)
            return Nothing(telling, "not of a subscription");

        // The period that is not paid does not begin, and when the one before it ends needs no telling.
        if (invoice.Get("billing_reason").AsText != "subscription_create")
            return Nothing(telling, "renewal unpaid");
        var hint = HintOf(MetadataOf(invoice), intent: IntentOf(invoice));
        return new(new ProviderEvent.Failed(telling.Id, telling.Type, hint, "payment_failed"), hint, subscription, Id(invoice));
    }

    private static Told SubscriptionUpdated(Telling telling)
    {
        var subscription = telling.About;

        // Most changes are not about its end, those that we make ourselves among them: a lower level from the next period on must not be undone.
        if (telling.Before.IsThere && !telling.Before.Get("cancel_at_period_end").IsNamed && !telling.Before.Get("cancel_at").IsNamed)
            return Nothing(telling, "its end has not changed");
        return new(
            StripeSubscription.IsOver(subscription)
                ? new ProviderEvent.Nothing(telling.Id, telling.Type, "it has ended")
                : new ProviderEvent.SubscriptionUpdated(
                    telling.Id,
                    telling.Type,
                    Id(subscription),
                    StripeSubscription.EndsWithPeriod(subscription)
                ),
            HintOf([subscription.Get("metadata")]),
            Id(subscription)
        );
    }

    private static Told Refunded(Telling telling)
    {
        var charge = telling.About;
        var currency = StripeMoney.CurrencyOf(charge);
        var hint = HintOf([charge.Get("metadata")], intent: charge.Get("payment_intent").AsId);
        return new(
            new ProviderEvent.Refunded(
                telling.Id,
                telling.Type,
                hint,
                StripeMoney.Of(Whole(charge, "amount_refunded"), currency),
                currency
            ),
            hint,
            Invoice: charge.Get("invoice").AsId,
            Charge: Id(charge),
            Payment: PaidFacts.Of(charge)
        );
    }

    private static Told OfDispute(Telling telling, Func<OrderHint, string, long, string, ProviderEvent> translate)
    {
        var dispute = telling.About;
        var charge = dispute.Get("charge");
        var intent = dispute.Get("payment_intent");

        // A dispute has metadata of its own, which nobody fills in; where its charge or payment came along, theirs is ours.
        var hint = HintOf([charge.Get("metadata"), intent.Get("metadata")], intent: intent.AsId ?? charge.Get("payment_intent").AsId);
        return new(
            translate(hint, Id(dispute), Whole(dispute, "amount"), StripeMoney.CurrencyOf(dispute)),
            hint,
            Invoice: charge.Get("invoice").AsId,
            Charge: charge.AsId
        );
    }

    /// <summary>The subscription that an invoice bills: moved into <c>parent</c> in 2025-03-31.</summary>
    public static string? SubscriptionOf(JsonElement invoice) =>
        invoice.Get("parent", "subscription_details", "subscription").AsId ?? invoice.Get("subscription").AsId;

    /// <summary>What paid an invoice: since 2025-03-31 one of several payments, which are listed only where somebody asked for them.</summary>
    private static string? IntentOf(JsonElement invoice) =>
        invoice.Get("payment_intent").AsId
        ?? invoice
            .Get("payments")
            .Items.Where(payment => payment.Get("status").AsText is "paid" or null)
            .Select(payment => payment.Get("payment", "payment_intent").AsId)
            .FirstOrDefault(id => id is not null);

    /// <summary>When the period begins that an invoice pays: its own dates are those of the period before.</summary>
    private static DateTimeOffset? PeriodStartOf(JsonElement invoice) =>
        invoice
            .Get("lines")
            .Items.Where(line =>
                line.Get("type").AsText == "subscription"
                || line.Get("parent", "type").AsText == "subscription_item_details"
                || line.Get("subscription").IsThere
            )
            .Where(line =>
                line.Get("proration").ValueKind != JsonValueKind.True
                && line.Get("parent", "subscription_item_details", "proration").ValueKind != JsonValueKind.True
            )
            .Select(line => line.Get("period", "start").AsTime)
            .Max();

    private static Told Nothing(Telling telling, string? why) => new(new ProviderEvent.Nothing(telling.Id, telling.Type, why));

    private static string Id(JsonElement of) => of.Get("id").AsText ?? throw new FormatException("An object without an id.");

    private static long Whole(JsonElement of, string name) =>
        of.Get(name).AsWhole ?? throw new FormatException($"An object without {name}.");

    /// <summary>What every event says.</summary>
    /// <param name="Id">Its name.</param>
    /// <param name="Type">What happened.</param>
    /// <param name="At">When.</param>
    /// <param name="About">The object, as it was then.</param>
    /// <param name="Before">What of the object was otherwise before.</param>
    private readonly record struct Telling(string Id, string Type, DateTimeOffset At, JsonElement About, JsonElement Before);
}
