using System.CommandLine;
using System.Globalization;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Audit;
using Ledger.Api.Backup;
using Ledger.Api.Hosting;
using Ledger.Api.Http;
using Ledger.Api.Payments;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;

namespace Ledger.Api.Cli;

/// <summary><c>backup</c> and <c>restore</c>: a copy of all there is, and a ledger from it that nobody uses before it was checked.</summary>
internal static class BackupCommand
{
    public static Command Backup(CliHost host)
    {
        var folder = new Argument<string>("folder") { Description = "Where it goes: a folder of its own." };
        var command = new Command(
            "backup",
            "Copies the whole database as of one moment, people and keys included, with PostgreSQL's pg_dump. The server runs on meanwhile."
        )
        {
            folder,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var to = Path.GetFullPath(parsed.GetRequiredValue(folder));
                        var manifest = await new DatabaseBackup(
                            services.GetRequiredService<LedgerDatabase>(),
                            services.GetRequiredService<TimeProvider>()
                        ).RunAsync(to, ct);
                        await host.Console.Output.WriteLineAsync(
                            string.Create(
                                CultureInfo.InvariantCulture,
                                $"Backed up to {to}: {manifest.Log.Events} events up to position {manifest.Log.Position}, as of {WireTime.Format(manifest.MadeAt)}; {manifest.Bytes} bytes. Keys and password hashes are in it: keep it as secret as the database."
                            )
                        );
                    },
                    ct
                )
        );
        return command;
    }

    public static Command Restore(CliHost host)
    {
        var folder = new Argument<string?>("folder")
        {
            Description = "What `backup` has written; left out with --finish where the database came by other means.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var finish = new Option<bool>("--finish")
        {
            Description =
                "Only verifies and reconciles what is there, and opens the ledger: after an interrupted restore, or one by other means.",
        };
        var rebuild = new Option<bool>("--rebuild") { Description = "Builds the read models anew before they are verified." };
        var checkpoints = new Option<string?>("--checkpoints")
        {
            Description = "Checkpoints kept outside of the database (checkpoints.jsonl), which the log is held against.",
        };
        var command = new Command(
            "restore",
            "Puts a backup into an empty database, verifies the log and every read model, asks the payment provider what has happened since, and only then opens the ledger."
        )
        {
            folder,
            finish,
            rebuild,
            checkpoints,
        };
        command.Validators.Add(given =>
        {
            if (given.GetValue(folder) is null && !given.GetValue(finish))
                given.AddError("Name the folder of a backup, or --finish.");
        });
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var restore = new DatabaseRestore(
                            services.GetRequiredService<LedgerDatabase>(),
                            services.GetRequiredService<Auditor>(),
                            services.GetRequiredService<TimeProvider>()
                        );
                        var kept = parsed.GetValue(checkpoints) is { } file ? new CheckpointFile(Path.GetFullPath(file)) : null;
                        if (kept is { Exists: false })
                            throw new CliException($"There is no file {kept.Path}.");

                        // What cannot be asked about payments is better known before than after an hour.
                        PaymentOptions.From(services.GetRequiredService<IConfiguration>());
                        BackupManifest? manifest = null;
                        if (parsed.GetValue(folder) is { } from)
                        {
                            var path = Path.GetFullPath(from);
                            manifest = parsed.GetValue(finish)
                                ? await BackupManifest.ReadAsync(path, ct)
                                : await restore.FillAsync(path, ct);
                            await host.Console.Output.WriteLineAsync(
                                string.Create(
                                    CultureInfo.InvariantCulture,
                                    $"The database holds the backup of {WireTime.Format(manifest.MadeAt)}: {manifest.Log.Events} events up to position {manifest.Log.Position}. It is closed until it is verified."
                                )
                            );
                        }

                        await VerifyAsync(host, restore, manifest, kept, parsed.GetValue(rebuild), ct);
                        if (await restore.EndedAtAsync(ct) is { } endedAt)
                            await ReconcileAsync(host, services, endedAt, ct);
                        await restore.OpenAsync(ct);
                        await host.Console.Output.WriteLineAsync("The ledger is open.");
                    },
                    checkSchema: false,
                    ct
                )
        );
        return command;
    }

    private static async Task VerifyAsync(
        CliHost host,
        DatabaseRestore restore,
        BackupManifest? manifest,
        CheckpointFile? kept,
        bool rebuild,
        CancellationToken ct
    )
    {
        var progress = new CliProgress(host.Console);
        AuditReport report;
        int later;
        try
        {
            (report, later) = await restore.VerifyAsync(manifest, kept, rebuild, progress, progress, ct);
        }
        finally
        {
            progress.End();
        }

        foreach (var line in AuditText.ToLines(report))
            await host.Console.Output.WriteLineAsync(line);
        if (later > 0)
            await host.Console.Output.WriteLineAsync(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{later} of the checkpoints speak of what came after the moment of the backup, and were left aside. Move the server's own file of checkpoints elsewhere before it starts, and keep it."
                )
            );
        if (!report.IsWhole)
            throw new CliException(
                string.Create(CultureInfo.InvariantCulture, $"Not all is whole: {report.FindingsTotal} findings. The ledger stays closed.")
                    + (
                        report.Findings.All(finding => finding.Check == "read_models")
                            ? " Only read models differ: `restore --finish --rebuild` builds them anew."
                            : " Take another backup."
                    )
            );
    }

    /// <summary>With a write path of its own: no server has one on this database before it is open.</summary>
    private static async Task ReconcileAsync(CliHost host, IServiceProvider outer, DateTimeOffset endedAt, CancellationToken ct)
    {
        var database = outer.GetRequiredService<LedgerDatabase>();
        var configuration = outer.GetRequiredService<IConfiguration>();
        await using var services = new ServiceCollection()
            .AddSingleton(configuration)
            .AddSingleton(outer.GetRequiredService<ILoggerFactory>())
            .AddLogging()
            .AddMetrics()
            .AddLedgerStore(database)
            .AddWritePath(configuration)
            .AddProtection()
            .AddPayments(configuration)
            .BuildServiceProvider();
        await services.GetRequiredService<LedgerService>().StartAsync(ct);
        var done = await services.GetRequiredService<PaymentReconciliation>().RunAsync(endedAt, ct);
        await host.Console.Output.WriteLineAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{done.Provider} was asked for what it has told since {WireTime.Format(done.Since)}: {(done.Told.Count == 0 ? "nothing" : string.Join(", ", done.Told.Select(told => $"{told.Value} {PaymentDesk.NameOf(told.Key)}")))}; and about {done.Charged} orders of the ledger's own whose outcome was open."
            )
        );
        if (done.Lost.Count == 0)
            return;
        await host.Console.Output.WriteLineAsync(
            "These lead nowhere: what was ordered after the moment of the backup is not known here. Give it back at the provider, or grant what was paid for:"
        );
        foreach (var lost in done.Lost)
            await host.Console.Output.WriteLineAsync("  " + lost);
    }
}
