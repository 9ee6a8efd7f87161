using System.Collections.Immutable;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Outcome = Ledger.Domain.Accounts.Outcome;

namespace Ledger.Domain.Tests.Metering;

/// <summary>What is true after any sequence of calls of every payment, many at a time, however the clock runs on, or back, between them.</summary>
public class CallProperties
{
    private const string Plain = "sandbox/plain";

    private static readonly KeyId Limited = new("key0000000000003");
    private static readonly KeyId Minted = new("key0000000000004");
    private static readonly KeyId[] Keys = [Main, Limited, Minted, Calls.OnQuota];
    private static readonly string[] Models = [Plain, "sandbox/other", "any"];

    /// <summary>Two versions: the second is dearer, and no longer sells the pack.</summary>
    private static readonly RateBook Book = new(
        2,
        Noon,
        [new(1, Noon, Document("2", "10", true)), new(2, Noon, Document("3", "20", false))]
    );

    private static RateCardDocument Document(string input, string output, bool sellsPack) =>
        Prices.Document(1) with
        {
            Models =
            [
                Prices.Model(Plain, (input, output, "1", input, "4"), 50, 100, "sandbox/other"),
                Prices.Model("sandbox/other", ("5", "9", "6", "5", "5"), 30, 80),
            ],
            Aliases = new Dictionary<string, string> { ["any"] = Plain },
            Packs = sellsPack
                ? [new("plain", "sandbox", "plain", Quantity.Of(20), new(Quantity.Of(50_000), Quantity.Of(125_000)), Quantity.Of(9), 1)]
                : [],
            Tiers = [new("pro", Quantity.Of(20), Quantity.Of(0), 600), new("max", Quantity.Of(50), Quantity.Of(0), 1_000)],
        };

    /// <summary>One thing that is asked; the numbers pick what it is asked of.</summary>
    public sealed record Step(string Verb, int A, int B, int C);

    private static readonly Gen<Step> Steps =
        from verb in Gen.Frequency(
            (3, Gen.Constant("dollars")),
            (2, Gen.Constant("pack")),
            (1, Gen.Constant("credits")),
            (16, Gen.Constant("place")),
            (10, Gen.Constant("settle")),
            (3, Gen.Constant("release")),
            (3, Gen.Constant("extend")),
            (3, Gen.Constant("reverse")),
            (8, Gen.Constant("wait")),
            (1, Gen.Constant("sweep")),
            (1, Gen.Constant("level")),
            (1, Gen.Constant("end")),
            (2, Gen.Constant("tool"))
        )
        from a in Gen.Choose(0, 11)
        from b in Gen.Choose(0, 59)
        from c in Gen.Choose(0, 5)
        select new Step(verb, a, b, c);

    private static readonly Gen<Step[]> Walks = from length in Gen.Choose(1, 70) from steps in Gen.ArrayOf(Steps, length) select steps;

    /// <summary>An account, walked through.</summary>
    private sealed class Walk
    {
        private readonly HashSet<Guid> _ids = [];

        public Walk()
        {
            Do(new OpenAccount(Alice, null));
            Do(Key(Main, null));
            Do(Key(Limited, Calls.Usd(600_000)));
            Do(Key(Minted, null) with { By = new Credential(Limited) });
            Do(Key(Calls.OnQuota, null) with { Billing = KeyBilling.Subscription });
            Do(new GrantCredits(Alice, Calls.Usd(1_000_000), PocketSource.Prepaid, null, null, "operator", "first", null));
            Do(new GivePack(Alice, "plain", "first"));
            Do(new SetSubscription(Alice, EventIds.Request(Alice, "first"), "pro"));
            Now = Noon.AddHours(23);
        }

        public Account Account { get; private set; } = Account.Empty(Alice);

        /// <summary>Shortly before the quota's next window at first, so that most walks see one begin.</summary>
        public DateTimeOffset Now { get; private set; } = Noon;

        public List<Fact> History { get; } = [];

        /// <summary>The account as it was when the last command was decided, with what was due done.</summary>
        public Account Before { get; private set; } = Account.Empty(Alice);

        public AccountCommand? Last { get; private set; }

        public DateTimeOffset DecidedAt => Now > Account.LastAt ? Now : Account.LastAt;

        public Outcome Decide(AccountCommand command, Account account, bool isBlind = false) =>
            account.Transact(
                command,
                new(
                    Now > account.LastAt ? Now : account.LastAt,
                    Book.Cards[Now < Noon.AddHours(30) ? 0 : 1],
                    isBlind ? Past.None : Past.Of(History.Where(fact => command.Recalls.Contains(fact.Id))),
                    Book
                )
            );

        public Outcome Do(AccountCommand command)
        {
            var outcome = Decide(command, Account);
            (Before, Last) = (Account.LapsedAt(DecidedAt), command);
            foreach (var fact in outcome.Facts)
                _ids.Add(fact.Id).ShouldBeTrue("no id is twice in the log");
            History.AddRange(outcome.Facts);
            Account = outcome.After;
            return outcome;
        }

        public Outcome? Take(Step step)
        {
            if (step.Verb == "wait")
            {
                // Seconds to half a day, so that holds lapse and windows begin in every order; and now and then the clock steps back.
                Now +=
                    step.A < 2 ? TimeSpan.FromSeconds(-step.B)
                    : step.A < 8 ? TimeSpan.FromMinutes(step.B)
                    : TimeSpan.FromMinutes(step.B * 12);
                return null;
            }

            return Command(step) is { } command ? Do(command) : null;
        }

        private AccountCommand? Command(Step step)
        {
            var holds = History.Where(fact => fact.Event is HoldPlaced).ToArray();
            var hold = holds.Length > 0 ? new HoldId(holds[^(1 + (step.B % Math.Min(holds.Length, 8)))].Id) : default;
            var spends = History.Where(fact => fact.Event is HoldSettled or HoldSettledLate).ToArray();
            var number = $"{History.Count}";
            return step.Verb switch
            {
                "dollars" => Grant(Calls.Usd(1 + (step.B * 10_000)), PocketSource.Prepaid, null, step.C < 2 ? step.B : null, number),
                "pack" => step.C < 3
                    ? new GivePack(Alice, "plain", number)
                    : Grant(
                        new(1 + (step.B * 300_000), Unit.Credits),
                        PocketSource.Pack,
                        step.C == 3 ? "sandbox/other" : Plain,
                        step.B,
                        number
                    ),
                "credits" => Grant(Amount.Credits(1 + step.B), PocketSource.Bonus, null, null, number),
                "place" => new PlaceCallHold(
                    Alice,
                    Keys[step.A % 4],
                    Calls.Route,
                    $"c{step.B + (60 * (History.Count / 40))}",
                    new(
                        step.A > 7 ? Plain : Models[step.A % 3],
                        step.A > 7 ? CallPayment.Pack : CallPayment.QuotaOrBalance,
                        step.B * 2,
                        step.C == 0 ? null : step.C * 12,
                        1 + (step.B % 3),
                        (CacheUse)(step.C % 3),
                        step.B % 2 == 0,
                        $"digest-{step.B}-{step.C}"
                    ),
                    TimeSpan.FromMinutes((1 + step.B) * (step.C > 3 ? 20 : 1))
                ),
                "settle" when holds.Length > 0 => new SettleCall(
                    Alice,
                    hold,
                    Calls.Record(Reported(step), step.C == 5 ? "sandbox/other" : Plain),
                    step.A > 9 ? EventIds.Call(Alice, Calls.Route, $"c{step.B}") : null
                ),
                "release" when holds.Length > 0 => new ReleaseHold(Alice, null, hold),
                "extend" when holds.Length > 0 => new ExtendHold(Alice, hold, Now.AddMinutes(step.A * 5)),
                "reverse" when spends.Length > 0 => new ReverseSpend(Alice, new(spends[^(1 + (step.B % spends.Length))].Id), "sorry"),
                "sweep" => new RecordDue(Alice, EventIds.Request(Alice, $"sweep-{number}")),
                "level" => new SetSubscription(Alice, EventIds.Request(Alice, number), step.A % 2 == 0 ? "pro" : "max"),
                "end" => new EndSubscription(Alice, EventIds.Request(Alice, number), false, "canceled"),
                "tool" when holds.Length > 0 => step.A % 2 == 0
                    ? new SettleHold(Alice, Main, hold, Quantity.Of(step.B))
                    : new ReleaseHold(Alice, Main, hold),
                _ => null,
            };
        }

        /// <summary>From nothing to more than any hold was for.</summary>
        private static TokenUse Reported(Step step) =>
            new(step.A * 5, step.C * 3, step.A > 8 ? step.B : 0, 0, step.A > 6 ? step.B * 5 : step.B / 4);

        private GrantCredits Grant(Amount amount, PocketSource source, string? scope, int? minutes, string reference) =>
            new(Alice, amount, source, scope, minutes is { } after ? DecidedAt.AddMinutes(1 + after) : null, "operator", reference, null);

        private static CreateKey Key(KeyId key, Amount? limitUsd) =>
            new(
                Alice,
                key,
                "ci",
                KeyKind.Inference,
                KeyBilling.PayPerToken,
                null,
                key.Value,
                "lk_live_",
                "9x2Q",
                limitUsd is null ? null : Amount.Credits(30),
                limitUsd,
                LimitReset.Daily,
                [],
                null,
                null
            );
    }

    private static void Always(Action<Walk, Outcome?> holds, int count = 400) =>
        Property.ForAll(
            Walks,
            steps =>
            {
                var walk = new Walk();
                foreach (var step in steps)
                    holds(walk, walk.Take(step));
            },
            count,
            Property.Shorter
        );

    /// <summary>The hold that a command has just placed.</summary>
    private static HoldPlaced? PlacedBy(Outcome? outcome) =>
        outcome?.Facts.Select(fact => fact.Event).OfType<HoldPlaced>().SingleOrDefault();

    [Fact]
    public void Nothing_is_created_or_lost_in_either_unit() =>
        Always(
            (walk, _) =>
            {
                foreach (var unit in Enum.GetValues<Unit>())
                {
                    var (granted, spent, reversed, expired, debt, clawedBack) = walk.Account.Wallet.Totals(unit);
                    (granted + reversed + debt).ShouldBe(
                        walk.Account.Wallet.Posted(unit).Parts + spent + expired + clawedBack,
                        unit.ToString()
                    );
                    foreach (var part in (long[])[granted, spent, reversed, expired, debt, clawedBack])
                        part.ShouldBeGreaterThanOrEqualTo(0);
                }
            }
        );

    [Fact]
    public void What_is_accepted_was_there_and_comes_from_where_it_may() =>
        Always(
            (walk, outcome) =>
            {
                if (PlacedBy(outcome) is not { Call: { } call } placed)
                    return;
                var (before, at) = (walk.Before, walk.DecidedAt);
                placed.Allocated.Sum(share => share.Parts).ShouldBe(placed.Amount.Parts);
                var paying = placed.Allocated.Select(share => before.Wallet.Pocket(share.Pocket)).ToArray();
                paying.ShouldAllBe(pocket => pocket.Unit == placed.Amount.Unit && pocket.Scope == call.Scope && !pocket.LapsedAt(at));
                if (call.Quota is { } share)
                {
                    placed.Amount.IsZero.ShouldBeTrue();
                    share.Tokens.ShouldBeInRange(1, before.Subscription.QuotaLeft(at));
                    share.Subscription.ShouldBe(before.Subscription.Id);
                }
                else if (call.Scope is { } scope)
                    (placed.Amount <= before.Wallet.AvailableInPacks(scope, at)).ShouldBeTrue();
                else
                    (placed.Amount <= before.Wallet.Available(Unit.Usd, at)).ShouldBeTrue();
                if (before.Keys.LeftFor(placed.Key, placed.Amount.Unit, at) is { } limit)
                    (placed.Amount <= limit.Left).ShouldBeTrue();
            }
        );

    [Fact]
    public void Every_pocket_holds_exactly_what_the_open_holds_allocate() =>
        Always(
            (walk, _) =>
            {
                var allocated = walk
                    .Account.Wallet.Holds.Values.SelectMany(hold => hold.Allocated)
                    .ToLookup(share => share.Pocket, share => share.Parts);
                foreach (var pocket in walk.Account.Wallet.Pockets)
                {
                    pocket.Held.ShouldBe(allocated[pocket.Id].Sum());
                    pocket.Held.ShouldBeInRange(0, pocket.Remaining);
                }
            }
        );

    [Fact]
    public void A_charge_is_paid_to_the_last_part_from_its_hold_from_what_is_available_and_from_debt() =>
        Always(
            (walk, outcome) =>
            {
                foreach (var fact in outcome?.Facts ?? [])
                {
                    if (fact.Event is HoldSettled e)
                    {
                        var hold = walk.Before.Wallet.Holds[e.Hold];
                        var (fromHold, fromAvailable) = (Sum(e.FromHold), Sum(e.FromAvailable));
                        fromHold.ShouldBe(Math.Min(e.Charged.Parts, hold.Amount.Parts));
                        (fromHold + fromAvailable + (e.Debt?.Parts ?? 0)).ShouldBe(e.Charged.Parts);
                        e.Card.ShouldBe(hold.Card);
                    }

                    if (fact.Event is HoldSettledLate late)
                        (Sum(late.Paid) + (late.Debt?.Parts ?? 0)).ShouldBe(late.Charged.Parts);
                }
            }
        );

    [Fact]
    public void What_stays_within_the_bounds_of_its_hold_takes_nothing_beyond_it() =>
        Always(
            (walk, outcome) =>
            {
                foreach (var e in (outcome?.Facts ?? []).Select(fact => fact.Event).OfType<HoldSettled>())
                {
                    // Nothing of these walks is written to a cache for an hour, and what is written for five minutes costs what fresh input does.
                    var placed = (HoldPlaced)walk.History.Single(fact => fact.Id == e.Hold.Value).Event;
                    var (terms, tokens) = (placed.Call!, e.Call!.Tokens);
                    var isWithin = tokens.AllInput <= Math.Min(terms.Input, 80) && tokens.Output <= Math.Min(terms.MaxOutput, 30);
                    if (!isWithin)
                        continue;
                    e.FromAvailable.ShouldBeEmpty();
                    e.Debt.ShouldBeNull();
                    if (terms.Quota is { } held)
                        e.Call.Quota!.Tokens.ShouldBeLessThanOrEqualTo(held.Tokens);
                }
            }
        );

    /// <summary>Reckoned from the facts alone, by the rule as billing.md states it.</summary>
    [Fact]
    public void The_quota_is_what_the_facts_of_its_window_say() =>
        Always(
            (walk, _) =>
            {
                var subscription = walk.Account.Subscription;
                var (used, held) = (0L, 0L);
                var open = new Dictionary<HoldId, QuotaShare?>();
                bool Counts(QuotaShare? share) =>
                    share is not null && share.Subscription == subscription.Id && share.Window == subscription.Quota.Window;
                void End(HoldId hold, QuotaShare? charged)
                {
                    if (open.Remove(hold, out var share) && Counts(share))
                        held -= share!.Tokens;
                    if (Counts(charged))
                        used += charged!.Tokens;
                }

                foreach (var fact in walk.History)
                {
                    switch (fact.Event)
                    {
                        case HoldPlaced e:
                            open.Add(new(fact.Id), e.Call?.Quota);
                            held += Counts(e.Call?.Quota) ? e.Call!.Quota!.Tokens : 0;
                            break;
                        case HoldSettled e:
                            End(e.Hold, e.Call?.Quota);
                            break;
                        case HoldReleased e:
                            End(e.Hold, null);
                            break;
                        case HoldExpired e:
                            End(e.Hold, null);
                            break;
                        case HoldSettledLate e:
                            End(e.Hold, e.Call?.Quota);
                            break;
                        case SpendReversed e when Counts(e.Quota):
                            used -= e.Quota!.Tokens;
                            break;
                    }
                }

                (subscription.Quota.Used, subscription.Quota.Held).ShouldBe((used, held));
                used.ShouldBeGreaterThanOrEqualTo(0);
                held.ShouldBeGreaterThanOrEqualTo(0);
            },
            2000
        );

    [Fact]
    public void A_quotas_window_never_falls_and_only_a_settlement_takes_it_above_its_level()
    {
        Property.ForAll(
            Walks,
            steps =>
            {
                var walk = new Walk();
                var before = walk.Account.Subscription;
                foreach (var step in steps)
                {
                    var outcome = walk.Take(step);
                    var after = walk.Account.Subscription;
                    if (after.Id == before.Id)
                        after.Quota.Window.ShouldBeGreaterThanOrEqualTo(before.Quota.Window);
                    if (after.Quota.Used + after.Quota.Held > after.Terms!.TokensPer24h && PlacedBy(outcome)?.Call?.Quota is not null)
                        Assert.Fail("A hold was placed beyond the quota.");
                    before = after;
                }
            },
            400,
            Property.Shorter
        );
    }

    [Fact]
    public void What_is_accepted_is_nothing_new_a_second_time() =>
        Always(
            (walk, outcome) =>
            {
                if (outcome is not { Decision: Decision<AccountEvent>.Accepted })
                    return;
                var again = walk.Decide(walk.Last!, walk.Account);
                again.Facts.ShouldBeEmpty();
                again.Decision.ShouldNotBeOfType<Decision<AccountEvent>.Rejected>();

                // Where the past is not at hand, an id in the log or a refusal, after which it is looked up, stops a second effect.
                var blind = walk.Decide(walk.Last!, walk.Account, isBlind: true);
                if (!blind.Facts.IsEmpty)
                    blind.Facts.Select(fact => fact.Id).Intersect(walk.History.Select(fact => fact.Id)).ShouldNotBeEmpty();
            }
        );

    [Fact]
    public void No_call_is_charged_twice_and_none_that_was_released() =>
        Always(
            (walk, _) =>
            {
                var ends = walk
                    .History.Select(fact =>
                        fact.Event switch
                        {
                            HoldSettled e => (e.Hold, "charged"),
                            HoldSettledLate e => (e.Hold, "charged"),
                            HoldReleased e => (e.Hold, "released"),
                            _ => default,
                        }
                    )
                    .Where(end => end != default)
                    .ToArray();
                ends.Select(end => end.Item1).ShouldBeUnique();
            }
        );

    [Fact]
    public void A_tool_never_ends_a_calls_hold() =>
        Always(
            (walk, outcome) =>
            {
                if (walk.Last is SettleHold || walk.Last is ReleaseHold { Key: not null })
                    outcome?.Facts.ShouldBeEmpty();
            }
        );

    [Fact]
    public void The_next_due_moment_is_always_exact() =>
        Always((walk, _) => walk.Account.Wallet.NextDue.ShouldBe(walk.Account.Wallet.WithDueReckoned().NextDue));

    [Fact]
    public void Live_state_is_what_folding_all_facts_anew_gives() =>
        Always(
            (walk, outcome) =>
            {
                if (outcome is { Facts.IsEmpty: false })
                    Text(Scenario.Fold(walk.History)).ShouldBe(Text(walk.Account));
            },
            100
        );

    /// <summary>Each way to pay, each way to end, above a hold and below it, late, in a window after that of the hold.</summary>
    [Fact]
    public void The_walks_reach_every_case()
    {
        var seen = new HashSet<string>();
        Always(
            (walk, outcome) =>
            {
                if (outcome?.Decision is Decision<AccountEvent>.Rejected(var code, var shortfall))
                    seen.Add($"{walk.Last!.GetType().Name} {code} {shortfall?.Source}");
                foreach (var fact in outcome?.Facts ?? [])
                {
                    seen.UnionWith(
                        fact.Event switch
                        {
                            HoldPlaced { Call: { } call } placed =>
                            [
                                $"placed {Payment(call)}",
                                $"placed under {placed.Card}",
                                walk.Last is PlaceCallHold { Ask.MayClamp: true, Ask.MaxOutput: { } most }
                                && call.MaxOutput < Math.Min(most, 50)
                                    ? "clamped"
                                    : "",
                            ],
                            HoldSettled { Call: { } call } e =>
                            [
                                "settled " + (e.FromAvailable.IsEmpty ? "within" : "above"),
                                e.Debt is null ? "" : $"debt {e.Charged.Unit}",
                                e.Call.Quota?.Window < walk.Account.Subscription.Quota.Window ? "settled a window later" : "",
                                e.Card < 2 && walk.Now > Noon.AddHours(30) ? "settled under another card" : "",
                            ],
                            HoldSettledLate e => [$"late {(e.Call!.Quota is null ? e.Charged.Unit.ToString() : "quota")}"],
                            SpendReversed e => [$"reversed {(e.Quota is null ? e.Amount.Unit.ToString() : "quota")}"],
                            HoldExtended or HoldReleased or HoldExpired or SubscriptionStarted => [fact.Event.GetType().Name],
                            _ => (string[])[],
                        }
                    );
                }
            },
            1000
        );
        string[] expected =
        [
            "placed quota",
            "placed pack",
            "placed balance",
            "placed under 1",
            "placed under 2",
            "clamped",
            "settled within",
            "settled above",
            "settled a window later",
            "settled under another card",
            "debt Credits",
            "debt Usd",
            "late Credits",
            "late Usd",
            "late quota",
            "reversed Credits",
            "reversed Usd",
            "reversed quota",
            "HoldExtended",
            "HoldReleased",
            "HoldExpired",
            "SubscriptionStarted",
            "PlaceCallHold ReferenceConflict ",
            "PlaceCallHold NoActiveSubscription ",
            "PlaceCallHold KeyKindNotAllowed ",
            "PlaceCallHold KeyLimitReached key",
            "PlaceCallHold KeyLimitReached minting_key",
            "PlaceCallHold NoActivePack pack",
            "PlaceCallHold QuotaExceeded quota",
            "PlaceCallHold InsufficientCredits balance",
            "PlaceCallHold InsufficientCredits debt",
            "SettleCall ReferenceConflict ",
            "SettleCall HoldAlreadyReleased ",
            "SettleCall HoldAlreadyExpired ",
            "SettleHold HoldNotFound ",
            "ReleaseHold HoldNotFound ",
            "ReleaseHold HoldAlreadySettled ",
            "ReleaseHold HoldAlreadyExpired ",
            "ExtendHold HoldNotFound ",
        ];
        expected.Where(one => !seen.Contains(one)).ShouldBeEmpty();
    }

    private static string Payment(CallTerms call) =>
        call.Quota is not null ? "quota"
        : call.Scope is not null ? "pack"
        : "balance";

    private static long Sum(ImmutableArray<PocketShare> shares) => shares.Sum(share => share.Parts);

    /// <summary>The whole state of what calls touch, collections spelled out.</summary>
    private static string Text(Account account) =>
        JsonSerializer.Serialize(
            new
            {
                account.Version,
                account.LastAt,
                account.Wallet.Open,
                Emptied = account.Wallet.Emptied.Values.OrderBy(pocket => pocket.Id.Number),
                Holds = account.Wallet.Holds.Values.OrderBy(hold => hold.Id.Value),
                account.Wallet.Credits,
                account.Wallet.Usd,
                account.NextDue,
                account.Subscription,
                Keys = account.Keys.Keys.Values.OrderBy(key => key.Id.Value, StringComparer.Ordinal),
            }
        );
}
