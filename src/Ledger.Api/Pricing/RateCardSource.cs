using System.Text.Json;
using Ledger.Api.Http;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Pricing;

/// <summary>A rate card as somebody wrote it, read strictly and checked as a whole: every fault is named at once, by its place.</summary>
internal static class RateCardSource
{
    private const int MaxItems = 10_000;

    /// <summary>Checks a text, such as a file's.</summary>
    public static IReadOnlyList<JsonFault> Check(string text)
    {
        var faults = new JsonFaults();
        try
        {
            using var document = JsonDocument.Parse(text);
            Check(document.RootElement, "", faults);
        }
        catch (JsonException e)
        {
            faults.Add("", $"The rate card is not valid JSON, at line {(e.LineNumber ?? 0) + 1}.");
        }

        return faults.All;
    }

    /// <summary>Checks a document that stands somewhere in a body.</summary>
    public static void Check(JsonElement element, string path, JsonFaults faults)
    {
        var own = new JsonFaults();
        var card = Read(element, path, own);
        foreach (var fault in own.All)
            faults.Add(fault.Path, fault.Message);

        // Whatever could not be read stands in the card as nothing; what is wrong with nothing was said already.
        if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (var failure in RateCardValidator.Instance.Validate(card).Errors)
            {
                var at = path.Length == 0 ? failure.PropertyName : path + "." + failure.PropertyName;
                if (!own.Covers(at))
                    faults.Add(at, failure.ErrorMessage);
            }
        }

        // What is stored must be read back by every server, for good. Whatever this reader and that one disagree about is refused.
        if (!faults.IsEmpty)
            return;
        try
        {
            JsonSerializer.Deserialize(element, RateCardJson.Default.RateCardDocument);
        }
        catch (JsonException e)
        {
            faults.Add(path, $"The rate card cannot be read at {e.Path}.");
        }
    }

    private static RateCardDocument Read(JsonElement element, string path, JsonFaults faults)
    {
        var members = new JsonMembers(element, path, faults);
        var card = new RateCardDocument(
            members.List("tools", MaxItems, true, (item, at) => Tool(item, at, faults)),
            members.List("services", MaxItems, true, (item, at) => Tool(item, at, faults)),
            members.List("models", MaxItems, true, (item, at) => Model(item, at, faults)),
            Aliases(members, faults),
            members.List("packs", MaxItems, true, (item, at) => Pack(item, at, faults)),
            members.List("tiers", MaxItems, true, (item, at) => Tier(item, at, faults)),
            Payg(members.Object("payg")),
            Topup(members.Object("topup")),
            Referral(members.Object("referral"))
        );
        members.End();
        return card;
    }

    private static PricedTool Tool(JsonElement item, string path, JsonFaults faults)
    {
        var members = new JsonMembers(item, path, faults);
        var tool = new PricedTool(members.Text("name", 100, true) ?? "", members.Text("per", 50, true) ?? "", members.Price("credits"));
        members.End();
        return tool;
    }

    private static PricedModel Model(JsonElement item, string path, JsonFaults faults)
    {
        var members = new JsonMembers(item, path, faults);
        var prices = members.Object("usd_per_1m");
        var model = new PricedModel(
            members.Text("provider", 50, true) ?? "",
            members.Text("model", 200, true) ?? "",
            members.Text("upstream_model", 200, true) ?? "",
            new(
                prices.Price("input"),
                prices.Price("output"),
                prices.Price("cache_read"),
                prices.Price("cache_write"),
                prices.Price("cache_write_1h")
            ),
            (int)(members.Whole("max_output_tokens", 1, int.MaxValue, true) ?? 1),
            (int)(members.Whole("context_tokens", 1, int.MaxValue, true) ?? 1),
            members.Texts("fallbacks", 20, 260, true)
        );
        prices.End();
        members.End();
        return model;
    }

    private static Dictionary<string, string> Aliases(JsonMembers card, JsonFaults faults)
    {
        var aliases = new Dictionary<string, string>(StringComparer.Ordinal);
        var members = card.Object("aliases");
        foreach (var (name, value) in members.TakeAll())
        {
            var target = JsonMembers.TextOf(value) is { Length: > 0 and <= 260 } text ? text : null;
            if (target is null)
                faults.Add(members.At(name), "must be a text of 1 to 260 characters, without NUL");
            aliases.Add(name, target ?? "");
        }

        return aliases;
    }

    private static PricedPack Pack(JsonElement item, string path, JsonFaults faults)
    {
        var members = new JsonMembers(item, path, faults);
        var prices = members.Object("credits_per_1m");
        var pack = new PricedPack(
            members.Text("id", 100, true) ?? "",
            members.Text("provider", 50, true) ?? "",
            members.Text("model", 200, true) ?? "",
            members.Price("credits"),
            new(prices.Price("input"), prices.Price("output")),
            members.Price("price_usd"),
            (int)(members.Whole("valid_days", 1, 36_500, true) ?? 1)
        );
        prices.End();
        members.End();
        return pack;
    }

    private static PricedTier Tier(JsonElement item, string path, JsonFaults faults)
    {
        var members = new JsonMembers(item, path, faults);
        var tier = new PricedTier(
            members.Text("id", 100, true) ?? "",
            members.Price("price_usd"),
            members.Price("credits_per_month"),
            members.Whole("tokens_per_24h", 0, 1_000_000_000_000, true) ?? 0,
            members.Text("proration", 10)
        );
        members.End();
        return tier;
    }

    private static PaygTerms Payg(JsonMembers members)
    {
        var terms = new PaygTerms(
            members.Price("credits_per_dollar"),
            (int)(members.Whole("min_amount_usd", 1, 1_000_000, true) ?? 1),
            (int)(members.Whole("max_amount_usd", 1, 1_000_000, true) ?? 1_000_000),
            members.Text("currency", 3, true) ?? ""
        );
        members.End();
        return terms;
    }

    private static TopupTerms Topup(JsonMembers members)
    {
        var terms = new TopupTerms(
            (int)(members.Whole("min_amount_usd", 1, 1_000_000, true) ?? 1),
            (int)(members.Whole("max_amount_usd", 1, 1_000_000, true) ?? 1_000_000)
        );
        members.End();
        return terms;
    }

    private static ReferralTerms Referral(JsonMembers members)
    {
        var terms = new ReferralTerms(members.Price("referrer_credits"), members.Price("referred_credits"));
        members.End();
        return terms;
    }
}
