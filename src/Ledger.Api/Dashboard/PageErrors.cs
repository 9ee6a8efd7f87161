using Ledger.Api.Http;

namespace Ledger.Api.Dashboard;

/// <summary>What browsers are shown where nothing else has answered: a page, never a stack trace.</summary>
internal static class PageErrors
{
    /// <summary>For whatever no dialect speaks for, where a page is asked for.</summary>
    public static FaultShape Shape { get; } = new("", SendAsync) { IsWanted = HtmlPage.IsWanted };

    private static Task SendAsync(HttpContext context, Fault fault)
    {
        var (title, message) = fault.Status switch
        {
            403 => ("Not available", fault.Message),
            404 => ("There is nothing here", "The address is mistyped, or what was there has moved."),
            405 => ("There is nothing here", "This address is not a page."),
            413 => ("That was too much", fault.Message),
            503 => ("Back in a moment", fault.Message),
            >= 500 => ("Something broke on our side", "It is not your doing. What was not confirmed was not done; try again in a moment."),
            _ => ("That did not work", fault.Message),
        };
        return context.RequestServices.GetRequiredService<PageRenderer>().SendFaultAsync(context, fault.Status, title, message);
    }
}
