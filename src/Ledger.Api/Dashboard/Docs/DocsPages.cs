using Ledger.Api.Http;

namespace Ledger.Api.Dashboard.Docs;

/// <summary>How to begin, filled in with this server's own address, and every route with what it takes and answers.</summary>
internal sealed class DocsPages(ApiBook book)
{
    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<DocsPages>(services);
        customers.Page("/docs", visit => Task.FromResult(Show(visit)));
        customers.Page("/docs/api", pages.ListAsync);
        customers.Page("/docs/api/operation", pages.ShowAsync);
    }

    private static PageAnswer Show(CustomerVisit visit)
    {
        var wanted = visit.Query("language");
        var language = Snippets.Languages.Any(known => known.Name == wanted) ? wanted! : Snippets.Languages[0].Name;
        var server = ServerOf(visit);
        return PageAnswer.Show<DocsPage, DocsModel>(
            "Docs",
            new(
                server,
                language,
                Snippets.Languages,
                Snippets.Of(language, server),
                visit.Account.Keys.Keys.Values.Any(key => key.UsableAt(visit.Now))
            )
        );
    }

    private async Task<PageAnswer> ListAsync(CustomerVisit visit)
    {
        var operations = await book.ReadAsync(visit.Gone);
        var search = visit.Query("q") is { Length: <= 200 } text ? text.Trim() : "";
        var words = search.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var found = operations
            .Where(operation =>
                words.All(word =>
                    $"{operation.Method} {operation.Path} {operation.Summary} {operation.Tag}".Contains(
                        word,
                        StringComparison.OrdinalIgnoreCase
                    )
                )
            )
            .ToList();
        return PageAnswer.Show<ApiPage, ApiModel>(
            "API",
            new(
                search,
                [
                    .. found
                        .GroupBy(operation => operation.Tag)
                        .OrderBy(group => group.Key, StringComparer.Ordinal)
                        .Select(group => (group.Key, (IReadOnlyList<ApiOperation>)[.. group])),
                ],
                found.Count,
                operations.Count
            )
        );
    }

    private async Task<PageAnswer> ShowAsync(CustomerVisit visit)
    {
        var (method, path) = (visit.Query("method"), visit.Query("path"));
        var operation = (await book.ReadAsync(visit.Gone)).FirstOrDefault(known =>
            string.Equals(known.Method, method, StringComparison.OrdinalIgnoreCase) && known.Path == path
        );
        return operation is null
            ? PageAnswer.NotFound
            : PageAnswer.Show<OperationPage, OperationModel>(
                $"{operation.Method} {operation.Path}",
                new(operation, Snippets.CurlOf(operation, ServerOf(visit)))
            );
    }

    /// <summary>
    /// This server's address, as the browser knows it. Whoever asks may say any host at all: only what can be a host's name is pasted into commands, else what
    /// the server itself listens on by default.
    /// </summary>
    internal static string ServerOf(CustomerVisit visit)
    {
        var host = visit.Context.Request.Host;
        var isLawful =
            host.HasValue
            && host.Value!.Length <= 260
            && host.Value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':' or '[' or ']')
            && Uri.CheckHostName(host.Host.Trim('[', ']')) is UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6;
        return isLawful ? ServerAddress.Of(visit.Context).GetLeftPart(UriPartial.Authority) : "http://127.0.0.1:5080";
    }
}
