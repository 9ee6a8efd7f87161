using System.Collections.Immutable;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Tests.Metering;

/// <summary>Which models may come to serve a call.</summary>
public class FallbackTests
{
    private static readonly PricedModel Dear = Model("dear");
    private static readonly PricedModel Plain = Model("plain", "up/dear", "up/nosuch");

    [Theory]
    [InlineData("", "up/plain up/dear")]
    [InlineData("up/plain", "up/plain")]
    [InlineData("plain", "up/plain")]
    [InlineData("plain dear", "up/plain up/dear")]
    [InlineData("auto", "up/plain up/dear")]
    public void A_fallback_that_the_keys_list_does_not_have_is_none(string list, string chain)
    {
        var allowed = list.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToImmutableArray();
        var created = Facts.Created(Scenario.Main) with { AllowedModels = allowed };
        var key = KeyRing.Evolve(KeyRing.Empty, created, Wallet.Empty, Scenario.Noon).Find(Scenario.Main);
        Names(new CallAsk("auto", CallPayment.Balance, 1, 1).ChainOn(Card(), key)).ShouldBe(chain);
    }

    [Fact]
    public void A_pack_pays_for_its_own_model_alone_and_takes_no_logical_name()
    {
        Names(new CallAsk("up/plain", CallPayment.Pack, 1, 1).ChainOn(Card(), null)).ShouldBe("up/plain");
        new CallAsk("auto", CallPayment.Pack, 1, 1).ChainOn(Card(), null).ShouldBeEmpty();
    }

    private static string Names(IEnumerable<PricedModel> chain) => string.Join(' ', chain.Select(ModelDirectory.NameOf));

    private static RateCard Card() =>
        new(
            1,
            default,
            new(
                [],
                [],
                [Plain, Dear],
                new Dictionary<string, string> { ["auto"] = "up/plain" },
                [],
                [],
                new(Quantity.Of(1), 1, 1, "USD"),
                new(1, 1),
                new(Quantity.Of(1), Quantity.Of(1))
            )
        );

    private static PricedModel Model(string name, params string[] fallbacks)
    {
        var one = Quantity.Of(1);
        return new("up", name, name, new(one, one, one, one, one), 10, 10, fallbacks);
    }
}
