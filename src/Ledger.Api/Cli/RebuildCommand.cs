using System.CommandLine;
using System.Globalization;
using Ledger.EventStore;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Api.Cli;

/// <summary><c>rebuild [model|all]</c>: builds read models anew from the log.</summary>
internal static class RebuildCommand
{
    /// <summary>The books of all accounts, which a reader of the log keeps: emptied here, read anew by whichever server runs.</summary>
    private const string Journal = "journal";

    public static Command Make(CliHost host)
    {
        var model = new Argument<string>("model") { Description = "The read model.", DefaultValueFactory = _ => "all" };
        model.AcceptOnlyFromAmong([.. Rebuilder.Models, Journal]);
        var check = new Option<bool>("--check")
        {
            Description =
                "Change nothing: verify the log's hashes, compare the read model with the log, and fail where anything is not as it should be.",
        };
        var command = new Command(
            "rebuild",
            "Builds read models anew from the log and puts them in the place of those that stand. The server runs on meanwhile."
        )
        {
            model,
            check,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var progress = new CliProgress(host.Console);
                        var database = services.GetRequiredService<NpgsqlDataSource>();
                        var rebuilder = new Rebuilder(database, services.GetRequiredService<TimeProvider>());
                        try
                        {
                            if (parsed.GetRequiredValue(check))
                            {
                                var books = services.GetRequiredService<JournalSums>();
                                await CheckAsync(host, database, rebuilder, books, parsed.GetRequiredValue(model), progress, ct);
                                return;
                            }

                            if (parsed.GetRequiredValue(model) == Journal)
                            {
                                await services.GetRequiredService<JournalSums>().ResetAsync(ct);
                                await host.Console.Output.WriteLineAsync("The books are empty; a running server reads them anew.");
                                return;
                            }

                            await rebuilder.RebuildAsync(parsed.GetRequiredValue(model), progress, ct);
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

    /// <summary>Tells all that is wrong before it fails, without the contents of any row.</summary>
    private static async Task CheckAsync(
        CliHost host,
        NpgsqlDataSource database,
        Rebuilder rebuilder,
        JournalSums books,
        string model,
        CliProgress progress,
        CancellationToken ct
    )
    {
        var (streams, wrong) = (0L, 0);
        await foreach (var (stream, verdict) in new ChainVerifier(database).VerifyAllAsync(ct))
        {
            streams++;
            if (verdict.Break is not { } broken)
                continue;
            wrong++;
            await host.Console.Output.WriteLineAsync(
                string.Create(CultureInfo.InvariantCulture, $"{stream} is broken at version {broken.Version}: {broken.Fault}")
            );
        }

        if (model is Journal or "all")
        {
            var unposted = new List<UnreadableStream>();
            foreach (var difference in await books.CompareAsync(ct, unposted))
            {
                wrong++;
                await host.Console.Output.WriteLineAsync($"{difference} differs");
            }

            foreach (var stream in unposted)
            {
                wrong++;
                await host.Console.Output.WriteLineAsync(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{stream.StreamId} cannot be booked from version {stream.Version} on: the sums of the books were not compared"
                    )
                );
            }
        }

        var unreadable = new List<UnreadableStream>();
        foreach (var drift in model == Journal ? [] : await rebuilder.CompareAsync(model, progress, ct, unreadable))
        {
            wrong++;
            var what =
                drift.Live is null ? "is missing"
                : drift.Rebuilt is null ? "should not be there"
                : "differs";
            await host.Console.Output.WriteLineAsync($"{drift.Table} {drift.Key} {what}");
        }

        foreach (var stream in unreadable)
        {
            wrong++;
            await host.Console.Output.WriteLineAsync(
                string.Create(CultureInfo.InvariantCulture, $"{stream.StreamId} cannot be compared from version {stream.Version} on")
            );
        }

        if (wrong > 0)
            throw new CliException(string.Create(CultureInfo.InvariantCulture, $"Not all is well: {wrong} findings."));
        await host.Console.Output.WriteLineAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"All is well: {streams} streams have whole chains, and {model} is what the log says."
            )
        );
    }
}
