using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Purchases;
using Order = Ledger.Domain.Payments.Order;
using Outcome = Ledger.Domain.Accounts.Outcome;

namespace Ledger.Domain.Tests.Payments;

/// <summary>
/// What is true of money after any interleaving of payments, refunds, disputes, periods, expiries and spends, however often and in whatever order a
/// provider tells of them, and however the clock runs on between.
/// </summary>
public class PaymentProperties
{
    /// <summary>One thing that is asked; the numbers pick what it is asked of.</summary>
    public sealed record Step(string Verb, int A, int B, int C);

    private static readonly Gen<Step> Steps =
        from verb in Gen.Frequency(
            (6, Gen.Constant("order")),
            (10, Gen.Constant("pay")),
            (2, Gen.Constant("pay wrong")),
            (6, Gen.Constant("refund")),
            (7, Gen.Constant("dispute")),
            (7, Gen.Constant("win")),
            (5, Gen.Constant("again")),
            (3, Gen.Constant("fail")),
            (1, Gen.Constant("close")),
            (3, Gen.Constant("give")),
            (4, Gen.Constant("subscribe")),
            (5, Gen.Constant("renew")),
            (8, Gen.Constant("spend")),
            (5, Gen.Constant("hold")),
            (4, Gen.Constant("settle")),
            (2, Gen.Constant("release")),
            (5, Gen.Constant("reverse")),
            (9, Gen.Constant("wait")),
            (2, Gen.Constant("watch")),
            (2, Gen.Constant("sweep"))
        )
        from a in Gen.Choose(0, 11)
        from b in Gen.Choose(0, 59)
        from c in Gen.Choose(0, 5)
        select new Step(verb, a, b, c);

    internal static readonly Gen<Step[]> Walks = from length in Gen.Choose(1, 80) from steps in Gen.ArrayOf(Steps, length) select steps;

    /// <summary>An account, walked through.</summary>
    internal sealed class Walk
    {
        private static readonly string[] Tiers = ["basic", "pro", "max", "flat", "quota"];

        private readonly List<Fact> _facts = [];
        private readonly HashSet<Guid> _ids = [];
        private readonly List<AccountCommand> _told = [];

        public Walk()
        {
            Do(new OpenAccount(Alice, null));
            Do(Key);
            Do(new GrantCredits(Alice, Amount.Credits(40), PocketSource.Bonus, null, null, "operator", "welcome", null));
        }

        public Account Account { get; private set; } = Account.Empty(Alice);

        public DateTimeOffset Now { get; private set; } = Noon;

        /// <summary>What was asked last; null before anything was.</summary>
        public AccountCommand? Last { get; private set; }

        public IReadOnlyList<Fact> History => _facts;

        public IEnumerable<AccountEvent> Events => _facts.Select(fact => fact.Event);

        private static Domain.Keys.CreateKey Key =>
            new(
                Alice,
                Main,
                "ci",
                Domain.Keys.KeyKind.Inference,
                Domain.Keys.KeyBilling.PayPerToken,
                null,
                "hash",
                "lk_live_",
                "9x2Q",
                null,
                null,
                Domain.Keys.LimitReset.None,
                [],
                null,
                null
            );

        public Outcome Do(AccountCommand command)
        {
            var past = Past.Of(_facts.Where(fact => command.Recalls.Contains(fact.Id)));
            var outcome = Account.Transact(command, new(Now, Cheap, past));
            foreach (var fact in outcome.Facts)
                _ids.Add(fact.Id).ShouldBeTrue($"no id is twice in the log: {fact.Event}");
            _facts.AddRange(outcome.Facts);
            Account = outcome.After;
            return outcome;
        }

        public Outcome? Take(Step step)
        {
            if (step.Verb == "wait")
            {
                // From a microsecond over hours to a month and a half, so that holds, orders, pockets and periods lapse in every order.
                Now += step.C switch
                {
                    0 => TimeSpan.FromMicroseconds(step.B),
                    < 4 => TimeSpan.FromMinutes(step.B),
                    4 => TimeSpan.FromHours(step.B),
                    _ => TimeSpan.FromDays(step.B * 0.75),
                };
                return null;
            }

            if (Command(step) is not { } command)
                return null;
            Last = command;
            if (step.Verb is "pay" or "pay wrong" or "refund" or "dispute" or "win" or "renew" or "fail" or "subscribe")
                _told.Add(command);
            return Do(command);
        }

        private AccountCommand? Command(Step step)
        {
            var (a, b, c) = (step.A, step.B, step.C);
            var request = EventIds.Request(Alice, $"request-{_facts.Count}-{step}");
            var orders = Account.Orders.All.Values.OrderBy(o => o.Id.Value, StringComparer.Ordinal).ToArray();
            var order = orders.Length > 0 ? orders[b % orders.Length] : null;
            var holds = _facts.Where(fact => fact.Event is HoldPlaced).ToArray();
            var spends = _facts.Where(fact => fact.Event is CreditsSpent or HoldSettled or HoldSettledLate).ToArray();
            var subscription = Account.Subscription;
            return step.Verb switch
            {
                "order" => Ordering(new($"order-{orders.Length:00}"), a, b, c),
                "pay" or "pay wrong" when order is not null => new ConfirmPayment(
                    Alice,
                    order.Id,
                    new(
                        Stripe,
                        $"cs-{order.Id}" + (c == 5 ? "-other" : ""),
                        $"pi-{order.Id}",
                        step.Verb == "pay" ? order.Price : order.Price + Amount.Usd(1),
                        "USD",
                        null,
                        order.Kind == OrderKind.Subscription ? $"sub-{order.Id}" : null,
                        Now.AddSeconds(-a)
                    )
                ),
                "refund" when order is not null => new RefundOrder(Alice, order.Id, order.Provider, "pi", Part(order, c), "USD"),
                "dispute" when order is not null => new DisputeOrder(Alice, order.Id, order.Provider, $"dp-{a % 3}", Part(order, c), "USD"),
                "win" when order is not null => new WinDispute(Alice, order.Id, order.Provider, $"dp-{a % 3}"),
                "again" when _told.Count > 0 => _told[b % _told.Count],
                "fail" when order is not null => new FailOrder(Alice, request, order.Id, "card_declined"),
                "close" when order is not null => new ExpireOrder(Alice, order.Id),
                "give" when a < 4 => new GivePack(Alice, "small", $"gift-{c}"),
                "give" => new GrantCredits(
                    Alice,
                    a == 11 ? Amount.Usd(1 + c) : Amount.Credits(b + 1),
                    PocketSource.Bonus,
                    null,
                    a < 8 ? Now.AddMinutes(1 + (b * 20)) : null,
                    "operator",
                    $"grant-{_facts.Count}",
                    null
                ),
                "subscribe" => (a % 6) switch
                {
                    0 => new EndSubscription(Alice, request, c > 1, "canceled"),
                    1 => new ContinueSubscription(Alice, request),
                    2 or 3 => new ChangeSubscription(Alice, request, Tiers[b % Tiers.Length], c > 2),
                    _ => new SetSubscription(Alice, request, Tiers[b % Tiers.Length]),
                },
                "renew" when subscription is { IsBilled: true } => new RenewSubscription(
                    Alice,
                    new(
                        Stripe,
                        $"in-{b % 20}",
                        $"pi-{b % 20}",
                        a == 0 ? Amount.Usd(77) : (subscription.Next ?? subscription.Terms!).Price,
                        "USD",
                        null,
                        subscription.Reference,
                        Periods.Start(subscription.Anchor, Math.Max(0, subscription.Period + c - 2)).AddSeconds(a)
                    )
                ),
                "spend" => new Spend(Alice, Main, "chat", Quantity.Of(1 + (a * (c == 5 ? 40 : 1))), $"r{b}"),
                "hold" => new PlaceHold(
                    Alice,
                    Main,
                    "chat",
                    Quantity.Of(a + 1),
                    $"r{b}",
                    TimeSpan.FromMinutes(1 + (b * (c == 5 ? 2_000 : 1)))
                ),
                "settle" when holds.Length > 0 => new SettleHold(
                    Alice,
                    Main,
                    new(holds[b % holds.Length].Id),
                    Quantity.Of(a * (c == 5 ? 20 : 1))
                ),
                "release" when holds.Length > 0 => new ReleaseHold(Alice, Main, new(holds[b % holds.Length].Id)),
                "reverse" when spends.Length > 0 => new ReverseSpend(Alice, new(spends[b % spends.Length].Id), "sorry"),
                "watch" when a < 6 => new SetAlerts(
                    Alice,
                    request,
                    a == 0 ? null : Amount.Credits(b),
                    a < 2 ? null : Amount.Credits(b / 2)
                ),
                "watch" => new SetAutoTopup(Alice, request, a < 10, Amount.Credits(b), Amount.Usd(1 + c), 2, Stripe),
                "sweep" => new RecordDue(Alice, request),
                _ => null,
            };
        }

        private OpenOrder Ordering(OrderId id, int a, int b, int c) =>
            (a % 6) switch
            {
                0 => new(Alice, id, OrderKind.Topup, null, Amount.Usd(5 + c), Stripe, null),
                1 => new(Alice, id, OrderKind.Pack, "small", null, Stripe, null),
                2 => new(Alice, id, OrderKind.Subscription, Tiers[b % Tiers.Length], null, Stripe, null),
                3 => new(Alice, id, OrderKind.Upgrade, Tiers[b % Tiers.Length], null, Stripe, null),
                _ => new(Alice, id, OrderKind.Payg, null, new((1 + c) * 999_999_999L, Unit.Usd), Stripe, null),
            };

        /// <summary>A third, two thirds or all of what was paid, and once in a while some parts of it only.</summary>
        private static Amount Part(Order order, int c) =>
            new(c == 5 ? Math.Min(12_345, order.Price.Parts) : order.Price.Parts * (1 + (c % 3)) / 3, Unit.Usd);
    }

    /// <summary>Small figures, so that what is bought is soon spent: a dollar is 30 credits, and the levels give tens.</summary>
    private static readonly Domain.RateCards.RateCard Cheap = new(
        1,
        Noon.AddDays(-30),
        Prices.Document(5) with
        {
            Packs =
            [
                new("small", "deepseek", "deepseek-chat", Quantity.Of(50), new(Quantity.Of(1), Quantity.Of(1)), Quantity.Parse("9.99"), 20),
            ],
            Tiers =
            [
                new("basic", Quantity.Of(10), Quantity.Of(30), 1_000_000),
                new("pro", Quantity.Of(20), Quantity.Of(70), 2_000_000),
                new("max", Quantity.Of(50), Quantity.Of(200), 5_000_000, "time"),
                new("flat", Quantity.Of(40), Quantity.Of(150), 4_000_000, "none"),
                new("quota", Quantity.Of(5), default, 500_000),
            ],
            Payg = new(Quantity.Of(30), 0, 1000, "USD"),
        }
    );

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

    private static void Finally(Action<Walk> holds, int count = 400, Func<Step, bool>? only = null) =>
        Property.ForAll(
            Walks,
            steps =>
            {
                var walk = new Walk();
                foreach (var step in steps.Where(only ?? (_ => true)))
                    walk.Take(step);
                holds(walk);
            },
            count,
            Property.Shorter
        );

    [Fact]
    public void Nothing_is_created_or_lost_in_any_unit() =>
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
            },
            800
        );

    /// <summary>Reckoned from the facts alone: what came into a pocket and what went out of it is what it has.</summary>
    [Fact]
    public void Nothing_is_created_or_lost_in_any_pocket() =>
        Always(
            (walk, outcome) =>
            {
                if (outcome is null)
                    return;
                var left = new Dictionary<PocketId, long>();
                void Add(IEnumerable<PocketShare> shares, int sign)
                {
                    foreach (var share in shares)
                        left[share.Pocket] = left.GetValueOrDefault(share.Pocket) + (sign * share.Parts);
                }

                foreach (var @event in walk.Events)
                {
                    switch (@event)
                    {
                        case CreditsGranted e:
                            Add([new(e.Pocket, e.Amount.Parts)], 1);
                            break;
                        case SpendReversed e:
                            Add(e.Returned, 1);
                            break;
                        case ClawbackReturned e:
                            Add(e.Returned, 1);
                            break;
                        case CreditsSpent e:
                            Add(e.Paid, -1);
                            break;
                        case HoldSettled e:
                            Add(e.FromHold.AddRange(e.FromAvailable), -1);
                            break;
                        case HoldSettledLate e:
                            Add(e.Paid, -1);
                            break;
                        case CreditsClawedBack e:
                            Add(e.Taken, -1);
                            break;
                        case PocketExpired e:
                            Add([new(e.Pocket, e.Amount.Parts)], -1);
                            break;
                        case DebtRepaid e:
                            Add([new(e.Pocket, e.Amount.Parts)], -1);
                            break;
                    }
                }

                var held = walk
                    .Account.Wallet.Holds.Values.SelectMany(hold => hold.Allocated)
                    .ToLookup(share => share.Pocket, share => share.Parts);
                foreach (var pocket in walk.Account.Wallet.Pockets)
                {
                    pocket.Remaining.ShouldBe(left[pocket.Id]);
                    pocket.Held.ShouldBe(held[pocket.Id].Sum());
                    pocket.Held.ShouldBeInRange(0, pocket.Remaining);
                }
            },
            600
        );

    [Fact]
    public void Every_share_is_of_a_pocket_of_its_unit_and_adds_up_with_the_debt() =>
        Always(
            (walk, outcome) =>
            {
                foreach (var fact in outcome?.Facts ?? [])
                {
                    var (amount, shares, debt) = fact.Event switch
                    {
                        CreditsClawedBack e => (e.Amount, e.Taken, e.Debt),
                        ClawbackReturned e => (e.Amount, e.Returned, e.DebtCleared),
                        _ => (default, [], (Amount?)null),
                    };
                    (shares.Sum(share => share.Parts) + (debt?.Parts ?? 0)).ShouldBe(amount.Parts);
                    shares.ShouldAllBe(share => share.Parts > 0 && walk.Account.Wallet.Pocket(share.Pocket).Unit == amount.Unit);
                }
            }
        );

    [Fact]
    public void A_payment_grants_once_what_its_order_gives()
    {
        Always(
            (walk, outcome) =>
            {
                if (outcome is null)
                    return;
                foreach (var order in walk.Account.Orders.All.Values)
                {
                    var paid = walk.Events.OfType<OrderPaid>().Where(e => e.Order == order.Id).ToArray();
                    paid.Length.ShouldBe(order.Status == OrderStatus.Paid ? 1 : 0);
                    if (paid.Length == 0)
                    {
                        (order.Pocket, order.ClawedBack).ShouldBe((null, 0));
                        continue;
                    }

                    paid[0].Amount.ShouldBe(order.Price);
                    (order.Pocket is not null).ShouldBe(order.Gives is not null);
                    if (order.Pocket is not { } pocket)
                        continue;
                    var granted = walk.Events.OfType<CreditsGranted>().Single(e => e.Pocket == pocket);
                    granted.Amount.ShouldBe(order.Gives!.Value);
                    granted.Scope.ShouldBe(order.Scope);
                }
            },
            200
        );
    }

    [Fact]
    public void What_is_clawed_back_of_an_order_is_what_the_money_that_is_gone_had_bought() =>
        Always(
            (walk, _) =>
            {
                var clawed = Enum.GetValues<Unit>().ToDictionary(unit => unit, _ => 0L);
                foreach (var order in walk.Account.Orders.All.Values)
                {
                    order.Refunded.ShouldBeInRange(0, order.Price.Parts);
                    if (order.Pocket is null || order.Gives is not { } gives || order.Price.IsZero)
                        continue;
                    var gone = Math.Min(order.Price.Parts, order.Refunded + order.Disputes.Where(d => !d.IsWon).Sum(d => d.Amount));
                    order.ClawedBack.ShouldBe((long)((Int128)gives.Parts * gone / order.Price.Parts));
                    order.ClawedBack.ShouldBeInRange(0, gives.Parts);
                    order.LapsedClaimed.ShouldBeInRange(0, order.Lapsed);
                    order.Debt.ShouldBeInRange(0, order.ClawedBack - order.LapsedClaimed);
                    clawed[gives.Unit] += order.ClawedBack - order.LapsedClaimed;
                }

                foreach (var (unit, parts) in clawed)
                    walk.Account.Wallet.Totals(unit).ClawedBack.ShouldBe(parts);
            },
            800
        );

    [Fact]
    public void Where_every_dispute_is_won_and_nothing_was_refunded_nothing_stays_clawed_back() =>
        Finally(
            walk =>
            {
                var disputed = walk.Account.Orders.All.Values.Sum(order => order.Disputes.Length);
                foreach (var order in walk.Account.Orders.All.Values)
                {
                    foreach (var dispute in order.Disputes)
                        walk.Do(new WinDispute(Alice, order.Id, order.Provider, dispute.Id))
                            .Decision.ShouldNotBeOfType<Decision<AccountEvent>.Rejected>();
                }

                foreach (var order in walk.Account.Orders.All.Values)
                    (order.ClawedBack, order.Debt, order.LapsedClaimed).ShouldBe((0, 0, 0));
                (walk.Account.Wallet.Credits.ClawedBack, walk.Account.Wallet.Usd.ClawedBack).ShouldBe((0, 0), $"of {disputed} disputes");
            },
            600,
            step => step.Verb != "refund"
        );

    [Fact]
    public void Debt_is_never_more_than_what_was_charged_and_clawed_back() =>
        Always(
            (walk, _) =>
            {
                foreach (var unit in Enum.GetValues<Unit>())
                {
                    var totals = walk.Account.Wallet.Totals(unit);
                    totals.Debt.ShouldBeLessThanOrEqualTo(totals.Spent - totals.Reversed + totals.ClawedBack);
                }
            }
        );

    [Fact]
    public void Nothing_that_is_due_is_left_behind_and_the_next_due_moment_is_exact() =>
        Always(
            (walk, outcome) =>
            {
                var account = walk.Account;
                account.Wallet.NextDue.ShouldBe(account.Wallet.WithDueReckoned().NextDue);
                account.Orders.NextDue.ShouldBe(account.Orders.WithDueReckoned().NextDue);
                if (outcome is { Facts.IsEmpty: false })
                    account.NextDue.ShouldBeGreaterThan(walk.Now);
            }
        );

    [Fact]
    public void What_lapses_is_dated_when_it_was_due_and_never_in_the_future() =>
        Always(
            (walk, outcome) =>
            {
                foreach (var fact in outcome?.Facts ?? [])
                {
                    var at = fact.Event switch
                    {
                        PocketExpired e => e.ExpiredAt,
                        HoldExpired e => e.ExpiredAt,
                        OrderExpired e => e.ExpiredAt,
                        SubscriptionEnded e => e.EndedAt,
                        _ => fact.At,
                    };
                    at.ShouldBeLessThanOrEqualTo(walk.Now);
                }
            }
        );

    [Fact]
    public void The_periods_of_a_subscription_never_fall_and_each_begins_once() =>
        Finally(walk =>
        {
            foreach (var periods in walk.Events.OfType<SubscriptionReset>().GroupBy(reset => reset.Subscription, reset => reset.Period))
                periods.ShouldBe(periods.Distinct().Order());

            // Where nobody bills, none is missed either.
            foreach (var started in walk.Events.OfType<SubscriptionStarted>().Where(started => started.Provider == Subscription.Operator))
            {
                var periods = walk.Events.OfType<SubscriptionReset>().Where(reset => reset.Subscription == started.Subscription).ToArray();
                periods.Select(reset => reset.Period).ShouldBe(Enumerable.Range(0, periods.Length).Select(period => (long)period));
            }
        });

    [Fact]
    public void What_the_owner_was_told_last_is_what_is_left() =>
        Always(
            (walk, outcome) =>
            {
                var account = walk.Account;
                if (outcome is { Facts.IsEmpty: false } && account.Alerts.IsOn)
                    account.Alerts.Level.ShouldBe(account.Alerts.LevelOf(account.Wallet.Available(Unit.Credits, walk.Now)));
            }
        );

    [Fact]
    public void No_more_is_bought_by_itself_in_a_day_than_was_allowed() =>
        Finally(walk =>
        {
            var ordered = walk.History.Where(fact => fact.Event is OrderOpened { IsAutomatic: true }).Select(fact => fact.At).ToArray();
            foreach (var at in ordered)
                ordered.Count(other => other >= at && other < at.AddHours(24)).ShouldBeLessThanOrEqualTo(2);
        });

    [Fact]
    public void Live_state_is_what_folding_all_facts_anew_gives() =>
        Finally(walk => Text(Fold(walk.History)).ShouldBe(Text(walk.Account)), 200);

    /// <summary>What a notice asks for a second time is done already, also where time has gone on meanwhile: at most, what is due is recorded.</summary>
    [Fact]
    public void No_notice_has_an_effect_twice() =>
        Property.ForAll(
            Walks,
            steps =>
            {
                var walk = new Walk();
                foreach (var step in steps)
                {
                    walk.Take(step);
                    if (walk.Last is ConfirmPayment or RefundOrder or DisputeOrder or WinDispute or RenewSubscription or FailOrder)
                        walk.Do(walk.Last).Facts.ShouldAllBe(fact => IsDue(fact.Event));
                }
            },
            300,
            Property.Shorter
        );

    private static bool IsDue(AccountEvent @event) =>
        @event
            is HoldExpired
                or PocketExpired
                or OrderExpired
                or SubscriptionEnded
                or SubscriptionReset
                or SubscriptionChanged
                or DebtRepaid
                or CreditsGranted { Provider: Subscription.Granter }
                or BalanceLevelChanged
                or OrderOpened { IsAutomatic: true };

    [Fact]
    public void The_walks_reach_every_event_about_money()
    {
        var seen = new HashSet<Type>();
        Finally(walk => seen.UnionWith(walk.Events.Select(@event => @event.GetType())));
        typeof(AccountEvent)
            .Assembly.GetTypes()
            .Where(type =>
                type.IsSubclassOf(typeof(WalletEvent))
                || type.IsSubclassOf(typeof(SubscriptionEvent))
                || type.IsSubclassOf(typeof(PaymentEvent))
                || type.IsSubclassOf(typeof(AlertEvent))
            )
            .Except([typeof(CustomerLinked), typeof(OrderSessionOpened), typeof(HoldExtended)])
            .ShouldBeSubsetOf(seen);
    }

    /// <summary>One notice of a payment provider, as it can come any number of times.</summary>
    public sealed record Told(string What, int Order, int Dispute, int Thirds);

    private static readonly Gen<Told> Notices =
        from what in Gen.Frequency(
            (4, Gen.Constant("pay")),
            (3, Gen.Constant("refund")),
            (4, Gen.Constant("dispute")),
            (4, Gen.Constant("win")),
            (1, Gen.Constant("fail"))
        )
        from order in Gen.Choose(0, 3)
        from dispute in Gen.Choose(0, 2)
        from thirds in Gen.Choose(1, 3)
        select new Told(what, order, dispute, thirds);

    /// <summary>What was before, which notices came, and two orders in which they did, the second with some of them twice.</summary>
    public sealed record Shuffle(int Spent, int Held, int Owed, bool IsLapsed, Told[] Notices, int[] One, int[] Other);

    private static readonly Gen<Shuffle> Shuffles =
        from spent in Gen.Choose(0, 10)
        from held in Gen.Choose(0, 10)
        from owed in Gen.Choose(0, 2)
        from lapsed in Gen.Elements(false, true)
        from length in Gen.Choose(2, 9)
        from notices in Gen.ArrayOf(Notices, length)
        from one in Gen.ArrayOf(Gen.Choose(0, 1_000), length)
        from other in Gen.ArrayOf(Gen.Choose(0, 1_000), length * 2)
        select new Shuffle(spent, held, owed, lapsed, notices, one, other);

    [Fact]
    public void What_comes_of_notices_does_not_depend_on_the_order_in_which_they_came_nor_on_how_often() =>
        Property.ForAll(
            Shuffles,
            shuffle =>
            {
                var one = shuffle.Notices.Zip(shuffle.One).OrderBy(pair => pair.Second).Select(pair => pair.First);
                var other = shuffle
                    .Notices.Concat(shuffle.Notices)
                    .Zip(shuffle.Other)
                    .OrderBy(pair => pair.Second)
                    .Select(pair => pair.First);
                Money(After(shuffle, other)).ShouldBe(Money(After(shuffle, one)));
            },
            2000,
            shuffle =>
                Property
                    .Shorter(shuffle.Notices)
                    .Where(notices => notices.Length > 0)
                    .Select(notices => shuffle with { Notices = notices })
                    .Concat([shuffle with { Spent = 0 }, shuffle with { Held = 0 }, shuffle with { Owed = 0 }])
                    .Where(smaller => smaller != shuffle)
        );

    /// <summary>
    /// Orders 0 and 1 buy credits, 2 a pack and 3 pays dollars in. Order 1 was paid for before, and so was the pack; something of both is spent, held or
    /// has lapsed, and something may be owed.
    /// </summary>
    private static Account After(Shuffle shuffle, IEnumerable<Told> notices)
    {
        var packEnds = Noon.AddDays(shuffle.IsLapsed ? 1 : 365);
        var scenario = GivenAccount(
            Opened(Id(0), 3),
            Opened(Id(1), 3),
            Paid(1, Id(1), 3, "cs-1"),
            Bought(1, 22_500, payment: "cs-1"),
            OpenedPack(Id(2)),
            Paid(2, Id(2), 9, "cs-2"),
            Bought(2, 20_000, PocketSource.Pack, Scope, packEnds, "cs-2"),
            Opened(Id(3), 3) with
            {
                Kind = OrderKind.Topup,
                Gives = Amount.Usd(3),
                Rate = null,
            }
        );
        if (shuffle.Spent > 0)
            scenario = scenario.And(
                Spent($"{shuffle.Spent * 400}", shuffle.Spent * 2_000, "s1", paid: Share(1, shuffle.Spent * 2_000)),
                Spent($"{shuffle.Spent * 300}", shuffle.Spent * 1_500, "s2", paid: Share(2, shuffle.Spent * 1_500))
            );
        if (shuffle.Held > 0)
            scenario = scenario.And(
                Held($"{shuffle.Held * 50}", shuffle.Held * 250, Noon.AddDays(9), allocated: Share(1, shuffle.Held * 250))
            );
        if (shuffle.Owed > 0)
            scenario = scenario.And(Held("0", 0, reference: "o"), Settled("9", shuffle.Owed * 9_000, [], [], shuffle.Owed * 9_000, "o"));
        scenario = scenario.At(Noon.AddDays(2)).When(Sweep());
        var (account, history) = (scenario.After, scenario.History.ToList());
        foreach (var told in notices)
        {
            var command = Command(told);
            var past = Past.Of(history.Where(fact => command.Recalls.Contains(fact.Id)));
            var outcome = account.Transact(command, new(Noon.AddDays(2), Prices.Card, past));
            outcome.Decision.ShouldNotBeOfType<Decision<AccountEvent>.Rejected>();
            account = outcome.After;
            history.AddRange(outcome.Facts);
        }

        return account;
    }

    private static OrderId Id(int order) => new($"order-{order}");

    private static AccountCommand Command(Told told)
    {
        var id = Id(told.Order);
        var price = told.Order == 2 ? 9 : 3;
        return told.What switch
        {
            "pay" => new ConfirmPayment(Alice, id, Notice(price, $"cs-{told.Order}")),
            "refund" => new RefundOrder(Alice, id, Stripe, "pi", Amount.Usd(price * told.Thirds / 3), "USD"),

            // A dispute is about one sum, however often it is told of.
            "dispute" => new DisputeOrder(Alice, id, Stripe, $"dp-{told.Dispute}", Amount.Usd(price * (told.Dispute + 1) / 3), "USD"),
            "win" => new WinDispute(Alice, id, Stripe, $"dp-{told.Dispute}"),
            "fail" => new FailOrder(Alice, EventIds.Request(Alice, $"fail-{told}"), id, "card_declined"),
            _ => throw new ArgumentOutOfRangeException(nameof(told), told, "No such notice."),
        };
    }

    /// <summary>
    /// What money came to. What is owed and what is posted are compared by their difference: a grant pays what is owed when it comes, and what is owed
    /// later waits for the next one.
    /// </summary>
    private static string Money(Account account) =>
        string.Join(
            '\n',
            [
                .. Enum.GetValues<Unit>()
                    .Select(unit =>
                    {
                        var totals = account.Wallet.Totals(unit);
                        return $"{unit} granted {totals.Granted} expired {totals.Expired} clawed back {totals.ClawedBack} net {account.Wallet.Posted(unit).Parts - totals.Debt}";
                    }),
                .. account
                    .Orders.All.Values.OrderBy(order => order.Id.Value, StringComparer.Ordinal)
                    .Select(order =>
                        $"{order.Id} paid {order.Status == OrderStatus.Paid} refunded {order.Refunded} gone {order.MoneyGone} clawed back {order.ClawedBack} lapsed {order.LapsedClaimed}"
                    ),
            ]
        );

    /// <summary>The whole state of what is bought, collections spelled out.</summary>
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
                Orders = account.Orders.All.Values.OrderBy(order => order.Id.Value, StringComparer.Ordinal),
                account.AutoTopup,
                account.Alerts,
            }
        );
}
