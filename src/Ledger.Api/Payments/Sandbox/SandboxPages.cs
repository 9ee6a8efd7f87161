using System.Text.Encodings.Web;
using Ledger.Api.Application;
using Ledger.Api.Dashboard;
using Ledger.Api.Dashboard.Credits;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Projections.Payments;
using Microsoft.AspNetCore.Http.Features;

namespace Ledger.Api.Payments.Sandbox;

/// <summary>The sandbox's pages, where a click pays, cancels, declines, refunds or disputes. They exist in sandbox mode only.</summary>
public sealed class SandboxPages
{
    private readonly PaymentDesk _desk;
    private readonly LedgerService _ledger;
    private readonly OrderQueries _orders;
    private readonly SandboxProvider _sandbox;
    private readonly SandboxCards _cards;
    private readonly TimeProvider _time;

    private SandboxPages(IServiceProvider services)
    {
        _desk = services.GetRequiredService<PaymentDesk>();
        _ledger = services.GetRequiredService<LedgerService>();
        _orders = services.GetRequiredService<OrderQueries>();
        _sandbox = services.GetRequiredService<SandboxProvider>();
        _cards = services.GetRequiredService<SandboxCards>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.Services.GetRequiredService<PaymentDesk>().Provider is not SandboxProvider)
            return;
        var pages = new SandboxPages(app.Services);
        var sandbox = app.MapGroup("/sandbox").ExcludeFromDescription();
        sandbox.MapGet("/checkout/{session}", pages.ShowCheckoutAsync);
        sandbox.MapPost("/checkout/{session}/{action}", pages.ActAsync);
        sandbox.MapGet("/portal/{portal}", pages.ShowPortalAsync);
        sandbox.MapPost("/portal/{portal}/{action}", pages.ManageAsync);
    }

    private async Task ShowCheckoutAsync(HttpContext context, string session)
    {
        if (await FindAsync(context, session) is not var (_, order))
            return;
        if (!HtmlPage.IsWanted(context))
        {
            await SendAsync(context, session, order);
            return;
        }

        // As a provider's own page leads back to whence one came, with a word on how it went.
        var back = $"{OrderLine.HomeOf(order.Kind)}?session_id={session}";
        var isPaid = order.Status == OrderStatus.Paid;
        var buttons = ActionsOf(order)
            .Select(action => HtmlPage.Button($"/sandbox/checkout/{session}/{action}", LabelOf(action, order)))
            .Select((button, i) => i == 0 && !isPaid ? $"<div class=\"first\">{button}</div>" : button);
        var way =
            $"<a href=\"{Text(back)}\">{(order.Status is OrderStatus.Open or OrderStatus.Failed ? "Back to Ledger without paying" : "Back to Ledger")}</a>";
        var actions = $"<div class=\"actions\">{string.Concat(buttons)}</div>";
        await HtmlPage.SendAsync(
            context,
            200,
            "Sandbox checkout",
            $"""
            <p class="note">No money moves here: this page stands in for a payment provider.</p>
            <h1>{Text(TitleOf(order))}</h1>
            <p class="amount">{Text(Show.Amount(order.Price))}</p>
            <dl>
              <dt>Status</dt><dd data-status="{StatusOf(order)}">{StatusOf(order)}</dd>
              <dt>Refunded</dt><dd>{Text(Show.Amount(new(order.Refunded, Unit.Usd)))}</dd>
              <dt>Session</dt><dd><code>{Text(session)}</code></dd>
            </dl>
            {(
                // Who clicks twice on "Pay" meets what stands in its place on the page that comes next: nothing that takes the payment back.
                isPaid
                    ? $"<div class=\"actions\"><div class=\"first\">{way}</div></div><h2>What can become of it</h2>{actions}"
                    : $"{actions}<p>{way}</p>"
            )}
            """,
            Themes.Of(context)
        );
    }

    private async Task ActAsync(HttpContext context, string session, string action)
    {
        if (await FindAsync(context, session) is not var (account, order))
            return;
        if (!Array.Exists(Actions, known => known == action))
        {
            await SendNotFoundAsync(context);
            return;
        }

        Amount? part = null;
        if (action == "refund")
        {
            var faults = new JsonFaults();
            part = await ReadRefundAsync(context, order, faults);
            if (!faults.IsEmpty)
            {
                await ApiErrors.SendAsync(context, faults);
                return;
            }
        }

        if (!ActionsOf(order).Contains(action))
        {
            // Done already, as by a second click: the page says how it stands.
            if (HtmlPage.IsWanted(context))
            {
                SendToCheckout(context, session);
                return;
            }

            await ApiErrors.SendAsync(
                context,
                new ApiError(409, "not_possible", $"An order that is {StatusOf(order)} cannot do this: {action}.")
            );
            return;
        }

        await _desk.HandleAsync(EventOf(account, order, action, part), context.RequestAborted);
        if (HtmlPage.IsWanted(context))
        {
            SendToCheckout(context, session);
            return;
        }

        if (await FindAsync(context, session) is var (_, after))
            await SendAsync(context, session, after);
    }

    private static void SendToCheckout(HttpContext context, string session)
    {
        context.Response.StatusCode = 303;
        context.Response.Headers.Location = "/sandbox/checkout/" + session;
    }

    private static Task SendNotFoundAsync(HttpContext context) =>
        HtmlPage.IsWanted(context)
            ? HtmlPage.SendAsync(
                context,
                404,
                "Nothing here",
                "<h1>There is nothing at this address</h1><p>The checkout may be another one, or the address is mistyped.</p><p><a href=\"/credits\">Back to Ledger</a></p>",
                Themes.Of(context)
            )
            : ApiErrors.SendAsync(context, NotFound);

    private ProviderEvent EventOf(AccountId account, Order order, string action, Amount? part)
    {
        var hint = new OrderHint(account, order.Id, order.Session, order.Intent);
        var dispute = "dp_test_" + order.Id;
        var id = "evt_test_" + RequestIds.Next();
        return action switch
        {
            "pay" when order.Kind == OrderKind.Subscription => new ProviderEvent.InvoicePaid(
                id,
                "invoice.paid",
                hint,
                SandboxProvider.PaymentOf(account, order, LedgerTime.Now(_time)),
                IsFirst: true
            ),
            "pay" => new ProviderEvent.Paid(
                id,
                "checkout.session.completed",
                hint,
                SandboxProvider.PaymentOf(account, order, LedgerTime.Now(_time))
            ),
            "cancel" => new ProviderEvent.Expired(id, "checkout.session.expired", hint),
            "decline" => new ProviderEvent.Failed(id, "checkout.session.async_payment_failed", hint, "card_declined"),
            "refund" => new ProviderEvent.Refunded(
                id,
                "charge.refunded",
                hint,
                new(order.Refunded + (part?.Parts ?? order.Price.Parts - order.Refunded), Unit.Usd),
                PaymentNotice.OnlyCurrency
            ),
            "dispute" => new ProviderEvent.Disputed(
                id,
                "charge.dispute.funds_withdrawn",
                hint,
                dispute,
                order.Price,
                PaymentNotice.OnlyCurrency
            ),
            "win" => new ProviderEvent.DisputeWon(id, "charge.dispute.funds_reinstated", hint, dispute),
            _ => throw new ArgumentOutOfRangeException(nameof(action)),
        };
    }

    /// <summary>How much is given back: the form's or the body's <c>amount_usd</c>, or all that is left.</summary>
    private static async Task<Amount?> ReadRefundAsync(HttpContext context, Order order, JsonFaults faults)
    {
        string? text;
        if (context.Request.HasFormContentType)
        {
            text = (await context.Request.ReadFormAsync(context.RequestAborted))["amount_usd"].FirstOrDefault();
        }
        else if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: true })
        {
            return null;
        }
        else
        {
            using var document = await JsonMembers.ParseAsync(context, faults);
            if (document is null)
                return null;
            var body = new JsonMembers(document.RootElement, "", faults);
            text = body.Number("amount_usd");
            body.End();
        }

        // An empty field of the form says nothing; whatever else is no number is no wish to give back everything.
        if (text is null || (text.Length == 0 && context.Request.HasFormContentType))
            return null;
        if (
            Amount.TryParse(text, Unit.Usd, out var amount)
            && amount.IsPositive
            && amount.Parts % Price.Cent == 0
            && amount.Parts <= order.Price.Parts - order.Refunded
        )
            return amount;
        faults.Add("amount_usd", "must be whole cents, more than 0 and no more than is left of the payment");
        return null;
    }

    private async Task ShowPortalAsync(HttpContext context, string portal)
    {
        if (await OwnerAsync(context, portal) is not { } account)
            return;
        var (subscription, declines) = (account.Subscription, await _cards.IsDecliningAsync(account.Id, context.RequestAborted));
        if (!HtmlPage.IsWanted(context))
        {
            await JsonAnswer.SendAsync(
                context,
                200,
                (subscription, declines),
                static (json, state) =>
                {
                    json.WriteStartObject();
                    json.WriteString("tier", state.subscription.IsActive ? state.subscription.Terms!.Tier : null);
                    json.WriteBoolean("ends_with_period", state.subscription.EndsAt is not null);
                    json.WriteBoolean("card_declines", state.declines);
                    json.WriteEndObject();
                }
            );
            return;
        }

        var path = "/sandbox/portal/" + portal;
        var orders = account
            .Orders.All.Values.Where(order => order.Provider == PaymentOptions.Sandbox && order.Status == OrderStatus.Paid)
            .OrderByDescending(order => order.PaidAt)
            .Take(50)
            .Select(order =>
                $"<tr><td>{Text(WireTime.Format(order.PaidAt!.Value))}</td><td>{Text(TitleOf(order))}</td>"
                + $"<td>{Text(Show.Amount(order.Price))}</td><td>{StatusOf(order)}</td></tr>"
            );
        var subscribed = subscription.IsActive
            ? $"<p>Subscription <strong>{Text(subscription.Terms!.Tier)}</strong>, paid until {Text(WireTime.Format(subscription.PeriodEnd))}.</p>"
                + (
                    subscription.EndsAt is null
                        ? HtmlPage.Button(path + "/end", "End with this period")
                        : HtmlPage.Button(path + "/keep", "Keep it")
                )
            : "<p>No subscription.</p>";
        await HtmlPage.SendAsync(
            context,
            200,
            "Sandbox portal",
            $"""
            <p class="note">No money moves here: this page stands in for a payment provider.</p>
            <h1>Your payments</h1>
            {subscribed}
            <p>The card {(declines ? "is declined" : "works")}.</p>
            {(
                declines ? HtmlPage.Button(path + "/accept", "Let the card work") : HtmlPage.Button(path + "/decline", "Let the card be declined")
            )}
            <div class="scroll" role="region" aria-label="Payments" tabindex="0"><table><thead><tr><th>Paid</th><th>For</th><th>Amount</th><th>Status</th></tr></thead><tbody>{string.Concat(
                orders.DefaultIfEmpty("<tr><td colspan=\"4\">Nothing yet.</td></tr>")
            )}</tbody></table></div>
            <p><a href="/credits">Back to Ledger</a></p>
            """,
            Themes.Of(context)
        );
    }

    private async Task ManageAsync(HttpContext context, string portal, string action)
    {
        if (await OwnerAsync(context, portal) is not { } account)
            return;
        var (id, ct) = ("evt_test_" + RequestIds.Next(), context.RequestAborted);
        switch (action)
        {
            case "decline" or "accept":
                await _cards.SetAsync(account.Id, action == "decline", ct);
                break;
            case "end" or "keep" when account.Subscription.Reference is { } reference:
                await _desk.HandleAsync(
                    new ProviderEvent.SubscriptionUpdated(id, "customer.subscription.updated", reference, action == "end"),
                    ct
                );
                break;
            default:
                await SendNotFoundAsync(context);
                return;
        }

        if (HtmlPage.IsWanted(context))
        {
            context.Response.StatusCode = 303;
            context.Response.Headers.Location = "/sandbox/portal/" + portal;
        }
        else
        {
            context.Response.StatusCode = 204;
        }
    }

    private async Task<(AccountId Account, Order Order)?> FindAsync(HttpContext context, string session)
    {
        if (
            session.Length <= 100
            && session.StartsWith("cs_test_", StringComparison.Ordinal)
            && session.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
            && await _orders.FindSessionAsync(PaymentOptions.Sandbox, session, context.RequestAborted) is { } place
        )
        {
            var account = (await _ledger.ReadAsync(place.Account)).Account;
            if (account.LapsedAt(LedgerTime.Later(_time, account.LastAt)).Orders.Find(place.Order) is { } order)
                return (place.Account, order);
        }

        await SendNotFoundAsync(context);
        return null;
    }

    private async Task<Account?> OwnerAsync(HttpContext context, string portal)
    {
        if (_sandbox.OwnerOf(portal) is { } id)
        {
            var account = (await _ledger.ReadAsync(id)).Account;
            return account.LapsedAt(LedgerTime.Later(_time, account.LastAt));
        }

        await SendNotFoundAsync(context);
        return null;
    }

    private static readonly string[] Actions = ["pay", "cancel", "decline", "refund", "dispute", "win"];

    private static readonly ApiError NotFound = new(404, "not_found", "There is nothing at this address.");

    /// <summary>What can be done with an order as it stands. One whose page has lapsed can still be paid: money may be on its way.</summary>
    private static List<string> ActionsOf(Order order)
    {
        if (order.Status != OrderStatus.Paid)
            return order.Status == OrderStatus.Expired ? ["pay"] : ["pay", "cancel", "decline"];
        var actions = new List<string>();
        var dispute = order.FindDispute("dp_test_" + order.Id);
        if (order.Refunded < order.Price.Parts)
            actions.Add("refund");
        if (dispute is null)
            actions.Add("dispute");
        else if (!dispute.IsWon)
            actions.Add("win");
        return actions;
    }

    private static string LabelOf(string action, Order order) =>
        action switch
        {
            "pay" => "Pay " + Show.Amount(order.Price),
            "cancel" => "Cancel",
            "decline" => "Pay by a card that is declined",
            "refund" => "Refund what is left",
            "dispute" => "Dispute it",
            _ => "Let us win the dispute",
        };

    private static string TitleOf(Order order) =>
        order.Kind switch
        {
            OrderKind.Payg => Show.Amount(order.Gives!.Value),
            OrderKind.Topup => "Prepaid balance",
            OrderKind.Pack => "Pack " + order.Item,
            OrderKind.Subscription => "Subscription " + order.Item,
            OrderKind.Upgrade => "Upgrade to " + order.Item,
        };

    private static string StatusOf(Order order) =>
        order.Disputes.Any(dispute => !dispute.IsWon) ? "disputed"
        : order.Refunded >= order.Price.Parts && order.Refunded > 0 ? "refunded"
        : order.Refunded > 0 ? "partly_refunded"
        : order.Status switch
        {
            OrderStatus.Open => "open",
            OrderStatus.Paid => "paid",
            OrderStatus.Failed => "failed",
            OrderStatus.Expired => "expired",
        };

    private static Task SendAsync(HttpContext context, string session, Order order) =>
        JsonAnswer.SendAsync(
            context,
            200,
            (session, order),
            static (json, state) =>
            {
                json.WriteStartObject();
                json.WriteString("session_id", state.session);
                json.WriteString("status", StatusOf(state.order));
                json.WriteString("amount_usd", state.order.Price.ToDecimalString());
                json.WriteString("refunded_usd", new Amount(state.order.Refunded, Unit.Usd).ToDecimalString());
                json.WriteEndObject();
            }
        );

    private static string Text(string text) => HtmlEncoder.Default.Encode(text);
}
