using System.Globalization;
using Ledger.Api.Dashboard.Credits;
using Ledger.Api.Gateway;
using Ledger.Api.Payments;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Dashboard.Packs;

/// <summary>Packs: those that the account owns, those that are sold, and buying one.</summary>
internal sealed class PackPages(PaymentDesk desk)
{
    private const int PageSize = 20;

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<PackPages>(services);
        customers.Page("/packs", visit => Task.FromResult(pages.Show(visit, null, 200)));
        customers.Form("/packs/buy", pages.BuyAsync);
    }

    private PageAnswer Show(CustomerVisit visit, string? problem, int status)
    {
        var (account, book, card) = (visit.Account, visit.Book, visit.Book.InForce(visit.Now)!);
        var packs = account
            .Wallet.Pockets.Where(pocket => pocket is { Unit: Unit.Credits, Scope: not null })
            .OrderByDescending(pocket => pocket.Id.Number)
            .ToList();
        var after = long.TryParse(visit.Query("after"), NumberStyles.None, CultureInfo.InvariantCulture, out var place)
            ? place
            : (long?)null;
        var rest = after is null ? packs : [.. packs.Where(pocket => pocket.Id.Number < after)];
        var page = rest.Take(PageSize).ToList();
        var orders = account.Orders.All.Values.Where(order => order.Pocket is not null).ToDictionary(order => order.Pocket!.Value);
        return PageAnswer.Show<PacksPage, PacksModel>(
            "Packs",
            new(
                [
                    .. page.Select(pocket =>
                    {
                        var order = orders.GetValueOrDefault(pocket.Id);
                        var rates = PackRates.Of(pocket.Scope!, order, book, card);
                        return new OwnedLine(
                            pocket,
                            order,
                            rates is null ? null : PackRates.TokensFor(pocket.Remaining, rates),
                            PackTranslation.StatusOf(pocket, visit.Now)
                        );
                    }),
                ],
                packs.Count,
                after is null ? null : "/packs",
                rest.Count > PageSize ? string.Create(CultureInfo.InvariantCulture, $"/packs?after={page[^1].Id.Number}") : null,
                [.. card.Document.Packs.Select(OfferOf).OfType<OfferLine>()],
                desk.Provider.Name == PaymentOptions.Sandbox,
                CreditPages.OutcomeOf(visit),
                CreditPages.ReturnOf(visit),
                problem
            ),
            status
        );
    }

    // What cannot be paid or held is not offered.
    private static OfferLine? OfferOf(PricedPack pack) =>
        Price.Usd(pack.PriceUsd) is { IsPositive: true } price && Price.Credits(pack.Credits) is { } credits
            ? new(pack, price, credits, PackRates.TokensFor(credits.Parts, pack.CreditsPer1m))
            : null;

    private async Task<PageAnswer> BuyAsync(CustomerVisit visit, FormPost form)
    {
        if (form.Value("pack") is not { Length: > 0 and <= 100 } pack)
            return Show(visit, CreditPages.Explain(RejectionCode.PackNotFound), 409);
        var (answer, problem, status) = await CreditPages.CheckOutAsync(desk, visit, form, OrderKind.Pack, pack, null);
        return answer ?? Show(visit, problem, status);
    }
}
