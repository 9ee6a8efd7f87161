using System.Globalization;
using Ledger.Api.Application;
using Ledger.Api.Keys;
using Ledger.Api.Notifications;
using Ledger.Domain;
using Ledger.EventStore;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>Webhooks and letters: what was sent, what waits, what was given up, and sending it again.</summary>
internal sealed class DeliveryPages(Deliveries deliveries, Wakeup wakeup, TimeProvider time)
{
    private const int PageSize = 50;

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<OperatorVisit> operators)
    {
        var pages = ActivatorUtilities.CreateInstance<DeliveryPages>(services);
        operators.Page("/operator/deliveries", pages.ListAsync);
        operators.Page("/operator/deliveries/{id}", pages.ShowAsync);
        operators.Form("/operator/deliveries/{id}/replay", pages.ReplayAsync);
    }

    /// <summary>A state or channel, as addresses and the operator's API name it.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum => EventTypes.SnakeCase(value.ToString());

    private async Task<PageAnswer> ListAsync(OperatorVisit visit)
    {
        var state = Find<DeliveryState>(visit.Query("state"));
        AccountId? account = visit.Query("account") is { } id && Identifiers.IsLawful(id) ? new AccountId(id) : null;
        var before = PlaceOf(visit.Query("before"));
        if (
            (visit.Query("state") is not null && state is null)
            || (visit.Query("account") is not null && account is null)
            || (visit.Query("before") is not null && before is null)
        )
            return PageAnswer.NotFound;
        var found = await deliveries.ListAsync(state, account, before, PageSize + 1, visit.Gone);
        var page = found.Take(PageSize).ToList();
        return PageAnswer.Show<DeliveryListPage, DeliveryListModel>(
            "Webhooks",
            new(
                page,
                await deliveries.CountAsync(visit.Gone),
                state,
                account,
                before is null ? null : PathOf(state, account),
                found.Count > PageSize ? $"{PathOf(state, account)}before={page[^1].Position}-{Name(page[^1].Channel)}" : null
            )
        );
    }

    /// <summary>Where a list is, ready for one more value.</summary>
    public static string PathOf(DeliveryState? state, AccountId? account) =>
        "/operator/deliveries?" + (state is { } wanted ? $"state={Name(wanted)}&" : "") + (account is { } whose ? $"account={whose}&" : "");

    private Task<PageAnswer> ShowAsync(OperatorVisit visit) =>
        ShowAsync(visit, visit.Query("done") == "replayed" ? "It waits to be sent again: the same id, the same body." : null, null, 200);

    private async Task<PageAnswer> ReplayAsync(OperatorVisit visit, FormPost form)
    {
        if (!Guid.TryParseExact(visit.Route("id"), "D", out var id))
            return PageAnswer.NotFound;
        if (await deliveries.ReplayAsync(id, LedgerTime.Now(time), visit.Gone) is null)
            return await ShowAsync(visit, null, "It waits to be sent already.", 409);
        wakeup.Ring();
        return PageAnswer.SeeOther($"/operator/deliveries/{id}?done=replayed");
    }

    private async Task<PageAnswer> ShowAsync(OperatorVisit visit, string? notice, string? problem, int status) =>
        Guid.TryParseExact(visit.Route("id"), "D", out var id) && await deliveries.FindAsync(id, visit.Gone) is { } delivery
            ? PageAnswer.Show<DeliveryPage, DeliveryModel>(
                delivery.Type,
                new(delivery, Notice.NameOf(delivery.EventId), notice, problem),
                status
            )
            : PageAnswer.NotFound;

    private static T? Find<T>(string? name)
        where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
        {
            if (Name(value) == name)
                return value;
        }

        return null;
    }

    private static (long Position, DeliveryChannel Channel)? PlaceOf(string? place)
    {
        var dash = place?.IndexOf('-', StringComparison.Ordinal) ?? -1;
        return
            dash > 0
            && long.TryParse(place.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var position)
            && Find<DeliveryChannel>(place![(dash + 1)..]) is { } channel
            ? (position, channel)
            : null;
    }
}
