using System.Text.Json;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>Why an answer ended, in both protocols.</summary>
internal static class StopReasons
{
    /// <summary>What OpenAI's <c>finish_reason</c> says of how the call ended.</summary>
    public static CallOutcome OfOpenAi(ref Utf8JsonReader json) =>
        json.ValueTextEquals("length"u8) ? CallOutcome.Length
        : json.ValueTextEquals("content_filter"u8) ? CallOutcome.ContentFilter
        : CallOutcome.Completed;

    /// <summary>What Anthropic's <c>stop_reason</c> says of how the call ended.</summary>
    public static CallOutcome OfAnthropic(ref Utf8JsonReader json) =>
        json.ValueTextEquals("max_tokens"u8) || json.ValueTextEquals("model_context_window_exceeded"u8) ? CallOutcome.Length
        : json.ValueTextEquals("refusal"u8) ? CallOutcome.ContentFilter
        : CallOutcome.Completed;

    /// <summary>Anthropic's word. An answer that calls tools says so, whatever the provider called its end.</summary>
    public static ReadOnlySpan<byte> ToAnthropic(CallOutcome outcome, bool callsTools) =>
        outcome switch
        {
            CallOutcome.Length => "max_tokens"u8,
            CallOutcome.ContentFilter => "refusal"u8,
            _ => callsTools ? "tool_use"u8 : "end_turn"u8,
        };

    /// <summary>OpenAI's word.</summary>
    public static ReadOnlySpan<byte> ToOpenAi(CallOutcome outcome, bool callsTools) =>
        outcome switch
        {
            CallOutcome.Length => "length"u8,
            CallOutcome.ContentFilter => "content_filter"u8,
            _ => callsTools ? "tool_calls"u8 : "stop"u8,
        };
}
