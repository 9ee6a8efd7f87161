using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Wallets;

public class HoldLifeCycleTests
{
    /// <summary>Every command in every state. A hold ends once; an expired one has one lawful successor, and none lasts longer again.</summary>
    private const string Table = """
        state          | place             | place other       | spend             | settle                      | settle other                | release                     | extend       | sweep
        none           | HoldPlaced        | HoldPlaced        | CreditsSpent      | HoldNotFound                | HoldNotFound                | HoldNotFound                | HoldNotFound | -
        spent          | ReferenceConflict | ReferenceConflict | repeat            | HoldNotFound                | HoldNotFound                | HoldNotFound                | HoldNotFound | -
        open           | repeat            | ReferenceConflict | ReferenceConflict | HoldSettled                 | HoldSettled                 | HoldReleased                | HoldExtended | -
        extended       | repeat            | ReferenceConflict | ReferenceConflict | HoldSettled                 | HoldSettled                 | HoldReleased                | -            | -
        settled        | repeat            | ReferenceConflict | ReferenceConflict | repeat                      | ReferenceConflict           | HoldAlreadySettled          | HoldNotFound | -
        released       | repeat            | ReferenceConflict | ReferenceConflict | HoldAlreadyReleased         | HoldAlreadyReleased         | repeat                      | HoldNotFound | -
        due            | repeat            | ReferenceConflict | ReferenceConflict | HoldExpired HoldSettledLate | HoldExpired HoldSettledLate | HoldAlreadyExpired          | HoldNotFound | HoldExpired
        expired        | repeat            | ReferenceConflict | ReferenceConflict | HoldSettledLate             | HoldSettledLate             | HoldAlreadyExpired          | HoldNotFound | -
        settled late   | repeat            | ReferenceConflict | ReferenceConflict | repeat                      | ReferenceConflict           | HoldAlreadyExpired          | HoldNotFound | -
        reversed       | repeat            | ReferenceConflict | ReferenceConflict | repeat                      | ReferenceConflict           | HoldAlreadySettled          | HoldNotFound | -
        """;

    private static readonly SpendId OfSettlement = new(EventIds.HoldEnd(Alice, Hold()));

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
    public void A_hold_lives_by_the_table(string state, string command, string outcome)
    {
        var scenario = State(state).When(Command(command));
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
                string.Join(' ', recorded.Select(fact => fact.GetType().Name)).ShouldBe(outcome == "-" ? "" : outcome);
                scenario.Then(recorded);
                break;
        }
    }

    [Fact]
    public void The_table_knows_every_end_of_a_hold() =>
        typeof(WalletEvent)
            .Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(WalletEvent)) && type.Name.StartsWith("Hold", StringComparison.Ordinal))
            .ShouldAllBe(type => Table.Contains(type.Name, StringComparison.Ordinal));

    private static Scenario State(string state)
    {
        var none = GivenAccount(Granted(1, 100));
        var open = none.And(Held("2", 10, allocated: Share(1, 10)));
        var due = open.At(Noon.AddHours(1));
        var expired = due.And(new HoldExpired(Hold(), Noon.AddHours(1)));
        var settled = open.And(Settled("2", 10, [Share(1, 10)]));
        return state switch
        {
            "none" => none,
            "spent" => none.And(Spent("2", 10, "h1", paid: Share(1, 10))),
            "open" => open,
            "extended" => open.And(new HoldExtended(Hold(), Noon.AddHours(2))),
            "settled" => settled,
            "released" => open.And(new HoldReleased(Hold())),
            "due" => due,
            "expired" => expired,
            "settled late" => expired.And(SettledLate("2", 10, [Share(1, 10)])),
            "reversed" => settled.And(
                new SpendReversed(OfSettlement, Main, "chat", Amount.Credits(10), Noon, [Share(1, 10)], null, "sorry", Noon)
            ),
            _ => throw new ArgumentOutOfRangeException(nameof(state), state, "No such state."),
        };
    }

    private static AccountCommand Command(string command) =>
        command switch
        {
            "place" => new PlaceHold(Alice, Main, "chat", Quantity.Of(2), "h1", TimeSpan.FromHours(1)),
            "place other" => new PlaceHold(Alice, Main, "chat", Quantity.Of(3), "h1", TimeSpan.FromHours(1)),
            "spend" => new Spend(Alice, Main, "chat", Quantity.Of(2), "h1"),
            "settle" => new SettleHold(Alice, Main, Hold(), Quantity.Of(2)),
            "settle other" => new SettleHold(Alice, Main, Hold(), Quantity.Of(1)),
            "release" => new ReleaseHold(Alice, Main, Hold()),
            "extend" => new ExtendHold(Alice, Hold(), Noon.AddHours(2)),
            "sweep" => new RecordDue(Alice, EventIds.Request(Alice, "sweep")),
            _ => throw new ArgumentOutOfRangeException(nameof(command), command, "No such command."),
        };
}
