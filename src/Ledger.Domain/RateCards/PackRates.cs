using Ledger.Domain.Payments;

namespace Ledger.Domain.RateCards;

/// <summary>At what rates a pack is drawn on, and how far it goes.</summary>
public static class PackRates
{
    /// <summary>
    /// The rates of a pack: those of the same pack on the card in force, else of any pack for the same model there, else those of the card that it
    /// was bought by. Null where there are none.
    /// </summary>
    /// <param name="scope">The provider/model that it is for.</param>
    /// <param name="order">By what it was bought; null where it was granted without an order.</param>
    /// <param name="book">Every card.</param>
    /// <param name="inForce">The card in force.</param>
    public static PackPrices? Of(string scope, Order? order, RateBook book, RateCard inForce)
    {
        ArgumentNullException.ThrowIfNull(book);
        ArgumentNullException.ThrowIfNull(inForce);
        return EntryOf(scope, order, book, inForce)?.Pack.CreditsPer1m;
    }

    /// <summary>The entry that has those rates, and the card that it is on.</summary>
    public static (RateCard Card, PricedPack Pack)? EntryOf(string scope, Order? order, RateBook? book, RateCard inForce)
    {
        ArgumentNullException.ThrowIfNull(inForce);
        if ((Find(inForce, scope, order?.Item) ?? Find(inForce, scope, null)) is { } now)
            return (inForce, now);
        return order is not null && book?.Find(order.Card) is { } bought && Find(bought, scope, order.Item) is { } then
            ? (bought, then)
            : null;
    }

    /// <summary>
    /// How many tokens so many credits are for, about: ⌊remaining × 10⁶ ÷ ((input + 2 × output) ÷ 3)⌋. Null where the rates are nothing.
    /// </summary>
    /// <param name="parts">Credits, in parts.</param>
    /// <param name="rates">The rates.</param>
    public static long? TokensFor(long parts, PackPrices rates)
    {
        ArgumentNullException.ThrowIfNull(rates);
        var per = (Int128)rates.Input.Nanos + (2 * (Int128)rates.Output.Nanos);
        if (per <= 0)
            return null;

        // Parts are millionths of a credit, rates billionths of a credit per million tokens.
        var tokens = (Int128)parts * 3 * 1_000_000_000 / per;
        return tokens > long.MaxValue ? long.MaxValue : (long)tokens;
    }

    private static PricedPack? Find(RateCard? card, string scope, string? id) =>
        card?.Document.Packs.FirstOrDefault(pack =>
            (id is null || string.Equals(pack.Id, id, StringComparison.Ordinal))
            && string.Equals(pack.Provider + "/" + pack.Model, scope, StringComparison.Ordinal)
        );
}
