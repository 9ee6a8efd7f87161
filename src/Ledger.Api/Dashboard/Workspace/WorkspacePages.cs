using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Gateway;
using Ledger.Api.Gateway.Calls;
using Ledger.Api.Gateway.Providers;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dashboard.Workspace;

/// <summary>A chat through the gateway, for whoever is signed in. What is said stays in the page: the server keeps what it cost, and nothing else.</summary>
internal sealed class WorkspacePages(CallDesk desk, Upstreams upstreams, LedgerService ledger, TimeProvider time, IServiceProvider services)
{
    /// <summary>The most tokens of an answer that stand in the form at first: enough for most, and little is set aside for them.</summary>
    public const int UsualTokens = 1024;

    // Shorter than what proxies and browsers wait for.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private readonly Func<HttpContext, Identity, Task> _ask = InferenceApi.ForWorkspace(services);

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<WorkspacePages>(services);
        customers.Page("/workspace", visit => Task.FromResult(pages.Start(visit)));
        customers.Call("/workspace/calls", pages.AskAsync);
        customers.Read("/workspace/calls/{name}", pages.TellAsync);
    }

    private PageAnswer Start(CustomerVisit visit)
    {
        var (wallet, card) = (visit.Account.Wallet, visit.Book.InForce(visit.Now));
        var available = wallet.Available(Unit.Usd, visit.Now);
        IReadOnlyList<ModelGroup> groups =
        [
            new("Paid from dollars", card is null ? [] : [.. ByDollars(card)]),
            new("Paid from your packs", card is null ? [] : [.. ByPacks(visit, card)]),
        ];

        // Whoever has nothing but a pack means to use it.
        var first = available.IsPositive ? groups : groups.Reverse();
        var chosen = first.SelectMany(group => group.Models).FirstOrDefault();
        return PageAnswer.Show<WorkspacePage, WorkspaceModel>(
            "Workspace",
            new(
                [.. groups.Where(group => group.Models.Count > 0)],
                chosen?.Value,
                available,
                HeldDollars(wallet),
                PacksLeft(visit.Account, visit.Now)
            ),
            scripts: ["workspace.js"]
        );
    }

    private Task AskAsync(CustomerVisit visit) => _ask(visit.Context, new(visit.Account.Id, visit.SignIn.Credential, visit.SignIn));

    /// <summary>How a call of this account stands, by the name that its page gave it; with <c>wait</c>, once it has ended.</summary>
    private async Task TellAsync(CustomerVisit visit)
    {
        var id = visit.Account.Id;
        var hold = new HoldId(EventIds.Call(id, CallRoute.Workspace.Name, visit.Route("name") + "#1"));
        if (await ledger.FindAsync(id, hold.Value, visit.Gone) is not { Event: HoldPlaced placed })
        {
            await TellAsync(visit.Context, new("none", visit.Account, visit.Now));
            return;
        }

        var patience = visit.Query("wait") is null ? TimeSpan.Zero : Patience;
        var (hasEnded, charge) = await desk.FateAsync(id, hold, patience, visit.Context.TraceIdentifier, visit.Gone);
        var account = (await ledger.ReadAsync(id)).Account;
        var now = LedgerTime.Later(time, account.LastAt);
        await TellAsync(
            visit.Context,
            new(hasEnded ? (charge is null ? "released" : "charged") : "held", account.LapsedAt(now), now, placed, charge)
        );
    }

    private static Task TellAsync(HttpContext context, CallStand stand)
    {
        context.Response.Headers.CacheControl = "no-store";
        return JsonAnswer.SendAsync(
            context,
            200,
            stand,
            static (json, stand) =>
            {
                var wallet = stand.Account.Wallet;
                json.WriteStartObject();
                json.WriteString("state", stand.State);
                json.WriteString("available", Show.Amount(wallet.Available(Unit.Usd, stand.At)));
                json.WriteString("held", Show.Amount(HeldDollars(wallet)));
                json.WriteString("packs", Show.Amount(PacksLeft(stand.Account, stand.At)));
                if (stand.Placed is { } placed)
                    json.WriteString("set_aside", Show.Amount(placed.Amount));
                if (stand.Charge is { } fact)
                {
                    var (charge, call) = (CallDesk.ChargeOf(fact, stand.Account), CallOf(fact.Event)!);
                    json.WriteString("spend", charge.Spend.ToString());
                    json.WriteString("cost", Show.Amount(charge.Charged));
                    json.WriteString("model", call.Provider + "/" + call.Model);
                    json.WriteNumber("input_tokens", call.Tokens.AllInput);
                    json.WriteNumber("output_tokens", call.Tokens.Output);
                    json.WriteBoolean("is_estimated", call.Estimated);
                    json.WriteString(
                        "left",
                        charge.Scope is { } scope
                            ? Show.Amount(wallet.AvailableInPacks(scope, stand.At))
                            : Show.Amount(wallet.Available(Unit.Usd, stand.At))
                    );
                }

                json.WriteEndObject();
            }
        );
    }

    private IEnumerable<ModelChoice> ByDollars(RateCard card)
    {
        foreach (var alias in card.Models.Aliases)
        {
            if (card.Models.Resolve(alias) is { } target && IsServed(card.Models.Chain(alias)))
                yield return Choice(alias, $"{alias} → {ModelDirectory.NameOf(target)}", target);
        }

        foreach (var model in card.Document.Models.OrderBy(ModelDirectory.NameOf, StringComparer.Ordinal))
        {
            var name = ModelDirectory.NameOf(model);
            if (IsServed(card.Models.Chain(name)))
                yield return Choice(name, name, model);
        }

        static ModelChoice Choice(string name, string label, PricedModel model) =>
            new(
                "usd:" + name,
                label,
                $"{Dollars(model.UsdPer1m.Input)} in, {Dollars(model.UsdPer1m.Output)} out per million tokens",
                model.MaxOutputTokens
            );
    }

    private IEnumerable<ModelChoice> ByPacks(CustomerVisit visit, RateCard card)
    {
        var wallet = visit.Account.Wallet;
        foreach (
            var scope in wallet
                .Open.Select(pocket => pocket.Scope)
                .OfType<string>()
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal)
        )
        {
            if (
                card.Models.Find(scope) is { } model
                && IsServed([model])
                && wallet.FirstPack(scope, visit.Now) is { } pocket
                && PackRates.Of(scope, OrderOf(visit.Account, pocket), visit.Book, card) is { } rates
            )
                yield return new(
                    "pack:" + scope,
                    $"{scope} ({Show.Amount(wallet.AvailableInPacks(scope, visit.Now))} left)",
                    $"{Credits(rates.Input)} in, {Credits(rates.Output)} out per million tokens",
                    model.MaxOutputTokens
                );
        }
    }

    private bool IsServed(IReadOnlyList<PricedModel> chain) => chain.Any(model => upstreams.Find(model.Provider) is not null);

    private static Amount HeldDollars(Wallet wallet) =>
        new(wallet.Open.Where(pocket => pocket.Unit == Unit.Usd).Sum(pocket => pocket.Held), Unit.Usd);

    private static Amount PacksLeft(Account account, DateTimeOffset now) =>
        new(
            account.Wallet.Open.Where(pocket => pocket.Scope is not null && !pocket.LapsedAt(now)).Sum(pocket => pocket.Free),
            Unit.Credits
        );

    private static Order? OrderOf(Account account, Pocket pocket) =>
        account.Orders.All.Values.FirstOrDefault(order => order.Pocket == pocket.Id);

    // A rate may be finer than any amount is, so it is written as the card states it.
    private static string Dollars(Quantity rate) => "$" + rate;

    private static string Credits(Quantity rate) => rate + " credits";

    private static CallRecord? CallOf(AccountEvent @event) =>
        @event switch
        {
            HoldSettled settled => settled.Call,
            HoldSettledLate late => late.Call,
            _ => null,
        };

    /// <summary>How a call stands.</summary>
    /// <param name="State"><c>none</c>, <c>held</c>, <c>charged</c> or <c>released</c>.</param>
    /// <param name="Account">The account now.</param>
    /// <param name="At">When that is.</param>
    /// <param name="Placed">The fact that set funds aside for it; null where there is none.</param>
    /// <param name="Charge">The fact that charged it; null where there is none.</param>
    private sealed record CallStand(string State, Account Account, DateTimeOffset At, HoldPlaced? Placed = null, Fact? Charge = null);
}
