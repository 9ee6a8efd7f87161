using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Application;

/// <summary>The first answers of the latest references, so that a client's retry costs no look-up. One lane's own; not safe for concurrent use.</summary>
/// <param name="capacity">How many are kept.</param>
internal sealed class RecentAnswers(int capacity)
{
    private readonly Dictionary<Guid, Kept> _answers = [];
    private readonly Queue<Guid> _order = new();

    /// <summary>How many are kept now.</summary>
    public int Count => _answers.Count;

    /// <summary>The answer under an id; a spend comes as if its metadata had been erased, which no answer shows.</summary>
    public RecentAnswer? Find(Guid id) =>
        _answers.TryGetValue(id, out var kept)
            ? new(new(id, kept.Version, new(kept.AtTicks, TimeSpan.Zero), kept.Event), new(kept.Available, kept.Unit))
            : null;

    public void Keep(in Fact fact, Amount available)
    {
        if (capacity == 0)
            return;

        // Metadata may take some kilobytes, a hundred thousand times.
        var slim = fact.Event is CreditsSpent { Metadata: not null } spent ? spent with { Metadata = null } : fact.Event;
        if (!_answers.TryAdd(fact.Id, new(fact.Version, fact.At.UtcTicks, slim, available.Parts, available.Unit)))
            return;
        _order.Enqueue(fact.Id);
        if (_order.Count > capacity)
            _answers.Remove(_order.Dequeue());
    }

    public void Clear()
    {
        _answers.Clear();
        _order.Clear();
    }

    private readonly record struct Kept(long Version, long AtTicks, AccountEvent Event, long Available, Unit Unit);
}

/// <summary>A fact, and what was available right after it.</summary>
internal readonly record struct RecentAnswer(Fact Fact, Amount Available);
