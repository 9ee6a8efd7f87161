using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using Ledger.Domain.Money;

namespace Ledger.Domain.RateCards;

/// <summary>What prices one tool.</summary>
/// <param name="Id">The entry's name on the card: <c>tools/chat</c>, <c>services/transcription</c>.</param>
/// <param name="Name">What callers name the tool.</param>
/// <param name="Per">What one unit of it is.</param>
/// <param name="Credits">Credits per unit.</param>
public sealed record ToolEntry(string Id, string Name, string Per, Quantity Credits);

/// <summary>One published version of the price list.</summary>
public sealed class RateCard
{
    private readonly FrozenDictionary<string, ToolEntry> _tools;

    /// <summary>Builds a card from a document that has been validated; where a name is both a tool and a service, the tool prices it.</summary>
    /// <param name="version">Its event's place in the stream.</param>
    /// <param name="effectiveAt">From when it prices.</param>
    /// <param name="document">What was published, as it was read.</param>
    /// <param name="source">What was published, as it was sent.</param>
    public RateCard(long version, DateTimeOffset effectiveAt, RateCardDocument document, string source = "")
    {
        ArgumentNullException.ThrowIfNull(document);
        (Version, EffectiveAt, Document, Source) = (version, effectiveAt, document, source);
        Tools =
        [
            .. document.Tools.Select(tool => new ToolEntry("tools/" + tool.Name, tool.Name, tool.Per, tool.Credits)),
            .. document.Services.Select(service => new ToolEntry("services/" + service.Name, service.Name, service.Per, service.Credits)),
        ];
        Models = new(document);
        _tools = Tools.DistinctBy(tool => tool.Name, StringComparer.Ordinal).ToFrozenDictionary(tool => tool.Name, StringComparer.Ordinal);
    }

    /// <summary>The card's version: its event's place in the stream.</summary>
    public long Version { get; }

    /// <summary>From when it prices.</summary>
    public DateTimeOffset EffectiveAt { get; }

    /// <summary>What was published.</summary>
    public RateCardDocument Document { get; }

    /// <summary>What was published, byte for byte as it was sent.</summary>
    public string Source { get; }

    /// <summary>Every tool and service, in the card's order.</summary>
    public ImmutableArray<ToolEntry> Tools { get; }

    /// <summary>The models, by every name that leads to one.</summary>
    public ModelDirectory Models { get; }

    /// <summary>The entry of a tool, if it has a price.</summary>
    public ToolEntry? FindTool(string name) => _tools.GetValueOrDefault(name);

    /// <summary>The pack of an id, if it is sold.</summary>
    public PricedPack? FindPack(string id) => Document.Packs.FirstOrDefault(pack => string.Equals(pack.Id, id, StringComparison.Ordinal));

    /// <summary>The subscription level of an id, if there is one.</summary>
    public PricedTier? FindTier(string id) => Document.Tiers.FirstOrDefault(tier => string.Equals(tier.Id, id, StringComparison.Ordinal));
}

/// <summary>What has happened to the price list.</summary>
public abstract record RateCardEvent
{
    private protected RateCardEvent() { }
}

/// <summary>A version of the price list was published.</summary>
/// <param name="EffectiveAt">From when it prices.</param>
/// <param name="Document">The document, byte for byte as it was sent.</param>
public sealed record RateCardPublished(DateTimeOffset EffectiveAt, string Document) : RateCardEvent;

/// <summary>Every published version of the price list: the state of the stream <c>rate-card</c>.</summary>
/// <param name="Version">The last version; 0 before the first.</param>
/// <param name="LastAt">The last event's time.</param>
/// <param name="Cards">The versions, oldest first.</param>
public sealed record RateBook(long Version, DateTimeOffset LastAt, ImmutableArray<RateCard> Cards)
{
    /// <summary>The id of the one stream.</summary>
    public const string StreamId = "rate-card";

    /// <summary>The alias of the stream in the log.</summary>
    public const string StreamType = "rate_card";

    /// <summary>Nothing published yet.</summary>
    public static RateBook Empty { get; } = new(0, default, []);

    /// <summary>The card of a version, if it was published.</summary>
    public RateCard? Find(long version) => version >= 1 && version <= Cards.Length ? Cards[(int)version - 1] : null;

    /// <summary>The version that prices at a time: of those in effect, the one that took effect last; of two at once, the later version.</summary>
    public RateCard? InForce(DateTimeOffset now)
    {
        RateCard? found = null;
        foreach (var card in Cards)
        {
            if (card.EffectiveAt <= now && (found is null || card.EffectiveAt >= found.EffectiveAt))
                found = card;
        }

        return found;
    }

    /// <summary>The versions that take effect after a time, in that order; of two at once only the later version, which is the one that will price.</summary>
    public IReadOnlyList<RateCard> After(DateTimeOffset at) =>
        [
            .. Cards
                .Where(card => card.EffectiveAt > at)
                .GroupBy(card => card.EffectiveAt)
                .Select(same => same.Last())
                .OrderBy(card => card.EffectiveAt),
        ];

    /// <summary>
    /// The version that already does what publishing a document would: the one in force, or from a time on the one that takes effect then.
    /// </summary>
    public RateCard? FindSame(string document, DateTimeOffset? effectiveAt, DateTimeOffset now)
    {
        var card = effectiveAt is null ? InForce(now) : Cards.LastOrDefault(card => card.EffectiveAt == effectiveAt);
        return string.Equals(card?.Source, document, StringComparison.Ordinal) ? card : null;
    }

    /// <summary>The state after one more event. Never refuses.</summary>
    public static RateBook Evolve(RateBook book, RateCardEvent @event, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(book);
        return @event switch
        {
            RateCardPublished e => new(
                book.Version + 1,
                at,
                book.Cards.Add(
                    new(
                        book.Version + 1,
                        e.EffectiveAt,
                        JsonSerializer.Deserialize(e.Document, RateCardJson.Default.RateCardDocument)
                            ?? throw new InvalidDataException("An empty rate card."),
                        e.Document
                    )
                )
            ),
            _ => throw new UnreachableException($"No fold for {@event?.GetType().Name}."),
        };
    }
}

/// <summary>Publishes a version of the price list, from now on or from a later time; already so where the same document prices then.</summary>
/// <param name="Document">The document, validated, as it was sent.</param>
/// <param name="EffectiveAt">From when it prices; null for at once.</param>
/// <param name="Seen">What whoever publishes it has compared it with; null where that does not matter.</param>
public sealed record PublishRateCard(string Document, DateTimeOffset? EffectiveAt, RateCardsSeen? Seen = null)
{
    /// <summary>
    /// Whether there are other versions than those that it was compared with, so that what it changes is not what was seen. Never where the same is published already: then nothing is
    /// changed.
    /// </summary>
    public bool IsOutdated(RateBook book, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(book);
        return Seen is { } seen && seen != RateCardsSeen.Of(book, EffectiveAt, now) && book.FindSame(Document, EffectiveAt, now) is null;
    }

    /// <summary>Decides on all versions so far.</summary>
    public Decision<RateCardEvent> Decide(RateBook book, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(book);
        if (book.FindSame(Document, EffectiveAt, now) is not null)
            return new Decision<RateCardEvent>.Accepted([]);

        // The first version prices at once: without any, nothing could be charged.
        return EffectiveAt < now || (book.Cards.IsEmpty && EffectiveAt > now)
            ? new Decision<RateCardEvent>.Rejected(RejectionCode.EffectiveDateNotAllowed)
            : new Decision<RateCardEvent>.Accepted([new RateCardPublished(EffectiveAt ?? now, Document)]);
    }
}

/// <summary>The versions of the price list as somebody saw them who compared a card with them.</summary>
/// <param name="Version">The last version that there was; 0 before the first.</param>
/// <param name="Replaced">The version in force at the time from which the card is to price; null where none is.</param>
public readonly record struct RateCardsSeen(long Version, long? Replaced)
{
    /// <summary>As they are now.</summary>
    /// <param name="book">The versions.</param>
    /// <param name="effectiveAt">From when the card is to price; null for at once.</param>
    /// <param name="now">The time.</param>
    public static RateCardsSeen Of(RateBook book, DateTimeOffset? effectiveAt, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(book);
        return new(book.Version, book.InForce(effectiveAt ?? now)?.Version);
    }
}
