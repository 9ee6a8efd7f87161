using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Metering.Calls;

namespace Ledger.Domain.Tests.Metering;

public class CallLifeCycleTests
{
    private const string Entry = "models/" + DeepSeek;

    /// <summary>
    /// Every command in every state. Only the server ends a call's hold; who asks as a tool finds none. The same request is placed again only where the
    /// log says that the attempt before has ended without a charge.
    /// </summary>
    private const string Table = """
        state        | place  | place other       | place again        | settle                      | settle other                | settle of a successor | release             | extend             | tool settles | tool releases | sweep
        none         | placed | placed            | HoldAlreadySettled | HoldNotFound                | HoldNotFound                | HoldNotFound          | HoldNotFound        | HoldNotFound       | HoldNotFound | HoldNotFound  | -
        open         | repeat | ReferenceConflict | HoldAlreadySettled | HoldSettled                 | HoldSettled                 | HoldSettled           | HoldReleased        | HoldExtended       | HoldNotFound | HoldNotFound  | -
        extended     | repeat | ReferenceConflict | HoldAlreadySettled | HoldSettled                 | HoldSettled                 | HoldSettled           | HoldReleased        | -                  | HoldNotFound | HoldNotFound  | -
        settled      | repeat | ReferenceConflict | HoldAlreadySettled | repeat                      | ReferenceConflict           | repeat                | HoldAlreadySettled  | HoldNotFound       | HoldNotFound | HoldNotFound  | -
        released     | repeat | ReferenceConflict | placed             | HoldAlreadyReleased         | HoldAlreadyReleased         | HoldAlreadyReleased   | repeat              | HoldNotFound       | HoldNotFound | HoldNotFound  | -
        due          | repeat | ReferenceConflict | HoldAlreadySettled | HoldExpired HoldSettledLate | HoldExpired HoldSettledLate | HoldAlreadyExpired    | HoldAlreadyExpired  | HoldNotFound       | HoldNotFound | HoldNotFound  | HoldExpired
        expired      | repeat | ReferenceConflict | placed             | HoldSettledLate             | HoldSettledLate             | HoldAlreadyExpired    | HoldAlreadyExpired  | HoldNotFound       | HoldNotFound | HoldNotFound  | -
        settled late | repeat | ReferenceConflict | HoldAlreadySettled | repeat                      | ReferenceConflict           | repeat                | HoldAlreadyExpired  | HoldNotFound       | HoldNotFound | HoldNotFound  | -
        reversed     | repeat | ReferenceConflict | HoldAlreadySettled | repeat                      | ReferenceConflict           | repeat                | HoldAlreadySettled  | HoldNotFound       | HoldNotFound | HoldNotFound  | -
        """;

    private static readonly SpendId OfSettlement = new(EventIds.HoldEnd(Alice, HoldOf()));

    private static readonly CallAsk Named = Ask() with { Digest = "digest" };

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
    public void A_calls_hold_lives_by_the_table(string state, string command, string outcome)
    {
        // The same request, placed once more after its first hold had lapsed.
        var before = command == "settle of a successor" ? State(state).When(Place(Named, reference: "c1~2")) : State(state);
        if (state == "due" && command == "settle of a successor")
            before.History[^2].Event.ShouldBeOfType<HoldExpired>();
        var scenario = before.When(Command(command));
        switch (scenario.Decision)
        {
            case Decision<AccountEvent>.Rejected(var code, _):
                code.ToString().ShouldBe(outcome);
                break;
            case Decision<AccountEvent>.Repeated:
                outcome.ShouldBe("repeat");
                break;
            case Decision<AccountEvent>.Accepted:
                var recorded = scenario.History[before.History.Length..].Select(fact => fact.Event).ToArray();
                string.Join(' ', recorded.Select(fact => fact is HoldPlaced ? "placed" : fact.GetType().Name))
                    .ShouldBe(outcome == "-" ? "" : outcome);
                scenario.Then(recorded);
                break;
        }
    }

    private static Scenario State(string state)
    {
        var none = GivenAccount(Prepaid(1, 10_000_000));
        var open = none.When(Place(Named));
        var due = open.At(Noon + Lifetime);
        var expired = due.And(new HoldExpired(HoldOf(), Noon + Lifetime));
        return state switch
        {
            "none" => none,
            "open" => open,
            "extended" => open.When(Extend(Noon.AddHours(1))),
            "settled" => open.When(Settle(Used(24, 86))),
            "released" => open.When(ReleaseByServer()),
            "due" => due,
            "expired" => expired,
            "settled late" => expired.When(Settle(Used(24, 86))),
            "reversed" => open.When(Settle(Used(24, 86))).When(new ReverseSpend(Alice, OfSettlement, "sorry")),
            _ => throw new ArgumentOutOfRangeException(nameof(state), state, "No such state."),
        };
    }

    private static AccountCommand Command(string command) =>
        command switch
        {
            "place" => Place(Named),
            "place other" => Place(Named with { Digest = "other" }),
            "place again" => Place(Named, reference: "c1~2") with { Predecessor = HoldOf() },
            "settle" => Settle(Used(24, 86), successor: IdOf("c1~2")),
            "settle other" => Settle(Used(24, 87)),
            "settle of a successor" => Settle(Used(24, 86), successor: IdOf("c1~2")),
            "release" => ReleaseByServer(),
            "extend" => Extend(Noon.AddHours(1)),
            "tool settles" => SettleByTool(110),
            "tool releases" => ReleaseByTool(),
            "sweep" => Purchases.Sweep(),
            _ => throw new ArgumentOutOfRangeException(nameof(command), command, "No such command."),
        };

    [Fact]
    public void The_same_request_is_the_same_call_whatever_it_would_cost_by_now()
    {
        var placed = Held(Named, Usd(390_000), Entry, 100, [Part(1, 390_000)]);
        var given = GivenAccount(Prepaid(1, 400_000)).When(Place(Named));
        given.When(Place(Named)).ThenRepeated(placed);
        given.When(Place(Named with { MaxOutput = 1 })).ThenRepeated(placed);
        given.When(Place(Named with { Model = "openai/none" })).ThenRepeated(placed);
        given.When(Settle(Used(24, 86))).When(Place(Named)).ThenRepeated(placed);
        given.At(Noon + Lifetime).When(Place(Named)).ThenRepeated(placed);
    }

    [Fact]
    public void The_same_name_for_another_request_conflicts()
    {
        var given = GivenAccount(Prepaid(1, 10_000_000)).When(Place(Named));
        given.When(Place(Named with { Digest = "other" })).ThenRejected(RejectionCode.ReferenceConflict);
        given.When(Place(Named with { Digest = null })).ThenRejected(RejectionCode.ReferenceConflict);
        given
            .When(new PlaceCallHold(Alice, Main, "messages", "c1", Named with { Digest = "other" }, Lifetime))
            .Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>("of another route it is another");
    }

    [Fact]
    public void A_call_and_the_use_of_a_tool_share_no_name() =>
        EventIds.Call(Alice, "chat", "r1").ShouldNotBe(EventIds.Use(Alice, "chat", "r1"));

    [Fact]
    public void Who_may_no_longer_call_the_model_gets_no_first_answer_of_it()
    {
        var placed = GivenAccount(Prepaid(1, 10_000_000), Created(Other)).When(Place(Named, Other));
        KeyChanged Listing(string model) => new(Other, "ci", null, null, null, LimitReset.None, [model], null, null, false);
        placed.And(Listing("openai/mini")).When(Place(Named, Other)).ThenRejected(RejectionCode.ModelNotAllowed);
        placed.And(Listing(DeepSeek)).When(Place(Named, Other)).Decision.ShouldBeOfType<Decision<AccountEvent>.Repeated>();
        placed.And(new KeyRevoked(Other, null)).When(Place(Named, Other)).ThenRejected(RejectionCode.KeyNotUsable);
    }

    [Fact]
    public void An_open_hold_whose_fact_is_not_at_hand_is_refused_so_that_it_is_looked_up() =>
        GivenAccount(Prepaid(1, 10_000_000))
            .When(Place(Named))
            .After.Transact(Place(Named), new(Noon, Prices.Card, Past.None))
            .Decision.ShouldBe(new Decision<AccountEvent>.Rejected(RejectionCode.ReferenceConflict));

    [Fact]
    public void The_same_report_again_is_a_repeat_and_another_conflicts()
    {
        var settled = GivenAccount(Prepaid(1, 10_000_000)).When(Place()).When(Settle(Used(24, 86)));
        var first = Settled(Used(24, 86), Usd(101_320), Entry, [Part(1, 101_320)]);
        settled.When(Settle(Used(24, 86))).ThenRepeated(first);
        settled.When(Settle(Used(24, 86), outcome: CallOutcome.CallerGone)).ThenRepeated(first);
        settled.When(Settle(Used(86, 24))).ThenRejected(RejectionCode.ReferenceConflict);
        settled.When(Settle(new(0, 24, 0, 0, 86))).ThenRejected(RejectionCode.ReferenceConflict);
        settled.When(Settle(Used(24, 86), "openai/mini")).ThenRejected(RejectionCode.ReferenceConflict);
    }

    [Fact]
    public void A_late_charge_happens_once()
    {
        var late = GivenAccount(Prepaid(1, 10_000_000)).When(Place()).At(Noon + Lifetime).When(Settle(Used(24, 86)));
        late.When(Settle(Used(24, 86))).ThenRepeated(SettledLate(Used(24, 86), Usd(101_320), Entry, [Part(1, 101_320)]));
        late.When(Settle(Used(24, 87))).ThenRejected(RejectionCode.ReferenceConflict);
    }

    [Fact]
    public void What_was_delivered_is_charged_although_the_key_was_revoked_or_the_account_suspended()
    {
        var open = GivenAccount(Prepaid(1, 10_000_000)).When(Place());
        foreach (var stop in (AccountEvent[])[new KeyRevoked(Main, null), new AccountSuspended("fraud")])
        {
            open.And(stop).When(Settle(Used(24, 86))).Then(Settled(Used(24, 86), Usd(101_320), Entry, [Part(1, 101_320)]));
            open.And(stop).When(ReleaseByServer()).Then(new HoldReleased(HoldOf()));
            open.And(stop).When(Extend(Noon.AddHours(1))).Then(new HoldExtended(HoldOf(), Noon.AddHours(1)));
        }

        Given().When(Settle(Used(24, 86))).ThenRejected(RejectionCode.AccountNotFound);
        Given().When(ReleaseByServer()).ThenRejected(RejectionCode.AccountNotFound);
        Given().When(Extend(Noon)).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Fact]
    public void An_extended_hold_lapses_later()
    {
        var extended = GivenAccount(Prepaid(1, 10_000_000)).When(Place()).At(Noon.AddMinutes(5)).When(Extend(Noon.AddMinutes(15)));
        extended.Then(new HoldExtended(HoldOf(), Noon.AddMinutes(15)));
        extended.After.Wallet.NextDue.ShouldBe(Noon.AddMinutes(15));
        extended.At(Noon.AddMinutes(12)).When(Purchases.Sweep()).ThenNothing();
        extended.At(Noon.AddMinutes(12)).When(Settle(Used(24, 86))).Then(Settled(Used(24, 86), Usd(101_320), Entry, [Part(1, 101_320)]));
        extended.At(Noon.AddMinutes(15)).When(Purchases.Sweep()).Then(new HoldExpired(HoldOf(), Noon.AddMinutes(15)));
    }

    [Fact]
    public void A_hold_is_never_shortened_and_lasts_as_long_already()
    {
        var open = GivenAccount(Prepaid(1, 10_000_000)).When(Place());
        open.When(Extend(Noon + Lifetime)).ThenNothing();
        open.When(Extend(Noon)).ThenNothing();
        open.When(Extend(Noon.AddHours(1))).When(Extend(Noon.AddMinutes(30))).ThenNothing();
        open.When(Extend(Noon.AddHours(1))).When(Extend(Noon.AddHours(2))).Then(new HoldExtended(HoldOf(), Noon.AddHours(2)));
    }

    [Fact]
    public void A_tools_hold_is_not_settled_as_a_call()
    {
        var tool = GivenAccount(Granted(1, 100), Held("2", 10, allocated: Share(1, 10)));
        var asCall = new SettleCall(Alice, Hold(), Record(Used(0, 0)));
        tool.When(asCall).ThenRejected(RejectionCode.HoldNotFound);
        tool.At(Noon.AddHours(1)).When(asCall).ThenRejected(RejectionCode.HoldNotFound);
        tool.And(Settled("2", 10, [Share(1, 10)])).When(asCall).ThenRejected(RejectionCode.HoldNotFound);
    }

    [Fact]
    public void A_tool_finds_no_calls_hold_although_only_what_ended_it_is_at_hand()
    {
        var settled = GivenAccount(Prepaid(1, 10_000_000)).When(Place()).When(Settle(Used(24, 86)));
        var past = Past.Of(settled.History[^1]);
        foreach (var command in (AccountCommand[])[SettleByTool(110), ReleaseByTool()])
            settled
                .After.Transact(command, new(Noon, Prices.Card, past))
                .Decision.ShouldBe(new Decision<AccountEvent>.Rejected(RejectionCode.HoldNotFound));
    }

    [Fact]
    public void A_call_that_is_given_back_returns_the_money_and_takes_debt_off()
    {
        var reversed = GivenAccount(Prepaid(1, 400_000))
            .When(Place())
            .When(Settle(Used(1_000, 200)))
            .When(new ReverseSpend(Alice, OfSettlement, "wrong"));
        reversed.Then(
            new SpendReversed(
                OfSettlement,
                Main,
                Route,
                Usd(500_000),
                Noon,
                [Part(1, 400_000)],
                Usd(100_000),
                "wrong",
                Noon,
                null,
                Entry,
                DeepSeek
            )
        );
        reversed.After.Wallet.Available(Unit.Usd, Noon).ShouldBe(Usd(400_000));
    }

    [Fact]
    public void The_limit_of_its_key_gets_it_back_in_the_period_of_the_hold()
    {
        var given = GivenAccount(Prepaid(1, 1_000_000), Created(Other, limitUsd: Usd(500_000), reset: LimitReset.Daily));
        var settled = given.When(Place(key: Other)).When(Settle(Used(24, 86)));
        settled.After.Keys.Find(Other)!.UsedUsd.ShouldBe(101_320);
        settled.When(new ReverseSpend(Alice, OfSettlement, "wrong")).After.Keys.Find(Other)!.UsedUsd.ShouldBe(0);
    }

    [Fact]
    public void Of_two_reasons_the_one_that_stands_first_is_given()
    {
        var given = GivenAccount(
            Prepaid(1, 1),
            Created(Other, models: "mini", limitUsd: Usd(0)),
            Created(OnQuota, billing: KeyBilling.Subscription, models: "mini")
        );
        given.When(Place(Ask() with { Payment = CallPayment.Pack }, OnQuota)).ThenRejected(RejectionCode.KeyKindNotAllowed);
        given.When(Place(key: OnQuota)).ThenRejected(RejectionCode.ModelNotAllowed);
        given.When(Place(Ask("claude-haiku-4-5", input: -1), OnQuota)).ThenRejected(RejectionCode.ModelNotAllowed);
        given.When(Place(Ask("nosuch"), OnQuota)).ThenRejected(RejectionCode.NoActiveSubscription);
        given.When(Place(Ask("openai/mini", input: -1), OnQuota)).ThenRejected(RejectionCode.NoActiveSubscription);
        given.When(Place(Ask("nosuch", input: -1), Other)).ThenRejected(RejectionCode.UnknownModel);
        given.When(Place(Ask("openai/mini", input: -1), Other)).ThenRejected(RejectionCode.AmountOutOfRange);
        given.When(Place(Ask("openai/mini"), Other)).ThenRejected(RejectionCode.KeyLimitReached);
        given.When(Place(Ask("openai/mini"))).ThenRejected(RejectionCode.InsufficientCredits);
    }
}
