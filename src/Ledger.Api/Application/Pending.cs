using Ledger.Domain;
using Ledger.Domain.Accounts;

namespace Ledger.Api.Application;

/// <summary>One command on its way through a lane.</summary>
/// <param name="command">The command.</param>
/// <param name="caller">On whose behalf.</param>
/// <param name="since">When it was queued, in the clock's ticks.</param>
internal sealed class Pending(AccountCommand command, Caller caller, long since)
{
    // Continuations run elsewhere: the lane must not write anybody's response.
    private readonly TaskCompletionSource<Verdict> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public AccountCommand Command { get; } = command;

    public Caller Caller { get; } = caller;

    public long Since { get; } = since;

    public Task<Verdict> Answer => _answer.Task;

    /// <summary>Whether it was sent and the connection lost: then it may be done already, and what it did is its answer, also where it would be refused now.</summary>
    public bool MayBeDone { get; set; }

    /// <summary>What it came to in memory at once, on the way to its commit; null where it had to wait, or recorded nothing.</summary>
    public Verdict? Early { get; set; }

    public bool IsAnswered => _answer.Task.IsCompleted;

    public void Complete(Verdict verdict) => _answer.TrySetResult(verdict);

    public void Fail(Exception fault) => _answer.TrySetException(fault);
}

/// <summary>What the log holds under a command's ids.</summary>
/// <param name="Past">The facts.</param>
/// <param name="Done">The last one of them that the very same request recorded; null where it recorded none.</param>
internal readonly record struct Recollection(Past Past, Fact? Done);
