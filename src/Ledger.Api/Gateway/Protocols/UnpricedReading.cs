using System.Text.Json;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>
/// What of a body changes its price or the model that serves it, without a price of its own; and names that only some providers would take for those that are
/// read here.
/// </summary>
internal ref partial struct CallReading
{
    // A character is at most six bytes of JSON, and no name that matters is longer.
    private const int LongestName = 6 * 24;
    private const int LongestType = 64;

    // In a spelling that differs by case alone they are refused: some providers match names without it, and take the last one.
    private static readonly HashSet<string> OpenAiNames = new(StringComparer.OrdinalIgnoreCase)
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "stream_options",
        "n",
        "provider",
        "tools",
        "tool_choice",
        "functions",
        "response_format",
        "service_tier",
        "web_search_options",
        "search_parameters",
        "enable_search",
        "audio",
        "modalities",
        "models",
        "fallbacks",
        "route",
        "plugins",
    };

    private static readonly HashSet<string> AnthropicNames = new(StringComparer.OrdinalIgnoreCase)
    {
        "model",
        "messages",
        "max_tokens",
        "stream",
        "system",
        "tools",
        "tool_choice",
        "output_config",
        "cache_control",
        "service_tier",
        "speed",
        "inference_geo",
        "mcp_servers",
        "container",
        "provider",
        "models",
        "fallbacks",
        "route",
        "plugins",
    };

    /// <summary>Whether a name is not one of those that are read here in another spelling.</summary>
    /// <param name="member">What it was taken for.</param>
    /// <param name="unpriced">The name, where its value decides whether it has a price.</param>
    private bool IsPlain(Known member, out string? unpriced)
    {
        unpriced = null;
        if (member != Known.None || _json.ValueSpan.Length > LongestName)
            return true;
        var name = _json.GetString()!;
        var names = _protocol == Protocol.OpenAi ? OpenAiNames : AnthropicNames;
        if (!names.TryGetValue(Folded(name), out var known))
            return true;
        if (name != known)
            return RefuseSpelling(name, known, name);
        unpriced = name;
        return true;
    }

    /// <summary>The same of a member of <c>stream_options</c> that is not <c>include_usage</c>.</summary>
    private bool IsPlainOption()
    {
        const string known = "include_usage";
        if (_json.ValueSpan.Length > LongestName)
            return true;
        var name = _json.GetString()!;
        return !Folded(name).Equals(known, StringComparison.OrdinalIgnoreCase) || RefuseSpelling(name, known, "stream_options." + name);
    }

    private bool RefuseSpelling(string name, string known, string param) =>
        Refuse($"{name} must be spelt {known}: providers differ in whether they take the one for the other.", param);

    // Two letters beyond ASCII that fold to one within it, as some providers' readers do.
    private static string Folded(string name) => name.Replace('\u017F', 's').Replace('\u212A', 'k');

    /// <summary>Keeps the name of a member whose value has no price.</summary>
    private void Price(string name, Utf8JsonReader value)
    {
        if (value.TokenType == JsonTokenType.Null)
            return;
        var isPriced = name switch
        {
            "service_tier" when _protocol == Protocol.OpenAi => IsOneOf(ref value, "auto", "default", "flex"),
            "service_tier" => IsOneOf(ref value, "auto", "standard_only"),
            "speed" => IsOneOf(ref value, "standard"),
            "inference_geo" => IsOneOf(ref value, "global"),
            "modalities" => IsListOf(ref value, "text"),
            "models" or "fallbacks" or "plugins" or "mcp_servers" => IsListOf(ref value, null),
            "enable_search" => value.TokenType == JsonTokenType.False,
            "provider" => value.TokenType != JsonTokenType.StartObject,
            _ => false,
        };
        if (!isPriced)
            AddUnpriced(
                name,
                name is "mcp_servers" or "web_search_options" or "search_parameters" or "enable_search" or "plugins" or "container"
            );
    }

    private void AddUnpriced(string name, bool isUncountable)
    {
        _isUncountable |= isUncountable;
        _unpriced ??= [];
        if (!_unpriced.Contains(name, StringComparer.Ordinal))
            _unpriced.Add(name);
    }

    /// <summary>The type of a tool that is not the caller's to run; null where it is. A tool that does not say is Anthropic's for one of the caller's.</summary>
    private static string? TypeOfService(Utf8JsonReader tool, Protocol protocol)
    {
        const string unknown = "tools";
        var (hasType, hasFunction) = (false, false);
        while (tool.Read() && tool.TokenType == JsonTokenType.PropertyName)
        {
            hasFunction |= tool.ValueTextEquals("function"u8);
            var isType = tool.ValueSpan.Length <= LongestName && tool.GetString()!.Equals("type", StringComparison.OrdinalIgnoreCase);
            tool.Read();
            if (!isType || tool.TokenType == JsonTokenType.Null)
            {
                tool.Skip();
                continue;
            }

            if (tool.TokenType != JsonTokenType.String || tool.ValueSpan.Length > LongestType)
                return unknown;
            hasType = true;
            var type = tool.GetString()!;
            if (!IsCallers(type, protocol))
                return type.Length > 0 && !type.AsSpan().ContainsAnyExceptInRange('!', '~') ? type : unknown;
        }

        return hasType || hasFunction || protocol == Protocol.Anthropic ? null : unknown;
    }

    private static bool IsCallers(string type, Protocol protocol) =>
        type == "custom"
        || (
            protocol == Protocol.OpenAi
                ? type == "function"
                : type.StartsWith("bash_", StringComparison.Ordinal)
                    || type.StartsWith("text_editor_", StringComparison.Ordinal)
                    || type.StartsWith("computer_", StringComparison.Ordinal)
                    || type.StartsWith("memory_", StringComparison.Ordinal)
        );

    private static bool IsOneOf(ref Utf8JsonReader value, params ReadOnlySpan<string> texts)
    {
        foreach (var text in texts)
        {
            if (value.TokenType == JsonTokenType.String && value.ValueTextEquals(text))
                return true;
        }

        return false;
    }

    // Whether there is an array, and nothing in it but the text.
    private static bool IsListOf(ref Utf8JsonReader value, string? text)
    {
        if (value.TokenType != JsonTokenType.StartArray)
            return false;
        while (value.Read() && value.TokenType != JsonTokenType.EndArray)
        {
            if (text is null || !IsOneOf(ref value, text))
                return false;
        }

        return true;
    }
}
