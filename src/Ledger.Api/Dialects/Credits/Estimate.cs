using System.Globalization;
using Ledger.Api.Http;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Dialects.Credits;

/// <summary>How much work is, in the units of its price: seconds, characters or calls become what the rate card counts.</summary>
internal static class Estimate
{
    /// <summary>The units; null where the price does not count what was given.</summary>
    /// <param name="tool">The entry: its <c>per</c> is such as <c>minute</c>, <c>30s</c>, <c>1000 characters</c> or <c>call</c>.</param>
    /// <param name="asked">How much of what; null for one call.</param>
    public static Quantity? UnitsOf(ToolEntry tool, (string Name, Quantity Amount)? asked)
    {
        if (asked is not { } given)
            return IsCall(tool.Per) ? Quantity.Of(1) : null;
        return given.Name switch
        {
            "units" => given.Amount,
            "duration" when SecondsOf(tool.Per) is { } seconds => Divide(given.Amount, seconds),
            "characters" when CharactersOf(tool.Per) is { } characters => Divide(given.Amount, characters),
            _ => null,
        };
    }

    /// <summary>What credits cost bought as one goes, in dollars to the millionth, rounded up.</summary>
    public static decimal UsdOf(Amount credits, RateCard card)
    {
        var dollars = WireNumber.Of(credits) / WireNumber.Of(card.Document.Payg.CreditsPerDollar);
        return Math.Ceiling(dollars * 1_000_000) / 1_000_000 / 1.000000000000000000000m;
    }

    private static bool IsCall(string per) => SecondsOf(per) is null && CharactersOf(per) is null;

    private static long? SecondsOf(string per) =>
        per switch
        {
            "second" => 1,
            "minute" => 60,
            "hour" => 3600,
            _ when per.EndsWith('s') && long.TryParse(per[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) =>
                seconds,
            _ => null,
        };

    private static long? CharactersOf(string per) =>
        per == "character" ? 1
        : per.EndsWith(" characters", StringComparison.Ordinal)
        && long.TryParse(per[..^" characters".Length], NumberStyles.None, CultureInfo.InvariantCulture, out var characters)
            ? characters
        : null;

    /// <summary>Rounded up to the last place: the charge is rounded up anyway.</summary>
    private static Quantity? Divide(Quantity amount, long by) => by == 0 ? null : new Quantity((amount.Nanos + by - 1) / by);
}
