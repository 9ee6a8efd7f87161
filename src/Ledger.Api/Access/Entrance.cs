using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Access;

/// <summary>Somebody at the door: let in, or the one reason why not.</summary>
/// <param name="Account">The account as it is now, with what is due done; meaningless unless let in.</param>
/// <param name="Identity">Who it is, and by what right.</param>
/// <param name="Book">The price list.</param>
/// <param name="Now">The time at which the account is so.</param>
/// <param name="Denial">Why nobody knows who it is, if so.</param>
/// <param name="Refusal">Why the account refuses, if so.</param>
/// <param name="RetryAfter">When to come back, where there were too many requests.</param>
public readonly record struct Entry(
    Account Account,
    Identity Identity,
    RateBook Book,
    DateTimeOffset Now,
    Denial Denial = Denial.None,
    RejectionCode? Refusal = null,
    TimeSpan? RetryAfter = null
)
{
    /// <summary>Whether they may come in.</summary>
    public bool IsOpen => Denial == Denial.None && Refusal is null && RetryAfter is null;

    /// <summary>The price list in force.</summary>
    public RateCard Card =>
        Book.InForce(Now) ?? throw new LedgerUnavailableException("No rate card is in force yet.", TimeSpan.FromSeconds(1));
}

/// <summary>Lets requests in that are no work themselves: reading, buying, managing. Each dialect says in its own words why somebody stays out.</summary>
public sealed class Entrance(LedgerService ledger, Doorkeeper door, RateGates gates, TimeProvider time)
{
    /// <summary>Looks at who comes.</summary>
    /// <param name="context">The request.</param>
    /// <param name="needed">The kind that a key must be of; null for any.</param>
    /// <param name="takesApiKey">Whether a key may also come as Anthropic's clients send it, in <c>x-api-key</c>.</param>
    /// <exception cref="LedgerUnavailableException">The database is away.</exception>
    public async Task<Entry> EnterAsync(HttpContext context, KeyKind? needed, bool takesApiKey = false)
    {
        var (identity, denial) = await door.FindAsync(context, takesApiKey);
        if (denial != Denial.None)
            return new(Account.Empty(default), identity, RateBook.Empty, default, denial);
        var passage = gates.Count(RateBucket.Management, identity.Account.Value);
        if (!passage.MayPass)
            return new(Account.Empty(default), identity, RateBook.Empty, default, RetryAfter: passage.RetryAfter);
        var (account, book) = await ledger.ReadAsync(identity.Account);
        var now = LedgerTime.Later(time, account.LastAt);
        var refusal = needed is { } kind ? account.RefusesAccess(identity.By, kind, now) : account.RefusesAccess(identity.By, now);
        return new(account.LapsedAt(now), identity, book, now, Refusal: refusal);
    }
}
