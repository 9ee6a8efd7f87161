using FsCheck.Fluent;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Domain.Tests.Metering;

public class TokenChargeTests
{
    private static readonly PackPrices PackRates = new(Quantity.Of(50_000), Quantity.Of(125_000));
    private static readonly TokenPrices Free = new(default, default, default, default, default);

    private static TokenPrices Rates(string input, string output) =>
        Free with
        {
            Input = Quantity.Parse(input),
            Output = Quantity.Parse(output),
        };

    /// <summary>Tokens by class, dollars per million of each class, and what that comes to in 10⁻⁹ dollar.</summary>
    private const string Dollars = """
        input     | read | write | hour | output    | rates: input | read  | write | hour | output      | parts
        0         | 0    | 0     | 0    | 0         | 1            | 1     | 1     | 1    | 1           | 0
        1000000   | 0    | 0     | 0    | 0         | 1            | 0     | 0     | 0    | 0           | 1000000000
        1         | 0    | 0     | 0    | 0         | 1            | 0     | 0     | 0    | 0           | 1000
        1         | 0    | 0     | 0    | 0         | 0.000000001  | 0     | 0     | 0    | 0           | 1
        1         | 0    | 0     | 0    | 1         | 0.000000001  | 0     | 0     | 0    | 0.000000001 | 1
        1000000   | 0    | 0     | 0    | 0         | 0.000000001  | 0     | 0     | 0    | 0           | 1
        1000001   | 0    | 0     | 0    | 0         | 0.000000001  | 0     | 0     | 0    | 0           | 2
        3         | 0    | 0     | 0    | 7         | 0.0005       | 0     | 0     | 0    | 0.0001      | 3
        1         | 10   | 100   | 1000 | 10000     | 1            | 0     | 0     | 0    | 0           | 1000
        1         | 10   | 100   | 1000 | 10000     | 0            | 1     | 0     | 0    | 0           | 10000
        1         | 10   | 100   | 1000 | 10000     | 0            | 0     | 1     | 0    | 0           | 100000
        1         | 10   | 100   | 1000 | 10000     | 0            | 0     | 0     | 1    | 0           | 1000000
        1         | 10   | 100   | 1000 | 10000     | 0            | 0     | 0     | 0    | 1           | 10000000
        1         | 10   | 100   | 1000 | 10000     | 3            | 0.30  | 3.75  | 6    | 15          | 156381000
        1000      | 0    | 0     | 0    | 100       | 0.28         | 0.07  | 0.28  | 0.28 | 1.10        | 390000
        100000000 | 0    | 0     | 0    | 100000000 | 0            | 0     | 0     | 0    | 0           | 0
        100000000 | 0    | 0     | 0    | 100000000 | 5000000      | 0     | 0     | 0    | 5000000     | 1000000000000000000
        100000000 | 0    | 0     | 0    | 100000000 | 5000000      | 0     | 0     | 0    | 5000001     | too much
        """;

    public static TheoryData<string> Rows() => [.. Dollars.Split('\n')[1..]];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Each_class_is_charged_at_its_own_rate_and_the_sum_is_rounded_up_once(string row)
    {
        var cells = row.Split('|', StringSplitOptions.TrimEntries);
        var tokens = cells[..5].Select(long.Parse).ToArray();
        var rates = cells[5..10].Select(Quantity.Parse).ToArray();
        var cost = TokenCharge.Usd(
            new(tokens[0], tokens[1], tokens[2], tokens[3], tokens[4]),
            new(rates[0], rates[4], rates[1], rates[2], rates[3])
        );
        (cost?.Parts.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "too much").ShouldBe(cells[10]);
    }

    /// <summary>Input, output, credits per million of each, and what that comes to in whole credits.</summary>
    [Theory]
    [InlineData(24, 86, "50000", "125000", 12)]
    [InlineData(0, 0, "50000", "125000", 0)]
    [InlineData(1, 0, "50000", "125000", 1)]
    [InlineData(20, 0, "50000", "125000", 1)]
    [InlineData(21, 0, "50000", "125000", 2)]
    [InlineData(20, 8, "50000", "125000", 2)]
    [InlineData(20, 9, "50000", "125000", 3)]
    [InlineData(1, 1, "0.000000001", "0.000000001", 1)]
    [InlineData(1_000_000, 1_000_000, "0", "0", 0)]
    public void A_pack_is_charged_in_whole_credits_rounded_up_once(long input, long output, string inRate, string outRate, long credits) =>
        TokenCharge
            .Credits(Calls.Used(input, output), new(Quantity.Parse(inRate), Quantity.Parse(outRate)))
            .ShouldBe(Amount.Credits(credits));

    [Fact]
    public void Cached_input_is_input_to_a_pack() =>
        TokenCharge.Credits(new(6, 6, 6, 6, 86), PackRates).ShouldBe(TokenCharge.Credits(Calls.Used(24, 86), PackRates));

    [Fact]
    public void Free_is_a_price()
    {
        TokenCharge.Usd(Calls.Used(1_000, 1_000), Free).ShouldBe(Usd(0));
        TokenCharge.Credits(Calls.Used(1_000, 1_000), new(default, default)).ShouldBe(Amount.Credits(0));
    }

    /// <summary>Rounded once, never per class: thirds of a part in each of two classes are one part, not two.</summary>
    [Fact]
    public void What_a_charge_is_rounded_by_is_less_than_one_part() =>
        Property.ForAll(
            from input in Gen.Choose(0, 1_000_000)
            from output in Gen.Choose(0, 1_000_000)
            from inRate in Gen.Choose(0, int.MaxValue)
            from outRate in Gen.Choose(0, int.MaxValue)
            select (input, output, inRate, outRate),
            call =>
            {
                var exact = ((Int128)call.input * call.inRate) + ((Int128)call.output * call.outRate);
                var dollars = TokenCharge.Usd(
                    Calls.Used(call.input, call.output),
                    Free with
                    {
                        Input = new(call.inRate),
                        Output = new(call.outRate),
                    }
                );
                (((Int128)dollars!.Value.Parts * 1_000_000) - exact).ShouldBeInRange(0, 999_999);
                var credits = TokenCharge.Credits(Calls.Used(call.input, call.output), new(new(call.inRate), new(call.outRate)));
                (((Int128)credits!.Value.Parts * 1_000_000_000) - exact).ShouldBeInRange(0, 999_999_999_999_999);
                (credits.Value.Parts % Unit.Credits.PartsPerWhole()).ShouldBe(0);
            },
            1000
        );

    private static Amount Usd(long parts) => Calls.Usd(parts);
}
