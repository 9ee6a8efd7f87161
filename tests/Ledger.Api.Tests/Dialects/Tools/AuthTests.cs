using System.Globalization;
using System.Text.RegularExpressions;
using Ledger.Api.Access;
using Ledger.Domain;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary>Registering and signing in: by password, by one-time code, with a session, and out again.</summary>
public sealed partial class AuthTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private const string Password = "correct horse";
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_newcomer_registers_signs_in_makes_a_key_spends_and_revokes_it()
    {
        var (account, token) = await RegisterAsync("newcomer@example.com");
        await _app.GrantAsync(account, Domain.Money.Amount.Credits(10));
        var created = (await _app.PostAsync("/v1/account/keys", token, """{"name":"first"}""")).ShouldBe(201);
        var (id, key) = (created.Text("data", "id"), created.Text("data", "key")!);
        (await SpendAsync(key, "r1")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":5}""");
        (await SpendAsync(token, "r2")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":0}""");
        (await _app.DeleteAsync($"/v1/account/keys/{id}", token)).ShouldBe(204);
        (await SpendAsync(key, "r3")).ShouldBeRefused(401, "auth_required");
        (await _app.EventsAsync(account)).ShouldAllBe(stored => !stored.Data.Contains("newcomer", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_is_answered_as_OAuth_clients_expect_for_a_form_too()
    {
        await RegisterAsync("form@example.com");
        var answer = await _app.PostAsync(
            "/api/v1/auth/token",
            null,
            new FormUrlEncodedContent(
                new Dictionary<string, string>
                {
                    ["grant_type"] = "password",
                    ["username"] = "FORM@example.com",
                    ["password"] = Password,
                }
            )
        );
        answer.ShouldBe(200).ShouldHave("Cache-Control", "no-store");
        answer.Json.EnumerateObject().Select(member => member.Name).ShouldBe(["access_token", "token_type", "expires_in"]);
        answer.Text("token_type").ShouldBe("bearer");
        answer.Text("expires_in").ShouldBe("3600");
    }

    [Fact]
    public async Task An_address_is_one_persons_whatever_its_case()
    {
        await RegisterAsync("Taken@example.com");
        (await _app.PostAsync("/api/v1/auth/register", null, Registration("taken@EXAMPLE.com"))).ShouldBeRefused(409, "email_taken");
    }

    [Theory]
    [InlineData("nobody-at-all@example.com", "whatever it is")]
    [InlineData("wrong@example.com", "another password")]
    public async Task Neither_a_wrong_address_nor_a_wrong_password_says_which_it_was(string email, string password)
    {
        if (email.StartsWith("wrong", StringComparison.Ordinal))
            await RegisterAsync(email);
        var answer = await TokenAsync(email, password);
        answer.ShouldBeRefused(401, "auth_required").Text("message").ShouldBe("The address, the password or the code is wrong.");
    }

    [Theory]
    [InlineData("/register", "{}", "email", "password")]
    [InlineData(
        "/register",
        """{"email":"x","password":"short","country":"Germany","admin":true}""",
        "email",
        "password",
        "country",
        "admin"
    )]
    [InlineData("/token", """{"email":"x@example.com"}""", "password")]
    [InlineData("/token", """{"email":"\u0000","password":""}""", "email", "password")]
    [InlineData("/otp/request", """{"email":5}""", "email")]
    [InlineData("/otp/verify", """{"email":"x@example.com","code":"12345"}""", "code")]
    [InlineData("/session", """{"email":"x@example.com"}""", "password")]
    public async Task All_that_is_wrong_is_said_at_once(string path, string body, params string[] fields)
    {
        var answer = (await _app.PostAsync("/api/v1/auth" + path, null, body)).ShouldBeRefused(400, "invalid_request");
        answer
            .Json.GetProperty("fields")
            .EnumerateObject()
            .Select(field => field.Name)
            .ShouldBe(fields, ignoreOrder: true, answer.ToString());
    }

    [Theory]
    [InlineData("/register")]
    [InlineData("/token")]
    [InlineData("/otp/request")]
    [InlineData("/otp/verify")]
    [InlineData("/session")]
    public async Task What_is_not_JSON_is_refused(string path) =>
        (await _app.PostAsync("/api/v1/auth" + path, null, "{")).ShouldBeRefused(400, "invalid_request");

    [Fact]
    public async Task Whoever_signed_out_is_out_and_others_are_not()
    {
        var (_, first) = await RegisterAsync("out@example.com");
        var second = (await TokenAsync("out@example.com", Password)).ShouldBe(200).Text("access_token")!;
        (await _app.PostAsync("/api/v1/auth/logout", first)).ShouldBe(204, "");
        (await CheckAsync(first)).ShouldBeRefused(401, "auth_required");
        (await _app.PostAsync("/api/v1/auth/logout", first)).ShouldBeRefused(401, "auth_required");
        (await CheckAsync(second)).ShouldBe(200);
    }

    [Fact]
    public async Task A_suspension_ends_every_sign_in_and_lets_nobody_in()
    {
        var (account, token) = await RegisterAsync("suspended@example.com");
        await _app.SuspendAsync(account);
        (await CheckAsync(token)).ShouldBeRefused(403, "forbidden");
        (await TokenAsync("suspended@example.com", Password)).ShouldBeRefused(403, "forbidden");
        await _app.ReinstateAsync(account);
        (await CheckAsync(token)).ShouldBeRefused(401, "auth_required");
        var fresh = (await TokenAsync("suspended@example.com", Password)).ShouldBe(200).Text("access_token")!;
        (await CheckAsync(fresh)).ShouldBe(200);
    }

    [Fact]
    public async Task The_operator_ends_every_sign_in_and_keys_work_on()
    {
        var (account, token) = await RegisterAsync("ended@example.com");
        var (_, key) = await _app.CreateKeyAsync(account);
        (await _app.PostAsync($"/admin/accounts/{account}/sign-outs", LedgerApp.AdminKey, """{"reason":"lost laptop"}""")).ShouldBe(204);
        (await CheckAsync(token)).ShouldBeRefused(401, "auth_required");
        (await CheckAsync(key)).ShouldBe(200);
        (await CheckAsync((await TokenAsync("ended@example.com", Password)).Text("access_token")!)).ShouldBe(200);
    }

    [Fact]
    public async Task A_token_is_good_for_an_hour_and_survives_a_new_signing_key_until_then()
    {
        await using var app = await LedgerApp.StartAsync();
        (await app.PostAsync("/api/v1/auth/register", null, Registration("hour@example.com"))).ShouldBe(201);
        var token = (await app.PostAsync("/api/v1/auth/token", null, Credentials("hour@example.com", Password)))
            .ShouldBe(200)
            .Text("access_token")!;
        (await app.PostAsync("/admin/signing-keys", LedgerApp.AdminKey)).ShouldBe(201);
        var second = (await app.PostAsync("/api/v1/auth/token", null, Credentials("hour@example.com", Password)))
            .ShouldBe(200)
            .Text("access_token")!;
        second.Split('.')[0].ShouldNotBe(token.Split('.')[0], "signed with another key");

        await using var restarted = await app.RestartAsync();
        foreach (var good in (string[])[token, second])
            (await restarted.GetAsync("/api/v1/tools/prices", good)).ShouldBe(200);
        restarted.Clock.Advance(AccessTokens.Lifetime);
        foreach (var expired in (string[])[token, second])
            (await restarted.GetAsync("/api/v1/tools/prices", expired)).ShouldBeRefused(401, "auth_required");
    }

    [Fact]
    public async Task What_a_replaced_signing_key_says_of_later_times_counts_for_nothing()
    {
        await using var app = await LedgerApp.StartAsync();
        (await app.PostAsync("/api/v1/auth/register", null, Registration("leak@example.com"))).ShouldBe(201);
        var before = (await app.PostAsync("/api/v1/auth/token", null, Credentials("leak@example.com", Password)))
            .ShouldBe(200)
            .Text("access_token")!;
        var leaked = (byte[])(await app.QueryAsync("select private_key from signing_keys"))!;
        var keyId = (string)(await app.QueryAsync("select key_id from signing_keys"))!;
        (await app.PostAsync("/admin/signing-keys", LedgerApp.AdminKey)).ShouldBe(201);
        app.Clock.Advance(TimeSpan.FromMinutes(10));

        using var thief = System.Security.Cryptography.ECDsa.Create();
        thief.ImportPkcs8PrivateKey(leaked, out _);
        var now = app.Clock.Now.ToUnixTimeSeconds();
        var account = (string)(await app.QueryAsync("select account_id from people"))!;
        var claims =
            $$"""{"iss":"ledger","sub":"{{account}}","jti":"00000000-0000-0000-0000-000000000001","iat":{{now}},"exp":{{now + 3600}}}""";
        var forged = Jwt.Sign(thief, keyId, System.Text.Encoding.UTF8.GetBytes(claims));
        (await app.GetAsync("/api/v1/tools/prices", forged)).ShouldBeRefused(401, "auth_required");
        (await app.GetAsync("/api/v1/tools/prices", before)).ShouldBe(200);
    }

    [Fact]
    public async Task Of_two_who_register_one_address_at_once_the_password_is_theirs_who_got_the_account()
    {
        for (var round = 0; round < 5; round++)
        {
            var email = $"race{round}@example.com";
            string[] passwords = ["password of one", "password of two"];
            var answers = await Task.WhenAll(
                passwords.Select(password => _app.PostAsync("/api/v1/auth/register", null, Credentials(email, password)))
            );
            answers.Select(answer => answer.Status).ShouldBe([201, 409], ignoreOrder: true);
            var winner = Array.FindIndex(answers, answer => answer.Status == 201);
            (await TokenAsync(email, passwords[winner])).ShouldBe(200);
            (await TokenAsync(email, passwords[1 - winner])).ShouldBeRefused(401, "auth_required");
        }
    }

    [Theory]
    [InlineData("multipart/form-data", "x", 415)]
    [InlineData("multipart/form-data; boundary=x", "--x", 415)]
    [InlineData("text/plain", "{}", 415)]
    [InlineData("application/x-www-form-urlencoded", "username=&password=", 400)]
    [InlineData("application/x-www-form-urlencoded", "%", 400)]
    public async Task A_form_that_is_none_is_refused(string type, string body, int status)
    {
        using var content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        (await _app.PostAsync("/api/v1/auth/token", null, content)).ShouldBe(status);
        using var many = new ByteArrayContent(
            System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 2000).Select(n => $"a{n}=1&")))
        );
        many.Headers.TryAddWithoutValidation("Content-Type", "application/x-www-form-urlencoded");
        (await _app.PostAsync("/api/v1/auth/token", null, many)).ShouldBe(400);
    }

    [Fact]
    public async Task A_token_that_was_tampered_with_is_nobodys()
    {
        var (_, token) = await RegisterAsync("tamper@example.com");
        var parts = token.Split('.');
        var none = Convert.ToBase64String("""{"alg":"none","typ":"JWT"}"""u8).TrimEnd('=');
        foreach (
            var forged in (string[])
                [
                    $"{parts[0]}.{parts[1]}.",
                    $"{none}.{parts[1]}.",
                    $"{none}.{parts[1]}.{parts[2]}",
                    $"{parts[0]}.{parts[1]}x.{parts[2]}",
                    $"{parts[0]}.{parts[1]}.{parts[2]}=",
                    token + ".x",
                    token[..^1] + (token[^1] == 'A' ? 'B' : 'A'),
                    new string('.', 500),
                    "ü.ü.ü",
                    new string('a', 990) + "." + new string('ü', 5) + ".x",
                ]
        )
            (await CheckAsync(forged)).ShouldBeRefused(401, "auth_required");
    }

    [Fact]
    public async Task A_one_time_code_signs_in_once_and_goes_by_mail()
    {
        await RegisterAsync("code@example.com");
        (await _app.PostAsync("/api/v1/auth/otp/request", null, """{"email":"CODE@example.com"}""")).ShouldBe(202, """{"ok":true}""");
        var code = await CodeOfAsync("code@example.com");
        var token = (await VerifyAsync("code@example.com", code)).ShouldBe(200).Text("access_token")!;
        (await CheckAsync(token)).ShouldBe(200);
        (await VerifyAsync("code@example.com", code)).ShouldBeRefused(401, "auth_required");
    }

    [Fact]
    public async Task Nobody_is_told_whether_an_address_is_anybodys_when_a_code_is_asked_for() =>
        (await _app.PostAsync("/api/v1/auth/otp/request", null, """{"email":"nobody-here@example.com"}""")).ShouldBe(
            202,
            """{"ok":true}"""
        );

    [Fact]
    public async Task After_five_wrong_codes_the_right_one_is_wrong_too()
    {
        await RegisterAsync("five@example.com");
        (await _app.PostAsync("/api/v1/auth/otp/request", null, """{"email":"five@example.com"}""")).ShouldBe(202);
        var code = await CodeOfAsync("five@example.com");
        var wrong = code == "000000" ? "000001" : "000000";
        foreach (var answer in await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => VerifyAsync("five@example.com", wrong))))
            answer.ShouldBeRefused(401, "auth_required");
        (await VerifyAsync("five@example.com", code)).ShouldBeRefused(401, "auth_required");
    }

    [Fact]
    public async Task A_code_lapses_after_ten_minutes()
    {
        await using var app = await LedgerApp.StartAsync();
        (await app.PostAsync("/api/v1/auth/register", null, Registration("late@example.com"))).ShouldBe(201);
        (await app.PostAsync("/api/v1/auth/otp/request", null, """{"email":"late@example.com"}""")).ShouldBe(202);
        var code = await CodeOfAsync("late@example.com", app);
        app.Clock.Advance(SignInDesk.CodeLifetime);
        (await app.PostAsync("/api/v1/auth/otp/verify", null, $$"""{"email":"late@example.com","code":"{{code}}"}""")).ShouldBeRefused(
            401,
            "auth_required"
        );
    }

    [Fact]
    public async Task Signing_in_is_limited_by_the_persons_address()
    {
        await RegisterAsync("busy@example.com");
        var statuses = new List<int>();
        for (var i = 0; i < 20; i++)
            statuses.Add((await TokenAsync("busy@example.com", "wrong one")).Status);
        statuses.Count(status => status == 401).ShouldBe(18, "registering and signing in once have counted too");
        var limited = await TokenAsync("busy@example.com", Password);
        limited.ShouldBeRefused(429, "rate_limited");
        int.Parse(limited.Header("Retry-After")!, CultureInfo.InvariantCulture).ShouldBeInRange(1, 60);
    }

    [Fact]
    public async Task Failed_sign_ins_are_limited_by_the_machines_address_besides()
    {
        await using var app = await LedgerApp.StartAsync();
        (await app.PostAsync("/api/v1/auth/register", null, Registration("victim@example.com"))).ShouldBe(201);
        foreach (var n in Enumerable.Range(0, RateGates.LimitOf(RateBucket.FailedSignIns)))
            (await app.PostAsync("/api/v1/auth/otp/verify", null, $$"""{"email":"guess{{n}}@example.com","code":"000000"}""")).ShouldBe(
                401
            );
        (await app.PostAsync("/api/v1/auth/token", null, Credentials("victim@example.com", Password))).ShouldBeRefused(429, "rate_limited");
    }

    [Fact]
    public async Task A_session_reads_with_its_cookie_and_writes_with_its_token_besides()
    {
        var (account, _) = await RegisterAsync("pages@example.com");
        await _app.GrantAsync(account, Domain.Money.Amount.Credits(10));
        var opened = (await _app.PostAsync("/api/v1/auth/session", null, Credentials("pages@example.com", Password))).ShouldBe(200);
        opened.Header("Set-Cookie")!.ShouldContain("ledger_session=");
        opened.Header("Set-Cookie")!.ShouldContain("httponly");
        opened.Text("account_id").ShouldBe(account.Value);
        var (cookies, csrf) = (CookiesOf(opened), opened.Text("csrf_token")!);

        (await WithCookiesAsync("GET", "/v1/account/keys", cookies)).ShouldBe(200);
        (await WithCookiesAsync("GET", "/api/v1/auth/session", cookies)).ShouldBe(200).Text("account_id").ShouldBe(account.Value);
        (await WithCookiesAsync("POST", "/api/v1/tools/spend", cookies, body: Chat("s1"))).ShouldBeRefused(403, "forbidden");
        (await WithCookiesAsync("POST", "/api/v1/tools/spend", cookies, "forged", Chat("s1"))).ShouldBeRefused(403, "forbidden");
        (await WithCookiesAsync("POST", "/api/v1/tools/spend", cookies, csrf, Chat("s1"))).ShouldBe(200);
        (await WithCookiesAsync("POST", "/v1/account/keys", cookies, csrf, """{"name":"by session"}""")).ShouldBe(201);
        (await WithCookiesAsync("POST", "/v1/account/keys", cookies, body: """{"name":"forged"}""")).ShouldBe(403);

        (await WithCookiesAsync("POST", "/api/v1/auth/logout", cookies, csrf)).ShouldBe(204);
        (await WithCookiesAsync("GET", "/v1/account/keys", cookies)).ShouldBe(401);
    }

    [Fact]
    public async Task Another_accounts_session_token_does_not_do()
    {
        await RegisterAsync("mallory@example.com");
        await RegisterAsync("alice@example.com");
        var mallory = (await _app.PostAsync("/api/v1/auth/session", null, Credentials("mallory@example.com", Password))).ShouldBe(200);
        var alice = (await _app.PostAsync("/api/v1/auth/session", null, Credentials("alice@example.com", Password))).ShouldBe(200);
        (await WithCookiesAsync("POST", "/v1/account/keys", CookiesOf(alice), mallory.Text("csrf_token"), """{"name":"x"}""")).ShouldBe(
            403
        );
    }

    [Fact]
    public async Task No_secret_is_in_the_log_the_events_or_an_error()
    {
        var (account, token) = await RegisterAsync("silent@example.com");
        var key = (await _app.PostAsync("/v1/account/keys", token, """{"name":"k"}""")).ShouldBe(201).Text("data", "key")!;
        var everything = string.Join(
            '\n',
            (await _app.EventsAsync(account)).Select(stored => $"{stored.Data} {stored.Headers} {stored.CorrelationId}")
        );
        foreach (var secret in (string[])[Password, token, key, "silent@example.com"])
            everything.ShouldNotContain(secret);
        var refused = await _app.PostAsync("/api/v1/auth/token", null, """{"email":"silent@example.com","password":"s3cr3t-guess"}""");
        refused.Body.ShouldNotContain("s3cr3t-guess");
    }

    [GeneratedRegex(@"^\d{6}", RegexOptions.Multiline)]
    private static partial Regex SixDigits { get; }

    private static string Registration(string email) => $$"""{"email":"{{email}}","password":"{{Password}}","country":"de"}""";

    private static string Credentials(string email, string password) => $$"""{"email":"{{email}}","password":"{{password}}"}""";

    private static string Chat(string reference) => $$"""{"tool":"chat","units":1,"reference":"{{reference}}"}""";

    private async Task<(AccountId Account, string Token)> RegisterAsync(string email)
    {
        var registered = (await _app.PostAsync("/api/v1/auth/register", null, Registration(email))).ShouldBe(201);
        var token = (await TokenAsync(email, Password)).ShouldBe(200).Text("access_token")!;
        return (new(registered.Text("account_id")!), token);
    }

    private Task<Answer> TokenAsync(string email, string password) =>
        _app.PostAsync("/api/v1/auth/token", null, Credentials(email, password));

    private Task<Answer> VerifyAsync(string email, string code) =>
        _app.PostAsync("/api/v1/auth/otp/verify", null, $$"""{"email":"{{email}}","code":"{{code}}"}""");

    private Task<Answer> SpendAsync(string key, string reference) => _app.PostAsync("/api/v1/tools/spend", key, Chat(reference));

    private Task<Answer> CheckAsync(string token) => _app.PostAsync("/api/v1/tools/check", token, """{"tool":"chat","units":1}""");

    private static string CookiesOf(Answer answer) =>
        string.Join("; ", Regex.Matches(answer.Header("Set-Cookie")!, @"(ledger_\w+)=[^;,]+").Select(match => match.Value));

    private async Task<Answer> WithCookiesAsync(string method, string path, string cookies, string? csrf = null, string? body = null)
    {
        using var request = new HttpRequestMessage(new(method), path);
        request.Headers.TryAddWithoutValidation("Cookie", cookies);
        if (csrf is not null)
            request.Headers.TryAddWithoutValidation("X-CSRF-Token", csrf);
        if (body is not null)
            request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        return await _app.SendAsync(request);
    }

    private async Task<string> CodeOfAsync(string email, LedgerApp? app = null)
    {
        var folder = Path.Combine((app ?? _app).DataFolder, "mail");
        string? letter = null;
        await Eventually.IsSoAsync(async () =>
        {
            foreach (var file in Directory.Exists(folder) ? Directory.GetFiles(folder, "*.eml") : [])
            {
                var text = await File.ReadAllTextAsync(file);
                if (text.Contains($"To: {email}\r\n", StringComparison.OrdinalIgnoreCase))
                    letter = text;
            }

            return letter is not null;
        });
        return SixDigits.Match(letter!).Value;
    }
}
