namespace Ledger.Api.Dashboard.Layout;

/// <summary>What went wrong, in words that may be shown.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">In a few words.</param>
/// <param name="Message">In a sentence.</param>
/// <param name="RequestId">By which the operator finds it in the log.</param>
/// <param name="Href">Where to go from there; null for the overview.</param>
/// <param name="Way">What stands on the way there; null for the overview's.</param>
public sealed record FaultModel(int Status, string Title, string Message, string RequestId, string? Href = null, string? Way = null);
