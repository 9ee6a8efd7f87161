using Ledger.Api.Payments;
using Ledger.Domain;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;

namespace Ledger.Api.Dashboard.Credits;

/// <summary>The subscription: taken out, changed, ended with its period, kept.</summary>
internal sealed class SubscriptionPages(PaymentDesk desk)
{
    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<SubscriptionPages>(services);
        customers.Page("/credits/subscription", visit => Task.FromResult(pages.Show(visit, null, 200)));
        customers.Form("/credits/subscription/subscribe", pages.SubscribeAsync);
        customers.Form("/credits/subscription/change", pages.ChangeAsync);
        customers.Page("/credits/subscription/end", visit => Task.FromResult(pages.AskEnd(visit)));
        customers.Form("/credits/subscription/end", pages.EndAsync);
        customers.Form("/credits/subscription/keep", pages.KeepAsync);
    }

    private PageAnswer Show(CustomerVisit visit, string? problem, int status) =>
        PageAnswer.Show<SubscriptionPage, SubscriptionModel>("Subscription", ModelOf(visit, problem), status);

    private SubscriptionModel ModelOf(CustomerVisit visit, string? problem)
    {
        var (subscription, card) = (visit.Account.Subscription, visit.Book.InForce(visit.Now)!);
        return new(
            subscription,
            subscription.IsActive ? subscription.QuotaAt(visit.Now) : default,
            [
                .. card
                    .Document.Tiers.Select(tier => SubscriptionTerms.Of(card, tier.Id))
                    .OfType<SubscriptionTerms>()
                    .Where(terms => terms.Price.IsPositive)
                    .OrderBy(terms => terms.Price.Parts),
            ],
            desk.Provider.Name == PaymentOptions.Sandbox,
            CreditPages.OutcomeOf(visit),
            visit.Query("done") switch
            {
                "changed" => "The subscription is changed.",
                "scheduled" => "The subscription changes with its next period.",
                "ending" => "The subscription ends with its period. Until then it works as before.",
                "kept" => "The subscription goes on.",
                _ => CreditPages.ReturnOf(visit),
            },
            problem
        );
    }

    private PageAnswer AskEnd(CustomerVisit visit) =>
        visit.Account.Subscription is { IsActive: true, EndsAt: null }
            ? PageAnswer.Show<EndSubscriptionPage, SubscriptionModel>("End the subscription", ModelOf(visit, null))
            : PageAnswer.SeeOther("/credits/subscription");

    private async Task<PageAnswer> SubscribeAsync(CustomerVisit visit, FormPost form)
    {
        var (answer, problem, status) = await CreditPages.CheckOutAsync(desk, visit, form, OrderKind.Subscription, TierOf(form), null);
        return answer ?? Show(visit, problem, status);
    }

    private async Task<PageAnswer> ChangeAsync(CustomerVisit visit, FormPost form)
    {
        var tier = TierOf(form);
        var atPeriodEnd = form.Choice("when", ("now", false), ("period_end", true));
        if (!form.IsValid)
            return Show(visit, "Choose when it is to change.", 400);
        var refusal = (
            await visit.ExecuteAsync(new ChangeSubscription(visit.Account.Id, visit.RequestOf(form), tier, atPeriodEnd))
        ).Refusal;
        switch (refusal?.Code)
        {
            case null:
                var after = (await visit.ReadAsync()).Subscription;
                return PageAnswer.SeeOther($"/credits/subscription?done={(after.Next?.Tier == tier ? "scheduled" : "changed")}");
            case RejectionCode.PaymentRequired:
                var (answer, problem, status) = await CreditPages.CheckOutAsync(desk, visit, form, OrderKind.Upgrade, tier, null);
                return answer ?? Show(visit, problem, status);
            case { } code:
                return Show(visit, CreditPages.Explain(code), 409);
        }
    }

    private async Task<PageAnswer> EndAsync(CustomerVisit visit, FormPost form)
    {
        var command = new EndSubscription(visit.Account.Id, visit.RequestOf(form), AtPeriodEnd: true, "canceled");
        return (await visit.ExecuteAsync(command)).Refusal is { Code: var code }
            ? Show(visit, CreditPages.Explain(code), 409)
            : PageAnswer.SeeOther("/credits/subscription?done=ending");
    }

    private async Task<PageAnswer> KeepAsync(CustomerVisit visit, FormPost form) =>
        (await visit.ExecuteAsync(new ContinueSubscription(visit.Account.Id, visit.RequestOf(form)))).Refusal is { Code: var code }
            ? Show(visit, CreditPages.Explain(code), 409)
            : PageAnswer.SeeOther("/credits/subscription?done=kept");

    // What is no tier is refused as one that is not sold.
    private static string TierOf(FormPost form) => form.Value("tier") is { Length: <= 100 } tier ? tier : "";
}
