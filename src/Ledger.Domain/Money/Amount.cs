using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ledger.Domain.Money;

/// <summary>
/// An amount of one unit, counted in the unit's smallest part. Arithmetic is checked, and mixing units throws: both are bugs, never refusals.
/// The default value is zero credits.
/// </summary>
/// <param name="Parts">The count of smallest parts; may be negative in a difference.</param>
/// <param name="Unit">What is counted.</param>
[JsonConverter(typeof(AmountJsonConverter))]
public readonly record struct Amount(long Parts, Unit Unit)
{
    /// <summary>Nothing, of a unit.</summary>
    public static Amount Zero(Unit unit) => new(0, unit);

    /// <summary>A whole number of credits.</summary>
    /// <exception cref="OverflowException">More than about 9.2 × 10¹² credits.</exception>
    public static Amount Credits(long whole) => new(whole * Unit.Credits.PartsPerWhole(), Unit.Credits);

    /// <summary>A whole number of dollars.</summary>
    /// <exception cref="OverflowException">More than about 9.2 × 10⁹ dollars.</exception>
    public static Amount Usd(long whole) => new(whole * Unit.Usd.PartsPerWhole(), Unit.Usd);

    /// <summary>
    /// Reads whole units as a plain or exponent JSON number, 0 to <see cref="Limits.MaxAmount"/>, with at most the unit's own places: six for
    /// credits, nine for dollars. What <see cref="ToDecimalString"/> writes of such an amount is read back as the same.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, Unit unit, out Amount amount)
    {
        var lawful = DecimalText.TryParse(text, unit.Places(), Limits.MaxAmount(unit).Parts, out var parts);
        amount = new(parts, unit);
        return lawful;
    }

    /// <summary>Whether there is anything here.</summary>
    public bool IsPositive => Parts > 0;

    /// <summary>Whether this is nothing.</summary>
    public bool IsZero => Parts == 0;

    /// <summary>The whole units in this amount, rounded down (towards minus infinity).</summary>
    public long WholeFloor()
    {
        var whole = Unit.PartsPerWhole();
        var quotient = Parts / whole;
        return Parts % whole < 0 ? quotient - 1 : quotient;
    }

    /// <summary>The exact amount as a decimal string of whole units without trailing zeros: <c>5</c>, <c>0.25</c>, <c>-1.000001</c>.</summary>
    public string ToDecimalString()
    {
        var whole = (ulong)Unit.PartsPerWhole();
        var magnitude = Parts < 0 ? (ulong)(-(Int128)Parts) : (ulong)Parts;
        var fraction = magnitude % whole;
        var text = (magnitude / whole).ToString(CultureInfo.InvariantCulture);
        if (fraction != 0)
        {
            text += "." + fraction.ToString(CultureInfo.InvariantCulture).PadLeft(Unit.Places(), '0').TrimEnd('0');
        }

        return Parts < 0 ? "-" + text : text;
    }

    /// <summary>The smaller of two amounts of the same unit.</summary>
    public static Amount Min(Amount left, Amount right) => left <= right ? left : right;

    /// <summary>The sum of two amounts of the same unit.</summary>
    public static Amount operator +(Amount left, Amount right) => new(left.Parts + Same(left, right).Parts, left.Unit);

    /// <summary>The difference of two amounts of the same unit.</summary>
    public static Amount operator -(Amount left, Amount right) => new(left.Parts - Same(left, right).Parts, left.Unit);

    /// <summary>Compares two amounts of the same unit.</summary>
    public static bool operator <(Amount left, Amount right) => left.Parts < Same(left, right).Parts;

    /// <summary>Compares two amounts of the same unit.</summary>
    public static bool operator >(Amount left, Amount right) => left.Parts > Same(left, right).Parts;

    /// <summary>Compares two amounts of the same unit.</summary>
    public static bool operator <=(Amount left, Amount right) => left.Parts <= Same(left, right).Parts;

    /// <summary>Compares two amounts of the same unit.</summary>
    public static bool operator >=(Amount left, Amount right) => left.Parts >= Same(left, right).Parts;

    /// <inheritdoc/>
    public override string ToString() => $"{ToDecimalString()} {Unit.Name()}";

    private static Amount Same(Amount left, Amount right) =>
        left.Unit == right.Unit ? right : throw new InvalidOperationException($"An amount of {left.Unit} meets one of {right.Unit}.");
}

/// <summary>Stored form of an amount: one member, named after the unit, that counts its parts, such as <c>{"credits":5000000}</c>.</summary>
public sealed class AmountJsonConverter : JsonConverter<Amount>
{
    /// <inheritdoc/>
    public override Amount Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject || !reader.Read() || reader.TokenType != JsonTokenType.PropertyName)
            throw new JsonException("An amount is an object with one member.");
        var unit =
            reader.ValueTextEquals("credits"u8) ? Unit.Credits
            : reader.ValueTextEquals("usd"u8) ? Unit.Usd
            : throw new JsonException("Unknown unit.");
        reader.Read();
        var parts = reader.GetInt64();
        if (!reader.Read() || reader.TokenType != JsonTokenType.EndObject)
            throw new JsonException("An amount is an object with one member.");
        return new(parts, unit);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Amount value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteNumber(value.Unit == Unit.Credits ? "credits"u8 : "usd"u8, value.Parts);
        writer.WriteEndObject();
    }
}
