using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>The account dialect, <c>/v1/account</c>: balance, keys and access trail, for provisioning keys and whoever is signed in.</summary>
public sealed class AccountApi
{
    private readonly KeyEndpoints _keys;
    private readonly Trail _trail;
    private readonly TimeProvider _time;

    private AccountApi(IServiceProvider services)
    {
        _keys = KeyEndpoints.Of(services, KeyKind.Provisioning, isWrapped: true);
        _trail = services.GetRequiredService<Trail>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>For everything under the routes that no handler answered.</summary>
    internal static FaultShape Shape { get; } = ApiErrors.ShapeOf("/v1/account");

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new AccountApi(app.Services);
        var account = app.MapGroup("/v1/account").WithTags("Account");
        account.MapGet("/balance", (Delegate)api.ShowBalanceAsync).Describe<BalanceAnswer>("What the account has.", 200);
        account
            .MapGet("/keys", api._keys.ListAsync)
            .Describe<KeyList>("The account's keys, oldest first; revoked ones are not among them.", 200, 400);
        account
            .MapPost("/keys", (Delegate)api._keys.CreateAsync)
            .Describe<CreateKeyRequest, KeyAnswer>("Creates a key; its secret is in this answer only.", 201, 402, 409);
        account.MapGet("/keys/{key_id}", api._keys.ShowAsync).Describe<KeyAnswer>("One key.", 200, 404);
        account
            .MapPatch("/keys/{key_id}", api._keys.ChangeAsync)
            .Describe<ChangeKeyRequest, KeyAnswer>("Changes a key; only the members that are there.", 200, 404);
        account.MapDelete("/keys/{key_id}", api._keys.RevokeAsync).Describe("Revokes a key: it never works again.", 204, 404);
        account
            .MapPost("/keys/{key_id}/rotate", api._keys.RotateAsync)
            .Describe<RotateKeyRequest, KeyAnswer>(
                "Gives a key a new secret, in this answer only; the one before works on for a while.",
                200,
                404
            );
        account
            .MapGet("/trail", api.ListTrailAsync)
            .Describe<TrailPage>("Who did what to which key or to the account, when and from where; newest first.", 200, 400);
    }

    private async Task ShowBalanceAsync(HttpContext context)
    {
        if (await _keys.EnterAsync(context) is not var (account, _))
            return;
        var answer = AccountTranslation.ToBalance(account, LedgerTimeOf(account));
        await ApiErrors.SendAsync(context, 200, new(answer), AccountJson.Default.BalanceAnswer);
    }

    private async Task ListTrailAsync(HttpContext context, string? limit, string? cursor)
    {
        if (await _keys.EnterAsync(context) is not var (account, _))
            return;
        var faults = new JsonFaults();
        var before = TrailView.ReadCursor(cursor, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        var entries = await _trail.ReadAsync(account.Id, before, size + 1, context.RequestAborted);
        await ApiErrors.SendAsync(context, 200, TrailView.PageOf(entries, size), TrailJson.Default.TrailPage);
    }

    private DateTimeOffset LedgerTimeOf(Account account) => LedgerTime.Later(_time, account.LastAt);
}
