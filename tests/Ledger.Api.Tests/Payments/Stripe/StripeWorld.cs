using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>Something that Stripe tells, as it is sent.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Type">What happened.</param>
/// <param name="Body">The whole event.</param>
public sealed record Telling(string Id, string Type, string Body);

/// <summary>What came of a page that was paid.</summary>
public sealed record Purchase(
    string Session,
    string Intent,
    string Charge,
    string? Subscription,
    string? Invoice,
    Telling Completed,
    Telling? InvoicePaid,
    Telling? Updated
);

/// <summary>What Stripe answers a request.</summary>
public sealed record StripeAnswer(int Status, JsonObject Body);

/// <summary>How a card behaves when it is charged behind its holder's back.</summary>
public enum CardKind
{
    Good,
    Declined,
    AsksForItsHolder,
    TakesItsTime,
}

/// <summary>
/// What Stripe knows: customers, pages, payments, subscriptions. Objects have the members of Stripe's documents that matter here, in the shape of the
/// version that is asked for; requests are refused for the reasons for which Stripe refuses them.
/// </summary>
public sealed partial class StripeWorld(TimeProvider clock)
{
    /// <summary>The version that the API speaks.</summary>
    public const string ApiVersion = "2025-08-27.basil";

    /// <summary>A version from before fields moved.</summary>
    public const string OldVersion = "2024-06-20";

    // Few, so that there are several pages.
    private const int EventsPerPage = 2;

    private readonly Lock _lock = new();
    private readonly List<JsonObject> _objects = [];
    private readonly List<JsonObject> _events = [];
    private int _made;

    /// <summary>The version of the webhook's endpoint: what is told comes in it.</summary>
    public string EndpointVersion { get; set; } = ApiVersion;

    /// <summary>Whether invoices are told with their payments, as an endpoint can ask for.</summary>
    public bool TellsPayments { get; set; }

    /// <summary>What was told because of what was asked for, in order.</summary>
    public List<Telling> Told { get; } = [];

    private long Now => clock.GetUtcNow().ToUnixTimeSeconds();

    // ---- what customers, banks and time do

    /// <summary>Somebody pays a page; the rest says with what, where that is not what the page asks for.</summary>
    public Purchase Pay(string session, long? cents = null, string? currency = null, string? customer = null)
    {
        lock (_lock)
        {
            var page = Find(session)!;
            page["amount_total"] = cents ?? Whole(page, "amount_total");
            page["currency"] = currency ?? Text(page, "currency");
            page["customer"] = customer ?? Text(page, "customer");
            page["status"] = "complete";
            page["payment_status"] = "paid";
            var card = NewCard(Text(page, "customer")!, CardKind.Good);
            if (Text(page, "mode") == "payment")
            {
                var metadata = page["_intent_metadata"]!.AsObject();
                var (intent, charge) = Taken(Whole(page, "amount_total"), Text(page, "currency")!, Text(page, "customer")!, card, metadata);
                page["payment_intent"] = Text(intent, "id");
                return new(
                    session,
                    Text(intent, "id")!,
                    Text(charge, "id")!,
                    null,
                    null,
                    Tell("checkout.session.completed", page),
                    null,
                    null
                );
            }

            var subscription = NewSubscription(page);
            var paid = Billed(subscription, "subscription_create", null, Text(page, "currency")!);
            page["subscription"] = Text(subscription, "id");
            page["invoice"] = paid.Invoice;
            return paid with
            {
                Session = session,
                Completed = Tell("checkout.session.completed", page),
                Updated = Tell("customer.subscription.updated", subscription, new() { ["status"] = "incomplete" }),
            };
        }
    }

    /// <summary>Somebody pays by a method that takes days: the page is done, the money is not there.</summary>
    public Telling PaySlowly(string session)
    {
        lock (_lock)
        {
            var page = Find(session)!;
            page["status"] = "complete";
            page["payment_status"] = "unpaid";
            return Tell("checkout.session.completed", page);
        }
    }

    /// <summary>The money of a slow payment came.</summary>
    public Telling ComeSlowly(string session)
    {
        Pay(session);
        lock (_lock)
            return Tell("checkout.session.async_payment_succeeded", Find(session)!);
    }

    /// <summary>The money of a slow payment will not come.</summary>
    public Telling FailSlowly(string session)
    {
        lock (_lock)
            return Tell("checkout.session.async_payment_failed", Find(session)!);
    }

    /// <summary>Nobody paid a page in time.</summary>
    public Telling Expire(string session)
    {
        lock (_lock)
        {
            var page = Find(session)!;
            page["status"] = "expired";
            page["url"] = null;
            return Tell("checkout.session.expired", page);
        }
    }

    /// <summary>Some of a charge is given back.</summary>
    public Telling Refund(string charge, long cents)
    {
        lock (_lock)
        {
            var taken = Find(charge)!;
            taken["amount_refunded"] = Whole(taken, "amount_refunded") + cents;
            taken["refunded"] = Whole(taken, "amount_refunded") == Whole(taken, "amount");
            return Tell("charge.refunded", taken);
        }
    }

    /// <summary>A bank takes a charge back.</summary>
    public (string Id, Telling Withdrawn) Dispute(string charge, long? cents = null)
    {
        lock (_lock)
        {
            var taken = Find(charge)!;
            var dispute = Add(
                new()
                {
                    ["id"] = NewId("dp_"),
                    ["object"] = "dispute",
                    ["amount"] = cents ?? Whole(taken, "amount"),
                    ["charge"] = charge,
                    ["created"] = Now,
                    ["currency"] = Text(taken, "currency"),
                    ["metadata"] = new JsonObject(),
                    ["payment_intent"] = Text(taken, "payment_intent"),
                    ["reason"] = "fraudulent",
                    ["status"] = "needs_response",
                }
            );
            return (Text(dispute, "id")!, Tell("charge.dispute.funds_withdrawn", dispute));
        }
    }

    /// <summary>The bank gives it back.</summary>
    public Telling Win(string dispute)
    {
        lock (_lock)
        {
            var won = Find(dispute)!;
            won["status"] = "won";
            return Tell("charge.dispute.funds_reinstated", won);
        }
    }

    /// <summary>The next period begins, and its invoice is paid.</summary>
    public Purchase Renew(string subscription, long? cents = null)
    {
        lock (_lock)
        {
            var billed = Find(subscription)!;
            var item = ItemOf(billed);
            item["current_period_start"] = Whole(item, "current_period_end");
            item["current_period_end"] = MonthsAfter(billed, Whole(billed, "_periods") + 1);
            billed["_periods"] = Whole(billed, "_periods") + 1;
            return Billed(billed, "subscription_cycle", cents, Text(billed, "currency")!);
        }
    }

    /// <summary>An invoice was not paid: the first one, or that of the next period.</summary>
    public Telling FailInvoice(string subscription, string reason)
    {
        lock (_lock)
        {
            var billed = Find(subscription)!;
            var invoice = NewInvoice(billed, reason, Whole(ItemOf(billed)["price"]!.AsObject(), "unit_amount"), Text(billed, "currency")!);
            invoice["status"] = "open";
            invoice["amount_paid"] = 0;
            return Tell("invoice.payment_failed", invoice);
        }
    }

    /// <summary>The customer does something about the end of a subscription, on Stripe's own pages.</summary>
    public Telling SetEnd(string subscription, bool atPeriodEnd, long? cancelAt = null)
    {
        lock (_lock)
        {
            var billed = Find(subscription)!;
            var before = Ended(billed, atPeriodEnd, cancelAt ?? (atPeriodEnd ? Whole(ItemOf(billed), "current_period_end") : null));
            return Tell("customer.subscription.updated", billed, before);
        }
    }

    /// <summary>A subscription is over.</summary>
    public Telling End(string subscription)
    {
        lock (_lock)
        {
            var billed = Find(subscription)!;
            billed["status"] = "canceled";
            billed["ended_at"] = Now;
            return Tell("customer.subscription.deleted", billed);
        }
    }

    /// <summary>A customer saves a card, and may choose it for what is charged later.</summary>
    public string SaveCard(string customer, CardKind kind, bool isChosen = false)
    {
        lock (_lock)
        {
            var card = NewCard(customer, kind);
            if (isChosen)
                Find(customer)!["invoice_settings"] = new JsonObject { ["default_payment_method"] = card };
            return card;
        }
    }

    /// <summary>Somebody takes a customer's cards away.</summary>
    public void ForgetCards(string customer)
    {
        lock (_lock)
            _objects.RemoveAll(o => Text(o, "object") == "payment_method" && Text(o, "customer") == customer);
    }

    /// <summary>A payment of a slow card comes to its end.</summary>
    public Telling Succeed(string intent)
    {
        lock (_lock)
        {
            var paid = Find(intent)!;
            paid["status"] = "succeeded";
            paid["amount_received"] = Whole(paid, "amount");
            return Tell("payment_intent.succeeded", paid);
        }
    }

    /// <summary>Changes an object behind everybody's back.</summary>
    public void Change(string id, Action<JsonObject> change)
    {
        lock (_lock)
            change(Find(id)!);
    }

    /// <summary>An object as the API would show it.</summary>
    public JsonObject Show(string id)
    {
        lock (_lock)
            return Rendered(Find(id)!, ApiVersion, true);
    }

    /// <summary>All objects of a kind, the newest first.</summary>
    public IReadOnlyList<JsonObject> All(string kind)
    {
        lock (_lock)
            return [.. Of(kind).Select(o => Rendered(o, ApiVersion, true))];
    }

    /// <summary>Tells of an object as it is now.</summary>
    public Telling Tell(string type, string id)
    {
        lock (_lock)
            return Tell(type, Find(id)!);
    }

    /// <summary>Tells of anything.</summary>
    public Telling Tell(string type, JsonObject about, JsonObject? before = null)
    {
        ArgumentNullException.ThrowIfNull(about);
        lock (_lock)
        {
            var data = new JsonObject { ["object"] = Rendered(about, EndpointVersion, TellsPayments) };
            if (before is not null)
                data["previous_attributes"] = before;
            var id = NewId("evt_");
            var told = new JsonObject
            {
                ["id"] = id,
                ["object"] = "event",
                ["api_version"] = EndpointVersion,
                ["created"] = Now,
                ["data"] = data,
                ["livemode"] = false,
                ["pending_webhooks"] = 1,
                ["request"] = new JsonObject { ["id"] = null, ["idempotency_key"] = null },
                ["type"] = type,
            };

            _events.Add(told);

            // With line breaks, as Stripe sends it: what is signed is the text.
            return new(id, type, told.ToJsonString(Indented));
        }
    }

    /// <summary>The same under another id, as when Stripe makes an event of it twice.</summary>
    public Telling Again(Telling telling)
    {
        ArgumentNullException.ThrowIfNull(telling);
        lock (_lock)
        {
            var id = NewId("evt_");
            return telling with { Id = id, Body = telling.Body.Replace(telling.Id, id, StringComparison.Ordinal) };
        }
    }

    /// <summary>Where its pages for paying are.</summary>
    public string CheckoutPages { get; set; } = "https://checkout.stripe.test";

    /// <summary>Where its pages on what was paid are.</summary>
    public string BillingPages { get; set; } = "https://billing.stripe.test";

    // ---- what the API does

    /// <summary>Answers a request that is let in.</summary>
    public StripeAnswer Answer(
        string method,
        string path,
        IReadOnlyDictionary<string, string> query,
        IReadOnlyDictionary<string, string> form
    )
    {
        ArgumentNullException.ThrowIfNull(path);
        lock (_lock)
        {
            var id = path.Split('/')[^1];
            return (method, path) switch
            {
                ("POST", "/v1/customers") => NewCustomer(form),
                ("POST", "/v1/products") => NewProduct(form),
                ("POST", "/v1/checkout/sessions") => NewSession(form),
                ("POST", "/v1/billing_portal/sessions") => NewPortal(form),
                ("POST", "/v1/payment_intents") => NewIntent(form),
                ("GET", "/v1/checkout/sessions") => List("checkout.session", query, "subscription"),
                ("GET", "/v1/payment_intents") => List("payment_intent", query, "customer"),
                ("GET", "/v1/payment_methods") => List("payment_method", query, "customer"),
                ("GET", "/v1/invoice_payments") => ListInvoicePayments(query),
                ("GET", "/v1/events") => ListEvents(query),
                ("GET", _) when IdPath().IsMatch(path) => Get(id, query),
                ("POST", _) when path == "/v1/subscriptions/" + id => ChangeSubscription(id, form),
                ("DELETE", _) when path == "/v1/subscriptions/" + id => EndSubscription(id),
                _ => Error(404, null, $"Unrecognized request URL ({method}: {path})."),
            };
        }
    }

    /// <summary>A refusal in Stripe's shape.</summary>
    public static StripeAnswer Error(
        int status,
        string? code,
        string message,
        string? param = null,
        string type = "invalid_request_error",
        JsonObject? more = null
    )
    {
        var error = more ?? [];
        error["message"] = message;
        error["type"] = type;
        if (code is not null)
            error["code"] = code;
        if (param is not null)
            error["param"] = param;
        return new(status, new() { ["error"] = error });
    }

    private StripeAnswer NewCustomer(IReadOnlyDictionary<string, string> form) =>
        Unknown(form, "metadata", "email", "name")
        ?? Done(
            Add(
                new()
                {
                    ["id"] = NewId("cus_"),
                    ["object"] = "customer",
                    ["created"] = Now,
                    ["invoice_settings"] = new JsonObject { ["default_payment_method"] = null },
                    ["metadata"] = MetadataOf(form, "metadata"),
                }
            )
        );

    private StripeAnswer NewProduct(IReadOnlyDictionary<string, string> form)
    {
        if (Unknown(form, "id", "name", "metadata") is { } error)
            return error;
        if (!form.ContainsKey("name"))
            return Error(400, "parameter_missing", "Missing required param: name.", "name");
        var id = form.GetValueOrDefault("id") ?? NewId("prod_");
        return Find(id) is not null
            ? Error(400, "resource_already_exists", $"Product already exists: '{id}'", "id")
            : Done(
                Add(
                    new()
                    {
                        ["id"] = id,
                        ["object"] = "product",
                        ["active"] = true,
                        ["name"] = form["name"],
                    }
                )
            );
    }

    private StripeAnswer NewSession(IReadOnlyDictionary<string, string> form)
    {
        const string Price = "line_items[][price_data]";
        if (
            Unknown(
                form,
                "mode",
                "customer",
                "client_reference_id",
                "success_url",
                "cancel_url",
                "expires_at",
                "adaptive_pricing[enabled]",
                "metadata",
                "line_items[][quantity]",
                Price + "[currency]",
                Price + "[unit_amount]",
                Price + "[product]",
                Price + "[product_data][name]",
                Price + "[recurring][interval]",
                "payment_intent_data[setup_future_usage]",
                "payment_intent_data[metadata]",
                "subscription_data[metadata]"
            ) is
            { } error
        )
            return error;
        var (mode, customer) = (form.GetValueOrDefault("mode"), form.GetValueOrDefault("customer"));
        string? Line(string name) => form.GetValueOrDefault("line_items[0]" + name);
        if (mode is not ("payment" or "subscription"))
            return Error(400, null, "Invalid mode.", "mode");
        if (customer is not null && Find(customer) is null)
            return Missing("customer", customer, "customer");
        foreach (var name in (string[])["success_url", "cancel_url"])
        {
            if (!Uri.TryCreate(form.GetValueOrDefault(name), UriKind.Absolute, out _))
                return Error(400, "url_invalid", "Not a valid URL", name);
        }

        if (form.ContainsKey("payment_intent_data[setup_future_usage]") && mode == "subscription")
            return Error(400, null, "You can not pass `payment_intent_data` in `subscription` mode.");
        if (form.Keys.Any(key => key.StartsWith("subscription_data", StringComparison.Ordinal)) && mode == "payment")
            return Error(400, null, "You can not pass `subscription_data` in `payment` mode.");
        if ((Line("[price_data][recurring][interval]") is not null) != (mode == "subscription"))
            return Error(400, null, "Recurring prices go with subscriptions and nothing else.", "line_items[0][price_data]");
        if (Line("[price_data][product]") is { } product && Find(product) is null)
            return Missing("product", product, "line_items[0][price_data][product]");
        if ((Line("[price_data][product]") is null) == (Line("[price_data][product_data][name]") is null))
            return Error(400, null, "One of product and product_data.", "line_items[0][price_data]");
        if (!long.TryParse(Line("[price_data][unit_amount]"), NumberStyles.None, CultureInfo.InvariantCulture, out var amount))
            return Error(400, "parameter_invalid_integer", "Invalid integer", "line_items[0][price_data][unit_amount]");
        if (amount < 50)
            return Error(400, "amount_too_small", "The total must convert to at least 50 cents.");
        var expiresAt = long.Parse(form["expires_at"], CultureInfo.InvariantCulture);
        if (expiresAt < Now + 1800 || expiresAt > Now + 86400)
            return Error(400, null, "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", "expires_at");
        var id = NewId("cs_test_");
        return Done(
            Add(
                new()
                {
                    ["id"] = id,
                    ["object"] = "checkout.session",
                    ["amount_total"] = amount,
                    ["cancel_url"] = form["cancel_url"],
                    ["client_reference_id"] = form.GetValueOrDefault("client_reference_id"),
                    ["created"] = Now,
                    ["currency"] = Line("[price_data][currency]"),
                    ["customer"] = customer,
                    ["expires_at"] = expiresAt,
                    ["invoice"] = null,
                    ["livemode"] = false,
                    ["metadata"] = MetadataOf(form, "metadata"),
                    ["mode"] = mode,
                    ["payment_intent"] = null,
                    ["payment_status"] = "unpaid",
                    ["status"] = "open",
                    ["subscription"] = null,
                    ["success_url"] = form["success_url"],
                    ["url"] = CheckoutPages + "/c/pay/" + id,
                    ["_intent_metadata"] = MetadataOf(form, "payment_intent_data[metadata]"),
                    ["_subscription_metadata"] = MetadataOf(form, "subscription_data[metadata]"),
                    ["_product"] = Line("[price_data][product]"),
                }
            )
        );
    }

    private StripeAnswer NewPortal(IReadOnlyDictionary<string, string> form) =>
        Unknown(form, "customer", "return_url") is { } error ? error
        : Find(form["customer"]) is null ? Missing("customer", form["customer"], "customer")
        : Done(
            Add(
                new()
                {
                    ["id"] = NewId("bps_"),
                    ["object"] = "billing_portal.session",
                    ["customer"] = form["customer"],
                    ["return_url"] = form["return_url"],
                    ["url"] = BillingPages + "/p/session/" + _made,
                }
            )
        );

    private StripeAnswer NewIntent(IReadOnlyDictionary<string, string> form)
    {
        if (
            Unknown(
                form,
                "amount",
                "currency",
                "customer",
                "payment_method",
                "payment_method_types[]",
                "confirm",
                "off_session",
                "description",
                "metadata"
            ) is
            { } error
        )
            return error;
        if (Find(form["customer"]) is null)
            return Missing("customer", form["customer"], "customer");
        if (Find(form["payment_method"]) is not { } card || Text(card, "customer") != form["customer"])
            return Missing("PaymentMethod", form["payment_method"], "payment_method");
        if (form.GetValueOrDefault("confirm") != "true" || form.GetValueOrDefault("off_session") != "true")
            return Error(400, null, "Only charges behind their holder's back are played here.");
        var amount = long.Parse(form["amount"], CultureInfo.InvariantCulture);
        var (intent, _) = Taken(amount, form["currency"], form["customer"], Text(card, "id")!, MetadataOf(form, "metadata"));
        var kind = (CardKind)Whole(card, "_kind");
        if (kind == CardKind.Good)
            return Done(intent);
        intent["amount_received"] = 0;
        intent["status"] = kind == CardKind.TakesItsTime ? "processing" : "requires_payment_method";
        if (kind == CardKind.TakesItsTime)
            return Done(intent);
        var (code, decline) =
            kind == CardKind.Declined ? ("card_declined", "insufficient_funds") : ("authentication_required", "authentication_required");
        intent["last_payment_error"] = new JsonObject
        {
            ["code"] = code,
            ["decline_code"] = decline,
            ["type"] = "card_error",
        };
        var more = new JsonObject { ["decline_code"] = decline, ["payment_intent"] = Rendered(intent, ApiVersion, false) };
        return Error(402, code, "Your card was declined.", type: "card_error", more: more);
    }

    private StripeAnswer ChangeSubscription(string id, IReadOnlyDictionary<string, string> form)
    {
        const string Price = "items[][price_data]";
        if (
            Unknown(
                form,
                "items[][id]",
                Price + "[currency]",
                Price + "[unit_amount]",
                Price + "[product]",
                Price + "[recurring][interval]",
                "proration_behavior",
                "cancel_at_period_end",
                "cancel_at"
            ) is
            { } error
        )
            return error;
        if (Find(id) is not { } subscription)
            return Missing("subscription", id, "id");
        if (Text(subscription, "status") == "canceled")
            return Error(400, null, "A canceled subscription can only update its cancellation_details and metadata.");
        JsonObject before = [];
        if (form.TryGetValue("cancel_at_period_end", out var atEnd))
        {
            if (form.ContainsKey("cancel_at"))
                return Error(400, null, "You may only specify one of these parameters: cancel_at, cancel_at_period_end.");
            before = Ended(subscription, atEnd == "true", atEnd == "true" ? Whole(ItemOf(subscription), "current_period_end") : null);
        }
        else if (form.TryGetValue("cancel_at", out var at))
            before = Ended(subscription, false, at.Length == 0 ? null : long.Parse(at, CultureInfo.InvariantCulture));

        if (form.TryGetValue("items[0][id]", out var item))
        {
            if (item != Text(ItemOf(subscription), "id"))
                return Missing("subscription_item", item, "items[0][id]");
            var product = form["items[0][price_data][product]"];
            if (Find(product) is null)
                return Missing("product", product, "items[0][price_data][product]");
            before["items"] = new JsonObject { ["data"] = new JsonArray(ItemOf(subscription).DeepClone()) };
            ItemOf(subscription)["price"] = NewPrice(
                long.Parse(form["items[0][price_data][unit_amount]"], CultureInfo.InvariantCulture),
                form["items[0][price_data][currency]"],
                product
            );
        }

        Told.Add(Tell("customer.subscription.updated", subscription, before));
        return Done(subscription);
    }

    /// <summary>The newest first, in pages, as Stripe lists them.</summary>
    private StripeAnswer ListEvents(IReadOnlyDictionary<string, string> query)
    {
        var since = long.Parse(query["created[gte]"], CultureInfo.InvariantCulture);
        var wanted = _events.Where(told => Whole(told, "created") >= since).Reverse();
        if (query.TryGetValue("starting_after", out var after))
            wanted = wanted.SkipWhile(told => Text(told, "id") != after).Skip(1);
        var page = wanted.Take(EventsPerPage + 1).Select(told => told.DeepClone()).ToList();
        return new(
            200,
            new()
            {
                ["object"] = "list",
                ["data"] = new JsonArray([.. page.Take(EventsPerPage)]),
                ["has_more"] = page.Count > EventsPerPage,
                ["url"] = "/v1/events",
            }
        );
    }

    private StripeAnswer EndSubscription(string id)
    {
        if (Find(id) is not { } subscription || Text(subscription, "status") == "canceled")
            return Missing("subscription", id, "id");
        Told.Add(End(id));
        return Done(subscription);
    }

    private StripeAnswer Get(string id, IReadOnlyDictionary<string, string> query)
    {
        if (Find(id) is not { } found)
            return Missing("object", id, "id");
        var shown = Rendered(found, ApiVersion, false);
        if (
            query.GetValueOrDefault("expand[]") == "invoice_settings.default_payment_method"
            && Text(shown["invoice_settings"]!.AsObject(), "default_payment_method") is { } card
        )
            shown["invoice_settings"]!["default_payment_method"] = Rendered(Find(card)!, ApiVersion, false);
        return new(200, shown);
    }

    private StripeAnswer List(string kind, IReadOnlyDictionary<string, string> query, string by)
    {
        var since = query.TryGetValue("created[gte]", out var at) ? long.Parse(at, CultureInfo.InvariantCulture) : 0;
        return Listed(
            Of(kind)
                .Where(o => Text(o, by) == query[by])
                .Where(o => query.GetValueOrDefault("type") is not { } type || Text(o, "type") == type)
                .Where(o => Whole(o, "created") >= since),
            query
        );
    }

    private StripeAnswer ListInvoicePayments(IReadOnlyDictionary<string, string> query)
    {
        if (query.GetValueOrDefault("payment[type]") != "payment_intent")
            return Error(400, "parameter_missing", "Missing required param: payment[type].", "payment[type]");
        var intent = query["payment[payment_intent]"];
        return Listed(
            Of("invoice").Where(o => Text(o, "_intent") == intent).Select(o => o["_payments"]!["data"]![0]!.DeepClone().AsObject()),
            query
        );
    }

    private StripeAnswer Listed(IEnumerable<JsonObject> found, IReadOnlyDictionary<string, string> query)
    {
        var limit = query.TryGetValue("limit", out var said) ? int.Parse(said, CultureInfo.InvariantCulture) : 10;
        var all = found.ToList();
        return new(
            200,
            new()
            {
                ["object"] = "list",
                ["data"] = new JsonArray([.. all.Take(limit).Select(o => (JsonNode)Rendered(o, ApiVersion, false))]),
                ["has_more"] = all.Count > limit,
            }
        );
    }

    private StripeAnswer Done(JsonObject made) => new(200, Rendered(made, ApiVersion, false));

    private static StripeAnswer Missing(string kind, string id, string param) =>
        Error(404, "resource_missing", $"No such {kind}: '{id}'", param);

    /// <summary>Stripe refuses what it does not know, and so a name that was mistyped.</summary>
    private static StripeAnswer? Unknown(IReadOnlyDictionary<string, string> form, params string[] known)
    {
        foreach (var name in form.Keys)
        {
            var plain = Numbers().Replace(name, "[]");
            var isKnown = known.Any(k =>
                k == plain
                || (k.EndsWith("metadata", StringComparison.Ordinal) || k.EndsWith("metadata]", StringComparison.Ordinal))
                    && plain.StartsWith(k + "[", StringComparison.Ordinal)
            );
            if (!isKnown)
                return Error(400, "parameter_unknown", "Received unknown parameter: " + name, name);
        }

        return null;
    }

    // ---- objects

    private (JsonObject Intent, JsonObject Charge) Taken(long amount, string currency, string customer, string card, JsonObject metadata)
    {
        var (intent, charge) = (NewId("pi_"), NewId("ch_"));
        return (
            Add(
                new()
                {
                    ["id"] = intent,
                    ["object"] = "payment_intent",
                    ["amount"] = amount,
                    ["amount_received"] = amount,
                    ["created"] = Now,
                    ["currency"] = currency,
                    ["customer"] = customer,
                    ["last_payment_error"] = null,
                    ["latest_charge"] = charge,
                    ["metadata"] = metadata.DeepClone(),
                    ["payment_method"] = card,
                    ["status"] = "succeeded",
                    ["_invoice"] = null,
                }
            ),
            Add(
                new()
                {
                    ["id"] = charge,
                    ["object"] = "charge",
                    ["amount"] = amount,
                    ["amount_captured"] = amount,
                    ["amount_refunded"] = 0,
                    ["created"] = Now,
                    ["currency"] = currency,
                    ["customer"] = customer,
                    ["metadata"] = metadata.DeepClone(),
                    ["paid"] = true,
                    ["payment_intent"] = intent,
                    ["refunded"] = false,
                    ["status"] = "succeeded",
                    ["_invoice"] = null,
                }
            )
        );
    }

    private string NewCard(string customer, CardKind kind) =>
        Text(
            Add(
                new()
                {
                    ["id"] = NewId("pm_"),
                    ["object"] = "payment_method",
                    ["created"] = Now,
                    ["customer"] = customer,
                    ["type"] = "card",
                    ["_kind"] = (int)kind,
                }
            ),
            "id"
        )!;

    private JsonObject NewPrice(long amount, string currency, string product) =>
        new()
        {
            ["id"] = NewId("price_"),
            ["object"] = "price",
            ["currency"] = currency,
            ["product"] = product,
            ["recurring"] = new JsonObject { ["interval"] = "month", ["interval_count"] = 1 },
            ["unit_amount"] = amount,
        };

    private JsonObject NewSubscription(JsonObject page)
    {
        var id = NewId("sub_");
        var made = Add(
            new()
            {
                ["id"] = id,
                ["object"] = "subscription",
                ["billing_cycle_anchor"] = Now,
                ["cancel_at"] = null,
                ["cancel_at_period_end"] = false,
                ["created"] = Now,
                ["currency"] = Text(page, "currency"),
                ["customer"] = Text(page, "customer"),
                ["ended_at"] = null,
                ["items"] = new JsonObject
                {
                    ["object"] = "list",
                    ["data"] = new JsonArray(
                        new JsonObject
                        {
                            ["id"] = NewId("si_"),
                            ["object"] = "subscription_item",
                            ["current_period_start"] = Now,
                            ["current_period_end"] = 0,
                            ["price"] = NewPrice(Whole(page, "amount_total"), Text(page, "currency")!, Text(page, "_product")!),
                            ["quantity"] = 1,
                            ["subscription"] = id,
                        }
                    ),
                },
                ["metadata"] = page["_subscription_metadata"]!.DeepClone(),
                ["status"] = "active",
                ["_periods"] = 1,
            }
        );
        ItemOf(made)["current_period_end"] = MonthsAfter(made, 1);
        return made;
    }

    private Purchase Billed(JsonObject subscription, string reason, long? cents, string currency)
    {
        var amount = cents ?? Whole(ItemOf(subscription)["price"]!.AsObject(), "unit_amount");
        var customer = Text(subscription, "customer")!;
        var card = Text(Of("payment_method").First(o => Text(o, "customer") == customer), "id")!;

        // A payment of an invoice has none of our metadata.
        var (intent, charge) = Taken(amount, currency, customer, card, []);
        var invoice = NewInvoice(subscription, reason, amount, currency);
        var id = Text(invoice, "id")!;
        (intent["_invoice"], charge["_invoice"]) = (id, id);
        invoice["_intent"] = Text(intent, "id");
        invoice["_charge"] = Text(charge, "id");
        invoice["_payments"] = new JsonObject
        {
            ["object"] = "list",
            ["data"] = new JsonArray(
                new JsonObject
                {
                    ["id"] = NewId("inpay_"),
                    ["object"] = "invoice_payment",
                    ["amount_paid"] = amount,
                    ["created"] = Now,
                    ["invoice"] = id,
                    ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = Text(intent, "id") },
                    ["status"] = "paid",
                }
            ),
        };
        var told = Tell("invoice.paid", invoice);
        return new("", Text(intent, "id")!, Text(charge, "id")!, Text(subscription, "id"), id, told, told, null);
    }

    private JsonObject NewInvoice(JsonObject subscription, string reason, long amount, string currency)
    {
        var id = Text(subscription, "id");
        var item = ItemOf(subscription);
        var metadata = subscription["metadata"]!;
        var isFirst = reason == "subscription_create";
        return Add(
            new()
            {
                ["id"] = NewId("in_"),
                ["object"] = "invoice",
                ["amount_due"] = amount,
                ["amount_paid"] = amount,
                ["billing_reason"] = reason,
                ["created"] = Now,
                ["currency"] = currency,
                ["customer"] = Text(subscription, "customer"),
                ["lines"] = new JsonObject
                {
                    ["object"] = "list",
                    ["data"] = new JsonArray(
                        new JsonObject
                        {
                            ["id"] = NewId("il_"),
                            ["object"] = "line_item",
                            ["amount"] = amount,
                            ["currency"] = currency,
                            ["metadata"] = metadata.DeepClone(),
                            ["parent"] = new JsonObject
                            {
                                ["invoice_item_details"] = null,
                                ["subscription_item_details"] = new JsonObject
                                {
                                    ["invoice_item"] = null,
                                    ["proration"] = false,
                                    ["subscription"] = id,
                                    ["subscription_item"] = Text(item, "id"),
                                },
                                ["type"] = "subscription_item_details",
                            },
                            ["period"] = new JsonObject
                            {
                                ["start"] = Whole(item, "current_period_start"),
                                ["end"] = Whole(item, "current_period_end"),
                            },
                        }
                    ),
                },
                ["metadata"] = new JsonObject(),
                ["parent"] = new JsonObject
                {
                    ["quote_details"] = null,
                    ["subscription_details"] = new JsonObject { ["metadata"] = metadata.DeepClone(), ["subscription"] = id },
                    ["type"] = "subscription_details",
                },

                // Its own dates are those of the period before.
                ["period_start"] = isFirst
                    ? Whole(item, "current_period_start")
                    : MonthsAfter(subscription, Whole(subscription, "_periods") - 2),
                ["period_end"] = Whole(item, "current_period_start"),
                ["status"] = "paid",
                ["total"] = amount,
            }
        );
    }

    private static JsonObject Ended(JsonObject subscription, bool atPeriodEnd, long? cancelAt)
    {
        JsonObject before = [];
        if (subscription["cancel_at_period_end"]!.GetValue<bool>() != atPeriodEnd)
            before["cancel_at_period_end"] = !atPeriodEnd;
        if (subscription["cancel_at"]?.GetValue<long>() != cancelAt)
            before["cancel_at"] = subscription["cancel_at"]?.DeepClone();
        subscription["cancel_at_period_end"] = atPeriodEnd;
        subscription["cancel_at"] = cancelAt;
        return before;
    }

    private static long MonthsAfter(JsonObject subscription, long months) =>
        DateTimeOffset.FromUnixTimeSeconds(Whole(subscription, "billing_cycle_anchor")).AddMonths((int)months).ToUnixTimeSeconds();

    private static JsonObject ItemOf(JsonObject subscription) => subscription["items"]!["data"]![0]!.AsObject();

    /// <summary>An object as a version shows it.</summary>
    private static JsonObject Rendered(JsonObject found, string version, bool withPayments)
    {
        var shown = found.DeepClone().AsObject();
        var isOld = string.CompareOrdinal(version, "2025-03-31") < 0;
        switch (Text(shown, "object"))
        {
            case "invoice" when isOld && shown["parent"] is not null:
                var of = shown["parent"]!["subscription_details"]!;
                shown["subscription"] = of["subscription"]?.DeepClone();
                shown["subscription_details"] = new JsonObject { ["metadata"] = of["metadata"]?.DeepClone() };
                shown["payment_intent"] = Text(shown, "_intent");
                shown["charge"] = Text(shown, "_charge");
                shown["paid"] = Text(shown, "status") == "paid";
                shown.Remove("parent");
                foreach (var line in shown["lines"]!["data"]!.AsArray().Select(line => line!.AsObject()))
                {
                    line["type"] = "subscription";
                    line["subscription"] = shown["subscription"]?.DeepClone();
                    line["proration"] = false;
                    line.Remove("parent");
                }

                break;
            case "invoice" when withPayments:
                shown["payments"] = shown["_payments"]?.DeepClone();
                break;
            case "charge" or "payment_intent" when isOld:
                shown["invoice"] = Text(shown, "_invoice");
                break;
            case "subscription" when isOld:
                foreach (var name in (string[])["current_period_start", "current_period_end"])
                {
                    shown[name] = ItemOf(shown)[name]?.DeepClone();
                    ItemOf(shown).Remove(name);
                }

                break;
            default:
                break;
        }

        foreach (var hidden in shown.Select(member => member.Key).Where(name => name.StartsWith('_')).ToList())
            shown.Remove(hidden);
        return shown;
    }

    private static JsonObject MetadataOf(IReadOnlyDictionary<string, string> form, string where)
    {
        JsonObject metadata = [];
        foreach (var (name, value) in form)
        {
            if (name.StartsWith(where + "[", StringComparison.Ordinal))
                metadata[name[(where.Length + 1)..^1]] = value;
        }

        return metadata;
    }

    private JsonObject Add(JsonObject made)
    {
        _objects.Add(made);
        return made;
    }

    private JsonObject? Find(string id) => _objects.Find(o => Text(o, "id") == id);

    private IEnumerable<JsonObject> Of(string kind) => _objects.Where(o => Text(o, "object") == kind).Reverse();

    private string NewId(string prefix) => string.Create(CultureInfo.InvariantCulture, $"{prefix}1Test{++_made:D19}");

    private static string? Text(JsonObject of, string name) =>
        of[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    private static long Whole(JsonObject of, string name) => long.Parse(of[name]!.ToJsonString(), CultureInfo.InvariantCulture);

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    [GeneratedRegex(@"\[[0-9]+\]")]
    private static partial Regex Numbers();

    [GeneratedRegex("^/v1/(checkout/sessions|customers|payment_intents|charges|invoices|subscriptions)/[A-Za-z0-9_]+$")]
    private static partial Regex IdPath();
}
