using System.Text.RegularExpressions;
using Ledger.Api.Dashboard;
using Ledger.Domain;
using Ledger.Testing;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>What holds for every route of the dashboard, whoever adds one: who is let in, what a write needs, what each answer says to browsers.</summary>
public sealed partial class RuleTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Password = "correct horse battery";
    private readonly LedgerApp _app = shared.App;

    /// <summary>The routes, as they are mapped.</summary>
    private IReadOnlyList<(string Path, PageRoute Route)> Routes =>
        [
            .. _app
                .Services.GetServices<EndpointDataSource>()
                .SelectMany(source => source.Endpoints)
                .OfType<RouteEndpoint>()
                .Where(endpoint => endpoint.Metadata.GetMetadata<PageRoute>() is not null)
                .Select(endpoint =>
                    (
                        Braces.Replace("/" + endpoint.RoutePattern.RawText!.TrimStart('/'), "somebody-elses"),
                        endpoint.Metadata.GetMetadata<PageRoute>()!
                    )
                ),
        ];

    [Fact]
    public async Task Nobody_comes_in_without_a_session()
    {
        var closed = Routes.Where(route => route.Route.Audience != PageAudience.Guest).ToList();
        closed.Count.ShouldBeGreaterThan(10);
        foreach (var (path, route) in closed)
        {
            var answer = await SendAsync(route.Writes ? "POST" : "GET", path, "", route.Writes ? Form([]) : null);
            answer.ShouldBe(303);
            answer.Header("Location")!.ShouldStartWith(route.Audience == PageAudience.Operator ? "/operator/sign-in" : "/sign-in");
        }
    }

    [Fact]
    public async Task A_token_or_a_key_in_a_header_opens_no_page()
    {
        var account = await _app.OpenAccountAsync();
        foreach (var (path, route) in Routes.Where(route => route.Route is { Audience: not PageAudience.Guest, Writes: false }))
        {
            (await _app.GetAsync(path, account.Key)).ShouldBe(303);
            (await _app.GetAsync(path, LedgerApp.AdminKey)).ShouldBe(303);
        }
    }

    [Fact]
    public async Task Every_write_needs_its_token_against_forgery()
    {
        var (account, cookies, _) = await SignUpAsync("forged@example.com");
        var operators = await SignInAsOperatorAsync();
        var before = await _app.StandingAsync(account);
        var writes = Routes.Where(route => route.Route.Writes).ToList();
        writes.Count.ShouldBeGreaterThan(10);
        foreach (var (path, route) in writes)
        {
            var session = route.Audience == PageAudience.Operator ? operators : cookies;
            foreach (var token in (string[])["", "forged"])
                (await SendAsync("POST", path, session, Form([("__RequestVerificationToken", token), ("name", "x")]))).ShouldBe(403);
        }

        (await _app.StandingAsync(account)).ShouldBe(before);
    }

    [Fact]
    public async Task Another_visitors_token_is_no_good()
    {
        var (_, _, theirs) = await SignUpAsync("mallory-pages@example.com");
        var (account, cookies, _) = await SignUpAsync("alice-pages@example.com");
        (await SendAsync("POST", "/keys", cookies, Form([("__RequestVerificationToken", theirs), ("name", "x")]))).ShouldBe(403);
        (await _app.ReadAsync(account)).Keys.Keys.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_write_in_another_form_than_a_pages_is_refused()
    {
        var (account, cookies, token) = await SignUpAsync("json-pages@example.com");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/keys")
        {
            Content = new StringContent("""{"name":"x"}""", System.Text.Encoding.UTF8, "text/plain"),
        };
        request.Headers.Add("Cookie", cookies);
        request.Headers.Add("X-CSRF-Token", token);
        (await _app.SendAsync(request)).ShouldBe(415);
        (await _app.ReadAsync(account)).Keys.Keys.ShouldBeEmpty();
    }

    [Fact]
    public async Task Another_accounts_ids_lead_nowhere()
    {
        var (_, cookies, token) = await SignUpAsync("curious@example.com");
        var other = await _app.OpenAccountAsync(credits: 10);
        var before = await _app.StandingAsync(other.Id);
        var missing = await GetAsync("/keys/0000000000000000", cookies);
        foreach (var path in (string[])[$"/keys/{other.KeyId}", $"/keys/{other.KeyId}/rotate", $"/keys/{other.KeyId}/revoke"])
        {
            var answer = await GetAsync(path, cookies);
            answer.ShouldBe(404);
            answer.Body.ShouldBe(missing.Body, "nobody is told whether it is there");
        }

        foreach (var path in (string[])["", "/pause", "/resume", "/rotate", "/revoke"])
            (
                await SendAsync(
                    "POST",
                    $"/keys/{other.KeyId}{path}",
                    cookies,
                    Form([("__RequestVerificationToken", token), ("name", "mine"), ("grace", "0"), ("limit_reset", "none")])
                )
            ).ShouldBe(404);
        (await _app.StandingAsync(other.Id)).ShouldBe(before);
        (await _app.PostAsync("/api/v1/tools/check", other.Key, """{"tool":"chat","units":1}""")).ShouldBe(200);
    }

    [Theory]
    [InlineData("/sign-in", 200)]
    [InlineData("/keys", 200)]
    [InlineData("/keys/nothing", 404)]
    [InlineData("/nothing", 404)]
    public async Task Every_page_tells_browsers_what_it_may_do(string path, int status)
    {
        var (_, cookies, _) = await SignUpAsync($"policy{status}{path.Replace('/', '-')}@example.com");
        var answer = (await GetAsync(path, path == "/sign-in" ? "" : cookies)).ShouldBe(status);
        var policy = answer.Header("Content-Security-Policy")!.Split("; ");
        policy.ShouldBe([
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ]);
        answer
            .ShouldHave("X-Frame-Options", "DENY")
            .ShouldHave("X-Content-Type-Options", "nosniff")
            .ShouldHave("Cache-Control", "no-store");
        InlineCode.IsMatch(answer.Body).ShouldBeFalse("nothing inline");
    }

    [Fact]
    public async Task Cookies_are_kept_from_scripts_from_plain_connections_and_from_other_sites()
    {
        var (token, asked) = await TokensAsync("/sign-up", "");
        var opened = await SendAsync(
            "POST",
            "/sign-up",
            asked,
            Form([("__RequestVerificationToken", token), ("email", "cookies@example.com"), ("password", Password)])
        );
        var cookies = string.Join(
            '\n',
            opened.ShouldBe(303).Header("Set-Cookie"),
            (await GetAsync("/sign-in", "")).Header("Set-Cookie"),
            await OperatorCookieAsync()
        );
        foreach (
            var (name, site) in ((string, string)[])[("ledger_session", "lax"), ("ledger_csrf", "strict"), ("ledger_operator", "strict")]
        )
        {
            var cookie = Regex.Match(cookies, name + @"=[^\n]*?(?=,ledger_|\n|$)").Value.ToLowerInvariant();
            cookie.ShouldContain("httponly", customMessage: name);
            cookie.ShouldContain("; secure", customMessage: name);
            cookie.ShouldContain("samesite=" + site, customMessage: name);
        }
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/\\evil.example")]
    [InlineData("/x\r\nSet-Cookie: a=b")]
    [InlineData("javascript:alert(1)")]
    public async Task Signing_in_leads_to_no_other_site(string next)
    {
        await SignUpAsync("elsewhere@example.com");
        var (token, cookies) = await TokensAsync("/sign-in", "");
        var answer = await SendAsync(
            "POST",
            "/sign-in",
            cookies,
            Form([("__RequestVerificationToken", token), ("email", "elsewhere@example.com"), ("password", Password), ("next", next)])
        );
        answer.ShouldBe(303).ShouldHave("Location", "/");
    }

    [Fact]
    public async Task A_page_that_breaks_shows_no_trace_and_a_browser_gets_a_page()
    {
        var (_, cookies, _) = await SignUpAsync("broken@example.com");
        await _app.QueryAsync("alter table usage_hourly rename to usage_hourly_away");
        try
        {
            var answer = (await GetAsync("/", cookies)).ShouldBe(500);
            answer.Header("Content-Type").ShouldBe("text/html; charset=utf-8");
            answer.Body.ShouldContain("Something broke on our side");
            foreach (var trace in (string[])["usage_hourly", "Npgsql", " at Ledger.", "Exception"])
                answer.Body.ShouldNotContain(trace);
        }
        finally
        {
            await _app.QueryAsync("alter table usage_hourly_away rename to usage_hourly");
        }

        (await _app.GetAsync("/nothing")).ShouldBe(404).Header("Content-Type")!.ShouldContain("json", customMessage: "programs get JSON");
    }

    [Fact]
    public async Task Another_operators_key_ends_what_was_signed_in_by_the_one_before()
    {
        var cookie = await SignInAsOperatorAsync();
        (await GetAsync("/operator", cookie)).ShouldBe(200);
        await using var renewed = await LedgerApp.StartAsync(
            _app.Database,
            settings: new Dictionary<string, string> { ["Ledger:AdminKey"] = "another_key_of_the_operator" }
        );
        using var request = new HttpRequestMessage(HttpMethod.Get, "/operator");
        request.Headers.Add("Cookie", cookie);
        (await renewed.SendAsync(request)).ShouldBe(303);
    }

    [Fact]
    public async Task Signing_the_operator_out_ends_that_session_wherever_its_cookie_is()
    {
        var (one, other) = (await SignInAsOperatorAsync(), await SignInAsOperatorAsync());
        var (token, cookies) = await TokensAsync("/operator", one);
        (await GetAsync("/operator", one)).ShouldBe(200);
        (await SendAsync("POST", "/operator/sign-out", cookies, Form([("__RequestVerificationToken", token)]))).ShouldBe(303);

        // Whoever has kept a copy has nothing, on no node; whoever else is signed in stays so.
        foreach (var path in (string[])["/operator", "/operator/accounts"])
        {
            (await GetAsync(path, one)).ShouldBe(303).Header("Location")!.ShouldStartWith("/operator/sign-in");
            (await GetAsync(path, other)).ShouldBe(200);
        }

        (await GetAsync("/operator/sign-in", one)).ShouldBe(200);
        await using var node = await LedgerApp.StartAsync(_app.Database);
        foreach (var (cookie, status) in ((string, int)[])[(one, 303), (other, 200)])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/operator");
            request.Headers.Add("Cookie", cookie);
            (await node.SendAsync(request)).ShouldBe(status);
        }

        (await _app.QueryAsync("select count(*) from operator_sign_outs")).ShouldBe(1L);
    }

    [Fact]
    public async Task Assets_are_compressed_and_kept_for_good()
    {
        var page = await GetAsync("/sign-in", "");
        foreach (Match asset in Asset.Matches(page.Body))
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, asset.Value);
            request.Headers.Add("Accept-Encoding", "gzip, br");
            (await _app.SendAsync(request))
                .ShouldBe(200)
                .ShouldHave("Content-Encoding", "br")
                .ShouldHave("Cache-Control", "public, max-age=31536000, immutable");
        }

        Asset.Count(page.Body).ShouldBe(3);
        (await _app.GetAsync("/assets/ledger.000000000000.css")).ShouldBe(404);
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Braces { get; }

    [GeneratedRegex(@"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|<style|javascript:", RegexOptions.IgnoreCase)]
    private static partial Regex InlineCode { get; }

    [GeneratedRegex("name=\"__RequestVerificationToken\" value=\"([^\"]+)\"")]
    private static partial Regex TokenField { get; }

    [GeneratedRegex("/assets/[a-z0-9.]+")]
    private static partial Regex Asset { get; }

    [GeneratedRegex(@"(ledger_\w+)=[^;,]+")]
    private static partial Regex Cookie { get; }

    private static FormUrlEncodedContent Form(IEnumerable<(string Name, string Value)> fields) =>
        new(fields.Select(field => KeyValuePair.Create(field.Name, field.Value)));

    private Task<Answer> GetAsync(string path, string cookies) => SendAsync("GET", path, cookies, null);

    private async Task<Answer> SendAsync(string method, string path, string cookies, HttpContent? content)
    {
        using var request = new HttpRequestMessage(new(method), path) { Content = content };
        request.Headers.Add("Accept", "text/html");
        if (cookies.Length > 0)
            request.Headers.Add("Cookie", cookies);
        return await _app.SendAsync(request);
    }

    /// <summary>A page's token, and the cookies after it.</summary>
    private async Task<(string Token, string Cookies)> TokensAsync(string path, string cookies)
    {
        var page = await GetAsync(path, cookies);
        return (TokenField.Match(page.Body).Groups[1].Value, Merge(cookies, page));
    }

    private static string Merge(string cookies, Answer answer) =>
        string.Join(
            "; ",
            Cookie
                .Matches(cookies + "; " + answer.Header("Set-Cookie"))
                .GroupBy(match => match.Groups[1].Value)
                .Select(group => group.Last().Value)
        );

    /// <summary>A new account, the cookies of its session, and a token of one of its pages.</summary>
    private async Task<(AccountId Account, string Cookies, string Token)> SignUpAsync(string email)
    {
        await _app.PostAsync("/api/v1/auth/register", null, new { email, password = Password });
        var session = (await _app.PostAsync("/api/v1/auth/session", null, new { email, password = Password })).ShouldBe(200);
        var (token, cookies) = await TokensAsync("/keys/new", Merge("", session));
        return (new(session.Text("account_id")!), cookies, token);
    }

    private async Task<string> SignInAsOperatorAsync() =>
        Merge("", new("", 0, "", new Dictionary<string, string> { ["Set-Cookie"] = await OperatorCookieAsync() }));

    private async Task<string> OperatorCookieAsync()
    {
        var (token, cookies) = await TokensAsync("/operator/sign-in", "");
        var answer = await SendAsync(
            "POST",
            "/operator/sign-in",
            cookies,
            Form([("__RequestVerificationToken", token), ("key", LedgerApp.AdminKey)])
        );
        return answer.ShouldBe(303).Header("Set-Cookie")!;
    }
}
