using System.Net;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace Ledger.Api.Tests.Access;

public class RegionTests
{
    private static AccessOptions Options(params (string Name, string Value)[] settings) =>
        AccessOptions.From(
            new ConfigurationBuilder()
                .AddInMemoryCollection(settings.Select(setting => new KeyValuePair<string, string?>(setting.Name, setting.Value)))
                .Build()
        );

    private static DefaultHttpContext From(string address, string? forwarded = null, string? country = null)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);
        if (forwarded is not null)
            context.Request.Headers["X-Forwarded-For"] = forwarded;
        if (country is not null)
            context.Request.Headers["CF-IPCountry"] = country;
        return context;
    }

    private static readonly (string, string)[] Blocking =
    [
        ("Access:BlockedCountries", "KP, ir"),
        ("Access:CountryHeader", "CF-IPCountry"),
        ("Access:TrustedProxies", "10.0.0.0/8,2001:db8::1"),
    ];

    [Theory]
    [InlineData("10.1.2.3", "KP", true)]
    [InlineData("10.1.2.3", "IR", true)]
    [InlineData("10.1.2.3", "DE", false)]
    [InlineData("10.1.2.3", null, false)]
    [InlineData("::ffff:10.1.2.3", "kp", true)]
    [InlineData("2001:db8::1", "KP", true)]
    [InlineData("192.0.2.1", "KP", false)]
    public void Only_a_trusted_proxy_says_where_a_caller_is(string address, string? country, bool isBlocked) =>
        new Regions(Options(Blocking)).IsBlocked(From(address, country: country)).ShouldBe(isBlocked);

    [Theory]
    [InlineData("192.0.2.1", "203.0.113.9", "192.0.2.1")]
    [InlineData("10.0.0.1", "203.0.113.9", "203.0.113.9")]
    [InlineData("10.0.0.1", "198.51.100.7, 203.0.113.9, 10.0.0.2", "203.0.113.9")]
    [InlineData("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1")]
    [InlineData("10.0.0.1", null, "10.0.0.1")]
    [InlineData("::ffff:192.0.2.1", null, "192.0.2.1")]
    public void An_address_is_the_last_that_a_trusted_proxy_names(string address, string? forwarded, string expected) =>
        new Regions(Options(Blocking)).AddressOf(From(address, forwarded)).ShouldBe(expected);

    [Theory]
    [InlineData("10.0.0.0/8", "https", "http")]
    [InlineData("127.0.0.0/8", "https", "https")]
    [InlineData("127.0.0.0/8", "http", "http")]
    [InlineData("127.0.0.0/8", "gopher", "http")]
    public async Task Whether_callers_came_over_TLS_a_trusted_proxy_says(string proxies, string said, string scheme)
    {
        await using var app = await LedgerApp.StartAsync(
            onKestrel: true,
            settings: new Dictionary<string, string> { ["Access:TrustedProxies"] = proxies }
        );
        var account = await app.OpenAccountAsync(kind: Domain.Keys.KeyKind.Provisioning);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/tenant/billing/portal");
        request.Headers.Add("Authorization", "Bearer " + account.Key);
        request.Headers.Add("X-Forwarded-Proto", said);
        var url = new Uri((await app.SendAsync(request)).ShouldBe(200).Text("url")!);
        (url.Scheme, url.Authority).ShouldBe((scheme, app.Http.BaseAddress!.Authority));
    }

    [Theory]
    [InlineData("Access:BlockedCountries", "North Korea")]
    [InlineData("Access:TrustedProxies", "the proxy")]
    public void A_setting_that_cannot_be_meant_is_refused_at_the_start(string name, string value) =>
        Should.Throw<SettingsException>(() => Options((name, value))).Message.ShouldContain(name);

    [Fact]
    public async Task An_account_at_home_in_a_blocked_country_is_refused_in_every_dialect()
    {
        await using var app = await LedgerApp.StartAsync(settings: new Dictionary<string, string> { ["Access:BlockedCountries"] = "KP" });
        var opened = (
            await app.PostAsync(
                "/admin/accounts",
                LedgerApp.AdminKey,
                """{"email":"x@example.com","password":"correct horse","country":"KP"}"""
            )
        ).ShouldBe(201);
        var (_, key) = await app.CreateKeyAsync(new(opened.Text("account_id")!));
        (await app.PostAsync("/api/v1/tools/check", key, """{"tool":"chat","units":1}""")).ShouldBeRefused(403, "forbidden");
        (await app.GetAsync("/tenant/keys", key)).ShouldBe(403).Text("error", "code").ShouldBe("forbidden");
        (await app.PostAsync("/api/v1/auth/token", null, """{"email":"x@example.com","password":"correct horse"}""")).ShouldBeRefused(
            403,
            "forbidden"
        );
        (
            await app.PostAsync("/api/v1/auth/register", null, """{"email":"y@example.com","password":"correct horse","country":"kp"}""")
        ).ShouldBeRefused(403, "forbidden");
    }

    [Fact]
    public async Task A_call_from_a_blocked_country_is_refused_in_the_protocol_of_its_route()
    {
        await using var app = await LedgerApp.StartAsync(
            onKestrel: true,
            settings: new Dictionary<string, string>
            {
                ["Access:BlockedCountries"] = "KP",
                ["Access:CountryHeader"] = "CF-IPCountry",
                ["Access:TrustedProxies"] = "127.0.0.0/8",
            }
        );
        foreach (
            var path in (string[])["/v1/chat/completions", "/v1/models", "/v1/messages", "/claudecode/v1/messages", "/cline/v1/models"]
        )
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path);
            request.Headers.Add("CF-IPCountry", "KP");
            var error = (await app.SendAsync(request)).ShouldBe(403).ShouldHave("x-should-retry", "false").Json.GetProperty("error");
            var isAnthropic = !path.StartsWith("/v1/chat", StringComparison.Ordinal) && path != "/v1/models";
            error.GetProperty("type").GetString().ShouldBe("permission_error", path);
            error.TryGetProperty("code", out var code).ShouldBe(!isAnthropic, path);
            if (!isAnthropic)
                code.GetString().ShouldBe("permission_denied");
        }
    }

    [Fact]
    public async Task A_body_whose_chunks_are_broken_is_bad_input_in_the_words_of_its_route()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync();
        var address = app.Http.BaseAddress!;
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(address.Host, address.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(
            System.Text.Encoding.ASCII.GetBytes(
                $"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {account.Key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nnonsense\r\n"
            )
        );
        using var reader = new StreamReader(stream);
        var answer = await reader.ReadToEndAsync();
        answer.ShouldStartWith("HTTP/1.1 400 ");
        answer.ShouldContain("\"code\":\"invalid_request_error\"");
    }
}
