using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ledger.Domain;

/// <summary>Who holds a wallet. Pseudonymous: 16 characters of lower-case base 32.</summary>
[JsonConverter(typeof(AccountIdJsonConverter))]
public readonly record struct AccountId
{
    // Null for the empty text, so that the default value equals it.
    private readonly string? _value;

    /// <summary>An id of a text.</summary>
    public AccountId(string value) => _value = string.IsNullOrEmpty(value) ? null : value;

    /// <summary>The id's text; empty for the default value.</summary>
    public string Value => _value ?? "";

    /// <summary>The account's one stream.</summary>
    public string StreamId => "account-" + Value;

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>One key of an account. Unique within the account; 16 characters of lower-case base 32.</summary>
[JsonConverter(typeof(KeyIdJsonConverter))]
public readonly record struct KeyId
{
    // Null for the empty text, so that the default value equals it.
    private readonly string? _value;

    /// <summary>An id of a text.</summary>
    public KeyId(string value) => _value = string.IsNullOrEmpty(value) ? null : value;

    /// <summary>The id's text; empty for the default value.</summary>
    public string Value => _value ?? "";

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>One pocket of a wallet, numbered from 1 in the order of opening.</summary>
/// <param name="Number">The pocket's number in its wallet.</param>
[JsonConverter(typeof(PocketIdJsonConverter))]
public readonly record struct PocketId(int Number)
{
    /// <inheritdoc/>
    public override string ToString() => Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>One hold: the id of the event that placed it.</summary>
/// <param name="Value">The event's id.</param>
[JsonConverter(typeof(HoldIdJsonConverter))]
public readonly record struct HoldId(Guid Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString();
}

/// <summary>One charge: the id of the event that recorded it.</summary>
/// <param name="Value">The event's id.</param>
[JsonConverter(typeof(SpendIdJsonConverter))]
public readonly record struct SpendId(Guid Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString();
}

/// <summary>One purchase of an account. Unique within the account; 16 characters of lower-case base 32, or of another's choosing.</summary>
[JsonConverter(typeof(OrderIdJsonConverter))]
public readonly record struct OrderId
{
    // Null for the empty text, so that the default value equals it.
    private readonly string? _value;

    /// <summary>An id of a text.</summary>
    public OrderId(string value) => _value = string.IsNullOrEmpty(value) ? null : value;

    /// <summary>The id's text; empty for the default value.</summary>
    public string Value => _value ?? "";

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>One subscription: the id of the event that started it.</summary>
/// <param name="Value">The event's id.</param>
[JsonConverter(typeof(SubscriptionIdJsonConverter))]
public readonly record struct SubscriptionId(Guid Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString();
}

/// <summary>Stored form of an account's id: its text.</summary>
public sealed class AccountIdJsonConverter : JsonConverter<AccountId>
{
    /// <inheritdoc/>
    public override AccountId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(reader.GetString()!);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, AccountId value, JsonSerializerOptions options) =>
        writer?.WriteStringValue(value.Value);
}

/// <summary>Stored form of a key's id: its text.</summary>
public sealed class KeyIdJsonConverter : JsonConverter<KeyId>
{
    /// <inheritdoc/>
    public override KeyId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetString()!);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, KeyId value, JsonSerializerOptions options) => writer?.WriteStringValue(value.Value);
}

/// <summary>Stored form of a pocket's id: its number.</summary>
public sealed class PocketIdJsonConverter : JsonConverter<PocketId>
{
    /// <inheritdoc/>
    public override PocketId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetInt32());

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, PocketId value, JsonSerializerOptions options) =>
        writer?.WriteNumberValue(value.Number);
}

/// <summary>Stored form of a hold's id: a UUID.</summary>
public sealed class HoldIdJsonConverter : JsonConverter<HoldId>
{
    /// <inheritdoc/>
    public override HoldId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetGuid());

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, HoldId value, JsonSerializerOptions options) => writer?.WriteStringValue(value.Value);
}

/// <summary>Stored form of a spend's id: a UUID.</summary>
public sealed class SpendIdJsonConverter : JsonConverter<SpendId>
{
    /// <inheritdoc/>
    public override SpendId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetGuid());

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, SpendId value, JsonSerializerOptions options) =>
        writer?.WriteStringValue(value.Value);
}

/// <summary>Stored form of an order's id: its text.</summary>
public sealed class OrderIdJsonConverter : JsonConverter<OrderId>
{
    /// <inheritdoc/>
    public override OrderId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetString()!);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, OrderId value, JsonSerializerOptions options) =>
        writer?.WriteStringValue(value.Value);
}

/// <summary>Stored form of a subscription's id: a UUID.</summary>
public sealed class SubscriptionIdJsonConverter : JsonConverter<SubscriptionId>
{
    /// <inheritdoc/>
    public override SubscriptionId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(reader.GetGuid());

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, SubscriptionId value, JsonSerializerOptions options) =>
        writer?.WriteStringValue(value.Value);
}
