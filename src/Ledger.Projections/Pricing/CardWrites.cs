using Ledger.Domain.RateCards;
using Ledger.EventStore;

namespace Ledger.Projections.Pricing;

/// <summary>The inline read models of the price list, fed together.</summary>
public sealed class CardWrites
{
    private readonly PriceRows _prices = new();
    private readonly RateCardRows _cards = new();

    /// <summary>For one writer.</summary>
    public CardWrites() => All = [_prices, _cards];

    /// <summary>What to open the writer with.</summary>
    public IReadOnlyList<InlineWrite> All { get; }

    /// <summary>Adds one card that was published.</summary>
    /// <param name="n">The index of its stream in the batch, from 1.</param>
    /// <param name="card">The card.</param>
    public void Add(int n, RateCard card)
    {
        _prices.Add(n, card);
        _cards.Add(n, card);
    }

    /// <summary>Empties every column.</summary>
    public void Clear()
    {
        foreach (var write in All)
            write.Clear();
    }
}
