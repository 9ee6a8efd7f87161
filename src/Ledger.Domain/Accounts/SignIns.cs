using System.Collections.Immutable;
using System.Diagnostics;

namespace Ledger.Domain.Accounts;

/// <summary>What has happened to an account's sign-ins. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record SignInEvent : AccountEvent
{
    private protected SignInEvent() { }
}

/// <summary>One sign-in was ended: nobody acts by it any more.</summary>
/// <param name="SignIn">The sign-in.</param>
/// <param name="ExpiresAt">When it would have ended by itself; until then it must be remembered.</param>
public sealed record SignedOut(Guid SignIn, DateTimeOffset ExpiresAt) : SignInEvent;

/// <summary>Every sign-in up to now was ended.</summary>
/// <param name="Reason">Why, such as <c>password_changed</c>.</param>
public sealed record SignInsEnded(string Reason) : SignInEvent;

/// <summary>
/// Which sign-ins of an account no longer hold. A sign-in itself is no event: it is a signed statement that expires; only its early end must be known.
/// </summary>
/// <param name="EndedAt">Every sign-in of this time or before was ended; null where that never happened.</param>
/// <param name="Ended">Single sign-ins that were ended, and when each would have expired.</param>
public sealed record SignIns(DateTimeOffset? EndedAt, ImmutableDictionary<Guid, DateTimeOffset> Ended)
{
    /// <summary>How many single ends are remembered; whoever signs out more often before they expire signs out of all.</summary>
    public const int MaxEnded = 1000;

    /// <summary>None was ended.</summary>
    public static SignIns Empty { get; } = new(null, ImmutableDictionary<Guid, DateTimeOffset>.Empty);

    /// <summary>Whether a sign-in was ended.</summary>
    public bool HasEnded(Guid signIn, DateTimeOffset at) => at <= EndedAt || Ended.ContainsKey(signIn);

    /// <summary>The state after one more event. What has expired meanwhile is forgotten.</summary>
    public static SignIns Evolve(SignIns signIns, SignInEvent @event, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(signIns);
        return @event switch
        {
            SignedOut when signIns.Ended.Count >= MaxEnded => EndedUpTo(at),
            SignedOut e => signIns with
            {
                Ended = signIns
                    .Ended.RemoveRange(signIns.Ended.Where(ended => ended.Value <= at).Select(ended => ended.Key))
                    .SetItem(e.SignIn, e.ExpiresAt),
            },
            SignInsEnded => EndedUpTo(at),
            _ => throw new UnreachableException($"No fold for {@event?.GetType().Name}."),
        };
    }

    /// <summary>Every sign-in up to a time was ended.</summary>
    public static SignIns EndedUpTo(DateTimeOffset at) => new(at, ImmutableDictionary<Guid, DateTimeOffset>.Empty);
}
