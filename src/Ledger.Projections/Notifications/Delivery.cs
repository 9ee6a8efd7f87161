using Ledger.Domain;

namespace Ledger.Projections.Notifications;

/// <summary>How an account is told something.</summary>
public enum DeliveryChannel
{
    /// <summary>A request to its address.</summary>
    Webhook,

    /// <summary>A letter to its holder.</summary>
    Email,
}

/// <summary>How far a delivery has come.</summary>
public enum DeliveryState
{
    /// <summary>It is to be sent, for the first time or again.</summary>
    Waiting,

    /// <summary>It was taken.</summary>
    Delivered,

    /// <summary>It was given up; the operator may replay it.</summary>
    Dead,
}

/// <summary>Something that an account is told.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Account">Who is told.</param>
/// <param name="Channel">How.</param>
/// <param name="Position">The event's place in the log.</param>
/// <param name="EventId">The event.</param>
/// <param name="Type">What it tells, such as <c>credits.warning</c>.</param>
/// <param name="Body">What is sent: JSON; of a letter its subject, an empty line and its text.</param>
/// <param name="State">How far it has come.</param>
/// <param name="Attempts">How often it was sent in vain since it began to wait; of a delivered one, that time counts too.</param>
/// <param name="QueuedAt">Since when it waits, or waited: when it was made or replayed.</param>
/// <param name="NextAt">When it is to be sent at the earliest; null where it does not wait.</param>
/// <param name="LastAt">When it was sent last.</param>
/// <param name="LastStatus">With what HTTP status that was answered.</param>
/// <param name="LastError">Why that failed.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record Delivery(
    Guid Id,
    AccountId Account,
    DeliveryChannel Channel,
    long Position,
    Guid EventId,
    string Type,
    string Body,
    DeliveryState State,
    int Attempts,
    DateTimeOffset QueuedAt,
    DateTimeOffset? NextAt,
    DateTimeOffset? LastAt,
    int? LastStatus,
    string? LastError,
    DateTimeOffset CreatedAt
);

/// <summary>What came of sending one.</summary>
/// <param name="State">How far it has come by that.</param>
/// <param name="At">When it was sent.</param>
/// <param name="NextAt">When it is to be sent again; null where it is not.</param>
/// <param name="Status">With what HTTP status it was answered; null where with none.</param>
/// <param name="Error">Why it failed; null where it did not.</param>
public sealed record DeliveryOutcome(DeliveryState State, DateTimeOffset At, DateTimeOffset? NextAt, int? Status, string? Error);

/// <summary>What there is to do.</summary>
/// <param name="Waiting">How many wait.</param>
/// <param name="Oldest">Since when the one waits that has waited longest; null where none does.</param>
/// <param name="Dead">How many are dead.</param>
public sealed record DeliveryBacklog(long Waiting, DateTimeOffset? Oldest, long Dead);

/// <summary>A place in the order of accounts and channels.</summary>
/// <param name="Account">The last account that was seen.</param>
/// <param name="Channel">The last channel of it that was.</param>
public readonly record struct DeliveryPlace(string Account, string Channel)
{
    /// <summary>Before the first.</summary>
    public static DeliveryPlace Start { get; } = new("", "");

    /// <summary>Behind the account and channel of a delivery.</summary>
    public static DeliveryPlace After(Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        return new(delivery.Account.Value, Wire.Of(delivery.Channel));
    }
}
