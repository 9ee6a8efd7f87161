using System.Text.Json;
using Ledger.Domain.Money;

namespace Ledger.Api.Payments.Stripe;

/// <summary>
/// Money as Stripe counts it: in a currency's smallest coin. Of a currency that is not ours only a person reads the amount, beside a mismatch, so
/// it is counted as that person would.
/// </summary>
internal static class StripeMoney
{
    private const long Whole = 1_000_000_000;

    /// <summary>The currency of an object, ISO 4217 in upper case; empty where it names none.</summary>
    public static string CurrencyOf(JsonElement of) => of.Get("currency").AsText?.ToUpperInvariant() ?? "";

    /// <summary>An amount in parts of the currency's whole. What is more than can be counted becomes the most that can: it equals no price.</summary>
    /// <param name="coins">The smallest coins.</param>
    /// <param name="currency">The currency, in upper case.</param>
    public static Amount Of(long coins, string currency)
    {
        var parts = currency switch
        {
            // https://docs.stripe.com/currencies: no smaller coin, and three places.
            "BIF"
            or "CLP"
            or "DJF"
            or "GNF"
            or "JPY"
            or "KMF"
            or "KRW"
            or "MGA"
            or "PYG"
            or "RWF"
            or "VND"
            or "VUV"
            or "XAF"
            or "XOF"
            or "XPF" => Whole,
            "BHD" or "JOD" or "KWD" or "OMR" or "TND" => Whole / 1000,
            _ => Price.Cent,
        };
        return new((long)Int128.Clamp((Int128)coins * parts, long.MinValue, long.MaxValue), Unit.Usd);
    }
}
