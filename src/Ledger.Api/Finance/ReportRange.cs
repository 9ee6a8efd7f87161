using Ledger.Api.Http;

namespace Ledger.Api.Finance;

/// <summary>Which days a report is about, both ends inclusive, and whether it goes by day or by month.</summary>
/// <param name="From">The first day.</param>
/// <param name="To">The last day.</param>
/// <param name="ByMonth">Whether by month.</param>
internal sealed record ReportRange(DateOnly From, DateOnly To, bool ByMonth)
{
    private const int MaxDays = 366;
    private const int MaxMonths = 120;

    /// <summary><c>day</c> or <c>month</c>.</summary>
    public string Group => ByMonth ? "month" : "day";

    /// <summary>The first day of each day or month.</summary>
    public IEnumerable<DateOnly> Periods
    {
        get
        {
            for (var day = From; day <= To; day = ByMonth ? KeyOf(day).AddMonths(1) : day.AddDays(1))
                yield return day;
        }
    }

    /// <summary>By which day sums of such a day or month are kept.</summary>
    public DateOnly KeyOf(DateOnly first) => ByMonth ? new(first.Year, first.Month, 1) : first;

    /// <summary>Reads a range; this month up to today where nothing is said. Without meaning where faults were noted.</summary>
    public static ReportRange Read(string? from, string? to, string? group, DateOnly today, JsonFaults faults)
    {
        var (first, last) = WireDate.ReadRange(from, to, faults);
        if (group is not (null or "day" or "month"))
            faults.Add("group", "must be day or month");
        var end = last ?? (first > today ? first.Value : today);
        var start = first ?? new DateOnly(end.Year, end.Month, 1);
        var byMonth = group == "month";
        if (byMonth ? start.AddMonths(MaxMonths) <= end : start.AddDays(MaxDays) <= end)
            faults.Add(
                "from",
                byMonth ? "must be at most 120 months before to" : "must be at most 366 days before to; ask by month for more"
            );
        return new(start, end, byMonth);
    }
}
