using System.Text.Json;
using Ledger.Domain;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;

namespace Ledger.Api.Audit;

/// <summary>An event as its hash covers it, with its place in the log.</summary>
/// <param name="Stored">The event; its headers hold actor and digest only.</param>
/// <param name="Previous">The hash of the event before it in its stream.</param>
internal sealed record ReceiptEvent(StoredEvent Stored, byte[] Previous)
{
    /// <summary>Its hash, computed from what it says.</summary>
    public byte[] Hash() =>
        HashChain.Hash(
            Stored.StreamId,
            Stored.Version,
            Stored.Id,
            Stored.Type,
            Stored.At,
            EventHeaders.Read(Stored.Headers).Covered,
            System.Text.Encoding.UTF8.GetBytes(Stored.Data),
            Previous
        );
}

/// <summary>That an event is among those of a checkpoint.</summary>
/// <param name="Checkpoint">The checkpoint's number.</param>
/// <param name="Index">The event's place among its events, from 0.</param>
/// <param name="Path">The way from the event's leaf to the root, from the bottom.</param>
internal sealed record ReceiptProof(long Checkpoint, long Index, IReadOnlyList<byte[]> Path);

/// <summary>An event that something in a receipt follows from.</summary>
/// <param name="Role">What for: <c>spend</c>, <c>hold</c>, <c>grant</c>, <c>order</c>, <c>payment</c>, <c>rate_card</c> or <c>reversal</c>.</param>
/// <param name="Event">The event.</param>
/// <param name="Proof">Its proof; null where no checkpoint covers it yet.</param>
internal sealed record ReceiptEvidence(string Role, ReceiptEvent Event, ReceiptProof? Proof);

/// <summary>
/// A spend with everything that it follows from. What it says in words is derived from its events alone, here and wherever it is checked, so that no word of it can be
/// changed without an event, and no event without its hash.
/// </summary>
/// <param name="Account">The account.</param>
/// <param name="Spend">The spend.</param>
/// <param name="Evidence">The events: first the spend's own.</param>
/// <param name="Checkpoints">The checkpoints that cover them.</param>
/// <param name="Keys">The keys that sign those.</param>
internal sealed record Receipt(
    AccountId Account,
    Guid Spend,
    IReadOnlyList<ReceiptEvidence> Evidence,
    IReadOnlyList<SignedCheckpoint> Checkpoints,
    IReadOnlyList<CheckpointKey> Keys
)
{
    private const int Format = 1;

    /// <summary>Whether no checkpoint covers the spend yet.</summary>
    public bool IsPending => Evidence[0].Proof is null;

    /// <summary>Writes it.</summary>
    /// <exception cref="FormatException">The events do not belong together.</exception>
    public void Write(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        json.WriteStartObject();
        json.WriteNumber("format", Format);
        json.WriteString("spend_id", Spend);
        json.WriteString("account_id", Account.Value);
        json.WriteBoolean("pending", IsPending);
        json.WritePropertyName("spend");
        ReceiptStory.Write(json, this);
        json.WritePropertyName("event");
        Write(json, Evidence[0].Event);
        json.WritePropertyName("proof");
        Write(json, Evidence[0].Proof);
        json.WriteStartArray("evidence");
        foreach (var evidence in Evidence.Skip(1))
        {
            json.WriteStartObject();
            json.WriteString("role", evidence.Role);
            json.WritePropertyName("event");
            Write(json, evidence.Event);
            json.WritePropertyName("proof");
            Write(json, evidence.Proof);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("checkpoints");
        foreach (var checkpoint in Checkpoints)
            CheckpointText.Write(json, checkpoint, withSegments: false);
        json.WriteEndArray();
        json.WriteStartArray("keys");
        foreach (var key in Keys)
            CheckpointText.Write(json, key);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Reads one.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static Receipt Read(JsonElement json)
    {
        try
        {
            if (json.GetProperty("format").GetInt32() != Format)
                throw new FormatException("it is in a format that this program does not know");
            return new(
                new(json.GetProperty("account_id").GetString() ?? ""),
                json.GetProperty("spend_id").GetGuid(),
                [
                    new("spend", ReadEvent(json.GetProperty("event")), ReadProof(json.GetProperty("proof"))),
                    .. json.GetProperty("evidence")
                        .EnumerateArray()
                        .Select(evidence => new ReceiptEvidence(
                            evidence.GetProperty("role").GetString() ?? "",
                            ReadEvent(evidence.GetProperty("event")),
                            ReadProof(evidence.GetProperty("proof"))
                        )),
                ],
                [.. json.GetProperty("checkpoints").EnumerateArray().Select(CheckpointText.Read)],
                [.. json.GetProperty("keys").EnumerateArray().Select(CheckpointText.ReadKey)]
            );
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or JsonException or OverflowException)
        {
            throw new FormatException("it is not a receipt", e);
        }
    }

    private static void Write(Utf8JsonWriter json, ReceiptEvent @event)
    {
        var (stored, who) = (@event.Stored, EventHeaders.Read(@event.Stored.Headers));
        json.WriteStartObject();
        json.WriteNumber("position", stored.Position);
        json.WriteString("stream", stored.StreamId);
        json.WriteNumber("version", stored.Version);
        json.WriteString("id", stored.Id);
        json.WriteString("type", stored.Type);
        json.WriteString("at", CheckpointText.Time(stored.At));
        json.WriteString("actor", who.Actor);
        json.WriteString("address_digest", who.AddressDigest);
        json.WritePropertyName("data");
        using (var data = JsonDocument.Parse(stored.Data))
            data.RootElement.WriteTo(json);
        json.WriteBase64String("previous", @event.Previous);
        json.WriteBase64String("hash", @event.Hash());
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ReceiptProof? proof)
    {
        if (proof is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteNumber("checkpoint", proof.Checkpoint);
        json.WriteNumber("index", proof.Index);
        json.WriteStartArray("path");
        foreach (var node in proof.Path)
            json.WriteBase64StringValue(node);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static ReceiptEvent ReadEvent(JsonElement json)
    {
        // Only what is covered: an address has no place in a receipt.
        var who = new EventHeaders(json.GetProperty("actor").GetString(), null, null, json.GetProperty("address_digest").GetString());
        if (json.GetProperty("previous").GetBytesFromBase64() is not { Length: HashChain.Size } previous)
            throw new FormatException("a hash has not 32 bytes");
        var headers = new System.Text.Json.Nodes.JsonObject { ["actor"] = who.Actor, ["address_digest"] = who.AddressDigest };
        return new(
            new(
                json.GetProperty("position").GetInt64(),
                json.GetProperty("id").GetGuid(),
                json.GetProperty("stream").GetString() ?? "",
                json.GetProperty("version").GetInt64(),
                json.GetProperty("type").GetString() ?? "",
                CheckpointText.ReadTime(json.GetProperty("at").GetString()),
                json.GetProperty("data").GetRawText(),
                headers.ToJsonString(),
                null,
                null
            ),
            previous
        );
    }

    private static ReceiptProof? ReadProof(JsonElement json) =>
        json.ValueKind == JsonValueKind.Null
            ? null
            : new(
                json.GetProperty("checkpoint").GetInt64(),
                json.GetProperty("index").GetInt64(),
                [.. json.GetProperty("path").EnumerateArray().Select(node => node.GetBytesFromBase64())]
            );
}
