using Ledger.Api.Application;
using Ledger.Api.Pricing;
using Ledger.EventStore;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Api.Hosting;

/// <summary>
/// Brings the node up: schema, price list, write path, first run. Where the database is away or does not fit, the node stays up, says why
/// at <c>/health/ready</c>, answers 503, and tries again.
/// </summary>
internal sealed partial class Startup(
    IEventLog log,
    NpgsqlDataSource database,
    LedgerService ledger,
    Readiness readiness,
    FirstRun firstRun,
    TimeProvider time,
    ILogger<Startup> logger
) : IHostedService, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _stopping = new();
    private Task _retrying = Task.CompletedTask;
    private Task? _stopped;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!await TryAsync(cancellationToken))
            _retrying = RetryAsync();
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        // A host can be told to stop from two sides at once, as test hosts are; both wait for the same drain.
        lock (_stopping)
            return _stopped ??= StopOnceAsync();
    }

    private async Task StopOnceAsync()
    {
        await _stop.CancelAsync();
        await _retrying;
        await ledger.DisposeAsync();
    }

    public void Dispose() => _stop.Dispose();

    private async Task RetryAsync()
    {
        try
        {
            do await Task.Delay(TimeSpan.FromSeconds(1), time, _stop.Token);
            while (!await TryAgainAsync(_stop.Token));
        }
        catch (OperationCanceledException)
        {
            // Stopped before it was ready.
        }
    }

    /// <summary>What no waiting can mend stops a start; later there is no start to stop, only a reason to give.</summary>
    private async Task<bool> TryAgainAsync(CancellationToken ct)
    {
        try
        {
            return await TryAsync(ct);
        }
        catch (RateCardFileException e)
        {
            return NotReady(e.Message);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Never in silence: a node that has stopped trying looks like one that is still at it.
            LogBroken(logger, e);
            return NotReady("Starting failed; the log says why.");
        }
    }

    private async Task<bool> TryAsync(CancellationToken ct)
    {
        try
        {
            readiness.Closure = await Closures.FindAsync(database, ct);
            if (readiness.Closure is { } closure)
                return NotReady(closure.Reason);
            await log.MigrateAsync(ct);
            if (!await new Rebuilder(database, time).DropHalfAsync(ct))
                LogLeft(logger);
            if (await readiness.CheckDatabaseAsync(ct) is { } fault)
                return NotReady(fault);
            await ledger.StartAsync(ct);
            await firstRun.PrepareAsync(ct);
            readiness.Report(null);
            LogReady(logger);
            return true;
        }
        catch (Exception e) when (Readiness.Why(e) is { } reason)
        {
            LogAway(logger, e);
            return NotReady(reason);
        }
    }

    private bool NotReady(string reason)
    {
        readiness.Report(reason);
        LogNotReady(logger, reason);
        return false;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The ledger is ready.")]
    private static partial void LogReady(ILogger logger);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The ledger is not ready: {Reason}")]
    private static partial void LogNotReady(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Starting failed.")]
    private static partial void LogBroken(ILogger logger, Exception fault);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "A rebuild that was killed has left the schema ledger_rebuild behind, and this role may not drop it."
    )]
    private static partial void LogLeft(ILogger logger);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Starting failed; trying again.")]
    private static partial void LogAway(ILogger logger, Exception fault);
}
