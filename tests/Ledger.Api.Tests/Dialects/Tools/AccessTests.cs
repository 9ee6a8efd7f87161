using Ledger.Api.Keys;
using Ledger.Domain.Keys;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary>Who may use the tools. Access comes before everything else, a repeat's first answer included.</summary>
public sealed class AccessTests : IAsyncLifetime
{
    private static readonly (string Method, string Path, object? Body)[] Routes =
    [
        ("POST", "/api/v1/tools/check", new { tool = "chat", units = 1 }),
        (
            "POST",
            "/api/v1/tools/spend",
            new
            {
                tool = "chat",
                units = 1,
                reference = "first",
            }
        ),
        (
            "POST",
            "/api/v1/tools/spend/batch",
            new
            {
                items = new[]
                {
                    new
                    {
                        tool = "chat",
                        units = 1,
                        reference = "first",
                    },
                },
            }
        ),
        (
            "POST",
            "/api/v1/tools/reserve",
            new
            {
                tool = "chat",
                units = 1,
                reference = "first",
            }
        ),
        ("POST", "/api/v1/tools/settle", new { hold_id = "00000000-0000-8000-8000-000000000000", units = 1 }),
        ("POST", "/api/v1/tools/release", new { hold_id = "00000000-0000-8000-8000-000000000000" }),
        ("GET", "/api/v1/tools/prices", null),
    ];

    private LedgerApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Without_a_key_of_ours_nothing_works()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var last = account.Key[^1];
        string?[] headers =
        [
            null,
            "",
            "Bearer",
            "Bearer ",
            account.Key,
            "Basic " + account.Key,
            "Bearer" + account.Key,
            "Bearer " + account.Key[..^1],
            "Bearer " + account.Key + "x",
            "Bearer " + account.Key[..^1] + (last == 'x' ? 'y' : 'x'),
            "Bearer " + account.Key.ToUpperInvariant(),
            "Bearer " + account.Key + ", Bearer " + account.Key,
            "Bearer " + KeySecret.Create("lk").Text,
            "Bearer " + KeySecret.Create("amai").Text,
            "Bearer lk_live_" + new string('0', 40),
            "Bearer " + LedgerApp.AdminKey,
            "Bearer " + new string('x', 10_000),
        ];
        foreach (var (method, path, body) in Routes)
        {
            foreach (var header in headers)
            {
                using var request = Request(method, path, body);
                if (header is not null)
                    request.Headers.TryAddWithoutValidation("Authorization", header);
                (await _app.SendAsync(request))
                    .ShouldBe(
                        401,
                        """{"ok":false,"error":"auth_required","message":"A valid API key is required: Authorization: Bearer <key>."}"""
                    )
                    .ShouldHave("WWW-Authenticate", "Bearer")
                    .ShouldHave("x-should-retry", "false");
            }
        }
    }

    [Fact]
    public async Task Two_authorizations_are_none()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        using var request = Request("POST", "/api/v1/tools/check", new { tool = "chat", units = 1 });
        request.Headers.TryAddWithoutValidation("Authorization", (string[])["Bearer " + account.Key, "Bearer " + account.Key]);
        (await _app.SendAsync(request)).ShouldBeRefused(401, "auth_required");
    }

    [Theory]
    [InlineData("Bearer {0}")]
    [InlineData("bearer {0}")]
    [InlineData("BEARER {0}")]
    [InlineData("Bearer   {0} ")]
    public async Task The_scheme_s_case_and_extra_blanks_do_not_matter(string header)
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        using var request = Request("POST", "/api/v1/tools/check", new { tool = "chat", units = 1 });
        request.Headers.TryAddWithoutValidation(
            "Authorization",
            string.Format(System.Globalization.CultureInfo.InvariantCulture, header, account.Key)
        );
        (await _app.SendAsync(request)).ShouldBe(200);
    }

    [Fact]
    public async Task A_key_that_was_revoked_is_refused_from_the_next_request_on_even_for_a_repeat()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        var (_, other) = await _app.CreateKeyAsync(account.Id);
        (await SpendAsync(account.Key)).ShouldBe(200);
        await _app.RevokeAsync(account);
        await EveryRouteRefusesAsync(account.Key, 401, "auth_required");
        (await SpendAsync(other)).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
    }

    [Fact]
    public async Task A_key_works_until_its_expiry_and_not_from_then_on()
    {
        var account = await _app.OpenAccountAsync(credits: 100, expiresAt: FixedClock.Start.AddHours(1));
        _app.Clock.Advance(TimeSpan.FromHours(1) - TimeSpan.FromMicroseconds(1));
        (await SpendAsync(account.Key)).ShouldBe(200);
        _app.Clock.Advance(TimeSpan.FromMicroseconds(1));
        await EveryRouteRefusesAsync(account.Key, 401, "auth_required");
    }

    [Fact]
    public async Task A_suspended_account_may_do_nothing_until_it_is_reinstated()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        (await SpendAsync(account.Key)).ShouldBe(200);
        await _app.SuspendAsync(account.Id);
        await EveryRouteRefusesAsync(account.Key, 403, "forbidden");
        await _app.ReinstateAsync(account.Id);
        (await SpendAsync(account.Key)).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
    }

    [Fact]
    public async Task A_provisioning_key_may_use_no_tool()
    {
        var account = await _app.OpenAccountAsync(credits: 100, kind: KeyKind.Provisioning);
        foreach (var (method, path, body) in Routes)
        {
            (await _app.SendAsync(new HttpMethod(method), path, account.Key, body))
                .ShouldBeRefused(403, "forbidden")
                .ShouldHave("x-should-retry", "false");
        }
    }

    [Fact]
    public async Task What_is_refused_for_access_changes_nothing()
    {
        var account = await _app.OpenAccountAsync(credits: 100);
        await _app.RevokeAsync(account);
        var before = await _app.StandingAsync(account.Id);
        await EveryRouteRefusesAsync(account.Key, 401, "auth_required");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    private async Task EveryRouteRefusesAsync(string key, int status, string error)
    {
        foreach (var (method, path, body) in Routes)
            (await _app.SendAsync(new HttpMethod(method), path, key, body)).ShouldBeRefused(status, error);
    }

    private Task<Answer> SpendAsync(string key) =>
        _app.PostAsync(
            "/api/v1/tools/spend",
            key,
            new
            {
                tool = "chat",
                units = 1,
                reference = "first",
            }
        );

    private static HttpRequestMessage Request(string method, string path, object? body) =>
        new(new HttpMethod(method), path) { Content = body is null ? null : System.Net.Http.Json.JsonContent.Create(body) };
}
