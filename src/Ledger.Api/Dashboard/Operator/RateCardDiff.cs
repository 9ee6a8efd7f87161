using System.Globalization;
using System.Text.Json;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>How an entry differs between two rate cards.</summary>
public enum EntryChange
{
    /// <summary>Only the new one has it.</summary>
    Added,

    /// <summary>Only the old one has it.</summary>
    Removed,

    /// <summary>Both have it, with other terms.</summary>
    Changed,
}

/// <summary>One entry that differs.</summary>
/// <param name="Part">The part of the card, such as <c>models</c>.</param>
/// <param name="Name">The entry's name; empty where the part has only one.</param>
/// <param name="Change">How it differs.</param>
/// <param name="Terms">What differs in it.</param>
public sealed record RateCardDifference(string Part, string Name, EntryChange Change, IReadOnlyList<TermDifference> Terms);

/// <summary>One term that differs.</summary>
/// <param name="Term">The term, such as <c>usd_per_1m.input</c>.</param>
/// <param name="Before">What it was; null where it was not there.</param>
/// <param name="After">What it is; null where it is not there any more.</param>
public sealed record TermDifference(string Term, string? Before, string? After)
{
    /// <summary>By how much a number rose or fell, such as <c>+10 %</c>; null where that says nothing.</summary>
    public string? Share
    {
        get
        {
            if (
                Before is null
                || After is null
                || !Quantity.TryParse(Before, out var before)
                || !Quantity.TryParse(After, out var after)
                || !before.IsPositive
                || before == after
            )
                return null;
            var tenths = ((Int128)after.Nanos - before.Nanos) * 1000 / before.Nanos;
            return (
                    tenths > 0 ? "+"
                    : tenths < 0 ? "−"
                    : "±"
                )
                + ((decimal)Int128.Abs(tenths) / 10).ToString("#,0.#", CultureInfo.InvariantCulture)
                + " %";
        }
    }
}

/// <summary>What differs between two rate cards, entry by entry, however they are written and ordered.</summary>
public static class RateCardDiff
{
    // By what an entry of a list is known; other parts are one entry, or one of each name.
    private static readonly (string Part, string[] Keys)[] Lists =
    [
        ("tools", ["name"]),
        ("services", ["name"]),
        ("models", ["provider", "model"]),
        ("packs", ["id"]),
        ("tiers", ["id"]),
    ];

    /// <summary>The differences, in the order of the card's parts and then by name.</summary>
    public static IReadOnlyList<RateCardDifference> Between(RateCardDocument before, RateCardDocument after)
    {
        // Written by the same hand, so that 1.5 and 1.50 are the same and what is left out is, too.
        var (old, next) = (Write(before), Write(after));
        var found = new List<RateCardDifference>();
        foreach (var member in next.EnumerateObject())
        {
            var keys = Lists.FirstOrDefault(list => list.Part == member.Name).Keys;
            var (left, right) = (EntriesOf(old.GetProperty(member.Name), member.Name, keys), EntriesOf(member.Value, member.Name, keys));
            foreach (var name in left.Keys.Union(right.Keys).Order(StringComparer.Ordinal))
            {
                var (had, has) = (left.GetValueOrDefault(name), right.GetValueOrDefault(name));
                var terms = Compare(had ?? [], has ?? []);
                if (had is null || has is null || terms.Count > 0)
                    found.Add(
                        new(
                            member.Name,
                            name,
                            had is null ? EntryChange.Added
                                : has is null ? EntryChange.Removed
                                : EntryChange.Changed,
                            terms
                        )
                    );
            }
        }

        return found;
    }

    private static JsonElement Write(RateCardDocument document) =>
        JsonSerializer.SerializeToElement(document, RateCardJson.Default.RateCardDocument);

    private static Dictionary<string, Dictionary<string, string>> EntriesOf(JsonElement part, string name, string[]? keys)
    {
        if (keys is not null)
            return part.EnumerateArray()
                .ToDictionary(
                    entry => string.Join('/', keys.Select(key => entry.GetProperty(key).GetString())),
                    entry => TermsOf(entry, keys),
                    StringComparer.Ordinal
                );
        return name == "aliases"
            ? part.EnumerateObject()
                .ToDictionary(
                    alias => alias.Name,
                    alias => new Dictionary<string, string>(StringComparer.Ordinal) { ["leads to"] = TextOf(alias.Value) },
                    StringComparer.Ordinal
                )
            : new(StringComparer.Ordinal) { [""] = TermsOf(part, []) };
    }

    private static Dictionary<string, string> TermsOf(JsonElement entry, string[] keys)
    {
        var terms = new Dictionary<string, string>(StringComparer.Ordinal);
        Add("", entry);
        return terms;

        void Add(string at, JsonElement value)
        {
            if (value.ValueKind != JsonValueKind.Object)
            {
                if (value.ValueKind != JsonValueKind.Null)
                    terms.Add(at, TextOf(value));
                return;
            }

            foreach (var member in value.EnumerateObject())
            {
                if (at.Length > 0 || !keys.Contains(member.Name))
                    Add(at.Length == 0 ? member.Name : at + "." + member.Name, member.Value);
            }
        }
    }

    private static List<TermDifference> Compare(Dictionary<string, string> before, Dictionary<string, string> after) =>
        [
            .. after
                .Keys.Union(before.Keys)
                .Select(term => new TermDifference(term, before.GetValueOrDefault(term), after.GetValueOrDefault(term)))
                .Where(term => term.Before != term.After),
        ];

    private static string TextOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Array => value.GetArrayLength() == 0 ? "none" : string.Join(", ", value.EnumerateArray().Select(TextOf)),
            _ => value.GetRawText(),
        };
}
