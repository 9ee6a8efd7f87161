using System.Globalization;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Journal;
using Ledger.Domain.Money;
using Ledger.EventStore;
using Ledger.Projections.Journal;

namespace Ledger.Api.Finance;

/// <summary>Between the books and the wire. Pure.</summary>
internal static class FinanceView
{
    public static JournalList Of(JournalPage page) => new([.. page.Lines.Select(Of)], page.Next?.ToString(CultureInfo.InvariantCulture));

    public static StatementView Of(AccountId account, DateOnly month, PeriodStatement statement, DateTimeOffset at) =>
        new(
            account.Value,
            WireDate.FormatMonth(month),
            month,
            month.AddMonths(1).AddDays(-1),
            at,
            statement.Version,
            statement.IsFinal,
            [.. statement.Statement.Opening.Select(Of)],
            [
                .. statement.Statement.Lines.Select(line => new StatementLineView(
                    line.Unit.Name(),
                    SourceOf(line.Source),
                    EventTypes.SnakeCase(line.Kind.ToString()),
                    line.Item.Length == 0 ? null : line.Item,
                    Number(line.Sum.Parts, line.Unit),
                    Usd(line.Sum.Worth)
                )),
            ],
            [
                .. statement.Statement.Payments.Select(payment => new PaymentLineView(
                    payment.Provider,
                    KindOf(payment),
                    payment.Against.Kind == LedgerAccountKind.Subscription ? payment.Against.Name : null,
                    Number(payment.Sum.Parts, Unit.Usd)
                )),
            ],
            [.. statement.Statement.Closing.Select(Of)]
        );

    public static UpToView Of(SummedUpTo upTo) => new(upTo.Position, upTo.At);

    public static TrialBalanceView OfTrialBalance(DateOnly? at, DateTimeOffset? asOf, long? position, Totals totals, SummedUpTo upTo)
    {
        var sums = new SortedDictionary<(string Account, Unit Unit), (Int128 Debit, Int128 Credit, Worth Worth)>(
            Comparer<(string Account, Unit Unit)>.Create(
                (left, right) =>
                    string.CompareOrdinal(left.Account, right.Account) is var order and not 0 ? order : left.Unit.CompareTo(right.Unit)
            )
        );
        foreach (var (move, sum) in totals.Moves)
        {
            var (debit, credit) = ((move.Debit.ToString(), move.Unit), (move.Credit.ToString(), move.Unit));
            var left = sums.GetValueOrDefault(debit);
            sums[debit] = (left.Debit + sum.Parts, left.Credit, left.Worth + sum.Worth);
            var right = sums.GetValueOrDefault(credit);
            sums[credit] = (right.Debit, right.Credit + sum.Parts, right.Worth - sum.Worth);
        }

        return new(
            at,
            asOf,
            position,
            Of(upTo),
            [
                .. sums.Select(sum => new TrialBalanceLine(
                    sum.Key.Account,
                    sum.Key.Unit.Name(),
                    Number(sum.Value.Debit, sum.Key.Unit),
                    Number(sum.Value.Credit, sum.Key.Unit),
                    Number(sum.Value.Debit - sum.Value.Credit, sum.Key.Unit),
                    Usd(sum.Value.Worth)
                )),
            ],
            [
                .. Enum.GetValues<Unit>()
                    .Select(unit =>
                    {
                        var own = sums.Where(sum => sum.Key.Unit == unit).Select(sum => sum.Value).ToList();
                        var debit = own.Aggregate((Int128)0, (all, sum) => all + sum.Debit);
                        var credit = own.Aggregate((Int128)0, (all, sum) => all + sum.Credit);
                        return new TrialBalanceTotal(unit.Name(), Number(debit, unit), Number(credit, unit), Number(debit - credit, unit));
                    }),
            ]
        );
    }

    public static IReadOnlyList<DeferredRevenueLine> OfDeferred(ReportRange range, Totals opening, IReadOnlyList<PeriodTotals> periods)
    {
        var lines = new List<DeferredRevenueLine>();
        var moved = periods.ToDictionary(period => period.From, period => period.Totals);
        foreach (var first in range.Periods)
        {
            var own = moved.GetValueOrDefault(range.KeyOf(first), Totals.None);
            var closing = own.Moves.Aggregate(opening, (sums, move) => sums.Plus(move.Key, move.Value));
            var (had, has, happened) = (PositionsOf(opening), PositionsOf(closing), Statement.Between(opening, closing).Lines);
            foreach (
                var (unit, source) in had
                    .Keys.Concat(has.Keys)
                    .Concat(
                        happened.Where(line => line.Source.Kind == LedgerAccountKind.Liability).Select(line => (line.Unit, line.Source))
                    )
                    .Distinct()
                    .OrderBy(key => key.Unit)
                    .ThenBy(key => key.Source.Name, StringComparer.Ordinal)
            )
            {
                var mine = happened.Where(line => line.Unit == unit && line.Source == source).ToList();
                var (before, after) = (had.GetValueOrDefault((unit, source)), has.GetValueOrDefault((unit, source)));
                var sold = Sum(mine, StatementKind.Purchased);
                var spent = Sum(mine, StatementKind.Spent, StatementKind.Returned);
                var expired = Sum(mine, StatementKind.Expired);
                var taken = Sum(mine, StatementKind.Refunded, StatementKind.Disputed, StatementKind.Restored);
                var repaid = Sum(mine, StatementKind.DebtRepaid);

                // What was earned is what the others leave, not its own value rounded: a third of a dollar thrice is no dollar, and a line must add up.
                var (lapsed, returned) = (-expired.Worth, -taken.Worth);
                var earned = before.Worth.UsdParts + sold.Worth.UsdParts - lapsed.UsdParts - returned.UsdParts - after.Worth.UsdParts;
                lines.Add(
                    new(
                        first,
                        source.Name,
                        unit.Name(),
                        Number(before.Parts, unit),
                        Number(sold.Parts, unit),
                        Number(Sum(mine, StatementKind.Granted).Parts, unit),
                        Number(spent.Parts, unit),
                        Number(expired.Parts, unit),
                        Number(taken.Parts, unit),
                        Number(repaid.Parts, unit),
                        Number(after.Parts, unit),
                        Usd(before.Worth),
                        Usd(sold.Worth),
                        Number(earned, Unit.Usd),
                        Usd(lapsed),
                        Usd(returned),
                        Usd(after.Worth)
                    )
                );
            }

            opening = closing;
        }

        return lines;
    }

    public static IReadOnlyList<BreakageLine> OfBreakage(ReportRange range, IReadOnlyList<PeriodTotals> periods)
    {
        var lines = new List<BreakageLine>();
        var moved = periods.ToDictionary(period => period.From, period => period.Totals);
        foreach (var first in range.Periods)
        {
            var sums = new SortedDictionary<(Unit Unit, string Source), (Sum Expired, Sum Taken)>();
            foreach (var (move, sum) in moved.GetValueOrDefault(range.KeyOf(first), Totals.None).Moves)
            {
                if (move.Credit.Kind == LedgerAccountKind.Breakage)
                {
                    var key = (move.Unit, move.Credit.Name);
                    var own = sums.GetValueOrDefault(key);

                    // Out of funds it lapses; from a won dispute it only comes back.
                    sums[key] = move.Debit.IsHolders ? (own.Expired.Plus(sum), own.Taken) : (own.Expired, own.Taken.Plus(sum.Opposite()));
                }
                else if (move.Debit.Kind == LedgerAccountKind.Breakage)
                {
                    var key = (move.Unit, move.Debit.Name);
                    var own = sums.GetValueOrDefault(key);
                    sums[key] = (own.Expired, own.Taken.Plus(sum));
                }
            }

            lines.AddRange(
                sums.Select(sum => new BreakageLine(
                    first,
                    sum.Key.Source,
                    sum.Key.Unit.Name(),
                    Number(sum.Value.Expired.Parts, sum.Key.Unit),
                    Number(sum.Value.Taken.Parts, sum.Key.Unit),
                    Number(sum.Value.Expired.Parts - sum.Value.Taken.Parts, sum.Key.Unit),
                    Usd(sum.Value.Expired.Worth - sum.Value.Taken.Worth)
                ))
            );
        }

        return lines;
    }

    private static JournalEntryView Of(JournalLine line) =>
        new(
            line.Stored.Version,
            line.Stored.At,
            line.Entry.BookedAt,
            line.Stored.Type,
            line.Stored.Id,
            line.Stored.CorrelationId,
            [
                .. line.Entry.Postings.Select(posting => new PostingView(
                    posting.Account.ToString(),
                    posting.Amount.Unit.Name(),
                    Math.Max(0, WireNumber.Of(posting.Amount)),
                    Math.Max(0, -WireNumber.Of(posting.Amount)),
                    Usd(posting.Worth)
                )),
            ],
            line.Entry.Tokens
        );

    private static PositionView Of(Position position) =>
        new(position.Unit.Name(), SourceOf(position.Source), Number(position.Sum.Parts, position.Unit), Usd(position.Sum.Worth));

    private static string KindOf(PaymentLine payment) =>
        payment.Against == LedgerAccount.Refunds ? "refunded"
        : payment.Against == LedgerAccount.Disputes ? (payment.Sum.Parts > 0 ? "dispute_won" : "disputed")
        : payment.Sum.Parts > 0 ? "paid"
        : "refunded";

    private static string SourceOf(LedgerAccount source) => source.Kind == LedgerAccountKind.Receivable ? "debt" : source.Name;

    private static Dictionary<(Unit Unit, LedgerAccount Source), Sum> PositionsOf(Totals totals) =>
        totals
            .Balances()
            .Where(balance => balance.Key.Account.Kind == LedgerAccountKind.Liability && !balance.Value.IsZero)
            .ToDictionary(balance => (balance.Key.Unit, balance.Key.Account), balance => balance.Value.Opposite());

    private static Sum Sum(IEnumerable<StatementLine> lines, params ReadOnlySpan<StatementKind> kinds)
    {
        var sum = default(Sum);
        foreach (var line in lines)
        {
            if (kinds.Contains(line.Kind))
                sum = sum.Plus(line.Sum);
        }

        return sum;
    }

    /// <summary>Only the wire's spelling: exact in a decimal, whose 28 digits are more than any sum has.</summary>
    private static decimal Number(Int128 parts, Unit unit) => WireNumber.Of((decimal)parts, unit);

    private static decimal Usd(Worth worth) => WireNumber.Of((decimal)worth.UsdParts, Unit.Usd);
}
