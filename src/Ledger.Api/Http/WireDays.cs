using System.Globalization;

namespace Ledger.Api.Http;

/// <summary>A range of UTC days as queries name it: <c>from</c> and <c>to</c>, both inclusive.</summary>
/// <param name="From">The first day.</param>
/// <param name="To">The last.</param>
internal readonly record struct WireDays(DateOnly From, DateOnly To)
{
    /// <summary>The longest range, in days.</summary>
    public const int Most = 3660;

    /// <summary>Reads a range; the last 30 days up to today where nothing is said.</summary>
    public static WireDays Read(string? from, string? to, DateTimeOffset now, JsonFaults faults)
    {
        var today = WireDate.DayOf(now);
        var last = Day(to, "to", faults) ?? today;
        var first = Day(from, "from", faults) ?? (last > DateOnly.MinValue.AddDays(29) ? last.AddDays(-29) : DateOnly.MinValue);
        if (!faults.IsEmpty)
            return default;
        if (last < first)
            faults.Add("to", "must not be before from");
        else if (last.DayNumber - first.DayNumber >= Most)
            faults.Add("from", string.Create(CultureInfo.InvariantCulture, $"must be at most {Most} days before to"));
        else if (last == DateOnly.MaxValue)
            faults.Add("to", "is too late");
        return new(first, last);
    }

    private static DateOnly? Day(string? text, string name, JsonFaults faults)
    {
        if (text is null)
            return null;
        if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            return day;
        faults.Add(name, "must be a UTC date such as 2026-07-03");
        return null;
    }
}
