using System.Globalization;
using System.Reflection;
using Ledger.Api.Application;
using Ledger.Bench.Load;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections;
using Ledger.Projections.Usage;

namespace Ledger.Bench.Scenarios;

/// <summary>
/// What the rows of usage cost a spend: pairs with and without them, one right after the other in one process, since the machine's speed differs by more than they cost from minute
/// to minute. No setting leaves them out, so this one reaches into the writer.
/// </summary>
internal static class RollupScenario
{
    private const int Pairs = 10;

    public static async Task RunAsync(TestBed bed, Report report, CancellationToken ct)
    {
        await using var provider = await bed.OpenLedgerAsync(1, ct);
        var ledger = provider.GetRequiredService<LedgerService>();
        var slot = SlotOf(ledger);
        var (with, without) = (slot.Rows, new UsageRows());
        await SpendAsync(bed, ledger, "warm", TimeSpan.FromSeconds(15));
        var ratios = new List<double>();
        var measured = new List<(Measurement With, Measurement Without)>();
        for (var pair = 0; pair < Pairs; pair++)
        {
            // Whoever comes first gains or loses by it: they take turns.
            var (first, second) = pair % 2 == 0 ? (with, without) : (without, with);
            var one = await OnceAsync(first, pair, "a");
            var two = await OnceAsync(second, pair, "b");
            measured.Add(pair % 2 == 0 ? (one, two) : (two, one));
            ratios.Add(measured[^1].With.PerSecond / measured[^1].Without.PerSecond);
        }

        slot.Rows = with;
        ratios.Sort();
        Console.WriteLine(
            "with over without: " + string.Join(", ", ratios.Select(ratio => ratio.ToString("0.00", CultureInfo.InvariantCulture)))
        );
        var baseline = report.Add("the store alone, without rows of usage, median", MedianOf(measured.ConvertAll(pair => pair.Without)));
        report.Add("the store alone, with rows of usage, median", MedianOf(measured.ConvertAll(pair => pair.With)), baseline);

        async Task<Measurement> OnceAsync(UsageRows rows, int pair, string turn)
        {
            slot.Rows = rows;

            // What was under way still went where it was meant to go.
            await SpendAsync(bed, ledger, $"turn-{pair}-{turn}", TimeSpan.FromSeconds(1));
            return await SpendAsync(bed, ledger, $"pair-{pair}-{turn}", bed.Settings.Duration);
        }
    }

    private static Task<Measurement> SpendAsync(TestBed bed, LedgerService ledger, string run, TimeSpan duration)
    {
        var caller = new Caller("bench", "bench");
        return Callers.RunAsync(
            bed.Settings.Connections,
            duration,
            async (number, n) =>
            {
                var account = bed.Accounts[(int)((number + (n * bed.Settings.Connections)) % bed.Accounts.Count)];
                var verdict = await ledger.ExecuteAsync(
                    new Spend(account.Account, account.Key, "chat", Quantity.Of(1), $"{run}-{number}-{n}"),
                    caller
                );
                return verdict.Refusal is null;
            }
        );
    }

    private static Measurement MedianOf(List<Measurement> measured)
    {
        var sorted = measured.OrderBy(each => each.PerSecond).ToList();
        return sorted[sorted.Count / 2] with { Errors = measured.Sum(each => each.Errors) };
    }

    private static Slot SlotOf(LedgerService ledger)
    {
        var lanes = (Array)FieldOf(ledger.GetType(), "_lanes").GetValue(ledger)!;
        var lane = lanes.GetValue(0)!;
        var writes = (AccountWrites)FieldOf(lane.GetType(), "_writes").GetValue(lane)!;
        return new(writes, FieldOf(typeof(AccountWrites), "_usage"));
    }

    private static FieldInfo FieldOf(Type type, string name) =>
        type.GetField(name, BindingFlags.Instance | BindingFlags.NonPublic) ?? throw new MissingFieldException(type.FullName, name);

    /// <summary>Where the writer has its rows of usage. Those that it was not opened with it fills, and never sends.</summary>
    private sealed class Slot(AccountWrites writes, FieldInfo place)
    {
        public UsageRows Rows
        {
            get => (UsageRows)place.GetValue(writes)!;
            set
            {
                value.Clear();
                place.SetValue(writes, value);
            }
        }
    }
}
