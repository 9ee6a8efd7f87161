using System.CommandLine;
using System.Globalization;
using Ledger.EventStore;
using Ledger.EventStore.Transfer;
using Ledger.Projections.Transfer;
using Npgsql;

namespace Ledger.Api.Cli;

/// <summary><c>export</c> and <c>import</c>: the log in files, and a ledger from them.</summary>
internal static class TransferCommand
{
    private const int EventsPerPart = 250_000;
    private const int MaxEventsPerPart = 100_000_000;

    public static Command Export(CliHost host)
    {
        var folder = new Argument<string>("folder") { Description = "Where it goes; where an export was interrupted, it goes on." };
        var format = new Option<string>("--format")
        {
            Description = "JSON lines, compressed, or CSV.",
            DefaultValueFactory = _ => ExportOptions.Formats[0],
        };
        format.AcceptOnlyFromAmong([.. ExportOptions.Formats]);
        var from = Number(
            "--from",
            "The first position; the log's first where it is left out. Only a whole log can be imported.",
            long.MaxValue
        );
        var to = Number("--to", "The last position; the last that is settled where it is left out.", long.MaxValue);
        var size = Number("--part", "How many events go into one file; 250000 where it is left out.", MaxEventsPerPart);
        var command = new Command(
            "export",
            "Writes the log into files that `import` and other programs can read. The server runs on meanwhile."
        )
        {
            folder,
            format,
            from,
            to,
            size,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        if (parsed.GetValue(from) is { } first && parsed.GetValue(to) is { } last && first > last)
                            throw new CliException($"The range is reversed: it begins at {first} and ends at {last}.");
                        var progress = new CliProgress(host.Console);
                        try
                        {
                            var options = new ExportOptions(
                                Path.GetFullPath(parsed.GetRequiredValue(folder)),
                                parsed.GetRequiredValue(format),
                                parsed.GetValue(from),
                                parsed.GetValue(to),
                                (int)(parsed.GetValue(size) ?? EventsPerPart)
                            );
                            var manifest = await new LogExport(
                                services.GetRequiredService<NpgsqlDataSource>(),
                                services.GetRequiredService<TimeProvider>()
                            ).RunAsync(options, progress, ct);
                            progress.End();
                            await host.Console.Output.WriteLineAsync(
                                manifest.Events == 0
                                    ? $"Exported to {options.Folder}: the log has no events there."
                                    : string.Create(
                                        CultureInfo.InvariantCulture,
                                        $"Exported to {options.Folder}: {manifest.Events} events in {manifest.Parts.Count} files, positions {manifest.Parts[0].First} to {manifest.Finished}."
                                    )
                            );
                        }
                        finally
                        {
                            progress.End();
                        }
                    },
                    ct
                )
        );
        return command;
    }

    public static Command Import(CliHost host)
    {
        var folder = new Argument<string>("folder") { Description = "What `export` has written." };
        var command = new Command(
            "import",
            "Makes a ledger out of an exported log, in an empty database: verifies all of it, loads it, and builds the read models. Interrupted, it is run again."
        )
        {
            folder,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var progress = new CliProgress(host.Console);
                        try
                        {
                            var manifest = await new LedgerImport(
                                services.GetRequiredService<NpgsqlDataSource>(),
                                services.GetRequiredService<IEventLog>(),
                                services.GetRequiredService<TimeProvider>()
                            ).RunAsync(Path.GetFullPath(parsed.GetRequiredValue(folder)), progress, progress, ct);
                            progress.End();
                            await host.Console.Output.WriteLineAsync(
                                string.Create(
                                    CultureInfo.InvariantCulture,
                                    $"Imported {manifest.Events} events up to position {manifest.Finished}; all read models stand. People, credentials and settings are not in an export: a backup has them."
                                )
                            );
                        }
                        finally
                        {
                            progress.End();
                        }
                    },
                    checkSchema: false,
                    ct
                )
        );
        return command;
    }

    private static Option<long?> Number(string name, string description, long most) =>
        new(name)
        {
            Description = description,
            CustomParser = given =>
            {
                if (
                    long.TryParse(given.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                    && number >= 1
                    && number <= most
                )
                    return number;
                given.AddError(
                    $"'{given.Tokens[0].Value}' is not a whole number from 1{(most == long.MaxValue ? "" : string.Create(CultureInfo.InvariantCulture, $" to {most}"))}."
                );
                return null;
            },
        };
}
