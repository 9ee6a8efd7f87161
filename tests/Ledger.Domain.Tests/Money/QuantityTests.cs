using Ledger.Domain.Money;

namespace Ledger.Domain.Tests.Money;

public class QuantityTests
{
    [Theory]
    [InlineData("0", 0, "0")]
    [InlineData("1", 1_000_000_000, "1")]
    [InlineData("1.0", 1_000_000_000, "1")]
    [InlineData("1e0", 1_000_000_000, "1")]
    [InlineData("10e-1", 1_000_000_000, "1")]
    [InlineData("0.1E1", 1_000_000_000, "1")]
    [InlineData("1e+0", 1_000_000_000, "1")]
    [InlineData("0.000000001", 1, "0.000000001")]
    [InlineData("1e-9", 1, "0.000000001")]
    [InlineData("0.0000000010", 1, "0.000000001")]
    [InlineData("12.5", 12_500_000_000, "12.5")]
    [InlineData("0.30", 300_000_000, "0.3")]
    [InlineData("1000000000", 1_000_000_000_000_000_000, "1000000000")]
    [InlineData("1e9", 1_000_000_000_000_000_000, "1000000000")]
    [InlineData("999999999.999999999", 999_999_999_999_999_999, "999999999.999999999")]
    [InlineData("0e64", 0, "0")]
    public void These_are_quantities(string text, long nanos, string written)
    {
        Quantity.TryParse(text, out var quantity).ShouldBeTrue();
        quantity.Nanos.ShouldBe(nanos);
        quantity.ToString().ShouldBe(written);
        Quantity.Parse(written).ShouldBe(quantity);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(" 1")]
    [InlineData("1 ")]
    [InlineData("0.0000000001")]
    [InlineData("1e-10")]
    [InlineData("1000000000.000000001")]
    [InlineData("1000000001")]
    [InlineData("1e10")]
    [InlineData("9223372036854775808")]
    [InlineData("99999999999999999999999999999999999999999999")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-1")]
    [InlineData("-0")]
    [InlineData("+1")]
    [InlineData(".5")]
    [InlineData("1.")]
    [InlineData(".")]
    [InlineData("01")]
    [InlineData("00.5")]
    [InlineData("1,5")]
    [InlineData("1_000")]
    [InlineData("0x10")]
    [InlineData("e5")]
    [InlineData("1e")]
    [InlineData("1e5.0")]
    [InlineData("1e1e1")]
    [InlineData("1e 1")]
    [InlineData("1e65")]
    [InlineData("1e-65")]
    [InlineData("1e999999999999")]
    [InlineData("١")]
    [InlineData("1.0.0")]
    public void These_are_not(string text)
    {
        Quantity.TryParse(text, out var quantity).ShouldBeFalse();
        quantity.ShouldBe(default);
        Should.Throw<FormatException>(() => Quantity.Parse(text));
    }

    [Fact]
    public void A_text_that_goes_on_and_on_is_refused_at_once() =>
        Quantity.TryParse("0." + new string('0', 1_000_000), out _).ShouldBeFalse();

    [Fact]
    public void Every_quantity_reads_back_what_it_writes() =>
        Property.ForAll(
            FsCheck.Fluent.Gen.Choose(0, int.MaxValue),
            seed =>
            {
                var quantity = new Quantity((long)seed * 465_661_287 % 1_000_000_000_000_000_001);
                Quantity.Parse(quantity.ToString()).ShouldBe(quantity);
            },
            2000
        );
}
