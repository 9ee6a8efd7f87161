using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ledger.Api.Http;

/// <summary>Times on the wire: UTC, without a fraction where there is none, else with exactly six digits.</summary>
internal static class WireTime
{
    public static string Format(DateTimeOffset at) =>
        at.UtcDateTime.ToString(
            at.UtcTicks % TimeSpan.TicksPerSecond == 0 ? "yyyy-MM-ddTHH:mm:ssZ" : "yyyy-MM-ddTHH:mm:ss.ffffffZ",
            CultureInfo.InvariantCulture
        );

    /// <summary>Reads a time that says its offset from UTC, with at most six fraction digits.</summary>
    public static bool TryParse(string text, out DateTimeOffset at)
    {
        at = default;
        if (text.Length < 20 || !(text[^1] == 'Z' || text[^6] is '+' or '-'))
            return false;
        if (
            !DateTimeOffset.TryParseExact(
                text,
                "yyyy-MM-dd'T'HH:mm:ss.FFFFFFK",
                CultureInfo.InvariantCulture,
                DateTimeStyles.AdjustToUniversal,
                out at
            )
        )
            return false;

        // FFFFFF would let a bare point pass.
        return !text.Contains(".Z", StringComparison.Ordinal)
            && !text.Contains(".+", StringComparison.Ordinal)
            && !text.Contains(".-", StringComparison.Ordinal);
    }
}

/// <summary>Times in answers that are written from records.</summary>
internal sealed class WireTimeConverter : JsonConverter<DateTimeOffset>
{
    /// <inheritdoc/>
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        WireTime.TryParse(reader.GetString() ?? "", out var at) ? at : throw new JsonException("Not a time.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(WireTime.Format(value));
}
