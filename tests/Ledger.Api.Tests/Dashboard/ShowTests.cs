using Ledger.Api.Dashboard;
using Ledger.Api.Dashboard.Overview;
using Ledger.Domain.Money;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>How the dashboard writes figures: exactly, whatever they are.</summary>
public sealed class ShowTests
{
    [Theory]
    [InlineData(0, Unit.Credits, "0 credits")]
    [InlineData(1_000_000, Unit.Credits, "1 credit")]
    [InlineData(1, Unit.Credits, "0.000001 credits")]
    [InlineData(1_234_500_000, Unit.Credits, "1,234.5 credits")]
    [InlineData(-999_000_000, Unit.Credits, "−999 credits")]
    [InlineData(long.MaxValue, Unit.Credits, "9,223,372,036,854.775807 credits")]
    [InlineData(long.MinValue, Unit.Credits, "−9,223,372,036,854.775808 credits")]
    [InlineData(5_000_000_000, Unit.Usd, "$5.00")]
    [InlineData(500_000_000, Unit.Usd, "$0.50")]
    [InlineData(1, Unit.Usd, "$0.000000001")]
    [InlineData(-1_234_560_000_000, Unit.Usd, "−$1,234.56")]
    public void Money_is_written_to_its_last_place(long parts, Unit unit, string text) => Show.Amount(new(parts, unit)).ShouldBe(text);

    [Theory]
    [InlineData(0, "now")]
    [InlineData(61, "in 1 minute")]
    [InlineData(-7_200, "2 hours ago")]
    [InlineData(172_800, "in 2 days")]
    public void Distances_have_one_unit(int seconds, string text) =>
        Show.Distance(DateTimeOffset.UnixEpoch.AddSeconds(seconds), DateTimeOffset.UnixEpoch).ShouldBe(text);

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    [InlineData(1_000_000, 1_000_000)]
    [InlineData(1_000_001, 2_000_000)]
    [InlineData(long.MaxValue, 1_000_000_000_000_000_000)]
    public void An_axis_ends_at_a_round_number(long most, long top) => ChartScale.Top([new("", new(most, Unit.Credits))]).ShouldBe(top);

    [Theory]
    [InlineData(0, 100, 0)]
    [InlineData(1, 1_000_000, 100)]
    [InlineData(50, 100, 5_000)]
    [InlineData(long.MaxValue, long.MaxValue, 10_000)]
    public void A_bar_is_as_high_as_its_part_of_the_axis_and_never_too_low_to_be_seen(long parts, long top, int height) =>
        ChartScale.Height(parts, top).ShouldBe(height);

    [Theory]
    [InlineData(100, 10, 10 * 1440)]
    [InlineData(0, 10, 0)]
    [InlineData(1, 3, 480)]
    [InlineData(long.MaxValue, 1, 36_500 * 1440)]
    public void What_is_left_lasts_as_long_as_it_is_spent(long available, long perDay, int minutes) =>
        OverviewDesk.RunwayOf(new(available, Unit.Credits), new(perDay, Unit.Credits)).ShouldBe(TimeSpan.FromMinutes(minutes));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 1)]
    [InlineData(1, 1)]
    [InlineData(1.01, 2)]
    [InlineData(5.5, 6)]
    [InlineData(6.4, 7)]
    [InlineData(400, 7)]
    public void Spent_per_day_is_of_the_days_that_an_account_has_had_and_of_seven_at_most(double age, int days)
    {
        var now = new DateTimeOffset(2026, 7, 8, 12, 0, 0, TimeSpan.Zero);
        OverviewDesk.SpendingDays(now.AddDays(-age), now).ShouldBe(days);
    }

    [Fact]
    public void What_is_not_spent_lasts_for_no_time_that_could_be_told() =>
        OverviewDesk.RunwayOf(Amount.Credits(5), Amount.Zero(Unit.Credits)).ShouldBeNull();
}
