using System.Text.Json.Serialization;
using Ledger.Api.Http;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dialects.Credits;

/// <summary>The balance, member by member as the document shows it.</summary>
/// <param name="CreditsBalance">What may be spent of the subscription's credits.</param>
/// <param name="PaygBalance">What may be spent of all other credits that no pack binds: bought, given, earned.</param>
/// <param name="TotalAvailableCredits">Both.</param>
/// <param name="LastResetAt">When the subscription's period began; null without one.</param>
/// <param name="TotalCreditsUsed">What was charged in all, less what was given back.</param>
/// <param name="TotalPaygCreditsPurchased">What was bought as one goes, in all.</param>
/// <param name="NextResetDate">When the next period begins; null without a subscription that goes on.</param>
/// <param name="CreditsPerMonth">What a period gives; 0 without a subscription.</param>
public sealed record CreditBalance(
    decimal CreditsBalance,
    decimal PaygBalance,
    decimal TotalAvailableCredits,
    DateTimeOffset? LastResetAt,
    decimal TotalCreditsUsed,
    decimal TotalPaygCreditsPurchased,
    DateTimeOffset? NextResetDate,
    decimal CreditsPerMonth
);

/// <summary>One charge by one source.</summary>
/// <param name="Id">Its id: another one for each source of one charge.</param>
/// <param name="UserCreditsId">The wallet's id: the same for all of an account.</param>
/// <param name="CreditsUsed">How much; negative where a charge was given back.</param>
/// <param name="ServiceType">For what.</param>
/// <param name="AudioDuration">Seconds of audio; 0 where nobody said.</param>
/// <param name="CreditSource"><c>subscription</c>, <c>payg</c>, <c>bonus</c>, <c>pack</c>; <c>debt</c> for what nothing covered.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="UsageMetadata">The caller's own object.</param>
public sealed record CreditUsage(
    Guid Id,
    Guid UserCreditsId,
    decimal CreditsUsed,
    string ServiceType,
    decimal AudioDuration,
    string CreditSource,
    DateTimeOffset CreatedAt,
    IReadOnlyDictionary<string, string> UsageMetadata
);

/// <summary>Terms of buying as one goes.</summary>
/// <param name="CreditsPerDollar">The rate.</param>
/// <param name="MinAmountUsd">The least.</param>
/// <param name="MaxAmountUsd">The most.</param>
/// <param name="Currency">ISO 4217.</param>
public sealed record PaygInfo(decimal CreditsPerDollar, int MinAmountUsd, int MaxAmountUsd, string Currency);

/// <summary>Asks for a checkout.</summary>
/// <param name="AmountUsd">For how many dollars: whole cents within the limits.</param>
public sealed record CreditsCheckoutRequest(decimal AmountUsd);

/// <summary>A checkout.</summary>
/// <param name="SessionId">The provider's page.</param>
/// <param name="CreditsToReceive">What its payment gives.</param>
/// <param name="AmountUsd">What it costs.</param>
/// <param name="Url">Where it can be paid.</param>
public sealed record CreditsCheckout(string SessionId, decimal CreditsToReceive, decimal AmountUsd, string Url);

/// <summary>Asks what work would cost. One of the three says how much of it.</summary>
/// <param name="ServiceType">For what.</param>
/// <param name="Duration">Seconds, for what is priced by time.</param>
/// <param name="Characters">Characters, for what is priced by text.</param>
/// <param name="Units">Units of the price.</param>
public sealed record EstimateRequest(string ServiceType, decimal? Duration, decimal? Characters, decimal? Units);

/// <summary>What work would cost.</summary>
/// <param name="Service">For what.</param>
/// <param name="CreditsNeeded">How many credits, as a spend would charge.</param>
/// <param name="UsdCost">What so many cost, bought as one goes, to the millionth of a dollar, rounded up.</param>
/// <param name="Parameters">What was asked.</param>
public sealed record EstimateAnswer(
    string Service,
    decimal CreditsNeeded,
    decimal UsdCost,
    IReadOnlyDictionary<string, decimal> Parameters
);

/// <summary>What is bought when too little is left.</summary>
/// <param name="Enabled">Whether anything is.</param>
/// <param name="ThresholdCredits">At how many available credits or fewer.</param>
/// <param name="AmountUsd">For how many dollars each time.</param>
/// <param name="MaxPerDay">How often in 24 hours at most.</param>
/// <param name="State"><c>off</c>, <c>armed</c>, <c>bought</c> (waits until the balance was above the threshold), <c>pending</c> or <c>backing_off</c>.</param>
/// <param name="RetryAt">When it tries again after a declined card.</param>
public sealed record AutoTopupView(
    bool Enabled,
    decimal ThresholdCredits,
    decimal AmountUsd,
    int MaxPerDay,
    string State,
    DateTimeOffset? RetryAt
);

/// <summary>Changes it; only the members that are there.</summary>
/// <param name="Enabled">Whether anything is bought.</param>
/// <param name="ThresholdCredits">At how many available credits or fewer.</param>
/// <param name="AmountUsd">For how many dollars each time: whole cents within the limits.</param>
/// <param name="MaxPerDay">How often in 24 hours at most, 1 to 24.</param>
public sealed record AutoTopupRequest(bool? Enabled, decimal? ThresholdCredits, decimal? AmountUsd, int? MaxPerDay);

/// <summary>What is told when too little is left.</summary>
/// <param name="WarningThreshold">At how many available credits or fewer it is time to look; null for never.</param>
/// <param name="CriticalThreshold">At how many it is urgent; null for never.</param>
/// <param name="WebhookUrl">Where it is told; null for nowhere.</param>
/// <param name="Email">Whether the account's address gets a letter too.</param>
/// <param name="Level">How it stands: <c>ok</c>, <c>warning</c> or <c>critical</c>.</param>
/// <param name="WebhookSecret">With which it is signed: in the answer that sets the address only.</param>
public sealed record AlertsView(
    decimal? WarningThreshold,
    decimal? CriticalThreshold,
    string? WebhookUrl,
    bool Email,
    string Level,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? WebhookSecret
);

/// <summary>Changes it; only the members that are there; null switches off.</summary>
/// <param name="WarningThreshold">At how many available credits or fewer it is time to look.</param>
/// <param name="CriticalThreshold">At how many it is urgent; not more than the first.</param>
/// <param name="WebhookUrl">Where it is told: http or https.</param>
/// <param name="Email">Whether the account's address gets a letter too.</param>
public sealed record AlertsRequest(decimal? WarningThreshold, decimal? CriticalThreshold, string? WebhookUrl, bool? Email);

/// <summary>An error.</summary>
/// <param name="Detail">What is the matter.</param>
public sealed record CreditsErrorResponse(string Detail);

/// <summary>Writes the dialect's answers: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(CreditBalance))]
[JsonSerializable(typeof(PaygInfo))]
[JsonSerializable(typeof(CreditsCheckout))]
[JsonSerializable(typeof(EstimateAnswer))]
[JsonSerializable(typeof(AutoTopupView))]
[JsonSerializable(typeof(AlertsView))]
internal sealed partial class CreditsJson : JsonSerializerContext;

/// <summary>Between the ledger's words and the wire.</summary>
internal static class CreditsTranslation
{
    /// <summary>The balance of an account in which everything due by a time is done.</summary>
    public static CreditBalance ToBalance(Account account, DateTimeOffset now)
    {
        var (wallet, subscription) = (account.Wallet, account.Subscription);
        var (own, others) = (0L, 0L);

        // Debt blocks the unit: nothing of it may be spent.
        if (!wallet.Debt(Unit.Credits).IsPositive)
        {
            foreach (var pocket in wallet.Open)
            {
                if (pocket.Unit != Unit.Credits || pocket.Scope is not null)
                    continue;
                if (pocket.Source == PocketSource.Subscription)
                    own += pocket.Free;
                else
                    others += pocket.Free;
            }
        }

        var totals = wallet.Credits;
        return new(
            Exact(own),
            Exact(others),
            Exact(own + others),
            subscription.IsActive ? subscription.LastResetAt : null,
            Exact(totals.Spent - totals.Reversed),
            Exact(
                wallet.Pockets.Where(pocket => pocket is { Unit: Unit.Credits, Source: PocketSource.Payg }).Sum(pocket => pocket.Granted)
            ),
            subscription.IsPaidAt(now) && subscription.EndsAt is null ? subscription.PeriodEnd : null,
            subscription.IsActive ? Exact(subscription.Terms!.Credits.Parts) : 0
        );
    }

    /// <summary>The name of a source as the document speaks of it.</summary>
    public static string SourceName(PocketSource source) =>
        source switch
        {
            PocketSource.Subscription => "subscription",
            PocketSource.Payg or PocketSource.Prepaid => "payg",
            PocketSource.Bonus => "bonus",
            PocketSource.Pack => "pack",
        };

    /// <summary>Only the wire's spelling: 64 bits over a power of ten are exact in a decimal, and written without trailing zeros.</summary>
    public static decimal Exact(long parts) => WireNumber.Of(parts, Unit.Credits);

    /// <summary>The same for dollars.</summary>
    public static decimal ExactUsd(long parts) => WireNumber.Of(parts, Unit.Usd);
}
