using FsCheck.Fluent;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;
using static Ledger.Domain.Tests.Metering.Calls;
using static Ledger.Domain.Tests.Purchases;

namespace Ledger.Domain.Tests.Metering;

/// <summary>Calls that packs pay: 50,000 credits per million tokens that go in, 125,000 per million that come out, in whole credits.</summary>
public class PackCallTests
{
    private const string Entry = "packs/deepseek-chat-20k";

    /// <summary>50 credits in, 13 out.</summary>
    private static readonly Amount Worst = Amount.Credits(63);

    private static CallAsk Packed(string model = DeepSeek, long input = 1_000, long? output = 100) =>
        Ask(model, input, output) with
        {
            Payment = CallPayment.Pack,
        };

    private static CreditsGranted Pack(int pocket, long credits, int days = 365, string scope = DeepSeek) =>
        Granted(pocket, credits, PocketSource.Pack, scope, Noon.AddDays(days));

    private static HoldPlaced HeldOf(
        long credits,
        long most,
        PocketShare[] allocated,
        CallAsk? ask = null,
        string entry = Entry,
        long card = 1
    ) => Held(ask ?? Packed(), Amount.Credits(credits), entry, most, allocated, DeepSeek, card: card);

    [Fact]
    public void Only_packs_for_the_model_pay_and_the_worst_case_is_held_in_credits() =>
        GivenAccount(Granted(1, 1_000), Pack(2, 1_000, scope: "openai/mini"), Pack(3, 1_000), Prepaid(4, 1_000_000_000))
            .When(Place(Packed()))
            .Then(HeldOf(63, 100, [Share(3, 63)]));

    [Fact]
    public void Several_packs_pay_in_drain_order() =>
        GivenAccount(Pack(1, 1_000), Pack(2, 20, days: 30), Granted(3, 1_000), Pack(4, 10, days: 60))
            .When(Place(Packed()))
            .Then(HeldOf(63, 100, [Share(2, 20), Share(4, 10), Share(1, 33)]));

    [Fact]
    public void It_is_charged_in_whole_credits_and_the_rest_goes_back() =>
        GivenAccount(Pack(1, 1_000))
            .When(Place(Packed()))
            .When(Settle(Used(24, 86)))
            .Then(Settled(Used(24, 86), Amount.Credits(12), Entry, [Share(1, 12)]))
            .After.Wallet.Available(Unit.Credits, Noon, DeepSeek)
            .ShouldBe(Amount.Credits(988));

    [Fact]
    public void Without_a_pack_it_is_refused()
    {
        var none = new Shortfall("pack", Amount.Credits(0), Amount.Credits(0));
        GivenAccount(Granted(1, 1_000)).When(Place(Packed())).ThenRejected(RejectionCode.NoActivePack, none);
        GivenAccount(Pack(1, 1_000, scope: "openai/mini")).When(Place(Packed())).ThenRejected(RejectionCode.NoActivePack, none);
        GivenAccount(Pack(1, 1_000, days: 1)).At(Noon.AddDays(1)).When(Place(Packed())).ThenRejected(RejectionCode.NoActivePack, none);
        GivenAccount(Pack(1, 5), Held("1", 5, allocated: Share(1, 5))).When(Place(Packed())).ThenRejected(RejectionCode.NoActivePack, none);
    }

    [Fact]
    public void A_model_that_is_not_on_the_card_is_unknown_and_so_is_a_logical_name()
    {
        GivenAccount(Pack(1, 1_000)).When(Place(Packed("deepseek/none"))).ThenRejected(RejectionCode.UnknownModel);
        GivenAccount(Pack(1, 1_000, scope: "openai/mini")).When(Place(Packed("auto"))).ThenRejected(RejectionCode.UnknownModel);
    }

    [Fact]
    public void A_pack_whose_rates_no_card_knows_pays_for_nothing() =>
        GivenAccount(Pack(1, 1_000, scope: "openai/mini"))
            .When(Place(Packed("openai/mini")))
            .ThenRejected(RejectionCode.NoActivePack, new("pack", Amount.Credits(0), Amount.Credits(1_000)));

    [Fact]
    public void Where_the_packs_do_for_less_the_refusal_names_the_output_and_a_clamp_accepts_it()
    {
        GivenAccount(Pack(1, 62))
            .When(Place(Packed()))
            .ThenRejected(RejectionCode.NoActivePack, new("pack", Worst, Amount.Credits(62), 96));
        GivenAccount(Pack(1, 62))
            .When(Place(Packed() with { MayClamp = true }))
            .Then(HeldOf(62, 96, [Share(1, 62)], Packed() with { MayClamp = true }));
        GivenAccount(Pack(1, 50)).When(Place(Packed())).ThenRejected(RejectionCode.NoActivePack, new("pack", Worst, Amount.Credits(50)));
        GivenAccount(Pack(1, 50), Granted(2, 1_000))
            .When(Place(Packed() with { MayClamp = true }))
            .ThenRejected(RejectionCode.NoActivePack, new("pack", Worst, Amount.Credits(50)));
    }

    [Fact]
    public void The_output_that_a_refusal_names_is_the_most_that_is_accepted_and_what_a_clamp_accepts() =>
        Property.ForAll(
            from input in Gen.Choose(0, 2_000)
            from output in Gen.Choose(1, 2_000)
            from choices in Gen.Choose(1, 4)
            from parts in Gen.Choose(1, 400_000_000)
            from limit in Gen.OneOf(Gen.Constant(-1), Gen.Choose(0, 300))
            select (Ask: Packed(DeepSeek, input, output) with { Choices = choices }, parts, limit),
            call =>
            {
                var given = GivenAccount(
                    new CreditsGranted(new(1), new(call.parts, Unit.Credits), PocketSource.Pack, DeepSeek, null, "operator", "1", null),
                    Created(Other, limit: call.limit < 0 ? null : call.limit)
                );
                Decision<AccountEvent> Try(long most, bool mayClamp = false) =>
                    given.When(Place(call.Ask with { MaxOutput = most, MayClamp = mayClamp }, Other)).Decision;

                var clamped = Try(call.Ask.MaxOutput!.Value, mayClamp: true);
                if (Try(call.Ask.MaxOutput.Value) is not Decision<AccountEvent>.Rejected(var code, var shortfall))
                {
                    clamped.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
                    return;
                }

                if (shortfall!.Affordable is not { } affordable)
                {
                    Try(1).ShouldBeOfType<Decision<AccountEvent>.Rejected>();
                    clamped.ShouldBe(new Decision<AccountEvent>.Rejected(code, shortfall));
                    return;
                }

                var accepted = Try(affordable).ShouldBeOfType<Decision<AccountEvent>.Accepted>();
                Try(affordable + 1).ShouldBeOfType<Decision<AccountEvent>.Rejected>();
                Text(clamped.ShouldBeOfType<Decision<AccountEvent>.Accepted>().Events).ShouldBe(Text(accepted.Events));
            },
            2000
        );

    [Fact]
    public void More_input_than_the_model_can_read_and_more_output_than_it_can_say_cost_no_more_than_that() =>
        GivenAccount(Pack(1, 20_000))
            .When(Place(Packed(input: 1_000_000, output: null)))
            .After.Wallet.Held(Unit.Credits)
            .ShouldBe(Amount.Credits((64_000 / 20) + (8_000 / 8)));

    [Fact]
    public void A_key_spends_no_more_credits_than_its_limit_leaves_nor_than_its_minters()
    {
        var child = new KeyId("key0000000000003");
        var given = GivenAccount(Pack(1, 1_000), Created(Other, limit: 100), Created(child, mintedBy: Other));
        var one = given.When(Place(Packed(), Other));
        one.When(Place(Packed(), Other, "c2")).ThenRejected(RejectionCode.KeyLimitReached, new("key", Worst, Amount.Credits(37)));
        one.When(Place(Packed(input: 100, output: 1_000), child, "c2"))
            .ThenRejected(RejectionCode.KeyLimitReached, new("minting_key", Amount.Credits(130), Amount.Credits(37), 256));
        one.When(Settle(Used(24, 86))).After.Keys.Find(Other)!.LimitRemaining(Unit.Credits, Noon).ShouldBe(Amount.Credits(88));
    }

    [Fact]
    public void A_list_of_models_binds_calls_on_packs_too() =>
        GivenAccount(Pack(1, 1_000), Created(Other, models: "openai/mini"))
            .When(Place(Packed(), Other))
            .ThenRejected(RejectionCode.ModelNotAllowed);

    [Fact]
    public void A_pack_is_drawn_on_at_the_rates_that_are_in_force_when_the_hold_is_placed()
    {
        var cheaper = Prices.Card.Document.Packs[0] with { CreditsPer1m = new(Quantity.Of(1_000), Quantity.Of(10_000)) };
        var card = new RateCard(2, Noon, Prices.Document(5) with { Packs = [cheaper] });
        var none = new RateCard(3, Noon, Prices.Document(5) with { Packs = [] });
        GivenAccount(PackPurchase).Under(card).When(Place(Packed())).Then(HeldOf(2, 100, [Share(1, 2)], card: 2));
        GivenAccount(PackPurchase)
            .When(Place(Packed()))
            .Under(card)
            .Under(none)
            .When(Settle(Used(24, 86)))
            .Then(Settled(Used(24, 86), Amount.Credits(12), Entry, [Share(1, 12)]));
    }

    [Fact]
    public void A_pack_that_is_no_longer_sold_is_drawn_on_at_the_rates_it_was_bought_at()
    {
        var none = new RateCard(2, Noon, Prices.Document(5) with { Packs = [] });
        var held = GivenAccount(PackPurchase).Under(none).When(Place(Packed()));
        held.Then(HeldOf(63, 100, [Share(1, 63)]));
        held.When(Settle(Used(24, 86))).Then(Settled(Used(24, 86), Amount.Credits(12), Entry, [Share(1, 12)]));
        GivenAccount(Pack(1, 20_000)).Under(none).When(Place(Packed())).ThenRejected(RejectionCode.NoActivePack);
    }

    [Fact]
    public void A_pack_of_which_another_is_sold_for_the_same_model_is_drawn_on_at_the_rates_of_that()
    {
        var other = Prices.Card.Document.Packs[0] with { Id = "deepseek-new", CreditsPer1m = new(Quantity.Of(1_000), Quantity.Of(10_000)) };
        GivenAccount(PackPurchase)
            .Under(new RateCard(2, Noon, Prices.Document(5) with { Packs = [other] }))
            .When(Place(Packed()))
            .Then(HeldOf(2, 100, [Share(1, 2)], entry: "packs/deepseek-new", card: 2));
    }

    [Fact]
    public void A_pack_that_was_given_away_is_drawn_on_at_its_own_rates() =>
        GivenAccount(OpenedPack() with { Item = "gift" }, Paid(1, dollars: 9), Bought(1, 10, PocketSource.Pack, Scope, Noon.AddDays(30)))
            .When(Place(Packed()))
            .Then(HeldOf(1, 100, [Share(1, 1)], entry: "packs/gift"));

    [Fact]
    public void Above_its_hold_it_takes_other_packs_then_what_no_pack_binds_then_it_is_debt()
    {
        // 2,000 in and 800 out are 200 credits.
        var given = GivenAccount(
            Pack(1, 70),
            Pack(2, 30, days: 30),
            Granted(3, 40, PocketSource.Bonus),
            Pack(4, 1_000, scope: "openai/mini")
        );
        given
            .When(Place(Packed()))
            .Then(HeldOf(63, 100, [Share(2, 30), Share(1, 33)]))
            .When(Settle(Used(2_000, 800)))
            .Then(
                Settled(
                    Used(2_000, 800),
                    Amount.Credits(200),
                    Entry,
                    [Share(2, 30), Share(1, 33)],
                    [Share(1, 37), Share(3, 40)],
                    Amount.Credits(60)
                )
            )
            .After.Wallet.Debt(Unit.Credits)
            .ShouldBe(Amount.Credits(60));
    }

    [Fact]
    public void Debt_in_credits_stops_packs_until_an_unscoped_grant_pays_it()
    {
        var inDebt = GivenAccount(Pack(1, 63)).When(Place(Packed())).When(Settle(Used(2_000, 800))).And(Pack(2, 1_000));
        inDebt.After.Wallet.Debt(Unit.Credits).ShouldBe(Amount.Credits(137));
        inDebt.When(Place(Packed(), reference: "c2")).ThenRejected(RejectionCode.NoActivePack, new("debt", Worst, Amount.Credits(0)));
        GivenAccount(Pack(1, 63))
            .When(Place(Packed()))
            .When(Settle(Used(2_000, 800)))
            .When(Place(Packed(), reference: "c2"))
            .ThenRejected(RejectionCode.NoActivePack, new("debt", Amount.Credits(0), Amount.Credits(0)));
        inDebt
            .When(new GrantCredits(Alice, Amount.Credits(137), PocketSource.Bonus, null, null, "operator", "settles", null))
            .When(Place(Packed(), reference: "c2"))
            .Decision.ShouldBeOfType<Decision<AccountEvent>.Accepted>();
    }

    [Fact]
    public void A_late_charge_takes_packs_first_too() =>
        GivenAccount(Granted(1, 100), Pack(2, 70))
            .When(Place(Packed()))
            .At(Noon + Lifetime)
            .When(Settle(Used(2_000, 0)))
            .Then(
                new HoldExpired(HoldOf(), Noon + Lifetime),
                SettledLate(Used(2_000, 0), Amount.Credits(100), Entry, [Share(2, 70), Share(1, 30)])
            );

    [Fact]
    public void A_call_that_is_given_back_goes_back_to_the_packs_that_paid_it()
    {
        var spend = new SpendId(EventIds.HoldEnd(Alice, HoldOf()));
        GivenAccount(Pack(1, 1_000), Pack(2, 10, days: 30))
            .When(Place(Packed()))
            .When(Settle(Used(24, 86)))
            .Then(Settled(Used(24, 86), Amount.Credits(12), Entry, [Share(2, 10), Share(1, 2)]))
            .When(new ReverseSpend(Alice, spend, "wrong"))
            .Then(
                new SpendReversed(
                    spend,
                    Main,
                    Route,
                    Amount.Credits(12),
                    Noon,
                    [Share(2, 10), Share(1, 2)],
                    null,
                    "wrong",
                    Noon,
                    null,
                    Entry,
                    DeepSeek
                )
            );
    }
}
