using System.Collections.Concurrent;
using Ledger.Faults.Plans;

namespace Ledger.Faults.Load;

/// <summary>What one attempt at a command came to.</summary>
internal enum Told
{
    /// <summary>It was done, now or before.</summary>
    Accepted,

    /// <summary>It was refused by a rule.</summary>
    Refused,

    /// <summary>Nobody knows: no answer, or 503.</summary>
    Unknown,
}

/// <summary>One attempt at a command, or at one item of a batch.</summary>
/// <param name="Step">The command.</param>
/// <param name="Sent">When it was sent, in the machine's ticks.</param>
/// <param name="Answered">When the answer was there.</param>
/// <param name="Status">The answer's status; 0 where there was none.</param>
/// <param name="Code">The refusal's code.</param>
/// <param name="Outcome">What it came to.</param>
/// <param name="Replayed">Whether the answer said that it had been done before.</param>
/// <param name="Id">The id of the spend or hold in the answer, or of the key or account that was made.</param>
/// <param name="Charged">Whole credits charged, held or granted.</param>
/// <param name="Balance">Whole credits available right after; or, at a refusal, what there was.</param>
/// <param name="LimitSource">At a refusal for money: which limit refused.</param>
/// <param name="Text">The answer's body, for messages.</param>
internal sealed record Attempt(
    Step Step,
    long Sent,
    long Answered,
    int Status,
    string? Code,
    Told Outcome,
    bool Replayed = false,
    string? Id = null,
    long? Charged = null,
    long? Balance = null,
    string? LimitSource = null,
    string Text = ""
);

/// <summary>Everything that was asked and answered in a run; tells when so many commands have got their answer.</summary>
internal sealed class Journal
{
    private readonly ConcurrentQueue<Attempt> _attempts = new();
    private readonly Lock _lock = new();
    private readonly List<(int At, TaskCompletionSource Reached)> _waiting = [];
    private int _answered;
    private bool _isOver;

    /// <summary>Every attempt so far.</summary>
    public IEnumerable<Attempt> Attempts => _attempts;

    /// <summary>How many answers there were, refusals included.</summary>
    public int Answered => Volatile.Read(ref _answered);

    public void Add(Attempt attempt)
    {
        _attempts.Enqueue(attempt);
        if (attempt.Outcome == Told.Unknown)
            return;
        List<TaskCompletionSource> reached = [];
        lock (_lock)
        {
            _answered++;
            reached.AddRange(_waiting.Where(wait => wait.At <= _answered).Select(wait => wait.Reached));
            _waiting.RemoveAll(wait => wait.At <= _answered);
        }

        foreach (var each in reached)
            each.TrySetResult();
    }

    /// <summary>Waits until there were so many answers, or the load is over.</summary>
    public Task ReachAsync(int answers)
    {
        lock (_lock)
        {
            if (_isOver || _answered >= answers)
                return Task.CompletedTask;
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((answers, reached));
            return reached.Task;
        }
    }

    /// <summary>The load is over: nobody waits any longer.</summary>
    public void End()
    {
        List<TaskCompletionSource> all;
        lock (_lock)
        {
            _isOver = true;
            all = [.. _waiting.Select(wait => wait.Reached)];
            _waiting.Clear();
        }

        foreach (var each in all)
            each.TrySetResult();
    }
}
