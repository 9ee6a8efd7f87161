namespace Ledger.Upstream;

/// <summary>Where the stand-in waits until a test lets it go on. There is no time in it: a test that forgets to open it hangs, and one that does not never waits.</summary>
public sealed class Gate
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Comes when the stand-in stands before the gate.</summary>
    public Task Reached => _reached.Task;

    /// <summary>Lets it go on, now and whenever it comes again.</summary>
    public void Open() => _open.TrySetResult();

    internal Task PassAsync(CancellationToken ct)
    {
        _reached.TrySetResult();
        return _open.Task.WaitAsync(ct);
    }
}
