using System.Globalization;
using System.Security.Claims;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Primitives;

namespace Ledger.Api.Access;

/// <summary>Who a request acts for, and by what right.</summary>
/// <param name="Account">The account.</param>
/// <param name="By">The right, as the account's own state judges it.</param>
/// <param name="SignIn">The sign-in; null where it is a key.</param>
public readonly record struct Identity(AccountId Account, Credential By, SignIn? SignIn)
{
    /// <summary>Who does it, as events name them.</summary>
    public string Actor => By.IsKey ? "key:" + By.Key.Value : "account";
}

/// <summary>Why somebody was not let in.</summary>
public enum Denial
{
    /// <summary>They were.</summary>
    None,

    /// <summary>No token, or none of ours.</summary>
    AuthRequired,

    /// <summary>The account is at home in a blocked country.</summary>
    RegionBlocked,

    /// <summary>A session's write came without its token against forgery.</summary>
    Forged,
}

/// <summary>
/// Finds out who a request acts for: by API key, by access token, or by session cookie. That a right is genuine is found here, without a database read
/// where it is known; whether it holds now, the account's own state decides with what it is used for.
/// </summary>
public sealed class Doorkeeper(KeyDirectory keys, AccessTokens tokens, Regions regions, IAntiforgery antiforgery)
{
    /// <summary>The name of the session's cookie, and of the scheme that reads it.</summary>
    public const string Session = "ledger_session";

    /// <summary>The header in which a session's write carries its token against forgery.</summary>
    public const string CsrfHeader = "X-CSRF-Token";

    /// <summary>The token of a request: <c>Authorization: Bearer …</c>; null where there is none.</summary>
    public static string? TokenOf(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        StringValues header = context.Request.Headers.Authorization;
        if (header.Count != 1 || header[0] is not { } value)
            return null;
        const string Scheme = "Bearer ";
        return value.Length > Scheme.Length && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? value[Scheme.Length..].Trim()
            : null;
    }

    /// <summary>Who it is; where nobody is let in, why.</summary>
    /// <param name="context">The request.</param>
    /// <param name="takesApiKey">Whether a key may also come as Anthropic's clients send it, in <c>x-api-key</c>.</param>
    public ValueTask<(Identity Identity, Denial Denial)> FindAsync(HttpContext context, bool takesApiKey = false)
    {
        ArgumentNullException.ThrowIfNull(context);
        var header = takesApiKey && context.Request.Headers.Authorization.Count == 0 ? context.Request.Headers["x-api-key"] : default;
        if ((header.Count == 1 ? header[0] : TokenOf(context)) is { } token)
        {
            if (token.Contains('.', StringComparison.Ordinal))
                return OfTokenAsync(token, context.RequestAborted);
            var found = keys.FindAsync(token, context.RequestAborted);
            return found.IsCompletedSuccessfully ? new(OfKey(found.Result)) : OfKeyAsync(found);
        }

        return context.Request.Headers.Authorization.Count == 0 && context.Request.Cookies.ContainsKey(Session)
            ? OfSessionAsync(context)
            : new((default, Denial.AuthRequired));
    }

    private (Identity, Denial) OfKey(Projections.Keys.KeyOwner? found) =>
        found is not { } owner ? (default, Denial.AuthRequired)
        : regions.IsBlocked(owner.Country) ? (default, Denial.RegionBlocked)
        : (new(owner.Account, new(owner.Key, owner.Secret), null), Denial.None);

    private async ValueTask<(Identity, Denial)> OfKeyAsync(ValueTask<Projections.Keys.KeyOwner?> found) => OfKey(await found);

    private async ValueTask<(Identity, Denial)> OfTokenAsync(string token, CancellationToken ct) => Of(await tokens.FindAsync(token, ct));

    private async ValueTask<(Identity, Denial)> OfSessionAsync(HttpContext context)
    {
        var ticket = await context.AuthenticateAsync(Session);
        if (!ticket.Succeeded || Sessions.Read(ticket.Principal) is not { } signIn)
            return (default, Denial.AuthRequired);
        context.User = ticket.Principal;
        var isRead = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);

        // The header and nothing else: antiforgery would look for the token in a form, too, which no route here takes.
        var isOurs = isRead || (context.Request.Headers.ContainsKey(CsrfHeader) && await antiforgery.IsRequestValidAsync(context));
        return isOurs ? Of(signIn) : (default, Denial.Forged);
    }

    private (Identity, Denial) Of(SignIn? signIn) =>
        signIn is null ? (default, Denial.AuthRequired)
        : regions.IsBlocked(signIn.Country) ? (default, Denial.RegionBlocked)
        : (new(signIn.Account, signIn.Credential, signIn), Denial.None);
}

/// <summary>What a session's cookie says, as claims.</summary>
internal static class Sessions
{
    /// <summary>How long a session lasts at most.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);

    private const string Id = "sid";
    private const string At = "at";
    private const string ExpiresAt = "exp";
    private const string Country = "country";

    /// <summary>Gives the browser a session of a sign-in, which this request has from now on, too.</summary>
    public static Task OpenAsync(HttpContext context, SignIn signIn)
    {
        context.User = Write(signIn);
        return context.SignInAsync(Doorkeeper.Session, context.User, new() { IsPersistent = true, ExpiresUtc = signIn.ExpiresAt });
    }

    /// <summary>Takes the browser's session away; that the sign-in holds no more, the account must be told besides.</summary>
    public static Task CloseAsync(HttpContext context) => context.SignOutAsync(Doorkeeper.Session);

    /// <summary>A sign-in as claims.</summary>
    public static ClaimsPrincipal Write(SignIn signIn)
    {
        var identity = new ClaimsIdentity(Doorkeeper.Session);
        identity.AddClaim(new(ClaimTypes.NameIdentifier, signIn.Account.Value));
        identity.AddClaim(new(Id, signIn.Id.ToString()));
        identity.AddClaim(new(At, signIn.At.UtcTicks.ToString(CultureInfo.InvariantCulture)));
        identity.AddClaim(new(ExpiresAt, signIn.ExpiresAt.UtcTicks.ToString(CultureInfo.InvariantCulture)));
        if (signIn.Country is not null)
            identity.AddClaim(new(Country, signIn.Country));
        return new(identity);
    }

    /// <summary>The sign-in that claims state; null where they state none.</summary>
    public static SignIn? Read(ClaimsPrincipal principal) =>
        principal.FindFirstValue(ClaimTypes.NameIdentifier) is { } account
        && Guid.TryParse(principal.FindFirstValue(Id), out var id)
        && long.TryParse(principal.FindFirstValue(At), NumberStyles.None, CultureInfo.InvariantCulture, out var at)
        && long.TryParse(principal.FindFirstValue(ExpiresAt), NumberStyles.None, CultureInfo.InvariantCulture, out var expiresAt)
            ? new(new(account), id, new(at, TimeSpan.Zero), new(expiresAt, TimeSpan.Zero), principal.FindFirstValue(Country))
            : null;
}
