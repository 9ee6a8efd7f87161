using Ledger.Faults;
using Ledger.Faults.Machine;
using Ledger.Faults.Plans;

namespace Ledger.Api.Tests.Faults;

/// <summary>The PostgreSQL that the seeds mistreat.</summary>
public sealed class FaultyPostgres : IAsyncLifetime
{
    internal FaultCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cluster = await FaultCluster.CreateAsync(CancellationToken.None);

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}

/// <summary>
/// Some dozens of the seeds that <c>dotnet run --project tests/Ledger.Faults</c> runs by the thousand: random load, random faults, and after
/// each every acknowledged spend is there, none twice, nothing overdrawn, the read models are the fold of the log, and the chains are whole.
/// </summary>
public sealed class SeedTests(FaultyPostgres postgres) : IClassFixture<FaultyPostgres>
{
    public static TheoryData<int> Seeds => [.. Chosen];

    private static int[] Chosen =>
        [2, 7, 13, 22, 24, 25, 27, 29, 31, 33, 47, 49, 51, 61, 64, 65, 68, 71, 75, 78, 80, 81, 82, 84, 98, 101, 105, 108, 114, 115];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Whatever_strikes_the_books_are_whole(int seed)
    {
        var result = await Run.ExecuteAsync(Planner.Derive(seed, postgres.Cluster.Impossible), postgres.Cluster, CancellationToken.None);
        result.Passed.ShouldBeTrue(result.ToString());
        result.Accepted.ShouldBeGreaterThan(0, result.ToString());
        result.Struck.Order().ShouldBe(result.Plan.Faults.Select(fault => fault.Kind).Order(), result.ToString());
    }

    [Fact]
    public void Every_kind_of_fault_strikes_in_one_seed_or_another()
    {
        var struck = Chosen
            .SelectMany(seed => Planner.Derive(seed, new HashSet<FaultKind>()).Faults)
            .Select(fault => fault.Kind)
            .Distinct();
        struck.Order().ShouldBe(Enum.GetValues<FaultKind>());
    }
}
