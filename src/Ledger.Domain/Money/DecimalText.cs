using System.Globalization;

namespace Ledger.Domain.Money;

/// <summary>Reads decimal numbers exactly: never by way of a binary fraction, and never rounded.</summary>
internal static class DecimalText
{
    /// <summary>
    /// Reads a plain or exponent JSON number that is not negative, in units of its last allowed place. Trailing zeros do not count.
    /// </summary>
    /// <param name="text">The number.</param>
    /// <param name="places">How many decimal places it may have.</param>
    /// <param name="max">The most, in units of the last place.</param>
    /// <param name="parts">The number times ten to the power of <paramref name="places"/>; zero where it is not lawful.</param>
    public static bool TryParse(ReadOnlySpan<char> text, int places, long max, out long parts)
    {
        parts = 0;
        if (text.IsEmpty || text.Length > 64)
            return false;
        var exponent = 0;
        var e = text.IndexOfAny('e', 'E');
        if (e >= 0)
        {
            if (
                !int.TryParse(text[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent)
                || exponent is < -64 or > 64
            )
                return false;
            text = text[..e];
        }

        var point = text.IndexOf('.');
        var whole = point < 0 ? text : text[..point];
        var fraction = point < 0 ? [] : text[(point + 1)..];
        if (whole.IsEmpty || (point >= 0 && fraction.IsEmpty) || (whole.Length > 1 && whole[0] == '0'))
            return false;

        Int128 digits = 0;
        foreach (var part in (ReadOnlySpan<(int Start, int Length)>)[(0, whole.Length), (whole.Length + 1, fraction.Length)])
        {
            for (var i = part.Start; i < part.Start + part.Length; i++)
            {
                if (!char.IsAsciiDigit(text[i]))
                    return false;
                digits = digits * 10 + (text[i] - '0');
                if (digits > Int128.MaxValue / 100)
                    return false;
            }
        }

        for (var scale = places + exponent - fraction.Length; scale != 0; scale += scale < 0 ? 1 : -1)
        {
            if (scale > 0)
            {
                digits *= 10;
                if (digits > max)
                    return false;
            }
            else
            {
                if (digits % 10 != 0)
                    return false;
                digits /= 10;
            }
        }

        if (digits > max)
            return false;
        parts = (long)digits;
        return true;
    }
}
