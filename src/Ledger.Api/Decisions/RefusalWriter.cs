using Ledger.Api.Application;
using Ledger.EventStore;
using Ledger.Projections.Refusals;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Decisions;

/// <summary>
/// Writes down what was refused, every few seconds all at once, and when the server stops: no refusal waits for it. A node that is killed loses the last
/// few seconds of it; where a connection is lost in the middle, they may be counted twice.
/// </summary>
public sealed partial class RefusalWriter(
    RefusalBook book,
    RefusalRecords records,
    LedgerService ledger,
    IOptions<LedgerOptions> options,
    TimeProvider time,
    LedgerMetrics metrics,
    ILogger<RefusalWriter> logger
) : BackgroundService
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Lock _stopping = new();
    private (List<RefusalCount> Counts, List<RefusalSample> Samples)? _unwritten;
    private Task? _stopped;

    /// <summary>Writes down what has gathered, so that who asks now finds it.</summary>
    /// <exception cref="LedgerUnavailableException">The database is away.</exception>
    public async Task WriteAsync(CancellationToken ct)
    {
        if (!await TryWriteAsync(ct))
            throw LedgerUnavailableException.Away();
    }

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        // A host can be told to stop from two sides at once, as test hosts are; both wait for the same last writing.
        lock (_stopping)
            return _stopped ??= StopOnceAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _turn.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(options.Value.RefusalInterval, time, stoppingToken);
                await TryWriteAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task StopOnceAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryWriteAsync(cancellationToken);
    }

    private async Task<bool> TryWriteAsync(CancellationToken ct)
    {
        if (_unwritten is null && book.IsEmpty)
            return true;
        if (!ledger.IsRunning)
            return false;
        await _turn.WaitAsync(ct);
        try
        {
            // What could not be written the last time comes first; what was refused meanwhile waits in the book, within its bounds.
            while (_unwritten is not null || !book.IsEmpty)
            {
                var (counts, samples) = _unwritten ??= book.TakeAll();
                await records.SaveAsync(counts, samples, options.Value.RefusalSamples, ct);
                _unwritten = null;
            }

            return true;
        }
        catch (Exception fault) when (Outage.Is(fault) && !ct.IsCancellationRequested)
        {
            LogAway(logger, fault);
            return false;
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            // A bug of ours; without these the next ones are written. The server does not stop for it, and nothing that counts is lost.
            LogFault(logger, fault);
            metrics.RefusalDropped("count", _unwritten?.Counts.Count ?? 0);
            metrics.RefusalDropped("sample", _unwritten?.Samples.Count ?? 0);
            _unwritten = null;
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Some of what was refused could not be written down, and is not tried again.")]
    private static partial void LogFault(ILogger logger, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What was refused could not be written down; the database is away.")]
    private static partial void LogAway(ILogger logger, Exception fault);
}
