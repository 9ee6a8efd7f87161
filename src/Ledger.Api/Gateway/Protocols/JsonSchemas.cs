using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What the protocols ask of a JSON schema for an answer: each refuses schemas that the other takes.</summary>
internal static class JsonSchemas
{
    /// <summary>
    /// Whether OpenAI takes it with <c>strict</c>: every object lists all of its properties as required and lets no others in, and none of the words are there that
    /// it does not know then. See https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
    /// </summary>
    public static bool IsStrict(JsonElement schema) => IsObject(schema) && schema.Member("anyOf"u8) is null && IsStrictWithin(schema);

    /// <summary>
    /// Writes it as Anthropic takes it: objects that do not say so let no other members in than they name. False where an object is meant to have members that
    /// the schema does not name, which cannot be said there; what is written then is not to be used.
    /// </summary>
    public static bool TryWriteClosed(Utf8JsonWriter json, JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            json.WriteAsIs(schema);
            return true;
        }

        var isObject = IsObject(schema);
        var isGood = !isObject || IsClosable(schema);
        json.WriteStartObject();
        foreach (var member in schema.EnumerateObject())
        {
            if (isObject && member.NameEquals("additionalProperties"u8))
                continue;
            json.WritePropertyName(member.Name);
            isGood &= WriteClosed(json, KindOf(member), member.Value);
        }

        if (isObject)
            json.WriteBoolean("additionalProperties"u8, false);
        json.WriteEndObject();
        return isGood;
    }

    private static bool WriteClosed(Utf8JsonWriter json, Holds holds, JsonElement value)
    {
        var isGood = true;
        switch (holds, value.ValueKind)
        {
            case (Holds.Schema, JsonValueKind.Object):
                return TryWriteClosed(json, value);
            case (Holds.Schema or Holds.Schemas, JsonValueKind.Array):
                json.WriteStartArray();
                foreach (var each in value.EnumerateArray())
                    isGood &= TryWriteClosed(json, each);
                json.WriteEndArray();
                return isGood;
            case (Holds.Named, JsonValueKind.Object):
                json.WriteStartObject();
                foreach (var each in value.EnumerateObject())
                {
                    json.WritePropertyName(each.Name);
                    isGood &= TryWriteClosed(json, each.Value);
                }

                json.WriteEndObject();
                return isGood;
            default:
                json.WriteAsIs(value);
                return true;
        }
    }

    // Closing an object that names nothing would leave the model nothing to say; and a schema for the members that are not named is what they are for.
    private static bool IsClosable(JsonElement schema) =>
        schema.Member("additionalProperties"u8) switch
        {
            { ValueKind: JsonValueKind.False } => true,
            null or { ValueKind: JsonValueKind.True } => schema.Member("properties"u8) is { ValueKind: JsonValueKind.Object },
            _ => false,
        };

    private static bool IsStrictWithin(JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object || (IsObject(schema) && !IsComplete(schema)))
            return false;
        foreach (var member in schema.EnumerateObject())
        {
            var isGood = (KindOf(member), member.Value.ValueKind) switch
            {
                (Holds.Unknown, _) => false,
                (Holds.Schema, JsonValueKind.Object) => IsStrictWithin(member.Value),
                (Holds.Schema or Holds.Schemas, JsonValueKind.Array) => member.Value.EnumerateArray().All(IsStrictWithin),
                (Holds.Named, JsonValueKind.Object) => member.Value.EnumerateObject().All(each => IsStrictWithin(each.Value)),
                _ => true,
            };
            if (!isGood)
                return false;
        }

        return true;
    }

    private static bool IsComplete(JsonElement schema)
    {
        if (schema.Member("additionalProperties"u8) is not { ValueKind: JsonValueKind.False })
            return false;
        var required = schema
            .Member("required"u8)
            .Items()
            .Where(name => name.ValueKind == JsonValueKind.String)
            .Select(name => name.GetString()!)
            .ToHashSet(StringComparer.Ordinal);
        return schema.Member("properties"u8) is not { ValueKind: JsonValueKind.Object } properties
            || properties.EnumerateObject().All(property => required.Contains(property.Name));
    }

    private static bool IsObject(JsonElement schema) =>
        schema.Member("type"u8) is { } type
            ? IsNameOfObject(type) || ((JsonElement?)type).Items().Any(IsNameOfObject)
            : schema.Member("properties"u8) is { ValueKind: JsonValueKind.Object };

    private static bool IsNameOfObject(JsonElement type) => type.ValueKind == JsonValueKind.String && type.ValueEquals("object"u8);

    // Only where a schema stands by the rules: a property may have any of these names too.
    private static Holds KindOf(JsonProperty member) =>
        member.Name switch
        {
            "items" => Holds.Schema,
            "anyOf" => Holds.Schemas,
            "properties" or "$defs" or "definitions" => Holds.Named,
            "allOf"
            or "oneOf"
            or "not"
            or "if"
            or "then"
            or "else"
            or "prefixItems"
            or "patternProperties"
            or "dependentRequired"
            or "dependentSchemas" => Holds.Unknown,
            _ => Holds.Nothing,
        };

    private enum Holds
    {
        Nothing,
        Schema,
        Schemas,
        Named,

        /// <summary>Something that OpenAI's strict schemas have no room for; Anthropic says itself what it makes of it.</summary>
        Unknown,
    }
}
