using System.Security.Cryptography;
using Ledger.Domain;

namespace Ledger.Api.Keys;

/// <summary>New ids for accounts and keys: 16 characters of lower-case base 32 without look-alikes, 80 bits of randomness.</summary>
public static class Identifiers
{
    private const string Base32 = "0123456789abcdefghjkmnpqrstvwxyz";

    /// <summary>An account's id.</summary>
    public static AccountId NewAccount() => new(RandomNumberGenerator.GetString(Base32, 16));

    /// <summary>A key's id.</summary>
    public static KeyId NewKey() => new(RandomNumberGenerator.GetString(Base32, 16));
}
