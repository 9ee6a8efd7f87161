using Ledger.Api.Access;
using Ledger.Api.Hosting;
using Ledger.EventStore;
using Microsoft.Extensions.Logging.Console;

namespace Ledger.Api.Cli;

/// <summary>Where a command speaks.</summary>
/// <param name="Output">For what was asked for.</param>
/// <param name="Error">For everything else.</param>
/// <param name="IsTerminal">Whether a person watches <paramref name="Error"/>, so that a progress bar can be drawn there.</param>
internal sealed record CliConsole(TextWriter Output, TextWriter Error, bool IsTerminal)
{
    /// <summary>The process's own.</summary>
    public static CliConsole OfProcess => new(Console.Out, Console.Error, !Console.IsErrorRedirected);
}

/// <summary>A command could not be carried out.</summary>
/// <param name="message">Why, in words that an operator can act on.</param>
internal sealed class CliException(string message) : Exception(message);

/// <summary>What a command works with: the console, the configuration, and the ledger's parts while it runs.</summary>
/// <param name="settings">Configuration from the command line.</param>
/// <param name="console">Where it speaks.</param>
internal sealed class CliHost(IReadOnlyList<string> settings, CliConsole console)
{
    /// <summary>Where it speaks.</summary>
    public CliConsole Console => console;

    /// <summary>Opens the ledger's parts on the database, with the schema as this program knows it, and runs a command on them.</summary>
    public Task<int> RunAsync(Func<IServiceProvider, Task> command, CancellationToken ct) => RunAsync(command, checkSchema: true, ct);

    /// <summary>Opens the ledger's parts on the database, and runs a command on them.</summary>
    public async Task<int> RunAsync(Func<IServiceProvider, Task> command, bool checkSchema, CancellationToken ct)
    {
        // The same sources as the server's, so that both work on the same database.
        var configuration = WebApplication.CreateBuilder([.. settings]).Configuration;
        using var loggers = LoggerFactory.Create(logging =>
            logging
                .SetMinimumLevel(LogLevel.Warning)
                .AddFilter(typeof(EmbeddedPostgres).FullName, LogLevel.Information)
                .AddSimpleConsole(format => (format.SingleLine, format.ColorBehavior) = (true, LoggerColorBehavior.Disabled))
                .AddConsole(output => output.LogToStandardErrorThreshold = LogLevel.Trace)
        );
        await using var database = await LedgerDatabase.OpenAsync(configuration, attach: true, loggers, TimeProvider.System, ct);
        await using var services = new ServiceCollection()
            .AddSingleton<IConfiguration>(configuration)
            .AddSingleton(loggers)
            .AddLogging()
            .AddLedgerStore(database)
            .AddProtection()
            .BuildServiceProvider();
        if (checkSchema && await services.GetRequiredService<IEventLog>().CheckSchemaAsync(ct) is { } fault)
            throw new CliException(fault);
        await command(services);
        return 0;
    }
}
