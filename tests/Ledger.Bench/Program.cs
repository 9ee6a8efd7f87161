using System.CommandLine;
using Ledger.Bench;
using Ledger.Bench.Scenarios;

if (args is ["echo-server", var url])
{
    await EchoServer.RunAsync(url);
    return 0;
}

if (args is ["upstream-server", var address, var delay, var interval])
{
    await GatewayScenarios.ServeUpstreamAsync(address, delay, interval);
    return 0;
}

var seconds = new Option<int>("--seconds") { Description = "How long each measurement runs.", DefaultValueFactory = _ => 10 };
var accounts = new Option<int>("--accounts") { Description = "Accounts the load is spread over.", DefaultValueFactory = _ => 1000 };
var connections = new Option<int>("--connections") { Description = "Connections, or callers, at once.", DefaultValueFactory = _ => 64 };
var lanes = new Option<int>("--lanes") { Description = "Lanes of the server.", DefaultValueFactory = _ => 1 };
var events = new Option<long>("--events") { Description = "Spends that are in the log before anything is measured." };
var body = new Option<int>("--body")
{
    Description = "How many bytes the requests of streams have beside the least: what coding tools send.",
};
var folder = new Option<DirectoryInfo?>("--keep")
{
    Description = "Keeps the database in this folder, and goes on with what is there: for scenarios that make a long log.",
};
var json = new Option<FileInfo?>("--json") { Description = "Also writes the results to this file." };
var scenario = new Argument<string>("scenario") { Description = "One of: " + string.Join(", ", Catalogue.Names) + ", or all." };

var root = new RootCommand("Measures the ledger, each scenario next to its baseline in the same run. Load goes to loopback only.")
{
    scenario,
    seconds,
    accounts,
    connections,
    lanes,
    events,
    body,
    folder,
    json,
};
root.SetAction(
    async (parsed, ct) =>
    {
        var settings = new BenchSettings(
            TimeSpan.FromSeconds(parsed.GetValue(seconds)),
            parsed.GetValue(accounts),
            parsed.GetValue(connections),
            parsed.GetValue(lanes),
            parsed.GetValue(events),
            parsed.GetValue(body),
            parsed.GetValue(folder)?.FullName
        );
        var wanted = Catalogue.Find(parsed.GetValue(scenario)!);
        if (wanted.Count == 0)
        {
            await Console.Error.WriteLineAsync(
                $"There is no scenario '{parsed.GetValue(scenario)}'. There are: {string.Join(", ", Catalogue.Names)}, all."
            );
            return 2;
        }

        var report = new Report();
        await using (var bed = await TestBed.CreateAsync(settings, wanted.Any(each => !Catalogue.IsOfHistory(each)), ct))
        {
            foreach (var each in wanted)
                await each.RunAsync(bed, report, ct);
        }

        report.Print();
        if (parsed.GetValue(json) is { } file)
            await report.WriteAsync(file.FullName, ct);
        return report.HasErrors ? 1 : 0;
    }
);
return await root.Parse(args).InvokeAsync();
