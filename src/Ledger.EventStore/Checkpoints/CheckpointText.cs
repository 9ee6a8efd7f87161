using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace Ledger.EventStore.Checkpoints;

/// <summary>Checkpoints and their keys as JSON: on the wire, in receipts, and in the file that is kept outside of the database.</summary>
public static class CheckpointText
{
    private const int Format = 1;

    /// <summary>Writes a checkpoint.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="whole">The checkpoint.</param>
    /// <param name="withSegments">Whether with its segments, as in the file.</param>
    public static void Write(Utf8JsonWriter json, SignedCheckpoint whole, bool withSegments)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(whole);
        var checkpoint = whole.Checkpoint;
        json.WriteStartObject();
        json.WriteNumber("format", Format);
        json.WriteNumber("number", checkpoint.Number);
        json.WriteNumber("after", checkpoint.After);
        json.WriteNumber("position", checkpoint.Position);
        json.WriteNumber("count", checkpoint.Count);
        json.WriteStartArray("gaps");
        foreach (var gap in checkpoint.Gaps)
        {
            json.WriteStartArray();
            json.WriteNumberValue(gap.First);
            json.WriteNumberValue(gap.Last);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteBase64String("root", checkpoint.Root.Span);
        json.WriteBase64String("previous", checkpoint.Previous.Span);
        json.WriteString("at", Time(checkpoint.At));
        json.WriteString("key_id", checkpoint.KeyId);
        json.WriteBase64String("hash", checkpoint.Hash());
        json.WriteBase64String("signature", whole.Signature.Span);
        if (withSegments)
        {
            json.WriteStartArray("segments");
            foreach (var segment in whole.Segments)
                json.WriteBase64StringValue(segment);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    /// <summary>Reads a checkpoint.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static SignedCheckpoint Read(JsonElement json)
    {
        try
        {
            if (json.GetProperty("format").GetInt32() != Format)
                throw new FormatException("it is in a format that this program does not know");
            var checkpoint = new LogCheckpoint(
                json.GetProperty("number").GetInt64(),
                json.GetProperty("after").GetInt64(),
                json.GetProperty("position").GetInt64(),
                json.GetProperty("count").GetInt64(),
                [.. json.GetProperty("gaps").EnumerateArray().Select(gap => new PositionRun(gap[0].GetInt64(), gap[1].GetInt64()))],
                json.GetProperty("root").GetBytesFromBase64(),
                json.GetProperty("previous").GetBytesFromBase64(),
                ReadTime(json.GetProperty("at").GetString()),
                json.GetProperty("key_id").GetString() ?? throw new FormatException("it names no key")
            );
            if (checkpoint.Fault() is { } fault)
                throw new FormatException(fault);
            if (!json.GetProperty("hash").GetBytesFromBase64().AsSpan().SequenceEqual(checkpoint.Hash()))
                throw new FormatException("its hash is not that of what it says");
            return new(
                checkpoint,
                json.GetProperty("signature").GetBytesFromBase64(),
                json.TryGetProperty("segments", out var segments)
                    ? [.. segments.EnumerateArray().Select(segment => segment.GetBytesFromBase64())]
                    : []
            );
        }
        catch (Exception e)
            when (e is InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException or OverflowException or JsonException)
        {
            throw new FormatException("it is not a checkpoint", e);
        }
    }

    /// <summary>Writes a key as JSON Web Key (RFC 7517).</summary>
    public static void Write(Utf8JsonWriter json, CheckpointKey key)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(key);
        json.WriteStartObject();
        json.WriteString("kty", "EC");
        json.WriteString("crv", "P-256");
        json.WriteString("x", Base64Url.EncodeToString(key.X.Span));
        json.WriteString("y", Base64Url.EncodeToString(key.Y.Span));
        json.WriteString("use", "sig");
        json.WriteString("alg", "ES256");
        json.WriteString("kid", key.Id);
        json.WriteEndObject();
    }

    /// <summary>Reads a JSON Web Key.</summary>
    /// <exception cref="FormatException">It is not such a key; the message says why.</exception>
    public static CheckpointKey ReadKey(JsonElement json)
    {
        try
        {
            if (json.GetProperty("kty").GetString() != "EC" || json.GetProperty("crv").GetString() != "P-256")
                throw new FormatException("it is not a key on P-256");
            var key = new CheckpointKey(Coordinate("x"), Coordinate("y"));
            return !json.TryGetProperty("kid", out var id) || id.GetString() == key.Id
                ? key
                : throw new FormatException("its name is not its own thumbprint");
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException("it is not a JSON Web Key", e);
        }

        byte[] Coordinate(string name) =>
            Base64Url.DecodeFromChars(json.GetProperty(name).GetString()) is { Length: 32 } bytes
                ? bytes
                : throw new FormatException("it is not a key on P-256");
    }

    /// <summary>A time as everywhere on the wire: UTC, without a fraction where there is none, else with exactly six digits.</summary>
    public static string Time(DateTimeOffset at) =>
        at.UtcDateTime.ToString(
            at.UtcTicks % TimeSpan.TicksPerSecond == 0 ? "yyyy-MM-ddTHH:mm:ssZ" : "yyyy-MM-ddTHH:mm:ss.ffffffZ",
            CultureInfo.InvariantCulture
        );

    /// <summary>Reads such a time.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static DateTimeOffset ReadTime(string? text) =>
        DateTimeOffset.TryParseExact(
            text,
            ["yyyy-MM-ddTHH:mm:ssZ", "yyyy-MM-ddTHH:mm:ss.ffffffZ"],
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var at
        )
            ? at
            : throw new FormatException("it has no lawful time");
}
