using Ledger.Domain.Money;

namespace Ledger.Projections;

/// <summary>Names of enum values in the read models: snake case, as the dialects speak them.</summary>
internal static class Wire
{
    public static string Of<T>(T value)
        where T : struct, Enum => Names<T>.ByValue[value];

    public static T Read<T>(string name)
        where T : struct, Enum => Names<T>.ByName[name];

    public static Amount? AmountOrNull(long? parts, Unit unit) => parts is { } p ? new Amount(p, unit) : null;

    private static class Names<T>
        where T : struct, Enum
    {
        public static readonly Dictionary<T, string> ByValue = Enum.GetValues<T>()
            .ToDictionary(value => value, value => EventStore.EventTypes.SnakeCase(value.ToString()));
        public static readonly Dictionary<string, T> ByName = ByValue.ToDictionary(
            pair => pair.Value,
            pair => pair.Key,
            StringComparer.Ordinal
        );
    }
}
