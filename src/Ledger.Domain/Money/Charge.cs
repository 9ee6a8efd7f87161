namespace Ledger.Domain.Money;

/// <summary>What work costs at a price: computed exactly, rounded once, at the end.</summary>
public static class Charge
{
    private const long NanosPerWhole = 1_000_000_000;

    /// <summary>
    /// Units times credits per unit, rounded up to a whole credit (the rule of tools).
    /// Null where the result is negative or more than <see cref="Limits.MaxAmount"/>.
    /// </summary>
    public static Amount? WholeCredits(Quantity units, Quantity creditsPerUnit)
    {
        var exact = (Int128)units.Nanos * creditsPerUnit.Nanos;
        if (exact < 0)
            return null;
        var scale = (Int128)NanosPerWhole * NanosPerWhole;
        var whole = (exact + scale - 1) / scale;
        return whole > Limits.MaxAmount(Unit.Credits).WholeFloor() ? null : Amount.Credits((long)whole);
    }
}

/// <summary>How much one account may hold or be charged, so that sums of 64-bit parts never overflow.</summary>
public static class Limits
{
    /// <summary>The most that one command may grant or charge, and that a wallet may ever be granted of a unit: 10¹² credits or 10⁹ dollars.</summary>
    public static Amount MaxAmount(Unit unit) =>
        unit switch
        {
            Unit.Credits => Amount.Credits(1_000_000_000_000),
            Unit.Usd => Amount.Usd(1_000_000_000),
        };

    /// <summary>
    /// The most that a wallet may ever be charged of a unit, reversed spends included: four times <see cref="MaxAmount"/>. Neither what
    /// is reversed nor debt can exceed it, and with all that can be granted both stay below 2⁶³ parts.
    /// </summary>
    public static Amount MaxSpent(Unit unit) =>
        unit switch
        {
            Unit.Credits => Amount.Credits(4_000_000_000_000),
            Unit.Usd => Amount.Usd(4_000_000_000),
        };
}
