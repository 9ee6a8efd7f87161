using Ledger.EventStore;

namespace Ledger.Api.Application.Readers;

/// <summary>
/// Somebody who does something about every event, after it was committed, on one node at a time. A page may be handed over twice, after a crash
/// or a lost connection, so what is done must be the same when done again: by ids that are derived from the events.
/// </summary>
public abstract class LogFollower
{
    /// <summary>Its name, under which its checkpoint and its lease stand; never changed.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// The stored names of the events it cares for; null for all. Of the others only the positions are read, which is a fraction of the work: each
    /// follower reads the whole log.
    /// </summary>
    public virtual IReadOnlyList<string>? Types => null;

    /// <summary>The most events at a time, those it does not care for included.</summary>
    public virtual int Page => Types is null ? 500 : 5000;

    /// <summary>How long it rests where there is nothing to read; zero or less switches it off on this node.</summary>
    public virtual TimeSpan Pause => TimeSpan.FromSeconds(1);

    /// <summary>How many of the latest events it cares for: older ones are passed over unread. Null where it must see all.</summary>
    public virtual int? OnlyLast => null;

    /// <summary>Deals with the next events, in order. Once it returns they count as dealt with; where it throws, the same are handed over again.</summary>
    public abstract Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct);
}
