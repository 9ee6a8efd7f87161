using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Application;

/// <summary>What is decided in memory before anything is true.</summary>
public sealed class BatchPlanTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly BatchPlan _plan = new(new(10));
    private readonly RateCards _cards = shared.App.Services.GetRequiredService<RateCards>();

    [Fact]
    public async Task A_reference_that_stands_in_the_plan_is_answered_as_it_was_there()
    {
        var state = await OpenAsync();
        Decide(state, units: 1, "a");
        Decide(state, units: 1, "b");
        var repeat = Decide(state, units: 1, "a");
        repeat.IsRepeat.ShouldBeTrue();
        repeat.Available.ShouldBe(Amount.Credits(95));
    }

    [Fact]
    public async Task What_was_taken_out_of_the_plan_has_no_answer_that_could_be_repeated()
    {
        var state = await OpenAsync();
        Decide(state, units: 1, "a");
        Decide(state, units: 2, "b");
        _plan.Void(state.Account.Id).Count.ShouldBe(2);

        // The same reference comes again, after another one.
        Decide(state, units: 3, "c").Available.ShouldBe(Amount.Credits(85));
        var again = Decide(state, units: 2, "b");
        again.IsRepeat.ShouldBeFalse();
        again.Available.ShouldBe(Amount.Credits(75));
    }

    [Fact]
    public async Task What_the_plan_under_way_did_is_repeated_and_built_upon()
    {
        var state = await OpenAsync();
        Decide(state, units: 1, "a");
        var next = new BatchPlan(new(10));
        var under = _plan.Find(state.Account.Id)!.After;
        next.Decide(Spend(state, 2, "b"), under, null, shared.App.Clock, _cards, _plan);
        next.Decide(Spend(state, 1, "a"), under, null, shared.App.Clock, _cards, _plan);
        next.Items.Select(item => (item.Verdict.IsRepeat, item.Verdict.Available))
            .ShouldBe([(false, Amount.Credits(85)), (true, Amount.Credits(95))]);
        next.Find(state.Account.Id)!.Append!.ExpectedVersion.ShouldBe(state.Account.Version + 1);
    }

    private async Task<AccountSnapshot> OpenAsync()
    {
        var account = await shared.App.OpenAccountAsync(credits: 100);
        var snapshots = shared.App.Services.GetRequiredService<AccountSnapshots>();
        return (await snapshots.LoadAsync([account.Id], default)).Values.Single();
    }

    private Verdict Decide(AccountSnapshot state, int units, string reference)
    {
        _plan.Decide(Spend(state, units, reference), state, null, shared.App.Clock, _cards, null);
        return _plan.Items[^1].Verdict;
    }

    private static Pending Spend(AccountSnapshot state, int units, string reference) =>
        new(
            new Spend(state.Account.Id, state.Account.Keys.Keys.Keys.Single(), "chat", Quantity.Of(units), reference),
            Caller.System("request"),
            0
        );
}
