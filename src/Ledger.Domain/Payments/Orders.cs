using System.Collections.Immutable;
using System.Diagnostics;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Payments;

/// <summary>What an account has bought and is about to buy.</summary>
/// <param name="All">Every order ever opened.</param>
/// <param name="Customers">By what name each payment provider knows the account.</param>
/// <param name="NextDue">No order lapses before this time; a lower bound.</param>
public sealed record Orders(ImmutableDictionary<OrderId, Order> All, ImmutableDictionary<string, string> Customers, DateTimeOffset NextDue)
{
    /// <summary>The most orders that may wait to be paid at a time.</summary>
    public const int MaxOpen = 100;

    /// <summary>The most orders that an account may ever have had: each stays in its state, since refunds name it.</summary>
    public const int MaxEver = 10_000;

    /// <summary>How long an order can be paid.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    /// <summary>Who gives what nobody pays for.</summary>
    public const string Operator = "operator";

    /// <summary>None.</summary>
    public static Orders None { get; } =
        new(ImmutableDictionary<OrderId, Order>.Empty, ImmutableDictionary<string, string>.Empty, DateTimeOffset.MaxValue);

    /// <summary>The order of an id, if there is one.</summary>
    public Order? Find(OrderId id) => All.GetValueOrDefault(id);

    /// <summary>By what name a payment provider knows the account; null where it does not.</summary>
    public string? CustomerAt(string provider) => Customers.GetValueOrDefault(provider);

    /// <summary>Whether something was paid through a provider before, so that it can be asked to charge the same card again.</summary>
    public bool HasPaidThrough(string provider)
    {
        foreach (var order in All.Values)
        {
            if (order.Status == OrderStatus.Paid && string.Equals(order.Provider, provider, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    /// <summary>The orders that nobody paid in time.</summary>
    internal ImmutableArray<AccountEvent> Due(DateTimeOffset now) =>
        NextDue > now
            ? []
            :
            [
                .. All
                    .Values.Where(order => order.Status is OrderStatus.Open or OrderStatus.Failed && order.ExpiresAt <= now)
                    .OrderBy(order => order.ExpiresAt)
                    .ThenBy(order => order.Id.Value, StringComparer.Ordinal)
                    .Select(order => new OrderExpired(order.Id, order.ExpiresAt)),
            ];

    /// <summary>The state after one more event. Never refuses.</summary>
    public static Orders Evolve(Orders orders, PaymentEvent @event, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(orders);
        switch (@event)
        {
            case CustomerLinked e:
                return orders with { Customers = orders.Customers.SetItem(e.Provider, e.Customer) };

            case OrderOpened e:
                var order = new Order(
                    e.Order,
                    e.Kind,
                    e.Item,
                    e.Price,
                    e.Gives,
                    e.Scope,
                    e.ValidDays,
                    e.Rate,
                    e.Card,
                    e.Provider,
                    e.Customer,
                    e.IsAutomatic,
                    e.Terms,
                    at,
                    e.ExpiresAt,
                    OrderStatus.Open,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    0,
                    0,
                    0,
                    0,
                    0,
                    []
                );
                return orders with
                {
                    All = orders.All.Add(order.Id, order),
                    NextDue = e.ExpiresAt < orders.NextDue ? e.ExpiresAt : orders.NextDue,
                };

            case OrderSessionOpened e:
                return orders.With(e.Order, o => o with { Session = e.Session });

            case OrderPaid e:
                return orders
                    .With(
                        e.Order,
                        o =>
                            o with
                            {
                                Status = OrderStatus.Paid,
                                Payment = e.Payment,
                                Intent = e.Intent,
                                PaidAt = at,
                                Pocket = e.Pocket,
                                Reason = null,
                            }
                    )
                    .WithDueReckoned();

            case OrderFailed e:
                return orders.With(e.Order, o => o with { Status = OrderStatus.Failed, Reason = e.Reason });

            case OrderExpired e:
                return orders.With(e.Order, o => o with { Status = OrderStatus.Expired }).WithDueReckoned();

            case OrderRefunded e:
                return orders.With(e.Order, o => o with { Refunded = e.Refunded.Parts });

            case OrderDisputed e:
                return orders.With(
                    e.Order,
                    o =>
                        o.FindDispute(e.Dispute) is { } known
                            ? o with
                            {
                                Disputes = o.Disputes.Replace(known, known with { Amount = e.Amount.Parts }),
                            }
                            : o with
                            {
                                Disputes = o.Disputes.Add(new(e.Dispute, e.Amount.Parts, false)),
                            }
                );

            case DisputeWon e:
                return orders.With(
                    e.Order,
                    o =>
                        o.FindDispute(e.Dispute) is { } known
                            ? o with
                            {
                                Disputes = o.Disputes.Replace(known, known with { IsWon = true }),
                            }
                            : o with
                            {
                                Disputes = o.Disputes.Add(new(e.Dispute, 0, true)),
                            }
                );

            case PaymentMismatched:
            case AutoTopupSet:
                return orders;

            default:
                throw new UnreachableException($"No fold for {@event?.GetType().Name}.");
        }
    }

    /// <summary>What the wallet's events say about what orders have granted.</summary>
    public static Orders Evolve(Orders orders, WalletEvent @event)
    {
        ArgumentNullException.ThrowIfNull(orders);
        return @event switch
        {
            PocketExpired e when orders.OfPocket(e.Pocket) is { } order => orders.With(
                order.Id,
                o => o with { Lapsed = o.Lapsed + e.Amount.Parts }
            ),
            CreditsClawedBack e => orders.With(e.Order, o => o.Clawing(e)),
            ClawbackReturned e => orders.With(e.Order, o => o.Returning(e)),
            _ => orders,
        };
    }

    /// <summary>The same orders with <see cref="NextDue"/> reckoned anew.</summary>
    public Orders WithDueReckoned()
    {
        var due = DateTimeOffset.MaxValue;
        foreach (var order in All.Values)
        {
            if (order.Status is OrderStatus.Open or OrderStatus.Failed && order.ExpiresAt < due)
                due = order.ExpiresAt;
        }

        return this with
        {
            NextDue = due,
        };
    }

    /// <summary>The order whose payment opened a pocket; null where none did.</summary>
    public Order? OfPocket(PocketId pocket)
    {
        foreach (var order in All.Values)
        {
            if (order.Pocket == pocket)
                return order;
        }

        return null;
    }

    private Orders With(OrderId id, Func<Order, Order> change) =>
        Find(id) is { } order
            ? this with
            {
                All = All.SetItem(id, change(order)),
            }
            : throw new InvalidDataException($"Order {id} was never opened.");
}

/// <summary>What is clawed back of an order's grant, and what of that comes back.</summary>
internal static class Clawback
{
    /// <summary>What of an order's grant must be taken so that as much is clawed back as money is gone; nothing where that is so already.</summary>
    /// <param name="order">The order, after the refund or dispute.</param>
    /// <param name="wallet">The wallet.</param>
    /// <param name="dispute">The dispute that takes it; null where it is a refund.</param>
    public static ImmutableArray<AccountEvent> Take(Order order, Wallet wallet, string? dispute)
    {
        var parts = order.ToClawBack(order.MoneyGone) - order.ClawedBack;
        if (parts <= 0 || order.Pocket is not { } id)
            return [];
        var pocket = wallet.Pocket(id);
        var taken = Math.Min(parts, pocket.Free);
        var lapsed = Math.Min(parts - taken, order.Lapsed - order.LapsedClaimed);
        var debt = parts - taken - lapsed;
        return
        [
            new CreditsClawedBack(
                order.Id,
                dispute,
                new(taken + debt, pocket.Unit),
                taken > 0 ? [new(id, taken)] : [],
                debt > 0 ? new Amount(debt, pocket.Unit) : null,
                lapsed > 0 ? new Amount(lapsed, pocket.Unit) : null
            ),
        ];
    }

    /// <summary>
    /// Gives back what a won dispute alone had claimed, as far as no refund and no other dispute claims it too. It goes the way back on which it was
    /// taken: off the debt first, then what had lapsed, then to the pocket, so that it does not matter which claim came first. What somebody's later
    /// grant has paid of that debt goes to a pocket that no pack binds, since only such a grant pays debt.
    /// </summary>
    /// <param name="order">The order, after the dispute was won.</param>
    /// <param name="dispute">The dispute.</param>
    /// <param name="wallet">The wallet.</param>
    /// <param name="now">The time.</param>
    public static ImmutableArray<AccountEvent> GiveBack(Order order, string dispute, Wallet wallet, DateTimeOffset now)
    {
        var parts = order.ClawedBack - order.ToClawBack(order.MoneyGone);
        if (parts <= 0 || order.Pocket is not { } id)
            return [];
        var unit = order.Gives!.Value.Unit;
        var fromDebt = Math.Min(parts, order.Debt);
        var lapsed = Math.Min(parts - fromDebt, order.LapsedClaimed);
        var fromPocket = parts - fromDebt - lapsed;
        var cleared = Math.Min(fromDebt, wallet.Debt(unit).Parts);
        var returned = new List<PocketShare>();
        if (fromPocket > 0)
            returned.Add(new(id, fromPocket));
        if (fromDebt > cleared)
            returned.Add(new(wallet.NewestUnscoped(unit, now) ?? id, fromDebt - cleared));
        ImmutableArray<PocketShare> shares =
        [
            .. returned.GroupBy(share => share.Pocket).Select(same => new PocketShare(same.Key, same.Sum(share => share.Parts))),
        ];
        return
        [
            new ClawbackReturned(
                order.Id,
                dispute,
                new(fromDebt + fromPocket, unit),
                shares,
                cleared > 0 ? new Amount(cleared, unit) : null,
                lapsed > 0 ? new Amount(lapsed, unit) : null
            ),
            .. wallet.AfterReturn(shares, cleared, now),
        ];
    }

    public static Order Clawing(this Order order, CreditsClawedBack e)
    {
        var (debt, lapsed) = (e.Debt?.Parts ?? 0, e.Lapsed?.Parts ?? 0);
        return order with
        {
            ClawedBack = order.ClawedBack + e.Amount.Parts + lapsed,
            Debt = order.Debt + debt,
            LapsedClaimed = order.LapsedClaimed + lapsed,
        };
    }

    /// <summary>Debt comes back first, as <see cref="GiveBack"/> says; whether it was paid since makes no difference to the order.</summary>
    public static Order Returning(this Order order, ClawbackReturned e)
    {
        var lapsed = e.Lapsed?.Parts ?? 0;
        return order with
        {
            ClawedBack = order.ClawedBack - e.Amount.Parts - lapsed,
            Debt = order.Debt - Math.Min(order.Debt, e.Amount.Parts),
            LapsedClaimed = order.LapsedClaimed - lapsed,
        };
    }
}
