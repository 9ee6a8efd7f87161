using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Domain;

/// <summary>What a command came to: facts to record, the fact that recorded it before, or the one reason it was refused.</summary>
/// <typeparam name="TEvent">The closed set of events of the stream.</typeparam>
public abstract record Decision<TEvent>
{
    private Decision() { }

    /// <summary>To be recorded; empty where things are already so.</summary>
    public sealed record Accepted(ImmutableArray<TEvent> Events) : Decision<TEvent>;

    /// <summary>Done before with the same contents: the first answer holds.</summary>
    public sealed record Repeated(Fact First) : Decision<TEvent>;

    /// <summary>Refused, and nothing changed.</summary>
    public sealed record Rejected(RejectionCode Code, Shortfall? Shortfall = null) : Decision<TEvent>;
}

/// <summary>Which limit refused, what was needed, and what was there.</summary>
/// <param name="Source">What refused: <c>balance</c>, <c>debt</c>, <c>pack</c>, <c>quota</c>, <c>key</c> or <c>minting_key</c>.</param>
/// <param name="Needed">What the command would have taken.</param>
/// <param name="Available">What the limit had left.</param>
/// <param name="Affordable">How many output tokens that would do for, where that decides; null elsewhere, and where it does for none.</param>
/// <param name="NeverFits">Whether it is more than the limit ever has, so that waiting for it to begin anew is no use.</param>
public sealed record Shortfall(string Source, Amount Needed, Amount Available, long? Affordable = null, bool NeverFits = false);

/// <summary>One event as it stands in an account's stream.</summary>
/// <param name="Id">The event's derived id.</param>
/// <param name="Version">Its place in the stream, from 1.</param>
/// <param name="At">When it was recorded, to the microsecond; never earlier than the event before it.</param>
/// <param name="Event">What happened.</param>
public readonly record struct Fact(Guid Id, long Version, DateTimeOffset At, AccountEvent Event);

/// <summary>What of the stream's history is at hand beyond the state: the facts found under a command's ids.</summary>
public sealed class Past
{
    private readonly Dictionary<Guid, Fact> _facts;

    private Past(Dictionary<Guid, Fact> facts) => _facts = facts;

    /// <summary>Nothing was found, or nothing was looked for.</summary>
    public static Past None { get; } = new([]);

    /// <summary>These facts were found.</summary>
    public static Past Of(params IEnumerable<Fact> facts) => new(facts.ToDictionary(fact => fact.Id));

    /// <summary>The fact of an id, where it was found.</summary>
    public Fact? Find(Guid id) => _facts.Count > 0 && _facts.TryGetValue(id, out var fact) ? fact : null;
}

/// <summary>What a decision depends on besides the account's state.</summary>
/// <param name="Now">The decision's time: never earlier than the stream's last event.</param>
/// <param name="Card">The rate card in force at that time.</param>
/// <param name="Past">The facts that already stand under the command's ids.</param>
/// <param name="Book">Every rate card ever published; null where only the one in force matters.</param>
public readonly record struct DecisionContext(DateTimeOffset Now, RateCard Card, Past Past, RateBook? Book = null)
{
    /// <summary>The rate card of a version.</summary>
    /// <exception cref="InvalidDataException">There is none: the history is corrupt.</exception>
    public RateCard CardOf(long version) =>
        version == Card.Version ? Card
        : Book?.Find(version) is { } card ? card
        : throw new InvalidDataException($"Rate card {version} was never published.");
}
