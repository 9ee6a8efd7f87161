using System.Globalization;
using System.Text.Json;

namespace Ledger.Api.Gateway.Providers;

/// <summary>
/// The first event of a stream, where it is an error: some providers say 200 first, and only then that they cannot. Best effort: what is longer than the
/// first bytes, or comes after a first event that is none, is the reader's.
/// </summary>
internal static class FirstEvent
{
    private const int BadRequest = 400;
    private const int Unauthorized = 401;
    private const int TooManyRequests = 429;

    /// <summary>What a provider tells in an event that it should have told by its status.</summary>
    /// <param name="Kind">What it comes to.</param>
    /// <param name="Status">The status that it should have had; null where it names none.</param>
    /// <param name="MayPass">Whether the same may succeed in a moment.</param>
    /// <param name="Body">The error, as JSON.</param>
    internal sealed record Told(UpstreamRefusal Kind, int? Status, bool MayPass, byte[] Body);

    /// <summary>
    /// Whether a stream has begun to say something: comments and blank lines keep a connection open, names and ids of events come before what they are of, and
    /// of an event that is not whole nobody can be told yet.
    /// </summary>
    public static bool HasCome(ReadOnlySpan<byte> bytes)
    {
        while (bytes.IndexOf((byte)'\n') is var end and >= 0)
        {
            if (!IsMere(bytes[..end].TrimEnd((byte)'\r')))
                return true;
            bytes = bytes[(end + 1)..];
        }

        return false;
    }

    /// <summary>Whether nothing is in it but what keeps a connection open.</summary>
    public static bool IsEmpty(ReadOnlySpan<byte> bytes)
    {
        foreach (var line in bytes.Split((byte)'\n'))
        {
            if (!IsMere(bytes[line].TrimEnd((byte)'\r')))
                return false;
        }

        return true;
    }

    /// <summary>Which refusal a stream's first bytes tell of; null where they tell of none.</summary>
    public static Told? ErrorOf(ReadOnlySpan<byte> bytes)
    {
        foreach (var range in bytes.Split((byte)'\n'))
        {
            var line = bytes[range].TrimEnd((byte)'\r');

            // Comments keep a connection open, names of events repeat what the data says.
            if (!line.StartsWith("data:"u8))
                continue;
            return ErrorIn(line["data:"u8.Length..].TrimStart((byte)' '));
        }

        return null;
    }

    private static bool IsMere(ReadOnlySpan<byte> line) =>
        line.IsEmpty || line[0] == ':' || line.StartsWith("event:"u8) || line.StartsWith("id:"u8) || line.StartsWith("retry:"u8);

    private static Told? ErrorIn(ReadOnlySpan<byte> data)
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
            var (kind, status) = KindOf(error);
            return new(kind, status, kind is UpstreamRefusal.Busy or UpstreamRefusal.Failed, data.ToArray());
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // As the statuses are sorted; a number says more than a name, which providers use loosely: OpenAI's wrong key is an invalid_request_error too.
    private static (UpstreamRefusal Kind, int? Status) KindOf(JsonElement error)
    {
        if (error.ValueKind != JsonValueKind.Object)
            return (UpstreamRefusal.Failed, null);
        if (IsAnyOf(error, "insufficient_quota", "billing_error"))
            return (UpstreamRefusal.CredentialsRefused, NumberOf(error));
        switch (NumberOf(error))
        {
            case (BadRequest or 404 or 413 or 422) and var status:
                return (UpstreamRefusal.ContentRefused, status);
            case (Unauthorized or 402 or 403) and var status:
                return (UpstreamRefusal.CredentialsRefused, status);
            case TooManyRequests:
                return (UpstreamRefusal.Busy, TooManyRequests);
            case (503 or 529) and var status:
                return (UpstreamRefusal.Busy, status);
            case { } status:
                return (UpstreamRefusal.Failed, status);
        }

        // A single caller can bring a limit about with what it asks for, so that it says nothing of the provider's health.
        return IsAnyOf(error, "rate_limit_error", "rate_limit_exceeded") ? (UpstreamRefusal.Busy, TooManyRequests)
            : IsAnyOf(error, "overloaded_error") ? (UpstreamRefusal.Busy, null)
            : IsAnyOf(error, "authentication_error", "permission_error", "invalid_api_key")
                ? (UpstreamRefusal.CredentialsRefused, Unauthorized)
            : IsAnyOf(
                error,
                "invalid_request_error",
                "not_found_error",
                "request_too_large",
                "context_length_exceeded",
                "BadRequestError",
                "NotFoundError"
            )
                ? (UpstreamRefusal.ContentRefused, BadRequest)
            : (UpstreamRefusal.Failed, null);
    }

    private static int? NumberOf(JsonElement error)
    {
        foreach (var name in (ReadOnlySpan<string>)["code", "status", "status_code"])
        {
            if (!error.TryGetProperty(name, out var member))
                continue;
            var number = 0;
            var isNumber = member.ValueKind switch
            {
                JsonValueKind.Number => member.TryGetInt32(out number),
                JsonValueKind.String => int.TryParse(member.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out number),
                _ => false,
            };
            if (isNumber && number is >= 400 and <= 599)
                return number;
        }

        return null;
    }

    private static bool IsAnyOf(JsonElement error, params ReadOnlySpan<string> values)
    {
        foreach (var value in values)
        {
            if (Says(error, "type", value) || Says(error, "code", value))
                return true;
        }

        return false;
    }

    private static bool Says(JsonElement error, string name, string value) =>
        error.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String && member.ValueEquals(value);
}
