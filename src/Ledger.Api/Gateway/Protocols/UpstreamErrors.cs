using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What a provider says went wrong, fit to be told to the caller.</summary>
internal static partial class UpstreamErrors
{
    /// <summary>The longest message.</summary>
    public const int Max = 500;

    /// <summary>What is said where the provider says nothing that can be read.</summary>
    public const string Unknown = "The provider answered with an error.";

    private const int MaxRead = 16_384;
    private const string Mask = "***";

    /// <summary>The message in an error of either protocol: one line, at most 500 characters, without anything that looks like a secret.</summary>
    public static string MessageOf(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, JsonSlices.Document);
            return Clean(Find(document.RootElement, 0)) is { Length: > 0 } message ? message : Unknown;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A page of a proxy, or nothing at all: it says more of the inside than of the fault.
            return Unknown;
        }
    }

    // {"error":{"message"}}, {"error":"…"}, {"message"}, {"detail"}, and lists of these.
    private static string? Find(JsonElement element, int depth)
    {
        if (depth > 4)
            return null;
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                return element.GetString();
            case JsonValueKind.Array:
                return element.GetArrayLength() > 0 ? Find(element[0], depth + 1) : null;
            case JsonValueKind.Object:
                foreach (var name in (ReadOnlySpan<string>)["error", "message", "detail", "msg"])
                {
                    if (element.TryGetProperty(name, out var value) && Find(value, depth + 1) is { } found)
                        return found;
                }

                return null;
            default:
                return null;
        }
    }

    private static string? Clean(string? message)
    {
        if (message is null)
            return null;
        if (message.Length > MaxRead)
            message = message[..MaxRead];
        var text = new StringBuilder(message.Length);
        foreach (var rune in message.EnumerateRunes())
        {
            var isPlain =
                !Rune.IsControl(rune)
                && Rune.GetUnicodeCategory(rune)
                    is not (UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
            if (isPlain && !Rune.IsWhiteSpace(rune))
                text.Append(rune.ToString());
            else if (text.Length > 0 && text[^1] != ' ' && (Rune.IsControl(rune) || Rune.IsWhiteSpace(rune)))
                text.Append(' ');
        }

        var clean = UserInfo().Replace(text.ToString().TrimEnd(), "://" + Mask + "@");
        clean = Bearer().Replace(clean, "$1 " + Mask);
        clean = Named().Replace(clean, "$1" + Mask);
        clean = Prefixed().Replace(clean, Mask);
        clean = Long().Replace(clean, Mask);
        return clean.Length <= Max ? clean : Cut(clean);
    }

    private static string Cut(string text)
    {
        var end = Max - 1;
        if (char.IsHighSurrogate(text[end - 1]))
            end--;
        return text[..end] + "…";
    }

    [GeneratedRegex(@"://[^/\s@]*@", RegexOptions.CultureInvariant)]
    private static partial Regex UserInfo();

    [GeneratedRegex(@"\b(bearer|basic)\s+[^\s""',;]+", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Bearer();

    [GeneratedRegex(
        @"((?:key|token|secret|password|passwd|signature|sig|authorization|credential)s?(?:\s+provided)?[""']?\s*[=:]\s*[""']?)(?![0-9]+\b)[^\s""'&,;)}\]]{4,}",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase
    )]
    private static partial Regex Named();

    // The prefixes of the usual providers' keys, and of our own.
    [GeneratedRegex(
        @"\b(?:(?:sk|pk|rk|gsk|xai|lk|hf|ghp|glpat|pplx|r8|fw|nvapi)[-_]|AIza|AKIA|eyJ)[-_.*A-Za-z0-9]{4,}",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Prefixed();

    // Whatever its prefix: so long a word with a digit in it is no word.
    [GeneratedRegex(@"\b(?=[A-Za-z_]*[0-9])[A-Za-z0-9_]{32,}(?:[-+/=.][A-Za-z0-9_+/=-]+)*", RegexOptions.CultureInvariant)]
    private static partial Regex Long();
}
