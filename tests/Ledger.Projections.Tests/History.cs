using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;

namespace Ledger.Projections.Tests;

/// <summary>Accounts that live: random commands of every kind, decided in memory and appended in batches, as a lane does.</summary>
internal sealed class History(ILogWriter writer, AccountWrites writes, int seed, IReadOnlyList<AccountId> accounts) : IAsyncDisposable
{
    private const string Metadata = """{"x": "ü"}""";

    private const string Provider = "stripe";

    private static readonly string MetadataDigest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Metadata)));

    private readonly Random _random = new(seed);
    private readonly Dictionary<AccountId, AccountSnapshot> _states = accounts.ToDictionary(id => id, AccountSnapshot.Missing);
    private readonly Dictionary<AccountId, Dictionary<Guid, Fact>> _facts = accounts.ToDictionary(
        id => id,
        _ => new Dictionary<Guid, Fact>()
    );
    private int _number;

    public DateTimeOffset Now { get; set; } = LedgerDatabase.Start;

    public IReadOnlyDictionary<AccountId, AccountSnapshot> States => _states;

    /// <summary>The events recorded so far.</summary>
    public IEnumerable<AccountEvent> Events => _facts.Values.SelectMany(facts => facts.Values).Select(fact => fact.Event);

    /// <summary>Appends one batch of random commands.</summary>
    public async Task StepAsync()
    {
        Now += _random.Next(6) switch
        {
            // Now and then a month passes, so that periods begin, end and are missed.
            5 when _random.Next(8) == 0 => TimeSpan.FromDays(_random.Next(20, 70)),
            0 => TimeSpan.FromMicroseconds(1),
            5 => TimeSpan.FromHours(_random.Next(1, 30)),
            _ => TimeSpan.FromSeconds(_random.Next(0, 90)),
        };
        await SendAsync(
            accounts
                .Where(_ => _random.Next(3) == 0)
                .ToDictionary(
                    id => id,
                    id => (Func<Account, AccountCommand>[])[.. Enumerable.Repeat((Account account) => Command(account), _random.Next(1, 7))]
                )
        );
    }

    /// <summary>Appends what commands come to, all in one batch.</summary>
    public Task SendAsync(params IEnumerable<AccountCommand> commands) =>
        SendAsync(
            commands
                .GroupBy(command => command.Account)
                .ToDictionary(same => same.Key, same => same.Select(command => (Func<Account, AccountCommand>)(_ => command)).ToArray())
        );

    /// <summary>Goes on where another writer stopped: with the states in the database, and no memory of their facts.</summary>
    public async Task LoadAsync(LedgerDatabase ledger)
    {
        foreach (var (id, state) in await ledger.Snapshots.LoadAsync([.. _states.Keys], default))
            _states[id] = state;
    }

    public Fact Fact(AccountId account, Guid id) => _facts[account][id];

    public ValueTask DisposeAsync() => writer.DisposeAsync();

    /// <summary>A state as text, all of it.</summary>
    public static string Describe(AccountSnapshot snapshot)
    {
        var account = snapshot.Account;
        var wallet = account.Wallet.WithDueReckoned();
        return JsonSerializer.Serialize(
            new
            {
                account.Id,
                account.Version,
                account.LastAt,
                account.Status,
                account.OpenedAt,
                account.Country,
                wallet.Open,
                Emptied = wallet.Emptied.Values.OrderBy(pocket => pocket.Id.Number),
                Holds = wallet.Holds.Values.OrderBy(hold => hold.Id.Value),
                wallet.Credits,
                wallet.Usd,
                wallet.NextDue,
                Keys = account.Keys.Keys.Values.OrderBy(key => key.Id.Value, StringComparer.Ordinal),
                account.SignIns.EndedAt,
                Ended = account.SignIns.Ended.OrderBy(ended => ended.Key),
                account.Referral,
                account.Subscription,
                Orders = account.Orders.All.Values.OrderBy(order => order.Id.Value, StringComparer.Ordinal),
                Customers = account.Orders.Customers.OrderBy(customer => customer.Key, StringComparer.Ordinal),
                OrdersDue = account.Orders.NextDue,
                account.AutoTopup,
                account.Alerts,
                Hash = Convert.ToHexStringLower(snapshot.LastHash.Span),
            }
        );
    }

    private async Task SendAsync(Dictionary<AccountId, Func<Account, AccountCommand>[]> commands)
    {
        var trip = new Trip();
        var after = new List<AccountSnapshot>();
        writes.Clear();
        foreach (var (id, asked) in commands.OrderBy(pair => pair.Key.StreamId, StringComparer.Ordinal))
        {
            var before = _states[id];
            var append = new StreamAppend(id.StreamId, Account.StreamType, before.Account.Version, before.LastHash);
            var (account, facts) = (before.Account, new List<Fact>());
            foreach (var ask in asked)
            {
                var command = ask(account);
                var past = Past.Of(command.Recalls.Where(_facts[id].ContainsKey).Select(recalled => _facts[id][recalled]));
                var outcome = account.Transact(command, new(Now > account.LastAt ? Now : account.LastAt, LedgerDatabase.Card, past));
                account = outcome.After;
                facts.AddRange(outcome.Facts);
                foreach (var fact in outcome.Facts)
                    _facts[id].Add(fact.Id, fact);
            }

            if (facts.Count == 0)
                continue;
            foreach (var fact in facts)
                append.Add(new(fact.Id, LedgerEvents.Types.Of(fact.Event), fact.Event, fact.At, "system", "request", null));
            trip.Streams.Add(append);
            writes.Add(trip.Streams.Count, before.Account, account, facts, append.LastHash);
            after.Add(new(account, append.LastHash));
        }

        if (trip.Streams.Count == 0)
            return;
        (await writer.SendAsync(trip, default)).Won.ShouldAllBe(won => won);
        foreach (var state in after)
            _states[state.Account.Id] = state;
    }

    private AccountCommand Command(Account account)
    {
        var id = account.Id;
        var request = EventIds.Request(id, Next());
        if (account.Status == AccountStatus.Missing)
            return new OpenAccount(id, _random.Next(2) == 0 ? "DE" : null);
        if (account.Keys.Keys.Count == 0)
            return Key(id);
        var key = account
            .Keys.Keys.Values.OrderBy(k => k.Id.Value, StringComparer.Ordinal)
            .ElementAt(_random.Next(account.Keys.Keys.Count))
            .Id;
        var past = _facts[id].Values;
        return _random.Next(50) switch
        {
            0 => _random.Next(4) == 0 ? new SuspendAccount(id, request, "why") : new RecordDue(id, request),
            1 => new ReinstateAccount(id, request, "because"),
            2 => account.Keys.Keys.Count < 6
                ? Key(id) with
                {
                    By = _random.Next(2) == 0 ? new Credential(key) : null,
                }
                : new RevokeKey(id, key, null),
            3 => _random.Next(3) == 0 ? new RevokeKey(id, key, "lost") : new RecordDue(id, request),
            4 or 5 or 6 => Grant(id),
            7 or 8 or 9 or 10 => new PlaceHold(
                id,
                key,
                Tool(),
                Quantity.Of(_random.Next(1, 6)),
                Next(),
                TimeSpan.FromMinutes(_random.Next(1, 20))
            ),
            11 or 12 => Hold(account) is { } open
                ? new SettleHold(id, open.Key, open.Id, Quantity.Of(_random.Next(0, 12)))
                : new RecordDue(id, request),
            13 => Hold(account) is { } open ? new ReleaseHold(id, open.Key, open.Id) : new RecordDue(id, request),
            14 => Pick(past, fact => fact.Event is HoldPlaced) is { Event: HoldPlaced placed } late
                ? new SettleHold(id, placed.Key, new(late.Id), Quantity.Of(_random.Next(1, 4)))
                : new RecordDue(id, request),
            15 or 16 => Pick(past, fact => fact.Event is CreditsSpent or HoldSettled or HoldSettledLate) is { } spent
                ? new ReverseSpend(id, new(spent.Id), "goodwill")
                : new RecordDue(id, request),
            17 => new Spend(id, key, Tool(), Quantity.Of(_random.Next(1, 6)), Next(), Metadata, MetadataDigest),
            18 => Change(id, key, request),
            19 => new RotateKey(id, key, request, $"{id.Value}-{Next()}", "lk", "efgh", TimeSpan.FromMinutes(_random.Next(0, 100))),
            20 => _random.Next(3) == 0
                ? new EndSignIns(id, request, "lost")
                : new SignOut(id, EventIds.Request(id, "sign-in" + Next()), Now, Now.AddMinutes(_random.Next(1, 100))),
            21 => _random.Next(2) == 0
                ? new ApplyReferral(id, new AccountId("referrer"))
                : new RewardReferral(id, new AccountId("referred" + Next()), Amount.Credits(_random.Next(0, 3))),
            22 or 23 => new Spend(id, key, Tool(), Quantity.Of(_random.Next(1, 6)), Next()),
            24 or 25 => Subscribing(account, request),
            26 => _random.Next(3) == 0
                ? new SetAlerts(
                    id,
                    request,
                    _random.Next(4) == 0 ? null : Amount.Credits(_random.Next(5, 30)),
                    _random.Next(4) == 0 ? null : Amount.Credits(_random.Next(1, 5))
                )
                : new SetAutoTopup(id, request, _random.Next(5) > 0, Amount.Credits(10), Amount.Usd(5), _random.Next(1, 4), Provider),
            36 or 37 or 38 or 39 or 40 or 41 => Call(id, key),
            42 or 43 or 44 => Hold(account, hold => hold.Call is not null) is { } call ? Settle(id, call.Id, call.Call!) : Call(id, key),
            45 => Pick(past, fact => fact.Event is HoldPlaced { Call: not null }) is { } call
                ? Settle(id, new(call.Id), ((HoldPlaced)call.Event).Call!)
                : Call(id, key),
            46 or 47 => Hold(account) is { } open ? new ExtendHold(id, open.Id, Now.AddMinutes(_random.Next(1, 60))) : Call(id, key),
            48 => Hold(account) is { } open ? new ReleaseHold(id, null, open.Id) : Call(id, key),
            _ => Buying(account, request),
        };
    }

    private PlaceCallHold Call(AccountId id, KeyId key) =>
        new(
            id,
            key,
            "chat/completions",
            Next(),
            new(
                "openai/gpt",
                _random.Next(3) == 0 ? CallPayment.Pack : CallPayment.QuotaOrBalance,
                _random.Next(0, 300),
                _random.Next(3) == 0 ? null : _random.Next(1, 200),
                _random.Next(1, 3),
                (CacheUse)_random.Next(3),
                _random.Next(2) == 0,
                _random.Next(2) == 0 ? null : "ü"
            ),
            TimeSpan.FromMinutes(_random.Next(1, 20))
        );

    /// <summary>A fallback may have served it, except where a pack pays: that pays for its own model alone.</summary>
    private SettleCall Settle(AccountId id, HoldId hold, CallTerms terms) =>
        new(
            id,
            hold,
            new(
                "openai",
                _random.Next(3) == 0 && terms.Scope is null ? "mini" : "gpt",
                new(_random.Next(0, 300), _random.Next(0, 30), _random.Next(0, 30), _random.Next(0, 30), _random.Next(0, 300)),
                _random.Next(2) == 0,
                (CallOutcome)_random.Next(6),
                _random.Next(1, 9_000),
                _random.Next(2) == 0 ? null : 200,
                _random.Next(2) == 0 ? null : Metadata
            )
        );

    private AccountCommand Subscribing(Account account, Guid request)
    {
        var (id, subscription) = (account.Id, account.Subscription);
        return _random.Next(subscription.IsBilled ? 9 : 4) switch
        {
            0 => new EndSubscription(id, request, _random.Next(3) > 0, "canceled"),
            1 => new ContinueSubscription(id, request),
            2 or 3 => new SetSubscription(id, request, Tier()),
            4 or 5 => new ChangeSubscription(id, request, Tier(), _random.Next(3) > 0),
            _ => new RenewSubscription(
                id,
                new(
                    Provider,
                    "in_" + Next(),
                    "pi_" + Next(),
                    _random.Next(6) == 0 ? Amount.Usd(1) : (subscription.Next ?? subscription.Terms!).Price,
                    "USD",
                    null,
                    subscription.Reference,
                    Periods.Start(subscription.Anchor, subscription.Period + _random.Next(0, 3))
                )
            ),
        };
    }

    private AccountCommand Buying(Account account, Guid request)
    {
        var id = account.Id;
        var orders = account.Orders.All.Values.OrderBy(order => order.Id.Value, StringComparer.Ordinal).ToList();
        if (orders.Count == 0 || _random.Next(4) == 0)
            return Ordering(id, new OrderId($"order-{Next()}"), account.Orders.CustomerAt(Provider));
        var order = orders[_random.Next(orders.Count)];
        return _random.Next(14) switch
        {
            0 => new LinkCustomer(id, Provider, $"cus-{id}"),
            1 => new AttachSession(id, order.Id, $"cs-{id}-{Next()}"),
            2 => new FailOrder(id, request, order.Id, "card_declined"),
            3 => new ExpireOrder(id, order.Id),
            4 => new GivePack(id, "pack", Next()),
            5 or 6 => new RefundOrder(
                id,
                order.Id,
                order.Provider,
                "pi",
                new(Math.Max(1, order.Price.Parts * _random.Next(1, 5) / 4), Unit.Usd),
                "USD"
            ),
            7 => new DisputeOrder(id, order.Id, order.Provider, $"dp-{_random.Next(3)}", order.Price, "USD"),
            8 => new WinDispute(id, order.Id, order.Provider, order.Disputes.FirstOrDefault()?.Id ?? "dp-0"),
            _ => new ConfirmPayment(
                id,
                order.Id,
                new(
                    Provider,
                    $"cs-{order.Id}",
                    $"pi-{order.Id}",
                    _random.Next(8) == 0 ? Amount.Usd(1) : order.Price,
                    "USD",
                    null,
                    order.Kind == OrderKind.Subscription ? $"sub-{id}-{order.Id}" : null,
                    Now
                )
            ),
        };
    }

    private OpenOrder Ordering(AccountId id, OrderId order, string? customer) =>
        _random.Next(6) switch
        {
            0 => new(id, order, OrderKind.Topup, null, Amount.Usd(5), Provider, customer),
            1 => new(id, order, OrderKind.Pack, "pack", null, Provider, customer),
            2 or 3 => new(id, order, OrderKind.Subscription, Tier(), null, Provider, customer),
            4 => new(id, order, OrderKind.Upgrade, "large", null, Provider, customer),
            _ => new(id, order, OrderKind.Payg, null, Amount.Usd(_random.Next(5, 9)), Provider, customer),
        };

    private string Tier() => _random.Next(3) == 0 ? "large" : "small";

    private CreateKey Key(AccountId id)
    {
        var name = Next();
        return new(
            id,
            new($"key{name}"),
            "Key " + name,
            _random.Next(8) == 0 ? KeyKind.Provisioning : KeyKind.Inference,
            _random.Next(3) == 0 ? KeyBilling.Subscription : KeyBilling.PayPerToken,
            _random.Next(2) == 0 ? null : "production",
            $"{id.Value}-{name}",
            "lk",
            "abcd",
            _random.Next(3) == 0 ? Amount.Credits(_random.Next(5, 40)) : null,
            _random.Next(5) == 0 ? Amount.Usd(3) : null,
            (LimitReset)_random.Next(4),
            [.. Enumerable.Range(0, _random.Next(3)).Select(n => n == 0 ? "openai/gpt" : $"model-{n},\"quoted\"")],
            _random.Next(3) == 0 ? new(10, Quantity.Parse("0.5"), _random.Next(2) == 0) : null,
            _random.Next(4) == 0 ? Now.AddDays(_random.Next(1, 9)) : null
        );
    }

    private ChangeKey Change(AccountId id, KeyId key, Guid request) =>
        new(
            id,
            key,
            request,
            new(
                Name: _random.Next(2) == 0 ? new("Changed " + Next()) : null,
                Limit: _random.Next(2) == 0 ? new(_random.Next(3) == 0 ? null : Amount.Credits(_random.Next(5, 40))) : null,
                LimitUsd: _random.Next(4) == 0 ? new(_random.Next(2) == 0 ? null : Amount.Usd(_random.Next(1, 4))) : null,
                LimitReset: _random.Next(3) == 0 ? new((LimitReset)_random.Next(4)) : null,
                AllowedModels: _random.Next(4) == 0 ? new(["changed"]) : null,
                RateLimit: _random.Next(4) == 0 ? new(null) : null,
                ExpiresAt: _random.Next(4) == 0 ? new(null) : null,
                Disabled: _random.Next(3) == 0 ? new(_random.Next(3) == 0) : null
            )
        );

    private GrantCredits Grant(AccountId id) =>
        new(
            id,
            _random.Next(4) == 0 ? Amount.Usd(_random.Next(1, 5)) : new Amount(_random.Next(500_000, 12_000_000), Unit.Credits),
            (PocketSource)_random.Next(5),
            _random.Next(5) == 0 ? "openai/gpt" : null,
            _random.Next(3) switch
            {
                0 => null,
                1 => Now.AddMinutes(_random.Next(1, 600)),
                _ => new DateTimeOffset(2999, 1, 1, 0, 0, 0, TimeSpan.Zero),
            },
            "operator",
            Next(),
            null
        );

    private string Next() => (++_number).ToString(CultureInfo.InvariantCulture);

    private string Tool() =>
        _random.Next(8) switch
        {
            0 => "ping",
            1 or 2 => "search",
            _ => "chat",
        };

    private Hold? Hold(Account account, Func<Hold, bool>? which = null) =>
        account.Wallet.Holds.Values.Where(which ?? (_ => true)).OrderBy(hold => hold.Id.Value).ToList() is { Count: > 0 } some
            ? some[_random.Next(some.Count)]
            : null;

    private Fact? Pick(IEnumerable<Fact> facts, Func<Fact, bool> which) =>
        facts.Where(which).ToList() is { Count: > 0 } some ? some[_random.Next(some.Count)] : null;
}
