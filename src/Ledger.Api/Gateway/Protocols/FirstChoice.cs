namespace Ledger.Api.Gateway.Protocols;

/// <summary>What the first choice of an answer of OpenAI's protocol says: its text, and the rest as it stands in the answer.</summary>
/// <param name="Text">The text; empty where there is none.</param>
/// <param name="Refusal">The value of <c>refusal</c>; null where it is left out or null.</param>
/// <param name="ToolCalls">The value of <c>tool_calls</c>; null where no tool is called.</param>
/// <param name="FunctionCall">The value of <c>function_call</c>, as older models call a tool; null where there is none.</param>
/// <param name="FinishReason">The value of <c>finish_reason</c>; null where it is no text.</param>
internal readonly record struct FirstChoice(string Text, byte[]? Refusal, byte[]? ToolCalls, byte[]? FunctionCall, byte[]? FinishReason)
{
    /// <summary>Whether it says more than a text.</summary>
    public bool HasMore => Refusal is not null || ToolCalls is not null || FunctionCall is not null;
}
