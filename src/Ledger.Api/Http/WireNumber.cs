using Ledger.Domain.Money;

namespace Ledger.Api.Http;

/// <summary>Amounts and prices on the wire. Only their spelling: 64 bits over a power of ten are exact in a decimal, and written without trailing zeros.</summary>
internal static class WireNumber
{
    /// <summary>An amount in whole units.</summary>
    public static decimal Of(Amount amount) => Of(amount.Parts, amount.Unit);

    /// <summary>So many parts of a unit, in whole units.</summary>
    public static decimal Of(decimal parts, Unit unit) => parts / unit.PartsPerWhole();

    /// <summary>A quantity or price.</summary>
    public static decimal Of(Quantity quantity) => (decimal)quantity.Nanos / 1_000_000_000;
}
