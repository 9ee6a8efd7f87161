namespace Ledger.Domain.Money;

/// <summary>What an amount counts. Units never mix.</summary>
public enum Unit
{
    /// <summary>Credits, in parts of 10⁻⁶ credit.</summary>
    Credits,

    /// <summary>United States dollars, in parts of 10⁻⁹ dollar.</summary>
    Usd,
}

/// <summary>The scale of each unit.</summary>
public static class Units
{
    /// <summary>How many parts one whole of a unit has: 10⁶ for credits, 10⁹ for dollars.</summary>
    public static long PartsPerWhole(this Unit unit) =>
        unit switch
        {
            Unit.Credits => 1_000_000,
            Unit.Usd => 1_000_000_000,
        };

    /// <summary>How many decimal places one whole of a unit has: six for credits, nine for dollars.</summary>
    public static int Places(this Unit unit) =>
        unit switch
        {
            Unit.Credits => 6,
            Unit.Usd => 9,
        };

    /// <summary>The unit's name on the wire: <c>credits</c> or <c>usd</c>.</summary>
    public static string Name(this Unit unit) =>
        unit switch
        {
            Unit.Credits => "credits",
            Unit.Usd => "usd",
        };
}
