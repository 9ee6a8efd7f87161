using FsCheck.Fluent;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Metering.Calls;

namespace Ledger.Domain.Tests.Metering;

/// <summary>Calls that the prepaid dollars pay.</summary>
public class BalanceCallTests
{
    private const string Entry = "models/" + DeepSeek;

    private static readonly Amount Worst = Usd(390_000);

    private static Scenario GivenDollars(long parts, params AccountEvent[] more) => GivenAccount([Prepaid(1, parts), .. more]);

    private static Amount HeldBy(CallAsk ask) =>
        GivenDollars(500_000_000_000_000).When(Place(ask)).After.Wallet.Holds.Values.ShouldHaveSingleItem().Amount;

    [Fact]
    public void A_hold_is_for_the_counted_input_and_the_most_output()
    {
        var wallet = GivenDollars(1_000_000).When(Place()).Then(Held(Ask(), Worst, Entry, 100, [Part(1, 390_000)])).After.Wallet;
        wallet.Held(Unit.Usd).ShouldBe(Worst);
        wallet.Available(Unit.Usd, Noon).ShouldBe(Usd(610_000));
    }

    [Fact]
    public void Credits_do_not_pay_for_it() =>
        GivenAccount(Granted(1, 1_000_000)).When(Place()).ThenRejected(RejectionCode.InsufficientCredits, new("balance", Worst, Usd(0)));

    [Fact]
    public void What_is_scoped_to_the_model_does_not_pay_in_dollars_that_no_pack_has() =>
        GivenAccount(Granted(1, 1_000, PocketSource.Pack, DeepSeek)).When(Place()).ThenRejected(RejectionCode.InsufficientCredits);

    [Fact]
    public void Where_nothing_is_said_of_the_output_it_is_the_most_that_the_model_can_say() =>
        GivenDollars(10_000_000_000)
            .When(Place(Ask(output: null)))
            .Then(Held(Ask(output: null), Usd(280_000 + 8_800_000), Entry, 8_000, [Part(1, 9_080_000)]));

    [Fact]
    public void Asking_for_more_output_than_the_model_can_say_holds_what_it_can_say() =>
        GivenDollars(10_000_000_000)
            .When(Place(Ask(output: 1_000_000)))
            .Then(Held(Ask(output: 1_000_000), Usd(9_080_000), Entry, 8_000, [Part(1, 9_080_000)]));

    [Fact]
    public void More_input_than_the_model_can_read_costs_no_more_than_what_it_can_read() =>
        HeldBy(Ask(input: 1_000_000)).ShouldBe(Usd((64_000 * 280) + 110_000));

    [Fact]
    public void Every_choice_may_come_to_the_most_output() => HeldBy(Ask() with { Choices = 3 }).ShouldBe(Usd(280_000 + 330_000));

    /// <summary>Its fallback reads a token for 1,000 parts and says one for 5,000, as long as it can say anything.</summary>
    [Fact]
    public void A_hold_is_for_the_dearest_of_those_that_may_serve()
    {
        HeldBy(Ask("openai/mini")).ShouldBe(Usd(1_000_000 + 500_000));
        HeldBy(Ask("openai/mini", output: 16_000)).ShouldBe(Usd(1_000_000 + (4_000 * 5_000)), "the fallback says 4,000 at the most");
        HeldBy(Ask("openai/mini", input: 0, output: 16_000)).ShouldBe(Usd(20_000_000));
        HeldBy(Ask("openai/mini", input: 1_000_000, output: 1)).ShouldBe(Usd((200_000 * 1_000) + 5_000));
    }

    [Theory]
    [InlineData(CacheUse.Reads, 1_000)]
    [InlineData(CacheUse.Writes, 1_250)]
    [InlineData(CacheUse.Writes1h, 2_000)]
    public void Input_that_may_be_written_to_a_cache_is_held_at_the_dearest_class(CacheUse cache, long perToken)
    {
        HeldBy(Ask("anthropic/haiku") with { Cache = cache }).ShouldBe(Usd((1_000 * perToken) + 500_000));
        HeldBy(Ask("openai/mini") with { Cache = cache }).ShouldBe(Usd((1_000 * perToken) + 500_000), "of the fallback too");
    }

    /// <summary>Rates in any order: what is held covers every way in which the input can be split into the classes that may come up.</summary>
    [Fact]
    public void However_input_is_split_among_its_classes_the_hold_covers_it() =>
        Property.ForAll(
            from input in Gen.Choose(0, 9)
            from read in Gen.Choose(0, 9)
            from write in Gen.Choose(0, 9)
            from hour in Gen.Choose(0, 9)
            from cache in Gen.Elements(Enum.GetValues<CacheUse>())
            from classes in Gen.ArrayOf(Gen.Choose(0, 50), 4)
            select (Rates: (input, read, write, hour), cache, classes),
            call =>
            {
                var (input, read, write, hour) = call.Rates;
                var model = Prices.Model("sandbox/any", ($"{input}", "1", $"{read}", $"{write}", $"{hour}"), 100, 10_000);
                var card = new RateCard(2, Noon, Prices.Document(5) with { Models = [model] });
                var tokens = new TokenUse(
                    call.classes[0],
                    call.classes[1],
                    call.cache == CacheUse.Reads ? 0 : call.classes[2],
                    call.cache == CacheUse.Writes1h ? call.classes[3] : 0,
                    100
                );
                var ask = Ask("sandbox/any", tokens.AllInput) with { Cache = call.cache };
                var settled = GivenDollars(1_000_000_000).Under(card).When(Place(ask)).When(Settle(tokens, "sandbox/any"));
                settled.History[^1].Event.ShouldBeOfType<HoldSettled>().FromAvailable.ShouldBeEmpty();
            },
            1000
        );

    [Fact]
    public void Free_is_a_price_and_needs_no_funds()
    {
        var ask = Ask("sandbox/echo");
        var free = Held(ask, Usd(0), "models/sandbox/echo", 100, []);
        GivenAccount()
            .When(Place(ask))
            .Then(free)
            .When(Settle(Used(24, 86), "sandbox/echo"))
            .Then(Settled(Used(24, 86), Usd(0), "models/sandbox/echo", [], model: "sandbox/echo"));
    }

    [Fact]
    public void A_model_without_a_price_is_refused()
    {
        GivenDollars(1_000_000_000).When(Place(Ask("openai/none"))).ThenRejected(RejectionCode.UnknownModel);
        GivenDollars(1_000_000_000).When(Place(Ask(""))).ThenRejected(RejectionCode.UnknownModel);
    }

    [Fact]
    public void A_logical_name_is_the_model_that_it_leads_to() =>
        GivenDollars(1_000_000_000)
            .When(Place(Ask("claude-haiku-4-5")))
            .Then(Held(Ask("claude-haiku-4-5"), Usd(1_500_000), "models/anthropic/haiku", 100, [Part(1, 1_500_000)]));

    [Theory]
    [InlineData(-1, 100, 1)]
    [InlineData(TokenUse.Max + 1, 100, 1)]
    [InlineData(long.MaxValue, 100, 1)]
    [InlineData(1_000, 0, 1)]
    [InlineData(1_000, -1, 1)]
    [InlineData(1_000, 100, 0)]
    public void What_cannot_be_counted_is_refused(long input, long output, int choices) =>
        GivenDollars(1_000_000)
            .When(Place(Ask(input: input, output: output) with { Choices = choices }))
            .ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void A_worst_case_beyond_what_an_account_can_be_charged_is_refused() =>
        GivenDollars(1_000_000)
            .When(Place(Ask("sandbox/dear") with { Choices = int.MaxValue }))
            .ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void Where_funds_cover_less_the_refusal_names_the_output_that_they_do_for()
    {
        GivenDollars(389_999).When(Place()).ThenRejected(RejectionCode.InsufficientCredits, new("balance", Worst, Usd(389_999), 99));
        GivenDollars(281_100).When(Place()).ThenRejected(RejectionCode.InsufficientCredits, new("balance", Worst, Usd(281_100), 1));
        GivenDollars(281_099).When(Place()).ThenRejected(RejectionCode.InsufficientCredits, new("balance", Worst, Usd(281_099)));
        GivenAccount().When(Place()).ThenRejected(RejectionCode.InsufficientCredits, new("balance", Worst, Usd(0)));
    }

    [Fact]
    public void Who_asks_for_it_gets_just_as_much_output_as_the_funds_do_for()
    {
        var ask = Ask() with { MayClamp = true };
        GivenDollars(389_999).When(Place(ask)).Then(Held(ask, Usd(388_900), Entry, 99, [Part(1, 388_900)]));
        GivenDollars(281_100).When(Place(ask)).Then(Held(ask, Usd(281_100), Entry, 1, [Part(1, 281_100)]));
        GivenDollars(281_099).When(Place(ask)).ThenRejected(RejectionCode.InsufficientCredits, new("balance", Worst, Usd(281_099)));
        GivenDollars(390_000).When(Place(ask)).Then(Held(ask, Worst, Entry, 100, [Part(1, 390_000)]));
    }

    /// <summary>Its fallback costs ten times as much, but has said everything after ten tokens.</summary>
    [Fact]
    public void A_fallback_that_comes_to_its_end_sooner_bounds_the_output_only_where_even_that_is_not_paid_for()
    {
        var ask = Ask("sandbox/dear", input: 0, output: 500);
        GivenDollars(Amount.Usd(200).Parts)
            .When(Place(ask))
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Usd(500), Amount.Usd(200), 200));
        GivenDollars(Amount.Usd(99).Parts)
            .When(Place(ask))
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Usd(500), Amount.Usd(99), 9));
    }

    [Fact]
    public void The_output_that_a_refusal_names_is_the_most_that_is_accepted_and_what_a_clamp_accepts()
    {
        var models = Prices.Card.Document.Models.Select(ModelDirectory.NameOf).ToArray();
        Property.ForAll(
            from model in Gen.Elements(models)
            from input in Gen.Choose(0, 20_000)
            from output in Gen.Choose(1, 2_000)
            from choices in Gen.Choose(1, 4)
            from cache in Gen.Elements(Enum.GetValues<CacheUse>())
            from funds in Gen.Choose(0, int.MaxValue)
            from digits in Gen.Choose(0, 9)
            from isLimit in Gen.Elements(false, true)
            let parts = funds / (long)Math.Pow(10, digits) * (model.StartsWith("sandbox", StringComparison.Ordinal) ? 10_000 : 1)
            select (Ask: Ask(model, input, output) with { Choices = choices, Cache = cache }, Parts: parts, isLimit),
            call =>
            {
                var given = call.isLimit
                    ? GivenAccount(Prepaid(1, Limits.MaxAmount(Unit.Usd).Parts), Created(Other, limitUsd: Usd(call.Parts)))
                    : GivenDollars(Math.Max(1, call.Parts), Created(Other));
                Decision<AccountEvent> Try(long output, bool mayClamp = false) =>
                    given.When(Place(call.Ask with { MaxOutput = output, MayClamp = mayClamp }, Other)).Decision;

                var clamped = Try(call.Ask.MaxOutput!.Value, mayClamp: true);
                if (Try(call.Ask.MaxOutput.Value) is not Decision<AccountEvent>.Rejected(var code, var shortfall))
                {
                    clamped.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
                    return;
                }

                code.ShouldBe(call.isLimit ? RejectionCode.KeyLimitReached : RejectionCode.InsufficientCredits);
                if (shortfall!.Affordable is not { } affordable)
                {
                    Try(1).ShouldBeOfType<Decision<AccountEvent>.Rejected>();
                    clamped.ShouldBe(new Decision<AccountEvent>.Rejected(code, shortfall));
                    return;
                }

                affordable.ShouldBeInRange(1, call.Ask.MaxOutput.Value - 1);
                var most = Try(affordable).ShouldBeOfType<Decision<AccountEvent>.Accepted>();
                Try(affordable + 1).ShouldBeOfType<Decision<AccountEvent>.Rejected>();
                Text(clamped.ShouldBeOfType<Decision<AccountEvent>.Accepted>().Events).ShouldBe(Text(most.Events));
            },
            2000
        );
    }

    [Fact]
    public void Debt_in_dollars_stops_every_call_that_costs_something()
    {
        var inDebt = GivenDollars(390_000).When(Place()).When(Settle(Used(1_000, 200)));
        inDebt.After.Wallet.Debt(Unit.Usd).ShouldBe(Usd(110_000));
        inDebt.When(Place(reference: "c2")).ThenRejected(RejectionCode.InsufficientCredits, new("debt", Worst, Usd(0)));
        inDebt.And(Granted(2, 100)).When(new Spend(Alice, Main, "chat", Quantity.Of(1), "r1")).Then(Spent("1", 5, paid: Share(2, 5)));
    }

    [Fact]
    public void A_key_spends_no_more_dollars_than_its_limit_leaves()
    {
        var given = GivenDollars(1_000_000, Created(Other, limitUsd: Usd(700_000)));
        given.When(Place(key: Other)).Then(Held(Ask(), Worst, Entry, 100, [Part(1, 390_000)], key: Other));
        var one = given.When(Place(key: Other));
        one.When(Place(key: Other, reference: "c2")).ThenRejected(RejectionCode.KeyLimitReached, new("key", Worst, Usd(310_000), 27));
        one.When(Place(reference: "c2")).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>("another key has its own");
        one.When(Settle(Used(0, 0))).When(Place(key: Other, reference: "c2")).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        one.When(ReleaseByServer()).When(Place(key: Other, reference: "c2")).Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        one.At(Noon + Lifetime)
            .When(Place(key: Other, reference: "c2"))
            .Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>("what lapsed is given back");
    }

    [Fact]
    public void What_a_minted_key_calls_for_counts_against_its_minters_limit()
    {
        var child = new KeyId("key0000000000003");
        var given = GivenDollars(1_000_000, Created(Other, limitUsd: Usd(500_000)), Created(child, mintedBy: Other));
        given
            .When(Place(key: Other))
            .When(Place(key: child, reference: "c2"))
            .ThenRejected(RejectionCode.KeyLimitReached, new("minting_key", Worst, Usd(110_000)));
        given
            .When(Place(key: child))
            .When(Place(key: Other, reference: "c2"))
            .ThenRejected(RejectionCode.KeyLimitReached, new("key", Worst, Usd(110_000)));
        given.When(Place(Ask() with { MayClamp = true, MaxOutput = null }, child)).After.Wallet.Held(Unit.Usd).ShouldBe(Usd(500_000));
    }

    [Fact]
    public void A_limit_in_credits_leaves_dollars_alone() =>
        GivenDollars(1_000_000, Created(Other, limit: 0))
            .When(Place(key: Other))
            .Then(Held(Ask(), Worst, Entry, 100, [Part(1, 390_000)], key: Other));

    [Fact]
    public void A_limit_counts_a_call_in_the_period_in_which_its_hold_was_placed()
    {
        var midnight = Noon.AddHours(12);
        var given = GivenDollars(2_000_000, Created(Other, limitUsd: Usd(400_000), reset: LimitReset.Daily)).At(midnight.AddMinutes(-5));
        var next = given.When(Place(key: Other)).At(midnight).When(Place(key: Other, reference: "c2"));
        next.After.Keys.Find(Other)!.UsedUsd.ShouldBe(390_000);
        var settled = next.When(Settle(Used(1_000, 105)));
        settled.After.Keys.Find(Other)!.UsedUsd.ShouldBe(390_000, "the first call belongs to the day before");
        settled.When(Settle(Used(0, 0), reference: "c2")).After.Keys.Find(Other)!.UsedUsd.ShouldBe(0);
    }

    [Theory]
    [InlineData("auto", "auto", true)]
    [InlineData("auto", "openai/mini", true)]
    [InlineData("auto", "mini", true)]
    [InlineData("auto", "anthropic/haiku", false)]
    [InlineData("openai/mini", "auto", false)]
    [InlineData("openai/mini", "mini", true)]
    [InlineData("claude-haiku-4-5", "claude-haiku-4-5", true)]
    [InlineData("claude-haiku-4-5", "anthropic/haiku", true)]
    [InlineData("claude-haiku-4-5", "haiku", true)]
    [InlineData("claude-haiku-4-5", "claude-*", false)]
    [InlineData("claude-haiku-4-5", "HAIKU", false)]
    public void A_key_with_a_list_calls_what_the_list_has_by_any_of_three_names(string asked, string listed, bool isAllowed)
    {
        var scenario = GivenDollars(1_000_000_000, Created(Other, models: ["other", listed])).When(Place(Ask(asked), Other));
        if (isAllowed)
            scenario.Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
        else
            scenario.ThenRejected(RejectionCode.ModelNotAllowed);
    }

    [Fact]
    public void A_name_that_leads_nowhere_is_unknown_also_to_a_key_with_a_list() =>
        GivenDollars(1_000_000_000, Created(Other, models: "nosuch"))
            .When(Place(Ask("nosuch"), Other))
            .ThenRejected(RejectionCode.UnknownModel);

    [Fact]
    public void Only_an_inference_key_calls() =>
        GivenDollars(1_000_000, Created(Other, KeyKind.Provisioning)).When(Place(key: Other)).ThenRejected(RejectionCode.KeyKindNotAllowed);

    [Fact]
    public void A_key_that_may_not_act_places_nothing()
    {
        GivenDollars(1_000_000, new KeyRevoked(Main, null)).When(Place()).ThenRejected(RejectionCode.KeyNotUsable);
        GivenDollars(1_000_000, new AccountSuspended("fraud")).When(Place()).ThenRejected(RejectionCode.AccountSuspended);
        Given().When(Place()).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Fact]
    public void Parallel_calls_share_no_funds()
    {
        var scenario = GivenDollars(390_000 * 3 + 389_999);
        for (var i = 1; i <= 3; i++)
            scenario = scenario.When(Place(reference: $"c{i}"));
        scenario.When(Place(reference: "c4")).ThenRejected(RejectionCode.InsufficientCredits, new("balance", Worst, Usd(389_999), 99));
    }

    [Fact]
    public void A_call_is_settled_at_what_it_used_and_the_rest_goes_back()
    {
        var wallet = GivenDollars(1_000_000)
            .When(Place())
            .When(Settle(new(24, 100, 0, 0, 86)))
            .Then(Settled(new(24, 100, 0, 0, 86), Usd(6_720 + 7_000 + 94_600), Entry, [Part(1, 108_320)]))
            .After.Wallet;
        wallet.Held(Unit.Usd).IsZero.ShouldBeTrue();
        wallet.Available(Unit.Usd, Noon).ShouldBe(Usd(1_000_000 - 108_320));
    }

    [Fact]
    public void It_is_charged_at_the_entry_of_the_model_that_served() =>
        GivenDollars(10_000_000)
            .When(Place(Ask("auto")))
            .When(Settle(Used(24, 86), "anthropic/haiku"))
            .Then(Settled(Used(24, 86), Usd(24_000 + 430_000), "models/anthropic/haiku", [Part(1, 454_000)], model: "anthropic/haiku"));

    [Fact]
    public void It_is_charged_by_the_rate_card_under_which_it_was_held()
    {
        var dearer = new RateCard(
            2,
            Noon,
            Prices.Document(5) with
            {
                Models = [Prices.Model(DeepSeek, ("9", "9", "9", "9", "9"), 8_000, 64_000)],
            }
        );
        var none = new RateCard(3, Noon, Prices.Document(5) with { Models = [] });
        var given = GivenDollars(1_000_000).When(Place()).Under(dearer).Under(none);
        given.When(Settle(Used(24, 86))).Then(Settled(Used(24, 86), Usd(101_320), Entry, [Part(1, 101_320)]));
        given
            .At(Noon + Lifetime)
            .When(Settle(Used(24, 86)))
            .Then(new HoldExpired(HoldOf(), Noon + Lifetime), SettledLate(Used(24, 86), Usd(101_320), Entry, [Part(1, 101_320)]));
    }

    [Fact]
    public void A_report_of_nothing_is_a_report() =>
        GivenDollars(1_000_000)
            .When(Place())
            .When(Settle(Used(0, 0)))
            .Then(Settled(Used(0, 0), Usd(0), Entry, []))
            .After.Wallet.Available(Unit.Usd, Noon)
            .ShouldBe(Usd(1_000_000));

    [Fact]
    public void Above_its_hold_it_takes_what_is_available_and_books_the_rest_as_debt()
    {
        GivenDollars(500_000)
            .When(Place())
            .When(Settle(Used(1_000, 200)))
            .Then(Settled(Used(1_000, 200), Usd(500_000), Entry, [Part(1, 390_000)], [Part(1, 110_000)]));
        GivenDollars(400_000, Granted(2, 1_000))
            .When(Place())
            .When(Settle(Used(1_000, 200)))
            .Then(Settled(Used(1_000, 200), Usd(500_000), Entry, [Part(1, 390_000)], [Part(1, 10_000)], Usd(100_000)));
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, -1)]
    [InlineData(TokenUse.Max + 1, 0)]
    [InlineData(0, long.MaxValue)]
    public void A_report_that_cannot_be_one_is_refused(long input, long output)
    {
        var held = GivenDollars(1_000_000).When(Place());
        held.When(Settle(Used(input, output))).ThenRejected(RejectionCode.AmountOutOfRange);
        held.At(Noon + Lifetime).When(Settle(Used(input, output))).ThenRejected(RejectionCode.AmountOutOfRange);
    }

    [Fact]
    public void A_served_model_that_the_card_does_not_have_is_no_lawful_case() =>
        Should.Throw<InvalidDataException>(() => GivenDollars(1_000_000).When(Place()).When(Settle(Used(1, 1), "openai/none")));
}
