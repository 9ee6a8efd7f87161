using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;

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
        var json = new JsonbText(data);
        if (!json.TryTake((byte)'{'))
            return null;
        do
        {
            if (!json.TryName(out var name))
                return null;
            if (name.SequenceEqual("key"u8))
                key = TryText(ref json);
            else if (name.SequenceEqual("tool"u8))
                tool = TryText(ref json);
            else if (name.SequenceEqual("entry"u8))
                entry = TryText(ref json);
            else if (name.SequenceEqual("reference"u8) && json.TryText(out var text))
                reference = text;
            else if (name.SequenceEqual("card"u8) && json.TryInteger(out var version))
                card = version;
            else if (name.SequenceEqual("units"u8))
                units = TryUnits(ref json);
            else if (name.SequenceEqual("charged"u8))
                charged = TryAmount(ref json);
            else if (name.SequenceEqual("paid"u8))
                paid = TryShares(ref json);
            else
                return null;
        } while (json.HasMore());

        if (!json.TryTake((byte)'}') || !json.IsAtEnd)
            return null;
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

    private string? TryText(ref JsonbText json)
    {
        if (!json.TryString(out var bytes))
            return null;
        ref var known = ref _texts[SlotOf(bytes)];
        if (known.Bytes is null || !bytes.SequenceEqual(known.Bytes))
            known = (bytes.ToArray(), Encoding.UTF8.GetString(bytes));
        return known.Text;
    }

    private static int SlotOf(ReadOnlySpan<byte> bytes)
    {
        unchecked
        {
            var hash = (ulong)bytes.Length;
            if (bytes.Length >= sizeof(ulong))
            {
                hash ^= BinaryPrimitives.ReadUInt64LittleEndian(bytes) * 0x9E37_79B9_7F4A_7C15;
                hash ^= BinaryPrimitives.ReadUInt64LittleEndian(bytes[^sizeof(ulong)..]) * 0xC2B2_AE3D_27D4_EB4F;
            }
            else
            {
                foreach (var b in bytes)
                    hash = (hash * 31) + b;
                hash *= 0x9E37_79B9_7F4A_7C15;
            }

            return (int)((hash ^ (hash >> 29)) >> 13) & (KnownTexts - 1);
        }
    }

    private static Quantity? TryUnits(ref JsonbText json)
    {
        if (!json.TryString(out var bytes) || bytes.Length is 0 or > 9 || (bytes[0] == (byte)'0' && bytes.Length > 1))
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

    private static Amount? TryAmount(ref JsonbText json)
    {
        if (!json.TryTake((byte)'{') || !json.TryName(out var name))
            return null;
        Unit unit;
        if (name.SequenceEqual("credits"u8))
            unit = Unit.Credits;
        else if (name.SequenceEqual("usd"u8))
            unit = Unit.Usd;
        else
            return null;
        return json.TryInteger(out var parts) && json.TryTake((byte)'}') ? new(parts, unit) : null;
    }

    private static ImmutableArray<PocketShare> TryShares(ref JsonbText json)
    {
        if (!json.TryTake((byte)'['))
            return default;
        if (json.TryTake((byte)']'))
            return [];
        PocketShare[] shares = [];
        do
        {
            if (!json.TryTake((byte)'{'))
                return default;
            var (pocket, parts) = (0L, 0L);
            do
            {
                if (!json.TryName(out var name))
                    return default;
                if (name.SequenceEqual("pocket"u8) && json.TryInteger(out pocket) && pocket is >= int.MinValue and <= int.MaxValue)
                    continue;
                if (!name.SequenceEqual("parts"u8) || !json.TryInteger(out parts))
                    return default;
            } while (json.HasMore());

            if (!json.TryTake((byte)'}'))
                return default;
            var share = new PocketShare(new((int)pocket), parts);
            shares = shares.Length == 0 ? [share] : [.. shares, share];
        } while (json.HasMore());

        return json.TryTake((byte)']') ? ImmutableCollectionsMarshal.AsImmutableArray(shares) : default;
    }
}
