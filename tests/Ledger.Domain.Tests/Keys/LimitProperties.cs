using System.Globalization;
using FsCheck.Fluent;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Keys;

/// <summary>Limit periods, and what counts in them, whatever happens.</summary>
public class LimitProperties
{
    private static readonly KeyId Child = new("key0000000000003");
    private static readonly KeyId Grandchild = new("key0000000000004");

    /// <summary>What period a time lies in, told by the calendar instead of by arithmetic.</summary>
    private static string Period(LimitReset reset, DateTimeOffset at)
    {
        var utc = at.UtcDateTime;
        return reset switch
        {
            LimitReset.None => "ever",
            LimitReset.Daily => utc.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            LimitReset.Weekly => $"{ISOWeek.GetYear(utc)}-{ISOWeek.GetWeekOfYear(utc)}",
            LimitReset.Monthly => utc.ToString("yyyy-MM", CultureInfo.InvariantCulture),
        };
    }

    [Fact]
    public void Two_times_share_a_window_just_where_the_calendar_says_so_and_no_window_comes_back()
    {
        var start = new DateTimeOffset(1999, 12, 1, 0, 0, 0, TimeSpan.Zero);
        var pairs =
            from reset in Gen.Elements(Enum.GetValues<LimitReset>())
            from minutes in Gen.Choose(0, 60 * 24 * 366 * 40)
            from later in Gen.OneOf(Gen.Choose(0, 3), Gen.Choose(0, 60 * 24 * 3), Gen.Choose(0, 60 * 24 * 400))
            from offset in Gen.Choose(-14 * 4, 14 * 4)
            select (Reset: reset, First: start.AddMinutes(minutes), Later: later, Offset: TimeSpan.FromMinutes(15 * offset));
        Property.ForAll(
            pairs,
            pair =>
            {
                var second = pair.First.AddMinutes(pair.Later).ToOffset(pair.Offset);
                var (before, after) = (LimitWindow.Of(pair.Reset, pair.First), LimitWindow.Of(pair.Reset, second));
                after.ShouldBeGreaterThanOrEqualTo(before);
                (after == before).ShouldBe(Period(pair.Reset, pair.First) == Period(pair.Reset, second), $"{pair}");
            },
            count: 2000
        );
    }

    [Theory]
    [InlineData("Europe/Berlin", "2026-03-28")]
    [InlineData("Europe/Berlin", "2026-10-24")]
    [InlineData("America/New_York", "2026-02-28")]
    [InlineData("America/New_York", "2026-10-31")]
    [InlineData("Pacific/Auckland", "2026-12-31")]
    [InlineData("Pacific/Auckland", "2028-02-28")]
    public void Clocks_that_are_put_forward_or_back_move_no_window(string zone, string around)
    {
        var place = TimeZoneInfo.FindSystemTimeZoneById(zone);
        var start = DateTimeOffset.Parse(around + "T00:00:00Z", CultureInfo.InvariantCulture);
        for (var at = start; at < start.AddDays(3); at = at.AddMinutes(10))
        {
            foreach (var reset in Enum.GetValues<LimitReset>())
                LimitWindow.Of(reset, TimeZoneInfo.ConvertTime(at, place)).ShouldBe(LimitWindow.Of(reset, at), $"{reset} {at:O}");
        }
    }

    /// <summary>Whatever keys in one line do within a period: each has used what it and those below it were charged, and what they hold.</summary>
    [Fact]
    public void Each_key_of_a_line_has_used_what_was_charged_and_is_held_below_it()
    {
        var steps = Gen.ArrayOf(
            from what in Gen.Choose(0, 5)
            from which in Gen.Choose(0, 2)
            from units in Gen.Choose(1, 4)
            select (What: what, Which: which, Units: units)
        );
        Property.ForAll(
            steps,
            all =>
            {
                KeyId[] line = [Other, Child, Grandchild];
                var scenario = GivenAccount(
                    Granted(1, 500),
                    Created(Other, limit: 200),
                    Created(Child, limit: 120) with
                    {
                        MintedBy = Other,
                    },
                    Created(Grandchild, limit: 60) with
                    {
                        MintedBy = Child,
                    }
                );
                var number = 0;
                foreach (var (what, which, units) in all)
                {
                    var key = line[which];
                    var open = scenario.After.Wallet.Holds.Values.OrderBy(hold => hold.Id.Value).ToList();
                    AccountCommand command = what switch
                    {
                        0 or 1 => new Spend(Alice, key, "chat", Quantity.Of(units), $"s{++number}"),
                        2 => new PlaceHold(Alice, key, "chat", Quantity.Of(units), $"h{++number}", TimeSpan.FromDays(1)),
                        3 when open.Count > 0 => new SettleHold(Alice, key, open[which % open.Count].Id, Quantity.Of(units - 1)),
                        4 when open.Count > 0 => new ReleaseHold(Alice, key, open[which % open.Count].Id),
                        _ => new ChangeKey(
                            Alice,
                            key,
                            EventIds.Request(Alice, $"c{++number}"),
                            new(Limit: new(Amount.Credits(50 * units)))
                        ),
                    };
                    scenario = scenario.When(command).And();
                }

                foreach (var key in line)
                {
                    var keys = scenario.After.Keys;
                    bool Counts(KeyId user) => keys.Line(user).Any(counted => counted.Id == key);
                    var charged = scenario.History.Sum(fact =>
                        fact.Event switch
                        {
                            CreditsSpent e when Counts(e.Key) => e.Charged.Parts,
                            HoldSettled e when Counts(e.Key) => e.Charged.Parts,
                            _ => 0,
                        }
                    );
                    var held = scenario.After.Wallet.Holds.Values.Where(hold => Counts(hold.Key)).Sum(hold => hold.Amount.Parts);
                    keys.Find(key)!.Used.ShouldBe(charged + held);
                }
            },
            shrink: Property.Shorter
        );
    }
}
