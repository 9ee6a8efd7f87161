using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Wallets;

public class SpendTests
{
    private static Spend Spend(string units = "1", string tool = "chat", string reference = "r1", KeyId? key = null) =>
        new(Alice, key ?? Main, tool, Quantity.Parse(units), reference);

    private static PlaceHold Place(string reference) => new(Alice, Main, "chat", Quantity.Of(1), reference, TimeSpan.FromHours(1));

    [Fact]
    public void A_spend_is_charged_at_the_price_in_force() =>
        GivenAccount(Granted(1, 100)).When(Spend("2")).Then(Spent("2", 10, paid: [Share(1, 10)]));

    [Fact]
    public void A_spend_keeps_what_the_caller_sent() =>
        GivenAccount(Granted(1, 100))
            .When(Spend() with { Metadata = "{ \"a\":1.0}", MetadataDigest = "d", AudioDuration = Quantity.Parse("2.5") })
            .Then(
                Spent("1", 5, paid: [Share(1, 5)]) with
                {
                    Metadata = "{ \"a\":1.0}",
                    MetadataDigest = "d",
                    AudioDuration = Quantity.Parse("2.5"),
                }
            );

    [Theory]
    [InlineData("1", 1)]
    [InlineData("10", 3)]
    [InlineData("3.333333333", 1)]
    [InlineData("3.333333334", 2)]
    [InlineData("0.000000001", 1)]
    [InlineData("100", 30)]
    public void Fractions_are_rounded_up_once_to_a_whole_credit(string units, long credits) =>
        GivenAccount(Granted(1, 100)).When(Spend(units, "token")).Then(Spent(units, credits, tool: "token", paid: [Share(1, credits)]));

    [Fact]
    public void Free_is_a_price() => GivenAccount().When(Spend(tool: "free")).Then(Spent("1", 0, tool: "free"));

    [Fact]
    public void A_tool_without_a_price_is_rejected() =>
        GivenAccount(Granted(1, 100)).When(Spend(tool: "nosuch")).ThenRejected(RejectionCode.UnknownTool);

    [Fact]
    public void The_name_of_a_tool_is_compared_ordinally() =>
        GivenAccount(Granted(1, 100)).When(Spend(tool: "Chat")).ThenRejected(RejectionCode.UnknownTool);

    [Fact]
    public void A_service_is_a_tool() =>
        GivenAccount(Granted(1, 1000))
            .When(Spend("2", "transcription"))
            .Then(Spent("2", 660, tool: "transcription", paid: [Share(1, 660)]) with { Entry = "services/transcription" });

    [Fact]
    public void Nothing_done_cannot_be_charged() =>
        GivenAccount(Granted(1, 100)).When(Spend("0")).ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void A_cost_beyond_all_bounds_is_rejected() =>
        GivenAccount(Granted(1, 100))
            .When(Spend("1000000000", "dear", "r2") with { Units = new(long.MaxValue) })
            .ThenRejected(RejectionCode.AmountOutOfRange);

    [Fact]
    public void The_pockets_pay_in_drain_order()
    {
        // Soonest expiry first, then subscription before bonus before payg, then the oldest; a pack for a model pays for no tool.
        var given = GivenAccount(
            Granted(1, 1, PocketSource.Payg),
            Granted(2, 1, PocketSource.Bonus),
            Granted(3, 1, PocketSource.Subscription, expiresAt: Noon.AddDays(30)),
            Granted(4, 1, PocketSource.Payg, expiresAt: Noon.AddDays(7)),
            Granted(5, 1, PocketSource.Payg, expiresAt: Noon.AddDays(30)),
            Granted(6, 10, PocketSource.Pack, "deepseek/chat"),
            Granted(7, 10, PocketSource.Payg)
        );

        given.When(Spend()).Then(Spent("1", 5, paid: [Share(4, 1), Share(3, 1), Share(5, 1), Share(2, 1), Share(1, 1)]));
    }

    [Fact]
    public void A_spend_takes_exactly_what_is_available() =>
        GivenAccount(Granted(1, 5))
            .When(Spend())
            .Then(Spent("1", 5, paid: [Share(1, 5)]))
            .When(Spend(reference: "r2"))
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Credits(5), Amount.Credits(0)));

    [Fact]
    public void A_spend_is_all_or_nothing() =>
        GivenAccount(Granted(1, 4))
            .When(Spend())
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Credits(5), Amount.Credits(4)));

    [Fact]
    public void What_is_held_cannot_be_spent() =>
        GivenAccount(Granted(1, 9), Held("1", 5, allocated: Share(1, 5)))
            .When(Spend())
            .ThenRejected(RejectionCode.InsufficientCredits, new("balance", Amount.Credits(5), Amount.Credits(4)));

    [Fact]
    public void What_has_lapsed_cannot_be_spent_and_a_refusal_does_not_record_it() =>
        GivenAccount(Granted(1, 5, expiresAt: Noon.AddHours(1)))
            .At(Noon.AddHours(1))
            .When(Spend())
            .ThenRejected(RejectionCode.InsufficientCredits);

    [Fact]
    public void What_has_lapsed_is_recorded_before_the_spend_that_finds_it() =>
        GivenAccount(Granted(1, 5, expiresAt: Noon.AddHours(1)), Granted(2, 5))
            .At(Noon.AddHours(2))
            .When(Spend())
            .Then(Lapsed(1, 5, Noon.AddHours(1)), Spent("1", 5, paid: [Share(2, 5)]));

    [Fact]
    public void Dollars_do_not_pay_credits() =>
        GivenAccount(new CreditsGranted(new(1), Amount.Usd(100), PocketSource.Prepaid, null, null, "operator", "payment-1", null))
            .When(Spend())
            .ThenRejected(RejectionCode.InsufficientCredits);

    [Fact]
    public void Debt_blocks_spending_and_is_named() =>
        GivenAccount(Granted(1, 10), Held("1", 5, allocated: Share(1, 5)), Settled("3", 15, [Share(1, 5)], [Share(1, 5)], debt: 5))
            .When(Spend())
            .ThenRejected(RejectionCode.InsufficientCredits, new("debt", Amount.Credits(5), Amount.Credits(0)));

    [Fact]
    public void Debt_does_not_block_free_work() =>
        GivenAccount(Granted(1, 10), Held("1", 5, allocated: Share(1, 5)), Settled("3", 15, [Share(1, 5)], [Share(1, 5)], debt: 5))
            .When(Spend(tool: "free"))
            .Then(Spent("1", 0, tool: "free"));

    [Fact]
    public void A_repeat_gives_the_first_answer() =>
        GivenAccount(Granted(1, 100), Spent("1", 5, paid: Share(1, 5))).When(Spend()).ThenRepeated(Spent("1", 5, paid: [Share(1, 5)]));

    [Fact]
    public void A_repeat_gives_the_first_answer_also_after_the_wallet_ran_empty() =>
        GivenAccount(Granted(1, 5), Spent("1", 5, paid: Share(1, 5))).When(Spend()).ThenRepeated(Spent("1", 5, paid: [Share(1, 5)]));

    [Fact]
    public void A_repeat_is_never_rated_again() =>
        GivenAccount(Granted(1, 100), Spent("1", 5, paid: Share(1, 5)))
            .Under(Prices.Dearer)
            .When(Spend())
            .ThenRepeated(Spent("1", 5, paid: [Share(1, 5)]))
            .When(Spend(reference: "r2"))
            .Then(Spent("1", 7, "r2", card: 2, paid: [Share(1, 7)]));

    [Fact]
    public void A_repeat_may_come_from_another_key_and_spell_its_units_otherwise() =>
        GivenAccount(Granted(1, 100), Created(Other), Spent("1", 5, paid: Share(1, 5)))
            .When(Spend("1.0", key: Other))
            .ThenRepeated(Spent("1", 5, paid: [Share(1, 5)]));

    [Fact]
    public void The_same_reference_with_other_units_is_rejected() =>
        GivenAccount(Granted(1, 100), Spent("1", 5, paid: Share(1, 5))).When(Spend("2")).ThenRejected(RejectionCode.ReferenceConflict);

    [Fact]
    public void The_same_reference_of_a_hold_is_rejected() =>
        GivenAccount(Granted(1, 100), Held("1", 5, allocated: Share(1, 5)))
            .When(Spend(reference: "h1"))
            .ThenRejected(RejectionCode.ReferenceConflict);

    [Fact]
    public void A_hold_with_the_reference_of_a_spend_is_rejected() =>
        GivenAccount(Granted(1, 100), Spent("1", 5, paid: Share(1, 5))).When(Place("r1")).ThenRejected(RejectionCode.ReferenceConflict);

    [Fact]
    public void The_same_reference_for_another_tool_is_another_use() =>
        GivenAccount(Granted(1, 100), Spent("1", 5, paid: Share(1, 5)))
            .When(Spend(tool: "both"))
            .Then(Spent("1", 1, tool: "both", paid: [Share(1, 1)]));

    [Fact]
    public void References_are_compared_ordinally() =>
        GivenAccount(Granted(1, 100), Spent("1", 5, paid: Share(1, 5)))
            .When(Spend(reference: "R1"))
            .Then(Spent("1", 5, "R1", paid: [Share(1, 5)]));

    [Fact]
    public void Access_comes_before_everything_else_repeats_included()
    {
        var given = GivenAccount(Granted(1, 100), Spent("1", 5, paid: Share(1, 5)));
        given.And(new KeyRevoked(Main, null)).When(Spend()).ThenRejected(RejectionCode.KeyNotUsable);
        given.And(new KeyRevoked(Main, null), new AccountSuspended("fraud")).When(Spend()).ThenRejected(RejectionCode.KeyNotUsable);
        given.And(new AccountSuspended("fraud")).When(Spend()).ThenRejected(RejectionCode.AccountSuspended);
        given.When(Spend(key: Other)).ThenRejected(RejectionCode.KeyNotUsable);
        given.And(Created(Other, KeyKind.Provisioning)).When(Spend(key: Other)).ThenRejected(RejectionCode.KeyKindNotAllowed);
        given.And(Created(Other, KeyKind.Provisioning)).When(Spend("2", key: Other)).ThenRejected(RejectionCode.KeyKindNotAllowed);
        Given().When(Spend()).ThenRejected(RejectionCode.AccountNotFound);
    }

    [Fact]
    public void A_hundred_fundings_admit_exactly_a_hundred_spends_of_a_thousand()
    {
        var scenario = GivenAccount(Granted(1, 500));
        var accepted = 0;
        for (var i = 0; i < 1000; i++)
        {
            scenario = scenario.When(Spend(reference: $"r{i}"));
            if (scenario.Decision is Decision<AccountEvent>.Accepted)
                accepted++;
        }

        accepted.ShouldBe(100);
    }

    [Fact]
    public void A_quote_is_what_the_spend_then_costs()
    {
        var account = GivenAccount(Granted(1, 7)).After;
        Quote
            .For(account, Main, "chat", Quantity.Of(1), Noon, Prices.Card)
            .ShouldBe(new(Amount.Credits(5), Prices.Card.FindTool("chat"), null, null));
        Quote
            .For(account, Main, "chat", Quantity.Of(2), Noon, Prices.Card)
            .ShouldBe(
                new(
                    Amount.Credits(10),
                    Prices.Card.FindTool("chat"),
                    RejectionCode.InsufficientCredits,
                    new("balance", Amount.Credits(10), Amount.Credits(7))
                )
            );
        Quote.For(account, Main, "nosuch", Quantity.Of(1), Noon, Prices.Card).Refusal.ShouldBe(RejectionCode.UnknownTool);
        Quote.For(account, Main, "chat", default, Noon, Prices.Card).Refusal.ShouldBe(RejectionCode.AmountOutOfRange);
        Quote.For(account, Other, "chat", Quantity.Of(1), Noon, Prices.Card).Refusal.ShouldBe(RejectionCode.KeyKindNotAllowed);
    }

    [Fact]
    public void Where_a_name_is_both_a_tool_and_a_service_the_tool_prices_it() => Prices.Card.FindTool("both")!.Id.ShouldBe("tools/both");
}
