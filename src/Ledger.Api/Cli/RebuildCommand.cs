using System.CommandLine;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Api.Cli;

/// <summary><c>rebuild [model|all]</c>: builds read models anew from the log.</summary>
internal static class RebuildCommand
{
    public static Command Make(CliHost host)
    {
        var model = new Argument<string>("model") { Description = "The read model.", DefaultValueFactory = _ => "all" };
        model.AcceptOnlyFromAmong([.. Rebuilder.Models]);
        var command = new Command(
            "rebuild",
            "Builds read models anew from the log and puts them in the place of those that stand. The server runs on meanwhile."
        )
        {
            model,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var progress = new CliProgress(host.Console);
                        try
                        {
                            await new Rebuilder(
                                services.GetRequiredService<NpgsqlDataSource>(),
                                services.GetRequiredService<TimeProvider>()
                            ).RebuildAsync(parsed.GetRequiredValue(model), progress, ct);
                        }
                        finally
                        {
                            progress.End();
                        }

                        await host.Console.Output.WriteLineAsync($"Rebuilt {parsed.GetRequiredValue(model)}.");
                    },
                    ct
                )
        );
        return command;
    }
}
