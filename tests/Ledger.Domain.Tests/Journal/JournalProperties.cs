using FsCheck.Fluent;
using Ledger.Domain.Accounts;
using Ledger.Domain.Journal;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Tests.Payments;
using Ledger.Domain.Tests.Wallets;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Tests.Journal;

/// <summary>What is true of the books after any history.</summary>
public class JournalProperties
{
    /// <summary>A history, and the moments at which somebody closes the books.</summary>
    private sealed record Story(IReadOnlyList<Fact> Facts, IReadOnlyList<(DateTimeOffset At, int Facts)> Closings, Account Account);

    private static void Always(Action<Story> holds, int count = 300)
    {
        Property.ForAll(
            PaymentProperties.Walks,
            steps =>
            {
                var (walk, closings) = (new PaymentProperties.Walk(), new List<(DateTimeOffset, int)>());
                foreach (var step in steps)
                {
                    walk.Take(step);
                    if (step.Verb == "wait")
                        closings.Add((walk.Now, walk.History.Count));
                }

                holds(new(walk.History, closings, walk.Account));
            },
            count,
            Property.Shorter
        );
        Property.ForAll(
            WalletProperties.Walks,
            steps =>
            {
                var (walk, closings) = (new WalletProperties.Walk(), new List<(DateTimeOffset, int)>());
                foreach (var step in steps)
                {
                    walk.Take(step);
                    if (step.Verb == "wait")
                        closings.Add((walk.Now, walk.History.Count));
                }

                holds(new(walk.History, closings, walk.Account));
            },
            count,
            Property.Shorter
        );
    }

    [Fact]
    public void Every_entry_is_zero_in_sum_in_each_unit_and_in_worth() =>
        Always(story =>
        {
            var books = Books.Empty;
            foreach (var fact in story.Facts)
            {
                var entry = books.Post(fact);
                foreach (var unit in Enum.GetValues<Unit>())
                    entry.Postings.Where(posting => posting.Amount.Unit == unit).Sum(posting => posting.Amount.Parts).ShouldBe(0);
                entry.Postings.Aggregate(Worth.Zero, (sum, posting) => sum + posting.Worth).ShouldBe(Worth.Zero);
                foreach (var transfer in entry.Transfers)
                {
                    transfer.Amount.Parts.ShouldBeGreaterThan(0);
                    (transfer.Worth.Zeptos >= 0).ShouldBeTrue();
                }

                entry.BookedAt.ShouldBeLessThanOrEqualTo(fact.At);
                books = books.After(fact);
            }
        });

    [Fact]
    public void What_is_owed_to_accounts_is_what_their_pockets_hold_by_source_and_the_receivable_is_their_debt() =>
        Always(story =>
        {
            var (account, totals) = (Account.Empty(Scenario.Alice), Totals.None);
            foreach (var fact in story.Facts)
            {
                totals = totals.Plus(Books.Of(account).Post(fact));
                account = Account.Evolve(account, fact);
                Holds(totals, account);
            }
        });

    [Fact]
    public void The_books_that_are_kept_along_the_way_are_those_of_the_state() =>
        Always(story =>
        {
            var (account, books) = (Account.Empty(Scenario.Alice), Books.Empty);
            foreach (var fact in story.Facts)
            {
                account = Account.Evolve(account, fact);
                books = books.After(fact);
            }

            var ofState = Books.Of(account);
            books.Lots.OrderBy(lot => lot.Key.Number).ShouldBe(ofState.Lots.OrderBy(lot => lot.Key.Number));
            Text(books).ShouldBe(Text(ofState));
        });

    [Fact]
    public void Statements_chain_and_what_is_due_at_a_closing_is_booked_before_it_once() =>
        Always(story =>
        {
            var opening = Totals.None;
            foreach (var (at, count) in story.Closings)
            {
                var account = Scenario.Fold(story.Facts.Take(count));
                var (books, closing) = (Books.Empty, Totals.None);
                foreach (var fact in story.Facts.Take(count).Concat(account.DueAt(at)))
                {
                    closing = closing.Plus(books.Post(fact));
                    books = books.After(fact);
                }

                Holds(closing, account.LapsedAt(at));
                foreach (var (move, sum) in closing.Since(opening).Moves)
                    (sum.Parts > 0).ShouldBeTrue($"{move} cannot be taken back, only be answered by another");

                var statement = Statement.Between(opening, closing);
                statement.Opening.ShouldBe(Statement.PositionsOf(opening));
                statement.Closing.ShouldBe(Statement.PositionsOf(closing));
                foreach (var unit in Enum.GetValues<Unit>())
                {
                    foreach (var source in statement.Lines.Select(line => line.Source).Append(LedgerAccount.Receivable).Distinct())
                    {
                        var had = statement.Opening.SingleOrDefault(position => position.Unit == unit && position.Source == source).Sum;
                        var has = statement.Closing.SingleOrDefault(position => position.Unit == unit && position.Source == source).Sum;
                        statement
                            .Lines.Where(line => line.Unit == unit && line.Source == source)
                            .Aggregate(had, (sum, line) => sum.Plus(line.Sum))
                            .Parts.ShouldBe(has.Parts);
                    }
                }

                opening = closing;
            }
        });

    /// <summary>Where all the money of everything that was sold has come back, nothing is left between money and what was given for it.</summary>
    [Fact]
    public void Cash_is_what_was_paid_less_what_went_back() =>
        Always(story =>
        {
            var (books, totals) = (Books.Empty, Totals.None);
            foreach (var fact in story.Facts)
            {
                totals = totals.Plus(books.Post(fact));
                books = books.After(fact);
            }

            var expected = story
                .Account.Orders.All.Values.Where(order => order.Provider == Purchases.Stripe)
                .Sum(order => (order.Status == OrderStatus.Paid ? order.Price.Parts : 0) - order.MoneyGone);
            totals.Balances().GetValueOrDefault((new(LedgerAccountKind.Cash, Purchases.Stripe), Unit.Usd)).Parts.ShouldBe(expected);
        });

    private static void Holds(Totals totals, Account account)
    {
        var balances = totals.Balances();
        foreach (var unit in Enum.GetValues<Unit>())
        {
            foreach (var source in Enum.GetValues<PocketSource>())
                (-balances.GetValueOrDefault((LedgerAccount.Liability(source), unit)).Parts).ShouldBe(
                    account.Wallet.Pockets.Where(pocket => pocket.Unit == unit && pocket.Source == source).Sum(pocket => pocket.Remaining)
                );
            balances.GetValueOrDefault((LedgerAccount.Receivable, unit)).Parts.ShouldBe(account.Wallet.Debt(unit).Parts);
        }

        // Worth is reckoned share by share: each is rounded in the twenty-first place.
        var lots = Books.Of(account).Lots;
        var worth = account.Wallet.Pockets.Aggregate(Worth.Zero, (sum, pocket) => sum + lots[pocket.Id].WorthOf(pocket.Remaining));
        var booked = balances
            .Where(balance => balance.Key.Account.Kind == LedgerAccountKind.Liability)
            .Aggregate(Worth.Zero, (sum, balance) => sum - balance.Value.Worth);
        Int128.Abs((worth - booked).Zeptos).ShouldBeLessThan(10_000);
    }

    private static string Text(Books books) =>
        string.Join(
            '\n',
            books
                .Sales.OrderBy(sale => sale.Key.Value, StringComparer.Ordinal)
                .Select(sale => $"{sale.Key} {sale.Value with { Disputes = [] }} {string.Join(',', sale.Value.Disputes)}")
                .Concat(books.Prices.OrderBy(price => price.Key.Number).Select(price => $"{price.Key} {price.Value}"))
        );
}
