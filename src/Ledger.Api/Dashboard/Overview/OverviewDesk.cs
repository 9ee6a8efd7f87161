using Ledger.Api.Http;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Projections.Usage;

namespace Ledger.Api.Dashboard.Overview;

/// <summary>Looks up what the overview shows: the account's state, and its use of the last thirty days from the read model.</summary>
public sealed class OverviewDesk(ActivityQueries activity)
{
    /// <summary>How many days the chart has, today included.</summary>
    public const int Days = 30;

    private const int RunwayDays = 7;
    private const int Most = 5;

    // More lines than this are not looked through for the largest.
    private const int Lines = 1000;

    /// <summary>An account at a glance.</summary>
    public async Task<OverviewModel> ShowAsync(CustomerVisit visit, string? notice)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var today = DateOnly.FromDateTime(visit.Now.UtcDateTime);
        var days = await ListAsync(ActivityGroups.Day);
        var uses = new List<UnitUse>();
        var used = ((Unit[])[Unit.Credits, Unit.Usd]).Where(unit => days.Any(line => In(line.Sums, unit).Parts != 0)).ToList();
        if (used.Count > 0)
        {
            var models = await ListAsync(ActivityGroups.Model | ActivityGroups.Tool);
            var keys = await ListAsync(ActivityGroups.Key);
            uses.AddRange(used.Select(unit => new UnitUse(DaysOf(unit), Top(models, unit, NameOfWork), Top(keys, unit, NameOfKey))));
        }

        var account = visit.Account;
        var spendingDays = SpendingDays(account.OpenedAt, visit.Now);
        return new(
            [.. Units(account).Select(Figures)],
            [.. account.Wallet.Open],
            uses,
            SubscriptionOf(account, visit.Now),
            account.Alerts.LevelOf(account.Wallet.Available(Unit.Credits, visit.Now)),
            WatchOf(account),
            account.Keys.Keys.Values.Any(key => key.UsableAt(visit.Now)),
            notice
        );

        Task<IReadOnlyList<ActivityLine>> ListAsync(ActivityGroups groups) =>
            activity.ListAsync(new(visit.Account.Id, today.AddDays(1 - Days), today, groups, null), null, Lines, visit.Gone);

        List<ChartPoint> DaysOf(Unit unit)
        {
            var byDay = days.ToDictionary(line => DateOnly.FromDateTime(line.At!.Value.UtcDateTime), line => In(line.Sums, unit));
            return
            [
                .. Enumerable
                    .Range(0, Days)
                    .Select(back => today.AddDays(back + 1 - Days))
                    .Select(day => new ChartPoint(
                        Dashboard.Show.Day(day),
                        byDay.TryGetValue(day, out var amount) ? amount : Amount.Zero(unit)
                    )),
            ];
        }

        BalanceFigures Figures(Unit unit)
        {
            var wallet = visit.Account.Wallet;
            var since = today.AddDays(1 - RunwayDays);
            var spent = days.Where(line => DateOnly.FromDateTime(line.At!.Value.UtcDateTime) >= since)
                .Sum(line => unit == Unit.Credits ? line.Sums.Credits : line.Sums.Usd);

            // An account that is younger has not had so many days to spend in.
            var perDay = Rounded(new(Math.Max(0, spent) / spendingDays, unit));
            var available = wallet.Available(unit, visit.Now);
            var held = new Amount(
                wallet.Open.Where(pocket => pocket.Unit == unit && pocket.Scope is null).Sum(pocket => pocket.Held),
                unit
            );
            return new(available, held, wallet.Debt(unit), perDay, RunwayOf(available, perDay), spendingDays);
        }
    }

    /// <summary>In how many of the last seven days, today included, there was an account to spend by: 1 to 7.</summary>
    internal static int SpendingDays(DateTimeOffset openedAt, DateTimeOffset now)
    {
        var since = WireDate.StartOf(DateOnly.FromDateTime(now.UtcDateTime).AddDays(1 - RunwayDays));
        return Math.Clamp((int)Math.Ceiling((now - (openedAt > since ? openedAt : since)).TotalDays), 1, RunwayDays);
    }

    /// <summary>How long an amount lasts; null where nothing is spent, a hundred years at most.</summary>
    internal static TimeSpan? RunwayOf(Amount available, Amount perDay) =>
        perDay.IsPositive ? TimeSpan.FromMinutes((long)Int128.Min((Int128)available.Parts * 1440 / perDay.Parts, 36_500 * 1440)) : null;

    /// <summary>An average to two places, where it has as much: it is no sum that must come out.</summary>
    private static Amount Rounded(Amount average) =>
        average.Unit.PartsPerWhole() / 100 is var hundredth && average.Parts >= hundredth
            ? average with
            {
                Parts = average.Parts - (average.Parts % hundredth),
            }
            : average;

    private static IEnumerable<Unit> Units(Account account) =>
        account.Wallet.Usd.Granted > 0 || account.Wallet.Usd.Debt > 0 ? [Unit.Credits, Unit.Usd] : [Unit.Credits];

    private static Amount In(ActivitySums sums, Unit unit) =>
        unit switch
        {
            Unit.Credits => new(sums.Credits + sums.PackCredits, unit),
            Unit.Usd => new(sums.Usd, unit),
        };

    private static IReadOnlyList<(string Name, string? Detail, Amount Amount)> Top(
        IReadOnlyList<ActivityLine> lines,
        Unit unit,
        Func<ActivityLine, string> name
    ) =>
        [
            .. lines
                .GroupBy(name)
                .Select(group =>
                    (Name: group.Key, Requests: group.Sum(line => line.Sums.Requests), Parts: group.Sum(line => In(line.Sums, unit).Parts))
                )
                .Where(group => group.Parts > 0)
                .OrderByDescending(group => group.Parts)
                .ThenBy(group => group.Name, StringComparer.Ordinal)
                .Take(Most)
                .Select(group =>
                    (group.Name, (string?)Dashboard.Show.Count(group.Requests, "request", "requests"), new Amount(group.Parts, unit))
                ),
        ];

    private static string NameOfWork(ActivityLine line) => line.Model is { Length: > 0 } model ? model : line.Tool ?? "";

    private static string NameOfKey(ActivityLine line) =>
        line.Key is { Length: > 0 } key ? line.KeyName ?? key : "Signed in, without a key";

    private static SubscriptionFigures? SubscriptionOf(Account account, DateTimeOffset now)
    {
        var subscription = account.Subscription;
        return subscription is { IsActive: true, Terms: { } terms }
            ? new(terms, subscription.QuotaAt(now), subscription.QuotaResetsAt(now), subscription.PeriodEnd, subscription.EndsAt)
            : null;
    }

    private static string? WatchOf(Account account)
    {
        var watched = new List<string>();
        if (account.Alerts.Warning is { } warning)
            watched.Add($"warned at {Dashboard.Show.Amount(warning)}");
        if (account.Alerts.Critical is { } critical)
            watched.Add($"critical at {Dashboard.Show.Amount(critical)}");
        if (account.AutoTopup.IsOn)
            watched.Add(
                $"buys for {Dashboard.Show.Amount(account.AutoTopup.Price)} at {Dashboard.Show.Amount(account.AutoTopup.Threshold)}"
            );
        return watched.Count > 0 ? string.Join(", ", watched) : null;
    }
}
