using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Payments;

public class OrderLifeCycleTests
{
    /// <summary>
    /// Every notice in every state. An order is paid once, whatever came before; what refunds and disputes say is kept also where it comes first, and
    /// what is clawed back (c) or given back (r) follows from the money that is gone.
    /// </summary>
    private const string Table = """
        state             | pay                                   | pay again                             | fail          | lapse         | refund half                | refund                     | dispute                    | win
        none              | OrderNotFound                         | OrderNotFound                         | OrderNotFound | OrderNotFound | OrderNotFound              | OrderNotFound              | OrderNotFound              | OrderNotFound
        open              | OrderPaid CreditsGranted              | OrderPaid CreditsGranted              | OrderFailed   | OrderExpired  | OrderRefunded              | OrderRefunded              | OrderDisputed              | DisputeWon
        failed            | OrderPaid CreditsGranted              | OrderPaid CreditsGranted              | OrderFailed   | OrderExpired  | OrderRefunded              | OrderRefunded              | OrderDisputed              | DisputeWon
        due               | OrderExpired OrderPaid CreditsGranted | OrderExpired OrderPaid CreditsGranted | OrderExpired  | OrderExpired  | OrderExpired OrderRefunded | OrderExpired OrderRefunded | OrderExpired OrderDisputed | OrderExpired DisputeWon
        expired           | OrderPaid CreditsGranted              | OrderPaid CreditsGranted              | -             | -             | OrderRefunded              | OrderRefunded              | OrderDisputed              | DisputeWon
        refunded unpaid   | OrderPaid CreditsGranted c            | OrderPaid CreditsGranted c            | OrderFailed   | OrderExpired  | -                          | repeat                     | OrderDisputed              | DisputeWon
        disputed unpaid   | OrderPaid CreditsGranted c            | OrderPaid CreditsGranted c            | OrderFailed   | OrderExpired  | OrderRefunded              | OrderRefunded              | repeat                     | DisputeWon
        won unpaid        | OrderPaid CreditsGranted              | OrderPaid CreditsGranted              | OrderFailed   | OrderExpired  | OrderRefunded              | OrderRefunded              | OrderDisputed              | repeat
        paid              | repeat                                | PaymentMismatched                     | -             | -             | OrderRefunded c            | OrderRefunded c            | OrderDisputed c            | DisputeWon
        half refunded     | repeat                                | PaymentMismatched                     | -             | -             | repeat                     | OrderRefunded c            | OrderDisputed c            | DisputeWon
        refunded          | repeat                                | PaymentMismatched                     | -             | -             | -                          | repeat                     | OrderDisputed              | DisputeWon
        disputed          | repeat                                | PaymentMismatched                     | -             | -             | OrderRefunded              | OrderRefunded              | repeat                     | DisputeWon r
        disputed refunded | repeat                                | PaymentMismatched                     | -             | -             | -                          | repeat                     | repeat                     | DisputeWon
        won               | repeat                                | PaymentMismatched                     | -             | -             | OrderRefunded c            | OrderRefunded c            | repeat                     | repeat
        """;

    public static TheoryData<string, string, string> Cells()
    {
        var rows = Table.Split('\n').Select(row => row.Split('|', StringSplitOptions.TrimEntries)).ToArray();
        var cells = new TheoryData<string, string, string>();
        foreach (var row in rows[1..])
        {
            row.Length.ShouldBe(rows[0].Length, row[0]);
            for (var column = 1; column < row.Length; column++)
                cells.Add(row[0], rows[0][column], row[column]);
        }

        return cells;
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public void An_order_lives_by_the_table(string state, string notice, string outcome)
    {
        var scenario = State(state).When(Notice(notice));
        switch (scenario.Decision)
        {
            case Decision<AccountEvent>.Rejected(var code, _):
                code.ToString().ShouldBe(outcome);
                break;
            case Decision<AccountEvent>.Repeated:
                outcome.ShouldBe("repeat");
                break;
            case Decision<AccountEvent>.Accepted:
                var recorded = scenario.History[State(state).History.Length..].Select(fact => fact.Event).ToArray();
                string.Join(' ', recorded.Select(Name)).ShouldBe(outcome == "-" ? "" : outcome);
                scenario.Then(recorded);
                break;
        }
    }

    [Fact]
    public void The_table_knows_every_status_of_an_order() =>
        Cells()
            .Select(cell => State(cell.Data.Item1).At(Noon).After.Orders.Find(TheOrder)?.Status)
            .OfType<OrderStatus>()
            .Distinct()
            .ShouldBe(Enum.GetValues<OrderStatus>(), ignoreOrder: true);

    private static string Name(AccountEvent @event) =>
        @event.GetType().Name switch
        {
            "CreditsClawedBack" => "c",
            "ClawbackReturned" => "r",
            var name => name,
        };

    private static Scenario State(string state)
    {
        var open = GivenAccount(Opened());
        var paid = open.When(Confirm());
        return state switch
        {
            "none" => GivenAccount(),
            "open" => open,
            "failed" => open.And(new OrderFailed(TheOrder, "card_declined")),
            "due" => open.Later(Orders.Lifetime),
            "expired" => open.And(new OrderExpired(TheOrder, Noon)),
            "refunded unpaid" => open.When(Refund(25)),
            "disputed unpaid" => open.When(Dispute()),
            "won unpaid" => open.When(Win()),
            "paid" => paid,
            "half refunded" => paid.When(Half),
            "refunded" => paid.When(Refund(25)),
            "disputed" => paid.When(Dispute()),
            "disputed refunded" => paid.When(Dispute()).When(Refund(25)),
            "won" => paid.When(Dispute()).When(Win()),
            _ => throw new ArgumentOutOfRangeException(nameof(state), state, "No such state."),
        };
    }

    private static RefundOrder Half => new(Alice, TheOrder, Stripe, "pi_1", new(12_500_000_000, Unit.Usd), "USD");

    private static AccountCommand Notice(string notice) =>
        notice switch
        {
            "pay" => Confirm(),
            "pay again" => Confirm(Purchases.Notice(id: "cs_2")),
            "fail" => new FailOrder(Alice, EventIds.Request(Alice, "attempt"), TheOrder, "card_declined"),
            "lapse" => new ExpireOrder(Alice, TheOrder),
            "refund half" => Half,
            "refund" => Refund(25),
            "dispute" => Dispute(),
            "win" => Win(),
            _ => throw new ArgumentOutOfRangeException(nameof(notice), notice, "No such notice."),
        };
}
