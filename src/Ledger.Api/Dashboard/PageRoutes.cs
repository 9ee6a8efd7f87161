using Ledger.Api.Access;
using Microsoft.AspNetCore.Antiforgery;

namespace Ledger.Api.Dashboard;

/// <summary>Marks a route of the dashboard, for the tests that hold every one of them against the rules.</summary>
/// <param name="Audience">Who may come.</param>
/// <param name="Writes">Whether it changes something.</param>
public sealed record PageRoute(PageAudience Audience, bool Writes);

/// <summary>
/// Routes for one kind of visitor. Whoever maps a route here gets its visitor let in already and, where it writes, the token against forgery checked: no page
/// can forget either.
/// </summary>
/// <typeparam name="TVisit">The visitor.</typeparam>
public sealed class PageRoutes<TVisit>
    where TVisit : PageVisit
{
    private readonly WebApplication _app;
    private readonly PageRenderer _pages;
    private readonly IAntiforgery _antiforgery;
    private readonly PageAudience _audience;
    private readonly Func<HttpContext, Task<TVisit?>> _enter;

    internal PageRoutes(WebApplication app, PageAudience audience, Func<HttpContext, Task<TVisit?>> enter)
    {
        (_app, _audience, _enter) = (app, audience, enter);
        _pages = app.Services.GetRequiredService<PageRenderer>();
        _antiforgery = app.Services.GetRequiredService<IAntiforgery>();
    }

    /// <summary>A page: <c>GET</c>.</summary>
    public void Page(string pattern, Func<TVisit, Task<PageAnswer>> show) =>
        Map(
            pattern,
            isWrite: false,
            async context =>
            {
                if (await _enter(context) is { } visit)
                    await _pages.SendAsync(visit, await show(visit));
            }
        );

    /// <summary>A form: <c>POST</c> of a form that a page of ours showed to this visitor.</summary>
    public void Form(string pattern, Func<TVisit, FormPost, Task<PageAnswer>> take) =>
        Map(
            pattern,
            isWrite: true,
            async context =>
            {
                if (await _enter(context) is not { } visit || await ReadFormAsync(context) is not { } form)
                    return;
                await _pages.SendAsync(visit, await take(visit, form));
            }
        );

    /// <summary>Anything that is read and is no page, such as a table as CSV or a stream of events: <c>GET</c>.</summary>
    public void Read(string pattern, Func<TVisit, Task> answer) =>
        Map(
            pattern,
            isWrite: false,
            async context =>
            {
                if (await _enter(context) is { } visit)
                    await answer(visit);
            }
        );

    /// <summary>What a script of a page sends: <c>POST</c> with the page's token in <see cref="Doorkeeper.CsrfHeader"/>.</summary>
    public void Call(string pattern, Func<TVisit, Task> answer) =>
        Map(
            pattern,
            isWrite: true,
            async context =>
            {
                if (await _enter(context) is not { } visit)
                    return;
                if (context.Request.Headers.ContainsKey(Doorkeeper.CsrfHeader) && await _antiforgery.IsRequestValidAsync(context))
                    await answer(visit);
                else
                    context.Response.StatusCode = StatusCodes.Status403Forbidden;
            }
        );

    private void Map(string pattern, bool isWrite, RequestDelegate handle) =>
        _app.MapMethods(pattern, isWrite ? [HttpMethods.Post] : [HttpMethods.Get, HttpMethods.Head], handle)
            .ExcludeFromDescription()
            .WithMetadata(new PageRoute(_audience, isWrite));

    private async Task<FormPost?> ReadFormAsync(HttpContext context)
    {
        // A form's own content type only: others could be sent from elsewhere without a preflight, and no page of ours sends them.
        if (context.Request.ContentType?.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase) != true)
        {
            await _pages.SendFaultAsync(context, 415, "This is no form", "Only a page's own form can be sent here.");
            return null;
        }

        IFormCollection fields;
        try
        {
            fields = await context.Request.ReadFormAsync(context.RequestAborted);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new BadHttpRequestException("The form is malformed.", e);
        }

        if (await _antiforgery.IsRequestValidAsync(context))
            return new(fields);
        await _pages.SendFaultAsync(
            context,
            403,
            "This form has grown too old",
            "Nothing was changed. You signed in or out since it was shown, or it came from another site. Go back, reload the page, and send it again."
        );
        return null;
    }
}
