namespace Ledger.Domain.Money;

/// <summary>Amounts that a rate card states, and what money buys: exact, rounded down to the smallest part where they must be.</summary>
public static class Price
{
    /// <summary>Dollars; null where they are more than <see cref="Limits.MaxAmount"/>.</summary>
    public static Amount? Usd(Quantity dollars) => Of(dollars.Nanos, Unit.Usd);

    /// <summary>Credits, rounded down to 10⁻⁶; null where they are more than <see cref="Limits.MaxAmount"/>.</summary>
    public static Amount? Credits(Quantity credits) => Of(credits.Nanos / 1000, Unit.Credits);

    /// <summary>The credits that dollars buy, rounded down to 10⁻⁶; null where they are more than <see cref="Limits.MaxAmount"/>.</summary>
    public static Amount? Credits(Amount dollars, Quantity creditsPerDollar)
    {
        if (dollars.Unit != Unit.Usd)
            throw new ArgumentException("Only dollars buy credits.", nameof(dollars));
        var parts = (Int128)dollars.Parts * creditsPerDollar.Nanos / 1_000_000_000_000;
        return parts > Limits.MaxAmount(Unit.Credits).Parts ? null : new Amount((long)parts, Unit.Credits);
    }

    /// <summary>Dollars rounded up to a whole cent, as money is paid.</summary>
    public static Amount CentsUp(Amount dollars) => new((dollars.Parts + Cent - 1) / Cent * Cent, dollars.Unit);

    /// <summary>One cent, in parts of a dollar.</summary>
    public const long Cent = 10_000_000;

    private static Amount? Of(long parts, Unit unit) => parts > Limits.MaxAmount(unit).Parts ? null : new Amount(parts, unit);
}
