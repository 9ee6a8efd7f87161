using System.Globalization;
using Ledger.Domain.Money;

namespace Ledger.Api.Dashboard;

/// <summary>How the dashboard writes numbers, money and times: exactly, grouped by thousands, in UTC.</summary>
public static class Show
{
    /// <summary>An amount with its unit: <c>1,234.5 credits</c>, <c>$12.34</c>.</summary>
    public static string Amount(Amount amount) => amount.Unit == Unit.Usd ? Usd(amount) : $"{Figure(amount)} {UnitOf(amount)}";

    /// <summary>An amount without its unit: <c>1,234.5</c>; dollars have at least two places.</summary>
    public static string Figure(Amount amount)
    {
        var text = amount.ToDecimalString();
        var sign = text[0] == '-' ? "−" : "";
        text = text.TrimStart('-');
        var point = text.IndexOf('.', StringComparison.Ordinal);
        var (whole, fraction) = point < 0 ? (text, "") : (text[..point], text[(point + 1)..]);
        if (amount.Unit == Unit.Usd)
            fraction = fraction.PadRight(2, '0');
        return sign + Grouped(whole) + (fraction.Length > 0 ? "." + fraction : "");
    }

    /// <summary>A quantity of a price list, exact: <c>7,500</c>, <c>0.000001</c>.</summary>
    public static string Rate(Quantity quantity)
    {
        var parts = quantity.ToString().Split('.');
        return Grouped(parts[0]) + (parts.Length > 1 ? "." + parts[1] : "");
    }

    /// <summary>The word after an amount; empty for dollars, whose sign stands before.</summary>
    public static string UnitOf(Amount amount) =>
        amount.Unit switch
        {
            Unit.Credits => amount.Parts == Unit.Credits.PartsPerWhole() ? "credit" : "credits",
            Unit.Usd => "",
        };

    /// <summary>A whole number: <c>12,345</c>.</summary>
    public static string Number(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A number of things: <c>1 key</c>, <c>12 keys</c>.</summary>
    public static string Count(long number, string one, string many) => $"{Number(number)} {(number == 1 ? one : many)}";

    /// <summary>A day: <c>3 Jul 2026</c>.</summary>
    public static string Day(DateOnly day) => day.ToString("d MMM yyyy", CultureInfo.InvariantCulture);

    /// <summary>A moment, to the minute: <c>3 Jul 2026, 12:00 UTC</c>.</summary>
    public static string Moment(DateTimeOffset at) => at.UtcDateTime.ToString("d MMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>A moment, as exactly as it is kept: <c>3 Jul 2026, 12:00:05.25 UTC</c>.</summary>
    public static string Exactly(DateTimeOffset at) =>
        at.UtcDateTime.ToString("d MMM yyyy, HH:mm:ss.FFFFFF 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>How far away something is, in one unit: <c>in 3 hours</c>, <c>2 days ago</c>, <c>now</c>.</summary>
    public static string Distance(DateTimeOffset at, DateTimeOffset now)
    {
        var span = (at - now).Duration();
        if (span < TimeSpan.FromMinutes(1))
            return "now";
        var text = Span(span);
        return at > now ? "in " + text : text + " ago";
    }

    /// <summary>How long something takes, in one unit: <c>3 hours</c>.</summary>
    public static string Span(TimeSpan span) =>
        span.TotalMinutes < 60 ? Count((long)span.TotalMinutes, "minute", "minutes")
        : span.TotalHours < 48 ? Count((long)span.TotalHours, "hour", "hours")
        : span.TotalDays < 730 ? Count((long)span.TotalDays, "day", "days")
        : Count((long)(span.TotalDays / 365), "year", "years");

    private static string Usd(Amount amount)
    {
        var figure = Figure(amount);
        return figure[0] == '−' ? "−$" + figure[1..] : "$" + figure;
    }

    private static string Grouped(string digits)
    {
        for (var at = digits.Length - 3; at > 0; at -= 3)
            digits = digits.Insert(at, ",");
        return digits;
    }
}
