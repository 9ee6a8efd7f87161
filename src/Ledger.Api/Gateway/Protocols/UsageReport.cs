using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What an answer says, or was counted to have used, so far.</summary>
/// <param name="Tokens">The tokens: reported where <paramref name="IsReported"/>, else counted: the request's counted input, and what was delivered.</param>
/// <param name="IsReported">Whether the provider reported them; a reported zero is a report.</param>
/// <param name="Raw">The provider's own <c>usage</c>, byte for byte; the last one where there were several. Null where there was none.</param>
/// <param name="Outcome">How it ended: completed, length or content filter. Completed where it has not ended.</param>
public readonly record struct UsageReport(TokenUse Tokens, bool IsReported, string? Raw, CallOutcome Outcome);
