using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Ledger.EventStore;

/// <summary>
/// What an event's headers say besides its place in the chain: who did it and, of some events, from where. An address is personal: the chain covers
/// it by a salted digest only, so that address and salt can be erased with the chain intact.
/// </summary>
/// <param name="Actor">Who did it; pseudonymous. Null where they do not say.</param>
/// <param name="Address">From where; null where that is not kept, or was erased.</param>
/// <param name="Salt">What makes the digest tell nothing of the address once both are erased; base64.</param>
/// <param name="AddressDigest">SHA-256 of salt and address; base64. Stays.</param>
public sealed record EventHeaders(string? Actor, string? Address, string? Salt, string? AddressDigest)
{
    private const int SaltSize = 16;

    /// <summary>What the hash chain covers: the actor, with the digest behind it where there is one.</summary>
    public string? Covered => AddressDigest is null ? Actor : Actor + "\n" + AddressDigest;

    /// <summary>Whether an address that is there is the one that the digest was made of.</summary>
    public bool IsGenuine => Address is null || (Salt is not null && AddressDigest == DigestOf(Salt, Address));

    /// <summary>The headers of a new event.</summary>
    public static EventHeaders Of(string? actor, string? address)
    {
        if (address is null)
            return new(actor, null, null, null);
        var salt = Convert.ToBase64String(RandomNumberGenerator.GetBytes(SaltSize));
        return new(actor, address, salt, DigestOf(salt, address));
    }

    /// <summary>The headers of a stored event.</summary>
    public static EventHeaders Read(string? headers)
    {
        if (headers is null)
            return new(null, null, null, null);
        using var json = JsonDocument.Parse(headers);
        return new(Text("actor"), Text("address"), Text("address_salt"), Text("address_digest"));

        string? Text(string name) =>
            json.RootElement.ValueKind == JsonValueKind.Object
            && json.RootElement.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : null;
    }

    /// <summary>As JSON, with the event's place in the chain.</summary>
    public string Write(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> previous)
    {
        // Every event has headers, and nearly all of them have these members.
        if (Address is null)
            return Actor is null
                ? $$"""{"hash":"{{Convert.ToBase64String(hash)}}","prev":"{{Convert.ToBase64String(previous)}}"}"""
                : $$"""{"actor":"{{JsonEncodedText.Encode(Actor)}}","hash":"{{Convert.ToBase64String(hash)}}","prev":"{{Convert.ToBase64String(previous)}}"}""";
        var rest = (this with { Address = null }).Write(hash, previous);
        return $$"""{"address":"{{JsonEncodedText.Encode(
            Address
        )}}","address_salt":"{{Salt}}","address_digest":"{{AddressDigest}}",{{rest[1..]}}""";
    }

    private static string DigestOf(string salt, string address) =>
        Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(salt + "\n" + address)));
}
