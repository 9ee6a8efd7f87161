using System.Globalization;
using System.Text;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What was used, as each protocol says it.</summary>
internal static class UsageTexts
{
    /// <summary>OpenAI's <c>usage</c>: the prompt includes what was cached.</summary>
    public static byte[] OpenAi(in TokenUse use) =>
        Encoding.UTF8.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $$$"""{"prompt_tokens":{{{use.AllInput}}},"completion_tokens":{{{use.Output}}},"total_tokens":{{{use.Total}}},"prompt_tokens_details":{"cached_tokens":{{{use.CacheRead}}}}}"""
            )
        );

    /// <summary>Anthropic's <c>usage</c>: the input excludes what was cached.</summary>
    public static byte[] Anthropic(in TokenUse use) =>
        Encoding.UTF8.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $$$"""{"input_tokens":{{{use.Input}}},"cache_creation_input_tokens":{{{use.CacheWrite + use.CacheWrite1h}}},"cache_read_input_tokens":{{{use.CacheRead}}},"output_tokens":{{{use.Output}}}}"""
            )
        );
}
