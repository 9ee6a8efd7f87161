using System.Net.Mail;
using System.Text;

namespace Ledger.Api.Access;

/// <summary>What somebody who opens an account may say of themselves.</summary>
internal static class Newcomers
{
    /// <summary>The longest address, in characters.</summary>
    public const int MaxEmail = 254;

    /// <summary>Whether a text is an e-mail address, and nothing else: no name, no quotes, ASCII only.</summary>
    public static bool IsAddress(string email) =>
        email.Length <= MaxEmail
        && Ascii.IsValid(email)
        && MailAddress.TryCreate(email, out var address)
        && address.Address == email
        && !email.Contains('"', StringComparison.Ordinal);

    /// <summary>Whether a text has the form of a country's code by ISO 3166-1 alpha-2.</summary>
    public static bool IsCountry(string country) => country.Length == 2 && country.All(char.IsAsciiLetter);
}
