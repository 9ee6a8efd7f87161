using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Ledger.Domain.Subscriptions;

namespace Ledger.Domain.Tests.Subscriptions;

public class PeriodsTests
{
    /// <summary>From 2000 to 2090, to the microsecond, on every day of a month and at every time of a day.</summary>
    private static readonly Gen<DateTimeOffset> Anchors =
        from day in Gen.Choose(0, 90 * 365)
        from second in Gen.Choose(0, 86_399)
        from micro in Gen.Choose(0, 999_999)
        select new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero).AddDays(day).AddSeconds(second).AddMicroseconds(micro);

    [Theory]
    [InlineData("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31")]
    [InlineData("2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31")]
    [InlineData("2026-01-30", "2026-02-28", "2026-03-30", "2026-04-30", "2026-05-30")]
    [InlineData("2026-12-15", "2027-01-15", "2027-02-15", "2027-03-15", "2027-04-15")]
    [InlineData("2024-02-29", "2024-03-29", "2024-04-29", "2024-05-29", "2024-06-29")]
    public void A_month_without_the_anchors_day_ends_the_period_on_its_last_day_and_the_next_has_it_again(params string[] starts) =>
        starts.Select((_, index) => Periods.Start(At(starts[0]), index)).ShouldBe(starts.Select(At));

    [Fact]
    public void A_leap_day_comes_back_every_fourth_year()
    {
        var anchor = At("2024-02-29");
        Periods.Start(anchor, 12).ShouldBe(At("2025-02-28"));
        Periods.Start(anchor, 48).ShouldBe(At("2028-02-29"));
        Periods.Start(At("2096-02-29"), 48).ShouldBe(At("2100-02-28"), "1900 and 2100 are no leap years");
    }

    [Fact]
    public void The_time_of_day_stays_and_is_reckoned_in_utc()
    {
        var anchor = new DateTimeOffset(2026, 1, 31, 23, 59, 59, 999, TimeSpan.Zero);
        Periods.Start(anchor, 1).ShouldBe(new DateTimeOffset(2026, 2, 28, 23, 59, 59, 999, TimeSpan.Zero));

        // Half past midnight on 1 March in Berlin is still February in UTC.
        var berlin = new DateTimeOffset(2026, 3, 1, 0, 30, 0, TimeSpan.FromHours(1));
        Periods.Start(berlin, 1).ShouldBe(new DateTimeOffset(2026, 3, 28, 23, 30, 0, TimeSpan.Zero));
    }

    [Fact]
    public void Each_period_starts_later_than_the_one_before() =>
        Property.ForAll(
            from anchor in Anchors
            from index in Gen.Choose(-120, 600)
            select (anchor, index),
            one => Periods.Start(one.anchor, one.index + 1).ShouldBeGreaterThan(Periods.Start(one.anchor, one.index)),
            2000
        );

    [Fact]
    public void The_start_of_a_period_is_nearest_to_itself() =>
        Property.ForAll(
            from anchor in Anchors
            from index in Gen.Choose(-120, 600)
            select (anchor, index),
            one => Periods.Nearest(one.anchor, Periods.Start(one.anchor, one.index)).ShouldBe(one.index),
            2000
        );

    /// <summary>A provider's clock differs by seconds, and it may bill a day early or late.</summary>
    [Fact]
    public void A_period_is_known_by_a_start_that_is_up_to_ten_days_off() =>
        Property.ForAll(
            from anchor in Anchors
            from index in Gen.Choose(-120, 600)
            from seconds in Gen.Choose(-864_000, 864_000)
            select (anchor, index, seconds),
            one => Periods.Nearest(one.anchor, Periods.Start(one.anchor, one.index).AddSeconds(one.seconds)).ShouldBe(one.index),
            2000
        );

    [Theory]
    [InlineData("2026-02-28T11:59:58Z", 1)]
    [InlineData("2026-02-28T12:00:03Z", 1)]
    [InlineData("2026-03-01T12:00:00Z", 1)]
    [InlineData("2026-02-27T12:00:00Z", 1)]
    [InlineData("2026-03-30T12:00:00Z", 2)]
    [InlineData("2026-04-01T12:00:00Z", 2)]
    [InlineData("2026-01-31T12:00:00Z", 0)]
    [InlineData("2025-12-31T12:00:00Z", -1)]
    public void A_provider_that_bills_a_little_early_or_late_means_the_same_period(string start, long period) =>
        Periods.Nearest(At("2026-01-31").AddHours(12), At(start)).ShouldBe(period);

    [Fact]
    public void A_quota_window_never_falls_and_ends_after_every_time_in_it() =>
        Property.ForAll(
            from anchor in Anchors
            from seconds in Gen.Choose(-400_000, 40_000_000)
            from later in Gen.Choose(0, 400_000)
            select (anchor, at: anchor.AddSeconds(seconds), later: anchor.AddSeconds((long)seconds + later)),
            one =>
            {
                var window = Periods.WindowOf(one.anchor, one.at);
                window.ShouldBeGreaterThanOrEqualTo(0);
                Periods.WindowOf(one.anchor, one.later).ShouldBeGreaterThanOrEqualTo(window);
                Periods.WindowEnd(one.anchor, window).ShouldBeGreaterThan(one.at);
                if (one.at >= one.anchor)
                    (Periods.WindowEnd(one.anchor, window) - Periods.QuotaWindow).ShouldBeLessThanOrEqualTo(one.at);
            },
            2000
        );

    [Fact]
    public void A_quota_window_is_24_hours_from_the_anchor_to_the_tick()
    {
        var anchor = At("2026-01-31").AddHours(12);
        Periods.WindowOf(anchor, anchor.AddHours(24).AddTicks(-1)).ShouldBe(0);
        Periods.WindowOf(anchor, anchor.AddHours(24)).ShouldBe(1);
        Periods.WindowEnd(anchor, 1).ShouldBe(anchor.AddHours(48));
    }

    [Fact]
    public void What_falls_on_the_rest_of_a_period_is_in_proportion_and_never_more_than_the_whole()
    {
        var (start, end) = (At("2026-03-01"), At("2026-03-31"));
        Periods.Remaining(300, start, end, start).ShouldBe(300);
        Periods.Remaining(300, start, end, start.AddDays(10)).ShouldBe(200);
        Periods.Remaining(300, start, end, end.AddTicks(-1)).ShouldBe(0);
        Periods.Remaining(300, start, end, end).ShouldBe(0);
        Periods.Remaining(300, start, end, end.AddDays(1)).ShouldBe(0);
        Periods.Remaining(300, start, end, start.AddDays(-1)).ShouldBe(300);
        Periods.Remaining(long.MaxValue, start, end, start.AddDays(15)).ShouldBe(long.MaxValue / 2);
    }

    private static DateTimeOffset At(string text) =>
        DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);
}
