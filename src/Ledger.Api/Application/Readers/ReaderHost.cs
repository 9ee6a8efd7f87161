using Ledger.EventStore;
using Npgsql;

namespace Ledger.Api.Application.Readers;

/// <summary>Runs every follower of the log where no other node does, and tells how far each is behind.</summary>
public sealed partial class ReaderHost(
    IEnumerable<LogFollower> followers,
    LedgerService ledger,
    NpgsqlDataSource database,
    LedgerMetrics metrics,
    TimeProvider time,
    ILogger<ReaderHost> logger
) : BackgroundService
{
    private static readonly TimeSpan MaxRest = TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(followers.Where(follower => follower.Pause > TimeSpan.Zero).Select(follower => FollowAsync(follower, stoppingToken)));

    private async Task FollowAsync(LogFollower follower, CancellationToken ct)
    {
        ReaderTurn? turn = null;
        var failures = 0;
        try
        {
            while (true)
            {
                var isMore = false;
                try
                {
                    if (ledger.IsRunning)
                    {
                        turn ??= await ReaderTurn.TryTakeAsync(database, follower.Name, follower.Types, ct);
                        if (turn is null)
                            metrics.Following(follower.Name, null);
                        else
                            isMore = await PassAsync(follower, turn, ct);
                        failures = 0;
                    }
                }
                catch (Exception fault) when (!ct.IsCancellationRequested)
                {
                    // The next turn begins at the checkpoint, here or on another node. Until then its lag grows, and is seen to.
                    LogFault(logger, follower.Name, fault);
                    failures++;
                    await GiveUpAsync(turn);
                    turn = null;
                }

                if (!isMore)
                    await Task.Delay(Rest(follower.Pause, failures), time, ct);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
        finally
        {
            metrics.Following(follower.Name, null);
            await GiveUpAsync(turn);
        }
    }

    /// <summary>Reads a page, has it dealt with, and keeps the checkpoint.</summary>
    /// <returns>Whether there may be more at once.</returns>
    private async Task<bool> PassAsync(LogFollower follower, ReaderTurn turn, CancellationToken ct)
    {
        var lag = await turn.LagAsync(ct);
        metrics.Following(follower.Name, lag);
        if (follower.OnlyLast is { } last && lag.Positions > last)
            turn.SkipTo(lag.Head - last);
        var from = turn.Position;
        var page = await turn.NextAsync(follower.Page, ct);
        if (turn.Position == from)
            return false;
        if (page.Count > 0)
            await follower.HandleAsync(page, ct);
        await turn.SaveAsync(ct);
        metrics.Following(follower.Name, await turn.LagAsync(ct));
        return turn.MayHaveMore && follower.OnlyLast is null;
    }

    private static TimeSpan Rest(TimeSpan pause, int failures)
    {
        // A follower that fails again and again is asked less and less often.
        var rest = pause * Math.Pow(2, Math.Min(failures, 10));
        return failures == 0 || rest < pause ? pause
            : rest < MaxRest ? rest
            : pause > MaxRest ? pause
            : MaxRest;
    }

    private static async Task GiveUpAsync(ReaderTurn? turn)
    {
        if (turn is not null)
            await turn.DisposeAsync();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reader {Reader} of the log was interrupted; it goes on from its checkpoint.")]
    private static partial void LogFault(ILogger logger, string reader, Exception fault);
}
