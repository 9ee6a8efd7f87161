using System.Text.Json;

namespace Ledger.Api.Payments.Stripe;

/// <summary>
/// Reads Stripe's objects without tripping over what is not there: members come, move and go between its versions, and an endpoint keeps the version
/// with which it was made.
/// </summary>
internal static class StripeJson
{
    extension(JsonElement element)
    {
        /// <summary>Whether there is a member here, though it may hold null.</summary>
        public bool IsNamed => element.ValueKind != JsonValueKind.Undefined;

        /// <summary>Whether there is anything here at all.</summary>
        public bool IsThere => element.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

        /// <summary>The text; null where it is something else.</summary>
        public string? AsText => element.ValueKind == JsonValueKind.String ? element.GetString() : null;

        /// <summary>The whole number; null where it is something else.</summary>
        public long? AsWhole => element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out var number) ? number : null;

        /// <summary>The id of what is named here: the name alone, or the whole object where it was expanded.</summary>
        public string? AsId => element.AsText ?? element.Get("id").AsText;

        /// <summary>Seconds since 1970 as a time.</summary>
        public DateTimeOffset? AsTime =>
            element.AsWhole is { } seconds and >= 0 and < 253_402_300_800 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;

        /// <summary>What a list holds; nothing where it is none.</summary>
        public IEnumerable<JsonElement> Items =>
            element.Get("data") is { ValueKind: JsonValueKind.Array } items ? items.EnumerateArray() : Enumerable.Empty<JsonElement>();

        /// <summary>A member, by its path; nothing where it is not there.</summary>
        public JsonElement Get(params ReadOnlySpan<string> path)
        {
            var at = element;
            foreach (var name in path)
            {
                if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at))
                    return default;
            }

            return at;
        }
    }
}
