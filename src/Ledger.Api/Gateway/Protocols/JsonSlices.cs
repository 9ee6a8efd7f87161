using System.Buffers;
using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>A part of a body, by where it starts and ends.</summary>
internal readonly record struct Slice(int Start, int End)
{
    /// <summary>Whether it is there at all: nothing of a JSON object starts at its first byte.</summary>
    public bool Exists => End > 0;

    /// <summary>The bytes of it.</summary>
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> body) => body[Start..End];
}

/// <summary>What the protocols need of JSON beyond the reader: lengths of strings that nobody decodes, and values that travel as they are.</summary>
internal static class JsonSlices
{
    /// <summary>As deep as a body may be nested.</summary>
    public const int MaxDepth = 64;

    /// <summary>How bodies are read.</summary>
    public static readonly JsonReaderOptions Reader = new() { MaxDepth = MaxDepth };

    /// <summary>How answers are read into documents; they may stand a little deeper than what was asked.</summary>
    public static readonly JsonDocumentOptions Document = new() { MaxDepth = 2 * MaxDepth };

    private static readonly JsonWriterOptions Writer = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 4 * MaxDepth,
        SkipValidation = true,
    };

    /// <summary>A writer that escapes no more than JSON wants.</summary>
    public static Utf8JsonWriter WriterTo(IBufferWriter<byte> target) => new(target, Writer);

    /// <summary>A text as a JSON string, quotes included.</summary>
    public static byte[] Quote(string text) => JsonSerializer.SerializeToUtf8Bytes(text, ProtocolJson.Relaxed.String);

    /// <summary>Writes a value as it came, byte for byte.</summary>
    public static void WriteAsIs(this Utf8JsonWriter json, JsonElement value) =>
        json.WriteRawValue(JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);

    /// <summary>Writes a member as it came, byte for byte.</summary>
    public static void WriteAsIs(this Utf8JsonWriter json, ReadOnlySpan<byte> name, JsonElement value)
    {
        json.WritePropertyName(name);
        json.WriteAsIs(value);
    }

    /// <summary>A member of an object; null where it is left out or null, or where there is no object.</summary>
    public static JsonElement? Member(this JsonElement element, ReadOnlySpan<byte> name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>A member that is a text; null where it is not.</summary>
    public static JsonElement? TextMember(this JsonElement element, ReadOnlySpan<byte> name) =>
        element.Member(name) is { ValueKind: JsonValueKind.String } text ? text : null;

    /// <summary>Whether a member is the text.</summary>
    public static bool Says(this JsonElement element, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text) =>
        element.TextMember(name) is { } value && value.ValueEquals(text);

    /// <summary>The members of an array; none where it is something else.</summary>
    public static JsonElement.ArrayEnumerator Items(this JsonElement? element) =>
        element is { ValueKind: JsonValueKind.Array } array ? array.EnumerateArray() : default;

    /// <summary>The bytes of a text as it stands between its quotes.</summary>
    public static ReadOnlySpan<byte> Inside(this JsonElement text)
    {
        var raw = JsonMarshal.GetRawUtf8Value(text);
        return raw.Length >= 2 && raw[0] == '"' ? raw[1..^1] : default;
    }

    /// <summary>A whole number of at least zero; null where the token is anything else.</summary>
    public static long? Whole(ref Utf8JsonReader json) =>
        json.TokenType == JsonTokenType.Number
        && Utf8Parser.TryParse(json.ValueSpan, out long number, out var read)
        && read == json.ValueSpan.Length
        && number >= 0
            ? number
            : null;

    /// <summary>How many bytes of UTF-8 a JSON string stands for.</summary>
    /// <param name="inside">What stands between its quotes.</param>
    /// <param name="isWhole">Whether every surrogate has its other half. A lone one counts as three bytes.</param>
    public static int LengthOf(ReadOnlySpan<byte> inside, out bool isWhole)
    {
        isWhole = true;
        var at = inside.IndexOf((byte)'\\');
        if (at < 0)
            return inside.Length;

        var length = at;
        while (true)
        {
            if (inside[at + 1] != 'u')
            {
                length++;
                at += 2;
            }
            else
            {
                var unit = UnitAt(inside, at);
                at += 6;
                if (unit is >= 0xD800 and <= 0xDBFF && UnitAt(inside, at) is >= 0xDC00 and <= 0xDFFF)
                {
                    length += 4;
                    at += 6;
                }
                else
                {
                    isWhole &= unit is < 0xD800 or > 0xDFFF;
                    length +=
                        unit < 0x80 ? 1
                        : unit < 0x800 ? 2
                        : 3;
                }
            }

            var next = inside[at..].IndexOf((byte)'\\');
            if (next < 0)
                return length + inside.Length - at;
            length += next;
            at += next;
        }
    }

    /// <summary>The same of the reader's string or name.</summary>
    public static int LengthOf(ref Utf8JsonReader json, out bool isWhole)
    {
        isWhole = true;
        return json.ValueIsEscaped ? LengthOf(json.ValueSpan, out isWhole) : json.ValueSpan.Length;
    }

    /// <summary>What a JSON string stands for, with U+FFFD for each half of a surrogate pair.</summary>
    public static string Forgiving(ReadOnlySpan<byte> inside)
    {
        var text = new System.Text.StringBuilder(inside.Length);
        while (!inside.IsEmpty)
        {
            var plain = inside.IndexOf((byte)'\\');
            text.Append(System.Text.Encoding.UTF8.GetString(plain < 0 ? inside : inside[..plain]));
            if (plain < 0)
                break;
            inside = inside[plain..];
            var unit = UnitAt(inside, 0);
            text.Append(
                unit >= 0
                    ? (char)unit
                    : (char)inside[1] switch
                    {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'b' => '\b',
                        'f' => '\f',
                        var sign => sign,
                    }
            );
            inside = inside[(unit >= 0 ? 6 : 2)..];
        }

        // Halves that stand alone become U+FFFD on the way through UTF-8.
        return System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text.ToString()));
    }

    // -1 where no \uXXXX stands there.
    private static int UnitAt(ReadOnlySpan<byte> inside, int at) =>
        at + 6 <= inside.Length
        && inside[at] == '\\'
        && inside[at + 1] == 'u'
        && Utf8Parser.TryParse(inside.Slice(at + 2, 4), out int unit, out var read, 'x')
        && read == 4
            ? unit
            : -1;
}
