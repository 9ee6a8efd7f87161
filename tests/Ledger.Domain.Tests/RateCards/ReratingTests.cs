using System.Collections.Immutable;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Tests.RateCards;

/// <summary>Recorded work at another card's prices, to the smallest part.</summary>
public sealed class ReratingTests
{
    private static readonly RateCard Card = new(
        0,
        default,
        new(
            [new("chat", "turn", Quantity.Parse("0.333"))],
            [new("search", "query", Quantity.Parse("2.5"))],
            [new("openai", "gpt", "gpt", new(Of("1.2505"), Of("10"), Of("0.125"), Of("1.5"), Of("2.5")), 100, 100, [])],
            new Dictionary<string, string>(),
            [
                new("small", "openai", "gpt", Of("100"), new(Of("3"), Of("12")), Of("9"), 30),
                new("large", "openai", "gpt", Of("100"), new(Of("2"), Of("8")), Of("9"), 30),
            ],
            [],
            new(Of("1"), 1, 2, "usd"),
            new(1, 2),
            new(Of("0"), Of("0"))
        )
    );

    [Theory]
    [InlineData("chat", "3", "1", "tools/chat")] // 0.999: up to a whole credit
    [InlineData("chat", "4", "2", "tools/chat")] // 1.332
    [InlineData("chat", "0.000000001", "1", "tools/chat")]
    [InlineData("search", "1.2", "3", "services/search")] // 3 exactly
    [InlineData("ping", "5", null, "tools/ping")]
    [InlineData("chat", "1000000000", "333000000", "tools/chat")]
    public void Tools_cost_whole_credits_rounded_up_once(string tool, string units, string? credits, string entry)
    {
        var rerated = Rerating.Of(new CreditsSpent(new("k"), tool, Of(units), Amount.Credits(7), 1, entry, "r", []), Card)!.Value;
        rerated.ShouldBe(
            new(tool, ChargeSource.Balance, false, Amount.Credits(7), Parse(credits, Unit.Credits), credits is null ? entry : null)
        );
        Rerating.Of(Settled(tool, Of(units), Amount.Credits(7), entry, null), Card).ShouldBe(rerated);
        Rerating.Of(SettledLate(tool, Of(units), Amount.Credits(7), entry, null), Card).ShouldBe(rerated);
    }

    [Theory]
    [InlineData(1, 0, 0, 0, 0, "0.000001251")] // 1250.5 of the smallest parts
    [InlineData(0, 1, 0, 0, 0, "0.000000125")]
    [InlineData(0, 0, 1, 0, 0, "0.0000015")]
    [InlineData(0, 0, 0, 1, 0, "0.0000025")]
    [InlineData(0, 0, 0, 0, 1, "0.00001")]
    [InlineData(123_457, 7_001, 13, 17, 999, "0.165310104")] // 165,310,103.5: rounded up once, not per class
    [InlineData(2, 0, 0, 0, 0, "0.000002501")] // exactly
    public void Calls_cost_dollars_by_class_of_token_rounded_up_once(long input, long read, long write, long hour, long output, string usd)
    {
        var call = Call(new(input, read, write, hour, output));
        Rerating
            .Of(Settled("chat/completions", default, Amount.Usd(1), "models/openai/gpt", call), Card)
            .ShouldBe(new Rerated("openai/gpt", ChargeSource.Balance, false, Amount.Usd(1), Parse(usd, Unit.Usd), null));
    }

    [Theory]
    [InlineData("packs/small", 1_000_001, 3, "4")] // 3.000039 credits: up to a whole one
    [InlineData("packs/large", 1_000_000, 0, "2")]
    [InlineData("packs/gone", 1_000_000, 0, "3")] // another pack for the same model, the first of the card
    public void Packs_cost_whole_credits_at_their_own_rates_or_those_of_another_pack_for_the_model(
        string entry,
        long input,
        long output,
        string credits
    ) =>
        Rerating
            .Of(SettledLate("chat/completions", default, Amount.Credits(1), entry, Call(new(input, 0, 0, 0, output))), Card)
            .ShouldBe(new Rerated("openai/gpt", ChargeSource.Packs, false, Amount.Credits(1), Parse(credits, Unit.Credits), null));

    [Fact]
    public void What_a_quota_paid_costs_nothing_whatever_the_card_says_and_what_is_not_on_the_card_has_no_price()
    {
        var quota = Call(new(1, 0, 0, 0, 1), "gone") with { Quota = new(new(Guid.Empty), 1, 2) };
        Rerating
            .Of(Settled("chat/completions", default, Amount.Usd(0), "tiers/pro", quota), Card)
            .ShouldBe(new Rerated("openai/gone", ChargeSource.Quota, false, Amount.Usd(0), Amount.Usd(0), null));
        Rerating
            .Of(Settled("chat/completions", default, Amount.Usd(2), "models/openai/gone", quota with { Quota = null }), Card)
            .ShouldBe(new Rerated("openai/gone", ChargeSource.Balance, false, Amount.Usd(2), null, "models/openai/gone"));
        Rerating
            .Of(Settled("chat/completions", default, Amount.Credits(2), "packs/small", quota with { Quota = null }), Card)
            .ShouldBe(new Rerated("openai/gone", ChargeSource.Packs, false, Amount.Credits(2), null, "packs/small"));
        Rerating.Of(new HoldReleased(new(Guid.Empty)), Card).ShouldBeNull();
    }

    [Fact]
    public void A_reversal_takes_off_what_its_charge_would_have_been()
    {
        var spent = new CreditsSpent(new("k"), "chat", Of("4"), Amount.Credits(7), 1, "tools/chat", "r", []);
        var reversed = new SpendReversed(new(Guid.Empty), new("k"), "chat", Amount.Credits(7), default, [], null, "why");
        Rerating
            .Of(reversed, Card, spent)
            .ShouldBe(new Rerated("chat", ChargeSource.Balance, true, Amount.Credits(-7), Amount.Credits(-2), null));
        Rerating
            .Of(reversed, Card, spent with { Tool = "ping", Entry = "tools/ping" })
            .ShouldBe(new Rerated("ping", ChargeSource.Balance, true, Amount.Credits(-7), null, "tools/ping"));
        Should.Throw<InvalidDataException>(() => Rerating.Of(reversed, Card));
        Should.Throw<InvalidDataException>(() => Rerating.Of(reversed, Card, reversed));
    }

    private static Quantity Of(string text) => Quantity.Parse(text);

    private static Amount? Parse(string? text, Unit unit) =>
        text is null ? null
        : Amount.TryParse(text, unit, out var amount) ? amount
        : throw new FormatException(text);

    private static CallRecord Call(TokenUse tokens, string model = "gpt") =>
        new("openai", model, tokens, false, CallOutcome.Completed, 1, null, null);

    private static HoldSettled Settled(string tool, Quantity units, Amount charged, string entry, CallRecord? call) =>
        new(new(Guid.Empty), new("k"), tool, units, charged, 1, entry, "r", [], [], null, default, call);

    private static HoldSettledLate SettledLate(string tool, Quantity units, Amount charged, string entry, CallRecord? call) =>
        new(new(Guid.Empty), new("k"), tool, units, charged, 1, entry, "r", ImmutableArray<PocketShare>.Empty, null, default, call);
}
