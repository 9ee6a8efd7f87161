using System.Text.Json;
using Ledger.Domain.Money;

namespace Ledger.Domain.Tests.Money;

public class AmountTests
{
    [Theory]
    [InlineData(0, Unit.Credits, "0")]
    [InlineData(5_000_000, Unit.Credits, "5")]
    [InlineData(250_000, Unit.Credits, "0.25")]
    [InlineData(1, Unit.Credits, "0.000001")]
    [InlineData(-1_000_001, Unit.Credits, "-1.000001")]
    [InlineData(1, Unit.Usd, "0.000000001")]
    [InlineData(1_500_000_000, Unit.Usd, "1.5")]
    [InlineData(662_000_000, Unit.Usd, "0.662")]
    [InlineData(long.MaxValue, Unit.Credits, "9223372036854.775807")]
    [InlineData(long.MinValue, Unit.Credits, "-9223372036854.775808")]
    [InlineData(long.MinValue, Unit.Usd, "-9223372036.854775808")]
    public void An_amount_is_written_exactly(long parts, Unit unit, string written)
    {
        new Amount(parts, unit).ToDecimalString().ShouldBe(written);
        new Amount(parts, unit).ToString().ShouldBe($"{written} {unit.Name()}");
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(999_999, 0)]
    [InlineData(1_000_000, 1)]
    [InlineData(1_999_999, 1)]
    [InlineData(-1, -1)]
    [InlineData(-1_000_000, -1)]
    [InlineData(-1_000_001, -2)]
    [InlineData(long.MinValue, -9_223_372_036_855)]
    public void Whole_units_are_rounded_down(long parts, long whole) => new Amount(parts, Unit.Credits).WholeFloor().ShouldBe(whole);

    [Theory]
    [InlineData("0", Unit.Credits, 0)]
    [InlineData("12.5", Unit.Credits, 12_500_000)]
    [InlineData("1.25e1", Unit.Credits, 12_500_000)]
    [InlineData("0.0000010", Unit.Credits, 1)]
    [InlineData("1000000000000", Unit.Credits, 1_000_000_000_000_000_000)]
    [InlineData("0.000000001", Unit.Usd, 1)]
    [InlineData("1000000000", Unit.Usd, 1_000_000_000_000_000_000)]
    public void An_amount_is_read_exactly(string text, Unit unit, long parts)
    {
        Amount.TryParse(text, unit, out var amount).ShouldBeTrue();
        amount.ShouldBe(new(parts, unit));
        Amount.TryParse(amount.ToDecimalString(), unit, out var again).ShouldBeTrue();
        again.ShouldBe(amount);
    }

    [Theory]
    [InlineData("", Unit.Credits)]
    [InlineData("-1", Unit.Credits)]
    [InlineData("+1", Unit.Credits)]
    [InlineData("01", Unit.Credits)]
    [InlineData("1.", Unit.Credits)]
    [InlineData(".5", Unit.Credits)]
    [InlineData("1,5", Unit.Credits)]
    [InlineData("NaN", Unit.Credits)]
    [InlineData("0.0000001", Unit.Credits)]
    [InlineData("1000000000000.000001", Unit.Credits)]
    [InlineData("0.0000000001", Unit.Usd)]
    [InlineData("1000000001", Unit.Usd)]
    public void What_is_no_amount_of_a_unit_is_not_read(string text, Unit unit) => Amount.TryParse(text, unit, out _).ShouldBeFalse();

    [Fact]
    public void The_default_is_zero_credits() => default(Amount).ShouldBe(Amount.Zero(Unit.Credits));

    [Fact]
    public void Amounts_of_one_unit_are_added_subtracted_and_compared()
    {
        (Amount.Credits(2) + Amount.Credits(3)).ShouldBe(Amount.Credits(5));
        (Amount.Credits(2) - Amount.Credits(3)).ShouldBe(Amount.Credits(-1));
        (Amount.Credits(2) < Amount.Credits(3)).ShouldBeTrue();
        (Amount.Credits(2) > Amount.Credits(3)).ShouldBeFalse();
        (Amount.Credits(3) <= Amount.Credits(3)).ShouldBeTrue();
        (Amount.Credits(2) >= Amount.Credits(3)).ShouldBeFalse();
        Amount.Min(Amount.Usd(2), Amount.Usd(3)).ShouldBe(Amount.Usd(2));
        (Amount.Credits(1).IsPositive, Amount.Credits(0).IsPositive, Amount.Credits(-1).IsPositive).ShouldBe((true, false, false));
        Amount.Credits(1).ShouldNotBe(Amount.Usd(1));
    }

    [Fact]
    public void Units_never_mix()
    {
        var (credits, usd) = (Amount.Credits(1), Amount.Usd(1));
        Should.Throw<InvalidOperationException>(() => credits + usd);
        Should.Throw<InvalidOperationException>(() => credits - usd);
        Should.Throw<InvalidOperationException>(() => credits < usd);
        Should.Throw<InvalidOperationException>(() => credits > usd);
        Should.Throw<InvalidOperationException>(() => credits <= usd);
        Should.Throw<InvalidOperationException>(() => credits >= usd);
        Should.Throw<InvalidOperationException>(() => Amount.Min(credits, usd));
    }

    [Fact]
    public void Arithmetic_is_checked()
    {
        var most = new Amount(long.MaxValue, Unit.Credits);
        Should.Throw<OverflowException>(() => most + new Amount(1, Unit.Credits));
        Should.Throw<OverflowException>(() => new Amount(-2, Unit.Credits) - most);
        Should.Throw<OverflowException>(() => Amount.Credits(9_223_372_036_855));
        Should.Throw<OverflowException>(() => Amount.Usd(9_223_372_037));
        Should.Throw<OverflowException>(() => Quantity.Of(long.MaxValue));
    }

    [Fact]
    public void Stored_an_amount_is_named_after_its_unit_and_counts_parts()
    {
        JsonSerializer.Serialize(Amount.Credits(5)).ShouldBe("""{"credits":5000000}""");
        JsonSerializer.Deserialize<Amount>("""{ "usd": -7 }""").ShouldBe(new(-7, Unit.Usd));
    }

    [Theory]
    [InlineData("5")]
    [InlineData("{}")]
    [InlineData("""{"euro":5}""")]
    [InlineData("""{"credits":5,"usd":5}""")]
    [InlineData("""{"credits":9223372036854775808}""")]
    [InlineData("""{"credits":1.5}""")]
    [InlineData("""{"credits":null}""")]
    public void Anything_else_is_no_amount(string json) => Should.Throw<Exception>(() => JsonSerializer.Deserialize<Amount>(json));
}
