using System.Globalization;
using System.Text.Json.Serialization;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Api.Notifications;
using Ledger.Domain;
using Ledger.EventStore;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Dialects.Admin;

/// <summary>A page of deliveries.</summary>
/// <param name="Data">Newest first: by the place of their events in the log.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last.</param>
public sealed record DeliveryList(IReadOnlyList<DeliveryView> Data, string? Next);

/// <summary>One delivery.</summary>
/// <param name="Id">Its id.</param>
/// <param name="AccountId">Who is told.</param>
/// <param name="Channel"><c>webhook</c> or <c>email</c>.</param>
/// <param name="EventId">What is told, as the receiver knows it.</param>
/// <param name="Type">What kind of event that is, such as <c>credits.warning</c>.</param>
/// <param name="State"><c>waiting</c>, <c>delivered</c> or <c>dead</c>.</param>
/// <param name="Attempts">How often it was sent since it was made or replayed.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="NextAt">When it is sent at the earliest; null where it does not wait.</param>
/// <param name="LastAt">When it was sent last.</param>
/// <param name="LastStatus">The HTTP status of the last answer; null where there was none.</param>
/// <param name="LastError">Why the last attempt failed; null where it did not.</param>
/// <param name="Body">What is sent, byte for byte; of a letter its subject, an empty line and its text.</param>
public sealed record DeliveryView(
    Guid Id,
    string AccountId,
    string Channel,
    string EventId,
    string Type,
    string State,
    int Attempts,
    DateTimeOffset CreatedAt,
    DateTimeOffset? NextAt,
    DateTimeOffset? LastAt,
    int? LastStatus,
    string? LastError,
    string Body
);

/// <summary>Writes the answers.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(DeliveryList))]
[JsonSerializable(typeof(DeliveryView))]
internal sealed partial class DeliveryJson : JsonSerializerContext;

/// <summary>The operator's API for what accounts are told: what was sent, what was not, and sending it again.</summary>
public sealed class NotificationApi
{
    private static readonly ApiError NoDelivery = new(404, "delivery_not_found", "There is no such delivery.");
    private static readonly ApiError Waits = new(409, "delivery_waiting", "The delivery waits to be sent already.");

    private readonly Deliveries _deliveries;
    private readonly Wakeup _wakeup;
    private readonly TimeProvider _time;

    private NotificationApi(IServiceProvider services)
    {
        _deliveries = services.GetRequiredService<Deliveries>();
        _wakeup = services.GetRequiredService<Wakeup>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new NotificationApi(app.Services);
        var admin = app.MapGroup("/admin/webhooks").WithTags("Admin").OnlyFor(app.Services.GetRequiredService<OperatorKey>());
        admin
            .MapGet("/deliveries", api.ListAsync)
            .Describe<DeliveryList>("What accounts were told, are told and could not be told; newest first.", 200, 400);
        admin.MapGet("/deliveries/{id}", api.ShowAsync).Describe<DeliveryView>("One delivery.", 200, 404);
        admin
            .MapPost("/deliveries/{id}/replay", api.ReplayAsync)
            .Describe<DeliveryView>("Sends a delivery again that was taken or given up: the same id, the same body.", 200, 404, 409);
    }

    private async Task ListAsync(HttpContext context, string? state, string? account, string? limit, string? cursor)
    {
        var faults = new JsonFaults();
        var wanted = StateOf(state, faults);
        if (account is not null && !Identifiers.IsLawful(account))
            faults.Add("account", "must be an account's id");
        var before = PlaceOf(cursor, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;

        var found = await _deliveries.ListAsync(
            wanted,
            account is null ? null : new AccountId(account),
            before,
            size + 1,
            context.RequestAborted
        );
        var page = found.Take(size).ToList();
        await ApiErrors.SendAsync(
            context,
            200,
            new([.. page.Select(ToView)], found.Count > size ? CursorOf(page[^1]) : null),
            DeliveryJson.Default.DeliveryList
        );
    }

    private async Task ShowAsync(HttpContext context, string id)
    {
        if (Guid.TryParseExact(id, "D", out var known) && await _deliveries.FindAsync(known, context.RequestAborted) is { } delivery)
            await ApiErrors.SendAsync(context, 200, ToView(delivery), DeliveryJson.Default.DeliveryView);
        else
            await ApiErrors.SendAsync(context, NoDelivery);
    }

    private async Task ReplayAsync(HttpContext context, string id)
    {
        if (!Guid.TryParseExact(id, "D", out var known))
        {
            await ApiErrors.SendAsync(context, NoDelivery);
        }
        else if (await _deliveries.ReplayAsync(known, LedgerTime.Now(_time), context.RequestAborted) is { } delivery)
        {
            _wakeup.Ring();
            await ApiErrors.SendAsync(context, 200, ToView(delivery), DeliveryJson.Default.DeliveryView);
        }
        else
        {
            await ApiErrors.SendAsync(context, await _deliveries.FindAsync(known, context.RequestAborted) is null ? NoDelivery : Waits);
        }
    }

    private static DeliveryState? StateOf(string? text, JsonFaults faults)
    {
        if (text is null)
            return null;
        foreach (var state in Enum.GetValues<DeliveryState>())
        {
            if (Name(state) == text)
                return state;
        }

        faults.Add("state", "must be waiting, delivered or dead");
        return null;
    }

    // The place of the last of a page, by which the table is ordered: it may be deleted by the time the next page is asked for.
    private static string CursorOf(Delivery last) => string.Create(CultureInfo.InvariantCulture, $"{last.Position}-{Name(last.Channel)}");

    private static (long Position, DeliveryChannel Channel)? PlaceOf(string? cursor, JsonFaults faults)
    {
        if (cursor is null)
            return null;
        foreach (var channel in Enum.GetValues<DeliveryChannel>())
        {
            if (
                cursor.EndsWith("-" + Name(channel), StringComparison.Ordinal)
                && long.TryParse(cursor[..^(Name(channel).Length + 1)], NumberStyles.None, CultureInfo.InvariantCulture, out var position)
            )
                return (position, channel);
        }

        faults.Add("cursor", "must be the next of the page before");
        return null;
    }

    private static DeliveryView ToView(Delivery delivery) =>
        new(
            delivery.Id,
            delivery.Account.Value,
            Name(delivery.Channel),
            Notice.NameOf(delivery.EventId),
            delivery.Type,
            Name(delivery.State),
            delivery.Attempts,
            delivery.CreatedAt,
            delivery.NextAt,
            delivery.LastAt,
            delivery.LastStatus,
            delivery.LastError,
            delivery.Body
        );

    private static string Name<T>(T value)
        where T : struct, Enum => EventTypes.SnakeCase(value.ToString());
}
