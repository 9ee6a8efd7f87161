namespace Ledger.Api.Hosting;

/// <summary>Keeps a cluster running: notices its death within a tenth of a second and starts it again, with back-off.</summary>
internal sealed class Supervisor : IAsyncDisposable
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    // A server that lived this long has not died of what killed its predecessor.
    private static readonly TimeSpan Healthy = TimeSpan.FromSeconds(30);

    private readonly Cluster _cluster;
    private readonly ClusterAddress _address;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _watch;
    private volatile int _processId;

    /// <summary>Begins to watch a running postmaster.</summary>
    public Supervisor(Cluster cluster, ClusterAddress address, Postmaster running, ILogger logger, TimeProvider time)
    {
        _cluster = cluster;
        _address = address;
        _logger = logger;
        _time = time;
        _processId = running.ProcessId;
        _watch = Task.Run(WatchAsync);
    }

    /// <summary>The postmaster's process.</summary>
    public int ProcessId => _processId;

    /// <summary>Stops watching; the cluster runs on.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watch.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task WatchAsync()
    {
        var pause = FirstPause;
        while (true)
        {
            var since = _time.GetTimestamp();
            // It is not our child (pg_ctl started it, or an earlier server): nobody tells us of its end.
            while (Postmaster.IsAlive(_processId, _cluster.Folder))
                await Task.Delay(Glance, _time, _stop.Token);
            if (_time.GetElapsedTime(since) > Healthy)
                pause = FirstPause;
            _logger.LogError(
                "PostgreSQL (process {ProcessId}) has died; starting it again in {Pause} ms.",
                _processId,
                pause.TotalMilliseconds
            );
            pause = await RestartAsync(pause);
        }
    }

    private async Task<TimeSpan> RestartAsync(TimeSpan pause)
    {
        while (true)
        {
            await Task.Delay(pause, _time, _stop.Token);
            pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
            try
            {
                _processId = (await _cluster.StartAsync(_address, _stop.Token)).ProcessId;
                _logger.LogInformation("PostgreSQL runs again (process {ProcessId}).", _processId);
                return pause;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                _logger.LogError(e, "PostgreSQL could not be started again; the next attempt is in {Pause} ms.", pause.TotalMilliseconds);
            }
        }
    }
}
