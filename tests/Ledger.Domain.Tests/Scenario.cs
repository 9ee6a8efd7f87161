using System.Collections.Immutable;
using System.Text.Json;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Tests;

/// <summary>
/// <c>Given(facts).When(command).Then(facts)</c>: what has happened, what is asked, and exactly what comes of it. The clock, the ids and the
/// price list are fixed. The past is looked up as the application does it: the facts that stand under the command's ids.
/// </summary>
public sealed class Scenario
{
    /// <summary>A Wednesday; nothing here depends on when the tests run.</summary>
    public static readonly DateTimeOffset Noon = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);

    public static readonly AccountId Alice = new("alice00000000000");
    public static readonly KeyId Main = new("key0000000000001");
    public static readonly KeyId Other = new("key0000000000002");

    private readonly ImmutableArray<Fact> _history;
    private readonly DateTimeOffset _now;
    private readonly RateCard _card;
    private readonly RateBook _book;
    private readonly Account _account;
    private readonly Outcome? _outcome;

    private Scenario(
        ImmutableArray<Fact> history,
        DateTimeOffset now,
        RateBook book,
        Outcome? outcome = null,
        AccountCommand? command = null
    )
    {
        (_history, _now, _book, _card, _outcome, Command) = (history, now, book, book.Cards[^1], outcome, command);
        _account = Fold(history);
    }

    /// <summary>The command that was given, once there is one.</summary>
    public AccountCommand? Command { get; }

    /// <summary>The state after everything so far.</summary>
    public Account After => _outcome?.After ?? _account;

    /// <summary>Every fact so far.</summary>
    public ImmutableArray<Fact> History => _outcome is { } outcome ? _history.AddRange(outcome.Facts) : _history;

    /// <summary>The decision, once a command was given.</summary>
    public Decision<AccountEvent> Decision => _outcome!.Value.Decision;

    /// <summary>These things have happened, all at noon.</summary>
    public static Scenario Given(params AccountEvent[] events) => new Scenario([], Noon, new(1, Noon, [Prices.Card])).And(events);

    /// <summary>An account with one inference key without limits, in which these things have happened.</summary>
    public static Scenario GivenAccount(params AccountEvent[] events) => Given(new AccountOpened("DE"), Facts.Created(Main)).And(events);

    /// <summary>The state after all facts.</summary>
    public static Account Fold(IEnumerable<Fact> facts) =>
        facts.Aggregate(Account.Empty(Alice), (account, fact) => Account.Evolve(account, fact));

    /// <summary>These things happened next.</summary>
    public Scenario And(params AccountEvent[] events)
    {
        var history = History;
        foreach (var @event in events)
        {
            var version = history.Length + 1;
            history = history.Add(new(EventIds.For(Alice, @event, Facts.CommandOf(@event, version), version), version, _now, @event));
        }

        return new(history, _now, _book);
    }

    /// <summary>Time has gone on.</summary>
    public Scenario At(DateTimeOffset now) => new(History, now, _book);

    /// <summary>Time has gone on by so much.</summary>
    public Scenario Later(TimeSpan by) => At(_now + by);

    /// <summary>This price list, the next version, is in force.</summary>
    public Scenario Under(RateCard card)
    {
        card.Version.ShouldBe(_book.Cards.Length + 1);
        return new(History, _now, new(card.Version, _now, _book.Cards.Add(card)));
    }

    /// <summary>This is asked.</summary>
    public Scenario When(AccountCommand command)
    {
        var outcome = After.Transact(command, new(_now, _card, PastOf(command, History), _book));
        return new(History, _now, _book, outcome, command);
    }

    /// <summary>Exactly these facts are recorded; asked again, nothing more is.</summary>
    public Scenario Then(params AccountEvent[] events)
    {
        Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        Facts.Text(_outcome!.Value.Facts.Select(fact => fact.Event)).ShouldBe(Facts.Text(events));
        History.Select(fact => fact.Id).ShouldBeUnique();
        History.Select(fact => fact.Version).ShouldBe(Enumerable.Range(1, History.Length).Select(i => (long)i));

        var again = After.Transact(Command!, new(_now, _card, PastOf(Command!, History), _book));
        again.Facts.ShouldBeEmpty("a second time yields nothing new");
        again.Decision.ShouldNotBeOfType<Decision<AccountEvent>.Rejected>("a second time is not refused");

        // Where the past is not at hand, the log must still stop a second effect: by a refusal, which is looked up first, or by an id that it has.
        var blind = After.Transact(Command!, new(_now, _card, Past.None, _book));
        if (!blind.Facts.IsEmpty)
            blind
                .Facts.Select(fact => fact.Id)
                .Intersect(History.Select(fact => fact.Id))
                .ShouldNotBeEmpty("an id in the log stops a second effect");

        return this;
    }

    /// <summary>Refused for this reason, and nothing is recorded, not even what was due.</summary>
    public Scenario ThenRejected(RejectionCode code, Shortfall? shortfall = null)
    {
        var rejected = Decision.ShouldBeOfType<Decision<AccountEvent>.Rejected>();
        rejected.Code.ShouldBe(code);
        if (shortfall is not null)
            rejected.Shortfall.ShouldBe(shortfall);
        _outcome!.Value.Facts.ShouldBeEmpty();
        _outcome.Value.After.Version.ShouldBe(_account.Version);
        return this;
    }

    /// <summary>Answered from the fact that did this before, and nothing is recorded.</summary>
    public Scenario ThenRepeated(AccountEvent first)
    {
        var repeated = Decision.ShouldBeOfType<Decision<AccountEvent>.Repeated>();
        Facts.Text([repeated.First.Event]).ShouldBe(Facts.Text([first]));
        _outcome!.Value.Facts.ShouldBeEmpty();
        return this;
    }

    /// <summary>Already so: accepted, and nothing is recorded.</summary>
    public Scenario ThenNothing() => Then();

    private static Past PastOf(AccountCommand command, ImmutableArray<Fact> history) =>
        Past.Of(history.Where(fact => command.Recalls.Contains(fact.Id)));
}

/// <summary>Short forms of the facts that tests give and expect, and how they are compared.</summary>
public static class Facts
{
    public static PocketShare Share(int pocket, long credits) => new(new(pocket), Amount.Credits(credits).Parts);

    public static KeyCreated Created(
        KeyId key,
        KeyKind kind = KeyKind.Inference,
        long? limit = null,
        LimitReset reset = LimitReset.None,
        DateTimeOffset? expiresAt = null,
        KeyBilling billing = KeyBilling.PayPerToken,
        Amount? limitUsd = null,
        KeyId? mintedBy = null,
        params string[] models
    ) =>
        new(
            key,
            "ci",
            kind,
            billing,
            null,
            new string('a', 64),
            "lk_live_",
            "9x2Q",
            limit is { } credits ? Amount.Credits(credits) : null,
            limitUsd,
            reset,
            [.. models],
            null,
            expiresAt,
            mintedBy
        );

    public static CreditsGranted Granted(
        int pocket,
        long credits,
        PocketSource source = PocketSource.Payg,
        string? scope = null,
        DateTimeOffset? expiresAt = null,
        string? reference = null
    ) => new(new(pocket), Amount.Credits(credits), source, scope, expiresAt, "operator", reference ?? $"payment-{pocket}", null);

    public static CreditsSpent Spent(
        string units,
        long credits,
        string reference = "r1",
        string tool = "chat",
        long card = 1,
        KeyId? key = null,
        params PocketShare[] paid
    ) => new(key ?? Scenario.Main, tool, Quantity.Parse(units), Amount.Credits(credits), card, "tools/" + tool, reference, [.. paid]);

    public static HoldPlaced Held(
        string units,
        long credits,
        DateTimeOffset? expiresAt = null,
        string reference = "h1",
        params PocketShare[] allocated
    ) =>
        new(
            Scenario.Main,
            "chat",
            Quantity.Parse(units),
            Amount.Credits(credits),
            Quantity.Of(5),
            1,
            "tools/chat",
            reference,
            [.. allocated],
            expiresAt ?? Scenario.Noon.AddHours(1)
        );

    public static HoldId Hold(string reference = "h1") => new(EventIds.Use(Scenario.Alice, "chat", reference));

    public static HoldSettled Settled(
        string units,
        long credits,
        PocketShare[] fromHold,
        PocketShare[]? fromAvailable = null,
        long debt = 0,
        string reference = "h1",
        DateTimeOffset? heldAt = null
    ) =>
        new(
            Hold(reference),
            Scenario.Main,
            "chat",
            Quantity.Parse(units),
            Amount.Credits(credits),
            1,
            "tools/chat",
            reference,
            [.. fromHold],
            [.. fromAvailable ?? []],
            debt > 0 ? Amount.Credits(debt) : null,
            heldAt ?? Scenario.Noon
        );

    public static HoldSettledLate SettledLate(
        string units,
        long credits,
        PocketShare[] paid,
        long debt = 0,
        DateTimeOffset? heldAt = null
    ) =>
        new(
            Hold(),
            Scenario.Main,
            "chat",
            Quantity.Parse(units),
            Amount.Credits(credits),
            1,
            "tools/chat",
            "h1",
            [.. paid],
            debt > 0 ? Amount.Credits(debt) : null,
            heldAt ?? Scenario.Noon
        );

    public static PocketExpired Lapsed(int pocket, long credits, DateTimeOffset at) => new(new(pocket), Amount.Credits(credits), at);

    public static DebtRepaid Repaid(int pocket, long credits) => new(new(pocket), Amount.Credits(credits));

    /// <summary>The id of the command that such a fact answers.</summary>
    public static Guid CommandOf(AccountEvent @event, long version) =>
        @event switch
        {
            CreditsSpent e => EventIds.Use(Scenario.Alice, e.Tool, e.Reference),
            HoldPlaced { Call: not null } e => EventIds.Call(Scenario.Alice, e.Tool, e.Reference),
            HoldPlaced e => EventIds.Use(Scenario.Alice, e.Tool, e.Reference),
            CreditsGranted e => EventIds.Grant(Scenario.Alice, e.Provider, e.Reference),
            _ => EventIds.Request(Scenario.Alice, $"given-{version}"),
        };

    /// <summary>Facts as they are stored: records that hold arrays have no equality of their own.</summary>
    public static string Text(IEnumerable<AccountEvent> events) =>
        string.Join(
            '\n',
            events.Select(@event => $"{@event.GetType().Name} {JsonSerializer.Serialize(@event, @event.GetType(), EventJson.Default)}")
        );
}

/// <summary>The price lists of the tests.</summary>
public static class Prices
{
    /// <summary>Version 1: a chat turn is 5 credits.</summary>
    public static RateCard Card { get; } = new(1, Scenario.Noon.AddDays(-30), Document(5));

    /// <summary>Version 2: a chat turn is 7 credits.</summary>
    public static RateCard Dearer { get; } = new(2, Scenario.Noon, Document(7));

    public static RateCardDocument Document(long chat) =>
        new(
            [
                new("chat", "turn", Quantity.Of(chat)),
                new("token", "token", Quantity.Parse("0.3")),
                new("free", "call", default),
                new("dear", "call", Quantity.Of(1_000)),
                new("both", "call", Quantity.Of(1)),
            ],
            [new("both", "minute", Quantity.Of(100)), new("transcription", "minute", Quantity.Of(330))],
            [
                Model("deepseek/deepseek-chat", ("0.28", "1.10", "0.07", "0.28", "0.28"), 8_000, 64_000),
                Model("openai/mini", ("0.15", "0.60", "0.075", "0.15", "0.15"), 16_000, 128_000, "anthropic/haiku", "sandbox/echo"),
                Model("anthropic/haiku", ("1", "5", "0.10", "1.25", "2"), 4_000, 200_000),
                Model("sandbox/echo", ("0", "0", "0", "0", "0"), 1_000, 10_000),
                Model("sandbox/dear", ("1000000", "1000000", "1000000", "1000000", "1000000"), 1_000, 10_000, "sandbox/terse"),
                Model("sandbox/terse", ("0", "10000000", "0", "0", "0"), 10, 10_000),
            ],
            new Dictionary<string, string> { ["auto"] = "openai/mini", ["claude-*"] = "anthropic/haiku" },
            [
                new(
                    "deepseek-chat-20k",
                    "deepseek",
                    "deepseek-chat",
                    Quantity.Of(20_000),
                    new(Quantity.Of(50_000), Quantity.Of(125_000)),
                    Quantity.Parse("9.00"),
                    365
                ),
                new("gift", "deepseek", "deepseek-chat", Quantity.Of(10), new(Quantity.Of(1), Quantity.Of(1)), default, 30),
            ],
            [
                new("basic", Quantity.Of(10), Quantity.Of(1_000), 1_000_000),
                new("pro", Quantity.Of(20), Quantity.Of(2_000), 2_000_000),
                new("max", Quantity.Of(50), Quantity.Of(6_000), 5_000_000, "time"),
                new("flat", Quantity.Of(40), Quantity.Of(5_000), 4_000_000, "none"),
                new("quota", Quantity.Of(5), default, 500_000),
                new("trial", default, Quantity.Of(100), 100_000),
            ],
            new(Quantity.Of(7500), 1, 1000, "USD"),
            new(5, 1000),
            new(Quantity.Of(1000), Quantity.Of(500))
        );

    /// <summary>One model, with its rates in the order input, output, read from a cache, written to it, written for an hour.</summary>
    public static PricedModel Model(
        string name,
        (string Input, string Output, string Read, string Write, string Hour) usd,
        int output,
        int context,
        params string[] fallbacks
    ) =>
        new(
            name.Split('/')[0],
            name.Split('/')[1],
            name,
            new(
                Quantity.Parse(usd.Input),
                Quantity.Parse(usd.Output),
                Quantity.Parse(usd.Read),
                Quantity.Parse(usd.Write),
                Quantity.Parse(usd.Hour)
            ),
            output,
            context,
            fallbacks
        );
}
