using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Payments;

/// <summary>What a payment provider says of a payment.</summary>
/// <param name="Provider">Who says it.</param>
/// <param name="Id">The payment: with the provider, what happens only once.</param>
/// <param name="Intent">The name under which refunds and disputes of it come; null where there is none.</param>
/// <param name="Amount">How much was paid, in parts of a dollar, whatever the currency.</param>
/// <param name="Currency">ISO 4217 in upper case.</param>
/// <param name="Customer">Who paid, by the provider's name; null where it does not say.</param>
/// <param name="Subscription">The provider's name for the subscription that it pays; null where it pays none.</param>
/// <param name="At">When it was paid, or when the period that it pays begins.</param>
public sealed record PaymentNotice(
    string Provider,
    string Id,
    string? Intent,
    Amount Amount,
    string Currency,
    string? Customer,
    string? Subscription,
    DateTimeOffset At
)
{
    /// <summary>The one currency that the ledger counts.</summary>
    public const string OnlyCurrency = "USD";
}

/// <summary>
/// Marks an order as paid and grants what it gives, in one append, once per payment. A payment that is not what the order asks for is recorded and
/// changes nothing.
/// </summary>
/// <param name="Account">Who ordered.</param>
/// <param name="Order">The order.</param>
/// <param name="Payment">The payment.</param>
public sealed record ConfirmPayment(AccountId Account, OrderId Order, PaymentNotice Payment)
    : AccountCommand(Account, EventIds.Payment(Account, Payment.Provider, Payment.Id))
{
    private Guid Mismatch => EventIds.PaymentMismatch(Account, Order, Payment.Provider, Payment.Id);

    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls => [Id, Mismatch];

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { Event: OrderPaid paid } first)
            return paid.Order == Order ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);
        if (account.Orders.Find(Order) is not { } order)
            return Reject(RejectionCode.OrderNotFound);
        if (order.Payment == Payment.Id && order.Provider == Payment.Provider)
            return Reject(RejectionCode.ReferenceConflict);
        if (Differs(account, order, context.Now) is { } reason)
            return context.Past.Find(Mismatch) is { } before
                ? Repeat(before)
                : Accept(new PaymentMismatched(Order, Payment.Provider, Payment.Id, reason, Payment.Amount, Payment.Currency));

        var events = order.Kind switch
        {
            OrderKind.Payg => Granting(account, order, PocketSource.Payg, null),
            OrderKind.Topup => Granting(account, order, PocketSource.Prepaid, null),
            OrderKind.Pack => Granting(account, order, PocketSource.Pack, context.Now.AddDays(order.ValidDays ?? 0)),
            OrderKind.Subscription => Starting(account, order, context.Now),
            OrderKind.Upgrade => Upgrading(account, order, context.Now),
        };
        return Accept(Payments.Paid(account, order, events, context.Now));
    }

    private string? Differs(Account account, Order order, DateTimeOffset now) =>
        order.Provider != Payment.Provider ? "provider"
        : order.Status == OrderStatus.Paid ? "paid_before"
        : Payment.Currency != PaymentNotice.OnlyCurrency ? "currency"
        : Payment.Amount != order.Price ? "amount"
        : (order.Customer ?? account.Orders.CustomerAt(order.Provider)) is { } customer
        && Payment.Customer is { } payer
        && customer != payer
            ? "customer"
        : order.Kind == OrderKind.Upgrade && !IsFor(account.Subscription, order, now) ? "no_subscription"
        : order.Gives is { } gives && !account.Wallet.CanTake(gives) ? "too_much"
        : null;

    /// <summary>
    /// Whether a subscription is the one whose change was ordered, not another one that has taken its place since, and still in the period whose rest
    /// was priced: the next one costs all of it.
    /// </summary>
    private static bool IsFor(Subscription subscription, Order order, DateTimeOffset now) =>
        subscription is { IsActive: true, IsBilled: true }
        && subscription.Anchor <= order.OpenedAt
        && subscription.PeriodStart <= order.OpenedAt
        && now < subscription.PeriodEnd;

    private ImmutableArray<AccountEvent> Granting(Account account, Order order, PocketSource source, DateTimeOffset? expiresAt)
    {
        var pocket = account.Wallet.NextPocket;
        return
        [
            PaidBy(pocket),
            .. GrantCredits.Granting(
                account.Wallet,
                new(pocket, order.Gives!.Value, source, order.Scope, expiresAt, Payment.Provider, Payment.Id, null)
            ),
        ];
    }

    /// <summary>Whatever subscription there was is over: two cannot be had, and this one is paid.</summary>
    private ImmutableArray<AccountEvent> Starting(Account account, Order order, DateTimeOffset now)
    {
        var events = ImmutableArray.CreateBuilder<AccountEvent>();
        events.Add(PaidBy(order.Gives is null ? null : account.Wallet.NextPocket));
        if (account.Subscription.IsActive)
            events.Add(new SubscriptionEnded(account.Subscription.Id, now, "replaced"));
        events.AddRange(
            Subscriptions.Starting.Events(
                account,
                order.Terms!,
                Payment.Provider,
                Payment.Subscription,
                Payment.Subscription ?? Payment.Id,
                Payment.At < now ? Payment.At : now,
                now,
                Payment.Provider,
                Payment.Id
            )
        );
        return events.DrainToImmutable();
    }

    private ImmutableArray<AccountEvent> Upgrading(Account account, Order order, DateTimeOffset now)
    {
        var (subscription, terms) = (account.Subscription, order.Terms!);
        ImmutableArray<AccountEvent> granted = order.Gives is { } gives
            ? Subscription.Granting(account.Wallet, gives, subscription.PeriodEnd, Payment.Provider, Payment.Id, now)
            : [];
        return
        [
            PaidBy(granted.IsEmpty ? null : account.Wallet.NextPocket),
            new SubscriptionChanged(subscription.Id, terms.Tier, terms.Card, terms.Price, terms.Credits, terms.TokensPer24h),
            .. granted,
        ];
    }

    private OrderPaid PaidBy(PocketId? pocket) => new(Order, Payment.Provider, Payment.Id, Payment.Intent, Payment.Amount, pocket);
}

/// <summary>What payments have in common.</summary>
internal static class Payments
{
    /// <summary>A payment's events, and what a refund or dispute that was told of before it takes back at once.</summary>
    public static ImmutableArray<AccountEvent> Paid(Account account, Order order, ImmutableArray<AccountEvent> events, DateTimeOffset now)
    {
        if (order.MoneyGone == 0)
            return events;
        var after = account.After(events, now);
        var disputed = order.Disputes.FirstOrDefault(dispute => !dispute.IsWon);
        return [.. events, .. Clawback.Take(after.Orders.Find(order.Id)!, after.Wallet, disputed?.Id)];
    }
}

/// <summary>Says that an attempt to pay an order failed; nothing where it is paid or has lapsed.</summary>
/// <param name="Account">Who ordered.</param>
/// <param name="Id">The command's id: of the attempt.</param>
/// <param name="Order">The order.</param>
/// <param name="Reason">Why, such as <c>card_declined</c>.</param>
public sealed record FailOrder(AccountId Account, Guid Id, OrderId Order, string Reason) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Orders.Find(Order) is not { } order)
            return Reject(RejectionCode.OrderNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        return order.Status is OrderStatus.Paid or OrderStatus.Expired ? Accept() : Accept(new OrderFailed(Order, Reason));
    }
}

/// <summary>Says that an order's page is closed for good; nothing where it is paid or has lapsed.</summary>
/// <param name="Account">Who ordered.</param>
/// <param name="Order">The order.</param>
public sealed record ExpireOrder(AccountId Account, OrderId Order) : AccountCommand(Account, EventIds.OrderExpiry(Account, Order))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        return account.Orders.Find(Order) is not { } order ? Reject(RejectionCode.OrderNotFound)
            : order.Status is OrderStatus.Paid or OrderStatus.Expired ? Accept()
            : Accept(new OrderExpired(Order, context.Now));
    }
}

/// <summary>Gives a pack that nobody pays for, once per reference.</summary>
/// <param name="Account">Who gets it.</param>
/// <param name="Pack">The pack, an entry of the rate card in force.</param>
/// <param name="Reference">The giver's name for it.</param>
public sealed record GivePack(AccountId Account, string Pack, string Reference)
    : AccountCommand(Account, EventIds.OrderOpening(Account, EventIds.OrderOf(Account, Orders.Operator, Reference)))
{
    // Apart from what the operator grants by hand, whose references may be the same.
    private const string PackGranter = "operator_pack";

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return first.Event is OrderOpened e && e.Item == Pack ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);
        if (account.Orders.Find(EventIds.OrderOf(Account, Orders.Operator, Reference)) is not null)
            return Reject(RejectionCode.ReferenceConflict);
        if (context.Card.FindPack(Pack) is not { } pack)
            return Reject(RejectionCode.PackNotFound);
        if (Price.Credits(pack.Credits) is not { } gives || !account.Wallet.CanTake(gives))
            return Reject(RejectionCode.AmountOutOfRange);
        if (account.Orders.All.Count >= Orders.MaxEver)
            return Reject(RejectionCode.TooManyOrders);
        var (order, pocket, now) = (EventIds.OrderOf(Account, Orders.Operator, Reference), account.Wallet.NextPocket, context.Now);
        var scope = pack.Provider + "/" + pack.Model;
        var free = Amount.Zero(Unit.Usd);
        return Accept([
            new OrderOpened(
                order,
                OrderKind.Pack,
                Pack,
                free,
                gives,
                scope,
                pack.ValidDays,
                null,
                context.Card.Version,
                Orders.Operator,
                null,
                now,
                false
            ),
            new OrderPaid(order, Orders.Operator, Reference, null, free, pocket),
            .. GrantCredits.Granting(
                account.Wallet,
                new(pocket, gives, PocketSource.Pack, scope, now.AddDays(pack.ValidDays), PackGranter, Reference, null)
            ),
        ]);
    }
}
