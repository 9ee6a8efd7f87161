using System.Globalization;
using Ledger.Api.Decisions;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain.Keys;
using Microsoft.AspNetCore.Mvc;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>Explains decisions: why an account was charged, and why it was refused.</summary>
public sealed class DecisionApi
{
    // What somebody else's request came to is not told apart from what never was.
    private static readonly ApiError NoDecision = new(
        404,
        "decision_not_found",
        "The account has no such decision, or it is no longer known; a charge can also be asked for by its x-ledger-spend-id."
    );
    private readonly KeyEndpoints _door;
    private readonly DecisionDesk _desk;

    private DecisionApi(IServiceProvider services)
    {
        _door = KeyEndpoints.Of(services, KeyKind.Provisioning, isWrapped: true);
        _desk = services.GetRequiredService<DecisionDesk>();
    }

    /// <summary>Maps the route.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new DecisionApi(app.Services);
        app.MapGet("/v1/account/decisions/{request_id}", api.ShowAsync)
            .WithTags("Account")
            .Describe<DecisionsAnswer>(
                "What a request was charged or refused, made again: limits, funds and price of then.",
                200,
                400,
                404
            );
    }

    private async Task ShowAsync(HttpContext context, [FromRoute(Name = "request_id")] string requestId, string? limit, string? cursor)
    {
        if (await _door.EnterAsync(context) is not var (account, _))
            return;
        var (faults, skip) = (new JsonFaults(), 0);
        if (
            cursor is not null
            && !(int.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out skip) && skip is > 0 and < int.MaxValue)
        )
            faults.Add("cursor", "must be the next of the page before");
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        if (await _desk.FindAsync(account.Id, requestId, skip, size, context.RequestAborted) is not { } request)
        {
            await ApiErrors.SendAsync(context, NoDecision);
            return;
        }

        var next = request.IsWhole ? null : (skip + request.Decisions.Count).ToString(CultureInfo.InvariantCulture);
        await ApiErrors.SendAsync(context, 200, DecisionTranslation.ToAnswer(request, next), DecisionJson.Default.DecisionsAnswer);
    }
}
