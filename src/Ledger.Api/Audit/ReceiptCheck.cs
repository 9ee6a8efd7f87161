using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;

namespace Ledger.Api.Audit;

/// <summary>What a receipt is held against beside itself.</summary>
/// <param name="Keys">Keys that whoever checks it trusts; empty where there are none.</param>
/// <param name="Checkpoints">Checkpoints that whoever checks it has kept; null where there are none.</param>
internal sealed record ReceiptAnchors(IReadOnlyList<CheckpointKey> Keys, CheckpointFile? Checkpoints)
{
    /// <summary>Nothing.</summary>
    public static ReceiptAnchors None { get; } = new([], null);
}

/// <summary>What checking a receipt came to.</summary>
/// <param name="IsGood">Whether it proves what it says.</param>
/// <param name="Lines">What it proves and what it does not, or why it proves nothing.</param>
internal sealed record ReceiptVerdict(bool IsGood, IReadOnlyList<string> Lines);

/// <summary>Checks receipts by what they hold and what was kept outside: no database and no server is asked.</summary>
internal static class ReceiptCheck
{
    /// <summary>The only role that comes behind the spend.</summary>
    private const string Reversal = "reversal";

    /// <summary>Checks one.</summary>
    /// <param name="text">The receipt, as it was answered, with or without the <c>data</c> around it.</param>
    /// <param name="anchors">What it is held against.</param>
    public static ReceiptVerdict Check(ReadOnlyMemory<byte> text, ReceiptAnchors anchors)
    {
        ArgumentNullException.ThrowIfNull(anchors);
        try
        {
            using var json = JsonDocument.Parse(text, new() { AllowDuplicateProperties = false });
            var root = json.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("data", out var inner))
            {
                if (root.EnumerateObject().Count() != 1)
                    throw new FormatException("there is something beside it");
                root = inner;
            }

            return Check(root, anchors);
        }
        catch (JsonException)
        {
            return Refused("it is not JSON");
        }
        catch (CheckpointFileException e)
        {
            return new(false, [e.Message]);
        }
        catch (Exception e)
        {
            // It comes from anybody, and its events may lack whatever an event must have.
            return Refused(e is FormatException ? e.Message : "it is not a receipt");
        }
    }

    private static ReceiptVerdict Check(JsonElement root, ReceiptAnchors anchors)
    {
        var receipt = Receipt.Read(root);

        // All that it says, written anew from its events: whatever is not the same, spelling included, was changed.
        using var anew = JsonDocument.Parse(Write(receipt));
        if (FirstDifference(root, anew.RootElement, "") is { } place)
            return Refused($"{place} is not what follows from its events");
        foreach (var evidence in receipt.Evidence)
        {
            if (!ChainVerifier.MetadataHolds(evidence.Event.Stored.Data))
                return Refused("its metadata is not what its digest says");
        }

        if (receipt.IsPending)
            return new(
                false,
                [
                    "Not proven yet: no checkpoint covers the spend. Ask for the receipt again in a minute or two; what it says is consistent in itself.",
                ]
            );
        var (used, isPartly) = (new HashSet<long>(), false);
        foreach (var evidence in receipt.Evidence)
        {
            if (evidence.Proof is { } proof)
            {
                if (Fault(receipt, evidence, proof) is { } fault)
                    return Refused(fault);
                used.Add(proof.Checkpoint);
            }
            else if (evidence.Role == Reversal)
            {
                isPartly = true;
            }
            else
            {
                // What a charge follows from stands before it in the log: no checkpoint covers the one and not the other, and anybody can invent an event.
                return Refused($"the event of its {evidence.Role} is not proven");
            }
        }

        if (receipt.Checkpoints.Any(signed => !used.Contains(signed.Checkpoint.Number)) || used.Count != receipt.Checkpoints.Count)
            return Refused("a checkpoint has nothing to do with it");
        foreach (var signed in receipt.Checkpoints)
        {
            if (!receipt.Keys.Any(signed.IsSignedBy))
                return Refused($"checkpoint {signed.Checkpoint.Number} is not signed by a key of the receipt");
        }

        if (receipt.Keys.Any(key => receipt.Checkpoints.All(signed => signed.Checkpoint.KeyId != key.Id)))
            return Refused("a key has nothing to do with it");
        var (trust, isTrusted) = Trust(receipt, anchors);
        return isTrusted ? new(!isPartly, [.. Tell(root, receipt, isPartly), trust]) : Refused(trust);
    }

    private static string? Fault(Receipt receipt, ReceiptEvidence evidence, ReceiptProof proof)
    {
        var signed = receipt.Checkpoints.FirstOrDefault(known => known.Checkpoint.Number == proof.Checkpoint);
        if (signed is null)
            return $"checkpoint {proof.Checkpoint} is missing";
        var checkpoint = signed.Checkpoint;
        if (checkpoint.IndexOf(evidence.Event.Stored.Position) != proof.Index)
            return $"the event of its {evidence.Role} does not stand where its proof says";
        return
            Merkle.RootFrom(Merkle.Leaf(evidence.Event.Hash()), proof.Index, checkpoint.Count, proof.Path) is { } root
            && checkpoint.Root.Span.SequenceEqual(root)
            ? null
            : $"the event of its {evidence.Role} is not among those that checkpoint {checkpoint.Number} covers";
    }

    /// <summary>Why the checkpoints are believed, or why not.</summary>
    private static (string Why, bool IsTrusted) Trust(Receipt receipt, ReceiptAnchors anchors)
    {
        var trusted = anchors.Keys.ToDictionary(key => key.Id, StringComparer.Ordinal);
        var kept = new Dictionary<long, byte[]>();
        var last = 0L;
        if (anchors.Checkpoints is not null)
        {
            var wanted = receipt.Checkpoints.Select(signed => signed.Checkpoint.Number).ToHashSet();
            foreach (var line in anchors.Checkpoints.Read())
            {
                if (line.Key is { } key)
                    trusted.TryAdd(key.Id, key);
                if (line.Checkpoint?.Checkpoint is not { } checkpoint)
                    continue;
                last = checkpoint.Number;
                if (wanted.Contains(last))
                    kept.TryAdd(last, checkpoint.Hash());
            }
        }

        if (anchors.Keys.Count == 0 && anchors.Checkpoints is null)
            return (
                "The key comes from the receipt itself: this proves that it is whole, not whose it is. Give --key or --checkpoints from elsewhere to prove that.",
                true
            );
        foreach (var signed in receipt.Checkpoints)
        {
            var checkpoint = signed.Checkpoint;
            if (kept.TryGetValue(checkpoint.Number, out var hash))
            {
                if (!hash.AsSpan().SequenceEqual(checkpoint.Hash()))
                    return ($"checkpoint {checkpoint.Number} is not the one that was kept", false);
            }
            else if (!trusted.TryGetValue(checkpoint.KeyId, out var key) || !signed.IsSignedBy(key))
            {
                return (
                    anchors.Checkpoints is null
                        ? $"checkpoint {checkpoint.Number} is not signed by the key that was given"
                        : $"checkpoint {checkpoint.Number} is not among those that were kept (the last is {last}), nor signed by a key that is",
                    false
                );
            }
        }

        return (
            kept.Count == receipt.Checkpoints.Count
                ? "Every checkpoint of it is one that was kept outside."
                : "Every checkpoint of it is one that was kept outside, or signed by a key that was given.",
            true
        );
    }

    private static IEnumerable<string> Tell(JsonElement root, Receipt receipt, bool isPartly)
    {
        var spend = root.GetProperty("spend");
        var event_ = receipt.Evidence[0];
        yield return $"Proven: account {receipt.Account} was charged {spend.GetProperty("charged").GetRawText()} {spend.GetProperty("unit").GetString()} at {spend.GetProperty("at").GetString()} for {spend.GetProperty("units").GetRawText()} of {spend.GetProperty("what").GetString()} (reference {spend.GetProperty("reference").GetString()}).";
        var price = spend.GetProperty("price");
        yield return $"Price: {price.GetProperty("entry").GetString()} of rate card {price.GetProperty("card_version").GetRawText()}, in effect since {price.GetProperty("effective_at").GetString()}: {price.GetProperty("rates").GetRawText()}.";
        foreach (var paid in spend.GetProperty("paid").EnumerateArray())
        {
            var granted = paid.GetProperty("granted");
            var order = granted.GetProperty("order");
            yield return $"Paid by: {paid.GetProperty("amount").GetRawText()} from pocket {paid.GetProperty("pocket_id").GetRawText()} ({paid.GetProperty("source").GetString()}), granted at {granted.GetProperty("at").GetString()} by {granted.GetProperty("provider").GetString()} {granted.GetProperty("reference").GetString()}"
                + (
                    order.ValueKind == JsonValueKind.Null
                        ? "."
                        : $", order {order.GetProperty("order_id").GetString()}, paid {order.GetProperty("paid_at").GetString()}."
                );
        }

        if (spend.GetProperty("call") is { ValueKind: JsonValueKind.Object } call)
            yield return $"Call: {call.GetProperty("provider").GetString()}/{call.GetProperty("model").GetString()}, tokens {call.GetProperty("tokens").GetRawText()}.";
        if (!isPartly && spend.GetProperty("reversal") is { ValueKind: JsonValueKind.Object } reversal)
            yield return $"Given back: {reversal.GetProperty("amount").GetRawText()} at {reversal.GetProperty("at").GetString()}.";
        var last = receipt.Checkpoints[^1].Checkpoint;
        var covering = receipt.Checkpoints.First(signed => signed.Checkpoint.Number == event_.Proof!.Checkpoint).Checkpoint;
        yield return $"The charge is event {event_.Event.Stored.Position} of the log, under checkpoint {covering.Number} of {WireTime.Format(covering.At)}; the receipt rests on {receipt.Evidence.Count(evidence => evidence.Proof is not null)} proven events, up to checkpoint {last.Number}.";
        if (isPartly)
            yield return "Not proven yet: its reversal, which no checkpoint covers so far. Ask for the receipt again in a minute or two.";
    }

    private static byte[] Write(Receipt receipt)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            receipt.Write(json);
        return text.ToArray();
    }

    /// <summary>Where two values differ first; null where they are the same.</summary>
    private static string? FirstDifference(JsonElement given, JsonElement made, string place)
    {
        if (CanonicalJson.Of(given).AsSpan().SequenceEqual(CanonicalJson.Of(made)))
            return null;
        if (given.ValueKind == JsonValueKind.Object && made.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in made.EnumerateObject())
            {
                var at = place.Length == 0 ? member.Name : place + "." + member.Name;
                if (!given.TryGetProperty(member.Name, out var other))
                    return at;
                if (FirstDifference(other, member.Value, at) is { } inside)
                    return inside;
            }
        }
        else if (
            given.ValueKind == JsonValueKind.Array
            && made.ValueKind == JsonValueKind.Array
            && given.GetArrayLength() == made.GetArrayLength()
        )
        {
            for (var i = 0; i < made.GetArrayLength(); i++)
            {
                if (FirstDifference(given[i], made[i], $"{place}[{i}]") is { } inside)
                    return inside;
            }
        }

        return place.Length == 0 ? "something" : place;
    }

    private static ReceiptVerdict Refused(string why) =>
        new(false, [new StringBuilder("The receipt is not good: ").Append(why).Append('.').ToString()]);
}
