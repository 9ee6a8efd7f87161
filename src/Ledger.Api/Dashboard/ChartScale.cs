using Ledger.Domain.Money;

namespace Ledger.Api.Dashboard;

/// <summary>One bar of a chart.</summary>
/// <param name="Label">What it stands for, such as a day.</param>
/// <param name="Amount">How much.</param>
public sealed record ChartPoint(string Label, Amount Amount);

/// <summary>Where a chart's axis ends, and how high its bars are.</summary>
public static class ChartScale
{
    /// <summary>The least of 1, 2, 5, 10, 20, 50, … parts that is no less than the most; 1 where there is nothing.</summary>
    public static long Top(IEnumerable<ChartPoint> points)
    {
        var most = points.Select(point => point.Amount.Parts).DefaultIfEmpty().Max();
        for (long step = 1; ; step *= 10)
        {
            foreach (var factor in (ReadOnlySpan<long>)[1, 2, 5])
            {
                if (step > long.MaxValue / 10 || step * factor >= most)
                    return step * factor;
            }
        }
    }

    /// <summary>A bar's height in hundredths of per cent of the axis: 0 to 10,000; what is more than nothing can be seen.</summary>
    public static int Height(long parts, long top) => parts <= 0 ? 0 : Math.Max(100, (int)((Int128)Math.Min(parts, top) * 10_000 / top));

    /// <summary>A part of a whole in tenths of per cent: 0 to 1,000.</summary>
    public static int Share(long parts, long whole) => whole <= 0 || parts <= 0 ? 0 : (int)((Int128)Math.Min(parts, whole) * 1000 / whole);
}
