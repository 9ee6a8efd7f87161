using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.EventStore;
using Ledger.Projections.Balances;
using Ledger.Projections.Refusals;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ledger.Api.Application;

/// <summary>
/// Journals what has lapsed in accounts that nobody uses, so that holds end and pockets expire without a command of their owner. Balances
/// never wait for it: expiry is reckoned at every read and with every command. One node sweeps at a time; two would only do the same twice.
/// </summary>
public sealed partial class Sweep(
    LedgerService ledger,
    DueAccounts due,
    RefusalRecords refusals,
    NpgsqlDataSource database,
    TimeProvider time,
    IOptions<LedgerOptions> options,
    ILogger<Sweep> logger
) : BackgroundService
{
    // Small beside a lane's batch, so that callers hardly notice it.
    private const int Batch = 200;

    // Another node's clock may be behind and still open pockets that lapsed a moment ago by ours.
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(1);

    private DateTimeOffset _pocketsSweptUpTo = DateTimeOffset.MinValue;

    /// <summary>Sweeps once, where no other node does.</summary>
    /// <returns>How many accounts something was due in.</returns>
    /// <exception cref="LedgerUnavailableException">The ledger is busy or its database is away.</exception>
    public async Task<int> PassAsync(CancellationToken ct)
    {
        await using var turn = await SessionLock.TryTakeAsync(database, SessionLock.Sweep, ct);
        if (turn is null)
            return 0;

        var now = LedgerTime.Now(time);
        var (swept, _) = await SweepAsync(due.WithHoldsAsync, now, DuePlace.Start, ct);

        // Pockets that have lapsed stay in their table for good, so a pass begins where the last whole one ended. Nothing can become due
        // behind that place: what returns to a lapsed pocket expires at once, in the same append.
        var (lapsed, isWhole) = await SweepAsync(due.WithPocketsAsync, now, DuePlace.After(_pocketsSweptUpTo), ct);
        if (isWhole)
            _pocketsSweptUpTo = now - Margin;

        // Whose pocket lapsed had its next period opened with that; these are the others.
        var (renewed, _) = await SweepAsync(due.WithBillingAsync, now, DuePlace.Start, ct);

        // Here because one node at a time is enough for this too.
        await refusals.DeleteOldAsync(now - options.Value.RefusalCountAge, now - options.Value.RefusalSampleAge, ct);
        return swept + lapsed + renewed;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.SweepInterval <= TimeSpan.Zero)
            return;
        using var timer = new PeriodicTimer(options.Value.SweepInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (!ledger.IsRunning)
                    continue;
                try
                {
                    var swept = await PassAsync(stoppingToken);
                    if (swept > 0)
                        LogSwept(logger, swept);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // Whatever is left is due at the next pass too.
                    LogFault(logger, e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task<(int Swept, bool IsWhole)> SweepAsync(
        Func<DateTimeOffset, DuePlace, int, CancellationToken, Task<DuePage>> find,
        DateTimeOffset now,
        DuePlace from,
        CancellationToken ct
    )
    {
        var (swept, isWhole) = (0, true);
        for (DuePlace? at = from; at is { } after; )
        {
            var page = await find(now, after, Batch, ct);
            var caller = Caller.System(RequestIds.Next());
            var sent = new List<Task<Verdict>>(page.Accounts.Count);
            foreach (var (account, version) in page.Accounts)
            {
                var id = EventIds.Request(account, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"due-{version}"));
                sent.Add(ledger.ExecuteAsync(new RecordDue(account, id), caller));
            }

            foreach (var verdict in sent)
            {
                try
                {
                    await verdict.WaitAsync(ct);
                    swept++;
                }
                catch (Exception e) when (e is not (OperationCanceledException or LedgerUnavailableException))
                {
                    // One account's trouble, such as a history that a newer server wrote, must not keep all others from being swept.
                    LogFault(logger, e);
                    isWhole = false;
                }
            }

            at = page.Last;
        }

        return (swept, isWhole);
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Journalled what had lapsed in {Accounts} accounts.")]
    private static partial void LogSwept(ILogger logger, int accounts);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A sweep was cut short; the next one goes on.")]
    private static partial void LogFault(ILogger logger, Exception fault);
}
