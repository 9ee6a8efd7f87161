using System.Globalization;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Projections.Tests;

/// <summary>A writer's plan is made once, often over tables that are all but empty, and must still be right when they have grown.</summary>
public sealed class PlanTests
{
    private const string Reads = """
        select i.indexrelname || '=' || i.idx_tup_read
        from pg_stat_user_indexes i
        union all
        select t.relname || '=' || t.seq_tup_read
        from pg_stat_user_tables t
        """;

    [Fact]
    public async Task An_append_that_was_planned_over_a_handful_of_rows_enters_large_tables_by_key()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var id = new AccountId("a000");
        Dictionary<string, long> before;
        await using (var writer = await ledger.OpenHistoryAsync(1, 1))
        {
            await OpenAsync(writer, id);
            await writer.SendAsync(new PlaceHold(id, new("key"), "chat", Quantity.Of(1), "second", TimeSpan.FromDays(1)));
            await ledger.ExecuteAsync("analyze");
            await writer.SendAsync(new Spend(id, new("key"), "chat", Quantity.Of(1), "planned"));

            await using (var filler = await ledger.OpenHistoryAsync(2, 600, "b"))
            {
                foreach (var other in filler.States.Keys.ToList())
                    await OpenAsync(filler, other);
            }

            await UntilAsync(ledger, "select n_tup_ins >= 600 from pg_stat_user_tables where relname = 'holds'");
            before = await ReadsAsync(ledger);
            await writer.SendAsync(
                new SettleHold(id, new("key"), new(EventIds.Use(id, "chat", "second")), Quantity.Of(1)),
                new Spend(id, new("key"), "chat", Quantity.Of(1), "last")
            );
        }

        // Figures arrive when the writer has gone.
        await UntilAsync(ledger, "select n_tup_del = 1 from pg_stat_user_tables where relname = 'holds'");
        (await ReadsAsync(ledger)).Where(read => read.Value - before[read.Key] > 100).ShouldBeEmpty();
    }

    /// <summary>How many entries were read of each index, and how many rows of each table without one.</summary>
    private static async Task<Dictionary<string, long>> ReadsAsync(LedgerDatabase ledger) =>
        (await ledger.LinesAsync(Reads))
            .Select(line => line.Split('='))
            .ToDictionary(pair => pair[0], pair => long.Parse(pair[1], CultureInfo.InvariantCulture));

    private static Task OpenAsync(History history, AccountId id) =>
        history.SendAsync(
            new OpenAccount(id, null),
            new GrantCredits(id, Amount.Credits(100), PocketSource.Payg, null, null, "operator", "1", null),
            Samples.Key(id, "key", Amount.Credits(90)),
            new PlaceHold(id, new("key"), "chat", Quantity.Of(1), "first", TimeSpan.FromDays(1))
        );

    private static Task UntilAsync(LedgerDatabase ledger, string sql) =>
        Eventually.IsSoAsync(() => ledger.QueryAsync<bool>(sql), () => sql);
}
