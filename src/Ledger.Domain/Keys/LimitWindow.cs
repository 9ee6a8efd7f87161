namespace Ledger.Domain.Keys;

/// <summary>How often a key's credit limit starts anew; always at 00:00 UTC.</summary>
public enum LimitReset
{
    /// <summary>Never: the limit is for the key's life.</summary>
    None,

    /// <summary>Every day.</summary>
    Daily,

    /// <summary>Every Monday.</summary>
    Weekly,

    /// <summary>On the first of every month.</summary>
    Monthly,
}

/// <summary>Limit periods by number: a pure function of the time, which never falls as time goes on.</summary>
public static class LimitWindow
{
    /// <summary>The number of the period that a time lies in.</summary>
    public static long Of(LimitReset reset, DateTimeOffset at)
    {
        var day = at.UtcTicks / TimeSpan.TicksPerDay;
        return reset switch
        {
            LimitReset.None => 0,
            LimitReset.Daily => day,
            LimitReset.Weekly => day / 7, // 0001-01-01, day 0, was a Monday.
            LimitReset.Monthly => (at.UtcDateTime.Year * 12L) + at.UtcDateTime.Month - 1,
        };
    }
}
