using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Metering;

/// <summary>From what a route's calls are paid.</summary>
public enum CallPayment
{
    /// <summary>From the prepaid dollars, by pay-per-token keys alone.</summary>
    Balance,

    /// <summary>From the subscription's quota by subscription keys, from the prepaid dollars by pay-per-token keys.</summary>
    QuotaOrBalance,

    /// <summary>From the packs for the provider and model, by pay-per-token keys alone.</summary>
    Pack,
}

/// <summary>What input may be written to a provider's cache, which can be dearer than reading it.</summary>
public enum CacheUse
{
    /// <summary>Nothing is asked to be.</summary>
    Reads,

    /// <summary>Some for five minutes.</summary>
    Writes,

    /// <summary>Some for an hour.</summary>
    Writes1h,
}

/// <summary>A call that somebody wants to make.</summary>
/// <param name="Model">The model's name as the caller gave it; for a pack its own name, <c>provider/model</c>.</param>
/// <param name="Payment">From what the route is paid.</param>
/// <param name="Input">Input tokens, counted high.</param>
/// <param name="MaxOutput">The most output tokens per choice that the caller allows; null for the model's own most.</param>
/// <param name="Choices">How many answers are asked for; positive.</param>
/// <param name="Cache">What may be written to a cache.</param>
/// <param name="MayClamp">Whether fewer output tokens, as many as the funds do for, are better than a refusal.</param>
/// <param name="Digest">A digest of the request, where the caller named it; null else.</param>
public sealed record CallAsk(
    string Model,
    CallPayment Payment,
    long Input,
    long? MaxOutput,
    int Choices = 1,
    CacheUse Cache = CacheUse.Reads,
    bool MayClamp = false,
    string? Digest = null
)
{
    /// <summary>
    /// The models that may come to serve it, the one that is asked for first; empty where there is none. A fallback that the key's list of models does
    /// not have is none; a logical name on that list stands for whatever it leads to. A pack pays for its own model alone.
    /// </summary>
    public IReadOnlyList<PricedModel> ChainOn(RateCard card, Key? key)
    {
        ArgumentNullException.ThrowIfNull(card);
        if (Payment == CallPayment.Pack)
            return card.Models.Find(Model) is { } packed ? [packed] : [];
        var (chain, isLogical) = (card.Models.Chain(Model), card.Models.Find(Model) is null);
        return key is null || chain.Count < 2 || key.AllowedModels.IsDefaultOrEmpty
            ? chain
            : [chain[0], .. chain.Skip(1).Where(fallback => key.Allows(isLogical ? Model : ModelDirectory.NameOf(fallback), fallback))];
    }
}

/// <summary>
/// Sets funds, or a subscription's quota, aside for the worst case of a call to a model, once per route and reference: for the dearest of the models
/// that may come to serve it.
/// </summary>
/// <param name="Account">Who pays.</param>
/// <param name="Key">Who asks.</param>
/// <param name="Route">On which route.</param>
/// <param name="Reference">The hold's name.</param>
/// <param name="Ask">For what.</param>
/// <param name="Lifetime">How long it lasts unless it ends before or is extended.</param>
/// <param name="Predecessor">
/// The hold of the attempt before, of the same request: that must have ended in the log without a charge. Null where there is none.
/// </param>
public sealed record PlaceCallHold(
    AccountId Account,
    KeyId Key,
    string Route,
    string Reference,
    CallAsk Ask,
    TimeSpan Lifetime,
    HoldId? Predecessor = null
) : AccountCommand(Account, EventIds.Call(Account, Route, Reference))
{
    /// <inheritdoc/>
    public override ImmutableArray<Guid> Recalls =>
        Predecessor is { } before ? [Id, EventIds.HoldEnd(Account, before), EventIds.LateSettlement(Account, before)] : [Id];

    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is HoldPlaced;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.RefusesWork(By ?? new Credential(Key), context.Now) is { } refusal)
            return Reject(refusal);
        var key = account.Keys.Find(Key);
        if (key?.Billing == KeyBilling.Subscription && Ask.Payment != CallPayment.QuotaOrBalance)
            return Reject(RejectionCode.KeyKindNotAllowed);
        var chain = Ask.ChainOn(context.Card, key);

        // The list of models is access too: who may no longer call a model gets no first answer of it either.
        if (key is not null && chain.Count > 0 && !key.Allows(Ask.Model, chain[0]))
            return Reject(RejectionCode.ModelNotAllowed);
        if (context.Past.Find(Id) is { } first)
            return first.Event is HoldPlaced e && e.Call?.Digest == Ask.Digest ? Repeat(first) : Reject(RejectionCode.ReferenceConflict);

        // One request is charged once. Where the end of the attempt before is not at hand, this is refused, so that it is looked up and decided again.
        if (Predecessor is { } before)
        {
            if (context.Past.Find(EventIds.LateSettlement(Account, before)) is not null)
                return Reject(RejectionCode.HoldAlreadySettled);
            if (context.Past.Find(EventIds.HoldEnd(Account, before))?.Event is not (HoldReleased or HoldExpired))
                return Reject(RejectionCode.HoldAlreadySettled);
        }

        // The hold is open, but the fact that placed it was not at hand: refused, so that it is looked up and this is decided again.
        if (account.Wallet.Holds.ContainsKey(new(Id)))
            return Reject(RejectionCode.ReferenceConflict);

        var isOnQuota = key?.Billing == KeyBilling.Subscription;
        if (isOnQuota && !account.Subscription.ServesAt(context.Now))
            return Reject(RejectionCode.NoActiveSubscription);
        if (chain.Count == 0)
            return Reject(RejectionCode.UnknownModel);
        if (Ask.Input is < 0 or > TokenUse.Max || Ask.Choices < 1 || Ask.MaxOutput < 1)
            return Reject(RejectionCode.AmountOutOfRange);

        return Ask.Payment == CallPayment.Pack ? FromPacks(account, chain[0], context)
            : isOnQuota ? FromQuota(account, chain, context)
            : FromBalance(account, chain, context);
    }

    private Decision<AccountEvent> FromBalance(Account account, IReadOnlyList<PricedModel> chain, in DecisionContext context)
    {
        var available = account.Wallet.Available(Unit.Usd, context.Now);
        var limit = account.Keys.LeftFor(Key, Unit.Usd, context.Now);
        var funds = limit is { } l && l.Left < available ? l.Left : available;

        var most = MostOutput(chain);
        if (Worst(chain, most) is not { } cost || !account.Wallet.CanCount(cost))
            return Reject(RejectionCode.AmountOutOfRange);
        if (cost > funds)
        {
            var affordable = long.MaxValue;
            foreach (var model in chain)
            {
                var tokens = TokenCharge.Affordable(funds, TokenCharge.UsdMillionths(Input(model), model.UsdPer1m), model.UsdPer1m.Output);
                var perChoice = tokens < 0 ? 0 : tokens / Ask.Choices;

                // One whose every answer is paid for sets no bound, however soon it comes to its end.
                if (perChoice < model.MaxOutputTokens)
                    affordable = Math.Min(affordable, perChoice);
            }

            affordable = Math.Min(affordable, most);

            if (affordable < 1 || !Ask.MayClamp || Worst(chain, affordable) is not { } clamped || clamped > funds)
                return Refuse(account, cost, available, limit, affordable);
            (most, cost) = (affordable, clamped);
        }

        return Accept(Placed(account, ModelEntry(chain[0]), cost, most, context.Card, context.Now, null, null));
    }

    private static Decision<AccountEvent> Refuse(Account account, Amount cost, Amount available, LimitLeft? limit, long affordable)
    {
        long? tokens = affordable < 1 ? null : affordable;
        return limit is { } own && own.Left < cost
            ? Reject(RejectionCode.KeyLimitReached, new(own.IsOwn ? "key" : "minting_key", cost, own.Left, tokens))
            : Reject(
                RejectionCode.InsufficientCredits,
                new(account.Wallet.Debt(cost.Unit).IsPositive ? "debt" : "balance", cost, available, tokens)
            );
    }

    private Decision<AccountEvent> FromPacks(Account account, PricedModel model, in DecisionContext context)
    {
        var scope = ModelDirectory.NameOf(model);
        var available = account.Wallet.AvailableInPacks(scope, context.Now);
        var source = account.Wallet.Debt(Unit.Credits).IsPositive ? "debt" : "pack";
        if (
            account.Wallet.FirstPack(scope, context.Now) is not { } pack
            || PackRates.EntryOf(scope, account.Orders.OfPocket(pack.Id), context.Book, context.Card) is not { } entry
        )
            return Reject(RejectionCode.NoActivePack, new(source, Amount.Zero(Unit.Credits), available));

        var limit = account.Keys.LeftFor(Key, Unit.Credits, context.Now);
        var funds = limit is { } l && l.Left < available ? l.Left : available;
        var (most, rates) = (MostOutput([model]), entry.Pack.CreditsPer1m);
        var input = Input(model);
        if (TokenCharge.Credits(input with { Output = most * Ask.Choices }, rates) is not { } cost || !account.Wallet.CanCount(cost))
            return Reject(RejectionCode.AmountOutOfRange);
        if (cost > funds)
        {
            var tokens = TokenCharge.Affordable(funds, TokenCharge.CreditMillionths(input, rates), rates.Output);
            var affordable = tokens < 0 ? 0 : Math.Min(tokens / Ask.Choices, most);
            if (
                affordable < 1
                || !Ask.MayClamp
                || TokenCharge.Credits(input with { Output = affordable * Ask.Choices }, rates) is not { } clamped
                || clamped > funds
            )
            {
                long? named = affordable < 1 ? null : affordable;
                return limit is { } own && own.Left < cost
                    ? Reject(RejectionCode.KeyLimitReached, new(own.IsOwn ? "key" : "minting_key", cost, own.Left, named))
                    : Reject(RejectionCode.NoActivePack, new(source, cost, available, named));
            }

            (most, cost) = (affordable, clamped);
        }

        return Accept(Placed(account, PackEntry(entry.Pack), cost, most, entry.Card, context.Now, scope, null));
    }

    private Decision<AccountEvent> FromQuota(Account account, IReadOnlyList<PricedModel> chain, in DecisionContext context)
    {
        var subscription = account.Subscription;
        var most = MostOutput(chain);
        var (left, input) = (subscription.QuotaLeft(context.Now), chain.Max(model => Input(model).AllInput));
        if (WorstTokens(chain) > left)
        {
            var affordable = (left - input) / Ask.Choices;
            if (affordable < 1 || !Ask.MayClamp)
                return Reject(
                    RejectionCode.QuotaExceeded,
                    new(
                        "quota",
                        Amount.Zero(Unit.Usd),
                        Amount.Zero(Unit.Usd),
                        affordable < 1 ? null : affordable,
                        NeverFits: WorstTokens(chain) > subscription.Terms!.TokensPer24h
                    )
                );
            most = affordable;
        }

        var share = new QuotaShare(subscription.Id, subscription.QuotaWindow(context.Now), input + (most * Ask.Choices));
        var entry = "tiers/" + subscription.Terms!.Tier;
        return Accept(Placed(account, entry, Amount.Zero(Unit.Usd), most, context.Card, context.Now, null, share));
    }

    private HoldPlaced Placed(
        Account account,
        string entry,
        Amount cost,
        long most,
        RateCard card,
        DateTimeOffset now,
        string? scope,
        QuotaShare? quota
    ) =>
        new(
            Key,
            Route,
            Quantity.Of(Math.Min(Ask.Input + (most * Ask.Choices), Quantity.MaxWhole)),
            cost,
            default,
            card.Version,
            entry,
            Reference,
            account.Wallet.Allocate(cost, now, scope),
            now + Lifetime,
            new(Ask.Model, Ask.Input, most, scope, quota, Ask.Digest)
        );

    /// <summary>The name of a model's entry on a rate card.</summary>
    public static string ModelEntry(PricedModel model) => "models/" + ModelDirectory.NameOf(model);

    /// <summary>How many tokens a subscription's quota must have left for it.</summary>
    public long WorstTokens(IReadOnlyList<PricedModel> chain) =>
        chain.Max(model => Input(model).AllInput) + (MostOutput(chain) * Ask.Choices);

    private static string PackEntry(PricedPack pack) => "packs/" + pack.Id;

    /// <summary>The most output per choice: what the caller allows, but no more than the most talkative of the chain can say.</summary>
    private long MostOutput(IReadOnlyList<PricedModel> chain)
    {
        var ceiling = chain.Max(model => (long)model.MaxOutputTokens);
        return Math.Min(Ask.MaxOutput ?? ceiling, ceiling);
    }

    /// <summary>The input at its dearest: as much as the model can read, in the class that costs most of those that may come up.</summary>
    private TokenUse Input(PricedModel model)
    {
        var tokens = Math.Min(Ask.Input, model.ContextTokens);
        var rates = model.UsdPer1m;
        var (fresh, write, hour) = (rates.Input.Nanos, rates.CacheWrite.Nanos, rates.CacheWrite1h.Nanos);
        var dearest = Math.Max(fresh, rates.CacheRead.Nanos);
        if (Ask.Cache != CacheUse.Reads)
            dearest = Math.Max(dearest, write);
        if (Ask.Cache == CacheUse.Writes1h)
            dearest = Math.Max(dearest, hour);
        return dearest == fresh ? new(tokens, 0, 0, 0, 0)
            : dearest == rates.CacheRead.Nanos ? new(0, tokens, 0, 0, 0)
            : dearest == write ? new(0, 0, tokens, 0, 0)
            : new(0, 0, 0, tokens, 0);
    }

    private Amount? Worst(IReadOnlyList<PricedModel> chain, long most)
    {
        Amount? worst = null;
        foreach (var model in chain)
        {
            var tokens = Input(model) with { Output = Math.Min(most, model.MaxOutputTokens) * Ask.Choices };
            if (TokenCharge.Usd(tokens, model.UsdPer1m) is not { } cost)
                return null;
            if (worst is null || cost > worst)
                worst = cost;
        }

        return worst;
    }
}
