using Ledger.Api.Http;
using Ledger.Domain.RateCards;
using Ledger.Projections.Payments;

namespace Ledger.Api.Pricing;

/// <summary>
/// Whether a rate card keeps what has been sold: every pack with something left in it, and every subscription level that somebody has, will have or is
/// about to pay for. What is sold in the moment of publishing still has its price: its order names the card that it was sold by.
/// </summary>
public sealed class CardGuard(OrderQueries orders)
{
    /// <summary>Names everything that the card leaves out, each by its place.</summary>
    internal async Task CheckAsync(RateCardDocument card, string path, DateTimeOffset now, JsonFaults faults, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(card);
        var at = path.Length == 0 ? "" : path + ".";
        foreach (var (item, scope) in await orders.FindPacksInUseAsync(now, ct))
        {
            if (!card.Packs.Any(pack => pack.Id == item && (scope is null || pack.Provider + "/" + pack.Model == scope)))
                faults.Add($"{at}packs.{item}", $"must stay, for {scope ?? "its model"}: it has been sold and is not used up");
        }

        foreach (var tier in await orders.FindTiersInUseAsync(now, ct))
        {
            if (!card.Tiers.Any(kept => kept.Id == tier))
                faults.Add($"{at}tiers.{tier}", "must stay: somebody subscribes to it");
        }
    }
}
