using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Ledger.Api.Notifications;

/// <summary>Signs webhooks as Stripe does, so that what verifies Stripe's verifies ours: https://docs.stripe.com/webhooks#verify-manually.</summary>
public static class WebhookSignature
{
    /// <summary>The header that carries it.</summary>
    public const string HeaderName = "Ledger-Signature";

    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// <summary>A new secret, with 190 bits of randomness.</summary>
    public static string NewSecret() => "whsec_" + RandomNumberGenerator.GetString(Base62, 32);

    /// <summary>The header's value: <c>t=&lt;seconds since 1970&gt;,v1=&lt;HMAC-SHA256 of "t.body" in hex&gt;</c>.</summary>
    /// <param name="secret">The key: the secret's text as it is, prefix included.</param>
    /// <param name="body">What is sent, byte for byte.</param>
    /// <param name="at">When.</param>
    public static string Of(string secret, ReadOnlySpan<byte> body, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(secret);
        var seconds = at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        byte[] signed = [.. Encoding.ASCII.GetBytes(seconds + "."), .. body];
        return $"t={seconds},v1={Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), signed))}";
    }
}
