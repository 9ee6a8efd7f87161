using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Ledger.Api.Access;

/// <summary>
/// The part of JSON Web Tokens (RFC 7519) that is needed here: compact serialization (RFC 7515, section 3.1), signed with ES256 and nothing else. The
/// algorithm is never taken from the token: one that names another is refused.
/// </summary>
internal static class Jwt
{
    /// <summary>The longest token that is looked at, in characters.</summary>
    public const int MaxLength = 1000;

    /// <summary>Signs claims.</summary>
    /// <param name="key">ECDSA on P-256.</param>
    /// <param name="keyId">The key's name, which the token carries.</param>
    /// <param name="claims">The claims, as a JSON object.</param>
    public static string Sign(ECDsa key, string keyId, ReadOnlySpan<byte> claims)
    {
        var header = $$"""{"alg":"ES256","typ":"JWT","kid":"{{JsonEncodedText.Encode(keyId)}}"}""";
        var content = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(claims);
        var signature = key.SignData(
            Encoding.ASCII.GetBytes(content),
            HashAlgorithmName.SHA256,
            DSASignatureFormat.IeeeP1363FixedFieldConcatenation
        );
        return content + "." + Base64Url.EncodeToString(signature);
    }

    /// <summary>The name of the key that a token says it is signed with; null where it is no ES256 token.</summary>
    public static string? KeyIdOf(string token)
    {
        if (token.Length > MaxLength || token.Split('.') is not [var header, _, _] || Decode(header) is not { } bytes)
            return null;
        try
        {
            using var json = JsonDocument.Parse(bytes);
            var root = json.RootElement;
            return
                root.ValueKind == JsonValueKind.Object
                && root.TryGetProperty("alg", out var algorithm)
                && algorithm.ValueKind == JsonValueKind.String
                && algorithm.ValueEquals("ES256"u8)
                && !root.TryGetProperty("crit", out _)
                && root.TryGetProperty("kid", out var keyId)
                && keyId.ValueKind == JsonValueKind.String
                ? keyId.GetString()
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The claims of a token that a key has signed; null where it has not.</summary>
    public static byte[]? Verify(ECDsa key, string token)
    {
        var end = token.LastIndexOf('.');
        var start = token.IndexOf('.', StringComparison.Ordinal);
        if (token.Length > MaxLength || start < 0 || start == end || Decode(token[(end + 1)..]) is not { Length: 64 } signature)
            return null;
        var isGenuine = key.VerifyData(
            Encoding.ASCII.GetBytes(token[..end]),
            signature,
            HashAlgorithmName.SHA256,
            DSASignatureFormat.IeeeP1363FixedFieldConcatenation
        );
        return isGenuine ? Decode(token[(start + 1)..end]) : null;
    }

    private static byte[]? Decode(string text)
    {
        // Exactly one spelling is lawful: no padding, no white space, nothing but the alphabet.
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
                return null;
        }

        return Base64Url.IsValid(text) ? Base64Url.DecodeFromChars(text) : null;
    }
}
