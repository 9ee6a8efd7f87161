using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Domain.Metering;

/// <summary>What tokens cost: computed exactly, rounded up once, at the end. Rates are per million tokens.</summary>
public static class TokenCharge
{
    private const long TokensPerRate = 1_000_000;
    private const long NanosPerWhole = 1_000_000_000;

    /// <summary>Dollars, rounded up to 10⁻⁹; null where they are more than <see cref="Limits.MaxAmount"/>.</summary>
    public static Amount? Usd(in TokenUse tokens, TokenPrices rates) => RoundedUp(UsdMillionths(tokens, rates), TokensPerRate, 1, Unit.Usd);

    /// <summary>A pack's credits, rounded up to a whole one; null where they are more than <see cref="Limits.MaxAmount"/>. Cached input is input.</summary>
    public static Amount? Credits(in TokenUse tokens, PackPrices rates) =>
        RoundedUp(CreditMillionths(tokens, rates), (Int128)TokensPerRate * NanosPerWhole, Unit.Credits.PartsPerWhole(), Unit.Credits);

    /// <summary>How many output tokens an amount pays for, beside input that is paid first; negative where it does not pay for the input.</summary>
    /// <param name="funds">What there is.</param>
    /// <param name="input">What the input costs, in millionths of the smallest part that rates are stated in.</param>
    /// <param name="rate">The output's rate.</param>
    internal static long Affordable(Amount funds, Int128 input, Quantity rate)
    {
        var perPart = funds.Unit == Unit.Usd ? TokensPerRate : (Int128)TokensPerRate * (NanosPerWhole / Unit.Credits.PartsPerWhole());

        // A pack is charged in whole credits.
        var parts = funds.Unit == Unit.Usd ? funds.Parts : funds.WholeFloor() * Unit.Credits.PartsPerWhole();
        var left = (parts * perPart) - input;
        if (left < 0)
            return -1;
        return rate.Nanos == 0 ? long.MaxValue : (long)Int128.Min(left / rate.Nanos, long.MaxValue);
    }

    /// <summary>The exact cost in millionths of 10⁻⁹ dollar.</summary>
    internal static Int128 UsdMillionths(in TokenUse tokens, TokenPrices rates)
    {
        ArgumentNullException.ThrowIfNull(rates);
        return ((Int128)tokens.Input * rates.Input.Nanos)
            + ((Int128)tokens.CacheRead * rates.CacheRead.Nanos)
            + ((Int128)tokens.CacheWrite * rates.CacheWrite.Nanos)
            + ((Int128)tokens.CacheWrite1h * rates.CacheWrite1h.Nanos)
            + ((Int128)tokens.Output * rates.Output.Nanos);
    }

    /// <summary>The exact cost in millionths of 10⁻⁹ credit.</summary>
    internal static Int128 CreditMillionths(in TokenUse tokens, PackPrices rates)
    {
        ArgumentNullException.ThrowIfNull(rates);
        return ((Int128)tokens.AllInput * rates.Input.Nanos) + ((Int128)tokens.Output * rates.Output.Nanos);
    }

    private static Amount? RoundedUp(Int128 exact, Int128 perStep, long partsPerStep, Unit unit)
    {
        var parts = (exact + perStep - 1) / perStep * partsPerStep;
        return parts < 0 || parts > Limits.MaxAmount(unit).Parts ? null : new Amount((long)parts, unit);
    }
}
