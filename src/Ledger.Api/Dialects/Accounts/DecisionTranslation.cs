using System.Globalization;
using Ledger.Api.Decisions;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.EventStore;

namespace Ledger.Api.Dialects.Accounts;

/// <summary>Between an explained decision and the wire.</summary>
internal static class DecisionTranslation
{
    private static readonly (string Check, RejectionCode[] Codes)[] Access =
    [
        ("account", [RejectionCode.AccountNotFound]),
        ("key", [RejectionCode.KeyNotUsable]),
        ("suspension", [RejectionCode.AccountSuspended]),
        ("sign_in", [RejectionCode.SignInEnded]),
        ("key_kind", [RejectionCode.KeyKindNotAllowed]),
    ];

    private static readonly (string Check, RejectionCode[] Codes)[] Tool =
    [
        .. Access,
        ("reference", [RejectionCode.ReferenceConflict]),
        ("price", [RejectionCode.UnknownTool]),
        ("amount", [RejectionCode.AmountOutOfRange]),
        ("key_limit", [RejectionCode.KeyLimitReached]),
        ("funds", [RejectionCode.InsufficientCredits]),
    ];

    private static readonly (string Check, RejectionCode[] Codes)[] End =
    [
        .. Access,
        (
            "hold",
            [
                RejectionCode.HoldNotFound,
                RejectionCode.HoldAlreadyReleased,
                RejectionCode.HoldAlreadySettled,
                RejectionCode.HoldAlreadyExpired,
            ]
        ),
        ("reference", [RejectionCode.ReferenceConflict]),
        ("amount", [RejectionCode.AmountOutOfRange]),
    ];

    private static readonly (string Check, RejectionCode[] Codes)[] Call =
    [
        .. Access,
        ("model_allowed", [RejectionCode.ModelNotAllowed]),
        ("reference", [RejectionCode.ReferenceConflict]),
        ("subscription", [RejectionCode.NoActiveSubscription]),
        ("price", [RejectionCode.UnknownModel]),
        ("amount", [RejectionCode.AmountOutOfRange]),
        ("key_limit", [RejectionCode.KeyLimitReached]),
        ("funds", [RejectionCode.NoActivePack, RejectionCode.QuotaExceeded, RejectionCode.InsufficientCredits]),
    ];

    /// <summary>A request's decisions.</summary>
    /// <param name="request">The request.</param>
    /// <param name="next">The cursor of the next page; null on the last.</param>
    public static DecisionsAnswer ToAnswer(ExplainedRequest request, string? next) =>
        new(new(request.RequestId, [.. request.Decisions.Select(one => ToView(one, request))], next));

    private static DecisionView ToView(Explained one, ExplainedRequest request)
    {
        var price = ToPrice(one, request.Book);
        var shortfall = ToShortfall(one);
        return new(
            one.Kind,
            VerdictOf(one.Recorded),
            one.Recorded.Code,
            SummaryOf(one, price, shortfall),
            one.At,
            one.Version,
            one.Event is var (id, version, position) ? new(id, version, position) : null,
            one.Key == default ? null : one.Key.Value,
            ToAsked(one.Asked),
            ToChecks(one),
            price,
            ToStanding(one),
            ToLimits(one),
            ToQuota(one),
            ToFunds(one),
            one.Hold is { } hold
                ? new(
                    hold.Id.Value,
                    WireNumber.Of(hold.Amount),
                    hold.PlacedAt,
                    hold.ExpiresAt,
                    hold.Card,
                    one.Account.Wallet.Holds.ContainsKey(hold.Id)
                )
                : null,
            shortfall,
            ToRerun(one),
            one.Today is { } today
                ? new(VerdictOf(today), today.Code, NumberOf(today.Cost), request.Book.InForce(request.At)?.Version ?? 0)
                : null,
            [.. ToChanges(one, request)]
        );
    }

    private static string VerdictOf(DecisionResult result) => result.Code is null ? "accepted" : "refused";

    private static AskedView? ToAsked(AskedWork? asked) =>
        asked is null || asked.Kind == AskedWork.Access
            ? null
            : new(
                asked.Tool,
                asked.Units is { } units ? WireNumber.Of(units) : null,
                asked.Reference,
                asked.Call?.Model ?? (asked.Record is { } record ? record.Provider + "/" + record.Model : null),
                asked.Call?.Input,
                asked.Call?.MaxOutput,
                asked.Call?.Choices,
                asked.Call?.MayClamp,
                asked.Record?.Tokens.Total
            );

    /// <summary>What was looked at, by the order of codes: before the one that refused, all let it pass; after it, none was reached.</summary>
    private static List<CheckView> ToChecks(Explained one)
    {
        var checks = one.Kind switch
        {
            "spend" or "place_hold" => Tool,
            "settle_hold" or "release_hold" => End,
            "place_call_hold" => Call,
            AskedWork.Access => one.Recorded.Code == RefusalBook.RateLimited ? [.. Access, ("rate_limit", [])] : Access,
            _ => [],
        };
        var refusing =
            one.Recorded.Code is not { } code ? checks.Length
            : code == RefusalBook.RateLimited ? checks.Length - 1
            : Array.FindIndex(checks, check => check.Codes.Any(known => Application.LedgerMetrics.CodeName(known) == code));
        var views = new List<CheckView>(checks.Length);
        for (var i = 0; i < checks.Length; i++)
        {
            // Of a call whose pack there is none, nothing was set beside the limit.
            var isUnpriced = checks[i].Check == "key_limit" && one.Recorded.Shortfall is { Source: "pack", Needed.IsZero: true };
            views.Add(new(checks[i].Check, refusing < 0 || i > refusing || isUnpriced ? null : i < refusing));
        }

        return views;
    }

    private static PriceView? ToPrice(Explained one, RateBook book)
    {
        if (one.Card is not { } inForce || EntryOf(one, inForce, book) is not var (card, entry) || RatesOf(card, entry) is not { } rates)
            return null;
        var cost = CostOf(one, card);
        return new(card.Version, card.EffectiveAt, entry, rates, cost?.Unit.Name(), NumberOf(cost));
    }

    /// <summary>What priced it: as recorded, else as it would have been; null where nothing did.</summary>
    private static (RateCard Card, string Entry)? EntryOf(Explained one, RateCard inForce, RateBook book)
    {
        if (one.Recorded.Entry is { } recorded)
            return book.Find(one.Recorded.Card) is { } card ? (card, recorded) : null;
        if (one.Hold is { } hold)
            return book.Find(hold.Card) is { } card ? (card, hold.Entry) : null;
        if (one.Asked is not { } asked)
            return null;
        if (asked.Call is not { } call)
            return asked.Tool is { } tool && inForce.FindTool(tool) is { } entry ? (inForce, entry.Id) : null;

        var key = one.Account.Keys.Find(one.Key);
        if (call.ChainOn(inForce, key) is not [var model, ..])
            return null;
        if (call.Payment == CallPayment.Pack)
        {
            var scope = ModelDirectory.NameOf(model);
            var pocket = one.Account.Wallet.FirstPack(scope, one.At);
            return pocket is not null && PackRates.EntryOf(scope, one.Account.Orders.OfPocket(pocket.Id), book, inForce) is var (card, pack)
                ? (card, "packs/" + pack.Id)
                : null;
        }

        return key?.Billing == KeyBilling.Subscription
            ? one.Account.Subscription.Terms is { } terms && book.Find(terms.Card) is { } agreed
                ? (agreed, "tiers/" + terms.Tier)
                : null
            : (inForce, PlaceCallHold.ModelEntry(model));
    }

    private static Amount? CostOf(Explained one, RateCard card)
    {
        if (one.Recorded.Cost is { } cost)
            return cost;
        if (one.Recorded.Shortfall is { Source: not "quota", Needed: { IsZero: false } needed })
            return needed;
        if (one.Asked is not { Units: { } units } asked)
            return null;
        var price = one.Hold?.Price ?? (asked.Tool is { } tool ? card.FindTool(tool)?.Credits : null);
        return price is { } credits ? Charge.WholeCredits(units, credits) : null;
    }

    private static Dictionary<string, string>? RatesOf(RateCard card, string entry)
    {
        if (card.Tools.FirstOrDefault(tool => tool.Id == entry) is { } tool)
            return new() { ["per"] = tool.Per, ["credits"] = tool.Credits.ToString() };
        var name = entry[(entry.IndexOf('/', StringComparison.Ordinal) + 1)..];
        if (entry.StartsWith("models/", StringComparison.Ordinal) && card.Models.Find(name) is { UsdPer1m: var usd })
            return new()
            {
                ["per"] = "1000000 tokens, in usd",
                ["input"] = usd.Input.ToString(),
                ["output"] = usd.Output.ToString(),
                ["cache_read"] = usd.CacheRead.ToString(),
                ["cache_write"] = usd.CacheWrite.ToString(),
                ["cache_write_1h"] = usd.CacheWrite1h.ToString(),
            };
        if (entry.StartsWith("packs/", StringComparison.Ordinal) && card.FindPack(name) is { CreditsPer1m: var credits })
            return new()
            {
                ["per"] = "1000000 tokens, in credits",
                ["input"] = credits.Input.ToString(),
                ["output"] = credits.Output.ToString(),
            };
        return entry.StartsWith("tiers/", StringComparison.Ordinal) && card.FindTier(name) is { } tier
            ? new() { ["per"] = "24 hours", ["tokens"] = tier.TokensPer24h.ToString(CultureInfo.InvariantCulture) }
            : null;
    }

    private static StandingView ToStanding(Explained one)
    {
        var key = one.Account.Keys.Find(one.Key);
        return new(
            EventTypes.SnakeCase(one.Account.Status.ToString()),
            key is null ? null : StatusOf(one.Account, key, one.At),
            key is null ? null : EventTypes.SnakeCase(key.Kind.ToString()),
            key is null || key.AllowedModels.IsDefault ? [] : key.AllowedModels
        );
    }

    private static string StatusOf(Account account, Key key, DateTimeOffset at) =>
        key.RevokedAt is not null ? "revoked"
        : key.Disabled ? "disabled"
        : key.ExpiresAt <= at ? "expired"
        : account.Keys.Accepts(key.Id, 0, at) ? "usable"
        : "minter_unusable";

    private static List<LimitView> ToLimits(Explained one)
    {
        var limits = new List<LimitView>();
        foreach (var key in one.Account.Keys.Line(one.Key))
        {
            foreach (var unit in Enum.GetValues<Unit>())
            {
                if (key.LimitIn(unit) is not { } limit || key.LimitRemaining(unit, one.At) is not { } left)
                    continue;
                var counted = unit == Unit.Credits ? key.Used : key.UsedUsd;
                var used = LimitWindow.Of(key.LimitReset, one.At) > key.Window ? 0 : counted;
                limits.Add(
                    new(
                        key.Id.Value,
                        key.Name,
                        key.Id == one.Key,
                        unit.Name(),
                        WireNumber.Of(limit),
                        WireNumber.Of(used, unit),
                        WireNumber.Of(left),
                        EventTypes.SnakeCase(key.LimitReset.ToString())
                    )
                );
            }
        }

        return limits;
    }

    private static QuotaView? ToQuota(Explained one)
    {
        var subscription = one.Account.Subscription;
        if (subscription.Terms is not { } terms)
            return null;
        var use = subscription.QuotaAt(one.At);
        return new(
            terms.Tier,
            subscription.ServesAt(one.At),
            terms.TokensPer24h,
            use.Used,
            use.Held,
            subscription.QuotaLeft(one.At),
            subscription.QuotaResetsAt(one.At)
        );
    }

    private static FundsView? ToFunds(Explained one)
    {
        var cost = one.Card is { } card ? CostOf(one, card) : one.Recorded.Cost;
        if (UnitOf(one, cost) is not { } unit)
            return null;
        var (wallet, scope) = (one.Account.Wallet, ScopeOf(one));
        var paid = one.Recorded.Paid;
        if (one.Recorded.Code is not null && cost is { } wanted && one.Hold is null)
            paid = wallet.Allocate(wanted, one.At, scope);
        var pockets = wallet
            .Open.Where(pocket => pocket.Unit == unit && !(pocket.LapsedAt(one.At) && pocket.Held == 0))
            .Where(pocket => pocket.Scope is null ? scope is null || paid.Any(share => share.Pocket == pocket.Id) : pocket.Scope == scope)
            .ToList();
        var (posted, held) = (pockets.Sum(pocket => pocket.Remaining), pockets.Sum(pocket => pocket.Held));
        return new(
            unit.Name(),
            scope,
            WireNumber.Of(posted, unit),
            WireNumber.Of(held, unit),
            WireNumber.Of(wallet.Debt(unit)),
            WireNumber.Of(scope is null ? wallet.Available(unit, one.At) : wallet.AvailableInPacks(scope, one.At)),
            [
                .. pockets.Select(pocket => new PayingPocket(
                    pocket.Id.Number,
                    EventTypes.SnakeCase(pocket.Source.ToString()),
                    pocket.Scope,
                    WireNumber.Of(pocket.Remaining, unit),
                    WireNumber.Of(pocket.Held, unit),
                    pocket.ExpiresAt,
                    WireNumber.Of(paid.Where(share => share.Pocket == pocket.Id).Sum(share => share.Parts), unit)
                )),
            ]
        );
    }

    private static Unit? UnitOf(Explained one, Amount? cost) =>
        cost?.Unit
        ?? one.Hold?.Amount.Unit
        ?? one.Asked switch
        {
            { Call.Payment: CallPayment.Pack } => Unit.Credits,
            { Call: not null } => Unit.Usd,
            { Tool: not null } => Unit.Credits,
            _ => null,
        };

    private static string? ScopeOf(Explained one) =>
        one.Hold?.Call?.Scope
        ?? (
            one.Asked?.Call is { Payment: CallPayment.Pack } call && one.Card?.Models.Find(call.Model) is { } model
                ? ModelDirectory.NameOf(model)
                : null
        );

    private static ShortfallView? ToShortfall(Explained one)
    {
        if (one.Recorded.Shortfall is not { } short_)
            return null;
        if (
            short_.Source == "quota"
            && one.Asked?.ToCommand(one.Account.Id) is PlaceCallHold call
            && call.Ask.ChainOn(one.Card!, one.Account.Keys.Find(one.Key)) is { Count: > 0 } chain
        )
            return new(short_.Source, call.WorstTokens(chain), one.Account.Subscription.QuotaLeft(one.At), "tokens", short_.Affordable);
        return new(
            short_.Source,
            WireNumber.Of(short_.Needed),
            WireNumber.Of(short_.Available),
            short_.Needed.Unit.Name(),
            short_.Affordable
        );
    }

    private static RerunView ToRerun(Explained one)
    {
        if (one.Again is not { } again)
            return new(null, null, null, null, one.Why ?? "This cannot be decided again.");
        var message = one.IsOtherwise
            ? $"Decided again on the same account and rate card, the program of today {Words(again)}; recorded is that it {Words(one.Recorded)}. Its rules have changed since."
            : $"Decided again on the same account and rate card, it comes to the same: it {Words(again)}.";
        return new(!one.IsOtherwise, VerdictOf(again), again.Code, NumberOf(again.Cost), message);
    }

    private static string Words(DecisionResult result) =>
        result.Code is { } code ? $"refuses with {code}"
        : result.Cost is { } cost ? $"accepts for {cost.ToDecimalString()} {cost.Unit.Name()}"
        : "accepts";

    private static string SummaryOf(Explained one, PriceView? price, ShortfallView? shortfall)
    {
        if (one.Recorded.Code is not { } code)
        {
            var paid =
                one.Recorded.QuotaTokens is { } tokens ? Invariant($"{tokens} tokens of the subscription's quota")
                : one.Recorded.Cost is { } cost ? $"{cost.ToDecimalString()} {cost.Unit.Name()}"
                : null;
            return one.Kind switch
            {
                "release_hold" => "Accepted: what was held went back.",
                "place_hold" or "place_call_hold" => $"Accepted: {paid} set aside, by {price?.Entry ?? "its price"}.",
                _ => $"Accepted: {paid} charged, by {price?.Entry ?? "its price"}.",
            };
        }

        return shortfall is null
            ? $"Refused with {code}."
            : Invariant(
                $"Refused with {code}: {shortfall.Needed} {shortfall.Unit} needed, {shortfall.Available} left of {SourceOf(shortfall.LimitSource)}."
            );
    }

    private static string SourceOf(string source) =>
        source switch
        {
            "balance" => "the balance",
            "debt" => "the balance, which debt blocks",
            "pack" => "the packs for this model",
            "quota" => "the subscription's quota",
            "key" => "the key's limit",
            _ => "the limit of a key that minted it",
        };

    /// <summary>Which of the rules that this was decided by are others today.</summary>
    private static IEnumerable<ChangeView> ToChanges(Explained one, ExplainedRequest request)
    {
        var (then, now) = (one.Account, request.Now);
        if (
            one.Card is { } card
            && EntryOf(one, card, request.Book) is var (priced, entry)
            && request.Book.InForce(request.At) is { } today
        )
        {
            var (before, after) = (Text(RatesOf(priced, entry)), Text(RatesOf(today, entry)));
            if (before != after)
                yield return new("price", null, before, after);
        }

        if (then.Status != now.Status)
            yield return new(
                "account_status",
                null,
                EventTypes.SnakeCase(then.Status.ToString()),
                EventTypes.SnakeCase(now.Status.ToString())
            );
        if (then.Subscription.Terms?.Tier != now.Subscription.Terms?.Tier)
            yield return new("tier", null, then.Subscription.Terms?.Tier, now.Subscription.Terms?.Tier);
        foreach (var key in then.Keys.Line(one.Key))
        {
            if (now.Keys.Find(key.Id) is not { } other)
                continue;
            foreach (
                var (what, was, is_) in ((string, string?, string?)[])
                    [
                        ("key_status", StatusOf(then, key, one.At), StatusOf(now, other, request.At)),
                        ("limit", key.Limit?.ToDecimalString(), other.Limit?.ToDecimalString()),
                        ("limit_usd", key.LimitUsd?.ToDecimalString(), other.LimitUsd?.ToDecimalString()),
                        ("limit_reset", EventTypes.SnakeCase(key.LimitReset.ToString()), EventTypes.SnakeCase(other.LimitReset.ToString())),
                        ("allowed_models", Text(key), Text(other)),
                        ("rate_limit", Text(key.EffectiveRateLimit), Text(other.EffectiveRateLimit)),
                    ]
            )
            {
                if (was != is_)
                    yield return new(what, key.Id.Value, was, is_);
            }
        }
    }

    private static string? Text(Dictionary<string, string>? rates) =>
        rates is null ? null : string.Join(", ", rates.Select(rate => rate.Key + " " + rate.Value));

    private static string? Text(Key key) => key.AllowedModels.IsDefaultOrEmpty ? null : string.Join(", ", key.AllowedModels);

    private static string Text(KeyRateLimit limit) =>
        limit.Unlimited ? "unlimited" : Invariant($"{limit.Burst} at once, {limit.RefillPerSecond} per second");

    private static decimal? NumberOf(Amount? amount) => amount is { } known ? WireNumber.Of(known) : null;

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
