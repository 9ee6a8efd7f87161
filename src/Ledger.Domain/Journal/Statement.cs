using System.Collections.Immutable;
using System.Diagnostics;
using Ledger.Domain.Money;

namespace Ledger.Domain.Journal;

/// <summary>What an account holder's funds did. The names are the wire contract.</summary>
public enum StatementKind
{
    /// <summary>Bought.</summary>
    Purchased,

    /// <summary>Given for nothing.</summary>
    Granted,

    /// <summary>Charged for work.</summary>
    Spent,

    /// <summary>A charge was given back.</summary>
    Returned,

    /// <summary>Lapsed.</summary>
    Expired,

    /// <summary>Taken back with a refund.</summary>
    Refunded,

    /// <summary>Taken back with a dispute.</summary>
    Disputed,

    /// <summary>Given back with a won dispute.</summary>
    Restored,

    /// <summary>Debt that was paid from funds.</summary>
    DebtRepaid,
}

/// <summary>What an account holder has of one source, or owes.</summary>
/// <param name="Unit">In what.</param>
/// <param name="Source">The source: a liability of the books; the receivable stands for debt, which is negative here.</param>
/// <param name="Sum">How much.</param>
public readonly record struct Position(Unit Unit, LedgerAccount Source, Sum Sum);

/// <summary>What happened to the funds of one source in a period.</summary>
/// <param name="Unit">In what.</param>
/// <param name="Source">The source, or the receivable for debt.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Item">The tool or provider/model, or who gave it; empty elsewhere.</param>
/// <param name="Sum">How much: positive for what came in.</param>
public readonly record struct StatementLine(Unit Unit, LedgerAccount Source, StatementKind Kind, string Item, Sum Sum);

/// <summary>Money that changed hands in a period.</summary>
/// <param name="Provider">The payment provider.</param>
/// <param name="Against">For what: sales, refunds, disputes, or a subscription that comes without credits.</param>
/// <param name="Sum">How much: positive for what was paid in.</param>
public readonly record struct PaymentLine(string Provider, LedgerAccount Against, Sum Sum);

/// <summary>What an account had, what happened to it, and what it has then: opening and lines add up to closing, for every unit and source.</summary>
/// <param name="Opening">What there was.</param>
/// <param name="Lines">What happened.</param>
/// <param name="Payments">Which money changed hands.</param>
/// <param name="Closing">What there is.</param>
public sealed record Statement(
    ImmutableArray<Position> Opening,
    ImmutableArray<StatementLine> Lines,
    ImmutableArray<PaymentLine> Payments,
    ImmutableArray<Position> Closing
)
{
    /// <summary>Between two moments.</summary>
    /// <param name="opening">Everything up to the first.</param>
    /// <param name="closing">Everything up to the second.</param>
    public static Statement Between(Totals opening, Totals closing)
    {
        ArgumentNullException.ThrowIfNull(opening);
        ArgumentNullException.ThrowIfNull(closing);
        var (lines, payments) = (new List<StatementLine>(), new List<PaymentLine>());
        foreach (var (move, sum) in closing.Since(opening).Moves)
        {
            if (move.Debit.IsHolders)
                lines.Add(new(move.Unit, move.Debit, Out(move.Credit), ItemOf(move.Credit), sum.Opposite()));
            if (move.Credit.IsHolders)
                lines.Add(new(move.Unit, move.Credit, In(move.Debit), ItemOf(move.Debit), sum));
            if (move.Debit.Kind == LedgerAccountKind.Cash)
                payments.Add(new(move.Debit.Name, move.Credit, sum));
            if (move.Credit.Kind == LedgerAccountKind.Cash)
                payments.Add(new(move.Credit.Name, move.Debit, sum.Opposite()));
        }

        return new(
            PositionsOf(opening),
            [
                .. lines
                    .OrderBy(line => line.Unit)
                    .ThenBy(line => line.Source.ToString(), StringComparer.Ordinal)
                    .ThenBy(line => line.Kind)
                    .ThenBy(line => line.Item, StringComparer.Ordinal),
            ],
            [
                .. payments
                    .OrderBy(payment => payment.Provider, StringComparer.Ordinal)
                    .ThenBy(payment => payment.Against.ToString(), StringComparer.Ordinal)
                    .ThenByDescending(payment => payment.Sum.Parts),
            ],
            PositionsOf(closing)
        );
    }

    /// <summary>What an account holder has after everything that was moved, by unit and source.</summary>
    public static ImmutableArray<Position> PositionsOf(Totals totals)
    {
        ArgumentNullException.ThrowIfNull(totals);
        return
        [
            .. totals
                .Balances()
                .Where(balance => balance.Key.Account.IsHolders && balance.Value.Parts != 0)
                .Select(balance => new Position(balance.Key.Unit, balance.Key.Account, balance.Value.Opposite()))
                .OrderBy(position => position.Unit)
                .ThenBy(position => position.Source.ToString(), StringComparer.Ordinal),
        ];
    }

    private static StatementKind Out(LedgerAccount to) =>
        to.Kind switch
        {
            LedgerAccountKind.Revenue => StatementKind.Spent,
            LedgerAccountKind.Breakage => StatementKind.Expired,
            LedgerAccountKind.Receivable => StatementKind.DebtRepaid,
            LedgerAccountKind.Clearing when to == LedgerAccount.Refunds => StatementKind.Refunded,
            LedgerAccountKind.Clearing when to == LedgerAccount.Disputes => StatementKind.Disputed,
            _ => throw new UnreachableException($"Nothing of an account goes to {to}."),
        };

    private static StatementKind In(LedgerAccount from) =>
        from.Kind switch
        {
            LedgerAccountKind.Clearing when from == LedgerAccount.Sales => StatementKind.Purchased,
            LedgerAccountKind.Clearing when from == LedgerAccount.Disputes => StatementKind.Restored,
            LedgerAccountKind.Promotion => StatementKind.Granted,
            LedgerAccountKind.Revenue => StatementKind.Returned,
            LedgerAccountKind.Liability => StatementKind.DebtRepaid,
            _ => throw new UnreachableException($"Nothing of an account comes from {from}."),
        };

    private static string ItemOf(LedgerAccount other) =>
        other.Kind is LedgerAccountKind.Revenue or LedgerAccountKind.Promotion ? other.Name : "";
}
