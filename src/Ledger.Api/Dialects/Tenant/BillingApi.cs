using System.Text.Json.Serialization;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Api.Payments;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;

namespace Ledger.Api.Dialects.Tenant;

/// <summary>The tenant dialect's billing: the subscription, the prepaid balance, and paying for both.</summary>
public sealed class BillingApi
{
    private readonly LedgerService _ledger;
    private readonly Entrance _entrance;
    private readonly PaymentDesk _desk;

    private BillingApi(IServiceProvider services)
    {
        _ledger = services.GetRequiredService<LedgerService>();
        _entrance = services.GetRequiredService<Entrance>();
        _desk = services.GetRequiredService<PaymentDesk>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new BillingApi(app.Services);
        var tenant = app.MapGroup("/tenant").WithTags("Tenant");
        tenant
            .MapGet("/credits", (Delegate)api.ShowCreditsAsync)
            .Describe<TenantCredits>("The prepaid balance in millionths of a dollar, rounded down; negative in debt.", 200);
        tenant
            .MapGet("/subscription", (Delegate)api.ShowSubscriptionAsync)
            .Describe<TenantSubscription>("The subscription's tier and its 24 h quota.", 200);
        tenant
            .MapPut("/subscription", (Delegate)api.ChangeAsync)
            .Describe<ChangeSubscriptionRequest, TenantSubscriptionChange>(
                "Changes the tier: now, or from the next period on. Where a difference is to be paid first, answers the page for that.",
                200,
                402,
                409,
                502
            );
        tenant
            .MapDelete("/subscription", api.EndAsync)
            .Describe<TenantSubscription>("Ends the subscription with its period, or with ?when=now at once.", 200, 400, 402);
        tenant
            .MapPost("/billing/topup", (Delegate)api.TopUpAsync)
            .Describe<TopupRequest, TenantCheckout>("Opens a page on which the prepaid balance can be topped up.", 200, 409, 502);
        tenant
            .MapPost("/billing/checkout", (Delegate)api.SubscribeAsync)
            .Describe<SubscribeRequest, TenantCheckout>("Opens a page on which a subscription can be bought.", 200, 409, 502);
        tenant
            .MapPost("/billing/portal", (Delegate)api.OpenPortalAsync)
            .Describe<PortalAnswer>("Opens the payment provider's page for what was paid and for cards.", 200, 502);
    }

    private async Task ShowCreditsAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not { } entry)
            return;
        var wallet = entry.Account.Wallet;
        var posted =
            wallet.Open.Where(pocket => pocket is { Unit: Unit.Usd, Scope: null }).Sum(pocket => pocket.Remaining)
            - wallet.Debt(Unit.Usd).Parts;
        await ApiErrors.SendAsync(context, 200, new(Floor(posted, 1000)), TenantJson.Default.TenantCredits);
    }

    private async Task ShowSubscriptionAsync(HttpContext context)
    {
        if (await EnterAsync(context) is { } entry)
            await ApiErrors.SendAsync(context, 200, ViewOf(entry.Account.Subscription, entry.Now), TenantJson.Default.TenantSubscription);
    }

    private async Task ChangeAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not { } entry)
            return;
        var asked = await ApiErrors.ReadAsync(
            context,
            static (body, _, _) =>
            {
                var tier = body.Text("tier", 100, required: true) ?? "";
                var atPeriodEnd = body.Choice("when", false, ("now", false), ("period_end", true)) ?? false;
                body.End();
                return new ChangeSubscriptionRequest(tier, atPeriodEnd ? "period_end" : "now");
            }
        );
        if (asked is null)
            return;
        var id = entry.Account.Id;
        var command = new ChangeSubscription(id, EventIds.Request(id, context.TraceIdentifier), asked.Tier, asked.When == "period_end")
        {
            By = entry.Identity.By,
        };
        var refusal = (await _ledger.ExecuteAsync(command, CallerOf(context, entry))).Refusal;
        if (refusal is { Code: not RejectionCode.PaymentRequired and var code })
        {
            await ApiErrors.SendAsync(context, KeyErrors.Of(code));
            return;
        }

        Checkout? checkout = null;
        if (refusal is not null)
        {
            checkout = await OpenAsync(context, entry, OrderKind.Upgrade, asked.Tier, null);
            if (checkout is null)
                return;
        }

        var after = (await _ledger.ReadAsync(id)).Account;
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                ViewOf(after.LapsedAt(entry.Now).Subscription, entry.Now),
                checkout is null ? "changed" : "payment_required",
                checkout?.Page!.Session,
                checkout?.Page!.Url,
                checkout is { Order: { } order } ? WireNumber.Of(order.Price) : null
            ),
            TenantJson.Default.TenantSubscriptionChange
        );
    }

    private async Task EndAsync(HttpContext context, string? when)
    {
        if (await EnterAsync(context) is not { } entry)
            return;
        if (when is not (null or "now" or "period_end"))
        {
            var faults = new JsonFaults();
            faults.Add("when", "must be now or period_end");
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var id = entry.Account.Id;
        var command = new EndSubscription(id, EventIds.Request(id, context.TraceIdentifier), when != "now", "canceled")
        {
            By = entry.Identity.By,
        };
        if ((await _ledger.ExecuteAsync(command, CallerOf(context, entry))).Refusal is { } refusal)
        {
            await ApiErrors.SendAsync(context, KeyErrors.Of(refusal.Code));
            return;
        }

        var after = (await _ledger.ReadAsync(id)).Account;
        await ApiErrors.SendAsync(
            context,
            200,
            ViewOf(after.LapsedAt(entry.Now).Subscription, entry.Now),
            TenantJson.Default.TenantSubscription
        );
    }

    private async Task TopUpAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not { } entry)
            return;
        var terms = entry.Card.Document.Topup;
        var amount = default(Amount);
        var asked = await ApiErrors.ReadAsync(
            context,
            (body, _, faults) =>
            {
                amount = body.Dollars("amount_usd", terms.MinAmountUsd, terms.MaxAmountUsd);
                body.End();
                return new TopupRequest(WireNumber.Of(amount));
            }
        );
        if (asked is null || await OpenAsync(context, entry, OrderKind.Topup, null, amount) is not { } checkout)
            return;
        await SendAsync(context, checkout);
    }

    private async Task SubscribeAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not { } entry)
            return;
        var asked = await ApiErrors.ReadAsync(
            context,
            static (body, _, _) =>
            {
                var tier = body.Text("tier", 100, required: true) ?? "";
                body.End();
                return new SubscribeRequest(tier);
            }
        );
        if (asked is null || await OpenAsync(context, entry, OrderKind.Subscription, asked.Tier, null) is not { } checkout)
            return;
        await SendAsync(context, checkout);
    }

    private async Task OpenPortalAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not { } entry)
            return;
        try
        {
            var url = await _desk.OpenPortalAsync(
                entry.Account,
                ServerAddress.Of(context),
                CallerOf(context, entry),
                context.RequestAborted
            );
            await ApiErrors.SendAsync(context, 200, new(url), TenantJson.Default.PortalAnswer);
        }
        catch (PaymentProviderException)
        {
            await ApiErrors.SendAsync(context, ProviderAway);
        }
    }

    private async Task<Entry?> EnterAsync(HttpContext context)
    {
        var entry = await _entrance.EnterAsync(context, null);
        if (entry.IsOpen)
            return entry;
        if (entry.RetryAfter is { } after)
            await ApiErrors.SendAsync(context, after);
        else
            await ApiErrors.SendAsync(context, entry.Refusal is { } code ? KeyErrors.Of(code) : KeyErrors.Of(entry.Denial));
        return null;
    }

    private async Task<Checkout?> OpenAsync(HttpContext context, Entry entry, OrderKind kind, string? item, Amount? pays)
    {
        try
        {
            var checkout = await _desk.OpenAsync(
                entry.Account.Id,
                entry.Identity.By,
                kind,
                item,
                pays,
                ServerAddress.Of(context),
                CallerOf(context, entry),
                context.RequestAborted
            );
            if (checkout.Refusal is not { } refusal)
                return checkout;
            await ApiErrors.SendAsync(context, refusal == RejectionCode.AmountOutOfRange ? TooMuch : KeyErrors.Of(refusal));
        }
        catch (PaymentProviderException)
        {
            await ApiErrors.SendAsync(context, ProviderAway);
        }

        return null;
    }

    private static Task SendAsync(HttpContext context, in Checkout checkout) =>
        ApiErrors.SendAsync(
            context,
            200,
            new(checkout.Page!.Session, checkout.Page.Url, WireNumber.Of(checkout.Order!.Price), checkout.Order.Item),
            TenantJson.Default.TenantCheckout
        );

    private static TenantSubscription ViewOf(Subscription subscription, DateTimeOffset now)
    {
        if (subscription.Terms is not { } terms)
            return new(null, "none", 0, 0, 0, null, null, null);
        if (!subscription.IsActive)
            return new(terms.Tier, "ended", 0, 0, 0, null, null, null);
        var use = subscription.QuotaAt(now);
        return new(
            terms.Tier,
            !subscription.IsPaidAt(now) ? "past_due"
                : subscription.EndsAt is not null ? "ending"
                : "active",
            terms.TokensPer24h,
            use.Used,
            use.Held,
            subscription.QuotaResetsAt(now),
            subscription.EndsAt is null && subscription.IsPaidAt(now) ? subscription.PeriodEnd : null,
            subscription.Next?.Tier
        );
    }

    private static Caller CallerOf(HttpContext context, in Entry entry) => new(entry.Identity.Actor, context.TraceIdentifier);

    private static long Floor(long parts, long per) => (parts / per) - (parts % per < 0 ? 1 : 0);

    private static readonly ApiError TooMuch = new(400, "invalid_request", "This is more than one account may hold.");

    private static readonly ApiError ProviderAway = new(
        502,
        "payment_provider_error",
        "The payment provider could not be reached; nothing was ordered."
    );
}

/// <summary>The prepaid balance.</summary>
/// <param name="BalanceMicros">Posted, in millionths of a dollar, rounded down; negative in debt.</param>
public sealed record TenantCredits(long BalanceMicros);

/// <summary>The subscription.</summary>
/// <param name="Tier">The tier; null where there never was one.</param>
/// <param name="State"><c>none</c>, <c>active</c>, <c>ending</c> (with its period), <c>past_due</c> (the period is not paid) or <c>ended</c>.</param>
/// <param name="Quota">Tokens per window of 24 hours.</param>
/// <param name="Used">Used of them in the window under way.</param>
/// <param name="Held">Held of them for calls under way.</param>
/// <param name="ResetsAt">When the window ends.</param>
/// <param name="NextResetAt">When the next period begins; null where none will.</param>
/// <param name="NextTier">The tier from the next period on, where that is another.</param>
public sealed record TenantSubscription(
    string? Tier,
    string State,
    long Quota,
    long Used,
    long Held,
    DateTimeOffset? ResetsAt,
    DateTimeOffset? NextResetAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? NextTier
);

/// <summary>Asks for another tier.</summary>
/// <param name="Tier">The tier.</param>
/// <param name="When"><c>now</c> (the default) or <c>period_end</c>.</param>
public sealed record ChangeSubscriptionRequest(string Tier, string? When);

/// <summary>What asking for another tier came to.</summary>
/// <param name="Subscription">The subscription as it is now.</param>
/// <param name="Status"><c>changed</c>, or <c>payment_required</c>: then it changes when its difference is paid.</param>
/// <param name="SessionId">The page for that.</param>
/// <param name="Url">Where it is.</param>
/// <param name="AmountUsd">What it costs.</param>
public sealed record TenantSubscriptionChange(
    TenantSubscription Subscription,
    string Status,
    string? SessionId,
    string? Url,
    decimal? AmountUsd
);

/// <summary>Asks for a top-up.</summary>
/// <param name="AmountUsd">For how many dollars: whole cents within the limits.</param>
public sealed record TopupRequest(decimal AmountUsd);

/// <summary>Asks for a subscription.</summary>
/// <param name="Tier">The tier.</param>
public sealed record SubscribeRequest(string Tier);

/// <summary>A checkout.</summary>
/// <param name="SessionId">The provider's page.</param>
/// <param name="Url">Where it can be paid.</param>
/// <param name="AmountUsd">What it costs.</param>
/// <param name="Tier">The tier, where one is bought.</param>
public sealed record TenantCheckout(
    string SessionId,
    string Url,
    decimal AmountUsd,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Tier
);

/// <summary>The payment provider's page.</summary>
/// <param name="Url">Where it is.</param>
public sealed record PortalAnswer(string Url);

/// <summary>Writes the dialect's answers: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(TenantCredits))]
[JsonSerializable(typeof(TenantSubscription))]
[JsonSerializable(typeof(TenantSubscriptionChange))]
[JsonSerializable(typeof(TenantCheckout))]
[JsonSerializable(typeof(PortalAnswer))]
internal sealed partial class TenantJson : JsonSerializerContext;
