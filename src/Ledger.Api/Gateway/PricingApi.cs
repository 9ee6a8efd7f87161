using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json.Serialization;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Gateway;

/// <summary>What subscriptions and tokens cost, for everybody: as JSON, or as a page.</summary>
public sealed class PricingApi
{
    private readonly RateCards _cards;
    private readonly TimeProvider _time;

    private PricingApi(IServiceProvider services)
    {
        _cards = services.GetRequiredService<RateCards>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new PricingApi(app.Services);
        app.MapGet("/pricing", (Delegate)api.ShowTiersAsync)
            .WithTags("Pricing")
            .WithSummary("Subscription tiers; a page where text/html is wanted.")
            .Produces<TierList>(200, "application/json");
        app.MapGet("/pricing/tokens", (Delegate)api.ShowTokensAsync)
            .WithTags("Pricing")
            .WithSummary("Prices per million tokens; a page where text/html is wanted.")
            .Produces<TokenPriceList>(200, "application/json");
    }

    private async Task ShowTiersAsync(HttpContext context)
    {
        var tiers = (await CardAsync(context))
            .Document.Tiers.Select(tier => new TierView(
                tier.Id,
                WireNumber.Of(tier.PriceUsd),
                WireNumber.Of(tier.CreditsPerMonth),
                tier.TokensPer24h
            ))
            .ToList();
        context.Response.Headers.Vary = "Accept";
        if (!HtmlPage.IsWanted(context))
        {
            await ApiErrors.SendAsync(context, 200, new(tiers), PriceJson.Default.TierList);
            return;
        }

        await HtmlPage.SendAsync(
            context,
            200,
            "Pricing",
            Table(
                "Pricing",
                "Subscriptions, per month.",
                ["Tier", "Price", "Credits per month", "Tokens per 24 hours"],
                tiers.Select(tier => (string[])[tier.Id, "$" + Text(tier.PriceUsd), Text(tier.CreditsPerMonth), Text(tier.TokensPer24h)])
            ) + "<p><a href=\"/pricing/tokens\">Prices per token</a></p>"
        );
    }

    private async Task ShowTokensAsync(HttpContext context)
    {
        var prices = (await CardAsync(context))
            .Document.Models.OrderBy(ModelDirectory.NameOf, StringComparer.Ordinal)
            .Select(model => new TokenPrice(
                ModelDirectory.NameOf(model),
                WireNumber.Of(model.UsdPer1m.Input),
                WireNumber.Of(model.UsdPer1m.Output),
                WireNumber.Of(model.UsdPer1m.CacheRead),
                WireNumber.Of(model.UsdPer1m.CacheWrite),
                WireNumber.Of(model.UsdPer1m.CacheWrite1h)
            ))
            .ToList();
        context.Response.Headers.Vary = "Accept";
        if (!HtmlPage.IsWanted(context))
        {
            await ApiErrors.SendAsync(context, 200, new(prices), PriceJson.Default.TokenPriceList);
            return;
        }

        await HtmlPage.SendAsync(
            context,
            200,
            "Prices per token",
            Table(
                "Prices per token",
                "Dollars per million tokens.",
                ["Model", "Input", "Output", "Cache read", "Cache write", "Cache write, 1 h"],
                prices.Select(price =>
                    (string[])
                        [
                            price.Id,
                            "$" + Text(price.InputPricePer1mTokens),
                            "$" + Text(price.OutputPricePer1mTokens),
                            "$" + Text(price.CacheReadPricePer1mTokens),
                            "$" + Text(price.CacheWritePricePer1mTokens),
                            "$" + Text(price.CacheWrite1hPricePer1mTokens),
                        ]
                )
            ) + "<p><a href=\"/pricing\">Subscriptions</a></p>"
        );
    }

    /// <summary>The card in force, as far as this node knows without asking: nobody is charged by what stands here.</summary>
    private async Task<RateCard> CardAsync(HttpContext context)
    {
        var book = _cards.Book.Version > 0 ? _cards.Book : await _cards.ReloadAsync(context.RequestAborted);
        return book.InForce(LedgerTime.Later(_time, book.LastAt))
            ?? throw new LedgerUnavailableException("No rate card is in force yet.", TimeSpan.FromSeconds(1));
    }

    private static string Table(string title, string note, string[] heads, IEnumerable<string[]> rows)
    {
        var head = string.Concat(
            heads.Select((text, i) => $"<th scope=\"col\"{(i > 0 ? " class=\"number\"" : "")}>{HtmlEncoder.Default.Encode(text)}</th>")
        );
        var body = string.Concat(
            rows.Select(row =>
                    "<tr>"
                    + string.Concat(
                        row.Select((text, i) => $"<td{(i > 0 ? " class=\"number\"" : "")}>{HtmlEncoder.Default.Encode(text)}</td>")
                    )
                    + "</tr>"
                )
                .DefaultIfEmpty(FormattableString.Invariant($"<tr><td colspan=\"{heads.Length}\">Nothing is sold yet.</td></tr>"))
        );
        return $"<h1>{title}</h1><p class=\"note\">{note}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>";
    }

    private static string Text(decimal number) => number.ToString("#,0.#########", CultureInfo.InvariantCulture);
}

/// <summary>Subscription tiers.</summary>
/// <param name="Data">In the price list's order.</param>
public sealed record TierList(IReadOnlyList<TierView> Data);

/// <summary>A subscription tier.</summary>
/// <param name="Id">Its name, as checkouts take it.</param>
/// <param name="PriceUsd">Dollars per month.</param>
/// <param name="CreditsPerMonth">Credits per month.</param>
/// <param name="TokensPer24h">Tokens per 24 hours.</param>
public sealed record TierView(
    string Id,
    decimal PriceUsd,
    decimal CreditsPerMonth,
    [property: JsonPropertyName("tokens_per_24h")] long TokensPer24h
);

/// <summary>Prices per token.</summary>
/// <param name="Data">By model.</param>
public sealed record TokenPriceList(IReadOnlyList<TokenPrice> Data);

/// <summary>What a model's tokens cost, in dollars per million.</summary>
/// <param name="Id">The model.</param>
/// <param name="InputPricePer1mTokens">Fresh input.</param>
/// <param name="OutputPricePer1mTokens">Output.</param>
/// <param name="CacheReadPricePer1mTokens">Input read from a cache.</param>
/// <param name="CacheWritePricePer1mTokens">Input written to a cache for five minutes.</param>
/// <param name="CacheWrite1hPricePer1mTokens">Input written to a cache for an hour.</param>
public sealed record TokenPrice(
    string Id,
    [property: JsonPropertyName("input_price_per_1m_tokens")] decimal InputPricePer1mTokens,
    [property: JsonPropertyName("output_price_per_1m_tokens")] decimal OutputPricePer1mTokens,
    [property: JsonPropertyName("cache_read_price_per_1m_tokens")] decimal CacheReadPricePer1mTokens,
    [property: JsonPropertyName("cache_write_price_per_1m_tokens")] decimal CacheWritePricePer1mTokens,
    [property: JsonPropertyName("cache_write_1h_price_per_1m_tokens")] decimal CacheWrite1hPricePer1mTokens
);

/// <summary>Writes them: snake_case.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TierList))]
[JsonSerializable(typeof(TokenPriceList))]
internal sealed partial class PriceJson : JsonSerializerContext;
