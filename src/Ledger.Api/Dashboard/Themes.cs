namespace Ledger.Api.Dashboard;

/// <summary>Light or dark: a cookie, so that the page comes as it is wanted and no script has to change it.</summary>
internal static class Themes
{
    private const string Cookie = "ledger_theme";

    /// <summary>What is wanted: <c>light</c>, <c>dark</c>, or <c>system</c> where nothing was chosen.</summary>
    public static string Of(HttpContext context) => context.Request.Cookies[Cookie] is ("light" or "dark") and var theme ? theme : "system";

    /// <summary>Keeps a choice.</summary>
    public static void Keep(HttpContext context, string theme)
    {
        var options = new CookieOptions
        {
            HttpOnly = true,
            Secure = true,
            SameSite = SameSiteMode.Lax,
            MaxAge = TimeSpan.FromDays(365),
            Path = "/",
        };
        if (theme is "light" or "dark")
            context.Response.Cookies.Append(Cookie, theme, options);
        else
            context.Response.Cookies.Delete(Cookie, options);
    }
}
