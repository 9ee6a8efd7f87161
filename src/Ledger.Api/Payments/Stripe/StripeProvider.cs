using System.Globalization;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;

namespace Ledger.Api.Payments.Stripe;

/// <summary>
/// Takes payments through Stripe. Every order travels with its own id and its account's, on the page, on the payment and on the subscription, so that
/// whatever Stripe tells leads back to it.
/// </summary>
/// <param name="api">Stripe.</param>
/// <param name="options">Where customers come back to.</param>
/// <param name="lookup">Finds what a telling does not say by itself.</param>
internal sealed class StripeProvider(StripeApi api, PaymentOptions options, StripeLookup lookup) : IPaymentProvider
{
    /// <summary>The member of Stripe's metadata that holds the order's id.</summary>
    public const string OrderMember = "order";

    /// <summary>The member of Stripe's metadata that holds the account's id.</summary>
    public const string AccountMember = "account";

    // Stripe's own clock decides what is 24 hours from now, the most that it takes: ours may be a little ahead of it.
    private static readonly TimeSpan ClockMargin = TimeSpan.FromMinutes(10);

    /// <inheritdoc/>
    public string Name => PaymentOptions.StripeName;

    /// <inheritdoc/>
    public IReadOnlyList<string> PageOrigins { get; } = options.Stripe.PageOriginList;

    /// <inheritdoc/>
    public async Task<string> CreateCustomerAsync(AccountId account, CancellationToken ct)
    {
        var form = new StripeForm().With($"metadata[{AccountMember}]", account.Value);
        var reply = await api.PostAsync("v1/customers", form, $"ledger-customer-{account}", ct);
        return Having(reply.Required(), "id");
    }

    /// <inheritdoc/>
    public async Task<CheckoutPage> OpenCheckoutAsync(AccountId account, Order order, Uri server, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(order);
        if (order.Session is { } session && await FindPageAsync(session, ct) is { } open)
            return open;
        var isSubscription = order.Kind == OrderKind.Subscription;
        var form = new StripeForm()
            .With("mode", isSubscription ? "subscription" : "payment")
            .With("customer", order.Customer)
            .With("client_reference_id", order.Id.Value)
            .With("success_url", ReturnTo(server, "checkout=paid&session_id={CHECKOUT_SESSION_ID}"))
            .With("cancel_url", ReturnTo(server, "checkout=canceled"))
            .With("expires_at", (order.ExpiresAt - ClockMargin).ToUnixTimeSeconds())
            // Whatever the account's own setting says: what is paid in another currency is not what was ordered.
            .With("adaptive_pricing[enabled]", false)
            .With("line_items[0][quantity]", 1)
            .With("line_items[0][price_data][currency]", "usd")
            .With("line_items[0][price_data][unit_amount]", CentsOf(order.Price));
        Mark(form, "metadata", account, order.Id);
        if (isSubscription)
        {
            form.With("line_items[0][price_data][product]", await HavingProductAsync(order.Item!, ct))
                .With("line_items[0][price_data][recurring][interval]", "month");
            Mark(form, "subscription_data[metadata]", account, order.Id);
        }
        else
        {
            form.With("line_items[0][price_data][product_data][name]", NameOf(order));

            // Stripe copies these to the charge, by which refunds and disputes come.
            Mark(form, "payment_intent_data[metadata]", account, order.Id);

            // So that an automatic purchase can be charged to the same card.
            form.With("payment_intent_data[setup_future_usage]", "off_session");
        }

        var reply = (await api.PostAsync("v1/checkout/sessions", form, $"ledger-checkout-{account}-{order.Id}", ct)).Required();
        return new(Having(reply, "id"), Having(reply, "url"));
    }

    /// <inheritdoc/>
    public async Task<string> OpenPortalAsync(AccountId account, string customer, Uri server, CancellationToken ct)
    {
        var form = new StripeForm().With("customer", customer).With("return_url", ReturnTo(server, null));
        return Having((await api.PostAsync("v1/billing_portal/sessions", form, NewKey("portal"), ct)).Required(), "url");
    }

    /// <inheritdoc/>
    public async Task<ChargeOutcome> ChargeAsync(AccountId account, Order order, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(order);
        if (order.Customer is not { } customer)
            return new ChargeOutcome.Declined("no_payment_method");

        // What was begun before counts, whatever became of it. The key alone would not do: Stripe forgets it after a day, and refuses it where the
        // customer has changed the card meanwhile.
        if (await FindIntentAsync(account, order, customer, ct) is { } before)
            return await OutcomeOfAsync(before, ct);
        if (await FindCardAsync(customer, ct) is not { } card)
            return new ChargeOutcome.Declined("no_payment_method");

        var form = new StripeForm()
            .With("amount", CentsOf(order.Price))
            .With("currency", "usd")
            .With("customer", customer)
            .With("payment_method", card)
            .With("payment_method_types[0]", "card")
            .With("confirm", true)
            .With("off_session", true)
            .With("description", NameOf(order));
        Mark(form, "metadata", account, order.Id);
        var reply = await api.PostAsync("v1/payment_intents", form, $"ledger-charge-{account}-{order.Id}", ct);
        return reply.Status == 402
            ? new ChargeOutcome.Declined(ReasonOf(reply.Body.Get("error")))
            : await OutcomeOfAsync(StripePayment.Of(reply.Required().Body), ct);
    }

    /// <inheritdoc/>
    public async Task ChangeSubscriptionAsync(string reference, SubscriptionTerms terms, Guid id, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(terms);
        var subscription = (await api.GetAsync(PathOf(reference), ct)).Required();
        var item = subscription.Body.Get("items").Items.FirstOrDefault();
        if (item.Get("id").AsText is not { } name)
            throw new PaymentProviderException($"Stripe's subscription {reference} has no item.", isFinal: true);
        var (price, cents) = (item.Get("price"), CentsOf(terms.Price));
        if (
            price.Get("product").AsId == ProductOf(terms.Tier)
            && price.Get("unit_amount").AsWhole == cents
            && price.Get("currency").AsText == "usd"
        )
            return;

        var form = new StripeForm()
            .With("items[0][id]", name)
            .With("items[0][price_data][currency]", "usd")
            .With("items[0][price_data][unit_amount]", cents)
            .With("items[0][price_data][product]", await HavingProductAsync(terms.Tier, ct))
            .With("items[0][price_data][recurring][interval]", "month")
            // The rest of the period is an order of its own, or nothing.
            .With("proration_behavior", "none");
        (await api.PostAsync(PathOf(reference), form, $"ledger-change-{id:N}", ct)).Required();
    }

    /// <inheritdoc/>
    public async Task EndSubscriptionAsync(string reference, bool atPeriodEnd, CancellationToken ct)
    {
        // Under a key of its own each time: ended, kept and ended again within a day must not be answered from the first time.
        var reply = atPeriodEnd
            ? await api.PostAsync(PathOf(reference), new StripeForm().With("cancel_at_period_end", true), NewKey("end"), ct)
            : await api.DeleteAsync(PathOf(reference), ct);
        if (!reply.IsError)
            return;

        // Stripe has no code for a subscription that is over; its state says it.
        var subscription = await api.GetAsync(PathOf(reference), ct);
        if (subscription.Status != 404 && !StripeSubscription.IsOver(subscription.Required().Body))
            reply.Required();
    }

    /// <inheritdoc/>
    public async Task KeepSubscriptionAsync(string reference, CancellationToken ct)
    {
        // Stripe takes one of the two at a time, and only the one that is set means something.
        var subscription = (await api.GetAsync(PathOf(reference), ct)).Required().Body;
        var form =
            subscription.Get("cancel_at_period_end").ValueKind == System.Text.Json.JsonValueKind.True
                ? new StripeForm().With("cancel_at_period_end", false)
            : subscription.Get("cancel_at").IsThere ? new StripeForm().With("cancel_at", "")
            : null;
        if (form is not null)
            (await api.PostAsync(PathOf(reference), form, NewKey("keep"), ct)).Required();
    }

    /// <summary>Whole cents.</summary>
    /// <exception cref="PaymentProviderException">There is a fraction of a cent, which nobody can pay.</exception>
    internal static long CentsOf(Amount price) =>
        price.Unit == Unit.Usd && price.Parts % Price.Cent == 0
            ? price.Parts / Price.Cent
            : throw new PaymentProviderException($"A price of {price} is not whole cents.", isFinal: true);

    /// <summary>The payment that was begun for an order, if one was.</summary>
    /// <inheritdoc/>
    /// <remarks>Stripe keeps what it has told for thirty days, and lists the newest first.</remarks>
    public async IAsyncEnumerable<ProviderEvent> TellAgainAsync(
        DateTimeOffset since,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct
    )
    {
        var events = new List<JsonElement>();
        var path = string.Create(CultureInfo.InvariantCulture, $"v1/events?created[gte]={since.ToUnixTimeSeconds()}&limit=100");
        for (string? after = null; ; )
        {
            var page = (await api.GetAsync(after is null ? path : $"{path}&starting_after={Uri.EscapeDataString(after)}", ct))
                .Required()
                .Body;
            events.AddRange(page.Items);
            after = page.Items.LastOrDefault().AsId;
            if (page.Get("has_more").ValueKind != JsonValueKind.True || after is null)
                break;
        }

        for (var i = events.Count - 1; i >= 0; i--)
        {
            Told? told = null;
            try
            {
                told = StripeEvents.Translate(events[i]);
            }
            catch (FormatException)
            {
                // Not one that can be understood: its delivery would be refused too.
            }

            if (told is not null)
                yield return (await lookup.CompleteAsync(told, ct)).Event;
        }
    }

    private async Task<StripePayment?> FindIntentAsync(AccountId account, Order order, string customer, CancellationToken ct)
    {
        // An hour for the clocks, which may differ.
        var since = (order.OpenedAt - TimeSpan.FromHours(1)).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var path = $"v1/payment_intents?customer={Uri.EscapeDataString(customer)}&created[gte]={since}&limit=100";
        foreach (var intent in (await api.GetAsync(path, ct)).Required().Body.Items)
        {
            var metadata = intent.Get("metadata");
            if (metadata.Get(OrderMember).AsText == order.Id.Value && metadata.Get(AccountMember).AsText == account.Value)
                return StripePayment.Of(intent);
        }

        return null;
    }

    /// <summary>The card that the customer chose, else the one that was saved last.</summary>
    private async Task<string?> FindCardAsync(string customer, CancellationToken ct)
    {
        var id = Uri.EscapeDataString(customer);
        var known = await api.GetAsync($"v1/customers/{id}?expand[]=invoice_settings.default_payment_method", ct);
        var chosen = known.Required().Body.Get("invoice_settings", "default_payment_method");
        if (chosen.Get("type").AsText == "card")
            return chosen.AsId;
        var saved = await api.GetAsync($"v1/payment_methods?customer={id}&type=card&limit=1", ct);
        return saved.Required().Body.Items.FirstOrDefault().AsId;
    }

    private async Task<ChargeOutcome> OutcomeOfAsync(StripePayment payment, CancellationToken ct)
    {
        // An answer under a key that was used before is as old as the key.
        if (payment.IsUnderWay)
            payment = StripePayment.Of((await api.GetAsync($"v1/payment_intents/{Uri.EscapeDataString(payment.Id)}", ct)).Required().Body);

        // It will not be known soon, and whoever waits for it waits in front of others: what becomes of it is told.
        return payment.IsUnderWay ? throw new PaymentProviderException($"Stripe's payment {payment.Id} is under way.", isFinal: true)
            : payment.IsPaid ? new ChargeOutcome.Paid(payment.Notice)
            : new ChargeOutcome.Declined(payment.Reason);
    }

    /// <summary>Why a card was not charged. The bank's own code stays with Stripe: some of them, such as a lost card, are not to be told.</summary>
    internal static string ReasonOf(System.Text.Json.JsonElement error) =>
        error.Get("decline_code").AsText == AuthenticationRequired ? AuthenticationRequired : error.Get("code").AsText ?? "card_declined";

    /// <summary>Its holder must be there.</summary>
    internal const string AuthenticationRequired = "authentication_required";

    private static void Mark(StripeForm form, string where, AccountId account, OrderId order) =>
        form.With($"{where}[{OrderMember}]", order.Value).With($"{where}[{AccountMember}]", account.Value);

    private static string PathOf(string subscription) => "v1/subscriptions/" + Uri.EscapeDataString(subscription);

    /// <summary>A key for what may be done again and again, and is to be done once for each time that it is asked for.</summary>
    private static string NewKey(string what) => $"ledger-{what}-{RequestIds.Next()}";

    private static string NameOf(Order order) =>
        order.Kind switch
        {
            OrderKind.Payg => "Credits",
            OrderKind.Topup => "Balance top-up",
            OrderKind.Pack => $"Pack {order.Item}",
            OrderKind.Subscription => NameOf(order.Item!),
            OrderKind.Upgrade => $"Upgrade to {order.Item}",
        };

    private static string NameOf(string tier) => $"Subscription {tier}";

    private static string ProductOf(string tier) =>
        "ledger_tier_" + string.Concat(tier.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '_'));

    /// <summary>What a level is called on invoices: one product for all who have it, made when it is first asked for.</summary>
    private async Task<string> HavingProductAsync(string tier, CancellationToken ct)
    {
        var product = ProductOf(tier);
        var form = new StripeForm().With("id", product).With("name", NameOf(tier));
        var made = await api.PostAsync("v1/products", form, $"ledger-product-{product}", ct);
        if (made.ErrorCode != "resource_already_exists")
            made.Required();
        return product;
    }

    /// <summary>
    /// A page that was opened before, if it can still be paid: to open it again would be refused where the customer is to come back to another page of ours
    /// this time, and where Stripe has forgotten the key, it would be a second one.
    /// </summary>
    private async Task<CheckoutPage?> FindPageAsync(string session, CancellationToken ct)
    {
        var reply = await api.GetAsync($"v1/checkout/sessions/{Uri.EscapeDataString(session)}", ct);
        return !reply.IsError && reply.Body.Get("status").AsText == "open" && reply.Body.Get("url").AsText is { } url
            ? new(session, url)
            : null;
    }

    /// <summary>Where the customer comes back to, with a word on how it went; Stripe fills in what is in braces, so they must stay as they are.</summary>
    private string ReturnTo(Uri server, string? query)
    {
        // Whoever comes from a page of ours comes back to it; whoever comes from elsewhere, to where the operator says.
        var to = server.AbsolutePath == "/" ? options.ReturnUrl ?? server : server;
        var address = to.GetLeftPart(UriPartial.Query);
        return query is null ? address + to.Fragment : $"{address}{(to.Query.Length > 0 ? '&' : '?')}{query}{to.Fragment}";
    }

    private static string Having(StripeReply reply, string name) =>
        reply.Body.Get(name).AsText ?? throw new PaymentProviderException($"Stripe answered {reply.What} without {name}.", isFinal: false);
}
