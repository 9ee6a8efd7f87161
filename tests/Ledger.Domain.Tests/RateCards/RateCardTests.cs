using System.Text.Json;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Domain.Tests.RateCards;

public class RateCardTests
{
    private static readonly string Document = JsonSerializer.Serialize(Prices.Document(5), RateCardJson.Default.RateCardDocument);

    private static RateBook Published(params DateTimeOffset[] effective) =>
        effective.Aggregate(RateBook.Empty, (book, at) => RateBook.Evolve(book, new RateCardPublished(at, Document), Noon));

    private static RateCardPublished Accepted(Decision<RateCardEvent> decision) =>
        decision.ShouldBeOfType<Decision<RateCardEvent>.Accepted>().Events.ShouldHaveSingleItem().ShouldBeOfType<RateCardPublished>();

    [Fact]
    public void A_card_is_published_from_now_on_byte_for_byte() =>
        Accepted(new PublishRateCard(Document, null).Decide(RateBook.Empty, Noon)).ShouldBe(new(Noon, Document));

    [Fact]
    public void A_card_may_be_published_ahead() =>
        Accepted(new PublishRateCard(Document, Noon.AddDays(1)).Decide(Published(Noon), Noon)).EffectiveAt.ShouldBe(Noon.AddDays(1));

    [Fact]
    public void The_first_card_of_all_cannot_be_published_ahead() =>
        new PublishRateCard(Document, Noon.AddDays(1))
            .Decide(RateBook.Empty, Noon)
            .ShouldBe(new Decision<RateCardEvent>.Rejected(RejectionCode.EffectiveDateNotAllowed));

    [Fact]
    public void A_card_in_the_past_is_rejected()
    {
        new PublishRateCard(Document, Noon.AddTicks(-1))
            .Decide(RateBook.Empty, Noon)
            .ShouldBe(new Decision<RateCardEvent>.Rejected(RejectionCode.EffectiveDateNotAllowed));
        Accepted(new PublishRateCard(Document, Noon).Decide(RateBook.Empty, Noon)).EffectiveAt.ShouldBe(Noon);
    }

    [Fact]
    public void A_card_may_be_published_ahead_of_one_that_is_scheduled() =>
        Accepted(new PublishRateCard(Document, null).Decide(Published(Noon.AddDays(7)), Noon)).EffectiveAt.ShouldBe(Noon);

    [Fact]
    public void Before_the_first_card_takes_effect_nothing_has_a_price()
    {
        RateBook.Empty.InForce(Noon).ShouldBeNull();
        Published(Noon).InForce(Noon.AddTicks(-1)).ShouldBeNull();
    }

    [Fact]
    public void The_card_that_took_effect_last_is_in_force()
    {
        var book = Published(Noon, Noon.AddDays(7), Noon.AddDays(1));
        book.InForce(Noon)!.Version.ShouldBe(1);
        book.InForce(Noon.AddDays(1).AddTicks(-1))!.Version.ShouldBe(1);
        book.InForce(Noon.AddDays(1))!.Version.ShouldBe(3);
        book.InForce(Noon.AddDays(7))!.Version.ShouldBe(2);
    }

    [Fact]
    public void Of_two_at_once_the_later_version_is_in_force() => Published(Noon, Noon).InForce(Noon)!.Version.ShouldBe(2);

    [Fact]
    public void The_same_card_is_published_once()
    {
        var (book, other) = (Published(Noon, Noon.AddDays(1)), Document + " ");
        Accepts(new PublishRateCard(Document, null), book, Noon.AddHours(1)).ShouldBe(0);
        Accepts(new PublishRateCard(Document, Noon.AddDays(1)), book, Noon.AddHours(1)).ShouldBe(0);
        Accepts(new PublishRateCard(Document, Noon.AddDays(1)), book, Noon.AddDays(2)).ShouldBe(0);
        Accepts(new PublishRateCard(Document, Noon.AddDays(3)), book, Noon.AddHours(1)).ShouldBe(1);
        Accepts(new PublishRateCard(other, null), book, Noon.AddHours(1)).ShouldBe(1);

        // Once another prices then, the first is news again.
        book = RateBook.Evolve(book, new RateCardPublished(Noon.AddDays(1), other), Noon);
        Accepts(new PublishRateCard(Document, Noon.AddDays(1)), book, Noon.AddHours(1)).ShouldBe(1);

        static int Accepts(PublishRateCard command, RateBook book, DateTimeOffset now) =>
            command.Decide(book, now).ShouldBeOfType<Decision<RateCardEvent>.Accepted>().Events.Length;
    }

    [Fact]
    public void The_cards_that_come_later_are_told_in_the_order_in_which_they_price()
    {
        var book = Published(Noon, Noon.AddDays(7), Noon.AddDays(1), Noon.AddDays(7));
        book.After(Noon).Select(card => card.Version).ShouldBe([3, 4], "of two at once only the later version ever prices");
        book.After(Noon.AddDays(1)).Select(card => card.Version).ShouldBe([4]);
        book.After(Noon.AddDays(7)).ShouldBeEmpty();
    }

    [Fact]
    public void What_was_compared_with_other_versions_than_there_are_is_outdated()
    {
        var (before, other) = (Published(Noon), Document + " ");
        var after = Published(Noon, Noon.AddDays(7));

        // Somebody scheduled one meanwhile.
        var atOnce = new PublishRateCard(other, null, RateCardsSeen.Of(before, null, Noon));
        atOnce.IsOutdated(before, Noon.AddHours(1)).ShouldBeFalse();
        atOnce.IsOutdated(after, Noon.AddHours(1)).ShouldBeTrue();
        (atOnce with { Seen = null }).IsOutdated(after, Noon).ShouldBeFalse();

        // What was scheduled came into force meanwhile, and nobody published anything.
        var seen = atOnce with
        {
            Seen = RateCardsSeen.Of(after, null, Noon),
        };
        seen.IsOutdated(after, Noon.AddDays(6)).ShouldBeFalse();
        seen.IsOutdated(after, Noon.AddDays(7)).ShouldBeTrue();

        // It is there already, so that nothing is changed by it.
        (seen with { Document = Document })
            .IsOutdated(after, Noon.AddDays(7))
            .ShouldBeFalse();
    }

    [Fact]
    public void A_published_card_prices_what_its_document_says()
    {
        var card = Published(Noon).InForce(Noon)!;
        card.FindTool("chat")!.Credits.ShouldBe(Quantity.Of(5));
        card.FindTool("free")!.Credits.ShouldBe(default);
        card.FindTool("nosuch").ShouldBeNull();
        card.Tools.Select(tool => tool.Id).ShouldContain("services/both");
    }

    [Fact]
    public void A_document_has_no_unknown_members_and_none_twice()
    {
        Should.Throw<JsonException>(() =>
            JsonSerializer.Deserialize(Document.Insert(1, "\"surprise\":1,"), RateCardJson.Default.RateCardDocument)
        );
        Should.Throw<JsonException>(() =>
            JsonSerializer.Deserialize(Document.Insert(1, "\"tools\":[],"), RateCardJson.Default.RateCardDocument)
        );
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize("{}", RateCardJson.Default.RateCardDocument));
    }
}
