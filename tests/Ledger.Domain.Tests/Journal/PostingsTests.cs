using System.Diagnostics;
using System.Runtime.CompilerServices;
using Ledger.Domain.Accounts;
using Ledger.Domain.Journal;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Journal;

/// <summary>What each kind of event moves in the books, as finance would write it down.</summary>
public class PostingsTests
{
    public static TheoryData<string> Names => [.. StoredFormatTests.Samples.OfType<AccountEvent>().Select(sample => sample.GetType().Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_event_has_its_postings_or_is_known_to_have_none(string name)
    {
        var sample = StoredFormatTests.Samples.OfType<AccountEvent>().Single(sample => sample.GetType().Name == name);
        var account = GivenAccount(Granted(1, 100), Granted(2, 100)).And(StoredFormatTests.Samples.OfType<OrderOpened>().Single()).After;
        account = Account.Evolve(
            account,
            new(Guid.Empty, account.Version + 1, Noon, StoredFormatTests.Samples.OfType<OrderPaid>().Single())
        );
        var fact = new Fact(Guid.Empty, account.Version + 1, Noon, sample);
        var books = Books.Of(account);
        try
        {
            var postings = Domain.Journal.Postings.Of(account, fact);
            foreach (var unit in Enum.GetValues<Unit>())
                postings.Where(posting => posting.Amount.Unit == unit).Sum(posting => posting.Amount.Parts).ShouldBe(0);
            books.After(fact).ShouldNotBeNull();
        }
        catch (UnreachableException)
        {
            Assert.Fail($"{name} has no arm in Books.Post.");
        }
    }

    /// <summary>Also of events that have no sample: whatever else they lack, they are known.</summary>
    [Fact]
    public void No_event_is_unknown_to_the_books()
    {
        foreach (
            var type in typeof(AccountEvent).Assembly.GetTypes().Where(type => !type.IsAbstract && type.IsSubclassOf(typeof(AccountEvent)))
        )
        {
            try
            {
                Books.Empty.Post(Of((AccountEvent)RuntimeHelpers.GetUninitializedObject(type)));
            }
            catch (Exception e) when (e is not UnreachableException)
            {
                // It speaks of a pocket or an order that there is not.
            }
        }
    }

    [Fact]
    public void What_is_bought_is_worth_its_price_and_is_earned_as_it_is_spent() =>
        Booked([.. Purchase, Spent("1", 7_500, "r1", paid: Share(1, 7_500))])
            .ShouldBe([
                "",
                "cash:stripe 25 usd, clearing:sales -25 usd",
                "clearing:sales 187500 credits ($25), liability:payg -187500 credits ($-25)",
                "liability:payg 7500 credits ($1), revenue:chat -7500 credits ($-1)",
            ]);

    [Fact]
    public void What_is_given_is_an_expense_and_worth_nothing() =>
        Booked(Granted(1, 100), Spent("1", 40, "r1", paid: Share(1, 40)), Lapsed(1, 60, Noon))
            .ShouldBe([
                "promotion:operator 100 credits, liability:payg -100 credits",
                "liability:payg 40 credits, revenue:chat -40 credits",
                "liability:payg 60 credits, breakage:payg -60 credits",
            ]);

    [Fact]
    public void A_refund_takes_back_the_credits_also_those_that_were_spent_or_had_lapsed() =>
        Booked([
                .. Purchase,
                Spent("1", 75_000, "r1", paid: Share(1, 75_000)),
                Lapsed(1, 7_500, Noon),
                new OrderRefunded(TheOrder, Amount.Usd(5)),
                new OrderRefunded(TheOrder, Amount.Usd(25)),
                new CreditsClawedBack(
                    TheOrder,
                    null,
                    Amount.Credits(180_000),
                    [Share(1, 105_000)],
                    Amount.Credits(75_000),
                    Amount.Credits(7_500)
                ),
            ])
            .Skip(5)
            .ShouldBe([
                "clearing:refunds 5 usd, cash:stripe -5 usd",
                "clearing:refunds 20 usd, cash:stripe -20 usd",
                "liability:payg 105000 credits ($14), receivable 75000 credits ($10), breakage:payg 7500 credits ($1), "
                    + "clearing:refunds -187500 credits ($-25)",
            ]);

    [Fact]
    public void A_dispute_that_is_won_leaves_nothing_behind() =>
        Booked([
                .. Purchase,
                new OrderDisputed(TheOrder, "dp_1", Amount.Usd(25)),
                new CreditsClawedBack(TheOrder, "dp_1", Amount.Credits(187_500), [Share(1, 187_500)], null, null),
                new DisputeWon(TheOrder, "dp_1"),
                new ClawbackReturned(TheOrder, "dp_1", Amount.Credits(187_500), [Share(1, 187_500)], null, null),
            ])
            .Skip(3)
            .ShouldBe([
                "clearing:disputes 25 usd, cash:stripe -25 usd",
                "liability:payg 187500 credits ($25), clearing:disputes -187500 credits ($-25)",
                "cash:stripe 25 usd, clearing:disputes -25 usd",
                "clearing:disputes 187500 credits ($25), liability:payg -187500 credits ($-25)",
            ]);

    [Fact]
    public void A_dispute_that_is_told_of_after_it_was_won_moves_no_money() =>
        Booked([.. Purchase, new DisputeWon(TheOrder, "dp_1"), new OrderDisputed(TheOrder, "dp_1", Amount.Usd(25))])
            .Skip(3)
            .ShouldBe(["", ""]);

    [Fact]
    public void What_nothing_covers_is_owed_and_what_pays_it_is_earned_then() =>
        Booked([
                .. Purchase,
                Held("0", 0),
                Settled("1", 200_000, [], [Share(1, 180_000)], 20_000),
                new DebtRepaid(new(1), Amount.Credits(7_500)),
            ])
            .Skip(3)
            .ShouldBe([
                "",
                "liability:payg 180000 credits ($24), receivable 20000 credits, revenue:chat -200000 credits ($-24)",
                "liability:payg 7500 credits ($1), receivable -7500 credits ($-1)",
            ]);

    [Fact]
    public void A_subscription_without_credits_is_earned_when_it_is_paid_and_given_back_when_that_is() =>
        Booked([OpenedSubscription() with { Gives = null }, Paid(null, dollars: 20), new OrderRefunded(TheOrder, Amount.Usd(20))])
            .ShouldBe(["", "cash:stripe 20 usd, subscription:pro -20 usd", "subscription:pro 20 usd, cash:stripe -20 usd"]);

    [Fact]
    public void A_call_is_revenue_of_its_model_and_so_is_its_reversal_where_the_call_is_at_hand()
    {
        var call = new CallRecord("deepseek", "deepseek-chat", default, false, CallOutcome.Completed, 1, null, null);
        var settled = Settled("1", 10, [], [Share(1, 10)]) with { Call = call, Tool = "chat.completions" };
        var reversed = new SpendReversed(
            new(Guid.Empty),
            Main,
            "chat.completions",
            Amount.Credits(10),
            Noon,
            [Share(1, 10)],
            null,
            "sorry"
        );
        var books = Books.Of(GivenAccount(Granted(1, 100)).After);
        Text(books.Post(Of(settled))).ShouldBe("liability:payg 10 credits, revenue:deepseek/deepseek-chat -10 credits");
        Text(books.Post(Of(reversed), settled)).ShouldBe("revenue:deepseek/deepseek-chat 10 credits, liability:payg -10 credits");
        Text(books.Post(Of(reversed))).ShouldBe("revenue:chat.completions 10 credits, liability:payg -10 credits");
    }

    [Fact]
    public void A_call_on_the_quota_moves_nothing_and_leaves_a_memo()
    {
        var quota = new QuotaShare(ByOperator, 3, 120);
        var call = new CallRecord("deepseek", "deepseek-chat", default, false, CallOutcome.Completed, 1, null, null, quota);
        var entry = Books.Empty.Post(Of(Settled("1", 0, [], []) with { Call = call }));
        entry.Transfers.ShouldBeEmpty();
        entry.Tokens.ShouldBe(120);
        entry.IsEmpty.ShouldBeFalse();
    }

    [Fact]
    public void What_lapsed_unnoticed_counts_when_it_lapsed_but_not_before_it_was_there()
    {
        var books = Books.Of(GivenAccount(Granted(1, 100)).After);
        books.Post(new(Guid.Empty, 9, Noon.AddDays(3), Lapsed(1, 5, Noon.AddDays(1)))).BookedAt.ShouldBe(Noon.AddDays(1));
        books.Post(new(Guid.Empty, 9, Noon.AddDays(3), Lapsed(1, 5, Noon.AddDays(-1)))).BookedAt.ShouldBe(Noon);
    }

    [Theory]
    [InlineData("liability:payg")]
    [InlineData("receivable")]
    [InlineData("revenue:a:b/c")]
    public void The_name_of_an_account_of_the_books_is_read_back(string name)
    {
        LedgerAccount.TryParse(name, out var account).ShouldBeTrue();
        account.ToString().ShouldBe(name);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Liability:payg")]
    [InlineData("other")]
    [InlineData(null)]
    public void No_other_name_is(string? name) => LedgerAccount.TryParse(name, out _).ShouldBeFalse();

    [Theory]
    [InlineData(1, 10, 3, "3.333333333333")]
    [InlineData(3, 10, 3, "10")]
    [InlineData(2, 10, 3, "6.666666666666")]
    [InlineData(5, 0, 3, "0")]
    public void A_share_is_worth_its_part_of_the_price_to_twelve_places_more_than_money_has(
        long parts,
        long price,
        long lot,
        string worth
    ) =>
        Worth
            .OfShare(parts, price, lot)
            .Zeptos.ShouldBe((Int128)(decimal.Parse(worth, System.Globalization.CultureInfo.InvariantCulture) * 1_000_000_000_000m));

    [Theory]
    [InlineData(499_999_999_999, 0)]
    [InlineData(500_000_000_000, 1)]
    [InlineData(-500_000_000_000, -1)]
    [InlineData(-499_999_999_999, 0)]
    public void Worth_in_money_is_rounded_half_away_from_zero(long zeptos, int parts) => new Worth(zeptos).UsdParts.ShouldBe((Int128)parts);

    private static Fact Of(AccountEvent @event) => new(Guid.Empty, 9, Noon, @event);

    private static IEnumerable<string> Booked(params AccountEvent[] events)
    {
        var books = Books.Empty;
        foreach (var @event in events)
        {
            var fact = Of(@event);
            yield return Text(books.Post(fact));
            books = books.After(fact);
        }
    }

    private static string Text(Entry entry) =>
        string.Join(
            ", ",
            entry.Postings.Select(posting =>
                $"{posting.Account} {posting.Amount.ToDecimalString()} {posting.Amount.Unit.Name()}"
                + (
                    posting.Worth == Worth.Zero || posting.Amount.Unit == Unit.Usd
                        ? ""
                        : $" (${new Amount((long)posting.Worth.UsdParts, Unit.Usd).ToDecimalString()})"
                )
            )
        );
}
