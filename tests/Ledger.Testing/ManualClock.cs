namespace Ledger.Testing;

/// <summary>
/// A clock that stands still until it is moved, and whose timers go off by its own time: what waits, waits for the test. Where they must be real, there
/// is <see cref="FixedClock"/>.
/// </summary>
public sealed class ManualClock : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<ManualTimer> _timers = [];
    private readonly List<(TimeSpan Due, TaskCompletionSource Set)> _waiters = [];
    private DateTimeOffset _now = FixedClock.Start;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
            return _now;
    }

    /// <inheritdoc/>
    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    /// <summary>Moves it, and sets off what is due.</summary>
    public void Advance(TimeSpan by)
    {
        var until = GetUtcNow() + by;
        while (true)
        {
            ManualTimer? next;
            lock (_lock)
            {
                next = _timers.Where(timer => timer.At <= until).MinBy(timer => timer.At);
                if (next is null)
                {
                    _now = until;
                    return;
                }

                _now = next.At > _now ? next.At.Value : _now;
                next.At = next.Period > TimeSpan.Zero ? _now + next.Period : null;
            }

            next.Fire();
        }
    }

    /// <summary>Comes when a timer is set that goes off after exactly this time, or at once where there is one.</summary>
    public Task WaitingAsync(TimeSpan due)
    {
        lock (_lock)
        {
            if (_timers.Any(timer => timer.At == _now + due))
                return Task.CompletedTask;
            var set = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((due, set));
            return set.Task;
        }
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class ManualTimer(ManualClock clock, Action fire) : ITimer
    {
        public DateTimeOffset? At { get; set; }

        public TimeSpan Period { get; private set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                Period = period;
                At = dueTime < TimeSpan.Zero ? null : clock._now + dueTime;
                if (At is null)
                {
                    clock._timers.Remove(this);
                    return true;
                }

                if (!clock._timers.Contains(this))
                    clock._timers.Add(this);
                foreach (var waiter in clock._waiters.Where(waiter => waiter.Due == dueTime).ToList())
                {
                    clock._waiters.Remove(waiter);
                    waiter.Set.SetResult();
                }

                return true;
            }
        }

        public void Dispose()
        {
            lock (clock._lock)
            {
                At = null;
                clock._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
