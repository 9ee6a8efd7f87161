using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Tests;

/// <summary>What a migration makes of what was there before is what a rebuild would make of it.</summary>
public class UpgradeTests
{
    [Fact]
    public async Task Sign_ins_and_trail_of_accounts_that_were_there_before_are_as_the_log_says()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using (var history = await ledger.OpenHistoryAsync(1, 3))
        {
            foreach (var id in history.States.Keys.ToList())
            {
                await history.SendAsync(
                    new OpenAccount(id, "DE"),
                    Samples.Key(id, "key"),
                    new GrantCredits(id, Amount.Credits(10), PocketSource.Bonus, null, null, "operator", "1", null),
                    new SuspendAccount(id, EventIds.Request(id, "1"), "why"),
                    new ReinstateAccount(id, EventIds.Request(id, "2"), "because"),
                    new Spend(id, new("key"), "chat", Quantity.Of(1), "s")
                );
                history.Now += TimeSpan.FromMinutes(1);
                await history.SendAsync(new SuspendAccount(id, EventIds.Request(id, "3"), "again"), new RevokeKey(id, new("key"), null));
            }
        }

        // As it was before there were such tables, and then the step that fills them.
        await ledger.ExecuteAsync("truncate sign_ins, trail");
        await ledger.ExecuteAsync(ReadModelMigrations.All.Single(step => step.Component == "access-history").Sql);
        (await ledger.LinesAsync("select count(*)::text from trail union all select count(*)::text from sign_ins")).ShouldBe(["18", "3"]);
        (await new Rebuilder(ledger.Database, TimeProvider.System).CompareAsync("keys", null, default)).ShouldBeEmpty();
    }
}
