using System.Text.Json.Nodes;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary>Rate cards as operators send them: the default one with something more, or less.</summary>
internal static class Cards
{
    /// <summary>The default card, byte for byte.</summary>
    public static readonly string Default = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rate-card.json")).Trim();

    /// <summary>With another tier.</summary>
    public static string WithTier(string id, string dollars, string credits, long tokens, string proration = "time") =>
        With(card =>
            card["tiers"]!
                .AsArray()
                .Add(
                    new JsonObject
                    {
                        ["id"] = id,
                        ["price_usd"] = dollars,
                        ["credits_per_month"] = credits,
                        ["tokens_per_24h"] = tokens,
                        ["proration"] = proration,
                    }
                )
        );

    /// <summary>With another pack, for the model that echoes.</summary>
    public static string WithPack(string id, string dollars, string credits) =>
        With(card =>
            card["packs"]!
                .AsArray()
                .Add(
                    new JsonObject
                    {
                        ["id"] = id,
                        ["provider"] = "sandbox",
                        ["model"] = "echo",
                        ["credits"] = credits,
                        ["credits_per_1m"] = new JsonObject { ["input"] = "1000", ["output"] = "4000" },
                        ["price_usd"] = dollars,
                        ["valid_days"] = 30,
                    }
                )
        );

    /// <summary>With anything changed.</summary>
    public static string With(Action<JsonObject> change)
    {
        var card = JsonNode.Parse(Default)!.AsObject();
        change(card);
        return card.ToJsonString();
    }
}
