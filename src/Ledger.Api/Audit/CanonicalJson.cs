using System.Text;
using System.Text.Json;

namespace Ledger.Api.Audit;

/// <summary>
/// The one spelling of a JSON value that is signed and compared: RFC 8785 for what is signed here, where every number is a whole one. Members in the order of their
/// names, no white space, only what must be is escaped. Numbers stand as they were written.
/// </summary>
internal static class CanonicalJson
{
    /// <summary>Writes a value so.</summary>
    /// <param name="value">The value.</param>
    /// <param name="without">A member of the outermost object that is left out; null for none.</param>
    public static byte[] Of(JsonElement value, string? without = null)
    {
        var text = new StringBuilder();
        Write(text, value, without);
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static void Write(StringBuilder to, JsonElement value, string? without)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                to.Append('{');
                var isFirst = true;
                foreach (
                    var member in value
                        .EnumerateObject()
                        .Where(member => member.Name != without)
                        .OrderBy(member => member.Name, StringComparer.Ordinal)
                )
                {
                    if (!isFirst)
                        to.Append(',');
                    isFirst = false;
                    Text(to, member.Name);
                    to.Append(':');
                    Write(to, member.Value, null);
                }

                to.Append('}');
                break;
            case JsonValueKind.Array:
                to.Append('[');
                var comma = "";
                foreach (var item in value.EnumerateArray())
                {
                    to.Append(comma);
                    comma = ",";
                    Write(to, item, null);
                }

                to.Append(']');
                break;
            case JsonValueKind.String:
                Text(to, value.GetString()!);
                break;
            default:
                to.Append(value.GetRawText());
                break;
        }
    }

    private static void Text(StringBuilder to, string text)
    {
        to.Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => to.Append("\\\""),
                '\\' => to.Append("\\\\"),
                '\b' => to.Append("\\b"),
                '\f' => to.Append("\\f"),
                '\n' => to.Append("\\n"),
                '\r' => to.Append("\\r"),
                '\t' => to.Append("\\t"),
                < ' ' => to.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => to.Append(c),
            };
        }

        to.Append('"');
    }
}
