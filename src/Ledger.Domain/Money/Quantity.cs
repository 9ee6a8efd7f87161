using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ledger.Domain.Money;

/// <summary>
/// A decimal number with at most nine places: how much work was done, or what one unit of it costs. Exact; never a binary fraction.
/// </summary>
/// <param name="Nanos">The number times 10⁹.</param>
[JsonConverter(typeof(QuantityJsonConverter))]
public readonly record struct Quantity(long Nanos)
{
    /// <summary>The largest number that can be parsed: 10⁹.</summary>
    public const long MaxWhole = 1_000_000_000;

    private const long NanosPerWhole = 1_000_000_000;

    /// <summary>A whole number.</summary>
    public static Quantity Of(long whole) => new(whole * NanosPerWhole);

    /// <summary>
    /// Reads a plain or exponent JSON number, 0 to 10⁹ with at most nine places.
    /// Trailing zeros do not count, so that <c>1</c>, <c>1.0</c> and <c>10e-1</c> are the same quantity.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Quantity quantity)
    {
        var lawful = DecimalText.TryParse(text, 9, MaxWhole * NanosPerWhole, out var nanos);
        quantity = new(nanos);
        return lawful;
    }

    /// <summary>Reads a number that must be lawful, such as one of our own constants.</summary>
    /// <exception cref="FormatException">Not a number of 0 to 10⁹ with at most nine places.</exception>
    public static Quantity Parse(string text) =>
        TryParse(text, out var quantity)
            ? quantity
            : throw new FormatException($"'{text}' is not a number of 0 to 1000000000 with at most nine places.");

    /// <summary>Whether there is anything here.</summary>
    public bool IsPositive => Nanos > 0;

    /// <summary>The number without trailing zeros.</summary>
    public override string ToString()
    {
        var fraction = Nanos % NanosPerWhole;
        var whole = (Nanos / NanosPerWhole).ToString(CultureInfo.InvariantCulture);
        return fraction == 0 ? whole : whole + "." + fraction.ToString(CultureInfo.InvariantCulture).PadLeft(9, '0').TrimEnd('0');
    }
}

/// <summary>Stored form of a quantity: its decimal string.</summary>
public sealed class QuantityJsonConverter : JsonConverter<Quantity>
{
    /// <inheritdoc/>
    public override Quantity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Quantity.TryParse(reader.GetString(), out var quantity)
            ? quantity
            : throw new JsonException("A quantity is a decimal string of 0 to 1000000000 with at most nine places.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Quantity value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.ToString());
    }
}
