using Ledger.Api.Decisions;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Api.Application;

/// <summary>What a command came to, after the commit that makes it so.</summary>
/// <param name="Decision">The decision.</param>
/// <param name="Answer">The fact that answers it: the last one recorded, or the first one that did it before; null where nothing was recorded.</param>
/// <param name="Available">Unscoped credits that were available right after the answer.</param>
public sealed record Verdict(Decision<AccountEvent> Decision, Fact? Answer, Amount Available)
{
    /// <summary>The account right after the answer; null where nothing was recorded for it, as with a repeat.</summary>
    public Account? After { get; init; }

    /// <summary>On what it was decided; null where it was not refused.</summary>
    public RefusedOn? RefusedOn { get; init; }

    /// <summary>Whether this is the answer of an earlier command with the same identity.</summary>
    public bool IsRepeat => Decision is Decision<AccountEvent>.Repeated;

    /// <summary>Why it was refused; null where it was not.</summary>
    public Decision<AccountEvent>.Rejected? Refusal => Decision as Decision<AccountEvent>.Rejected;
}

/// <summary>On whose behalf a command comes.</summary>
/// <param name="Actor">Who, by pseudonym: <c>key:…</c>, <c>operator</c>, <c>system</c>.</param>
/// <param name="RequestId">The request's id, which becomes the events' correlation id.</param>
/// <param name="Address">From where, for commands whose events say so: those that change who may act, not every spend. Null else.</param>
public readonly record struct Caller(string Actor, string RequestId, string? Address = null)
{
    /// <summary>The server itself.</summary>
    public static Caller System(string requestId) => new("system", requestId);
}

/// <summary>The ledger cannot answer now: the database is away, or the queue is full. Nothing is known to have changed; a repeat is safe.</summary>
/// <param name="message">What is the matter, in words that may be shown.</param>
/// <param name="retryAfter">When to come back.</param>
/// <param name="inner">What went wrong underneath; for the log only.</param>
public sealed class LedgerUnavailableException(string message, TimeSpan retryAfter, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The database is away.</summary>
    /// <param name="why">What went wrong underneath; for the log only.</param>
    public static LedgerUnavailableException Away(Exception? why = null) =>
        new("The ledger's database is away; come back in a moment.", TimeSpan.FromSeconds(1), why);

    /// <summary>More wait than may.</summary>
    public static LedgerUnavailableException Busy() => new("The ledger is busy; come back in a second.", TimeSpan.FromSeconds(1));

    /// <summary>When to come back.</summary>
    public TimeSpan RetryAfter { get; } = retryAfter;
}
