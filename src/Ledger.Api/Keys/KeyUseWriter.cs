using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.EventStore;
using Ledger.Projections.Access;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Keys;

/// <summary>
/// Writes from time to time when keys were last used, all at once, so that no request costs a write of its own. A crash loses the last few seconds of it.
/// </summary>
public sealed partial class KeyUseWriter(
    KeyDirectory keys,
    KeyUses uses,
    LedgerService ledger,
    IOptions<LedgerOptions> options,
    TimeProvider time,
    ILogger<KeyUseWriter> logger
) : BackgroundService
{
    private readonly Lock _stopping = new();
    private List<(AccountId Account, KeyId Key, DateTimeOffset At)> _unwritten = [];
    private Task? _stopped;

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        // A host can be told to stop from two sides at once, as test hosts are; both wait for the same last writing.
        lock (_stopping)
            return _stopped ??= StopOnceAsync(cancellationToken);
    }

    private async Task StopOnceAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await WriteAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(options.Value.KeyUseInterval, time, stoppingToken);
                await WriteAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task WriteAsync(CancellationToken ct)
    {
        if (_unwritten.Count == 0)
            _unwritten = keys.TakeUses();
        if (_unwritten.Count == 0 || !ledger.IsRunning)
            return;
        try
        {
            await uses.SaveAsync(_unwritten, ct);
            _unwritten = [];
        }
        catch (Exception fault) when (Outage.Is(fault) && !ct.IsCancellationRequested)
        {
            // The same are written the next time; what is used meanwhile waits in the directory.
            LogAway(logger, fault);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "When keys were last used could not be written; the database is away.")]
    private static partial void LogAway(ILogger logger, Exception fault);
}
