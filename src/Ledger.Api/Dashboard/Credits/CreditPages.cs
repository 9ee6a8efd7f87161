using System.Security.Cryptography;
using System.Text;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Api.Notifications;
using Ledger.Api.Payments;
using Ledger.Domain;
using Ledger.Domain.Alerts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;

namespace Ledger.Api.Dashboard.Credits;

/// <summary>Buying credits and dollars, what was bought, what is bought by itself, and what is told when too little is left.</summary>
internal sealed class CreditPages(PaymentDesk desk, NotificationTargets targets)
{
    private const int PageSize = 20;
    private static readonly long[] RoundSums = [10, 25, 50, 100];

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<CreditPages>(services);
        customers.Page("/credits", visit => Task.FromResult(pages.Show(visit)));
        customers.Form("/credits/buy", (visit, form) => pages.BuyAsync(visit, form, OrderKind.Payg));
        customers.Form("/credits/pay-in", (visit, form) => pages.BuyAsync(visit, form, OrderKind.Topup));
        customers.Form("/credits/portal", pages.OpenPortalAsync);
        customers.Page("/credits/orders/{id}", visit => Task.FromResult(pages.ShowOrder(visit, null, 200)));
        customers.Form("/credits/orders/{id}/pay", pages.ResumeAsync);
        customers.Page("/credits/auto-topup", visit => Task.FromResult(pages.ShowTopup(visit, FormPost.Blank, null, 200)));
        customers.Form("/credits/auto-topup", pages.SetTopupAsync);
        customers.Page("/credits/alerts", visit => pages.ShowAlertsAsync(visit, FormPost.Blank, null, 200));
        customers.Form("/credits/alerts", pages.SetAlertsAsync);
    }

    /// <summary>The purchase that one comes back from, by the provider's page that is named in the address; null where that is none of this account's.</summary>
    public static OrderLine? OutcomeOf(CustomerVisit visit) =>
        visit.Query("session_id") is { } session
        && visit.Account.Orders.All.Values.FirstOrDefault(order => order.Session == session) is { } order
            ? new(order)
            : null;

    /// <summary>What else an address says that one has come back from; null for nothing.</summary>
    public static string? ReturnOf(CustomerVisit visit) =>
        visit.Query("checkout") == "canceled" ? "You left the checkout. Nothing was charged and nothing was added." : null;

    /// <summary>The id of the order that a form opens: the same form sent twice opens one.</summary>
    public static OrderId OrderOf(CustomerVisit visit, FormPost form)
    {
        const string Base32 = "0123456789abcdefghjkmnpqrstvwxyz";
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"order:{visit.Account.Id.Value}:{form.Id}"));
        return new(
            string.Create(
                16,
                hash,
                static (id, hash) =>
                {
                    for (var i = 0; i < id.Length; i++)
                        id[i] = Base32[hash[i] & 31];
                }
            )
        );
    }

    /// <summary>Opens an order and leads to its checkout; says what is wrong where it is refused.</summary>
    public static async Task<(PageAnswer? Answer, string? Problem, int Status)> CheckOutAsync(
        PaymentDesk desk,
        CustomerVisit visit,
        FormPost form,
        OrderKind kind,
        string? item,
        Amount? pays
    )
    {
        try
        {
            var checkout = await desk.OpenAsync(
                visit.Account.Id,
                visit.SignIn.Credential,
                kind,
                item,
                pays,
                BackTo(visit, kind),
                visit.Caller,
                visit.Gone,
                OrderOf(visit, form)
            );
            return checkout.Refusal is { } refusal
                ? (null, Explain(refusal), StatusCodes.Status409Conflict)
                : (PageAnswer.SeeOther(checkout.Page!.Url), null, StatusCodes.Status303SeeOther);
        }
        catch (PaymentProviderException)
        {
            return (null, ProviderAway, StatusCodes.Status502BadGateway);
        }
    }

    /// <summary>What a refusal means to somebody who buys.</summary>
    public static string Explain(RejectionCode code) =>
        code switch
        {
            RejectionCode.AmountOutOfRange => "This is more than one account may hold.",
            RejectionCode.ReferenceConflict => "This form was sent before, with something else in it. Reload the page and send it again.",
            RejectionCode.TooManyOrders => "Too many purchases wait to be paid. Pay one of them, or wait until they lapse.",
            RejectionCode.TierNotFound => "There is no such subscription any more.",
            RejectionCode.PackNotFound => "This pack is not sold any more.",
            RejectionCode.AlreadySubscribed => "There is a subscription already; change it instead.",
            _ => KeyErrors.Of(code).Message,
        };

    /// <summary>What is said where whoever takes payments does not answer.</summary>
    public const string ProviderAway = "The payment provider could not be reached. Nothing was charged; try again in a moment.";

    private static Uri BackTo(CustomerVisit visit, OrderKind kind) => new(ServerAddress.Of(visit.Context), OrderLine.HomeOf(kind));

    private bool IsSandbox => desk.Provider.Name == PaymentOptions.Sandbox;

    private PageAnswer Show(CustomerVisit visit) => Show(visit, FormPost.Blank, FormPost.Blank, null, 200);

    private PageAnswer Show(CustomerVisit visit, FormPost buying, FormPost paying, string? problem, int status)
    {
        var (account, card) = (visit.Account, visit.Book.InForce(visit.Now)!.Document);
        var orders = Newest(visit);
        var after = visit.Query("after");
        var rest = after is null ? orders : [.. orders.SkipWhile(order => order.Id.Value != after).Skip(1)];
        var wallet = account.Wallet;
        return PageAnswer.Show<CreditsPage, CreditsModel>(
            "Credits",
            new(
                wallet.Available(Unit.Credits, visit.Now),
                wallet.Usd.Granted > 0 || wallet.Usd.Debt > 0 ? wallet.Available(Unit.Usd, visit.Now) : null,
                new(
                    wallet.Open.Where(pocket => pocket.Scope is not null && !pocket.LapsedAt(visit.Now)).Sum(pocket => pocket.Free),
                    Unit.Credits
                ),
                card.Payg,
                card.Topup,
                [.. Offers(card.Payg)],
                [.. rest.Take(PageSize).Select(order => new OrderLine(order))],
                orders.Count,
                after is null ? null : "/credits#purchases",
                rest.Count > PageSize ? $"/credits?after={rest[PageSize - 1].Id}#purchases" : null,
                IsSandbox,
                buying,
                paying,
                OutcomeOf(visit),
                ReturnOf(visit),
                problem
            ),
            status
        );
    }

    private static IReadOnlyList<Order> Newest(CustomerVisit visit) =>
        [
            .. visit
                .Account.Orders.All.Values.OrderByDescending(order => order.OpenedAt)
                .ThenByDescending(order => order.Id.Value, StringComparer.Ordinal),
        ];

    private static IEnumerable<(Amount Price, Amount Gives)> Offers(Ledger.Domain.RateCards.PaygTerms terms)
    {
        foreach (var dollars in RoundSums)
        {
            var price = Amount.Usd(dollars);
            if (dollars >= terms.MinAmountUsd && dollars <= terms.MaxAmountUsd && Price.Credits(price, terms.CreditsPerDollar) is { } gives)
                yield return (price, gives);
        }
    }

    private async Task<PageAnswer> BuyAsync(CustomerVisit visit, FormPost form, OrderKind kind)
    {
        var card = visit.Book.InForce(visit.Now)!.Document;
        var isCredits = kind == OrderKind.Payg;
        var amount = isCredits
            ? Dollars(form, "amount_usd", card.Payg.MinAmountUsd, card.Payg.MaxAmountUsd)
            : Dollars(form, "topup_usd", card.Topup.MinAmountUsd, card.Topup.MaxAmountUsd);
        var (buying, paying) = isCredits ? (form, FormPost.Blank) : (FormPost.Blank, form);
        if (amount is null)
            return Show(visit, buying, paying, null, 400);
        var (answer, problem, status) = await CheckOutAsync(desk, visit, form, kind, null, amount);
        return answer ?? Show(visit, buying, paying, problem, status);
    }

    /// <summary>Dollars as money is paid: whole cents, within the terms.</summary>
    private static Amount? Dollars(FormPost form, string name, int min, int max)
    {
        if (form.Amount(name, Unit.Usd, isRequired: true) is not { } amount)
            return null;
        if (amount.Parts % Price.Cent == 0 && amount >= Amount.Usd(min) && amount <= Amount.Usd(max))
            return amount;
        form.Fault(name, $"From {Dashboard.Show.Amount(Amount.Usd(min))} to {Dashboard.Show.Amount(Amount.Usd(max))}, in whole cents.");
        return null;
    }

    private async Task<PageAnswer> OpenPortalAsync(CustomerVisit visit, FormPost form)
    {
        try
        {
            return PageAnswer.SeeOther(await desk.OpenPortalAsync(visit.Account, BackTo(visit, OrderKind.Payg), visit.Caller, visit.Gone));
        }
        catch (PaymentProviderException)
        {
            return Show(visit, FormPost.Blank, FormPost.Blank, ProviderAway, 502);
        }
    }

    private PageAnswer ShowOrder(CustomerVisit visit, string? problem, int status)
    {
        if (visit.Account.Orders.Find(new(visit.Route("id"))) is not { } order)
            return PageAnswer.NotFound;
        Amount? left = order.Pocket is { } id ? new(visit.Account.Wallet.Pocket(id).Remaining, order.Gives!.Value.Unit) : null;
        var line = new OrderLine(order);
        return PageAnswer.Show<OrderPage, OrderModel>(line.What, new(line, left, CanPay(visit, order), problem), status);
    }

    private bool CanPay(CustomerVisit visit, Order order) =>
        order.IsOpenAt(visit.Now) && order.Status != OrderStatus.Paid && order.Provider == desk.Provider.Name && !order.IsAutomatic;

    private async Task<PageAnswer> ResumeAsync(CustomerVisit visit, FormPost form)
    {
        if (visit.Account.Orders.Find(new(visit.Route("id"))) is not { } order)
            return PageAnswer.NotFound;
        if (!CanPay(visit, order))
            return ShowOrder(visit, "This purchase cannot be paid any more. Start another one.", 409);
        try
        {
            return PageAnswer.SeeOther(
                await desk.ResumeAsync(visit.Account.Id, order, BackTo(visit, order.Kind), visit.Caller, visit.Gone)
            );
        }
        catch (PaymentProviderException)
        {
            return ShowOrder(
                visit,
                "The payment provider cannot open this checkout again. Nothing was charged; start another purchase.",
                502
            );
        }
    }

    private PageAnswer ShowTopup(CustomerVisit visit, FormPost form, string? problem, int status) =>
        PageAnswer.Show<AutoTopupPage, AutoTopupModel>(
            "Automatic top-up",
            new(
                visit.Account.AutoTopup,
                visit.Book.InForce(visit.Now)!.Document.Payg,
                visit.Account.Orders.HasPaidThrough(desk.Provider.Name),
                form,
                visit.Query("done") switch
                {
                    "on" => "Saved. Credits are bought by themselves from now on.",
                    "off" => "Saved. Nothing is bought by itself.",
                    _ => null,
                },
                problem
            ),
            status
        );

    private async Task<PageAnswer> SetTopupAsync(CustomerVisit visit, FormPost form)
    {
        var (before, terms) = (visit.Account.AutoTopup, visit.Book.InForce(visit.Now)!.Document.Payg);
        var isOn = form.IsTicked("enabled");
        var threshold = ThresholdOf(form, "threshold", isOn);
        var price =
            isOn || form.Value("amount_usd").Trim().Length > 0
                ? Dollars(form, "amount_usd", terms.MinAmountUsd, terms.MaxAmountUsd)
                : before.Price;
        var times = form.Whole("max_per_day", 1, AutoTopup.MostPerDay, isRequired: isOn) ?? Math.Max(1, before.MaxPerDay);
        if (!form.IsValid)
            return ShowTopup(visit, form, null, 400);
        var command = new SetAutoTopup(
            visit.Account.Id,
            visit.RequestOf(form),
            isOn,
            threshold ?? before.Threshold,
            price ?? before.Price,
            (int)times,
            desk.Provider.Name
        );
        return (await visit.ExecuteAsync(command)).Refusal is { Code: var code }
            ? ShowTopup(
                visit,
                form,
                code == RejectionCode.NoPaymentMethod
                    ? "Buy something once by hand first: its card is the one that is charged."
                    : Explain(code),
                409
            )
            : PageAnswer.SeeOther($"/credits/auto-topup?done={(isOn ? "on" : "off")}");
    }

    private Task<PageAnswer> ShowAlertsAsync(CustomerVisit visit, FormPost form, string? secret, int status) =>
        ShowAlertsAsync(
            visit,
            visit.Account.Alerts,
            form,
            secret,
            visit.Query("done") switch
            {
                "saved" => "Saved.",
                "kept" =>
                    "Saved. The address is as before, and so is the secret that signs what is sent there: it was shown when the address was new, and is not shown again.",
                _ => null,
            },
            status
        );

    private async Task<PageAnswer> ShowAlertsAsync(
        CustomerVisit visit,
        Alerts alerts,
        FormPost form,
        string? secret,
        string? notice,
        int status
    )
    {
        var target = await targets.GetAsync(visit.Account.Id, visit.Gone);
        return PageAnswer.Show<AlertsPage, AlertsModel>(
            "Alerts",
            new(
                alerts,
                visit.Account.Wallet.Available(Unit.Credits, visit.Now),
                target.Url,
                target.ByMail,
                visit.Email,
                form,
                secret,
                notice
            ),
            status
        );
    }

    private async Task<PageAnswer> SetAlertsAsync(CustomerVisit visit, FormPost form)
    {
        var warning = ThresholdOf(form, "warning", isRequired: false);
        var critical = ThresholdOf(form, "critical", isRequired: false);
        var url = form.Text("webhook_url", NotificationTargets.MaxUrl);
        if (url is not null && NotificationTargets.FaultOf(url) is { } fault)
            form.Fault("webhook_url", $"The address {fault}.");
        if (critical is not null && warning is not null && critical > warning)
            form.Fault("critical", "Not more than the first threshold.");
        if (!form.IsValid)
            return await ShowAlertsAsync(visit, form, null, 400);
        var command = new SetAlerts(visit.Account.Id, visit.RequestOf(form), warning, critical);
        if ((await visit.ExecuteAsync(command)).Refusal is { Code: var code })
        {
            form.Fault("warning", Explain(code));
            return await ShowAlertsAsync(visit, form, null, 409);
        }

        var secret = await targets.SetAsync(visit.Account.Id, url, form.IsTicked("email"), visit.Gone);
        return secret is null
            ? PageAnswer.SeeOther("/credits/alerts?done=" + (url is null ? "saved" : "kept"))
            : await ShowAlertsAsync(visit, (await visit.ReadAsync()).Alerts, FormPost.Blank, secret, "Saved.", 200);
    }

    /// <summary>Credits, nothing included; null where the field is empty.</summary>
    private static Amount? ThresholdOf(FormPost form, string name, bool isRequired)
    {
        if (form.Text(name, 40, isRequired) is not { } text)
            return null;
        if (Amount.TryParse(text, Unit.Credits, out var amount))
            return amount;
        form.Fault(name, "Credits, 0 or more, with at most six decimal places and a point, not a comma.");
        return null;
    }
}
