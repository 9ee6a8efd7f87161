using FsCheck;
using FsCheck.Fluent;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Outcome = Ledger.Domain.Accounts.Outcome;

namespace Ledger.Domain.Tests.Wallets;

/// <summary>What is true after any sequence of commands, however the clock runs on between them.</summary>
public class WalletProperties
{
    private static readonly KeyId Limited = new("key0000000000003");

    /// <summary>One thing that is asked; the numbers pick what it is asked of.</summary>
    public sealed record Step(string Verb, int A, int B, int C);

    private static readonly Gen<Step> Steps =
        from verb in Gen.Frequency(
            (4, Gen.Constant("grant")),
            (8, Gen.Constant("spend")),
            (8, Gen.Constant("hold")),
            (6, Gen.Constant("settle")),
            (3, Gen.Constant("release")),
            (2, Gen.Constant("extend")),
            (4, Gen.Constant("reverse")),
            (8, Gen.Constant("wait")),
            (1, Gen.Constant("sweep"))
        )
        from a in Gen.Choose(0, 11)
        from b in Gen.Choose(0, 59)
        from c in Gen.Choose(0, 5)
        select new Step(verb, a, b, c);

    internal static readonly Gen<Step[]> Walks = from length in Gen.Choose(1, 60) from steps in Gen.ArrayOf(Steps, length) select steps;

    /// <summary>An account, walked through.</summary>
    internal sealed class Walk
    {
        private readonly List<Fact> _facts = [];
        private readonly HashSet<Guid> _ids = [];

        public Walk()
        {
            Do(new OpenAccount(Alice, null));
            Do(CreateKey(Main, null, LimitReset.None));
            Do(CreateKey(Limited, 40, LimitReset.Daily));
        }

        public Account Account { get; private set; } = Account.Empty(Alice);

        /// <summary>Shortly before midnight at first, so that most walks see a limit start anew.</summary>
        public DateTimeOffset Now { get; private set; } = Noon.AddMinutes(700);

        public List<Fact> History => _facts;

        public Outcome Do(AccountCommand command)
        {
            var past = Past.Of(_facts.Where(fact => command.Recalls.Contains(fact.Id)));
            var outcome = Account.Transact(command, new(Now, Prices.Card, past));
            foreach (var fact in outcome.Facts)
                _ids.Add(fact.Id).ShouldBeTrue("no id is twice in the log");
            _facts.AddRange(outcome.Facts);
            Account = outcome.After;
            return outcome;
        }

        public Outcome? Take(Step step)
        {
            if (step.Verb == "wait")
            {
                // From a microsecond to a day and a bit, so that limits start anew and pockets and holds lapse in every order.
                Now += step.A < 2 ? TimeSpan.FromMicroseconds(step.B) : TimeSpan.FromMinutes(step.B * (step.A > 7 ? 30 : 1));
                return null;
            }

            return Command(step) is { } command ? Do(command) : null;
        }

        private AccountCommand? Command(Step step)
        {
            var key = step.C % 2 == 0 ? Main : Limited;
            var holds = _facts.Where(fact => fact.Event is HoldPlaced).ToArray();
            var spends = _facts.Where(fact => fact.Event is CreditsSpent or HoldSettled or HoldSettledLate).ToArray();
            return step.Verb switch
            {
                "grant" => new GrantCredits(
                    Alice,
                    step.A == 11 ? Amount.Usd(step.B) : Amount.Credits(step.B),
                    (PocketSource)(step.C % 5),
                    step.A == 10 ? "deepseek/chat" : null,
                    step.C < 3 ? Now.AddMinutes(step.B) : null,
                    "operator",
                    $"payment-{_facts.Count}",
                    null
                ),
                "spend" => new Spend(Alice, key, step.A > 8 ? "token" : "chat", Quantity.Of(step.C + 1), $"r{step.B}"),
                "hold" => new PlaceHold(Alice, key, "chat", Quantity.Of(step.C + 1), $"r{step.B}", TimeSpan.FromMinutes(1 + step.B)),
                "settle" when holds.Length > 0 => new SettleHold(Alice, Main, new(holds[step.B % holds.Length].Id), Quantity.Of(step.A)),
                "release" when holds.Length > 0 => new ReleaseHold(Alice, Main, new(holds[step.B % holds.Length].Id)),
                "extend" when holds.Length > 0 => new ExtendHold(Alice, new(holds[step.B % holds.Length].Id), Now.AddMinutes(step.A * 10)),
                "reverse" when spends.Length > 0 => new ReverseSpend(Alice, new(spends[step.B % spends.Length].Id), "sorry"),
                "sweep" => new RecordDue(Alice, EventIds.Request(Alice, $"sweep-{_facts.Count}")),
                _ => null,
            };
        }

        private static CreateKey CreateKey(KeyId key, long? limit, LimitReset reset) =>
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
                limit is { } credits ? Amount.Credits(credits) : null,
                null,
                reset,
                [],
                null,
                null
            );
    }

    private static void Always(Action<Walk, Outcome?> holds, int count = 300) =>
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

    [Fact]
    public void Nothing_is_created_or_lost() =>
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
    public void Posted_less_held_is_what_is_available_and_none_is_ever_negative() =>
        Always(
            (walk, _) =>
            {
                var wallet = walk.Account.LapsedAt(walk.Now).Wallet;
                foreach (var unit in Enum.GetValues<Unit>())
                {
                    var available = wallet.Available(unit, walk.Now, "deepseek/chat");
                    available.Parts.ShouldBeGreaterThanOrEqualTo(0);
                    if (wallet.Debt(unit).IsZero)
                        available.ShouldBe(wallet.Posted(unit) - wallet.Held(unit));
                    else
                        available.IsZero.ShouldBeTrue();
                }
            }
        );

    [Fact]
    public void Every_pocket_holds_exactly_what_the_open_holds_allocate() =>
        Always(
            (walk, _) =>
            {
                var wallet = walk.Account.Wallet;
                var allocated = wallet
                    .Holds.Values.SelectMany(hold => hold.Allocated)
                    .ToLookup(share => share.Pocket, share => share.Parts);
                foreach (var pocket in wallet.Pockets)
                {
                    pocket.Held.ShouldBe(allocated[pocket.Id].Sum());
                    pocket.Held.ShouldBeInRange(0, pocket.Remaining);
                }

                foreach (var hold in wallet.Holds.Values)
                    hold.Allocated.Sum(share => share.Parts).ShouldBe(hold.Amount.Parts);
                wallet.Open.All(pocket => pocket.Remaining > 0).ShouldBeTrue();
                wallet.Emptied.Values.All(pocket => pocket.Remaining == 0).ShouldBeTrue();
            }
        );

    [Fact]
    public void Live_state_is_what_folding_all_facts_anew_gives() =>
        Always(
            (walk, outcome) =>
            {
                if (outcome is null)
                    return;
                var refolded = Scenario.Fold(walk.History);
                Text(refolded).ShouldBe(Text(walk.Account));
                walk.History.Select(fact => fact.Version)
                    .ShouldBe(Enumerable.Range(1, walk.History.Count).Select(version => (long)version));
            },
            100
        );

    [Fact]
    public void The_next_due_moment_is_always_exact() =>
        Always((walk, _) => walk.Account.Wallet.NextDue.ShouldBe(walk.Account.Wallet.WithDueReckoned().NextDue));

    [Fact]
    public void Pockets_stand_in_drain_order() =>
        Always(
            (walk, _) =>
                walk
                    .Account.Wallet.Open.Zip(walk.Account.Wallet.Open.Skip(1))
                    .All(pair => Pocket.CompareDrainOrder(pair.First, pair.Second) < 0)
                    .ShouldBeTrue()
        );

    [Fact]
    public void What_lapses_is_dated_in_order_when_it_was_due() =>
        Always(
            (walk, outcome) =>
            {
                if (outcome is not { } done)
                    return;
                var dates = done
                    .Facts.TakeWhile(fact => fact.Event is PocketExpired or HoldExpired)
                    .Select(fact => fact.Event is PocketExpired pocket ? pocket.ExpiredAt : ((HoldExpired)fact.Event).ExpiredAt)
                    .ToArray();
                dates.ShouldBe(dates.Order());
                dates.All(date => date <= walk.Now).ShouldBeTrue();
                if (!done.Facts.IsEmpty)
                    walk.Account.Wallet.DueEvents(walk.Now).ShouldBeEmpty("nothing due is left behind");
            }
        );

    [Fact]
    public void A_charge_is_paid_to_the_last_part_from_pockets_and_debt() =>
        Always(
            (_, outcome) =>
            {
                foreach (var fact in outcome?.Facts ?? [])
                {
                    var (charged, paid, debt) = fact.Event switch
                    {
                        CreditsSpent e => (e.Charged, e.Paid, null),
                        HoldSettled e => (e.Charged, e.FromHold.AddRange(e.FromAvailable), e.Debt),
                        HoldSettledLate e => (e.Charged, e.Paid, e.Debt),
                        SpendReversed e => (e.Amount, e.Returned, e.DebtCleared),
                        _ => (default, [], (Amount?)null),
                    };
                    (paid.Sum(share => share.Parts) + (debt?.Parts ?? 0)).ShouldBe(charged.Parts);
                    paid.All(share => share.Parts > 0).ShouldBeTrue();
                }
            }
        );

    /// <summary>Reckoned from the facts alone, by the rule as billing.md states it.</summary>
    [Fact]
    public void A_key_has_used_what_its_facts_say_in_the_window_they_belong_to() =>
        Always(
            (walk, _) =>
            {
                var key = walk.Account.Keys.Find(Limited)!;
                long used = 0;
                var holds = new Dictionary<HoldId, Hold>();
                void Count(KeyId of, long parts, DateTimeOffset at)
                {
                    if (of == Limited && LimitWindow.Of(LimitReset.Daily, at) == key.Window)
                        used += parts;
                }

                foreach (var fact in walk.History)
                {
                    if (fact.Event is HoldPlaced placed)
                    {
                        Count(placed.Key, placed.Amount.Parts, fact.At);
                        holds.Add(new(fact.Id), Hold.From(fact, placed));
                    }

                    if (fact.Event is HoldSettled or HoldReleased or HoldExpired)
                    {
                        var id = fact.Event switch
                        {
                            HoldSettled e => e.Hold,
                            HoldReleased e => e.Hold,
                            HoldExpired e => e.Hold,
                            _ => default,
                        };
                        Count(holds[id].Key, -holds[id].Amount.Parts, holds[id].PlacedAt);
                    }

                    if (fact.Event is CreditsSpent spent)
                        Count(spent.Key, spent.Charged.Parts, fact.At);
                    if (fact.Event is HoldSettled settled)
                        Count(settled.Key, settled.Charged.Parts, holds[settled.Hold].PlacedAt);
                    if (fact.Event is HoldSettledLate late)
                        Count(late.Key, late.Charged.Parts, holds[late.Hold].PlacedAt);
                    if (fact.Event is SpendReversed reversed)
                    {
                        var original = walk.History.Single(other => other.Id == reversed.Spend.Value);
                        Count(
                            reversed.Key,
                            -reversed.Amount.Parts,
                            original.Event switch
                            {
                                HoldSettled e => holds[e.Hold].PlacedAt,
                                HoldSettledLate e => holds[e.Hold].PlacedAt,
                                _ => original.At,
                            }
                        );
                    }
                }

                key.Used.ShouldBe(used);
            },
            3000
        );

    [Fact]
    public void Only_a_settlement_takes_a_key_above_its_limit()
    {
        Property.ForAll(
            Walks,
            steps =>
            {
                var walk = new Walk();
                long before = 0;
                foreach (var step in steps)
                {
                    var outcome = walk.Take(step);
                    var key = walk.Account.Keys.Find(Limited)!;
                    if (key.Used > key.Limit!.Value.Parts && key.Used > before)
                        outcome!.Value.Facts.ShouldContain(fact => fact.Event is HoldSettled || fact.Event is HoldSettledLate);
                    before = key.Used;
                }
            },
            300,
            Property.Shorter
        );
    }

    [Fact]
    public void As_many_spends_are_admitted_as_there_are_funds_for() =>
        Property.ForAll(
            from funds in Gen.Choose(0, 200)
            from asked in Gen.Choose(0, 60)
            from pockets in Gen.Choose(1, 5)
            select (funds, asked, pockets),
            run =>
            {
                var walk = new Walk();
                for (var i = 0; i < run.pockets; i++)
                {
                    var part = run.funds / run.pockets + (i == 0 ? run.funds % run.pockets : 0);
                    walk.Do(new GrantCredits(Alice, Amount.Credits(part), PocketSource.Payg, null, null, "operator", $"p{i}", null));
                }

                var admitted = Enumerable
                    .Range(0, run.asked)
                    .Count(i =>
                        walk.Do(new Spend(Alice, Main, "chat", Quantity.Of(1), $"r{i}")).Decision is Decision<AccountEvent>.Accepted
                    );
                admitted.ShouldBe(Math.Min(run.asked, run.funds / 5));
            }
        );

    private static readonly Gen<Pocket> AnyPocket =
        from number in Gen.Choose(1, 6)
        from source in Gen.Choose(0, 4)
        from scoped in Gen.Choose(0, 2)
        from remaining in Gen.Choose(0, 9)
        from held in Gen.Choose(0, 9)
        from expiry in Gen.Choose(-1, 3)
        from opened in Gen.Choose(0, 2)
        select new Pocket(
            new(number),
            Unit.Credits,
            (PocketSource)source,
            scoped == 0 ? "deepseek/chat" : null,
            9,
            remaining,
            Math.Min(held, remaining),
            expiry < 0 ? null : Noon.AddHours(expiry),
            Noon.AddHours(-opened),
            default
        );

    [Fact]
    public void The_drain_order_is_a_total_order() =>
        Property.ForAll(
            Gen.Three(AnyPocket),
            three =>
            {
                var (a, b, c) = three;
                Math.Sign(Pocket.CompareDrainOrder(a, b)).ShouldBe(-Math.Sign(Pocket.CompareDrainOrder(b, a)));
                Pocket.CompareDrainOrder(a, a).ShouldBe(0);
                if (a.Id != b.Id)
                    Pocket.CompareDrainOrder(a, b).ShouldNotBe(0);
                if (Pocket.CompareDrainOrder(a, b) < 0 && Pocket.CompareDrainOrder(b, c) < 0)
                    Pocket.CompareDrainOrder(a, c).ShouldBeLessThan(0);
            },
            5000
        );

    [Fact]
    public void The_drain_order_is_what_the_rules_say() =>
        Property.ForAll(
            Gen.Two(AnyPocket),
            two =>
            {
                var (a, b) = two;
                if (a.Id == b.Id)
                    return;
                var first =
                    a.Scope is null != b.Scope is null ? a.Scope is not null
                    : a.ExpiresAt != b.ExpiresAt ? b.ExpiresAt is null || a.ExpiresAt < b.ExpiresAt
                    : a.Source != b.Source ? a.Source < b.Source
                    : a.OpenedAt != b.OpenedAt ? a.OpenedAt < b.OpenedAt
                    : a.Id.Number < b.Id.Number;
                (Pocket.CompareDrainOrder(a, b) < 0).ShouldBe(first);
            },
            5000
        );

    [Fact]
    public void Nothing_is_taken_from_a_later_pocket_while_an_earlier_one_has_something_free() =>
        Property.ForAll(
            from pockets in Gen.ArrayOf(AnyPocket, 6)
            from asked in Gen.Choose(0, 40)
            from scoped in Gen.Choose(0, 1)
            select (pockets, asked, scoped),
            run =>
            {
                var scope = run.scoped == 1 ? "deepseek/chat" : null;
                var open = run.pockets.DistinctBy(pocket => pocket.Id).Where(pocket => pocket.Remaining > 0).ToList();
                open.Sort(Pocket.CompareDrainOrder);
                var wallet = Wallet.Empty with { Open = [.. open] };
                var shares = wallet.Allocate(new(run.asked, Unit.Credits), Noon, scope);

                var rest = (long)run.asked;
                var expected = new List<PocketShare>();
                foreach (var pocket in open.Where(p => p.Free > 0 && !p.LapsedAt(Noon) && (p.Scope is null || p.Scope == scope)))
                {
                    if (rest == 0)
                        break;
                    expected.Add(new(pocket.Id, Math.Min(rest, pocket.Free)));
                    rest -= expected[^1].Parts;
                }

                shares.ShouldBe(expected);
                shares.Sum(share => share.Parts).ShouldBe(Math.Min(run.asked, wallet.Available(Unit.Credits, Noon, scope).Parts));
            },
            2000
        );

    /// <summary>Clawbacks need orders: the walks through payments reach those.</summary>
    [Fact]
    public void The_walks_reach_every_event_of_a_wallet()
    {
        var seen = new HashSet<Type>();
        Always((_, outcome) => seen.UnionWith((outcome?.Facts ?? []).Select(fact => fact.Event.GetType())));
        typeof(WalletEvent)
            .Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(WalletEvent)))
            .Except([typeof(CreditsClawedBack), typeof(ClawbackReturned)])
            .ShouldBeSubsetOf(seen);
    }

    /// <summary>The whole state, collections spelled out.</summary>
    private static string Text(Account account) =>
        string.Join(
            '\n',
            [
                $"{account.Version} {account.LastAt:O} {account.Status} {account.Wallet.Credits} {account.Wallet.Usd} {account.Wallet.NextDue:O}",
                .. account.Wallet.Open.Select(pocket => pocket.ToString()),
                .. account.Wallet.Emptied.Values.OrderBy(pocket => pocket.Id.Number).Select(pocket => pocket.ToString()),
                .. account
                    .Wallet.Holds.Values.OrderBy(hold => hold.Id.Value)
                    .Select(hold => $"{hold with { Allocated = [] }} {string.Join(',', hold.Allocated)}"),
                .. account.Keys.Keys.Values.OrderBy(key => key.Id.Value, StringComparer.Ordinal).Select(key => key.ToString()),
            ]
        );
}
