// The project's chores: `dotnet tool restore`, then `dotnet cake --target=Build`.
var target = Argument("target", "Test");
var configuration = Argument("configuration", target is "Bench" or "Run" ? "Release" : "Debug");

Task("Build")
    .Description("Compiles everything; a warning is an error.")
    .Does(() => DotNetBuild("Ledger.slnx", new DotNetBuildSettings { Configuration = configuration }));

Task("Test")
    .Description("Runs every test, against a PostgreSQL of its own.")
    .Does(() => Dotnet("test", "--configuration", configuration));

Task("Bench")
    .Description("Runs the benchmarks; what follows --args goes to them.")
    .Does(() => Dotnet("run", "--project", "tests/Ledger.Bench", "--configuration", configuration, "--", Argument("args", "")));

Task("Run")
    .Description("Starts the server; what follows --args goes to it.")
    .Does(() => Dotnet("run", "--project", "src/Ledger.Api", "--configuration", configuration, "--", Argument("args", "")));

Task("Format")
    .Description("Formats the C# files.")
    .Does(() => Dotnet("csharpier", "format", "src", "tests"));

RunTarget(target);

void Dotnet(params string[] words)
{
    var exitCode = StartProcess("dotnet", new ProcessSettings { Arguments = string.Join(" ", words) });
    if (exitCode != 0)
        throw new CakeException(exitCode, $"dotnet {words[0]} ended with exit code {exitCode}.");
}
