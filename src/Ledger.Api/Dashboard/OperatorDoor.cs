using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Projections.Access;
using Microsoft.AspNetCore.DataProtection;
using Npgsql;

namespace Ledger.Api.Dashboard;

/// <summary>
/// Lets the operator in to <c>/operator</c>: the key is typed once, and a cookie that only these pages get stands for it for an hour after the last page. What
/// protects the cookie is derived from the key, so that a new key ends what was signed in by the old one, on every node. Signing out ends the session
/// itself, so that a copy of the cookie is worth nothing from then on.
/// </summary>
public sealed class OperatorDoor(
    OperatorKey key,
    IDataProtectionProvider protection,
    OperatorSignOuts ended,
    Regions regions,
    RateGates gates,
    TimeProvider time
)
{
    /// <summary>The cookie's name.</summary>
    public const string Cookie = "ledger_operator";

    /// <summary>How long it lasts after the last page.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    private const string Path = "/operator";
    private static readonly ClaimsPrincipal Operator = new(new ClaimsIdentity([new(ClaimTypes.NameIdentifier, "operator")], Cookie));
    private static readonly ClaimsPrincipal Nobody = new(new ClaimsIdentity());
    private readonly IDataProtector _protector = protection.CreateProtector("ledger.operator-session", key.Fingerprint);

    /// <summary>Tries a key; too many wrong ones from one machine are not even looked at.</summary>
    public (bool IsIn, Passage Passage) TryKey(HttpContext context, string? candidate)
    {
        var machine = regions.AddressOf(context) ?? "unknown";
        var passage = gates.Look(RateBucket.FailedSignIns, machine);
        if (!passage.MayPass)
            return (false, passage);
        if (!key.Matches(candidate))
        {
            gates.Count(RateBucket.FailedSignIns, machine);
            return (false, passage);
        }

        Open(context, FormPost.NewId());
        return (true, passage);
    }

    /// <summary>Whoever has not signed in yet.</summary>
    public async Task<GuestVisit?> GreetAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var isSignedIn = await ReadAsync(context) is not null;
        context.User = isSignedIn ? Operator : Nobody;
        return new(context, LedgerTime.Now(time), isSignedIn);
    }

    /// <summary>The operator; others are answered with the sign-in page.</summary>
    public async Task<OperatorVisit?> EnterAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (await ReadAsync(context) is not var (session, since))
        {
            context.User = Nobody;
            var next = HttpMethods.IsGet(context.Request.Method) ? context.Request.Path + context.Request.QueryString : Path;
            PageRenderer.Redirect(context, next == Path ? "/operator/sign-in" : "/operator/sign-in?next=" + Uri.EscapeDataString(next));
            return null;
        }

        context.User = Operator;
        var now = LedgerTime.Now(time);
        if (now - since > Lifetime / 10)
            Open(context, session);
        return new(context, now, regions.AddressOf(context));
    }

    /// <summary>Ends the session: in this browser, and wherever else somebody has its cookie.</summary>
    public async Task LeaveAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (Unprotect(context) is var (session, _))
            await ended.EndAsync(session, LedgerTime.Now(time), context.RequestAborted);
        context.Response.Cookies.Delete(Cookie, Options());
    }

    private void Open(HttpContext context, string session)
    {
        var since = LedgerTime.Now(time).UtcTicks.ToString(CultureInfo.InvariantCulture);
        context.Response.Cookies.Append(Cookie, _protector.Protect($"{since} {session}"), Options());
    }

    /// <summary>The session that a request comes with, and since when it was not renewed; null where it has none that holds.</summary>
    private async Task<(string Session, DateTimeOffset Since)?> ReadAsync(HttpContext context)
    {
        if (Unprotect(context) is not var (session, since))
            return null;
        var age = LedgerTime.Now(time) - since;
        if (age >= Lifetime || age <= -Lifetime)
            return null;
        try
        {
            return await ended.HasEndedAsync(session, context.RequestAborted) ? null : (session, since);
        }
        catch (NpgsqlException) when (HttpMethods.IsGet(context.Request.Method))
        {
            // How the server is, the operator must see all the more while the database is away. Whatever else a page shows, it cannot read then either.
            return (session, since);
        }
    }

    private (string Session, DateTimeOffset Since)? Unprotect(HttpContext context)
    {
        if (context.Request.Cookies[Cookie] is not { Length: > 0 and < 1000 } cookie)
            return null;
        try
        {
            return
                _protector.Unprotect(cookie).Split(' ') is [var since, var session]
                && long.TryParse(since, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
                ? (session, new(ticks, TimeSpan.Zero))
                : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static CookieOptions Options() =>
        new()
        {
            HttpOnly = true,
            Secure = true,
            SameSite = SameSiteMode.Strict,
            Path = Path,
        };
}
