using System.Text.Json;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections;

namespace Ledger.Api.Audit;

/// <summary>What a receipt says in words, derived from its events and nothing else.</summary>
internal static class ReceiptStory
{
    /// <summary>Writes it.</summary>
    /// <exception cref="FormatException">An event is missing, stands for something else, or is one too many.</exception>
    public static void Write(Utf8JsonWriter json, Receipt receipt)
    {
        var evidence = new Pile(receipt);
        var (stored, @event) = evidence.Take<AccountEvent>("spend", (s, _) => s.Id == receipt.Spend);
        var spend = Spent.Of(@event);
        json.WriteStartObject();
        json.WriteString("kind", spend.Kind);
        json.WriteString("at", WireTime.Format(stored.At));
        json.WriteString("what", spend.Tool);
        json.WriteString("reference", spend.Reference);
        json.WriteNumber("units", WireNumber.Of(spend.Units));
        json.WriteNumber("charged", WireNumber.Of(spend.Charged));
        json.WriteString("unit", spend.Charged.Unit.Name());
        json.WriteNumber("debt", spend.Debt is { } debt ? WireNumber.Of(debt) : 0);
        json.WriteString("key_id", spend.Key == default ? null : spend.Key.Value);
        WritePrice(json, spend, evidence);
        json.WriteStartArray("paid");
        foreach (var share in spend.Paid)
            WritePaid(json, share, spend.Charged.Unit, evidence);
        json.WriteEndArray();
        WriteHold(json, spend, evidence);
        WriteCall(json, spend.Call);
        WriteReversal(json, receipt, evidence);
        json.WriteEndObject();
        evidence.End();
    }

    private static void WritePrice(Utf8JsonWriter json, Spent spend, Pile evidence)
    {
        var (_, published) = evidence.Take<RateCardPublished>("rate_card", (s, _) => s.Version == spend.Card);
        var document =
            JsonSerializer.Deserialize(published.Document, RateCardJson.Default.RateCardDocument)
            ?? throw new FormatException("the rate card is empty");
        var card = new RateCard(spend.Card, published.EffectiveAt, document);
        json.WriteStartObject("price");
        json.WriteNumber("card_version", spend.Card);
        json.WriteString("entry", spend.Entry);
        json.WriteString("effective_at", WireTime.Format(published.EffectiveAt));
        json.WriteStartObject("rates");
        var name = spend.Entry[(spend.Entry.IndexOf('/', StringComparison.Ordinal) + 1)..];
        if (card.Tools.FirstOrDefault(tool => tool.Id == spend.Entry) is { } tool)
        {
            json.WriteString("per", tool.Per);
            json.WriteString("credits", tool.Credits.ToString());
        }
        else if (card.Document.Models.FirstOrDefault(model => "models/" + ModelDirectory.NameOf(model) == spend.Entry) is { } model)
        {
            json.WriteString("per", "1000000 tokens, in usd");
            json.WriteString("input", model.UsdPer1m.Input.ToString());
            json.WriteString("output", model.UsdPer1m.Output.ToString());
            json.WriteString("cache_read", model.UsdPer1m.CacheRead.ToString());
            json.WriteString("cache_write", model.UsdPer1m.CacheWrite.ToString());
            json.WriteString("cache_write_1h", model.UsdPer1m.CacheWrite1h.ToString());
        }
        else if (spend.Entry.StartsWith("packs/", StringComparison.Ordinal) && card.FindPack(name) is { } pack)
        {
            json.WriteString("per", "1000000 tokens, in credits");
            json.WriteString("input", pack.CreditsPer1m.Input.ToString());
            json.WriteString("output", pack.CreditsPer1m.Output.ToString());
        }
        else if (spend.Entry.StartsWith("tiers/", StringComparison.Ordinal) && card.FindTier(name) is { } tier)
        {
            json.WriteString("per", "24 hours");
            json.WriteNumber("tokens", tier.TokensPer24h);
        }
        else
        {
            throw new FormatException("the rate card has no such entry");
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WritePaid(Utf8JsonWriter json, PocketShare share, Unit unit, Pile evidence)
    {
        var (opened, granted) = evidence.Take<CreditsGranted>("grant", (_, e) => e.Pocket == share.Pocket);
        json.WriteStartObject();
        json.WriteNumber("pocket_id", share.Pocket.Number);
        json.WriteNumber("amount", WireNumber.Of(share.Parts, unit));
        json.WriteString("source", EventTypes.SnakeCase(granted.Source.ToString()));
        json.WriteString("scope", granted.Scope);
        json.WriteStartObject("granted");
        json.WriteString("event_id", opened.Id);
        json.WriteString("at", WireTime.Format(opened.At));
        json.WriteNumber("amount", WireNumber.Of(granted.Amount));
        Time(json, "expires_at", granted.ExpiresAt);
        json.WriteString("provider", granted.Provider);
        json.WriteString("reference", granted.Reference);
        json.WriteString("reason", granted.Reason);
        if (evidence.Find<OrderPaid>("payment", (_, e) => e.Pocket == share.Pocket) is var (at, paid))
        {
            var (_, order) = evidence.Take<OrderOpened>("order", (_, e) => e.Order == paid.Order);
            json.WriteStartObject("order");
            json.WriteString("order_id", order.Order.Value);
            json.WriteString("kind", EventTypes.SnakeCase(order.Kind.ToString()));
            json.WriteString("item", order.Item);
            json.WriteNumber("price_usd", WireNumber.Of(order.Price));
            json.WriteNumber("card_version", order.Card);
            json.WriteString("provider", paid.Provider);
            json.WriteString("payment_id", paid.Payment);
            json.WriteString("payment_intent", paid.Intent);
            json.WriteNumber("paid_usd", WireNumber.Of(paid.Amount));
            json.WriteString("paid_at", WireTime.Format(at.At));
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("order");
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteHold(Utf8JsonWriter json, Spent spend, Pile evidence)
    {
        if (spend.Hold is not { } id)
        {
            json.WriteNull("hold");
            return;
        }

        var (stored, hold) = evidence.Take<HoldPlaced>("hold", (s, _) => s.Id == id.Value);
        json.WriteStartObject("hold");
        json.WriteString("hold_id", stored.Id);
        json.WriteString("placed_at", WireTime.Format(stored.At));
        json.WriteNumber("units", WireNumber.Of(hold.Units));
        json.WriteNumber("amount", WireNumber.Of(hold.Amount));
        json.WriteString("expires_at", WireTime.Format(hold.ExpiresAt));
        json.WriteString("asked", hold.Call?.Asked);
        json.WriteEndObject();
    }

    private static void WriteCall(Utf8JsonWriter json, CallRecord? call)
    {
        if (call is null)
        {
            json.WriteNull("call");
            return;
        }

        json.WriteStartObject("call");
        json.WriteString("provider", call.Provider);
        json.WriteString("model", call.Model);
        json.WriteStartObject("tokens");
        json.WriteNumber("input", call.Tokens.Input);
        json.WriteNumber("cache_read", call.Tokens.CacheRead);
        json.WriteNumber("cache_write", call.Tokens.CacheWrite);
        json.WriteNumber("cache_write_1h", call.Tokens.CacheWrite1h);
        json.WriteNumber("output", call.Tokens.Output);
        json.WriteEndObject();
        json.WriteBoolean("estimated", call.Estimated);
        json.WriteString("outcome", EventTypes.SnakeCase(call.Outcome.ToString()));
        json.WriteNumber("latency_ms", call.LatencyMs);
        if (call.FirstByteMs is { } first)
            json.WriteNumber("first_byte_ms", first);
        else
            json.WriteNull("first_byte_ms");
        json.WriteString("usage", call.Usage);
        if (call.Quota is { } quota)
            json.WriteNumber("quota_tokens", quota.Tokens);
        else
            json.WriteNull("quota_tokens");
        json.WriteEndObject();
    }

    private static void WriteReversal(Utf8JsonWriter json, Receipt receipt, Pile evidence)
    {
        if (evidence.Find<SpendReversed>("reversal", (_, e) => e.Spend.Value == receipt.Spend) is not var (stored, reversed))
        {
            json.WriteNull("reversal");
            return;
        }

        json.WriteStartObject("reversal");
        json.WriteString("event_id", stored.Id);
        json.WriteString("at", WireTime.Format(stored.At));
        json.WriteNumber("amount", WireNumber.Of(reversed.Amount));
        json.WriteString("reason", reversed.Reason);
        json.WriteNumber("debt_cleared", reversed.DebtCleared is { } cleared ? WireNumber.Of(cleared) : 0);
        json.WriteStartArray("returned");
        foreach (var share in reversed.Returned)
        {
            json.WriteStartObject();
            json.WriteNumber("pocket_id", share.Pocket.Number);
            json.WriteNumber("amount", WireNumber.Of(share.Parts, reversed.Amount.Unit));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Time(Utf8JsonWriter json, string name, DateTimeOffset? at) =>
        json.WriteString(name, at is { } time ? WireTime.Format(time) : null);

    /// <summary>What the three kinds of charge have in common.</summary>
    internal sealed record Spent(
        string Kind,
        KeyId Key,
        string Tool,
        Quantity Units,
        Amount Charged,
        long Card,
        string Entry,
        string Reference,
        IReadOnlyList<PocketShare> Paid,
        Amount? Debt,
        HoldId? Hold,
        CallRecord? Call
    )
    {
        /// <summary>Of an event that charges.</summary>
        /// <exception cref="FormatException">It charges nothing.</exception>
        public static Spent Of(object @event) =>
            @event switch
            {
                CreditsSpent e => new("spend", e.Key, e.Tool, e.Units, e.Charged, e.Card, e.Entry, e.Reference, e.Paid, null, null, null),
                HoldSettled e => new(
                    "settlement",
                    e.Key,
                    e.Tool,
                    e.Units,
                    e.Charged,
                    e.Card,
                    e.Entry,
                    e.Reference,
                    // A pocket may have paid out of the hold and beyond it.
                    [
                        .. e
                            .FromHold.Concat(e.FromAvailable)
                            .GroupBy(share => share.Pocket)
                            .Select(same => new PocketShare(same.Key, same.Sum(share => share.Parts))),
                    ],
                    e.Debt,
                    e.Hold,
                    e.Call
                ),
                HoldSettledLate e => new(
                    "late_settlement",
                    e.Key,
                    e.Tool,
                    e.Units,
                    e.Charged,
                    e.Card,
                    e.Entry,
                    e.Reference,
                    e.Paid,
                    e.Debt,
                    e.Hold,
                    e.Call
                ),
                _ => throw new FormatException("its event charges nothing"),
            };
    }

    /// <summary>A receipt's events, each of which must be used for what it is there for.</summary>
    private sealed class Pile(Receipt receipt)
    {
        private readonly List<ReceiptEvidence> _left = [.. receipt.Evidence];

        public (StoredEvent Stored, T Event) Take<T>(string role, Func<StoredEvent, T, bool> isIt)
            where T : class => Find(role, isIt) ?? throw new FormatException($"the event of its {role} is missing");

        public (StoredEvent Stored, T Event)? Find<T>(string role, Func<StoredEvent, T, bool> isIt)
            where T : class
        {
            foreach (var evidence in _left.Where(evidence => evidence.Role == role))
            {
                var stored = evidence.Event.Stored;
                var stream = typeof(T) == typeof(RateCardPublished) ? RateBook.StreamId : receipt.Account.StreamId;
                if (stored.StreamId != stream || LedgerEvents.Types.Find(stored) is not T @event || !isIt(stored, @event))
                    continue;
                _left.Remove(evidence);
                return (stored, @event);
            }

            return null;
        }

        public void End()
        {
            if (_left.Count > 0)
                throw new FormatException($"an event ({_left[0].Role}) has nothing to do with it");
        }
    }
}
