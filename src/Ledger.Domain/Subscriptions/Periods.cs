namespace Ledger.Domain.Subscriptions;

/// <summary>The boundaries of a subscription's periods: pure functions of an anchor and an index, all in UTC.</summary>
public static class Periods
{
    /// <summary>How long a quota's window is.</summary>
    public static readonly TimeSpan QuotaWindow = TimeSpan.FromHours(24);

    /// <summary>
    /// When a month-long period starts: the anchor's day and time in the month so many months on, or that month's last day where it has no such
    /// day. Reckoned from the anchor each time, so that 31 January is followed by 28 February and then by 31 March.
    /// </summary>
    /// <param name="anchor">When period 0 starts.</param>
    /// <param name="index">The period; may be negative.</param>
    public static DateTimeOffset Start(DateTimeOffset anchor, long index) => anchor.ToUniversalTime().AddMonths(checked((int)index));

    /// <summary>The period that starts nearest to a time, as a payment provider reckons it by its own clock.</summary>
    public static long Nearest(DateTimeOffset anchor, DateTimeOffset start)
    {
        var (from, to) = (anchor.UtcDateTime, start.UtcDateTime);
        var guess = ((to.Year - from.Year) * 12L) + to.Month - from.Month;
        var best = guess - 1;
        for (var index = guess; index <= guess + 1; index++)
        {
            if ((Start(anchor, index) - start).Duration() < (Start(anchor, best) - start).Duration())
                best = index;
        }

        return best;
    }

    /// <summary>The number of the quota window that a time lies in, counted from the anchor; 0 before it.</summary>
    public static long WindowOf(DateTimeOffset anchor, DateTimeOffset at) => Math.Max(0, (at - anchor).Ticks / QuotaWindow.Ticks);

    /// <summary>When a quota window ends.</summary>
    public static DateTimeOffset WindowEnd(DateTimeOffset anchor, long window) => anchor + (QuotaWindow * (window + 1));

    /// <summary>What of an amount falls on the rest of a period, rounded down to the unit's smallest part.</summary>
    /// <param name="parts">The amount for a whole period, in parts; not negative.</param>
    /// <param name="startsAt">When the period starts.</param>
    /// <param name="endsAt">When it ends.</param>
    /// <param name="now">From when on.</param>
    public static long Remaining(long parts, DateTimeOffset startsAt, DateTimeOffset endsAt, DateTimeOffset now)
    {
        var (whole, left) = ((endsAt - startsAt).Ticks, Math.Clamp((endsAt - now).Ticks, 0, (endsAt - startsAt).Ticks));
        return (long)((Int128)parts * left / whole);
    }
}
