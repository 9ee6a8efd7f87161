using Ledger.EventStore;
using Npgsql;

namespace Ledger.Faults.Audit;

/// <summary>A reader of the log beside the load, through every fault that strikes PostgreSQL: it comes back and goes on where it was.</summary>
internal sealed class Follower : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);
    private readonly NpgsqlDataSource _database;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<StoredEvent> _seen = [];
    private readonly Task _run;
    private LogReader _reader;

    public Follower(string connectionString)
    {
        _database = NpgsqlDataSource.Create(connectionString);
        _reader = new(_database, 0);
        _run = Task.Run(RunAsync);
    }

    /// <summary>Goes on until it has come to a position or the time is over, and tells everything it has seen, in the order in which it saw it.</summary>
    public async Task<IReadOnlyList<StoredEvent>> FinishAsync(long position, TimeSpan patience)
    {
        var since = TimeProvider.System.GetTimestamp();
        while (Volatile.Read(ref _reader).Position < position && TimeProvider.System.GetElapsedTime(since) < patience && !_run.IsCompleted)
            await Task.Delay(Pause);
        await _stop.CancelAsync();
        await _run;
        return _seen;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        await _database.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var page = await _reader.NextAsync(100, _stop.Token);
                _seen.AddRange(page);
                if (page.Count == 0)
                    await Task.Delay(Pause, _stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
            {
                // As a reader that was killed would: from its checkpoint.
                Volatile.Write(ref _reader, new(_database, _reader.Position));
                await Task.Delay(Pause);
            }
        }
    }
}
