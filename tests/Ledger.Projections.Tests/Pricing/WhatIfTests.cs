using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.Projections.Pricing;

namespace Ledger.Projections.Tests.Pricing;

/// <summary>What another rate card would have come to, over histories of every kind of event.</summary>
public sealed class WhatIfTests
{
    private static readonly DateTimeOffset Ever = new(2999, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(91)]
    [InlineData(92)]
    [InlineData(93)]
    public async Task The_very_same_card_makes_no_difference_to_the_smallest_part(int seed)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var events = await FillAsync(ledger, seed);
        events.ShouldContain(e => e is CreditsSpent);
        events.ShouldContain(e => e is SpendReversed);
        events.ShouldContain(e => e is HoldSettledLate);
        events.ShouldContain(e => e is HoldSettled && ((HoldSettled)e).Call != null);
        var report = await RunAsync(ledger, LedgerDatabase.Card);
        report.Unpriced.ShouldBeEmpty();
        report.Lines.ShouldNotBeEmpty();
        report.Lines.ShouldAllBe(line => line.Sums.Difference == 0);
        report.Lines.Sum(line => line.Sums.Charges).ShouldBe(events.Count(e => e is CreditsSpent or HoldSettled or HoldSettledLate));
        report.Lines.Sum(line => line.Sums.Reversals).ShouldBe(events.Count(e => e is SpendReversed));

        // And what was charged is what the accounts were charged.
        foreach (var unit in (Unit[])[Unit.Credits, Unit.Usd])
            Old(report.Lines, unit)
                .ShouldBe(
                    (Int128)await ledger.QueryAsync<decimal>($"select sum({unit.Name()}_spent - {unit.Name()}_reversed) from accounts")
                );
    }

    [Fact]
    public async Task Twice_the_price_of_a_tool_is_twice_its_charges_and_nothing_else()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await FillAsync(ledger, 94);
        var report = await RunAsync(ledger, Other(LedgerDatabase.Document(Quantity.Of(2))));
        report.Lines.ShouldContain(line => line.Key.What == "chat" && line.Sums.New > 0);
        report.Lines.ShouldAllBe(line => line.Sums.New == (line.Key.What == "chat" ? 2 * line.Sums.Old : line.Sums.Old));
    }

    [Fact]
    public async Task Ranges_and_accounts_are_parts_of_the_whole()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await FillAsync(ledger, 95);
        var card = Other(LedgerDatabase.Document(Quantity.Parse("0.7")));
        var whole = await RunAsync(ledger, card);
        var middle = LedgerDatabase.Start.AddDays(2).AddHours(7);
        var (before, after) = (await RunAsync(ledger, card, to: middle), await RunAsync(ledger, card, from: middle));
        before.Lines.ShouldNotBeEmpty();
        after.Lines.ShouldNotBeEmpty();
        WhatIfReport.Sum(before.Lines.Concat(after.Lines), key => key).ShouldBe(whole.Lines);
        foreach (var account in whole.Lines.Select(line => line.Key.Account).Distinct())
        {
            var own = await RunAsync(ledger, card, account: new(account));
            own.Lines.ShouldBe(whole.Lines.Where(line => line.Key.Account == account));
            (await RunAsync(ledger, card, from: middle, account: new(account))).Lines.ShouldBe(
                after.Lines.Where(line => line.Key.Account == account)
            );
        }

        // However it is summed, it is the same.
        foreach (var grouping in Enum.GetValues<WhatIfGrouping>())
        {
            var less = await RunAsync(ledger, card, grouping: grouping);
            less.Totals.ShouldBe(whole.Totals);
            less.Lines.Count.ShouldBeLessThanOrEqualTo(whole.Lines.Count);
            less.Lines.ShouldBe(WhatIfReport.Sum(whole.Lines, WhatIfReport.ReducerOf(grouping)));
            less.Unpriced.ShouldBe(WhatIfReport.Sum(whole.Unpriced, WhatIfReport.ReducerOf(grouping)));
        }

        (await RunAsync(ledger, card, from: Ever.AddDays(-1))).Lines.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_the_card_lacks_is_listed_and_never_free()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await FillAsync(ledger, 93, steps: 150);
        var all = LedgerDatabase.Document(Quantity.Of(1));
        var whole = await RunAsync(ledger, LedgerDatabase.Card);
        var report = await RunAsync(
            ledger,
            Other(all with { Tools = [.. all.Tools.Where(tool => tool.Name != "search")], Models = [all.Models[0]], Packs = [] })
        );
        report
            .Unpriced.Select(line => line.Key.Lacks)
            .Distinct()
            .Order(StringComparer.Ordinal)
            .ShouldBe(["models/openai/mini", "packs/pack", "tools/search"]);
        report.Lines.ShouldAllBe(line => line.Sums.Difference == 0 && line.Key.What != "search");
        WhatIfReport
            .Sum(report.Lines.Concat(report.Unpriced), key => key with { Lacks = null })
            .Select(line => (line.Key, line.Sums.Charges, line.Sums.Reversals, line.Sums.Old))
            .ShouldBe(whole.Lines.Select(line => (line.Key, line.Sums.Charges, line.Sums.Reversals, line.Sums.Old)));
    }

    private static RateCard Other(RateCardDocument document) => new(0, default, document);

    private static Int128 Old(IEnumerable<WhatIfLine> lines, Unit unit) =>
        lines.Where(line => line.Key.Unit == unit).Aggregate((Int128)0, (sum, line) => sum + line.Sums.Old);

    private static Task<WhatIfReport> RunAsync(
        LedgerDatabase ledger,
        RateCard card,
        DateTimeOffset? from = null,
        DateTimeOffset? to = null,
        AccountId? account = null,
        WhatIfGrouping grouping = WhatIfGrouping.All
    ) => new WhatIf(ledger.Database, TimeProvider.System).RunAsync(card, from ?? default, to ?? Ever, account, grouping, null, default);

    private static async Task<IReadOnlyList<AccountEvent>> FillAsync(LedgerDatabase ledger, int seed, int steps = 60)
    {
        await ledger.PublishAsync(Quantity.Of(1));
        await using var history = await ledger.OpenHistoryAsync(seed, 8);
        for (var step = 0; step < steps; step++)
            await history.StepAsync();
        return [.. history.Events];
    }
}
