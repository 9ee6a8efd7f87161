using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Tests;

/// <summary>Short forms of what is bought, paid, given back and subscribed to.</summary>
public static class Purchases
{
    public const string Stripe = "stripe";
    public const string Scope = "deepseek/deepseek-chat";

    /// <summary>The one order that most tests speak of.</summary>
    public static readonly OrderId TheOrder = new("order-1");

    /// <summary>The id of the request in which an operator or a customer asks for something.</summary>
    public static readonly Guid Request = EventIds.Request(Scenario.Alice, "request-1");

    public static SubscriptionTerms Terms(string tier) => SubscriptionTerms.Of(Prices.Card, tier)!;

    /// <summary>The subscription that a request of the operator starts.</summary>
    public static SubscriptionId ByOperator => new(EventIds.Subscription(Scenario.Alice, Subscription.Operator, Request.ToString()));

    /// <summary>The subscription that a payment provider calls so.</summary>
    public static SubscriptionId Billed(string reference = "sub_1") => new(EventIds.Subscription(Scenario.Alice, Stripe, reference));

    public static SubscriptionStarted Started(
        string provider = Subscription.Operator,
        string tier = "pro",
        DateTimeOffset? anchor = null,
        string reference = "sub_1"
    )
    {
        var terms = Terms(tier);
        var isBilled = provider != Subscription.Operator;
        return new(
            isBilled ? Billed(reference) : ByOperator,
            tier,
            1,
            terms.Price,
            terms.Credits,
            terms.TokensPer24h,
            provider,
            isBilled ? reference : null,
            anchor ?? Scenario.Noon
        );
    }

    public static SubscriptionReset Reset(SubscriptionId subscription, long period, DateTimeOffset? anchor = null) =>
        new(subscription, period, Periods.Start(anchor ?? Scenario.Noon, period), Periods.Start(anchor ?? Scenario.Noon, period + 1));

    public static SubscriptionChanged Changed(SubscriptionId subscription, string tier) =>
        Terms(tier) is var terms ? new(subscription, tier, 1, terms.Price, terms.Credits, terms.TokensPer24h) : null!;

    public static SubscriptionChangeScheduled Scheduled(SubscriptionId subscription, string tier) =>
        Terms(tier) is var terms ? new(subscription, tier, 1, terms.Price, terms.Credits, terms.TokensPer24h) : null!;

    /// <summary>What a period grants, where nobody bills it.</summary>
    public static CreditsGranted PeriodGrant(int pocket, long credits, long period, DateTimeOffset? anchor = null) =>
        SubscriptionGrant(
            pocket,
            credits,
            Periods.Start(anchor ?? Scenario.Noon, period + 1),
            Subscription.Granter,
            $"{ByOperator}:{period}"
        );

    public static CreditsGranted SubscriptionGrant(int pocket, long credits, DateTimeOffset expiresAt, string provider, string payment) =>
        new(new(pocket), Amount.Credits(credits), PocketSource.Subscription, null, expiresAt, provider, payment, null);

    /// <summary>An order of credits for 25 dollars, which are 187,500.</summary>
    public static OrderOpened Opened(OrderId? order = null, long dollars = 25, string? customer = null, bool isAutomatic = false) =>
        new(
            order ?? TheOrder,
            OrderKind.Payg,
            null,
            Amount.Usd(dollars),
            Amount.Credits(dollars * 7_500),
            null,
            null,
            Quantity.Of(7_500),
            1,
            Stripe,
            customer,
            Scenario.Noon + Orders.Lifetime,
            isAutomatic
        );

    public static OrderOpened OpenedPack(OrderId? order = null) =>
        new(
            order ?? TheOrder,
            OrderKind.Pack,
            "deepseek-chat-20k",
            Amount.Usd(9),
            Amount.Credits(20_000),
            Scope,
            365,
            null,
            1,
            Stripe,
            null,
            Scenario.Noon + Orders.Lifetime,
            false
        );

    public static OrderOpened OpenedSubscription(string tier = "pro", OrderId? order = null) =>
        Terms(tier) is var terms
            ? new(
                order ?? TheOrder,
                OrderKind.Subscription,
                tier,
                terms.Price,
                terms.Credits.IsPositive ? terms.Credits : null,
                null,
                null,
                null,
                1,
                Stripe,
                null,
                Scenario.Noon + Orders.Lifetime,
                false,
                terms
            )
            : null!;

    public static OrderPaid Paid(int? pocket, OrderId? order = null, long dollars = 25, string payment = "cs_1", string? intent = "pi_1") =>
        new(order ?? TheOrder, Stripe, payment, intent, Amount.Usd(dollars), pocket is { } number ? new PocketId(number) : null);

    /// <summary>What a payment of an order grants.</summary>
    public static CreditsGranted Bought(
        int pocket,
        long credits,
        PocketSource source = PocketSource.Payg,
        string? scope = null,
        DateTimeOffset? expiresAt = null,
        string payment = "cs_1"
    ) => new(new(pocket), Amount.Credits(credits), source, scope, expiresAt, Stripe, payment, null);

    /// <summary>An order of credits for 25 dollars that was paid: pocket 1 has 187,500.</summary>
    public static AccountEvent[] Purchase => [Opened(), Paid(1), Bought(1, 187_500)];

    /// <summary>A pack that was paid: pocket 1 has 20,000 for one model.</summary>
    public static AccountEvent[] PackPurchase =>
        [OpenedPack(), Paid(1, dollars: 9), Bought(1, 20_000, PocketSource.Pack, Scope, Scenario.Noon.AddDays(365))];

    public static PaymentNotice Notice(
        long dollars = 25,
        string id = "cs_1",
        string currency = PaymentNotice.OnlyCurrency,
        string? customer = null,
        string? subscription = null,
        DateTimeOffset? at = null,
        string provider = Stripe,
        string? intent = "pi_1"
    ) => new(provider, id, intent, Amount.Usd(dollars), currency, customer, subscription, at ?? Scenario.Noon);

    public static ConfirmPayment Confirm(PaymentNotice? payment = null, OrderId? order = null) =>
        new(Scenario.Alice, order ?? TheOrder, payment ?? Notice());

    public static RefundOrder Refund(long dollars, OrderId? order = null, string currency = "USD") =>
        new(Scenario.Alice, order ?? TheOrder, Stripe, "pi_1", Amount.Usd(dollars), currency);

    public static DisputeOrder Dispute(long dollars = 25, string dispute = "dp_1", OrderId? order = null) =>
        new(Scenario.Alice, order ?? TheOrder, Stripe, dispute, Amount.Usd(dollars), "USD");

    public static WinDispute Win(string dispute = "dp_1", OrderId? order = null) => new(Scenario.Alice, order ?? TheOrder, Stripe, dispute);

    public static RecordDue Sweep(string request = "sweep") => new(Scenario.Alice, EventIds.Request(Scenario.Alice, request));

    public static Spend Turns(long turns, string reference = "r1") =>
        new(Scenario.Alice, Scenario.Main, "chat", Quantity.Of(turns), reference);

    public static CreditsClawedBack Clawed(
        long credits,
        int? fromPocket = null,
        long debt = 0,
        long lapsed = 0,
        string? dispute = null,
        OrderId? order = null
    ) =>
        new(
            order ?? TheOrder,
            dispute,
            Amount.Credits(credits),
            fromPocket is { } pocket && credits > debt ? [Facts.Share(pocket, credits - debt)] : [],
            debt > 0 ? Amount.Credits(debt) : null,
            lapsed > 0 ? Amount.Credits(lapsed) : null
        );

    public static ClawbackReturned Returned(
        long credits,
        PocketShare[] to,
        long debtCleared = 0,
        long lapsed = 0,
        string dispute = "dp_1",
        OrderId? order = null
    ) =>
        new(
            order ?? TheOrder,
            dispute,
            Amount.Credits(credits),
            [.. to],
            debtCleared > 0 ? Amount.Credits(debtCleared) : null,
            lapsed > 0 ? Amount.Credits(lapsed) : null
        );
}
