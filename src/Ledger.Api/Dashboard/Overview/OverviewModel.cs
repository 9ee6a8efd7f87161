using Ledger.Domain.Alerts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dashboard.Overview;

/// <summary>An account at a glance.</summary>
/// <param name="Balances">What there is, by unit: credits first, dollars where there ever were any.</param>
/// <param name="Pockets">The pockets with something in them, in the order in which they pay.</param>
/// <param name="Uses">What was used in the last thirty days, by unit; units that were not used are left out.</param>
/// <param name="Subscription">The subscription; null where there is none.</param>
/// <param name="Level">Whether too little is left.</param>
/// <param name="Watch">What is watched, in words; null where nothing is.</param>
/// <param name="HasKeys">Whether there is a key that works.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
public sealed record OverviewModel(
    IReadOnlyList<BalanceFigures> Balances,
    IReadOnlyList<Pocket> Pockets,
    IReadOnlyList<UnitUse> Uses,
    SubscriptionFigures? Subscription,
    BalanceLevel Level,
    string? Watch,
    bool HasKeys,
    string? Notice
);

/// <summary>What there is in a unit, packs apart.</summary>
/// <param name="Available">What may be spent now.</param>
/// <param name="Held">What is set aside.</param>
/// <param name="Debt">What is owed.</param>
/// <param name="PerDay">What was spent per day, on the average of the last seven days, or of as many as the account has had.</param>
/// <param name="Runway">How long what is available lasts at that; null where nothing was spent.</param>
/// <param name="Days">The average of how many days that is.</param>
public sealed record BalanceFigures(Amount Available, Amount Held, Amount Debt, Amount PerDay, TimeSpan? Runway, int Days);

/// <summary>What was used in a unit, packs included.</summary>
/// <param name="Days">By day, oldest first.</param>
/// <param name="Models">The models and tools that cost most.</param>
/// <param name="Keys">The keys that spent most.</param>
public sealed record UnitUse(
    IReadOnlyList<ChartPoint> Days,
    IReadOnlyList<(string Name, string? Detail, Amount Amount)> Models,
    IReadOnlyList<(string Name, string? Detail, Amount Amount)> Keys
);

/// <summary>A subscription at a glance.</summary>
/// <param name="Terms">What was agreed to.</param>
/// <param name="Quota">What of the quota is used and held in this window.</param>
/// <param name="QuotaResetsAt">When the window ends.</param>
/// <param name="PeriodEnd">When the period ends.</param>
/// <param name="EndsAt">When it is going to end; null where it goes on.</param>
public sealed record SubscriptionFigures(
    SubscriptionTerms Terms,
    QuotaUse Quota,
    DateTimeOffset QuotaResetsAt,
    DateTimeOffset PeriodEnd,
    DateTimeOffset? EndsAt
);
