using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests;

public class EventIdsTests
{
    private static readonly AccountId Bob = new("bob0000000000000");
    private static readonly HoldId AHold = new(new("11111111-1111-8111-8111-111111111111"));

    /// <summary>Ids are in every log there is: a change here is a change of the stored format.</summary>
    [Fact]
    public void Ids_are_what_they_always_were()
    {
        EventIds.Use(Alice, "chat", "r1").ToString().ShouldBe("c8545604-b2ee-8160-a31a-c270c75bece9");
        EventIds.Call(Alice, "chat/completions", "r1").ToString().ShouldBe("c8545604-b2ee-8361-8b84-133e5a2f72e9");
        EventIds.Grant(Alice, "operator", "payment-1").ToString().ShouldBe("c8545604-b2ee-8078-946f-26f85649eb92");
        EventIds.HoldEnd(Alice, AHold).ToString().ShouldBe("c8545604-b2ee-8c04-91cb-c5b4f6327919");
        EventIds.LateSettlement(Alice, AHold).ToString().ShouldBe("c8545604-b2ee-8d96-b258-093262d7a187");
        EventIds.Reversal(Alice, new(AHold.Value)).ToString().ShouldBe("c8545604-b2ee-8455-b9d2-f6b68556632e");
        EventIds.Opening(Alice).ToString().ShouldBe("c8545604-b2ee-8a72-8aa3-29447f1a6290");
        EventIds.KeyCreation(Alice, Main).ToString().ShouldBe("c8545604-b2ee-85c6-aefa-f4462e35ec9f");
        EventIds.KeyRevocation(Alice, Main).ToString().ShouldBe("c8545604-b2ee-8645-aa71-c9d75cb67f5a");
        EventIds.Request(Alice, "request-1").ToString().ShouldBe("c8545604-b2ee-84f2-9dbf-88b99e6b61f8");
        EventIds.OrderOpening(Alice, TheOrder).ToString().ShouldBe("c8545604-b2ee-899c-952e-5423e6f48d0a");
        EventIds.OrderOf(Alice, "stripe", "in_1").ToString().ShouldBe("97683cc20045816e");
        EventIds.AutomaticOrder(Alice, AHold.Value, 7).ToString().ShouldBe("96336463ab182471");
        EventIds.OrderSession(Alice, TheOrder, "cs_1").ToString().ShouldBe("c8545604-b2ee-8329-bf50-a9709b70713f");
        EventIds.OrderExpiry(Alice, TheOrder).ToString().ShouldBe("c8545604-b2ee-8d74-a467-92d28815589c");
        EventIds.Payment(Alice, "stripe", "cs_1").ToString().ShouldBe("c8545604-b2ee-83ca-b45d-3e7f57b305e4");
        EventIds.PaymentMismatch(Alice, TheOrder, "stripe", "cs_1").ToString().ShouldBe("c8545604-b2ee-8369-85ae-5902bb6c90a0");
        EventIds.Refund(Alice, TheOrder, Amount.Usd(9)).ToString().ShouldBe("c8545604-b2ee-865c-b718-77f05c8979b2");
        EventIds.Dispute(Alice, TheOrder, "dp_1").ToString().ShouldBe("c8545604-b2ee-85a0-8c2b-1e6e69d92caa");
        EventIds.DisputeWin(Alice, TheOrder, "dp_1").ToString().ShouldBe("c8545604-b2ee-8dbd-ad43-69bfc27c940b");
        EventIds.Customer(Alice, "stripe", "cus_1").ToString().ShouldBe("c8545604-b2ee-8547-b816-a240debac427");
        EventIds.Subscription(Alice, "stripe", "sub_1").ToString().ShouldBe("c8545604-b2ee-8890-9752-844f206b7465");
        EventIds.Reset(Alice, Billed(), 3).ToString().ShouldBe("c8545604-b2ee-8722-851b-1ecc11334f69");
        EventIds.SubscriptionEnd(Alice, Billed()).ToString().ShouldBe("c8545604-b2ee-804e-831d-b63a56a226e0");
        EventIds
            .For(Alice, new PocketExpired(new(1), Amount.Credits(1), Noon), AHold.Value, 7)
            .ToString()
            .ShouldBe("c8545604-b2ee-8c03-bb27-e4caac5c9ef4");
    }

    [Fact]
    public void Parts_are_told_apart_by_their_length()
    {
        EventIds.Use(Alice, "a", "bc").ShouldNotBe(EventIds.Use(Alice, "ab", "c"));
        EventIds.Use(Alice, "", "abc").ShouldNotBe(EventIds.Use(Alice, "abc", ""));
        EventIds.Derive(Alice, "k").ShouldNotBe(EventIds.Derive(Alice, "k", ""));
        EventIds.Derive(Alice, "k", "ab").ShouldNotBe(EventIds.Derive(Alice, "k", "a", "b"));
        EventIds.Derive(new("ab"), "k").ShouldNotBe(EventIds.Derive(new("b"), "ka"));
    }

    [Fact]
    public void References_are_compared_ordinally_and_never_cut()
    {
        EventIds.Use(Alice, "chat", "R1").ShouldNotBe(EventIds.Use(Alice, "chat", "r1"));
        EventIds.Use(Alice, "chat", "é").ShouldNotBe(EventIds.Use(Alice, "chat", "e\u0301"));
        EventIds.Use(Alice, "chat", new string('x', 5000) + "1").ShouldNotBe(EventIds.Use(Alice, "chat", new string('x', 5000) + "2"));
    }

    [Fact]
    public void No_two_kinds_share_an_id()
    {
        Guid[] ids =
        [
            EventIds.Use(Alice, "x", "y"),
            EventIds.Call(Alice, "x", "y"),
            EventIds.Grant(Alice, "x", "y"),
            EventIds.Grant(Alice, "x", "y", 1),
            EventIds.HoldEnd(Alice, AHold),
            EventIds.LateSettlement(Alice, AHold),
            EventIds.Reversal(Alice, new(AHold.Value)),
            EventIds.Opening(Alice),
            EventIds.KeyCreation(Alice, Main),
            EventIds.KeyRevocation(Alice, Main),
            EventIds.Request(Alice, "x"),
            EventIds.Request(Alice, AHold.ToString()),
            EventIds.OrderOpening(Alice, TheOrder),
            EventIds.OrderExpiry(Alice, TheOrder),
            EventIds.OrderSession(Alice, TheOrder, "x"),
            EventIds.Payment(Alice, "x", "y"),
            EventIds.PaymentMismatch(Alice, TheOrder, "x", "y"),
            EventIds.Refund(Alice, TheOrder, Amount.Usd(1)),
            EventIds.Refund(Alice, TheOrder, Amount.Usd(2)),
            EventIds.Dispute(Alice, TheOrder, "x"),
            EventIds.DisputeWin(Alice, TheOrder, "x"),
            EventIds.Customer(Alice, "x", "y"),
            EventIds.Subscription(Alice, "x", "y"),
            EventIds.Reset(Alice, Billed(), 0),
            EventIds.Reset(Alice, Billed(), 1),
            EventIds.SubscriptionEnd(Alice, Billed()),
        ];
        ids.ShouldBeUnique();
    }

    [Fact]
    public void The_first_48_bits_come_from_the_account_alone()
    {
        static string Prefix(Guid id) => id.ToString("N")[..12];

        Prefix(EventIds.Use(Alice, "chat", "r1")).ShouldBe(Prefix(EventIds.Grant(Alice, "operator", "p")));
        Prefix(EventIds.Use(Alice, "chat", "r1")).ShouldNotBe(Prefix(EventIds.Use(Bob, "chat", "r1")));
        EventIds.Use(Alice, "chat", "r1").ToString("N")[12..].ShouldNotBe(EventIds.Use(Bob, "chat", "r1").ToString("N")[12..]);
    }

    [Fact]
    public void Every_id_is_a_version_8_uuid() =>
        Property.ForAll(
            FsCheck.Fluent.Gen.Choose(0, int.MaxValue),
            seed =>
            {
                var id = EventIds.Request(Alice, seed.ToString(System.Globalization.CultureInfo.InvariantCulture));
                (id.Version, id.Variant & 0xC).ShouldBe((8, 8));
            }
        );

    [Fact]
    public void A_spend_and_a_hold_share_an_id() =>
        new Spend(Alice, Main, "chat", Quantity.Of(1), "r1").Id.ShouldBe(
            new PlaceHold(Alice, Main, "chat", Quantity.Of(2), "r1", TimeSpan.FromHours(1)).Id
        );

    [Fact]
    public void A_call_stands_under_the_id_of_its_hold() =>
        Metering.Calls.Place().Id.ShouldBe(EventIds.Call(Alice, Metering.Calls.Route, "c1"));

    [Fact]
    public void Every_end_of_a_hold_has_the_same_id_and_its_late_settlement_another()
    {
        var settle = new SettleHold(Alice, Main, AHold, Quantity.Of(1));
        settle.Id.ShouldBe(new ReleaseHold(Alice, Main, AHold).Id);
        EventIds.For(Alice, new HoldExpired(AHold, Noon), default, 1).ShouldBe(settle.Id);
        EventIds.For(Alice, new HoldReleased(AHold), default, 1).ShouldBe(settle.Id);
        EventIds.LateSettlement(Alice, AHold).ShouldNotBe(settle.Id);
        new SettleCall(Alice, AHold, Metering.Calls.Record(default)).Id.ShouldBe(settle.Id);
    }

    [Fact]
    public void The_names_that_ids_are_made_into_are_as_long_as_any_other_order() =>
        (EventIds.OrderOf(Alice, "stripe", "in_1").Value.Length, EventIds.AutomaticOrder(Alice, AHold.Value, 7).Value.Length).ShouldBe(
            (16, 16)
        );

    /// <summary>What brings about the event does not matter, so that a sweep, a spend and an invoice cannot each do it.</summary>
    [Fact]
    public void A_period_begins_and_a_payment_counts_under_one_id_whoever_brings_it()
    {
        AccountEvent[] once =
        [
            Reset(Billed(), 3),
            new SubscriptionEnded(Billed(), Noon, "canceled"),
            Started(Stripe),
            Opened(),
            Paid(1),
            new OrderExpired(TheOrder, Noon),
            new OrderRefunded(TheOrder, Amount.Usd(1)),
            new OrderDisputed(TheOrder, "dp_1", Amount.Usd(1)),
            new DisputeWon(TheOrder, "dp_1"),
        ];
        foreach (var @event in once)
            EventIds.For(Alice, @event, AHold.Value, 1).ShouldBe(EventIds.For(Alice, @event, default, 2));
        once.Select(@event => EventIds.For(Alice, @event, default, 1)).ShouldBeUnique();
    }

    [Fact]
    public void A_command_stands_under_the_id_of_the_event_that_answers_it()
    {
        Confirm().Id.ShouldBe(EventIds.For(Alice, Paid(1), default, 1));
        Refund(9).Id.ShouldBe(EventIds.For(Alice, new OrderRefunded(TheOrder, Amount.Usd(9)), default, 1));
        Dispute().Id.ShouldBe(EventIds.For(Alice, new OrderDisputed(TheOrder, "dp_1", Amount.Usd(9)), default, 1));
        Win().Id.ShouldBe(EventIds.For(Alice, new DisputeWon(TheOrder, "dp_1"), default, 1));
        new ExpireOrder(Alice, TheOrder).Id.ShouldBe(EventIds.For(Alice, new OrderExpired(TheOrder, Noon), default, 1));
        new AttachSession(Alice, TheOrder, "cs_1").Id.ShouldBe(EventIds.For(Alice, new OrderSessionOpened(TheOrder, "cs_1"), default, 1));
        new LinkCustomer(Alice, Stripe, "cus_1").Id.ShouldBe(EventIds.For(Alice, new CustomerLinked(Stripe, "cus_1"), default, 1));
    }

    [Fact]
    public void The_id_of_an_event_does_not_depend_on_the_command_where_it_may_happen_only_once()
    {
        foreach (AccountEvent @event in (AccountEvent[])[new AccountOpened(null), new HoldReleased(AHold), new KeyRevoked(Main, null)])
            EventIds.For(Alice, @event, AHold.Value, 1).ShouldBe(EventIds.For(Alice, @event, default, 2));
    }
}
