using Ledger.Faults.Plans;

namespace Ledger.Api.Tests.Faults;

/// <summary>What the fault runner derives from a seed.</summary>
public sealed class PlanTests
{
    private static readonly IReadOnlySet<FaultKind> Nothing = new HashSet<FaultKind>();

    [Fact]
    public void A_seed_gives_the_same_plan_every_time_and_another_seed_another_one()
    {
        var plans = Enumerable.Range(1, 200).Select(seed => Planner.Derive(seed, Nothing).Text(withSteps: true)).ToList();
        Enumerable.Range(1, 200).Select(seed => Planner.Derive(seed, Nothing).Text(withSteps: true)).ShouldBe(plans);
        plans.ShouldBeUnique();
    }

    // Derived in another process, on another day, by another version of .NET, it must still be this.
    [Fact]
    public void The_first_seed_is_the_plan_that_it_has_always_been() =>
        Planner
            .Derive(1, Nothing)
            .ToString()
            .ShouldStartWith(
                """
                seed 1: 2 servers as processes, 304 commands by 10 clients
                  2 lanes, batches up to 1000, 1000 accounts and 8 references in memory
                  a0: 331 credits; keys k0 up to 1980 (daily), k1
                  a1: 3817 credits; keys k0 up to 825 (none), k1
                  a2: 100000 credits; keys k0, k1, k2 up to 1984 (none)
                  client 0: 24 commands to server 0, 10 tries of 2000 ms: 19 Spend, 1 SpendBatch, 1 Reserve, 3 Reverse
                  client 1: 15 commands to server 0, roams, 40 tries of 20000 ms: 8 Grant, 3 CreateKey, 1 RevokeKey, 1 Suspend, 1 PublishPrice, 1 OpenAccount
                  client 2: 22 commands to server 0, roams, 10 tries of 2000 ms: 17 Spend, 3 Reserve, 1 Settle, 1 Check
                  client 3: 43 commands to server 1, 40 tries of 20000 ms: 3 Check, 19 Grant, 3 CreateKey, 3 RevokeKey, 3 Suspend, 4 Reinstate, 5 PublishPrice, 3 OpenAccount
                  client 4: 43 commands to server 1, roams, 40 tries of 20000 ms: 27 Spend, 2 SpendBatch, 6 Reserve, 2 Settle, 3 Release, 1 Check, 2 Reverse
                  client 5: 35 commands to server 0, 1 tries of 200 ms: 1 Check, 12 Grant, 3 CreateKey, 5 RevokeKey, 1 Suspend, 6 Reinstate, 6 PublishPrice, 1 OpenAccount
                  client 6: 35 commands to server 0, 10 tries of 2000 ms: 21 Spend, 4 SpendBatch, 3 Reserve, 2 Settle, 2 Release, 2 Check, 1 Reverse
                  client 7: 22 commands to server 0, roams, 3 tries of 339 ms: 16 Spend, 1 SpendBatch, 2 Check, 3 Reverse
                  client 8: 39 commands to server 0, roams, 10 tries of 2000 ms: 23 Spend, 2 SpendBatch, 1 Reserve, 2 Settle, 3 Release, 8 Reverse
                  client 9: 26 commands to server 1, 10 tries of 2000 ms: 17 Spend, 5 SpendBatch, 1 Reserve, 1 Release, 2 Check
                  after  68: LogDiskStalled, for 344 ms
                  after 120: TrafficDelayed, server 0, for 54 answers, 4 ms
                  after 192: ConnectionsRefused, server 1, for 200 ms
                """
            );

    [Fact]
    public void What_cannot_be_injected_is_replaced_and_said_and_changes_nothing_else()
    {
        var impossible = new HashSet<FaultKind> { FaultKind.LogDiskFull, FaultKind.LogDiskStalled, FaultKind.TableDiskFull };
        var replaced = 0;
        foreach (var seed in Enumerable.Range(1, 300))
        {
            var (whole, plan) = (Planner.Derive(seed, Nothing), Planner.Derive(seed, impossible));
            plan.Faults.ShouldAllBe(fault => !impossible.Contains(fault.Kind));
            plan.Replaced.Count.ShouldBe(whole.Faults.Count(fault => impossible.Contains(fault.Kind)));
            plan.Faults.Select(fault => fault.After).ShouldBe(whole.Faults.Select(fault => fault.After));
            foreach (var (drawn, taken) in plan.Replaced)
                plan.ToString().ShouldContain($"{drawn} cannot be injected here; {taken} was taken instead");
            (plan with { Faults = [], Replaced = [] }).Text(true).ShouldBe((whole with { Faults = [] }).Text(true));
            replaced += plan.Replaced.Count;
        }

        replaced.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Every_kind_of_fault_and_of_command_is_drawn_now_and_then()
    {
        var plans = Enumerable.Range(1, 1000).Select(seed => Planner.Derive(seed, Nothing)).ToList();
        foreach (var kind in Enum.GetValues<FaultKind>())
            plans.Count(plan => plan.Faults.Any(fault => fault.Kind == kind)).ShouldBeGreaterThan(20, kind.ToString());
        foreach (var verb in Enum.GetValues<Verb>())
            plans
                .Sum(plan => plan.Clients.Sum(client => client.Steps.Count(step => step.Verb == verb)))
                .ShouldBeGreaterThan(100, verb.ToString());
        plans.ShouldContain(plan => plan.Faults.Any(fault => fault.For > TimeSpan.FromSeconds(5)), "longer than a writer waits");
        foreach (var plan in plans)
        {
            plan.Faults.ShouldAllBe(fault => fault.After < plan.Commands && fault.Server < plan.Servers);
            plan.Faults.ShouldAllBe(fault =>
                plan.AreProcesses || fault.Kind != FaultKind.ServerKilled && fault.Kind != FaultKind.ServerStopped
            );
            plan.Faults.ShouldAllBe(fault => !plan.AreProcesses || fault.Kind != FaultKind.ClockStepped);
        }
    }
}
