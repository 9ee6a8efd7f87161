using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Projections.Accounts;

namespace Ledger.Projections.Payments;

/// <summary>What of an account's state its row in <c>billing</c> holds.</summary>
/// <param name="Subscription">To what it subscribes; null where it never did.</param>
/// <param name="Customers">By what name each payment provider knows it.</param>
/// <param name="AutoTopup">What is bought for it when too little is left; null where nothing ever was.</param>
/// <param name="Alerts">What it is told when too little is left; null where it is told nothing.</param>
internal sealed record BillingState(
    Subscription? Subscription,
    ImmutableSortedDictionary<string, string> Customers,
    AutoTopup? AutoTopup,
    Alerts? Alerts
)
{
    public static BillingState None { get; } = new(null, ImmutableSortedDictionary<string, string>.Empty, null, null);

    public static BillingState Of(Account account) =>
        new(
            account.Subscription == Subscription.None ? null : account.Subscription,
            account.Orders.Customers.ToImmutableSortedDictionary(StringComparer.Ordinal),
            ReferenceEquals(account.AutoTopup, AutoTopup.Off) ? null : account.AutoTopup,
            account.Alerts == Alerts.None ? null : account.Alerts
        );

    /// <summary>The account with this and its orders.</summary>
    public Account Onto(Account account, IEnumerable<Order> orders) =>
        account with
        {
            Subscription = Subscription ?? Subscription.None,
            Orders = new Orders(
                orders.ToImmutableDictionary(order => order.Id),
                Customers.ToImmutableDictionary(StringComparer.Ordinal),
                default
            ).WithDueReckoned(),
            AutoTopup = AutoTopup ?? AutoTopup.Off,
            Alerts = Alerts ?? Alerts.None,
        };
}

/// <summary>The JSON form of what accounts buy. A member may come, with a default; none may change its meaning.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    IgnoreReadOnlyProperties = true,
    UseStringEnumConverter = true,
    Converters = [typeof(MicrosecondsJsonConverter)]
)]
[JsonSerializable(typeof(BillingState))]
[JsonSerializable(typeof(Order))]
internal sealed partial class BillingJson : JsonSerializerContext;

/// <summary>Writes and reads it: the same state always has the same text.</summary>
internal static class BillingText
{
    private static readonly BillingJson Json = new(
        new JsonSerializerOptions(BillingJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
    );

    public static string Write(BillingState state) => JsonSerializer.Serialize(state, Json.BillingState);

    public static string Write(Order order) => JsonSerializer.Serialize(order, Json.Order);

    public static BillingState ReadBilling(string text) =>
        JsonSerializer.Deserialize(text, Json.BillingState) ?? throw new InvalidDataException("A row of billing without a state.");

    public static Order ReadOrder(string text) =>
        JsonSerializer.Deserialize(text, Json.Order) ?? throw new InvalidDataException("A row of orders without a state.");
}
