using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Payments;

/// <summary>
/// Says how much of a payment has been given back in all, and claws back what that had granted; nothing where as much or more was given back before.
/// It may come before the payment itself.
/// </summary>
/// <param name="Account">Who ordered.</param>
/// <param name="Order">The order.</param>
/// <param name="Provider">Who says so.</param>
/// <param name="Payment">The payment, as whoever says so names it.</param>
/// <param name="Refunded">How much in all, in dollars.</param>
/// <param name="Currency">ISO 4217 in upper case.</param>
public sealed record RefundOrder(AccountId Account, OrderId Order, string Provider, string Payment, Amount Refunded, string Currency)
    : AccountCommand(Account, EventIds.Refund(Account, Order, Refunded))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Orders.Find(Order) is not { } order)
            return Reject(RejectionCode.OrderNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        if (Foreign.Of(order, Provider, Currency) || Refunded > order.Price || !Refunded.IsPositive)
            return Reject(RejectionCode.AmountOutOfRange);
        return Refunded.Parts <= order.Refunded
            ? Accept()
            : Accept([
                new OrderRefunded(Order, Refunded),
                .. Clawback.Take(order with { Refunded = Refunded.Parts }, account.Wallet, null),
            ]);
    }
}

/// <summary>Says that a payment is disputed and its money was withdrawn, and claws back what that had granted, once per dispute.</summary>
/// <param name="Account">Who ordered.</param>
/// <param name="Order">The order.</param>
/// <param name="Provider">Who says so.</param>
/// <param name="Dispute">The provider's name for the dispute.</param>
/// <param name="Amount">What was withdrawn, in dollars.</param>
/// <param name="Currency">ISO 4217 in upper case.</param>
public sealed record DisputeOrder(AccountId Account, OrderId Order, string Provider, string Dispute, Amount Amount, string Currency)
    : AccountCommand(Account, EventIds.Dispute(Account, Order, Dispute))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Orders.Find(Order) is not { } order)
            return Reject(RejectionCode.OrderNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        if (Foreign.Of(order, Provider, Currency) || Amount > order.Price || !Amount.IsPositive)
            return Reject(RejectionCode.AmountOutOfRange);

        // Won already: the two came in the wrong order, and what one takes the other gives back.
        var opened = new OrderDisputed(Order, Dispute, Amount);
        var after = Orders.Evolve(account.Orders, opened, context.Now).Find(Order)!;
        return Accept([opened, .. Clawback.Take(after, account.Wallet, Dispute)]);
    }
}

/// <summary>Says that a dispute was won and its money came back, and gives back exactly what it took, once. It may come before the dispute itself.</summary>
/// <param name="Account">Who ordered.</param>
/// <param name="Order">The order.</param>
/// <param name="Provider">Who says so.</param>
/// <param name="Dispute">The provider's name for the dispute.</param>
public sealed record WinDispute(AccountId Account, OrderId Order, string Provider, string Dispute)
    : AccountCommand(Account, EventIds.DisputeWin(Account, Order, Dispute))
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Orders.Find(Order) is not { } order || order.Provider != Provider)
            return Reject(RejectionCode.OrderNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        var won = new DisputeWon(Order, Dispute);
        var after = Orders.Evolve(account.Orders, won, context.Now).Find(Order)!;
        return Accept([won, .. Clawback.GiveBack(after, Dispute, account.Wallet, context.Now)]);
    }
}

/// <summary>Whether money is not the order's own.</summary>
internal static class Foreign
{
    public static bool Of(Order order, string provider, string currency) =>
        order.Provider != provider || currency != PaymentNotice.OnlyCurrency;
}
