using System.Text.Json;
using Ledger.Api.Audit;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain.Keys;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>Receipts: why an account was charged, with a proof that can be checked without us.</summary>
public sealed class ReceiptApi
{
    private static readonly ApiError NoSpend = new(404, "spend_not_found", "The account has no such spend.");
    private readonly KeyEndpoints _door;
    private readonly ReceiptDesk _desk;

    private ReceiptApi(IServiceProvider services)
    {
        _door = KeyEndpoints.Of(services, KeyKind.Provisioning, isWrapped: true);
        _desk = services.GetRequiredService<ReceiptDesk>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new ReceiptApi(app.Services);
        app.MapGet("/v1/account/receipts/{spend_id}", api.ShowAsync)
            .WithTags("Account")
            .Describe<ReceiptAnswer>("A spend with its provenance, and proofs of all that it follows from.", 200, 404);
    }

    private async Task ShowAsync(HttpContext context, [Microsoft.AspNetCore.Mvc.FromRoute(Name = "spend_id")] string spendId)
    {
        if (await _door.EnterAsync(context) is not var (account, _))
            return;
        if (
            !Guid.TryParseExact(spendId, "D", out var spend)
            || await _desk.FindAsync(account, spend, context.RequestAborted) is not { } receipt
        )
        {
            await ApiErrors.SendAsync(context, NoSpend);
            return;
        }

        await JsonAnswer.SendAsync(
            context,
            200,
            receipt,
            static (json, receipt) =>
            {
                json.WriteStartObject();
                json.WritePropertyName("data");
                receipt.Write(json);
                json.WriteEndObject();
            }
        );
    }
}

/// <summary>A receipt.</summary>
/// <param name="Data">The receipt.</param>
public sealed record ReceiptAnswer(ReceiptView Data);

/// <summary>A spend with its provenance and its proof; every member is explained in <c>docs/reference/audit.md</c>.</summary>
/// <param name="Format">1.</param>
/// <param name="SpendId">The spend.</param>
/// <param name="AccountId">The account.</param>
/// <param name="Pending">Whether no checkpoint covers it yet.</param>
/// <param name="Spend">What was charged for what, at which price, paid from what; derived from the events below.</param>
/// <param name="Event">The spend's event, with everything that its hash covers.</param>
/// <param name="Proof">Its inclusion proof; null while it is pending.</param>
/// <param name="Evidence">The other events that it follows from, with their proofs.</param>
/// <param name="Checkpoints">The checkpoints that the proofs lead to.</param>
/// <param name="Keys">The keys that have signed them.</param>
public sealed record ReceiptView(
    int Format,
    Guid SpendId,
    string AccountId,
    bool Pending,
    JsonElement Spend,
    JsonElement Event,
    JsonElement? Proof,
    IReadOnlyList<JsonElement> Evidence,
    IReadOnlyList<CheckpointView> Checkpoints,
    IReadOnlyList<JsonElement> Keys
);
