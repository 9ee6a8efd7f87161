using System.Collections.Concurrent;

namespace Ledger.Testing;

/// <summary>A clock that stands still until it is moved. Its timers are real: what waits, waits as in production.</summary>
public sealed class FixedClock : TimeProvider
{
    /// <summary>Where every clock of a test starts: a Friday noon, in the middle of a day, a week, a month.</summary>
    public static readonly DateTimeOffset Start = new(2026, 7, 3, 12, 0, 0, TimeSpan.Zero);

    private readonly ConcurrentBag<CancellationTokenSource> _limits = [];
    private long _ticks = Start.Ticks;
    private TimeSpan? _held;

    /// <summary>The time it shows; may be set to any other, also an earlier one.</summary>
    public DateTimeOffset Now
    {
        get => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);
        set => Interlocked.Exchange(ref _ticks, value.UtcTicks);
    }

    /// <summary>Moves it.</summary>
    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);

    /// <summary>From now on limits of exactly this length run out when <see cref="RunOut"/> says so, and at no other time.</summary>
    public void Hold(TimeSpan limit) => _held = limit;

    /// <summary>Lets the limits run out that are held, those of whatever is under way at this moment.</summary>
    public void RunOut()
    {
        while (_limits.TryTake(out var limit))
        {
            try
            {
                limit.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // What it limited has ended.
            }
        }
    }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Now;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (_held != dueTime || state is not CancellationTokenSource limit)
            return base.CreateTimer(callback, state, dueTime, period);
        _limits.Add(limit);
        return base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
