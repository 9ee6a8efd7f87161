using System.Globalization;
using Ledger.Domain.Keys;

namespace Ledger.Domain.Tests.Keys;

public class LimitWindowTests
{
    private static DateTimeOffset At(string time) => DateTimeOffset.Parse(time, CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(LimitReset.Daily, "2026-03-04T00:00:00Z")]
    [InlineData(LimitReset.Daily, "2024-02-29T00:00:00Z")]
    [InlineData(LimitReset.Daily, "2024-03-01T00:00:00Z")]
    [InlineData(LimitReset.Daily, "2027-01-01T00:00:00Z")]
    [InlineData(LimitReset.Weekly, "2026-03-02T00:00:00Z")]
    [InlineData(LimitReset.Weekly, "2024-12-30T00:00:00Z")]
    [InlineData(LimitReset.Weekly, "2024-02-26T00:00:00Z")]
    [InlineData(LimitReset.Monthly, "2026-03-01T00:00:00Z")]
    [InlineData(LimitReset.Monthly, "2024-03-01T00:00:00Z")]
    [InlineData(LimitReset.Monthly, "2027-01-01T00:00:00Z")]
    [InlineData(LimitReset.Monthly, "2000-03-01T00:00:00Z")]
    public void A_window_starts_here(LimitReset reset, string start)
    {
        LimitWindow.Of(reset, At(start)).ShouldBe(LimitWindow.Of(reset, At(start).AddTicks(-1)) + 1);
        LimitWindow.Of(reset, At(start)).ShouldBe(LimitWindow.Of(reset, At(start).AddHours(23)));
    }

    [Fact]
    public void Every_start_of_a_window_in_forty_years_is_at_midnight_on_the_right_day_and_no_window_is_skipped()
    {
        foreach (var reset in Enum.GetValues<LimitReset>())
        {
            var before = LimitWindow.Of(reset, At("2000-01-01T00:00:00Z").AddTicks(-1));
            for (var day = At("2000-01-01T00:00:00Z"); day.Year < 2040; day = day.AddDays(1))
            {
                var starts = reset switch
                {
                    LimitReset.None => false,
                    LimitReset.Daily => true,
                    LimitReset.Weekly => day.DayOfWeek == DayOfWeek.Monday,
                    LimitReset.Monthly => day.Day == 1,
                };
                LimitWindow.Of(reset, day).ShouldBe(starts ? before + 1 : before, $"{reset} {day}");
                before = LimitWindow.Of(reset, day.AddDays(1).AddTicks(-1));
                before.ShouldBe(LimitWindow.Of(reset, day), $"{reset} {day}");
            }
        }
    }

    [Fact]
    public void A_window_does_not_depend_on_the_offset_in_which_a_time_is_written()
    {
        foreach (var reset in Enum.GetValues<LimitReset>())
            LimitWindow.Of(reset, At("2026-03-01T01:30:00+02:00")).ShouldBe(LimitWindow.Of(reset, At("2026-02-28T23:30:00Z")));
    }

    [Fact]
    public void A_life_has_one_window() =>
        LimitWindow.Of(LimitReset.None, DateTimeOffset.MaxValue).ShouldBe(LimitWindow.Of(LimitReset.None, DateTimeOffset.MinValue));
}
