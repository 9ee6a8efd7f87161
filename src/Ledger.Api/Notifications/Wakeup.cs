namespace Ledger.Api.Notifications;

/// <summary>Wakes the sender of this node when there is something for it, so that nobody waits for its next look.</summary>
public sealed class Wakeup
{
    private TaskCompletionSource _rung = New();

    /// <summary>Ends when it is rung, or has been since it was <see cref="Reset"/>.</summary>
    public Task Rung => Volatile.Read(ref _rung).Task;

    /// <summary>Wakes whoever waits, now or next.</summary>
    public void Ring() => Volatile.Read(ref _rung).TrySetResult();

    /// <summary>Forgets that it was rung; to be done before one looks for work, so that what is rung for after that is not missed.</summary>
    public void Reset()
    {
        if (Rung.IsCompleted)
            Volatile.Write(ref _rung, New());
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
