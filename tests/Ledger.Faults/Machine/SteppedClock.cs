namespace Ledger.Faults.Machine;

/// <summary>The machine's clock, off by as much as it was stepped. Its timers and time stamps are the machine's own.</summary>
internal sealed class SteppedClock : TimeProvider
{
    private long _offset;

    /// <summary>How far it is off.</summary>
    public TimeSpan Offset
    {
        get => new(Interlocked.Read(ref _offset));
        set => Interlocked.Exchange(ref _offset, value.Ticks);
    }

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Offset;
}
