using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>Ids of calls of tools. Anthropic takes letters, digits, <c>_</c> and <c>-</c> only; providers of OpenAI's protocol give what they like.</summary>
internal static class ToolIds
{
    private static readonly SearchValues<char> Good = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    );

    /// <summary>The id as Anthropic takes it; the same for the same id, so that results find their calls.</summary>
    public static string Clean(string id) =>
        id.AsSpan().ContainsAnyExcept(Good) ? string.Create(id.Length, id, static (text, id) => Fill(text, id)) : id;

    /// <summary>The same of an id in an answer; one made up from its place where it has none.</summary>
    public static byte[] Clean(JsonElement? id, int place)
    {
        var text = id is { } value ? Clean(Encoding.UTF8.GetString(value.Inside())) : "";
        return Encoding.UTF8.GetBytes(text.Length > 0 ? text : string.Create(CultureInfo.InvariantCulture, $"toolu_{place}"));
    }

    private static void Fill(Span<char> text, string id)
    {
        id.CopyTo(text);
        foreach (ref var sign in text)
        {
            if (!Good.Contains(sign))
                sign = '_';
        }
    }
}
