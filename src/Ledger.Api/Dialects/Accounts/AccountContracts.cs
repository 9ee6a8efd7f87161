using System.Text.Json.Serialization;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>An answer about one key.</summary>
/// <param name="Data">The key.</param>
public sealed record KeyAnswer(KeyView Data);

/// <summary>An answer about the balance.</summary>
/// <param name="Data">The balance.</param>
public sealed record BalanceAnswer(BalanceView Data);

/// <summary>What an account has. The top figures are credits that no pack binds; packs appear only among the pockets.</summary>
/// <param name="Unit">Always <c>credits</c>.</param>
/// <param name="TotalCredits">Given in all, as far as it did not lapse; <c>balance</c> + <c>total_usage</c>.</param>
/// <param name="TotalUsage">Charged in all, less what was given back.</param>
/// <param name="Balance">What there is: negative in debt.</param>
/// <param name="Held">What of it is set aside.</param>
/// <param name="Available">What may be spent now.</param>
/// <param name="Pockets">The pockets with something in them, in the order in which they pay, packs included.</param>
/// <param name="Usd">The same figures in dollars.</param>
public sealed record BalanceView(
    string Unit,
    decimal TotalCredits,
    decimal TotalUsage,
    decimal Balance,
    decimal Held,
    decimal Available,
    IReadOnlyList<PocketLine> Pockets,
    UsdView Usd
);

/// <summary>What an account has in dollars.</summary>
/// <param name="TotalCredits">Given in all, as far as it did not lapse.</param>
/// <param name="TotalUsage">Charged in all, less what was given back.</param>
/// <param name="Balance">What there is: negative in debt.</param>
/// <param name="Held">What of it is set aside.</param>
/// <param name="Available">What may be spent now.</param>
public sealed record UsdView(decimal TotalCredits, decimal TotalUsage, decimal Balance, decimal Held, decimal Available);

/// <summary>One pocket.</summary>
/// <param name="Id">Its number in the account, from 1.</param>
/// <param name="Unit"><c>credits</c> or <c>usd</c>.</param>
/// <param name="Source">Where its funds came from: <c>subscription</c>, <c>payg</c>, <c>pack</c>, <c>bonus</c> or <c>prepaid</c>.</param>
/// <param name="Scope">The one provider/model that a pack is for; null for any.</param>
/// <param name="Granted">What it was opened with.</param>
/// <param name="Remaining">What is left in it.</param>
/// <param name="Held">What of that is set aside.</param>
/// <param name="ExpiresAt">When what is left lapses; null for never.</param>
public sealed record PocketLine(
    int Id,
    string Unit,
    string Source,
    string? Scope,
    decimal Granted,
    decimal Remaining,
    decimal Held,
    DateTimeOffset? ExpiresAt
);

/// <summary>Writes the dialect's answers: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(BalanceAnswer))]
internal sealed partial class AccountJson : JsonSerializerContext;

/// <summary>Between the ledger's words and the wire.</summary>
internal static class AccountTranslation
{
    /// <summary>What an account has at a time by which everything due has lapsed.</summary>
    public static BalanceView ToBalance(Account account, DateTimeOffset now)
    {
        var (credits, usd) = (Figures(account, Unit.Credits, now), Figures(account, Unit.Usd, now));
        return new(
            "credits",
            credits.TotalCredits,
            credits.TotalUsage,
            credits.Balance,
            credits.Held,
            credits.Available,
            [.. account.Wallet.Open.Select(ToLine)],
            usd
        );
    }

    private static UsdView Figures(Account account, Unit unit, DateTimeOffset now)
    {
        var wallet = account.Wallet;
        var unscoped = wallet.Open.Where(pocket => pocket.Unit == unit && pocket.Scope is null).ToList();
        var totals = wallet.Totals(unit);

        // What packs were charged is in the totals too: what they were given, less what is left, has lapsed or was clawed back.
        var sold = account.Orders.All.Values.Where(order => order.Pocket is not null).ToDictionary(order => order.Pocket!.Value);
        var packUsage = wallet
            .Pockets.Where(pocket => pocket.Unit == unit && pocket.Scope is not null)
            .Sum(pocket =>
                pocket.Granted - pocket.Remaining - (sold.TryGetValue(pocket.Id, out var order) ? order.Lapsed + order.Taken : 0)
            );
        var balance = unscoped.Sum(pocket => pocket.Remaining) - totals.Debt;
        var usage = totals.Spent - totals.Reversed - packUsage;
        return new(
            Exact(balance + usage, unit),
            Exact(usage, unit),
            Exact(balance, unit),
            Exact(unscoped.Sum(pocket => pocket.Held), unit),
            Exact(wallet.Available(unit, now).Parts, unit)
        );
    }

    private static PocketLine ToLine(Pocket pocket) =>
        new(
            pocket.Id.Number,
            pocket.Unit switch
            {
                Unit.Credits => "credits",
                Unit.Usd => "usd",
            },
            pocket.Source switch
            {
                PocketSource.Subscription => "subscription",
                PocketSource.Payg => "payg",
                PocketSource.Pack => "pack",
                PocketSource.Bonus => "bonus",
                PocketSource.Prepaid => "prepaid",
            },
            pocket.Scope,
            Exact(pocket.Granted, pocket.Unit),
            Exact(pocket.Remaining, pocket.Unit),
            Exact(pocket.Held, pocket.Unit),
            pocket.ExpiresAt
        );

    /// <summary>Only the wire's spelling: 64 bits over a power of ten are exact in a decimal, and written without trailing zeros.</summary>
    private static decimal Exact(long parts, Unit unit) => WireNumber.Of(parts, unit);
}
