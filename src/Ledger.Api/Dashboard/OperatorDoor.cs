using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Microsoft.AspNetCore.DataProtection;

namespace Ledger.Api.Dashboard;

/// <summary>
/// Lets the operator in to <c>/operator</c>: the key is typed once, and a cookie that only these pages get stands for it for an hour after the last page. What
/// protects the cookie is derived from the key, so that a new key ends what was signed in by the old one, on every node.
/// </summary>
public sealed class OperatorDoor(OperatorKey key, IDataProtectionProvider protection, Regions regions, RateGates gates, TimeProvider time)
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

        Open(context);
        return (true, passage);
    }

    /// <summary>Whoever has not signed in yet.</summary>
    public Task<GuestVisit?> GreetAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var isSignedIn = IsOpen(context, out _);
        context.User = isSignedIn ? Operator : Nobody;
        return Task.FromResult<GuestVisit?>(new(context, LedgerTime.Now(time), isSignedIn));
    }

    /// <summary>The operator; others are answered with the sign-in page.</summary>
    public Task<OperatorVisit?> EnterAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!IsOpen(context, out var since))
        {
            context.User = Nobody;
            var next = HttpMethods.IsGet(context.Request.Method) ? context.Request.Path + context.Request.QueryString : Path;
            PageRenderer.Redirect(context, next == Path ? "/operator/sign-in" : "/operator/sign-in?next=" + Uri.EscapeDataString(next));
            return Task.FromResult<OperatorVisit?>(null);
        }

        context.User = Operator;
        var now = LedgerTime.Now(time);
        if (now - since > Lifetime / 10)
            Open(context);
        return Task.FromResult<OperatorVisit?>(new(context, now, regions.AddressOf(context)));
    }

    /// <summary>Ends the session in this browser.</summary>
    public static void Leave(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.Cookies.Delete(Cookie, Options());
    }

    private void Open(HttpContext context)
    {
        var since = LedgerTime.Now(time).UtcTicks.ToString(CultureInfo.InvariantCulture);
        context.Response.Cookies.Append(Cookie, _protector.Protect(since), Options());
    }

    private bool IsOpen(HttpContext context, out DateTimeOffset since)
    {
        since = default;
        if (context.Request.Cookies[Cookie] is not { Length: > 0 and < 1000 } cookie)
            return false;
        try
        {
            if (!long.TryParse(_protector.Unprotect(cookie), NumberStyles.None, CultureInfo.InvariantCulture, out var ticks))
                return false;
            since = new(ticks, TimeSpan.Zero);
        }
        catch (CryptographicException)
        {
            return false;
        }

        var age = LedgerTime.Now(time) - since;
        return age < Lifetime && age > -Lifetime;
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
