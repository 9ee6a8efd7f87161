using Ledger.EventStore;
using Npgsql;

namespace Ledger.Api.Application;

/// <summary>A lane's one connection: lost and found again.</summary>
internal sealed class LaneConnection(IEventLog log, NpgsqlDataSource database, IReadOnlyList<InlineWrite> writes, TimeProvider time)
    : IAsyncDisposable
{
    /// <summary>The longest pause between two tries to reach a lost database.</summary>
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _stop = new();
    private ILogWriter? _writer;
    private Backend? _lost;

    /// <summary>Whether there is a connection, as far as is known.</summary>
    public bool IsOpen => _writer is not null;

    /// <summary>Whether the lane is to stop, and nobody is to be kept waiting for a database that is away.</summary>
    public bool IsStopping => _stop.IsCancellationRequested;

    /// <summary>The writer.</summary>
    /// <exception cref="LedgerUnavailableException">There is no connection.</exception>
    public ILogWriter Writer => _writer ?? throw LedgerUnavailableException.Away();

    public async Task OpenAsync(CancellationToken ct) => _writer = await log.OpenWriterAsync(writes, ct);

    /// <summary>
    /// Opens a new connection, and ends the server process behind the lost one and waits until it is gone: until then its transaction could
    /// still commit. What can be read then is as durable as a commit of now would be.
    /// </summary>
    public async Task ReopenAsync()
    {
        await OpenAsync(_stop.Token);
        if (_lost is { } backend)
            await EndAsync(backend);
        _lost = null;
        await Replication.CatchUpAsync(database, _stop.Token);
    }

    public async Task CloseAsync()
    {
        if (_writer is not { } writer)
            return;
        _lost ??= writer.Backend;
        _writer = null;
        try
        {
            await writer.DisposeAsync();
        }
        catch (Exception)
        {
            // The connection was broken already; that is why it is closed.
        }
    }

    /// <summary>Waits before another try; the longer, the more there have been. Not at all where the lane stops.</summary>
    public async Task PauseAsync(int tries)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(tries, 10));
        try
        {
            await Task.Delay(pause < MaxPause ? pause : MaxPause, time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // Stopping: whoever still waits is answered at once.
        }
    }

    public Task StopAsync() => _stop.CancelAsync();

    public async ValueTask DisposeAsync()
    {
        if (_writer is not null)
            await _writer.DisposeAsync();
        _stop.Dispose();
    }

    /// <summary>Whether the outcome is unknown or the server cannot serve at all, as opposed to PostgreSQL having refused our statement.</summary>
    public static bool IsOutage(Exception fault) =>
        fault switch
        {
            // Another transaction went first: the connection is as good as ever.
            PostgresException
            {
                SqlState: PostgresErrorCodes.DeadlockDetected
                    or PostgresErrorCodes.SerializationFailure
                    or PostgresErrorCodes.LockNotAvailable
            } => false,
            LedgerUnavailableException or ObjectDisposedException => true,
            _ => Outage.Is(fault),
        };

    /// <exception cref="TimeoutException">It does not end, such as one that is stopped: whoever waits behind it must be told.</exception>
    private async Task EndAsync(Backend backend)
    {
        var since = time.GetTimestamp();
        while (true)
        {
            await using var command = database.CreateCommand(
                "select pg_terminate_backend(a.pid) from pg_stat_activity a where a.pid = $1 and a.backend_start = $2"
            );
            command.Parameters.Add(new() { Value = backend.ProcessId });
            command.Parameters.Add(new() { Value = backend.StartedAt });
            if (await command.ExecuteScalarAsync(_stop.Token) is null)
                return;
            if (time.GetElapsedTime(since) > MaxPause)
                throw new TimeoutException("The server process behind the lost connection does not end.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, _stop.Token);
        }
    }
}
