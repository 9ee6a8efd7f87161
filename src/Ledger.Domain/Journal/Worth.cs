using System.Globalization;

namespace Ledger.Domain.Journal;

/// <summary>
/// The dollars that somebody paid for what a posting moves, in 10⁻²¹ dollar. Twelve places finer than money itself: a price divided among a billion
/// spends still adds up to itself at the ninth place.
/// </summary>
/// <param name="Zeptos">How many 10⁻²¹ dollars; may be negative in a difference.</param>
public readonly record struct Worth(Int128 Zeptos)
{
    private const long ZeptosPerUsdPart = 1_000_000_000_000;

    /// <summary>Nothing: nobody paid for it.</summary>
    public static Worth Zero => default;

    /// <summary>Of money itself.</summary>
    public static Worth OfUsd(long parts) => new((Int128)parts * ZeptosPerUsdPart);

    /// <summary>Of some parts of a lot that was sold as a whole for a price, rounded towards zero.</summary>
    /// <param name="parts">How many parts.</param>
    /// <param name="price">What the lot was sold for, in parts of a dollar; 0 where it was given.</param>
    /// <param name="lot">How many parts the lot had.</param>
    public static Worth OfShare(long parts, long price, long lot)
    {
        if (price == 0 || lot == 0)
            return Zero;
        var (whole, rest) = Int128.DivRem((Int128)parts * price, lot);
        return new((whole * ZeptosPerUsdPart) + (rest * ZeptosPerUsdPart / lot));
    }

    /// <summary>In parts of a dollar, rounded half away from zero.</summary>
    public Int128 UsdParts
    {
        get
        {
            var (whole, rest) = Int128.DivRem(Zeptos, ZeptosPerUsdPart);
            return rest >= ZeptosPerUsdPart / 2 ? whole + 1
                : rest <= -(ZeptosPerUsdPart / 2) ? whole - 1
                : whole;
        }
    }

    /// <summary>The sum.</summary>
    public static Worth operator +(Worth left, Worth right) => new(left.Zeptos + right.Zeptos);

    /// <summary>The difference.</summary>
    public static Worth operator -(Worth left, Worth right) => new(left.Zeptos - right.Zeptos);

    /// <summary>The opposite.</summary>
    public static Worth operator -(Worth worth) => new(-worth.Zeptos);

    /// <summary>The sum.</summary>
    public static Worth Add(Worth left, Worth right) => left + right;

    /// <summary>The difference.</summary>
    public static Worth Subtract(Worth left, Worth right) => left - right;

    /// <summary>The opposite.</summary>
    public static Worth Negate(Worth worth) => -worth;

    /// <inheritdoc/>
    public override string ToString() => Zeptos.ToString(CultureInfo.InvariantCulture);
}
