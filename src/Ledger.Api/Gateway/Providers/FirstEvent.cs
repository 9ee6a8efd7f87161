using System.Text.Json;

namespace Ledger.Api.Gateway.Providers;

/// <summary>
/// The first event of a stream, where it is an error: some providers say 200 first, and only then that they cannot. Best effort: what has not come with
/// the first bytes, or comes after a first event that is none, is the reader's.
/// </summary>
internal static class FirstEvent
{
    private const int TooManyRequests = 429;

    /// <summary>
    /// Which refusal a stream's first bytes tell of, and the status that a provider who does not say 200 first would have given it, where another one is
    /// counted otherwise; null where they tell of none.
    /// </summary>
    public static (UpstreamRefusal Kind, int? Status)? ErrorOf(ReadOnlySpan<byte> bytes)
    {
        foreach (var range in bytes.Split((byte)'\n'))
        {
            var line = bytes[range].TrimEnd((byte)'\r');

            // Comments keep a connection open, names of events repeat what the data says.
            if (!line.StartsWith("data:"u8))
                continue;
            return KindOf(line["data:"u8.Length..].TrimStart((byte)' '));
        }

        return null;
    }

    private static (UpstreamRefusal Kind, int? Status)? KindOf(ReadOnlySpan<byte> data)
    {
        // What is no error is not read twice.
        if (data.IndexOf("\"error\""u8) is < 0 or > 64)
            return null;
        try
        {
            var reader = new Utf8JsonReader(data);
            using var document = JsonDocument.ParseValue(ref reader);
            if (
                document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("error", out var error)
                || error.ValueKind is JsonValueKind.Null
            )
                return null;
            return IsLimited(error) ? (UpstreamRefusal.Busy, TooManyRequests)
                : Says(error, "type", "overloaded_error") ? (UpstreamRefusal.Busy, null)
                : (UpstreamRefusal.Failed, null);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // A single caller can bring it about with what it asks for, so that it says nothing of the provider's health.
    private static bool IsLimited(JsonElement error) =>
        Says(error, "type", "rate_limit_error") || Says(error, "code", "rate_limit_exceeded");

    private static bool Says(JsonElement error, string name, string value) =>
        error.ValueKind == JsonValueKind.Object
        && error.TryGetProperty(name, out var member)
        && member.ValueKind == JsonValueKind.String
        && member.ValueEquals(value);
}
