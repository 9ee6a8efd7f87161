using Ledger.Api.Application;
using Ledger.Projections.Payments;

namespace Ledger.Api.Payments;

/// <summary>What asking the provider again came to.</summary>
/// <param name="Provider">The provider.</param>
/// <param name="Since">From when on it was asked.</param>
/// <param name="Told">What it told, by what came of it.</param>
/// <param name="Charged">How many orders of our own whose outcome was open were asked about.</param>
/// <param name="Lost">What it told that leads nowhere here, such as payments of orders that a restored ledger does not know.</param>
public sealed record Reconciled(
    string Provider,
    DateTimeOffset Since,
    IReadOnlyDictionary<ProviderOutcome, int> Told,
    int Charged,
    IReadOnlyList<string> Lost
);

/// <summary>
/// Brings payments up to date after a restore: asks the provider for everything that it has told since the log ends, and about every order that the ledger had begun to charge by itself.
/// All of it may have been told before, and has its effect once.
/// </summary>
/// <param name="desk">What provider's tellings come to.</param>
/// <param name="orders">The orders.</param>
/// <param name="ledger">The accounts.</param>
public sealed class PaymentReconciliation(PaymentDesk desk, OrderQueries orders, LedgerService ledger)
{
    /// <summary>How long before the log's end is asked too: what was told just then may not have been written down.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromDays(1);

    /// <summary>Asks.</summary>
    /// <param name="endedAt">When the log ended, before anything was asked.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="PaymentProviderException">The provider is away: it must be asked again.</exception>
    public async Task<Reconciled> RunAsync(DateTimeOffset endedAt, CancellationToken ct)
    {
        var (since, told, lost) = (endedAt - Margin, new SortedDictionary<ProviderOutcome, int>(), new List<string>());
        await foreach (var @event in desk.Provider.TellAgainAsync(since, ct))
        {
            var handled = await desk.HandleAsync(@event, ct);
            told[handled.Outcome] = told.GetValueOrDefault(handled.Outcome) + 1;
            if (handled.Outcome is ProviderOutcome.Unmatched && @event is not ProviderEvent.Failed and not ProviderEvent.Expired)
                lost.Add(
                    $"{@event.Type} {@event.Id}: order {handled.Place.Order?.Value ?? "unknown"} of account {handled.Place.Account?.Value ?? "unknown"}"
                );
        }

        var charged = 0;
        foreach (var place in await orders.FindAutomaticAsync(desk.Provider.Name, ct))
        {
            if ((await ledger.ReadAsync(place.Account)).Account.Orders.Find(place.Order) is null)
                continue;
            await desk.ChargeAsync(place.Account, place.Order, ct);
            charged++;
        }

        return new(desk.Provider.Name, since, told, charged, lost);
    }
}
