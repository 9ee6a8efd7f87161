using Ledger.Api.Finance;
using Ledger.Domain.Money;
using Ledger.Projections.Usage;

namespace Ledger.Api.Dashboard.Activity;

/// <summary>What was used in a range of days.</summary>
/// <param name="Range">The days.</param>
/// <param name="By">By what the table is: <c>day</c>, <c>model</c>, <c>key</c> or <c>tool</c>.</param>
/// <param name="Total">All of it.</param>
/// <param name="Charts">What was used over time, by unit; units that were not used are left out.</param>
/// <param name="Rows">The rows of this page.</param>
/// <param name="Count">How many rows there are on all pages.</param>
/// <param name="First">Where the first page is; null where this is it.</param>
/// <param name="Next">Where the next page is; null where this is the last.</param>
public sealed record ActivityModel(
    DayRange Range,
    string By,
    ActivitySums Total,
    IReadOnlyList<UseChart> Charts,
    IReadOnlyList<UseRow> Rows,
    int Count,
    string? First,
    string? Next
);

/// <summary>A range of UTC days that somebody asks for.</summary>
/// <param name="From">The first day.</param>
/// <param name="To">The last.</param>
/// <param name="Today">The day of the page.</param>
/// <param name="Form">What is wrong with what was asked for.</param>
/// <param name="AskedFrom">The first day as it was asked for.</param>
/// <param name="AskedTo">The last day as it was asked for.</param>
public sealed record DayRange(DateOnly From, DateOnly To, DateOnly Today, FormPost Form, string AskedFrom, string AskedTo)
{
    /// <summary>The range in an address.</summary>
    public string Query => QueryOf(From, To);

    /// <summary>Ranges that are often wanted.</summary>
    public IEnumerable<(string Label, DateOnly From, DateOnly To)> Presets
    {
        get
        {
            var month = new DateOnly(Today.Year, Today.Month, 1);
            yield return ("Today", Today, Today);
            yield return ("7 days", Today.AddDays(-6), Today);
            yield return ("30 days", Today.AddDays(-29), Today);
            yield return ("90 days", Today.AddDays(-89), Today);
            yield return ("This month", month, Today);
            yield return ("Last month", month.AddMonths(-1), month.AddDays(-1));
        }
    }

    /// <summary>A range in an address.</summary>
    public static string QueryOf(DateOnly from, DateOnly to) => $"from={from:yyyy-MM-dd}&to={to:yyyy-MM-dd}";
}

/// <summary>What was used over time in a unit, packs included.</summary>
/// <param name="Unit">The unit.</param>
/// <param name="Step">What each bar stands for: Hour, Day or Month.</param>
/// <param name="Points">The bars, oldest first.</param>
public sealed record UseChart(Unit Unit, string Step, IReadOnlyList<ChartPoint> Points);

/// <summary>One row: what was used on a day, or by one model, key or tool.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Detail">What else tells it from others; null for nothing.</param>
/// <param name="Sums">What was used.</param>
/// <param name="Href">Where the charges behind it are.</param>
public sealed record UseRow(string Name, string? Detail, ActivitySums Sums, string Href)
{
    /// <summary>Credits, those of packs included.</summary>
    public Amount Credits => new(Sums.Credits + Sums.PackCredits, Unit.Credits);

    /// <summary>What of them packs paid.</summary>
    public Amount PackCredits => new(Sums.PackCredits, Unit.Credits);

    /// <summary>Dollars.</summary>
    public Amount Usd => new(Sums.Usd, Unit.Usd);

    /// <summary>Everything that went in.</summary>
    public long Input => Sums.InputTokens + Sums.CacheReadTokens + Sums.CacheWriteTokens;
}

/// <summary>The charges behind a row.</summary>
/// <param name="Range">The days.</param>
/// <param name="Filters">What else they have in common, by name.</param>
/// <param name="Keep">The same as the address says it, which other days keep.</param>
/// <param name="Lines">The charges, newest first.</param>
/// <param name="First">Where the first page is; null where this is it.</param>
/// <param name="Next">Where older ones are; null where there are none.</param>
/// <param name="IsPartial">Whether fewer are here than fit because only so many are looked through at a time.</param>
public sealed record SpendsModel(
    DayRange Range,
    IReadOnlyList<(string Name, string Value)> Filters,
    IReadOnlyList<(string Name, string Value)> Keep,
    IReadOnlyList<ChargeLine> Lines,
    string? First,
    string? Next,
    bool IsPartial
);

/// <summary>One charge, or its reversal.</summary>
/// <param name="At">When.</param>
/// <param name="Spend">The spend, or the one that is given back.</param>
/// <param name="Tool">For what.</param>
/// <param name="Model">The model; null for tools.</param>
/// <param name="Key">The key's name, or who else.</param>
/// <param name="Reference">The caller's name for it; null for a reversal.</param>
/// <param name="Use">How much was done: units, or tokens.</param>
/// <param name="Amount">What was charged; less than nothing where it was given back.</param>
/// <param name="IsReversal">Whether it gives back.</param>
public sealed record ChargeLine(
    DateTimeOffset At,
    Guid Spend,
    string Tool,
    string? Model,
    string Key,
    string? Reference,
    string Use,
    Amount Amount,
    bool IsReversal
);

/// <summary>The months that there are statements of.</summary>
/// <param name="Months">The newest first.</param>
public sealed record StatementsModel(IReadOnlyList<StatementPeriod> Months);
