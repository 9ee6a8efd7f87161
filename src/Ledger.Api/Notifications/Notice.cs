using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Notifications;

/// <summary>What an account is told of one event.</summary>
/// <param name="Type">What it tells, such as <c>credits.warning</c>; the wire contract.</param>
/// <param name="Body">The body of a webhook.</param>
/// <param name="Letter">The subject of a letter, an empty line and its text; null where there is none.</param>
internal sealed record Notice(string Type, string Body, string? Letter)
{
    /// <summary>The stored names of the events that accounts are told of.</summary>
    public static IReadOnlyList<string> Sources { get; } =
    [
        LedgerEvents.Types.NameOf<BalanceLevelChanged>(),
        LedgerEvents.Types.NameOf<OrderOpened>(),
        LedgerEvents.Types.NameOf<OrderPaid>(),
        LedgerEvents.Types.NameOf<OrderFailed>(),
        LedgerEvents.Types.NameOf<OrderRefunded>(),
        LedgerEvents.Types.NameOf<OrderDisputed>(),
        LedgerEvents.Types.NameOf<DisputeWon>(),
        LedgerEvents.Types.NameOf<SubscriptionStarted>(),
        LedgerEvents.Types.NameOf<SubscriptionReset>(),
        LedgerEvents.Types.NameOf<SubscriptionChanged>(),
        LedgerEvents.Types.NameOf<SubscriptionEnded>(),
        LedgerEvents.Types.NameOf<AccountSuspended>(),
        LedgerEvents.Types.NameOf<AccountReinstated>(),
    ];

    /// <summary>The name of an event on the wire.</summary>
    public static string NameOf(Guid eventId) => "evt_" + eventId.ToString("N");

    /// <summary>The id of a delivery follows from what it tells and how, so that whatever is told twice is one delivery.</summary>
    public static Guid DeliveryId(Guid eventId, DeliveryChannel channel)
    {
        Span<byte> bytes = stackalloc byte[20];
        eventId.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(bytes[16..], (int)channel);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(bytes, hash);

        // A version 8 UUID: of the ledger's own making.
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new(hash[..16], bigEndian: true);
    }

    /// <summary>What an account is told of an event; null where nothing.</summary>
    /// <param name="stored">The event.</param>
    /// <param name="id">The account.</param>
    /// <param name="account">Its state, for what the event itself does not say; null where that cannot be known.</param>
    public static Notice? Of(StoredEvent stored, AccountId id, Account? account) =>
        LedgerEvents.Types.Read(stored) switch
        {
            BalanceLevelChanged e => OfBalance(stored, id, account, e),
            OrderOpened { IsAutomatic: true } e => new(
                "auto_topup.started",
                BodyOf(
                    "auto_topup.started",
                    stored,
                    id,
                    json => WriteOrder(json, e.Order, new(e.Kind, e.Item, e.Price, e.Gives, e.Provider, true))
                ),
                null
            ),
            OrderOpened => null,
            OrderPaid e => OfOrder("paid", stored, id, account, e.Order, json => WriteUsd(json, "amount_usd", e.Amount)),
            OrderFailed e => OfOrder(
                "failed",
                stored,
                id,
                account,
                e.Order,
                json => json.WriteString("reason", e.Reason),
                order =>
                    order?.IsAutomatic != true
                        ? null
                        : new(
                            "An automatic purchase of credits failed",
                            $"Few credits were left, so more were ordered, for {Usd(order.Price)}. The payment failed: {e.Reason}.\n\n"
                                + "It will be tried again, less and less often. Please look at your means of payment."
                        )
            ),
            OrderRefunded e => OfOrder("refunded", stored, id, account, e.Order, json => WriteUsd(json, "refunded_usd", e.Refunded)),
            OrderDisputed e => OfOrder(
                "disputed",
                stored,
                id,
                account,
                e.Order,
                json =>
                {
                    json.WriteString("dispute", e.Dispute);
                    WriteUsd(json, "amount_usd", e.Amount);
                },
                _ =>
                    new(
                        "A payment is disputed",
                        $"The bank has withdrawn {Usd(e.Amount)} of the payment of order {e.Order}, because it is disputed. The credits that it had bought "
                            + "are taken back; where they are spent already, they are a debt.\n\nIf this is a mistake, please get in touch."
                    )
            ),
            DisputeWon e => OfOrder("dispute_won", stored, id, account, e.Order, json => json.WriteString("dispute", e.Dispute)),
            SubscriptionStarted e => OfSubscription(
                "started",
                stored,
                id,
                e.Subscription,
                json =>
                {
                    WriteTerms(json, e.Tier, e.Price, e.Credits, e.TokensPer24h);
                    json.WriteString("started_at", WireTime.Format(e.Anchor));
                }
            ),
            SubscriptionReset e => OfSubscription(
                "reset",
                stored,
                id,
                e.Subscription,
                json =>
                {
                    json.WriteNumber("period", e.Period);
                    json.WriteString("starts_at", WireTime.Format(e.StartsAt));
                    json.WriteString("ends_at", WireTime.Format(e.EndsAt));
                }
            ),
            SubscriptionChanged e => OfSubscription(
                "changed",
                stored,
                id,
                e.Subscription,
                json => WriteTerms(json, e.Tier, e.Price, e.Credits, e.TokensPer24h)
            ),
            SubscriptionEnded e => OfSubscription(
                "ended",
                stored,
                id,
                e.Subscription,
                json =>
                {
                    json.WriteString("ended_at", WireTime.Format(e.EndedAt));
                    json.WriteString("reason", e.Reason);
                },
                new(
                    "Your subscription has ended",
                    $"Your subscription ended at {Time(e.EndedAt)}: {e.Reason}. What is left of its credits lapses with the period that they were for."
                )
            ),
            AccountSuspended e => OfAccount("suspended", stored, id, e.Reason),
            AccountReinstated e => OfAccount("reinstated", stored, id, e.Reason),
            _ => null,
        };

    private static Notice OfBalance(StoredEvent stored, AccountId id, Account? account, BalanceLevelChanged e)
    {
        var (type, subject) = e.To switch
        {
            BalanceLevel.Ok => ("credits.recovered", "You have enough credits again"),
            BalanceLevel.Warning => ("credits.warning", "Your credits are running low"),
            BalanceLevel.Critical => ("credits.critical", "Your credits are nearly used up"),
        };
        var (warning, critical) = (account?.Alerts.Warning, account?.Alerts.Critical);
        var body = BodyOf(
            type,
            stored,
            id,
            json =>
            {
                json.WriteString("level", LevelName(e.To));
                json.WriteString("from", LevelName(e.From));
                WriteAmount(json, "available", e.Available);
                json.WriteStartObject("thresholds");
                WriteAmount(json, "warning", warning);
                WriteAmount(json, "critical", critical);
                json.WriteEndObject();
            }
        );
        var asked =
            warning is { } w && critical is { } c
                ? $"\n\nYou wanted to be told at {w.ToDecimalString()}, and again at {c.ToDecimalString()}."
            : (warning ?? critical) is { } one ? $"\n\nYou wanted to be told at {one.ToDecimalString()}."
            : "";
        return new(
            type,
            body,
            new Text(subject, $"{e.Available.ToDecimalString()} credits were available at {Time(stored.At)}.{asked}").For(id)
        );
    }

    private static Notice OfOrder(
        string what,
        StoredEvent stored,
        AccountId id,
        Account? account,
        OrderId order,
        Action<Utf8JsonWriter> more,
        Func<OrderFacts?, Text?>? letter = null
    )
    {
        var facts = account?.Orders.Find(order) is { } o
            ? new OrderFacts(o.Kind, o.Item, o.Price, o.Gives, o.Provider, o.IsAutomatic)
            : null;
        var type = "order." + what;
        return new(
            type,
            BodyOf(
                type,
                stored,
                id,
                json =>
                {
                    WriteOrder(json, order, facts);
                    more(json);
                }
            ),
            letter?.Invoke(facts)?.For(id)
        );
    }

    private static Notice OfSubscription(
        string what,
        StoredEvent stored,
        AccountId id,
        SubscriptionId subscription,
        Action<Utf8JsonWriter> more,
        Text? letter = null
    )
    {
        var type = "subscription." + what;
        return new(
            type,
            BodyOf(
                type,
                stored,
                id,
                json =>
                {
                    json.WriteString("subscription_id", subscription.Value);
                    more(json);
                }
            ),
            letter?.For(id)
        );
    }

    private static Notice OfAccount(string what, StoredEvent stored, AccountId id, string reason) =>
        new("account." + what, BodyOf("account." + what, stored, id, json => json.WriteString("reason", reason)), null);

    private static string BodyOf(string type, StoredEvent stored, AccountId id, Action<Utf8JsonWriter> data)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("id", NameOf(stored.Id));
            json.WriteString("type", type);
            json.WriteString("created", WireTime.Format(stored.At));
            json.WriteString("account_id", id.Value);
            json.WriteStartObject("data");
            data(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteOrder(Utf8JsonWriter json, OrderId id, OrderFacts? order)
    {
        json.WriteString("order_id", id.Value);
        json.WriteString("kind", order is null ? null : EventTypes.SnakeCase(order.Kind.ToString()));
        json.WriteString("item", order?.Item);
        WriteAmount(json, "price_usd", order?.Price);
        if (order?.Gives is { } gives)
        {
            json.WriteStartObject("gives");
            WriteAmount(json, "amount", gives);
            json.WriteString("unit", gives.Unit.Name());
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("gives");
        }

        json.WriteString("provider", order?.Provider);
        if (order is null)
            json.WriteNull("automatic");
        else
            json.WriteBoolean("automatic", order.IsAutomatic);
    }

    private static void WriteTerms(Utf8JsonWriter json, string tier, Amount price, Amount credits, long tokens)
    {
        json.WriteString("tier", tier);
        WriteUsd(json, "price_usd", price);
        WriteAmount(json, "credits_per_month", credits);
        json.WriteNumber("tokens_per_24h", tokens);
    }

    private static void WriteUsd(Utf8JsonWriter json, string name, Amount amount) => WriteAmount(json, name, amount);

    private static void WriteAmount(Utf8JsonWriter json, string name, Amount? amount)
    {
        json.WritePropertyName(name);
        if (amount is { } known)
            json.WriteRawValue(known.ToDecimalString());
        else
            json.WriteNullValue();
    }

    private static string LevelName(BalanceLevel level) => EventTypes.SnakeCase(level.ToString());

    private static string Usd(Amount amount) => "$" + amount.ToDecimalString();

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>What of an order never changes.</summary>
    private sealed record OrderFacts(OrderKind Kind, string? Item, Amount Price, Amount? Gives, string Provider, bool IsAutomatic);

    private sealed record Text(string Subject, string Body)
    {
        public string For(AccountId account) => $"{Subject}\n\n{Body}\n\nAccount {account}\n";
    }
}
