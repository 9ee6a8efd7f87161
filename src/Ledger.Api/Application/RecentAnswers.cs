using Ledger.Domain;
using Ledger.Domain.Money;

namespace Ledger.Api.Application;

/// <summary>The first answers of the latest references, so that a client's retry costs no look-up. One lane's own; not safe for concurrent use.</summary>
/// <param name="capacity">How many are kept.</param>
internal sealed class RecentAnswers(int capacity)
{
    private readonly Dictionary<Guid, RecentAnswer> _answers = [];
    private readonly Queue<Guid> _order = new();

    public RecentAnswer? Find(Guid id) => _answers.TryGetValue(id, out var answer) ? answer : null;

    public void Keep(in Fact fact, Amount available)
    {
        if (!_answers.TryAdd(fact.Id, new(fact, available)))
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
}

/// <summary>A fact, and what was available right after it.</summary>
internal readonly record struct RecentAnswer(Fact Fact, Amount Available);
