using System.Text;
using System.Text.Encodings.Web;

namespace Ledger.Api.Http;

/// <summary>Small pages without scripts. Whatever stands in them was encoded by whoever made them.</summary>
internal static class HtmlPage
{
    private const string Style = """
        :root{color-scheme:light dark;--ink:#1c1f24;--soft:#667085;--line:#d8dce3;--ground:#fff;--accent:#2457d6}
        @media (prefers-color-scheme:dark){:root{--ink:#e8eaee;--soft:#9aa4b2;--line:#353b45;--ground:#15181d;--accent:#7aa2ff}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:48rem;padding:2rem 1.25rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
        h1{font-size:1.5rem;margin:.5rem 0}
        .note{color:var(--soft);border-left:3px solid var(--accent);padding-left:.75rem}
        .amount{font-size:2.25rem;font-weight:600;margin:.25rem 0}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
        .actions,form{display:flex;flex-wrap:wrap;gap:.5rem;margin:.5rem 0}
        button{font:inherit;padding:.5rem 1rem;border:1px solid var(--accent);border-radius:.5rem;background:transparent;color:var(--accent);cursor:pointer}
        button:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
        table{border-collapse:collapse;width:100%;margin-top:1rem}th,td{text-align:left;padding:.4rem .5rem;border-bottom:1px solid var(--line)}
        h2{font-size:1.1rem;margin:1.5rem 0 0}@media print{body{max-width:none;padding:0}thead{display:table-header-group}tr{break-inside:avoid}}
        th{color:var(--soft);font-weight:500}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
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
    public static string Document(string title, string body) =>
        $"""
            <!doctype html>
            <html lang="en">
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
    public static Task SendAsync(HttpContext context, int status, string title, string body)
    {
        var page = Encoding.UTF8.GetBytes(Document(title, body));
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
