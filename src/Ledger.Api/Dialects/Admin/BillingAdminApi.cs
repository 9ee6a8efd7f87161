using System.Globalization;
using System.Text.Json.Serialization;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Projections.Payments;

namespace Ledger.Api.Dialects.Admin;

/// <summary>The operator's API for what accounts buy and subscribe to, and for comparing the ledger with the payment provider.</summary>
public sealed class BillingAdminApi
{
    private const int MaxReference = 200;
    private readonly AdminDesk _desk;
    private readonly LedgerService _ledger;
    private readonly OrderQueries _orders;
    private readonly ProviderEvents _told;
    private readonly TimeProvider _time;

    private BillingAdminApi(IServiceProvider services)
    {
        _desk = new(services);
        _ledger = services.GetRequiredService<LedgerService>();
        _orders = services.GetRequiredService<OrderQueries>();
        _told = services.GetRequiredService<ProviderEvents>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new BillingAdminApi(app.Services);
        var admin = app.MapGroup("/admin").WithTags("Admin").OnlyFor(app.Services.GetRequiredService<OperatorKey>());
        admin
            .MapPost("/accounts/{id}/packs", api.GivePackAsync)
            .Describe<GivePackRequest, OrderView>("Gives a pack that nobody pays for, once per reference; 200 on a repeat.", 201, 404, 409);
        admin
            .MapGet("/accounts/{id}/subscription", api.ShowSubscriptionAsync)
            .Describe<SubscriptionView>("The account's subscription.", 200, 404);
        admin
            .MapPut("/accounts/{id}/subscription", api.SetSubscriptionAsync)
            .Describe<SetSubscriptionRequest, SubscriptionView>(
                "Gives a subscription that counts as paid, or changes its tier at once.",
                200,
                404,
                409
            );
        admin
            .MapDelete("/accounts/{id}/subscription", api.EndSubscriptionAsync)
            .Describe<SubscriptionView>("Ends the subscription at once, or with ?when=period_end with its period.", 200, 400, 404, 409);
        admin
            .MapGet("/accounts/{id}/orders", api.ListOrdersAsync)
            .Describe<OrderList>("What the account has bought and is about to buy, newest first.", 200, 400, 404);
        admin
            .MapGet("/payments", api.ListPaymentsAsync)
            .Describe<PaymentList>(
                "Payments of a time in their order, with what they come to in all, for comparing with the provider.",
                200,
                400
            );
        admin
            .MapGet("/payments/events", api.ListEventsAsync)
            .Describe<ProviderEventList>("What the payment provider told, and what came of it; the latest first.", 200, 400);
    }

    private async Task GivePackAsync(HttpContext context, string id)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        var command = await ApiErrors.ReadAsync(
            context,
            (body, _, _) =>
            {
                var pack = body.Text("pack", 100, required: true) ?? "";
                var reference = body.Text("reference", MaxReference, required: true) ?? "";
                body.End();
                return new GivePack(account, pack, reference);
            }
        );
        if (command is null || await _desk.ExecuteAsync(context, command) is not { } verdict)
            return;
        if (verdict.IsRepeat)
            context.Response.Headers["Idempotent-Replayed"] = "true";
        var order = (await _ledger.ReadAsync(account)).Account.Orders.Find(EventIds.OrderOf(account, Orders.Operator, command.Reference))!;
        await ApiErrors.SendAsync(
            context,
            verdict.IsRepeat ? 200 : 201,
            BillingView.Of(account, order),
            BillingAdminJson.Default.OrderView
        );
    }

    private async Task ShowSubscriptionAsync(HttpContext context, string id)
    {
        if (await _desk.FindAsync(context, id) is { } account)
            await SendAsync(context, account);
    }

    private async Task SetSubscriptionAsync(HttpContext context, string id)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        var command = await ApiErrors.ReadAsync(
            context,
            (body, _, _) =>
            {
                var tier = body.Text("tier", 100, required: true) ?? "";
                body.End();
                return new SetSubscription(account, EventIds.Request(account, context.TraceIdentifier), tier);
            }
        );
        if (
            command is not null
            && await _desk.ExecuteAsync(context, command) is not null
            && await _desk.FindAsync(context, id) is { } after
        )
            await SendAsync(context, after);
    }

    private async Task EndSubscriptionAsync(HttpContext context, string id, string? when)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        if (when is not (null or "now" or "period_end"))
        {
            var faults = new JsonFaults();
            faults.Add("when", "must be now or period_end");
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var command = new EndSubscription(
            account,
            EventIds.Request(account, context.TraceIdentifier),
            when == "period_end",
            "ended by the operator"
        );
        if (await _desk.ExecuteAsync(context, command) is not null && await _desk.FindAsync(context, id) is { } after)
            await SendAsync(context, after);
    }

    private async Task ListOrdersAsync(HttpContext context, string id, string? limit, string? cursor)
    {
        if (await ApiErrors.PageSizeAsync(context, limit, new()) is not { } size)
            return;
        if (await _desk.FindAsync(context, id) is not { } account)
            return;
        var all = account
            .Orders.All.Values.OrderByDescending(order => order.OpenedAt)
            .ThenByDescending(order => order.Id.Value, StringComparer.Ordinal)
            .ToList();
        var from = cursor is null ? 0 : all.FindIndex(order => order.Id.Value == cursor) + 1;
        if (cursor is not null && from == 0)
        {
            var faults = new JsonFaults();
            faults.Add("cursor", "must be the next of the page before");
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var page = all.Skip(from).Take(size).ToList();
        await ApiErrors.SendAsync(
            context,
            200,
            new([.. page.Select(order => BillingView.Of(account.Id, order))], from + size < all.Count ? page[^1].Id.Value : null),
            BillingAdminJson.Default.OrderList
        );
    }

    private async Task ListPaymentsAsync(HttpContext context, string? from, string? to, string? provider, string? limit, string? cursor)
    {
        var faults = new JsonFaults();
        var now = LedgerTime.Now(_time);
        var first = Time(from, "from", faults) ?? now.AddDays(-30);
        var last = Time(to, "to", faults) ?? now;
        if (first >= last)
            faults.Add("to", "must be later than from");
        if (provider is { Length: 0 or > 50 } || provider?.Contains('\0', StringComparison.Ordinal) == true)
            faults.Add("provider", "must be the name of a payment provider");
        var after = PaymentCursor.Read(cursor, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        var ct = context.RequestAborted;
        var found = await _orders.ListPaymentsAsync(first, last, provider, after, size + 1, ct);
        var totals = await _orders.SumPaymentsAsync(first, last, provider, ct);
        var page = found.Take(size).ToList();
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                [.. page.Select(line => BillingView.Of(line.Account, line.Order))],
                new(
                    totals.Count,
                    BillingView.Usd(totals.Paid),
                    BillingView.Usd(totals.Refunded),
                    BillingView.Usd(totals.Disputed),
                    BillingView.Usd(totals.Paid - totals.Refunded - totals.Disputed)
                ),
                found.Count > size
                    ? PaymentCursor.Write(page[^1].Order.PaidAt!.Value, page[^1].Account.Value, page[^1].Order.Id.Value)
                    : null
            ),
            BillingAdminJson.Default.PaymentList
        );
    }

    private async Task ListEventsAsync(HttpContext context, string? outcome, string? limit, string? cursor)
    {
        var faults = new JsonFaults();
        if (outcome is not (null or "done" or "repeated" or "ignored" or "mismatched" or "unmatched" or "refused"))
            faults.Add("outcome", "must be done, repeated, ignored, mismatched, unmatched or refused");
        var before = PaymentCursor.Read(cursor, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        var found = await _told.ListAsync(outcome, before, size + 1, context.RequestAborted);
        var page = found.Take(size).ToList();
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                [
                    .. page.Select(line => new ProviderEventView(
                        line.Provider,
                        line.EventId,
                        line.Type,
                        line.Outcome,
                        line.Detail,
                        line.Account,
                        line.Order,
                        line.Times,
                        line.FirstAt,
                        line.LastAt
                    )),
                ],
                found.Count > size ? PaymentCursor.Write(page[^1].LastAt, page[^1].Provider, page[^1].EventId) : null
            ),
            BillingAdminJson.Default.ProviderEventList
        );
    }

    private static DateTimeOffset? Time(string? text, string name, JsonFaults faults)
    {
        if (text is null)
            return null;
        if (WireTime.TryParse(text, out var at))
            return at;
        faults.Add(name, "must be a time such as 2026-07-03T12:00:00Z, with at most six fraction digits");
        return null;
    }

    private static Task SendAsync(HttpContext context, Account account) =>
        ApiErrors.SendAsync(context, 200, BillingView.Of(account.Subscription), BillingAdminJson.Default.SubscriptionView);
}

/// <summary>Where a page ended: a time and two names, none of which can hold the mark between them.</summary>
internal static class PaymentCursor
{
    public static string Write(DateTimeOffset at, string first, string second) =>
        string.Create(CultureInfo.InvariantCulture, $"{at.UtcTicks / TimeSpan.TicksPerMicrosecond}~{first}~{second}");

    public static (DateTimeOffset At, string First, string Second)? Read(string? cursor, JsonFaults faults)
    {
        if (cursor is null)
            return null;
        if (
            cursor.Length <= 500
            && !cursor.Contains('\0', StringComparison.Ordinal)
            && cursor.Split('~') is [var time, var first, var second]
            && long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
            && micros <= DateTimeOffset.MaxValue.UtcTicks / TimeSpan.TicksPerMicrosecond
        )
            return (new(micros * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero), first, second);
        faults.Add("cursor", "must be the next of the page before");
        return null;
    }
}

/// <summary>Asks to give a pack.</summary>
/// <param name="Pack">The pack, an entry of the rate card.</param>
/// <param name="Reference">The operator's name for it.</param>
public sealed record GivePackRequest(string Pack, string Reference);

/// <summary>Asks to give or change a subscription.</summary>
/// <param name="Tier">The tier, an entry of the rate card.</param>
public sealed record SetSubscriptionRequest(string Tier);

/// <summary>A subscription.</summary>
/// <param name="Tier">The tier; null where there never was one.</param>
/// <param name="State"><c>none</c>, <c>active</c> or <c>ended</c>.</param>
/// <param name="Provider">Who bills it.</param>
/// <param name="Reference">The provider's name for it.</param>
/// <param name="PriceUsd">What a month costs.</param>
/// <param name="CreditsPerMonth">Credits per month.</param>
/// <param name="TokensPer24h">Tokens per 24 hours.</param>
/// <param name="Period">The period's index.</param>
/// <param name="PeriodStart">When it began.</param>
/// <param name="PeriodEnd">When it ends.</param>
/// <param name="NextTier">The tier from the next period on, where that is another.</param>
/// <param name="EndsAt">When it is going to end.</param>
/// <param name="EndedAt">When it ended.</param>
public sealed record SubscriptionView(
    string? Tier,
    string State,
    string? Provider,
    string? Reference,
    decimal? PriceUsd,
    decimal? CreditsPerMonth,
    [property: JsonPropertyName("tokens_per_24h")] long? TokensPer24h,
    long? Period,
    DateTimeOffset? PeriodStart,
    DateTimeOffset? PeriodEnd,
    string? NextTier,
    DateTimeOffset? EndsAt,
    DateTimeOffset? EndedAt
);

/// <summary>An order.</summary>
/// <param name="AccountId">Whose it is.</param>
/// <param name="OrderId">Its id, which travels to the payment provider and back.</param>
/// <param name="Kind"><c>payg</c>, <c>topup</c>, <c>pack</c>, <c>subscription</c> or <c>upgrade</c>.</param>
/// <param name="Item">The pack or tier; null where money buys a unit.</param>
/// <param name="PriceUsd">What is to be paid.</param>
/// <param name="Gives">What its payment grants.</param>
/// <param name="Unit">Of what: <c>credits</c> or <c>usd</c>.</param>
/// <param name="CreditsPerDollar">At what rate money became credits.</param>
/// <param name="CardVersion">The rate card it was sold by.</param>
/// <param name="Provider">Who takes the payment.</param>
/// <param name="Status"><c>open</c>, <c>paid</c>, <c>failed</c> or <c>expired</c>.</param>
/// <param name="Automatic">Whether the ledger ordered it by itself.</param>
/// <param name="SessionId">The provider's page.</param>
/// <param name="PaymentId">What paid it.</param>
/// <param name="PaymentIntent">Under which name its refunds and disputes come.</param>
/// <param name="OpenedAt">When it was ordered.</param>
/// <param name="PaidAt">When it was paid.</param>
/// <param name="RefundedUsd">What was given back in all.</param>
/// <param name="DisputedUsd">What disputes that were not won have withdrawn.</param>
/// <param name="ClawedBack">What of its grant was clawed back in all.</param>
/// <param name="Reason">Why the last attempt to pay failed.</param>
public sealed record OrderView(
    string AccountId,
    string OrderId,
    string Kind,
    string? Item,
    decimal PriceUsd,
    decimal? Gives,
    string? Unit,
    decimal? CreditsPerDollar,
    long CardVersion,
    string Provider,
    string Status,
    bool Automatic,
    string? SessionId,
    string? PaymentId,
    string? PaymentIntent,
    DateTimeOffset OpenedAt,
    DateTimeOffset? PaidAt,
    decimal RefundedUsd,
    decimal DisputedUsd,
    decimal ClawedBack,
    string? Reason
);

/// <summary>Orders.</summary>
/// <param name="Data">The orders.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
public sealed record OrderList(IReadOnlyList<OrderView> Data, string? Next);

/// <summary>Payments.</summary>
/// <param name="Data">The paid orders, in the order in which they were paid.</param>
/// <param name="Totals">What all payments of the time come to.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
public sealed record PaymentList(IReadOnlyList<OrderView> Data, PaymentSums Totals, string? Next);

/// <summary>What payments come to, in dollars.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="PaidUsd">What was paid.</param>
/// <param name="RefundedUsd">What of it was given back since.</param>
/// <param name="DisputedUsd">What of it is withdrawn by disputes that were not won.</param>
/// <param name="NetUsd">What is left.</param>
public sealed record PaymentSums(long Count, decimal PaidUsd, decimal RefundedUsd, decimal DisputedUsd, decimal NetUsd);

/// <summary>Something that the payment provider told.</summary>
/// <param name="Provider">The provider.</param>
/// <param name="EventId">The provider's name for it.</param>
/// <param name="Type">What it tells.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="Detail">What did not match, or why it was refused.</param>
/// <param name="AccountId">Whom it concerned.</param>
/// <param name="OrderId">Which order.</param>
/// <param name="Times">How often it came.</param>
/// <param name="FirstAt">When it came first.</param>
/// <param name="LastAt">When it came last.</param>
public sealed record ProviderEventView(
    string Provider,
    string EventId,
    string Type,
    string Outcome,
    string? Detail,
    string? AccountId,
    string? OrderId,
    int Times,
    DateTimeOffset FirstAt,
    DateTimeOffset LastAt
);

/// <summary>What the payment provider told.</summary>
/// <param name="Data">The latest first.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
public sealed record ProviderEventList(IReadOnlyList<ProviderEventView> Data, string? Next);

/// <summary>Writes the answers: snake_case, nulls included, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(SubscriptionView))]
[JsonSerializable(typeof(OrderView))]
[JsonSerializable(typeof(OrderList))]
[JsonSerializable(typeof(PaymentList))]
[JsonSerializable(typeof(ProviderEventList))]
internal sealed partial class BillingAdminJson : JsonSerializerContext;

/// <summary>Between the ledger's words and the wire.</summary>
internal static class BillingView
{
    public static OrderView Of(AccountId account, Order order) =>
        new(
            account.Value,
            order.Id.Value,
            order.Kind switch
            {
                OrderKind.Payg => "payg",
                OrderKind.Topup => "topup",
                OrderKind.Pack => "pack",
                OrderKind.Subscription => "subscription",
                OrderKind.Upgrade => "upgrade",
            },
            order.Item,
            Usd(order.Price.Parts),
            order.Gives is { } gives ? WireNumber.Of(gives) : null,
            order.Gives?.Unit.Name(),
            order.Rate is { } rate ? WireNumber.Of(rate) : null,
            order.Card,
            order.Provider,
            order.Status switch
            {
                OrderStatus.Open => "open",
                OrderStatus.Paid => "paid",
                OrderStatus.Failed => "failed",
                OrderStatus.Expired => "expired",
            },
            order.IsAutomatic,
            order.Session,
            order.Payment,
            order.Intent,
            order.OpenedAt,
            order.PaidAt,
            Usd(order.Refunded),
            Usd(order.Disputes.Where(dispute => !dispute.IsWon).Sum(dispute => dispute.Amount)),
            order.Gives is { } given ? WireNumber.Of(order.ClawedBack, given.Unit) : 0,
            order.Reason
        );

    public static SubscriptionView Of(Subscription subscription) =>
        subscription.Terms is not { } terms
            ? new(null, "none", null, null, null, null, null, null, null, null, null, null, null)
            : new(
                terms.Tier,
                subscription.IsActive ? "active" : "ended",
                subscription.Provider,
                subscription.Reference,
                Usd(terms.Price.Parts),
                WireNumber.Of(terms.Credits),
                terms.TokensPer24h,
                subscription.Period,
                subscription.PeriodStart,
                subscription.PeriodEnd,
                subscription.Next?.Tier,
                subscription.EndsAt,
                subscription.EndedAt
            );

    /// <summary>Only the wire's spelling: exact in a decimal.</summary>
    public static decimal Usd(decimal parts) => WireNumber.Of(parts, Unit.Usd);
}
