using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain.Accounts;
using Microsoft.AspNetCore.Antiforgery;

namespace Ledger.Api.Dialects.Tools;

/// <summary>Registering, signing in by password or one-time code, sessions for pages, and signing out.</summary>
public sealed class AuthApi
{
    private const int MaxEmail = Newcomers.MaxEmail;
    private readonly LedgerService _ledger;
    private readonly Registrar _registrar;
    private readonly SignInDesk _desk;
    private readonly AccessTokens _tokens;
    private readonly Doorkeeper _door;
    private readonly Regions _regions;
    private readonly IAntiforgery _antiforgery;
    private readonly TimeProvider _time;

    private AuthApi(IServiceProvider services)
    {
        _ledger = services.GetRequiredService<LedgerService>();
        _registrar = services.GetRequiredService<Registrar>();
        _desk = services.GetRequiredService<SignInDesk>();
        _tokens = services.GetRequiredService<AccessTokens>();
        _door = services.GetRequiredService<Doorkeeper>();
        _regions = services.GetRequiredService<Regions>();
        _antiforgery = services.GetRequiredService<IAntiforgery>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new AuthApi(app.Services);
        var auth = app.MapGroup("/api/v1/auth").WithTags("Sign-in");
        auth.MapPost("/register", (Delegate)api.RegisterAsync).Describe<RegisterRequest, Registered>("Opens an account.", 409, 429);
        auth.MapPost("/token", (Delegate)api.TokenAsync)
            .Accepts<TokenRequest>("application/json", "application/x-www-form-urlencoded")
            .Describe<TokenResponse>("An access token for an address and a password, as JSON or as a form with username.", 400, 429);
        auth.MapPost("/otp/request", (Delegate)api.RequestCodeAsync)
            .Describe<CodeRequest, AcceptedResponse>("Sends a one-time code to an address, if it is anybody's.", 429);
        auth.MapPost("/otp/verify", (Delegate)api.VerifyCodeAsync)
            .Describe<VerifyRequest, TokenResponse>("An access token for an address and the code that was sent to it.", 429);
        auth.MapPost("/session", (Delegate)api.OpenSessionAsync)
            .Describe<SessionRequest, SessionResponse>("A session for pages: a cookie, and the token that its writes need.", 429);
        auth.MapGet("/session", (Delegate)api.ShowSessionAsync).Describe<SessionResponse>("The session that the cookie names.");
        auth.MapPost("/logout", (Delegate)api.LogOutAsync).DescribeDone("Ends the sign-in by which it comes.");
    }

    private async Task RegisterAsync(HttpContext context)
    {
        var request = await ReadAsync(
            context,
            static (body, faults) => new RegisterRequest(Email(body, faults), Password(body, faults, isNew: true), CountryOf(body, faults))
        );
        if (request is null || !await MayPassAsync(context, _desk.MayCome(request.Email, _regions.AddressOf(context))))
            return;
        if (_regions.IsBlocked(request.Country))
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(Denial.RegionBlocked));
            return;
        }

        var caller = new Caller("account", context.TraceIdentifier, _regions.AddressOf(context));
        if (await _registrar.OpenAsync(request.Email, request.Password, request.Country, caller, context.RequestAborted) is { } account)
            await ApiErrors.SendAsync(context, 201, new(account.Value), AuthJson.Default.Registered);
        else
            await ToolsErrors.SendAsync(context, ToolsErrors.EmailTaken);
    }

    private async Task TokenAsync(HttpContext context)
    {
        TokenRequest? request;
        if (IsForm(context.Request))
        {
            // As OAuth 2.0 password clients send it (RFC 6749, section 4.3.2); what else they send means nothing here.
            var (email, password) = await ReadFormAsync(context);
            var faults = new JsonFaults();
            if (!IsText(email, MaxEmail))
                faults.Add("username", "must be an e-mail address");
            if (!IsText(password, Passwords.MaxLength))
                faults.Add("password", "is required");
            request = await RefuseAsync(context, faults) ? null : new(email, password);
        }
        else
        {
            request = await ReadAsync(
                context,
                static (body, faults) => new TokenRequest(Email(body, faults), Password(body, faults, isNew: false))
            );
        }

        if (request is null)
            return;
        await AnswerAsync(
            context,
            await _desk.ByPasswordAsync(
                request.Email,
                request.Password,
                _regions.AddressOf(context),
                AccessTokens.Lifetime,
                context.RequestAborted
            )
        );
    }

    private static bool IsForm(HttpRequest request) =>
        request.ContentType?.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase) == true;

    private static async Task<(string Email, string Password)> ReadFormAsync(HttpContext context)
    {
        try
        {
            var form = await context.Request.ReadFormAsync(context.RequestAborted);
            return (form["username"].ToString(), form["password"].ToString());
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new BadHttpRequestException("The form is malformed.", e);
        }
    }

    private async Task RequestCodeAsync(HttpContext context)
    {
        if (await ReadAsync(context, static (body, faults) => new CodeRequest(Email(body, faults))) is not { } request)
            return;
        if (await MayPassAsync(context, _desk.RequestCode(request.Email, _regions.AddressOf(context))))
            await ApiErrors.SendAsync(context, 202, new(true), AuthJson.Default.AcceptedResponse);
    }

    private async Task VerifyCodeAsync(HttpContext context)
    {
        if (
            await ReadAsync(context, static (body, faults) => new VerifyRequest(Email(body, faults), Code(body, faults))) is not { } request
        )
            return;
        await AnswerAsync(
            context,
            await _desk.ByCodeAsync(request.Email, request.Code, _regions.AddressOf(context), AccessTokens.Lifetime, context.RequestAborted)
        );
    }

    private async Task OpenSessionAsync(HttpContext context)
    {
        var request = await ReadAsync(
            context,
            static (body, faults) =>
            {
                var isCode = body.Has("code");
                return new SessionRequest(
                    Email(body, faults),
                    isCode ? null : Password(body, faults, isNew: false),
                    isCode ? Code(body, faults) : null
                );
            }
        );
        if (request is null)
            return;
        var address = _regions.AddressOf(context);
        var attempt = request.Code is { } code
            ? await _desk.ByCodeAsync(request.Email, code, address, Sessions.Lifetime, context.RequestAborted)
            : await _desk.ByPasswordAsync(request.Email, request.Password!, address, Sessions.Lifetime, context.RequestAborted);
        if (attempt is not SignInAttempt.Done(var signIn))
        {
            await RefuseAsync(context, attempt);
            return;
        }

        await Sessions.OpenAsync(context, signIn);
        await SendSessionAsync(context, signIn);
    }

    private async Task ShowSessionAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not { SignIn: { } signIn } || Doorkeeper.TokenOf(context) is not null)
        {
            if (!context.Response.HasStarted)
                await ToolsErrors.SendAsync(context, ToolsErrors.AuthRequired);
            return;
        }

        await SendSessionAsync(context, signIn);
    }

    private async Task LogOutAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not { } identity)
            return;
        if (identity.SignIn is not { } signIn)
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.NoSignIn);
            return;
        }

        var caller = new Caller(identity.Actor, context.TraceIdentifier, _regions.AddressOf(context));
        await _ledger.ExecuteAsync(new SignOut(signIn.Account, signIn.Id, signIn.At, signIn.ExpiresAt), caller);
        if (context.Request.Cookies.ContainsKey(Doorkeeper.Session))
            await Sessions.CloseAsync(context);
        context.Response.StatusCode = 204;
    }

    /// <summary>Lets in whoever is signed in, as the account's own state allows now.</summary>
    private async Task<Identity?> EnterAsync(HttpContext context)
    {
        var (identity, denial) = await _door.FindAsync(context);
        if (denial != Denial.None)
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(denial));
            return null;
        }

        var (account, _) = await _ledger.ReadAsync(identity.Account);
        if (account.RefusesAccess(identity.By, LedgerTime.Later(_time, account.LastAt)) is not { } refusal)
            return identity;
        await ToolsErrors.SendAsync(context, ToolsErrors.Of(refusal));
        return null;
    }

    private Task SendSessionAsync(HttpContext context, SignIn signIn)
    {
        var csrf = _antiforgery.GetAndStoreTokens(context).RequestToken!;
        return ApiErrors.SendAsync(context, 200, new(signIn.Account.Value, csrf, signIn.ExpiresAt), AuthJson.Default.SessionResponse);
    }

    private async Task AnswerAsync(HttpContext context, SignInAttempt attempt)
    {
        if (attempt is not SignInAttempt.Done(var signIn))
        {
            await RefuseAsync(context, attempt);
            return;
        }

        // What opens doors must not stay in anybody's cache (RFC 6749, section 5.1).
        context.Response.Headers.CacheControl = "no-store";
        var token = await _tokens.IssueAsync(signIn, context.RequestAborted);
        await ApiErrors.SendAsync(
            context,
            200,
            new(token, "bearer", (long)AccessTokens.Lifetime.TotalSeconds),
            AuthJson.Default.TokenResponse
        );
    }

    private static Task RefuseAsync(HttpContext context, SignInAttempt attempt) =>
        attempt switch
        {
            SignInAttempt.TooMany(var after) => MayPassAsync(context, new(false, after)),
            SignInAttempt.Refused(var code) => ToolsErrors.SendAsync(context, ToolsErrors.Of(code)),
            SignInAttempt.RegionBlocked => ToolsErrors.SendAsync(context, ToolsErrors.Of(Denial.RegionBlocked)),
            _ => ToolsErrors.SendAsync(context, ToolsErrors.WrongCredentials),
        };

    private static async Task<bool> MayPassAsync(HttpContext context, Passage passage)
    {
        if (passage.MayPass)
            return true;
        ApiErrors.SetRetryAfter(context, passage.RetryAfter);
        await ToolsErrors.SendAsync(context, ToolsErrors.RateLimited);
        return false;
    }

    private static async Task<T?> ReadAsync<T>(HttpContext context, Func<JsonMembers, JsonFaults, T> read)
        where T : class
    {
        var faults = new JsonFaults();
        using var document = await JsonMembers.ParseAsync(context, faults);
        T? request = null;
        if (document is not null)
        {
            var body = new JsonMembers(document.RootElement, "", faults);
            request = read(body, faults);
            body.End();
        }

        return await RefuseAsync(context, faults) ? null : request;
    }

    private static async Task<bool> RefuseAsync(HttpContext context, JsonFaults faults)
    {
        if (faults.IsEmpty)
            return false;
        await ToolsErrors.SendAsync(context, faults);
        return true;
    }

    private static string Email(JsonMembers body, JsonFaults faults)
    {
        var email = body.Text("email", MaxEmail, required: true);
        if (email is not null && !Newcomers.IsAddress(email))
            faults.Add("email", "must be an e-mail address");
        return email ?? "";
    }

    /// <summary>A password is taken as it is; only a new one must be long enough.</summary>
    private static string Password(JsonMembers body, JsonFaults faults, bool isNew)
    {
        var password = body.Text("password", Passwords.MaxLength, required: true);
        if (isNew && password?.Length < Passwords.MinLength)
            faults.Add("password", "must be a text of 8 to 200 characters, without NUL");
        return password ?? "";
    }

    private static string Code(JsonMembers body, JsonFaults faults)
    {
        var code = body.Text("code", 20, required: true)?.Trim();
        if (code is not null && !(code.Length == SignInDesk.CodeLength && code.All(char.IsAsciiDigit)))
            faults.Add("code", "must be six digits");
        return code ?? "";
    }

    private static string? CountryOf(JsonMembers body, JsonFaults faults)
    {
        var country = body.Text("country", 2);
        if (country is not null && !Newcomers.IsCountry(country))
            faults.Add("country", "must be two letters of ISO 3166-1, such as DE");
        return country?.ToUpperInvariant();
    }

    private static bool IsText(string text, int max) =>
        text.Length is >= 1 && text.Length <= max && !text.Contains('\0', StringComparison.Ordinal);
}
