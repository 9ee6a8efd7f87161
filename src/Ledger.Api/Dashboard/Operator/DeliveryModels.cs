using Ledger.Domain;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>What accounts were told, are told and could not be told.</summary>
/// <param name="Deliveries">Those that are shown, newest first.</param>
/// <param name="Backlog">What there is to do.</param>
/// <param name="State">The state that they are filtered by; null for all.</param>
/// <param name="Account">The account that they are filtered by; null for all.</param>
/// <param name="First">Where the first page is; null where this is it.</param>
/// <param name="Next">Where the next page is; null where this is the last.</param>
public sealed record DeliveryListModel(
    IReadOnlyList<Delivery> Deliveries,
    DeliveryBacklog Backlog,
    DeliveryState? State,
    AccountId? Account,
    string? First,
    string? Next
);

/// <summary>One delivery.</summary>
/// <param name="Delivery">It.</param>
/// <param name="EventId">What it tells, as the receiver knows it.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
/// <param name="Problem">What could not be done; null for nothing.</param>
public sealed record DeliveryModel(Delivery Delivery, string EventId, string? Notice, string? Problem);
