using System.CommandLine;

namespace Ledger.Faults;

/// <summary>The command line. Not called Program: the tests that use this project see the server's by that name.</summary>
internal static class EntryPoint
{
    public static Task<int> Main(string[] args)
    {
        // The servers that run in this process greet their operator; here nobody wants to hear it.
        var output = Console.Out;
        Console.SetOut(TextWriter.Null);

        var seed = new Option<int?>("--seed") { Description = "Runs this one seed." };
        var seeds = new Option<int>("--seeds") { Description = "How many seeds.", DefaultValueFactory = _ => 100 };
        var from = new Option<int>("--from") { Description = "The first of them.", DefaultValueFactory = _ => 1 };
        var parallel = new Option<int>("--parallel")
        {
            Description = "Runs at a time, each with a PostgreSQL of its own.",
            DefaultValueFactory = _ => 1,
        };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "Prints each seed's plan; with one seed, every command of it." };
        var planOnly = new Option<bool>("--plan") { Description = "Prints the plans and runs nothing." };
        var root = new RootCommand(
            "Drives random load and random faults, derived from a seed, and audits the ledger after each run. Everything stays on loopback."
        )
        {
            seed,
            seeds,
            from,
            parallel,
            verbose,
            planOnly,
        };
        root.SetAction(
            (parsed, ct) =>
                new Campaign(output)
                {
                    From = parsed.GetValue(seed) ?? parsed.GetValue(from),
                    Count = parsed.GetValue(seed) is null ? parsed.GetValue(seeds) : 1,
                    Parallel = parsed.GetValue(parallel),
                    IsVerbose = parsed.GetValue(verbose),
                    PlanOnly = parsed.GetValue(planOnly),
                }.RunAsync(ct)
        );
        // What is frozen is thawed and what is mounted is unmounted before it ends: that takes longer than the usual two seconds.
        return root.Parse(args)
            .InvokeAsync(
                new()
                {
                    EnableDefaultExceptionHandler = true,
                    ProcessTerminationTimeout = TimeSpan.FromMinutes(2),
                    Output = output,
                }
            );
    }
}
