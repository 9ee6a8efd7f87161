using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

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
        EventIds.Grant(Alice, "operator", "payment-1").ToString().ShouldBe("c8545604-b2ee-8078-946f-26f85649eb92");
        EventIds.HoldEnd(Alice, AHold).ToString().ShouldBe("c8545604-b2ee-8c04-91cb-c5b4f6327919");
        EventIds.LateSettlement(Alice, AHold).ToString().ShouldBe("c8545604-b2ee-8d96-b258-093262d7a187");
        EventIds.Reversal(Alice, new(AHold.Value)).ToString().ShouldBe("c8545604-b2ee-8455-b9d2-f6b68556632e");
        EventIds.Opening(Alice).ToString().ShouldBe("c8545604-b2ee-8a72-8aa3-29447f1a6290");
        EventIds.KeyCreation(Alice, Main).ToString().ShouldBe("c8545604-b2ee-85c6-aefa-f4462e35ec9f");
        EventIds.KeyRevocation(Alice, Main).ToString().ShouldBe("c8545604-b2ee-8645-aa71-c9d75cb67f5a");
        EventIds.Request(Alice, "request-1").ToString().ShouldBe("c8545604-b2ee-84f2-9dbf-88b99e6b61f8");
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
    public void Every_end_of_a_hold_has_the_same_id_and_its_late_settlement_another()
    {
        var settle = new SettleHold(Alice, Main, AHold, Quantity.Of(1));
        settle.Id.ShouldBe(new ReleaseHold(Alice, Main, AHold).Id);
        EventIds.For(Alice, new HoldExpired(AHold, Noon), default, 1).ShouldBe(settle.Id);
        EventIds.For(Alice, new HoldReleased(AHold), default, 1).ShouldBe(settle.Id);
        EventIds.LateSettlement(Alice, AHold).ShouldNotBe(settle.Id);
    }

    [Fact]
    public void The_id_of_an_event_does_not_depend_on_the_command_where_it_may_happen_only_once()
    {
        foreach (AccountEvent @event in (AccountEvent[])[new AccountOpened(null), new HoldReleased(AHold), new KeyRevoked(Main, null)])
            EventIds.For(Alice, @event, AHold.Value, 1).ShouldBe(EventIds.For(Alice, @event, default, 2));
    }
}
