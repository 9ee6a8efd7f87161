using Ledger.Projections.Accounts;
using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Tests;

public sealed class DriftCheckTests
{
    [Theory]
    [InlineData(31)]
    [InlineData(32)]
    public async Task What_is_written_live_is_what_the_log_says(int seed)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, accounts: 8);
        var check = new DriftCheck(ledger.Database, ledger.Snapshots);
        for (var step = 0; step < 60; step++)
        {
            await history.StepAsync();
            if (step % 10 != 9)
                continue;
            foreach (var (id, state) in history.States)
            {
                var verdict = await check.CheckAsync(id, 10_000, default);
                verdict.Differences.ShouldBeEmpty(id.Value);
                verdict.IsChecked.ShouldBeTrue();
                verdict.Version.ShouldBe(state.Account.Version);
            }
        }
    }

    [Fact]
    public async Task An_account_that_is_written_to_meanwhile_shows_no_drift()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(33, accounts: 3);
        await history.StepAsync();
        var check = new DriftCheck(ledger.Database, ledger.Snapshots);
        var writing = Task.Run(async () =>
        {
            for (var step = 0; step < 100; step++)
                await history.StepAsync();
        });
        while (!writing.IsCompleted)
        {
            foreach (var id in history.States.Keys)
                (await check.CheckAsync(id, 10_000, default)).Differences.ShouldBeEmpty(id.Value);
        }

        await writing;
    }

    [Theory]
    [InlineData("update accounts set credits_spent = credits_spent + 1 where account_id = 'a000'", "accounts.credits", 1)]
    [InlineData("update accounts set version = version - 1 where account_id = 'a000'", "accounts.version", 1)]
    [InlineData("update accounts set last_hash = '\\x00' where account_id = 'a000'", "accounts.last_hash", 1)]
    [InlineData("update accounts set country = 'XX' where account_id = 'a000'", "accounts.country", 1)]
    [InlineData(
        "update pockets set remaining = remaining + 1 where ctid = (select ctid from pockets where account_id = 'a000' and remaining > 0 limit 1)",
        "pockets ",
        1
    )]
    [InlineData("update keys set used = used + 1 where account_id = 'a000'", "keys", 0)]
    [InlineData("delete from holds where account_id = 'a000'", "holds", 0)]
    [InlineData("delete from keys where account_id = 'a000'", "is missing", 0)]
    [InlineData(
        "update orders set state = jsonb_set(state, '{refunded}', '1') where ctid = (select ctid from orders where account_id = 'a000' limit 1)",
        "orders ",
        1
    )]
    [InlineData("delete from orders where account_id = 'a000'", "orders ", 0)]
    [InlineData("delete from billing where account_id = 'a000'", "billing", 1)]
    [InlineData("update accounts set credits_clawed_back = credits_clawed_back + 1 where account_id = 'a000'", "accounts.credits", 1)]
    [InlineData("delete from accounts where account_id = 'a000'", "accounts.version is missing", 0)]
    [InlineData("update usage_hourly set credits = credits - 1 where account_id = 'a000'", "usage_hourly.credits", 1)]
    public async Task A_row_that_was_tampered_with_is_named_without_its_contents(string tamper, string named, int only)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(34, accounts: 2);
        var check = new DriftCheck(ledger.Database, ledger.Snapshots);
        do await history.StepAsync();
        while (
            !await ledger.QueryAsync<bool>(
                """
                select exists (select from holds where account_id = 'a000')
                  and exists (select from pockets where account_id = 'a000' and remaining > 0)
                  and exists (select from keys where account_id = 'a000')
                  and exists (select from usage_hourly where account_id = 'a000')
                  and exists (select from orders where account_id = 'a000')
                  and exists (select from billing where account_id = 'a000')
                """
            )
        );
        await ledger.ExecuteAsync(tamper);

        var found = (await check.CheckAsync(new("a000"), 10_000, default)).Differences;
        found.ShouldNotBeEmpty();
        string.Join(", ", found).ShouldContain(named);
        if (only == 1)
            found.Count.ShouldBe(1, string.Join(", ", found));
        found.ShouldAllBe(line => !line.Contains("XX", StringComparison.Ordinal));
        (await check.CheckAsync(new("a001"), 10_000, default)).Differences.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_account_that_is_too_long_to_fold_is_passed_over_and_says_so()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(35, accounts: 1);
        while (history.States.Values.Single().Account.Version < 20)
            await history.StepAsync();
        var check = new DriftCheck(ledger.Database, ledger.Snapshots);
        (await check.CheckAsync(new("a000"), 19, default)).IsChecked.ShouldBeFalse();
        var nobody = await check.CheckAsync(new("nobody"), 19, default);
        (nobody.Version, nobody.IsChecked, nobody.Differences.Count).ShouldBe((0L, true, 0));
    }

    [Fact]
    public async Task What_is_folded_counts_from_the_last_checkpoint_and_a_wrong_one_is_told_from_wrong_rows()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(36, accounts: 1);
        while (history.States.Values.Single().Account.Version < 20)
            await history.StepAsync();
        var snapshots = new AccountSnapshots(ledger.Database, ledger.Log, new(ledger.Database, every: 10));
        await snapshots.Checkpoints.SaveAsync([history.States.Values.Single()], default);
        await history.StepAsync();

        var check = new DriftCheck(ledger.Database, snapshots);
        var right = await check.CheckAsync(new("a000"), 19, default);
        (right.IsChecked, right.Differences.Count).ShouldBe((true, 0));

        await ledger.ExecuteAsync("update account_checkpoints set state = jsonb_set(state, '{credits,granted}', '1')");
        (await check.CheckAsync(new("a000"), 19, default)).Differences.ShouldHaveSingleItem().ShouldStartWith("account_checkpoints ");

        await ledger.ExecuteAsync("update accounts set credits_spent = credits_spent + 1");
        (await check.CheckAsync(new("a000"), 19, default)).Differences.ShouldBe(["accounts.credits"]);
    }
}
