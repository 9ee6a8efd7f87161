using System.CommandLine;
using Ledger.Faults;

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
    "Drives random load and random faults, derived from a seed, and audits the ledger after each run. Everything stays on the loopback address."
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
return await root.Parse(args).InvokeAsync();
