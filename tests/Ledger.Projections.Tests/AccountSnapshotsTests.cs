using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;

namespace Ledger.Projections.Tests;

public sealed class AccountSnapshotsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task What_the_rows_hold_is_what_the_log_folds_to(int seed)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, 12);
        for (var step = 0; step < 80; step++)
        {
            await history.StepAsync();
            if (step % 20 != 19)
                continue;
            var loaded = await ledger.Snapshots.LoadAsync([.. history.States.Keys], default);
            foreach (var (id, state) in history.States)
            {
                History.Describe(loaded[id]).ShouldBe(History.Describe(state));
                History.Describe(await ledger.Snapshots.FoldAsync(id, long.MaxValue, default)).ShouldBe(History.Describe(state));
            }
        }

        await foreach (var (_, verdict) in new ChainVerifier(ledger.Database).VerifyAllAsync(default))
            verdict.Break.ShouldBeNull();
    }

    [Fact]
    public async Task The_random_histories_know_every_kind_of_event()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var seen = new HashSet<Type>();
        var calls = new HashSet<string>();
        for (var seed = 1; seed <= 4; seed++)
        {
            await using var history = await ledger.OpenHistoryAsync(seed, 12, $"s{seed}");
            for (var step = 0; step < 80; step++)
                await history.StepAsync();
            seen.UnionWith(history.Events.Select(@event => @event.GetType()));
            calls.UnionWith(
                history.Events.Select(@event =>
                    @event switch
                    {
                        HoldPlaced { Call: { } call } e => "placed " + PaidBy(call.Quota, e.Amount),
                        HoldSettled { Call: { } call } e => "settled " + PaidBy(call.Quota, e.Charged),
                        HoldSettledLate { Call: { } call } e => "late " + PaidBy(call.Quota, e.Charged),
                        SpendReversed { Tool: "chat/completions" } e => "reversed " + PaidBy(e.Quota, e.Amount),
                        _ => "",
                    }
                )
            );
        }

        typeof(AccountEvent)
            .Assembly.GetTypes()
            .Where(type => !type.IsAbstract && type.IsSubclassOf(typeof(AccountEvent)))
            .Where(type => !seen.Contains(type))
            .ShouldBeEmpty();
        foreach (var what in (string[])["placed", "settled", "late", "reversed"])
            ((string[])[$"{what} quota", $"{what} Credits", $"{what} Usd"]).ShouldBeSubsetOf(calls);

        static string PaidBy(QuotaShare? quota, Amount amount) => quota is null ? amount.Unit.ToString() : "quota";
    }

    [Fact]
    public async Task An_account_that_does_not_exist_comes_as_such()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        History.Describe(await ledger.LoadAsync(new("nobody"))).ShouldBe(History.Describe(AccountSnapshot.Missing(new("nobody"))));
    }

    [Fact]
    public async Task Rows_of_another_format_are_folded_from_the_log_instead()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(5, 4);
        for (var step = 0; step < 40; step++)
            await history.StepAsync();
        await ledger.ExecuteAsync("update accounts set format = 99, status = 'nonsense', credits_granted = 0 where account_id <> 'a000'");
        var loaded = await ledger.Snapshots.LoadAsync([.. history.States.Keys], default);
        foreach (var (id, state) in history.States)
            History.Describe(loaded[id]).ShouldBe(History.Describe(state));
    }

    [Fact]
    public async Task The_state_as_of_any_version_is_what_it_was_then()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(6, 1);
        var id = new AccountId("a000");
        var then = new List<AccountSnapshot>();
        for (var step = 0; step < 60; step++)
        {
            await history.StepAsync();
            then.Add(history.States[id]);
        }

        foreach (var state in then)
            History.Describe(await ledger.Snapshots.FoldAsync(id, state.Account.Version, default)).ShouldBe(History.Describe(state));
    }

    [Fact]
    public async Task An_unknown_event_is_version_skew()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(7, 1);
        await history.SendAsync(new OpenAccount(new("a000"), null));
        await ledger.ExecuteAsync("update mt_events set type = 'from_the_future'");
        await Should.ThrowAsync<UnknownEventTypeException>(() => ledger.Snapshots.FoldAsync(new("a000"), long.MaxValue, default));
    }
}
