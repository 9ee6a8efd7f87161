using System.Runtime.CompilerServices;
using System.Text.Json;
using Ledger.Api.Dashboard.Operator;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>What the operator reads: events in words, and rate cards compared.</summary>
public sealed class OperatorWordsTests
{
    private static readonly RateCardDocument Card = JsonSerializer.Deserialize(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rate-card.json")),
        RateCardJson.Default.RateCardDocument
    )!;

    public static TheoryData<Type> Events =>
        [.. typeof(AccountEvent).Assembly.GetTypes().Where(type => !type.IsAbstract && type.IsSubclassOf(typeof(AccountEvent)))];

    [Theory]
    [MemberData(nameof(Events))]
    public void Every_event_has_words(Type type) =>
        EventWords.Of((AccountEvent)RuntimeHelpers.GetUninitializedObject(type)).Length.ShouldBeGreaterThan(10);

    [Fact]
    public void A_card_that_is_only_written_differently_changes_nothing()
    {
        var shuffled = Card with
        {
            Tools = [.. Card.Tools.Reverse()],
            Models = [.. Card.Models.Reverse()],
            Aliases = Card.Aliases.Reverse().ToDictionary(),
        };
        RateCardDiff.Between(Card, shuffled).ShouldBeEmpty();
    }

    [Fact]
    public void What_differs_is_named_entry_by_entry_and_term_by_term()
    {
        var model = Card.Models[0];
        var changed = Card with
        {
            Tools = [.. Card.Tools.Skip(1), Card.Tools[0] with { Name = "another" }],
            Models =
            [
                model with
                {
                    UsdPer1m = model.UsdPer1m with { Input = new(model.UsdPer1m.Input.Nanos * 3 / 2) },
                    Fallbacks = ["sandbox/echo"],
                },
                .. Card.Models.Skip(1),
            ],
            Topup = Card.Topup with { MinAmountUsd = Card.Topup.MinAmountUsd + 1 },
            Aliases = Card.Aliases.Append(new("mine", "sandbox/echo")).ToDictionary(),
        };
        var found = RateCardDiff.Between(Card, changed);
        found
            .Select(difference => (difference.Part, difference.Name, difference.Change))
            .ShouldBe([
                ("tools", "another", EntryChange.Added),
                ("tools", Card.Tools[0].Name, EntryChange.Removed),
                ("models", $"{model.Provider}/{model.Model}", EntryChange.Changed),
                ("aliases", "mine", EntryChange.Added),
                ("topup", "", EntryChange.Changed),
            ]);
        found[2]
            .Terms.ShouldBe([
                new("usd_per_1m.input", model.UsdPer1m.Input.ToString(), new Quantity(model.UsdPer1m.Input.Nanos * 3 / 2).ToString()),
                new("fallbacks", "none", "sandbox/echo"),
            ]);
        found[2].Terms[0].Share.ShouldBe("+50 %");
        found[2].Terms[1].Share.ShouldBeNull();
        RateCardDiff.Between(changed, Card).Single(difference => difference.Name == "mine").Change.ShouldBe(EntryChange.Removed);
    }

    [Theory]
    [InlineData("5", "6", "+20 %")]
    [InlineData("3", "2", "−33.3 %")]
    [InlineData("1000", "1000.001", "±0 %")]
    [InlineData("0", "1", null)]
    [InlineData("minute", "hour", null)]
    [InlineData("1", null, null)]
    public void A_number_says_by_how_much_it_rose(string before, string? after, string? share) =>
        new TermDifference("x", before, after).Share.ShouldBe(share);

    [Fact]
    public void What_is_no_json_is_shown_as_it_is()
    {
        EventWords.Indent("no json").ShouldBe("no json");
        EventWords.Indent("""{"a":"<ü>"}""").ShouldBe("{\n  \"a\": \"<ü>\"\n}");
    }
}
