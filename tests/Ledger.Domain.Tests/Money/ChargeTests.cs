using Ledger.Domain.Money;

namespace Ledger.Domain.Tests.Money;

public class ChargeTests
{
    [Theory]
    [InlineData("1", "5", 5)]
    [InlineData("0.5", "5", 3)]
    [InlineData("0.2", "5", 1)]
    [InlineData("0.200000001", "5", 2)]
    [InlineData("0", "5", 0)]
    [InlineData("1000000000", "0", 0)]
    [InlineData("0.000000001", "0.000000001", 1)]
    [InlineData("3", "0.333333333", 1)]
    [InlineData("3", "0.333333334", 2)]
    [InlineData("1000", "0.662", 662)]
    [InlineData("1000000000", "1000", 1_000_000_000_000)]
    public void A_charge_is_rounded_up_once_at_the_end(string units, string price, long credits) =>
        Charge.WholeCredits(Quantity.Parse(units), Quantity.Parse(price)).ShouldBe(Amount.Credits(credits));

    [Theory]
    [InlineData("1000000000", "1000.000000001")]
    [InlineData("1000000000", "1000000000")]
    public void A_charge_beyond_what_an_account_may_hold_has_no_amount(string units, string price) =>
        Charge.WholeCredits(Quantity.Parse(units), Quantity.Parse(price)).ShouldBeNull();

    [Fact]
    public void A_charge_is_never_negative() => Charge.WholeCredits(new(-1), Quantity.Of(5)).ShouldBeNull();

    [Fact]
    public void A_charge_covers_the_exact_cost_and_less_than_one_credit_more() =>
        Property.ForAll(
            FsCheck.Fluent.Gen.Two(FsCheck.Fluent.Gen.Choose(0, int.MaxValue)),
            pair =>
            {
                var (units, price) = (new Quantity(pair.Item1), new Quantity(pair.Item2));
                var exact = (Int128)units.Nanos * price.Nanos;
                var charged = (Int128)Charge.WholeCredits(units, price)!.Value.WholeFloor() * 1_000_000_000_000_000_000;
                (charged >= exact).ShouldBeTrue();
                (charged - exact < 1_000_000_000_000_000_000).ShouldBeTrue();
            },
            2000
        );

    [Fact]
    public void Every_sum_that_a_wallet_keeps_fits()
    {
        foreach (var unit in Enum.GetValues<Unit>())
        {
            // Reversed and debt are at most what was spent, expired at most what was granted or reversed.
            var (granted, spent) = ((Int128)Limits.MaxAmount(unit).Parts, (Int128)Limits.MaxSpent(unit).Parts);
            (granted + spent + spent <= long.MaxValue).ShouldBeTrue();
        }
    }
}
