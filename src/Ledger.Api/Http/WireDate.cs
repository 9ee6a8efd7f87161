using System.Globalization;

namespace Ledger.Api.Http;

/// <summary>Days and months on the wire, all of them UTC.</summary>
internal static class WireDate
{
    private static readonly DateOnly First = new(2000, 1, 1);
    private static readonly DateOnly Last = new(2999, 12, 31);

    /// <summary>The first moment of a day.</summary>
    public static DateTimeOffset StartOf(DateOnly day) => new(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);

    /// <summary>The day that a time lies in.</summary>
    public static DateOnly DayOf(DateTimeOffset at) => DateOnly.FromDateTime(at.UtcDateTime);

    /// <summary>A day as text.</summary>
    public static string Format(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>A month as text.</summary>
    public static string FormatMonth(DateOnly day) => day.ToString("yyyy-MM", CultureInfo.InvariantCulture);

    /// <summary>Reads a day; null, and a fault, where it is none.</summary>
    public static DateOnly? Read(string? text, string field, JsonFaults faults)
    {
        if (text is null)
            return null;
        if (
            DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && day >= First
            && day <= Last
        )
            return day;
        faults.Add(field, "must be a day such as 2026-11-30, from the year 2000 on");
        return null;
    }

    /// <summary>Reads a month, as its first day; null where it is none.</summary>
    public static DateOnly? ReadMonth(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM", CultureInfo.InvariantCulture, DateTimeStyles.None, out var month)
        && month >= First
        && month <= Last
            ? month
            : null;

    /// <summary>Reads a range of days, both inclusive; where an end is left out it is open.</summary>
    public static (DateOnly? From, DateOnly? To) ReadRange(string? from, string? to, JsonFaults faults)
    {
        var (first, last) = (Read(from, "from", faults), Read(to, "to", faults));
        if (first > last)
            faults.Add("to", "must not be before from");
        return (first, last);
    }

    /// <summary>Reads a moment: a time, or a day, which stands for its last microsecond. Null, and a fault, where it is neither or lies in the future.</summary>
    public static DateTimeOffset? ReadMoment(string? text, string field, DateTimeOffset now, JsonFaults faults)
    {
        if (text is null)
            return null;
        DateTimeOffset? at =
            WireTime.TryParse(text, out var time) ? time
            : DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && day < DateOnly.MaxValue
                ? StartOf(day.AddDays(1)).AddMicroseconds(-1)
            : null;
        if (at is null || at < StartOf(First))
        {
            faults.Add(field, "must be a day such as 2026-11-30, or a time such as 2026-11-30T12:00:00Z, from the year 2000 on");
            return null;
        }

        // Today is not over; what is meant is what there is by now.
        if (at > now && DayOf(at.Value) == DayOf(now) && text.Length == 10)
            return now;
        if (at <= now)
            return at;
        faults.Add(field, "must not be in the future");
        return null;
    }
}
