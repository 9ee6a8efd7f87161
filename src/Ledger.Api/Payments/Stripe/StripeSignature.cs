using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Ledger.Api.Payments.Stripe;

/// <summary>What was found about a signature.</summary>
internal enum SignatureCheck
{
    /// <summary>Stripe signed this, just now.</summary>
    Good,

    /// <summary>There is none, or none that can be read.</summary>
    Missing,

    /// <summary>It was made with another secret, or for other contents.</summary>
    Forged,

    /// <summary>It is good, but too old or from the future: whoever sends it may have found it somewhere.</summary>
    Stale,
}

/// <summary>
/// Checks <c>Stripe-Signature: t=…,v1=…</c>: HMAC-SHA256 of the time, a dot and the body as it came, under a secret that only Stripe and we know.
/// </summary>
/// <param name="secrets">The secrets; more than one while they are changed, as Stripe signs with the old and the new one then.</param>
internal sealed class StripeSignature(IEnumerable<string> secrets)
{
    /// <summary>How far its time may be from ours, either way.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(300);

    private const string Scheme = "v1";
    private readonly byte[][] _secrets = [.. secrets.Select(Encoding.UTF8.GetBytes)];

    /// <summary>Checks a body.</summary>
    /// <param name="header">The header's value; null where there was none.</param>
    /// <param name="body">The body, byte for byte.</param>
    /// <param name="now">The time.</param>
    public SignatureCheck Check(string? header, ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        if (Read(header) is not var (time, signatures) || signatures.Count == 0)
            return SignatureCheck.Missing;
        if (!IsAnyGood(time, signatures, body))
            return SignatureCheck.Forged;

        // Said only to who has a good signature, and compared without leaving the range of times.
        return
            long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            && Int128.Abs((Int128)now.ToUnixTimeSeconds() - seconds) <= (Int128)Tolerance.TotalSeconds
            ? SignatureCheck.Good
            : SignatureCheck.Stale;
    }

    /// <summary>Every pair of secret and signature is compared, each in constant time: how long it takes tells nothing.</summary>
    private bool IsAnyGood(string time, List<byte[]> signatures, ReadOnlySpan<byte> body)
    {
        var isGood = false;
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        foreach (var secret in _secrets)
        {
            using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
            hmac.AppendData(Encoding.ASCII.GetBytes(time + "."));
            hmac.AppendData(body);
            hmac.GetHashAndReset(expected);
            foreach (var signature in signatures)
                isGood |= CryptographicOperations.FixedTimeEquals(expected, signature);
        }

        return isGood;
    }

    /// <summary>The header's time and its signatures of the one scheme that counts; Stripe may add others.</summary>
    private static (string Time, List<byte[]> Signatures)? Read(string? header)
    {
        string? time = null;
        var signatures = new List<byte[]>();
        foreach (var item in (header ?? "").Split(','))
        {
            var (name, value) = item.Split('=', 2) is [var n, var v] ? (n.Trim(), v.Trim()) : ("", "");
            if (name == "t" && value.Length is > 0 and <= 20 && value.All(char.IsAsciiDigit))
                time = value;
            else if (name == Scheme && value.Length == HMACSHA256.HashSizeInBytes * 2 && value.All(char.IsAsciiHexDigit))
                signatures.Add(Convert.FromHexString(value));
        }

        return time is null ? null : (time, signatures);
    }
}
