using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Gateway.Providers;

/// <summary>
/// What of a caller's headers travels on to a provider: what says how to read the body, and nothing that says who the caller is. A list of what may go,
/// not of what may not: a header that nobody thought of stays here.
/// </summary>
public static class ForwardedHeaders
{
    /// <summary>The version of Anthropic's protocol where the caller names none.</summary>
    public const string DefaultAnthropicVersion = "2023-06-01";

    internal const string AnthropicVersion = "anthropic-version";
    private const string AnthropicBeta = "anthropic-beta";

    // All values of a name together. Kestrel takes 32 KiB of headers in all.
    private const int MaxLength = 8192;

    // Beginnings of what changes a price: a long context is dearer, and so is speed.
    private static readonly string[] UnpricedBetas = ["context-1m", "fast-mode"];

    /// <summary>The headers for a provider.</summary>
    /// <param name="headers">The caller's.</param>
    /// <param name="protocol">What is spoken with the provider; what the other protocol's headers say does not concern it.</param>
    public static IReadOnlyList<KeyValuePair<string, string>> From(IHeaderDictionary headers, Protocol protocol)
    {
        ArgumentNullException.ThrowIfNull(headers);
        var forwarded = new List<KeyValuePair<string, string>>(2);
        foreach (var name in Names(protocol))
        {
            var values = headers[name].Where(IsLawful).ToList();
            if (values.Count > 0)
                forwarded.Add(new(name, name == AnthropicVersion ? values[0]! : string.Join(',', values)));
            else if (name == AnthropicVersion)
                forwarded.Add(new(name, DefaultAnthropicVersion));
        }

        return forwarded;
    }

    /// <summary>What of a caller's headers is too long to travel; null where nothing is. Without it the answer would be another than was asked for.</summary>
    public static CallFault? Unlawful(IHeaderDictionary headers, Protocol protocol)
    {
        ArgumentNullException.ThrowIfNull(headers);
        foreach (var name in Names(protocol))
        {
            var values = headers[name];
            if (values.Sum(value => (value?.Length ?? 0) + 1) > MaxLength + 1)
                return new($"{name} must have no more than {MaxLength} characters in all.", name);
        }

        return null;
    }

    /// <summary>Takes out of a caller's headers what changes the price of its call and has none here, so that it does not travel.</summary>
    public static void DropUnpriced(IHeaderDictionary headers, GatewayOptions options)
    {
        ArgumentNullException.ThrowIfNull(headers);
        ArgumentNullException.ThrowIfNull(options);
        var values = headers[AnthropicBeta];
        var all = values.SelectMany(value => (value ?? "").Split(',')).ToList();
        var kept = all.Where(beta => !IsUnpriced(beta.Trim(), options)).ToList();
        if (kept.Count < all.Count)
            headers[AnthropicBeta] = kept.Count == 0 ? default : string.Join(',', kept);
    }

    private static bool IsUnpriced(string beta, GatewayOptions options) =>
        UnpricedBetas.Any(unpriced =>
            beta.StartsWith(unpriced, StringComparison.OrdinalIgnoreCase) && !options.Allows(unpriced) && !options.Allows(beta)
        );

    /// <summary>Whether a header may go to a provider.</summary>
    internal static bool MayTravel(KeyValuePair<string, string> header, Protocol protocol) =>
        Names(protocol).Contains(header.Key, StringComparer.OrdinalIgnoreCase) && IsLawful(header.Value);

    private static string[] Names(Protocol protocol) =>
        protocol switch
        {
            Protocol.OpenAi => ["openai-beta"],
            Protocol.Anthropic => [AnthropicVersion, AnthropicBeta],
        };

    // A line break in a value would be a header of the caller's own making.
    private static bool IsLawful(string? value) => value is { Length: > 0 and <= MaxLength } && value.All(c => c is >= ' ' and <= '~');
}
