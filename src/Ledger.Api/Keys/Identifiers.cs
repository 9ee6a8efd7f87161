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

    /// <summary>Whether a text can be an id at all: 1 to 64 ASCII letters, digits, <c>-</c> and <c>_</c>. Nothing else is looked up.</summary>
    public static bool IsLawful(ReadOnlySpan<char> id)
    {
        foreach (var c in id)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
                return false;
        }

        return id.Length is >= 1 and <= 64;
    }
}
