using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Ledger.Api.Access;

namespace Ledger.Api.Tests.Access;

public class JwtTests
{
    /// <summary>The key and the token of RFC 7515, appendix A.3; its header names no key.</summary>
    private static readonly ECDsa Rfc = ECDsa.Create(
        new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new()
            {
                X = Base64Url.DecodeFromChars("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                Y = Base64Url.DecodeFromChars("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
            },
            D = Base64Url.DecodeFromChars("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
        }
    );

    private const string Token =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        + "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    [Fact]
    public void The_vector_of_the_RFC_is_verified() =>
        Encoding
            .UTF8.GetString(Jwt.Verify(Rfc, Token)!)
            .ShouldBe("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");

    [Fact]
    public void What_was_signed_comes_back_and_names_its_key()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = Jwt.Sign(key, "key-1", "{\"sub\":\"ü\"}"u8);
        Jwt.KeyIdOf(token).ShouldBe("key-1");
        Encoding.UTF8.GetString(Jwt.Verify(key, token)!).ShouldBe("{\"sub\":\"ü\"}");
        Jwt.Verify(Rfc, token).ShouldBeNull("another key");
    }

    [Fact]
    public void Every_bit_of_it_counts()
    {
        for (var i = 0; i < Token.Length; i++)
        {
            // The last character of a part may hold bits that mean nothing; such a spelling is not ours either.
            foreach (var other in (char[])['A', 'Q', '.', '=', ' ', 'é'])
            {
                if (Token[i] == other)
                    continue;
                var changed = Token[..i] + other + Token[(i + 1)..];
                Jwt.Verify(Rfc, changed).ShouldBeNull($"position {i}: {other}");
            }
        }
    }

    [Theory]
    [InlineData("""{"alg":"none","kid":"k"}""")]
    [InlineData("""{"alg":"HS256","kid":"k"}""")]
    [InlineData("""{"alg":"es256","kid":"k"}""")]
    [InlineData("""{"alg":["ES256"],"kid":"k"}""")]
    [InlineData("""{"alg":"ES256"}""")]
    [InlineData("""{"alg":"ES256","kid":5}""")]
    [InlineData("""{"alg":"ES256","kid":"k","crit":["exp"]}""")]
    [InlineData("""["ES256"]""")]
    [InlineData("nonsense")]
    [InlineData("")]
    public void Another_algorithm_or_no_key_is_no_token_of_ours(string header) =>
        Jwt.KeyIdOf($"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.e30.AA").ShouldBeNull();

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a.b")]
    [InlineData("a.b.c.d")]
    public void What_has_not_three_parts_is_none(string token)
    {
        Jwt.KeyIdOf(token).ShouldBeNull();
        Jwt.Verify(Rfc, token).ShouldBeNull();
    }
}
