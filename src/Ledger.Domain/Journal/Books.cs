using System.Collections.Immutable;
using System.Diagnostics;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Journal;

/// <summary>What a pocket was opened with. None of it ever changes.</summary>
/// <param name="Unit">What it holds.</param>
/// <param name="Source">Where its funds came from.</param>
/// <param name="Granted">With how much it was opened, in parts.</param>
/// <param name="Price">What somebody paid for that, in parts of a dollar; 0 where nobody did.</param>
/// <param name="OpenedAt">When it was opened.</param>
public sealed record Lot(Unit Unit, PocketSource Source, long Granted, long Price, DateTimeOffset OpenedAt)
{
    /// <summary>What some parts of it are worth.</summary>
    public Worth WorthOf(long parts) => Worth.OfShare(parts, Price, Granted);
}

/// <summary>What the books must know of an order.</summary>
/// <param name="Provider">Who takes the payment.</param>
/// <param name="Item">The pack or level; null where money buys a unit.</param>
/// <param name="GivesNothing">Whether its payment grants nothing: what is paid is earned by itself.</param>
/// <param name="Pocket">What its payment opened; null before, and where it opened nothing.</param>
/// <param name="Refunded">What was given back in all, in parts of a dollar.</param>
/// <param name="Disputes">Its disputes.</param>
public sealed record Sale(
    string Provider,
    string? Item,
    bool GivesNothing,
    PocketId? Pocket,
    long Refunded,
    ImmutableArray<Dispute> Disputes
)
{
    /// <summary>Of an order as it stands.</summary>
    public static Sale Of(Order order)
    {
        ArgumentNullException.ThrowIfNull(order);
        return new(order.Provider, order.Item, order.Gives is null, order.Pocket, order.Refunded, order.Disputes);
    }

    /// <summary>The dispute of a name.</summary>
    public Dispute? FindDispute(string id) => Disputes.FirstOrDefault(dispute => string.Equals(dispute.Id, id, StringComparison.Ordinal));
}

/// <summary>
/// The small part of an account that says how its events are booked: what its pockets were opened with, and what its orders have come to. A fold of its
/// own, so that a long history can be booked without the rest of the state.
/// </summary>
/// <param name="Lots">The pockets, by number.</param>
/// <param name="Sales">The orders.</param>
/// <param name="Prices">What was paid for a pocket, in parts of a dollar, from its payment on.</param>
public sealed record Books(
    ImmutableDictionary<PocketId, Lot> Lots,
    ImmutableDictionary<OrderId, Sale> Sales,
    ImmutableDictionary<PocketId, long> Prices
)
{
    /// <summary>Of an account without events.</summary>
    public static Books Empty { get; } =
        new(ImmutableDictionary<PocketId, Lot>.Empty, ImmutableDictionary<OrderId, Sale>.Empty, ImmutableDictionary<PocketId, long>.Empty);

    /// <summary>Of an account's state.</summary>
    public static Books Of(Account account)
    {
        ArgumentNullException.ThrowIfNull(account);
        var prices = account
            .Orders.All.Values.Where(order => order.Pocket is not null)
            .ToImmutableDictionary(order => order.Pocket!.Value, order => order.Price.Parts);
        return new(
            account.Wallet.Pockets.ToImmutableDictionary(
                pocket => pocket.Id,
                pocket => new Lot(pocket.Unit, pocket.Source, pocket.Granted, prices.GetValueOrDefault(pocket.Id), pocket.OpenedAt)
            ),
            account.Orders.All.ToImmutableDictionary(pair => pair.Key, pair => Sale.Of(pair.Value)),
            prices
        );
    }

    /// <summary>What a fact moves.</summary>
    /// <param name="fact">The next fact.</param>
    /// <param name="reversed">What it reverses, where it is a reversal and that is at hand: it knows the model of a call.</param>
    /// <exception cref="InvalidDataException">It speaks of a pocket or an order that there is not: the history is corrupt.</exception>
    public Entry Post(in Fact fact, AccountEvent? reversed = null)
    {
        var at = fact.At;
        return fact.Event switch
        {
            CreditsGranted e => Of(fact, Granted(e)),
            CreditsSpent e => Of(fact, [.. Spent(e.Paid, RevenueOf(e.Tool, null))]),
            HoldSettled e => Of(
                fact,
                [
                    .. Spent(e.FromHold, RevenueOf(e.Tool, e.Call)),
                    .. Spent(e.FromAvailable, RevenueOf(e.Tool, e.Call)),
                    .. Owed(e.Debt, RevenueOf(e.Tool, e.Call), Worth.Zero),
                ],
                e.Call?.Quota
            ),
            HoldSettledLate e => Of(
                fact,
                [.. Spent(e.Paid, RevenueOf(e.Tool, e.Call)), .. Owed(e.Debt, RevenueOf(e.Tool, e.Call), Worth.Zero)],
                e.Call?.Quota
            ),
            SpendReversed e => Of(
                fact,
                [
                    .. Returned(e.Returned, RevenueOf(e.Tool, CallOf(reversed))),
                    .. Cleared(e.DebtCleared, RevenueOf(e.Tool, CallOf(reversed)), Worth.Zero),
                ],
                e.Quota is { } quota ? quota with { Tokens = -quota.Tokens } : null
            ),
            PocketExpired e => Lapsed(fact, e),
            DebtRepaid e => Of(fact, [Repaid(e)]),
            CreditsClawedBack e => Of(fact, ClawedBack(e)),
            ClawbackReturned e => Of(fact, Restored(e)),

            OrderPaid e => Of(fact, Paid(e)),
            OrderRefunded e => Of(fact, Refunded(e)),
            OrderDisputed e => Of(fact, Disputed(e)),
            DisputeWon e => Of(fact, Won(e)),

            // Set aside is not spent: the books know nothing of holds.
            HoldPlaced or HoldExtended or HoldReleased or HoldExpired => Of(fact, []),

            // Nothing is paid yet, or it is not known for what: that is between the operator and the payment provider.
            CustomerLinked or OrderOpened or OrderSessionOpened or OrderFailed or OrderExpired or PaymentMismatched or AutoTopupSet => Of(
                fact,
                []
            ),

            // What a period grants, and what is paid for it, stands in events beside these.
            SubscriptionStarted
            or SubscriptionReset
            or SubscriptionChanged
            or SubscriptionChangeScheduled
            or SubscriptionKept
            or SubscriptionEndScheduled
            or SubscriptionEnded => Of(fact, []),
            ReferralApplied or ReferralRewarded => Of(fact, []),

            // Who may act, and who is told.
            AccountOpened or AccountSuspended or AccountReinstated => Of(fact, []),
            KeyCreated or KeyChanged or KeyRotated or KeyRevoked => Of(fact, []),
            SignedOut or SignInsEnded => Of(fact, []),
            AlertsSet or BalanceLevelChanged => Of(fact, []),

            _ => throw new UnreachableException($"No postings for {fact.Event?.GetType().Name} of {at:O}."),
        };
    }

    /// <summary>The books after a fact.</summary>
    public Books After(in Fact fact) =>
        fact.Event switch
        {
            CreditsGranted e => this with { Lots = Lots.SetItem(e.Pocket, LotOf(e, fact.At)) },
            OrderOpened e => this with { Sales = Sales.SetItem(e.Order, new(e.Provider, e.Item, e.Gives is null, null, 0, [])) },
            OrderPaid e => this with
            {
                Sales = Sales.SetItem(e.Order, SaleOf(e.Order) with { Pocket = e.Pocket }),
                Prices = e.Pocket is { } pocket ? Prices.SetItem(pocket, e.Amount.Parts) : Prices,
            },
            OrderRefunded e => this with { Sales = Sales.SetItem(e.Order, SaleOf(e.Order) with { Refunded = e.Refunded.Parts }) },
            OrderDisputed e => WithDispute(e.Order, e.Dispute, known => known with { Amount = e.Amount.Parts }),
            DisputeWon e => WithDispute(e.Order, e.Dispute, known => known with { IsWon = true }),
            _ => this,
        };

    private static Entry Of(in Fact fact, ImmutableArray<Transfer> transfers, QuotaShare? quota = null) =>
        new(fact, fact.At, transfers, quota?.Tokens);

    private ImmutableArray<Transfer> Granted(CreditsGranted e)
    {
        if (!e.Amount.IsPositive)
            return [];
        var (to, price) = (LedgerAccount.Liability(e.Source), Prices.GetValueOrDefault(e.Pocket));
        return price > 0
            ? [new(LedgerAccount.Sales, to, e.Amount, Worth.OfUsd(price))]
            : [new(new(LedgerAccountKind.Promotion, e.Provider), to, e.Amount, Worth.Zero)];
    }

    private IEnumerable<Transfer> Spent(ImmutableArray<PocketShare> shares, LedgerAccount to)
    {
        foreach (var share in shares)
        {
            if (share.Parts == 0)
                continue;
            var lot = LotOf(share.Pocket);
            yield return new(LedgerAccount.Liability(lot.Source), to, new(share.Parts, lot.Unit), lot.WorthOf(share.Parts));
        }
    }

    private IEnumerable<Transfer> Returned(ImmutableArray<PocketShare> shares, LedgerAccount from)
    {
        foreach (var transfer in Spent(shares, from))
            yield return transfer with
            {
                Debit = transfer.Credit,
                Credit = transfer.Debit,
            };
    }

    private static IEnumerable<Transfer> Owed(Amount? debt, LedgerAccount to, Worth worth)
    {
        if (debt is { IsPositive: true } owed)
            yield return new(LedgerAccount.Receivable, to, owed, worth);
    }

    private static IEnumerable<Transfer> Cleared(Amount? debt, LedgerAccount from, Worth worth)
    {
        if (debt is { IsPositive: true } cleared)
            yield return new(from, LedgerAccount.Receivable, cleared, worth);
    }

    /// <summary>What lapses late, since nobody looked, counts when it lapsed; but never before it was there.</summary>
    private Entry Lapsed(in Fact fact, PocketExpired e)
    {
        var lot = LotOf(e.Pocket);
        var at = e.ExpiredAt < lot.OpenedAt ? lot.OpenedAt : e.ExpiredAt;
        return new(
            fact,
            at < fact.At ? at : fact.At,
            e.Amount.IsPositive
                ? [new(LedgerAccount.Liability(lot.Source), LedgerAccount.Breakage(lot.Source), e.Amount, lot.WorthOf(e.Amount.Parts))]
                : []
        );
    }

    private Transfer Repaid(DebtRepaid e)
    {
        var lot = LotOf(e.Pocket);
        return new(LedgerAccount.Liability(lot.Source), LedgerAccount.Receivable, e.Amount, lot.WorthOf(e.Amount.Parts));
    }

    /// <summary>What had lapsed was booked as income, and its money is gone: that income is taken back too.</summary>
    private ImmutableArray<Transfer> ClawedBack(CreditsClawedBack e)
    {
        var (to, lot) = (ClearingOf(e.Dispute), LotOf(e.Order));
        return
        [
            .. Spent(e.Taken, to),
            .. Owed(e.Debt, to, lot.WorthOf(e.Debt?.Parts ?? 0)),
            .. e.Lapsed is { IsPositive: true } lapsed
                ? [new Transfer(LedgerAccount.Breakage(lot.Source), to, lapsed, lot.WorthOf(lapsed.Parts))]
                : Array.Empty<Transfer>(),
        ];
    }

    private ImmutableArray<Transfer> Restored(ClawbackReturned e)
    {
        var (from, lot) = (LedgerAccount.Disputes, LotOf(e.Order));
        return
        [
            .. Returned(e.Returned, from),
            .. Cleared(e.DebtCleared, from, lot.WorthOf(e.DebtCleared?.Parts ?? 0)),
            .. e.Lapsed is { IsPositive: true } lapsed
                ? [new Transfer(from, LedgerAccount.Breakage(lot.Source), lapsed, lot.WorthOf(lapsed.Parts))]
                : Array.Empty<Transfer>(),
        ];
    }

    private ImmutableArray<Transfer> Paid(OrderPaid e) =>
        e.Amount.IsPositive ? [Money(Cash(e.Provider), For(SaleOf(e.Order), LedgerAccount.Sales), e.Amount.Parts)] : [];

    private ImmutableArray<Transfer> Refunded(OrderRefunded e)
    {
        var sale = SaleOf(e.Order);
        var parts = e.Refunded.Parts - sale.Refunded;
        return parts > 0 ? [Money(For(sale, LedgerAccount.Refunds), Cash(sale.Provider), parts)] : [];
    }

    /// <summary>What is won already has come back already: the two were told in the wrong order.</summary>
    private ImmutableArray<Transfer> Disputed(OrderDisputed e)
    {
        var sale = SaleOf(e.Order);
        var known = sale.FindDispute(e.Dispute);
        var parts = known is { IsWon: true } ? 0 : e.Amount.Parts - (known?.Amount ?? 0);
        return parts > 0 ? [Money(For(sale, LedgerAccount.Disputes), Cash(sale.Provider), parts)] : [];
    }

    private ImmutableArray<Transfer> Won(DisputeWon e)
    {
        var sale = SaleOf(e.Order);
        return sale.FindDispute(e.Dispute) is { IsWon: false, Amount: > 0 } known
            ? [Money(Cash(sale.Provider), For(sale, LedgerAccount.Disputes), known.Amount)]
            : [];
    }

    private static Transfer Money(LedgerAccount debit, LedgerAccount credit, long parts) =>
        new(debit, credit, new(parts, Unit.Usd), Worth.OfUsd(parts));

    private static LedgerAccount Cash(string provider) => new(LedgerAccountKind.Cash, provider);

    private static LedgerAccount For(Sale sale, LedgerAccount otherwise) =>
        sale.GivesNothing ? new(LedgerAccountKind.Subscription, sale.Item ?? "") : otherwise;

    private static LedgerAccount ClearingOf(string? dispute) => dispute is null ? LedgerAccount.Refunds : LedgerAccount.Disputes;

    private static LedgerAccount RevenueOf(string tool, CallRecord? call) =>
        new(LedgerAccountKind.Revenue, call is null ? tool : call.Provider + "/" + call.Model);

    private static CallRecord? CallOf(AccountEvent? spend) =>
        spend switch
        {
            HoldSettled e => e.Call,
            HoldSettledLate e => e.Call,
            _ => null,
        };

    private Lot LotOf(CreditsGranted e, DateTimeOffset at) =>
        new(e.Amount.Unit, e.Source, e.Amount.Parts, Prices.GetValueOrDefault(e.Pocket), at);

    /// <summary>What a pocket was opened with.</summary>
    /// <exception cref="InvalidDataException">There is no such pocket: the history is corrupt.</exception>
    public Lot LotOf(PocketId pocket) =>
        Lots.TryGetValue(pocket, out var lot) ? lot : throw new InvalidDataException($"Pocket {pocket} was never opened.");

    private Lot LotOf(OrderId order) => LotOf(SaleOf(order).Pocket ?? throw new InvalidDataException($"Order {order} opened no pocket."));

    private Sale SaleOf(OrderId order) =>
        Sales.TryGetValue(order, out var sale) ? sale : throw new InvalidDataException($"Order {order} was never opened.");

    private Books WithDispute(OrderId order, string id, Func<Dispute, Dispute> change)
    {
        var sale = SaleOf(order);
        var disputes = sale.FindDispute(id) is { } known
            ? sale.Disputes.Replace(known, change(known))
            : sale.Disputes.Add(change(new(id, 0, false)));
        return this with { Sales = Sales.SetItem(order, sale with { Disputes = disputes }) };
    }
}
