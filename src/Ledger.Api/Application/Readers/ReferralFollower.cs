using Ledger.Domain;
using Ledger.Domain.Referrals;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Referrals;

namespace Ledger.Api.Application.Readers;

/// <summary>
/// Carries a referral from the account that said so to the one that is rewarded for it: no append spans two accounts. The reward's id follows from the
/// two accounts, so that whatever is carried twice is given once.
/// </summary>
public sealed partial class ReferralFollower(LedgerService ledger, ILogger<ReferralFollower> logger) : LogFollower
{
    private const string Prefix = "account-";

    /// <inheritdoc/>
    public override string Name => ReferralRows.Reader;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types { get; } = [LedgerEvents.Types.NameOf<ReferralApplied>()];

    /// <inheritdoc/>
    public override async Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(page);
        foreach (var stored in page)
        {
            var applied = (ReferralApplied)LedgerEvents.Types.Read(stored);
            var referred = new AccountId(stored.StreamId[Prefix.Length..]);
            var verdict = await ledger.ExecuteAsync(
                new RewardReferral(applied.Referrer, referred, applied.ReferrerCredits),
                new("system", stored.CorrelationId ?? Name)
            );

            // Only an account that a fail-over took away is refused. Nothing would become better by waiting for it, and others wait behind.
            if (verdict.Refusal is { } refusal)
                LogRefused(logger, applied.Referrer.Value, referred.Value, refusal.Code);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Account {Referrer} could not be rewarded for referring {Referred}: {Code}.")]
    private static partial void LogRefused(ILogger logger, string referrer, string referred, RejectionCode code);
}
