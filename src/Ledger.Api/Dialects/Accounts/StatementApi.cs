using Ledger.Api.Finance;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain.Keys;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>An account's own books, <c>/v1/account/journal</c> and <c>/v1/account/statements</c>, for provisioning keys and whoever is signed in.</summary>
public sealed class StatementApi
{
    private readonly KeyEndpoints _keys;
    private readonly FinanceEndpoints _finance;

    private StatementApi(IServiceProvider services)
    {
        _keys = KeyEndpoints.Of(services, KeyKind.Provisioning, isWrapped: true);
        _finance = new(services, isWrapped: true);
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new StatementApi(app.Services);
        var account = app.MapGroup("/v1/account").WithTags("Account");
        account
            .MapGet("/journal", api.ListJournalAsync)
            .Describe<JournalList>("What every event moved, as balanced postings; oldest first.", 200, 400);
        account
            .MapGet("/statements", (Delegate)api.ListStatementsAsync)
            .Describe<StatementList>("The months that there are statements of, the newest first.", 200);
        account
            .MapGet("/statements/{period}", api.ShowStatementAsync)
            .Describe<StatementAnswer>("The statement of a month; a table where text/csv is wanted, a page where text/html is.", 200, 400);
    }

    private async Task ListJournalAsync(HttpContext context, string? from, string? to, string? position, string? cursor, string? limit)
    {
        if (await _keys.EnterAsync(context) is var (account, _))
            await _finance.ListJournalAsync(context, account, from, to, position, cursor, limit);
    }

    private async Task ListStatementsAsync(HttpContext context)
    {
        if (await _keys.EnterAsync(context) is var (account, _))
            await _finance.ListStatementsAsync(context, account);
    }

    private async Task ShowStatementAsync(HttpContext context, string period, string? at, string? position)
    {
        if (await _keys.EnterAsync(context) is var (account, _))
            await _finance.ShowStatementAsync(context, account, period, at, position);
    }
}
