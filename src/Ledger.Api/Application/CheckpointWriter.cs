using System.Threading.Channels;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Application;

/// <summary>
/// Writes state checkpoints behind the back of the write path. What does not fit into its queue, or cannot be written, is dropped: a fold that
/// misses a checkpoint writes it itself.
/// </summary>
internal sealed partial class CheckpointWriter : IAsyncDisposable
{
    private const int Capacity = 256;

    // A state can be large, where there are many holds or pockets; so few go at once.
    private const int Batch = 16;

    private readonly AccountCheckpoints _checkpoints;
    private readonly ILogger _logger;
    private readonly Channel<AccountSnapshot> _queue = Channel.CreateBounded<AccountSnapshot>(
        new BoundedChannelOptions(Capacity) { SingleReader = true }
    );

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    public CheckpointWriter(AccountCheckpoints checkpoints, ILogger logger)
    {
        (_checkpoints, _logger) = (checkpoints, logger);
        _run = Task.Run(RunAsync);
    }

    /// <summary>States that wait.</summary>
    public int Waiting => _queue.Reader.Count;

    /// <summary>Takes a committed state where it is time for a checkpoint. Never waits.</summary>
    /// <param name="before">The version before the commit.</param>
    /// <param name="committed">The state after it.</param>
    public void Offer(long before, AccountSnapshot committed)
    {
        if (_checkpoints.IsDue(before, committed.Account.Version))
            _queue.Writer.TryWrite(committed);
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var batch = new List<AccountSnapshot>(Batch);
        try
        {
            while (await _queue.Reader.WaitToReadAsync(_stop.Token))
            {
                batch.Clear();
                while (batch.Count < Batch && _queue.Reader.TryRead(out var snapshot))
                    batch.Add(snapshot);
                try
                {
                    await _checkpoints.SaveAsync(batch, _stop.Token);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    LogLost(_logger, batch.Count, e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Count} state checkpoints could not be written; whoever misses them will write them."
    )]
    private static partial void LogLost(ILogger logger, int count, Exception fault);
}
