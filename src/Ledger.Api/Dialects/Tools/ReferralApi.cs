using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Referrals;
using Ledger.Projections.Referrals;

namespace Ledger.Api.Dialects.Tools;

/// <summary>Who brought an account, and whom it brought.</summary>
public sealed class ReferralApi
{
    private const int CodeLength = 16;
    private readonly LedgerService _ledger;
    private readonly Doorkeeper _door;
    private readonly RateGates _gates;
    private readonly ReferralCodes _codes;
    private readonly TimeProvider _time;

    private ReferralApi(IServiceProvider services)
    {
        _ledger = services.GetRequiredService<LedgerService>();
        _door = services.GetRequiredService<Doorkeeper>();
        _gates = services.GetRequiredService<RateGates>();
        _codes = services.GetRequiredService<ReferralCodes>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new ReferralApi(app.Services);
        app.MapGet("/api/v1/referral", (Delegate)api.ShowAsync)
            .WithTags("Referral")
            .Describe<ReferralResponse>("The account's code, how many it brought, and what it got for them.", 429);
        app.MapPost("/api/v1/referral/apply", (Delegate)api.ApplyAsync)
            .WithTags("Referral")
            .Describe<ApplyReferralRequest, AppliedReferralResponse>(
                "Says who brought the account, once: both get a bonus.",
                404,
                409,
                429
            );
    }

    private async Task ShowAsync(HttpContext context)
    {
        if (await EnterAsync(context, RateBucket.ReferralRead) is not var (account, _))
            return;
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                true,
                Referral.CodeOf(account.Id),
                account.Referral.Referred,
                new Amount(account.Referral.Earned, Unit.Credits).WholeFloor()
            ),
            AuthJson.Default.ReferralResponse
        );
    }

    private async Task ApplyAsync(HttpContext context)
    {
        if (await EnterAsync(context, RateBucket.ReferralApply) is not var (account, identity))
            return;
        var faults = new JsonFaults();
        using var document = await JsonMembers.ParseAsync(context, faults);
        string? code = null;
        if (document is not null)
        {
            var body = new JsonMembers(document.RootElement, "", faults);
            code = body.Text("code", 100, required: true)?.Trim().ToLowerInvariant();
            body.End();
        }

        if (!faults.IsEmpty)
        {
            await ToolsErrors.SendAsync(context, faults);
            return;
        }

        var referrer =
            code!.Length == CodeLength && code.All(char.IsAsciiHexDigitLower) ? await _codes.FindAsync(code, context.RequestAborted) : null;
        var command = new ApplyReferral(account.Id, referrer) { By = identity.By };
        var verdict = await _ledger.ExecuteAsync(command, new(identity.Actor, context.TraceIdentifier));
        if (verdict.Refusal is { } refusal || verdict.IsRepeat)
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(verdict.Refusal?.Code ?? RejectionCode.AlreadyReferred));
            return;
        }

        var applied = (ReferralApplied)verdict.Answer!.Value.Event;
        var bonus = (await _ledger.ReadAsync(account.Id))
            .Book.Cards.First(card => card.Version == applied.Card)
            .Document.Referral.ReferredCredits;
        await ApiErrors.SendAsync(
            context,
            200,
            new(true, Charge.WholeCredits(Quantity.Of(1), bonus)!.Value.WholeFloor(), verdict.Available.WholeFloor()),
            AuthJson.Default.AppliedReferralResponse
        );
    }

    /// <summary>Lets somebody in: whoever may have work done may see and say who brought whom.</summary>
    private async Task<(Account Account, Identity Identity)?> EnterAsync(HttpContext context, RateBucket bucket)
    {
        var (identity, denial) = await _door.FindAsync(context);
        if (denial != Denial.None)
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(denial));
            return null;
        }

        var passage = _gates.Count(bucket, identity.Account.Value);
        if (!passage.MayPass)
        {
            ApiErrors.SetRetryAfter(context, passage.RetryAfter);
            await ToolsErrors.SendAsync(context, ToolsErrors.RateLimited);
            return null;
        }

        var (account, _) = await _ledger.ReadAsync(identity.Account);
        if (account.RefusesWork(identity.By, LedgerTime.Later(_time, account.LastAt)) is not { } refusal)
            return (account, identity);
        await ToolsErrors.SendAsync(context, ToolsErrors.Of(refusal));
        return null;
    }
}
