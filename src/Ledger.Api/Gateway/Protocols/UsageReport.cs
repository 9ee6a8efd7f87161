using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What an answer says, or was counted to have used, so far.</summary>
/// <param name="Tokens">The tokens: reported where <paramref name="IsReported"/>, else counted: the request's counted input, and what was delivered.</param>
/// <param name="IsReported">Whether the provider reported them; a reported zero is a report.</param>
/// <param name="Raw">
/// The provider's own <c>usage</c>, byte for byte; a JSON array where the figures come from several, and where none has a figure that can be, the last one. Null where
/// there was none.
/// </param>
/// <param name="Outcome">How it ended: completed, length or content filter. Completed where it has not ended.</param>
/// <param name="IsInputCounted">Whether the input is this server's count, since no report has a figure for it.</param>
/// <param name="IsRawCut">Whether <paramref name="Raw"/> is only the beginning of what was reported.</param>
public readonly record struct UsageReport(
    TokenUse Tokens,
    bool IsReported,
    string? Raw,
    CallOutcome Outcome,
    bool IsInputCounted = false,
    bool IsRawCut = false
);
