using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text.RegularExpressions;
using Ledger.Api.Application;
using Ledger.Api.Backup;
using Ledger.Api.Hosting;
using Ledger.Api.Payments;
using Ledger.Api.Pricing;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;
using Ledger.EventStore.Transfer;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Api.Cli;

/// <summary>
/// The operator's command line. It works on the database that the configuration names, alone or beside a server that runs on it.
/// Exit codes: 0 done, 1 could not be done, 2 not understood.
/// </summary>
internal static partial class CommandLine
{
    private const int Failed = 1;
    private const int NotUnderstood = 2;

    /// <summary>
    /// Whether the arguments are for the command line: they begin with a word, or ask for help. What begins with an option is configuration
    /// of the server. A word that is no command is a mistake, and better told than served.
    /// </summary>
    public static bool IsFor(IReadOnlyList<string> arguments) =>
        arguments is [var first, ..]
        && (
            first is "--help" or "-h" or "-?" or "--version"
            || (first.Length > 0 && char.IsAsciiLetter(first[0]) && !first.Contains('=', StringComparison.Ordinal))
        );

    /// <summary>Runs a command.</summary>
    /// <param name="arguments">The command, its arguments, and configuration such as <c>--Section:Key=value</c> anywhere among them.</param>
    /// <param name="console">Where it speaks.</param>
    /// <param name="ct">Interrupts it.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, CliConsole console, CancellationToken ct)
    {
        var (words, settings) = Split(arguments);
        var root = new RootCommand(
            "The Ledger server and its command line. Without a command, the server starts; see docs/reference/configuration.md for its settings, which every command takes too, as --Section:Key=value."
        );
        var host = new CliHost(settings, console);
        foreach (
            var command in (IEnumerable<Command>)
                [
                    MigrateCommand.Make(host),
                    RebuildCommand.Make(host),
                    RateCardCommand.Make(host),
                    AccountCommand.Make(host),
                    AuditCommand.Make(host),
                    ReplayCommand.Make(host),
                    TransferCommand.Export(host),
                    TransferCommand.Import(host),
                    BackupCommand.Backup(host),
                    BackupCommand.Restore(host),
                ]
        )
            root.Add(command);
        var parsing = root.Parse(words);

        var isUnderstood = parsing.Errors.Count == 0;
        if (parsing.Action is ParseErrorAction told)
            told.ShowHelp = false;
        var configuration = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            Output = isUnderstood ? console.Output : console.Error,
            Error = console.Error,
        };
        try
        {
            var code = await parsing.InvokeAsync(configuration, ct);
            if (isUnderstood)
                return code;
            await console.Error.WriteLineAsync("Ask with --help for what there is.");
            return NotUnderstood;
        }
        catch (CliException e)
        {
            return await FailAsync(e.Message);
        }
        catch (Exception e)
            when (e
                    is EmbeddedPostgresException
                        or SchemaException
                        or RateCardFileException
                        or RebuildRefusedException
                        or LedgerUnavailableException
                        or CheckpointFileException
                        or TransferException
                        or BackupException
                        or PaymentProviderException
                        or SettingsException
            )
        {
            return await FailAsync(e.Message);
        }
        catch (PostgresException e)
        {
            return await FailAsync($"The database refused: {e.MessageText} ({e.SqlState}).");
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
        {
            return await FailAsync($"The database is not reachable: {e.Message}");
        }
        catch (ArgumentException e) when (e.ParamName is null)
        {
            // How Npgsql speaks of a connection string that it cannot read.
            return await FailAsync($"The configuration cannot be used: {e.Message}");
        }
        catch (OperationCanceledException)
        {
            return await FailAsync("Interrupted.");
        }
        catch (Exception e)
        {
            // Such as a log that somebody has tampered with: whatever it is, an operator, or a script, is told what failed and that it did.
            return await FailAsync($"The command could not be carried through: {e.Message.ReplaceLineEndings(" ")} ({e.GetType().Name})");
        }

        async Task<int> FailAsync(string message)
        {
            await console.Error.WriteLineAsync(message);
            return Failed;
        }
    }

    /// <summary>Takes configuration out of the arguments: options whose name has a section.</summary>
    private static (List<string> Words, List<string> Settings) Split(IReadOnlyList<string> arguments)
    {
        var (words, settings) = (new List<string>(), new List<string>());
        for (var i = 0; i < arguments.Count; i++)
        {
            if (!Setting.IsMatch(arguments[i]))
            {
                words.Add(arguments[i]);
                continue;
            }

            settings.Add(arguments[i]);
            if (!arguments[i].Contains('=', StringComparison.Ordinal) && i + 1 < arguments.Count)
                settings.Add(arguments[++i]);
        }

        return (words, settings);
    }

    [GeneratedRegex(@"^(--|/)\w+(:\w+)+(=|\z)", RegexOptions.ExplicitCapture)]
    private static partial Regex Setting { get; }
}
