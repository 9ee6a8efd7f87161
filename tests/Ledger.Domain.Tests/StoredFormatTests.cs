using System.Diagnostics;
using System.Text.Json;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Referrals;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests;

/// <summary>
/// One sample of every event, with every member set. Its JSON is in <c>Fixtures/</c>, one file per stored name: what is in the log of
/// whoever runs this. A fixture is never changed; a new member gets a new sample and a new fixture beside the old one.
/// </summary>
public class StoredFormatTests
{
    private static readonly DateTimeOffset Later = new(2026, 4, 1, 0, 0, 0, 123, 456, TimeSpan.Zero);
    private static readonly Amount Debt = Amount.Credits(2);
    private static readonly OrderId Order = new("order00000000001");
    private static readonly SubscriptionId Subscription = new(EventIds.Subscription(Alice, "stripe", "sub_1"));

    private static readonly QuotaShare Quota = new(Subscription, 3, 1_100);
    private static readonly CallRecord Call = new(
        "deepseek",
        "deepseek-chat",
        new(24, 7, 5, 3, 86),
        true,
        CallOutcome.CallerGone,
        1_200,
        300,
        "{ \"total_tokens\": 125 }",
        Quota,
        true
    );

    public static readonly object[] Samples =
    [
        new AccountOpened("DE"),
        new AccountSuspended("chargeback"),
        new AccountReinstated("settled"),
        new KeyCreated(
            Main,
            "ci",
            KeyKind.Inference,
            KeyBilling.PayPerToken,
            "production",
            new string('a', 64),
            "lk_live_",
            "9x2Q",
            Amount.Credits(1000),
            Amount.Usd(20),
            LimitReset.Monthly,
            ["sandbox/echo"],
            new(10, Quantity.Parse("0.5"), false),
            Later,
            Other
        ),
        new KeyChanged(
            Main,
            "ci",
            "staging",
            Amount.Credits(1000),
            Amount.Usd(20),
            LimitReset.Monthly,
            ["sandbox/echo"],
            new(10, Quantity.Parse("0.5"), false),
            Later,
            true
        ),
        new KeyRotated(Main, new string('b', 64), "lk", "7Kd0", Later),
        new KeyRevoked(Main, "leaked"),
        new SignedOut(Hold().Value, Later),
        new SignInsEnded("password_changed"),
        new ReferralApplied(new("bob0000000000000"), Amount.Credits(1000), 1),
        new ReferralRewarded(new("bob0000000000000"), Amount.Credits(1000)),
        new CreditsGranted(new(1), Amount.Credits(100), PocketSource.Pack, "deepseek/deepseek-chat", Later, "stripe", "pi_1", "pack"),
        new CreditsSpent(
            Main,
            "chat",
            Quantity.Parse("1.5"),
            Amount.Credits(8),
            1,
            "tools/chat",
            "r1",
            [Share(1, 5), Share(2, 3)],
            "{ \"a\": 1.0 }",
            new string('b', 64),
            Quantity.Parse("12.25")
        ),
        new HoldPlaced(
            Main,
            "chat",
            Quantity.Of(2),
            Amount.Credits(10),
            Quantity.Of(5),
            1,
            "tools/chat",
            "h1",
            [Share(1, 10)],
            Later,
            new("auto", 1_000, 100, "deepseek/deepseek-chat", Quota, new string('c', 64))
        ),
        new HoldExtended(Hold(), Later),
        new HoldSettled(
            Hold(),
            Main,
            "chat",
            Quantity.Of(3),
            Amount.Credits(15),
            1,
            "tools/chat",
            "h1",
            [Share(1, 10)],
            [Share(2, 3)],
            Debt,
            Noon,
            Call
        ),
        new HoldReleased(Hold()),
        new HoldExpired(Hold(), Later),
        new HoldSettledLate(
            Hold(),
            Main,
            "chat",
            Quantity.Of(2),
            Amount.Credits(10),
            1,
            "tools/chat",
            "h1",
            [Share(1, 8)],
            Debt,
            Noon,
            Call
        ),
        new SpendReversed(
            new(Hold().Value),
            Main,
            "chat",
            Amount.Credits(10),
            Later,
            [Share(1, 8)],
            Debt,
            "wrong model",
            Noon,
            Quota,
            "tiers/pro",
            "sandbox/echo"
        ),
        new PocketExpired(new(1), Amount.Credits(7), Later),
        new DebtRepaid(new(2), Debt),
        new CreditsClawedBack(Order, "dp_1", Amount.Credits(10), [Share(1, 8)], Debt, Amount.Credits(3)),
        new ClawbackReturned(Order, "dp_1", Amount.Credits(10), [Share(1, 8)], Debt, Amount.Credits(3)),
        new CustomerLinked("stripe", "cus_1"),
        new OrderOpened(
            Order,
            OrderKind.Pack,
            "deepseek-chat-20k",
            Amount.Usd(9),
            Amount.Credits(20_000),
            "deepseek/deepseek-chat",
            365,
            Quantity.Of(7500),
            1,
            "stripe",
            "cus_1",
            Later,
            true,
            new("pro", 1, Amount.Usd(20), Amount.Credits(2000), 2_000_000)
        ),
        new OrderSessionOpened(Order, "cs_1"),
        new OrderPaid(Order, "stripe", "cs_1", "pi_1", Amount.Usd(9), new(1)),
        new OrderFailed(Order, "card_declined"),
        new OrderExpired(Order, Later),
        new OrderRefunded(Order, Amount.Usd(4)),
        new OrderDisputed(Order, "dp_1", Amount.Usd(9)),
        new DisputeWon(Order, "dp_1"),
        new PaymentMismatched(Order, "stripe", "cs_1", "amount", Amount.Usd(8), "USD"),
        new AutoTopupSet(true, Amount.Credits(500), Amount.Usd(25), 3, "stripe"),
        new SubscriptionStarted(Subscription, "pro", 1, Amount.Usd(20), Amount.Credits(2000), 2_000_000, "stripe", "sub_1", Later),
        new SubscriptionReset(Subscription, 1, Later, Later.AddMonths(1)),
        new SubscriptionChanged(Subscription, "max", 1, Amount.Usd(50), Amount.Credits(6000), 5_000_000),
        new SubscriptionChangeScheduled(Subscription, "max", 1, Amount.Usd(50), Amount.Credits(6000), 5_000_000),
        new SubscriptionKept(Subscription),
        new SubscriptionEndScheduled(Subscription, Later),
        new SubscriptionEnded(Subscription, Later, "canceled"),
        new AlertsSet(Amount.Credits(500), Amount.Credits(100)),
        new BalanceLevelChanged(BalanceLevel.Warning, BalanceLevel.Critical, Amount.Credits(95)),
        new RateCardPublished(Later, "{\"tools\":[]}"),
    ];

    public static TheoryData<string> Names => [.. Samples.Select(sample => sample.GetType().Name)];

    private static IEnumerable<Type> Events =>
        typeof(AccountEvent)
            .Assembly.GetTypes()
            .Where(type => !type.IsAbstract && (type.IsSubclassOf(typeof(AccountEvent)) || type.IsSubclassOf(typeof(RateCardEvent))));

    [Fact]
    public void Every_event_is_sealed_and_has_its_sample()
    {
        Events.ShouldAllBe(type => type.IsSealed);
        Samples.Select(sample => sample.GetType()).ShouldBe(Events, ignoreOrder: true);
    }

    [Fact]
    public void Every_sample_sets_every_member() =>
        Samples
            .Concat(Samples.OfType<HoldPlaced>().Select(placed => placed.Call!))
            .Append(Call)
            .ShouldAllBe(sample => sample.GetType().GetProperties().All(member => member.GetValue(sample) != null));

    [Theory]
    [MemberData(nameof(Names))]
    public void An_event_is_stored_as_it_always_was(string name)
    {
        var sample = Sample(name);
        var json = JsonSerializer.Serialize(sample, sample.GetType(), EventJson.Default);
        json.ShouldBe(Fixture(name));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_event_comes_back_as_it_was_stored(string name)
    {
        var type = Sample(name).GetType();
        var back = JsonSerializer.Deserialize(Fixture(name), type, EventJson.Default)!;
        JsonSerializer.Serialize(back, type, EventJson.Default).ShouldBe(Fixture(name));
        back.ShouldBeOfType(type);
    }

    [Fact]
    public void There_is_no_fixture_without_an_event() =>
        Directory.GetFiles(Folder, "*.json").Select(NameOf).Distinct().ShouldBe(Events.Select(type => Snake(type.Name)), ignoreOrder: true);

    /// <summary>Also of events that have got members since: what was not there is not written.</summary>
    [Fact]
    public void Every_format_that_ever_was_comes_back_as_it_was_stored()
    {
        foreach (var file in Directory.GetFiles(Folder, "*.json"))
        {
            var type = Events.Single(type => Snake(type.Name) == NameOf(file));
            var stored = File.ReadAllText(file).TrimEnd('\n');
            var back = JsonSerializer.Deserialize(stored, type, EventJson.Default)!;
            JsonSerializer.Serialize(back, type, EventJson.Default).ShouldBe(stored, file);
        }
    }

    /// <summary>On a state where some cannot follow, which is corruption; but none is unknown.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void An_event_has_its_arm_in_the_fold(string name)
    {
        var sample = Sample(name);
        if (sample is RateCardEvent published)
        {
            Should.Throw<JsonException>(
                () => RateBook.Evolve(RateBook.Empty, published, Noon),
                "the sample's document lacks what is required; it is not unknown"
            );
            return;
        }

        var account = GivenAccount(Granted(1, 100), Granted(2, 100)).And(Held("2", 10, allocated: Share(1, 10))).After;
        if (sample is KeyCreated)
            account = Given(new AccountOpened("DE")).After;
        if (sample is not OrderOpened)
            account = Account.Evolve(account, new(Guid.Empty, account.Version + 1, Noon, Samples.OfType<OrderOpened>().Single()));
        try
        {
            Account
                .Evolve(account, new(Hold().Value, account.Version + 1, Noon, (AccountEvent)sample))
                .Version.ShouldBe(account.Version + 1);
        }
        catch (InvalidDataException)
        {
            name.ShouldBeOneOf(nameof(CreditsGranted), nameof(HoldPlaced));
        }
        catch (ArgumentException) when (name == nameof(HoldPlaced))
        {
            // The hold is open already.
        }
        catch (UnreachableException)
        {
            Assert.Fail($"{name} has no arm in Evolve.");
        }
    }

    [Fact]
    public void The_reference_names_every_event_and_every_member()
    {
        var page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "events.md")).ReplaceLineEndings("\n");
        foreach (var type in Events)
        {
            var heading = $"\n### `{Snake(type.Name)}`\n";
            page.ShouldContain(heading);
            var start = page.IndexOf(heading, StringComparison.Ordinal) + heading.Length;
            var end = page.IndexOf("\n##", start, StringComparison.Ordinal);
            var section = end < 0 ? page[start..] : page[start..end];
            section.ShouldContain(Fixture(type.Name), customMessage: $"{type.Name}: the example is the fixture");
            section.ShouldContain("**Id.**");
            foreach (var member in type.GetProperties())
                section.ShouldContain($"| `{JsonNamingPolicy.CamelCase.ConvertName(member.Name)}` |", customMessage: type.Name);
        }

        var record = page[page.IndexOf("\n#### What a call came to\n", StringComparison.Ordinal)..];
        foreach (var member in typeof(CallRecord).GetProperties())
            record.ShouldContain($"| `{JsonNamingPolicy.CamelCase.ConvertName(member.Name)}` |");
        foreach (var outcome in Enum.GetNames<CallOutcome>())
            record.ShouldContain($"`{outcome}`");
    }

    private static string Folder => Path.Combine(AppContext.BaseDirectory, "Fixtures");

    private static object Sample(string name) => Samples.Single(sample => sample.GetType().Name == name);

    /// <summary>The newest fixture of an event: <c>name.2.json</c> where members have come since <c>name.json</c>, and so on.</summary>
    private static string Fixture(string name) =>
        File.ReadAllText(
                Directory
                    .GetFiles(Folder, "*.json")
                    .Where(file => NameOf(file) == Snake(name))
                    .OrderBy(file => Path.GetFileName(file).Length)
                    .ThenBy(file => file, StringComparer.Ordinal)
                    .Last()
            )
            .TrimEnd('\n');

    private static string NameOf(string file) => Path.GetFileName(file).Split('.')[0];

    private static string Snake(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}
