using System.CommandLine;
using System.Globalization;
using Ledger.EventStore;

namespace Ledger.Api.Cli;

/// <summary><c>migrate</c>: brings the schema up to date.</summary>
internal static class MigrateCommand
{
    public static Command Make(CliHost host)
    {
        var command = new Command("migrate", "Brings the database's schema up to date. The server does the same when it starts.");
        command.SetAction(
            (_, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var applied = await services.GetRequiredService<IEventLog>().MigrateAsync(ct);
                        await host.Console.Output.WriteLineAsync(
                            applied switch
                            {
                                0 => "The schema is up to date.",
                                1 => "Applied one migration; the schema is up to date.",
                                _ => string.Create(
                                    CultureInfo.InvariantCulture,
                                    $"Applied {applied} migrations; the schema is up to date."
                                ),
                            }
                        );
                    },
                    checkSchema: false,
                    ct
                )
        );
        return command;
    }
}
