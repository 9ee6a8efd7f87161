using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Projections.Rebuild;

/// <summary>
/// Reads the event that nearly all of a log is, without what the general way makes in between: texts that come again and again are made once. What it does not know
/// it leaves to the general way, which says the same of everything that it does know. Not safe for concurrent use.
/// </summary>
public sealed class SpendParser
{
    private const int KnownTexts = 8192;

    private readonly (byte[] Bytes, string Text)[] _texts = new (byte[], string)[KnownTexts];

    /// <summary>Reads one; null where the general way must.</summary>
    public CreditsSpent? TryRead(ReadOnlySpan<byte> data)
    {
        string? key = null;
        string? tool = null;
        string? entry = null;
        string? reference = null;
        Quantity? units = null;
        Amount? charged = null;
        long? card = null;
        ImmutableArray<PocketShare> paid = default;
        var reader = new Utf8JsonReader(data);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.ValueSpan;
            if (name.SequenceEqual("key"u8))
                key = TryText(ref reader);
            else if (name.SequenceEqual("tool"u8))
                tool = TryText(ref reader);
            else if (name.SequenceEqual("entry"u8))
                entry = TryText(ref reader);
            else if (name.SequenceEqual("reference"u8) && reader.Read() && reader.TokenType == JsonTokenType.String)
                reference = reader.GetString();
            else if (name.SequenceEqual("card"u8) && reader.Read() && reader.TryGetInt64(out var version))
                card = version;
            else if (name.SequenceEqual("units"u8))
                units = TryUnits(ref reader);
            else if (name.SequenceEqual("charged"u8))
                charged = TryAmount(ref reader);
            else if (name.SequenceEqual("paid"u8))
                paid = TryShares(ref reader);
            else
                return null;
        }

        return
            key is not null
            && tool is not null
            && entry is not null
            && reference is not null
            && units is { } quantity
            && charged is { } amount
            && card is { } priced
            && !paid.IsDefault
            ? new(new(key), tool, quantity, amount, priced, entry, reference, paid)
            : null;
    }

    private string? TryText(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.String || reader.ValueIsEscaped)
            return null;
        var bytes = reader.ValueSpan;
        var hash = 17u + (uint)bytes.Length;
        foreach (var b in bytes)
            hash = unchecked((hash * 31) + b);
        ref var known = ref _texts[hash % KnownTexts];
        if (known.Bytes is null || !bytes.SequenceEqual(known.Bytes))
            known = (bytes.ToArray(), Encoding.UTF8.GetString(bytes));
        return known.Text;
    }

    private static Quantity? TryUnits(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.String)
            return null;
        var bytes = reader.ValueSpan;
        if (bytes.Length is 0 or > 9 || (bytes[0] == (byte)'0' && bytes.Length > 1))
            return null;
        var whole = 0L;
        foreach (var b in bytes)
        {
            if (b is < (byte)'0' or > (byte)'9')
                return null;
            whole = (whole * 10) + (b - '0');
        }

        return Quantity.Of(whole);
    }

    private static Amount? TryAmount(ref Utf8JsonReader reader)
    {
        if (
            !reader.Read()
            || reader.TokenType != JsonTokenType.StartObject
            || !reader.Read()
            || reader.TokenType != JsonTokenType.PropertyName
        )
            return null;
        Unit unit;
        if (reader.ValueTextEquals("credits"u8))
            unit = Unit.Credits;
        else if (reader.ValueTextEquals("usd"u8))
            unit = Unit.Usd;
        else
            return null;
        return
            reader.Read()
            && reader.TokenType == JsonTokenType.Number
            && reader.TryGetInt64(out var parts)
            && reader.Read()
            && reader.TokenType == JsonTokenType.EndObject
            ? new(parts, unit)
            : null;
    }

    private static ImmutableArray<PocketShare> TryShares(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
            return default;
        PocketShare[] shares = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var (pocket, parts) = (0, 0L);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("pocket"u8) && reader.Read() && reader.TryGetInt32(out pocket))
                    continue;
                if (!reader.ValueTextEquals("parts"u8) || !reader.Read() || !reader.TryGetInt64(out parts))
                    return default;
            }

            shares = shares.Length == 0 ? [new(new(pocket), parts)] : [.. shares, new(new(pocket), parts)];
        }

        return reader.TokenType == JsonTokenType.EndArray ? ImmutableCollectionsMarshal.AsImmutableArray(shares) : default;
    }
}
