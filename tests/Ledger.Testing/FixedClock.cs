namespace Ledger.Testing;

/// <summary>A clock that stands still until it is moved. Its timers are real: what waits, waits as in production.</summary>
public sealed class FixedClock : TimeProvider
{
    /// <summary>Where every clock of a test starts: a Friday noon, in the middle of a day, a week, a month.</summary>
    public static readonly DateTimeOffset Start = new(2026, 7, 3, 12, 0, 0, TimeSpan.Zero);

    private long _ticks = Start.Ticks;

    /// <summary>The time it shows; may be set to any other, also an earlier one.</summary>
    public DateTimeOffset Now
    {
        get => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);
        set => Interlocked.Exchange(ref _ticks, value.UtcTicks);
    }

    /// <summary>Moves it.</summary>
    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Now;
}
