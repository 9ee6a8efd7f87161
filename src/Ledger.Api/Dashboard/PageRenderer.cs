using System.Text;
using Ledger.Api.Dashboard.Layout;
using Ledger.Api.Payments;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;

namespace Ledger.Api.Dashboard;

/// <summary>Renders pages to text before the first byte leaves, so that whatever goes wrong in a page becomes an error page.</summary>
public sealed class PageRenderer(AssetLibrary assets, IAntiforgery antiforgery, PaymentDesk payments, ILoggerFactory loggers)
{
    // A form that leads to a checkout is answered with a redirect there, and browsers hold redirects of forms against form-action, too.
    private readonly string _policy =
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        + "frame-ancestors 'none'; form-action "
        + string.Join(' ', payments.Provider.PageOrigins.Prepend("'self'"));

    /// <summary>Sends what a page's route answered.</summary>
    internal async Task SendAsync(PageVisit visit, PageAnswer answer)
    {
        switch (answer)
        {
            case PageAnswer.Elsewhere(var path):
                Redirect(visit.Context, path);
                break;
            case PageAnswer.Page(var view, var title, var model, var status, var scripts):
                // Antiforgery sets headers of its own; ours come after them.
                var csrf = antiforgery.GetAndStoreTokens(visit.Context).RequestToken;
                var frame = FrameOf(visit.Context, title, visit.Audience, visit.Who, csrf, scripts, visit.Now);
                await SendAsync(visit.Context, status, frame, view, model);
                break;
            default:
                await SendFaultAsync(
                    visit.Context,
                    StatusCodes.Status404NotFound,
                    "There is nothing here",
                    "Nothing of this name is yours. It may have been removed, or the address is mistyped."
                );
                break;
        }
    }

    /// <summary>Sends an error page, which offers the way back and nothing else.</summary>
    internal Task SendFaultAsync(HttpContext context, int status, string title, string message, string? href = null, string? way = null)
    {
        var frame = FrameOf(context, title, PageAudience.Guest, null, null, [], default);
        return SendAsync(
            context,
            status,
            frame,
            typeof(FaultPage),
            new FaultModel(status, title, message, context.TraceIdentifier, href, way)
        );
    }

    /// <summary>Answers with another page's address.</summary>
    internal static void Redirect(HttpContext context, string path)
    {
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = path;
        context.Response.Headers.CacheControl = "no-store";
    }

    private PageFrame FrameOf(
        HttpContext context,
        string title,
        PageAudience audience,
        string? who,
        string? csrf,
        IReadOnlyList<string> scripts,
        DateTimeOffset now
    ) => new(title, context.Request.Path + context.Request.QueryString, audience, who, Themes.Of(context), csrf, assets, scripts, now);

    private async Task SendAsync(HttpContext context, int status, PageFrame frame, Type view, object model)
    {
        await using var renderer = new HtmlRenderer(context.RequestServices, loggers);
        var html = await renderer.Dispatcher.InvokeAsync(async () =>
        {
            var parameters = ParameterView.FromDictionary(
                new Dictionary<string, object?>
                {
                    [nameof(Document.Frame)] = frame,
                    [nameof(Document.View)] = view,
                    [nameof(Document.Model)] = model,
                }
            );
            return (await renderer.RenderComponentAsync<Document>(parameters)).ToHtmlString();
        });
        var page = Encoding.UTF8.GetBytes(html);
        var response = context.Response;
        var headers = response.Headers;
        headers.ContentSecurityPolicy = _policy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()";
        headers.CacheControl = "no-store";
        headers.Remove("Pragma");
        response.StatusCode = status;
        response.ContentType = "text/html; charset=utf-8";
        response.ContentLength = page.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await response.Body.WriteAsync(page, context.RequestAborted);
    }
}
