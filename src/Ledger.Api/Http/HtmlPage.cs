using System.Text;
using System.Text.Encodings.Web;

namespace Ledger.Api.Http;

/// <summary>Small pages without scripts. Whatever stands in them was encoded by whoever made them.</summary>
internal static class HtmlPage
{
    // The colours and shapes of the dashboard's own sheet, in one piece: these pages are kept, printed and sent on without it.
    private const string Style = """
        :root{color-scheme:light;--ink:#171a1f;--soft:#576070;--line:#dfe3e9;--strong:#8b95a5;--ground:#f6f7f9;--surface:#fff;--accent:#2457d6;--on-accent:#fff;--tint:#eaf0ff}
        :root[data-theme=dark]{color-scheme:dark;--ink:#e8ebf0;--soft:#a3adbb;--line:#2c333d;--strong:#76818f;--ground:#0f1216;--surface:#171b21;--accent:#8cb0ff;--on-accent:#0c1830;--tint:#1c2a4a}
        @media (prefers-color-scheme:dark){:root[data-theme=system]{color-scheme:dark;--ink:#e8ebf0;--soft:#a3adbb;--line:#2c333d;--strong:#76818f;--ground:#0f1216;--surface:#171b21;--accent:#8cb0ff;--on-accent:#0c1830;--tint:#1c2a4a}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:54rem;padding:2rem 1rem;font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;color:var(--ink);background:var(--ground)}
        main{padding:1.25rem;background:var(--surface);border:1px solid var(--line);border-radius:.75rem}
        h1{font-size:1.5rem;line-height:1.25;letter-spacing:-.015em;margin:.75rem 0 .25rem}
        h2{font-size:1.0625rem;margin:1.5rem 0 0}
        a{color:var(--accent)}
        .note{margin:0;padding:.75rem 1rem;background:var(--tint);border-radius:.5rem}
        .amount{font-size:2.25rem;font-weight:620;letter-spacing:-.01em;margin:.25rem 0;font-variant-numeric:tabular-nums}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:.375rem 1.25rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
        .actions,form{display:flex;flex-wrap:wrap;gap:.625rem;margin:.625rem 0}
        .actions form{margin:0}
        button{font:inherit;font-weight:550;min-height:2.75rem;padding:.5rem 1rem;border:1px solid var(--strong);border-radius:.5rem;background:transparent;color:var(--ink);cursor:pointer}
        .first button{border-color:var(--accent);background:var(--accent);color:var(--on-accent)}
        button:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;margin-top:1rem}th,td{text-align:left;padding:.5rem;border-bottom:1px solid var(--line)}
        th{color:var(--soft);font-weight:500}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
        @media screen and (max-width:40rem){body{padding:1rem .5rem}main{overflow-x:auto}th,td{padding:.5rem .375rem}}
        .first a{display:inline-flex;align-items:center;min-height:2.75rem;padding:.5rem 1rem;border-radius:.5rem;font-weight:550;text-decoration:none;background:var(--accent);color:var(--on-accent)}
        @media print{.back{display:none}body{max-width:none;padding:0;background:none}main{border:0;padding:0}thead{display:table-header-group}tr{break-inside:avoid}}
        """;

    /// <summary>Whether the caller is a browser that shows pages.</summary>
    public static bool IsWanted(HttpContext context)
    {
        foreach (var accepted in context.Request.GetTypedHeaders().Accept ?? [])
        {
            if (accepted.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase) && accepted.Quality is not 0)
                return true;
        }

        return false;
    }

    /// <summary>A button that posts.</summary>
    public static string Button(string path, string label) =>
        $"<form method=\"post\" action=\"{HtmlEncoder.Default.Encode(path)}\"><button type=\"submit\">{HtmlEncoder.Default.Encode(label)}</button></form>";

    /// <summary>A whole page, which needs nothing beside itself.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="body">What stands in it.</param>
    /// <param name="theme"><c>light</c>, <c>dark</c>, or <c>system</c> for whatever the device says.</param>
    public static string Document(string title, string body, string theme = "system") =>
        $"""
            <!doctype html>
            <html lang="en" data-theme="{theme}">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{HtmlEncoder.Default.Encode(title)}</title>
            <style>{Style}</style>
            </head>
            <body>
            <main>
            {body}
            </main>
            </body>
            </html>
            """;

    /// <summary>Sends a page.</summary>
    public static Task SendAsync(HttpContext context, int status, string title, string body, string theme = "system")
    {
        var page = Encoding.UTF8.GetBytes(Document(title, body, theme));
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy =
            "default-src 'none'; style-src 'sha256-" + StyleHash + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-store";
        headers.Vary = "Accept";
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = page.Length;
        return context.Response.Body.WriteAsync(page, 0, page.Length, context.RequestAborted);
    }

    private static readonly string StyleHash = Convert.ToBase64String(
        System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(Style))
    );
}
