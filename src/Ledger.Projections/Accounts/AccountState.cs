using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Wallets;
using Ledger.Projections.Payments;

namespace Ledger.Projections.Accounts;

/// <summary>
/// The state of an account as one JSON text, as checkpoints keep it: all of it but its id, version and last time. The same state always
/// has the same text, so that two can be compared.
/// </summary>
/// <param name="Status">Whether it may act.</param>
/// <param name="OpenedAt">When it was opened.</param>
/// <param name="Country">ISO 3166-1 alpha-2, where it is known.</param>
/// <param name="Credits">Totals in credits.</param>
/// <param name="Usd">Totals in dollars.</param>
/// <param name="Pockets">Every pocket ever opened, by number.</param>
/// <param name="Holds">The holds that have not ended, by id.</param>
/// <param name="Keys">Every key ever created, by id.</param>
/// <param name="SignInsEndedAt">Up to when every sign-in was ended; null where that never happened.</param>
/// <param name="SignedOut">Single sign-ins that were ended, by id, with the time at which each would have expired.</param>
/// <param name="Referral">Who brought it, and whom it brought.</param>
/// <param name="Billing">To what it subscribes, what is bought for it and what it is told.</param>
/// <param name="Orders">Every order ever opened, by id.</param>
internal sealed record AccountState(
    AccountStatus Status,
    DateTimeOffset OpenedAt,
    string? Country,
    WalletTotals Credits,
    WalletTotals Usd,
    ImmutableArray<Pocket> Pockets,
    ImmutableArray<Hold> Holds,
    ImmutableArray<Key> Keys,
    DateTimeOffset? SignInsEndedAt,
    ImmutableArray<EndedSignIn> SignedOut,
    Referral Referral,
    BillingState Billing,
    ImmutableArray<Order> Orders
)
{
    private static readonly AccountStateJson Json = new(
        new JsonSerializerOptions(AccountStateJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
    );

    /// <summary>A state as text.</summary>
    public static string Write(Account account)
    {
        var wallet = account.Wallet;
        return JsonSerializer.Serialize(
            new(
                account.Status,
                account.OpenedAt,
                account.Country,
                wallet.Credits,
                wallet.Usd,
                [.. wallet.Pockets.OrderBy(pocket => pocket.Id.Number)],
                [.. wallet.Holds.Values.OrderBy(hold => hold.Id.Value)],
                [.. account.Keys.Keys.Values.OrderBy(key => key.Id.Value, StringComparer.Ordinal)],
                account.SignIns.EndedAt,
                [.. account.SignIns.Ended.OrderBy(ended => ended.Key).Select(ended => new EndedSignIn(ended.Key, ended.Value))],
                account.Referral,
                BillingState.Of(account),
                [.. account.Orders.All.Values.OrderBy(order => order.Id.Value, StringComparer.Ordinal)]
            ),
            Json.AccountState
        );
    }

    /// <summary>The state that a text holds; null where it holds none.</summary>
    public static Account? Read(AccountId id, long version, DateTimeOffset lastAt, string text)
    {
        try
        {
            return
                JsonSerializer.Deserialize(text, Json.AccountState)
                    is {
                        Pockets.IsDefault: false,
                        Holds.IsDefault: false,
                        Keys.IsDefault: false,
                        SignedOut.IsDefault: false,
                        Referral: not null,
                        Billing.Customers: not null,
                        Orders.IsDefault: false
                    } state
                ? AccountSnapshots.Compose(
                    state.Billing.Onto(
                        Account.Empty(id) with
                        {
                            Version = version,
                            LastAt = lastAt,
                            Status = state.Status,
                            OpenedAt = state.OpenedAt,
                            Country = state.Country,
                            Wallet = Wallet.Empty with { Credits = state.Credits, Usd = state.Usd },
                            SignIns = new(
                                state.SignInsEndedAt,
                                state.SignedOut.ToImmutableDictionary(ended => ended.SignIn, ended => ended.ExpiresAt)
                            ),
                            Referral = state.Referral,
                        },
                        [.. state.Orders.Select(order => order.Disputes.IsDefault ? order with { Disputes = [] } : order)]
                    ),
                    state.Pockets,
                    state.Holds,
                    state.Keys
                )
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A sign-in that was ended.</summary>
/// <param name="SignIn">Its id.</param>
/// <param name="ExpiresAt">When it would have expired.</param>
internal sealed record EndedSignIn(Guid SignIn, DateTimeOffset ExpiresAt);

/// <summary>The JSON form of a state. Whoever changes it, or what any of it means, gives <see cref="AccountCheckpoints.Format"/> a new number.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    IgnoreReadOnlyProperties = true,
    UseStringEnumConverter = true,
    Converters = [typeof(MicrosecondsJsonConverter)]
)]
[JsonSerializable(typeof(AccountState))]
internal sealed partial class AccountStateJson : JsonSerializerContext;

/// <summary>A time as whole microseconds since 1970, as PostgreSQL resolves it: the same time is always the same number, whatever its offset.</summary>
internal sealed class MicrosecondsJsonConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        DateTimeOffset.UnixEpoch.AddTicks(reader.GetInt64() * TimeSpan.TicksPerMicrosecond);

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteNumberValue((value.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond);
}
